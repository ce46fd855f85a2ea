//! Names of market streams: `<symbol in lower case>@<kind>`.

use super::super::super::exchange::Feed;
use super::super::super::frame_kind::FrameKind;

/// What follows the symbol and the at sign.
pub fn suffix(feed: Feed) -> &'static str {
    match feed {
        Feed::Trades => "trade",
        Feed::Top => "bookTicker",
        Feed::FastDepth => "depth@100ms",
        Feed::SlowDepth => "depth",
        Feed::Bars => "kline_1m",
    }
}

/// The names of a symbol's streams, in the order of the feeds.
pub fn names(symbol: &str) -> [String; Feed::ALL.len()] {
    let lower = symbol.to_ascii_lowercase();
    Feed::ALL.map(|feed| format!("{lower}@{}", suffix(feed)))
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
