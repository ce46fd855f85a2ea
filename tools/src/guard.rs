//! `pitlane guard`: a process of its own that watches an engine, and cancels all at its venues when
//! it stands still.
//!
//! It has its own sessions, logged on before they are needed, and its own keys. What it watches is
//! the engine's count of turns of the thread that hands orders to the sessions, as the control
//! socket tells it: a process that was killed, stopped or hangs there counts no further.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use pitlane_engine::control::protocol::{ControlRequest, Reply, RequestLine};
use pitlane_engine::venue::orders::{GuardSession, GuardState};

use crate::config_file;
use crate::ctl::{Connection, ConnectionError, Wanted, is_farewell, socket};
use crate::exit::Exit;
use crate::terminal::Terminal;

const ABOUT: &str = "\
The guard logs on at every venue of the configuration that takes orders, and watches the engine that
runs here. When that is killed, is stopped (SIGSTOP) or hangs for longer than --timeout-ms, the guard
cancels every open order of the account in the configured instruments, also those of others on the
account, until the venue says that nothing is open. When the engine stops in order, the guard stands
down: the engine cancels or leaves its orders as its on_stop says, and names what it leaves.

Give it a key of its own for the same account (guard_api_key_env and guard_private_key_file of a
[[venue]]), and let it run on another core.
The simulated venue needs none: it ends with the engine.

Examples:
  pitlane guard --config my.toml
  pitlane guard --config my.toml --socket runs/run-1767225600000 --timeout-ms 1000

Exit codes: 0 stood down; 2 command line or configuration; 3 no engine; 4 no session could log on;
13 the engine stood still, and the venues say that nothing is open; 14 the same, and a venue has not
said so: look there yourself";

/// Time that the sessions have to log on at first.
const LOGON_PATIENCE: Duration = Duration::from_secs(30);
/// Time in which the venues have to say that nothing is open.
const CANCEL_PATIENCE: Duration = Duration::from_secs(60);
/// Between two polls.
const POLL: Duration = Duration::from_millis(20);

/// Options of `guard`.
#[derive(Clone, Debug, Args)]
#[command(after_help = ABOUT)]
pub struct GuardArgs {
    /// The engine's configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The engine's control socket, or its run's folder [default: that of the one that runs here]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The engine of this process, where several run here.
    #[arg(long, value_name = "NUMBER", conflicts_with = "socket")]
    pid: Option<u32>,
    /// Only at this venue.
    #[arg(long, value_name = "NAME")]
    venue: Option<String>,
    /// Longest time without a sign of life, 500 to 60000 ms.
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(500..=60_000))]
    timeout_ms: u64,
}

/// Why the watch is over.
enum Over {
    /// The engine stands still, or is gone: why that is thought.
    Still(String),
    /// The engine stops in order.
    InOrder,
    /// The guard itself is to end.
    Told,
}

/// Guards until there is nothing left to guard.
pub(crate) fn guard(
    args: &GuardArgs,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    let config = config_file::load(Some(&args.config), terminal)?;
    let sessions = pitlane_engine::guard_sessions(&config, args.venue.as_deref());
    let mut sessions = sessions.map_err(|error| {
        terminal.complain(&error.to_string());
        Exit::Usage
    })?;
    if sessions.is_empty() {
        let what = "no venue of this configuration takes orders over a network";
        terminal.complain(&format!("{what}: nothing to guard"));
        return Err(Exit::Usage);
    }
    log_on(&mut sessions, stop, terminal)?;
    let wanted = Wanted { socket: args.socket.as_deref(), pid: args.pid };
    let failed = |problem: &str, terminal: &mut Terminal<'_>| {
        terminal.complain(problem);
        Exit::Unreadable
    };
    let path = socket(wanted).map_err(|problem| failed(&problem, terminal))?;
    let opened = Connection::open(&path);
    let mut engine = opened.map_err(|error| failed(&error.to_string(), terminal))?;
    let timeout = Duration::from_millis(args.timeout_ms);
    let interval_ms = (args.timeout_ms / 5).max(100);
    let line = RequestLine { id: None, request: ControlRequest::Watch { interval_ms } };
    let asked = engine.send(&line).and_then(|()| engine.wait_at_most(POLL));
    asked.map_err(|error| failed(&error.to_string(), terminal))?;
    terminal.say(&format!(
        "guard: watches process {} at {}; acts after {} ms without a sign of life\n",
        engine.peer().pid,
        path.display(),
        args.timeout_ms
    ));
    match watch(&mut engine, &mut sessions, timeout, stop, terminal) {
        Over::Still(why) => Ok(cancel(&why, &mut sessions, terminal)),
        Over::InOrder => {
            terminal.say(
                "guard: the engine stops in order, and names itself what it leaves open (exit code \
                 7); standing down\n",
            );
            Ok(Exit::Ok)
        }
        Over::Told => {
            terminal.say("guard: told to end; NOBODY WATCHES THE ENGINE NOW\n");
            Ok(Exit::Ok)
        }
    }
}

type Sessions = Vec<Box<dyn GuardSession>>;

/// Waits until every session is logged on: a guard that can't act is none.
fn log_on(
    sessions: &mut Sessions,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<(), Exit> {
    let began = Instant::now();
    loop {
        sessions.iter_mut().for_each(|session| session.step());
        let down = sessions.iter().find(|session| session.state() != GuardState::Ready);
        let Some(down) = down else { break };
        let state = down.state();
        let is_refused = matches!(state, GuardState::Refused(_));
        if is_refused || began.elapsed() > LOGON_PATIENCE || stop.load(Ordering::Acquire) {
            let (venue, why) = (down.venue(), words(&state));
            terminal.complain(&format!("[{venue}] the guard can't log on: {why}"));
            return Err(Exit::StartRefused);
        }
        std::thread::sleep(POLL);
    }
    for session in sessions {
        terminal.say(&format!("guard: logged on at {}\n", session.venue()));
    }
    Ok(())
}

fn watch(
    engine: &mut Connection,
    sessions: &mut Sessions,
    timeout: Duration,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Over {
    let (mut last, mut alive) = (None, Instant::now());
    let mut down = vec![false; sessions.len()];
    loop {
        if stop.load(Ordering::Acquire) {
            return Over::Told;
        }
        for (session, down) in sessions.iter_mut().zip(&mut down) {
            session.step();
            let state = session.state();
            let is_down = state != GuardState::Ready;
            if std::mem::replace(down, is_down) != is_down {
                terminal.say(&format!("guard: {}: {}\n", session.venue(), words(&state)));
            }
        }
        match engine.answer() {
            Ok(answer) if is_farewell(&answer) => return Over::InOrder,
            Ok(answer) => {
                let Some(Reply::Status(status)) = answer.reply else {
                    return Over::Still("it answers something else".to_owned());
                };
                // One that parks when there is nothing to do counts no turns then.
                if status.beat.is_none() || status.beat != last {
                    (last, alive) = (status.beat, Instant::now());
                }
            }
            Err(ConnectionError::NotYet) => {}
            Err(error) => return Over::Still(error.to_string()),
        }
        if alive.elapsed() > timeout {
            let ms = alive.elapsed().as_millis();
            return Over::Still(format!("no sign of life for {ms} ms"));
        }
    }
}

fn words(state: &GuardState) -> String {
    match state {
        GuardState::Down(None) => "not logged on".to_owned(),
        GuardState::Down(Some(why)) => format!("not logged on: {why}"),
        GuardState::Refused(why) => format!("not logged on: {why}"),
        GuardState::Ready => "logged on".to_owned(),
        GuardState::Cancelling(1) => "one symbol may have something open".to_owned(),
        GuardState::Cancelling(symbols) => format!("{symbols} symbols may have something open"),
        GuardState::Done => "nothing is open".to_owned(),
    }
}

/// Cancels everything, and says what came of it.
fn cancel(why: &str, sessions: &mut Sessions, terminal: &mut Terminal<'_>) -> Exit {
    terminal.say(&format!("guard: THE ENGINE STANDS STILL ({why}): cancelling all\n"));
    sessions.iter_mut().for_each(|session| session.cancel_all());
    let began = Instant::now();
    let mut told: Vec<Option<GuardState>> = vec![None; sessions.len()];
    while began.elapsed() < CANCEL_PATIENCE {
        for (session, told) in sessions.iter_mut().zip(&mut told) {
            session.step();
            let state = session.state();
            if told.as_ref() != Some(&state) {
                let venue = session.venue();
                terminal.say(&format!("guard: {venue}: {}\n", words(&state)));
                *told = Some(state);
            }
        }
        if sessions.iter().all(|session| session.state() == GuardState::Done) {
            let requests: u64 = sessions.iter().map(|session| session.cancelled()).sum();
            terminal.say(&format!(
                "guard: the venues say that nothing is open; {requests} requests cancelled \
                 something\n"
            ));
            return Exit::GuardActed;
        }
        std::thread::sleep(POLL);
    }
    for session in sessions.iter().filter(|session| session.state() != GuardState::Done) {
        let state = words(&session.state());
        terminal.complain(&format!(
            "[{}] orders may still be open there ({state}): look yourself",
            session.venue()
        ));
    }
    Exit::GuardUnsure
}
