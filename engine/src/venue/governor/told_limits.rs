//! What a venue itself says of its limits: how much, and how much of it is used.

use arrayvec::{ArrayString, ArrayVec};

use super::Counted;

/// Limits that one message may name. Venues name up to four.
const LIMITS_MAX: usize = 16;
/// Kinds that nobody knows, of one message, that are kept by name.
const UNKNOWN_MAX: usize = 4;
/// Bytes of such a name.
const NAME_BYTES_MAX: usize = 40;

/// The name of a kind of limit that is not known.
pub type UnknownLimit = ArrayString<NAME_BYTES_MAX>;

/// What a venue said of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldLimit {
    /// What is counted.
    pub counts: Counted,
    /// The window's length, ns, at least 1.
    pub window_ns: u64,
    /// The limit, where it was said.
    pub amount: Option<u32>,
    /// What of it is used in the venue's present window, where it was said.
    pub used: Option<u32>,
}

/// What one message said of limits. Nothing in it allocates.
#[derive(Clone, Debug, Default)]
pub struct ToldLimits {
    known: ArrayVec<ToldLimit, LIMITS_MAX>,
    unknown: ArrayVec<UnknownLimit, UNKNOWN_MAX>,
    unknown_count: u32,
}

impl ToldLimits {
    /// Takes what was said of one limit. Of more than a message may name, the rest is not known.
    pub fn take(&mut self, told: ToldLimit) {
        if self.known.try_push(told).is_err() {
            self.take_unknown("beyond the sixteenth");
        }
    }

    /// Takes a limit of a kind, or over a window, that is not known.
    pub fn take_unknown(&mut self, name: &str) {
        self.unknown_count += 1;
        let mut kept = UnknownLimit::new();
        name.escape_default().take_while(|c| kept.try_push(*c).is_ok()).for_each(drop);
        // Without room it is only counted.
        let _ = self.unknown.try_push(kept);
    }

    /// Forgets all, for the next message.
    #[inline]
    pub fn clear(&mut self) {
        if !self.is_empty() {
            self.known.clear();
            self.unknown.clear();
            self.unknown_count = 0;
        }
    }

    /// Whether nothing was said.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty() && self.unknown_count == 0
    }

    /// What was said of limits of known kinds.
    #[must_use]
    pub fn known(&self) -> &[ToldLimit] {
        &self.known
    }

    /// Names of kinds that are not known, the first few.
    #[must_use]
    pub fn unknown(&self) -> &[UnknownLimit] {
        &self.unknown
    }

    /// How many limits were of kinds that are not known.
    #[must_use]
    pub fn unknown_count(&self) -> u32 {
        self.unknown_count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_or_unknown_is_counted_and_its_name_is_safe_to_show() {
        let mut limits = ToldLimits::default();
        let (counts, window_ns) = (Counted::Weight, 1);
        for used in 0..20 {
            limits.take(ToldLimit { counts, window_ns, amount: None, used: Some(used) });
        }
        limits.take_unknown("\u{1b}[31mNEW\n");
        limits.take_unknown(&"x".repeat(99));
        assert_eq!((limits.known().len(), limits.unknown_count()), (16, 6));
        limits.clear();
        limits.take_unknown("\u{1b}[31mNEW\n");
        limits.take_unknown(&"x".repeat(99));
        assert_eq!(limits.unknown()[0].as_str(), "\\u{1b}[31mNEW\\n");
        assert_eq!(limits.unknown()[1].len(), NAME_BYTES_MAX);
        limits.clear();
        assert!(limits.is_empty());
    }
}
