//! `pitlane venue check`: whether a venue speaks as its adapter expects, live or in a recording.

use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pitlane_engine::report::{Report, VenueReport};
use pitlane_engine::text::escaped;
use pitlane_engine::venue::market::{BookConformance, Conformance};
use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::venue::simulated::Recording;
use pitlane_engine::{LaunchOptions, StrategyRegistry, launch_with};

use crate::cli::VenueCheckArgs;
use crate::config_file;
use crate::exit::Exit;
use crate::record::listen_only;
use crate::table::{count, render, table};
use crate::terminal::Terminal;

/// Pause between two polls of the stop flag.
const POLL: Duration = Duration::from_millis(50);
/// Where independent results stand, in a recording's folder or one of those above it.
const EXPECTED: &str = "EXPECTED.json";
/// Folders above the recording that are looked into.
const ABOVE_MAX: usize = 3;

/// What became of one check.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Holds,
    Fails,
    /// It could not be seen.
    NotSeen,
}

/// The rows of a table of checks.
#[derive(Default)]
struct Checks(Vec<(&'static str, Verdict, String)>);

impl Checks {
    fn add(&mut self, name: &'static str, holds: bool, what: String) {
        let verdict = if holds { Verdict::Holds } else { Verdict::Fails };
        self.0.push((name, verdict, what));
    }

    fn not_seen(&mut self, name: &'static str, why: &str) {
        self.0.push((name, Verdict::NotSeen, why.to_owned()));
    }

    fn exit(&self) -> Exit {
        let fails = self.0.iter().any(|(_, verdict, _)| *verdict == Verdict::Fails);
        if fails { Exit::Failed } else { Exit::Ok }
    }

    fn text(&self) -> String {
        let mut table = table(&["check", "result", "what was seen"]);
        for (name, verdict, what) in &self.0 {
            let verdict = match verdict {
                Verdict::Holds => "holds",
                Verdict::Fails => "FAILS",
                Verdict::NotSeen => "not seen",
            };
            table.add_row([*name, verdict, escaped(what).as_ref()]);
        }
        render(&table)
    }
}

/// Checks a venue of the configuration, or a recording of a kind of venue.
pub(crate) fn check(
    args: &VenueCheckArgs,
    registry: &StrategyRegistry,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    match &args.recording {
        Some(path) => check_recording(&args.name, path, terminal),
        None => check_live(args, registry, stop, terminal),
    }
}

fn check_recording(name: &str, path: &Path, terminal: &mut Terminal<'_>) -> Result<Exit, Exit> {
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
    text.push_str(&checks.text());
    text.push_str(&kinds(&found));
    text.push_str(&books(&found, expected.as_ref()));
    terminal.print(&text)?;
    Ok(checks.exit())
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

/// Listens to one venue for a while, with the engine's own sessions and checks.
fn check_live(
    args: &VenueCheckArgs,
    registry: &StrategyRegistry,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    let mut config = config_file::load(args.config.as_deref(), terminal)?;
    let names = config.venue_names();
    if !names.contains(&args.name) {
        let names = names.join(", ");
        terminal.complain(&format!("there is no venue {:?}; there are {names}", args.name));
        return Err(Exit::Usage);
    }
    let kinds = VenueKind::of_venues(&config);
    let kind = names.iter().zip(kinds).find(|(name, _)| **name == args.name);
    let has_checksums = kind.is_some_and(|(_, kind)| kind.has_checksums);
    config.venues.retain(|venue| venue.name == args.name);
    config.simulated.enabled &= config.venues.is_empty();
    listen_only(&mut config);
    let engine = launch_with(config, registry, LaunchOptions::default())
        .map_err(|error| config_file::refused(&error, terminal))?;
    let started = Instant::now();
    while started.elapsed() < args.duration
        && !stop.load(Ordering::Acquire)
        && !engine.is_killed()
        && !engine.has_failed()
    {
        std::thread::sleep(POLL);
    }
    let Some(report) = engine.stop() else {
        terminal.complain("the engine left no report");
        return Err(Exit::Failed);
    };
    let mut checks = Checks::default();
    match report.venues.iter().find(|venue| venue.name == args.name) {
        Some(venue) => judge_live(&mut checks, venue, &report, has_checksums),
        None => checks.add("endpoints", false, "no session was made".to_owned()),
    }
    let seconds = started.elapsed().as_secs();
    terminal.print(&format!("{} for {seconds} s\n\n{}", args.name, checks.text()))?;
    Ok(checks.exit())
}

fn judge_live(checks: &mut Checks, venue: &VenueReport, report: &Report, has_checksums: bool) {
    let counters = &venue.counters;
    let what =
        format!("{} frames, {} reconnects", count(counters.frames), count(counters.reconnects));
    checks.add("endpoints", counters.frames > 0 && counters.reconnects == 0, what);
    match venue.clock.is_measured {
        true => {
            // Beyond that the engine says so itself: requests are stamped by the venue's time.
            let is_near = venue.clock.ahead_ns.unsigned_abs() < 500_000_000;
            checks.add("clock", is_near, venue.clock.to_string());
        }
        false => checks.not_seen("clock", "the venue has not told its time"),
    }
    let what = format!("{} frames refused: see the dead letters", count(counters.refused));
    checks.add("schema", counters.refused == 0, what);
    let what = format!("{} words and kinds that are not known", count(counters.unknown));
    checks.add("unknown values", counters.unknown == 0, what);
    let limits = report.limits.iter().find(|limits| limits.venue == venue.name);
    match limits {
        Some(limits) => {
            let learned = limits.limits.iter().filter(|limit| limit.is_learned).count();
            let what = format!(
                "{} known, {learned} told by the venue itself, {} pauses imposed, {} not known",
                limits.limits.len(),
                count(limits.pauses_imposed),
                count(limits.unknown_limits)
            );
            let is_well = limits.pauses_imposed + limits.unknown_limits == 0;
            checks.add("rate limits", is_well, what);
        }
        None => checks.not_seen("rate limits", "the venue publishes none"),
    }
    checks.not_seen("filters", "no list of instruments is read yet: scales are the file's");
    checks.not_seen("account", "no keys are used");
    checks.add("gaps", counters.gaps == 0, format!("{} in sequences", count(counters.gaps)));
    match has_checksums {
        true => {
            let what = format!("{} do not agree", count(counters.mismatches));
            checks.add("checksums", counters.mismatches == 0, what);
        }
        false => checks.not_seen("checksums", "this kind of venue has none"),
    }
    let live = report.books.values().filter(|book| book.status == "live").count();
    let all = report.books.len();
    checks.add("books", live == all && all > 0, format!("{live} of {all} live at the end"));
    let mut events = String::new();
    for consumer in &report.consumers {
        for (kind, terms) in &consumer.kinds {
            let _infallible = write!(events, "{} {kind}  ", count(terms.published));
        }
    }
    checks.add("events", !events.is_empty(), events.trim_end().to_owned());
}
