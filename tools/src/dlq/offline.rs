//! Letters through a strategy, offline: the real wrapper and lanes, without a venue.

use std::sync::Arc;

use pitlane_engine::StrategyRegistry;
use pitlane_engine::config::{Config, ConsumerConfig};
use pitlane_engine::consumer::Strategy;
use pitlane_engine::event::{Event, EventKind, InstrumentId, format_scaled};
use pitlane_engine::instrument::Instruments;
use pitlane_engine::order::{OrderAction, OrderCommand};
use pitlane_engine::risk::RiskLimits;
use pitlane_engine::testing::Harness;
use pitlane_engine::text::shown;

use super::letter::Letter;
use super::replay::Replayer;
use crate::exit::Exit;
use crate::table::count;
use crate::terminal::Terminal;

/// Time between two events, ns: timers of a strategy fall due as they would.
const STEP_NS: u64 = 1_000_000;

/// A strategy by the name of its consumer in the configuration, or by its own.
pub(super) fn strategy(
    name: &str,
    config: &Config,
    registry: &StrategyRegistry,
) -> Result<Box<dyn Strategy>, String> {
    let named = config.consumers.iter().find(|consumer| consumer.name == name);
    let entry = named.cloned().unwrap_or_else(|| ConsumerConfig::of_strategy(name));
    let made = registry.construct(&entry.strategy, &entry.params).ok_or_else(|| {
        let names: Vec<_> = registry.names().collect();
        format!("there is no strategy {:?}; there are {}", entry.strategy, names.join(", "))
    })?;
    made.map_err(|problem| format!("strategy {:?}: {problem}", entry.strategy))
}

/// Feeds every letter to the strategy, and tells of each what came of it. Exit code 1 when one
/// could not be read.
pub(super) fn replay(
    strategy: Box<dyn Strategy>,
    mut replayer: Replayer<'_>,
    config: &Config,
    letters: &[Letter],
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Exit> {
    let limits = RiskLimits::of_config(config, "", Arc::default());
    let instruments = Arc::clone(replayer.instruments());
    let mut harness = Harness::among(Arc::clone(&instruments), limits, strategy);
    let (mut fed, mut sent, mut refused) = (0, 0, 0);
    for letter in letters {
        let text = match replayer.read(letter) {
            Err(why) => {
                refused += 1;
                format!("refused: {why}")
            }
            Ok(content) => {
                let events = content.events;
                let fit: Vec<_> = events.iter().filter(|event| is_fit(event)).collect();
                fed += fit.len() as u64;
                let failures = harness.failures().total;
                for event in &fit {
                    harness.feed(event);
                    harness.advance_ns(STEP_NS);
                }
                let orders = harness.orders();
                sent += orders.len() as u64;
                let failed = harness.failures().total - failures;
                outcome(&content.words, fit.len(), &orders, failed, &instruments)
            }
        };
        terminal.print(&shown(&format!("{}: {text}\n", letter.number)))?;
    }
    let failed = harness.failures().total;
    terminal.print(&format!(
        "{} events handled, {} commands sent, {} callbacks failed, {} letters refused\n",
        count(fed),
        count(sent),
        count(failed),
        count(refused)
    ))?;
    if let Some(failure) = harness.failures().sites.first() {
        terminal.print(&shown(&format!("first failure: {}\n", failure.first)))?;
    }
    Ok(if refused == 0 { Exit::Ok } else { Exit::Failed })
}

/// Whether a harness takes it: marks of the engine's own are none for a strategy.
fn is_fit(event: &Event) -> bool {
    !matches!(event.kind(), None | Some(EventKind::ControlAck | EventKind::ControlResult))
}

fn outcome(
    words: &str,
    events: usize,
    orders: &[OrderCommand],
    failed: u64,
    instruments: &Instruments,
) -> String {
    let mut text = match events {
        0 => format!("{words}: no event for a strategy"),
        1 => format!("{words}: handled"),
        events => format!("{words}: {events} events handled"),
    };
    if failed > 0 {
        text.push_str(&format!(", {failed} callbacks failed"));
    }
    for order in orders {
        text.push_str(", ");
        text.push_str(&command(order, instruments));
    }
    text
}

fn command(order: &OrderCommand, instruments: &Instruments) -> String {
    let id = order.client_order_id;
    let spec = instruments.get(InstrumentId(order.instrument));
    let (price, qty) = spec.map_or((0, 0), |spec| (spec.price_scale, spec.qty_scale));
    let terms =
        || format!("{} at {}", format_scaled(order.qty, qty), format_scaled(order.price, price));
    match order.action() {
        Some(OrderAction::Submit) => {
            let side = order.side().map_or("order", |side| side.name());
            let symbol = spec.map_or("unknown", |spec| spec.symbol.as_str());
            format!("sent {side} {} of {symbol} (order {id})", terms())
        }
        Some(OrderAction::Cancel) => format!("cancelled order {id}"),
        Some(OrderAction::Query) => format!("asked for order {id}"),
        Some(OrderAction::CancelSymbol) => {
            let symbol = spec.map_or("unknown", |spec| spec.symbol.as_str());
            format!("had the venue cancel all of {symbol}")
        }
        Some(OrderAction::Modify) => format!("amended order {id} to {}", terms()),
        None => format!("sent an unknown command for order {id}"),
    }
}
