//! The clock of the machine steps by an hour, forward and back (F20): nothing that waits for time
//! does so by that clock, and what is signed with the venue's time is taken.

use pitlane_engine::{LaunchOptions, OneThreadEngine, OneThreadOptions, launch_one_thread};

use crate::SECOND_NS;
use crate::heard::{Heard, registry};

const HOUR_NS: i64 = 3_600_000_000_000;

/// Events of the market so far, and connections that were made anew.
fn market(engine: &OneThreadEngine) -> (u64, u64) {
    let sessions = engine.sessions();
    let market = sessions.iter().filter(|(_, role, _)| role.starts_with("market"));
    market.fold((0, 0), |(events, reconnects), (.., counters)| {
        (events + counters.events, reconnects + counters.reconnects + counters.gaps)
    })
}

#[test]
fn a_step_of_an_hour_moves_no_timer_and_costs_no_order_and_no_connection() {
    for step_ns in [HOUR_NS, -HOUR_NS] {
        let mut config = crate::config();
        config.simulated.events_per_s = 200;
        let registry = registry(&Heard::default(), false);
        let (launch, options) = (LaunchOptions::default(), OneThreadOptions::default());
        let mut engine = launch_one_thread(&config, &registry, &launch, options).unwrap();
        engine.run_ns(10 * SECOND_NS);
        let (before, _) = market(&engine);
        let trades_before = engine.ledgers()[0].orders.len();
        let steps_before = engine.system_clock_steps();
        engine.set_system_clock(step_ns);
        engine.run_ns(10 * SECOND_NS);
        assert_eq!(engine.system_clock_steps(), steps_before + 1, "{step_ns}: it happened");
        let (after, lost) = market(&engine);
        println!("{step_ns} ns: {before} events before the step, {after} with those behind it");
        assert!(before > 1_000 && after > before * 3 / 2, "{step_ns}: {before}, {after}");
        assert_eq!(lost, 0, "{step_ns}: a connection or a book was lost");
        let orders = engine.ledgers()[0].orders.len();
        assert!(orders > trades_before, "{step_ns}: no order was taken behind the step");
        let report_clock = engine.status();
        assert!(report_clock.limits.iter().all(|limits| limits.pauses.is_empty()), "{step_ns}");
        assert!(engine.penalties().is_empty(), "{step_ns}: {:?}", engine.penalties());
        let unfinished = engine.stop(20 * SECOND_NS);
        assert!(unfinished.is_empty(), "{step_ns}: {unfinished:?} did not end");
        let report = engine.finish();
        assert!(report.identity_holds, "{step_ns}: {report:?}");
        assert_eq!(report.orders.left_at_venues, [], "{step_ns}");
    }
}
