//! The owner of the merge rules: makes tables off the hot path and has the orchestrator take them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use thiserror::Error;

use crate::orchestrator::merge::{MergePort, MergeRule, MergeRuleError, MergeTable};
use crate::runtime::CoreWakers;

/// A change that the orchestrator has not taken by then is withdrawn.
const DEADLINE: Duration = Duration::from_millis(500);

/// Why the merge rules were not changed; those before are in force.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum MergeChangeError {
    #[error("[merge] change failed: {} (code: bad-rule)", told(.0))]
    BadRules(Vec<MergeRuleError>),
    #[error("[merge] change failed: the orchestrator did not take it in {0:?} (code: deadline)")]
    Deadline(Duration),
    #[error("[merge] change failed: the engine is stopping (code: stop)")]
    Stopped,
}

/// The orchestrator's port and its waker.
pub(super) struct MergeRules {
    port: Arc<MergePort>,
    wakers: CoreWakers,
    /// One change at a time.
    changing: Mutex<()>,
}

impl MergeRules {
    pub(super) fn new(port: Arc<MergePort>, wakers: CoreWakers) -> MergeRules {
        MergeRules { port, wakers, changing: Mutex::new(()) }
    }

    pub(super) fn port(&self) -> &MergePort {
        &self.port
    }

    /// Replaces all rules. Blocks until the orchestrator has taken them, or the deadline is over.
    pub(super) fn set(&self, rules: &[MergeRule]) -> Result<(), MergeChangeError> {
        let mut table = Box::new(MergeTable::new(rules).map_err(MergeChangeError::BadRules)?);
        let _one_at_a_time = self.changing.lock();
        let started = Instant::now();
        while let Err(back) = self.port.staged.put(table) {
            if started.elapsed() > DEADLINE {
                return Err(MergeChangeError::Deadline(DEADLINE));
            }
            table = back;
            std::thread::yield_now();
        }
        self.wakers.wake();
        loop {
            if self.port.done.take().is_some() {
                return Ok(());
            }
            // Withdrawn only while it still lies there: once taken, it is in force.
            if started.elapsed() > DEADLINE && self.port.staged.take().is_some() {
                return Err(MergeChangeError::Deadline(DEADLINE));
            }
            if started.elapsed() > 2 * DEADLINE {
                return Err(MergeChangeError::Stopped);
            }
            std::thread::yield_now();
        }
    }
}

fn told(problems: &[MergeRuleError]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
