//! Writes what strategies save. Nobody waits for it, and no order for a disk that it keeps busy: it
//! is apart from who has the disk take orders.

use std::path::Path;
use std::sync::Arc;

use super::state::{StateFiles, StatePort};
use super::writer::Durability;
use crate::world::Files;

/// The files of all strategies that save.
pub(crate) struct StateKeeper {
    files: Files,
    is_durable: bool,
    states: Vec<StateFiles>,
    /// Who is looked at first.
    next: usize,
}

impl StateKeeper {
    /// Writes to the journal's folder what comes by these ways, by the strategies' names.
    pub(crate) fn new(
        files: &Files,
        folder: &Path,
        durability: Durability,
        ports: Vec<(String, Arc<StatePort>)>,
    ) -> StateKeeper {
        let of =
            |(name, port): (String, Arc<StatePort>)| StateFiles::new(files, folder, &name, port);
        StateKeeper {
            files: files.clone(),
            is_durable: durability == Durability::FsyncBatch,
            states: ports.into_iter().map(of).collect(),
            next: 0,
        }
    }

    /// Writes the state of one strategy at most, in turn; whether it did.
    pub(crate) fn poll(&mut self) -> bool {
        let count = self.states.len();
        for turn in 0..count {
            let at = (self.next + turn) % count;
            if self.states[at].write(&self.files, self.is_durable) {
                self.next = (at + 1) % count;
                return true;
            }
        }
        false
    }

    /// Writes all that is left.
    pub(crate) fn finish(&mut self) {
        while self.poll() {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::read_state;
    use super::*;
    use crate::world::{FileConditions, VirtualFiles};

    #[test]
    fn a_look_writes_one_state_and_each_strategy_has_its_turn() {
        let folder = Path::new("/journal");
        let files = Files::Virtual(VirtualFiles::new(7, FileConditions::default()));
        files.make_private_folder(folder).unwrap();
        let (one, first) = StatePort::with_room(8);
        let (other, second) = StatePort::with_room(8);
        let ports = vec![("one".to_owned(), one.clone()), ("other".to_owned(), other.clone())];
        let mut keeper = StateKeeper::new(&files, folder, Durability::Os, ports);
        assert!(!keeper.poll(), "nobody has saved");
        let save = |port: &StatePort, mut state: Box<crate::journal::StateBuffer>, version| {
            state.begin(version, 5);
            port.put(state).unwrap();
        };
        let version = |name| read_state(&files, folder, name).map(|state| state.version);
        save(&one, first, 1);
        save(&other, second, 1);
        assert!(keeper.poll());
        assert_eq!((version("one"), version("other")), (Some(1), None));
        // The first has more, and the other waits since before.
        save(&one, one.memory().unwrap(), 2);
        assert!(keeper.poll());
        assert_eq!((version("one"), version("other")), (Some(1), Some(1)));
        save(&other, other.memory().unwrap(), 2);
        keeper.finish();
        assert_eq!((version("one"), version("other")), (Some(2), Some(2)));
    }
}
