//! When a strategy's state is saved, and where it goes.

use std::sync::Arc;

use crate::journal::{STATE_BYTES_MAX, StateBuffer, StatePort};

/// Tries to leave a state: its place is only ever held for a few instructions.
const TRIES: usize = 64;

/// Saves the state of one strategy, at most so often.
pub(crate) struct StateSaver {
    port: Arc<StatePort>,
    spare: Option<Box<StateBuffer>>,
    interval_ns: u64,
    saved_ns: u64,
    /// When the next one is due, ns; `u64::MAX` while nothing has happened since the last.
    due_ns: u64,
}

impl StateSaver {
    /// One for states of up to `room` bytes, and the other end of it.
    pub(crate) fn new(room: usize, interval_ns: u64) -> (StateSaver, Arc<StatePort>) {
        let (port, spare) = StatePort::with_room(room.min(STATE_BYTES_MAX));
        let saver = StateSaver {
            port: Arc::clone(&port),
            spare: Some(spare),
            interval_ns,
            saved_ns: 0,
            due_ns: u64::MAX,
        };
        (saver, port)
    }

    /// The strategy has done something.
    #[inline]
    pub(super) fn touched(&mut self, now_ns: u64) {
        if self.due_ns == u64::MAX {
            self.due_ns = now_ns.max(self.saved_ns.saturating_add(self.interval_ns));
        }
    }

    #[inline]
    pub(super) fn due_ns(&self) -> u64 {
        self.due_ns
    }

    /// Memory for the next state; `None` while the last one is being written.
    pub(super) fn begin(&mut self, now_ns: u64) -> Option<Box<StateBuffer>> {
        let memory = self.spare.take().or_else(|| self.port.memory());
        if memory.is_none() {
            self.due_ns = now_ns.saturating_add(self.interval_ns);
        }
        memory
    }

    /// Hands a state that was written over.
    pub(super) fn hand_over(&mut self, state: Box<StateBuffer>, now_ns: u64) {
        (self.saved_ns, self.due_ns) = (now_ns, u64::MAX);
        let mut state = state;
        for _ in 0..TRIES {
            match self.port.put(state) {
                Ok(()) => return,
                Err(back) => state = back,
            }
            // The one that waits there is older.
            if let Some(older) = self.port.memory() {
                self.spare = Some(older);
            }
        }
        self.given_up(state, now_ns);
    }

    /// A state that could not be written is not saved; the one before stays.
    pub(super) fn given_up(&mut self, state: Box<StateBuffer>, now_ns: u64) {
        self.spare = Some(state);
        (self.saved_ns, self.due_ns) = (now_ns, u64::MAX);
    }
}
