//! The venue's binary frames, field after field in the order of its schema. What reads them has
//! offsets of its own: the two agree only where both are right.

use crate::event;
use crate::venue::Symbol;
use crate::venue::protocol::MarketMessage;

/// Decimal places that the venue writes, where the numbers allow it.
const PLACES: u32 = 8;
const SCHEMA: u16 = 1;
const VERSION: u16 = 0;

/// A price and the quantity there.
type Level = (u64, u64);

/// What all frames of a symbol have.
#[derive(Clone, Copy, Debug)]
pub struct SbeSymbol<'a> {
    /// As the venue writes it, 255 bytes at most.
    pub name: &'a str,
    /// Decimal places of the prices that are given, 8 at most.
    pub price_scale: u32,
    /// Decimal places of the quantities that are given, 8 at most.
    pub qty_scale: u32,
}

/// A trade.
#[derive(Clone, Copy, Debug)]
pub struct SbeTrade {
    /// The venue's number.
    pub id: u64,
    /// In the symbol's scale.
    pub price: u64,
    /// In the symbol's scale.
    pub qty: u64,
    /// The seller came to the book.
    pub is_buyer_maker: bool,
}

/// Writes one frame at a time into a buffer that is kept. For the simulated venue, tests and
/// measurements.
#[derive(Debug, Default)]
pub struct SbeWriter {
    out: Vec<u8>,
}

/// How numbers are written.
#[derive(Clone, Copy)]
struct Form {
    exponent: i8,
    factor: u64,
}

impl Form {
    /// With eight places if the largest number allows it, else with those that it has.
    fn new(scale: u32, largest: u64) -> Form {
        let factor = 10_u64.pow(PLACES.saturating_sub(scale));
        let fits = largest.checked_mul(factor).is_some_and(|most| i64::try_from(most).is_ok());
        match fits {
            true => Form { exponent: -(PLACES.max(scale) as i8), factor },
            false => Form { exponent: -(scale as i8), factor: 1 },
        }
    }

    fn mantissa(self, number: u64) -> i64 {
        (number * self.factor) as i64
    }
}

impl SbeWriter {
    /// The frame.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// The frame that says what `message` says of the symbol of this name. `false`: no binary
    /// frame says anything like it.
    pub fn message(&mut self, message: &MarketMessage<'_>, name: &str) -> bool {
        let of = |symbol: &Symbol| SbeSymbol {
            name,
            price_scale: symbol.scales.price.into(),
            qty_scale: symbol.scales.qty.into(),
        };
        let levels = |side: &[event::Level]| {
            side.iter().map(|level| (level.price as u64, level.qty as u64)).collect::<Vec<Level>>()
        };
        match message {
            MarketMessage::Quote { symbol, update_id, venue_time_ns, quote } => {
                let bid = (quote.bid_price as u64, quote.bid_qty as u64);
                let ask = (quote.ask_price as u64, quote.ask_qty as u64);
                self.best(of(symbol), (venue_time_ns / 1_000, *update_id), (bid, ask));
            }
            MarketMessage::Trade { symbol, trade_id, venue_time_ns, trade } => {
                let trade = SbeTrade {
                    id: *trade_id,
                    price: trade.last_price as u64,
                    qty: (trade.buy_qty + trade.sell_qty) as u64,
                    is_buyer_maker: trade.sell_qty > 0,
                };
                self.trades(of(symbol), venue_time_ns / 1_000, &[trade]);
            }
            MarketMessage::Depth { symbol, diff } => {
                let ids = (diff.first_update_id, diff.final_update_id);
                let sides = [levels(diff.bids), levels(diff.asks)];
                self.diff(of(symbol), diff.venue_time_ns / 1_000, ids, [&sides[0], &sides[1]]);
            }
            _ => return false,
        }
        true
    }

    /// `TradesStreamEvent`.
    pub fn trades(&mut self, symbol: SbeSymbol<'_>, time_us: i64, trades: &[SbeTrade]) {
        let most = |number: fn(&SbeTrade) -> u64| trades.iter().map(number).max().unwrap_or(0);
        let price = Form::new(symbol.price_scale, most(|trade| trade.price));
        let qty = Form::new(symbol.qty_scale, most(|trade| trade.qty));
        self.start(10_000, 18);
        self.long(time_us).long(time_us).byte(price.exponent).byte(qty.exponent);
        self.short(25).put(&(trades.len() as u32).to_le_bytes());
        for trade in trades {
            self.long(trade.id as i64).long(price.mantissa(trade.price));
            self.long(qty.mantissa(trade.qty)).byte(trade.is_buyer_maker.into());
        }
        self.name(symbol);
    }

    /// `BestBidAskStreamEvent`. The four are price and quantity of the bid, then of the ask.
    pub fn best(
        &mut self,
        symbol: SbeSymbol<'_>,
        (time_us, update_id): (i64, u64),
        (bid, ask): (Level, Level),
    ) {
        let price = Form::new(symbol.price_scale, bid.0.max(ask.0));
        let qty = Form::new(symbol.qty_scale, bid.1.max(ask.1));
        self.start(10_001, 50);
        self.long(time_us).long(update_id as i64).byte(price.exponent).byte(qty.exponent);
        for (at, there) in [bid, ask] {
            self.long(price.mantissa(at)).long(qty.mantissa(there));
        }
        self.name(symbol);
    }

    /// `DepthSnapshotStreamEvent`.
    pub fn snapshot(
        &mut self,
        symbol: SbeSymbol<'_>,
        (time_us, update_id): (i64, u64),
        sides: [&[Level]; 2],
    ) {
        self.start(10_002, 18);
        self.long(time_us).long(update_id as i64);
        self.sides(symbol, sides);
    }

    /// `DepthDiffStreamEvent`: the changed levels, 0 for a level gone.
    pub fn diff(
        &mut self,
        symbol: SbeSymbol<'_>,
        time_us: i64,
        (first, last): (u64, u64),
        sides: [&[Level]; 2],
    ) {
        self.start(10_003, 26);
        self.long(time_us).long(first as i64).long(last as i64);
        self.sides(symbol, sides);
    }

    fn sides(&mut self, symbol: SbeSymbol<'_>, sides: [&[Level]; 2]) {
        let all = || sides.into_iter().flatten();
        let price = Form::new(symbol.price_scale, all().map(|level| level.0).max().unwrap_or(0));
        let qty = Form::new(symbol.qty_scale, all().map(|level| level.1).max().unwrap_or(0));
        self.byte(price.exponent).byte(qty.exponent);
        for side in sides {
            self.short(16).short(side.len() as u16);
            for (at, there) in side {
                self.long(price.mantissa(*at)).long(qty.mantissa(*there));
            }
        }
        self.name(symbol);
    }

    fn start(&mut self, template: u16, block: u16) {
        self.out.clear();
        self.short(block).short(template).short(SCHEMA).short(VERSION);
    }

    fn name(&mut self, symbol: SbeSymbol<'_>) {
        self.put(&[symbol.name.len() as u8]).put(symbol.name.as_bytes());
    }

    fn long(&mut self, number: i64) -> &mut SbeWriter {
        self.put(&number.to_le_bytes())
    }

    fn short(&mut self, number: u16) -> &mut SbeWriter {
        self.put(&number.to_le_bytes())
    }

    fn byte(&mut self, number: i8) -> &mut SbeWriter {
        self.put(&number.to_le_bytes())
    }

    fn put(&mut self, bytes: &[u8]) -> &mut SbeWriter {
        self.out.extend_from_slice(bytes);
        self
    }
}
