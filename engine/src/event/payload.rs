//! The payloads, one per kind.

use super::{AssetId, EventKind, Price, Qty};

/// Levels a side in a book payload.
pub const BOOK_DEPTH: usize = 10;

coded! {
    /// Side of an order, or of the aggressor of a trade.
    Side {
        /// Buys.
        Buy = 1 "buy",
        /// Sells.
        Sell = 2 "sell",
    }
}
coded! {
    /// Answer to a control command: why it was refused, or what came of it. Stable codes.
    ControlCode {
        /// Accepted, or done.
        Ok = 0 "ok",
        /// No such instrument.
        UnknownInstrument = 1 "unknown_instrument",
        /// No such venue.
        UnknownVenue = 2 "unknown_venue",
        /// No such consumer.
        UnknownConsumer = 3 "unknown_consumer",
        /// The strategy's interest mask has none of these kinds.
        NotInterested = 4 "not_interested",
        /// Critical kinds are delivered whatever the routes are; they can't be subscribed to.
        NotRouted = 5 "not_routed",
        /// It was not subscribed.
        NotSubscribed = 6 "not_subscribed",
        /// Merging takes 2 to 64 venues, a kind that merges, a window and a count above 0.
        BadMerge = 7 "bad_merge",
        /// All merge rules are taken.
        NoRuleFree = 8 "no_rule_free",
        /// The dispatcher or the orchestrator did not take it in time; everything is as it was.
        Deadline = 9 "deadline",
        /// The engine is stopping.
        Stopping = 10 "stopping",
        /// Too many commands wait.
        QueueFull = 11 "queue_full",
        /// Not a command.
        Malformed = 12 "malformed",
        /// A venue does not send what is wanted of it.
        VenueRefused = 13 "venue_refused",
    }
}
coded! {
    /// Whether a book can be trusted.
    BookStatus {
        /// No snapshot yet, or waiting for a new one: not to be traded on.
        Syncing = 1 "syncing",
        /// In step with the venue.
        Live = 2 "live",
        /// Nothing heard for too long.
        Stale = 3 "stale",
    }
}
coded! {
    /// Whether a stream still speaks.
    StreamStatus {
        /// It is heard again.
        Live = 1 "live",
        /// Nothing was heard for longer than is usual for it.
        Stale = 2 "stale",
    }
}
coded! {
    /// Why the status of a book changed.
    BookStatusReason {
        /// First synchronisation.
        Start = 1 "start",
        /// Snapshot and diffs are joined.
        Synced = 2 "synced",
        /// The venue's sequence has a hole.
        Gap = 3 "gap",
        /// The connection was lost.
        Disconnected = 4 "disconnected",
        /// A diff could not be decoded.
        Corrupt = 5 "corrupt",
        /// Best bid at or above best ask.
        Crossed = 6 "crossed",
        /// The staleness watchdog expired.
        Silent = 7 "silent",
        /// The book is not the venue's, by its checksum.
        Checksum = 8 "checksum",
        /// The book was not what a fresh snapshot of the venue says.
        Differs = 9 "differs",
    }
}

payload! {
    /// Best bid and offer. Prices and quantities in the instrument's scales; 0 quantity = empty
    /// side.
    Quote {
        /// Best bid price.
        bid_price: i64,
        /// Quantity at the best bid.
        bid_qty: i64,
        /// Best ask price.
        ask_price: i64,
        /// Quantity at the best ask.
        ask_qty: i64,
    }
}
payload! {
    /// One public trade, or several absorbed into one under load: the header's `conflated` says how
    /// many were absorbed, its `sequence` is the last trade's id.
    Trade {
        /// Price of the last trade.
        last_price: i64,
        /// Price of the first trade.
        first_price: i64,
        /// Highest price.
        high_price: i64,
        /// Lowest price.
        low_price: i64,
        /// Quantity bought by aggressors.
        buy_qty: i64,
        /// Quantity sold by aggressors.
        sell_qty: i64,
        /// Sum of price x quantity as a native-endian `i128`; see [`Trade::notional`].
        notional_bytes: [u8; 16],
    }
}
payload! {
    /// One price level.
    Level {
        /// Price in the instrument's scale.
        price: i64,
        /// Quantity in the instrument's scale.
        qty: i64,
    }
}
payload! {
    /// The best levels of a book, best first. How many are in use stands in the event's header.
    Book {
        /// Bids, highest first.
        bids: [Level; BOOK_DEPTH],
        /// Asks, lowest first.
        asks: [Level; BOOK_DEPTH],
    }
}
payload! {
    /// Open, high, low, close and volume of an interval.
    Bar {
        /// First price.
        open: i64,
        /// Highest price.
        high: i64,
        /// Lowest price.
        low: i64,
        /// Last price.
        close: i64,
        /// Traded quantity.
        volume: i64,
        /// Start of the interval, ns since the Unix epoch.
        open_time_ns: i64,
        /// Length of the interval in seconds.
        interval_s: u32,
        /// Number of trades, saturating.
        trades: u32,
        /// 1 when the interval is over, else 0.
        closed: u64,
    }
}
payload! {
    /// What a venue values a contract at, and what holding it costs. Prices have more decimal
    /// places than an instrument's scale: they are in units of 10^-10 of the quote asset, whatever
    /// it is.
    MarkPrice {
        /// At which positions are valued and liquidated.
        mark_price_e10: i64,
        /// Of what the contract follows; 0 where it is not told.
        index_price_e10: i64,
        /// Paid by longs to shorts at the next funding, as a part of the position's value in units
        /// of 10^-12; below 0, shorts pay. 0 where there is no funding, as `next_funding_ns` says.
        funding_rate_e12: i64,
        /// When that is, ns since the Unix epoch; 0 where there is no funding.
        next_funding_ns: i64,
    }
}
payload! {
    /// Whether the book of (venue, instrument) can be trusted (LM-07).
    BookState {
        /// Code of the [`BookStatus`].
        status_code: u8,
        /// Code of the [`BookStatusReason`].
        reason_code: u8,
        /// Always 0.
        reserved: [u8; 6],
    }
}
payload! {
    /// Whether the quotes, trades, bars or mark prices of (venue, instrument) still come. It
    /// reaches everybody who is subscribed to them; of a book [`BookState`] tells.
    StreamState {
        /// Code of the kind that the stream carries.
        kind_code: u8,
        /// Code of the [`StreamStatus`].
        status_code: u8,
        /// Always 0.
        reserved: [u8; 6],
        /// How long nothing was heard, ns.
        silent_ns: u64,
    }
}
payload! {
    /// Reference data of an instrument.
    Instrument {
        /// Price increment in the price scale.
        tick: i64,
        /// Quantity increment in the quantity scale.
        step: i64,
        /// Decimal places of a price.
        price_scale: u8,
        /// Decimal places of a quantity.
        qty_scale: u8,
        /// 1 when the instrument trades, else 0.
        trading: u8,
        /// Always 0.
        reserved: [u8; 5],
        /// The lowest and the highest price of a buy, in millionths of the venue's average; 0 where
        /// it sets none.
        buy_range_ppm: [u32; 2],
        /// The same of a sell.
        sell_range_ppm: [u32; 2],
        /// What the venue averages over, s; 0: it takes the last price.
        range_window_s: u32,
        /// Always 0.
        unused: u32,
    }
}
payload! {
    /// Balance of one asset at a venue, in units of 10^-8. Told to every consumer that is
    /// subscribed to balances of any instrument which trades the asset; the header names the first
    /// such instrument.
    Balance {
        /// The asset's name: its UTF-8 bytes, the first one lowest, then zeros; see [`asset_code`].
        asset: u128,
        /// Free to use.
        free: i128,
        /// Locked in orders.
        locked: i128,
        /// The asset's number in this run, [`AssetId`].
        asset_id: u32,
        /// Always 0.
        reserved: [u8; 12],
    }
}
payload! {
    /// Answer to a control command.
    ControlAck {
        /// The command's number.
        command_id: u64,
        /// The consumer it concerns.
        consumer: u32,
        /// The [`ControlCode`]: 0 = accepted.
        code: u32,
    }
}
payload! {
    /// Outcome of a control command.
    ControlResult {
        /// The command's number.
        command_id: u64,
        /// The consumer it concerns.
        consumer: u32,
        /// The [`ControlCode`]: 0 = done.
        code: u32,
        /// Phase of a routing flip: 1 begin, 2 end, 0 when it is none.
        phase: u64,
    }
}
payload! {
    /// A risk notice of the engine to one consumer.
    Risk {
        /// The order it concerns, 0 when none.
        client_order_id: u64,
        /// The value that was found, in the limit's own unit; 0 where what held the orders back
        /// holds no longer. Of a switch: 1 when it is on.
        value: i64,
        /// The limit it broke; of a switch 1.
        limit: i64,
        /// The consumer it concerns.
        consumer: u32,
        /// Code of the `RejectReason`.
        reason_code: u8,
        /// Whose limit or switch it is: 0 the strategy's, 1 the venue's, 2 the engine's.
        scope_code: u8,
        /// The venue's number, where it is a venue's; else 0.
        venue: u16,
    }
}

/// The longest name of an asset, bytes of UTF-8.
pub const ASSET_NAME_BYTES_MAX: usize = 16;

/// An asset's name.
pub type AssetName = arrayvec::ArrayString<ASSET_NAME_BYTES_MAX>;

/// An asset's name as a number: its bytes, the first one lowest, then zeros. `None` for a name that
/// is empty, longer than [`ASSET_NAME_BYTES_MAX`], or has a zero byte.
#[must_use]
pub fn asset_code(name: &str) -> Option<u128> {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() > ASSET_NAME_BYTES_MAX || bytes.contains(&0) {
        return None;
    }
    let mut code = [0; ASSET_NAME_BYTES_MAX];
    code[..bytes.len()].copy_from_slice(bytes);
    Some(u128::from_le_bytes(code))
}

/// The name of which `code` is the [`asset_code`]; empty when the bytes are no UTF-8.
#[must_use]
pub fn asset_name(code: u128) -> AssetName {
    let bytes = code.to_le_bytes();
    let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    std::str::from_utf8(name).ok().and_then(|name| AssetName::from(name).ok()).unwrap_or_default()
}

impl Balance {
    /// The asset's name; empty when the bytes are no UTF-8.
    #[must_use]
    pub fn asset_name(&self) -> AssetName {
        asset_name(self.asset)
    }

    /// The asset's number in this run.
    #[inline]
    #[must_use]
    pub fn asset_id(&self) -> AssetId {
        AssetId(self.asset_id)
    }
}

impl Quote {
    /// Best bid; `None` when the side is empty.
    #[inline]
    #[must_use]
    pub fn bid(&self) -> Option<Price> {
        (self.bid_qty > 0).then_some(Price(self.bid_price))
    }

    /// Best ask; `None` when the side is empty.
    #[inline]
    #[must_use]
    pub fn ask(&self) -> Option<Price> {
        (self.ask_qty > 0).then_some(Price(self.ask_price))
    }
}

impl Trade {
    /// A single trade.
    #[inline]
    #[must_use]
    pub fn single(price: Price, qty: Qty, aggressor: Side) -> Trade {
        let (buy_qty, sell_qty) = match aggressor {
            Side::Buy => (qty.0, 0),
            Side::Sell => (0, qty.0),
        };
        Trade {
            last_price: price.0,
            first_price: price.0,
            high_price: price.0,
            low_price: price.0,
            buy_qty,
            sell_qty,
            notional_bytes: super::notional(price, qty).to_ne_bytes(),
        }
    }

    /// Traded quantity on both sides.
    #[inline]
    #[must_use]
    pub fn qty(&self) -> Qty {
        Qty(self.buy_qty + self.sell_qty)
    }

    /// Sum of price x quantity; divided by [`Trade::qty`] it is the vwap.
    #[inline]
    #[must_use]
    pub fn notional(&self) -> i128 {
        i128::from_ne_bytes(self.notional_bytes)
    }

    /// Absorbs a later trade of the same stream (LM-04).
    #[inline]
    pub fn absorb(&mut self, newer: &Trade) {
        self.last_price = newer.last_price;
        self.high_price = self.high_price.max(newer.high_price);
        self.low_price = self.low_price.min(newer.low_price);
        self.buy_qty = self.buy_qty.saturating_add(newer.buy_qty);
        self.sell_qty = self.sell_qty.saturating_add(newer.sell_qty);
        let notional = self.notional().saturating_add(newer.notional());
        self.notional_bytes = notional.to_ne_bytes();
    }
}

impl BookState {
    /// The status; `None` for a code of a later schema.
    #[inline]
    #[must_use]
    pub fn status(&self) -> Option<BookStatus> {
        BookStatus::from_code(self.status_code)
    }

    /// Why the status changed; `None` for a code of a later schema.
    #[inline]
    #[must_use]
    pub fn reason(&self) -> Option<BookStatusReason> {
        BookStatusReason::from_code(self.reason_code)
    }
}

impl MarkPrice {
    /// Decimal places of its prices.
    pub const PRICE_SCALE: u8 = 10;
    /// Decimal places of its rate.
    pub const RATE_SCALE: u8 = 12;
}

impl StreamState {
    /// What the stream carries; `None` for a code of a later schema.
    #[inline]
    #[must_use]
    pub fn stream(&self) -> Option<EventKind> {
        EventKind::from_code(self.kind_code)
    }

    /// The status; `None` for a code of a later schema.
    #[inline]
    #[must_use]
    pub fn status(&self) -> Option<StreamStatus> {
        StreamStatus::from_code(self.status_code)
    }
}

impl Side {
    /// The other side.
    #[inline]
    #[must_use]
    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;

    #[test]
    fn an_assets_name_is_its_number() {
        for name in ["BTC", "1000CHEEMS", "1MBABYDOGE", "币安人生", "SIXTEEN-BYTES-16"] {
            let mut balance = Balance::new_zeroed();
            balance.asset = asset_code(name).unwrap();
            assert_eq!(balance.asset_name().as_str(), name);
        }
        for name in ["", "SEVENTEEN-BYTES-7", "A\0B"] {
            assert_eq!(asset_code(name), None, "{name:?}");
        }
        let mut nonsense = Balance::new_zeroed();
        nonsense.asset = u128::MAX;
        assert_eq!(nonsense.asset_name().as_str(), "");
    }

    #[test]
    fn trades_aggregate_without_rounding() {
        let mut trade = Trade::single(Price(100), Qty(3), Side::Buy);
        trade.absorb(&Trade::single(Price(90), Qty(2), Side::Sell));
        trade.absorb(&Trade::single(Price(110), Qty(1), Side::Buy));
        assert_eq!((trade.first_price, trade.last_price), (100, 110));
        assert_eq!((trade.high_price, trade.low_price), (110, 90));
        assert_eq!((trade.buy_qty, trade.sell_qty), (4, 2));
        assert_eq!(trade.notional(), 300 + 180 + 110);
        assert_eq!(trade.qty(), Qty(6));
    }
}
