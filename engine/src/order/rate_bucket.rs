//! A token bucket.

/// A token bucket of one second's depth.
#[derive(Debug)]
pub(crate) struct RateBucket {
    per_s: u64,
    /// Tokens in units of 1e-9, so that refilling needs no division.
    nano_tokens: u64,
    last_ns: u64,
}

impl RateBucket {
    const NANOS: u64 = 1_000_000_000;

    /// A full bucket that refills by `per_s` tokens a second, at least 1.
    pub(crate) fn new(per_s: u32) -> RateBucket {
        let per_s = u64::from(per_s.max(1));
        RateBucket { per_s, nano_tokens: per_s * Self::NANOS, last_ns: 0 }
    }

    /// Takes `count` tokens; false when there are not as many.
    #[inline]
    pub(crate) fn take(&mut self, now_ns: u64, count: u32) -> bool {
        let elapsed_ns = now_ns.saturating_sub(self.last_ns).min(Self::NANOS);
        self.last_ns = now_ns;
        let refilled = self.nano_tokens + elapsed_ns * self.per_s;
        self.nano_tokens = refilled.min(self.per_s * Self::NANOS);
        let wanted = u64::from(count) * Self::NANOS;
        let enough = self.nano_tokens >= wanted;
        if enough {
            self.nano_tokens -= wanted;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_refills_with_time_and_not_beyond_a_second() {
        let mut bucket = RateBucket::new(2);
        assert!(bucket.take(0, 1) && bucket.take(0, 1) && !bucket.take(0, 1));
        assert!(!bucket.take(400_000_000, 1));
        assert!(bucket.take(500_000_000, 1));
        assert!(!bucket.take(500_000_000, 1));
        assert!(bucket.take(60_000_000_000, 1) && bucket.take(60_000_000_000, 1));
        assert!(!bucket.take(60_000_000_000, 1));
    }
}
