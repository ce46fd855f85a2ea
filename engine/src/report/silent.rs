//! Streams that were subscribed to and never spoken.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::control::RoutesView;
use crate::event::{ConsumerId, EventKind, InstrumentId, VenueId};
use crate::pipeline::Readings;

/// The market kinds that a venue sends itself.
const KINDS: [EventKind; 5] = EventKind::STREAMS;

/// What a consumer is subscribed to at one venue, and has never heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SilentStream {
    /// The consumer.
    pub consumer: String,
    /// The venue.
    pub venue: String,
    /// The instrument.
    pub instrument: String,
    /// The kinds that never came.
    pub events: Vec<&'static str>,
    /// Whether nothing at all came of the instrument.
    pub is_silent: bool,
}

/// Every subscription of which something never came, by consumer. A consumer that takes every kind
/// takes what there is: it misses something only when nothing came.
pub(crate) fn silent_streams(view: &RoutesView, readings: &Readings) -> Vec<SilentStream> {
    let trading = &readings.trading;
    let mut wanted: BTreeMap<(ConsumerId, VenueId, InstrumentId), Vec<EventKind>> = BTreeMap::new();
    for route in view.routes.iter().filter(|route| KINDS.contains(&route.kind)) {
        let stream = (route.consumer, route.venue, route.instrument);
        wanted.entry(stream).or_default().push(route.kind);
    }
    let consumer_name = |id: ConsumerId| {
        let counters = readings.consumers.get(id.index());
        counters.map(|counters| counters.name.clone()).unwrap_or_default()
    };
    let mut silent = Vec::new();
    for ((consumer, venue, instrument), kinds) in wanted {
        let is_missing = |kind: &&EventKind| !trading.marks.has_heard(venue, instrument, **kind);
        let missing: Vec<&'static str> =
            kinds.iter().filter(is_missing).map(|kind| kind.name()).collect();
        let is_silent = missing.len() == kinds.len();
        if missing.is_empty() || (kinds.len() == KINDS.len() && !is_silent) {
            continue;
        }
        silent.push(SilentStream {
            consumer: consumer_name(consumer),
            venue: trading.venues.get(venue.index()).cloned().unwrap_or_default(),
            instrument: trading
                .instruments
                .get(instrument)
                .map(|spec| spec.symbol.clone())
                .unwrap_or_default(),
            events: missing,
            is_silent,
        });
    }
    silent
}
