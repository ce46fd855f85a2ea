//! Consumers that stall, on real threads and cores (FR-003, EDGE-1, F04).
//!
//! Nothing is judged by time: the callback that stalls is held until the test has seen what has to
//! happen meanwhile.

mod consumers;
mod for_ever;
mod last_resort;
mod rig;

use std::sync::atomic::Ordering;

use consumers::{EVERY_HOLD, Hold};
use pitlane_engine::OwnVenue;
use pitlane_engine::config::Profile;
use pitlane_engine::consumer::ConsumerState;
use pitlane_engine::runtime::{HostCores, Pinned};
use pitlane_engine::testing::skipped;
use rig::{Rig, assert_nothing_lost, of, two_cores};

#[test]
fn neighbours_on_the_same_core_go_on_while_one_is_held_up_whatever_it_does() {
    for hold in EVERY_HOLD {
        let mut rig = Rig::on_one_core();
        let before = rig.witness("before");
        let slow = rig.slow("slow", hold);
        let behind = rig.witness("behind");
        let run = rig.start();
        run.wait("a demotion", |engine| slow.is_held() && !engine.demotions().is_empty());
        run.wait_for_more(&[&before, &behind], 2_000);
        assert!(slow.is_held(), "{hold:?}: all of that was while it was held up");
        let stalled = run.engine.status().stalled;
        assert!(matches!(&stalled[..], [(name, ns)] if name == "slow" && *ns > 0), "{stalled:?}");
        slow.let_go();
        run.wait_for_more(&[&slow], 200);
        run.wait("an end of the stall", |engine| engine.status().stalled.is_empty());
        let (report, _dir) = run.stop();
        assert_nothing_lost(&report);
        assert_eq!(report.exit_code(), 0);
        let [demotion] = &report.demotions[..] else { panic!("{:?}", report.demotions) };
        assert_eq!((demotion.consumer.as_str(), demotion.thread.as_str()), ("slow", "consumers"));
        assert!(demotion.callback_ns >= 5_000_000 && demotion.taken_by == "consumers+1");
        let slow_report = of(&report, "slow");
        let stalls = slow_report.stalls;
        assert!(stalls.count == 1 && stalls.is_alone && !stalls.is_quarantined, "{stalls:?}");
        assert!(stalls.longest_ns >= demotion.callback_ns && stalls.present_ns == 0);
        assert!(stalls.conflated > 0 && stalls.critical_waited > 0, "{stalls:?}");
        // Critical events: all of them, in order, whoever was slow.
        for (name, seen) in [("before", &before), ("slow", &slow), ("behind", &behind)] {
            let reports = &of(&report, name).kinds["exec_report"];
            assert_eq!(reports.handled, reports.published, "{name}");
            assert_eq!(seen.reports.load(Ordering::Acquire), reports.handled);
            assert_eq!(seen.out_of_order.load(Ordering::Acquire), 0, "{name}");
            assert_eq!(of(&report, name).state, ConsumerState::Stopped);
            assert!(seen.has_stopped.load(Ordering::Acquire));
        }
        let own = report.threads.iter().find(|thread| thread.name == "consumers").unwrap();
        let rest = report.threads.iter().find(|thread| thread.name == "consumers+1").unwrap();
        assert_eq!((&own.agents[..], rest.agents.len()), (&["slow".to_owned()][..], 2));
        assert_eq!((own.core, own.pinned), (None, Pinned::Left), "it has left its core");
        assert_eq!((rest.core, rest.pinned), (Some(two_cores()[1]), Pinned::Yes));
        assert_eq!((slow_report.core, of(&report, "before").core), (None, rest.core));
    }
}

#[test]
fn a_second_and_a_third_neighbour_may_stall_too() {
    let mut rig = Rig::on_one_core();
    let slow = ["one", "two", "three"].map(|name| rig.slow(name, Hold::Sleep));
    let witness = rig.witness("witness");
    let run = rig.start();
    run.wait("three demotions", |engine| engine.demotions().len() == 3);
    run.wait_for_more(&[&witness], 2_000);
    assert!(slow.iter().all(|seen| seen.is_held()), "all are held up at once");
    slow.iter().for_each(|seen| seen.let_go());
    run.wait_for_more(&[&slow[0], &slow[1], &slow[2]], 100);
    let (report, _dir) = run.stop();
    assert_nothing_lost(&report);
    let mut names: Vec<_> = report.demotions.iter().map(|it| it.consumer.as_str()).collect();
    names.sort_unstable();
    assert_eq!((names, report.exit_code()), (vec!["one", "three", "two"], 0));
    assert_eq!(report.demotions[2].taken_by, "consumers+3");
    let witness = of(&report, "witness");
    assert_eq!((witness.stalls.count, witness.stalls.is_alone), (0, false));
}

#[test]
fn the_last_of_a_core_stalls_with_nobody_left_to_be_taken() {
    let mut rig = Rig::on_one_core();
    let one = rig.slow("one", Hold::Park);
    let two = rig.slow("two", Hold::Park);
    let run = rig.start();
    // Whoever comes first is taken from; the other is alone by then.
    run.wait("two stalls", |engine| engine.status().stalled.len() == 2);
    one.let_go();
    two.let_go();
    run.wait_for_more(&[&one, &two], 100);
    let (report, _dir) = run.stop();
    assert_nothing_lost(&report);
    assert_eq!((report.demotions.len(), report.exit_code()), (1, 0));
    assert_eq!([of(&report, "one").stalls.count, of(&report, "two").stalls.count], [1, 1]);
}

#[test]
fn a_stall_on_a_core_of_its_own_is_counted_and_nobody_moves() {
    let mut rig = Rig::new();
    let [dispatch, own] = two_cores();
    rig.config.cores.dispatch = Some(dispatch);
    rig.config.cores.consumers = Some(vec![own, dispatch]);
    let slow = rig.slow("slow", Hold::Burn);
    let witness = rig.witness("witness");
    let run = rig.start();
    run.wait("a stall", |engine| !engine.status().stalled.is_empty());
    run.wait_for_more(&[&witness], 2_000);
    assert!(slow.is_held());
    slow.let_go();
    run.wait_for_more(&[&slow], 100);
    let (report, _dir) = run.stop();
    assert_nothing_lost(&report);
    assert_eq!((report.demotions.len(), of(&report, "slow").stalls.count), (0, 1));
}

#[test]
fn on_one_core_sessions_dispatcher_and_gateway_move_with_the_neighbours() {
    // A real venue: its sockets are registered where the core sleeps, and move as well.
    for profile in [Profile::Balanced, Profile::Quiet] {
        let mut rig = Rig::new();
        let [core, _] = two_cores();
        rig.config.engine.profile = profile;
        rig.config.cores.dispatch = Some(core);
        rig.config.cores.consumers = Some(vec![core]);
        rig.config.engine.drain_deadline_ms = 400;
        rig.options.own_venue = OwnVenue::Simulated;
        let slow = rig.slow("slow", Hold::Park);
        let witness = rig.witness("witness");
        let run = rig.start();
        run.wait("a demotion", |engine| slow.is_held() && !engine.demotions().is_empty());
        run.wait_for_more(&[&witness], 2_000);
        assert!(slow.is_held(), "{profile:?}");
        slow.let_go();
        run.wait_for_more(&[&slow, &witness], 200);
        let (report, _dir) = run.stop();
        assert_nothing_lost(&report);
        assert_eq!((report.demotions.len(), report.exit_code()), (1, 0), "{profile:?}");
        // It sees soon that its lanes are closed, though it sleeps: a thread that was late is
        // halted.
        assert_eq!(of(&report, "slow").state, ConsumerState::Stopped, "{profile:?}");
        assert_eq!(report.venues[0].counters.reconnects, 0, "no session was lost on the way");
    }
}

#[test]
fn beyond_what_a_lease_holds_a_stall_takes_its_cell_along_and_no_other() {
    let mut rig = Rig::on_one_core();
    rig.config.simulated.events_per_s = 500;
    rig.config.lanes.spill = 64;
    let slow = rig.slow("slow", Hold::Park);
    rig.witness("along");
    let others: Vec<_> = (2..70).map(|number| rig.witness(&format!("other-{number}"))).collect();
    let run = rig.start();
    run.wait("a demotion", |engine| slow.is_held() && !engine.demotions().is_empty());
    run.wait_for_more(&[&others[0], &others[67]], 200);
    assert!(slow.is_held());
    slow.let_go();
    run.wait_for_more(&[&slow], 50);
    let (report, _dir) = run.stop();
    assert_nothing_lost(&report);
    let names: Vec<_> = report.demotions.iter().map(|it| it.consumer.as_str()).collect();
    assert!(names.contains(&"slow, along"), "{names:?}");
}

#[test]
fn many_callbacks_below_the_budget_are_no_stall() {
    use pitlane_engine::consumer::{Closure, Context};
    use pitlane_engine::event::{Event, Interest};
    let mut rig = Rig::on_one_core();
    rig.config.engine.stall_budget_ms = 40;
    rig.witness("witness");
    // 16 of them in a batch would be 64 ms.
    rig.add("steady", || {
        Closure::new(Interest::ALL, |_: &Event, _: &mut Context| {
            std::thread::sleep(std::time::Duration::from_millis(4));
            Ok(())
        })
    });
    let run = rig.start();
    let handled = |engine: &pitlane_engine::Engine| engine.status().conflated;
    run.wait("an overload", |engine| handled(engine) > 2_000);
    let (report, _dir) = run.stop();
    assert_nothing_lost(&report);
    let steady = of(&report, "steady");
    assert!(steady.terms.handled > 100, "{steady:?}");
    assert!(report.demotions.is_empty() && steady.stalls.count == 0, "{:?}", report.demotions);
}

/// What the system says of a thread of this process by its name: the cores it may run on, and its
/// nice.
fn placed(name: &str) -> (String, i64) {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten().map(|task| task.path());
    let is_named = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
    };
    let path = tasks.into_iter().find(is_named).expect("there is such a thread");
    let status = std::fs::read_to_string(path.join("status")).unwrap();
    let cores = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    let stat = std::fs::read_to_string(path.join("stat")).unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1;
    (cores.trim().to_owned(), fields.split(' ').nth(16).unwrap().parse().unwrap())
}

#[test]
fn where_a_core_is_free_a_thread_that_loses_its_own_moves_there_and_nowhere_else() {
    let [free, core] = two_cores();
    if free == core {
        return skipped("one core: there is no free one");
    }
    let mut rig = Rig::new();
    rig.config.cores.dispatch = Some(core);
    rig.config.cores.consumers = Some(vec![core]);
    let slow = rig.slow("slow", Hold::Burn);
    let witness = rig.witness("witness");
    let run = rig.start();
    run.wait_for_more(&[&witness], 1);
    let before = placed("dispatch");
    assert_eq!(before.0, core.to_string());
    run.wait("a demotion", |engine| slow.is_held() && !engine.demotions().is_empty());
    run.wait_for_more(&[&witness], 1_000);
    assert!(slow.is_held(), "it burns the free core, and the neighbours go on");
    let host = HostCores::read();
    let others: Vec<usize> = host.ids.iter().copied().filter(|id| *id != core).collect();
    let (cores, nice) = placed("dispatch");
    if others.len() == 1 {
        assert_eq!(cores, others[0].to_string());
    }
    assert!(!cores.split([',', '-']).any(|id| id == core.to_string()), "{cores}");
    assert!(nice >= before.1.max(10), "it gives way there: nice {nice}");
    // Beside a foreign process either of them may have raised its priority.
    let (new_cores, new_nice) = placed("dispatch+1");
    assert_eq!(new_cores, before.0, "the core's new thread is where the old one was");
    assert!(new_nice <= before.1.max(0), "and gives way to nobody: nice {new_nice}");
    slow.let_go();
    run.wait_for_more(&[&slow], 100);
    let (report, _dir) = run.stop();
    assert_nothing_lost(&report);
    let left = report.threads.iter().find(|thread| thread.name == "dispatch").unwrap();
    assert_eq!((left.core, left.pinned), (None, Pinned::Left));
}
