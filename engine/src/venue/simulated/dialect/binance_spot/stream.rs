//! Names of market streams: `<symbol in lower case>@<kind>`.

use crate::venue::simulated::exchange::{Feed, SimulatedSymbol, StreamKey};
use crate::venue::simulated::frame_kind::FrameKind;

/// What follows the symbol and the at sign; nothing for a feed that is not there.
pub fn suffix(feed: Feed) -> &'static str {
    match feed {
        Feed::Trades => "trade",
        Feed::Top => "bookTicker",
        Feed::FastDepth => "depth@100ms",
        Feed::SlowDepth => "depth",
        Feed::Bars => "kline_1m",
        Feed::Marks => "",
    }
}

/// The names of all streams, by market and feed.
pub struct StreamNames(Vec<[String; Feed::ALL.len()]>);

impl StreamNames {
    /// Those of these symbols; `suffix` is what follows the at sign.
    pub fn new(symbols: &[SimulatedSymbol], suffix: fn(Feed) -> &'static str) -> StreamNames {
        let names = |symbol: &SimulatedSymbol| {
            let lower = symbol.name.to_ascii_lowercase();
            Feed::ALL.map(|feed| format!("{lower}@{}", suffix(feed)))
        };
        StreamNames(symbols.iter().map(names).collect())
    }

    /// The stream of a name, if there is one.
    pub fn resolve(&self, stream: &str) -> Option<StreamKey> {
        self.0.iter().enumerate().find_map(|(index, names)| {
            let is_it = |name: &String| name == stream && !name.ends_with('@');
            let feed = names.iter().position(is_it)?;
            Some(StreamKey::new(index, Feed::ALL[feed]))
        })
    }

    /// The name of a market's stream.
    pub fn of(&self, market: usize, feed: Feed) -> &str {
        &self.0[market][feed as usize]
    }
}

/// The kind under which frames of a stream are counted, by its name.
pub fn frame_kind(stream: &str) -> FrameKind {
    match stream.split_once('@').map_or("", |(_, kind)| kind) {
        "trade" | "aggTrade" => FrameKind::Trade,
        "bookTicker" => FrameKind::BookTicker,
        kind if kind == "depth" || kind.starts_with("depth@") => FrameKind::Depth,
        kind if kind.starts_with("kline_") => FrameKind::Kline,
        _ => FrameKind::OtherMarket,
    }
}
