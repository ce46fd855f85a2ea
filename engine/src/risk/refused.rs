//! Why the check refused.

use crate::event::RejectReason;
use crate::order::Lack;

/// Whose limit it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum RiskScope {
    /// The strategy's own.
    #[default]
    Strategy = 0,
    /// The venue's, which all strategies share.
    Venue = 1,
    /// The engine's, over all venues.
    Engine = 2,
}

impl RiskScope {
    /// Its name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            RiskScope::Strategy => "strategy",
            RiskScope::Venue => "venue",
            RiskScope::Engine => "engine",
        }
    }
}

/// A refusal with its figures, in the limit's own unit; 0 where there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) reason: RejectReason,
    pub(crate) scope: RiskScope,
    /// What would have been.
    pub(crate) value: i64,
    pub(crate) limit: i64,
    /// What the venue lacks, where that is why.
    pub(crate) lack: Option<Lack>,
}

impl Refused {
    /// By a limit.
    #[cold]
    pub(crate) fn by(scope: RiskScope, reason: RejectReason, value: i64, limit: i64) -> Refused {
        Refused { reason, scope, value, limit, lack: None }
    }
}

impl From<RejectReason> for Refused {
    fn from(reason: RejectReason) -> Refused {
        Refused { reason, scope: RiskScope::Strategy, value: 0, limit: 0, lack: None }
    }
}

impl From<Lack> for Refused {
    #[cold]
    fn from(lack: Lack) -> Refused {
        Refused { lack: Some(lack), ..RejectReason::Unsupported.into() }
    }
}
