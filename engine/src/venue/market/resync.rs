//! Books that the stream tells again: where snapshots come in band, one is had by subscribing anew.

use super::feed::MarketFeed;
use crate::event::{EventKind, InstrumentId};
use crate::venue::protocol::{MarketProtocol, Resubscribe};
use crate::venue::transport::Session;

/// Requests about the book in slot `n` have this id and `n` more: far above those of subscriptions.
const FIRST_ID: u64 = 1 << 32;

/// Asks for every book that is to be told again now. How many.
pub(super) fn ask_again<P: MarketProtocol>(
    feed: &mut MarketFeed<P>,
    session: &mut Session,
    again: Resubscribe,
    now_ns: u64,
) -> usize {
    if !session.is_open() {
        return 0;
    }
    let mut asked = 0;
    while let Some(instrument) = feed.next_snapshot_request(now_ns) {
        asked += 1;
        if !ask(feed, session, again, instrument) {
            feed.on_snapshot_failed(instrument, now_ns);
        }
    }
    if asked > 0 {
        session.flush();
    }
    asked
}

#[cold]
fn ask<P: MarketProtocol>(
    feed: &MarketFeed<P>,
    session: &mut Session,
    again: Resubscribe,
    instrument: InstrumentId,
) -> bool {
    let symbols = feed.symbols();
    let native = symbols.native(instrument).zip(symbols.symbol(instrument));
    let Some((native, symbol)) = native else { return false };
    let Some(topic) = P::topic(native, EventKind::Book) else { return false };
    let mut requests = Vec::new();
    again(&topic, FIRST_ID + symbol.slot as u64, &mut requests);
    requests.iter().all(|request| session.send(request.as_bytes()).is_ok())
}

/// The slot of the book that a reply is about; `None` when it is about something else.
pub(super) fn slot_of(reply_id: u64) -> Option<usize> {
    usize::try_from(reply_id.checked_sub(FIRST_ID)?).ok()
}
