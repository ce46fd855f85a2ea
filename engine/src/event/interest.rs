//! The mask of the kinds that a consumer wants to hear.

use super::EventKind;

/// The kinds of market and reference data a strategy wants: what is not in the mask is never
/// copied. Critical kinds (exec reports, control answers, risk notices) reach their owner whatever
/// the mask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest(u16);

impl Interest {
    /// Nothing but critical events.
    pub const NONE: Interest = Interest(0);

    /// Every kind.
    pub const ALL: Interest = {
        let mut mask = Interest(0);
        let mut index = 0;
        while index < EventKind::ALL.len() {
            mask = mask.and(EventKind::ALL[index]);
            index += 1;
        }
        mask
    };

    /// The mask with these bits, bit n for the kind of code n; bits of no kind are left out.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Interest {
        Interest(bits & Interest::ALL.0)
    }

    /// Bit n for the kind of code n.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// This mask and `kind`.
    #[must_use]
    pub const fn and(self, kind: EventKind) -> Interest {
        Interest(self.0 | 1 << kind.code())
    }

    /// Whether `kind` is in the mask.
    #[inline]
    #[must_use]
    pub const fn contains(self, kind: EventKind) -> bool {
        self.0 & (1 << kind.code()) != 0
    }

    /// The kinds in the mask, in the order of their codes.
    pub fn kinds(self) -> impl Iterator<Item = EventKind> {
        EventKind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }

    /// The kinds in both masks.
    #[must_use]
    pub const fn intersect(self, other: Interest) -> Interest {
        Interest(self.0 & other.0)
    }
}

impl FromIterator<EventKind> for Interest {
    fn from_iter<I: IntoIterator<Item = EventKind>>(kinds: I) -> Interest {
        kinds.into_iter().fold(Interest::NONE, Interest::and)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_hold_what_was_put_in() {
        let mask = Interest::NONE.and(EventKind::Quote).and(EventKind::Trade);
        assert!(mask.contains(EventKind::Quote) && !mask.contains(EventKind::Book));
        assert_eq!(mask.intersect(Interest::ALL), mask);
        assert!(EventKind::ALL.into_iter().all(|kind| Interest::ALL.contains(kind)));
    }
}
