//! Bad days at the venue, by seed: replies and reports are lost, doubled, swapped and wrong,
//! queries lag, orders are told dead and live. In the end what was told is what the venue's own
//! ledger says (F30, F31).

use pitlane_engine::event::ExecReport;
use pitlane_engine::order::OrderAction;
use pitlane_engine::testing::{ToldOrders, disagreements};
use pitlane_engine::venue::simulated::{FaultName, FaultPlan, SimulatedSymbol, SimulatedVenue};

use crate::harness::{MS, Seen};
use crate::subject::Orders;
use crate::trader::{Trader, TraderOptions, venue};

/// Orders of one day, alternately such that fill at once and such that rest.
const ORDERS: u64 = 16;
/// Every fault that acts late has acted after this time, ns.
const LATEST_NS: u64 = 2_500 * MS;
/// Pause between two orders, ns.
const BETWEEN_NS: u64 = 100 * MS;

/// Every way in which what was told differs from the venue's ledger.
fn differences(seen: &Seen, venue: &SimulatedVenue) -> Vec<String> {
    let mut told = ToldOrders::default();
    seen.all::<ExecReport>().iter().for_each(|report| told.take(report));
    disagreements(&told, &venue.ledger(), &[SimulatedSymbol::default()])
}

pub fn what_is_told_of_a_bad_day_is_what_the_venues_ledger_says<V: Orders>() {
    for seed in 1..=4 {
        let venue = venue::<V>(|options| {
            options.fault_plan = FaultPlan::hostile(seed);
        });
        let mut trader = Trader::<V>::new(venue.address(), &TraderOptions::default());
        trader.drive_to_ready();
        let clock = trader.clock.clone();
        for id in 1..=ORDERS {
            if id % 2 == 1 {
                trader.submit_marketable(id)
            } else {
                trader.submit_resting(id)
            }
            // Some never reach the venue: the agent waits where it was told to.
            let submitted_ns = clock.now_ns();
            trader.drive("the next order", |_, _| clock.now_ns() - submitted_ns > BETWEEN_NS);
        }
        (2..=ORDERS).step_by(4).for_each(|id| trader.command(OrderAction::Cancel, id, |_| {}));
        let sent_ns = clock.now_ns();
        trader.drive(&format!("agreement with the ledger of seed {seed}"), |seen, _| {
            clock.now_ns() - sent_ns > LATEST_NS && differences(seen, &venue).is_empty()
        });
        // Nothing is taken back of it, and what a list of fills can tell is told.
        let sent_ns = clock.now_ns();
        trader.drive(&format!("the lists of fills of seed {seed}"), |seen, _| {
            let mut told = ToldOrders::default();
            seen.all::<ExecReport>().iter().for_each(|report| told.take(report));
            told.without_fee() == 0 || clock.now_ns() - sent_ns > LATEST_NS
        });
        let found = differences(&trader.outlet.seen(), &venue);
        assert_eq!(found, Vec::<String>::new(), "seed {seed}");
        let report = venue.counters().report();
        let struck: u64 = FaultName::ALL.iter().map(|name| report.faults(*name)).sum();
        assert!(struck >= 2 && !venue.ledger().trades.is_empty(), "seed {seed}: {struck} faults");
        assert_eq!(venue.penalties().total(), 0, "seed {seed}: {}", venue.penalties());
    }
}
