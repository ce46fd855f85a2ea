//! What became of events that were out of order.

use pitlane_ring::Counter;

macro_rules! counts {
    ($($(#[$doc:meta])* $field:ident,)+) => {
        /// The counters. Written by the dispatcher, read by anyone at any time without cost for it.
        #[derive(Debug, Default)]
        pub struct StreamStats { $($(#[$doc])* pub(super) $field: Counter,)+ }

        /// A reading of [`StreamStats`].
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct StreamCounts { $($(#[$doc])* pub $field: u64,)+ }

        impl StreamStats {
            /// The counters now.
            #[must_use]
            pub fn read(&self) -> StreamCounts {
                StreamCounts { $($field: self.$field.get(),)+ }
            }
        }
    };
}

counts! {
    /// Dropped: told before.
    duplicate,
    /// Dropped: its place in the stream was passed.
    late,
    /// Dropped: above the rate of its stream.
    flooded,
    /// Came after a later one and was put before it.
    reordered,
    /// Had to wait for an earlier one.
    held,
    /// Gaps whose missing events were waited for no longer.
    gap_given_up,
    /// Held events that passed before their time, since there was no room for another one.
    released_early,
}
