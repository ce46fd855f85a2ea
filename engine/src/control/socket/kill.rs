//! How a kill gets through whatever else clients want.

use mio::Token;

use super::{CLIENTS_MAX, Command, Refusal, RequestLine, Server};

/// Places that are kept for a kill. One is enough for one operator; each more lets one more mute
/// client be told why it is not served.
const KILL_PLACES: usize = 4;

impl Server {
    /// Turns the longest served of those away who may only kill, and have not, where there are too
    /// many of them: none of them can keep a kill out by its silence.
    pub(super) fn make_room_for_a_kill(&mut self, now_ns: u64) {
        let of_kill = self.clients.iter().filter(|(_, client)| client.may_only_kill());
        let mut tokens: Vec<Token> = of_kill.map(|(token, _)| *token).collect();
        if tokens.len() < KILL_PLACES {
            return;
        }
        tokens.sort_unstable();
        self.kill_first(tokens[0], now_ns);
        if let Some(mut client) = self.clients.remove(&tokens[0]) {
            self.turn_away(&mut client, Refusal::TooManyClients { most: CLIENTS_MAX }, now_ns);
            let _ = client.flush(now_ns);
        }
    }

    /// Carries a kill out that has come from this client, whatever waits before it.
    pub(super) fn kill_first(&mut self, token: Token, now_ns: u64) {
        let Some(mut client) = self.clients.remove(&token) else { return };
        while let Some(RequestLine { id, request }) = client.take_kill(now_ns) {
            let command = Command { peer: client.peer, id, request };
            self.request(token, &mut client, command, now_ns);
        }
        self.clients.insert(token, client);
    }
}
