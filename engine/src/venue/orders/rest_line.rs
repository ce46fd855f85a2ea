//! Requests of an order session that a venue takes over REST alone: one after the other, on a
//! connection of their own, within the same cycles as the session.
//!
//! They are questions and steps of a logon, never an order: a line that is slow holds up no order.

use std::collections::VecDeque;

use mio::Registry;

use super::stage::QUERIES_MAX;
use crate::venue::governor::{Governor, RequestClass};
use crate::venue::transport::{RestClient, RestError, RestOptions, RestReply};

/// Requests that may wait: questions, a list of fills, a step of the logon.
const WAITING_MAX: usize = QUERIES_MAX + 2;

/// The line.
pub(super) struct RestLine {
    client: RestClient,
    governor: Governor,
    /// Numbers and texts of requests, oldest first.
    waiting: VecDeque<(u64, Vec<u8>)>,
    /// The request that is under way; `None` when there is none, or nobody waits for it any more.
    asked: Option<u64>,
}

impl RestLine {
    /// The line to where `options` say, if they do.
    pub(super) fn of(options: Option<RestOptions>, governor: &Governor) -> Option<RestLine> {
        options.map(|options| RestLine {
            client: RestClient::new(options),
            governor: governor.clone(),
            waiting: VecDeque::with_capacity(WAITING_MAX),
            asked: None,
        })
    }

    pub(super) fn register(&mut self, registry: &Registry) {
        if let Err(error) = self.client.register(registry) {
            log::warn!("requests over REST wake nobody: {error}");
        }
    }

    /// Takes a request as [`RestClient::ask`] reads it; false when too many wait.
    #[cold]
    pub(super) fn send(&mut self, id: u64, request: &[u8]) -> bool {
        let has_room = self.waiting.len() < WAITING_MAX;
        if has_room {
            self.waiting.push_back((id, request.to_vec()));
        }
        has_room
    }

    /// Whether there is anything to do.
    #[inline]
    pub(super) fn is_busy(&self) -> bool {
        !self.client.is_idle() || !self.waiting.is_empty()
    }

    /// Goes on as far as the socket does: the answer to a request that is still waited for.
    #[cold]
    pub(super) fn step(&mut self, now_ns: u64) -> Option<(u64, Result<RestReply, RestError>)> {
        if self.client.is_idle() && !self.waiting.is_empty() && self.may_connect(now_ns) {
            let (id, request) = self.waiting.pop_front()?;
            self.asked = Some(id);
            if let Err(error) = self.client.ask(&request, now_ns) {
                return self.asked.take().map(|id| (id, Err(error)));
            }
        }
        let outcome = self.client.step(now_ns)?;
        self.asked.take().map(|id| (id, outcome))
    }

    fn may_connect(&self, now_ns: u64) -> bool {
        !self.client.needs_connection()
            || self.governor.may_send(RequestClass::Connect, 0, now_ns).is_ok()
    }

    /// Nobody waits for any answer any more.
    #[cold]
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
        self.asked = None;
    }

    /// When the request under way is given up, ns.
    pub(super) fn deadline_ns(&self) -> u64 {
        self.client.deadline_ns()
    }
}
