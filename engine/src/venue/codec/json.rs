//! JSON frames on reused memory: one padded buffer, one tape.
//!
//! Promises: no allocation per frame once the buffers have grown to the largest frame seen, no
//! recursion (nesting is bounded), one complete document per frame. No number is parsed twice:
//! venues send prices as text, which stays text here.

use simd_json::{Buffers, ErrorType, INPUT_PADDING, Node, Tape, fill_tape_padded};

use super::error::DecodeError;
use super::plain_tape;
use crate::venue::LetterReason;

/// Deepest nesting accepted. The venue's own deepest message has six levels.
const DEPTH_MAX: usize = 24;

/// Longest frame that is tried as a plain document. Of longer ones most bytes are levels of books,
/// which come faster through a register of 64 bytes.
const PLAIN_BYTES_MAX: usize = 2 * 1024;

/// The reused memory of one decoder.
pub(in crate::venue) struct JsonBuffer {
    padded: Vec<u8>,
    /// A short frame, apart: where it is not plain, the other buffer gets it.
    short: Vec<u8>,
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
            short: Vec::with_capacity(PLAIN_BYTES_MAX),
            buffers: Buffers::with_max_depth(usual, DEPTH_MAX),
            // Never more nodes than one for two bytes, and the root.
            tape: Tape(Vec::with_capacity(usual.max(PLAIN_BYTES_MAX) / 2 + 2)),
            frame_bytes_max,
        }
    }

    /// [`JsonBuffer::parse`] with every number as the text that it is: for venues whose prices are
    /// JSON numbers. No digit is lost, and none goes through a float.
    pub(in crate::venue) fn parse_numbers_as_texts<'a, R>(
        &'a mut self,
        frame: &[u8],
        read: impl FnOnce(&[Node<'a>]) -> Result<R, DecodeError>,
    ) -> Result<R, DecodeError> {
        self.refuse_oversize(frame)?;
        self.padded.clear();
        quote_numbers(frame, &mut self.padded);
        let bytes = self.padded.len();
        self.short.clear();
        if bytes <= PLAIN_BYTES_MAX {
            self.short.extend_from_slice(&self.padded);
        }
        self.padded.resize(bytes + INPUT_PADDING, 0);
        self.read_tape(bytes, None, read)
    }

    /// Parses `frame` and hands the document's nodes to `read`. What `read` returns may borrow the
    /// document's strings, which live in this buffer until the next frame, but not the nodes.
    #[inline]
    pub(in crate::venue) fn parse<'a, R>(
        &'a mut self,
        frame: &[u8],
        read: impl FnOnce(&[Node<'a>]) -> Result<R, DecodeError>,
    ) -> Result<R, DecodeError> {
        self.refuse_oversize(frame)?;
        self.short.clear();
        if frame.len() <= PLAIN_BYTES_MAX {
            self.short.extend_from_slice(frame);
        }
        self.read_tape(frame.len(), Some(frame), read)
    }

    #[inline]
    fn refuse_oversize(&self, frame: &[u8]) -> Result<(), DecodeError> {
        if frame.len() > self.frame_bytes_max {
            return Err(DecodeError::new(LetterReason::Oversize, "frame above the limit"));
        }
        Ok(())
    }

    /// Hands over the nodes of a document of so many bytes: of the short one where it is plain,
    /// else of `frame`, or of what stands in the padded buffer.
    #[inline]
    fn read_tape<'a, R>(
        &'a mut self,
        bytes: usize,
        frame: Option<&[u8]>,
        read: impl FnOnce(&[Node<'a>]) -> Result<R, DecodeError>,
    ) -> Result<R, DecodeError> {
        // A tape borrows the document, so it can't be kept under that lifetime. An empty one can
        // change lifetimes; its allocation travels along.
        let mut tape: Tape<'a> = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let text = str::from_utf8(&self.short).unwrap_or_default();
        let filled = if plain_tape::fill(text, &mut tape.0) {
            Ok(())
        } else {
            tape.0.clear();
            if let Some(frame) = frame {
                let padded_bytes = bytes + INPUT_PADDING;
                if self.padded.len() < padded_bytes {
                    self.padded.resize(padded_bytes, 0);
                }
                self.padded[..bytes].copy_from_slice(frame);
            }
            fill_tape_padded(&mut self.padded, bytes, &mut self.buffers, &mut tape)
        };
        let outcome = match filled {
            Ok(()) => read(&tape.0),
            Err(error) => Err(refuse(error.error())),
        };
        self.tape = tape.reset();
        outcome
    }
}

/// Copies a frame with quotes around each number that is not in a text.
fn quote_numbers(frame: &[u8], out: &mut Vec<u8>) {
    let is_of_number =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    let mut rest = frame;
    while let Some((&byte, behind)) = rest.split_first() {
        let taken = match byte {
            b'"' => text_bytes(rest),
            b'-' | b'0'..=b'9' => {
                let number = rest.iter().take_while(|byte| is_of_number(byte)).count();
                out.push(b'"');
                out.extend_from_slice(&rest[..number]);
                out.push(b'"');
                rest = &rest[number..];
                continue;
            }
            _ => rest.len() - behind.len(),
        };
        out.extend_from_slice(&rest[..taken]);
        rest = &rest[taken..];
    }
}

/// Bytes of the text that `rest` starts with, quotes included; all of them when it does not end.
fn text_bytes(rest: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = rest.iter().skip(1).position(|byte| {
        let ends = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        ends
    });
    end.map_or(rest.len(), |end| end + 2)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_quoted_and_texts_stay_as_they_are() {
        for (frame, quoted) in [
            (
                r#"{"price":78480.10,"qty":0.00005000}"#,
                r#"{"price":"78480.10","qty":"0.00005000"}"#,
            ),
            (r#"[1e-08,-5,17408390984690501469]"#, r#"["1e-08","-5","17408390984690501469"]"#),
            (r#"{"a\\":"x \" 7","b":true}"#, r#"{"a\\":"x \" 7","b":true}"#),
            (r#"{"open":"7"#, r#"{"open":"7"#),
        ] {
            let mut out = Vec::new();
            quote_numbers(frame.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), quoted);
        }
    }
}
