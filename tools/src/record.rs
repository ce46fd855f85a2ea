//! `pitlane record`: live sessions of the configured venues, kept in files that `run --recording`
//! plays.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pitlane_engine::config::{Config, ConsumerConfig, OnStart, OnStop};
use pitlane_engine::report::Report;
use pitlane_engine::text::escaped;
use pitlane_engine::venue::recorder::{RecordedConnection, RecorderOptions, RecorderTotals};
use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::{LaunchOptions, StrategyRegistry, launch_with};

use crate::cli::RecordArgs;
use crate::config_file;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// Pause between two polls of the stop flag.
const POLL: Duration = Duration::from_millis(50);
const MIB: u64 = 1 << 20;

/// Records until the duration is over, the disk that it may take is full, or Ctrl-C.
pub(crate) fn record(
    args: &RecordArgs,
    registry: &StrategyRegistry,
    stop: &AtomicBool,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    let mut config = config_file::load(args.config.as_deref(), terminal)?;
    trade_nothing(&mut config);
    listen_only(&mut config);
    let record = RecorderOptions {
        folder: args.out.clone(),
        file_bytes_max: args.file_mib * MIB,
        bytes_max: args.disk_mib * MIB,
    };
    let options = LaunchOptions { record: Some(record), ..LaunchOptions::default() };
    let engine = launch_with(config, registry, options)
        .map_err(|error| config_file::refused(&error, terminal))?;
    let totals = engine.recorder().unwrap_or_default();
    let started = Instant::now();
    loop {
        let elapsed = started.elapsed();
        let is_over = args.duration.is_some_and(|duration| elapsed >= duration);
        let is_asked = stop.load(Ordering::Acquire) || engine.is_killed();
        if is_over || is_asked || engine.has_failed() || totals.end().is_some() {
            break;
        }
        let left = args.duration.map_or(POLL, |duration| duration - elapsed);
        std::thread::sleep(POLL.min(left));
    }
    let Some(report) = engine.stop() else {
        terminal.complain("the engine left no report");
        return Err(Exit::Failed);
    };
    terminal.print(&gap_report(&args.out, &totals, &report))?;
    let is_whole = totals.end().is_none() && totals.connections().iter().all(|c| c.lost == 0);
    match Exit::of_report(&report) {
        Exit::Ok if !is_whole => Ok(Exit::MarketDataIncomplete),
        exit => Ok(exit),
    }
}

/// Market data of every kind for all instruments, and no order: none is sent, and none that the
/// account has is changed or cancelled, at the start, by a timer or at the stop. A journal that is
/// another engine's is left alone.
pub(crate) fn trade_nothing(config: &mut Config) {
    config.risk.trading = false;
    (config.risk.on_start, config.risk.on_stop) = (OnStart::Adopt, OnStop::Leave);
    config.risk.sole_engine = false;
    config.journal.dir = None;
    config.consumers = vec![ConsumerConfig::of_strategy("noop")];
    config.venues.iter_mut().for_each(|venue| venue.dead_man_ms = None);
}

/// No order session at any venue. A key stays where market data
/// takes one.
pub(crate) fn listen_only(config: &mut Config) {
    for venue in &mut config.venues {
        (venue.api_url, venue.private_key_file) = (None, None);
        if VenueKind::find(&venue.kind).is_none_or(|kind| kind.key_header.is_none()) {
            (venue.api_key, venue.api_key_env) = (None, None);
        }
    }
}

/// What was recorded, and where something is missing.
fn gap_report(folder: &Path, totals: &RecorderTotals, report: &Report) -> String {
    let mut text = format!("Recorded in {}\n\n", escaped(&folder.display().to_string()));
    text.push_str("connection                frames      sent  snapshots       KiB  files  lost\n");
    let connections = totals.connections();
    for connection in &connections {
        let RecordedConnection { frames, sent, snapshots, bytes, files, lost, .. } = connection;
        let name = format!("{}:{}", connection.venue, connection.role);
        text.push_str(&format!(
            "{name:<22} {frames:>9} {sent:>9} {snapshots:>10} {:>9} {files:>6} {lost:>5}\n",
            bytes >> 10
        ));
    }
    text.push_str("\nGaps\n\n");
    for venue in &report.venues {
        let counters = &venue.counters;
        text.push_str(&format!(
            "{}: {} of the venue, {} by checksum, {} reconnects, {} frames refused\n",
            venue.name, counters.gaps, counters.mismatches, counters.reconnects, counters.refused
        ));
    }
    for connection in &connections {
        for (time_ns, note) in &connection.notes {
            let name = format!("{}:{}", connection.venue, connection.role);
            let at = jiff::Timestamp::from_nanosecond(i128::from(*time_ns));
            let at = at.map_or_else(|_| time_ns.to_string(), |at| format!("{at:.6}"));
            text.push_str(&format!("{at} {name} {}\n", escaped(note)));
        }
        if connection.notes_left_out > 0 {
            let more = connection.notes_left_out;
            text.push_str(&format!("{more} more of {}: see its notes\n", connection.role));
        }
        if connection.lost > 0 {
            let lost = connection.lost;
            text.push_str(&format!("{}: {lost} texts were lost on their way\n", connection.role));
        }
    }
    if let Some(end) = totals.end() {
        text.push_str(&format!("\nThe recording ended early: {}\n", escaped(&end)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A timer that is stood down at the stop would be the one of an engine that trades meanwhile.
    #[test]
    fn who_only_listens_sets_no_timer_takes_no_journal_and_cancels_nothing() {
        let text = "[risk]\non_start = 'cancel'\nsole_engine = true\non_stop = 'cancel_all'\n\
                    [journal]\ndir = 'kept'\n\
                    [[venue]]\nname = 'far'\nkind = 'okx'\n\
                    stream_url = 'ws://127.0.0.1:1'\ndead_man_ms = 10000\n";
        let mut config = Config::parse(text, "here").unwrap();
        trade_nothing(&mut config);
        assert_eq!(config.venues[0].dead_man_ms, None);
        assert!(!config.risk.trading && !config.risk.sole_engine && config.journal.dir.is_none());
        let (start, stop) = (config.risk.on_start, config.risk.on_stop);
        assert!(matches!((start, stop), (OnStart::Adopt, OnStop::Leave)));
    }
}
