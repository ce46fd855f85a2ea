//! From a line to a request, with a reason for every line that is none.

use serde_json::{Map, Value};

use super::protocol::{
    ControlRequest, ID_BYTES_MAX, MergeRule, NAMES_MAX, RequestLine, RouteEdit, Selection, VERSION,
    WATCH_INTERVAL_LIMITS_MS, WINDOW_EVENTS_MAX, WINDOW_MS_MAX,
};
use super::refusal::{Refusal, most_alike, shortened};

/// Every verb with its own fields, for suggestions.
const VERBS: [(&str, &[&str]); 18] = [
    ("status", &[]),
    ("orders", &[]),
    ("audit", &[]),
    ("routes", &["consumer", "instrument", "venue"]),
    ("subscribe", SELECTION),
    ("unsubscribe", SELECTION),
    ("merge", &["consumer", "instrument", "venues", "kind", "window_ms", "max_events"]),
    ("unmerge", &["rule"]),
    ("venue", &["action", "name"]),
    ("consumer", &["action", "name"]),
    ("mode", &["trading"]),
    ("risk", &[]),
    ("risk_set", &["limit", "value", "strategy", "venue", "total", "instrument"]),
    ("risk_switch", &["action", "strategy", "venue"]),
    ("kill", &[]),
    ("flip", &["dry_run", "changes"]),
    ("deliver", &["consumer", "venue", "instrument", "event"]),
    ("watch", &["interval_ms"]),
];

const SELECTION: &[&str] = &["consumer", "instrument", "venues", "kinds"];

/// Fields that every request has.
const COMMON: [&str; 3] = ["version", "id", "verb"];

/// Every verb.
pub fn verb_names() -> impl Iterator<Item = &'static str> {
    VERBS.iter().map(|(name, _)| *name)
}

/// Reads one line, without its line feed.
///
/// # Errors
/// The refusal, with the id of the request where that much could be read.
pub fn parse_line(line: &[u8]) -> Result<RequestLine, (Option<String>, Refusal)> {
    let text = std::str::from_utf8(line).map_err(|_| (None, Refusal::NotUtf8))?;
    let malformed = |reason: String| (None, Refusal::Malformed { reason });
    let value: Value = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    let Value::Object(mut fields) = value else {
        return Err(malformed(format!("it is {}", kind_of(&value))));
    };
    let id = take_id(&mut fields).map_err(|refusal| (None, refusal))?;
    match request(fields) {
        Ok(request) => Ok(RequestLine { id, request }),
        Err(refusal) => Err((id, refusal)),
    }
}

fn take_id(fields: &mut Map<String, Value>) -> Result<Option<String>, Refusal> {
    match fields.remove("id") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if id.len() > ID_BYTES_MAX => Err(Refusal::IdTooLong),
        Some(Value::String(id)) => Ok(Some(id)),
        Some(other) => {
            let problem = format!("the id must be text, not {}", kind_of(&other));
            Err(Refusal::BadField { verb: "request".to_owned(), problem })
        }
    }
}

fn request(mut fields: Map<String, Value>) -> Result<ControlRequest, Refusal> {
    match fields.remove("version") {
        Some(version) if version == VERSION => {}
        other => {
            let given = other.map_or_else(|| "none".to_owned(), |other| other.to_string());
            return Err(Refusal::Version { given: shortened(&given) });
        }
    }
    let verb = match fields.get("verb") {
        Some(Value::String(verb)) => verb.as_str(),
        _ => {
            let problem = "the field \"verb\" is missing or no text".to_owned();
            return Err(Refusal::BadField { verb: "request".to_owned(), problem });
        }
    };
    let Some((verb, known)) = VERBS.iter().find(|(name, _)| *name == verb) else {
        let suggestion = most_alike(verb, verb_names()).map(str::to_owned);
        return Err(Refusal::UnknownVerb { verb: shortened(verb), suggestion });
    };
    let is_unknown =
        |field: &&String| !known.contains(&field.as_str()) && !COMMON.contains(&field.as_str());
    if let Some(field) = fields.keys().find(is_unknown) {
        let suggestion = most_alike(field, known.iter().copied()).map(str::to_owned);
        let (verb, field) = ((*verb).to_owned(), shortened(field));
        return Err(Refusal::UnknownField { verb, field, suggestion });
    }
    let bad = |problem: String| Refusal::BadField { verb: (*verb).to_owned(), problem };
    let request: ControlRequest =
        serde_json::from_value(Value::Object(fields)).map_err(|e| bad(shortened_error(&e)))?;
    limits(&request).map_or(Ok(request), |problem| Err(bad(problem)))
}

/// What is wrong with a request whose fields are all of the right type.
fn limits(request: &ControlRequest) -> Option<String> {
    match request {
        ControlRequest::Watch { interval_ms }
            if !WATCH_INTERVAL_LIMITS_MS.contains(interval_ms) =>
        {
            Some(format!("interval_ms must be 100 to 60000, not {interval_ms}"))
        }
        ControlRequest::Subscribe(selection) | ControlRequest::Unsubscribe(selection) => {
            names(selection)
        }
        ControlRequest::Merge(rule) => merge_limits(rule),
        ControlRequest::Flip { changes, .. } if changes.is_empty() => {
            Some("changes is empty".to_owned())
        }
        ControlRequest::Flip { changes, .. } if changes.len() > NAMES_MAX => {
            Some(format!("{} changes; at most {NAMES_MAX}", changes.len()))
        }
        ControlRequest::Flip { changes, .. } => changes.iter().find_map(|change| match change {
            RouteEdit::Subscribe(selection) | RouteEdit::Unsubscribe(selection) => names(selection),
        }),
        _ => None,
    }
}

fn names(selection: &Selection) -> Option<String> {
    let lists = [("venues", &selection.venues), ("kinds", &selection.kinds)];
    let (name, list) = lists.into_iter().find(|(_, list)| list.len() > NAMES_MAX)?;
    Some(format!("{name} has {} names; at most {NAMES_MAX}", list.len()))
}

fn merge_limits(rule: &MergeRule) -> Option<String> {
    let mut venues = rule.venues.clone();
    venues.sort_unstable();
    venues.dedup();
    if !(2..=NAMES_MAX).contains(&venues.len()) {
        return Some("venues must name 2 or more different venues".to_owned());
    }
    if !(1..=WINDOW_MS_MAX).contains(&rule.window_ms) {
        return Some(format!("window_ms must be 1 to {WINDOW_MS_MAX}, not {}", rule.window_ms));
    }
    if !(2..=WINDOW_EVENTS_MAX).contains(&rule.max_events) {
        let given = rule.max_events;
        return Some(format!("max_events must be 2 to {WINDOW_EVENTS_MAX}, not {given}"));
    }
    None
}

/// serde's word on a field; what it quotes of the request may be long.
fn shortened_error(error: &serde_json::Error) -> String {
    error.to_string().chars().take(200).collect()
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::{
        ConsumerAction, Delivery, RiskAction, RiskEdit, RouteFilter, VenueAction,
    };

    fn selection() -> Selection {
        Selection {
            consumer: "noop".into(),
            instrument: "BTC-USDT".into(),
            venues: vec!["a".into()],
            kinds: vec!["quote".into()],
        }
    }

    fn samples() -> Vec<ControlRequest> {
        let (consumer, instrument) = ("noop".to_owned(), "BTC-USDT".to_owned());
        let venues = vec!["a".to_owned(), "b".to_owned()];
        let kind = "quote".to_owned();
        let rule = MergeRule { consumer, instrument, venues, kind, window_ms: 5, max_events: 10 };
        let some = || Some("x".to_owned());
        vec![
            ControlRequest::Status {},
            ControlRequest::Orders {},
            ControlRequest::Audit {},
            ControlRequest::Routes(RouteFilter {
                consumer: some(),
                instrument: some(),
                venue: some(),
            }),
            ControlRequest::Subscribe(selection()),
            ControlRequest::Unsubscribe(selection()),
            ControlRequest::Merge(rule),
            ControlRequest::Unmerge { rule: 1 },
            ControlRequest::Venue { action: VenueAction::Add, name: "a".into() },
            ControlRequest::Consumer { action: ConsumerAction::Pause, name: "a".into() },
            ControlRequest::Mode { trading: true },
            ControlRequest::Risk {},
            ControlRequest::RiskSet(RiskEdit {
                limit: "a".into(),
                value: "1".into(),
                strategy: some(),
                venue: some(),
                total: true,
                instrument: some(),
            }),
            ControlRequest::RiskSwitch {
                action: RiskAction::Kill,
                strategy: some(),
                venue: some(),
            },
            ControlRequest::Kill {},
            ControlRequest::Flip {
                dry_run: true,
                changes: vec![RouteEdit::Subscribe(selection())],
            },
            ControlRequest::Deliver(Delivery {
                consumer: "a".into(),
                venue: some(),
                instrument: some(),
                event: "00".into(),
            }),
            ControlRequest::Watch { interval_ms: 1_000 },
        ]
    }

    fn refused(line: &str) -> Refusal {
        parse_line(line.as_bytes()).expect_err("it was taken").1
    }

    #[test]
    fn every_request_survives_its_own_line() {
        for request in samples() {
            let line = RequestLine { id: Some("a-1".into()), request };
            assert_eq!(parse_line(line.text().as_bytes()).as_ref(), Ok(&line));
        }
    }

    #[test]
    fn the_table_of_verbs_names_each_with_its_fields() {
        assert_eq!(samples().len(), VERBS.len());
        for (request, (verb, fields)) in samples().iter().zip(VERBS) {
            assert_eq!(request.verb(), verb);
            let value = serde_json::to_value(request).unwrap();
            let mut written: Vec<_> = value.as_object().unwrap().keys().collect();
            written.retain(|field| *field != "verb");
            let mut listed = fields.to_vec();
            listed.sort_unstable();
            assert_eq!(written, listed, "{verb}");
        }
    }

    #[test]
    fn what_is_unknown_is_refused_with_what_may_have_been_meant() {
        let refusal = refused(r#"{"version":1,"verb":"statsu"}"#);
        assert_eq!((refusal.code(), refusal.suggestion()), ("unknown_verb", Some("status")));
        let line = r#"{"version":1,"verb":"subscribe","consumr":"a","instrument":"A-B"}"#;
        let refusal = refused(line);
        assert_eq!((refusal.code(), refusal.suggestion()), ("unknown_field", Some("consumer")));
        let refusal = refused(r#"{"version":1,"verb":"status","venues":[]}"#);
        assert_eq!((refusal.code(), refusal.suggestion()), ("unknown_field", None));
        let line = r#"{"version":1,"verb":"flip","changes":[{"action":"subscribe","consumer":"a",
            "instrument":"A-B","kindz":[]}]}"#;
        assert_eq!(refused(line).code(), "bad_field");
    }

    #[test]
    fn lines_that_are_no_request_say_why() {
        for (line, code) in [
            ("", "malformed"),
            ("{", "malformed"),
            ("[1]", "malformed"),
            ("{} {}", "malformed"),
            ("{}", "version"),
            (r#"{"version":2,"verb":"status"}"#, "version"),
            (r#"{"version":1}"#, "bad_field"),
            (r#"{"version":1,"verb":7}"#, "bad_field"),
            (r#"{"version":1,"verb":"mode"}"#, "bad_field"),
            (r#"{"version":1,"verb":"mode","trading":"on"}"#, "bad_field"),
            (r#"{"version":1,"verb":"unmerge","rule":-1}"#, "bad_field"),
            (r#"{"version":1,"verb":"status","id":7}"#, "bad_field"),
            (r#"{"version":1,"verb":"watch","interval_ms":1}"#, "bad_field"),
            (r#"{"version":1,"verb":"flip","changes":[]}"#, "bad_field"),
        ] {
            assert_eq!(refused(line).code(), code, "{line}");
        }
        assert_eq!(parse_line(b"\xff{").unwrap_err().1, Refusal::NotUtf8);
        assert_eq!(refused(&"[".repeat(100_000)).code(), "malformed");
        let long = format!(r#"{{"version":1,"verb":"status","id":"{}"}}"#, "i".repeat(65));
        assert_eq!(refused(&long), Refusal::IdTooLong);
    }

    #[test]
    fn a_refusal_has_the_requests_id() {
        let refused = parse_line(br#"{"version":1,"id":"x","verb":"fly"}"#).unwrap_err();
        assert_eq!(refused.0.as_deref(), Some("x"));
    }

    #[test]
    fn a_merge_rule_needs_two_venues_and_a_window() {
        let line = |venues: &str, window_ms: u64, max_events: u32| {
            format!(
                r#"{{"version":1,"verb":"merge","consumer":"a","instrument":"A-B","kind":"quote",
                "venues":{venues},"window_ms":{window_ms},"max_events":{max_events}}}"#
            )
        };
        assert!(parse_line(line(r#"["a","b"]"#, 5, 10).as_bytes()).is_ok());
        let wrong = [(r#"["a","a"]"#, 5, 10), (r#"["a","b"]"#, 0, 10), (r#"["a","b"]"#, 5, 1)];
        for (venues, window_ms, max_events) in wrong {
            assert_eq!(refused(&line(venues, window_ms, max_events)).code(), "bad_field");
        }
    }
}
