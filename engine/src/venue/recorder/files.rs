//! The files of one recorded connection.
//!
//! `ROLE.NNNN.jsonl` has a frame a line, as it came or, where it was no text, as
//! `{"binary":"<base64>"}`; `ROLE.NNNN.recv_ns.txt` the times of its lines; beside
//! them are `ROLE.NNNN.sent.jsonl` with what was sent, and `ROLE.notes.txt`.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;

use crate::world::{File, Files};

/// Bytes that are kept back before they are written.
const KEPT_BYTES_MAX: usize = 256 * 1024;

/// A file, and what is still to be written to it.
struct Lines {
    file: File,
    kept: Vec<u8>,
}

impl Lines {
    fn create(files: &Files, path: &Path) -> io::Result<Lines> {
        Ok(Lines { file: files.create_private(path)?, kept: Vec::new() })
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.file.write_all(&self.kept);
        self.kept.clear();
        written
    }

    /// Appends a line; a line break in it, which has no meaning in JSON, becomes a space.
    fn line(&mut self, text: &[u8]) -> io::Result<usize> {
        let breaks = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
        self.kept.extend(text.iter().map(breaks));
        self.kept.push(b'\n');
        if self.kept.len() >= KEPT_BYTES_MAX {
            self.flush()?;
        }
        Ok(text.len() + 1)
    }
}

/// What a frame is written as: a line is text.
fn line_of(frame: &[u8]) -> Cow<'_, [u8]> {
    let is_control = |byte: &u8| *byte < b' ' && !b"\t\n\r".contains(byte);
    if std::str::from_utf8(frame).is_ok() && !frame.iter().any(is_control) {
        return Cow::Borrowed(frame);
    }
    Cow::Owned(format!(r#"{{"binary":"{}"}}"#, BASE64.encode(frame)).into_bytes())
}

/// A part of a recording: what was heard until its files were large enough.
struct Part {
    frames: Lines,
    times: Lines,
    sent: Lines,
    bytes: u64,
}

/// All files of a connection.
pub(super) struct ConnectionFiles {
    files: Files,
    folder: PathBuf,
    role: String,
    part_bytes_max: u64,
    part: Option<Part>,
    notes: Option<Lines>,
    pub(super) parts: u32,
}

impl ConnectionFiles {
    pub(super) fn new(
        files: Files,
        folder: PathBuf,
        role: &str,
        part_bytes_max: u64,
    ) -> ConnectionFiles {
        let role = role.to_owned();
        ConnectionFiles { files, folder, role, part_bytes_max, part: None, notes: None, parts: 0 }
    }

    /// Appends a frame with its time; the bytes that are written for it.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn frame(&mut self, time_ns: i64, text: &[u8]) -> io::Result<u64> {
        let text = &line_of(text);
        let max = self.part_bytes_max;
        let is_over = |part: &Part| part.bytes > 0 && part.bytes + text.len() as u64 > max;
        if self.part.as_ref().is_some_and(is_over) {
            self.flush()?;
            self.part = None;
        }
        let part = self.part()?;
        let mut time = String::new();
        let _infallible = write!(time, "{time_ns}");
        let bytes = part.frames.line(text)? + part.times.line(time.as_bytes())?;
        part.bytes += bytes as u64;
        Ok(bytes as u64)
    }

    /// Appends a message that was sent.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn sent(&mut self, time_ns: i64, text: &[u8]) -> io::Result<u64> {
        let text = String::from_utf8_lossy(text);
        let line = serde_json::json!({ "sent_ns": time_ns, "text": text }).to_string();
        Ok(self.part()?.sent.line(line.as_bytes())? as u64)
    }

    /// Appends a note on the connection.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn note(&mut self, time_ns: i64, text: &str) -> io::Result<u64> {
        if self.notes.is_none() {
            let path = self.folder.join(format!("{}.notes.txt", self.role));
            self.notes = Some(Lines::create(&self.files, &path)?);
        }
        let Some(notes) = &mut self.notes else { return Ok(0) };
        Ok(notes.line(format!("{time_ns} {text}").as_bytes())? as u64)
    }

    /// Writes what is kept back.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if let Some(Part { frames, times, sent, .. }) = &mut self.part {
            // Times last: a recording with fewer times than lines is refused, one that was cut off
            // by a crash is to say so.
            frames.flush().and_then(|()| times.flush()).and_then(|()| sent.flush())?;
        }
        self.notes.as_mut().map_or(Ok(()), Lines::flush)
    }

    fn part(&mut self) -> io::Result<&mut Part> {
        if self.part.is_none() {
            self.parts += 1;
            let path = |ending: &str| {
                self.folder.join(format!("{}.{:04}.{ending}", self.role, self.parts))
            };
            let create = |ending| Lines::create(&self.files, &path(ending));
            self.part = Some(Part {
                frames: create("jsonl")?,
                times: create("recv_ns.txt")?,
                sent: create("sent.jsonl")?,
                bytes: 0,
            });
        }
        self.part.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_is_no_text_keeps_its_bytes() {
        let text = "{\"s\":\"\u{5e01}\",\n\"u\":1}".as_bytes();
        assert_eq!(line_of(text), text);
        let binary = [50, 0, 17, 39, 1, 0, 0, 0, b'\n', 0xFF];
        let line = line_of(&binary);
        assert_eq!(*line, *br#"{"binary":"MgARJwEAAAAK/w=="}"#);
        assert_eq!(*line_of(&[50, 0]), *br#"{"binary":"MgA="}"#);
    }
}
