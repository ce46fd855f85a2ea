//! One symbol of the simulated venue: its book, its crowd, its tape and its counters of updates.
//!
//! Promises: every change of a level takes the next update id; trade ids are contiguous; a depth
//! diff names all levels changed since the last one of its stream and begins at the id after its
//! end.

use super::book::{Book, Fill, Side};
use super::crowd::{Action, Crowd};
use super::instrument::SimulatedSymbol;
use super::kline::Kline;
use super::live_levels::LiveLevels;
use super::trade_tick::TradeTick;

/// First and last update id of a depth diff, and the bid and ask prices that it touches.
pub type DiffCut = ((u64, u64), Vec<u64>, Vec<u64>);

/// Actions of the crowd before the doors open, so that the first snapshot shows a full book.
const OPENING_ACTIONS: usize = 1_500;

/// The best price and quantity of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Top {
    pub update_id: u64,
    pub bid: (u64, u64),
    pub ask: (u64, u64),
}

/// Something that the world gets to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketEvent {
    /// An execution, and the resting order that it met.
    Trade { tick: TradeTick, maker: u64 },
    /// The top of the book is another.
    Top(Top),
}

/// A symbol.
pub struct Market {
    pub symbol: SimulatedSymbol,
    pub book: Book,
    pub kline: Kline,
    /// It takes no orders before that.
    pub closed_until_ms: i64,
    crowd: Crowd,
    update_id: u64,
    next_trade_id: u64,
    pub(super) last_price: u64,
    /// Of a market that follows a live book.
    pub(super) live: LiveLevels,
    top: Option<((u64, u64), (u64, u64))>,
    windows: [DiffWindow; 2],
    /// What happened since the last drain.
    events: Vec<MarketEvent>,
    fills: Vec<Fill>,
}

/// The levels that changed since the last diff of one depth stream.
#[derive(Debug, Default)]
pub struct DiffWindow {
    /// First update id of the next diff.
    first_id: u64,
    bids: Vec<u64>,
    asks: Vec<u64>,
}

impl Market {
    /// Whether it takes no orders at this time.
    pub fn is_closed(&self, now_ms: i64) -> bool {
        now_ms < self.closed_until_ms
    }

    /// A symbol with a full book. `seed` is the run's; each symbol makes its own of it.
    pub fn new(symbol: SimulatedSymbol, seed: u64, now_ms: i64) -> Self {
        let name_hash = symbol.name.bytes().fold(seed, |hash, byte| {
            hash.rotate_left(5).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(byte)
        });
        let mut market = Self {
            book: Book::new(&symbol.name),
            kline: Kline::at(now_ms),
            closed_until_ms: i64::MIN,
            crowd: Crowd::new(&symbol, name_hash),
            update_id: 1_000_000,
            next_trade_id: 1,
            last_price: symbol.start_price,
            live: LiveLevels::default(),
            top: None,
            windows: Default::default(),
            events: Vec::new(),
            fills: Vec::new(),
            symbol,
        };
        for _ in 0..OPENING_ACTIONS {
            market.crowd_acts();
        }
        market.events.clear();
        market.kline = Kline::at(now_ms);
        market.windows = std::array::from_fn(|_| DiffWindow::starting(market.update_id + 1));
        market
    }

    /// A symbol whose book is empty until a live one is followed; it has no crowd.
    pub fn following(symbol: SimulatedSymbol, now_ms: i64) -> Self {
        let market = Market::new(symbol, 0, now_ms);
        Self {
            book: Book::new(&market.symbol.name),
            last_price: market.symbol.start_price,
            top: None,
            ..market
        }
    }

    /// Something has happened.
    pub(super) fn tell(&mut self, event: MarketEvent) {
        self.events.push(event);
    }

    /// Id of the last change of a level.
    pub fn update_id(&self) -> u64 {
        self.update_id
    }

    /// Price of the last trade; the start price before the first.
    pub fn last_price(&self) -> u64 {
        self.last_price
    }

    /// Starts all ids anew, as after a restart of the exchange's own.
    pub fn restart_ids(&mut self) {
        self.update_id = 1;
        self.next_trade_id = 1;
        self.windows = std::array::from_fn(|_| DiffWindow::starting(2));
    }

    /// Takes a quantity that is executable; the executions with their trade ids.
    pub fn take(&mut self, side: Side, qty: u64) -> Vec<(u64, Fill)> {
        let mut fills = std::mem::take(&mut self.fills);
        self.book.take(side, qty, &mut fills);
        let taken = fills.drain(..).map(|fill| (self.record_fill(side, fill), fill)).collect();
        self.fills = fills;
        self.announce_top();
        taken
    }

    /// Rests an order that does not cross. Returns its id in the book.
    pub fn rest(&mut self, side: Side, price: u64, qty: u64) -> u64 {
        let id = self.book.rest(side, price, qty);
        self.touch(side, price);
        self.announce_top();
        id
    }

    /// Makes a resting order smaller; it keeps its place in the queue.
    pub fn reduce(&mut self, id: u64, qty: u64) {
        let (side, price) = self.book.reduce(id, qty);
        self.touch(side, price);
        self.announce_top();
    }

    /// Lets the crowd do one thing.
    pub fn crowd_acts(&mut self) {
        match self.crowd.next_action(&self.book) {
            Action::Limit { side, price, qty } => {
                let taken = self.book.executable(side, Some(price), qty);
                if taken > 0 {
                    self.take(side, taken);
                }
                if taken < qty {
                    let id = self.rest(side, price, qty - taken);
                    self.crowd.rested(id);
                }
            }
            Action::Market { side, qty } => {
                let taken = self.book.executable(side, None, qty);
                if taken > 0 {
                    self.take(side, taken);
                }
            }
            Action::Cancel { id } => {
                self.cancel(id);
            }
            Action::Nothing => {}
        }
    }

    /// Takes an order out of the book; its open quantity, if it still rested.
    pub fn cancel(&mut self, id: u64) -> Option<u64> {
        let (side, price, qty) = self.book.cancel(id)?;
        self.touch(side, price);
        self.announce_top();
        Some(qty)
    }

    /// Moves what happened since the last call into `events`, oldest first.
    pub fn drain_events(&mut self, events: &mut Vec<MarketEvent>) {
        events.append(&mut self.events);
    }

    /// Ends the window of a depth stream: its first and last update id and its changed prices (bids
    /// from the best down, asks from the best up). `None` when nothing changed.
    pub fn cut_diff(&mut self, slow: bool) -> Option<DiffCut> {
        let window = &mut self.windows[usize::from(slow)];
        if window.first_id > self.update_id {
            return None;
        }
        let next = DiffWindow::starting(self.update_id + 1);
        let DiffWindow { first_id, mut bids, mut asks } = std::mem::replace(window, next);
        bids.sort_unstable_by(|a, b| b.cmp(a));
        asks.sort_unstable();
        bids.dedup();
        asks.dedup();
        Some(((first_id, self.update_id), bids, asks))
    }

    fn record_fill(&mut self, taker: Side, fill: Fill) -> u64 {
        let id = self.next_trade_id;
        self.next_trade_id += 1;
        let is_buyer_maker = taker == Side::Sell;
        let tick = TradeTick { id, price: fill.price, qty: fill.qty, is_buyer_maker };
        self.kline.add(&tick);
        self.last_price = fill.price;
        self.events.push(MarketEvent::Trade { tick, maker: fill.maker });
        self.touch(taker.opposite(), fill.price);
        id
    }

    fn touch(&mut self, side: Side, price: u64) {
        self.update_id += 1;
        for window in &mut self.windows {
            let prices = match side {
                Side::Buy => &mut window.bids,
                Side::Sell => &mut window.asks,
            };
            // The top is touched again and again; a run of one price needs one entry.
            if prices.last() != Some(&price) {
                prices.push(price);
            }
        }
    }

    /// Tells of the top when it changed. A book with an empty side has no top to tell of.
    fn announce_top(&mut self) {
        let top = self.book.best(Side::Buy).zip(self.book.best(Side::Sell));
        if let Some((bid, ask)) = top
            && self.top != top
        {
            self.top = top;
            self.events.push(MarketEvent::Top(Top { update_id: self.update_id, bid, ask }));
        }
    }
}

impl DiffWindow {
    fn starting(first_id: u64) -> Self {
        Self { first_id, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u64, actions: usize) -> (Market, Vec<MarketEvent>) {
        let mut market = Market::new(SimulatedSymbol::default(), seed, 0);
        let mut events = Vec::new();
        for _ in 0..actions {
            market.crowd_acts();
            market.drain_events(&mut events);
        }
        (market, events)
    }

    #[test]
    fn a_seed_gives_one_sequence_of_events() {
        let (_, first) = run(5, 20_000);
        assert_eq!(first, run(5, 20_000).1);
        assert_ne!(first, run(6, 20_000).1);
    }

    #[test]
    fn the_book_is_never_crossed_and_stays_bounded() {
        let (mut market, mut events) = run(9, 300_000);
        market.drain_events(&mut events);
        for event in &events {
            if let MarketEvent::Top(top) = event {
                assert!(top.bid.0 < top.ask.0, "seed 9 crossed the book: {top:?}");
            }
        }
        let levels = market.book.level_count(Side::Buy) + market.book.level_count(Side::Sell);
        assert!((240..1_400).contains(&levels), "seed 9 left {levels} levels");
        assert!(market.book.order_count() <= 1_400);
        for side in [Side::Buy, Side::Sell] {
            let longest = market.book.levels(side).map(|(p, _)| market.book.queue_len(side, p));
            assert!(longest.max().unwrap_or(0) <= 64, "seed 9 left a long queue");
        }
    }

    #[test]
    fn most_events_are_tops_and_a_good_part_is_trades() {
        let (_, events) = run(3, 50_000);
        let trades = events.iter().filter(|e| matches!(e, MarketEvent::Trade { .. })).count();
        let share_pct = trades * 100 / events.len();
        assert!((10..50).contains(&share_pct), "seed 3: {share_pct} % trades");
    }

    #[test]
    fn diffs_rebuild_the_book_from_an_older_state() {
        let (mut market, _) = run(4, 1_000);
        market.cut_diff(false);
        let mut bids: std::collections::BTreeMap<u64, u64> =
            market.book.levels(Side::Buy).collect();
        let mut last_id = market.update_id();
        for _ in 0..50 {
            for _ in 0..40 {
                market.crowd_acts();
            }
            let Some(((first, last), changed, _)) = market.cut_diff(false) else { continue };
            assert_eq!(first, last_id + 1);
            last_id = last;
            for price in changed {
                match market.book.qty_at(Side::Buy, price) {
                    0 => bids.remove(&price),
                    qty => bids.insert(price, qty),
                };
            }
        }
        assert!(bids.into_iter().rev().eq(market.book.levels(Side::Buy)));
    }
}
