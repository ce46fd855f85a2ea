//! SC-009: consumers use the cores that they are given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pitlane_engine::consumer::{Context, Strategy, StrategyResult};
use pitlane_engine::event::Event;
use pitlane_engine::runtime::HostCores;
use rustix::time::{ClockId, clock_gettime};

use super::finding::{Finding, Verdict};
use super::plant::Plant;
use super::setting::Setting;
use super::trial::{Trial, TrialError};
use crate::table::count;

const PERCENT_MIN: u64 = 90;
/// CPU time of one callback.
const BURN_NS: u64 = 200_000;
const SUBSCRIBERS_MIN: usize = 5;
/// Rate that keeps every lane filled.
const EVENTS_PER_S: u32 = 100_000;
/// Turns of the loop between two polls of the clock, well below a microsecond.
const TURNS: u32 = 64;

/// What all burners did together.
#[derive(Default)]
struct Burnt {
    /// Time within callbacks.
    callback_ns: AtomicU64,
    /// CPU time within callbacks.
    cpu_ns: AtomicU64,
    callbacks: AtomicU64,
    /// From the first callback on.
    first_ns: AtomicU64,
    last_ns: AtomicU64,
}

struct Burner {
    burnt: Arc<Burnt>,
    started: Instant,
}

pub(crate) fn check(setting: &Setting<'_>) -> Result<Finding, TrialError> {
    let events = setting.scale.burnt_events;
    let given = cores_for_consumers(&HostCores::read().ids);
    let subscribers = SUBSCRIBERS_MIN.next_multiple_of(given.len());
    let mut trial = Trial::new(setting, events, EVENTS_PER_S);
    trial.config.lanes.market = (events as usize * 2).next_power_of_two();
    // A stop must not cut the burning short: it drains what the lanes hold.
    let needed_ms = events * BURN_NS * subscribers as u64 / given.len() as u64 / 1_000_000;
    trial.config.engine.drain_deadline_ms = needed_ms * 4 + 3_000;
    trial.config.cores.consumers = Some(match setting.plant {
        Plant::OneCore => given[..1].to_vec(),
        _ => given.clone(),
    });
    let burnt = Arc::new(Burnt { first_ns: AtomicU64::new(u64::MAX), ..Burnt::default() });
    let started = Instant::now();
    for number in 0..subscribers {
        let burnt = Arc::clone(&burnt);
        let make = move || Burner { burnt: Arc::clone(&burnt), started };
        trial = trial.consumer(&format!("burner-{number}"), make);
    }
    let report = trial.run()?.report;
    let read = |figure: &AtomicU64| figure.load(Ordering::Acquire);
    let elapsed_ns = read(&burnt.last_ns).saturating_sub(read(&burnt.first_ns)).max(1);
    let percent = |sum_ns: u64| sum_ns * 100 / (elapsed_ns * given.len() as u64);
    let in_callbacks = percent(read(&burnt.callback_ns));
    let callbacks = read(&burnt.callbacks);
    let finding = Finding {
        done: format!(
            "{subscribers} subscribers burn {} us of CPU time on each of {} events, on {} core(s) \
             given to consumers: {given:?}",
            BURN_NS / 1_000,
            count(events),
            given.len()
        ),
        measured: format!(
            "{in_callbacks} % of the given cores' time in callbacks ({} % as CPU time, the \
             rest was other processes')",
            percent(read(&burnt.cpu_ns))
        ),
        bound: format!("above {PERCENT_MIN} % of the cores given"),
        verdict: Verdict::Skipped,
        attack: format!(
            "{} callbacks, {} ms of CPU time, {} events conflated",
            count(callbacks),
            count(read(&burnt.cpu_ns) / 1_000_000),
            report.consumers.iter().map(|c| c.terms.conflated + c.terms.aggregated).sum::<u64>()
        ),
    };
    Ok(finding.judged(&[in_callbacks > PERCENT_MIN, callbacks == events * subscribers as u64]))
}

/// With three cores and more, the first is left to the dispatcher; with two, consumers get both.
fn cores_for_consumers(ids: &[usize]) -> Vec<usize> {
    let spare = usize::from(ids.len() > 2);
    ids.iter().copied().skip(spare).take(SUBSCRIBERS_MIN + 1).collect()
}

impl Strategy for Burner {
    fn on_event(&mut self, _event: &Event, _ctx: &mut Context) -> StrategyResult {
        let entered = Instant::now();
        let cpu_start_ns = thread_cpu_ns();
        let mut cpu_ns = 0;
        while cpu_ns < BURN_NS {
            (0..TURNS).for_each(|_| std::hint::spin_loop());
            cpu_ns = thread_cpu_ns() - cpu_start_ns;
        }
        let burnt = &*self.burnt;
        let since_ns = |instant: Instant| instant.duration_since(self.started).as_nanos() as u64;
        burnt.first_ns.fetch_min(since_ns(entered), Ordering::AcqRel);
        burnt.last_ns.fetch_max(self.started.elapsed().as_nanos() as u64, Ordering::AcqRel);
        burnt.callback_ns.fetch_add(entered.elapsed().as_nanos() as u64, Ordering::AcqRel);
        burnt.cpu_ns.fetch_add(cpu_ns, Ordering::AcqRel);
        burnt.callbacks.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }
}

/// CPU time of the calling thread: what a rival took from it does not count as work.
fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cores_are_both_for_consumers_and_more_leave_one_to_the_dispatcher() {
        assert_eq!(cores_for_consumers(&[0, 1]), [0, 1]);
        assert_eq!(cores_for_consumers(&[0, 1, 2]), [1, 2]);
        assert_eq!(cores_for_consumers(&(0..64).collect::<Vec<_>>()), [1, 2, 3, 4, 5, 6]);
    }
}
