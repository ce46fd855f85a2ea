//! No two files of the command line need each other.

#[path = "../../engine/tests/source/mod.rs"]
mod source;

use source::{Source, circles};

#[test]
fn no_two_files_need_each_other() {
    let circles = circles(&Source::read("src"));
    assert!(circles.is_empty(), "circles: {circles:#?}");
}

#[test]
fn a_planted_circle_is_found() {
    let mut source = Source::read("src");
    let name = vec!["ctl".to_owned(), "peer".to_owned()];
    source.text.get_mut(&name).unwrap().push_str("use super::find::socket;");
    assert!(circles(&source).iter().flatten().any(|file| file == "ctl/peer"));
}
