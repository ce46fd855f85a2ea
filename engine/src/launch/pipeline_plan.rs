//! From a configuration to the plan of its pipeline.

use std::sync::Arc;

use super::kinds::check_kinds;
use super::options::{LaunchError, LaunchOptions, OwnVenue};
use crate::config::{Config, ConsumerConfig, OnFlip, VenueMode};
use crate::consumer::{ConsumerFaults, ConsumerOptions, Strategy, StrategyRegistry};
use crate::dispatcher::Subscription;
use crate::dispatcher::sequencing::SequencerOptions;
use crate::event::{ConsumerId, EventKind, InstrumentId, Interest};
use crate::instrument::Instruments;
use crate::order::Capabilities;
use crate::pipeline::{ConsumerPlan, PipelinePlan};
use crate::risk::{RiskLimits, SharedLimits};
use crate::runtime::CorePlan;
use crate::venue::registry::VenueKind;
use crate::venue::{LaneOutlet, SyntheticVenue};

/// A batch of callbacks ends when this part of the stall budget is over.
const BATCHES_IN_BUDGET: u64 = 4;

/// Constructs every consumer's strategy; the first that can't be is an error at its key.
pub(super) fn strategies(
    config: &Config,
    registry: &StrategyRegistry,
) -> Result<Vec<Box<dyn Strategy>>, LaunchError> {
    let construct = |(index, consumer): (usize, &ConsumerConfig)| {
        let names = registry.names().collect::<Vec<_>>().join(", ");
        match registry.construct(&consumer.strategy, &consumer.params) {
            Some(Ok(strategy)) => Ok(strategy),
            Some(Err(problem)) => {
                let key = format!("consumer[{index}].params");
                Err(config.error_at(&key, &problem, "what the strategy documents").into())
            }
            None => {
                let key = format!("consumer[{index}].strategy");
                let problem = format!("no strategy {:?} is compiled in", consumer.strategy);
                Err(config.error_at(&key, &problem, &names).into())
            }
        }
    };
    config.consumers.iter().enumerate().map(construct).collect()
}

/// The plan of the pipeline that the configuration describes.
pub(super) fn pipeline_plan(
    config: &Config,
    registry: &StrategyRegistry,
    cores: &CorePlan,
    options: &LaunchOptions,
) -> Result<PipelinePlan, LaunchError> {
    let specs = config.instruments.iter().filter_map(|entry| entry.spec()).collect();
    let instruments = Arc::new(Instruments::new(specs)?);
    let constructed = strategies(config, registry)?;
    check_needs(config, &constructed)?;
    if options.own_venue == OwnVenue::Simulated {
        check_kinds(config)?;
    }
    let consumer = |(index, strategy): (usize, Box<dyn Strategy>)| {
        let faults = if index == 0 { options.faults } else { ConsumerFaults::default() };
        consumer_plan(config, index, strategy, &instruments, cores.thread_of(index), faults)
    };
    let consumers = constructed.into_iter().enumerate().map(consumer).collect();
    Ok(PipelinePlan {
        venues: config.venue_names(),
        threads: cores.cores.len(),
        lanes: config.lanes.clone(),
        streams: streams(config, options.own_venue, instruments.len()),
        merge_places: config.streams.merge_places,
        fanout_every: config.telemetry.fanout_every,
        has_order_log: config.telemetry.order_log,
        risk: SharedLimits::of_config(config),
        consumers,
        instruments,
    })
}

fn consumer_plan(
    config: &Config,
    index: usize,
    strategy: Box<dyn Strategy>,
    instruments: &Instruments,
    thread: usize,
    faults: ConsumerFaults,
) -> ConsumerPlan {
    let entry = &config.consumers[index];
    let budget_ms = entry.stall_budget_ms.unwrap_or(config.engine.stall_budget_ms);
    let budget_ns = budget_ms * 1_000_000;
    ConsumerPlan {
        subscription: subscription(entry, index, strategy.interest(), instruments),
        options: ConsumerOptions {
            name: entry.name.clone(),
            strategy,
            batch: config.engine.batch as usize,
            batch_ns: budget_ns / BATCHES_IN_BUDGET,
            failures_max: entry.max_failures.unwrap_or(config.engine.max_failures),
            failures_kept: config.telemetry.failures_kept,
            skips: entry.on_flip == OnFlip::Skip,
            faults,
        },
        limits: RiskLimits::of_config(config, &entry.name, capabilities(config)),
        budget_ns,
        thread,
    }
}

/// Refuses a strategy whose needs a venue that takes orders can't serve. What it would have at the
/// others is worth a line each, which comes back.
///
/// # Errors
/// The first need that is not served, at the strategy's key.
pub(super) fn check_needs(
    config: &Config,
    strategies: &[Box<dyn Strategy>],
) -> Result<Vec<String>, LaunchError> {
    let (venues, can) = (config.venue_names(), capabilities(config));
    let mut notes = Vec::new();
    for (index, strategy) in strategies.iter().enumerate() {
        let consumer = &config.consumers[index].name;
        for (venue, can) in venues.iter().zip(can.iter()) {
            let needs = strategy.needs(venue);
            let lacks: Vec<String> = can.lacks(needs).map(|lack| lack.to_string()).collect();
            if lacks.is_empty() {
                continue;
            }
            let lacks = lacks.join(", ");
            if *can == Capabilities::NONE {
                notes.push(format!(
                    "{consumer} needs {lacks} of {venue}, which takes no orders: each is refused"
                ));
                continue;
            }
            let key = format!("consumer[{index}].strategy");
            let problem = format!(
                "{consumer} needs {lacks}, which venue {venue} of kind {} does not have",
                can.kind
            );
            let allowed = "what the venue has, see engine/docs/orders.md";
            return Err(config.error_at(&key, &problem, allowed).into());
        }
    }
    Ok(notes)
}

/// What every venue can do with orders, by its number.
pub(super) fn capabilities(config: &Config) -> Arc<[Capabilities]> {
    let kinds = VenueKind::of_venues(config);
    let of = kinds.iter().enumerate().map(|(number, kind)| match config.venues.get(number) {
        // An exchange in this process takes them, which speaks as the usual kind does.
        Some(venue) if venue.mode == VenueMode::Paper => VenueKind::usual().capabilities(),
        Some(venue) if !venue.takes_orders() => Capabilities::NONE,
        _ => kind.capabilities(),
    });
    of.collect()
}

fn subscription(
    entry: &ConsumerConfig,
    index: usize,
    interest: Interest,
    instruments: &Instruments,
) -> Subscription {
    let kinds = entry.kinds.as_ref().map_or(Interest::ALL, |names| {
        let is_named = |kind: &EventKind| names.iter().any(|name| name == kind.name());
        EventKind::ALL.into_iter().filter(is_named).collect()
    });
    let mut listed: Vec<InstrumentId> =
        entry.instruments.iter().filter_map(|name| instruments.find(name)).collect();
    if listed.is_empty() {
        listed = instruments.iter().map(|(id, _)| id).collect();
    }
    Subscription {
        consumer: ConsumerId(index as u16),
        interest: interest.intersect(kinds),
        instruments: listed,
    }
}

/// What puts the streams of every venue in order, as its adapter declares them.
fn streams(config: &Config, own_venue: OwnVenue, instruments: usize) -> SequencerOptions {
    let streams = &config.streams;
    let kinds = VenueKind::of_venues(config).into_iter();
    let mut venues: Vec<_> = kinds.map(|kind| kind.stream_orders).collect();
    if own_venue == OwnVenue::Synthetic {
        venues[config.venues.len()..].fill(SyntheticVenue::<LaneOutlet>::STREAM_ORDERS);
    }
    SequencerOptions {
        venues,
        instruments,
        lateness_ns: streams.lateness_ms * 1_000_000,
        max_buffered: streams.max_buffered,
        held_events: streams.held_events,
        flood_events_per_s: streams.flood_events_per_s,
        flood_burst: streams.flood_burst,
    }
}
