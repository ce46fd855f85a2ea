//! The lines of a recorded file, however it was kept: packed or not, with or without a byte order
//! mark.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

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

/// A whole file as text, unpacked, without a byte order mark.
pub(super) fn read(path: &Path) -> Result<String, RecordingError> {
    // A pipe or a device would keep whoever reads it for good.
    let mode = rustix::fs::stat(path).map_err(|e| unreadable(path, e.into()))?.st_mode;
    if !rustix::fs::FileType::from_raw_mode(mode).is_file() {
        return Err(unreadable(path, std::io::Error::other("it is no regular file")));
    }
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        let packed = Files::Real.read(path).map_err(|e| unreadable(path, e))?;
        MultiGzDecoder::new(packed.as_slice())
            .read_to_string(&mut text)
            .map_err(|e| unreadable(path, e))?;
    } else {
        text = Files::Real.read_text(path).map_err(|e| unreadable(path, e))?;
    }
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// The lines with something in them, with their numbers.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty())
}

/// The times of the `frames` lines of a file, ns since the Unix epoch; `None` when no file of times
/// lies beside it.
pub(super) fn times_of(path: &Path, frames: usize) -> Result<Option<Vec<i64>>, RecordingError> {
    let Some((file, is_ns)) = times_file(path) else { return Ok(None) };
    let text = read(&file)?;
    let mut times = Vec::with_capacity(frames);
    for (number, line) in lines(&text) {
        let line = line.trim();
        let time_ns = if is_ns { line.parse().ok() } else { parse_seconds(line) };
        times.push(time_ns.ok_or_else(|| RecordingError::Line {
            path: file.clone(),
            line: number,
            problem: format!("{line:?} is no time"),
        })?);
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
