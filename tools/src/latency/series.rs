//! Reads whole logs into one sum for each series.

use super::console::Console;
use super::counts::{Counts, check_memory};
use super::distribution::Distribution;
use super::error::VerbError;
use super::interval::Interval;
use super::log_reader::{LogReader, Record, Selection, Tags};
use super::unit::Unit;

/// The sum of a series.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its tag; `None` for the untagged one.
    pub tag: Option<String>,
    /// Whether its values count events; else they are nanoseconds.
    pub is_gauge: bool,
    /// All its values.
    pub counts: Counts,
    /// Its intervals.
    pub intervals: u64,
    /// Length of all its intervals, in seconds. Logs that ran side by side count once each.
    pub seconds: f64,
    /// Start of its first interval, in seconds since the epoch.
    pub first_s: f64,
    /// End of its last interval, in seconds since the epoch.
    pub last_s: f64,
}

impl Series {
    /// Values a second; 0 when no time went by.
    #[must_use]
    pub fn rate_per_s(&self) -> f64 {
        if self.seconds > 0.0 { self.counts.total() as f64 / self.seconds } else { 0.0 }
    }

    /// The unit of its values where times are shown in `unit`.
    #[must_use]
    pub fn unit(&self, unit: Unit) -> Unit {
        if self.is_gauge { Unit::Events } else { unit }
    }

    fn starting_at(record: &Record<'_>, interval: &Interval) -> Series {
        Series {
            tag: record.tag.map(str::to_owned),
            is_gauge: record.is_gauge,
            counts: Counts::shaped(interval.layout()),
            intervals: 0,
            seconds: 0.0,
            first_s: record.absolute_s,
            last_s: record.absolute_s,
        }
    }

    fn add(&mut self, record: &Record<'_>, interval: &Interval) {
        self.counts.add(interval);
        self.intervals += 1;
        self.seconds += record.length_s;
        self.first_s = self.first_s.min(record.absolute_s);
        self.last_s = self.last_s.max(record.absolute_s + record.length_s);
    }
}

/// The name under which a series is shown.
#[must_use]
pub fn shown(tag: Option<&str>) -> String {
    match tag {
        None => "(untagged)".to_owned(),
        Some(tag) => super::line::printable(tag),
    }
}

/// Reads a log to its end and hands over each interval that is wanted. Warnings go to the console.
///
/// # Errors
/// What `each` returns, or [`VerbError::Input`] for a log that can't be read or holds nothing, or
/// [`VerbError::Usage`] for one without the tag that is wanted.
pub fn read(
    file: &str,
    selection: &Selection,
    console: &mut Console<'_>,
    mut each: impl FnMut(&LogReader, &Interval, &mut Console<'_>) -> Result<(), VerbError>,
) -> Result<LogReader, VerbError> {
    let mut reader = LogReader::open(file, console.err_is_terminal)?;
    let mut interval = Interval::default();
    let mut wanted = 0_u64;
    while reader.next(selection, &mut interval)? {
        wanted += 1;
        each(&reader, &interval, console)?;
        // On a terminal, results that come meanwhile show how far it is.
        if console.has_printed && console.out_is_terminal {
            reader.hide_progress();
        }
    }
    for warning in reader.finish()? {
        console.warn(&warning);
    }
    if wanted == 0 {
        return Err(nothing_wanted(&reader, selection));
    }
    Ok(reader)
}

/// Why a log with intervals has none that is wanted.
fn nothing_wanted(reader: &LogReader, selection: &Selection) -> VerbError {
    let names: Vec<_> = reader.tags().into_iter().map(|tag| shown(Some(tag))).collect();
    let names = names.join(", ");
    let name = reader.name();
    VerbError::Usage(match &selection.tags {
        Tags::Only(tag) if !reader.tags().contains(&tag.as_str()) => {
            format!("{name}: no tag `{}`; its tags: {names}", shown(Some(tag)))
        }
        Tags::Untagged if !names.is_empty() => {
            format!("{name}: no untagged series; choose one by --tag: {names}")
        }
        _ if reader.early() > 0 => format!(
            "{name}: no interval between --start and --end: {} start before the log's StartTime; \
             without --start they are read",
            reader.early()
        ),
        _ => format!("{name}: no interval between --start and --end"),
    })
}

/// The sums of all series that are wanted, over all files, in the order of their first appearance.
///
/// # Errors
/// As [`read`].
pub fn collect(
    files: &[String],
    selection: &Selection,
    console: &mut Console<'_>,
) -> Result<Vec<Series>, VerbError> {
    let mut all: Vec<Series> = Vec::new();
    for file in files {
        read(file, selection, console, |reader, interval, _| add_to(&mut all, reader, interval))?;
    }
    Ok(all)
}

/// Adds the interval that `reader` is at to its series.
///
/// # Errors
/// [`VerbError::Input`] when the sums take too much memory.
pub fn add_to(
    all: &mut Vec<Series>,
    reader: &LogReader,
    interval: &Interval,
) -> Result<(), VerbError> {
    let record = reader.record();
    let known = all.iter().position(|series| series.tag.as_deref() == record.tag);
    let index = known.unwrap_or_else(|| {
        all.push(Series::starting_at(&record, interval));
        all.len() - 1
    });
    all[index].add(&record, interval);
    let sums = all.iter().map(|series| &series.counts);
    check_memory(sums).map_err(|problem| reader.refuse(problem))
}
