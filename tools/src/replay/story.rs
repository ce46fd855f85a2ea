//! What a replay tells of one trace: from the bytes that were read to the answers to its orders.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use pitlane_engine::event::{Event, ExecReport};
use pitlane_engine::instrument::InstrumentSpec;
use pitlane_engine::world::tape::{
    CallNote, Happening, Observer, bytes_text, received_text, unmasked,
};

use crate::dlq::{Scales, payload_text};

/// Reads that are kept until an event names one of them.
const READS: usize = 256;

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The callback before which the replay stops.
    Until(u64),
    /// The whole way of an event.
    Explain(u64),
}

/// Listens for one trace.
pub(super) struct Story {
    wanted: Wanted,
    told: Arc<Mutex<String>>,
    /// By number.
    consumers: Vec<String>,
    scales: Vec<Scales>,
    /// The number of the run, as the names of its orders have it.
    run: u32,
    /// Of late: when the clock was read before, where from, what.
    reads: VecDeque<(u64, String, Vec<u8>)>,
    has_frame: bool,
    /// Orders that callbacks with the trace have made: consumer and number.
    orders: Vec<(u16, u64)>,
}

impl Story {
    pub(super) fn new(
        wanted: Wanted,
        told: Arc<Mutex<String>>,
        consumers: Vec<String>,
        specs: impl Iterator<Item = Option<InstrumentSpec>>,
        run: u32,
    ) -> Story {
        let scales = |spec: Option<InstrumentSpec>| {
            spec.map_or_else(Scales::default, |spec| Scales {
                price: spec.price_scale,
                qty: spec.qty_scale,
            })
        };
        let (reads, orders) = (VecDeque::new(), Vec::new());
        let scales = specs.map(scales).collect();
        Story { wanted, told, consumers, scales, run, reads, has_frame: false, orders }
    }

    fn tell(&self, at_ns: u64, what: &str) {
        let (us, rest) = (at_ns / 1_000, at_ns % 1_000);
        let _infallible = writeln!(self.told.lock(), "{us:>12}.{rest:03} us  {what}");
    }

    fn name(&self, consumer: u16) -> &str {
        self.consumers.get(usize::from(consumer)).map_or("?", String::as_str)
    }

    fn on_read(&mut self, at_ns: u64, place: &str, bytes: &[u8]) {
        if self.names_order(&String::from_utf8_lossy(bytes)) {
            self.tell(at_ns, &format!("answer from {place}: {}", received_text(bytes)));
        }
        if self.reads.len() == READS {
            self.reads.pop_front();
        }
        self.reads.push_back((at_ns, place.to_owned(), bytes.to_vec()));
    }

    fn on_write(&self, at_ns: u64, place: &str, bytes: &[u8]) {
        if self.orders.is_empty() {
            return;
        }
        for text in unmasked(bytes) {
            if self.names_order(&String::from_utf8_lossy(&text)) {
                self.tell(at_ns, &format!("sent to {place}: {}", bytes_text(&text)));
            }
        }
    }

    fn on_call(&mut self, at_ns: u64, note: &CallNote<'_>) {
        let (Wanted::Until(trace) | Wanted::Explain(trace)) = self.wanted;
        let event = Event::of_used(note.event);
        let is_report = event
            .get::<ExecReport>()
            .is_some_and(|report| self.orders.contains(&(note.consumer, report.client_order_id)));
        if note.trace_id != trace && !is_report {
            return;
        }
        if note.trace_id == trace && !self.has_frame {
            self.has_frame = true;
            self.tell_frame(&event);
        }
        let name = self.name(note.consumer);
        let callback = format!("callback of {name}: {}, trace {}", note.name, note.trace_id);
        self.tell(at_ns, &callback);
        let scales = self.scales.get(event.instrument as usize).copied().unwrap_or_default();
        self.told.lock().push_str(&indented(&payload_text(&event, scales)));
    }

    /// The bytes that an event came in, and its way to the dispatcher.
    fn tell_frame(&self, event: &Event) {
        // The time of a read is taken behind it.
        let read = self.reads.iter().rev().find(|(before_ns, ..)| *before_ns < event.receive_ns);
        match read {
            Some((at_ns, place, bytes)) => {
                self.tell(*at_ns, &format!("read from {place}: {}", received_text(bytes)));
            }
            None => self.tell(event.receive_ns, "made in the engine: it came in no frame"),
        }
        let decoded_ns = event.receive_ns + u64::from(event.decode_after_ns);
        let (venue, sequence) = (event.venue, event.sequence);
        let text = format!("decoded: of venue {venue}, sequence {sequence}; into its link");
        self.tell(decoded_ns, &text);
        let version = event.routing_version;
        let text = format!("dispatched by routes of version {version}; into its lanes");
        self.tell(event.dispatched_ns(), &text);
    }

    fn on_orders(&mut self, at_ns: u64, consumer: u16, trace_id: u64, ids: &[u64]) {
        if self.wanted != Wanted::Explain(trace_id) {
            return;
        }
        for id in ids {
            self.orders.push((consumer, *id));
            let name = self.name(consumer);
            self.tell(at_ns, &format!("order {id} of {name}, into its lane to the gateway"));
        }
    }

    /// Whether one of the orders stands in a text, by its name at a venue.
    fn names_order(&self, text: &str) -> bool {
        let run = format!("p{}", self.run);
        let is_named = |(consumer, id): &(u16, u64)| {
            text.match_indices(&run).any(|(at, _)| {
                let rest = &text[at + run.len()..];
                let Some(mark) = rest.chars().next() else { return false };
                let name = format!("{mark}{consumer}{mark}{id}");
                let behind = rest.strip_prefix(&name);
                behind.is_some_and(|behind| !behind.starts_with(|c: char| c.is_ascii_digit()))
            })
        };
        self.orders.iter().any(is_named)
    }
}

impl Observer for Story {
    fn sees(&mut self, at_ns: u64, happening: &Happening<'_>) -> bool {
        match *happening {
            Happening::Read { place, bytes } => self.on_read(at_ns, place, bytes),
            Happening::Wrote { place, bytes } => self.on_write(at_ns, place, bytes),
            Happening::Orders { consumer, trace_id, ids } => {
                self.on_orders(at_ns, consumer, trace_id, ids);
            }
            Happening::Call(note) => {
                self.on_call(at_ns, note);
                return self.wanted != Wanted::Until(note.trace_id);
            }
        }
        true
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("{:20}{line}\n", "")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_found_by_its_whole_name_alone() {
        let told = Arc::<Mutex<String>>::default();
        let mut story = Story::new(Wanted::Explain(1), told, Vec::new(), std::iter::empty(), 77);
        story.orders.push((2, 15));
        assert!(story.names_order("\"c\":\"p77-2-15\""));
        assert!(story.names_order("p77x2x15"));
        for other in ["p77-2-150", "p7-2-15", "p77-1-15", "p77-2x15", "p77"] {
            assert!(!story.names_order(other), "{other}");
        }
    }
}
