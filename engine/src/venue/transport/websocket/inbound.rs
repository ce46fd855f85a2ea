//! The reading half of a WebSocket client: bytes in, whole messages out, nothing allocated per
//! message.
//!
//! Why not `tungstenite::WebSocket::read`: it does not allocate per message either (its payloads
//! are views of one buffer, as long as each is dropped before the next read), but it zero-fills its
//! read buffer at every attempt, also when the socket is empty, which a spinning core pays in every
//! duty cycle; and it does not show whether a frame is in progress, so a frame deadline (F14) can't
//! be kept on it. Frame headers are parsed by tungstenite all the same, and a property test holds
//! this reader against its state machine.
//!
//! A message is a view of the buffer, valid until the next call. A fragmented message is joined in
//! a second buffer, which grows once.
//!
//! **One stamp per socket read.** The socket is read only when no whole frame is left in the
//! buffer, and the clock is read right after that system call returned. So the stamp of a message
//! is the time of the read that brought its last byte; messages of one read share it.

use std::io::{self, Cursor, Read};
use std::ops::Range;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::WireError;
use crate::runtime::Clock;

/// Bytes of the read buffer at the start; it grows up to one whole frame of the largest size.
pub const READ_BUFFER_BYTES: usize = 64 * 1024;
/// The longest header of a frame.
const HEADER_BYTES_MAX: usize = 14;
/// A read is given at least this much room,
const READ_BYTES_MIN: usize = 4 * 1024;
/// and no more than this: of a long frame one read would copy all that the system holds.
const READ_BYTES_MAX: usize = 256 * 1024;
/// Where frames of this many bytes are to be expected, the buffer has room for the longest one from
/// the start: memory that was never written to costs nothing.
const LONG_FRAME_BYTES: usize = 8 * 1024 * 1024;

/// One whole message.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text or binary message.
    Data(&'a [u8]),
    /// A ping, to be answered with the same payload.
    Ping(&'a [u8]),
    /// A pong.
    Pong,
    /// The peer closes; its code, 1005 when it gave none.
    Close(u16),
}

/// The buffer and the parser's state.
#[derive(Debug)]
pub struct Inbound {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes the frame in progress needs in all, as far as known.
    wanted: usize,
    /// Joined fragments of the message in progress.
    joined: Vec<u8>,
    fragmented: Option<Data>,
    stamp_ns: u64,
    incomplete_since_ns: Option<u64>,
    frame_bytes_max: usize,
}

/// Which kind of message a whole frame, or the last fragment, has completed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Data,
    Joined,
    Ping,
    Pong,
    Close,
}

impl Inbound {
    /// An empty buffer; a frame, and a joined message, may have `frame_bytes_max` bytes.
    #[must_use]
    pub fn new(frame_bytes_max: usize) -> Inbound {
        let whole_bytes = frame_bytes_max.saturating_add(READ_BUFFER_BYTES);
        let is_long = frame_bytes_max >= LONG_FRAME_BYTES;
        Inbound {
            bytes: vec![0; if is_long { whole_bytes } else { READ_BUFFER_BYTES }],
            start: 0,
            end: 0,
            wanted: HEADER_BYTES_MAX,
            joined: Vec::new(),
            fragmented: None,
            stamp_ns: 0,
            incomplete_since_ns: None,
            frame_bytes_max,
        }
    }

    /// Forgets everything, for a new connection. Keeps the memory.
    pub fn reset(&mut self) {
        (self.start, self.end, self.wanted) = (0, 0, HEADER_BYTES_MAX);
        self.joined.clear();
        self.fragmented = None;
        self.incomplete_since_ns = None;
    }

    /// Takes bytes that were read together with the handshake's answer.
    pub fn preload(&mut self, bytes: &[u8], stamp_ns: u64) {
        self.reset();
        if self.bytes.len() < bytes.len() {
            self.bytes.resize(bytes.len(), 0);
        }
        self.bytes[..bytes.len()].copy_from_slice(bytes);
        self.end = bytes.len();
        self.stamp_ns = stamp_ns;
    }

    /// Reads once from `source`. `Ok(0)` is the end of the stream.
    ///
    /// # Errors
    /// Those of the source; `WouldBlock` when there is nothing.
    pub fn fill(&mut self, source: &mut impl Read, clock: &Clock) -> io::Result<usize> {
        self.make_room();
        loop {
            let most = self.bytes.len().min(self.end + READ_BYTES_MAX);
            match source.read(&mut self.bytes[self.end..most]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(count) => {
                    self.stamp_ns = clock.now_ns();
                    self.end += count;
                    return Ok(count);
                }
            }
        }
    }

    /// The next whole message; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`WireError`]; the connection must be closed then. [`Inbound::rest`] still shows the
    /// offender.
    pub fn next_message(&mut self) -> Result<Option<Message<'_>>, WireError> {
        let Some((part, range)) = self.advance()? else { return Ok(None) };
        let payload = self.payload(part, range);
        Ok(Some(match part {
            Part::Data | Part::Joined => Message::Data(payload),
            Part::Ping => Message::Ping(payload),
            Part::Pong => Message::Pong,
            Part::Close => Message::Close(Inbound::close_code(payload)),
        }))
    }

    /// The bytes of what [`Inbound::advance`] found.
    #[inline]
    pub(super) fn payload(&self, part: Part, range: Range<usize>) -> &[u8] {
        if part == Part::Joined { &self.joined } else { &self.bytes[range] }
    }

    /// The code in a close frame's payload; 1005 when it gives none (RFC 6455, section 7.1.5).
    pub(super) fn close_code(payload: &[u8]) -> u16 {
        match payload {
            [high, low, ..] => u16::from_be_bytes([*high, *low]),
            _ => 1005,
        }
    }

    /// When the bytes last read were read, ns of the engine's clock.
    #[inline]
    #[must_use]
    pub fn stamp_ns(&self) -> u64 {
        self.stamp_ns
    }

    /// Since when a frame or a fragmented message is in progress, ns; `None` between messages.
    #[inline]
    #[must_use]
    pub fn incomplete_since_ns(&self) -> Option<u64> {
        self.incomplete_since_ns
    }

    /// What was read and not yet taken as a message: after an error, the frame that caused it.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Bytes reserved by the buffers.
    #[must_use]
    pub fn reserved_bytes(&self) -> usize {
        self.bytes.len() + self.joined.capacity()
    }

    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        let free = self.bytes.len() - self.end;
        let held = self.end - self.start;
        if self.start > 0 && (free < READ_BYTES_MIN || self.start + self.wanted > self.bytes.len())
        {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, held);
        }
        if self.wanted > self.bytes.len() {
            // The one allocation a larger frame costs, once: the buffer is kept.
            self.bytes.resize(self.wanted.next_multiple_of(READ_BUFFER_BYTES), 0);
        }
    }

    /// Steps over frames until a message is whole. Apart from the bytes, so that a caller can look
    /// at several before it lends one out.
    pub(super) fn advance(&mut self) -> Result<Option<(Part, Range<usize>)>, WireError> {
        loop {
            let mut cursor = Cursor::new(&self.bytes[self.start..self.end]);
            let parsed = FrameHeader::parse(&mut cursor).map_err(|_| {
                WireError::Opcode(self.bytes[self.start] & 0x0F) // all that its parser refuses
            })?;
            let Some((header, length)) = parsed else {
                self.wanted = HEADER_BYTES_MAX;
                self.note_incomplete();
                return Ok(None);
            };
            let header_bytes = cursor.position() as usize;
            self.check(&header, length)?;
            let body = self.start + header_bytes;
            let whole = header_bytes + length as usize;
            if self.end - self.start < whole {
                self.wanted = whole;
                self.note_incomplete();
                return Ok(None);
            }
            let range = body..self.start + whole;
            if let Some(part) = self.take(&header, range.clone())? {
                self.start += whole;
                self.wanted = HEADER_BYTES_MAX;
                let in_message = self.fragmented.is_some();
                self.incomplete_since_ns = self.incomplete_since_ns.filter(|_| in_message);
                return Ok(Some((part, range)));
            }
            self.start += whole; // one more fragment
        }
    }

    /// What can be judged by the header alone, so that nothing is read for a frame that is refused.
    fn check(&self, header: &FrameHeader, length: u64) -> Result<(), WireError> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(WireError::ReservedBits);
        }
        if header.mask.is_some() {
            return Err(WireError::Masked);
        }
        let limit = self.frame_bytes_max as u64;
        match header.opcode {
            OpCode::Control(_) if !header.is_final => return Err(WireError::FragmentedControl),
            OpCode::Control(_) if length > 125 => return Err(WireError::LongControl),
            OpCode::Control(_) => {}
            OpCode::Data(Data::Continue) => {
                if self.fragmented.is_none() {
                    return Err(WireError::UnexpectedContinuation);
                }
                let size = length.saturating_add(self.joined.len() as u64);
                if size > limit {
                    return Err(WireError::Oversize { size, limit });
                }
            }
            OpCode::Data(_) if self.fragmented.is_some() => {
                return Err(WireError::UnfinishedMessage);
            }
            OpCode::Data(_) if length > limit => {
                return Err(WireError::Oversize { size: length, limit });
            }
            OpCode::Data(_) => {}
        }
        Ok(())
    }

    /// Takes one whole frame; `None` when it is a fragment and its message is not yet whole.
    fn take(
        &mut self,
        header: &FrameHeader,
        range: Range<usize>,
    ) -> Result<Option<Part>, WireError> {
        let payload = &self.bytes[range];
        match header.opcode {
            OpCode::Control(Control::Ping) => Ok(Some(Part::Ping)),
            OpCode::Control(Control::Pong) => Ok(Some(Part::Pong)),
            OpCode::Control(Control::Close) => match payload {
                [_] => Err(WireError::CloseFrame),
                [_, _, reason @ ..] if str::from_utf8(reason).is_err() => Err(WireError::Utf8),
                _ => Ok(Some(Part::Close)),
            },
            OpCode::Control(Control::Reserved(code)) => Err(WireError::Opcode(code)),
            OpCode::Data(Data::Continue) => {
                self.joined.extend_from_slice(payload);
                if !header.is_final {
                    return Ok(None);
                }
                let is_text = self.fragmented.take() == Some(Data::Text);
                if is_text && str::from_utf8(&self.joined).is_err() {
                    return Err(WireError::Utf8);
                }
                Ok(Some(Part::Joined))
            }
            OpCode::Data(kind) if !header.is_final => {
                self.joined.clear();
                self.joined.extend_from_slice(payload);
                self.fragmented = Some(kind);
                Ok(None)
            }
            OpCode::Data(Data::Text) if str::from_utf8(payload).is_err() => Err(WireError::Utf8),
            OpCode::Data(_) => Ok(Some(Part::Data)),
        }
    }

    fn note_incomplete(&mut self) {
        if self.start < self.end || self.fragmented.is_some() {
            self.incomplete_since_ns.get_or_insert(self.stamp_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of a server: an unmasked text, a fragmented text, a ping, a close with its code.
    const WIRE: &[u8] = b"\x81\x05hello\x01\x02ab\x80\x01c\x89\x01p\x88\x02\x03\xe8";

    fn messages(inbound: &mut Inbound) -> Vec<String> {
        let mut seen = Vec::new();
        while let Some(message) = inbound.next_message().unwrap() {
            seen.push(format!("{message:?}"));
        }
        seen
    }

    #[test]
    fn a_cut_at_any_byte_never_gives_a_partial_message() {
        // F12, EDGE-23.
        let (clock, _time) = Clock::manual(0);
        let mut whole = Inbound::new(1_024);
        whole.fill(&mut &WIRE[..], &clock).unwrap();
        let expected = messages(&mut whole);
        assert_eq!(expected.len(), 4, "{expected:?}");
        assert!(expected[0].contains(&format!("{:?}", b"hello")));
        assert!(expected[1].contains(&format!("{:?}", b"abc")));
        for cut in 0..=WIRE.len() {
            let mut inbound = Inbound::new(1_024);
            inbound.fill(&mut &WIRE[..cut], &clock).unwrap();
            let mut seen = messages(&mut inbound);
            assert_eq!(seen, expected[..seen.len()], "cut at {cut}");
            inbound.fill(&mut &WIRE[cut..], &clock).unwrap();
            seen.extend(messages(&mut inbound));
            assert_eq!(seen, expected, "cut at {cut}");
        }
    }

    #[test]
    fn what_breaks_the_protocol_is_a_typed_error() {
        // F15: masked server frame, reserved bit, unknown opcode, oversize.
        let (clock, _time) = Clock::manual(0);
        let cases: [&[u8]; 4] = [
            b"\x81\x81\x00\x00\x00\x00a",
            b"\xc1\x01a",
            b"\x83\x01a",
            b"\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x00",
        ];
        for bytes in cases {
            let mut inbound = Inbound::new(1_024);
            inbound.fill(&mut &bytes[..], &clock).unwrap();
            assert!(inbound.next_message().is_err(), "{bytes:x?} was taken");
        }
    }
}
