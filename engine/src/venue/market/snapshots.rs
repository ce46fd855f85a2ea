//! Fetches book snapshots over REST, as an agent of its own beside the cores: a body of thousands
//! of levels takes longer to parse than a pinned thread may spend.
//!
//! ```text
//! market agent --(lane of requests)--> agent "rest-NAME" --(Exchange of answers)--> market agent
//! ```
//!
//! The body is parsed here too, so that a cold snapshot costs the core nothing but its application;
//! an answer that was applied goes back to be freed here. When the venue asks to slow down (429, or
//! 418 when it was ignored), nothing is asked for as long as it said. Nothing here waits.

use std::marker::PhantomData;
use std::sync::Arc;

use mio::Registry;
use pitlane_ring::{Consumer, LaneOptions, lane};
use thiserror::Error;

use super::instrument_watch::InstrumentWatch;
use super::snapshot_client::{Answer, Shared, SnapshotClient, SnapshotRequest};
use crate::event::InstrumentId;
use crate::runtime::{Agent, BesideWaker, CoreWakers, Phase, StopSignal};
use crate::venue::codec::DecodeError;
use crate::venue::governor::{Governor, PauseCause, PauseScope, RequestClass, ToldLimits};
use crate::venue::protocol::{MarketProtocol, ShallowSnapshot, Snapshot};
use crate::venue::recorder::Tap;
use crate::venue::transport::{RestClient, RestError, RestOptions, RestReply};
use crate::venue::{InstrumentBoard, SymbolMap, VenueClock, VenueSwitch};
use crate::world::Clock;

/// Requests that may wait: the pacer allows one a symbol, and a few a second.
const REQUESTS: usize = 1_024;
const SECOND_NS: u64 = 1_000_000_000;
/// Between two requests for the venue's limits, ns.
const LIMITS_EVERY_NS: u64 = 3_600 * SECOND_NS;
/// The longest wait after an answer that refused without a word on limits (403, 5xx); it doubles
/// from 1 s.
const REFUSED_WAIT_MAX_S: u64 = 60;
/// Without anything to do the requests are looked at this often, should a wake-up be missed.
const POLL_NS: u64 = 20_000_000;

/// What a [`SnapshotAgent`] is made of.
pub struct SnapshotOptions {
    /// The venue's name, for the log.
    pub venue: String,
    /// The agent's name.
    pub name: String,
    /// The REST interface.
    pub rest: RestOptions,
    /// The symbols that may be asked for.
    pub symbols: SymbolMap,
    /// What the venue allows.
    pub governor: Governor,
    /// Path of the market connection's streams.
    pub stream_path: String,
    /// Whether it asks for the venue's own limits, first of all and again each hour.
    pub learns_limits: bool,
    /// Of which instruments it asks whether they trade, and how often, ns; 0: never.
    pub watched: (Vec<InstrumentId>, u64),
    /// Where the last word on each of them is kept.
    pub board: InstrumentBoard,
    /// The venue's time, when this agent is to measure it.
    pub venue_clock: Option<VenueClock>,
    /// The clock.
    pub clock: Clock,
    /// Wakes the core that waits for an answer.
    pub wakers: CoreWakers,
    /// Wakes this agent.
    pub waker: BesideWaker,
    /// Takes whole books that REST tells, where they are recorded.
    pub tap: Option<Tap>,
    /// Of a venue that is switched off nothing is asked.
    pub switch: VenueSwitch,
    /// The stop signal.
    pub stop: StopSignal,
}

/// Why an answer could not be had. Reads like every other error of a venue.
#[derive(Debug, Error)]
enum FetchError {
    #[error("{0}")]
    Rest(#[from] RestError),
    #[error("refused by the venue (code: http {0})")]
    Status(u16),
    #[error("{0}")]
    Decode(#[from] DecodeError),
}

/// The agent that asks.
pub struct SnapshotAgent<P> {
    venue: String,
    name: String,
    rest: RestClient,
    symbols: SymbolMap,
    governor: Governor,
    words: ToldLimits,
    /// When the venue's limits are asked for next, ns; `None`: by another agent, or never.
    limits_due_ns: Option<u64>,
    /// The present request is for them.
    asks_limits: bool,
    /// What the venue says of its instruments; `None` when nobody is to know.
    instruments: Option<InstrumentWatch>,
    venue_clock: Option<VenueClock>,
    /// When the venue was asked for its time; `None` when no answer is awaited.
    time_asked_ns: Option<u64>,
    /// Answers in a row that refused.
    refusals: u32,
    clock: Clock,
    wakers: CoreWakers,
    switch: VenueSwitch,
    stop: StopSignal,
    requested: Consumer<SnapshotRequest>,
    /// Whose snapshots are to be fetched, each once: while the venue has us wait, requests are
    /// repeated.
    queue: Vec<InstrumentId>,
    /// Whose best levels are to be fetched; the market agent asks for one at a time.
    shallow: Option<InstrumentId>,
    /// Whose snapshot is asked for now, and whether it is of the best levels alone.
    asked: Option<(InstrumentId, bool)>,
    /// An answer that finds the one before not taken yet.
    unanswered: Option<Box<Answer>>,
    /// The venue wants no request before that.
    may_ask_ns: u64,
    /// No best levels before that.
    may_refresh_ns: u64,
    shared: Arc<Shared>,
    tap: Option<Tap>,
    protocol: PhantomData<fn() -> P>,
}

impl<P: MarketProtocol> SnapshotAgent<P> {
    /// The agent, and the end that asks it.
    #[must_use]
    pub fn new(options: SnapshotOptions) -> (SnapshotAgent<P>, SnapshotClient) {
        let SnapshotOptions { venue, name, rest, symbols, governor, learns_limits, .. } = options;
        let SnapshotOptions { venue_clock, watched, board, stream_path, clock, .. } = options;
        let SnapshotOptions { wakers, waker, tap, switch, stop, .. } = options;
        let (watched, every_ns) = watched;
        let venue_clock = venue_clock.filter(|_| P::TIME.is_some());
        if let Some(venue_clock) = &venue_clock {
            venue_clock.is_kept(clock.now_ns());
        }
        let (requests, requested) = lane(LaneOptions { name: name.clone(), capacity: REQUESTS });
        let shared = Arc::<Shared>::default();
        let client = SnapshotClient { requests, shared: Arc::clone(&shared), waker };
        let agent = SnapshotAgent {
            venue,
            name,
            rest: RestClient::new(rest),
            instruments: InstrumentWatch::new(
                P::INSTRUMENTS,
                &symbols,
                &watched,
                every_ns,
                (&stream_path, board),
            ),
            symbols,
            governor,
            words: ToldLimits::default(),
            limits_due_ns: learns_limits.then_some(0),
            asks_limits: false,
            venue_clock,
            time_asked_ns: None,
            refusals: 0,
            clock,
            wakers,
            switch,
            stop,
            requested,
            queue: Vec::new(),
            shallow: None,
            asked: None,
            unanswered: None,
            may_ask_ns: 0,
            may_refresh_ns: 0,
            shared,
            tap,
            protocol: PhantomData,
        };
        (agent, client)
    }

    fn take_requests(&mut self) -> usize {
        let (queue, shallow, asked) = (&mut self.queue, &mut self.shallow, self.asked);
        self.requested.poll(REQUESTS, |request| {
            let instrument = InstrumentId(request.instrument);
            if request.is_shallow == 1 {
                *shallow = Some(instrument);
            } else if asked != Some((instrument, false)) && !queue.contains(&instrument) {
                queue.push(instrument);
            }
        })
    }

    /// Asks for the venue's time when that is due: before snapshots, since orders wait for it.
    fn ask_time(&mut self, now_ns: u64) -> usize {
        let (Some(venue_clock), Some(request)) = (self.venue_clock.clone(), P::TIME) else {
            return 0;
        };
        let is_asking = self.asks_limits || self.asks_instruments();
        let is_free = self.asked.is_none() && !is_asking && self.rest.is_idle();
        if !is_free || now_ns < self.may_ask_ns || !venue_clock.is_due(now_ns) {
            return 0;
        }
        venue_clock.asked(now_ns);
        if !self.may_send(request.weight, now_ns) {
            return 0;
        }
        match self.rest.get(request.path, now_ns) {
            Ok(()) => self.time_asked_ns = Some(now_ns),
            Err(_unreachable) => venue_clock.failed(now_ns),
        }
        1
    }

    /// The answer to a question for the time. One that has none is no fault: a proxy may serve
    /// snapshots alone.
    fn take_time(&mut self, sent_ns: u64, outcome: Result<RestReply, RestError>, now_ns: u64) {
        let Some(venue_clock) = self.venue_clock.clone() else { return };
        let time_ns = match &outcome {
            Ok(reply) if reply.status == 404 => None,
            Ok(reply) => match self.heed(reply, now_ns) {
                Ok(()) => P::TIME.and_then(|time| (time.read)(&reply.body)),
                Err(_refused) => None,
            },
            Err(_) => None,
        };
        match time_ns {
            Some(time_ns) => {
                venue_clock.measured(sent_ns, now_ns, time_ns);
            }
            None => {
                log::debug!("[{}] the venue did not tell its time: {outcome:?}", self.venue);
                venue_clock.failed(now_ns);
            }
        }
    }

    fn ask(&mut self, now_ns: u64) -> usize {
        let is_free = self.asked.is_none() && self.unanswered.is_none() && self.rest.is_idle();
        if !is_free || now_ns < self.may_ask_ns || self.asks_limits || self.asks_instruments() {
            return 0;
        }
        if self.limits_due_ns.is_some_and(|due_ns| now_ns >= due_ns) {
            return self.ask_for_limits(now_ns);
        }
        if self.queue.is_empty() && self.instruments.as_ref().is_some_and(|i| i.is_due(now_ns)) {
            return self.ask_for_instruments(now_ns);
        }
        let Some(rest) = P::SNAPSHOT.rest() else { return 0 };
        if self.queue.is_empty() {
            return self.ask_shallow(&rest.shallow, now_ns);
        }
        let (path, weight) = rest.of_symbols(self.symbols.len());
        if !self.may_send(weight, now_ns) {
            return 0;
        }
        let instrument = self.queue.remove(0);
        self.ask_for(instrument, path, false, now_ns)
    }

    /// Asks for the best levels of a book that is live: when no other one waits.
    fn ask_shallow(&mut self, shallow: &ShallowSnapshot, now_ns: u64) -> usize {
        let Some(instrument) = self.shallow.filter(|_| now_ns >= self.may_refresh_ns) else {
            return 0;
        };
        if let Err(until_ns) = self.admit(RequestClass::Refresh, shallow.weight, now_ns) {
            self.may_refresh_ns = until_ns;
            return 0;
        }
        self.shallow = None;
        self.ask_for(instrument, shallow.path, true, now_ns)
    }

    fn ask_for(
        &mut self,
        instrument: InstrumentId,
        path: fn(&str) -> String,
        is_shallow: bool,
        now_ns: u64,
    ) -> usize {
        self.asked = Some((instrument, is_shallow));
        let asked = match self.symbols.native(instrument) {
            Some(native) => self.rest.get(&path(native), now_ns).map_err(FetchError::Rest),
            None => Err(FetchError::Decode(DecodeError::symbol())),
        };
        if let Err(error) = asked {
            self.answer((instrument, is_shallow), Err(error));
        }
        1
    }

    /// Whether a request may leave, with the connection that it may need.
    fn may_send(&mut self, weight: u32, now_ns: u64) -> bool {
        let admitted = self.admit(RequestClass::Snapshot, weight, now_ns);
        if let Err(until_ns) = admitted {
            self.may_ask_ns = until_ns;
        }
        admitted.is_ok()
    }

    /// As above, of this class; else when to try again.
    fn admit(&self, class: RequestClass, weight: u32, now_ns: u64) -> Result<(), u64> {
        let connected = match self.rest.needs_connection() {
            true => self.governor.may_send(RequestClass::Connect, 0, now_ns),
            false => Ok(()),
        };
        let sent = connected.and_then(|()| self.governor.may_send(class, weight, now_ns));
        sent.map_err(|held_back| held_back.until_ns)
    }

    fn ask_for_limits(&mut self, now_ns: u64) -> usize {
        let native = self.symbols.iter().next().map(|(native, _)| native);
        let Some((path, weight)) = native.and_then(P::limits_request) else {
            self.limits_due_ns = None;
            return 0;
        };
        if !self.may_send(weight, now_ns) {
            return 0;
        }
        // Should it fail: not before other requests, and not soon again.
        self.limits_due_ns = Some(now_ns + LIMITS_EVERY_NS);
        match self.rest.get(&path, now_ns) {
            Ok(()) => self.asks_limits = true,
            Err(error) => log::warn!("[{}] limits not asked for: {error}", self.venue),
        }
        1
    }

    fn hear_limits(&mut self, now_ns: u64) -> usize {
        let Some(outcome) = self.rest.step(now_ns) else { return 0 };
        self.asks_limits = false;
        let learned = outcome.map_err(FetchError::Rest).and_then(|reply| {
            self.heed(&reply, now_ns)?;
            self.words.clear();
            P::read_limits(&reply.body, &mut self.words)?;
            Ok(())
        });
        match learned {
            Ok(()) => self.governor.learn(&self.words, now_ns, self.clock.wall_at_ns(now_ns)),
            Err(error) => {
                let venue = &self.venue;
                log::warn!("[{venue}] limits not told by the venue, the known ones stay: {error}");
            }
        }
        1
    }

    fn asks_instruments(&self) -> bool {
        self.instruments.as_ref().is_some_and(InstrumentWatch::is_asking)
    }

    /// Asks what the venue says of some of its instruments: when nothing waits for an answer.
    fn ask_for_instruments(&mut self, now_ns: u64) -> usize {
        let Some(weight) = self.instruments.as_ref().map(InstrumentWatch::weight) else { return 0 };
        let admitted = self.admit(RequestClass::Refresh, weight, now_ns);
        let Some(instruments) = &mut self.instruments else { return 0 };
        if let Err(until_ns) = admitted {
            instruments.hold_until(until_ns);
            return 0;
        }
        if let Err(error) = self.rest.get(&instruments.ask(), now_ns) {
            log::debug!("[{}] instruments not asked for: {error}", self.venue);
            instruments.failed(error, now_ns);
        }
        1
    }

    fn hear_instruments(&mut self, now_ns: u64) -> usize {
        let Some(outcome) = self.rest.step(now_ns) else { return 0 };
        let heeded = match &outcome {
            Ok(reply) => self.heed(reply, now_ns),
            Err(_) => Ok(()),
        };
        let Self { instruments: Some(instruments), symbols, venue, tap, .. } = self else {
            return 1;
        };
        let heard = match (outcome, heeded) {
            (Ok(_), Err(FetchError::Status(status))) => {
                if !instruments.refused(venue, status, now_ns) {
                    log::info!("[{venue}] what its instruments are is not served (code: http 404)");
                    self.instruments = None;
                }
                return 1;
            }
            (Ok(reply), _) => {
                let heard = instruments.answered(venue, &reply.body, symbols, now_ns);
                // What was said before is on record.
                if let Some(tap) = tap.as_mut().filter(|_| instruments.has_news()) {
                    tap.instruments(&reply.body, now_ns);
                }
                heard
            }
            (Err(error), _) => {
                log::debug!("[{venue}] instruments: {error}");
                instruments.failed(error, now_ns);
                return 1;
            }
        };
        if let Err(error) = heard {
            log::warn!("[{venue}] what its instruments are can't be read: {error}");
        }
        1
    }

    fn hear(&mut self, now_ns: u64) -> usize {
        if self.asks_limits {
            return self.hear_limits(now_ns);
        }
        if self.asks_instruments() {
            return self.hear_instruments(now_ns);
        }
        if self.asked.is_none() && self.time_asked_ns.is_none() {
            return 0;
        }
        let Some(outcome) = self.rest.step(now_ns) else { return 0 };
        if let Some(sent_ns) = self.time_asked_ns.take() {
            self.take_time(sent_ns, outcome, self.clock.now_ns());
            return 1;
        }
        let Some(asked) = self.asked else { return 0 };
        let snapshot = outcome.map_err(FetchError::Rest);
        let snapshot = snapshot.and_then(|reply| {
            let snapshot = self.read(asked.0, &reply, now_ns)?;
            if let (Some(tap), false, Some(native)) =
                (&mut self.tap, asked.1, self.symbols.native(asked.0))
            {
                tap.snapshot(native, &reply.body, now_ns);
            }
            Ok(snapshot)
        });
        self.answer(asked, snapshot);
        1
    }

    fn read(
        &mut self,
        instrument: InstrumentId,
        reply: &RestReply,
        now_ns: u64,
    ) -> Result<Snapshot, FetchError> {
        let heeded = self.heed(reply, now_ns);
        if heeded.is_err() {
            // A venue that is down: each request costs its weight and changes nothing.
            let wait_s = (1 << self.refusals.min(6)).min(REFUSED_WAIT_MAX_S);
            self.may_ask_ns = self.may_ask_ns.max(now_ns + wait_s * SECOND_NS);
            self.refusals += 1;
        }
        heeded?;
        self.refusals = 0;
        let symbol = self.symbols.symbol(instrument).ok_or_else(DecodeError::symbol)?;
        let rest = P::SNAPSHOT.rest().ok_or(DecodeError::unknown("no snapshot over REST"))?;
        Ok((rest.read)(instrument, &reply.body, symbol.scales)?)
    }

    /// Follows what an answer says of the venue's limits.
    fn heed(&mut self, reply: &RestReply, now_ns: u64) -> Result<(), FetchError> {
        let wall_ns = self.clock.wall_at_ns(now_ns);
        self.words.clear();
        for (name, value) in &reply.headers {
            P::read_limit_header(name, value, &mut self.words);
        }
        self.governor.learn(&self.words, now_ns, wall_ns);
        if reply.status == 200 {
            self.governor.granted(PauseScope::Address);
            self.governor.granted(PauseScope::Rest);
            return Ok(());
        }
        let refusal = P::read_refusal(&reply.body);
        let cause = PauseCause { status: reply.status, code: refusal.map_or(0, |r| r.code) };
        let wait_ns = match (reply.retry_after, refusal.and_then(|r| r.retry_at_ms)) {
            (None, Some(at_ms)) => {
                u64::try_from(at_ms.saturating_mul(1_000_000).saturating_sub(wall_ns)).ok()
            }
            (retry_after, _) => retry_after.map(|at| at.wait_ns(wall_ns)),
        };
        self.governor.obey_http(PauseScope::Rest, cause, wait_ns, &self.clock);
        Err(FetchError::Status(reply.status))
    }

    fn answer(
        &mut self,
        (instrument, is_shallow): (InstrumentId, bool),
        outcome: Result<Snapshot, FetchError>,
    ) {
        if !is_shallow {
            // What was asked for again meanwhile is this very request.
            self.take_requests();
            self.queue.retain(|queued| *queued != instrument);
        }
        self.asked = None;
        let snapshot =
            outcome.map_err(|error| log::warn!("[{}] snapshot failed: {error}", self.venue)).ok();
        self.unanswered = Some(Box::new(Answer { instrument, is_shallow, snapshot, data: None }));
        self.hand_over();
    }

    /// What the venue said of an instrument, as an answer of its own.
    fn next_news(&mut self) -> Option<Box<Answer>> {
        let (instrument, data) = self.instruments.as_mut()?.next_news()?;
        let (is_shallow, snapshot, data) = (false, None, Some(data));
        Some(Box::new(Answer { instrument, is_shallow, snapshot, data }))
    }

    /// Leaves the answer for the market agent, if that has taken the one before.
    fn hand_over(&mut self) -> usize {
        let Some(answer) = self.unanswered.take().or_else(|| self.next_news()) else { return 0 };
        if let Err(back) = self.shared.answers.put(answer) {
            self.unanswered = Some(back);
            return 0;
        }
        self.wakers.wake();
        1
    }
}

impl<P: MarketProtocol> Agent for SnapshotAgent<P> {
    fn name(&self) -> &str {
        &self.name
    }

    fn on_start(&mut self, registry: &Registry) {
        if let Err(error) = self.rest.register(registry) {
            log::warn!("[{}] registering a poller failed: {error} (code: io)", self.venue);
        }
    }

    fn duty_cycle(&mut self) -> usize {
        let now_ns = self.clock.now_ns();
        let freed = usize::from(self.shared.spent.take().is_some());
        let taken = self.take_requests();
        let heard = self.hand_over() + self.hear(now_ns);
        let work = freed + taken + heard;
        if self.switch.is_on() { work + self.ask_time(now_ns) + self.ask(now_ns) } else { work }
    }

    fn has_pending(&self) -> bool {
        self.unanswered.is_some()
    }

    fn next_timer_ns(&self) -> u64 {
        let wants = !self.queue.is_empty() || self.limits_due_ns == Some(0);
        let ask_ns = match (wants, self.shallow) {
            _ if !self.switch.is_on() => u64::MAX,
            (true, _) => self.may_ask_ns,
            (false, Some(_)) => self.may_ask_ns.max(self.may_refresh_ns),
            (false, None) => u64::MAX,
        };
        let poll_ns = self.clock.now_ns() + POLL_NS;
        self.rest.deadline_ns().min(ask_ns).min(poll_ns)
    }

    fn is_done(&self) -> bool {
        self.stop.phase() >= Phase::Draining
    }
}
