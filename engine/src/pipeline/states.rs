//! What strategies save, and what they restore, while a pipeline is built.

use std::sync::Arc;

use crate::consumer::{ConsumerOptions, StateSaver};
use crate::event::ConsumerId;
use crate::journal::{SavedState, StatePort};

/// The states of all strategies.
pub(super) struct States {
    /// By consumer, what an earlier start has saved.
    pub(super) restores: Vec<Option<SavedState>>,
    /// Between two saves of a strategy, ns.
    pub(super) interval_ns: u64,
    /// The other ends of those that save, by their names.
    pub(super) ports: Vec<(String, Arc<StatePort>)>,
}

impl States {
    /// Where a consumer saves its state, and what it restores.
    pub(super) fn of(
        &mut self,
        consumer: ConsumerId,
        options: &ConsumerOptions,
    ) -> (Option<StateSaver>, Option<SavedState>) {
        let restores = self.restores.get_mut(consumer.index()).and_then(Option::take);
        let room = options.strategy.saves_bytes();
        if room == 0 {
            return (None, restores);
        }
        let (saver, port) = StateSaver::new(room, self.interval_ns);
        self.ports.push((options.name.clone(), port));
        (Some(saver), restores)
    }
}
