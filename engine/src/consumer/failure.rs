//! Failures of strategies: contained one by one, counted by site, kept with their context.
//!
//! Every failure is counted by (kind, site). Per site the first is kept whole, and the last few
//! overall, so that a million panics grow nothing (FR-018). A failure is the one place on a
//! consumer's core that may allocate.

use std::backtrace::Backtrace;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::containment::{Caught, contain, printed};
use super::{StrategyError, StrategyResult};
use crate::event::ConsumerId;

/// Sites told apart; failures at further sites are counted together.
const SITES_MAX: usize = 256;
/// How a callback failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// It returned an error.
    Error,
    /// It panicked.
    Panic,
}

/// One failure with all of its context (FR-019).
#[derive(Clone, Debug, Serialize)]
pub struct FailureRecord {
    /// Error or panic.
    pub kind: FailureKind,
    /// Where: the source line of the panic, or of the `?` or `.into()` that made the error.
    pub site: String,
    /// What it said.
    pub message: String,
    /// The consumer.
    pub consumer: String,
    /// The thread it ran on.
    pub thread: String,
    /// The core it ran on at that moment.
    pub core: usize,
    /// The callback, or the kind of the event.
    pub callback: &'static str,
    /// Trace of the event; 0 when there was none.
    pub trace_id: u64,
    /// Venue of the event.
    pub venue: u16,
    /// Instrument of the event.
    pub instrument: u32,
    /// Its symbol; `None` when it has none, or there was no event.
    pub symbol: Option<String>,
    /// The venue's sequence of the event.
    pub sequence: u64,
    /// Routing version of the event.
    pub routing_version: u32,
    /// The stack: its own, or that of the first failure at its site. Resolved only when it is
    /// printed.
    #[serde(serialize_with = "resolved")]
    pub backtrace: Option<Arc<Backtrace>>,
}

impl FailureRecord {
    /// The stack as text. Takes milliseconds.
    #[must_use]
    pub fn stack(&self) -> Option<String> {
        self.backtrace.as_deref().map(printed)
    }
}

/// All but the backtrace, on one line.
impl fmt::Display for FailureRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FailureRecord { consumer, callback, kind, site, message, .. } = self;
        let kind = match kind {
            FailureKind::Error => "error",
            FailureKind::Panic => "panic",
        };
        write!(
            f,
            "[{consumer}] {callback} failed: {message} ({kind} at {site}; thread {}, core {}, \
             trace {}, venue {}, instrument {}{}, sequence {}, routing version {})",
            self.thread,
            self.core,
            self.trace_id,
            self.venue,
            self.instrument,
            self.symbol.as_ref().map_or_else(String::new, |symbol| format!(" {symbol}")),
            self.sequence,
            self.routing_version
        )
    }
}

fn resolved<S: Serializer>(
    backtrace: &Option<Arc<Backtrace>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match backtrace {
        Some(backtrace) => serializer.serialize_str(&printed(backtrace)),
        None => serializer.serialize_none(),
    }
}

/// How often one site failed, and the first failure there.
#[derive(Clone, Debug, Serialize)]
pub struct SiteCount {
    /// Failures at this site.
    pub count: u64,
    /// The first of them.
    pub first: FailureRecord,
}

/// All failures of one consumer. Bounded.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FailureLog {
    /// Failures of any kind.
    pub total: u64,
    /// By site, in the order in which the sites first failed; at most 256.
    pub sites: Vec<SiteCount>,
    /// Failures at sites beyond the first 256.
    pub at_further_sites: u64,
    /// The last failures, oldest first.
    pub last: VecDeque<FailureRecord>,
    #[serde(skip)]
    last_max: usize,
}

impl FailureLog {
    /// A log that keeps the last `last_max` failures whole.
    #[must_use]
    pub fn new(last_max: usize) -> FailureLog {
        FailureLog { last_max, ..FailureLog::default() }
    }

    /// Counts and keeps a failure, and returns how often its site has failed by now.
    pub fn record(&mut self, mut failure: FailureRecord) -> u64 {
        self.total += 1;
        let known = self
            .sites
            .iter_mut()
            .find(|site| site.first.site == failure.site && site.first.kind == failure.kind);
        let count = if let Some(site) = known {
            site.count += 1;
            match &failure.backtrace {
                None => failure.backtrace.clone_from(&site.first.backtrace),
                Some(stack) if site.first.backtrace.is_none() => {
                    site.first.backtrace = Some(Arc::clone(stack));
                }
                Some(_) => {}
            }
            site.count
        } else if self.sites.len() < SITES_MAX {
            self.sites.push(SiteCount { count: 1, first: failure.clone() });
            1
        } else {
            self.at_further_sites += 1;
            self.at_further_sites
        };
        if self.last_max > 0 {
            if self.last.len() == self.last_max {
                self.last.pop_front();
            }
            self.last.push_back(failure);
        }
        count
    }
}

/// What came out of a callback that failed.
pub(super) enum Fault {
    /// It returned this.
    Error(StrategyError),
    /// It panicked.
    Panic(Caught),
}

/// [`contain`] for a callback that says itself whether it failed.
#[inline]
pub(super) fn contain_callback(
    consumer: ConsumerId,
    callback: impl FnOnce() -> StrategyResult,
) -> Result<(), Fault> {
    // One level: a result in a result is taken apart after each callback, by a call.
    match contain(consumer, callback) {
        Ok(told) => told.map_err(Fault::Error),
        Err(caught) => Err(Fault::Panic(caught)),
    }
}

#[cfg(test)]
mod tests {
    use std::panic;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::consumer::containment::{PRINTING, install_panic_hook};

    fn failure(site: &str) -> FailureRecord {
        FailureRecord {
            kind: FailureKind::Panic,
            site: site.into(),
            message: "boom".into(),
            consumer: "c".into(),
            thread: "t".into(),
            core: 3,
            callback: "quote",
            trace_id: 1,
            venue: 0,
            instrument: 0,
            symbol: Some("BTC-USDT".into()),
            sequence: 0,
            routing_version: 0,
            backtrace: None,
        }
    }

    #[test]
    fn a_million_failures_grow_nothing() {
        let mut log = FailureLog::new(4);
        for index in 0..1_000_000_u64 {
            let count = log.record(failure(if index % 2 == 0 { "a" } else { "b" }));
            assert_eq!(count, index / 2 + 1);
        }
        assert_eq!((log.total, log.sites.len(), log.last.len()), (1_000_000, 2, 4));
        assert_eq!(log.sites.iter().map(|site| site.count).sum::<u64>(), 1_000_000);
    }

    #[test]
    fn sites_are_bounded_and_none_is_lost() {
        let mut log = FailureLog::new(0);
        for site in 0..300 {
            log.record(failure(&site.to_string()));
        }
        let counted: u64 = log.sites.iter().map(|site| site.count).sum();
        assert_eq!((log.sites.len(), counted + log.at_further_sites), (SITES_MAX, 300));
    }

    #[test]
    fn a_record_says_on_one_line_where_and_about_what_and_keeps_the_stack_apart() {
        // FR-019, SC-006
        install_panic_hook();
        // Another test may be printing one just now.
        let panics = || contain(ConsumerId(0), || panic!("planted")).unwrap_err();
        let caught = std::iter::repeat_with(panics).find(|caught| caught.backtrace.is_some());
        let caught = caught.unwrap();
        let record = FailureRecord { backtrace: caught.backtrace, ..failure("src/a.rs:7") };
        let line = record.to_string();
        assert_eq!(line.lines().count(), 1);
        for text in [
            "[c] quote failed: boom",
            "panic at src/a.rs:7",
            "thread t, core 3",
            "instrument 0 BTC-USDT,",
        ] {
            assert!(line.contains(text), "{text} is missing from {line}");
        }
        let json = serde_json::to_value(&record).unwrap();
        assert!(json["backtrace"].as_str().unwrap().contains("contain"), "{json}");
        assert!(serde_json::to_value(failure("a")).unwrap()["backtrace"].is_null());
    }

    #[test]
    fn while_a_stack_is_printed_none_is_taken_and_the_records_share_the_first_ones() {
        // FR-018: printing holds a lock of the process for milliseconds, and a core must not wait
        // for it.
        install_panic_hook();
        let panics = || contain(ConsumerId(0), || panic!("planted")).unwrap_err();
        let record = |caught: Caught| FailureRecord { backtrace: caught.backtrace, ..failure("a") };
        let mut log = FailureLog::new(4);
        PRINTING.fetch_add(1, Ordering::SeqCst);
        let without = panics();
        PRINTING.fetch_sub(1, Ordering::SeqCst);
        assert!(without.backtrace.is_none());
        log.record(record(without));
        let with = std::iter::repeat_with(panics).find(|caught| caught.backtrace.is_some());
        log.record(record(with.unwrap()));
        log.record(failure("a"));
        let first = log.sites[0].first.backtrace.as_ref().expect("what came later was kept");
        let last = log.last.back().and_then(|last| last.backtrace.as_ref()).expect("shared");
        assert!(Arc::ptr_eq(first, last) && log.sites[0].count == 3);
    }
}
