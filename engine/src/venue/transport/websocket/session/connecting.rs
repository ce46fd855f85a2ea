//! The way to an open connection: addresses, the pauses between attempts, the handshake.

use std::io;

use mio::Interest;
use mio::event::Source;

use super::super::CloseReason;
use super::super::handshake::Handshake;
use super::{Progress, Session, State};
use crate::venue::governor::{PauseScope, RequestClass};
use crate::world::{Lookup, Stream};

impl Session {
    #[cold]
    pub(super) fn step_closed(&mut self, now_ns: u64) -> Result<Progress, CloseReason> {
        match std::mem::replace(&mut self.state, State::Waiting { until_ns: u64::MAX }) {
            State::Waiting { until_ns } if now_ns < until_ns => {
                self.state = State::Waiting { until_ns };
                Ok(Progress::Idle)
            }
            State::Waiting { .. } => {
                let weight = self.limits.connect_weight;
                let allowed = self.governor.may_send(RequestClass::Connect, weight, now_ns);
                if let Err(held_back) = allowed {
                    self.state = State::Waiting { until_ns: held_back.until_ns };
                    return Ok(Progress::Idle);
                }
                let stream = self.connect().map_err(CloseReason::Connect)?;
                let deadline_ns = now_ns + self.limits.handshake_ns;
                self.state = State::Connecting { stream, deadline_ns };
                Ok(Progress::Moved)
            }
            State::Connecting { mut stream, deadline_ns } => {
                if !stream.is_connected().map_err(CloseReason::Connect)? {
                    if now_ns >= deadline_ns {
                        return Err(CloseReason::HandshakeDeadline);
                    }
                    self.state = State::Connecting { stream, deadline_ns };
                    return Ok(Progress::Idle);
                }
                let handshake = Handshake::new(&self.endpoint, &self.headers, &mut self.random);
                self.state = State::Handshake { stream, deadline_ns, handshake };
                Ok(Progress::Moved)
            }
            State::Handshake { mut stream, deadline_ns, mut handshake } => {
                let Some(rest) = handshake.step(&mut stream)? else {
                    if now_ns >= deadline_ns {
                        return Err(CloseReason::HandshakeDeadline);
                    }
                    self.state = State::Handshake { stream, deadline_ns, handshake };
                    return Ok(Progress::Idle);
                };
                self.inbound.preload(&rest, now_ns);
                self.last = None;
                self.note(|| "connected".to_owned());
                self.outbound.reset();
                self.failure = None;
                (self.heard_ns, self.looked_ns) = (now_ns, now_ns);
                (self.opened_ns, self.frames) = (now_ns, 0);
                self.ping_due_ns = now_ns + self.limits.ping_interval_ns;
                (self.message_due_ns, self.pong_owed) = (0, None);
                self.governor.granted(PauseScope::Connects);
                self.state = State::Open { stream };
                Ok(Progress::Opened)
            }
            state @ (State::Open { .. } | State::Off | State::Ended) => {
                self.state = state;
                Ok(Progress::Idle)
            }
        }
    }

    fn connect(&mut self) -> io::Result<Stream> {
        self.take_addresses();
        let addresses = self.endpoint.addresses();
        let address = addresses[self.next_address % addresses.len()];
        self.next_address += 1;
        let mut stream = self.net.connect(address, self.endpoint.tls())?;
        if let Some(registry) = &self.registry {
            stream.register(registry, self.token, Interest::READABLE | Interest::WRITABLE)?;
        }
        Ok(stream)
    }

    pub(super) fn look_up(&mut self) {
        self.lookup = Some(self.net.look_up(self.endpoint.authority()));
    }

    /// Takes the addresses that the name has now; those before stay when there is no answer yet, or
    /// none that is one.
    fn take_addresses(&mut self) {
        match self.lookup.as_ref().and_then(Lookup::poll) {
            None => return,
            Some(Ok(addresses)) => self.endpoint.set_addresses(addresses),
            Some(Err(error)) => {
                log::warn!(
                    "[session] resolving {} again failed: {error} (code: dns)",
                    self.endpoint
                )
            }
        }
        self.lookup = None;
    }
}
