//! Files that hold the same frames under other names: played together, they would be two
//! connections that tell one session.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::world::fnv_of;

/// Lines that a file has at least before it can be taken for another one.
const LINES_MIN: usize = 16;
/// The part of the shorter file's lines that are in the other one, percent.
const COMMON_PCT: usize = 90;

/// The files that were read, each with the hashes of its lines.
#[derive(Default)]
pub(super) struct Twins(Vec<(PathBuf, BTreeSet<u64>)>);

impl Twins {
    /// Notes a file; one of those before that holds the same frames.
    pub(super) fn add<'t>(
        &mut self,
        path: &Path,
        lines: impl Iterator<Item = &'t str>,
    ) -> Option<PathBuf> {
        let lines: BTreeSet<u64> = lines.map(|line| fnv_of(line.as_bytes())).collect();
        let is_twin = |other: &BTreeSet<u64>| {
            let shorter = lines.len().min(other.len());
            shorter >= LINES_MIN && 100 * lines.intersection(other).count() >= COMMON_PCT * shorter
        };
        let twin = self.0.iter().find(|(_, other)| is_twin(other)).map(|(path, _)| path.clone());
        self.0.push((path.to_owned(), lines));
        twin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_another_file_is_found_and_what_follows_it_is_not() {
        let lines = |from: u32, to: u32| -> Vec<String> {
            (from..to).map(|number| format!("{{\"frame\":{number}}}")).collect()
        };
        let mut twins = Twins::default();
        let mut add = |name: &str, lines: &[String]| {
            twins.add(Path::new(name), lines.iter().map(String::as_str))
        };
        assert_eq!(add("part1", &lines(0, 100)), None);
        assert_eq!(add("part2", &lines(100, 200)), None);
        assert_eq!(add("short", &lines(0, 3)), None, "answers to requests are alike");
        assert_eq!(add("overlaps", &lines(180, 300)), None);
        assert_eq!(add("cut", &lines(102, 190)), Some(PathBuf::from("part2")));
    }
}
