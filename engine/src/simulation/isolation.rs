//! What one strategy does wrong, and what the others are told: two short runs of one seed, in which
//! all is the same but for one strategy, which misbehaves in the one and behaves in the other.
//!
//! Promises: the public trades that the others are given are the same, one by one, up to those that
//! are on their way at the end. The two runs differ in every time: agents take turns by chance.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use zerocopy::IntoBytes;

use super::invariants::Violation;
use super::plan::Plan;
use crate::config::{Config, ConsumerConfig};
use crate::consumer::{Context, NewOrder, Params, Strategy, StrategyRegistry, StrategyResult};
use crate::event::{Event, InstrumentId, Payload, Price, Qty, Side, VenueId};
use crate::launch::{LaunchError, LaunchOptions, OneThreadOptions, launch_one_thread};
use crate::order::{OrderType, TimeInForce};
use crate::runtime::HoldRates;
use crate::world::{NetConditions, SplitMix64};

const MS: u64 = 1_000_000;
/// Length of each of the two runs, ns.
const LENGTH_NS: u64 = 4_000 * MS;
/// Trades of the one run that the other may not have given yet at its end.
const ON_THEIR_WAY_MAX: usize = 60;
/// The others, and the one that misbehaves.
const OTHERS: [&str; 2] = ["first", "last"];
const OFFENDER: &str = "offender";
/// Room in each market lane: as much as no conflation needs.
const SLOTS: usize = 4_096;

/// A trade: its number, and what it says.
type Told = (u64, [u8; 32]);
/// What one of the others was told.
type Trades = Arc<Mutex<Vec<Told>>>;

/// Takes trades, and keeps them.
struct Bystander(Trades);

impl Strategy for Bystander {
    fn on_event(&mut self, event: &Event, _ctx: &mut Context) -> StrategyResult {
        if let Some(Payload::Trade(trade)) = event.payload() {
            let mut kept = [0; 32];
            let bytes = trade.as_bytes();
            let len = bytes.len().min(kept.len());
            kept[..len].copy_from_slice(&bytes[..len]);
            self.0.lock().push((event.sequence, kept));
        }
        Ok(())
    }
}

/// Asks for floods of orders, fails and panics.
struct Offender {
    random: SplitMix64,
    is_bad: bool,
    /// What it has done wrong so far.
    deeds: Arc<AtomicU32>,
}

impl Strategy for Offender {
    fn on_event(&mut self, _event: &Event, ctx: &mut Context) -> StrategyResult {
        if !self.is_bad {
            return Ok(());
        }
        // The first event at the latest, and every tenth or so behind it.
        let is_first = self.deeds.load(Ordering::Relaxed) == 0;
        let deed = if is_first { 1 } else { self.random.between(0, 99) };
        if deed <= 9 {
            self.deeds.fetch_add(1, Ordering::Relaxed);
        }
        match deed {
            0 => panic!("a panic of the strategy that misbehaves"),
            1 => return Err("an error of the strategy that misbehaves".into()),
            2..=9 => (0..100).for_each(|_| flood(ctx)),
            _ => {}
        }
        Ok(())
    }
}

/// An order that no venue takes: far from the market, and far too small.
fn flood(ctx: &mut Context) {
    let order = NewOrder {
        venue: VenueId(0),
        instrument: InstrumentId(0),
        side: Side::Buy,
        price: Price(1),
        qty: Qty(1),
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Gtc,
    };
    let _refused = ctx.submit(order);
}

/// 13: what the others are told with and without a strategy that stalls, fails, panics and floods.
///
/// # Errors
/// As [`launch_one_thread`].
pub(super) fn compared(plan: &Plan) -> Result<Vec<Violation>, LaunchError> {
    let ((with, deeds), (without, none)) = (told(plan, true)?, told(plan, false)?);
    let lists = OTHERS.iter().zip(with.iter().zip(&without));
    let differences = lists.filter_map(|(name, (with, without))| difference(name, with, without));
    // What compares nothing proves nothing.
    let is_void = deeds == 0 || none > 0 || without.iter().any(Vec::is_empty);
    let void = format!("{deeds} and {none} misdeeds, trades of others: {}", without[0].len());
    let found = differences.chain(is_void.then_some(void));
    let violation = |what| {
        let (invariant, at_ns, step, last) = (13, LENGTH_NS, 0, Vec::new());
        Violation { invariant, at_ns, step, what, last }
    };
    Ok(found.map(violation).collect())
}

fn difference(name: &str, with: &[Told], without: &[Told]) -> Option<String> {
    let differs = with.iter().zip(without).position(|(one, other)| one != other);
    if let Some(at) = differs {
        let (with, without) = (with[at].0, without[at].0);
        return Some(format!("{name}: trade {with} beside one that misbehaves, else {without}"));
    }
    let (with, without) = (with.len(), without.len());
    let is_behind = with.abs_diff(without) > ON_THEIR_WAY_MAX;
    is_behind.then(|| format!("{name}: {with} trades beside one that misbehaves, else {without}"))
}

/// The trades that each of the others is told in one run, and how often the one misbehaved.
fn told(plan: &Plan, is_bad: bool) -> Result<(Vec<Vec<Told>>, u32), LaunchError> {
    let deeds = Arc::<AtomicU32>::default();
    let lists = OTHERS.map(|_| Trades::default());
    let mut registry = StrategyRegistry::new();
    for (name, list) in OTHERS.iter().zip(&lists) {
        let list = Arc::clone(list);
        registry = registry.with(name, move |_: &Params| Ok(Bystander(Arc::clone(&list))));
    }
    let seed = plan.seed;
    let counted = Arc::clone(&deeds);
    registry = registry.with(OFFENDER, move |_: &Params| {
        let deeds = Arc::clone(&counted);
        Ok(Offender { random: SplitMix64::new(seed), is_bad, deeds })
    });
    let mut config = Config::default_run();
    config.simulated.events_per_s = plan.load.events_per_s;
    config.simulated.seed = seed;
    config.lanes.market = SLOTS;
    let names = [OTHERS[0], OFFENDER, OTHERS[1]];
    config.consumers = names.map(ConsumerConfig::of_strategy).to_vec();
    let (hold_ppm, least_ns, most_ns) = (if is_bad { 50_000 } else { 0 }, MS, 400 * MS);
    let options = OneThreadOptions {
        seed,
        conditions: NetConditions { latency_ns: 100_000, ..NetConditions::default() },
        holds: HoldRates { hold_ppm, least_ns, most_ns, only: Some(1) },
        ..OneThreadOptions::default()
    };
    let mut engine = launch_one_thread(&config, &registry, &LaunchOptions::default(), options)?;
    engine.run_ns(LENGTH_NS);
    drop(engine);
    let lists = lists.map(|list| mem::take(&mut *list.lock())).to_vec();
    Ok((lists, deeds.load(Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_and_what_is_on_its_way_is_not() {
        let trades: Vec<Told> = (0..200).map(|number| (number, [number as u8; 32])).collect();
        let behind = &trades[..200 - ON_THEIR_WAY_MAX];
        assert_eq!(difference("first", &trades, &trades), None);
        assert_eq!(difference("first", behind, &trades), None);
        assert!(difference("first", &behind[1..], &trades).is_some(), "the first is missing");
        assert!(difference("first", &behind[..20], &trades).is_some(), "it has stopped");
        let mut other = trades.clone();
        other[77].1[3] = 0;
        let told = difference("first", &other, &trades).unwrap();
        assert!(told.contains("trade 77"), "{told}");
    }
}
