//! Cores that others wanted, too: in the report and in what `ctl status` shows.

use std::fmt::Write as _;

use pitlane_engine::runtime::ContentionFigures;
use pitlane_engine::text::escaped;

use crate::table::{count, render, table};

/// Busy processes that are shown of a core.
const TAKERS_SHOWN: usize = 3;

/// Each core that somebody stayed on, and who; nothing where there is none.
pub(crate) fn contention(cores: &[ContentionFigures]) -> String {
    let contended: Vec<_> = cores.iter().filter(|core| core.spells > 0).collect();
    if contended.is_empty() {
        return String::new();
    }
    let heads = ["contended", ">core", ">taken ms", ">spells", "now", "priority", "by"];
    let mut table = table(&heads);
    for core in contended {
        table.add_row([
            core.thread.clone(),
            core.core.map_or_else(|| "any".to_owned(), |core| core.to_string()),
            count(core.taken_ns / 1_000_000),
            count(core.spells),
            if core.is_contended { "yes" } else { "no" }.to_owned(),
            if core.is_raised { "raised" } else { "as started" }.to_owned(),
            takers(core),
        ]);
    }
    format!(
        "{}taken: the thread wanted to run, and others did, in gaps of 0.5 ms or more;\n\
         beside them: what they burned there\n",
        render(&table)
    )
}

fn takers(core: &ContentionFigures) -> String {
    let mut text = String::new();
    for taker in core.takers.iter().take(TAKERS_SHOWN) {
        let separator = if text.is_empty() { "" } else { ", " };
        let own = if taker.is_own { "own thread " } else { "" };
        let (name, ms) = (escaped(&taker.name), count(taker.burned_ns / 1_000_000));
        let _infallible = write!(text, "{separator}{own}{name} (pid {}) {ms} ms", taker.pid);
    }
    if text.is_empty() { "nobody that can be seen".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use pitlane_engine::runtime::Taker;

    use super::*;

    #[test]
    fn it_says_who_took_a_core_and_how_much() {
        let quiet = ContentionFigures { taken_ns: 5_000_000, ..Default::default() };
        assert_eq!(contention(std::slice::from_ref(&quiet)), "");
        let taker = |name: &str, ms: u64| Taker {
            pid: 7,
            name: name.to_owned(),
            is_own: false,
            burned_ns: ms * 1_000_000,
        };
        let busy = ContentionFigures {
            thread: "consumers".to_owned(),
            core: Some(1),
            taken_ns: 2_310_000_000,
            spells: 2,
            is_contended: true,
            is_raised: false,
            takers: vec![taker("python3", 2_290), taker("x\u{1b}[2J", 3)],
        };
        let text = contention(&[quiet, busy]);
        for expected in ["consumers", "2,310", "as started", "python3 (pid 7) 2,290 ms"] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
