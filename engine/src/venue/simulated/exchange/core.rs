//! The exchange: markets, the account, and the schedule that drives them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::account_orders::{AccountOrders, OrderName, Placed};
use super::book::Side::{Buy, Sell};
use super::event::{Event, Funding};
use super::instrument::SimulatedSymbol;
use super::kline::Kline;
use super::ledger::{Ledger, LedgerTop, top_hash};
use super::market::{Market, MarketEvent};
use super::order::NewOrder;
use super::pace::Pace;
use super::refusal::Refusal;
use crate::venue::simulated::live_feed::{Live, LiveFeeds};
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::options::SimulatedVenueOptions;

/// A live book is looked at this often.
const FOLLOW_NS: u64 = 1_000_000;
/// Diffs of the fast depth feed are cut this often.
const CUT_NS: u64 = 100_000_000;
/// Every so many fast cuts, the slow feed is cut too.
const FAST_CUTS_PER_SLOW: u64 = 10;
/// Every so many fast cuts, bars are published.
const FAST_CUTS_PER_BAR: u64 = 20;
/// Actions of the crowd in one turn: a bound, never reached at a sane rate.
const ACTIONS_PER_TURN_MAX: u64 = 1_000_000;

/// Markets and an account.
pub struct Exchange {
    markets: Vec<Market>,
    /// Where their liquidity comes from, if not from their crowds.
    live: Option<LiveFeeds>,
    orders: AccountOrders,
    pace: Pace,
    next_market: usize,
    next_cut_ns: u64,
    cuts: u64,
    /// When all open orders are cancelled, nanoseconds of the monotonic clock. Set by whoever only
    /// looks at the exchange.
    cancel_all_ns: AtomicU64,
    /// The same, of each market alone.
    cancel_ns: Box<[AtomicU64]>,
    market_events: Vec<MarketEvent>,
    events: Vec<Event>,
}

impl Exchange {
    /// Opens the markets: their books are full, and nobody is owed a frame of that.
    pub fn new(options: &SimulatedVenueOptions, now: Moment) -> Self {
        let open = |symbol: &SimulatedSymbol| match options.live {
            Some(_) => Market::following(symbol.clone(), now.epoch_ms),
            None => Market::new(symbol.clone(), options.seed, now.epoch_ms),
        };
        let SimulatedVenueOptions {
            starting_balance,
            commission,
            self_trade,
            trades_contracts,
            ..
        } = *options;
        Self {
            markets: options.symbols.iter().map(open).collect(),
            live: options.live.clone(),
            orders: AccountOrders::new(
                &options.symbols,
                starting_balance,
                commission,
                self_trade,
                trades_contracts,
            ),
            pace: Pace::new(now.ns, options.events_per_s),
            next_market: 0,
            next_cut_ns: now.ns + CUT_NS,
            cuts: 0,
            cancel_all_ns: AtomicU64::new(u64::MAX),
            cancel_ns: options.symbols.iter().map(|_| AtomicU64::new(u64::MAX)).collect(),
            market_events: Vec::new(),
            events: Vec::new(),
        }
    }

    /// The markets, by number.
    pub fn markets(&self) -> &[Market] {
        &self.markets
    }

    /// The account's orders.
    pub fn orders(&self) -> &AccountOrders {
        &self.orders
    }

    /// What is true, whatever a client was told.
    pub fn ledger(&self) -> &Arc<Mutex<Ledger>> {
        self.orders.ledger()
    }

    /// What contracts of a market are valued at, and their next funding.
    pub fn mark(&self, market: usize, now_ms: i64) -> (u64, Funding) {
        (self.markets[market].last_price(), Funding::after(now_ms))
    }

    /// The number of a market by its symbol's name.
    pub fn market(&self, symbol: &str) -> Option<usize> {
        self.markets.iter().position(|market| market.symbol.name == symbol)
    }

    /// Enters a new order.
    pub fn place(&mut self, new: NewOrder, now: Moment) -> Result<Placed, Refusal> {
        let index = new.market;
        let market = &mut self.markets[index];
        if market.is_closed(now.epoch_ms) {
            return Err(Refusal::MarketClosed);
        }
        let placed = self.orders.place(market, new, now.epoch_ms, &mut self.events)?;
        self.settle(index, now);
        Ok(placed)
    }

    /// Cancels an open order and returns its id.
    pub fn cancel(
        &mut self,
        index: usize,
        name: &OrderName,
        cancel_id: String,
        now: Moment,
    ) -> Result<u64, Refusal> {
        let market = &mut self.markets[index];
        let events = &mut self.events;
        let id = self.orders.cancel(index, market, name, cancel_id, now.epoch_ms, events)?;
        self.settle(index, now);
        Ok(id)
    }

    /// Makes an open order smaller and gives it a new name; returns its
    /// id and that of the execution.
    pub fn amend(
        &mut self,
        index: usize,
        name: &OrderName,
        change: (u64, Option<String>),
        now: Moment,
    ) -> Result<(u64, u64), Refusal> {
        let market = &mut self.markets[index];
        let events = &mut self.events;
        let ids = self.orders.amend(index, market, name, change, now.epoch_ms, events)?;
        self.settle(index, now);
        Ok(ids)
    }

    /// All open orders are cancelled then, nanoseconds of the monotonic clock, unless it is said
    /// again before; `u64::MAX` takes it back. Once only.
    pub fn cancel_all_at(&self, at_ns: u64) {
        self.cancel_all_ns.store(at_ns, Ordering::Relaxed);
    }

    /// The same, of one market.
    pub fn cancel_all_of_at(&self, market: usize, at_ns: u64) {
        self.cancel_ns[market].store(at_ns, Ordering::Relaxed);
    }

    /// All open orders of a market are cancelled, with the next thing that is due.
    pub fn cancel_all_of(&self, market: usize) {
        self.cancel_all_of_at(market, 0);
    }

    /// When orders are cancelled next because of the time, nanoseconds of the monotonic clock.
    fn next_cancel_ns(&self) -> u64 {
        let all = std::iter::once(&self.cancel_all_ns).chain(&self.cancel_ns);
        all.map(|at_ns| at_ns.load(Ordering::Relaxed)).min().unwrap_or(u64::MAX)
    }

    fn cancel_due(&mut self, now: Moment) {
        let is_due = |at_ns: &AtomicU64| {
            let is_due = at_ns.load(Ordering::Relaxed) <= now.ns;
            if is_due {
                at_ns.store(u64::MAX, Ordering::Relaxed);
            }
            is_due
        };
        let all = is_due(&self.cancel_all_ns);
        let meant: Vec<bool> = self.cancel_ns.iter().map(|of| is_due(of) || all).collect();
        for index in (0..self.markets.len()).filter(|index| meant[*index]) {
            for id in self.orders.open_ids(Some(index)) {
                let cancel_id = self.new_name();
                // One that a cancel before it has ended is over.
                let _over = self.cancel(index, &OrderName::Id(id), cancel_id, now);
            }
        }
    }

    /// The first market takes no orders until then.
    pub fn close_first(&mut self, until_ms: i64) {
        if let Some(market) = self.markets.first_mut() {
            market.closed_until_ms = until_ms;
        }
    }

    /// A name for an order or a cancel whose client gave none.
    pub fn new_name(&mut self) -> String {
        self.orders.new_name()
    }

    /// Starts the ids of all markets anew.
    pub fn restart_ids(&mut self) {
        self.markets.iter_mut().for_each(Market::restart_ids);
    }

    /// Does all that is due by now. Returns how many market events were given up because the caller
    /// was held up for more than a second.
    pub fn tick(&mut self, now: Moment) -> u64 {
        if now.ns >= self.next_cancel_ns() {
            self.cancel_due(now);
        }
        if self.live.is_some() {
            self.follow(now);
            return 0;
        }
        let (mut owed, given_up) = self.pace.owed(now.ns);
        let mut actions = 0;
        while owed > 0 && actions < ACTIONS_PER_TURN_MAX {
            actions += 1;
            let index = self.next_market;
            self.next_market = (index + 1) % self.markets.len();
            self.markets[index].crowd_acts();
            owed = owed.saturating_sub(self.settle(index, now));
        }
        if now.ns >= self.next_cut_ns {
            self.cut(now);
            self.next_cut_ns += CUT_NS;
            // After a long hold-up the missed cuts are one: a diff names every change since the
            // last.
            if self.next_cut_ns < now.ns {
                self.next_cut_ns = now.ns + CUT_NS;
            }
        }
        given_up
    }

    /// When the next thing is due, nanoseconds of the monotonic clock.
    pub fn next_due_ns(&self, now_ns: u64) -> u64 {
        match self.live {
            Some(_) => now_ns + FOLLOW_NS,
            None => {
                let due_ns = self.pace.next_due_ns(now_ns).min(self.next_cut_ns);
                due_ns.min(self.next_cancel_ns())
            }
        }
    }

    /// Takes what the live books and trades have become.
    fn follow(&mut self, now: Moment) {
        let Some(feeds) = self.live.clone() else { return };
        feeds.drain(|index, live| {
            let Some(market) = self.markets.get_mut(index) else { return };
            match live {
                Live::Book { bids, asks } => market.follow_book(bids, asks),
                Live::Trade { taker, price, qty } => market.follow_trade(taker, price, qty),
                Live::Lost => market.lose_book(),
            }
            self.settle(index, now);
        });
    }

    /// Moves what happened since the last call into `events`, oldest first.
    pub fn drain_events(&mut self, events: &mut Vec<Event>) {
        events.append(&mut self.events);
    }

    /// Tells what happened in a market, and what that has triggered. Returns the number of market
    /// events.
    fn settle(&mut self, index: usize, now: Moment) -> u64 {
        let mut count = 0;
        loop {
            let mut happened = std::mem::take(&mut self.market_events);
            self.markets[index].drain_events(&mut happened);
            count += happened.len() as u64;
            let mut triggered = Vec::new();
            for event in happened.drain(..) {
                match event {
                    MarketEvent::Trade { tick, maker } => {
                        let (market, told) = (&self.markets[index], &mut self.events);
                        self.orders.on_trade(index, market, &tick, maker, now.epoch_ms, told);
                        triggered.extend(self.orders.triggered_by(index, tick.price));
                        self.orders.ledger().lock().note_print(index, &tick, now.epoch_ms);
                        self.events.push(Event::Trade { market: index, tick });
                    }
                    MarketEvent::Top(top) => {
                        self.orders.ledger().lock().note_quote(index, &top, now.epoch_ms);
                        self.events.push(Event::Top { market: index, top });
                    }
                }
            }
            self.market_events = happened;
            triggered.dedup();
            for id in &triggered {
                // A trade that an earlier one made may have been there before.
                if self.orders.by_id(*id).is_waiting {
                    let market = &mut self.markets[index];
                    self.orders.trigger(*id, market, now.epoch_ms, &mut self.events);
                }
            }
            if triggered.is_empty() {
                break;
            }
        }
        self.pace.done(count);
        count
    }

    fn cut(&mut self, now: Moment) {
        self.cuts += 1;
        for index in 0..self.markets.len() {
            self.cut_depth(index, false, now.epoch_ms);
            if self.cuts.is_multiple_of(FAST_CUTS_PER_SLOW) {
                self.cut_depth(index, true, now.epoch_ms);
                // What is traded may be contracts; a dialect of none has no stream of them.
                let (price, funding) = self.mark(index, now.epoch_ms);
                self.events.push(Event::Mark { market: index, price, funding });
            }
            let market = &mut self.markets[index];
            let is_over = market.kline.is_over(now.epoch_ms);
            if !is_over && !self.cuts.is_multiple_of(FAST_CUTS_PER_BAR) {
                continue;
            }
            if !market.kline.is_empty() {
                self.pace.done(1);
                self.events.push(Event::Bar { market: index, bar: market.kline.clone() });
            }
            if is_over {
                market.kline = Kline::at(now.epoch_ms);
            }
        }
    }

    fn cut_depth(&mut self, index: usize, is_slow: bool, at_ms: i64) {
        let market = &mut self.markets[index];
        let Some((ids, bids, asks)) = market.cut_diff(is_slow) else { return };
        if !is_slow {
            let hash = top_hash(market.book.levels(Buy), market.book.levels(Sell));
            let top = LedgerTop { market: index, update_id: ids.1, hash, at_ms };
            self.orders.ledger().lock().note_top(top);
        }
        self.pace.done(1);
        let now = |side, prices: Vec<u64>| {
            prices.into_iter().map(|price| (price, market.book.qty_at(side, price))).collect()
        };
        let (bids, asks) = (now(Buy, bids), now(Sell, asks));
        self.events.push(Event::Depth { market: index, is_slow, ids, bids, asks });
    }
}
