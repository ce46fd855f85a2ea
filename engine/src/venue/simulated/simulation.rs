//! The simulated exchange as content of the server: markets, account, and the clock that drives them.

use std::time::{Duration, Instant};

use super::api::Api;
use super::clients::{Clients, MarketFrame};
use super::clock::epoch_ms;
use super::counters::FrameKind;
use super::desk::UserEvent;
use super::frames::FrameWriter;
use super::http::{Reply, Request};
use super::market::{Market, MarketEvent};
use super::options::SimulatedVenueOptions;
use super::pace::Pace;
use super::rest;
use super::server::Content;
use super::stream::{StreamKey, StreamKind};

/// Diffs of `@depth@100ms` are cut this often.
const DEPTH_FAST: Duration = Duration::from_millis(100);
/// Every so many fast cuts, `@depth` is cut too.
const FAST_CUTS_PER_SLOW: u64 = 10;
/// Every so many fast cuts, bars are published.
const FAST_CUTS_PER_KLINE: u64 = 20;
/// Actions of the crowd in one turn of the event loop: a bound, never reached at a sane rate.
const ACTIONS_PER_TURN_MAX: u64 = 1_000_000;

/// The exchange.
pub(super) struct Simulation {
    markets: Vec<Market>,
    api: Api,
    pace: Pace,
    next_market: usize,
    next_cut: Instant,
    cuts: u64,
    writer: FrameWriter,
    events: Vec<MarketEvent>,
    user_events: Vec<UserEvent>,
}

impl Simulation {
    pub(super) fn new(options: &SimulatedVenueOptions) -> Self {
        let now_ms = epoch_ms();
        let open = |symbol: &_| Market::new(Clone::clone(symbol), options.seed, now_ms);
        let markets = options.symbols.iter().map(open).collect();
        // The clock starts after the markets are open: opening them owes nobody a frame.
        let now = Instant::now();
        Self {
            markets,
            api: Api::new(options),
            pace: Pace::new(now, options.events_per_s),
            next_market: 0,
            next_cut: now + DEPTH_FAST,
            cuts: 0,
            writer: FrameWriter::new(),
            events: Vec::new(),
            user_events: Vec::new(),
        }
    }

    /// Sends what happened in a market. Returns the number of market frames it amounts to, whether
    /// or not anybody listens.
    fn publish(&mut self, index: usize, now: Instant, now_ms: i64, clients: &mut Clients) -> u64 {
        let mut events = std::mem::take(&mut self.events);
        self.markets[index].drain_events(&mut events);
        let market = &self.markets[index];
        for event in &events {
            if let MarketEvent::Trade { tick, maker } = event {
                let told = &mut self.user_events;
                self.api.desk.on_trade(index, market, tick, *maker, now_ms, told);
            }
            let kind = match event {
                MarketEvent::Trade { .. } => StreamKind::Trade,
                MarketEvent::Top(_) => StreamKind::BookTicker,
            };
            if clients.wants(StreamKey::new(index, kind)) {
                match event {
                    MarketEvent::Trade { tick, .. } => {
                        self.writer.trade(&market.symbol, tick, now_ms);
                    }
                    MarketEvent::Top(top) => self.writer.book_ticker(&market.symbol, top),
                }
                send(clients, index, market, kind, &self.writer, now);
            }
        }
        for event in self.user_events.drain(..) {
            clients.send_user_event(&event);
        }
        let count = events.len() as u64;
        events.clear();
        self.events = events;
        count
    }

    fn crowd_acts(&mut self, now: Instant, clients: &mut Clients) {
        let (mut owed, given_up) = self.pace.owed(now);
        clients.counters.give_up_frames(given_up);
        if owed == 0 {
            return;
        }
        let now_ms = epoch_ms();
        for _ in 0..ACTIONS_PER_TURN_MAX {
            let index = self.next_market;
            self.next_market = (index + 1) % self.markets.len();
            self.markets[index].crowd_acts();
            let sent = self.publish(index, now, now_ms, clients);
            self.pace.done(sent);
            owed = owed.saturating_sub(sent);
            if owed == 0 {
                break;
            }
        }
    }

    fn cut(&mut self, now: Instant, clients: &mut Clients) {
        let now_ms = epoch_ms();
        self.cuts += 1;
        for index in 0..self.markets.len() {
            self.cut_depth(index, false, now, now_ms, clients);
            if self.cuts.is_multiple_of(FAST_CUTS_PER_SLOW) {
                self.cut_depth(index, true, now, now_ms, clients);
            }
            let is_over = self.markets[index].kline.is_over(now_ms);
            if is_over || self.cuts.is_multiple_of(FAST_CUTS_PER_KLINE) {
                self.publish_kline(index, is_over, now, now_ms, clients);
            }
        }
    }

    fn cut_depth(
        &mut self,
        index: usize,
        slow: bool,
        now: Instant,
        now_ms: i64,
        clients: &mut Clients,
    ) {
        use super::book::Side::{Buy, Sell};
        let Some((ids, bids, asks)) = self.markets[index].cut_diff(slow) else { return };
        let kind = if slow { StreamKind::Depth1000Ms } else { StreamKind::Depth100Ms };
        self.pace.done(1);
        if !clients.wants(StreamKey::new(index, kind)) {
            return;
        }
        let market = &self.markets[index];
        let bids = bids.into_iter().map(|price| (price, market.book.qty_at(Buy, price)));
        let asks = asks.into_iter().map(|price| (price, market.book.qty_at(Sell, price)));
        self.writer.depth_update(&market.symbol, now_ms, ids, bids, asks);
        send(clients, index, market, kind, &self.writer, now);
    }

    fn publish_kline(
        &mut self,
        index: usize,
        is_over: bool,
        now: Instant,
        now_ms: i64,
        clients: &mut Clients,
    ) {
        let market = &mut self.markets[index];
        if !market.kline.is_empty() {
            self.pace.done(1);
            market.kline.write(&mut self.writer, &market.symbol, now_ms);
            send(clients, index, market, StreamKind::Kline1m, &self.writer, now);
        }
        if is_over {
            market.kline = super::kline::Kline::at(now_ms);
        }
    }
}

impl Content for Simulation {
    fn resolve(&self, stream: &str) -> Option<StreamKey> {
        self.markets.iter().enumerate().find_map(|(index, market)| {
            let kind = market.streams.iter().position(|name| name == stream)?;
            Some(StreamKey::new(index, StreamKind::ALL[kind]))
        })
    }

    fn rest(&mut self, request: &Request) -> Reply {
        rest::answer(request, &self.markets, &mut self.writer)
    }

    fn api(&mut self, slot: usize, text: &str, clients: &mut Clients) {
        if let Some(index) = self.api.handle(slot, text, &mut self.markets, clients) {
            let sent = self.publish(index, Instant::now(), epoch_ms(), clients);
            self.pace.done(sent);
        }
    }

    fn tick(&mut self, now: Instant, clients: &mut Clients) {
        self.crowd_acts(now, clients);
        if now >= self.next_cut {
            self.cut(now, clients);
            self.next_cut += DEPTH_FAST;
            // After a long hold-up the missed cuts are one: a diff names every change since the last.
            if self.next_cut < now {
                self.next_cut = now + DEPTH_FAST;
            }
        }
    }

    fn next_due(&mut self, _clients: &mut Clients) -> Option<Instant> {
        Some(self.pace.next_due(Instant::now()).min(self.next_cut))
    }
}

fn send(
    clients: &mut Clients,
    index: usize,
    market: &Market,
    kind: StreamKind,
    writer: &FrameWriter,
    now: Instant,
) {
    let stream = market.streams[kind as usize].as_str();
    let frame = MarketFrame { kind: FrameKind::of_stream(stream), stream, data: writer.bytes() };
    clients.publish(StreamKey::new(index, kind), &frame, now);
}
