//! `pitlane ctl`: reads and changes a running engine through its control socket.

mod args;
mod audit_text;
mod connection;
mod engine_list;
mod find;
mod health;
mod peer;
mod risk_text;
mod text;

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pitlane_engine::control::protocol::{ControlRequest, Reply, ReplyLine, RequestLine};
use pitlane_engine::order::trading::StrategyFigures;
use pitlane_engine::text::shown;

use crate::exit::Exit;
use crate::terminal::Terminal;
use crate::trading_text::trading;

use args::RiskVerb;
pub use args::{CtlArgs, CtlVerb};
pub(crate) use connection::{Connection, ConnectionError};
pub(crate) use find::{Wanted, find_engines, socket};
pub(crate) use text::is_farewell;
#[cfg(feature = "latency")]
pub(crate) use text::reply as reply_text;

/// Runs one verb.
pub(crate) fn ctl(
    args: &CtlArgs,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    if let CtlVerb::List = args.verb {
        return list(terminal);
    }
    let request = args.verb.request().map_err(|problem| {
        terminal.complain(&problem);
        Exit::Usage
    })?;
    let wanted = Wanted { socket: args.socket.as_deref(), pid: args.pid };
    let path = socket(wanted).map_err(|problem| {
        terminal.complain(&problem);
        Exit::Unreadable
    })?;
    let mut connection = Connection::open(&path).map_err(|error| failed(&error, terminal))?;
    let is_watch = matches!(request, ControlRequest::Watch { .. });
    // Whoever sends a command again after a broken connection must not have it carried out twice.
    let id = request.is_mutating().then(new_id);
    let line = RequestLine { id, request };
    connection.send(&line).map_err(|error| failed(&error, terminal))?;
    if is_watch {
        return watch(&mut connection, args.json, stop, terminal);
    }
    let answer = connection.answer().map_err(|error| failed(&error, terminal))?;
    if let Some(reply) = &answer.reply
        && !fits(&args.verb, reply)
    {
        let path = connection.path().display();
        terminal.complain(&format!("what listens at {path} answers something else"));
        return Err(Exit::Unreadable);
    }
    if let (CtlVerb::Positions, Some(Reply::Status(status))) = (&args.verb, &answer.reply) {
        return positions(&status.strategies, args.json, terminal);
    }
    let exit = print(&answer, args.json, terminal)?;
    if matches!(answer.reply, Some(Reply::Stopping {})) && !args.json {
        let pid = connection.peer().pid;
        terminal.print(&format!("it is process {pid}, at {}\n", connection.path().display()))?;
    }
    match answer.reply {
        Some(Reply::Audit { holds: false, .. }) => Ok(Exit::Failed),
        _ => Ok(exit),
    }
}

/// Whether a reply is one to the verb: whoever says "done" to a kill has killed nothing.
fn fits(verb: &CtlVerb, reply: &Reply) -> bool {
    match verb {
        CtlVerb::Kill => matches!(reply, Reply::Stopping {}),
        CtlVerb::Status | CtlVerb::Positions => matches!(reply, Reply::Status(_)),
        CtlVerb::Orders => matches!(reply, Reply::Orders { .. }),
        CtlVerb::Audit => matches!(reply, Reply::Audit { .. }),
        CtlVerb::Mode { .. } => matches!(reply, Reply::Mode { .. }),
        CtlVerb::Risk { verb: None } => matches!(reply, Reply::Risk(_)),
        CtlVerb::Risk { verb: Some(RiskVerb::Set { .. }) } => {
            matches!(reply, Reply::Limits { .. })
        }
        CtlVerb::Risk { verb: Some(_) } => matches!(reply, Reply::Done { .. }),
        _ => true,
    }
}

/// What the strategies hold and have earned: a part of a reading.
fn positions(
    strategies: &[StrategyFigures],
    json: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    let text = match json {
        true => serde_json::to_string(strategies).unwrap_or_default() + "\n",
        false => shown(&trading(strategies)),
    };
    terminal.print(&text).map(|()| Exit::Ok)
}

/// The engines that run here.
fn list(terminal: &mut Terminal<'_>) -> Result<Exit, Exit> {
    let engines = find_engines();
    let text = engine_list::engines(&engines);
    terminal.print(&text).map(|()| if engines.is_empty() { Exit::Failed } else { Exit::Ok })
}

/// An id that no other command of this user has.
fn new_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let ns = since.unwrap_or_default().as_nanos();
    format!("ctl-{}-{ns}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn print(answer: &ReplyLine, json: bool, terminal: &mut Terminal<'_>) -> Result<Exit, Exit> {
    if json {
        let text = serde_json::to_string(answer).unwrap_or_default();
        terminal.print(&format!("{text}\n"))?;
    }
    match (&answer.reply, &answer.refusal) {
        (Some(reply), _) => {
            if !json {
                terminal.print(&shown(&text::reply(reply)))?;
            }
            Ok(Exit::Ok)
        }
        (None, refusal) => {
            if !json {
                terminal.complain(&text::refusal(refusal.as_ref()));
            }
            Ok(Exit::Failed)
        }
    }
}

/// Readings until the engine goes away or the user has seen enough.
fn watch(
    connection: &mut Connection,
    json: bool,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    // Short waits, so that Ctrl-C is seen between two readings.
    let look = Duration::from_millis(100);
    connection.wait_at_most(look).map_err(|error| failed(&error, terminal))?;
    let is_line = std::io::stdout().is_terminal();
    let mut line = text::WatchLine::default();
    while !stop.load(Ordering::Acquire) {
        let answer = match connection.answer() {
            Ok(answer) => answer,
            Err(ConnectionError::NotYet) => continue,
            Err(error) => {
                if is_line && !json {
                    terminal.print("\n")?;
                }
                return Err(failed(&error, terminal));
            }
        };
        match answer.reply {
            Some(Reply::Status(status)) if !json => {
                let text = shown(&line.update(&status));
                // A terminal shows one line that changes, anything else a line each.
                let text = if is_line { format!("\r{text}\x1b[K") } else { format!("{text}\n") };
                terminal.print(&text)?;
            }
            Some(Reply::Status(_)) => {
                print(&answer, json, terminal)?;
            }
            _ if text::is_farewell(&answer) => {
                if is_line && !json {
                    terminal.print("\n")?;
                }
                terminal.say("the engine has stopped\n");
                return Ok(Exit::Ok);
            }
            _ => return print(&answer, json, terminal),
        }
    }
    if is_line && !json {
        terminal.print("\n")?;
    }
    Ok(Exit::Ok)
}

fn failed(error: &ConnectionError, terminal: &mut Terminal<'_>) -> Exit {
    terminal.complain(&error.to_string());
    Exit::Unreadable
}
