//! Bad days at the venue, by seed: replies and reports are lost, doubled, swapped and wrong,
//! queries lag, orders are told dead and live. In the end what was told is what the venue's own
//! ledger says (F30, F31).

use std::time::{Duration, Instant};

use pitlane_engine::event::{ExecReport, FEE_UNKNOWN};
use pitlane_engine::order::OrderAction;
use pitlane_engine::venue::simulated::{FaultName, FaultPlan, Ledger};

use crate::harness::Seen;
use crate::subject::Orders;
use crate::trader::{Trader, TraderOptions, fills, reports, venue};

/// Orders of one day, alternately such that fill at once and such that rest.
const ORDERS: u64 = 16;
/// Every fault that acts late has acted after this time.
const LATEST: Duration = Duration::from_millis(2_500);

/// Pause between two orders.
const BETWEEN: Duration = Duration::from_millis(40);

/// What the ledger says of an order: executed quantity, and what its trades sum up to.
fn at_venue(ledger: &Ledger, id: u64) -> (i64, i64) {
    let suffix = format!("-{id}");
    let its = |name: &str| name.ends_with(&suffix);
    let executed = ledger.orders.values().filter(|order| its(&order.client_order_id));
    let trades = ledger.trades.iter().filter(|trade| its(&trade.client_order_id));
    let sum = |quantities: &mut dyn Iterator<Item = u64>| quantities.sum::<u64>() as i64;
    (sum(&mut executed.map(|order| order.executed)), sum(&mut trades.map(|trade| trade.qty)))
}

/// Value of an order's trades in units of price times quantity, and their fees in 10^-8.
fn money_at_venue(ledger: &Ledger, id: u64) -> (i128, i64) {
    let suffix = format!("-{id}");
    let trades = || ledger.trades.iter().filter(|trade| trade.client_order_id.ends_with(&suffix));
    let quote = trades().map(|trade| i128::from(trade.price * trade.qty)).sum();
    (quote, trades().map(|trade| (trade.fee.amount / 100_000_000) as i64).sum())
}

/// The same as the strategy was told.
fn money_told(reports: &[ExecReport]) -> (i128, i64) {
    let quote = reports.iter().map(|report| report.quote - report.replaced_quote).sum();
    (quote, reports.iter().map(|report| report.fee).sum())
}

fn told(seen: &Seen, id: u64) -> i64 {
    fills(&reports(seen, id)).iter().map(|fill| fill.last_qty).sum()
}

pub fn what_is_told_of_a_bad_day_is_what_the_venues_ledger_says<V: Orders>() {
    for seed in 1..=4 {
        let venue = venue::<V>(|options| {
            options.fault_plan = FaultPlan::hostile(seed);
        });
        let mut trader = Trader::<V>::new(venue.address(), &TraderOptions::default());
        trader.drive_to_ready();
        for id in 1..=ORDERS {
            if id % 2 == 1 {
                trader.submit_marketable(id)
            } else {
                trader.submit_resting(id)
            }
            // Some never reach the venue: the agent waits where it was told to.
            let submitted = Instant::now();
            trader.drive("the next order", |_, _| submitted.elapsed() > BETWEEN);
        }
        (2..=ORDERS).step_by(4).for_each(|id| trader.command(OrderAction::Cancel, id, |_| {}));
        let sent = Instant::now();
        trader.drive(&format!("agreement on the fills of seed {seed}"), |seen, _| {
            let ledger = venue.ledger();
            let agrees = |id| at_venue(&ledger, id) == (told(seen, id), told(seen, id));
            sent.elapsed() > LATEST && (1..=ORDERS).all(agrees)
        });
        let ledger = venue.ledger();
        for id in 1..=ORDERS {
            let (quote, fee) = money_at_venue(&ledger, id);
            let reports = trader.reports(id);
            let told = money_told(&reports);
            assert_eq!(told.0, quote, "seed {seed}, order {id}: {reports:?}");
            // The fee of a fill that no report told is unknown, and said to be.
            let is_partial = reports.iter().any(|report| report.has(FEE_UNKNOWN));
            assert!(told.1 == fee || is_partial, "seed {seed}, order {id}: {fee}, {reports:?}");
        }
        let report = venue.counters().report();
        let struck: u64 = FaultName::ALL.iter().map(|name| report.faults(*name)).sum();
        assert!(struck >= 2 && !venue.ledger().trades.is_empty(), "seed {seed}: {struck} faults");
        assert_eq!(venue.penalties().total(), 0, "seed {seed}: {}", venue.penalties());
    }
}
