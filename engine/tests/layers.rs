//! The engine's modules are layers: none reaches for one above it, and no two files need each
//! other.

mod source;

use source::{Name, Source, circles};

/// From the bottom up. A module may use those before it.
const LAYERS: [&str; 22] = [
    "event",
    "instrument",
    "text",
    "rate",
    "safety",
    "world",
    "telemetry",
    "config",
    "runtime",
    "orchestrator",
    "journal",
    "order",
    "risk",
    "venue",
    "dispatcher",
    "consumer",
    "pipeline",
    "testing",
    "control",
    "report",
    "launch",
    "simulation",
];

/// Circles between files that are still to be cut. It can only fall.
const CIRCLES_LEFT: usize = 0;

#[test]
fn no_module_reaches_for_a_layer_above_it() {
    let source = Source::read("src");
    let rank = |file: &Name| {
        let top = file.first()?;
        let rank = LAYERS.iter().position(|layer| layer == top);
        Some(rank.unwrap_or_else(|| panic!("{top} is in no layer")))
    };
    let needs = source.needs();
    let mut checked = 0;
    let mut upward = Vec::new();
    for (file, others) in &needs {
        for other in others {
            // The crate's own page has no rank: it only passes names on.
            let (Some(from), Some(to)) = (rank(file), rank(other)) else { continue };
            checked += 1;
            if to > from {
                upward.push(format!("{} needs {}", file.join("/"), other.join("/")));
            }
        }
    }
    assert!(checked > 500, "only {checked} imports were found");
    assert!(upward.is_empty(), "upward imports: {upward:#?}");
}

#[test]
fn no_two_files_need_each_other() {
    let circles = circles(&Source::read("src"));
    assert_eq!(circles.len(), CIRCLES_LEFT, "circles: {circles:#?}");
}

#[test]
fn a_planted_upward_import_and_a_planted_circle_are_found() {
    let mut source = Source::read("src");
    let name = |path: &str| path.split('/').map(str::to_owned).collect::<Name>();
    let event = source.text.get_mut(&name("event/id")).unwrap();
    event.push_str("use crate::{launch::Engine, event::{Quote, Event as E}};");
    let needs = source.needs();
    let found = &needs[&name("event/id")];
    let expected = ["launch/engine", "event/payload", "event/header"].map(name);
    assert!(expected.iter().all(|file| found.contains(file)), "{found:?}");
    let circles = circles(&source);
    assert!(circles.iter().flatten().any(|file| file == "event/id"), "{circles:#?}");
}
