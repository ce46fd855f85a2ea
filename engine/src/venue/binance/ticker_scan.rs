//! A scanner for the hottest frames, `bookTicker`, `trade` and `aggTrade`, in the venue's own field order.
//!
//! Promises: what it takes, it takes as the tape does (a differential test says so); on any deviation,
//! be it another order, a space, an escape, one more field, a number too long or a value that would be
//! refused, it takes nothing, and the tape decides. It knows no errors. A frame costs one pass over its
//! bytes, without a copy.

use super::fields::milliseconds_to_ns;
use super::market_decode::{MarketMessage, check_quote, make_trade};
use crate::event::Quote;
use crate::venue::{Symbol, SymbolMap};

/// Longest frame that is tried. The venue's have about 200 bytes.
const SCANNED_BYTES_MAX: usize = 512;

/// Most digits of a number: that many fit 63 bits whatever they are.
const DIGITS_MAX: usize = 18;

/// The message of a frame in the venue's own field order; `None` on any deviation.
#[inline]
pub(super) fn scan(frame: &[u8], symbols: &SymbolMap) -> Option<MarketMessage<'static>> {
    if frame.len() > SCANNED_BYTES_MAX {
        return None;
    }
    let mut scanner = Scanner { rest: frame };
    let is_combined = scanner.skips(br#"{"stream":""#);
    if is_combined {
        scanner.plain_text()?;
        scanner.skip(br#","data":"#)?;
    }
    let message = if scanner.skips(br#"{"u":"#) {
        scanner.quote(symbols)?
    } else {
        scanner.skip(br#"{"e":""#)?;
        if scanner.skips(br#"trade","E":"#) {
            scanner.trade(symbols)?
        } else if scanner.skips(br#"aggTrade","E":"#) {
            scanner.aggregate_trade(symbols)?
        } else {
            return None;
        }
    };
    let end: &[u8] = if is_combined { b"}}" } else { b"}" };
    (scanner.rest == end).then_some(message)
}

struct Scanner<'f> {
    rest: &'f [u8],
}

impl<'f> Scanner<'f> {
    #[inline]
    fn quote(&mut self, symbols: &SymbolMap) -> Option<MarketMessage<'static>> {
        let update_id = self.unsigned()?;
        let symbol = self.symbol(symbols)?;
        let scales = symbol.scales;
        self.skip(br#","b":""#)?;
        let bid_price = self.scaled(scales.price)?;
        self.skip(br#","B":""#)?;
        let bid_qty = self.scaled(scales.qty)?;
        self.skip(br#","a":""#)?;
        let ask_price = self.scaled(scales.price)?;
        self.skip(br#","A":""#)?;
        let ask_qty = self.scaled(scales.qty)?;
        let quote = Quote { bid_price, bid_qty, ask_price, ask_qty };
        check_quote(&quote).ok()?;
        Some(MarketMessage::Quote { symbol, update_id, venue_time_ns: 0, quote })
    }

    #[inline]
    fn trade(&mut self, symbols: &SymbolMap) -> Option<MarketMessage<'static>> {
        let event_time_ms = self.unsigned()?;
        let symbol = self.symbol(symbols)?;
        self.skip(br#","t":"#)?;
        let trade_id = self.unsigned()?;
        let (price, qty) = self.price_and_qty(symbol)?;
        self.trade_end(symbol, trade_id, event_time_ms, price, qty)
    }

    #[inline]
    fn aggregate_trade(&mut self, symbols: &SymbolMap) -> Option<MarketMessage<'static>> {
        let event_time_ms = self.unsigned()?;
        let symbol = self.symbol(symbols)?;
        self.skip(br#","a":"#)?;
        let trade_id = self.unsigned()?;
        let (price, qty) = self.price_and_qty(symbol)?;
        self.skip(br#","f":"#)?;
        self.unsigned()?;
        self.skip(br#","l":"#)?;
        self.unsigned()?;
        self.trade_end(symbol, trade_id, event_time_ms, price, qty)
    }

    #[inline]
    fn price_and_qty(&mut self, symbol: Symbol) -> Option<(i64, i64)> {
        self.skip(br#","p":""#)?;
        let price = self.scaled(symbol.scales.price)?;
        self.skip(br#","q":""#)?;
        Some((price, self.scaled(symbol.scales.qty)?))
    }

    /// The fields that end both kinds of trade.
    #[inline]
    fn trade_end(
        &mut self,
        symbol: Symbol,
        trade_id: u64,
        event_time_ms: u64,
        price: i64,
        qty: i64,
    ) -> Option<MarketMessage<'static>> {
        self.skip(br#","T":"#)?;
        self.unsigned()?;
        self.skip(br#","m":"#)?;
        let buyer_is_maker = self.boolean()?;
        self.skip(br#","M":"#)?;
        self.boolean()?;
        Some(MarketMessage::Trade {
            symbol,
            trade_id,
            venue_time_ns: milliseconds_to_ns(event_time_ms).ok()?,
            trade: make_trade(price, qty, buyer_is_maker).ok()?,
        })
    }

    #[inline]
    fn symbol(&mut self, symbols: &SymbolMap) -> Option<Symbol> {
        self.skip(br#","s":""#)?;
        symbols.lookup(self.plain_text()?)
    }

    #[inline]
    fn skip(&mut self, literal: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(literal)?;
        Some(())
    }

    #[inline]
    fn skips(&mut self, literal: &[u8]) -> bool {
        self.skip(literal).is_some()
    }

    /// Text up to the closing quote, which is skipped. Printable ASCII without escapes.
    #[inline]
    fn plain_text(&mut self) -> Option<&'f [u8]> {
        let end = self.rest.iter().position(|byte| !IS_PLAIN[usize::from(*byte)])?;
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest.strip_prefix(b"\"")?;
        Some(text)
    }

    #[inline]
    fn boolean(&mut self) -> Option<bool> {
        if self.skips(b"true") { Some(true) } else { self.skip(b"false").map(|()| false) }
    }

    /// An unsigned integer; what follows is the caller's to check.
    #[inline]
    fn unsigned(&mut self) -> Option<u64> {
        let (value, digits) = self.digits(DIGITS_MAX);
        let has_leading_zero = digits > 1 && value < 10_u64.pow(digits as u32 - 1);
        (digits > 0 && !has_leading_zero).then_some(value)
    }

    /// A number in text up to its closing quote, in units of 10^-`scale`.
    #[inline]
    fn scaled(&mut self, scale: u8) -> Option<i64> {
        let scale = usize::from(scale);
        self.short_scaled(scale).or_else(|| self.long_scaled(scale))
    }

    /// The form of nearly every number: at most eight digits, a point, at most eight places. Two registers of
    /// text, and no loop. Of any other it takes nothing.
    #[inline]
    fn short_scaled(&mut self, scale: usize) -> Option<i64> {
        let text = self.first_eight()?;
        let whole_digits = count_digits(text);
        let rest = self.rest.get(whole_digits..)?.strip_prefix(b".")?;
        let fraction = u64::from_le_bytes(*rest.first_chunk()?);
        let places = count_digits(fraction);
        // Places that the scale does not have may only be zeros.
        let kept = places.min(scale);
        let beyond = (fraction ^ ZEROS) & low_bytes(places) & !low_bytes(kept);
        let rest = rest.get(places..)?.strip_prefix(b"\"")?;
        if whole_digits == 0 || beyond != 0 {
            return None;
        }
        let whole = value_of_digits(text, whole_digits).checked_mul(*POWERS.get(scale)?)?;
        // The fraction is below 10^scale; the sum may still be too large for the register.
        let value = whole.checked_add(value_of_digits(fraction, kept) * POWERS[scale - kept])?;
        let value = i64::try_from(value).ok()?;
        self.rest = rest;
        Some(value)
    }

    /// Any number of digits and places that fits.
    #[inline(never)]
    fn long_scaled(&mut self, scale: usize) -> Option<i64> {
        let (whole, whole_digits) = self.digits(DIGITS_MAX);
        if whole_digits == 0 {
            return None;
        }
        let mut value = whole;
        let mut places = 0;
        if let [b'.', rest @ ..] = self.rest {
            self.rest = rest;
            // No more than fit the number and the scale; what is left may only be zeros.
            let room = scale.min(DIGITS_MAX - whole_digits);
            let (fraction, fraction_digits) = self.digits(room);
            value = value * POWERS[fraction_digits] + fraction;
            places = fraction_digits;
            while let [b'0', rest @ ..] = self.rest {
                if places < scale {
                    return None;
                }
                self.rest = rest;
            }
        }
        self.skip(b"\"")?;
        let value = value.checked_mul(*POWERS.get(scale - places)?)?;
        i64::try_from(value).ok()
    }

    /// The next eight bytes, the first in the lowest byte.
    #[inline]
    fn first_eight(&self) -> Option<u64> {
        self.rest.first_chunk().map(|eight| u64::from_le_bytes(*eight))
    }

    /// As many digits as there are, at most `digits_max`: their value and how many.
    #[inline]
    fn digits(&mut self, digits_max: usize) -> (u64, usize) {
        let mut value = 0;
        let mut count = 0;
        while let Some(eight) = self.first_eight() {
            let digits = count_digits(eight).min(digits_max - count);
            value = value * POWERS[digits] + value_of_digits(eight, digits);
            count += digits;
            self.rest = &self.rest[digits..];
            if digits < 8 {
                return (value, count);
            }
        }
        while count < digits_max
            && let [digit @ b'0'..=b'9', rest @ ..] = self.rest
        {
            value = value * 10 + u64::from(digit - b'0');
            count += 1;
            self.rest = rest;
        }
        (value, count)
    }
}

/// Eight times the character 0.
const ZEROS: u64 = 0x30 * ONES;
/// Eight times one.
const ONES: u64 = 0x0101_0101_0101_0101;

/// How many of eight bytes of text, from the first, which is the lowest, are digits. Eight at a time, in a
/// register: a loop over bytes was most of a frame.
#[inline]
fn count_digits(text: u64) -> usize {
    let values = text ^ ZEROS;
    // A byte above 9 sets its highest bit, here or in the sum, and a carry goes only to those behind it.
    let others = (values.wrapping_add(0x76 * ONES) | values) & (0x80 * ONES);
    others.trailing_zeros() as usize / 8
}

/// The number that the first `count` bytes of text are, at most eight and all of them digits.
#[inline]
fn value_of_digits(text: u64, count: usize) -> u64 {
    if count == 0 {
        return 0;
    }
    // As if zeros came before them.
    let digits = (text ^ ZEROS) << (64 - 8 * count);
    // Pairs, then fours, then all eight; each sum stands in the lower part of its field.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff
}

/// The first `count` bytes of a register, at most eight.
#[inline]
fn low_bytes(count: usize) -> u64 {
    if count == 8 { u64::MAX } else { (1 << (8 * count)) - 1 }
}

/// Bytes of a plain text: printable ASCII but for the quote that ends it and the escape.
const IS_PLAIN: [bool; 256] = {
    let mut is_plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        is_plain[byte as usize] = byte != b'"' && byte != b'\\';
        byte += 1;
    }
    is_plain
};

/// 10^n for every number of digits.
const POWERS: [u64; DIGITS_MAX + 1] = {
    let mut powers = [1; DIGITS_MAX + 1];
    let mut n = 1;
    while n <= DIGITS_MAX {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::event::InstrumentId;
    use crate::instrument::{InstrumentSpec, Instruments};
    use crate::venue::binance::MarketDecoder;

    const TICKER: &str = r#"{"stream":"btcusdt@bookTicker","data":{"u":50093274440,"s":"BTCUSDT","b":"61828.25000000","B":"0.99959000","a":"61828.26000000","A":"3.34988000"}}"#;

    /// Against a loop over bytes, for every length, and for every byte behind the digits.
    #[test]
    fn digits_are_those_of_a_loop() {
        let slowly = |text: &[u8]| {
            let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
            digits.fold((0, 0), |(value, count), digit| {
                (value * 10 + u64::from(digit - b'0'), count + 1)
            })
        };
        for digits in ["98765432", "00000000", "10203040", "99999999"] {
            for count in 0..=8 {
                for other in 0..=u8::MAX {
                    let mut text: [u8; 8] = digits.as_bytes().try_into().unwrap();
                    text[count..].fill(other);
                    let (value, digits_count) = slowly(&text);
                    let eight = u64::from_le_bytes(text);
                    assert_eq!(count_digits(eight), digits_count, "{text:?}");
                    assert_eq!(value_of_digits(eight, digits_count), value, "{text:?}");
                }
            }
        }
    }

    /// A sum beyond 64 bits would come out as a small price.
    #[test]
    fn numbers_too_large_for_their_scale_are_refused_at_every_scale() {
        for scale in 0..=18_u8 {
            for text in ["18.99", "9.99", "9.22337203", "99999999.99", "0.00000001", "7.00"] {
                let padded = format!("{text}\"        ");
                let (whole, places) = text.split_once('.').unwrap();
                let beyond = places.get(usize::from(scale)..).unwrap_or("");
                let kept = &places[..places.len() - beyond.len()];
                let units = format!("{whole}{kept}").parse::<i128>().unwrap();
                let units = units * 10_i128.pow(u32::from(scale) - kept.len() as u32);
                let fits = beyond.bytes().all(|byte| byte == b'0');
                let expected = i64::try_from(units).ok().filter(|_| fits);
                let mut scanner = Scanner { rest: padded.as_bytes() };
                assert_eq!(scanner.scaled(scale), expected, "{text} at {scale}");
            }
        }
    }

    const BARE_TICKER: &str =
        r#"{"u":7,"s":"BTCUSDT","b":"1.50","B":"2","a":"0.00000000","A":"0.00"}"#;
    const TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255208,"s":"BTCUSDT","t":3731432432,"p":"61837.64000000","q":"0.00073000","T":1723161255207,"m":false,"M":true}}"#;
    const AGGREGATE: &str = r#"{"e":"aggTrade","E":1672515782136,"s":"BTCUSDT","a":12345,"p":"0.01","q":"100","f":100,"l":105,"T":1672515782136,"m":true,"M":true}"#;

    fn decoder() -> MarketDecoder {
        let spec = InstrumentSpec {
            symbol: "BTC-USDT".into(),
            price_scale: 2,
            qty_scale: 5,
            tick: 1,
            step: 1,
        };
        let instruments = Arc::new(Instruments::new(vec![spec]).unwrap());
        let natives = [("BTCUSDT".to_owned(), InstrumentId(0))];
        MarketDecoder::new(SymbolMap::new(&natives, instruments).unwrap(), 1 << 20)
    }

    fn agrees(frame: &[u8]) -> bool {
        let mut decoder = decoder();
        let symbols = decoder.symbols().clone();
        match scan(frame, &symbols) {
            Some(scanned) => decoder.decode_by_tape(frame) == Ok(scanned),
            None => true,
        }
    }

    #[test]
    fn takes_the_venues_own_frames_as_the_tape_does() {
        let mut decoder = decoder();
        let symbols = decoder.symbols().clone();
        for frame in [TICKER, BARE_TICKER, TRADE, AGGREGATE] {
            let scanned = scan(frame.as_bytes(), &symbols);
            assert!(scanned.is_some(), "{frame}");
            assert_eq!(decoder.decode_by_tape(frame.as_bytes()).ok(), scanned, "{frame}");
        }
    }

    #[test]
    fn takes_nothing_on_a_deviation() {
        let symbols = decoder().symbols().clone();
        let changes = [
            ("61828.25000000", "61828.25000001"),
            ("61828.25000000", "-1"),
            ("61828.25000000", ".5"),
            ("61828.25000000", ""),
            ("61828.25000000", "0.00"),
            ("61828.25000000", "61829.00"),
            ("61828.25000000", "1e5"),
            ("61828.25000000", "1234567890123456789"),
            ("61828.25000000", "12345678901234567.00"),
            (r#""61828.25000000""#, "61828.25"),
            ("50093274440", "050093274440"),
            ("50093274440", "1234567890123456789"),
            ("50093274440", "-5"),
            (r#""u":"#, r#""u": "#),
            (r#""u":"#, r#""x":1,"u":"#),
            ("BTCUSDT", "ETHUSDT"),
            ("BTCUSDT", "BTC\\u0055SDT"),
            ("bookTicker", "book\\Ticker"),
            ("bookTicker", "book\u{e9}"),
            (r#""}}"#, r#"","E":5}}"#),
            ("}}", "}}x"),
            ("}}", "}"),
        ];
        for (from, to) in changes {
            let changed = TICKER.replace(from, to);
            assert_ne!(changed, TICKER);
            assert_eq!(scan(changed.as_bytes(), &symbols), None, "{changed}");
        }
        let long = TICKER.replace("bookTicker", &"x".repeat(SCANNED_BYTES_MAX));
        assert_eq!(scan(long.as_bytes(), &symbols), None);
    }

    #[test]
    fn agrees_with_the_tape_on_every_cut() {
        for frame in [TICKER, BARE_TICKER, TRADE, AGGREGATE] {
            for end in 0..frame.len() {
                assert!(agrees(&frame.as_bytes()[..end]), "{}", &frame[..end]);
            }
        }
    }

    /// A number's text, mostly one that could be a price.
    fn number() -> impl Strategy<Value = String> {
        prop_oneof![
            "[0-9]{1,12}\\.[0-9]{0,3}0{0,7}",
            "[0-9]{0,20}",
            "-?[0-9]{1,3}\\.[0-9]{1,8}",
            "[0-9]{1,9}\\.[0-9]{0,9}"
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_the_tape_on_any_numbers(
            ids in (any::<u64>(), "[0-9]{1,21}"),
            numbers in (number(), number(), number(), number()),
            flags in (any::<bool>(), any::<bool>()),
        ) {
            let ((id, digits), (a, b, c, d), (m, big_m)) = (ids, numbers, flags);
            let ticker =
                format!(r#"{{"u":{digits},"s":"BTCUSDT","b":"{a}","B":"{b}","a":"{c}","A":"{d}"}}"#);
            prop_assert!(agrees(ticker.as_bytes()), "{ticker}");
            let trade = format!(
                r#"{{"e":"trade","E":{digits},"s":"BTCUSDT","t":{id},"p":"{a}","q":"{b}","T":{id},"m":{m},"M":{big_m}}}"#
            );
            prop_assert!(agrees(trade.as_bytes()), "{trade}");
        }

        #[test]
        fn agrees_with_the_tape_on_changed_frames(
            original in prop::sample::select(vec![TICKER, BARE_TICKER, TRADE, AGGREGATE]),
            changes in prop::collection::vec(
                (any::<prop::sample::Index>(), prop::sample::select(b"0123456789.-\"\\{}:, eE\xff".to_vec())),
                1..4,
            ),
        ) {
            let mut frame = original.as_bytes().to_vec();
            for (at, byte) in changes {
                let at = at.index(frame.len());
                frame[at] = byte;
            }
            prop_assert!(agrees(&frame), "{:?}", String::from_utf8_lossy(&frame));
        }
    }
}
