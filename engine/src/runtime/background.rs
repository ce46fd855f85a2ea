//! Threads that give way to pinned ones where both share a core.

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Makes the calling thread one that does not take a core away when it wakes, but waits until whoever has
/// it yields or uses up its slice (`SCHED_BATCH`).
///
/// Where cores are few, the embedded venue and housekeeping share them with the pinned threads. Without
/// this the write of an order wakes the venue, which takes the writer's core on the spot and answers
/// before the write has returned: measured on 2 shared cores, tick-to-trade p50 is 49 us so, and 24 to 28
/// us with it. On machines with cores to spare it changes nothing. A refusal only costs that latency.
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
