//! Checks one value against its rule.

use std::net::SocketAddr;

use toml::de::DeValue;

use super::check::suggestion;
use super::schema::{KeySpec, Rule};
use crate::event::{SCALE_MAX, parse_scaled};
use crate::instrument::{InstrumentSpec, Instruments};

impl Rule {
    /// What is wrong with `value`; `None` when nothing is.
    pub(super) fn fault(&self, value: &DeValue<'_>) -> Option<String> {
        match self {
            Rule::Flag => value.as_bool().is_none().then(|| expected("true or false", value)),
            Rule::Whole { min, max, .. } => whole_fault(value, *min, *max),
            Rule::Slots { min, max } => {
                whole_fault(value, *min, *max).or_else(|| power_fault(value))
            }
            Rule::Core => whole_fault(value, 0, CORE_MAX),
            Rule::CoreList => core_list_fault(value),
            Rule::SomeOf(choices) => match value.as_array() {
                None => Some(expected("a list of texts", value)),
                Some(items) if items.is_empty() => Some("the list is empty".into()),
                Some(items) => {
                    items.iter().find_map(|item| Rule::OneOf(choices).fault(item.get_ref()))
                }
            },
            Rule::Texts => match value.as_array() {
                None => Some(expected("a list of texts", value)),
                Some(items) => items.iter().find_map(|item| text_fault(item.get_ref(), |_| None)),
            },
            Rule::NameMap => match value.as_table() {
                None => Some(expected("a table", value)),
                Some(entries) => {
                    entries.values().find_map(|item| text_fault(item.get_ref(), filled))
                }
            },
            Rule::Tables(what, keys) => tables_fault(value, what, keys),
            Rule::Table(keys) => table_fault(value, keys),
            Rule::Free => value.as_table().is_none().then(|| expected("a table", value)),
            Rule::OneOf(choices) => text_fault(value, |text| {
                (!choices.contains(&text)).then(|| format!("{text:?} is none of them"))
            }),
            Rule::Decimal => text_fault(value, decimal_fault),
            Rule::Name => text_fault(value, name_fault),
            Rule::Text => text_fault(value, filled),
            Rule::Symbol => text_fault(value, symbol_fault),
            Rule::Url(schemes) => text_fault(value, |text| url_fault(text, schemes)),
            Rule::Loopback => text_fault(value, loopback_fault),
        }
    }

    /// What is right, in words.
    pub(super) fn allowed(&self) -> String {
        match self {
            Rule::Flag => "true or false".into(),
            Rule::Whole { min, max, unit } => {
                format!("{} to {} {unit}", grouped(*min), grouped(*max)).trim_end().to_owned()
            }
            Rule::Slots { min, max } => {
                format!("a power of two from {} to {} slots", grouped(*min), grouped(*max))
            }
            Rule::Core => format!("a core id, 0 to {CORE_MAX}"),
            Rule::CoreList => format!("a list of different core ids, 0 to {CORE_MAX}"),
            Rule::OneOf(choices) => {
                choices.iter().map(|choice| format!("{choice:?}")).collect::<Vec<_>>().join(", ")
            }
            Rule::SomeOf(choices) => format!("a list of some of {}", choices.join(", ")),
            Rule::Decimal => "a plain decimal number above 0, as text".into(),
            Rule::Name => "1 to 32 of a-z, 0-9, _ and -".into(),
            Rule::Texts => "a list of texts".into(),
            Rule::Text => "any text but an empty one".into(),
            Rule::Symbol => "BASE-QUOTE in upper case".into(),
            Rule::Url(schemes) => format!("{}://HOST[:PORT][/PATH]", schemes.join(" or ")),
            Rule::Loopback => "a loopback address and port, as 127.0.0.1:0".into(),
            Rule::NameMap => "a table { VENUE = \"SYMBOL\" }".into(),
            Rule::Tables(what, keys) => {
                format!("a table from {what} to a table of: {}", names(keys))
            }
            Rule::Table(keys) => format!("a table of: {}", names(keys)),
            Rule::Free => "a table".into(),
        }
    }
}

fn names(keys: &[KeySpec]) -> String {
    keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
}

/// A table of tables: the first thing that is wrong, behind the name of its table.
fn tables_fault(value: &DeValue<'_>, what: &str, keys: &[KeySpec]) -> Option<String> {
    let Some(tables) = value.as_table() else {
        return Some(expected(&format!("a table from {what}"), value));
    };
    tables.iter().find_map(|(name, table)| {
        let fault = table_fault(table.get_ref(), keys)?;
        Some(format!("{}: {fault}", name.get_ref()))
    })
}

fn table_fault(value: &DeValue<'_>, keys: &[KeySpec]) -> Option<String> {
    let Some(table) = value.as_table() else { return Some(expected("a table", value)) };
    table.iter().find_map(|(name, value)| {
        let name = name.get_ref();
        match keys.iter().find(|key| key.name == name) {
            Some(key) => Some(format!("{name}: {}", key.rule.fault(value.get_ref())?)),
            None => {
                let hint = suggestion(name, keys.iter().map(|key| key.name));
                Some(format!("unknown key {name}{hint}"))
            }
        }
    })
}

/// A number with its digits in groups of three, as TOML may write it.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

/// The largest core id that can be pinned to.
const CORE_MAX: u64 = super::CORE_IDS as u64 - 1;

fn expected(what: &str, value: &DeValue<'_>) -> String {
    format!("expected {what}, found {}", value.type_str())
}

/// The number in `value`, saturated at what `i128` holds; `None` when it is no whole number.
fn whole(value: &DeValue<'_>) -> Option<i128> {
    let integer = value.as_integer()?;
    Some(i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i128::MAX))
}

fn whole_fault(value: &DeValue<'_>, min: u64, max: u64) -> Option<String> {
    let Some(number) = whole(value) else { return Some(expected("a whole number", value)) };
    let allowed = i128::from(min)..=i128::from(max);
    (!allowed.contains(&number)).then(|| format!("{number} is out of range"))
}

fn power_fault(value: &DeValue<'_>) -> Option<String> {
    let number = whole(value)?;
    (number & (number - 1) != 0).then(|| format!("{number} is not a power of two"))
}

fn core_list_fault(value: &DeValue<'_>) -> Option<String> {
    let Some(items) = value.as_array() else { return Some(expected("a list", value)) };
    if items.is_empty() {
        return Some("the list is empty".into());
    }
    let mut seen = Vec::new();
    for item in items.iter() {
        let fault = whole_fault(item.get_ref(), 0, CORE_MAX);
        if fault.is_some() {
            return fault;
        }
        let core = whole(item.get_ref());
        if seen.contains(&core) {
            return Some("a core is listed twice".into());
        }
        seen.push(core);
    }
    None
}

fn text_fault(value: &DeValue<'_>, fault: impl FnOnce(&str) -> Option<String>) -> Option<String> {
    match value.as_str() {
        Some(text) => fault(text),
        None => Some(expected("text in quotes", value)),
    }
}

fn filled(text: &str) -> Option<String> {
    text.trim().is_empty().then(|| "the text is empty".into())
}

fn decimal_fault(text: &str) -> Option<String> {
    match parse_scaled(text.as_bytes(), SCALE_MAX) {
        Ok(value) if value > 0 => None,
        Ok(_) => Some(format!("{text:?} is not above 0")),
        Err(error) => Some(format!("{text:?}: {error}")),
    }
}

fn name_fault(text: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if (1..=32).contains(&text.len()) && text.chars().all(is_plain) {
        return None;
    }
    Some(format!("{text:?} is not a name"))
}

fn symbol_fault(text: &str) -> Option<String> {
    let symbol = text.to_owned();
    let spec = InstrumentSpec { symbol, price_scale: 0, qty_scale: 0, tick: 1, step: 1 };
    Instruments::new(vec![spec]).err().map(|error| error.to_string())
}

fn url_fault(text: &str, schemes: &[&str]) -> Option<String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Some(format!("{text:?} is not a URL"));
    };
    if !schemes.contains(&scheme) {
        return Some(format!("{text:?} has the wrong scheme"));
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_bad = host.is_empty() || host.starts_with(':') || text.contains(char::is_whitespace);
    is_bad.then(|| format!("{text:?} names no host"))
}

fn loopback_fault(text: &str) -> Option<String> {
    match text.parse::<SocketAddr>() {
        Err(_) => Some(format!("{text:?} is not an address with a port")),
        Ok(address) if address.ip().is_loopback() => None,
        Ok(_) => Some(format!("{text:?} can be reached from other machines")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(rule: &Rule, value: &str) -> Option<String> {
        rule.fault(DeValue::parse(value).unwrap().get_ref())
    }

    #[track_caller]
    fn judges(rule: &Rule, right: &[&str], wrong: &[&str]) {
        for value in right {
            assert_eq!(fault(rule, value), None, "{value}");
        }
        for value in wrong {
            assert!(fault(rule, value).is_some(), "{value} was taken");
        }
    }

    #[test]
    fn numbers_must_be_whole_and_within_their_limits() {
        let rule = Rule::Whole { min: 1, max: 1_000, unit: "ms" };
        let beyond = "170141183460469231731687303715884105728"; // 2^127
        judges(
            &rule,
            &["1", "1_000", "0xff"],
            &["0", "1001", "-1", "1.0", "\"1\"", "true", beyond],
        );
        assert_eq!(rule.allowed(), "1 to 1_000 ms");
        let slots = Rule::Slots { min: 2, max: 1_048_576 };
        judges(&slots, &["2", "1_048_576"], &["1", "0", "-2", "3", "1000", "2_097_152"]);
        judges(&Rule::Core, &["0", "1023"], &["1024", "-1"]);
        judges(&Rule::CoreList, &["[0]", "[3, 1]"], &["[]", "[1, 1]", "[1024]", "1"]);
    }

    #[test]
    fn texts_must_be_what_they_stand_for() {
        judges(
            &Rule::Decimal,
            &["\"0.01\"", "\"5\""],
            &["0.01", "\"0\"", "\"-1\"", "\"1e5\"", "\"\""],
        );
        judges(&Rule::Name, &["\"market_maker\"", "\"a-1\""], &["\"\"", "\"A\"", "\"a b\"", "1"]);
        judges(&Rule::Symbol, &["\"BTC-USDT\""], &["\"BTCUSDT\"", "\"btc-usdt\"", "\"A-B-C\""]);
        judges(
            &Rule::Loopback,
            &["\"127.0.0.1:0\"", "\"[::1]:80\""],
            &["\"0.0.0.0:0\"", "\"x:1\""],
        );
        let right = ["\"ws://h\"", "\"wss://h\"", "\"ws://127.0.0.1:9443/ws?x\""];
        let wrong =
            ["\"http://h\"", "\"ws://\"", "\"ws:///x\"", "\"ws://:1\"", "\"h\"", "\"ws://a b\""];
        judges(&Rule::Url(&["ws", "wss"]), &right, &wrong);
        judges(&Rule::OneOf(&["a", "b"]), &["\"a\""], &["\"c\"", "1"]);
        judges(&Rule::NameMap, &["{ x = \"Y\" }"], &["{ x = 1 }", "{ x = \"\" }", "\"x\""]);
        judges(&Rule::Texts, &["[]", "[\"a\"]"], &["[1]", "\"a\""]);
        judges(&Rule::Flag, &["true"], &["1", "\"true\""]);
    }

    #[test]
    fn digits_are_grouped_as_toml_may_write_them() {
        let numbers = [0, 999, 1_000, 65_536, 1_048_576].map(grouped);
        assert_eq!(numbers, ["0", "999", "1_000", "65_536", "1_048_576"]);
    }
}
