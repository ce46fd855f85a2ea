//! Requests of an order session that go over REST: on connections of their own that are kept,
//! within the same cycles as the session.
//!
//! Questions and steps of a logon go one after the other on one line. Orders, where a venue takes
//! them so, have other lines, several at a time: what leaves on one may come in before what left on
//! another. Nothing that is sent depends on what is under way. A request that changes something is
//! written once: what became of it when a line ends behind it, nobody knows.

use std::collections::VecDeque;

use mio::Registry;

use super::stage::{BATCH, QUERIES_MAX};
use crate::venue::governor::{Governor, RequestClass};
use crate::venue::protocol::OrderProtocol;
use crate::venue::transport::{RestClient, RestError, RestOptions, RestReply};

/// Questions that may wait: queries, a list of fills, a step of the logon, one of the account.
const WAITING_MAX: usize = QUERIES_MAX + 3;
/// Lines for orders: so many are under way at a time.
const ORDER_LINES: usize = 4;
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
    /// Numbers and texts of requests, oldest first, and texts that are to be used again.
    waiting: VecDeque<(u64, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
    waiting_max: usize,
    /// What came before it was asked for.
    done: VecDeque<RestAnswer>,
    /// Requests change something at the venue.
    is_once: bool,
}

struct Line {
    client: RestClient,
    /// The request that is under way; `None` when there is none, or nobody waits for it any more.
    asked: Option<u64>,
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
        let lines = RestLine::new((0..ORDER_LINES).map(client).collect(), BATCH, governor);
        RestLine { is_once: true, ..lines }
    }

    fn new(clients: Vec<RestClient>, waiting_max: usize, governor: &Governor) -> RestLine {
        RestLine {
            lines: clients.into_iter().map(|client| Line { client, asked: None }).collect(),
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
    /// when too many wait.
    #[inline]
    pub(super) fn send(&mut self, id: u64, request: &[u8], now_ns: u64) -> bool {
        if self.waiting.len() == self.waiting_max {
            return false;
        }
        let mut text = self.spare.pop().unwrap_or_default();
        text.clear();
        text.extend_from_slice(request);
        self.waiting.push_back((id, text));
        self.begin(now_ns);
        true
    }

    /// Begins what waits, as far as lines are free. A line that stands goes before one that has to
    /// be opened.
    #[inline]
    fn begin(&mut self, now_ns: u64) {
        while !self.waiting.is_empty() {
            let is_free = |line: &&mut Line| line.client.is_idle();
            let free = self.lines.iter_mut().filter(is_free);
            let Some(line) = free.min_by_key(|line| line.client.needs_connection()) else { return };
            let opens = line.client.needs_connection();
            if opens && self.governor.may_send(RequestClass::Connect, 0, now_ns).is_err() {
                return;
            }
            let Some((id, text)) = self.waiting.pop_front() else { return };
            line.asked = Some(id);
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
        self.is_sending()
    }

    /// Nobody waits for any answer any more. What has not left does not leave.
    #[cold]
    pub(super) fn forget(&mut self) {
        self.spare.extend(self.waiting.drain(..).map(|(_, text)| text));
        self.done.clear();
        for line in &mut self.lines {
            line.asked = None;
            line.client.give_up_unsent();
        }
    }

    /// When the first of the requests under way is given up, ns.
    pub(super) fn deadline_ns(&self) -> u64 {
        self.lines.iter().map(|line| line.client.deadline_ns()).min().unwrap_or(u64::MAX)
    }
}

impl Line {
    fn go_on(&mut self, now_ns: u64, done: &mut VecDeque<RestAnswer>) {
        let Some(outcome) = self.client.step(now_ns) else { return };
        if let Some(id) = self.asked.take() {
            done.push_back(RestAnswer { id, outcome, was_sent: self.client.was_sent() });
        }
    }
}
