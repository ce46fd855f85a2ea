//! Hashes of what leaves an engine: callbacks by consumer, bytes by session.

use super::entry::Kept;
use super::pen::Pen;
use super::spool::Spool;

/// Callbacks of one consumer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct CallSum {
    /// How many.
    pub calls: u64,
    /// Over all of them, in their order.
    pub hash: u64,
}

/// Bytes of all connections to one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SessionSum {
    /// The address, and the path of the first request.
    pub place: String,
    /// Bytes that were taken.
    pub bytes: u64,
    /// Over all of them, in their order.
    pub hash: u64,
}

/// All that has left.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Sums {
    /// By consumer.
    pub consumers: Vec<CallSum>,
    /// In the order in which they were first written to.
    pub sessions: Vec<SessionSum>,
}

/// Consumers and sessions for which there is room from the start.
const CONSUMERS: usize = 256;
const SESSIONS: usize = 256;

impl Sums {
    pub(super) fn roomy() -> Sums {
        Sums { consumers: Vec::with_capacity(CONSUMERS), sessions: Vec::with_capacity(SESSIONS) }
    }

    #[inline]
    pub(super) fn called(&mut self, consumer: u16, hash: u64) {
        let place = usize::from(consumer);
        if place >= self.consumers.len() {
            self.consumers.resize(place + 1, CallSum::default());
        }
        let sum = &mut self.consumers[place];
        sum.calls += 1;
        sum.hash = mixed(sum.hash, hash);
    }

    /// The number of the session at `place`.
    pub(super) fn session(&mut self, place: &str) -> usize {
        let known = self.sessions.iter().position(|sum| sum.place == place);
        known.unwrap_or_else(|| {
            self.sessions.push(SessionSum { place: place.to_owned(), ..SessionSum::default() });
            self.sessions.len() - 1
        })
    }

    #[inline]
    pub(super) fn wrote(&mut self, session: usize, bytes: u64, hash: u64) {
        let Some(sum) = self.sessions.get_mut(session) else { return };
        sum.bytes += bytes;
        sum.hash = mixed(sum.hash, hash);
    }

    /// One number for all.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let calls = self.consumers.iter().map(|sum| mixed(sum.calls, sum.hash));
        let bytes = self.sessions.iter().map(|sum| mixed(sum.bytes, sum.hash));
        calls.chain(bytes).fold(0, mixed)
    }
}

impl Kept for Sums {
    fn put(&self, to: &mut Pen) {
        to.number(self.consumers.len() as u64);
        for sum in &self.consumers {
            to.number(sum.calls);
            to.bytes(&sum.hash.to_le_bytes());
        }
        to.number(self.sessions.len() as u64);
        for sum in &self.sessions {
            to.counted(sum.place.as_bytes());
            to.number(sum.bytes);
            to.bytes(&sum.hash.to_le_bytes());
        }
    }

    fn take(from: &mut Spool) -> Option<Sums> {
        let mut sums = Sums::default();
        for _ in 0..from.number()? {
            let (calls, hash) = (from.number()?, u64::from_le_bytes(from.array()?));
            sums.consumers.push(CallSum { calls, hash });
        }
        for _ in 0..from.number()? {
            let (place, bytes) = (from.text()?, from.number()?);
            let hash = u64::from_le_bytes(from.array()?);
            sums.sessions.push(SessionSum { place, bytes, hash });
        }
        Some(sums)
    }
}

/// A step of the hash: fast, the same on every machine, no proof against an adversary.
#[inline]
pub(crate) fn mixed(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The hash of `bytes`, eight at a time.
#[inline]
pub(crate) fn hash_of(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let hash =
        words.iter().fold(bytes.len() as u64, |hash, word| mixed(hash, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let hash = mixed(hash, u64::from_le_bytes(last));
    hash ^ hash >> 29
}
