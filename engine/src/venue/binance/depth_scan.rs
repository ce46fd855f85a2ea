//! A scanner for diffs of the book in the venue's own field order.
//!
//! Promises those of [`super::ticker_scan`]: what it takes, it takes as the tape does; on any
//! deviation it takes nothing, and the tape decides.

use crate::event::Level;
use crate::venue::codec::{Scanner, milliseconds_to_ns};
use crate::venue::{Symbol, SymbolMap};

/// A diff but for its levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScannedDiff {
    pub(super) symbol: Symbol,
    pub(super) first_update_id: u64,
    pub(super) final_update_id: u64,
    /// 0 without links.
    pub(super) previous_update_id: u64,
    pub(super) venue_time_ns: i64,
}

/// The diff of a frame in the venue's own field order, its levels in `bids` and `asks`; `None` on
/// any deviation, and then they hold anything. `has_links`: it names the one before it, and has the
/// fields of contracts.
#[inline]
pub(super) fn scan(
    frame: &[u8],
    symbols: &SymbolMap,
    has_links: bool,
    [bids, asks]: [&mut Vec<Level>; 2],
) -> Option<ScannedDiff> {
    let mut scanner = Scanner { rest: frame };
    let is_combined = scanner.skips(br#"{"stream":""#);
    if is_combined {
        scanner.plain_text()?;
        scanner.skip(br#","data":"#)?;
    }
    scanner.skip(br#"{"e":"depthUpdate","E":"#)?;
    let event_time_ms = scanner.unsigned()?;
    if has_links {
        scanner.skip(br#","T":"#)?;
        scanner.unsigned()?;
    }
    scanner.skip(br#","s":""#)?;
    let symbol = symbols.lookup(scanner.plain_text()?)?;
    scanner.skip(br#","U":"#)?;
    let first_update_id = scanner.unsigned()?;
    scanner.skip(br#","u":"#)?;
    let final_update_id = scanner.unsigned()?;
    let previous_update_id = if has_links {
        scanner.skip(br#","pu":"#)?;
        scanner.unsigned()?
    } else {
        0
    };
    scanner.skip(br#","b":["#)?;
    scanner.levels(symbol.scales, bids)?;
    scanner.skip(br#","a":["#)?;
    scanner.levels(symbol.scales, asks)?;
    let end: &[u8] = if is_combined { b"}}" } else { b"}" };
    (scanner.rest == end && final_update_id >= first_update_id).then_some(ScannedDiff {
        symbol,
        first_update_id,
        final_update_id,
        previous_update_id,
        venue_time_ns: milliseconds_to_ns(event_time_ms).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::venue::binance::MarketDecoder;
    use crate::venue::protocol::MarketMessage;

    const SPOT: &str = r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":50093274440,"u":50093274449,"b":[["61828.25000000","0.99959000"],["61828.00000000","0.00000000"]],"a":[["61828.26000000","3.34988000"]]}}"#;
    const BARE: &str =
        r#"{"e":"depthUpdate","E":9,"s":"BTCUSDT","U":5,"u":7,"b":[],"a":[["1.60","3.0"]]}"#;
    const LINKED: &str = r#"{"e":"depthUpdate","E":1723161255208,"T":1723161255207,"s":"BTCUSDT","U":50093274440,"u":50093274449,"pu":50093274439,"b":[["61828.20","0.999"]],"a":[]}"#;

    fn decoder(has_links: bool) -> MarketDecoder {
        let symbols = SymbolMap::of_test(&["BTCUSDT"]);
        match has_links {
            true => MarketDecoder::of_linked_diffs(symbols, 1 << 20),
            false => MarketDecoder::new(symbols, 1 << 20),
        }
    }

    /// Whether the scanner took the frame; it then took what the tape does.
    fn is_taken(frame: &[u8], has_links: bool) -> bool {
        let mut decoder = decoder(has_links);
        let symbols = decoder.symbols().clone();
        let (mut bids, mut asks) = (Vec::new(), Vec::new());
        let scanned = scan(frame, &symbols, has_links, [&mut bids, &mut asks]);
        let Some(scanned) = scanned else { return false };
        let shown = String::from_utf8_lossy(frame);
        let Ok(MarketMessage::Depth { symbol, diff }) = decoder.decode_by_tape(frame) else {
            panic!("the tape does not take {shown}");
        };
        let told = ScannedDiff {
            symbol,
            first_update_id: diff.first_update_id,
            final_update_id: diff.final_update_id,
            previous_update_id: diff.previous_update_id,
            venue_time_ns: diff.venue_time_ns,
        };
        assert_eq!((scanned, &bids[..], &asks[..]), (told, diff.bids, diff.asks), "{shown}");
        assert_eq!(diff.checksum, None);
        true
    }

    #[test]
    fn takes_the_venues_own_frames_as_the_tape_does() {
        for (frame, has_links) in [(SPOT, false), (BARE, false), (LINKED, true)] {
            assert!(is_taken(frame.as_bytes(), has_links), "{frame}");
        }
    }

    #[test]
    fn takes_nothing_on_a_deviation() {
        let changes = [
            ("61828.25000000", "61828.25000001"),
            ("61828.25000000", "0.00000000"),
            ("61828.25000000", "-1"),
            ("61828.25000000", ""),
            ("61828.25000000", "1e5"),
            ("0.99959000", "-0.99959000"),
            (r#""0.99959000""#, "0.99959000"),
            (r#"["61828.25000000","0.99959000"],"#, r#"["61828.25000000","0.99959000"],,"#),
            (r#"["61828.25000000","0.99959000"],"#, r#"["61828.25000000","0.99959000"] ,"#),
            (r#"["61828.25000000","0.99959000"],"#, r#"["61828.25000000","0.99959000","1"],"#),
            (r#"["61828.25000000","0.99959000"],"#, r#"["61828.25000000"],"#),
            (r#"["61828.25000000","0.99959000"],"#, ","),
            (r#""U":50093274440"#, r#""U":50093274450"#),
            (r#""U":50093274440"#, r#""U":-1"#),
            ("BTCUSDT", "ETHUSDT"),
            ("depthUpdate", "depthupdate"),
            (r#","a":["#, r#","x":1,"a":["#),
            ("]]}}", r#"]],"x":1}}"#),
            ("]]}}", "]]}} "),
            ("]]}}", "]]}"),
            ("]]}}", "]}}"),
        ];
        for (from, to) in changes {
            let changed = SPOT.replace(from, to);
            assert_ne!(changed, SPOT);
            assert!(!is_taken(changed.as_bytes(), false), "{changed}");
        }
        assert!(!is_taken(LINKED.as_bytes(), false), "links where there are none");
        assert!(!is_taken(BARE.as_bytes(), true), "no links where there are some");
    }

    #[test]
    fn agrees_with_the_tape_on_every_cut() {
        for (frame, has_links) in [(SPOT, false), (BARE, false), (LINKED, true)] {
            for end in 0..frame.len() {
                assert!(!is_taken(&frame.as_bytes()[..end], has_links), "{}", &frame[..end]);
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_tape_on_any_levels(
            ids in ("[0-9]{1,21}", "[0-9]{1,21}"),
            levels in prop::collection::vec(("[0-9]{1,9}\\.[0-9]{0,9}0{0,4}", "[0-9]{0,12}(\\.[0-9]{1,9})?"), 0..6),
        ) {
            let levels: Vec<_> =
                levels.iter().map(|(price, qty)| format!(r#"["{price}","{qty}"]"#)).collect();
            let levels = levels.join(",");
            let ((first, last), head) = (ids, r#"{"e":"depthUpdate","E":9,"s":"BTCUSDT""#);
            let frame =
                format!(r#"{head},"U":{first},"u":{last},"b":[{levels}],"a":[{levels}]}}"#);
            is_taken(frame.as_bytes(), false);
        }

        #[test]
        fn agrees_with_the_tape_on_changed_frames(
            (original, has_links) in prop::sample::select(vec![(SPOT, false), (BARE, false), (LINKED, true)]),
            changes in prop::collection::vec(
                (any::<prop::sample::Index>(), prop::sample::select(b"0123456789.-[]\"\\{}:, eE\xff".to_vec())),
                1..4,
            ),
        ) {
            let mut frame = original.as_bytes().to_vec();
            for (at, byte) in changes {
                let at = at.index(frame.len());
                frame[at] = byte;
            }
            is_taken(&frame, has_links);
        }
    }
}
