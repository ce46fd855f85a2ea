//! JSON frames on reused memory: one padded buffer, one tape.
//!
//! Promises: no allocation per frame once the buffers have grown to the largest frame seen, no
//! recursion (nesting is bounded), one complete document per frame. No number is parsed twice:
//! venues send prices as text, which stays text here.

use simd_json::{Buffers, ErrorType, INPUT_PADDING, Node, Tape, fill_tape_padded};

use super::error::DecodeError;
use crate::venue::LetterReason;

/// Deepest nesting accepted. The venue's own deepest message has six levels.
const DEPTH_MAX: usize = 24;

/// The reused memory of one decoder.
pub(in crate::venue) struct JsonBuffer {
    padded: Vec<u8>,
    buffers: Buffers,
    /// Empty between frames: only its allocation is kept.
    tape: Tape<'static>,
    frame_bytes_max: usize,
}

impl JsonBuffer {
    /// As [`JsonBuffer::new`], with every buffer grown to what the densest frame of
    /// `frame_bytes_usual` needs: the parser sizes its own by a guess, and would grow them in the
    /// middle of a run.
    pub(in crate::venue) fn warmed(frame_bytes_usual: usize, frame_bytes_max: usize) -> JsonBuffer {
        let mut json = JsonBuffer::new(frame_bytes_usual, frame_bytes_max);
        // Nothing has more structure than single digits in a list, `[0,0,0]`.
        let usual = frame_bytes_usual.min(frame_bytes_max);
        let densest = format!("[{}0]", "0,".repeat(usual.saturating_sub(3) / 2));
        let parsed = json.parse(densest.as_bytes(), |_nodes| Ok(()));
        debug_assert_eq!(parsed, Ok(()));
        json
    }

    /// Memory for frames up to `frame_bytes_max`, preallocated for frames of `frame_bytes_usual`.
    pub(in crate::venue) fn new(frame_bytes_usual: usize, frame_bytes_max: usize) -> JsonBuffer {
        let usual = frame_bytes_usual.min(frame_bytes_max);
        JsonBuffer {
            padded: vec![0; usual + INPUT_PADDING],
            buffers: Buffers::with_max_depth(usual, DEPTH_MAX),
            // Never more nodes than one for two bytes, and the root.
            tape: Tape(Vec::with_capacity(usual / 2 + 2)),
            frame_bytes_max,
        }
    }

    /// Parses `frame` and hands the document's nodes to `read`. What `read` returns may borrow the
    /// document's strings, which live in this buffer until the next frame, but not the nodes.
    #[inline]
    pub(in crate::venue) fn parse<'a, R>(
        &'a mut self,
        frame: &[u8],
        read: impl FnOnce(&[Node<'a>]) -> Result<R, DecodeError>,
    ) -> Result<R, DecodeError> {
        if frame.len() > self.frame_bytes_max {
            return Err(DecodeError::new(LetterReason::Oversize, "frame above the limit"));
        }
        let padded_bytes = frame.len() + INPUT_PADDING;
        if self.padded.len() < padded_bytes {
            self.padded.resize(padded_bytes, 0);
        }
        self.padded[..frame.len()].copy_from_slice(frame);
        // A tape borrows the document, so it can't be kept under that lifetime. An empty one can
        // change lifetimes; its allocation travels along.
        let mut tape: Tape<'a> = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let filled = fill_tape_padded(&mut self.padded, frame.len(), &mut self.buffers, &mut tape);
        let outcome = match filled {
            Ok(()) => read(&tape.0),
            Err(error) => Err(refuse(error.error())),
        };
        self.tape = tape.reset();
        outcome
    }
}

#[cold]
fn refuse(error: &ErrorType) -> DecodeError {
    match error {
        ErrorType::InvalidNumber => DecodeError::number("number out of range or malformed"),
        ErrorType::InvalidUtf8 => DecodeError::malformed("not UTF-8"),
        ErrorType::DepthLimitExceeded => DecodeError::malformed("nested too deeply"),
        ErrorType::TrailingData => DecodeError::malformed("bytes after the document"),
        _ => DecodeError::malformed("not JSON"),
    }
}
