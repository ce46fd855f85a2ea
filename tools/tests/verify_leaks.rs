//! SC-005 is judged by the threads and files of the process: alone in one, so that nothing else has
//! any.

use std::sync::atomic::AtomicBool;

use pitlane_engine::StrategyRegistry;
use pitlane_tools::{Exit, Terminal, run_cli};

#[test]
fn panicking_consumers_leave_nothing_behind() {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal { out: &mut out, err: &mut err, err_is_terminal: false };
    let line = ["pitlane", "verify", "--only", "SC-005"];
    let exit = run_cli(line, &StrategyRegistry::new(), &AtomicBool::new(false), &mut terminal);
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    let (out, err) = (text(out), text(err));
    assert_eq!(exit, Exit::Ok, "{out}{err}");
    assert!(out.ends_with("quick: 1 passed, 0 failed, 0 not judged\n"), "{out}");
    for line in out.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}
