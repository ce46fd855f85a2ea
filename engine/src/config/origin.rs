//! Where each value stands in the file.

use std::collections::BTreeMap;

use super::error::{ConfigError, Places, Position, Problem};

/// The text, its name, and where every key stands in it, by path: `engine.batch`, `venue[0].name`.
#[derive(Clone, Debug)]
pub struct Origin {
    name: String,
    places: Places,
    /// In bytes.
    offsets: BTreeMap<String, usize>,
}

/// The name of a configuration that no file gives.
const NO_FILE: &str = "(defaults)";

impl Default for Origin {
    fn default() -> Origin {
        Origin::new(NO_FILE, "")
    }
}

impl Origin {
    pub(super) fn new(name: &str, text: &str) -> Origin {
        Origin { name: name.to_owned(), places: Places::of(text), offsets: BTreeMap::new() }
    }

    /// The file by its whole path; `(defaults)` without one.
    #[must_use]
    pub fn file(&self) -> String {
        match std::path::absolute(&self.name) {
            Ok(path) if self.name != NO_FILE => path.display().to_string(),
            _ => self.name.clone(),
        }
    }

    pub(super) fn record(&mut self, path: &str, offset: usize) {
        self.offsets.insert(path.to_owned(), offset);
    }

    /// Whether the file gives this key.
    pub(super) fn has(&self, path: &str) -> bool {
        self.offsets.contains_key(path)
    }

    /// A problem with the value at `path`, or with the nearest section around it.
    pub(super) fn problem(&self, path: &str, problem: &str, allowed: &str) -> Problem {
        Problem {
            origin: self.name.clone(),
            position: self.nearest(path),
            key: path.to_owned(),
            problem: problem.to_owned(),
            allowed: allowed.to_owned(),
        }
    }

    /// A fault that the TOML reader found.
    pub(super) fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        ConfigError::Invalid(vec![self.syntax_problem(error)])
    }

    pub(super) fn syntax_problem(&self, error: &toml::de::Error) -> Problem {
        Problem {
            origin: self.name.clone(),
            position: error.span().map(|span| self.places.position(span.start)),
            key: String::new(),
            problem: error.message().replace('\n', "; "),
            allowed: String::new(),
        }
    }

    fn nearest(&self, path: &str) -> Option<Position> {
        let mut path = path;
        loop {
            if let Some(offset) = self.offsets.get(path) {
                return Some(self.places.position(*offset));
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}
