//! What others took of a pinned thread's core, and who they are.
//!
//! The thread itself counts what was taken; who it was is looked up by housekeeping
//! ([`super::Neighbours`]); anyone may read while they do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// What was taken of one core. Cheap to share.
#[derive(Debug)]
pub struct ContentionBook {
    thread: String,
    core: Option<usize>,
    taken_ns: AtomicU64,
    spells: AtomicU64,
    is_contended: AtomicBool,
    is_raised: AtomicBool,
    takers: Mutex<Vec<Taker>>,
}

/// A process that was busy on a core while that was contended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Taker {
    /// Its number.
    pub pid: u32,
    /// Its name, at most 15 bytes; of a thread of this engine, that thread's.
    pub name: String,
    /// Whether it is this engine itself.
    pub is_own: bool,
    /// What it burned on this core while it was looked at, ns. Counted in hundredths of a second.
    pub burned_ns: u64,
}

/// A reading of a [`ContentionBook`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContentionFigures {
    /// The pinned thread.
    pub thread: String,
    /// Its core; `None` when it is not pinned.
    pub core: Option<usize>,
    /// Time in which the thread wanted to run and did not, in gaps of 500 us or more, ns.
    pub taken_ns: u64,
    /// How often somebody came who stayed.
    pub spells: u64,
    /// Whether somebody is there now.
    pub is_contended: bool,
    /// Whether the thread could raise its priority against them, the last time.
    pub is_raised: bool,
    /// Who was busy there, the busiest first.
    pub takers: Vec<Taker>,
}

impl ContentionBook {
    /// A book without an entry, of the thread of this name that is planned for `core`.
    #[must_use]
    pub fn new(thread: String, core: Option<usize>) -> Arc<ContentionBook> {
        Arc::new(ContentionBook {
            thread,
            core,
            taken_ns: AtomicU64::new(0),
            spells: AtomicU64::new(0),
            is_contended: AtomicBool::new(false),
            is_raised: AtomicBool::new(false),
            takers: Mutex::default(),
        })
    }

    /// The thread's name.
    #[must_use]
    pub fn thread(&self) -> &str {
        &self.thread
    }

    /// The core that is asked about; `None` for a thread that is left to the scheduler.
    #[must_use]
    pub fn core(&self) -> Option<usize> {
        self.core
    }

    /// Whether somebody is there now.
    #[must_use]
    pub fn is_contended(&self) -> bool {
        self.is_contended.load(Ordering::Relaxed)
    }

    /// How often somebody came who stayed.
    #[must_use]
    pub fn spells(&self) -> u64 {
        self.spells.load(Ordering::Relaxed)
    }

    /// A reading.
    #[must_use]
    pub fn read(&self) -> ContentionFigures {
        ContentionFigures {
            thread: self.thread.clone(),
            core: self.core,
            taken_ns: self.taken_ns.load(Ordering::Relaxed),
            spells: self.spells.load(Ordering::Relaxed),
            is_contended: self.is_contended(),
            is_raised: self.is_raised.load(Ordering::Relaxed),
            takers: self.takers.lock().clone(),
        }
    }

    /// Adds what processes have burned there since they were looked at before.
    pub fn name(&self, burned: impl IntoIterator<Item = Taker>) {
        let mut takers = self.takers.lock();
        for new in burned {
            match takers.iter_mut().find(|taker| taker.pid == new.pid && taker.name == new.name) {
                Some(known) => known.burned_ns += new.burned_ns,
                None => takers.push(new),
            }
        }
        takers.sort_by_key(|taker| std::cmp::Reverse(taker.burned_ns));
        takers.truncate(TAKERS_MAX);
    }

    pub(super) fn take(&self, gap_ns: u64) {
        self.taken_ns.fetch_add(gap_ns, Ordering::Relaxed);
    }

    pub(super) fn begin(&self, is_raised: bool) {
        self.spells.fetch_add(1, Ordering::Relaxed);
        self.is_raised.store(is_raised, Ordering::Relaxed);
        self.is_contended.store(true, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.is_contended.store(false, Ordering::Relaxed);
    }
}

/// Processes kept for a core.
const TAKERS_MAX: usize = 8;

impl ContentionFigures {
    /// Who was busiest there, for a line of text.
    #[must_use]
    pub fn busiest(&self) -> String {
        let others: u64 = self.takers.iter().map(|taker| taker.burned_ns).sum();
        match self.takers.first() {
            None => "nobody that can be seen (another container, or the hypervisor)".to_owned(),
            Some(taker) => {
                let percent = taker.burned_ns * 100 / others.max(1);
                let who = if taker.is_own { "this engine's thread" } else { "process" };
                let name = crate::text::escaped(&taker.name);
                format!("{who} {name} (pid {}), {percent} % of what others burned there", taker.pid)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taker(pid: u32, burned_ns: u64) -> Taker {
        Taker { pid, name: format!("p{pid}"), is_own: false, burned_ns }
    }

    #[test]
    fn the_busiest_comes_first_and_the_list_is_short() {
        let book = ContentionBook::new("consumers".into(), Some(1));
        assert!(book.read().busiest().starts_with("nobody that can be seen"));
        book.name([taker(1, 10), taker(2, 50)]);
        book.name([taker(1, 140)]);
        assert_eq!(book.read().takers, [taker(1, 150), taker(2, 50)]);
        assert_eq!(book.read().busiest(), "process p1 (pid 1), 75 % of what others burned there");
        book.name((10..30).map(|pid| taker(pid, 1)));
        assert_eq!(book.read().takers.len(), TAKERS_MAX);
    }

    #[test]
    fn spells_are_counted_and_the_last_one_shows() {
        let book = ContentionBook::new("consumers".into(), None);
        book.begin(true);
        book.take(5);
        let figures = book.read();
        assert_eq!((figures.spells, figures.taken_ns), (1, 5));
        assert!(figures.is_contended && figures.is_raised);
        book.end();
        book.begin(false);
        assert!(book.is_contended() && !book.read().is_raised);
    }
}
