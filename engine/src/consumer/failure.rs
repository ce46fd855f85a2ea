//! Failures of strategies: contained one by one, counted by site, kept with their context.
//!
//! Every failure is counted by (kind, site). Per site the first is kept whole, and the last few overall,
//! so that a million panics grow nothing (FR-018). A failure is the one place on a consumer's core that
//! may allocate.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::{Arc, Once};

use serde::{Serialize, Serializer};

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
    /// Where: the source line of a panic, the callback of an error.
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
    /// The venue's sequence of the event.
    pub sequence: u64,
    /// Routing version of the event.
    pub routing_version: u32,
    /// The stack of a panic; resolved only when it is printed.
    #[serde(serialize_with = "resolved")]
    pub backtrace: Option<Arc<Backtrace>>,
}

impl FailureRecord {
    /// The stack of a panic as text; `None` for an error. Takes milliseconds.
    #[must_use]
    pub fn stack(&self) -> Option<String> {
        self.backtrace.as_ref().map(ToString::to_string)
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
             trace {}, venue {}, instrument {}, sequence {}, routing version {})",
            self.thread,
            self.core,
            self.trace_id,
            self.venue,
            self.instrument,
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
        Some(backtrace) => serializer.collect_str(backtrace),
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
    pub fn record(&mut self, failure: FailureRecord) -> u64 {
        self.total += 1;
        let known = self
            .sites
            .iter_mut()
            .find(|site| site.first.site == failure.site && site.first.kind == failure.kind);
        let count = if let Some(site) = known {
            site.count += 1;
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

/// A caught panic: what the hook saw.
#[derive(Debug)]
pub(crate) struct Caught {
    pub(super) message: String,
    pub(super) site: String,
    pub(super) backtrace: Option<Arc<Backtrace>>,
}

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
    static NOTED: RefCell<Option<(String, Arc<Backtrace>)>> = const { RefCell::new(None) };
}

/// Installs the process's panic hook once: a contained panic is noted for its record instead of being
/// printed; every other panic goes to the hook that was there before.
pub fn install_panic_hook() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CONTAINED.with(Cell::get) {
                note(info);
            } else {
                previous(info);
            }
        }));
    });
}

fn note(info: &PanicHookInfo<'_>) {
    let site = info.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let backtrace = Arc::new(Backtrace::force_capture());
    NOTED.with(|noted| {
        // A panic inside the error path must not turn into an abort: an unavailable cell is left alone.
        if let Ok(mut noted) = noted.try_borrow_mut() {
            *noted = Some((site, backtrace));
        }
    });
}

/// Runs `callback` and catches its panic, whatever its payload does when it is dropped (F03).
#[inline]
pub(crate) fn contain<R>(callback: impl FnOnce() -> R) -> Result<R, Caught> {
    CONTAINED.with(|contained| contained.set(true));
    let outcome = panic::catch_unwind(AssertUnwindSafe(callback));
    let outcome = match outcome {
        Ok(value) => Ok(value),
        Err(payload) => Err(caught(payload)),
    };
    CONTAINED.with(|contained| contained.set(false));
    outcome
}

#[cold]
fn caught(payload: Box<dyn Any + Send>) -> Caught {
    let message = if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "panic with a payload that is no text".to_owned()
    };
    let noted = NOTED.with(|noted| noted.try_borrow_mut().ok().and_then(|mut noted| noted.take()));
    if let Err(second) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    match noted {
        Some((site, backtrace)) => Caught { message, site, backtrace: Some(backtrace) },
        None => Caught { message, site: "unknown".to_owned(), backtrace: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_contained_panic_is_caught_with_its_site_and_stack() {
        install_panic_hook();
        let caught = contain(|| panic!("planted {}", 7)).unwrap_err();
        assert_eq!(caught.message, "planted 7");
        assert!(caught.site.contains("failure.rs"), "{}", caught.site);
        assert!(caught.backtrace.is_some());
        assert!(matches!(contain(|| 3), Ok(3)));
    }

    #[test]
    fn a_record_says_on_one_line_where_and_about_what_and_keeps_the_stack_apart() {
        // FR-019, SC-006
        install_panic_hook();
        let caught = contain(|| panic!("planted")).unwrap_err();
        let record = FailureRecord { backtrace: caught.backtrace, ..failure("src/a.rs:7") };
        let line = record.to_string();
        assert_eq!(line.lines().count(), 1);
        for text in ["[c] quote failed: boom", "panic at src/a.rs:7", "thread t, core 3"] {
            assert!(line.contains(text), "{text} is missing from {line}");
        }
        let json = serde_json::to_value(&record).unwrap();
        assert!(json["backtrace"].as_str().unwrap().contains("contain"), "{json}");
        assert!(serde_json::to_value(failure("a")).unwrap()["backtrace"].is_null());
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_contained_too() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("second");
            }
        }
        install_panic_hook();
        let caught = contain(|| panic::panic_any(Bomb)).unwrap_err();
        assert!(caught.message.contains("no text"));
    }
}
