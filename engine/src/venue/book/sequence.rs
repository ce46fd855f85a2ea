//! How a venue numbers the changes of a book, and what follows what.

use crate::event::Level;

/// One change of a book, decoded. Quantities are absolute, 0 removes the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diff<'a> {
    /// First update of the venue's sequence in this diff.
    pub first_update_id: u64,
    /// Last update of the venue's sequence in this diff, at least the first.
    pub final_update_id: u64,
    /// Last update of the diff before this one, where the venue names it; else 0.
    pub previous_update_id: u64,
    /// The venue's checksum of the book behind it, where the frame has one.
    pub checksum: Option<u32>,
    /// The venue's own time, ns since the Unix epoch.
    pub venue_time_ns: i64,
    /// Changed bids.
    pub bids: &'a [Level],
    /// Changed asks.
    pub asks: &'a [Level],
}

/// The venue's rule that says how a diff follows what was applied before. Below, `last` is the
/// snapshot's update or the last one applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookRule {
    /// Updates are numbered one by one: a diff that ends at or before `last` is old, one that holds
    /// `last + 1` follows, one that begins behind it leaves a hole.
    Contiguous,
    /// Each diff names the last update of the one before it, and numbers are shared with other
    /// books: a diff that names `last` follows, wherever it ends. The first one behind a snapshot
    /// may span it: it names an update at or before `last` and ends at or behind it.
    Linked,
}

/// How a diff stands to what is in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    Old,
    Follows,
    Hole,
}

impl BookRule {
    /// Whether a diff follows the one that ended with `last`, or repeats it.
    pub(in crate::venue) fn follows(self, diff: &Diff<'_>, last: u64) -> bool {
        self.judge(diff, last, false) != Judged::Hole
    }

    /// How a diff stands to what is in the book where two connections tell the same changes: each
    /// may cut them into diffs of its own, and one may be ahead of the other.
    pub(super) fn judge_beside(self, diff: &Diff<'_>, last_update_id: u64) -> Judged {
        let begins = match self {
            BookRule::Linked => diff.previous_update_id,
            BookRule::Contiguous => diff.first_update_id.saturating_sub(1),
        };
        if diff.final_update_id <= last_update_id {
            Judged::Old
        } else if begins <= last_update_id {
            Judged::Follows
        } else {
            Judged::Hole
        }
    }

    #[inline]
    pub(super) fn judge(self, diff: &Diff<'_>, last_update_id: u64, is_first: bool) -> Judged {
        match self {
            BookRule::Linked => {
                let link = diff.previous_update_id;
                let spans =
                    is_first && link <= last_update_id && last_update_id <= diff.final_update_id;
                if spans || link == last_update_id {
                    Judged::Follows
                } else if diff.final_update_id <= last_update_id {
                    Judged::Old
                } else {
                    Judged::Hole
                }
            }
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
                previous_update_id: 0,
                checksum: None,
                venue_time_ns: 0,
                bids: &[],
                asks: &[],
            };
            BookRule::Contiguous.judge(&diff, applied, false)
        };
        assert_eq!(judge(101, 105, 100), Judged::Follows);
        assert_eq!(judge(90, 101, 100), Judged::Follows);
        assert_eq!(judge(90, 100, 100), Judged::Old);
        assert_eq!(judge(102, 105, 100), Judged::Hole);
        assert_eq!(judge(u64::MAX, u64::MAX, u64::MAX), Judged::Old);
        assert_eq!(judge(0, 0, 0), Judged::Old);
    }

    #[test]
    fn linked_updates_follow_by_name_and_the_first_one_spans_the_snapshot() {
        let judge = |link, last, applied, is_first| {
            let diff = Diff {
                first_update_id: link + 5,
                final_update_id: last,
                previous_update_id: link,
                checksum: None,
                venue_time_ns: 0,
                bids: &[],
                asks: &[],
            };
            BookRule::Linked.judge(&diff, applied, is_first)
        };
        assert_eq!(judge(90, 100, 95, true), Judged::Follows);
        assert_eq!(judge(90, 100, 100, true), Judged::Follows, "ends with the snapshot");
        assert_eq!(judge(95, 110, 95, true), Judged::Follows, "begins behind it");
        assert_eq!(judge(80, 90, 95, true), Judged::Old);
        assert_eq!(judge(96, 110, 95, true), Judged::Hole);
        assert_eq!(judge(100, 120, 100, false), Judged::Follows);
        assert_eq!(judge(90, 100, 100, false), Judged::Old);
        assert_eq!(judge(99, 120, 100, false), Judged::Hole, "one is missing");
        assert_eq!(judge(101, 120, 100, false), Judged::Hole);
        // The numbers start again, be it right behind a snapshot.
        assert_eq!(judge(100, 7, 100, false), Judged::Follows);
        assert_eq!(judge(100, 7, 100, true), Judged::Follows);
    }

    #[test]
    fn of_two_connections_that_cut_changes_otherwise_one_goes_on_where_the_other_is() {
        let judge = |rule: BookRule, first, last, applied| {
            let diff = Diff {
                first_update_id: first,
                final_update_id: last,
                previous_update_id: first - 1,
                checksum: None,
                venue_time_ns: 0,
                bids: &[],
                asks: &[],
            };
            rule.judge_beside(&diff, applied)
        };
        for rule in [BookRule::Contiguous, BookRule::Linked] {
            assert_eq!(judge(rule, 101, 105, 100), Judged::Follows);
            assert_eq!(judge(rule, 96, 105, 100), Judged::Follows, "what is in it is told again");
            assert_eq!(judge(rule, 96, 100, 100), Judged::Old);
            assert_eq!(judge(rule, 102, 105, 100), Judged::Hole);
        }
    }
}
