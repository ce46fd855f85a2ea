//! What is known of the account's stream on the present connection; see `stream_watch`.

use super::upkeep::Upkeep;

/// A stream that was quiet for this time is asked after, ns.
const QUIET_NS: u64 = 30_000_000_000;
/// Doublings of it, to about half an hour, for a venue whose answers prove nothing: it subscribes
/// anew each time.
const DOUBLINGS_MAX: u32 = 6;

/// What is known of the account's stream on the present connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AccountStream {
    /// It stood then, ns: an event came, or the venue said so.
    stood_ns: u64,
    /// A question is on its way.
    pub(super) is_asked: bool,
    /// Answers in a row that did not say that it stands.
    unproved: u32,
    /// Orders in a row of which it had told nothing when a query found news of them.
    pub(super) silent_finds: u32,
    /// When the stream before it ended, ns: what was sent before was to be told on that one.
    pub(super) cut_ns: u64,
    /// The venue says that the connection will end.
    pub(super) is_ending: bool,
    /// What keeps it alive.
    pub(super) upkeep: Upkeep,
}

impl AccountStream {
    /// It was subscribed to on a new connection.
    pub(super) fn subscribed(&mut self, now_ns: u64) {
        (self.stood_ns, self.is_asked) = (now_ns, false);
    }

    /// An event came on it.
    #[inline]
    pub(super) fn heard(&mut self, now_ns: u64) {
        self.stood_ns = now_ns;
    }

    /// The venue says that it stands.
    pub(super) fn stands(&mut self, now_ns: u64) {
        (self.stood_ns, self.is_asked, self.unproved) = (now_ns, false, 0);
    }

    /// The answer says nothing, or that it is a new one: the next question comes later.
    pub(super) fn unclear(&mut self, now_ns: u64) {
        (self.stood_ns, self.is_asked) = (now_ns, false);
        self.unproved = (self.unproved + 1).min(DOUBLINGS_MAX);
    }

    /// When it is to be asked after, ns.
    pub(super) fn due_ns(&self) -> u64 {
        if self.is_asked {
            return u64::MAX;
        }
        self.stood_ns.saturating_add(QUIET_NS << self.unproved.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn a_stream_is_asked_after_once_it_was_quiet_and_more_rarely_where_answers_prove_nothing() {
        let mut stream = AccountStream::default();
        stream.subscribed(5 * S);
        assert_eq!(stream.due_ns(), 35 * S);
        stream.heard(20 * S);
        assert_eq!(stream.due_ns(), 50 * S);
        stream.is_asked = true;
        assert_eq!(stream.due_ns(), u64::MAX, "one question at a time");
        stream.stands(50 * S);
        assert_eq!(stream.due_ns(), 80 * S);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            stream.unclear(100 * S);
            pauses.push(stream.due_ns() / S - 100);
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 960, 960]);
        stream.stands(100 * S);
        assert_eq!(stream.due_ns(), 130 * S, "it is one that answers");
    }
}
