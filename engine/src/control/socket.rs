//! The control socket's agent: takes clients, reads their lines, has the desk carry them out.
//!
//! It promises that no client can hold the engine up or fill its memory: at most [`CLIENTS_MAX`] of
//! them, 100 requests a second and a bounded line for each, a deadline for every line that was
//! begun. Only the user that the engine runs as and root are served. Every command and every
//! refusal is counted and logged; what would flood the log is counted in the next line.
//!
//! A kill waits for nobody: it overtakes all that waits, of its own client, too; it is within no
//! rate; and when all places are taken there are some that are kept for it alone.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};

use super::address::{Listening, SocketError, listen};
use super::client::{Client, Line, Patience, Peer, REQUESTS_PER_S, Watching};
use super::journal::{Journal, shown, who};
use super::memory::Memory;
use super::parse::parse_line;
use super::protocol::{ControlRequest, Reply, ReplyLine, RequestLine};
use super::refusal::Refusal;
use super::{Desk, Outcome, Progress, Status};
use crate::runtime::{Agent, Beside, BesideThread};
use crate::world::Clock;

/// Clients at a time, beside those that may only kill.
pub const CLIENTS_MAX: usize = 16;

/// Longest time from one look for a kill to the next, whatever clients ask for, ns.
const TURN_NS: u64 = 10_000_000;

/// Time until a connection that could not be taken is tried again, ns.
const ACCEPT_PAUSE_NS: u64 = 100_000_000;

/// Pause between two polls for an answer that is still to come, ns.
const ANSWER_PAUSE_NS: u64 = 1_000_000;

/// Time until the log may take more, ns.
const LOG_PAUSE_NS: u64 = 1_000_000_000;

/// Connections and requests taken before other clients are looked at.
const TURN_MAX: usize = 64;

const LISTENER: Token = Token(0);
const FIRST_CLIENT: usize = 1;

/// A socket that listens, and is not served yet.
pub(crate) struct BoundSocket {
    listening: Listening,
}

/// The agent on its thread.
pub(crate) struct ControlSocket {
    path: PathBuf,
    thread: BesideThread,
}

impl BoundSocket {
    /// Listens at `path`. Clients wait until [`BoundSocket::serve`].
    ///
    /// # Errors
    /// [`SocketError`]; nothing was left behind.
    pub(crate) fn bind(path: &Path) -> Result<BoundSocket, SocketError> {
        Ok(BoundSocket { listening: listen(path)? })
    }

    /// Serves clients on a thread of its own.
    ///
    /// # Errors
    /// The system's, when it gives no thread.
    pub(crate) fn serve(self, desk: Box<dyn Desk>, clock: Clock) -> io::Result<ControlSocket> {
        self.serve_with(desk, clock, Patience::default())
    }

    fn serve_with(
        self,
        desk: Box<dyn Desk>,
        clock: Clock,
        patience: Patience,
    ) -> io::Result<ControlSocket> {
        let path = self.listening.path.clone();
        let server = Server::new(self.listening, desk, clock.clone(), patience);
        let thread = Beside::new()?.start("control", Box::new(server), clock)?;
        log::info!("[control] listening at {}", path.display());
        Ok(ControlSocket { path, thread })
    }
}

impl ControlSocket {
    /// Where it listens.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Closes every connection and ends the thread, after the command that it is at. False when it
    /// ended before, or not within `deadline`.
    pub(crate) fn stop(self, deadline: Duration) -> bool {
        let ended = self.thread.end_within(deadline);
        if let Err(reason) = &ended {
            log::error!("[control] socket ended: {reason}");
        }
        ended.is_ok()
    }
}

/// A command that the desk answers later.
struct Unanswered {
    number: u64,
    command: Command,
    /// Those who wait for the answer: more than one where a command is repeated meanwhile.
    askers: Vec<Token>,
}

/// A command, and from whom.
struct Command {
    peer: Peer,
    id: Option<String>,
    request: ControlRequest,
}

impl Command {
    /// The id under which it is remembered: of what changes the engine.
    fn remembered(&self) -> Option<&str> {
        self.id.as_deref().filter(|_| self.request.is_mutating())
    }
}

struct Server {
    listening: Listening,
    desk: Box<dyn Desk>,
    patience: Patience,
    clients: HashMap<Token, Client>,
    /// Commands that the desk answers later.
    unanswered: Vec<Unanswered>,
    next_token: usize,
    last_served: Token,
    memory: Memory,
    journal: Journal,
    /// The system gave no file for a connection that waits.
    is_short_of_files: bool,
    us: u32,
    clock: Clock,
    /// When it is to see that it can be reached.
    next_poll_ns: u64,
    /// It can't, and that was said.
    is_lost: bool,
    /// `None` before the agent has its thread.
    registry: Option<Registry>,
}

impl Agent for Server {
    fn name(&self) -> &str {
        "control"
    }

    fn on_start(&mut self, registry: &Registry) {
        let listener = &mut self.listening.listener;
        let registered = registry.register(listener, LISTENER, Interest::READABLE);
        match registered.and_then(|()| registry.try_clone()) {
            Ok(registry) => self.registry = Some(registry),
            Err(error) => log::error!("[control] socket failed: {error} (code: io)"),
        }
    }

    /// Looks for kills first, then serves every client.
    fn duty_cycle(&mut self) -> usize {
        let mut has_more = self.accept();
        let now_ns = self.clock.now_ns();
        has_more |= self.take_answers(now_ns);
        for token in self.turn() {
            self.kill_first(token, now_ns);
        }
        for token in self.turn() {
            self.last_served = token;
            has_more |= self.serve(token, now_ns);
            if self.is_long_since(now_ns) {
                has_more = true;
                break;
            }
        }
        self.journal.catch_up(now_ns);
        self.keep_reachable(now_ns);
        usize::from(has_more)
    }

    fn next_timer_ns(&self) -> u64 {
        let now_ns = self.clock.now_ns();
        let next = self.clients.values().filter_map(Client::next_poll_ns).min();
        let answer = (!self.unanswered.is_empty()).then_some(now_ns + ANSWER_PAUSE_NS);
        let log = self.journal.is_behind().then_some(now_ns + LOG_PAUSE_NS);
        let accept = self.is_short_of_files.then_some(now_ns + ACCEPT_PAUSE_NS);
        [next, answer, log, accept].into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    fn is_done(&self) -> bool {
        false
    }

    fn on_close(mut self: Box<Self>) {
        let now_ns = self.clock.now_ns();
        for client in self.clients.values_mut() {
            client.answer(&ReplyLine::of(None, Err(Refusal::Stopping)), now_ns);
            let _ = client.flush(now_ns);
        }
    }
}

impl Server {
    fn new(listening: Listening, desk: Box<dyn Desk>, clock: Clock, patience: Patience) -> Server {
        Server {
            listening,
            desk,
            patience,
            clients: HashMap::new(),
            unanswered: Vec::new(),
            next_token: FIRST_CLIENT,
            last_served: Token(0),
            memory: Memory::default(),
            journal: Journal::default(),
            is_short_of_files: false,
            us: rustix::process::geteuid().as_raw(),
            clock,
            next_poll_ns: 0,
            is_lost: false,
            registry: None,
        }
    }

    /// Whether a turn that began then has lasted long enough.
    fn is_long_since(&self, then_ns: u64) -> bool {
        self.clock.now_ns().saturating_sub(then_ns) >= TURN_NS
    }

    /// All clients, beginning behind the one that was served last.
    fn turn(&self) -> Vec<Token> {
        let mut tokens: Vec<Token> = self.clients.keys().copied().collect();
        tokens.sort_unstable_by_key(|token| (*token <= self.last_served, *token));
        tokens
    }

    /// Takes those who wait to be taken; true when there may be more.
    fn accept(&mut self) -> bool {
        self.is_short_of_files = false;
        for _ in 0..TURN_MAX {
            let stream = match self.listening.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.is_short_of_files = true;
                    let text = format!("a connection failed: {error}");
                    self.journal.refused(None, &text, self.clock.now_ns());
                    return false;
                }
            };
            self.take(stream);
        }
        true
    }

    fn take(&mut self, mut stream: UnixStream) {
        let now_ns = self.clock.now_ns();
        let peer = match Peer::of(&stream) {
            Ok(peer) => peer,
            Err(error) => {
                let text = format!("a client without a name: {error}");
                return self.journal.refused(None, &text, now_ns);
            }
        };
        if peer.uid != self.us && peer.uid != 0 {
            let mut client = Client::new(stream, peer, self.patience, now_ns);
            self.turn_away(&mut client, Refusal::WrongUser { uid: peer.uid }, now_ns);
            // A new connection has room for one line; whoever does not wait for it is not waited
            // for.
            let _ = client.flush(now_ns);
            return;
        }
        let both = Interest::READABLE | Interest::WRITABLE;
        let token = Token(self.next_token);
        let register = |registry: &Registry| registry.register(&mut stream, token, both);
        if let Some(Err(error)) = self.registry.as_ref().map(register) {
            let text = format!("a connection failed: {error}");
            return self.journal.refused(Some(peer), &text, now_ns);
        }
        // Never used again: an event of a connection that has ended finds nobody.
        self.next_token += 1;
        let mut client = Client::new(stream, peer, self.patience, now_ns);
        let ordinary = self.clients.values().filter(|client| !client.may_only_kill()).count();
        if ordinary >= CLIENTS_MAX {
            client.limit_to_kill();
            self.make_room_for_a_kill(now_ns);
        }
        self.clients.insert(token, client);
    }

    /// Reads, answers and writes; true when there may be more to read.
    fn serve(&mut self, token: Token, now_ns: u64) -> bool {
        let Some(mut client) = self.clients.remove(&token) else { return false };
        let mut has_more = true;
        for _ in 0..TURN_MAX {
            // The lines of one client are answered in their order.
            if self.has_unanswered(token) {
                has_more = false;
                break;
            }
            if self.is_long_since(now_ns) {
                break;
            }
            match client.next_line(now_ns) {
                Some(Line::Whole(line)) => self.line(token, &mut client, &line, now_ns),
                Some(Line::Bad(refusal)) => self.turn_away(&mut client, refusal, now_ns),
                None => {
                    has_more = false;
                    break;
                }
            }
        }
        if client.has_kept_a_kill_out(now_ns) {
            self.turn_away(&mut client, Refusal::TooManyClients { most: CLIENTS_MAX }, now_ns);
        } else if !self.has_unanswered(token) && client.is_half(now_ns) {
            self.turn_away(&mut client, Refusal::HalfLine, now_ns);
        }
        self.reading(&mut client, now_ns);
        if client.flush(now_ns) && !client.is_over() && !client.is_dead(now_ns) {
            // Its input waited for room in its output, and no event tells of that.
            has_more |= client.has_unread() && !client.is_behind();
            self.clients.insert(token, client);
        }
        has_more
    }

    /// The reading that a watching client waits for, when it is time.
    fn reading(&mut self, client: &mut Client, now_ns: u64) {
        let is_behind = client.is_behind();
        let Some(watching) = &mut client.watching else { return };
        if now_ns < watching.next_ns {
            return;
        }
        watching.next_ns = now_ns + watching.interval_ns;
        let id = watching.id.clone();
        if !is_behind {
            let reply = Reply::Status(Box::new(self.status()));
            client.answer(&ReplyLine::of(id, Ok(reply)), now_ns);
        }
    }

    fn status(&mut self) -> Status {
        let (requests, refusals) = self.journal.counts();
        Status { requests, refusals, ..self.desk.status() }
    }

    fn line(&mut self, token: Token, client: &mut Client, line: &[u8], now_ns: u64) {
        if client.may_only_kill() {
            let refusal = Refusal::TooManyClients { most: CLIENTS_MAX };
            return self.turn_away(client, refusal, now_ns);
        }
        if client.watching.take().is_some() && line.is_empty() {
            return; // an empty line ends the readings
        }
        if !client.may_ask(now_ns) {
            let refusal = Refusal::RateLimited { per_s: REQUESTS_PER_S };
            return self.refuse(client, None, refusal, now_ns);
        }
        match parse_line(line) {
            Ok(RequestLine { id, request }) => {
                let command = Command { peer: client.peer, id, request };
                self.request(token, client, command, now_ns);
            }
            Err((id, refusal)) => self.refuse(client, id, refusal, now_ns),
        }
    }

    fn request(&mut self, token: Token, client: &mut Client, command: Command, now_ns: u64) {
        match command.request {
            ControlRequest::Status {} => {
                self.journal.taken();
                let reply = Reply::Status(Box::new(self.status()));
                client.answer(&ReplyLine::of(command.id, Ok(reply)), now_ns);
            }
            ControlRequest::Watch { interval_ms } => {
                self.journal.taken();
                let interval_ns = interval_ms * 1_000_000;
                client.watching = Some(Watching { id: command.id, interval_ns, next_ns: now_ns });
            }
            _ => self.command(token, client, command, now_ns),
        }
    }

    /// Something for the desk. What changes the engine is remembered by its id.
    fn command(&mut self, token: Token, client: &mut Client, command: Command, now_ns: u64) {
        let stored = command
            .remembered()
            .map_or(Ok(None), |id| self.memory.answer(command.peer.uid, id, &command.request));
        match stored {
            Ok(None) => {}
            Ok(Some(answer)) => {
                self.journal.taken();
                let (verb, peer) = (command.request.verb(), command.peer);
                log::info!("[control] {verb} repeated, {}", who(peer));
                return client.answer(&answer, now_ns);
            }
            Err(refusal) => return self.refuse(client, command.id, refusal, now_ns),
        }
        let is_it = |other: &Command| {
            let id = command.remembered();
            id.is_some()
                && (id, command.peer.uid, &command.request)
                    == (other.remembered(), other.peer.uid, &other.request)
        };
        if let Some(same) = self.unanswered.iter_mut().find(|other| is_it(&other.command)) {
            return same.askers.push(token);
        }
        match self.desk.carry_out(command.request.clone()) {
            Progress::Later(number) => {
                self.unanswered.push(Unanswered { number, command, askers: vec![token] });
            }
            Progress::Done(outcome) => {
                let answer = self.answer(command, outcome, now_ns);
                client.answer(&answer, now_ns);
            }
        }
    }

    fn has_unanswered(&self, token: Token) -> bool {
        self.unanswered.iter().any(|unanswered| unanswered.askers.contains(&token))
    }

    /// Passes on what the desk has answered meanwhile; true when it was anything. Whoever has gone
    /// meanwhile finds the answer under the id.
    fn take_answers(&mut self, now_ns: u64) -> bool {
        let before = self.unanswered.len();
        for Unanswered { number, command, askers } in std::mem::take(&mut self.unanswered) {
            match self.desk.poll(number) {
                None => self.unanswered.push(Unanswered { number, command, askers }),
                Some(outcome) => {
                    let answer = self.answer(command, outcome, now_ns);
                    for token in askers {
                        if let Some(client) = self.clients.get_mut(&token) {
                            client.answer(&answer, now_ns);
                        }
                    }
                }
            }
        }
        self.unanswered.len() < before
    }

    /// Counts, logs and remembers what became of a command.
    fn answer(&mut self, command: Command, outcome: Outcome, now_ns: u64) -> ReplyLine {
        let Command { peer, request, .. } = &command;
        if let Err(refusal) = &outcome {
            self.journal.refused(Some(*peer), &format!("{}: {refusal}", request.verb()), now_ns);
        } else {
            self.journal.taken();
            let level = match request.is_mutating() {
                true => log::Level::Info,
                false => log::Level::Debug,
            };
            log::log!(level, "[control] {} carried out, {}", shown(request), who(*peer));
        }
        let is_final = !outcome.as_ref().is_err_and(Refusal::is_passing);
        let answer = ReplyLine::of(command.id.clone(), outcome);
        if let (Some(id), true) = (command.remembered(), is_final) {
            self.memory.keep(command.peer.uid, id, command.request.clone(), answer.clone());
        }
        answer
    }

    /// Refuses a line; the connection stays.
    fn refuse(&mut self, client: &mut Client, id: Option<String>, refusal: Refusal, now_ns: u64) {
        self.journal.refused(Some(client.peer), &refusal.to_string(), now_ns);
        client.answer(&ReplyLine::of(id, Err(refusal)), now_ns);
    }

    /// Refuses what can't be read on from.
    fn turn_away(&mut self, client: &mut Client, refusal: Refusal, now_ns: u64) {
        self.refuse(client, None, refusal, now_ns);
        client.end();
    }
}

mod anew;
mod kill;
#[cfg(test)]
mod tests;
