//! Threads that give way to pinned ones where both share a core.

use std::time::Duration;

use rustix::process::{Pid, getpriority_process, setpriority_process};
use rustix::thread::{CpuSet, sched_setaffinity};
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

use crate::config::Profile;

/// Pause between two polls of a thread that nobody wakes: housekeeping and the controller.
///
/// Each look of a thread that slept takes 30 to 50 us on a virtual machine: two threads at 5 ms
/// are 1.6 % of a core, more than everything else that a quiet engine does.
pub(crate) fn poll_pause(profile: Profile) -> Duration {
    match profile {
        Profile::Latency | Profile::Balanced | Profile::Auto => Duration::from_millis(5),
        Profile::Quiet => Duration::from_millis(25),
    }
}

/// Makes the calling thread one that does not take a core away when it wakes, but waits until
/// whoever has it yields or uses up its slice (`SCHED_BATCH`).
///
/// Where cores are few, the simulated venue and housekeeping share them with the pinned threads.
/// Without this the write of an order wakes the venue, which takes the writer's core on the spot
/// and answers before the write has returned: measured on 2 shared cores, tick-to-trade p50 is 49
/// us so, and 24 to 28 us with it. On machines with cores to spare it changes nothing. A refusal
/// only costs that latency.
pub(crate) fn give_way() {
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
    let outcome = ThreadPriorityValue::try_from(NICE_0).map(|value| {
        set_thread_priority_and_policy(
            thread_native_id(),
            ThreadPriority::Crossplatform(value),
            policy,
        )
    });
    if !matches!(outcome, Ok(Ok(()))) {
        log::debug!("the scheduler refuses SCHED_BATCH: {outcome:?}");
    }
}

/// The value, of 0 to 99, that the crate turns into nice 0: it maps downwards from 19 to -20.
const NICE_0: u8 = 48;

/// Niceness of a thread that a take-over has removed from its core.
const NICE_ALONE: i32 = 10;
/// The least that the scheduler knows.
const NICE_LEAST: i32 = 19;

/// Moves a thread to `cores` and makes it give way to every other: it is held up in one callback,
/// and the core is another's now. `None` leaves it where the scheduler has it.
pub(super) fn leave_core(tid: i32, cores: Option<&Vec<usize>>) {
    set_nice(tid, NICE_ALONE);
    let Some(cores) = cores.filter(|cores| !cores.is_empty()) else { return };
    let mut mask = CpuSet::new();
    cores.iter().filter(|core| **core < CpuSet::MAX_CPU).for_each(|core| mask.set(*core));
    if let Some(Err(error)) = Pid::from_raw(tid).map(|tid| sched_setaffinity(Some(tid), &mask)) {
        log::warn!("moving thread {tid} off its core failed: {error}");
    }
}

/// Lets a thread run only when no other wants to. Not to be undone without privileges, and not
/// meant to.
pub(super) fn want_least(tid: i32) {
    set_nice(tid, NICE_LEAST);
}

/// Never makes a thread more important than it is: the whole engine may have been started with
/// `nice`.
fn set_nice(tid: i32, nice: i32) {
    // The kernel takes a thread's number where it asks for a process's.
    let set = |tid| match getpriority_process(Some(tid)) {
        Ok(present) if present >= nice => Ok(()),
        _ => setpriority_process(Some(tid), nice),
    };
    if let Some(Err(error)) = Pid::from_raw(tid).map(set) {
        log::warn!("nice {nice} of thread {tid} refused: {error}");
    }
}
