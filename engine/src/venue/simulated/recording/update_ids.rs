//! Which update ids a symbol's book went through, and whose a snapshot therefore is.

use std::collections::BTreeMap;

/// A snapshot is refused when its id is this many times nearer to another symbol's updates.
const NEARER: u64 = 10;

/// The updates of one diff, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct UpdateIds {
    pub(in super::super) first: u64,
    pub(in super::super) last: u64,
}

impl UpdateIds {
    /// Those of a diff's data; `None` when it has none.
    pub(in super::super) fn of(data: &str) -> Option<UpdateIds> {
        Some(UpdateIds { first: number(data, "\"U\":")?, last: number(data, "\"u\":")? })
    }

    fn distance(self, id: u64) -> u64 {
        // The update before the first one is what the first one builds on.
        self.first.saturating_sub(1).saturating_sub(id).max(id.saturating_sub(self.last))
    }
}

/// The number behind the first `field`.
pub(super) fn number(text: &str, field: &str) -> Option<u64> {
    let rest = text.split_once(field)?.1.trim_start();
    let end = rest.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
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

    /// The one symbol among whose updates `id` lies.
    pub(super) fn owner(&self, id: u64) -> Option<&str> {
        let mut owners = self.0.iter().filter(|(_, range)| range.distance(id) == 0);
        let (symbol, _) = owners.next()?;
        owners.next().is_none().then_some(symbol)
    }

    /// The symbol that a snapshot said to be of `symbol` belongs to by its id, where that is
    /// another.
    pub(super) fn other_owner(&self, symbol: &str, id: u64) -> Option<&str> {
        let own = self.0.get(symbol)?.distance(id);
        let others = self.0.iter().filter(|(name, _)| *name != symbol);
        let nearest = others.min_by_key(|(_, range)| range.distance(id))?;
        (nearest.1.distance(id) < own / NEARER).then_some(nearest.0)
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

    #[test]
    fn ids_are_read_from_a_diff() {
        let diff = r#"{"e":"depthUpdate","E":1,"s":"A","U":157,"u": 160,"b":[]}"#;
        assert_eq!(UpdateIds::of(diff), Some(UpdateIds { first: 157, last: 160 }));
        assert_eq!(UpdateIds::of(r#"{"e":"trade"}"#), None);
    }
}
