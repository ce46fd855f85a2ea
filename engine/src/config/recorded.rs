//! The configuration of a run that plays a recording: the recording's server as the one venue.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{Config, ConfigError, InstrumentConfig, VenueConfig};
use crate::event::format_scaled;

/// The name of the venue that a recording stands for.
pub const RECORDED_VENUE: &str = "recorded";
/// The key that is shown to its server.
const RECORDED_KEY: &str = "key-of-no-account";
/// A recording may be played far faster than it was made, so more arrives while a snapshot is on
/// its way.
const BUFFERED_DIFFS_MAX: usize = 4_096;
/// Every number of the venue's own text fits this scale.
const SCALE: u8 = 8;
/// What symbols are quoted in, longest first, so that a name ends with the right one.
const QUOTES: [&str; 17] = [
    "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD", "BTC", "ETH", "BNB", "EUR", "GBP", "TRY",
    "RUB", "BRL", "AUD", "UAH", "DAI",
];

/// A symbol of a recording, with the decimal places that its instrument gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedSymbol {
    /// The venue's own name of it.
    pub native: String,
    /// Decimal places of a price.
    pub price_scale: u8,
    /// Decimal places of a quantity.
    pub qty_scale: u8,
}

impl RecordedSymbol {
    /// With eight places each, which every number of a venue's own text fits.
    #[must_use]
    pub fn new(native: &str) -> RecordedSymbol {
        RecordedSymbol { native: native.to_owned(), price_scale: SCALE, qty_scale: SCALE }
    }

    /// The instrument that is made of it.
    #[must_use]
    pub fn instrument(&self) -> InstrumentConfig {
        let RecordedSymbol { native, price_scale, qty_scale } = self;
        let (base, quote) = assets(native);
        let unit = |scale: u8| format_scaled(1, scale).to_string();
        InstrumentConfig {
            symbol: format!("{base}-{quote}"),
            native: Some(BTreeMap::from([(RECORDED_VENUE.to_owned(), native.clone())])),
            price_scale: *price_scale,
            qty_scale: *qty_scale,
            tick: unit(*price_scale),
            step: unit(*qty_scale),
            ..InstrumentConfig::default()
        }
    }
}

impl Config {
    /// The kind of venue that a recording is said to be of: that of the one venue of the file, or
    /// of the one named `recorded`.
    #[must_use]
    pub fn recorded_kind(&self) -> Option<&str> {
        let venue = match &self.venues[..] {
            [venue] => Some(venue),
            venues => venues.iter().find(|venue| venue.name == RECORDED_VENUE),
        };
        venue.map(|venue| venue.kind.as_str())
    }

    /// Makes the server at an address and path, which plays a recording of these streams and native
    /// symbols of a kind of venue, the one venue; no orders are taken there, so trading is off.
    /// Instruments that come from no file are made from the symbols.
    ///
    /// # Errors
    /// When the file has instruments, and one of the recording is not among them.
    pub fn play_recording(
        &mut self,
        kind: &str,
        (address, stream_path): (SocketAddr, &str),
        streams: Vec<String>,
        symbols: &[RecordedSymbol],
    ) -> Result<(), ConfigError> {
        self.simulated.enabled = false;
        self.risk.trading = false;
        self.venues = vec![VenueConfig {
            name: RECORDED_VENUE.to_owned(),
            kind: kind.to_owned(),
            stream_url: format!("ws://{address}{stream_path}"),
            rest_url: format!("http://{address}"),
            buffered_diffs_max: BUFFERED_DIFFS_MAX,
            streams: Some(streams),
            // Where market data takes one: any does.
            api_key: Some(RECORDED_KEY.to_owned()),
            ..VenueConfig::default()
        }];
        if !self.origin.has("instrument") {
            self.instruments = symbols.iter().map(RecordedSymbol::instrument).collect();
            return Ok(());
        }
        let known = |native: &&String| {
            self.instruments.iter().any(|i| i.native_symbol(RECORDED_VENUE) == **native)
        };
        match symbols.iter().map(|symbol| &symbol.native).find(|native| !known(native)) {
            None => Ok(()),
            Some(native) => {
                let problem = format!("the recording has {native}, which is no instrument here");
                let allowed = format!("one with native = {{ {RECORDED_VENUE} = {native:?} }}");
                Err(self.error_at("instrument", &problem, &allowed))
            }
        }
    }
}

/// Base and quote asset of a native symbol. What follows a quote asset, as the day on which a
/// future ends, is taken to be part of it.
fn assets(native: &str) -> (String, String) {
    let native = native.to_ascii_uppercase();
    if let Some((base, quote)) = native.split_once(['-', '/', '_']) {
        return (base.to_owned(), quote.replace(['-', '/', '_'], ""));
    }
    let quote = QUOTES.iter().find(|quote| native.len() > quote.len() && native.ends_with(*quote));
    // An unknown quote asset is taken to have three letters, as most have.
    let split = native.len() - quote.map_or(3.min(native.len()), |quote| quote.len());
    let (base, quote) = native.split_at(split);
    (base.to_owned(), quote.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(config: &mut Config, streams: &[&str], symbols: &[&str]) -> Result<(), ConfigError> {
        let streams = streams.iter().map(|text| (*text).to_owned()).collect();
        let symbols: Vec<_> = symbols.iter().map(|native| RecordedSymbol::new(native)).collect();
        config.play_recording("binance", (address(), "/stream"), streams, &symbols)
    }

    fn address() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 9))
    }

    #[test]
    fn a_recording_brings_its_own_instruments() {
        let mut config = Config::default_run();
        let symbols = ["BTCUSDT", "AAVEUPUSDT", "QSPBTC", "XYZABC", "BTC/USD", "A-B-220527"];
        play(&mut config, &["btcusdt@trade"], &symbols).unwrap();
        let names: Vec<&str> = config.instruments.iter().map(|i| i.symbol.as_str()).collect();
        assert_eq!(
            names,
            ["BTC-USDT", "AAVEUP-USDT", "QSP-BTC", "XYZ-ABC", "BTC-USD", "A-B220527"]
        );
        assert_eq!(config.venue_names(), [RECORDED_VENUE]);
        assert!(!config.takes_orders(0) && !config.risk.trading);
        assert!(config.instruments.iter().all(|i| i.spec().is_some()));
    }

    #[test]
    fn instruments_of_a_file_must_cover_the_recording() {
        let text = "[[instrument]]\nsymbol = 'BTC-USDT'\n";
        let mut config = Config::parse(text, "x").unwrap();
        let error = play(&mut config, &[], &["ETHUSDT"]).unwrap_err();
        assert!(error.to_string().contains("ETHUSDT"), "{error}");
        let mut config = Config::parse(text, "x").unwrap();
        play(&mut config, &[], &["BTCUSDT"]).unwrap();
        assert_eq!(config.instruments[0].price_scale, 2, "the file's scale stays");
    }
}
