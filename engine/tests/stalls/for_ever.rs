//! A callback that never returns: quarantine from outside, and a stop that leaves its thread
//! behind.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use data_encoding::HEXLOWER;
use pitlane_engine::consumer::ConsumerState;
use pitlane_engine::event::{Event, ExecReport, ExecType};
use zerocopy::{FromZeros, IntoBytes};

use crate::consumers::{Consumer, EVERY_HOLD, Hold, Seen};
use crate::rig::{Rig, assert_nothing_lost, of};

/// Exec reports among the dead letters, each with the session that has sent it there.
pub fn buried_reports(run_dir: &Path) -> Vec<(String, ExecReport)> {
    let run = fs::read_dir(run_dir).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(run.join("dead_letters.jsonl")).unwrap();
    let reports = text.lines().filter_map(|line| {
        let letter: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(letter["reason"], "undelivered", "{line}");
        // What happens to be UTF-8 is kept as text.
        let raw = match letter["raw"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => HEXLOWER.decode(letter["raw_hex"].as_str()?.as_bytes()).unwrap(),
        };
        let mut event = Event::new_zeroed();
        event.as_mut_bytes()[..raw.len()].copy_from_slice(&raw);
        let session = letter["session"].as_str().expect("it says who sent it").to_owned();
        event.get::<ExecReport>().map(|report| (session, *report))
    });
    reports.collect()
}

/// A rig with a consumer that rests an order and then never comes back, between two witnesses.
fn rig(hold: Hold) -> (Rig, Arc<Seen>, [Arc<Seen>; 2]) {
    let mut rig = Rig::on_one_core();
    rig.config.engine.quarantine_after_ms = 50;
    rig.config.engine.drain_deadline_ms = 500;
    rig.config.lanes.critical = 64;
    let before = rig.witness("before");
    let stuck = rig.consumer("stuck", move |seen| Consumer {
        orders: true,
        ..Consumer::held(seen, 100, hold)
    });
    let behind = rig.witness("behind");
    (rig, stuck, [before, behind])
}

#[test]
fn a_callback_that_never_returns_is_quarantined_and_its_thread_left_behind() {
    for hold in EVERY_HOLD {
        let (rig, stuck, [before, behind]) = rig(hold);
        let run = rig.start();
        run.wait("a demotion", |engine| stuck.is_held() && !engine.demotions().is_empty());
        // Beyond its lane of 64 and a spill that takes the rest, each tenth event is a report to
        // one of three.
        run.wait_for_more(&[&before, &behind], 5_000);
        let (report, dir) = run.stop();
        assert!(stuck.is_held(), "{hold:?}: it never came back");
        stuck.let_go();
        assert_nothing_lost(&report);
        assert_eq!(report.threads_left_behind, ["consumers"], "{hold:?}");
        assert_eq!(report.exit_code(), 6);
        let account = of(&report, "stuck");
        assert!(account.left_behind && account.state == ConsumerState::Quarantined);
        assert!(account.stalls.is_quarantined && account.stalls.present_ns > 50_000_000);
        assert!(account.terms.discarded > 0, "its market data ends: {:?}", account.terms);
        assert!(account.terms.in_flight > 0, "its unread lanes: {:?}", account.terms);
        let buried = buried_reports(dir.path()).into_iter().map(|(_, report)| report);
        let buried: Vec<ExecReport> = buried.collect();
        let kept = account.kinds["exec_report"];
        assert!(kept.dead_lettered > 0 && buried.len() as u64 == kept.dead_lettered, "{kept:?}");
        assert_eq!(report.dead_letters.dropped, 0);
        let numbers: Vec<u64> = buried
            .iter()
            .filter(|report| report.client_order_id == 0)
            .map(|report| report.venue_order_number())
            .collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "all of them, in order");
        let cancelled = |it: &&ExecReport| it.exec_type() == Some(ExecType::Canceled);
        assert_eq!(buried.iter().filter(cancelled).count(), 1, "its open order");
        for (name, seen) in [("before", before), ("behind", behind)] {
            assert_eq!(of(&report, name).state, ConsumerState::Stopped, "{name}");
            assert!(seen.has_stopped.load(Ordering::Acquire));
            let reports = of(&report, name).kinds["exec_report"];
            assert_eq!(reports.handled, reports.published);
        }
    }
}

#[test]
fn open_orders_stay_where_the_configuration_says_so() {
    let (mut rig, stuck, [before, behind]) = rig(Hold::Park);
    rig.config.risk.cancel_on_quarantine = false;
    let run = rig.start();
    run.wait("a demotion", |engine| stuck.is_held() && !engine.demotions().is_empty());
    run.wait_for_more(&[&before, &behind], 5_000);
    run.wait("dead letters of the stuck one", |engine| {
        engine.status().stalled.iter().any(|(_, ns)| *ns > 100_000_000)
    });
    stuck.let_go();
    run.wait("its return", |engine| engine.status().stalled.is_empty());
    let (report, _dir) = run.stop();
    let account = of(&report, "stuck");
    // It came back in time, and stays out: what lay in its lanes it turned away.
    assert_nothing_lost(&report);
    assert_eq!((account.state, report.exit_code()), (ConsumerState::Quarantined, 10));
    assert!(account.terms.in_flight == 0 && account.terms.dead_lettered > 0);
    let live = account.orders;
    assert_eq!((live.submitted, live.canceled), (1, 0));
}
