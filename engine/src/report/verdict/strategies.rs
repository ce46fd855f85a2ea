//! Strategies that could not do their work.

use super::FindingKind;
use crate::order::trading::{PositionFigures, RefusalFigures, StrategyFigures, words_of_reason};
use crate::report::{ConsumerReport, Report};
use crate::safety::QuarantineReason;

/// A run that is over sooner may not have handed anything out yet.
const FED_WITHIN_NS: u64 = 3_000_000_000;

/// Refused orders without one that was taken: fewer may be chance.
const REFUSED_MIN: u64 = 3;

pub(super) fn find(report: &Report, add: &mut impl FnMut(FindingKind, String)) {
    for consumer in &report.consumers {
        quarantine(consumer, add);
        hunger(report, consumer, add);
    }
    for strategy in &report.trading {
        for row in &strategy.positions {
            refused(report, strategy, row, add);
        }
        sums(strategy, add);
    }
}

fn quarantine(consumer: &ConsumerReport, add: &mut impl FnMut(FindingKind, String)) {
    let Some(reason) = consumer.quarantine else { return };
    let kind = match reason {
        QuarantineReason::Operator => FindingKind::Notice,
        QuarantineReason::Failed | QuarantineReason::Overrun | QuarantineReason::Stuck => {
            FindingKind::StrategyQuarantined
        }
    };
    add(kind, format!("{} was quarantined: {}", consumer.name, reason.words()));
}

/// A strategy that was never given a market event.
fn hunger(report: &Report, consumer: &ConsumerReport, add: &mut impl FnMut(FindingKind, String)) {
    let is_soon = report.duration_ns < FED_WITHIN_NS && report.recording.is_none();
    let streams = report.silent_streams.iter().filter(|one| one.consumer == consumer.name);
    let is_fed = ["quote", "trade", "book", "bar", "mark_price", "merged"]
        .iter()
        .any(|kind| consumer.kinds.get(kind).is_some_and(|terms| terms.published > 0));
    if is_soon || is_fed {
        return;
    }
    let name = &consumer.name;
    match streams.count() {
        // It may live by its timers alone.
        0 => add(FindingKind::Notice, format!("{name} has no route to any market data")),
        _ => add(FindingKind::MarketDataIncomplete, format!("{name} never got a market event")),
    }
}

/// Orders of which not one was taken.
fn refused(
    report: &Report,
    strategy: &StrategyFigures,
    row: &PositionFigures,
    add: &mut impl FnMut(FindingKind, String),
) {
    let asked = row.orders_sent + row.orders_refused;
    let refused = row.orders_rejected + row.orders_refused;
    let has_taken = row.orders_acknowledged + row.fills > 0;
    if refused == 0 || has_taken || refused < asked {
        return;
    }
    let is_order = |refusal: &&RefusalFigures| refusal.what == "order";
    let Some(first) = row.refusals.iter().find(is_order) else { return };
    let is_halt = |refusal: &RefusalFigures| refusal.reason == "trading_halted";
    // Its own pace refuses no order for good: a second later it would have been taken.
    let is_pace = |refusal: &RefusalFigures| refusal.reason == "rate_limit";
    let mut orders = row.refusals.iter().filter(is_order);
    let is_trading_off =
        orders.clone().any(is_halt) && orders.all(|refusal| is_halt(refusal) || is_pace(refusal));
    let kind = match is_trading_off || refused < REFUSED_MIN {
        true => FindingKind::Notice,
        false => FindingKind::OrdersRefused,
    };
    let place = match row.venue.as_str() {
        "-" => "an unknown instrument or venue".to_owned(),
        venue => format!("{} at {venue}", row.instrument),
    };
    let code = first.venue_code.map(|code| format!(", code {code}")).unwrap_or_default();
    let mut text = format!(
        "{}: all {refused} orders for {place} were refused: {}{code}",
        strategy.strategy,
        words_of_reason(&first.reason)
    );
    let takes_none =
        |name: &str| report.venues.iter().any(|venue| venue.name == name && !venue.takes_orders);
    if takes_none(&row.venue) {
        text.push_str("; the venue has no api_url, so it takes no orders");
    }
    add(kind, text);
}

fn sums(strategy: &StrategyFigures, add: &mut impl FnMut(FindingKind, String)) {
    let name = &strategy.strategy;
    if strategy.positions.iter().any(|row| row.saturated) {
        let text = format!("{name}: sums of a position did not fit: its figures are wrong");
        add(FindingKind::AccountBroken, text);
    }
    let is_unknown = |row: &&PositionFigures| row.fee_unknown_qty.contains(|c: char| c > '0');
    for row in strategy.positions.iter().filter(is_unknown) {
        let PositionFigures { instrument, venue, fee_unknown_qty, .. } = row;
        let of = format!("{fee_unknown_qty} filled of {instrument} at {venue}");
        add(FindingKind::Notice, format!("{name}: the fee of {of} is not known"));
    }
    if strategy.reports_undelivered > 0 {
        let reports = strategy.reports_undelivered;
        let text = "reports are in the dead letters and not in its position";
        add(FindingKind::Notice, format!("{name}: {reports} {text}"));
    }
    if strategy.beyond > 0 {
        let beyond = strategy.beyond;
        let text = "orders and reports are in no figure: it trades too many instruments";
        add(FindingKind::AccountBroken, format!("{name}: {beyond} {text}"));
    }
}
