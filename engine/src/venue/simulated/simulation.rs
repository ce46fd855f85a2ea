//! The exchange as content of the server: commands come in through a dialect, events leave through
//! it.

use super::dialect::{Dialect, Saying, Stage, Talk};
use super::exchange::{Event, Exchange, ExecKind, StreamKey};
use super::fault::{Fault, Occasion};
use super::limits::Limits;
use super::moment::Moment;
use super::server::{Clients, Content, Door, HttpRequest, Opening, Reply, Session};

/// Faults that strike by time are looked for this often.
const TENTH_NS: u64 = 100_000_000;
/// Between two heartbeats of those that have some.
const HEARTBEAT_NS: u64 = 1_000_000_000;

/// An exchange that speaks a dialect.
pub struct Simulation {
    exchange: Exchange,
    limits: Limits,
    dialect: Box<dyn Dialect>,
    events: Vec<Event>,
    pending: Vec<Pending>,
    next_tenth_ns: u64,
    next_heartbeat_ns: u64,
    /// From a message of an order session to its arrival, ns.
    order_latency_ns: u64,
}

/// Something that happens later to one connection.
struct Pending {
    slot: usize,
    serial: u64,
    saying: Saying,
}

impl Simulation {
    pub fn new(exchange: Exchange, limits: Limits, dialect: Box<dyn Dialect>) -> Self {
        let (events, pending) = (Vec::new(), Vec::new());
        Self {
            exchange,
            limits,
            dialect,
            events,
            pending,
            next_tenth_ns: 0,
            next_heartbeat_ns: 0,
            order_latency_ns: 0,
        }
    }

    /// The same, at which messages of order sessions arrive so much later.
    pub fn with_order_latency(self, order_latency_ns: u64) -> Self {
        Self { order_latency_ns, ..self }
    }

    /// A message of order entry has come: it arrives after the way from the door to the engine.
    fn receive(&mut self, at: (usize, u64), text: &str, clients: &mut Clients, now: Moment) {
        if self.order_latency_ns == 0 {
            return self.handle(at, text, Stage::Received, clients, now);
        }
        let at_ns = now.ns + self.order_latency_ns;
        let saying = Saying::Arrives { at_ns, text: text.to_owned() };
        self.pending.push(Pending { slot: at.0, serial: at.1, saying });
    }

    /// Lets the dialect handle a message, sends what it says, and then what it led to.
    fn handle(
        &mut self,
        at: (usize, u64),
        text: &str,
        stage: Stage,
        clients: &mut Clients,
        now: Moment,
    ) {
        let (slot, serial) = at;
        let mut session = match clients.of_serial(slot, serial) {
            Some(client) => std::mem::take(&mut client.session),
            None => Session::new(now.epoch_ms),
        };
        let mut talk = Talk {
            session: &mut session,
            exchange: &mut self.exchange,
            limits: &mut self.limits,
            counters: clients.counters.clone(),
            faults: &mut clients.faults,
            now,
            says: Vec::new(),
        };
        self.dialect.message(text, stage, &mut talk);
        let says = talk.says;
        if let Some(client) = clients.of_serial(slot, serial) {
            client.session = session;
        }
        for saying in says {
            match saying {
                Saying::Now(text) => clients.reply(slot, serial, &text),
                later => self.pending.push(Pending { slot, serial, saying: later }),
            }
        }
        self.publish(clients, now);
    }

    /// Sends what happened to all who want to know.
    fn publish(&mut self, clients: &mut Clients, now: Moment) {
        let mut events = std::mem::take(&mut self.events);
        self.exchange.drain_events(&mut events);
        for event in events.drain(..) {
            if let Event::Order(report) = &event
                && matches!(report.kind, ExecKind::Trade(_))
                && report.is_first_fill()
            {
                self.limits.give_back(now);
            }
            match event.stream() {
                Some(key) if clients.wants(key) => {
                    if let Some(frame) = self.dialect.market_frame(&event, &self.exchange, now) {
                        clients.publish(key, &frame, now.ns);
                    }
                }
                Some(_) => {}
                None => {
                    let Some(frame) = self.dialect.account_frame(&event, &self.exchange, now)
                    else {
                        continue;
                    };
                    clients.tell_account(&frame, |text, field| self.dialect.absurd(text, field));
                }
            }
        }
        self.events = events;
    }

    /// Does what was put off until now.
    fn catch_up(&mut self, clients: &mut Clients, now: Moment) {
        while let Some(index) = self.pending.iter().position(|p| p.saying.due_ns() <= now.ns) {
            let Pending { slot, serial, saying } = self.pending.remove(index);
            match saying {
                Saying::Now(text) | Saying::Later { text, .. } => {
                    clients.reply(slot, serial, &text)
                }
                Saying::Arrives { text, .. } => {
                    self.handle((slot, serial), &text, Stage::Received, clients, now);
                }
                Saying::Again { text, is_heard, .. } => {
                    let stage = if is_heard { Stage::Forwarded } else { Stage::Unheard };
                    self.handle((slot, serial), &text, stage, clients, now);
                }
                Saying::Close { .. } => {
                    if let Some(client) = clients.of_serial(slot, serial) {
                        client.is_closing = true;
                    }
                }
            }
        }
    }

    /// Tells those that are told each second.
    fn beat(&self, clients: &mut Clients, now: Moment) {
        for slot in 0..super::server::CLIENTS_MAX {
            let told = clients.get(slot).filter(|client| client.is_open()).and_then(|client| {
                Some((client.serial, self.dialect.heartbeat(&client.session, now)?))
            });
            if let Some((serial, text)) = told {
                clients.reply(slot, serial, &text);
            }
        }
    }

    /// Lets faults strike that wait for nothing but time.
    fn strike(&mut self, clients: &mut Clients, now: Moment) {
        match clients.faults.strike(Occasion::Tenth) {
            Some(Fault::IdRestart) => self.exchange.restart_ids(),
            Some(Fault::MarketBreak { duration }) => {
                self.exchange.close_first(now.epoch_ms + duration.as_millis() as i64);
            }
            Some(Fault::ServerShutdown { notice }) => {
                let at_ns = now.ns + notice.as_nanos() as u64;
                let mut told = Vec::new();
                for client in clients.sessions() {
                    if let Some(text) = self.dialect.shutdown_notice(&client.session, now) {
                        client.append_text(&[text.as_bytes()]);
                        told.push(client.serial);
                    }
                }
                for slot in 0..super::server::CLIENTS_MAX {
                    let serial = clients.get(slot).map(|client| client.serial);
                    if let Some(serial) = serial.filter(|serial| told.contains(serial)) {
                        let saying = Saying::Close { at_ns };
                        self.pending.push(Pending { slot, serial, saying });
                        clients.counters.shutdown_notices();
                    }
                }
            }
            Some(Fault::StreamTerminated) => {
                let Some(text) = self.dialect.stream_terminated(now) else { return };
                for client in clients.sessions() {
                    if client.session.user_subscription.take().is_some() {
                        client.append_text(&[text.as_bytes()]);
                    }
                }
            }
            Some(Fault::StreamLost) => {
                for client in clients.sessions() {
                    client.session.user_subscription = None;
                }
            }
            _ => {}
        }
    }
}

impl Content for Simulation {
    fn resolve(&self, stream: &str) -> Option<StreamKey> {
        self.dialect.resolve(stream)
    }

    fn open(&mut self, request: &HttpRequest, now: Moment) -> Result<Opening, Reply> {
        self.dialect.open(request, &mut self.limits, now)
    }

    fn rest(
        &mut self,
        slot: usize,
        request: &HttpRequest,
        clients: &mut Clients,
        now: Moment,
    ) -> Option<Reply> {
        let message = self.dialect.message_of(request, &mut self.limits, now);
        if let Some((text, client)) = message.zip(clients.get(slot)) {
            let at = (slot, client.serial);
            self.receive(at, &text, clients, now);
            return None;
        }
        let fault = clients.faults.strike(Occasion::Rest);
        let (exchange, limits) = (&self.exchange, &mut self.limits);
        Some(self.dialect.rest(request, exchange, limits, (fault, &mut clients.faults), now))
    }

    fn message(&mut self, slot: usize, text: &str, clients: &mut Clients, now: Moment) {
        let Some(client) = clients.get(slot) else { return };
        let at = (slot, client.serial);
        match client.session.door {
            Door::Api => self.receive(at, text, clients, now),
            Door::Market => self.handle(at, text, Stage::Received, clients, now),
            Door::Rest => {}
        }
    }

    fn tick(&mut self, now: Moment, clients: &mut Clients) {
        self.catch_up(clients, now);
        if now.ns >= self.next_tenth_ns {
            self.next_tenth_ns = now.ns + TENTH_NS;
            self.strike(clients, now);
            if now.ns >= self.next_heartbeat_ns {
                self.next_heartbeat_ns = now.ns + HEARTBEAT_NS;
                self.beat(clients, now);
            }
        }
        let given_up = self.exchange.tick(now);
        clients.counters.give_up_frames(given_up);
        let mut sessions = clients.sessions().map(|client| &client.session);
        self.dialect.watch(&mut sessions, &self.exchange, now);
        drop(sessions);
        self.publish(clients, now);
    }

    fn next_due_ns(&mut self, now_ns: u64, _clients: &mut Clients) -> Option<u64> {
        let due_ns = self.exchange.next_due_ns(now_ns).min(self.next_tenth_ns);
        let pending = self.pending.iter().map(|pending| pending.saying.due_ns()).min();
        Some(pending.map_or(due_ns, |pending_ns| pending_ns.min(due_ns)))
    }

    fn shutdown_notice(&self, session: &Session, now: Moment) -> Option<String> {
        self.dialect.shutdown_notice(session, now)
    }
}
