//! Walks a file by the table of sections: unknown keys, wrong types and values out of range, all of them,
//! each with its place.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::SECTIONS;
use super::error::{ConfigError, Position, Problem};
use super::origin::Origin;
use super::schema::{KeySpec, Section};

/// How alike two words must be, from 0 to 1, for one to be suggested for the other.
const ALIKE: f64 = 0.6;

/// Checks every key and value of `text` by itself, and returns where each stands.
pub(super) fn keys_and_values(text: &str, name: &str) -> Result<Origin, ConfigError> {
    let mut walk = Walk { text, origin: Origin::new(name), problems: Vec::new() };
    let (root, faults) = DeTable::parse_recoverable(text);
    if faults.is_empty() {
        walk.root(root.get_ref());
    } else {
        walk.problems = faults.iter().map(|e| walk.origin.syntax_problem(text, e)).collect();
    }
    if walk.problems.is_empty() {
        return Ok(walk.origin);
    }
    walk.problems.sort_by_key(|problem| problem.position);
    Err(ConfigError::Invalid(walk.problems))
}

struct Walk<'a> {
    text: &'a str,
    origin: Origin,
    problems: Vec<Problem>,
}

impl Walk<'_> {
    fn root(&mut self, root: &DeTable<'_>) {
        for (key, value) in root {
            self.record(key.get_ref(), key);
            match SECTIONS.iter().find(|section| section.name == key.get_ref()) {
                Some(section) if section.is_repeated() => self.tables(section, value),
                Some(section) => self.table(section, section.name, value),
                None => {
                    let names = SECTIONS.iter().map(|section| section.name);
                    let hint = hint(key.get_ref(), names.clone(), "");
                    let what = if value.get_ref().is_table() { "section" } else { "key" };
                    let allowed = names.collect::<Vec<_>>().join(", ");
                    self.problem(key.get_ref(), &format!("unknown {what}{hint}"), &allowed);
                }
            }
        }
    }

    fn tables(&mut self, section: &Section, value: &Spanned<DeValue<'_>>) {
        let Some(items) = value.get_ref().as_array() else {
            let found = value.get_ref().type_str();
            let problem = format!("expected a list of tables, found {found}");
            return self.problem(section.name, &problem, &section.header());
        };
        if items.len() > section.most {
            let allowed = format!("at most {}", section.most);
            self.problem(section.name, &format!("{} of them", items.len()), &allowed);
        }
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{index}]", section.name);
            self.record(&path, item);
            self.table(section, &path, item);
        }
    }

    fn table(&mut self, section: &Section, path: &str, value: &Spanned<DeValue<'_>>) {
        let Some(table) = value.get_ref().as_table() else {
            let problem = format!("expected a table, found {}", value.get_ref().type_str());
            return self.problem(path, &problem, &section.header());
        };
        for (key, value) in table {
            let path = format!("{path}.{}", key.get_ref());
            match section.keys.iter().find(|spec| spec.name == key.get_ref()) {
                Some(spec) => self.value(spec, &path, value),
                None => {
                    self.record(&path, key);
                    let names = section.keys.iter().map(|spec| spec.name);
                    let hint = hint(key.get_ref(), names.clone(), section.name);
                    let allowed = names.collect::<Vec<_>>().join(", ");
                    self.problem(&path, &format!("unknown key{hint}"), &allowed);
                }
            }
        }
    }

    fn value(&mut self, spec: &KeySpec, path: &str, value: &Spanned<DeValue<'_>>) {
        self.record_all(path, value);
        if let Some(fault) = spec.rule.fault(value.get_ref()) {
            self.problem(path, &fault, &spec.rule.allowed());
        }
    }

    fn problem(&mut self, path: &str, problem: &str, allowed: &str) {
        self.problems.push(self.origin.problem(path, problem, allowed));
    }

    fn record<T>(&mut self, path: &str, at: &Spanned<T>) {
        self.origin.record(path, Position::of(self.text, at.span().start));
    }

    /// Records a value and all that is inside it.
    fn record_all(&mut self, path: &str, value: &Spanned<DeValue<'_>>) {
        self.record(path, value);
        match value.get_ref() {
            DeValue::Table(table) => {
                for (key, value) in table {
                    self.record_all(&format!("{path}.{}", key.get_ref()), value);
                }
            }
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.record_all(&format!("{path}[{index}]"), item);
                }
            }
            _ => {}
        }
    }
}

/// What may have been meant: a name alike, or the same key in another section.
fn hint<'a>(word: &str, names: impl Iterator<Item = &'a str>, section: &str) -> String {
    let elsewhere = SECTIONS
        .iter()
        .filter(|other| other.name != section)
        .find(|other| other.keys.iter().any(|spec| spec.name == word));
    if let Some(other) = elsewhere {
        return format!("; it belongs to {}", other.header());
    }
    match most_alike(word, names) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => String::new(),
    }
}

/// The name most like `word`; `None` when none is like it.
pub(super) fn most_alike<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (strsim::normalized_damerau_levenshtein(word, name), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
