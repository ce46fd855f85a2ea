//! Books that the stream tells again: where snapshots come in band, one is had by subscribing anew,
//! be it for a book that can't be trusted, or to hold a live one against.

use super::feed::MarketFeed;
use super::resubscribe::Resubscriptions;
use crate::event::{EventKind, InstrumentId};
use crate::venue::protocol::MarketProtocol;

/// Requests about the book in slot `n` have this id and `n` more: far above those of subscriptions.
const FIRST_ID: u64 = 1 << 32;

/// Queues the requests for every book that is to be told again now: they leave one by one, as the
/// venue takes messages; with `may_refresh` also for a live one whose turn it is. How many books.
pub(super) fn ask_again<P: MarketProtocol>(
    feed: &mut MarketFeed<P>,
    requests: &mut Resubscriptions,
    may_refresh: bool,
    now_ns: u64,
) -> usize {
    let mut asked = 0;
    if may_refresh && let Some(instrument) = feed.next_refresh(now_ns) {
        asked += 1;
        if !ask(feed, requests, instrument) {
            feed.on_refresh_failed(instrument, now_ns);
        }
    }
    while let Some(instrument) = feed.next_snapshot_request(now_ns) {
        asked += 1;
        if !ask(feed, requests, instrument) {
            feed.on_snapshot_failed(instrument, now_ns);
        }
    }
    asked
}

#[cold]
fn ask<P: MarketProtocol>(
    feed: &MarketFeed<P>,
    requests: &mut Resubscriptions,
    instrument: InstrumentId,
) -> bool {
    let symbols = feed.symbols();
    let native = symbols.native(instrument).zip(symbols.symbol(instrument));
    let Some((native, symbol)) = native else { return false };
    let Some(topic) = P::topic(native, EventKind::Book) else { return false };
    let id = FIRST_ID + symbol.slot as u64;
    requests.queue::<P>(&[topic], (id, id));
    true
}

/// The slot of the book that a reply is about; `None` when it is about something else.
pub(super) fn slot_of(reply_id: u64) -> Option<usize> {
    usize::try_from(reply_id.checked_sub(FIRST_ID)?).ok()
}
