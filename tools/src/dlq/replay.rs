//! Decoding a dead letter again, with today's decoders and a configuration's instruments.

use std::collections::HashMap;
use std::sync::Arc;

use pitlane_engine::config::Config;
use pitlane_engine::event::{Event, EventKind, InstrumentId};
use pitlane_engine::instrument::{InstrumentSpec, Instruments};
use pitlane_engine::venue::binance::{MarketDecoder, UserDecoder, UserMessage};
use pitlane_engine::venue::codec::DecodeError;
use pitlane_engine::venue::protocol::MarketMessage;
use pitlane_engine::venue::{LetterReason, SymbolMap};

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

/// The decoders, by venue.
pub(super) struct Replayer {
    config: Config,
    instruments: Arc<Instruments>,
    decoders: HashMap<String, (MarketDecoder, UserDecoder)>,
}

impl Replayer {
    /// Decoders for the instruments of a configuration.
    ///
    /// # Errors
    /// [`ReplayError`] when its instruments can't be taken.
    pub(super) fn new(config: Config) -> Result<Replayer, ReplayError> {
        let specs = config.instruments.iter().filter_map(|entry| entry.spec()).collect();
        let instruments =
            Instruments::new(specs).map_err(|error| ReplayError(error.to_string()))?;
        Ok(Replayer { config, instruments: Arc::new(instruments), decoders: HashMap::new() })
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
        let (market, user) = self.decoders_of(&letter.venue)?;
        let mut of_user =
            || user.decode(&raw).and_then(|message| user_words(&message).map(Replayed::Accepted));
        let of_market =
            market.decode(&raw).map(|message| Replayed::Accepted(market_words(&message)));
        let role = letter.session().rsplit_once(':').map(|(_, role)| role);
        let now = match (role, of_market) {
            (Some("market"), of_market) => of_market,
            (Some("orders"), _) => of_user(),
            // An older file does not say which of the venue's sessions a frame came from.
            (_, Err(of_market)) => of_user().map_err(|of_user| better(of_market, of_user)),
            (_, accepted) => accepted,
        };
        Ok(now.unwrap_or_else(|refused| Replayed::Refused(refused.to_string())))
    }

    fn decoders_of(
        &mut self,
        venue: &str,
    ) -> Result<&mut (MarketDecoder, UserDecoder), ReplayError> {
        if !self.decoders.contains_key(venue) {
            let native = |(entry, (id, _)): (
                &pitlane_engine::config::InstrumentConfig,
                (InstrumentId, &InstrumentSpec),
            )| (entry.native_symbol(venue), id);
            let natives: Vec<_> =
                self.config.instruments.iter().zip(self.instruments.iter()).map(native).collect();
            let symbols = SymbolMap::new(&natives, Arc::clone(&self.instruments))
                .map_err(|error| ReplayError(error.to_string()))?;
            let bytes_max = self.config.session.frame_bytes_max;
            let decoders = (
                MarketDecoder::new(symbols.clone(), bytes_max),
                UserDecoder::new(symbols, bytes_max),
            );
            self.decoders.insert(venue.to_owned(), decoders);
        }
        self.decoders.get_mut(venue).ok_or_else(|| ReplayError("no decoder".to_owned()))
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

/// Of two decoders the one that got further says more.
fn better(of_market: DecodeError, of_user: DecodeError) -> DecodeError {
    if of_market.reason == LetterReason::Unknown { of_user } else { of_market }
}

fn market_words(message: &MarketMessage<'_>) -> String {
    match message {
        MarketMessage::Quote { update_id, .. } => format!("quote, update {update_id}"),
        MarketMessage::Trade { trade_id, .. } => format!("trade {trade_id}"),
        MarketMessage::Bar { .. } => "bar".to_owned(),
        MarketMessage::Depth { diff, .. } => {
            format!("diff of {} bids and {} asks", diff.bids.len(), diff.asks.len())
        }
        MarketMessage::Reply { id, .. } => format!("reply to request {id}"),
        MarketMessage::Shutdown => "notice of shutdown".to_owned(),
    }
}

fn user_words(message: &UserMessage<'_>) -> Result<String, DecodeError> {
    let words = match message {
        UserMessage::Execution(_) => "exec report",
        // The letter is about one of them.
        UserMessage::Balances { unreadable: Some(error), .. } => return Err(*error),
        UserMessage::Balances { .. } => "balances",
        UserMessage::Reply(_) => "reply to a request",
        UserMessage::Shutdown => "notice of shutdown",
        UserMessage::Unsolicited(_) => "end of the session by the venue",
        UserMessage::StreamTerminated => "end of the user data stream",
        UserMessage::Other(name) => name,
    };
    Ok(words.to_owned())
}
