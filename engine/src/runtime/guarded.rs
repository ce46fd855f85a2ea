//! What the watchdog watches over: a core with consumers, and each of them.

use std::sync::Arc;
use std::sync::atomic::AtomicU8;

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;

use super::StallBook;
use super::eye::Eye;
use super::home::{CoreRules, ThreadId};
use crate::event::ConsumerId;
use crate::telemetry::Terms;

/// A consumer as the watchdog knows it.
#[derive(Clone)]
pub struct GuardedConsumer {
    /// Its number.
    pub id: ConsumerId,
    /// Its name.
    pub name: String,
    /// Time that a callback may take, ns.
    pub budget_ns: u64,
    /// Where its stalls are counted.
    pub stalls: Arc<StallBook>,
    /// What the dispatcher counts for it.
    pub published: Arc<CachePadded<Terms>>,
}

/// A core with consumers, on its way to the watchdog.
pub struct Watched {
    pub(super) name: String,
    pub(super) core: Option<usize>,
    pub(super) agents: Arc<Mutex<Vec<String>>>,
    pub(super) pinned: Arc<AtomicU8>,
    pub(super) rules: CoreRules,
    pub(super) thread: ThreadId,
    pub(super) watch: Eye,
    pub(super) guarded: Vec<GuardedConsumer>,
}
