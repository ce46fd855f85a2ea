//! A consumer that takes nothing while its reports keep coming (FR-016): first its lane, then the
//! spill, then the dead-letter file; and what is left to do when even that can't be written (F21).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pitlane_engine::consumer::{Closure, ConsumerState, Context, SubmitError};
use pitlane_engine::event::{Event, Interest, RejectReason};
use pitlane_engine::safety::HaltReason;

use crate::consumers::{Hold, Seen, order};
use crate::for_ever::buried_reports;
use crate::rig::{Rig, assert_nothing_lost, of};

/// A rig with a consumer that is held up, with room for 64 + 64 critical events, and a witness.
fn rig() -> (Rig, Arc<Seen>, Arc<Seen>) {
    let mut rig = Rig::on_one_core();
    rig.config.lanes.critical = 64;
    rig.config.lanes.spill = 64;
    let slow = rig.slow("slow", Hold::Park);
    let witness = rig.witness("witness");
    (rig, slow, witness)
}

fn run_folder(run_dir: &Path) -> PathBuf {
    fs::read_dir(run_dir).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn a_consumer_that_exhausts_its_spill_is_quarantined_and_what_it_missed_is_kept_in_order() {
    let (rig, slow, witness) = rig();
    let run = rig.start();
    run.wait("a demotion", |engine| slow.is_held() && !engine.demotions().is_empty());
    // Each tenth event is a report, to one of two in turn.
    run.wait_for_more(&[&witness], 4_000);
    assert!(slow.is_held(), "it has taken nothing all the while");
    slow.let_go();
    run.wait("its return", |engine| engine.status().stalled.is_empty());
    run.wait_for_more(&[&witness], 1_000);
    let (report, dir) = run.stop();
    assert_nothing_lost(&report);
    assert_eq!((report.exit_code(), report.halted), (10, None));
    let account = of(&report, "slow");
    assert_eq!(account.state, ConsumerState::Quarantined);
    let kinds = account.kinds["exec_report"];
    assert!(kinds.dead_lettered > 64 + 64, "lane and spill were full: {kinds:?}");
    assert_eq!(kinds.in_flight, 0);
    // What the dispatcher could not deliver, and what the consumer found in its lane when it came
    // back.
    let buried = buried_reports(dir.path());
    assert_eq!(buried.len() as u64, kinds.dead_lettered);
    let of_session = |session: &str| -> Vec<u64> {
        let of_it = buried.iter().filter(|(by, _)| by == session);
        of_it.map(|(_, report)| report.venue_order_number()).collect()
    };
    let (by_dispatcher, by_itself) = (of_session("dispatcher"), of_session("consumer:slow"));
    for numbers in [&by_dispatcher, &by_itself] {
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "in order: {numbers:?}");
    }
    assert_eq!(by_itself.last().unwrap() + 1, by_dispatcher[0], "and without a hole");
    let other = of(&report, "witness");
    assert_eq!((other.state, other.terms.dead_lettered), (ConsumerState::Stopped, 0));
    assert_eq!(witness.out_of_order.load(Ordering::Acquire), 0);
}

#[test]
fn when_a_critical_event_can_be_stored_nowhere_trading_halts() {
    let (mut rig, slow, witness) = rig();
    let refused = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&refused);
    rig.add("trader", move || {
        let told = Arc::clone(&told);
        Closure::new(Interest::ALL, move |_: &Event, ctx: &mut Context| {
            let halted = Err(SubmitError::from(RejectReason::TradingHalted));
            if ctx.submit(order()).map(drop) == halted {
                told.store(true, Ordering::Release);
            }
            Ok(())
        })
    });
    let run = rig.start();
    symlink("/dev/full", run_folder(run.dir.path()).join("dead_letters.jsonl")).unwrap();
    assert!(!refused.load(Ordering::Acquire), "orders may leave");
    run.wait("a halt", |engine| engine.status().is_halted);
    assert!(slow.is_held(), "it takes nothing");
    assert!(run.engine.has_failed(), "a run ends by that");
    while !refused.load(Ordering::Acquire) {
        assert!(run.engine.status().uptime_ns < 60_000_000_000, "orders are still taken");
        std::thread::yield_now();
    }
    let before = witness.events();
    while witness.events() < before + 1_000 {
        assert!(run.engine.status().uptime_ns < 60_000_000_000, "market data does not go on");
        std::thread::yield_now();
    }
    let reports = witness.reports.load(Ordering::Acquire);
    slow.let_go();
    let (report, dir) = run.stop();
    // What comes from the venue after the halt is not read.
    assert_eq!(witness.reports.load(Ordering::Acquire), reports);
    assert_eq!(report.halted, Some(HaltReason::FileFailed));
    assert!(report.identity_holds, "{report:#?}");
    let lost = of(&report, "slow").critical_lost;
    assert!(lost > 0 && lost == report.critical_lost, "{lost} of {}", report.critical_lost);
    assert_eq!((report.dead_letters.failed, report.dead_letters.written), (lost, 0));
    assert_eq!(of(&report, "slow").terms.dead_lettered, lost, "none of them was stored");
    assert_eq!(report.exit_code(), 5);
    let planted = fs::read_link(run_folder(dir.path()).join("dead_letters.jsonl")).unwrap();
    assert_eq!(planted, Path::new("/dev/full"), "the letters went there");
}

/// The file takes nothing, and says nothing of it, as a disk that hangs. Then the way there fills
/// up, and the event behind that is lost where it is, on the dispatcher's core.
#[test]
fn when_the_way_to_the_file_is_full_trading_halts_too_and_what_got_there_is_whole() {
    let (mut rig, slow, witness) = rig();
    rig.config.lanes.dead_letter = 128;
    rig.options.holds_letters = true;
    let run = rig.start();
    let file = run_folder(run.dir.path()).join("dead_letters.jsonl");
    run.wait("a halt", |engine| engine.status().is_halted);
    assert!(slow.is_held(), "it takes nothing");
    assert!(run.engine.has_failed(), "a run ends by that");
    let before = witness.events();
    while witness.events() < before + 1_000 {
        assert!(run.engine.status().uptime_ns < 60_000_000_000, "market data does not go on");
        std::thread::yield_now();
    }
    assert!(!file.exists(), "nothing was written meanwhile");
    slow.let_go();
    let (report, _dir) = run.stop();
    let written = fs::read_to_string(file).expect("it is text");
    assert_eq!((report.halted, report.exit_code()), (Some(HaltReason::LettersFull), 5));
    assert!(report.identity_holds, "{report:#?}");
    let account = of(&report, "slow");
    let lost = account.critical_lost;
    assert!(lost > 0 && lost == report.critical_lost, "{lost} of {}", report.critical_lost);
    assert_eq!((report.dead_letters.dropped, report.dead_letters.failed), (lost, 0));
    let kept = account.terms.dead_lettered - lost;
    assert!(kept >= 128, "the way there was full: {kept}");
    assert_eq!((written.lines().count() as u64, report.dead_letters.written), (kept, kept));
    assert_eq!(witness.out_of_order.load(Ordering::Acquire), 0);
}
