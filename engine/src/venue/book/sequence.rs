//! How a venue numbers the changes of a book, and what follows what.

use crate::event::Level;

/// One change of a book, decoded. Quantities are absolute, 0 removes the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diff<'a> {
    /// First update of the venue's sequence in this diff.
    pub first_update_id: u64,
    /// Last update of the venue's sequence in this diff, at least the first.
    pub final_update_id: u64,
    /// The venue's own time, ns since the Unix epoch.
    pub venue_time_ns: i64,
    /// Changed bids.
    pub bids: &'a [Level],
    /// Changed asks.
    pub asks: &'a [Level],
}

/// The venue's rule that says how a diff follows what was applied before. Below, `last` is the snapshot's update
/// or the last one applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookRule {
    /// Updates are numbered one by one: a diff that ends at or before `last` is old, one that holds `last + 1`
    /// follows, one that begins behind it leaves a hole.
    Contiguous,
}

/// How a diff stands to what is in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    Old,
    Follows,
    Hole,
}

impl BookRule {
    #[inline]
    pub(super) fn judge(self, diff: &Diff<'_>, last_update_id: u64) -> Judged {
        match self {
            BookRule::Contiguous => {
                if diff.final_update_id <= last_update_id {
                    Judged::Old
                } else if diff.first_update_id <= last_update_id.saturating_add(1) {
                    Judged::Follows
                } else {
                    Judged::Hole
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contiguous_updates_follow_by_one_and_may_overlap() {
        let judge = |first, last, applied| {
            let diff = Diff {
                first_update_id: first,
                final_update_id: last,
                venue_time_ns: 0,
                bids: &[],
                asks: &[],
            };
            BookRule::Contiguous.judge(&diff, applied)
        };
        assert_eq!(judge(101, 105, 100), Judged::Follows);
        assert_eq!(judge(90, 101, 100), Judged::Follows);
        assert_eq!(judge(90, 100, 100), Judged::Old);
        assert_eq!(judge(102, 105, 100), Judged::Hole);
        assert_eq!(judge(u64::MAX, u64::MAX, u64::MAX), Judged::Old);
        assert_eq!(judge(0, 0, 0), Judged::Old);
    }
}
