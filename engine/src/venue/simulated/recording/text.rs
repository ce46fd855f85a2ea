//! The lines of a recorded file, however it was kept: packed or not, with or without a byte order
//! mark.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::de::IgnoredAny;

use super::{RecordingError, unreadable};
use crate::world::Files;

/// How the name of a file with frames ends.
const FRAMES: [&str; 2] = [".jsonl", ".jsonl.gz"];

const NS_PER_S: i64 = 1_000_000_000;

/// What the files of one connection have in common in their names, `market` in `market.0001.jsonl`;
/// `None` in names of another form.
pub(super) fn series(path: &Path) -> Option<&str> {
    let (series, number) = stem(path)?.rsplit_once('.')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(series)
}

/// The name of a file with frames without its ending; `None` for another file.
pub(super) fn stem(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    FRAMES.iter().find_map(|ending| name.strip_suffix(ending))
}

/// What a file compressed by gzip begins with, whatever its name.
const GZIP_MARK: [u8; 2] = [0x1f, 0x8b];

/// A whole file as text, unpacked, without a byte order mark.
pub(super) fn read(path: &Path) -> Result<String, RecordingError> {
    let mut bytes = Files::Real.read(path).map_err(|e| unreadable(path, e))?;
    if bytes.starts_with(&GZIP_MARK) || path.extension().is_some_and(|of| of == "gz") {
        bytes = unpacked(&bytes).map_err(|e| unreadable(path, e))?;
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        let problem = "what stands there is no text (UTF-8)".to_owned();
        RecordingError::Line { path: path.to_owned(), line, problem }
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

fn unpacked(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = MultiGzDecoder::new(packed).read_to_end(&mut bytes);
    read.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            io::Error::new(error.kind(), format!("the gzip data is cut off ({error})"))
        }
        _ => error,
    })?;
    Ok(bytes)
}

/// Takes a last line away that ends in the middle, as whoever is killed while recording leaves it;
/// returns its number.
pub(super) fn cut_torn_end(text: &mut String) -> Option<usize> {
    let start = text.rfind('\n').map_or(0, |at| at + 1);
    let last = &text[start..];
    // An object that is not closed: nothing that is whole is one, whatever a venue speaks.
    let is_torn = serde_json::from_str::<IgnoredAny>(last).is_err_and(|error| error.is_eof());
    if start == 0 || !last.starts_with('{') || !is_torn {
        return None;
    }
    text.truncate(start);
    Some(text.lines().count() + 1)
}

/// The lines with something in them, with their numbers.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty())
}

/// The times of the `frames` lines of a file, ns since the Unix epoch; `None` when no file of times
/// lies beside it. Of a line that was cut off there may be a time.
pub(super) fn times_of(
    path: &Path,
    frames: usize,
    is_torn: bool,
) -> Result<Option<Vec<i64>>, RecordingError> {
    let Some((file, is_ns)) = times_file(path) else { return Ok(None) };
    let text = read(&file)?;
    let mut times = Vec::with_capacity(frames);
    for (number, line) in lines(&text) {
        let line = line.trim();
        let time_ns = if is_ns { line.parse().ok() } else { parse_seconds(line) };
        times.push(time_ns.ok_or_else(|| RecordingError::Time {
            path: file.clone(),
            line: number,
            text: line.to_owned(),
        })?);
    }
    if is_torn && times.len() == frames + 1 {
        times.pop();
    }
    if times.len() != frames {
        return Err(RecordingError::Times { path: file, times: times.len(), frames });
    }
    Ok(Some(times))
}

fn times_file(path: &Path) -> Option<(PathBuf, bool)> {
    let stem = stem(path)?;
    let of = |ending: &str| path.with_file_name(format!("{stem}.{ending}"));
    let known = [("recv_ns.txt", true), ("recv_s.txt", false)];
    known
        .into_iter()
        .map(|(ending, is_ns)| (of(ending), is_ns))
        .find(|(file, _)| Files::Real.is_there(file))
}

/// Decimal seconds as ns; digits below a nanosecond are dropped.
pub(super) fn parse_seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nine: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let whole: i64 = whole.parse().ok()?;
    whole.checked_mul(NS_PER_S)?.checked_add(nine.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_or_a_pipe_is_refused_before_it_is_read() {
        let error = read(Path::new("/dev/null")).unwrap_err();
        assert!(error.to_string().contains("no regular file"), "{error}");
    }
}
