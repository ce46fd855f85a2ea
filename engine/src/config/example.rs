//! Prints the commented example from the table of sections and the defaults themselves.

use std::fmt::Write;

use toml::Value;

use super::rule::grouped;
use super::schema::{KeySpec, Section};
use super::{Config, ConsumerConfig, InstrumentConfig, SECTIONS, VenueConfig};

const HEAD: &str = "\
# Pitlane: every key, with its meaning, limit and default. As it is, this file is the default run.
#
# A `#` right before a key marks its default, or a sample where there is none: take the `#` away and
# change the value. Prices and quantities are text, so that they are never rounded.
";

/// Columns of a line.
const COLUMNS_MAX: usize = 100;

/// The example file.
pub(super) fn render() -> String {
    let mut text = HEAD.to_owned();
    for section in &SECTIONS {
        text.push('\n');
        comment(&mut text, section.doc);
        let mark = if section.is_repeated() { "#" } else { "" };
        text.push_str(&format!("{mark}{}\n", section.header()));
        let defaults = defaults_of(section);
        for spec in section.keys {
            key(&mut text, spec, defaults.get(spec.name));
        }
    }
    text
}

fn key(text: &mut String, spec: &KeySpec, default: Option<&Value>) {
    comment(text, spec.doc);
    let allowed = spec.rule.allowed();
    let default = default.filter(|value| !is_nothing(value)).map(value_text);
    let stated = default.as_deref().unwrap_or("none");
    wrapped(text, &format!("Allowed: {allowed}. Default: {stated}."));
    let value = default.as_deref().or(spec.sample).unwrap_or_default();
    let _infallible = writeln!(text, "#{} = {value}", spec.name);
}

/// A comment that may need more than one line.
fn wrapped(text: &mut String, comment: &str) {
    let mut column = 0;
    for word in comment.split(' ') {
        let wide = word.chars().count() + 1;
        if column == 0 || column + wide > COLUMNS_MAX {
            text.push_str(if column == 0 { "#" } else { "\n#" });
            column = 1;
        }
        text.push(' ');
        text.push_str(word);
        column += wide;
    }
    text.push('\n');
}

fn comment(text: &mut String, lines: &[&str]) {
    for line in lines {
        let _infallible = writeln!(text, "# {}", line.trim());
    }
}

/// The defaults of one section's keys; what is not given by default is not there.
pub(super) fn defaults_of(section: &Section) -> toml::Table {
    let defaults = match section.name {
        "venue" => toml::Table::try_from(VenueConfig::default()),
        "instrument" => toml::Table::try_from(InstrumentConfig::default()),
        "consumer" => toml::Table::try_from(ConsumerConfig::default()),
        name => {
            toml::Table::try_from(Config::default_run()).map(|mut whole| match whole.remove(name) {
                Some(Value::Table(section)) => section,
                _ => toml::Table::new(),
            })
        }
    };
    defaults.unwrap_or_default()
}

/// Whether a default stands for "not given".
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Integer(number) => u64::try_from(*number).map_or(number.to_string(), grouped),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example with the mark before every key and header taken away.
    fn uncommented() -> String {
        let marked = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line != "#";
        let plain = |line: &str| line.strip_prefix('#').unwrap_or(line).to_owned();
        let example = render();
        let lines = example.lines().map(|l| if marked(l) { plain(l) } else { l.to_owned() });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn as_it_stands_it_is_the_default_run() {
        let config = Config::parse(&render(), "example").unwrap();
        let default = Config::default_run();
        assert_eq!(toml::to_string(&config).unwrap(), toml::to_string(&default).unwrap());
    }

    #[test]
    fn uncommented_it_is_valid_and_has_every_key() {
        let text = uncommented();
        Config::parse(&text, "example").unwrap_or_else(|error| panic!("{error}\n{text}"));
        let table: toml::Table = text.parse().unwrap();
        for section in &SECTIONS {
            let found = match &table[section.name] {
                Value::Array(items) => items[0].as_table(),
                single => single.as_table(),
            };
            let found: Vec<_> = found.unwrap().keys().map(String::as_str).collect();
            for spec in section.keys {
                assert!(found.contains(&spec.name), "{}.{}", section.name, spec.name);
            }
            assert_eq!(found.len(), section.keys.len(), "{}", section.name);
        }
    }

    #[test]
    fn every_field_of_the_configuration_has_a_key() {
        // What serde writes by itself, against the table of sections.
        let whole = toml::Table::try_from(Config::default_run()).unwrap();
        let mut names: Vec<_> = whole.keys().map(String::as_str).collect();
        let mut sections: Vec<_> = SECTIONS.iter().map(|section| section.name).collect();
        names.sort_unstable();
        sections.sort_unstable();
        assert_eq!(names, sections);
    }

    #[test]
    fn every_default_it_states_is_the_default() {
        let table: toml::Table = uncommented().parse().unwrap();
        let mut stated = 0;
        for section in &SECTIONS {
            let defaults = defaults_of(section);
            let shown = match &table[section.name] {
                Value::Array(items) => items[0].as_table().unwrap(),
                single => single.as_table().unwrap(),
            };
            for spec in section.keys {
                if let Some(default) = defaults.get(spec.name).filter(|v| !is_nothing(v)) {
                    assert_eq!(shown[spec.name], *default, "{}.{}", section.name, spec.name);
                    stated += 1;
                } else {
                    assert!(spec.sample.is_some(), "{}.{} shows nothing", section.name, spec.name);
                }
            }
        }
        assert!(stated >= 47, "only {stated} defaults are stated");
    }

    #[test]
    fn it_fits_a_hundred_columns() {
        for line in render().lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}
