//! What the venue knows about one WebSocket session.

use crate::venue::simulated::exchange::StreamKey;

/// Which door the session came through. Plain HTTP has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Plain HTTP so far.
    Rest,
    /// `/stream` or `/ws`.
    Market,
    /// `/ws-api/v3`.
    Api,
}

/// What stands around a stream's name and its event in a wrapped frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Envelope {
    pub before: &'static str,
    pub between: &'static str,
    pub after: &'static str,
}

/// What faults make of frames that are no text.
#[derive(Debug)]
pub struct BinaryFrames {
    /// A frame of a kind that nobody knows.
    pub unknown: &'static [u8],
    /// A frame without its levels.
    pub without_levels: fn(&[u8]) -> Vec<u8>,
    /// A frame with an absurd value in place of one of its ids and times; any number names one.
    pub absurd: fn(&[u8], usize) -> Vec<u8>,
}

/// The state of a session.
pub struct Session {
    pub door: Door,
    /// What a market frame is wrapped in, if in anything.
    pub envelope: Option<&'static Envelope>,
    /// Its market frames are binary.
    pub binary: Option<&'static BinaryFrames>,
    pub names: Vec<String>,
    masks: Vec<u8>,
    /// Milliseconds of the epoch.
    pub connected_ms: i64,
    /// Milliseconds of the epoch at which it logged on.
    pub authorized_ms: Option<i64>,
    /// It logged on at some time.
    pub has_logged_on: bool,
    pub user_subscription: Option<u32>,
    pub returns_rate_limits: bool,
    /// Messages that its client may send in a second; `None`: any number.
    pub messages_per_s: Option<u32>,
    /// The part of the venue's address space that it came to.
    pub part: &'static str,
    /// What stands before the numbers of its frames, and the next number.
    pub numbered_by: Option<(&'static str, u64)>,
    /// A report held back by a reorder fault.
    pub held_report: Option<String>,
    /// A frame held back by a reorder fault, with its stream.
    pub held: Option<(String, Vec<u8>)>,
    /// Market frames are lost until then.
    pub muted_until_ns: Option<u64>,
}

impl Default for Session {
    fn default() -> Self {
        Session::new(0)
    }
}

impl Session {
    pub fn new(connected_ms: i64) -> Self {
        Self {
            door: Door::Rest,
            envelope: None,
            binary: None,
            names: Vec::new(),
            masks: Vec::new(),
            connected_ms,
            authorized_ms: None,
            has_logged_on: false,
            user_subscription: None,
            returns_rate_limits: true,
            messages_per_s: None,
            part: "",
            numbered_by: None,
            held_report: None,
            held: None,
            muted_until_ns: None,
        }
    }

    /// So many frames of the connection are lost: their numbers are left out.
    pub fn skip_numbers(&mut self, lost: u64) {
        if let Some((_, next)) = &mut self.numbered_by {
            *next += lost;
        }
    }

    /// Writes the next number into a frame; `None` when the session's frames have none.
    pub fn number(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        let (field, next) = self.numbered_by.as_mut()?;
        let at = text.windows(field.len()).position(|bytes| bytes == field.as_bytes())?;
        let at = at + field.len();
        let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = next.to_string();
        *next += 1;
        Some([&text[..at], number.as_bytes(), &text[at + digits..]].concat())
    }

    /// Stops a stream of which the session still believes that it is subscribed.
    pub fn silence(&mut self, key: StreamKey) {
        if let Some(mask) = self.masks.get_mut(key.index) {
            *mask &= !key.bit;
        }
    }

    /// Whether the session wants a stream.
    pub fn wants(&self, key: StreamKey) -> bool {
        self.masks.get(key.index).is_some_and(|mask| mask & key.bit != 0)
    }

    pub fn subscribe(&mut self, name: &str, key: Option<StreamKey>) {
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.into());
        }
        if let Some(key) = key {
            if self.masks.len() <= key.index {
                self.masks.resize(key.index + 1, 0);
            }
            self.masks[key.index] |= key.bit;
        }
    }

    pub fn unsubscribe(&mut self, name: &str, key: Option<StreamKey>) {
        self.names.retain(|known| known != name);
        if let Some(mask) = key.and_then(|key| self.masks.get_mut(key.index).zip(Some(key))) {
            *mask.0 &= !mask.1.bit;
        }
    }
}
