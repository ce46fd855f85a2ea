//! Assembles the synthetic venue, whose agent writes straight into its link.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::assemble::Assembly;
use super::venues::VenueEnds;
use crate::config::InstrumentConfig;
use crate::event::{Price, VenueId, parse_scaled};
use crate::runtime::AgentRole;
use crate::venue::{LaneOutlet, SyntheticLoad, SyntheticOptions, SyntheticVenue, SyntheticWiring};

impl Assembly<'_> {
    /// The synthetic venue.
    pub(super) fn synthetic_venue(
        &mut self,
        number: usize,
        name: &str,
        load: SyntheticLoad,
        sessions_open: &Arc<AtomicUsize>,
    ) -> VenueEnds {
        // It has no connection to be switched, and sends what it was loaded with.
        self.builder.readings.switches.push(None);
        self.stream_ports.push(Vec::new());
        let id = VenueId(number as u16);
        let (outlet, link) = self.outlet(name, "synthetic", id, Some(sessions_open));
        let (commands, commands_end) =
            self.builder.lane(format!("gateway>{name}"), self.config.lanes.order);
        let consumers = self.consumer_names();
        let probe = self.builder.probe(SyntheticVenue::<LaneOutlet>::probe_names(&consumers));
        let start = |entry: &InstrumentConfig| {
            parse_scaled(entry.start_price.as_bytes(), entry.price_scale).map_or(Price(1), Price)
        };
        let instruments = self
            .builder
            .readings
            .instruments
            .iter()
            .zip(&self.config.instruments)
            .map(|((id, spec), entry)| (id, spec.clone(), start(entry)))
            .collect();
        let options = SyntheticOptions {
            name: name.to_owned(),
            venue: id,
            instruments,
            seed: self.config.simulated.seed,
            events_per_s: self.config.simulated.events_per_s,
            consumers,
            load,
        };
        let stats = self.intake(name, "synthetic");
        let (clock, stop) = (self.builder.clock.clone(), self.builder.stop.clone());
        let wiring = SyntheticWiring {
            commands: commands_end,
            stats,
            probe,
            clock,
            stop,
            quarantine: self.builder.quarantine.clone(),
            closing: self.builder.closings.orders(),
        };
        let agent = SyntheticVenue::new(options, outlet, wiring);
        self.agents.push((AgentRole::VenueMarket(number), Box::new(agent)));
        VenueEnds { links: vec![link], commands: Some(commands) }
    }
}
