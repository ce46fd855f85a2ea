//! Prints the commented example from the table of sections and the defaults themselves.

use std::fmt::Write;

use toml::Value;

use super::rule::grouped;
use super::schema::{KeySpec, Section};
use super::{Config, ConsumerConfig, InstrumentConfig, SECTIONS, VenueConfig};

const HEAD: &str = "\
# Pitlane: every key, with its meaning, limit and default.
#
# Every line that starts with `#` right before a key shows that key's default, or a sample where it says
# \"no default\": take the `#` away and change the value. As it stands, this file is the default run.
# Prices and quantities are text, so that they are never rounded.
";

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
    let _infallible = writeln!(text, "# Allowed: {allowed}. Default: {stated}.");
    let value = default.as_deref().or(spec.sample).unwrap_or_default();
    let _infallible = writeln!(text, "#{} = {value}", spec.name);
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
