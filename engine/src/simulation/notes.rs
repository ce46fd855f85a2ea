//! What the strategies of a run were told, as the checkers need it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use pitlane_ring::Record;
use zerocopy::IntoBytes;

use super::invariants::{self, Violation};
use super::on_record::{Entry, OnRecord};
use super::standing::{Holds, Standing};
use super::told::ConsumerNotes;
use crate::control::Status;
use crate::event::{
    Certainty, Event, EventKind, ExecReport, ExecType, OrderStatus, Payload, RejectReason, Side,
};
use crate::testing::ToldOrders;
use crate::venue::simulated::top_hash;

/// Events that a violation shows.
const LAST_MAX: usize = 12;
/// Violations that are kept of a run: those that follow the first rarely tell more.
pub(super) const FOUND_MAX: usize = 20;

/// The notes of one run. Cheap to clone; all clones are the same notes.
#[derive(Clone, Default)]
pub struct SharedNotes(Arc<Mutex<Notes>>);

impl SharedNotes {
    pub(super) fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock()
    }
}

/// What was noted of a run.
#[derive(Default)]
pub struct Notes {
    /// A hash of all that was told, in its order, with its time.
    pub hash: u64,
    /// Callbacks with an event.
    pub events: u64,
    /// By venue, what was told of orders there.
    pub told: BTreeMap<u16, ToldOrders>,
    /// By number.
    pub consumers: BTreeMap<u16, ConsumerNotes>,
    /// What was violated, first come first.
    pub found: Vec<Violation>,
    /// The step of the run.
    pub step: u64,
    /// What an event may be old while it is said to be live, ns; 0 = not checked.
    pub age_ns_max: u64,
    /// Wall time at the start of the run, ns since the Unix epoch.
    pub wall_start_ns: i64,
    /// Quotes and trades as they were told, but for those that several were made one of.
    pub prints: Prints,
    pub(super) last: LastEvents,
}

/// The last events that strategies were given.
#[derive(Default)]
pub(super) struct LastEvents {
    events: Vec<(u64, u16, Event)>,
    /// The place of the next one, which is that of the oldest once all are taken.
    next: usize,
}

impl LastEvents {
    fn push(&mut self, at_ns: u64, consumer: u16, event: &Event) {
        match self.events.get_mut(self.next) {
            Some(oldest) => {
                (oldest.0, oldest.1) = (at_ns, consumer);
                oldest.2.copy_used_from(event);
            }
            None => self.events.push((at_ns, consumer, *event)),
        }
        self.next = (self.next + 1) % LAST_MAX;
    }

    /// The oldest first.
    fn iter(&self) -> impl Iterator<Item = &(u64, u16, Event)> {
        let oldest = self.next.min(self.events.len());
        self.events[oldest..].iter().chain(&self.events[..oldest])
    }
}

/// A quote or a trade: venue, instrument, kind, its number, and a hash of what it says.
pub type Print = (u16, u32, u8, u64, u64);

/// Prints, each once after [`Prints::settle`]: sorting now and then costs less than a place to find
/// for each of them. Most are told to several strategies, one soon after the other.
#[derive(Default)]
pub struct Prints {
    list: Vec<Print>,
    settled: usize,
    /// The last prints that were added, each at a place that its number says.
    recent: Vec<Print>,
}

impl Prints {
    /// Prints that are kept unsorted, at least.
    const UNSORTED: usize = 1 << 16;
    /// Places of recent prints, a power of two.
    const RECENT: usize = 256;

    fn add(&mut self, print: Print) {
        let place = print.3 as usize % Prints::RECENT;
        if self.recent.is_empty() {
            self.recent = vec![Print::default(); Prints::RECENT];
        }
        if std::mem::replace(&mut self.recent[place], print) == print {
            return;
        }
        self.list.push(print);
        if self.list.len() >= 2 * self.settled.max(Prints::UNSORTED) {
            self.settle();
        }
    }

    /// Leaves each once, in order.
    pub(super) fn settle(&mut self) {
        // What was settled before is one run, which a stable sort takes as it is.
        self.list.sort();
        self.list.dedup();
        self.settled = self.list.len();
    }

    pub(super) fn as_slice(&self) -> &[Print] {
        &self.list
    }
}

impl Notes {
    /// Takes an event that a strategy is about to get.
    pub(super) fn event(&mut self, event: &Event, ctx: &impl Standing) {
        let consumer = ctx.number();
        self.events += 1;
        self.mix(u64::from(consumer) | 1 << 32);
        self.mix(ctx.at_ns());
        self.mix(hash_of_bytes(event.to_used_bytes()));
        self.last.push(ctx.at_ns(), consumer, event);
        if let Some(Payload::ExecReport(report)) = event.payload() {
            self.told.entry(event.venue).or_default().take(report);
            self.consumers.entry(consumer).or_default().reports.push(hash_of(report));
        }
        print_of(event).into_iter().for_each(|print| self.prints.add(print));
        let notes = self.consumers.entry(consumer).or_default();
        (notes.age_ns_max, notes.wall_start_ns) = (self.age_ns_max, self.wall_start_ns);
        let mut broken = Vec::new();
        for invariant in &invariants::ALL {
            let found = invariant.on_event.and_then(|check| check(notes, event, ctx.at_ns()));
            broken.extend(found.map(|what| (invariant.number, what)));
        }
        notes.take(event, ctx.at_ns());
        if !broken.is_empty() {
            let name = notes.name.clone();
            for (number, what) in broken {
                self.violated(number, ctx.at_ns(), format!("{name}: {what}"));
            }
        }
    }

    /// Takes a timer that a strategy is about to get.
    pub(super) fn timer(&mut self, id: u64, ctx: &impl Standing) {
        self.mix(u64::from(ctx.number()) | 2 << 32);
        self.mix(ctx.at_ns());
        self.mix(id);
    }

    /// Begins with a new engine after the one of the number `dead`: its strategies know what is on
    /// record, and no more. Consumer and number of the orders that are open there, of which the
    /// venue has been heard.
    pub(super) fn begin_life(
        &mut self,
        on_record: &OnRecord,
        dead: u32,
        has_halted: bool,
        at_ns: u64,
    ) -> BTreeSet<(u16, u64)> {
        if !has_halted {
            self.compare_with_record(on_record, dead, at_ns);
        }
        self.told.clear();
        for notes in self.consumers.values_mut() {
            *notes = notes.of_next_life();
        }
        let mut heard = BTreeSet::new();
        for entry in &on_record.entries {
            match entry {
                Entry::Submit(consumer, id) => {
                    self.consumers.entry(*consumer).or_default().orders.entry(*id).or_default();
                }
                Entry::Report(_, record) => {
                    let report = &record.report;
                    self.told.entry(record.venue).or_default().take(report);
                    let notes = self.consumers.entry(report.consumer).or_default();
                    notes.report(record.instrument, report);
                    heard.insert((report.consumer, report.client_order_id));
                }
            }
        }
        heard.retain(|(consumer, id)| {
            let order = self.consumers.get(consumer).and_then(|notes| notes.orders.get(id));
            order.is_some_and(|order| !order.is_over())
        });
        heard
    }

    /// What a strategy of the engine that is no more was told, and what is on record of that: one
    /// of them is the beginning of the other.
    fn compare_with_record(&mut self, on_record: &OnRecord, dead: u32, at_ns: u64) {
        let mut words: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
        for entry in &on_record.entries {
            if let Entry::Report(run, record) = entry
                && *run == dead
            {
                words.entry(record.report.consumer).or_default().push(hash_of(&record.report));
            }
        }
        let mut found = Vec::new();
        for (number, notes) in &self.consumers {
            let of_record = words.get(number).map_or(&[][..], Vec::as_slice);
            let differs =
                of_record.iter().zip(&notes.reports).position(|(one, other)| one != other);
            found.extend(differs.map(|at| {
                let name = &notes.name;
                format!("{name}: report {at} of its run is not what is on record")
            }));
        }
        found.into_iter().for_each(|what| self.violated(18, at_ns, what));
    }

    /// Takes what a strategy has before its first callback.
    pub(super) fn start(&mut self, name: &str, ctx: &impl Standing) {
        let notes = self.consumers.entry(ctx.number()).or_default();
        name.clone_into(&mut notes.name);
        let Holds { net, cash } = ctx.holds();
        let has = (net, cash);
        let open: BTreeSet<u64> = ctx.open().map(|(id, _)| id).collect();
        let orders = notes.orders.iter().filter(|(_, order)| !order.is_over());
        let due: BTreeSet<u64> = orders.map(|(id, _)| *id).collect();
        let mut found = Vec::new();
        if has != notes.fills {
            found.push(format!("{name}: begins with {has:?}, on record {:?}", notes.fills));
        }
        if open != due {
            found.push(format!("{name}: begins with the orders {open:?}, on record {due:?}"));
        }
        found.into_iter().for_each(|what| self.violated(18, ctx.at_ns(), what));
    }

    /// Looks at what a strategy has after a callback.
    pub(super) fn after(&mut self, ctx: &impl Standing) {
        let notes = self.consumers.entry(ctx.number()).or_default();
        (notes.holds, notes.open) = (ctx.holds(), 0);
        for (id, is_cancelled) in ctx.open() {
            notes.open += 1;
            let told = notes.orders.entry(id).or_default();
            let since_ns = told.cancel_ns.unwrap_or(ctx.at_ns());
            told.cancel_ns = is_cancelled.then_some(since_ns);
        }
    }

    /// Cancels that are on their way since before `calm_ns`, and have had no outcome; but of those
    /// who are quarantined, and told nothing any more.
    pub(super) fn lost_cancels(&self, calm_ns: u64, status: &Status) -> Vec<String> {
        let mut lost = Vec::new();
        let is_told = |of: &&ConsumerNotes| {
            let mut quarantined = status.consumers.iter().filter(|it| it.state == "quarantined");
            !quarantined.any(|it| it.name == of.name)
        };
        for consumer in self.consumers.values().filter(is_told) {
            for (id, order) in &consumer.orders {
                let since_ns = order.cancel_ns.filter(|since_ns| *since_ns < calm_ns);
                if let Some(since_ns) = since_ns.filter(|_| !order.is_over()) {
                    let (name, since_ms) = (&consumer.name, since_ns / 1_000_000);
                    lost.push(format!(
                        "{name}: a cancel of order {id} is lost since {since_ms} ms"
                    ));
                }
            }
        }
        lost
    }

    /// Notes a violation, with the last events before it.
    pub(super) fn violated(&mut self, invariant: u8, at_ns: u64, what: String) {
        if self.found.len() == FOUND_MAX {
            return;
        }
        let last = self.last.iter().map(|(at_ns, consumer, event)| {
            let name = self.consumers.get(consumer).map_or("?", |notes| notes.name.as_str());
            line(*at_ns, name, event)
        });
        let last = last.collect();
        self.found.push(Violation { invariant, at_ns, step: self.step, what, last });
    }

    fn mix(&mut self, word: u64) {
        self.hash = mixed(self.hash, word);
    }
}

fn mixed(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}

fn hash_of(report: &ExecReport) -> u64 {
    hash_of_bytes(report.as_bytes())
}

/// A hash in four lanes: it is most of what an event costs its checkers.
fn hash_of_bytes(bytes: &[u8]) -> u64 {
    let (words, behind) = bytes.as_chunks::<8>();
    let (fours, rest) = words.as_chunks::<4>();
    let mut lanes = [0, 1, 2, 3];
    for four in fours {
        for (lane, word) in lanes.iter_mut().zip(four) {
            *lane = mixed(*lane, u64::from_le_bytes(*word));
        }
    }
    let rest = rest.iter().map(|word| u64::from_le_bytes(*word));
    let behind = behind.iter().map(|byte| u64::from(*byte));
    lanes.into_iter().chain(rest).chain(behind).fold(0, mixed)
}

/// What a quote or a trade says, if it is one alone.
fn print_of(event: &Event) -> Option<Print> {
    if event.conflated > 0 {
        return None;
    }
    let level = |price: i64, qty: i64| {
        let level = (price.cast_unsigned(), qty.cast_unsigned());
        std::iter::once(level).filter(|(_, qty)| *qty > 0)
    };
    let (kind, hash) = match event.payload()? {
        Payload::Quote(it) => {
            let (bid, ask) = (level(it.bid_price, it.bid_qty), level(it.ask_price, it.ask_qty));
            (EventKind::Quote, top_hash(bid, ask))
        }
        Payload::Trade(it) => {
            let (bought, sold) =
                (level(it.last_price, it.buy_qty), level(it.last_price, it.sell_qty));
            (EventKind::Trade, top_hash(bought, sold))
        }
        _ => return None,
    };
    Some((event.venue, event.instrument, kind.code(), event.sequence, hash))
}

/// An event for a person.
fn line(at_ns: u64, consumer: &str, event: &Event) -> String {
    let at = format!("{:>13.6} s {consumer}", at_ns as f64 / 1e9);
    match event.payload() {
        Some(Payload::ExecReport(report)) => format!(
            "{at}: order {} {} ({}): filled {} of {}, last {} at {}, {}, reason {}, certainty {}",
            report.client_order_id,
            report.exec_type().map_or("?", ExecType::name),
            report.status().map_or("?", OrderStatus::name),
            report.filled_qty,
            report.qty,
            report.last_qty,
            report.last_price,
            report.side().map_or("?", Side::name),
            report.reason().map_or("?", RejectReason::name),
            report.certainty().map_or("?", Certainty::name),
        ),
        Some(Payload::BookState(state)) => {
            format!("{at}: book {:?}, {:?}", state.status(), state.reason())
        }
        Some(Payload::StreamState(state)) => {
            format!("{at}: stream of {:?} {:?}", state.stream(), state.status())
        }
        _ => format!(
            "{at}: {} {}, version {}, sequence {}",
            event.kind().map_or("?", EventKind::name),
            event.trace_id,
            event.routing_version,
            event.sequence
        ),
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;

    #[test]
    fn the_last_events_are_shown_the_oldest_first() {
        let (mut last, mut event) = (LastEvents::default(), Event::new_zeroed());
        for number in 1..=LAST_MAX as u64 + 3 {
            event.sequence = number;
            last.push(number, 7, &event);
        }
        let seen: Vec<_> = last.iter().map(|(at_ns, _, event)| (*at_ns, event.sequence)).collect();
        assert_eq!(seen, (4..=LAST_MAX as u64 + 3).map(|at| (at, at)).collect::<Vec<_>>());
    }

    #[test]
    fn a_print_is_kept_once_whatever_came_between() {
        let mut prints = Prints::default();
        let of = |number| (0, 0, 1, number, number ^ 5);
        // The last two share a place among the recent ones.
        for number in [2, 2, 1, 258, 2, 258] {
            prints.add(of(number));
        }
        prints.settle();
        assert_eq!(prints.as_slice(), [of(1), of(2), of(258)]);
    }
}
