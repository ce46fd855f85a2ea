//! What recordings of venues that tell their books in the stream have in common.

use crate::venue::simulated::exchange::StreamKey;
use crate::venue::simulated::server::{Door, Opening, Session};

/// A session of market data, whose frames are sent as they stand.
pub(super) fn market_opening() -> Opening {
    Opening {
        door: Door::Market,
        envelope: None,
        returns_rate_limits: false,
        messages_per_s: None,
        streams: Vec::new(),
        part: "",
        numbered_by: None,
    }
}

/// Notes streams that a session wants, or wants no more. `resolve` finds a stream by its name.
pub(super) fn note_streams(
    session: &mut Session,
    wants: bool,
    names: impl Iterator<Item = String>,
    resolve: &dyn Fn(&str) -> Option<StreamKey>,
) {
    for name in names {
        let key = resolve(&name);
        match wants {
            true => session.subscribe(&name, key),
            false => session.unsubscribe(&name, key),
        }
    }
}
