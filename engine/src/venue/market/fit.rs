//! Whether recorded frames are of a protocol: they decode, and the diffs of a book follow each
//! other.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::config::RecordedSymbol;
use crate::event::InstrumentId;
use crate::instrument::{InstrumentSpec, Instruments};
use crate::venue::SymbolMap;
use crate::venue::book::BookRule;
use crate::venue::protocol::{MarketMessage, MarketProtocol, MarketSink};

/// Largest frame, bytes.
const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How frames fare with a protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// Frames.
    pub frames: u64,
    /// Those that could not be decoded.
    pub refused: u64,
    /// Diffs that have one of the same book before them.
    pub diffs: u64,
    /// Those that do not follow it.
    pub holes: u64,
}

impl Fit {
    /// How the frames of these symbols fare.
    #[must_use]
    pub fn of<P: MarketProtocol>(
        symbols: &[RecordedSymbol],
        frames: &mut dyn Iterator<Item = Cow<'_, [u8]>>,
    ) -> Fit {
        let mut fit = Fit::default();
        let Some(known) = symbol_map(symbols) else { return fit };
        let mut last = vec![None; symbols.len()];
        let mut protocol = P::new(known, FRAME_BYTES_MAX);
        for frame in frames {
            fit.frames += 1;
            let mut follower = Follower { fit: &mut fit, last: &mut last, rule: P::BOOK_RULE };
            if protocol.decode_whole(&frame, &mut follower).is_err() {
                fit.refused += 1;
            }
        }
        fit
    }

    /// Whether they are of the protocol. A recording may have holes, and frames of kinds that are
    /// not known.
    #[must_use]
    pub fn is_good(&self) -> bool {
        2 * self.refused <= self.frames && 2 * self.holes <= self.diffs
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fit { frames, refused, diffs, holes } = self;
        write!(f, "{refused} of {frames} frames can not be decoded, ")?;
        write!(f, "{holes} of {diffs} diffs do not follow the one before")
    }
}

pub(in crate::venue) fn symbol_map(symbols: &[RecordedSymbol]) -> Option<SymbolMap> {
    let spec = |(number, symbol): (usize, &RecordedSymbol)| InstrumentSpec {
        symbol: format!("S{number}-X"),
        price_scale: symbol.price_scale,
        qty_scale: symbol.qty_scale,
        tick: 1,
        step: 1,
    };
    let specs = symbols.iter().enumerate().map(spec).collect();
    let natives = symbols.iter().map(|symbol| symbol.native.clone());
    let pairs: Vec<_> = natives.zip((0..).map(InstrumentId)).collect();
    SymbolMap::new(&pairs, Arc::new(Instruments::new(specs).ok()?)).ok()
}

/// Counts the diffs that do not follow.
struct Follower<'f> {
    fit: &'f mut Fit,
    /// By slot, the last update of the last diff.
    last: &'f mut [Option<u64>],
    rule: BookRule,
}

impl MarketSink for Follower<'_> {
    fn take(&mut self, message: MarketMessage<'_>) {
        let MarketMessage::Depth { symbol, diff } = message else { return };
        if let Some(last) = self.last[symbol.slot].replace(diff.final_update_id) {
            self.fit.diffs += 1;
            self.fit.holes += u64::from(!self.rule.follows(&diff, last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::binance::SpotMarket;
    use crate::venue::binance_futures::FuturesMarket;

    /// Diffs of one book, whose numbers grow by more than one.
    fn diffs(count: u64, is_linked: bool) -> Vec<String> {
        let diff = |n: u64| {
            let (first, last) = if is_linked { (10 * n + 5, 10 * n + 9) } else { (n, n) };
            let link = if is_linked { format!(r#""pu":{},"#, last - 10) } else { String::new() };
            format!(
                r#"{{"e":"depthUpdate","E":1,"s":"AB","U":{first},"u":{last},{link}"b":[],"a":[]}}"#
            )
        };
        (1..=count).map(diff).collect()
    }

    fn fit<P: MarketProtocol>(frames: &[String]) -> Fit {
        Fit::of::<P>(
            &[RecordedSymbol::new("AB")],
            &mut frames.iter().map(|frame| Cow::from(frame.as_bytes())),
        )
    }

    #[test]
    fn frames_fit_the_protocol_that_they_are_of() {
        let (spot, futures) = (diffs(10, false), diffs(10, true));
        assert_eq!(fit::<SpotMarket>(&spot), Fit { frames: 10, refused: 0, diffs: 9, holes: 0 });
        assert!(fit::<FuturesMarket>(&futures).is_good());
        let wrong = fit::<SpotMarket>(&futures);
        assert_eq!((wrong.holes, wrong.is_good()), (9, false));
        assert_eq!(fit::<FuturesMarket>(&spot).refused, 10);
        let one_lost: Vec<_> = [&spot[..4], &spot[5..]].concat();
        assert!(fit::<SpotMarket>(&one_lost).is_good());
    }
}
