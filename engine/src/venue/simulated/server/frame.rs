//! A market frame on its way to those who want it.

use super::session::Envelope;
use crate::venue::simulated::frame_kind::FrameKind;

/// A market frame, rendered once for all who want it.
#[derive(Clone, Copy)]
pub struct MarketFrame<'a> {
    pub kind: FrameKind,
    pub stream: &'a str,
    /// The event, without its wrapping.
    pub data: &'a [u8],
    /// Frames of the connection that were lost before this one when it was recorded.
    pub lost: u64,
}

impl<'a> MarketFrame<'a> {
    /// The parts of the wrapped frame, in a row.
    pub fn wrapped(&self, envelope: &Envelope) -> [&'a [u8]; 5] {
        let Envelope { before, between, after } = *envelope;
        [before.as_bytes(), self.stream.as_bytes(), between.as_bytes(), self.data, after.as_bytes()]
    }
}

/// A message to the account, rendered once for all of its sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountFrame {
    pub kind: FrameKind,
    pub text: String,
    /// It tells of a fill.
    pub is_fill: bool,
}
