//! How an event lives in a slot: which of its lines a copy moves, and what conflation makes of two.

use pitlane_ring::{Absorbed, Conflate, Record};

use zerocopy::{FromZeros, IntoBytes};

use super::header::HEADER_BYTES;
use super::typed::payload_bytes;
use super::{Bar, Event, EventKind, KIND_SLOTS, Merged, SCHEMA_VERSION, Trade};

/// Header and payload, by kind code; 0 where the code alone does not say it.
const USED_BYTES: [u16; KIND_SLOTS] = {
    let mut bytes = [0; KIND_SLOTS];
    let mut index = 0;
    while index < EventKind::ALL.len() {
        let kind = EventKind::ALL[index];
        if !matches!(kind, EventKind::Merged) {
            bytes[kind.code() as usize] = (HEADER_BYTES + payload_bytes(kind)) as u16;
        }
        index += 1;
    }
    bytes
};

impl Record for Event {
    /// Asked for each copy, so the common kinds are one look into a table.
    #[inline]
    fn used_bytes(&self) -> usize {
        match USED_BYTES.get(usize::from(self.kind_code)) {
            Some(&bytes) if bytes != 0 => usize::from(bytes),
            _ => self.uncommon_used_bytes(),
        }
    }
}

impl Event {
    /// A merged event uses what it carries; what is no event could be anything.
    #[cold]
    fn uncommon_used_bytes(&self) -> usize {
        let merged = self.get::<Merged>();
        merged.map_or(size_of::<Event>(), |merged| HEADER_BYTES + merged.used_bytes())
    }

    /// The bytes that a copy moves: what a dead letter keeps.
    #[must_use]
    pub fn to_used_bytes(&self) -> &[u8] {
        &self.as_bytes()[..self.used_bytes()]
    }

    /// The event whose used bytes these are, as a dead letter keeps them; `None` when they are of
    /// no known kind or schema, or not all there.
    #[must_use]
    pub fn from_used_bytes(bytes: &[u8]) -> Option<Event> {
        let mut event = Event::new_zeroed();
        event.as_mut_bytes().get_mut(..bytes.len())?.copy_from_slice(bytes);
        let is_whole = event.kind().is_some() && bytes.len() >= event.used_bytes();
        (is_whole && event.schema == SCHEMA_VERSION).then_some(event)
    }
}

impl Conflate for Event {
    /// Trades aggregate, also merged ones; every other kind is latest-wins (LM-04). The result says
    /// how many it stands for, and keeps the *lowest* routing version in it, so that a consumer
    /// that skips never sees a stale part.
    #[inline]
    fn absorb(&mut self, newer: &Event) -> Absorbed {
        let conflated = self.conflated.saturating_add(newer.conflated).saturating_add(1);
        let routing_version = self.routing_version.min(newer.routing_version);
        let how = self.absorb_payload(newer);
        self.conflated = conflated;
        if how == Absorbed::Aggregated {
            self.routing_version = routing_version;
        }
        how
    }

    /// A bar that closed outdates what was told of it while it was open, and no bar of another
    /// interval.
    #[inline]
    fn outdates(&self, older: &Event) -> bool {
        match (self.bar(), older.bar()) {
            (Some(bar), Some(older)) => bar.interval_s == older.interval_s,
            _ => true,
        }
    }
}

impl Event {
    /// The bar that it is, or that was merged.
    fn bar(&self) -> Option<&Bar> {
        self.get::<Bar>().or_else(|| self.get::<Merged>().and_then(Merged::bar))
    }

    /// Makes the event `newer`, with what it must keep of itself.
    #[inline]
    fn absorb_payload(&mut self, newer: &Event) -> Absorbed {
        if let (Some(mine), Some(trade)) = (self.get::<Trade>(), newer.get::<Trade>()) {
            let mut sum = *mine;
            sum.absorb(trade);
            self.copy_used_from(newer);
            if let Some(place) = self.get_mut::<Trade>() {
                *place = sum;
            }
            return Absorbed::Aggregated;
        }
        if let (Some(mine), Some(merged)) = (self.get::<Merged>(), newer.get::<Merged>())
            && let Some(sum) = mine.with_later_trades(merged)
        {
            self.copy_used_from(newer);
            if let Some(place) = self.get_mut::<Merged>() {
                *place = sum;
            }
            return Absorbed::Aggregated;
        }
        self.copy_used_from(newer);
        Absorbed::Replaced
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{MergedBook, Price, Qty, Quote, Side};

    #[test]
    fn a_quote_moves_two_lines() {
        let quote = Quote { bid_price: 1, bid_qty: 1, ask_price: 2, ask_qty: 1 };
        let used = Event::new(&quote).used_bytes();
        assert_eq!(used.div_ceil(64), 2);
    }

    #[test]
    fn an_event_comes_back_from_its_used_bytes_and_only_from_them() {
        let mut event = Event::new(&Quote { bid_price: 7, bid_qty: 1, ask_price: 8, ask_qty: 1 });
        event.trace_id = 9;
        let bytes = event.to_used_bytes().to_vec();
        let back = Event::from_used_bytes(&bytes).unwrap();
        assert_eq!((back.trace_id, back.get::<Quote>().map(|q| q.bid_price)), (9, Some(7)));
        assert!(Event::from_used_bytes(&bytes[..bytes.len() - 1]).is_none());
        assert!(Event::from_used_bytes(&[0; 64]).is_none());
        assert!(Event::from_used_bytes(&[1; 1_000]).is_none());
    }

    #[test]
    fn the_latest_quote_wins_and_says_how_many_it_replaced() {
        let quote =
            |bid| Event::new(&Quote { bid_price: bid, bid_qty: 1, ask_price: 9, ask_qty: 1 });
        let mut pending = quote(1);
        assert_eq!(pending.absorb(&quote(2)), Absorbed::Replaced);
        assert_eq!(pending.absorb(&quote(3)), Absorbed::Replaced);
        assert_eq!(pending.conflated, 2);
        assert_eq!(pending.get::<Quote>().map(|q| q.bid_price), Some(3));
    }

    /// LM-04: a merged event conflates as what it was merged from.
    #[test]
    fn merged_events_follow_their_payloads_kind() {
        let merged = |price, version| {
            let trade = Trade::single(Price(price), Qty(1), Side::Buy);
            let mut event = Event::new(&Merged::of(&trade));
            let merged = event.get_mut::<Merged>().unwrap();
            (merged.providers, merged.count, merged.skew_ns) = (1 << price, 1, price as u32);
            event.routing_version = version;
            event
        };
        let mut pending = merged(10, 4);
        assert_eq!(pending.absorb(&merged(7, 5)), Absorbed::Aggregated);
        let sum = pending.get::<Merged>().unwrap();
        assert_eq!((sum.providers, sum.count, sum.skew_ns), (1 << 10 | 1 << 7, 2, 10));
        let trade = sum.trade().unwrap();
        assert_eq!((trade.first_price, trade.last_price, trade.buy_qty), (10, 7, 2));
        assert_eq!((pending.conflated, pending.routing_version), (1, 4));

        let quote = |bid| Quote { bid_price: bid, bid_qty: 1, ask_price: 9, ask_qty: 1 };
        let mut pending = Event::new(&Merged::of(&quote(1)));
        pending.routing_version = 4;
        let mut newer = Event::new(&Merged::of(&quote(2)));
        newer.routing_version = 5;
        assert_eq!(pending.absorb(&newer), Absorbed::Replaced);
        let latest = pending.get::<Merged>().and_then(Merged::quote);
        assert_eq!(latest.map(|q| q.bid_price), Some(2));
        assert_eq!((pending.conflated, pending.routing_version), (1, 5));
    }

    #[test]
    fn a_merged_quote_moves_two_lines_and_a_merged_book_all() {
        let quote = Quote { bid_price: 1, bid_qty: 1, ask_price: 2, ask_qty: 1 };
        assert_eq!(Event::new(&Merged::of(&quote)).used_bytes().div_ceil(64), 2);
        let book = Event::new(&Merged::of(&MergedBook::default()));
        assert_eq!(book.used_bytes(), size_of::<Event>());
    }

    #[test]
    fn trades_aggregate_and_keep_the_lowest_version() {
        let trade = |price, version| {
            let mut event = Event::new(&Trade::single(Price(price), Qty(1), Side::Buy));
            event.routing_version = version;
            event.sequence = price as u64;
            event
        };
        let mut pending = trade(10, 4);
        assert_eq!(pending.absorb(&trade(11, 5)), Absorbed::Aggregated);
        assert_eq!((pending.conflated, pending.routing_version, pending.sequence), (1, 4, 11));
        assert_eq!(pending.get::<Trade>().map(|t| t.buy_qty), Some(2));
    }
}
