//! A scanner for the hottest frames, `bookTicker`, `trade` and `aggTrade`, in the venue's own field
//! order.
//!
//! Promises: what it takes, it takes as the tape does (a differential test says so); on any
//! deviation, be it another order, a space, an escape, one more field, a number too long or a value
//! that would be refused, it takes nothing, and the tape decides. It knows no errors. A frame costs
//! one pass over its bytes, without a copy.

use crate::event::Quote;
use crate::venue::codec::{Scanner, check_quote, make_trade, milliseconds_to_ns};
use crate::venue::protocol::MarketMessage;
use crate::venue::{Symbol, SymbolMap};

/// Longest frame that is tried. The venue's have about 200 bytes.
const SCANNED_BYTES_MAX: usize = 512;

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

impl Scanner<'_> {
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
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::venue::binance::MarketDecoder;

    const TICKER: &str = r#"{"stream":"btcusdt@bookTicker","data":{"u":50093274440,"s":"BTCUSDT","b":"61828.25000000","B":"0.99959000","a":"61828.26000000","A":"3.34988000"}}"#;

    const BARE_TICKER: &str =
        r#"{"u":7,"s":"BTCUSDT","b":"1.50","B":"2","a":"0.00000000","A":"0.00"}"#;
    const TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255208,"s":"BTCUSDT","t":3731432432,"p":"61837.64000000","q":"0.00073000","T":1723161255207,"m":false,"M":true}}"#;
    const AGGREGATE: &str = r#"{"e":"aggTrade","E":1672515782136,"s":"BTCUSDT","a":12345,"p":"0.01","q":"100","f":100,"l":105,"T":1672515782136,"m":true,"M":true}"#;

    fn decoder() -> MarketDecoder {
        MarketDecoder::new(SymbolMap::of_test(&["BTCUSDT"]), 1 << 20)
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
