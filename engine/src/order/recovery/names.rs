//! What the numbers of an earlier run stand for now.

use std::collections::BTreeMap;

use super::recovered::EarlierRun;
use crate::event::{ConsumerId, InstrumentId, VenueId};
use crate::instrument::{InstrumentSpec, Instruments};
use crate::journal::{NameTable, Named};

/// What is there now.
pub(super) struct PresentNames {
    consumers: BTreeMap<String, u16>,
    venues: BTreeMap<String, u16>,
    instruments: BTreeMap<String, (u32, u8, u8)>,
}

impl PresentNames {
    pub(super) fn new(
        consumers: &[String],
        venues: &[String],
        instruments: &Instruments,
    ) -> PresentNames {
        let numbered = |names: &[String]| {
            names.iter().enumerate().map(|(number, name)| (name.clone(), number as u16)).collect()
        };
        let of = |(id, spec): (InstrumentId, &InstrumentSpec)| {
            (spec.symbol.clone(), (id.0, spec.price_scale, spec.qty_scale))
        };
        PresentNames {
            consumers: numbered(consumers),
            venues: numbered(venues),
            instruments: instruments.iter().map(of).collect(),
        }
    }
}

impl PresentNames {
    /// All of them, as a run records them.
    pub(super) fn named(&self) -> Vec<Named> {
        let of = |table, names: &BTreeMap<String, u16>| {
            let mut named: Vec<Named> = names
                .iter()
                .map(|(name, number)| Named::new(table, u32::from(*number), name))
                .collect();
            named.sort_by_key(|of| of.number);
            named
        };
        let mut all = of(NameTable::Consumer, &self.consumers);
        all.extend(of(NameTable::Venue, &self.venues));
        let mut instruments: Vec<Named> = self
            .instruments
            .iter()
            .map(|(symbol, (number, price_scale, qty_scale))| Named {
                price_scale: *price_scale,
                qty_scale: *qty_scale,
                ..Named::new(NameTable::Instrument, *number, symbol)
            })
            .collect();
        instruments.sort_by_key(|of| of.number);
        all.extend(instruments);
        all
    }
}

/// One name of an earlier run.
#[derive(Clone, Debug)]
struct NameThen {
    name: String,
    /// Its number now; `None` when it is there no more, or has other scales.
    now: Option<u32>,
}

/// The names of one earlier run, by their numbers then.
#[derive(Default)]
pub(super) struct NamesThen {
    consumers: Vec<NameThen>,
    venues: Vec<NameThen>,
    instruments: Vec<NameThen>,
}

/// Whose an order is, where, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) consumer: ConsumerId,
    pub(super) venue: VenueId,
    pub(super) instrument: InstrumentId,
}

impl NamesThen {
    /// Takes a name of the run.
    pub(super) fn take(&mut self, named: &Named, present: &PresentNames) {
        let name = named.text().to_owned();
        let (table, now) = match NameTable::from_code(named.table) {
            Some(NameTable::Consumer) => {
                (&mut self.consumers, present.consumers.get(&name).map(|now| u32::from(*now)))
            }
            Some(NameTable::Venue) => {
                (&mut self.venues, present.venues.get(&name).map(|now| u32::from(*now)))
            }
            Some(NameTable::Instrument) => {
                let found = present.instruments.get(&name);
                let same = found
                    .filter(|found| (found.1, found.2) == (named.price_scale, named.qty_scale));
                (&mut self.instruments, same.map(|found| found.0))
            }
            None => return,
        };
        if table.len() == named.number as usize {
            table.push(NameThen { name, now });
        }
    }

    /// By the numbers of consumers then, their numbers now.
    pub(super) fn consumers_now(&self) -> Vec<Option<u16>> {
        self.consumers.iter().map(|of| of.now.and_then(|now| u16::try_from(now).ok())).collect()
    }

    /// The consumer that had this number.
    pub(super) fn consumer(&self, then: u16) -> Option<ConsumerId> {
        self.consumers.get(usize::from(then))?.now.map(|now| ConsumerId(now as u16))
    }

    /// Whose a position is, and in what.
    pub(super) fn held_by(
        &self,
        consumer: u16,
        instrument: u32,
    ) -> Option<(ConsumerId, InstrumentId)> {
        let instrument = self.instruments.get(instrument as usize)?.now?;
        Some((self.consumer(consumer)?, InstrumentId(instrument)))
    }

    /// A run of which these names know the consumers.
    pub(super) fn run_now(&self, run: EarlierRun) -> EarlierRun {
        let now = |then: u16| self.consumer(then).map(|now| now.0);
        let mut moved = EarlierRun::new(run.epoch, run.run);
        moved.consumers = run.consumers.iter().map(|then| then.and_then(now)).collect();
        for (then, last) in run.last_ids.iter().enumerate() {
            if let Some(consumer) = self.consumer(then as u16) {
                moved.met(consumer, *last);
            }
        }
        moved
    }

    /// The number that a venue has now.
    pub(super) fn venue(&self, then: u16) -> Option<VenueId> {
        self.venues.get(usize::from(then))?.now.map(|now| VenueId(now as u16))
    }

    /// Where these numbers are now; `None` when one of them is there no more.
    #[inline]
    pub(super) fn place(&self, consumer: u16, venue: u16, instrument: u32) -> Option<Place> {
        let now = |table: &[NameThen], number: usize| table.get(number)?.now;
        Some(Place {
            consumer: ConsumerId(now(&self.consumers, usize::from(consumer))? as u16),
            venue: VenueId(now(&self.venues, usize::from(venue))? as u16),
            instrument: InstrumentId(now(&self.instruments, instrument as usize)?),
        })
    }

    /// What these numbers were, and which of them is there no more.
    pub(super) fn words(&self, consumer: u16, venue: u16, instrument: u32) -> String {
        let venue = name_of("venue", &self.venues, usize::from(venue));
        format!("{} at {venue}", self.holder(consumer, instrument))
    }

    /// Where a position without a place is counted: the venue is of a matter to it only where
    /// nothing but the venue is gone, since a position has its consumer and its instrument.
    pub(super) fn position_words(&self, consumer: u16, venue: u16, instrument: u32) -> String {
        match self.held_by(consumer, instrument) {
            Some(_) => self.words(consumer, venue, instrument),
            None => self.holder(consumer, instrument),
        }
    }

    fn holder(&self, consumer: u16, instrument: u32) -> String {
        format!(
            "{} of {}",
            name_of("instrument, or its scales,", &self.instruments, instrument as usize),
            name_of("consumer", &self.consumers, usize::from(consumer)),
        )
    }
}

/// A name, and whether it is there no more.
fn name_of(what: &str, table: &[NameThen], number: usize) -> String {
    match table.get(number) {
        Some(NameThen { name, now: Some(_) }) => name.clone(),
        Some(NameThen { name, now: None }) => format!("{name} ({what} not there now)"),
        None => format!("{what} {number} (without a name on record)"),
    }
}
