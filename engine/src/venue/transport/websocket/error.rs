//! Why a connection ended, and why a frame could not be sent.

use std::fmt;
use std::io;

use thiserror::Error;

use crate::venue::transport::RetryAfter;

/// A violation of RFC 6455, or of our limits, by the venue (F15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum WireError {
    #[error("frame of {size} bytes is above the limit of {limit}")]
    Oversize { size: u64, limit: u64 },
    #[error("a server's frame is masked")]
    Masked,
    #[error("reserved bits are set")]
    ReservedBits,
    #[error("opcode {0} is reserved")]
    Opcode(u8),
    #[error("a control frame is fragmented")]
    FragmentedControl,
    #[error("a control frame is longer than 125 bytes")]
    LongControl,
    #[error("a continuation without a message")]
    UnexpectedContinuation,
    #[error("a new message inside a fragmented one")]
    UnfinishedMessage,
    #[error("a text message is not UTF-8")]
    Utf8,
    #[error("a close frame has a payload of one byte")]
    CloseFrame,
}

/// Why a connection ended. Reads like `handshake failed: connection refused (code: os 111)`.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum CloseReason {
    #[error("connect failed: {}", IoText(.0))]
    Connect(io::Error),
    #[error("handshake failed: {}", IoText(.0))]
    HandshakeIo(io::Error),
    #[error("handshake failed: refused by the venue (code: http {0})")]
    HandshakeStatus(u16, Option<RetryAfter>),
    #[error("handshake failed: {0} (code: protocol)")]
    HandshakeProtocol(String),
    #[error("handshake failed: no answer in time (code: deadline)")]
    HandshakeDeadline,
    #[error("read failed: {}", IoText(.0))]
    Read(io::Error),
    #[error("write failed: {}", IoText(.0))]
    Write(io::Error),
    #[error("read failed: closed by the venue (code: ws {0})")]
    PeerClosed(u16),
    #[error("read failed: connection ended (code: eof)")]
    Ended,
    #[error("read failed: connection cut inside a frame (code: eof)")]
    CutInFrame,
    #[error("read failed: {0} (code: protocol)")]
    Protocol(#[from] WireError),
    #[error("read failed: a frame did not end in time (code: deadline)")]
    FrameDeadline,
    #[error("read failed: nothing heard (code: idle)")]
    Idle,
    #[error("read failed: alive, but no data (code: data-idle)")]
    DataIdle,
    #[error("{operation} failed: {reason} (code: {code})")]
    Refused { operation: &'static str, reason: &'static str, code: i32 },
    #[error("closed on request (code: stop)")]
    Stopped,
}

/// Why a message was not taken for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum SendError {
    #[error("send failed: not connected (code: state)")]
    NotOpen,
    #[error("send failed: the venue does not read (code: backlog)")]
    Backlog,
    #[error("send failed: as many messages as the venue takes in a second (code: rate)")]
    TooMany,
}

struct IoText<'a>(&'a io::Error);

impl fmt::Display for IoText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.raw_os_error() {
            Some(code) => write!(f, "{} (code: os {code})", self.0.kind()),
            None => write!(f, "{} (code: io)", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_operation_reason_code() {
        let refused = CloseReason::HandshakeIo(io::Error::from_raw_os_error(111));
        assert_eq!(refused.to_string(), "handshake failed: connection refused (code: os 111)");
        let masked = CloseReason::from(WireError::Masked);
        assert_eq!(masked.to_string(), "read failed: a server's frame is masked (code: protocol)");
    }
}
