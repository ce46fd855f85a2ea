//! What became of merge windows, counted by rule and readable by anyone.

use crossbeam_utils::CachePadded;
use pitlane_ring::Counter;

use super::rule::{MERGE_RULES_MAX, MERGE_VENUES_MAX, bits};

/// Why a window was suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Suppressed {
    /// Its time was over and a venue was missing.
    Timeout,
    /// It had taken its greatest number of events and a venue was missing.
    Count,
    /// It was the oldest when the pool was dry.
    Evicted,
    /// Its rule went or changed.
    RuleChanged,
    /// The engine stopped.
    Stopped,
}

const REASONS: usize = 5;

macro_rules! counts {
    ($($(#[$doc:meta])* $field:ident,)+) => {
        /// The counters of one rule.
        #[derive(Debug, Default)]
        pub(super) struct RuleStats {
            $(pub(super) $field: Counter,)+
            suppressed: [Counter; REASONS],
        }

        /// A reading of one rule's counters, or the sum over all rules. Counters of a number go on
        /// when its rule is replaced.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct MergeCounts {
            $($(#[$doc])* pub $field: u64,)+
            /// Windows closed by time with a venue missing.
            pub suppressed_timeout: u64,
            /// Windows closed by number of events with a venue missing.
            pub suppressed_count: u64,
            /// Windows that gave way when the pool was dry.
            pub suppressed_evicted: u64,
            /// Windows of rules that went or changed.
            pub suppressed_rule_changed: u64,
            /// Windows that were open when the engine stopped.
            pub suppressed_stopped: u64,
        }

        impl RuleStats {
            fn read(&self) -> MergeCounts {
                let suppressed = |reason: Suppressed| self.suppressed[reason as usize].get();
                MergeCounts {
                    $($field: self.$field.get(),)+
                    suppressed_timeout: suppressed(Suppressed::Timeout),
                    suppressed_count: suppressed(Suppressed::Count),
                    suppressed_evicted: suppressed(Suppressed::Evicted),
                    suppressed_rule_changed: suppressed(Suppressed::RuleChanged),
                    suppressed_stopped: suppressed(Suppressed::Stopped),
                }
            }
        }

        impl MergeCounts {
            fn add(&mut self, other: &MergeCounts) {
                $(self.$field += other.$field;)+
                self.suppressed_timeout += other.suppressed_timeout;
                self.suppressed_count += other.suppressed_count;
                self.suppressed_evicted += other.suppressed_evicted;
                self.suppressed_rule_changed += other.suppressed_rule_changed;
                self.suppressed_stopped += other.suppressed_stopped;
            }
        }
    };
}

counts! {
    /// Events offered to the rule.
    offered,
    /// Offered events that were late.
    late,
    /// Contributions that a later one of their venue, or of a later bar, replaced.
    replaced,
    /// Trades summed into an earlier contribution of their venue.
    aggregated,
    /// Contributions withdrawn, since their book lost trust.
    withdrawn,
    /// Contributions in merged events.
    merged,
    /// Contributions in suppressed windows.
    suppressed_events,
    /// Windows opened.
    opened,
    /// Windows that became complete: merged events.
    complete,
    /// Always 0: merged events go on without a lane. For readers of reports from before.
    no_room,
}

impl RuleStats {
    #[inline]
    pub(super) fn suppressed(&self, reason: Suppressed) {
        self.suppressed[reason as usize].increment();
    }
}

impl MergeCounts {
    /// Offered events that are in no window any more, or never were.
    #[must_use]
    pub fn gone(&self) -> u64 {
        self.late
            + self.replaced
            + self.aggregated
            + self.withdrawn
            + self.merged
            + self.suppressed_events
    }

    /// Contributions that still wait in a window.
    #[must_use]
    pub fn in_windows(&self) -> u64 {
        self.offered.saturating_sub(self.gone())
    }

    /// Windows suppressed, for whatever reason.
    #[must_use]
    pub fn suppressed(&self) -> u64 {
        self.suppressed_timeout
            + self.suppressed_count
            + self.suppressed_evicted
            + self.suppressed_rule_changed
            + self.suppressed_stopped
    }
}

/// The counters of one venue in one rule.
#[derive(Debug, Default)]
pub(super) struct VenueStats {
    /// Windows that were suppressed without it.
    pub(super) missing: Counter,
    pub(super) skew_last_ns: Counter,
    pub(super) skew_max_ns: Counter,
    pub(super) skew_sum_ns: Counter,
}

/// A reading of one venue's counters in one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MergeVenueCounts {
    /// The venue's number.
    pub venue: u16,
    /// Windows that were suppressed without it.
    pub missing: u64,
    /// How much older its contribution to the last merged event was than the newest one, ns.
    pub skew_last_ns: u64,
    /// The most it ever was, ns.
    pub skew_max_ns: u64,
    /// Sum over all merged events, ns: divided by `complete` the mean.
    pub skew_sum_ns: u64,
}

/// All counters. Written by the orchestrator, read by anyone at any time without cost for it.
#[derive(Debug)]
pub struct MergeStats {
    rules: Box<[CachePadded<RuleStats>]>,
    /// By (rule, venue).
    venues: Box<[CachePadded<[VenueStats; MERGE_VENUES_MAX]>]>,
}

impl Default for MergeStats {
    fn default() -> MergeStats {
        let venues = || CachePadded::new(std::array::from_fn(|_| VenueStats::default()));
        MergeStats {
            rules: (0..MERGE_RULES_MAX).map(|_| CachePadded::default()).collect(),
            venues: (0..MERGE_RULES_MAX).map(|_| venues()).collect(),
        }
    }
}

impl MergeStats {
    /// The counters of the rule with this number; `None` when there can't be one.
    #[must_use]
    pub fn read(&self, rule: u16) -> Option<MergeCounts> {
        self.rules.get(usize::from(rule)).map(|stats| stats.read())
    }

    /// The sum over all rules.
    #[must_use]
    pub fn total(&self) -> MergeCounts {
        let mut total = MergeCounts::default();
        self.rules.iter().for_each(|stats| total.add(&stats.read()));
        total
    }

    /// The counters of the venues in `providers` (bit n: venue n) in the rule with this number.
    pub fn venues(&self, rule: u16, providers: u64) -> impl Iterator<Item = MergeVenueCounts> {
        let row = self.venues.get(usize::from(rule));
        row.into_iter().flat_map(move |row| {
            bits(providers).map(|venue| MergeVenueCounts {
                venue: venue as u16,
                missing: row[venue].missing.get(),
                skew_last_ns: row[venue].skew_last_ns.get(),
                skew_max_ns: row[venue].skew_max_ns.get(),
                skew_sum_ns: row[venue].skew_sum_ns.get(),
            })
        })
    }

    #[inline]
    pub(super) fn rule(&self, rule: usize) -> &RuleStats {
        &self.rules[rule]
    }

    #[inline]
    pub(super) fn venue(&self, rule: usize, venue: usize) -> &VenueStats {
        &self.venues[rule][venue]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_apart_by_rule_and_venue_and_add_up() {
        let stats = MergeStats::default();
        stats.rule(1).offered.add(5);
        stats.rule(1).merged.add(2);
        stats.rule(63).offered.increment();
        stats.rule(63).suppressed(Suppressed::Evicted);
        stats.venue(1, 63).missing.increment();
        assert_eq!(stats.read(1).unwrap().in_windows(), 3);
        assert_eq!(stats.read(63).unwrap().suppressed_evicted, 1);
        assert_eq!((stats.total().offered, stats.total().suppressed()), (6, 1));
        assert!(stats.read(64).is_none());
        let missing: Vec<_> =
            stats.venues(1, 1 | 1 << 63).map(|counts| (counts.venue, counts.missing)).collect();
        assert_eq!(missing, [(0, 0), (63, 1)]);
    }
}
