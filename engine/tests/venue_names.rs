//! No venue is named outside its own folder, its dialect of the simulated venue, and its line in
//! the registry: a venue more is a folder and a line more.
//!
//! What is read is the source without tests, comments and texts.

use std::fs;
use std::path::{Path, PathBuf};

/// What stands in the name of every venue's files and types so far.
const NAMES: [&str; 5] = ["binance", "bybit", "coinbase", "kraken", "okx"];
/// Where a venue's own files are, below `engine/src`.
const HOMES: [&str; 2] = ["venue", "venue/simulated/dialect"];
/// The places that tie names to venues.
const REGISTRY: &str = "venue/registry.rs";
const DIALECTS: &str = "venue/simulated/dialect/mod.rs";

/// The source files of a folder, whole trees, with their paths below it.
fn sources(root: &Path) -> Vec<PathBuf> {
    let mut folders = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let is_rust = path.extension().is_some_and(|extension| extension == "rs");
            if path.is_dir() {
                folders.push(path);
            } else if is_rust
                && path.file_stem().is_some_and(|stem| !stem.to_string_lossy().ends_with("tests"))
            {
                files.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    files
}

/// Lines with their numbers, without comments, without what stands in quotes, and without tests.
fn code(text: &str) -> Vec<(usize, String)> {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let mut bare = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, from) = rest.split_at(at);
        bare.push_str(before);
        // What is passed over keeps its lines.
        let length = passed_over(from, before).unwrap_or(0);
        bare.extend(from[..length].matches('\n'));
        let kept = if length == 0 { &from[..1] } else { "" };
        bare.push_str(kept);
        rest = &from[length.max(1)..];
    }
    bare.push_str(rest);
    (1..).zip(bare.lines().map(str::to_owned)).collect()
}

/// Length of the comment or of the text at the start; `None` when there is none.
fn passed_over(from: &str, before: &str) -> Option<usize> {
    if from.starts_with("//") {
        return Some(from.find('\n').unwrap_or(from.len()));
    }
    if from.starts_with("'\"'") {
        return Some(3);
    }
    if !from.starts_with('"') {
        return None;
    }
    let hashes = before.len() - before.trim_end_matches('#').len();
    if before[..before.len() - hashes].ends_with('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(from[1..].find(&end).map_or(from.len(), |at| 1 + at + end.len()));
    }
    let mut is_escaped = false;
    let end = from[1..].find(|letter| {
        let is_end = letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        is_end
    });
    Some(end.map_or(from.len(), |at| at + 2))
}

/// Whether a file is one of a venue's own.
fn is_at_home(file: &Path) -> bool {
    HOMES.iter().any(|home| {
        let first = file.strip_prefix(home).ok().and_then(|rest| rest.components().next());
        first.is_some_and(|first| {
            let first = first.as_os_str().to_string_lossy();
            NAMES.iter().any(|name| first.starts_with(name)) && !first.ends_with(".rs")
        })
    })
}

fn names_a_venue(line: &str) -> bool {
    let line = line.to_lowercase();
    NAMES.iter().any(|name| line.contains(name))
}

/// The lines that name a venue where none may be named.
fn misplaced(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for file in sources(root).into_iter().filter(|file| !is_at_home(file)) {
        let text = fs::read_to_string(root.join(&file)).unwrap();
        let ties = file == Path::new(REGISTRY) || file == Path::new(DIALECTS);
        for (number, line) in code(&text).into_iter().filter(|(_, line)| names_a_venue(line)) {
            let is_module = line.trim_start().trim_start_matches("pub ").starts_with("mod ");
            if !is_module && !ties {
                found.push(format!("{}:{number}: {}", file.display(), line.trim()));
            }
        }
    }
    found
}

#[test]
fn a_venue_is_named_at_home_and_in_the_registry_alone() {
    let engine = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = misplaced(&engine.join("src"));
    for other in ["../strategies/src", "../tools/src"] {
        found.extend(misplaced(&engine.join(other)));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_kind_has_one_entry_in_the_registry() {
    let registry = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(REGISTRY);
    let lines = code(&fs::read_to_string(registry).unwrap());
    let kinds = lines.iter().filter(|(_, line)| names_a_venue(line) && !line.starts_with("use "));
    let kinds: Vec<_> = kinds.collect();
    let is_entry = |line: &str| ["of::<", ".with_"].iter().any(|part| line.starts_with(part));
    assert!(kinds.iter().all(|(_, line)| is_entry(line.trim_start())), "{kinds:#?}");
    assert!(kinds.len() >= 2, "{kinds:?}");
}

#[test]
fn a_planted_name_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    at("venue/binance/market.rs", "pub struct BinanceMarket;");
    at("venue/binance.rs", "fn at_no_home(of: Binance) {}");
    at("venue/mod.rs", "pub mod binance;\n// binance\nconst NAME: &str = \"binance\";");
    at(
        "launch/venues.rs",
        "\nuse crate::venue::binance::Orders;\n#[cfg(test)]\nmod tests { use binance; }",
    );
    let mut found = misplaced(folder.path());
    found.sort();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("launch/venues.rs:2") && found[1].starts_with("venue/binance.rs"));
}
