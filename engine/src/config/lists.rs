//! The sections that may be repeated: `[[venue]]`, `[[instrument]]`, `[[consumer]]`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::schema::{Rule, flag, section, whole};
use crate::event::parse_scaled;
use crate::instrument::InstrumentSpec;

/// What a consumer does with market data from before a change of its routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFlip {
    /// Takes it.
    #[default]
    Deliver,
    /// Passes over it.
    Skip,
}

/// Where the orders of a venue go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VenueMode {
    /// To the venue.
    #[default]
    Live,
    /// To an exchange in this process that follows the venue's book.
    Paper,
}

/// Schemes of addresses, without and with TLS.
const WEB_SOCKET: &[&str] = &["ws", "wss"];
const HTTP: &[&str] = &["http", "https"];

section! {
    /// A venue to connect to. None given: the simulated one.
    #[name = "venue", most = 64]
    pub struct VenueConfig {
        /// Its name in logs, reports and `native`.
        name: String = "binance".into() => Rule::Name;
        /// The protocol it speaks.
        kind: String = "binance".into() => Rule::Name;
        /// WebSocket address of its market data. Required. For trying, the testnet:
        /// wss://stream.testnet.binance.vision/stream, or demo: wss://demo-stream.binance.com/stream
        stream_url: String = String::new() => Rule::Url(WEB_SOCKET), "\"wss://stream.binance.com:9443/stream\"";
        /// Address of its REST interface, for book snapshots and the venue's time.
        /// Required while `books` is true, unless the venue's streams tell books whole.
        /// Testnet: `https://testnet.binance.vision`, demo: `https://demo-api.binance.com`
        rest_url: String = String::new() => Rule::Url(HTTP), "\"https://api.binance.com\"";
        /// WebSocket address for orders. Not given: market data only.
        /// Testnet: wss://ws-api.testnet.binance.vision/ws-api/v3,
        /// demo: wss://demo-ws-api.binance.com/ws-api/v3
        api_url: Option<String> = None => Rule::Url(WEB_SOCKET), "\"wss://ws-api.binance.com/ws-api/v3\"";
        /// `live`: orders go to `api_url`. `paper`: they are matched in this process against the
        /// venue's live book, and `api_url` is never connected to; no keys are needed.
        mode: VenueMode = VenueMode::Live => Rule::OneOf(&["live", "paper"]);
        /// In paper mode, the time from an order to its arrival.
        paper_latency_us: u64 = 1_000 => whole(0..=10_000_000, "us");
        /// In paper mode, the fee of a fill that rested, in millionths of its value.
        paper_maker_fee_ppm: u32 = 1_000 => whole(0..=100_000, "ppm");
        /// In paper mode, the fee of a fill that took, in millionths of its value.
        paper_taker_fee_ppm: u32 = 1_000 => whole(0..=100_000, "ppm");
        /// Certificates (PEM) that TLS trusts instead of the public authorities.
        ca_file: Option<PathBuf> = None => Rule::Text, "\"certificates.pem\"";
        /// API key, for orders, and for market data in binary (`binance_sbe`). Better kept in the
        /// environment: see `api_key_env`, which comes first.
        api_key: Option<String> = None => Rule::Text, "\"***\"";
        /// Environment variable that holds the API key.
        api_key_env: Option<String> = None => Rule::Text, "\"PITLANE_API_KEY\"";
        /// File with the Ed25519 private key that signs the logon (PKCS#8).
        private_key_file: Option<PathBuf> = None => Rule::Text, "\"keys/ed25519.pem\"";
        /// Environment variable that holds the API key of `pitlane guard`, which should have one of
        /// its own for the same account. Not given: the engine's.
        guard_api_key_env: Option<String> = None => Rule::Text, "\"PITLANE_GUARD_KEY\"";
        /// File with the guard's Ed25519 private key.
        guard_private_key_file: Option<PathBuf> = None => Rule::Text, "\"keys/guard.pem\"";
        /// Dead man: the venue cancels all that the account has open this long after the order
        /// session's last word, also orders of others; it is told again three times in this time.
        /// For kinds that have such a timer (engine/docs/orders.md); for others: `pitlane guard`.
        dead_man_ms: Option<u32> = None => whole(1_000..=86_400_000, "ms"), "60_000";
        /// Connect at the start. Without, it stands by until `pitlane ctl venue add`.
        start: bool = true => flag();
        /// Assemble order books from snapshot and diffs.
        books: bool = true => flag();
        /// Levels kept per side of a book; beyond, the farthest is dropped and counted. 0: as many
        /// as books of its kind have (20,000; coinbase: 50,000).
        book_levels_max: usize = 0 => whole(0..=1_000_000, "levels");
        /// Diffs kept per book while its snapshot is on its way; beyond, the book starts over.
        buffered_diffs_max: usize = 512 => whole(8..=65_536, "diffs");
        /// Streams to subscribe to, as the venue writes them. Not given: those that the consumers'
        /// kinds need, and the diffs of every book.
        streams: Option<Vec<String>> = None => Rule::Texts, "[\"btcusdt@aggTrade\"]";
        /// Streams that one connection may carry; beyond, more are opened. The venue's own limit
        /// holds, too.
        streams_per_connection_max: usize = 1_024 => whole(4..=1_024, "streams");
    }
}

section! {
    /// An instrument: one scale over all venues, fixed before anything is routed.
    /// None given: BTC-USDT with the values below.
    #[name = "instrument", most = 10_000]
    #[derive(Debug)]
    pub struct InstrumentConfig {
        /// Canonical symbol, `BASE-QUOTE` in upper case.
        symbol: String = "BTC-USDT".into() => Rule::Symbol;
        /// The venue's own symbol, by venue name, where it is not the symbol without `-`.
        native: Option<BTreeMap<String, String>> = None => Rule::NameMap,
            "{ simulated = \"BTCUSDT\" }";
        /// Decimal places of a price.
        price_scale: u8 = 2 => whole(0..=12, "places");
        /// Decimal places of a quantity.
        qty_scale: u8 = 5 => whole(0..=12, "places");
        /// Price increment.
        tick: String = "0.01".into() => Rule::Decimal;
        /// Quantity increment.
        step: String = "0.00001".into() => Rule::Decimal;
        /// First price on the simulated venue, a multiple of `tick`.
        start_price: String = "60000.00".into() => Rule::Decimal;
    }
}

section! {
    /// A consumer: one strategy with its own lanes.
    /// None given: noop, momentum and market_maker. `consumer = []` at the top: none at all.
    #[name = "consumer", most = 256]
    #[derive(Debug)]
    pub struct ConsumerConfig {
        /// Registered name of the strategy. Required.
        strategy: String = String::new() => Rule::Name, "\"momentum\"";
        /// Name in plan, logs and report. Not given: the strategy's.
        name: String = String::new() => Rule::Name, "\"momentum-1\"";
        /// Symbols it receives. Not given: all.
        instruments: Vec<String> = Vec::new() => Rule::Texts, "[\"BTC-USDT\"]";
        /// Market kinds it receives. Not given: those its strategy handles. Critical kinds always
        /// come.
        kinds: Option<Vec<String>> = None => Rule::Texts, "[\"quote\", \"trade\"]";
        /// Market data that a change of its routes has made stale: `deliver` it, or `skip` it
        /// (counted). Critical events always come.
        on_flip: OnFlip = OnFlip::Deliver => Rule::OneOf(&["deliver", "skip"]);
        /// Failed callbacks after which it is quarantined. Not given: `engine.max_failures`.
        max_failures: Option<u64> = None => whole(1..=1_000_000_000, "failures"), "1000";
        /// Time that one of its callbacks may take. Not given: `engine.stall_budget_ms`.
        stall_budget_ms: Option<u64> = None => whole(1..=60_000, "ms"), "5";
        /// Free table for the strategy's constructor.
        params: toml::Table = toml::Table::new() => Rule::Free, "{}";
    }
}

impl VenueConfig {
    /// Whether orders for it are taken, by itself or on paper.
    #[must_use]
    pub fn takes_orders(&self) -> bool {
        self.mode == VenueMode::Paper || self.api_url.is_some()
    }

    /// Whether an order session is opened at its `api_url`.
    #[must_use]
    pub fn sends_orders(&self) -> bool {
        self.mode == VenueMode::Live && self.api_url.is_some()
    }
}

impl fmt::Debug for VenueConfig {
    /// Everything but the API key: configurations end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VenueConfig")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("stream_url", &self.stream_url)
            .field("rest_url", &self.rest_url)
            .field("api_url", &self.api_url)
            .field("mode", &self.mode)
            .field("api_key", &self.api_key.as_ref().map(|_| "(hidden)"))
            .field("api_key_env", &self.api_key_env)
            .field("private_key_file", &self.private_key_file)
            .field("books", &self.books)
            .field("book_levels_max", &self.book_levels_max)
            .field("buffered_diffs_max", &self.buffered_diffs_max)
            .field("streams", &self.streams)
            .field("streams_per_connection_max", &self.streams_per_connection_max)
            .finish()
    }
}

impl InstrumentConfig {
    /// What this instrument is called at `venue`.
    #[must_use]
    pub fn native_symbol(&self, venue: &str) -> String {
        match self.native.as_ref().and_then(|native| native.get(venue)) {
            Some(native) => native.clone(),
            None => self.symbol.replace('-', ""),
        }
    }

    /// The instrument in fixed point. `None` when a number does not fit its scale, which a checked
    /// configuration rules out.
    #[must_use]
    pub fn spec(&self) -> Option<InstrumentSpec> {
        Some(InstrumentSpec {
            symbol: self.symbol.clone(),
            price_scale: self.price_scale,
            qty_scale: self.qty_scale,
            tick: parse_scaled(self.tick.as_bytes(), self.price_scale).ok()?,
            step: parse_scaled(self.step.as_bytes(), self.qty_scale).ok()?,
        })
    }
}

impl ConsumerConfig {
    /// A consumer with every default, running `strategy` under its own name.
    #[must_use]
    pub fn of_strategy(strategy: &str) -> ConsumerConfig {
        let name = strategy.to_owned();
        ConsumerConfig { strategy: name.clone(), name, ..ConsumerConfig::default() }
    }
}
