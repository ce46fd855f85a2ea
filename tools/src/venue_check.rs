//! `pitlane venue check`: whether a venue speaks as its adapter expects, live or in a recording.

mod account;
mod checks;
mod instruments;
mod recorded;

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pitlane_engine::config::{Config, VenueMode};
use pitlane_engine::report::{Report, VenueReport};
use pitlane_engine::venue::InstrumentWord;
use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::{LaunchOptions, StrategyRegistry, launch_with};

use self::checks::Checks;
use self::instruments::Instrument;
use crate::cli::VenueCheckArgs;
use crate::config_file;
use crate::exit::Exit;
use crate::record::{listen_only, trade_nothing};
use crate::table::count;
use crate::terminal::Terminal;

/// Pause between two polls of the stop flag.
const POLL: Duration = Duration::from_millis(50);
/// The venue is asked for its instruments at least so often, s.
const REFRESH_S_MAX: u64 = 30;

/// Checks a venue of the configuration, or a recording of a kind of venue.
pub(crate) fn check(
    args: &VenueCheckArgs,
    registry: &StrategyRegistry,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    match &args.recording {
        Some(path) => recorded::check(args, path, terminal),
        None => check_live(args, registry, stop, terminal),
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
    let keeps_books = config.venues.iter().all(|venue| venue.books);
    trade_nothing(&mut config);
    if args.no_account {
        listen_only(&mut config);
    }
    let (unasked, assets) = (unasked(args, &config), account::assets_of(&config));
    let session = &mut config.session;
    session.instrument_refresh_s = session.instrument_refresh_s.clamp(1, REFRESH_S_MAX);
    let asked_for = Instruments::of(&config, &args.name);
    let options = LaunchOptions {
        inspects_accounts: unasked.is_none(),
        keeps_instrument_words: true,
        ..Default::default()
    };
    let engine = launch_with(config, registry, options)
        .map_err(|error| config_file::refused(&error, terminal))?;
    let started = Instant::now();
    while started.elapsed() < args.duration
        && !stop.load(Ordering::Acquire)
        && !engine.is_killed()
        && !engine.has_failed()
    {
        std::thread::sleep(POLL);
    }
    let words = engine.instrument_words(&args.name);
    let found = engine.account(&args.name);
    let Some(report) = engine.stop() else {
        terminal.complain("the engine left no report");
        return Err(Exit::Failed);
    };
    let mut checks = Checks::default();
    match report.venues.iter().find(|venue| venue.name == args.name) {
        Some(venue) => judge_live(&mut checks, venue, &report, (has_checksums, keeps_books)),
        None => checks.add("endpoints", false, "no session was made".to_owned()),
    }
    let rows = asked_for.judge(&mut checks, &words);
    match (unasked, found) {
        (Some(why), _) => account::not_seen(&mut checks, why),
        (None, Some(found)) => account::judge(&mut checks, &found, &assets),
        (None, None) => account::not_seen(&mut checks, "this kind of venue takes no orders here"),
    }
    let seconds = started.elapsed().as_secs();
    terminal.print(&format!("{} for {seconds} s\n\n{}{rows}", args.name, checks.text()))?;
    Ok(checks.exit())
}

/// Why the account is not asked for what it may do; `None`: it is.
fn unasked(args: &VenueCheckArgs, config: &Config) -> Option<&'static str> {
    if args.no_account {
        return Some("--no-account");
    }
    let venue = config.venues.iter().find(|venue| venue.name == args.name)?;
    match (&venue.api_url, venue.mode) {
        (_, VenueMode::Paper) => Some("the venue is on paper: its account is not used"),
        (None, _) => Some("the venue has no api_url"),
        (Some(_), VenueMode::Live) => None,
    }
}

/// The instruments of a configuration at one of its venues.
struct Instruments {
    configured: Vec<Instrument>,
    /// Why nothing may be seen of them.
    unseen: &'static str,
}

impl Instruments {
    fn of(config: &Config, venue: &str) -> Instruments {
        let at = config.venues.iter().find(|of| of.name == venue);
        let unseen = match at {
            Some(at) if at.rest_url.is_empty() => "the venue is not asked: it has no rest_url",
            _ => "the venue has not answered in this time",
        };
        let of_entry = |entry: &pitlane_engine::config::InstrumentConfig| {
            Some(Instrument {
                native: entry.native_symbol(venue),
                spec: entry.spec()?,
                is_made: false,
                word: InstrumentWord::Unanswered(None),
            })
        };
        Instruments { configured: config.instruments.iter().filter_map(of_entry).collect(), unseen }
    }

    /// Adds the checks of what the venue has said; the table of it.
    fn judge(mut self, checks: &mut Checks, words: &[(String, InstrumentWord)]) -> String {
        for one in &mut self.configured {
            if let Some((_, word)) = words.iter().find(|(native, _)| *native == one.native) {
                one.word = word.clone();
            }
        }
        instruments::judge(checks, &self.configured, self.unseen)
    }
}

fn judge_live(
    checks: &mut Checks,
    venue: &VenueReport,
    report: &Report,
    (has_checksums, keeps_books): (bool, bool),
) {
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
    match (all, keeps_books) {
        (0, false) => checks.not_seen("books", "none are kept: books = false"),
        _ => {
            checks.add("books", live == all && all > 0, format!("{live} of {all} live at the end"))
        }
    }
    let mut events = String::new();
    for consumer in &report.consumers {
        for (kind, terms) in &consumer.kinds {
            let _infallible = write!(events, "{} {kind}  ", count(terms.published));
        }
    }
    checks.add("events", !events.is_empty(), events.trim_end().to_owned());
}
