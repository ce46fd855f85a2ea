//! Exec reports with one absurd field.

/// Fields of an exec report, and what no venue would say there.
const FIELDS: [(&str, &str); 12] = [
    ("q", "\"1000000.00000000\""),
    ("l", "\"1000.00000000\""),
    ("z", "\"92233720368.54775807\""),
    ("L", "\"0.00000001\""),
    ("i", "18446744073709551615"),
    ("I", "18446744073709551615"),
    ("t", "18446744073709551615"),
    ("s", "\"MOONUSDT\""),
    ("S", "\"HOLD\""),
    ("X", "\"PENDING_MOON\""),
    ("T", "99999999999999"),
    ("N", "\"AN_ASSET_WITH_A_VERY_LONG_NAME\""),
];

/// The report with one field replaced; any number names one.
pub fn report(text: &str, field: usize) -> String {
    let (name, value) = FIELDS[field % FIELDS.len()];
    let key = format!(",\"{name}\":");
    let Some(start) = text.find(&key).map(|at| at + key.len()) else { return text.into() };
    let rest = &text[start..];
    let length = rest.find(",\"").or_else(|| rest.find('}')).unwrap_or(rest.len());
    [&text[..start], value, &text[start + length..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_field_changes_and_the_text_stays_json() {
        let text = r#"{"event":{"e":"x","s":"BTCUSDT","S":"BUY","q":"1","i":7,"N":null,"z":"0"}}"#;
        for field in 0..FIELDS.len() {
            let spoiled = report(text, field);
            serde_json::from_str::<serde_json::Value>(&spoiled).expect(&spoiled);
        }
        assert!(report(text, 7).contains(r#""s":"MOONUSDT","S":"BUY""#));
    }
}
