//! What triggers a stop.

/// Which price triggers a stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum TriggerBy {
    /// That of the last trade.
    #[default]
    Last = 0,
    /// The mark price.
    Mark = 1,
    /// The index price.
    Index = 2,
}

impl TriggerBy {
    /// All of them, in the order of their codes.
    pub const ALL: [TriggerBy; 3] = [TriggerBy::Last, TriggerBy::Mark, TriggerBy::Index];

    /// The one with this code; `None` for a code that was never given out.
    #[inline]
    #[must_use]
    pub const fn from_code(code: u8) -> Option<TriggerBy> {
        Some(match code {
            0 => TriggerBy::Last,
            1 => TriggerBy::Mark,
            2 => TriggerBy::Index,
            _ => return None,
        })
    }

    /// The name in files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            TriggerBy::Last => "last",
            TriggerBy::Mark => "mark",
            TriggerBy::Index => "index",
        }
    }
}
