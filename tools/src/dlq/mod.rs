//! `pitlane dlq`: reading what could not be decoded or delivered.

mod deliver;
mod event_text;
mod letter;
mod offline;
mod replay;

use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use pitlane_engine::StrategyRegistry;
use pitlane_engine::event::{Event, EventKind};
use pitlane_engine::text::shown;

pub(crate) use event_text::{Scales, payload_text};

use crate::cli::{DlqVerb, LetterFilter, ReplayTarget};
use crate::config_file::load;
use crate::exit::Exit;
use crate::table::{count, render, table};
use crate::terminal::Terminal;
use crate::utc::utc;
use letter::{Letter, Letters};
use replay::Replayer;

/// Bytes in a line of a dump.
const DUMP_BYTES: usize = 16;

/// Does one of the verbs. Exit code 3 when the file, or a line of it, can't be read.
pub(crate) fn dlq(
    verb: &DlqVerb,
    registry: &StrategyRegistry,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    match verb {
        DlqVerb::List { file, filter } => {
            let (letters, exit) = read(file, filter, terminal)?;
            terminal.print(&shown(&list(&letters))).map(|()| exit)
        }
        DlqVerb::Show { file, number } => {
            let (letters, _) = read(file, &LetterFilter::default(), terminal)?;
            match letters.iter().find(|letter| letter.number == *number) {
                Some(letter) => terminal.print(&shown(&show(letter))).map(|()| Exit::Ok),
                None => {
                    terminal.complain(&format!("{}: there is no letter {number}", file.display()));
                    Err(Exit::Usage)
                }
            }
        }
        DlqVerb::Replay { file, filter, config, target } => {
            let (letters, exit) = read(file, filter, terminal)?;
            limit(&letters, target, terminal)?;
            if let Some(consumer) = &target.to {
                let done = deliver::deliver(&letters, consumer, target, stop, terminal)?;
                return Ok(if exit == Exit::Ok { done } else { exit });
            }
            let config = load(config.as_deref(), terminal)?;
            let usage = |problem: String, terminal: &mut Terminal<'_>| {
                terminal.complain(&problem);
                Exit::Usage
            };
            let replayer = Replayer::new(&config).map_err(|e| usage(e.to_string(), terminal))?;
            if let Some(name) = &target.strategy {
                let strategy = offline::strategy(name, &config, registry);
                let strategy = strategy.map_err(|problem| usage(problem, terminal))?;
                let done = offline::replay(strategy, replayer, &config, &letters, terminal)?;
                return Ok(if exit == Exit::Ok { done } else { exit });
            }
            terminal.print(&shown(&replay(replayer, &letters))).map(|()| exit)
        }
    }
}

/// Refuses to replay more than was allowed: half of what was meant is worse than nothing.
fn limit(
    letters: &[Letter],
    target: &ReplayTarget,
    terminal: &mut Terminal<'_>,
) -> Result<(), Exit> {
    let has_target = target.to.is_some() || target.strategy.is_some();
    if !has_target || letters.len() as u64 <= target.max {
        return Ok(());
    }
    let (found, most) = (count(letters.len() as u64), count(target.max));
    terminal.complain(&format!(
        "{found} letters, at most {most} are replayed: narrow them by --since, --reason, --session \
         or --consumer, or raise --max"
    ));
    Err(Exit::Usage)
}

/// The letters that the filter lets through. Lines that are no letters are complained about.
fn read(
    file: &Path,
    filter: &LetterFilter,
    terminal: &mut Terminal<'_>,
) -> Result<(Vec<Letter>, Exit), Exit> {
    let letters = Letters::read(file).map_err(|error| {
        terminal.complain(&format!("{}: cannot be read: {error}", file.display()));
        Exit::Unreadable
    })?;
    for (line, problem) in &letters.unreadable {
        terminal.complain(&format!("{}:{line}: not a letter: {problem}", file.display()));
    }
    let exit = if letters.unreadable.is_empty() { Exit::Ok } else { Exit::Unreadable };
    let now = SystemTime::now();
    let passed = letters.letters.into_iter().filter(|letter| letter.passes(filter, now)).collect();
    Ok((passed, exit))
}

fn list(letters: &[Letter]) -> String {
    let has_events = letters.iter().any(|letter| letter.consumer.is_some());
    let mut heads = vec![">number", "time (UTC)", "from", "reason", "detail", ">bytes", ">trace"];
    if has_events {
        heads.insert(3, "for");
    }
    let mut table = table(&heads);
    for letter in letters {
        let mut cells = vec![
            letter.number.to_string(),
            letter.utc(),
            letter.session().to_owned(),
            letter.reason.clone(),
            letter.detail.clone(),
            count(letter.bytes),
            letter.trace_id.to_string(),
        ];
        if has_events {
            cells.insert(3, letter.consumer.clone().unwrap_or_default());
        }
        table.add_row(cells);
    }
    let letters = match letters.len() {
        1 => "1 letter".to_owned(),
        many => format!("{} letters", count(many as u64)),
    };
    format!("{}{letters}\n", render(&table))
}

fn show(letter: &Letter) -> String {
    let mut text = format!(
        "letter  {}\ntime    {} UTC\nvenue   {}\nfrom    {}\ntrace   {}\nreason  {}: {}\nbytes   {}\n",
        letter.number,
        letter.utc(),
        letter.venue,
        letter.session(),
        letter.trace_id,
        letter.reason,
        letter.detail,
        count(letter.bytes)
    );
    if let Some(kind) = &letter.kind {
        let _infallible = writeln!(text, "kind    {kind}");
    }
    if let Some(consumer) = &letter.consumer {
        let _infallible = writeln!(text, "for     consumer {consumer}");
    }
    if letter.is_event()
        && let Some(event) = letter.raw_bytes().as_deref().and_then(Event::from_used_bytes)
    {
        text.push_str(&show_event(letter, &event));
        return text;
    }
    if let Some(kept) = letter.cut_to_bytes {
        let _infallible = writeln!(text, "kept    {}, the rest was cut", count(kept));
    }
    match letter.raw_bytes() {
        None => text.push_str("\nthe hexadecimal form of its bytes is spoilt\n"),
        Some(raw) => {
            let is_text = |character: char| !character.is_control() || character.is_whitespace();
            match std::str::from_utf8(&raw) {
                Ok(raw) if raw.chars().all(is_text) => {
                    let _infallible = write!(text, "\n{raw}\n");
                }
                _ => text.push_str(&dump(&raw)),
            }
        }
    }
    text
}

/// An event's header and fields.
fn show_event(letter: &Letter, event: &Event) -> String {
    let kind = event.kind().map_or("none", EventKind::name);
    let instrument = letter.instrument.clone().unwrap_or_else(|| format!("{}", event.instrument));
    let mut text = format!(
        "event   {kind} of {instrument}, sequence {}, routing version {}\n",
        event.sequence, event.routing_version
    );
    if event.venue_time_ns != 0 {
        let _infallible = writeln!(text, "stamped {} UTC", utc(event.venue_time_ns));
    }
    if event.conflated != 0 {
        let _infallible = writeln!(text, "stands for {} events before it", event.conflated);
    }
    if letter.scales().is_none() {
        text.push_str("numbers are in the instrument's smallest units: its scales are not here\n");
    }
    text.push('\n');
    text.push_str(&event_text::payload_text(event, letter.scales().unwrap_or_default()));
    text
}

/// Offset, bytes in hexadecimal, and what of them is text.
fn dump(raw: &[u8]) -> String {
    let mut text = String::from("\n");
    for (index, line) in raw.chunks(DUMP_BYTES).enumerate() {
        let hex: String = line.iter().map(|byte| format!("{byte:02x} ")).collect();
        let plain = line.iter().map(|byte| match byte {
            0x20..=0x7e => char::from(*byte),
            _ => '.',
        });
        let plain: String = plain.collect();
        let width = DUMP_BYTES * 3;
        let _infallible = writeln!(text, "{:06x}  {hex:width$} {plain}", index * DUMP_BYTES);
    }
    text
}

fn replay(mut replayer: Replayer, letters: &[Letter]) -> String {
    let mut table = table(&[">number", "from", "reason then", "now"]);
    let mut accepted = 0;
    for letter in letters {
        let now = match replayer.read(letter) {
            Ok(content) => {
                accepted += 1;
                format!("accepted: {}", content.words)
            }
            Err(why) => format!("refused: {why}"),
        };
        let then = format!("{}: {}", letter.reason, letter.detail);
        table.add_row([letter.number.to_string(), letter.session().to_owned(), then, now]);
    }
    format!(
        "{}{} of {} would now be accepted\n",
        render(&table),
        count(accepted),
        count(letters.len() as u64)
    )
}
