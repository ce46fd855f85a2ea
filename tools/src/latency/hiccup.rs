//! `latency hiccup`: what the platform does to threads that spin on given cores.
//!
//! Open loop: ticks fall due on a fixed schedule, and each is recorded with the time by which it
//! was seen late, so that a stall of 10 ms shows in every tick that fell into it. The loop
//! allocates nothing: histograms go to the writer and come back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use core_affinity::CoreId;
use hdrhistogram::Histogram;
use pitlane_engine::telemetry::{HlogWriter, new_histogram};
use pitlane_engine::world::Files;
use serde_json::json;

use super::cli::HiccupArgs;
use super::console::Console;
use super::error::VerbError;
use super::summary::wide_table;
use crate::exit::Exit;
use crate::{signals, table};

/// Length of an interval of the log.
const INTERVAL: Duration = Duration::from_secs(1);

/// Ticks of the first moments are not recorded: caches are cold, the clock speed still rises.
const WARM_UP: Duration = Duration::from_millis(200);

/// One second of one core.
struct Report {
    core: usize,
    index: u64,
    histogram: Histogram<u64>,
}

/// Runs `hiccup`.
///
/// # Errors
/// [`VerbError`].
pub fn run(args: &HiccupArgs, console: &mut Console<'_>) -> Result<Exit, VerbError> {
    check_cores(&args.cores)?;
    let stop = signals::stop_on_signals()
        .map_err(|source| VerbError::Usage(format!("no signal handler: {source}")))?;
    let started = SystemTime::now();
    let header = [
        format!(
            "Hiccups: a tick every {} ns on cores {:?}",
            args.resolution.as_nanos(),
            args.cores
        ),
        "Values: how late a tick was seen by a pinned, spinning thread".to_owned(),
    ];
    let mut log = HlogWriter::create(&Files::Real, &args.output, started, &header)
        .map_err(|error| VerbError::output("hiccup", std::io::Error::other(error)))?;
    if console.err_is_terminal && args.duration.is_none() {
        let _ignored = writeln!(console.err, "recording to {}; Ctrl-C ends", args.output.display());
    }
    let (reports, inbox) = channel();
    let origin = Instant::now() + WARM_UP;
    let mut threads = Vec::new();
    for &core in &args.cores {
        threads.push(Spinner::start(core, args.resolution, origin, &reports, &stop));
    }
    drop(reports);
    let deadline = args.duration.map(|duration| origin + duration);
    let totals = write_reports(&inbox, &threads, &mut log, deadline, &stop);
    stop.store(true, Ordering::Relaxed);
    let pinned = threads.into_iter().map(Spinner::join).collect::<Vec<_>>();
    let totals = totals?;
    for (core, pinned) in args.cores.iter().zip(pinned) {
        if !pinned {
            console.warn(&format!("core {core}: its thread could not be pinned there"));
        }
    }
    show(args, &totals, console)?;
    Ok(Exit::Ok)
}

/// The cores must be in the mask of this process, each once.
fn check_cores(cores: &[usize]) -> Result<(), VerbError> {
    let allowed: Vec<_> =
        core_affinity::get_core_ids().unwrap_or_default().iter().map(|core| core.id).collect();
    for (index, core) in cores.iter().enumerate() {
        if !allowed.contains(core) {
            let what = format!("core {core} is not among those of this process: {allowed:?}");
            return Err(VerbError::Usage(what));
        }
        if cores[..index].contains(core) {
            return Err(VerbError::Usage(format!("core {core} is named twice")));
        }
    }
    Ok(())
}

/// A pinned thread, and the way on which its histograms come back to it.
struct Spinner {
    core: usize,
    returned: Sender<Histogram<u64>>,
    thread: JoinHandle<bool>,
}

impl Spinner {
    fn start(
        core: usize,
        resolution: Duration,
        origin: Instant,
        reports: &Sender<Report>,
        stop: &Arc<AtomicBool>,
    ) -> Spinner {
        let (returned, spares) = channel();
        let (reports, stop) = (reports.clone(), Arc::clone(stop));
        let _ = returned.send(new_histogram());
        let thread = thread::spawn(move || {
            let pinned = core_affinity::set_for_current(CoreId { id: core });
            spin(core, resolution, origin, &reports, &spares, &stop);
            pinned
        });
        Spinner { core, returned, thread }
    }

    fn join(self) -> bool {
        drop(self.returned);
        self.thread.join().unwrap_or(false)
    }
}

fn spin(
    core: usize,
    resolution: Duration,
    origin: Instant,
    reports: &Sender<Report>,
    spares: &Receiver<Histogram<u64>>,
    stop: &AtomicBool,
) {
    let mut histogram = new_histogram();
    let (mut due, mut index) = (origin, 0_u64);
    while !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        let boundary = origin + INTERVAL * (index as u32 + 1);
        while due <= now && due < boundary {
            histogram.saturating_record((now - due).as_nanos() as u64);
            due += resolution;
        }
        if due >= boundary && now >= boundary {
            // Without a spare the next second is joined to this one: better than to wait or to
            // allocate.
            if let Ok(spare) = spares.try_recv() {
                let full = std::mem::replace(&mut histogram, spare);
                if reports.send(Report { core, index, histogram: full }).is_err() {
                    return;
                }
            }
            index += 1;
        }
        std::hint::spin_loop();
    }
}

/// Writes reports until the end; returns the sum for each core.
fn write_reports(
    inbox: &Receiver<Report>,
    threads: &[Spinner],
    log: &mut HlogWriter,
    deadline: Option<Instant>,
    stop: &AtomicBool,
) -> Result<BTreeMap<usize, Histogram<u64>>, VerbError> {
    let mut totals: BTreeMap<usize, Histogram<u64>> = BTreeMap::new();
    let mut waiting: BTreeMap<u64, (usize, Histogram<u64>)> = BTreeMap::new();
    let fail = |error| VerbError::output("hiccup", std::io::Error::other(error));
    loop {
        // The last second is reported just after the deadline.
        let over = deadline.is_some_and(|deadline| Instant::now() > deadline + INTERVAL / 4);
        if over || stop.load(Ordering::Relaxed) {
            return Ok(totals);
        }
        let report = match inbox.recv_timeout(Duration::from_millis(50)) {
            Ok(report) => report,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(totals),
        };
        let Report { core, index, mut histogram } = report;
        let start = WARM_UP + INTERVAL * index as u32;
        log.append(&format!("core:{core}"), start, INTERVAL, &histogram).map_err(fail)?;
        // All have the same bounds.
        let _ = totals.entry(core).or_insert_with(new_histogram).add(&histogram);
        let (seen, sum) = waiting.entry(index).or_insert_with(|| (0, new_histogram()));
        // All have the same bounds.
        let _ = sum.add(&histogram);
        *seen += 1;
        if *seen == threads.len() {
            log.append("", start, INTERVAL, sum).map_err(fail)?;
            waiting.remove(&index);
        }
        histogram.reset();
        if let Some(thread) = threads.iter().find(|thread| thread.core == core) {
            let _ended = thread.returned.send(histogram);
        }
    }
}

fn show(
    args: &HiccupArgs,
    totals: &BTreeMap<usize, Histogram<u64>>,
    console: &mut Console<'_>,
) -> Result<(), VerbError> {
    let unit = args.show.unit;
    const PERCENTILES: [f64; 5] = [50.0, 99.0, 99.9, 99.99, 100.0];
    let mut table = wide_table(&["Core", ">Ticks", ">50%", ">99%", ">99.9%", ">99.99%", ">Max"]);
    let mut rows = Vec::new();
    for (core, total) in totals {
        let values = PERCENTILES.map(|percentile| total.value_at_percentile(percentile));
        let mut row = vec![core.to_string(), total.len().to_string()];
        row.extend(values.map(|value| unit.text(value as f64)));
        table.add_row(row);
        rows.push(json!({
            "core": core, "ticks": total.len(), "percentiles": PERCENTILES,
            "values": values.map(|value| unit.of(value)),
        }));
    }
    let output = args.output.display().to_string();
    if args.show.json {
        let result = json!({ "unit": unit.name(), "written": output, "cores": rows });
        return console.print_json(&result);
    }
    let text = table::render(&table);
    console.print(&format!("{text}\nhow late a tick was seen, in {}; log: {output}\n", unit.name()))
}
