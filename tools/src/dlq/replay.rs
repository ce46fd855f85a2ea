//! Reading a dead letter again, with today's protocol of its venue's kind and a configuration's
//! instruments.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use pitlane_engine::config::Config;
use pitlane_engine::event::{Event, EventKind};
use pitlane_engine::instrument::Instruments;
use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::venue::{LetterReader, SymbolMap};

use super::letter::Letter;

/// Why letters can't be replayed at all.
#[derive(Debug, thiserror::Error)]
#[error("[dlq] instruments failed: {0}")]
pub(super) struct ReplayError(String);

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Replayed {
    /// Decodes now, as this.
    Accepted(String),
    /// Still does not, for this reason.
    Refused(String),
}

/// Reads letters by the protocols of their venues.
pub(super) struct Replayer {
    config: Config,
    instruments: Arc<Instruments>,
    /// By venue and kind.
    readers: HashMap<(String, &'static str), LetterReader>,
}

impl Replayer {
    /// One for the instruments of a configuration.
    ///
    /// # Errors
    /// [`ReplayError`] when its instruments can't be taken.
    pub(super) fn new(config: Config) -> Result<Replayer, ReplayError> {
        let specs = config.instruments.iter().filter_map(|entry| entry.spec()).collect();
        let instruments =
            Instruments::new(specs).map_err(|error| ReplayError(error.to_string()))?;
        Ok(Replayer { config, instruments: Arc::new(instruments), readers: HashMap::new() })
    }

    /// Decodes a letter again.
    ///
    /// # Errors
    /// [`ReplayError`] when the venue's symbols can't be taken.
    pub(super) fn replay(&mut self, letter: &Letter) -> Result<Replayed, ReplayError> {
        let Some(raw) = letter.raw_bytes() else {
            return Ok(Replayed::Refused("its hexadecimal form is spoilt".to_owned()));
        };
        if letter.cut_to_bytes.is_some() {
            return Ok(Replayed::Refused("only a part of it was kept".to_owned()));
        }
        if letter.is_event() {
            return Ok(self.event(&raw));
        }
        let kind = match self.kind_of(letter) {
            Ok(kind) => kind,
            Err(problem) => return Ok(Replayed::Refused(problem)),
        };
        let role = letter.session().rsplit_once(':').map(|(_, role)| role);
        Ok(match self.reader_of(&letter.venue, kind)?.read(role, &raw) {
            Ok(what) => Replayed::Accepted(what),
            Err(refused) => Replayed::Refused(refused.to_string()),
        })
    }

    /// The kind of a letter's venue. Older files don't say: then the configuration does.
    fn kind_of(&self, letter: &Letter) -> Result<&'static VenueKind, String> {
        let Some(name) = &letter.kind else {
            let venues = self.config.venue_names().into_iter();
            let mut venues = venues.zip(VenueKind::of_venues(&self.config));
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

    /// An event that reached no consumer: is it whole?
    fn event(&self, raw: &[u8]) -> Replayed {
        let Some(event) = Event::from_used_bytes(raw) else {
            return Replayed::Refused("no event of this schema".to_owned());
        };
        let kind = event.kind().map_or("none", EventKind::name);
        let symbol = self.instruments.get(event.instrument_id()).map(|spec| spec.symbol.as_str());
        Replayed::Accepted(format!(
            "event {kind}, {}, sequence {}, trace {}",
            symbol.unwrap_or("unknown instrument"),
            event.sequence,
            event.trace_id
        ))
    }
}
