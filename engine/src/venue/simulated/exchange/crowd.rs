//! The crowd: everybody else who trades on the simulated venue.
//!
//! One seeded stream of actions a symbol. A hidden fair price walks at random; the crowd rests
//! limit orders around it, sends market orders to both sides and cancels. Orders that the walk has
//! left on the wrong side are crossed by newer ones, so the book follows the fair price by trading.
//!
//! Promises: the sequence of actions follows from the seed and from what other members did to the
//! book, never from the clock; the crowd's orders are bounded, and so are levels and queues.

use super::book::{Book, Side};
use super::instrument::SimulatedSymbol;
use crate::world::SplitMix64;

/// The crowd cancels instead of adding from here on.
const ORDERS_MAX: usize = 1_400;
/// A side with fewer levels than this gets new ones first.
const LEVELS_MIN: usize = 120;
/// The crowd leaves a level alone whose queue is longer (cancelled entries stay in it for a while).
const QUEUE_MAX: usize = 64;
/// Deep orders rest at most this many ticks from the fair price.
const DEPTH_TICKS: u64 = 400;
/// Among how many of the newest orders a quick cancel chooses: those lie near the top.
const RECENT: usize = 24;

/// What the crowd does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A limit order: takes what crosses, rests the remainder.
    Limit { side: Side, price: u64, qty: u64 },
    /// A market order.
    Market { side: Side, qty: u64 },
    /// One of its own orders goes.
    Cancel { id: u64 },
    /// It thinks.
    Nothing,
}

/// The crowd of one symbol.
pub struct Crowd {
    random: SplitMix64,
    fair: u64,
    low: u64,
    high: u64,
    tick: u64,
    step: u64,
    /// Orders it once rested; those filled since are dropped when they are met.
    orders: Vec<u64>,
}

impl Crowd {
    /// A crowd around the symbol's start price.
    pub fn new(symbol: &SimulatedSymbol, seed: u64) -> Self {
        let start = symbol.start_price / symbol.tick * symbol.tick;
        let room = (DEPTH_TICKS + 8) * symbol.tick;
        Self {
            random: SplitMix64::new(seed),
            fair: start,
            low: (start / 2).max(room),
            high: start.saturating_mul(2),
            tick: symbol.tick,
            step: symbol.step,
            orders: Vec::with_capacity(ORDERS_MAX + 1),
        }
    }

    /// Notes that an order of the crowd now rests under `id`.
    pub fn rested(&mut self, id: u64) {
        self.orders.push(id);
    }

    /// Decides the next action.
    pub fn next_action(&mut self, book: &Book) -> Action {
        self.walk();
        for side in [Side::Buy, Side::Sell] {
            if book.level_count(side) < LEVELS_MIN {
                return self.deep_order(book, side);
            }
        }
        if self.orders.len() >= ORDERS_MAX {
            let any = self.below(self.orders.len() as u64) as usize;
            return self.cancel(book, any);
        }
        match self.below(100) {
            0..42 => self.near_order(book),
            42..50 => {
                let side = self.side();
                self.deep_order(book, side)
            }
            50..90 => {
                let recent = self.orders.len().min(RECENT);
                let back = 1 + self.below(recent.max(1) as u64) as usize;
                self.cancel(book, self.orders.len().saturating_sub(back))
            }
            // Takers are smaller than makers, or the tape would be longer than the ticker.
            _ => Action::Market { side: self.side(), qty: self.qty().min(self.qty()) },
        }
    }

    /// A number in `0..bound`; `bound` is at least 1.
    fn below(&mut self, bound: u64) -> u64 {
        self.random.between(0, bound - 1)
    }

    /// Moves the fair price by at most two ticks in one of eight calls, and keeps it in its band.
    fn walk(&mut self) {
        if self.below(8) != 0 {
            return;
        }
        let ticks = 1 + self.below(2);
        self.fair = match self.side() {
            Side::Buy => (self.fair + ticks * self.tick).min(self.high),
            Side::Sell => (self.fair - ticks * self.tick).max(self.low),
        };
    }

    fn near_order(&mut self, book: &Book) -> Action {
        let side = self.side();
        let distance = 1 + self.below(4).min(self.below(4));
        self.order(book, side, distance)
    }

    fn deep_order(&mut self, book: &Book, side: Side) -> Action {
        let distance = 1 + self.below(DEPTH_TICKS);
        self.order(book, side, distance)
    }

    fn order(&mut self, book: &Book, side: Side, distance: u64) -> Action {
        let price = match side {
            Side::Buy => self.fair - distance * self.tick,
            Side::Sell => self.fair + distance * self.tick,
        };
        if book.queue_len(side, price) >= QUEUE_MAX {
            return Action::Nothing;
        }
        Action::Limit { side, price, qty: self.qty() }
    }

    fn cancel(&mut self, book: &Book, index: usize) -> Action {
        if index >= self.orders.len() {
            return Action::Nothing;
        }
        let id = self.orders.swap_remove(index);
        match book.resting(id) {
            Some(_) => Action::Cancel { id },
            None => Action::Nothing,
        }
    }

    fn side(&mut self) -> Side {
        if self.below(2) == 0 { Side::Buy } else { Side::Sell }
    }

    /// One to 999 steps, small sizes as likely as large ones.
    fn qty(&mut self) -> u64 {
        let magnitude = 10_u64.pow(self.below(3) as u32);
        self.step * magnitude * (1 + self.below(9))
    }
}
