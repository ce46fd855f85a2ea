//! What segments and checkpoints are called: a number of twelve digits, and what it is.

use std::path::{Path, PathBuf};

/// The end of a segment's name.
const EXTENSION: &str = "journal";
/// Digits of every number: nobody writes so many segments that one has more.
const DIGITS: usize = 12;

/// Path of a segment.
pub(crate) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    numbered_path(folder, number, EXTENSION)
}

/// Number in the name of a segment; `None` for another file.
pub(super) fn number_of(path: &Path) -> Option<u64> {
    number_in(path, EXTENSION)
}

/// Path of a file with a number.
pub(super) fn numbered_path(folder: &Path, number: u64, extension: &str) -> PathBuf {
    folder.join(format!("{number:0DIGITS$}.{extension}"))
}

/// Number in such a name; `None` for a file that is called otherwise than by us.
pub(super) fn number_in(path: &Path, extension: &str) -> Option<u64> {
    let is_one = path.extension().is_some_and(|of| of == extension);
    let stem = path.file_stem().filter(|_| is_one)?.to_str()?;
    let is_number = stem.len() == DIGITS && stem.bytes().all(|byte| byte.is_ascii_digit());
    stem.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_called_as_we_call_it_is_a_segment() {
        let folder = Path::new("/journal");
        for number in [1, 17, 999_999_999_999] {
            assert_eq!(number_of(&segment_path(folder, number)), Some(number));
        }
        for name in [
            "18446744073709551615.journal",
            "1.journal",
            "+00000000001.journal",
            "000000000001.checkpoint",
            "000000000001.journal.bak",
            "00000000000a.journal",
        ] {
            assert_eq!(number_of(&folder.join(name)), None, "{name}");
        }
    }
}
