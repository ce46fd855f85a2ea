//! All connections of a venue, and the ways in which frames reach them.

use std::sync::Arc;

use super::client::Client;
use super::frame::{AccountFrame, MarketFrame};
use super::http::Reply;
use super::session::Session;
use super::spoil;
use super::wire::{Flushed, Wire};
use crate::venue::simulated::counters::SimulatedVenueCounters;
use crate::venue::simulated::exchange::StreamKey;
use crate::venue::simulated::fault::{Fault, Faults, Occasion};
use crate::venue::simulated::frame_kind::FrameKind;
use crate::venue::simulated::limits::LimitRules;
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::penalties::{Penalties, Penalty};

/// Connections that may be open at once.
pub const CLIENTS_MAX: usize = 64;
/// A simulated client that lets more than this pile up is cut off, as the real venue does.
const PENDING_BYTES_MAX: usize = 16 << 20;
/// Pings, silence and ages are looked at this often.
const SWEEP_NS: u64 = 1_000_000_000;

/// The connections, by slot.
pub struct Clients {
    slots: Vec<Option<Client>>,
    pub counters: Arc<SimulatedVenueCounters>,
    penalties: Arc<Penalties>,
    pub faults: Faults,
    rules: LimitRules,
    next_sweep_ns: u64,
    serials: u64,
}

impl Clients {
    pub fn new(
        faults: Faults,
        rules: LimitRules,
        counters: Arc<SimulatedVenueCounters>,
        penalties: Arc<Penalties>,
    ) -> Self {
        Self {
            slots: (0..CLIENTS_MAX).map(|_| None).collect(),
            counters,
            penalties,
            faults,
            rules,
            next_sweep_ns: 0,
            serials: 0,
        }
    }

    /// A slot without a connection.
    pub fn free_slot(&self) -> Option<usize> {
        self.slots.iter().position(Option::is_none)
    }

    pub fn insert(&mut self, slot: usize, wire: Wire, now: Moment) {
        self.serials += 1;
        self.slots[slot] = Some(Client::new(wire, now, self.serials));
    }

    pub fn get(&mut self, slot: usize) -> Option<&mut Client> {
        self.slots.get_mut(slot)?.as_mut()
    }

    /// The connection of a slot, if it is still the one of this serial.
    pub fn of_serial(&mut self, slot: usize, serial: u64) -> Option<&mut Client> {
        self.get(slot).filter(|client| client.serial == serial)
    }

    /// All sessions of WebSockets that are open.
    pub fn sessions(&mut self) -> impl Iterator<Item = &mut Client> {
        self.slots.iter_mut().flatten().filter(|client| client.is_open() && !client.is_dead)
    }

    /// A client sent more messages in a second than it may.
    pub fn punish_rate(&mut self, slot: usize) {
        self.penalties.add(Penalty::MessageRate);
        let is_strict = self.rules.is_strict();
        if let Some(client) = self.get(slot).filter(|_| is_strict) {
            client.refuse_more();
        }
    }

    /// Whether any session wants a stream.
    pub fn wants(&self, key: StreamKey) -> bool {
        self.slots.iter().flatten().any(|client| client.session.wants(key))
    }

    /// The most bytes that wait for one of the sessions that want this stream.
    pub fn most_pending(&mut self, key: StreamKey) -> usize {
        let wanting = self.slots.iter_mut().flatten().filter(|client| client.session.wants(key));
        wanting.map(|client| client.wire().pending()).max().unwrap_or(0)
    }

    /// Sends a market frame to all sessions that want it.
    pub fn publish(&mut self, key: StreamKey, frame: &MarketFrame<'_>, now_ns: u64) {
        for client in self.slots.iter_mut().flatten() {
            // Nobody knows whose they were.
            client.session.skip_numbers(frame.lost);
            if !client.session.wants(key) || client.is_dead || client.is_closing {
                continue;
            }
            if client.session.muted_until_ns.is_some_and(|until_ns| now_ns < until_ns) {
                continue;
            }
            // One that a fault takes has its number all the same.
            let numbered = client.session.number(frame.data);
            let frame = &MarketFrame { data: numbered.as_deref().unwrap_or(frame.data), ..*frame };
            match self.faults.strike(Occasion::Frame(frame.kind)) {
                None => spoil::append_market(client, frame),
                Some(Fault::SilentStream) => {
                    client.session.silence(key);
                    continue;
                }
                Some(fault) => {
                    if !spoil::append_spoiled(client, frame, fault, now_ns) {
                        continue;
                    }
                }
            }
            self.counters.frame(frame.kind);
            spoil::release_held(client, frame.stream);
        }
    }

    /// Sends a message to all sessions that listen to the account. `absurd` makes one of its fields
    /// absurd.
    pub fn tell_account(&mut self, frame: &AccountFrame, absurd: impl Fn(&str, usize) -> String) {
        if frame.is_fill {
            self.counters.fills();
        }
        for client in self.slots.iter_mut().flatten() {
            if client.session.user_subscription.is_none() || client.is_dead {
                continue;
            }
            let fault = self.faults.strike(Occasion::Frame(frame.kind));
            let text = &frame.text;
            match fault {
                Some(Fault::LostReport) => continue,
                Some(Fault::ReorderReports) if client.session.held_report.is_none() => {
                    client.session.held_report = Some(text.clone());
                    continue;
                }
                Some(Fault::AbsurdField { field }) => {
                    client.append_numbered(absurd(text, field).as_bytes());
                }
                _ => client.append_numbered(text.as_bytes()),
            }
            self.counters.frame(frame.kind);
            if fault == Some(Fault::DuplicateExec) {
                client.append_numbered(text.as_bytes());
                self.counters.frame(frame.kind);
            }
            if let Some(held) = client.session.held_report.take() {
                client.append_numbered(held.as_bytes());
                self.counters.frame(frame.kind);
            }
        }
    }

    /// Answers a request of one session.
    pub fn reply(&mut self, slot: usize, serial: u64, text: &str) {
        let Some(client) = self.of_serial(slot, serial) else { return };
        if !client.is_open() {
            // Who has no WebSocket is told a status and a body.
            let (status, body) = text.split_once(' ').unwrap_or(("500", "{}"));
            let reply = Reply::new(status.parse().unwrap_or(500), body.as_bytes().to_vec());
            return reply.write(client.wire().out(), true);
        }
        client.append_numbered(text.as_bytes());
        self.counters.frame(FrameKind::Reply);
    }

    /// Writes what the sockets take, then drops the connections that have ended.
    pub fn flush(&mut self, now_ns: u64) {
        for slot in &mut self.slots {
            let Some(client) = slot else { continue };
            if client.wire().pending() > PENDING_BYTES_MAX {
                client.is_dead = true;
                self.counters.clients_cut();
            } else if client.wire().flush(now_ns) == Flushed::Closed || client.is_closing {
                client.is_dead = true;
            }
            if client.is_dead {
                *slot = None;
            }
        }
    }

    /// Pings, warns and disconnects who has been connected for too long, and cuts off who is
    /// silent. Does its work once a second. `notice` is the warning in the words of the dialect.
    pub fn sweep(&mut self, now: Moment, notice: impl Fn(&Session) -> Option<String>) {
        if now.ns < self.next_sweep_ns {
            return;
        }
        self.next_sweep_ns = now.ns + SWEEP_NS;
        let life_ns = self.rules.connection_life_ms * 1_000_000;
        let notice_ns = self.rules.shutdown_notice_ms * 1_000_000;
        for client in self.slots.iter_mut().flatten() {
            let age_ns = now.ns.saturating_sub(client.connected_ns);
            if client.is_silent(now.ns) {
                client.is_dead = true;
                self.counters.clients_cut();
                if client.is_open() {
                    self.penalties.add(Penalty::NoPong);
                }
            } else if client.ping(now) {
                self.counters.pings();
            }
            if client.is_open() && age_ns + notice_ns >= life_ns && !client.is_warned {
                client.is_warned = true;
                if let Some(text) = notice(&client.session) {
                    client.append_text(&[text.as_bytes()]);
                    self.counters.shutdown_notices();
                }
            }
            client.is_closing |= age_ns >= life_ns;
        }
    }

    /// When something is due that no socket will announce.
    pub fn next_due_ns(&mut self) -> u64 {
        let pauses =
            self.slots.iter_mut().flatten().filter_map(|client| client.wire().next_due_ns());
        pauses.min().map_or(self.next_sweep_ns, |pause| pause.min(self.next_sweep_ns))
    }
}
