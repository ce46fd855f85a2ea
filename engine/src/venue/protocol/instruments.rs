//! How a venue is asked over REST what it says of its instruments: whether they trade, and in which
//! increments.

use zerocopy::FromZeros;

use crate::event::{Instrument, InstrumentId, SCALE_MAX, parse_wide};
use crate::venue::codec::DecodeError;
use crate::venue::{Scales, SymbolMap};

/// The request, and how its answer is read.
#[derive(Clone, Copy, Debug)]
pub struct InstrumentsRequest {
    /// Path and query, for these of the venue's own symbols, and the path of the stream that they
    /// are subscribed at.
    pub path: fn(&[&str], &str) -> String,
    /// What it weighs against the venue's budget.
    pub weight: u32,
    /// Symbols that one request may name, at least 1.
    pub symbols_max: usize,
    /// Reads the body of an answer, and hands over what it says of each symbol of the table; others
    /// are left out.
    pub read: ReadInstruments,
}

/// The form of [`InstrumentsRequest::read`].
pub type ReadInstruments =
    fn(&[u8], &SymbolMap, &mut dyn FnMut(ToldInstrument<'_>)) -> Result<(), DecodeError>;

/// What a venue says of one instrument.
#[derive(Clone, Copy, Debug)]
pub struct ToldInstrument<'a> {
    /// What it is about.
    pub instrument: InstrumentId,
    /// Its status in the venue's own word. Raw: it must be escaped before it is shown.
    pub status: &'a str,
    /// Its rules in the venue's own numbers.
    pub rules: ToldRules<'a>,
    /// What it comes to; an unknown status, or increments that can't be read, are an error.
    pub data: Result<Instrument, DecodeError>,
}

/// Rules of an instrument as the venue writes them, as far as it says. Raw: they must be escaped
/// before they are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToldRules<'a> {
    /// Price increment.
    pub tick: Option<&'a str>,
    /// Quantity increment.
    pub step: Option<&'a str>,
    /// Least quantity of an order.
    pub min_qty: Option<&'a str>,
    /// Least value of an order, in the quote asset.
    pub min_notional: Option<&'a str>,
    /// The assets that are traded, base and quote.
    pub assets: [Option<&'a str>; 2],
}

/// The event of an instrument with these increments, texts of the venue.
///
/// Prices and quantities of the engine keep the instrument's own scales: where the venue allows
/// more decimals than those, the increments are the smallest that both allow. A venue tells 0 where
/// it sets no increment.
///
/// # Errors
/// When an increment is no plain decimal, negative, or out of range.
pub(in crate::venue) fn instrument_data(
    scales: Scales,
    (tick, step): (&str, &str),
    is_trading: bool,
) -> Result<Instrument, DecodeError> {
    let mut data = Instrument::new_zeroed();
    data.tick = increment(tick, scales.price)?;
    data.step = increment(step, scales.qty)?;
    (data.price_scale, data.qty_scale) = (scales.price, scales.qty);
    data.trading = u8::from(is_trading);
    Ok(data)
}

/// The least common multiple of the increment and one unit of the scale, in such units.
fn increment(text: &str, scale: u8) -> Result<i64, DecodeError> {
    let wanted = parse_wide(text.as_bytes(), SCALE_MAX)?;
    let unit = 10_i128.pow(u32::from(SCALE_MAX.saturating_sub(scale)));
    if wanted < 0 {
        return Err(DecodeError::nonsense("negative increment of an instrument"));
    }
    let increment = match wanted {
        0 => 1,
        wanted => wanted / common_divisor(wanted, unit),
    };
    i64::try_from(increment).map_err(|_| DecodeError::number("increment out of range"))
}

fn common_divisor(mut one: i128, mut other: i128) -> i128 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn increments_are_the_smallest_that_scale_and_venue_allow() {
        let read = |text| increment(text, 2);
        for (text, expected) in [
            ("0.01000000", 1),
            ("0.10", 10),
            ("5", 500),
            ("0.001", 1),
            ("0.005", 1),
            ("0.003", 3),
            ("0.00000000", 1),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        for text in ["", "-0.01", "1e-2", "0.0000000000001", "99999999999999999999"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
