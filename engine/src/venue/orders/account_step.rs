//! Where a request about the account as a whole stands.

/// Answers that may fail before a request is given up.
const TRIES_MAX: u32 = 3;
/// The pause after the first of them, ns; doubled with each.
pub(super) const AGAIN_NS: u64 = 1_000_000_000;
/// Where one request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// To be written, not before this time.
    Wanted {
        from_ns: u64,
        tries: u32,
    },
    Asked {
        tries: u32,
    },
    Answered,
    /// The venue has no such request, or did not answer it.
    GivenUp,
}

impl Step {
    pub(super) const FIRST: Step = Step::Wanted { from_ns: 0, tries: 0 };

    pub(super) fn is_over(self) -> bool {
        matches!(self, Step::Answered | Step::GivenUp)
    }

    pub(super) fn sent(&mut self) {
        *self = match *self {
            Step::Wanted { tries, .. } => Step::Asked { tries },
            // Once more, because of a difference.
            Step::Answered | Step::GivenUp => Step::Asked { tries: 0 },
            Step::Asked { .. } => return,
        };
    }

    pub(super) fn failed(&mut self, is_final: bool, now_ns: u64) {
        let Step::Asked { tries } = *self else { return };
        *self = match is_final || tries + 1 >= TRIES_MAX {
            true => Step::GivenUp,
            false => Step::Wanted { from_ns: now_ns + (AGAIN_NS << tries), tries: tries + 1 },
        };
    }

    pub(super) fn is_due(self, now_ns: u64) -> bool {
        matches!(self, Step::Wanted { from_ns, .. } if from_ns <= now_ns)
    }

    pub(super) fn due_ns(self) -> u64 {
        if let Step::Wanted { from_ns, .. } = self { from_ns } else { u64::MAX }
    }
}
