//! Trace ids of one session: unique over all sessions of a run, without anything shared (LM-08).

/// Bits for the count; the session's number lies above them.
const COUNT_BITS: u32 = 48;

/// Gives out trace ids: the session's number, from 1, in the upper 16 bits, a count below.
#[derive(Debug)]
pub struct TraceIds {
    session: u64,
    count: u64,
}

impl TraceIds {
    /// Ids of the session with this number, from 0.
    #[must_use]
    pub fn new(session_number: u16) -> TraceIds {
        TraceIds { session: (u64::from(session_number) + 1) << COUNT_BITS, count: 0 }
    }

    /// The next id; never 0. The count lasts for nine years at a million events a second.
    #[inline]
    pub fn next_id(&mut self) -> u64 {
        self.count += 1;
        self.session | (self.count & ((1 << COUNT_BITS) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_two_sessions_differ_and_none_is_zero() {
        let (mut one, mut two) = (TraceIds::new(0), TraceIds::new(1));
        let ids = [one.next_id(), two.next_id(), one.next_id()];
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
        assert!(ids.iter().all(|id| *id != 0));
    }
}
