//! The control socket's thread: takes clients, reads their lines, has the desk carry them out.
//!
//! It promises that no client can hold the engine up or fill its memory: at most [`CLIENTS_MAX`] of
//! them, 100 requests a second and a bounded line for each, a deadline for every line that was
//! begun. Only the user that the engine runs as and root are served. Every command and every
//! refusal is counted and logged; what would flood the log is counted in the next line.
//!
//! A kill waits for nobody: it overtakes all that waits, of its own client, too; it is within no
//! rate; and when all places are taken there are some that are kept for it alone.

#![allow(
    clippy::disallowed_methods,
    reason = "answers operators in real time, and is no agent yet"
)]

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use mio::net::UnixStream;
use mio::{Events, Interest, Poll, Token, Waker};

use super::address::{Listening, SocketError, listen};
use super::client::{Client, Line, Patience, Peer, REQUESTS_PER_S, Watching};
use super::journal::{Journal, shown, who};
use super::memory::Memory;
use super::parse::parse_line;
use super::protocol::{Reply, ReplyLine, Request, RequestLine};
use super::refusal::Refusal;
use super::{Desk, Outcome, Progress, Status};
use crate::runtime::give_way;

/// Clients at a time, beside those that may only kill.
pub const CLIENTS_MAX: usize = 16;

/// Longest time from one look for a kill to the next, whatever clients ask for.
const TURN_TIME: Duration = Duration::from_millis(10);

/// Time until a connection that could not be taken is tried again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Pause between two looks for an answer that is still to come.
const ANSWER_PAUSE: Duration = Duration::from_millis(1);

/// Connections and requests taken before other clients are looked at.
const TURN_MAX: usize = 64;

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
const FIRST_CLIENT: usize = 2;

/// A socket that listens, and is not served yet.
pub(crate) struct BoundSocket {
    listening: Listening,
    poll: Poll,
    waker: Arc<Waker>,
}

/// The running thread.
pub(crate) struct ControlSocket {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: JoinHandle<()>,
}

impl BoundSocket {
    /// Listens at `path`. Clients wait until [`BoundSocket::serve`].
    ///
    /// # Errors
    /// [`SocketError`]; nothing was left behind.
    pub(crate) fn bind(path: &Path) -> Result<BoundSocket, SocketError> {
        let mut listening = listen(path)?;
        let mut set_up = || -> io::Result<(Poll, Waker)> {
            let poll = Poll::new()?;
            poll.registry().register(&mut listening.listener, LISTENER, Interest::READABLE)?;
            let waker = Waker::new(poll.registry(), WAKER)?;
            Ok((poll, waker))
        };
        let (poll, waker) =
            set_up().map_err(|source| SocketError::Io { path: path.to_owned(), source })?;
        Ok(BoundSocket { listening, poll, waker: Arc::new(waker) })
    }

    /// Serves clients on a thread of its own.
    ///
    /// # Errors
    /// The system's, when it gives no thread.
    pub(crate) fn serve(self, desk: Box<dyn Desk>) -> io::Result<ControlSocket> {
        self.serve_with(desk, Patience::default())
    }

    fn serve_with(self, desk: Box<dyn Desk>, patience: Patience) -> io::Result<ControlSocket> {
        let BoundSocket { listening, poll, waker } = self;
        let stop = Arc::new(AtomicBool::new(false));
        let (path, seen) = (listening.path.clone(), Arc::clone(&stop));
        log::info!("[control] listening at {}", path.display());
        let thread = Builder::new().name("control".to_owned()).spawn(move || {
            give_way();
            Server::new(listening, desk, patience).run(poll, &seen);
        })?;
        Ok(ControlSocket { path, stop, waker, thread })
    }
}

impl ControlSocket {
    /// Where it listens.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Closes every connection and ends the thread, after the command that it is at. False when it
    /// panicked.
    pub(crate) fn stop(self) -> bool {
        self.stop.store(true, Ordering::Release);
        let woken = self.waker.wake();
        debug_assert!(woken.is_ok());
        self.thread.join().is_ok()
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
    request: Request,
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
}

impl Server {
    fn new(listening: Listening, desk: Box<dyn Desk>, patience: Patience) -> Server {
        Server {
            listening,
            desk,
            patience,
            clients: HashMap::new(),
            unanswered: Vec::new(),
            next_token: FIRST_CLIENT,
            last_served: Token(0),
            memory: Memory::default(),
            journal: Journal::new(Instant::now()),
            is_short_of_files: false,
            us: rustix::process::geteuid().as_raw(),
        }
    }

    fn run(mut self, mut poll: Poll, stop: &AtomicBool) {
        let mut events = Events::with_capacity(CLIENTS_MAX + 2);
        let mut has_more = false;
        while !stop.load(Ordering::Acquire) {
            let timeout = if has_more { Some(Duration::ZERO) } else { self.timeout() };
            match poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return log::error!("[control] socket ended: {error} (code: io)"),
                Ok(()) => {}
            }
            has_more = self.accept(&poll);
            let now = Instant::now();
            has_more |= self.take_answers(now);
            for token in self.turn() {
                self.kill_first(token, now);
            }
            for token in self.turn() {
                self.last_served = token;
                has_more |= self.serve(token, now);
                if now.elapsed() >= TURN_TIME {
                    has_more = true;
                    break;
                }
            }
            self.journal.catch_up(now);
        }
        for client in self.clients.values_mut() {
            client.answer(&ReplyLine::of(None, Err(Refusal::Stopping)), Instant::now());
            let _taken_or_not = client.flush(Instant::now());
        }
    }

    /// All clients, beginning behind the one that was served last.
    fn turn(&self) -> Vec<Token> {
        let mut tokens: Vec<Token> = self.clients.keys().copied().collect();
        tokens.sort_unstable_by_key(|token| (*token <= self.last_served, *token));
        tokens
    }

    /// Time until somebody has to be looked at.
    fn timeout(&self) -> Option<Duration> {
        let next = self.clients.values().filter_map(Client::next_look).min();
        let answer = (!self.unanswered.is_empty()).then(|| Instant::now() + ANSWER_PAUSE);
        let log = self.journal.is_behind().then(|| Instant::now() + Duration::from_secs(1));
        let accept = self.is_short_of_files.then(|| Instant::now() + ACCEPT_PAUSE);
        let next = next.into_iter().chain(log).chain(accept).chain(answer).min()?;
        // Rounded up: the poller counts in milliseconds, and would come back early.
        Some(next.saturating_duration_since(Instant::now()) + Duration::from_millis(1))
    }

    /// Takes those who wait to be taken; true when there may be more.
    fn accept(&mut self, poll: &Poll) -> bool {
        self.is_short_of_files = false;
        for _ in 0..TURN_MAX {
            let stream = match self.listening.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.is_short_of_files = true;
                    self.journal.refused(
                        None,
                        &format!("a connection failed: {error}"),
                        Instant::now(),
                    );
                    return false;
                }
            };
            self.take(stream, poll);
        }
        true
    }

    fn take(&mut self, mut stream: UnixStream, poll: &Poll) {
        let now = Instant::now();
        let peer = match Peer::of(&stream) {
            Ok(peer) => peer,
            Err(error) => {
                let text = format!("a client without a name: {error}");
                return self.journal.refused(None, &text, now);
            }
        };
        if peer.uid != self.us && peer.uid != 0 {
            let mut client = Client::new(stream, peer, self.patience, now);
            self.turn_away(&mut client, Refusal::WrongUser { uid: peer.uid }, now);
            // A new connection has room for one line; whoever does not wait for it is not waited
            // for.
            let _taken_or_not = client.flush(now);
            return;
        }
        let both = Interest::READABLE | Interest::WRITABLE;
        let token = Token(self.next_token);
        if let Err(error) = poll.registry().register(&mut stream, token, both) {
            let text = format!("a connection failed: {error}");
            return self.journal.refused(Some(peer), &text, now);
        }
        // Never used again: an event of a connection that has ended finds nobody.
        self.next_token += 1;
        let mut client = Client::new(stream, peer, self.patience, now);
        let ordinary = self.clients.values().filter(|client| !client.may_only_kill()).count();
        if ordinary >= CLIENTS_MAX {
            client.limit_to_kill();
            self.make_room_for_a_kill(now);
        }
        self.clients.insert(token, client);
    }

    /// Reads, answers and writes; true when there may be more to read.
    fn serve(&mut self, token: Token, now: Instant) -> bool {
        let Some(mut client) = self.clients.remove(&token) else { return false };
        let mut has_more = true;
        for _ in 0..TURN_MAX {
            // The lines of one client are answered in their order.
            if self.has_unanswered(token) {
                has_more = false;
                break;
            }
            if now.elapsed() >= TURN_TIME {
                break;
            }
            match client.next_line(now) {
                Some(Line::Whole(line)) => self.line(token, &mut client, &line, now),
                Some(Line::Bad(refusal)) => self.turn_away(&mut client, refusal, now),
                None => {
                    has_more = false;
                    break;
                }
            }
        }
        if client.has_kept_a_kill_out(now) {
            self.turn_away(&mut client, Refusal::TooManyClients { most: CLIENTS_MAX }, now);
        } else if !self.has_unanswered(token) && client.is_half(now) {
            self.turn_away(&mut client, Refusal::HalfLine, now);
        }
        self.reading(&mut client, now);
        if client.flush(now) && !client.is_over() && !client.is_dead(now) {
            // Its input waited for room in its output, and no event tells of that.
            has_more |= client.has_unread() && !client.is_behind();
            self.clients.insert(token, client);
        }
        has_more
    }

    /// The reading that a watching client waits for, when it is time.
    fn reading(&mut self, client: &mut Client, now: Instant) {
        let is_behind = client.is_behind();
        let Some(watching) = &mut client.watching else { return };
        if now < watching.next {
            return;
        }
        watching.next = now + watching.interval;
        let id = watching.id.clone();
        if !is_behind {
            let reply = Reply::Status(Box::new(self.status()));
            client.answer(&ReplyLine::of(id, Ok(reply)), now);
        }
    }

    fn status(&mut self) -> Status {
        let (requests, refusals) = self.journal.counts();
        Status { requests, refusals, ..self.desk.status() }
    }

    fn line(&mut self, token: Token, client: &mut Client, line: &[u8], now: Instant) {
        if client.may_only_kill() {
            let refusal = Refusal::TooManyClients { most: CLIENTS_MAX };
            return self.turn_away(client, refusal, now);
        }
        if client.watching.take().is_some() && line.is_empty() {
            return; // an empty line ends the readings
        }
        if !client.may_ask(now) {
            let refusal = Refusal::RateLimited { per_s: REQUESTS_PER_S };
            return self.refuse(client, None, refusal, now);
        }
        match parse_line(line) {
            Ok(RequestLine { id, request }) => {
                let command = Command { peer: client.peer, id, request };
                self.request(token, client, command, now);
            }
            Err((id, refusal)) => self.refuse(client, id, refusal, now),
        }
    }

    fn request(&mut self, token: Token, client: &mut Client, command: Command, now: Instant) {
        match command.request {
            Request::Status {} => {
                self.journal.taken();
                let reply = Reply::Status(Box::new(self.status()));
                client.answer(&ReplyLine::of(command.id, Ok(reply)), now);
            }
            Request::Watch { interval_ms } => {
                self.journal.taken();
                let interval = Duration::from_millis(interval_ms);
                client.watching = Some(Watching { id: command.id, interval, next: now });
            }
            _ => self.command(token, client, command, now),
        }
    }

    /// Something for the desk. What changes the engine is remembered by its id.
    fn command(&mut self, token: Token, client: &mut Client, command: Command, now: Instant) {
        let stored = command
            .remembered()
            .map_or(Ok(None), |id| self.memory.answer(command.peer.uid, id, &command.request));
        match stored {
            Ok(None) => {}
            Ok(Some(answer)) => {
                self.journal.taken();
                let (verb, peer) = (command.request.verb(), command.peer);
                log::info!("[control] {verb} repeated, {}", who(peer));
                return client.answer(&answer, now);
            }
            Err(refusal) => return self.refuse(client, command.id, refusal, now),
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
                let answer = self.answer(command, outcome, now);
                client.answer(&answer, now);
            }
        }
    }

    fn has_unanswered(&self, token: Token) -> bool {
        self.unanswered.iter().any(|unanswered| unanswered.askers.contains(&token))
    }

    /// Passes on what the desk has answered meanwhile; true when it was anything. Whoever has gone
    /// meanwhile finds the answer under the id.
    fn take_answers(&mut self, now: Instant) -> bool {
        let before = self.unanswered.len();
        for Unanswered { number, command, askers } in std::mem::take(&mut self.unanswered) {
            match self.desk.poll(number) {
                None => self.unanswered.push(Unanswered { number, command, askers }),
                Some(outcome) => {
                    let answer = self.answer(command, outcome, now);
                    for token in askers {
                        if let Some(client) = self.clients.get_mut(&token) {
                            client.answer(&answer, now);
                        }
                    }
                }
            }
        }
        self.unanswered.len() < before
    }

    /// Counts, logs and remembers what became of a command.
    fn answer(&mut self, command: Command, outcome: Outcome, now: Instant) -> ReplyLine {
        let Command { peer, request, .. } = &command;
        if let Err(refusal) = &outcome {
            self.journal.refused(Some(*peer), &format!("{}: {refusal}", request.verb()), now);
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
    fn refuse(&mut self, client: &mut Client, id: Option<String>, refusal: Refusal, now: Instant) {
        self.journal.refused(Some(client.peer), &refusal.to_string(), now);
        client.answer(&ReplyLine::of(id, Err(refusal)), now);
    }

    /// Refuses what can't be read on from.
    fn turn_away(&mut self, client: &mut Client, refusal: Refusal, now: Instant) {
        self.refuse(client, None, refusal, now);
        client.end();
    }
}

mod kill;
#[cfg(test)]
mod tests;
