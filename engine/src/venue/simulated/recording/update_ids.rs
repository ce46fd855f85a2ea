//! Which update ids a symbol's book went through, and whose a snapshot therefore is.

use std::collections::BTreeMap;

use super::super::dialect::UpdateIds;

/// A snapshot is refused when its id is this many times nearer to another symbol's updates.
const NEARER: u64 = 10;

/// How far an update is from those of a diff.
fn distance(updates: &UpdateIds, id: u64) -> u64 {
    // The update before the first one is what the first one builds on.
    updates.first.saturating_sub(1).saturating_sub(id).max(id.saturating_sub(updates.last))
}

/// By symbol, the updates that a recording has.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranges(BTreeMap<String, UpdateIds>);

impl Ranges {
    pub(super) fn add(&mut self, symbol: &str, ids: UpdateIds) {
        match self.0.get_mut(symbol) {
            Some(range) => {
                range.first = range.first.min(ids.first);
                range.last = range.last.max(ids.last);
            }
            None => {
                self.0.insert(symbol.to_owned(), ids);
            }
        }
    }

    /// The symbols that have any.
    pub(super) fn symbols(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The one symbol among whose updates `id` lies.
    pub(super) fn owner(&self, id: u64) -> Option<&str> {
        let mut owners = self.0.iter().filter(|(_, range)| distance(range, id) == 0);
        let (symbol, _) = owners.next()?;
        owners.next().is_none().then_some(symbol)
    }

    /// The symbol that a snapshot said to be of `symbol` belongs to by its id, where that is
    /// another.
    pub(super) fn other_owner(&self, symbol: &str, id: u64) -> Option<&str> {
        let own = distance(self.0.get(symbol)?, id);
        let others = self.0.iter().filter(|(name, _)| *name != symbol);
        let nearest = others.min_by_key(|(_, range)| distance(range, id))?;
        (distance(nearest.1, id) < own / NEARER).then_some(nearest.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_belongs_where_its_id_lies() {
        let ids = |first, last| UpdateIds { first, last };
        let mut ranges = Ranges::default();
        ranges.add("A", ids(1_000, 1_010));
        ranges.add("A", ids(1_011, 1_200));
        ranges.add("B", ids(900_000, 900_500));
        assert_eq!((ranges.owner(999), ranges.owner(1_100)), (Some("A"), Some("A")));
        assert_eq!((ranges.owner(998), ranges.owner(900_500)), (None, Some("B")));
        assert_eq!(ranges.other_owner("A", 900_100), Some("B"));
        assert_eq!(ranges.other_owner("B", 990), Some("A"), "a little before its first update");
        for own in [990, 1_100, 1_300] {
            assert_eq!(ranges.other_owner("A", own), None, "{own}");
        }
    }
}
