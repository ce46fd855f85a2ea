//! A session that can do one thing: cancel all that the account has open in some symbols.
//!
//! It is the guard's, beside the engine's own, with a key of its own. It logs on and stays logged
//! on, so that a key that does not open the account is seen before it is needed. Once it is told to
//! cancel, it asks for every symbol, again and again, until the venue has said of each that nothing
//! is open there, and once more after the longest time that an order may be on its way.

use crate::venue::SymbolMap;
use crate::venue::governor::{Governor, RequestClass};
use crate::venue::protocol::{Failure, OrderDecoder, OrderMessage, OrderProtocol, Outcome};
use crate::venue::transport::{CloseReason, Progress, Session, SessionOptions};
use crate::world::Clock;

const SECOND_NS: u64 = 1_000_000_000;
/// A request without an answer is sent again after this, ns.
const ANSWER_NS: u64 = 2 * SECOND_NS;
/// Between two rounds of cancels, ns.
const ROUND_NS: u64 = SECOND_NS;
const MS_NS: i64 = 1_000_000;

/// What a guard's session is made of.
pub struct GuardOptions {
    /// The venue's name.
    pub venue: String,
    /// The connection.
    pub session: SessionOptions,
    /// The symbols that it trades.
    pub symbols: SymbolMap,
    /// The venue's own names of them.
    pub natives: Vec<String>,
    /// The clock.
    pub clock: Clock,
}

/// How a guard's session stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuardState {
    /// It is not logged on; why, where that is known.
    Down(Option<String>),
    /// The venue refused to let it log on; it tries again.
    Refused(String),
    /// It is logged on, and waits.
    Ready,
    /// It cancels: so many symbols may have something open.
    Cancelling(usize),
    /// The venue has said of every symbol that nothing is open.
    Done,
}

/// A guard's session, whatever the venue speaks.
pub trait GuardSession: Send {
    /// The venue's name.
    fn venue(&self) -> &str;

    /// Goes on as far as it can without waiting.
    fn step(&mut self);

    /// From now on all is to be cancelled.
    fn cancel_all(&mut self);

    /// How it stands.
    fn state(&self) -> GuardState;

    /// Requests that cancelled something.
    fn cancelled(&self) -> u64;
}

/// How far the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Down,
    /// The venue's time was asked for.
    Timing,
    /// This step of the logon was written.
    LoggingOn(usize),
    Ready,
}

/// One symbol.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// The number of the request that is under way, 0 for none, and when it was sent, ns.
    asked: (u64, u64),
    /// When the venue was asked to whose answer nothing is open, ns; 0 before.
    empty_ns: u64,
}

/// The session of one protocol.
pub(crate) struct Guard<P: OrderProtocol> {
    venue: String,
    session: Session,
    protocol: P,
    governor: Governor,
    natives: Vec<String>,
    clock: Clock,
    stage: Stage,
    text: Vec<u8>,
    next_id: u64,
    /// The venue's time less ours, ms.
    ahead_ms: i64,
    /// The request that a step of the logon waits for, and when it was sent, ns.
    waits: (u64, u64),
    trouble: Option<String>,
    /// Why the venue refused the logon last, in its own words.
    refused: Option<String>,
    /// Since when all is to be cancelled, ns; 0 before.
    since_ns: u64,
    places: Vec<Place>,
    cancelled: u64,
}

impl<P: OrderProtocol> Guard<P> {
    pub(crate) fn new(signer: P::Signer, options: GuardOptions) -> Guard<P> {
        let GuardOptions { venue, session, symbols, natives, clock } = options;
        let governor = session.governor.clone();
        let decoder = P::Decoder::new(symbols, session.limits.frame_bytes_max);
        Guard {
            venue,
            protocol: P::new(signer, decoder),
            session: Session::new(session, P::KEEP_ALIVE, clock.clone()),
            governor,
            places: vec![Place::default(); natives.len()],
            natives,
            clock,
            stage: Stage::Down,
            text: Vec::with_capacity(1_024),
            next_id: 1,
            ahead_ms: 0,
            waits: (0, 0),
            trouble: None,
            refused: None,
            since_ns: 0,
            cancelled: 0,
        }
    }

    fn time_ms(&self, now_ns: u64) -> i64 {
        self.clock.wall_at_ns(now_ns) / MS_NS + self.ahead_ms
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Sends what was written; whether it could.
    fn send(&mut self, class: RequestClass, now_ns: u64) -> bool {
        let weight = self.protocol.weight(class);
        if self.governor.may_send(class, weight, now_ns).is_err() {
            return false;
        }
        let is_sent = self.session.send(&self.text).is_ok();
        self.session.flush();
        is_sent
    }

    fn opened(&mut self, now_ns: u64) {
        let id = self.id();
        (self.stage, self.waits) = (Stage::Timing, (id, now_ns));
        if !self.protocol.time(id, &mut self.text) {
            self.log_on(0, now_ns);
        } else if !self.send(RequestClass::Query, now_ns) {
            self.waits.0 = 0;
        }
    }

    fn log_on(&mut self, step: usize, now_ns: u64) {
        if step == P::LOGON.len() {
            (self.stage, self.trouble, self.refused) = (Stage::Ready, None, None);
            self.places.iter_mut().for_each(|place| place.asked = (0, 0));
            return;
        }
        let (id, time_ms) = (self.id(), self.time_ms(now_ns));
        (self.stage, self.waits) = (Stage::LoggingOn(step), (id, now_ns));
        self.protocol.logon(step, id, time_ms, &mut self.text);
        if !self.send(RequestClass::Logon, now_ns) {
            self.waits.0 = 0;
        }
    }

    /// The answer to a step of the logon.
    fn answered(&mut self, outcome: Result<Option<i64>, Told>, now_ns: u64) {
        match (self.stage, outcome) {
            (Stage::Timing, Ok(time_ns)) => {
                if let Some(time_ns) = time_ns {
                    self.ahead_ms = time_ns / MS_NS - self.clock.wall_at_ns(now_ns) / MS_NS;
                }
                self.log_on(0, now_ns);
            }
            (Stage::LoggingOn(step), Ok(_)) => self.log_on(step + 1, now_ns),
            // The logon says whether our own time will do.
            (Stage::Timing, Err(_)) => self.log_on(0, now_ns),
            (Stage::LoggingOn(step), Err(Told { text, code, .. })) => {
                // Tried again on the next connection, after the session's own pause.
                let operation = P::LOGON.get(step).copied().unwrap_or("logon");
                self.refused = Some(format!("{operation} failed: {text} (code: {code})"));
                let reason = "refused by the venue";
                self.session.fail(CloseReason::Refused { operation, reason, code });
            }
            (Stage::Down | Stage::Ready, _) => {}
        }
    }

    /// The answer to a cancel of all in a symbol; `None`: it can't be read, so that something was
    /// cancelled.
    fn cancelled_at(&mut self, place: usize, failure: Option<Told>, now_ns: u64) {
        let at = &mut self.places[place];
        let asked_ns = at.asked.1;
        at.asked = (0, now_ns);
        match failure {
            None => self.cancelled += 1,
            Some(Told { outcome: Outcome::NotOpen | Outcome::NoSuchOrder, .. }) => {
                at.empty_ns = asked_ns;
            }
            Some(Told { text, code, .. }) => {
                let native = &self.natives[place];
                self.trouble = Some(format!("{native}: {text} (code: {code})"));
            }
        }
    }

    fn read(&mut self, now_ns: u64) {
        loop {
            let Guard { session, protocol, .. } = self;
            let Some(frame) = session.next_frame() else { return };
            // By the request's number: what came of it, and the venue's time.
            let heard = match protocol.decoder().decode(frame.bytes) {
                Ok(OrderMessage::Reply(reply)) => Some((
                    reply.id,
                    match &reply.outcome {
                        Ok(_) => Ok(reply.time_ns),
                        Err(failure) => Err(Told::of(failure, P::outcome(failure))),
                    },
                )),
                Ok(_) => None,
                // A list of cancelled orders is no reply to one order.
                Err(unread) => unread.reply.map(|id| (id, Ok(None))),
            };
            let Some((id, outcome)) = heard else { continue };
            if id == self.waits.0 {
                self.waits.0 = 0;
                self.answered(outcome, now_ns);
            } else if let Some(place) = self.places.iter().position(|place| place.asked.0 == id) {
                self.cancelled_at(place, outcome.err(), now_ns);
            }
        }
    }

    /// When the last round may begin, ns: what the engine had written before the first one can not
    /// turn up at the venue any more.
    fn settled_ns(&self) -> u64 {
        self.since_ns + P::IN_FLIGHT_MAX_NS
    }

    /// Asks for every symbol of which the venue has not said since that nothing is open.
    fn ask(&mut self, now_ns: u64) {
        let settled_ns = self.settled_ns();
        for place in 0..self.places.len() {
            let Place { asked: (id, at_ns), empty_ns } = self.places[place];
            let is_over = empty_ns >= settled_ns;
            let waits_ns = if id == 0 { ROUND_NS } else { ANSWER_NS };
            if is_over || (at_ns > 0 && now_ns < at_ns + waits_ns) {
                continue;
            }
            let (id, time_ms) = (self.id(), self.time_ms(now_ns));
            let Guard { protocol, natives, text, .. } = self;
            if !protocol.cancel_all(&natives[place], id, time_ms, text) {
                self.trouble = Some("this kind of venue can't cancel all of a symbol".to_owned());
                return;
            }
            if self.send(RequestClass::Cancel, now_ns) {
                self.places[place].asked = (id, now_ns);
            }
        }
    }
}

/// A failure as it is kept.
pub(super) struct Told {
    pub(super) outcome: Outcome,
    pub(super) text: String,
    pub(super) code: i32,
}

impl Told {
    pub(super) fn of(failure: &Failure<'_>, outcome: Outcome) -> Told {
        let text = crate::text::escaped(failure.message).into_owned();
        Told { outcome, text, code: failure.code }
    }
}

impl<P: OrderProtocol> GuardSession for Guard<P> {
    fn venue(&self) -> &str {
        &self.venue
    }

    fn step(&mut self) {
        let now_ns = self.clock.now_ns();
        match self.session.step(now_ns) {
            Progress::Opened => self.opened(now_ns),
            Progress::Closed(reason) => {
                self.trouble = Some(reason.to_string());
                self.stage = Stage::Down;
            }
            Progress::Idle | Progress::Moved => {}
        }
        if self.session.is_open() {
            self.read(now_ns);
        }
        let is_overdue = now_ns > self.waits.1 + ANSWER_NS;
        if matches!(self.stage, Stage::Timing | Stage::LoggingOn(_)) && is_overdue {
            match self.stage {
                Stage::LoggingOn(step) => self.log_on(step, now_ns),
                _ => self.opened(now_ns),
            }
        }
        if self.since_ns > 0 && self.stage == Stage::Ready {
            self.ask(now_ns);
        }
    }

    fn cancel_all(&mut self) {
        if self.since_ns == 0 {
            self.since_ns = self.clock.now_ns();
        }
    }

    fn state(&self) -> GuardState {
        let settled_ns = self.settled_ns();
        let open = self.places.iter().filter(|place| place.empty_ns < settled_ns).count();
        match (self.since_ns, self.stage) {
            (1.., _) if open == 0 => GuardState::Done,
            (1.., Stage::Ready) => GuardState::Cancelling(open),
            (0, Stage::Ready) => GuardState::Ready,
            _ => match &self.refused {
                Some(why) => GuardState::Refused(why.clone()),
                None => GuardState::Down(self.trouble.clone()),
            },
        }
    }

    fn cancelled(&self) -> u64 {
        self.cancelled
    }
}
