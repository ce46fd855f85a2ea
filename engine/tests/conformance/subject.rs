//! What the suite needs of a venue: its protocol, its kind, and a few of its texts.

use pitlane_engine::event::VenueRef;
use pitlane_engine::venue::binance::{BinanceOrders, Credentials, MarketDecoder, SpotMarket};
use pitlane_engine::venue::binance_futures::{FuturesMarket, FuturesOrders};
use pitlane_engine::venue::binance_sbe::{SbeMarket, SbeWriter};
use pitlane_engine::venue::bybit::BybitOrders;
use pitlane_engine::venue::coinbase::{CoinbaseKey, CoinbaseOrders};
use pitlane_engine::venue::kraken::{KrakenOrders, KrakenSecret};
use pitlane_engine::venue::okx::OkxOrders;
use pitlane_engine::venue::protocol::{
    MarketProtocol, NameForm, OrderProtocol, SharedSecret, Signer,
};
use pitlane_engine::venue::registry::VenueKind;
use pitlane_engine::venue::simulated::DialectKind;
use pitlane_engine::world::SplitMix64;

use crate::harness::symbols;
use crate::raw;
use crate::scripted::Scripted;

/// A venue that is put to the test. Its one symbol is `BTCUSDT`, prices have two and quantities
/// five decimal places.
pub trait Venue: Sized + 'static {
    /// Its name in the registry.
    const KIND: &'static str;

    /// The dialect of the simulated venue.
    fn dialect() -> &'static DialectKind {
        VenueKind::find(Self::KIND).expect("it is registered").dialect.expect("it has one")
    }
}

/// A venue whose market data is put to the test.
pub trait Market: Venue {
    /// How it is spoken to.
    type Protocol: MarketProtocol;

    /// Its market frames are binary.
    const IS_BINARY: bool = false;
    /// How each market frame begins.
    const FRAME_START: &'static [u8] = b"{\"stream\":\"btcusdt@";
    /// What is in a frame of an unknown kind.
    const UNKNOWN_EVENT: &'static [u8] = b"lunarEclipse";

    /// The frame that says this text.
    fn sent(frame: &str) -> Vec<u8> {
        raw::text(frame)
    }

    /// The reply to the first request to subscribe, when all went well.
    fn confirmation() -> String {
        r#"{"result":null,"id":1}"#.to_owned()
    }

    /// A quote with this update number, of 60000.00 and 60000.01.
    fn quote(update: u64) -> String {
        Self::quote_at(update, "60000.00", "60000.01")
    }

    /// A quote with this update number and these best prices.
    fn quote_at(update: u64, bid: &str, ask: &str) -> String;

    /// A diff that sets bid 100.00 to its last update, behind one that ended with the update before
    /// its first.
    fn diff(first: u64, last: u64, time_ms: u64) -> String;

    /// A snapshot at this update, over REST: bid 99.00 and ask 101.00.
    fn snapshot(last_update: u64) -> String;

    /// The notice that the connection will be closed.
    fn shutdown() -> String {
        r#"{"e":"serverShutdown","E":1770123456789}"#.to_owned()
    }
}

/// A venue whose orders are put to the test.
pub trait Orders: Venue + Scripted {
    /// How its order entry is spoken to.
    type Entry: OrderProtocol;
    /// What the one account's key is called.
    const API_KEY: &'static str = "test-key";
    /// The venue's codes.
    const CODES: Codes;
    /// Connections of an order session.
    const CONNECTIONS: usize = 1;
    /// What the venue calls the order of the scripted servers.
    const ORDER: &'static str = "77";
    /// Its reports have names of their own, beside those of fills.
    const NAMES_REPORTS: bool = true;
    /// Its stream tells each fill, and not just how an order stands.
    const TELLS_FILLS: bool = true;

    /// The one account's key, the same each time.
    fn key() -> <Self::Entry as OrderProtocol>::Signer;

    /// Another one of the same name.
    fn other_key() -> <Self::Entry as OrderProtocol>::Signer;

    /// What an order of the first consumer is called in a run.
    fn name_in(run: u32, id: u64) -> String {
        match Self::Entry::NAMES {
            NameForm::Marked(mark) => {
                let mark = char::from(mark);
                format!("p{run}{mark}0{mark}{id}")
            }
            NameForm::Uuid => format!("{run:08x}-0000-4700-8000-{id:012x}"),
        }
    }

    /// What a stranger may call an order: no name of ours looks so.
    fn strange_name(number: u64) -> String {
        match Self::Entry::NAMES {
            NameForm::Marked(_) => format!("web{number}"),
            NameForm::Uuid => format!("9f2c0000-0000-4eef-9000-{number:012x}"),
        }
    }

    /// What the venue calls a trade of this number.
    fn trade(number: u64) -> VenueRef {
        VenueRef::number(number)
    }

    /// The same in the run of most tests.
    fn name(id: u64) -> String {
        Self::name_in(1, id)
    }
}

/// What a venue calls its refusals.
pub struct Codes {
    /// An order that may only rest would take; `None`: it is accepted, and expires at once.
    pub would_take: Option<i32>,
    /// Too many orders.
    pub too_many: i32,
    /// The signature of the logon is wrong.
    pub wrong_signature: i32,
    /// There is no such order.
    pub no_such_order: i32,
    /// There is no such symbol.
    pub delisted: i32,
}

/// Binance spot.
pub struct BinanceSpot;

impl Venue for BinanceSpot {
    const KIND: &'static str = "binance";
}

impl Orders for BinanceSpot {
    type Entry = BinanceOrders;
    const CODES: Codes = Codes {
        would_take: Some(-2010),
        too_many: -1015,
        wrong_signature: -1022,
        no_such_order: -2013,
        delisted: -1121,
    };

    fn key() -> Credentials {
        Credentials::drawn(Self::API_KEY, &mut SplitMix64::new(1)).expect("a key")
    }

    fn other_key() -> Credentials {
        Credentials::drawn(Self::API_KEY, &mut SplitMix64::new(2)).expect("a key")
    }
}

impl Market for BinanceSpot {
    type Protocol = SpotMarket;

    fn quote_at(update: u64, bid: &str, ask: &str) -> String {
        format!(
            r#"{{"stream":"btcusdt@bookTicker","data":{{"u":{update},"s":"BTCUSDT","b":"{bid}","B":"1.00000","a":"{ask}","A":"2.00000"}}}}"#
        )
    }

    fn diff(first: u64, last: u64, time_ms: u64) -> String {
        format!(
            r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{time_ms},"s":"BTCUSDT","U":{first},"u":{last},"b":[["100.00","{last}.00000"]],"a":[]}}}}"#
        )
    }

    fn snapshot(last_update: u64) -> String {
        format!(
            r#"{{"lastUpdateId":{last_update},"bids":[["99.00","1.00000"]],"asks":[["101.00","1.00000"]]}}"#
        )
    }
}

/// Binance USD-M futures.
pub struct BinanceFutures;

impl Venue for BinanceFutures {
    const KIND: &'static str = "binance_futures";
}

impl Market for BinanceFutures {
    type Protocol = FuturesMarket;

    fn quote_at(update: u64, bid: &str, ask: &str) -> String {
        format!(
            r#"{{"stream":"btcusdt@bookTicker","data":{{"e":"bookTicker","u":{update},"s":"BTCUSDT","b":"{bid}","B":"1.00000","a":"{ask}","A":"2.00000","T":8,"E":9}}}}"#
        )
    }

    fn diff(first: u64, last: u64, time_ms: u64) -> String {
        let previous = first - 1;
        format!(
            r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{time_ms},"T":8,"s":"BTCUSDT","U":{first},"u":{last},"pu":{previous},"b":[["100.00","{last}.00000"]],"a":[]}}}}"#
        )
    }

    fn snapshot(last_update: u64) -> String {
        BinanceSpot::snapshot(last_update)
    }
}

impl Orders for BinanceFutures {
    type Entry = FuturesOrders;
    const CODES: Codes = Codes {
        would_take: Some(-5022),
        too_many: -1015,
        wrong_signature: -1022,
        no_such_order: -2013,
        delisted: -1121,
    };
    const CONNECTIONS: usize = 2;
    const NAMES_REPORTS: bool = false;

    fn key() -> Credentials {
        BinanceSpot::key()
    }

    fn other_key() -> Credentials {
        BinanceSpot::other_key()
    }
}

/// Binance spot with binary market data: what spot says in JSON is sent in SBE, as far as it is
/// market data.
pub struct BinanceSbe;

impl Venue for BinanceSbe {
    const KIND: &'static str = "binance_sbe";
}

impl Market for BinanceSbe {
    type Protocol = SbeMarket;
    const IS_BINARY: bool = true;
    const FRAME_START: &'static [u8] = &[];
    const UNKNOWN_EVENT: &'static [u8] = &10_999_u16.to_le_bytes();

    fn sent(frame: &str) -> Vec<u8> {
        let mut decoder = MarketDecoder::new(symbols(), 1 << 20);
        let mut writer = SbeWriter::default();
        match decoder.decode(frame.as_bytes()) {
            Ok(message) if writer.message(&message, "BTCUSDT") => raw::binary(writer.bytes()),
            _ => raw::text(frame),
        }
    }

    fn quote_at(update: u64, bid: &str, ask: &str) -> String {
        BinanceSpot::quote_at(update, bid, ask)
    }

    fn diff(first: u64, last: u64, time_ms: u64) -> String {
        BinanceSpot::diff(first, last, time_ms)
    }

    fn snapshot(last_update: u64) -> String {
        BinanceSpot::snapshot(last_update)
    }
}

/// OKX.
pub struct Okx;

impl Venue for Okx {
    const KIND: &'static str = "okx";
}

impl Orders for Okx {
    type Entry = OkxOrders;
    const CODES: Codes = Codes {
        would_take: None,
        too_many: 50_061,
        wrong_signature: 60_007,
        no_such_order: 51_603,
        delisted: 51_001,
    };
    const NAMES_REPORTS: bool = false;

    fn key() -> SharedSecret<2> {
        SharedSecret::drawn(Self::API_KEY, &mut SplitMix64::new(1)).expect("a key")
    }

    fn other_key() -> SharedSecret<2> {
        SharedSecret::drawn(Self::API_KEY, &mut SplitMix64::new(2)).expect("a key")
    }
}

/// Bybit.
pub struct Bybit;

impl Venue for Bybit {
    const KIND: &'static str = "bybit";
}

impl Orders for Bybit {
    type Entry = BybitOrders;
    const CODES: Codes = Codes {
        would_take: None,
        too_many: 170_005,
        wrong_signature: 10_004,
        no_such_order: 110_001,
        delisted: 10_029,
    };
    const CONNECTIONS: usize = 2;
    const NAMES_REPORTS: bool = false;

    fn key() -> SharedSecret<1> {
        SharedSecret::drawn(Self::API_KEY, &mut SplitMix64::new(1)).expect("a key")
    }

    fn other_key() -> SharedSecret<1> {
        SharedSecret::drawn(Self::API_KEY, &mut SplitMix64::new(2)).expect("a key")
    }
}

/// Kraken.
pub struct Kraken;

impl Venue for Kraken {
    const KIND: &'static str = "kraken";
}

impl Orders for Kraken {
    type Entry = KrakenOrders;
    /// Places in the engine's list of the venue's words.
    const CODES: Codes = Codes {
        would_take: None,
        too_many: 2,
        wrong_signature: 20,
        no_such_order: 1,
        delisted: 14,
    };
    const ORDER: &'static str = "OVN7VD-7VYHS-APBKHA";
    const NAMES_REPORTS: bool = false;

    fn key() -> KrakenSecret {
        KrakenSecret::drawn(Self::API_KEY, &mut SplitMix64::new(1)).expect("a key")
    }

    fn other_key() -> KrakenSecret {
        KrakenSecret::drawn(Self::API_KEY, &mut SplitMix64::new(2)).expect("a key")
    }
}

/// Coinbase Advanced.
pub struct Coinbase;

impl Venue for Coinbase {
    const KIND: &'static str = "coinbase";
}

impl Orders for Coinbase {
    type Entry = CoinbaseOrders;
    /// Places in the engine's list of the venue's words.
    const CODES: Codes = Codes {
        would_take: Some(14),
        too_many: 3,
        wrong_signature: 4,
        no_such_order: 1,
        delisted: 16,
    };
    const ORDER: &'static str = "0000004d-5000-4000-8000-00000000004d";
    const NAMES_REPORTS: bool = false;
    const TELLS_FILLS: bool = false;

    fn key() -> CoinbaseKey {
        CoinbaseKey::drawn(Self::API_KEY, &mut SplitMix64::new(1)).expect("a key")
    }

    fn other_key() -> CoinbaseKey {
        CoinbaseKey::drawn(Self::API_KEY, &mut SplitMix64::new(2)).expect("a key")
    }

    fn trade(number: u64) -> VenueRef {
        let uuid = format!("00000000-5000-4000-8000-{number:012x}");
        VenueRef::uuid(uuid.as_bytes()).expect("a UUID")
    }
}
