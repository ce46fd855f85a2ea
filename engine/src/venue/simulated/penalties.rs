//! What a client did that the real venue punishes, counted.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! penalties {
    ($($(#[$doc:meta])* $name:ident $text:literal,)*) => {
        /// A rule of the venue's limits that a client broke.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Penalty { $($(#[$doc])* $name,)* }

        impl Penalty {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

penalties! {
    /// A request beyond the weight of a minute (429, -1003).
    Weight "weight",
    /// So many of them that the address was banned (418).
    Ban "ban",
    /// A request during a ban.
    WhileBanned "while_banned",
    /// An order beyond the count of ten seconds or of the day (429, -1015).
    OrderCount "order_count",
    /// A connection attempt beyond those of five minutes.
    Connections "connections",
    /// A stream beyond those of one connection.
    Streams "streams",
    /// A message beyond those of one second on a stream connection (closed with 1008).
    MessageRate "message_rate",
    /// A request that needs a logon, of a session that never logged on (401, -2015).
    BeforeLogon "before_logon",
    /// A ping that was not answered with its payload within a minute.
    NoPong "no_pong",
}

/// Counts of penalties; one thread writes, any thread reads.
#[derive(Debug, Default)]
pub struct Penalties([AtomicU64; Penalty::ALL.len()]);

impl Penalties {
    pub(super) fn add(&self, penalty: Penalty) {
        self.0[penalty as usize].fetch_add(1, Relaxed);
    }

    /// How often a rule was broken.
    #[must_use]
    pub fn count(&self, penalty: Penalty) -> u64 {
        self.0[penalty as usize].load(Relaxed)
    }

    /// How often any rule was broken.
    #[must_use]
    pub fn total(&self) -> u64 {
        Penalty::ALL.iter().map(|penalty| self.count(*penalty)).sum()
    }
}

impl fmt::Display for Penalties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let earned = Penalty::ALL.iter().filter(|penalty| self.count(**penalty) > 0);
        let texts: Vec<String> = earned.map(|p| format!("{p:?} {}", self.count(*p))).collect();
        f.write_str(&if texts.is_empty() { "none".into() } else { texts.join(", ") })
    }
}
