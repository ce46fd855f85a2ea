//! Reading a dead letter again, with today's protocol of its venue's kind and a configuration's
//! instruments.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use pitlane_engine::config::Config;
use pitlane_engine::event::{Event, EventKind};
use pitlane_engine::instrument::Instruments;
use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::venue::{FrameContent, LetterReader, SymbolMap};

use super::letter::Letter;

/// Why letters can't be replayed at all.
#[derive(Debug, thiserror::Error)]
#[error("[dlq] instruments failed: {0}")]
pub(super) struct ReplayError(String);

/// Reads letters by the protocols of their venues.
pub(super) struct Replayer<'a> {
    config: &'a Config,
    instruments: Arc<Instruments>,
    /// By venue and kind.
    readers: HashMap<(String, &'static str), LetterReader>,
}

impl<'a> Replayer<'a> {
    /// One for the instruments of a configuration.
    ///
    /// # Errors
    /// [`ReplayError`] when its instruments can't be taken.
    pub(super) fn new(config: &'a Config) -> Result<Replayer<'a>, ReplayError> {
        let specs = config.instruments.iter().filter_map(|entry| entry.spec()).collect();
        let instruments =
            Instruments::new(specs).map_err(|error| ReplayError(error.to_string()))?;
        Ok(Replayer { config, instruments: Arc::new(instruments), readers: HashMap::new() })
    }

    /// The instruments of the configuration.
    pub(super) fn instruments(&self) -> &Arc<Instruments> {
        &self.instruments
    }

    /// Reads a letter again.
    ///
    /// # Errors
    /// Why it can't be read, in words.
    pub(super) fn read(&mut self, letter: &Letter) -> Result<FrameContent, String> {
        let raw = letter.raw_bytes().ok_or("its hexadecimal form is spoilt")?;
        if letter.cut_to_bytes.is_some() {
            return Err("only a part of it was kept".to_owned());
        }
        if letter.is_event() {
            return self.event(letter, &raw);
        }
        let kind = self.kind_of(letter)?;
        let role = letter.session().rsplit_once(':').map(|(_, role)| role);
        let reader = self.reader_of(&letter.venue, kind).map_err(|error| error.to_string())?;
        let mut content = reader.read(role, &raw).map_err(|refused| refused.to_string())?;
        let names = self.config.venue_names();
        let venue = names.iter().position(|name| *name == letter.venue).unwrap_or(0) as u16;
        content.events.iter_mut().for_each(|event| event.venue = venue);
        Ok(content)
    }

    /// The kind of a letter's venue. Older files don't say: then the configuration does.
    fn kind_of(&self, letter: &Letter) -> Result<&'static VenueKind, String> {
        let Some(name) = &letter.kind else {
            let venues = self.config.venue_names().into_iter();
            let mut venues = venues.zip(VenueKind::of_venues(self.config));
            let known = venues.find(|(name, _)| *name == letter.venue);
            return Ok(known.map_or(VenueKind::usual(), |(_, kind)| kind));
        };
        VenueKind::find(name).ok_or_else(|| {
            let names: Vec<_> = VenueKind::names().collect();
            format!("{name:?} is no kind of venue; there are {}", names.join(", "))
        })
    }

    fn reader_of(
        &mut self,
        venue: &str,
        kind: &'static VenueKind,
    ) -> Result<&mut LetterReader, ReplayError> {
        match self.readers.entry((venue.to_owned(), kind.name)) {
            Entry::Occupied(reader) => Ok(reader.into_mut()),
            Entry::Vacant(place) => {
                let named = self.config.instruments.iter().zip(self.instruments.iter());
                let natives: Vec<_> =
                    named.map(|(entry, (id, _))| (entry.native_symbol(venue), id)).collect();
                let symbols = SymbolMap::new(&natives, Arc::clone(&self.instruments))
                    .map_err(|error| ReplayError(error.to_string()))?;
                let bytes_max = self.config.session.frame_bytes_max;
                Ok(place.insert(kind.letter_reader(symbols, bytes_max)))
            }
        }
    }

    /// An event that reached no consumer: is it whole, and of an instrument that there is?
    fn event(&self, letter: &Letter, raw: &[u8]) -> Result<FrameContent, String> {
        let mut event = Event::from_used_bytes(raw).ok_or("no event of this schema")?;
        let kind = event.kind().map_or("none", EventKind::name);
        if let Some(symbol) = &letter.instrument {
            let found = self.instruments.find(symbol);
            event.instrument =
                found.ok_or_else(|| format!("{symbol} is no instrument of the configuration"))?.0;
        }
        let symbol = self.instruments.get(event.instrument_id()).map(|spec| spec.symbol.as_str());
        let words = format!(
            "event {kind}, {}, sequence {}, trace {}",
            symbol.unwrap_or("unknown instrument"),
            event.sequence,
            event.trace_id
        );
        Ok(FrameContent { words, events: vec![event] })
    }
}
