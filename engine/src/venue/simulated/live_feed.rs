//! What a real venue shows, on its way to an exchange that matches orders against it.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use pitlane_ring::{Consumer, LaneOptions, Publisher, lane};

use super::exchange::Side;
use crate::event::{Book, BookState, BookStatus, Event, Level, Trade};

/// Events of one connection on their way.
const EVENTS: usize = 4_096;

/// The feeds of one venue's connections. Cheap to clone.
#[derive(Clone, Default)]
pub struct LiveFeeds(Arc<Mutex<Vec<Consumer<Event>>>>);

/// What a feed says of a market.
pub(super) enum Live<'a> {
    /// The best levels, best first: price and quantity.
    Book { bids: &'a [(u64, u64)], asks: &'a [(u64, u64)] },
    /// A trade, and the side of its taker.
    Trade { taker: Side, price: u64, qty: u64 },
    /// The book is not to be trusted.
    Lost,
}

impl fmt::Debug for LiveFeeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LiveFeeds")
    }
}

impl LiveFeeds {
    /// The end of one more connection, which copies its events of books and trades there. A full
    /// lane loses them: the next book tells all again.
    #[must_use]
    pub fn add(&self, name: &str) -> Publisher<Event> {
        let options = LaneOptions { name: format!("{name}>paper"), capacity: EVENTS };
        let (publisher, consumer) = lane(options);
        self.0.lock().push(consumer);
        publisher
    }

    /// Takes what has come, by market: the number of the instrument.
    pub(super) fn drain(&self, mut take: impl FnMut(usize, Live<'_>)) -> usize {
        let mut feeds = self.0.lock();
        feeds.iter_mut().map(|feed| feed.poll(EVENTS, |event| tell(event, &mut take))).sum()
    }
}

fn tell(event: &Event, take: &mut impl FnMut(usize, Live<'_>)) {
    let market = event.instrument as usize;
    if let Some(book) = event.get::<Book>() {
        let side = |levels: &[Level], used: u8| {
            let levels = levels.iter().take(usize::from(used));
            levels.map(|l| (l.price.unsigned_abs(), l.qty.unsigned_abs())).collect::<Vec<_>>()
        };
        let bids = side(&book.bids, event.bid_levels);
        let asks = side(&book.asks, event.ask_levels);
        take(market, Live::Book { bids: &bids, asks: &asks });
    } else if let Some(trade) = event.get::<Trade>() {
        let price = trade.last_price.unsigned_abs();
        for (taker, qty) in [(Side::Buy, trade.buy_qty), (Side::Sell, trade.sell_qty)] {
            if qty > 0 {
                take(market, Live::Trade { taker, price, qty: qty.unsigned_abs() });
            }
        }
    } else if let Some(state) = event.get::<BookState>()
        && state.status() != Some(BookStatus::Live)
    {
        take(market, Live::Lost);
    }
}
