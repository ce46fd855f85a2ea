//! A request of the WebSocket API that is refused, in the venue's own codes and words.

/// Status, code and message of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: i32,
    pub(super) message: String,
}

impl Refusal {
    /// Status 400.
    pub(super) fn bad(code: i32, message: &str) -> Self {
        Self { status: 400, code, message: message.into() }
    }

    /// Status 401.
    pub(super) fn unauthorized(code: i32, message: &str) -> Self {
        Self { status: 401, code, message: message.into() }
    }

    /// A parameter that is needed and was not sent.
    pub(super) fn missing(name: &str) -> Self {
        let message =
            format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
        Self::bad(-1102, &message)
    }

    /// An order that breaks a rule of its symbol.
    pub(super) fn filter(name: &str) -> Self {
        Self::bad(-1013, &format!("Filter failure: {name}"))
    }
}
