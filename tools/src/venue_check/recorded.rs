//! A recording held against the protocol of its kind, and against what is known of it.

use std::path::Path;

use pitlane_engine::config::{Config, InstrumentConfig, RECORDED_VENUE, RecordedSymbol};
use pitlane_engine::text::escaped;
use pitlane_engine::venue::InstrumentWord;
use pitlane_engine::venue::market::{BookConformance, Conformance};
use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::venue::simulated::Recording;

use super::checks::Checks;
use super::instruments::{self, Instrument};
use crate::cli::VenueCheckArgs;
use crate::config_file;
use crate::exit::Exit;
use crate::table::{count, render, table};
use crate::terminal::Terminal;

/// Where independent results stand, in a recording's folder or one of those above it.
const EXPECTED: &str = "EXPECTED.json";
/// Folders above the recording that are looked into.
const ABOVE_MAX: usize = 3;

pub(super) fn check(
    args: &VenueCheckArgs,
    path: &Path,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    let name = args.name.as_str();
    let config = match &args.config {
        Some(file) => Some(config_file::load(Some(file), terminal)?),
        None => None,
    };
    let (kind, recording) = VenueKind::recording(path, Some(name)).map_err(|error| {
        terminal.complain(&error.to_string());
        Exit::Unreadable
    })?;
    for note in recording.notes() {
        terminal.say(&format!("note: {}\n", escaped(note)));
    }
    let found = kind.conformance(&recording);
    let expected = expectation(path);
    let mut checks = Checks::default();
    judge(&mut checks, &recording, &found, expected.as_ref());
    let mut text = format!("{name}: {}\n\n", escaped(&path.display().to_string()));
    let rows = judge_instruments(&mut checks, kind, &recording, config.as_ref());
    text.push_str(&checks.text());
    text.push_str(&kinds(&found));
    text.push_str(&books(&found, expected.as_ref()));
    text.push_str(&rows);
    terminal.print(&text)?;
    Ok(checks.exit())
}

/// Holds what the recording has of the venue's rules against the instruments of the file; without
/// one, against those that are made of the recording.
fn judge_instruments(
    checks: &mut Checks,
    kind: &VenueKind,
    recording: &Recording,
    config: Option<&Config>,
) -> String {
    let words = match kind.recorded_instruments(recording) {
        Ok(words) => words,
        Err(error) => {
            checks.add("instruments", false, format!("their list can't be read: {error}"));
            return String::new();
        }
    };
    if words.is_empty() {
        let unseen = "the recording has no list of instruments";
        return instruments::judge(checks, &[], unseen);
    }
    let found = config.map_or_else(
        || recording.symbols().iter().map(RecordedSymbol::instrument).collect(),
        |config| config.instruments.clone(),
    );
    let names = config.map(Config::venue_names).unwrap_or_default();
    let names = names.iter().map(String::as_str).chain([RECORDED_VENUE]);
    let of_word = |(native, word): &(String, InstrumentWord)| {
        let is_it = |entry: &&InstrumentConfig| {
            names.clone().any(|venue| entry.native_symbol(venue) == *native)
        };
        let spec = found.iter().find(is_it)?.spec()?;
        let (native, is_made) = (native.clone(), config.is_none());
        Some(Instrument { native, spec, is_made, word: word.clone() })
    };
    let held: Vec<Instrument> = words.iter().filter_map(of_word).collect();
    instruments::judge(checks, &held, "it is not in the recorded list")
}

/// The checks that a recording allows.
fn judge(
    checks: &mut Checks,
    recording: &Recording,
    found: &Conformance,
    expected: Option<&serde_json::Value>,
) {
    let counters = &found.counters;
    let (frames, left_out) = (count(recording.frames()), count(recording.left_out()));
    let what = format!("{frames} frames of streams, {left_out} lines of other kinds left out");
    checks.add("frames", counters.identity_holds(), what);
    let refusals = found
        .refusals
        .iter()
        .map(|((reason, detail), times)| format!("{reason}: {detail} ({})", count(*times)));
    let refusals: Vec<_> = refusals.collect();
    let what = match refusals.is_empty() {
        true => "every frame was decoded".to_owned(),
        false => refusals.join("; "),
    };
    checks.add("schema", counters.refused == 0, what);
    let what = format!("{} words and kinds that are not known", count(counters.unknown));
    checks.add("unknown values", counters.unknown == 0, what);
    let what = format!("{} numbers or times that make no sense", count(counters.implausible));
    checks.add("numbers, times", counters.implausible == 0, what);
    checks.add("gaps", counters.gaps == 0, format!("{} in sequences", count(counters.gaps)));
    let sums: u64 = found.books.iter().map(|book| book.counters.checksums).sum();
    match sums {
        0 => checks.not_seen("checksums", "the frames have none"),
        _ => {
            let bad = counters.mismatches;
            let what = format!("{} agree, {} do not", count(sums - bad), count(bad));
            checks.add("checksums", bad == 0, what);
        }
    }
    if found.bad_snapshots > 0 {
        let what = format!("{} can not be read", count(found.bad_snapshots));
        checks.add("snapshots", false, what);
    }
    let with_data = || found.books.iter().filter(|book| has_data(book));
    let live = with_data().filter(|book| book.summary.status == "live").count();
    match with_data().count() {
        0 => checks.not_seen("books", "no frame of any book"),
        all => checks.add("books", live == all, format!("{live} of {all} live at the end")),
    }
    let known: Vec<_> = with_data().filter_map(|b| Some((b, hash_of(expected?, b)?))).collect();
    match known.is_empty() {
        true => checks.not_seen("final books", "no EXPECTED.json names their SHA-256"),
        false => {
            let agree = known.iter().filter(|(book, sum)| book.summary.sha256 == *sum).count();
            let what = format!("{agree} of {} are as {EXPECTED} says", known.len());
            checks.add("final books", agree == known.len(), what);
        }
    }
}

/// Whether a frame of the book has come.
fn has_data(book: &BookConformance) -> bool {
    book.summary.bid_levels + book.summary.ask_levels > 0 || book.counters.applied > 0
}

fn kinds(found: &Conformance) -> String {
    let mut table = table(&["events", ">count"]);
    for (kind, events) in &found.events {
        table.add_row([*kind, &count(*events)]);
    }
    format!("\n{}", render(&table))
}

fn books(found: &Conformance, expected: Option<&serde_json::Value>) -> String {
    let heads =
        ["book", "status", ">bids", ">asks", ">diffs", ">sums", ">gaps", "sha256", "expected"];
    let mut table = table(&heads);
    for book in found.books.iter().filter(|book| has_data(book)) {
        let BookConformance { native, summary, counters } = book;
        let expected = expected.and_then(|expected| hash_of(expected, book));
        let verdict = match expected {
            None => "-",
            Some(sum) if sum == summary.sha256 => "same",
            Some(_) => "OTHER",
        };
        table.add_row([
            escaped(native).as_ref(),
            summary.status,
            &count(summary.bid_levels as u64),
            &count(summary.ask_levels as u64),
            &count(counters.applied),
            &count(counters.checksums),
            &count(counters.gaps),
            &summary.sha256[..16],
            verdict,
        ]);
    }
    format!("\n{}", render(&table))
}

/// What is expected of a recording: the entry whose name its path ends with.
fn expectation(path: &Path) -> Option<serde_json::Value> {
    let path = std::fs::canonicalize(path).ok()?;
    for folder in path.ancestors().take(ABOVE_MAX + 1) {
        let Ok(text) = std::fs::read_to_string(folder.join(EXPECTED)) else { continue };
        let all: serde_json::Value = serde_json::from_str(&text).ok()?;
        let below = path.strip_prefix(folder).ok()?.display().to_string();
        let entries = all.as_object()?.iter();
        let mut named = entries.filter(|(name, _)| below.starts_with(name.as_str()));
        return named.next().map(|(_, entry)| entry.clone());
    }
    None
}

/// The hash of a book's levels, wherever the entry names the symbol; of an entry with one hash that
/// one.
fn hash_of<'e>(entry: &'e serde_json::Value, book: &BookConformance) -> Option<&'e str> {
    fn all<'e>(value: &'e serde_json::Value, at: &str, found: &mut Vec<(String, &'e str)>) {
        let Some(members) = value.as_object() else { return };
        for (name, member) in members {
            match member.as_str().filter(|_| name == "book_sha256") {
                Some(sum) => found.push((at.to_owned(), sum)),
                None => all(member, &format!("{at}/{name}"), found),
            }
        }
    }
    let mut found = Vec::new();
    all(entry, "", &mut found);
    let is_named = |at: &str| {
        let mut parts = at.split('/');
        parts.any(|part| part == book.native || part.ends_with(&format!(".{}", book.native)))
    };
    match &found[..] {
        [(_, only)] => Some(only),
        many => many.iter().find(|(at, _)| is_named(at)).map(|(_, sum)| *sum),
    }
}
