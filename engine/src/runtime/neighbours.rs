//! Who is busy on a core that is contended.
//!
//! Source: `/proc/PID/stat` of every process, then `/proc/PID/task/*` of those that have burned
//! anything since. That takes about 10 us a process, so it is done by housekeeping, once a second,
//! and only while a core is contended. Processes of other containers, and all of them where `/proc`
//! hides those of others, are not seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ContentionBook, Taker};
use crate::world::{kernel_names, kernel_text_lossy};

/// Between two polls, ns.
const POLL_NS: u64 = 1_000_000_000;
/// From the first look, which only notes where everybody stands, to the second, ns.
const SECOND_POLL_NS: u64 = 250_000_000;
/// How long it goes on looking when no core is contended any more, ns: a spell may be over before
/// the second look, and who is there comes back.
const LINGER_NS: u64 = 2_000_000_000;
/// Between two log lines of a core, ns.
const TELL_NS: u64 = 60_000_000_000;
/// Nanoseconds of a hundredth of a second, in which `stat` counts.
const TICK_NS: u64 = 10_000_000;

/// Looks for whoever burns on contended cores.
#[derive(Default)]
pub struct Neighbours {
    books: Vec<Arc<ContentionBook>>,
    next_poll_ns: u64,
    /// It looks until then, whatever comes.
    linger_until_ns: u64,
    /// Processor time of each process when it was looked at last, ns; empty between two spells.
    processes: BTreeMap<u32, u64>,
    /// The same of threads.
    tasks: BTreeMap<u32, u64>,
    /// By book, when its present spell was told.
    told: Vec<Told>,
}

#[derive(Clone, Copy, Default)]
struct Told {
    at_ns: Option<u64>,
    is_told: bool,
    /// Spells of the core when it was looked at last.
    spells: u64,
}

/// A line of `stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat<'t> {
    name: &'t str,
    burned_ns: u64,
    core: usize,
}

impl Neighbours {
    /// Looks after these cores.
    #[must_use]
    pub fn new(books: Vec<Arc<ContentionBook>>) -> Neighbours {
        let told = vec![Told::default(); books.len()];
        Neighbours { books, told, ..Neighbours::default() }
    }

    /// Looks, where a core is contended and its time has come.
    pub fn poll(&mut self, now_ns: u64) {
        let is_new = |(book, told): (&Arc<ContentionBook>, &Told)| {
            book.core().is_some() && (book.is_contended() || book.spells() > told.spells)
        };
        if self.books.iter().zip(&self.told).any(is_new) {
            self.linger_until_ns = now_ns + LINGER_NS;
        }
        if now_ns >= self.linger_until_ns {
            if !self.processes.is_empty() {
                *self =
                    Neighbours { told: self.told.clone(), ..Neighbours::new(self.books.clone()) };
                self.told.iter_mut().for_each(|told| told.is_told = false);
            }
            return;
        }
        if now_ns < self.next_poll_ns {
            return;
        }
        let is_first = self.processes.is_empty();
        self.next_poll_ns = now_ns + if is_first { SECOND_POLL_NS } else { POLL_NS };
        let burned = self.burned();
        if is_first {
            return;
        }
        for (book, told) in self.books.iter().zip(&mut self.told) {
            let has_come = std::mem::replace(&mut told.spells, book.spells()) < book.spells();
            if !book.is_contended() && !has_come {
                told.is_told = false;
                continue;
            }
            let here = burned.iter().filter(|(core, _)| Some(*core) == book.core());
            book.name(here.map(|(_, taker)| taker.clone()));
            told.tell(book, now_ns);
        }
    }

    /// What each process has burned on each core since the last look.
    fn burned(&mut self) -> Vec<(usize, Taker)> {
        let own = std::process::id();
        let mut burned = Vec::new();
        let mut present = BTreeMap::new();
        for pid in numbers("/proc") {
            let Some(text) = kernel_text_lossy(format!("/proc/{pid}/stat")) else { continue };
            let Some(stat) = Stat::read(&text) else { continue };
            present.insert(pid, stat.burned_ns);
            let spent_ns = match self.processes.get(&pid) {
                Some(before_ns) => stat.burned_ns.saturating_sub(*before_ns),
                None if self.processes.is_empty() => 0,
                None => stat.burned_ns,
            };
            if spent_ns > 0 || pid == own {
                let name = stat.name.to_owned();
                self.burned_by_tasks(pid, spent_ns, pid == own, &name, &mut burned);
            }
        }
        self.processes = present;
        burned
    }

    fn burned_by_tasks(
        &mut self,
        pid: u32,
        spent_ns: u64,
        is_own: bool,
        name: &str,
        burned: &mut Vec<(usize, Taker)>,
    ) {
        let tasks = numbers(&format!("/proc/{pid}/task"));
        let is_alone = tasks.len() == 1;
        for tid in tasks {
            let path = format!("/proc/{pid}/task/{tid}");
            let Some(text) = kernel_text_lossy(format!("{path}/stat")) else { continue };
            let Some(stat) = Stat::read(&text) else { continue };
            let exact = kernel_text_lossy(format!("{path}/schedstat"));
            let exact_ns = exact.and_then(|text| text.split(' ').next()?.parse().ok());
            let burned_ns = exact_ns.unwrap_or(stat.burned_ns);
            let before_ns = self.tasks.insert(tid, burned_ns);
            let task_ns = match before_ns {
                Some(before_ns) => burned_ns.saturating_sub(before_ns),
                None if is_alone => spent_ns,
                None => 0,
            };
            if task_ns == 0 || (is_own && self.is_pinned(stat.name)) {
                continue;
            }
            let name = if is_own { stat.name } else { name }.to_owned();
            burned.push((stat.core, Taker { pid, name, is_own, burned_ns: task_ns }));
        }
    }

    /// Whether it is a thread that the cores are planned for. The kernel keeps 15 bytes of a name.
    fn is_pinned(&self, name: &str) -> bool {
        let starts =
            |book: &Arc<ContentionBook>| book.thread().as_bytes().starts_with(name.as_bytes());
        self.books.iter().any(starts)
    }
}

impl Told {
    fn tell(&mut self, book: &ContentionBook, now_ns: u64) {
        let is_due = self.at_ns.is_none_or(|at_ns| now_ns >= at_ns + TELL_NS);
        if std::mem::replace(&mut self.is_told, true) || !is_due {
            return;
        }
        self.at_ns = Some(now_ns);
        let figures = book.read();
        log::warn!(
            "[{}] core {} is contended by {}: its thread takes short naps instead of yielding{}",
            figures.thread,
            figures.core.map_or_else(|| "any".to_owned(), |core| core.to_string()),
            figures.busiest(),
            if figures.is_raised { ", and has raised its priority" } else { "" },
        );
    }
}

impl<'t> Stat<'t> {
    /// The name may hold anything, also brackets: the fields start behind the last one.
    fn read(text: &'t str) -> Option<Stat<'t>> {
        let (head, fields) = text.rsplit_once(')')?;
        let name = head.split_once('(')?.1;
        let mut fields = fields.split_ascii_whitespace().skip(11);
        let user: u64 = fields.next()?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        let core = fields.nth(23)?.parse().ok()?;
        Some(Stat { name, burned_ns: (user + system) * TICK_NS, core })
    }
}

/// The names in a folder that are numbers, ascending.
fn numbers(folder: &str) -> Vec<u32> {
    let names = kernel_names(folder).into_iter();
    let mut numbers: Vec<u32> = names.filter_map(|name| name.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_brackets() {
        let text = "7 (a) R (b) R 1 7 7 0 -1 4194304 1 0 0 0 12 3 0 0 20 0 1 0 5 6 7 8 9 10 11 \
                    12 13 14 15 16 17 18 19 20 21 1 0 0 0 0 0\n";
        let stat = Stat::read(text).expect("a whole line");
        assert_eq!(stat, Stat { name: "a) R (b", burned_ns: 15 * TICK_NS, core: 1 });
        assert_eq!(Stat::read("7 (a) R 1"), None);
    }

    #[test]
    fn a_spell_that_is_over_before_the_second_look_has_its_names_too() {
        let book = |core| ContentionBook::new("pinned".into(), Some(core));
        let books: Vec<_> = (0..256).map(book).collect();
        for book in &books {
            book.begin(false);
            book.end();
        }
        let mut neighbours = Neighbours::new(books.clone());
        neighbours.poll(0);
        let started = std::process::id();
        let mut turns = 0_u64;
        let own = || kernel_text_lossy("/proc/thread-self/schedstat").unwrap_or_default();
        let burned = || own().split(' ').next().and_then(|text| text.parse::<u64>().ok());
        let before = burned();
        while burned().zip(before).is_some_and(|(now, before)| now < before + 2 * TICK_NS) {
            (0..100_000).for_each(|turn: u64| turns = std::hint::black_box(turns ^ turn));
        }
        neighbours.poll(SECOND_POLL_NS);
        let is_named = |book: &Arc<ContentionBook>| {
            book.read().takers.iter().any(|taker| taker.pid == started && taker.is_own)
        };
        assert!(books.iter().any(is_named), "{turns}");
    }

    #[test]
    fn whoever_burns_where_a_core_is_contended_is_named() {
        // Whichever core this thread is on, its book is among these; its name is not a pinned one.
        let book = |core| ContentionBook::new("pinned".into(), Some(core));
        let books: Vec<_> = (0..256).map(book).collect();
        books.iter().for_each(|book| book.begin(false));
        let mut neighbours = Neighbours::new(books.clone());
        let own = std::process::id();
        let is_named = |book: &Arc<ContentionBook>| {
            book.read().takers.iter().any(|taker| taker.pid == own && taker.is_own)
        };
        let mut looks = 0;
        let mut turns = 0_u64;
        while !books.iter().any(is_named) {
            // Burns until the kernel's account of it has moved.
            (0..1_000_000).for_each(|turn: u64| turns = std::hint::black_box(turns ^ turn));
            neighbours.poll(looks * POLL_NS);
            looks += 1;
            assert!(looks < 10_000, "{turns}");
        }
        books.iter().for_each(|book| book.end());
        neighbours.poll(looks * POLL_NS);
        assert!(!neighbours.processes.is_empty(), "they may come back");
        neighbours.poll(looks * POLL_NS + LINGER_NS);
        assert!(neighbours.processes.is_empty() && neighbours.tasks.is_empty());
    }
}
