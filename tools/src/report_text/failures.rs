//! Contained failures: each site with its count, its first failure whole, and where that came from.

use std::fmt::Write;

use pitlane_engine::consumer::{FailureKind, FailureRecord, SiteCount};
use pitlane_engine::report::ConsumerReport;

use crate::table::{WIDTH, count};

/// Frames shown of a stack; the JSON report and the log have all of them.
const FRAMES_MAX: usize = 6;

/// Frames of the machinery between a failure and the record of it.
const MACHINERY: [&str; 8] = [
    "std::",
    "core::",
    "alloc::",
    "__rust",
    "rust_begin_unwind",
    "pitlane_engine::consumer::failure::",
    "pitlane_engine::consumer::strategy_error::",
    "T as core::convert::",
];
/// The frames that every callback is called through.
const CALLERS: [&str; 4] =
    ["catch_unwind", "panicking::try", "__rust_try", "consumer::strategy_host::StrategyHost"];

/// A paragraph for each site.
pub(super) fn failures(consumers: &[ConsumerReport]) -> String {
    let mut text = String::new();
    for consumer in consumers {
        let log = &consumer.failure_log;
        for site in &log.sites {
            text.push_str(&paragraph(site));
        }
        if log.at_further_sites > 0 {
            let further = count(log.at_further_sites);
            let _infallible = writeln!(text, "{}: {further} times at further sites", consumer.name);
        }
    }
    text
}

fn paragraph(site: &SiteCount) -> String {
    let first = &site.first;
    let kind = match first.kind {
        FailureKind::Error => "error",
        FailureKind::Panic => "panic",
    };
    let times = match site.count {
        1 => "once".to_owned(),
        times => format!("{} times, the first:", count(times)),
    };
    let mut lines = vec![
        format!("{}: {kind} in {}, {times}", first.consumer, first.callback),
        format!("  {}", first.message),
        format!("  at {}; thread {}, core {}", first.site, first.thread, first.core),
    ];
    if first.trace_id != 0 {
        lines.push(format!(
            "  trace {}, venue {}, instrument {}, sequence {}, routing version {}",
            first.trace_id,
            first.venue,
            first.symbol.clone().unwrap_or_else(|| first.instrument.to_string()),
            first.sequence,
            first.routing_version
        ));
    }
    lines.extend(frames(first).into_iter().map(|frame| format!("    {frame}")));
    let mut text = String::new();
    for line in lines {
        let is_long = line.chars().count() > WIDTH;
        let line = if is_long { line.chars().take(WIDTH - 1).collect() } else { line };
        let _infallible = writeln!(text, "{line}{}", if is_long { "…" } else { "" });
    }
    text
}

/// The strategy's own part of the stack, innermost first.
fn frames(failure: &FailureRecord) -> Vec<String> {
    failure.stack().map(|stack| own_frames(&stack)).unwrap_or_default()
}

/// What std prints is a numbered line for each function, and one for where it is where that is
/// known.
fn own_frames(stack: &str) -> Vec<String> {
    let is_of = |names: &[&str], frame: &str| names.iter().any(|name| frame.contains(name));
    let mut frames: Vec<String> = Vec::new();
    let mut is_machinery = true;
    for line in stack.lines().map(str::trim_start) {
        if let Some(place) = line.strip_prefix("at ") {
            match frames.last_mut() {
                Some(frame) if !is_machinery => {
                    let _infallible = write!(frame, " at {place}");
                }
                _ => {}
            }
            continue;
        }
        let Some((_, function)) = line.split_once(": ") else { continue };
        if is_of(&CALLERS, function) {
            break;
        }
        let bare = function.trim_start_matches(['<', '&']);
        is_machinery = MACHINERY.iter().any(|name| bare.starts_with(name));
        if !is_machinery && frames.len() == FRAMES_MAX {
            frames.push("...".to_owned());
            break;
        }
        if !is_machinery {
            frames.push(function.to_owned());
        }
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_stack_the_strategys_own_frames_are_shown() {
        let stack = "   0: std::backtrace::Backtrace::force_capture
   1: pitlane_engine::consumer::failure::note
   2: <T as core::convert::Into<U>>::into
             at /rustc/library/core/src/convert/mod.rs:5
   3: my_desk::Spread::width
             at ./src/spread.rs:41:9
   4: core::option::Option<T>::map
   5: <my_desk::Spread as Strategy>::on_quote
   6: std::panicking::catch_unwind
   7: <my_desk::main";
        let own = ["my_desk::Spread::width at ./src/spread.rs:41:9"];
        let all = [own[0], "<my_desk::Spread as Strategy>::on_quote"];
        assert_eq!(own_frames(stack), all);
        assert!(own_frames("disabled backtrace").is_empty());
    }
}
