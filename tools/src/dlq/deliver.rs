//! Letters to a consumer of a running engine, through its control socket.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pitlane_engine::control::protocol::{ControlRequest, Delivery, Reply, ReplyLine, RequestLine};
use pitlane_engine::event::Event;
use pitlane_engine::text::shown;

use super::event_text::summary;
use super::letter::Letter;
use crate::cli::ReplayTarget;
use crate::ctl::{Connection, ConnectionError, Wanted, socket};
use crate::exit::Exit;
use crate::table::count;
use crate::terminal::Terminal;

/// Between two letters: below what one client may ask for in a second.
const PACE: Duration = Duration::from_millis(12);
/// Before a letter is offered again that the engine had no time for.
const AGAIN: Duration = Duration::from_millis(250);
/// Times that a letter is offered.
const ATTEMPTS: u32 = 8;

/// What became of the letters so far.
#[derive(Default)]
struct Tally {
    delivered: u64,
    repeated: u64,
    refused: u64,
}

/// Delivers letters to `consumer`, each told in one line. Exit code 1 when any was refused.
pub(super) fn deliver(
    letters: &[Letter],
    consumer: &str,
    target: &ReplayTarget,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    let unreadable = |problem: String, terminal: &mut Terminal<'_>| {
        terminal.complain(&problem);
        Exit::Unreadable
    };
    let wanted = Wanted { socket: target.socket.as_deref(), pid: target.pid };
    let path = socket(wanted).map_err(|problem| unreadable(problem, terminal))?;
    let mut connection =
        Connection::open(&path).map_err(|error| unreadable(error.to_string(), terminal))?;
    let mut tally = Tally::default();
    for letter in letters {
        if stop.load(Ordering::Acquire) {
            break;
        }
        let outcome = match request(letter, consumer) {
            Err(why) => Err(why),
            Ok(line) => match offer(&mut connection, &line) {
                Ok(answer) => read(answer),
                Err(error) => {
                    terminal.print(&summary_line(&tally, letters.len()))?;
                    return Err(unreadable(error.to_string(), terminal));
                }
            },
        };
        let text = match outcome {
            Ok((message, false)) => {
                tally.delivered += 1;
                format!("delivered: {message}")
            }
            Ok((message, true)) => {
                tally.repeated += 1;
                format!("was delivered before: {message}")
            }
            Err(why) => {
                tally.refused += 1;
                format!("refused: {why}")
            }
        };
        let what = event(letter).map_or_else(
            || letter.reason.clone(),
            |event| summary(&event, letter.scales().unwrap_or_default()),
        );
        terminal.print(&shown(&format!("{}: {what}: {text}\n", letter.number)))?;
    }
    terminal.print(&summary_line(&tally, letters.len()))?;
    Ok(if tally.refused == 0 { Exit::Ok } else { Exit::Failed })
}

fn summary_line(tally: &Tally, letters: usize) -> String {
    let Tally { delivered, repeated, refused } = *tally;
    let left = letters as u64 - delivered - repeated - refused;
    let mut text = format!(
        "{} delivered, {} were before, {} refused",
        count(delivered),
        count(repeated),
        count(refused)
    );
    if left > 0 {
        text.push_str(&format!(", {} not tried", count(left)));
    }
    text.push('\n');
    text
}

fn event(letter: &Letter) -> Option<Event> {
    letter.is_event().then(|| Event::from_used_bytes(&letter.raw_bytes()?)).flatten()
}

/// The request for a letter, or why it is none for this consumer.
fn request(letter: &Letter, consumer: &str) -> Result<RequestLine, String> {
    if !letter.is_event() {
        return Err("bytes of a venue's session; --strategy takes what they say".to_owned());
    }
    if let Some(owner) = &letter.consumer
        && owner != consumer
    {
        return Err(format!("it was for consumer {owner}"));
    }
    let hex = letter.hex().ok_or("it holds no event")?;
    if event(letter).is_none() {
        return Err("it holds no event of this schema".to_owned());
    }
    let delivery = Delivery {
        consumer: consumer.to_owned(),
        venue: Some(letter.venue.clone()),
        instrument: letter.instrument.clone(),
        event: hex.to_owned(),
    };
    // The same letter has the same id, so that the engine takes it once.
    let id = format!("letter-{}-{:016x}", letter.wall_ns, fnv(hex.as_bytes()));
    Ok(RequestLine { id: Some(id), request: ControlRequest::Deliver(delivery) })
}

/// FNV-1a, 64 bits: <http://www.isthe.com/chongo/tech/comp/fnv/>.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The engine's answer; asked again where it had no time.
fn offer(connection: &mut Connection, line: &RequestLine) -> Result<ReplyLine, ConnectionError> {
    let mut attempt = 1;
    loop {
        std::thread::sleep(PACE);
        connection.send(line)?;
        let answer = connection.answer()?;
        let code = answer.refusal.as_ref().map(|refusal| refusal.code.as_str());
        let is_busy = matches!(code, Some("rate_limited" | "queue_full"));
        if !is_busy || attempt == ATTEMPTS {
            return Ok(answer);
        }
        attempt += 1;
        std::thread::sleep(AGAIN);
    }
}

/// What was done, and whether that was before; or why nothing was.
fn read(answer: ReplyLine) -> Result<(String, bool), String> {
    match (answer.reply, answer.refusal) {
        (Some(Reply::Done { message, .. }), _) => Ok((message, answer.is_repeat)),
        (_, Some(refusal)) => Err(refusal.message),
        (reply, None) => Err(format!("the engine answers otherwise: {reply:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(json: serde_json::Value) -> Letter {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_letter_of_bytes_or_of_somebody_else_is_not_sent() {
        let bytes = letter(serde_json::json!({
            "wall_ns": 1, "venue": "v", "trace_id": 1, "reason": "field", "detail": "", "bytes": 1,
            "raw": "x",
        }));
        assert!(request(&bytes, "noop").unwrap_err().starts_with("bytes of a venue's session"));
        let others = letter(serde_json::json!({
            "wall_ns": 1, "venue": "v", "trace_id": 1, "reason": "undelivered", "detail": "",
            "bytes": 1, "raw_hex": "00", "consumer": "momentum",
        }));
        assert_eq!(request(&others, "noop").unwrap_err(), "it was for consumer momentum");
        assert!(request(&others, "momentum").unwrap_err().contains("no event"));
    }
}
