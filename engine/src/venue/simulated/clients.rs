//! All connections of a venue, and the ways in which frames reach them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client::Client;
use super::clock::epoch_ms;
use super::counters::{FrameKind, VenueCounters};
use super::desk::UserEvent;
use super::fault::{Fault, FaultPlan, Injector, Occasion};
use super::spoil;
use super::stream::StreamKey;
use super::wire::Flushed;

/// Connections that may be open at once.
pub(super) const CLIENTS_MAX: usize = 64;
/// A simulated client that lets more than this pile up is cut off, as the real venue does.
const PENDING_BYTES_MAX: usize = 16 << 20;
/// The venue pings this often.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// A WebSocket that was silent for so long (no pong either) is cut off.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A market frame, rendered once for all who want it.
#[derive(Clone, Copy)]
pub(super) struct MarketFrame<'a> {
    pub(super) kind: FrameKind,
    pub(super) stream: &'a str,
    /// The event, without its wrapping.
    pub(super) data: &'a [u8],
}

/// The connections, by slot.
pub(super) struct Clients {
    slots: Vec<Option<Client>>,
    pub(super) counters: Arc<VenueCounters>,
    injector: Injector,
    next_sweep: Instant,
}

impl Clients {
    pub(super) fn new(plan: &FaultPlan, counters: Arc<VenueCounters>) -> Self {
        Self {
            slots: (0..CLIENTS_MAX).map(|_| None).collect(),
            counters,
            injector: Injector::new(plan),
            next_sweep: Instant::now(),
        }
    }

    /// A slot without a connection.
    pub(super) fn free_slot(&self) -> Option<usize> {
        self.slots.iter().position(Option::is_none)
    }

    pub(super) fn insert(&mut self, slot: usize, client: Client) {
        self.slots[slot] = Some(client);
    }

    pub(super) fn get(&mut self, slot: usize) -> Option<&mut Client> {
        self.slots.get_mut(slot)?.as_mut()
    }

    /// The fault that strikes at an event, counted.
    pub(super) fn strike(&mut self, occasion: Occasion) -> Option<Fault> {
        let fault = self.injector.strike(occasion)?;
        self.counters.fault(fault.name());
        Some(fault)
    }

    /// Whether any session wants a stream.
    pub(super) fn wants(&self, key: StreamKey) -> bool {
        self.slots.iter().flatten().any(|client| client.session.wants(key))
    }

    /// The most bytes that wait for one of the sessions that want this stream.
    pub(super) fn most_pending(&mut self, key: StreamKey) -> usize {
        let wanting = self.slots.iter_mut().flatten().filter(|client| client.session.wants(key));
        wanting.map(|client| client.wire().pending()).max().unwrap_or(0)
    }

    /// Sends a market frame to all sessions that want it.
    pub(super) fn publish(&mut self, key: StreamKey, frame: &MarketFrame<'_>, now: Instant) {
        for client in self.slots.iter_mut().flatten() {
            if !client.session.wants(key) || client.is_dead || client.is_closing {
                continue;
            }
            if client.session.muted_until.is_some_and(|until| now < until) {
                continue;
            }
            match self.injector.strike(Occasion::Frame(frame.kind)) {
                None => spoil::append_market(client, frame),
                Some(fault) => {
                    self.counters.fault(fault.name());
                    if !spoil::append_spoiled(client, frame, fault, now) {
                        continue;
                    }
                }
            }
            self.counters.frame(frame.kind);
            spoil::release_held(client, frame.stream);
        }
    }

    /// Sends a user-data event to all sessions that subscribed to them.
    pub(super) fn send_user_event(&mut self, event: &UserEvent) {
        if event.is_fill {
            self.counters.fills();
        }
        for client in self.slots.iter_mut().flatten() {
            if client.session.user_subscription.is_none() || client.is_dead {
                continue;
            }
            let fault = self.injector.strike(Occasion::Frame(event.kind));
            let copies = if fault == Some(Fault::DuplicateExec) { 2 } else { 1 };
            for _ in 0..copies {
                client.append_text(&[event.text.as_bytes()]);
                self.counters.frame(event.kind);
            }
            if let Some(fault) = fault {
                self.counters.fault(fault.name());
            }
        }
    }

    /// Answers a request of one session.
    pub(super) fn reply(&mut self, slot: usize, text: &str) {
        if let Some(client) = self.get(slot) {
            client.append_text(&[text.as_bytes()]);
            self.counters.frame(FrameKind::Reply);
        }
    }

    /// Writes what the sockets take, then drops the connections that have ended.
    pub(super) fn flush(&mut self, now: Instant) {
        for slot in &mut self.slots {
            let Some(client) = slot else { continue };
            if client.wire().pending() > PENDING_BYTES_MAX {
                client.is_dead = true;
                self.counters.clients_cut();
            } else if client.wire().flush(now) == Flushed::Closed || client.is_closing {
                client.is_dead = true;
            }
            if client.is_dead {
                *slot = None;
            }
        }
    }

    /// Pings, and cuts off who has been silent. Does its work once a second.
    pub(super) fn sweep(&mut self, now: Instant) {
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now + Duration::from_secs(1);
        let now_ms = epoch_ms();
        for client in self.slots.iter_mut().flatten() {
            if now.duration_since(client.heard) >= SILENCE_MAX {
                client.is_dead = true;
                self.counters.clients_cut();
            } else if client.is_open() && now.duration_since(client.pinged) >= PING_INTERVAL {
                client.pinged = now;
                client.append_ping(now_ms.to_string().as_bytes());
                self.counters.pings();
            }
        }
    }

    /// When something is due that no socket will announce.
    pub(super) fn next_due(&mut self) -> Instant {
        let pauses = self.slots.iter_mut().flatten().filter_map(|client| client.wire().next_due());
        pauses.min().map_or(self.next_sweep, |pause| pause.min(self.next_sweep))
    }
}
