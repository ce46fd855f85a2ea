//! Call sites of the last claim and the last return of each slot, kept by checked lanes only.
//!
//! They serve one purpose: to make the panic over a wrong access name both places in the source.

use std::fmt;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::record::Sequence;

/// The table of a lane: one entry a slot, or none at all in a plain lane.
pub(crate) struct CallSites(Box<[SlotSites]>);

/// A call site, or the absence of one.
#[derive(Clone, Copy)]
pub(crate) struct Site(Option<&'static Location<'static>>);

#[derive(Default)]
struct SlotSites {
    claimed: AtomicPtr<Location<'static>>,
    returned: AtomicPtr<Location<'static>>,
}

impl CallSites {
    /// A table of `capacity` entries, a power of two; zero for a lane that records nothing.
    pub(crate) fn new(capacity: usize) -> Self {
        Self((0..capacity).map(|_| SlotSites::default()).collect())
    }

    /// Notes who claimed the slot of `sequence`.
    pub(crate) fn note_claim(&self, sequence: Sequence, site: &'static Location<'static>) {
        if let Some(slot) = self.slot(sequence) {
            slot.claimed.store(ptr::from_ref(site).cast_mut(), Ordering::Relaxed);
        }
    }

    /// Notes who returned the slot of `sequence`.
    pub(crate) fn note_return(&self, sequence: Sequence, site: &'static Location<'static>) {
        if let Some(slot) = self.slot(sequence) {
            slot.returned.store(ptr::from_ref(site).cast_mut(), Ordering::Relaxed);
        }
    }

    /// Who claimed the slot of `sequence` last.
    pub(crate) fn claimed(&self, sequence: Sequence) -> Site {
        Site::read(self.slot(sequence).map(|slot| &slot.claimed))
    }

    /// Who returned the slot of `sequence` last.
    pub(crate) fn returned(&self, sequence: Sequence) -> Site {
        Site::read(self.slot(sequence).map(|slot| &slot.returned))
    }

    fn slot(&self, sequence: Sequence) -> Option<&SlotSites> {
        let mask = self.0.len().wrapping_sub(1);
        self.0.get(sequence as usize & mask)
    }
}

impl Site {
    fn read(word: Option<&AtomicPtr<Location<'static>>>) -> Self {
        let location = word.map_or(ptr::null_mut(), |word| word.load(Ordering::Relaxed));
        // SAFETY: the table only ever stores null or a `&'static Location`, see `note_claim` and
        // `note_return`, the two writers; what it points to is never written.
        Self(unsafe { location.as_ref() })
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(location) => location.fmt(f),
            None => f.write_str("an unrecorded place"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_site_of_a_slot_over_reuse() {
        let sites = CallSites::new(4);
        let first = Location::caller();
        sites.note_claim(1, first);
        assert_eq!(sites.claimed(5).to_string(), first.to_string());
        assert_eq!(sites.returned(5).to_string(), "an unrecorded place");
    }

    #[test]
    fn an_empty_table_records_nothing() {
        let sites = CallSites::new(0);
        sites.note_claim(1, Location::caller());
        assert_eq!(sites.claimed(1).to_string(), "an unrecorded place");
    }
}
