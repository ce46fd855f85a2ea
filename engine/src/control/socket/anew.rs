//! A socket that was taken away with its folder is made anew: else nobody could end the run by it.

use mio::Interest;

use super::super::address::{Listening, SocketError, listen};
use super::{LISTENER, Server};

/// Between two polls, ns.
const POLL_NS: u64 = 1_000_000_000;

impl Server {
    /// Listens again where the socket was, should it be there no more. Those who are connected stay
    /// so.
    pub(super) fn keep_reachable(&mut self, now_ns: u64) {
        if now_ns < self.next_poll_ns {
            return;
        }
        self.next_poll_ns = now_ns + POLL_NS;
        if self.listening.is_there() {
            self.is_lost = false;
            return;
        }
        let path = self.listening.path.display().to_string();
        match self.listen_again() {
            Ok(()) => log::warn!("[control] {path} has vanished: it is made anew"),
            Err(error) if !std::mem::replace(&mut self.is_lost, true) => {
                log::error!("{error}; it has vanished, and no client reaches this engine any more");
            }
            Err(_) => {}
        }
    }

    fn listen_again(&mut self) -> Result<(), SocketError> {
        let mut fresh = listen(&self.listening.path)?;
        if let Some(registry) = &self.registry {
            let registered = registry.register(&mut fresh.listener, LISTENER, Interest::READABLE);
            registered.map_err(|source| SocketError::Io { path: fresh.path.clone(), source })?;
        }
        Listening::abandon(std::mem::replace(&mut self.listening, fresh));
        Ok(())
    }
}
