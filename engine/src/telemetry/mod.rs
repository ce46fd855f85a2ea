//! What people read: accounts, latency histograms, logs and dead letters. Nothing here steers the
//! engine.

mod allocations;
mod collector;
mod dead_letter_file;
mod fanout;
mod hlog;
mod last_interval;
mod latency_figures;
mod letters;
mod logging;
mod probe;
mod run_file;
mod sink;
mod terms;
mod thinning;

pub use allocations::Allocations;
pub use collector::{Collector, CollectorOptions, StageTotals};
pub(crate) use dead_letter_file::DISPATCHER;
pub use dead_letter_file::{DeadLetterFile, LetterNames, LetterVenue};
pub use fanout::FanoutSample;
pub use hlog::{
    GAUGE_PREFIX, GAUGES_LINE, HLOG_HIGHEST_NS, HlogError, HlogWriter, LineEncoder, WARM_UP_LINE,
    log_head, new_histogram,
};
pub use last_interval::{IntervalFigures, LastInterval};
pub use latency_figures::LatencyFigures;
pub use letters::{
    CHUNK_BYTES, DeadLetterCounts, Letter, LetterChunk, LetterSender, LetterSource, letter_lane,
};
pub(crate) use logging::detach_thread;
pub use logging::{LogDrain, LogLanes, LogRecord, attach_thread, install_logger, log_by_clock};
pub use probe::{Asks, ConsumerProbe, HistogramSet, Probe, ProbeLink};
pub use run_file::{FileLimits, RunFile};
pub use sink::{Sink, SinkWriter};
pub use terms::{CutPort, Term, Terms, TermsCut};
