//! The writing half of a WebSocket client: frames are masked into one reused buffer and written at
//! once.
//!
//! The buffer never grows: a peer that does not read is told apart by [`SendError::Backlog`], not
//! by our memory.

use std::io::{self, Write};

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::SendError;
use crate::world::SplitMix64;

/// Bytes that may wait for a peer that does not read.
pub const WRITE_BUFFER_BYTES: usize = 256 * 1024;
/// The longest header of a masked frame.
const HEADER_BYTES_MAX: usize = 14;

/// Frames on their way out.
#[derive(Debug)]
pub struct Outbound {
    bytes: Vec<u8>,
    sent: usize,
    masks: SplitMix64,
}

impl Outbound {
    /// An empty buffer, all of it reserved.
    #[must_use]
    pub fn new(seed: u64) -> Outbound {
        Outbound {
            bytes: Vec::with_capacity(WRITE_BUFFER_BYTES),
            sent: 0,
            masks: SplitMix64::new(seed),
        }
    }

    /// Forgets what was not sent, for a new connection.
    pub fn reset(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }

    /// Whether everything was written.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Queues one text message.
    ///
    /// # Errors
    /// [`SendError::Backlog`] when it does not fit.
    #[inline]
    pub fn text(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.frame(OpCode::Data(Data::Text), payload)
    }

    /// Queues one control frame of at most 125 bytes.
    ///
    /// # Errors
    /// [`SendError::Backlog`] when it does not fit.
    pub fn control(&mut self, kind: Control, payload: &[u8]) -> Result<(), SendError> {
        debug_assert!(payload.len() <= 125);
        self.frame(OpCode::Control(kind), payload)
    }

    /// Writes what is queued, as far as the socket takes it; `Ok(true)` when nothing is left.
    ///
    /// # Errors
    /// Those of the sink but `WouldBlock`; a sink that takes nothing is `WriteZero`.
    #[inline]
    pub fn flush(&mut self, sink: &mut impl Write) -> io::Result<bool> {
        while self.sent < self.bytes.len() {
            match sink.write(&self.bytes[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.reset();
        Ok(true)
    }

    fn frame(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), SendError> {
        if self.bytes.len() + HEADER_BYTES_MAX + payload.len() > WRITE_BUFFER_BYTES {
            if self.sent == 0 {
                return Err(SendError::Backlog);
            }
            self.bytes.drain(..self.sent);
            self.sent = 0;
            return self.frame(opcode, payload);
        }
        let mask = (self.masks.next_u64() as u32).to_ne_bytes();
        let header = FrameHeader { opcode, mask: Some(mask), ..FrameHeader::default() };
        if header.format(payload.len() as u64, &mut self.bytes).is_err() {
            return Err(SendError::Backlog); // a vector takes every write
        }
        let at = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        apply_mask(&mut self.bytes[at..], mask);
        Ok(())
    }
}

/// Eight bytes at a time: one by one took most of the instructions from an order to its bytes.
fn apply_mask(bytes: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tungstenite::Message;
    use tungstenite::protocol::{Role, WebSocket};

    use super::*;

    #[test]
    fn a_mask_is_applied_byte_by_byte_whatever_the_length() {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        for length in 0..40 {
            let plain: Vec<u8> = (0..length).collect();
            let mut masked = plain.clone();
            apply_mask(&mut masked, mask);
            // RFC 6455, 5.3: octet i is masked with octet i modulo 4 of the key.
            let expected: Vec<u8> =
                plain.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]).collect();
            assert_eq!(masked, expected);
        }
    }

    struct Trickle(Vec<u8>, usize);

    impl Write for Trickle {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.1 == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let count = bytes.len().min(self.1);
            self.1 -= count;
            self.0.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn another_implementation_reads_what_it_writes_in_pieces() {
        let texts = ["{}".to_owned(), "x".repeat(125), "y".repeat(126), "z".repeat(70_000)];
        let mut outbound = Outbound::new(3);
        for text in &texts {
            outbound.text(text.as_bytes()).unwrap();
        }
        outbound.control(Control::Ping, b"still there").unwrap();
        let mut sink = Trickle(Vec::new(), 0);
        let mut writes = 0;
        while !outbound.flush(&mut sink).unwrap() {
            sink.1 = 997;
            writes += 1;
        }
        assert!(writes > 50 && outbound.is_empty());
        let mut server = WebSocket::from_raw_socket(Cursor::new(sink.0), Role::Server, None);
        for text in &texts {
            assert_eq!(server.read().unwrap(), Message::text(text.clone()));
        }
        assert_eq!(server.read().unwrap(), Message::Ping("still there".into()));
    }

    #[test]
    fn a_peer_that_does_not_read_is_refused_and_costs_no_memory() {
        let mut outbound = Outbound::new(3);
        let payload = vec![b'x'; 60_000];
        let refused = (0..10).filter(|_| outbound.text(&payload).is_err()).count();
        assert_eq!(refused, 6);
        assert_eq!(outbound.bytes.capacity(), WRITE_BUFFER_BYTES);
        let mut sink = Trickle(Vec::new(), 130_000);
        assert!(!outbound.flush(&mut sink).unwrap());
        outbound.text(&payload).unwrap(); // what was written makes room
        assert_eq!(outbound.bytes.capacity(), WRITE_BUFFER_BYTES);
    }
}
