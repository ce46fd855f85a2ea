//! Identifiers: one newtype each, so that a venue can't be passed where an instrument is meant.

use std::fmt;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl $name {
            /// The identifier as an index into a dense table.
            #[inline]
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

identifier! {
    /// A venue, numbered from 0 in the order of the configuration.
    VenueId(u16)
}
identifier! {
    /// An instrument, interned at the edge, numbered from 0; the same over all venues.
    InstrumentId(u32)
}
identifier! {
    /// A consumer (a subscribed strategy), numbered from 0 in the order of registration.
    ConsumerId(u16)
}
identifier! {
    /// An asset that an instrument is traded in, interned at the edge, numbered from 0.
    AssetId(u32)
}
identifier! {
    /// A trace: one per frame read from a venue (LM-08). 0 means "none".
    TraceId(u64)
}
identifier! {
    /// A consumer's own order number, unique per consumer for the life of the engine (LM-06).
    ClientOrderId(u64)
}
