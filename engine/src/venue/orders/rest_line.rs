//! Requests of an order session that go over REST: on connections of their own that are kept,
//! within the same cycles as the session.
//!
//! Questions and steps of a logon go one after the other on one line. Orders, where a venue takes
//! them so, have other lines, several at a time: what leaves on one may come in before what left on
//! another. Nothing that is sent depends on what is under way. A request that changes something is
//! written once: what became of it when a line ends behind it, nobody knows.
//!
//! A cancel never waits for an order: it goes before those that wait, and one line is its own.
//! What finds no line in time is given back instead of being sent late: it was signed for a time,
//! and for a market, that are over.

use std::collections::VecDeque;

use mio::Registry;

use super::stage::{BATCH, QUERIES_MAX};
use crate::venue::governor::{Governor, RequestClass};
use crate::venue::protocol::OrderProtocol;
use crate::venue::transport::{RestClient, RestError, RestOptions, RestReply};

/// Questions that may wait: queries, a list of fills, a step of the logon, three of the account.
const WAITING_MAX: usize = QUERIES_MAX + 5;
/// Lines for orders: so many requests are under way at a time, and of those that add risk one less.
const ORDER_LINES: usize = 5;
/// Cancels that may wait beside as many orders as may.
const ORDERS_WAITING_MAX: usize = BATCH;
/// A request that changes something waits for a line so long at most, ns: a part of what its
/// signature is good for.
const WAIT_NS: u64 = 1_000_000_000;
const NO_LINE: &str = "no line was free in time";
const TAKEN_BACK: &str = "taken back before it left";
/// Their sockets have numbers of their own in the core's poller.
const TOKENS: usize = 4 << 20;
/// Between those of one venue.
const TOKEN_STEP: usize = 1 << 16;
/// Bytes of a request for which there is room from the start.
const REQUEST_BYTES: usize = 2_048;

/// What became of a request.
pub(super) struct RestAnswer {
    pub(super) id: u64,
    pub(super) outcome: Result<RestReply, RestError>,
    /// Something of it was handed to the system.
    pub(super) was_sent: bool,
}

/// The line of questions, and those of orders, where there are any.
pub(super) struct RestLines {
    pub(super) questions: Option<RestLine>,
    pub(super) orders: Option<RestLine>,
}

impl RestLines {
    /// Those that the venue of this protocol needs, to where `options` say.
    pub(super) fn new<P: OrderProtocol>(
        options: Option<RestOptions>,
        governor: &Governor,
    ) -> RestLines {
        let orders = options.as_ref().filter(|_| P::ORDERS_OVER_REST);
        RestLines {
            orders: orders.map(|options| RestLine::for_orders(options, governor)),
            questions: options.map(|options| RestLine::of(options, governor)),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &RestLine> {
        self.orders.iter().chain(&self.questions)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut RestLine> {
        self.orders.iter_mut().chain(&mut self.questions)
    }

    /// Goes on as far as the sockets do: what became of a request, those of orders first.
    #[cold]
    pub(super) fn step(&mut self, now_ns: u64) -> Option<RestAnswer> {
        self.iter_mut().find_map(|lines| lines.step(now_ns))
    }
}

/// Lines of one kind.
pub(super) struct RestLine {
    lines: Vec<Line>,
    governor: Governor,
    /// Requests that wait, those that add risk behind the others, each kind oldest first; and texts
    /// that are to be used again.
    waiting: VecDeque<Waiting>,
    spare: Vec<Vec<u8>>,
    waiting_max: usize,
    /// What came before it was asked for.
    done: VecDeque<RestAnswer>,
    /// Requests change something at the venue.
    is_once: bool,
}

struct Waiting {
    id: u64,
    text: Vec<u8>,
    adds_risk: bool,
    /// Given back then, ns.
    until_ns: u64,
}

struct Line {
    client: RestClient,
    /// The request that is under way; `None` when there is none, or nobody waits for it any more.
    asked: Option<u64>,
    /// It adds risk.
    adds_risk: bool,
}

impl RestLine {
    /// The line of questions.
    fn of(options: RestOptions, governor: &Governor) -> RestLine {
        RestLine::new(vec![RestClient::new(options)], WAITING_MAX, governor)
    }

    /// The lines of orders.
    fn for_orders(options: &RestOptions, governor: &Governor) -> RestLine {
        let client = |place: usize| {
            let token = options.token + TOKENS + place * TOKEN_STEP;
            RestClient::new(RestOptions { token, ..options.clone() })
        };
        let waiting_max = ORDERS_WAITING_MAX + BATCH;
        let lines = RestLine::new((0..ORDER_LINES).map(client).collect(), waiting_max, governor);
        RestLine { is_once: true, ..lines }
    }

    fn new(clients: Vec<RestClient>, waiting_max: usize, governor: &Governor) -> RestLine {
        RestLine {
            lines: clients
                .into_iter()
                .map(|client| Line { client, asked: None, adds_risk: false })
                .collect(),
            governor: governor.clone(),
            waiting: VecDeque::with_capacity(waiting_max),
            spare: (0..waiting_max).map(|_| Vec::with_capacity(REQUEST_BYTES)).collect(),
            waiting_max,
            done: VecDeque::with_capacity(ORDER_LINES),
            is_once: false,
        }
    }

    pub(super) fn register(&mut self, registry: &Registry) {
        for line in &mut self.lines {
            if let Err(error) = line.client.register(registry) {
                log::warn!("requests over REST wake nobody: {error}");
            }
        }
    }

    /// Takes a request as [`RestClient::ask`] reads it, and writes it where a line is free; false
    /// when too many wait. One that adds no risk goes before those that do.
    #[inline]
    pub(super) fn send(
        &mut self,
        (id, adds_risk): (u64, bool),
        request: &[u8],
        now_ns: u64,
    ) -> bool {
        let max = if adds_risk { ORDERS_WAITING_MAX } else { self.waiting_max };
        if self.waiting.len() >= max {
            return false;
        }
        let mut text = self.spare.pop().unwrap_or_default();
        text.clear();
        text.extend_from_slice(request);
        let until_ns = if self.is_once { now_ns.saturating_add(WAIT_NS) } else { u64::MAX };
        let before = self.waiting.iter().position(|of| of.adds_risk && !adds_risk);
        let place = before.unwrap_or(self.waiting.len());
        self.waiting.insert(place, Waiting { id, text, adds_risk, until_ns });
        self.begin(now_ns);
        true
    }

    /// Begins what waits, as far as lines are free. A line that stands goes before one that has to
    /// be opened.
    #[inline]
    fn begin(&mut self, now_ns: u64) {
        while let Some(first) = self.waiting.front() {
            let idle = self.lines.iter().filter(|line| line.client.is_idle()).count();
            if first.adds_risk && idle < 2 {
                return;
            }
            let is_free = |line: &&mut Line| line.client.is_idle();
            let free = self.lines.iter_mut().filter(is_free);
            let Some(line) = free.min_by_key(|line| line.client.needs_connection()) else { return };
            // A connection for a cancel is held back by what holds back cancels alone.
            let may_open = |class| self.governor.may_send(class, 0, now_ns).is_ok();
            if line.client.needs_connection()
                && !may_open(RequestClass::Connect)
                && !(self.is_once && !first.adds_risk && may_open(RequestClass::Cancel))
            {
                return;
            }
            let Some(Waiting { id, text, adds_risk, .. }) = self.waiting.pop_front() else {
                return;
            };
            (line.asked, line.adds_risk) = (Some(id), adds_risk);
            let begun = match self.is_once {
                true => line.client.ask_once(&text, now_ns),
                false => line.client.ask(&text, now_ns),
            };
            self.spare.push(text);
            if let Err(error) = begun {
                line.asked = None;
                self.done.push_back(RestAnswer { id, outcome: Err(error), was_sent: false });
                continue;
            }
            line.go_on(now_ns, &mut self.done);
        }
    }

    /// Whether there is anything to do.
    #[inline]
    pub(super) fn is_busy(&self) -> bool {
        let is_busy = |line: &Line| !line.client.is_idle();
        self.lines.iter().any(is_busy) || !self.waiting.is_empty() || !self.done.is_empty()
    }

    /// Whether something that was taken has not left.
    #[inline]
    pub(super) fn is_sending(&self) -> bool {
        !self.waiting.is_empty() || self.lines.iter().any(|line| line.client.is_sending())
    }

    /// Goes on as far as the sockets do: the answer to a request that is still waited for.
    #[cold]
    pub(super) fn step(&mut self, now_ns: u64) -> Option<RestAnswer> {
        if self.done.is_empty() {
            self.send_on(now_ns);
        }
        self.done.pop_front()
    }

    /// The same, and leaves the answers where they are; whether something has not left yet.
    #[cold]
    pub(super) fn send_on(&mut self, now_ns: u64) -> bool {
        let Self { lines, done, .. } = self;
        lines.iter_mut().for_each(|line| line.go_on(now_ns, done));
        self.begin(now_ns);
        self.give_back(NO_LINE, |of| now_ns >= of.until_ns);
        self.is_sending()
    }

    /// Gives back those that wait and are such ones: nothing of them left.
    #[cold]
    fn give_back(&mut self, why: &'static str, is_one: impl Fn(&Waiting) -> bool) {
        while let Some(place) = self.waiting.iter().position(&is_one) {
            let Some(Waiting { id, text, .. }) = self.waiting.remove(place) else { return };
            self.spare.push(text);
            self.done.push_back(RestAnswer::unsent(id, why));
        }
    }

    /// Whether a request that adds risk was taken and has not left.
    #[inline]
    pub(super) fn holds_risk(&self) -> bool {
        let is_unsent = |line: &Line| line.adds_risk && line.asked.is_some() && line.is_unsent();
        self.waiting.iter().any(|of| of.adds_risk) || self.lines.iter().any(is_unsent)
    }

    /// Takes back the requests that add risk, have not begun to leave, and may not any more.
    #[cold]
    pub(super) fn take_back(&mut self, is_over: impl Fn(u64) -> bool) {
        self.give_back(TAKEN_BACK, |of| of.adds_risk && is_over(of.id));
        for line in self.lines.iter_mut().filter(|line| line.adds_risk && line.is_unsent()) {
            if let Some(id) = line.asked.take_if(|id| is_over(*id)) {
                line.client.give_up_unsent();
                self.done.push_back(RestAnswer::unsent(id, TAKEN_BACK));
            }
        }
    }

    /// Nobody waits for any answer any more. What has not left does not leave.
    #[cold]
    pub(super) fn forget(&mut self) {
        self.spare.extend(self.waiting.drain(..).map(|of| of.text));
        self.done.clear();
        for line in &mut self.lines {
            line.asked = None;
            line.client.give_up_unsent();
        }
    }

    /// When the first of the requests is given up, ns.
    pub(super) fn deadline_ns(&self) -> u64 {
        let under_way = self.lines.iter().map(|line| line.client.deadline_ns());
        under_way.chain(self.waiting.iter().map(|of| of.until_ns)).min().unwrap_or(u64::MAX)
    }
}

impl RestAnswer {
    /// Nothing of the request left us.
    fn unsent(id: u64, why: &'static str) -> RestAnswer {
        RestAnswer { id, outcome: Err(RestError::Protocol(why)), was_sent: false }
    }
}

impl Line {
    fn is_unsent(&self) -> bool {
        !self.client.is_idle() && !self.client.was_sent()
    }

    fn go_on(&mut self, now_ns: u64, done: &mut VecDeque<RestAnswer>) {
        let Some(outcome) = self.client.step(now_ns) else { return };
        if let Some(id) = self.asked.take() {
            done.push_back(RestAnswer { id, outcome, was_sent: self.client.was_sent() });
        }
    }
}

#[cfg(test)]
mod tests;
