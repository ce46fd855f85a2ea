//! What dialects of venues that tell their books in the stream have in common: subscriptions behind
//! which a book is told whole, changes of a book that is kept up to a depth, and recordings.

use std::marker::PhantomData;

use super::order_entry::{OrderEntry, OrderFormat};
use super::{Dialect, DialectKind, RecordedDialect, Saying, Stage, Talk};
use crate::venue::codec::PlainNumber;
use crate::venue::simulated::exchange::{
    CommissionAsset, Event, Exchange, Feed, Funding, Kline, Market, Side, SimulatedSymbol,
    StreamKey, Top, TradeTick,
};

use crate::venue::simulated::fault::{Fault, Faults, Occasion};
use crate::venue::simulated::frame_kind::FrameKind;
use crate::venue::simulated::limits::{Admission, Limits};
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::options::SimulatedVenueOptions;
use crate::venue::simulated::server::{
    AccountFrame, Door, HttpRequest, MarketFrame, Opening, Reply, Session,
};

/// A price and the quantity there.
pub(super) type Change = (u64, u64);

/// How a venue of this sort words things.
pub(super) trait InBandFormat: Send + 'static {
    /// Its name, and the path of its market data.
    const NAME: &'static str;
    const PATH: &'static str;
    /// The path of the same data as that of contracts, which have mark prices; others have not.
    const CONTRACTS_PATH: Option<&'static str> = None;
    /// The path of its order entry, where it takes orders.
    const API_PATH: Option<&'static str> = None;
    /// What its fees are paid in, where nobody can choose.
    const FEES_IN: Option<CommissionAsset> = None;
    /// How its recordings are read, which answers its requests, too.
    const RECORDED: &'static dyn RecordedDialect;
    /// Levels a side of a book.
    const DEPTH: usize;
    /// Messages that a client may send in a second.
    const MESSAGES_PER_S: u32;

    /// How its order entry is worded, where it takes orders.
    fn orders(_options: &SimulatedVenueOptions) -> Option<Box<dyn OrderFormat>> {
        None
    }
    /// The stream of a feed, as it is subscribed to; `None`: it has none.
    fn stream(feed: Feed, symbol: &str) -> Option<String>;
    /// Writes a trade.
    fn trade(out: &mut String, symbol: &SimulatedSymbol, trade: &TradeTick, now: Moment);
    /// Writes a best quote.
    fn top(out: &mut String, symbol: &SimulatedSymbol, top: &Top, now: Moment);
    /// Writes a bar, where it has them.
    fn bar(_out: &mut String, _symbol: &SimulatedSymbol, _bar: &Kline, _now: Moment) {}
    /// Writes mark price and funding, where it has them.
    fn mark(_out: &mut String, _symbol: &SimulatedSymbol, _told: &ToldMark, _now: Moment) {}
    /// Writes a book, or a change of it.
    fn book(out: &mut String, symbol: &SimulatedSymbol, told: &ToldBook<'_>, now: Moment);
    /// Refuses a subscription.
    fn refusal(request: &serde_json::Value) -> String;
    /// Path and body of the answer to a question for the time.
    fn time(now: Moment) -> (&'static str, String);
    /// The answer to a question for instruments; `None`: it is none.
    fn instruments(_request: &HttpRequest, _exchange: &Exchange, _now: Moment) -> Option<String> {
        None
    }
    /// What a connection with these subscriptions is told each second.
    fn heartbeat(_names: &[String], _now: Moment) -> Option<String> {
        None
    }
    /// What is told before a connection ends.
    fn shutdown_notice() -> Option<String> {
        None
    }
}

/// What is told of a book.
pub(super) struct ToldBook<'a> {
    /// The book, and not a change of it.
    pub is_whole: bool,
    /// Counts what is told of this book, from 1.
    pub number: u64,
    /// The exchange's update in it, and the one of what was told before.
    pub update_id: u64,
    pub previous_id: u64,
    /// All levels, or those that have changed; 0: the level is gone.
    pub bids: &'a [Change],
    pub asks: &'a [Change],
    /// The book as it is then, best first.
    pub shown: (&'a [Change], &'a [Change]),
}

/// What is told of a contract's value; `None`: it is as it was.
pub(super) struct ToldMark {
    /// All of it, behind a subscription.
    pub is_whole: bool,
    pub price: Option<u64>,
    pub funding: Option<Funding>,
}

/// What is known of the dialect in the words of `W`.
pub(super) const fn kind<W: InBandFormat>() -> DialectKind {
    DialectKind {
        name: W::NAME,
        stream_path: W::PATH,
        api_path: W::API_PATH,
        fees_in: W::FEES_IN,
        trades_contracts: false,
        new: |options| Box::new(InBand::<W>::new(options)),
    }
}

/// A dialect in the words of `W`.
pub(super) struct InBand<W> {
    /// By market, and by the number of the feed.
    names: Vec<[Option<String>; Feed::ALL.len()]>,
    books: Vec<ShownBook>,
    /// What was told last of a mark; `None`: not the same to all.
    marks: Vec<Option<(u64, Funding)>>,
    orders: Option<OrderEntry>,
    text: String,
    words: PhantomData<fn() -> W>,
}

/// A book as it was told last.
#[derive(Clone, Debug, Default)]
struct ShownBook {
    number: u64,
    update_id: u64,
    bids: Vec<Change>,
    asks: Vec<Change>,
}

impl ShownBook {
    /// Looks at the market: what has changed in the best `depth` levels. A level that others have
    /// pushed out is not told.
    fn advance(&mut self, market: &Market, depth: usize) -> (Vec<Change>, Vec<Change>) {
        self.number += 1;
        self.update_id = market.update_id();
        let turn = |side, shown: &mut Vec<Change>| {
            let now: Vec<Change> = market.book.levels(side).take(depth).collect();
            let is_there = |price| market.book.qty_at(side, price) > 0;
            let gone = shown.iter().filter(|(price, _)| !is_there(*price));
            let mut changed: Vec<Change> = gone.map(|(price, _)| (*price, 0)).collect();
            changed.extend(now.iter().filter(|level| !shown.contains(level)));
            *shown = now;
            changed
        };
        let bids = turn(Side::Buy, &mut self.bids);
        let asks = turn(Side::Sell, &mut self.asks);
        (bids, asks)
    }
}

impl<W: InBandFormat> InBand<W> {
    pub(super) fn new(options: &SimulatedVenueOptions) -> InBand<W> {
        let of_symbol =
            |symbol: &SimulatedSymbol| Feed::ALL.map(|feed| W::stream(feed, &symbol.name));
        InBand {
            names: options.symbols.iter().map(of_symbol).collect(),
            books: vec![ShownBook::default(); options.symbols.len()],
            marks: vec![None; options.symbols.len()],
            orders: W::orders(options).map(OrderEntry::new),
            text: String::new(),
            words: PhantomData,
        }
    }

    /// Writes the whole book of a market, as it was told last.
    fn whole(&mut self, index: usize, exchange: &Exchange, now: Moment) -> String {
        let (market, book) = (&exchange.markets()[index], &mut self.books[index]);
        if book.number == 0 {
            book.advance(market, W::DEPTH);
        }
        let told = ToldBook {
            is_whole: true,
            number: book.number,
            update_id: book.update_id,
            previous_id: 0,
            bids: &book.bids,
            asks: &book.asks,
            shown: (&book.bids, &book.asks),
        };
        let mut text = String::new();
        W::book(&mut text, &market.symbol, &told, now);
        text
    }

    /// Writes the mark of a market for one who has just come; all are told all of the next one.
    fn whole_mark(&mut self, index: usize, exchange: &Exchange, now: Moment) -> String {
        self.marks[index] = None;
        let (price, funding) = exchange.mark(index, now.epoch_ms);
        let told = ToldMark { is_whole: true, price: Some(price), funding: Some(funding) };
        let mut text = String::new();
        W::mark(&mut text, &exchange.markets()[index].symbol, &told, now);
        text
    }

    fn change(&mut self, index: usize, exchange: &Exchange, now: Moment) {
        let (market, book) = (&exchange.markets()[index], &mut self.books[index]);
        let previous_id = book.update_id;
        let (bids, asks) = book.advance(market, W::DEPTH);
        let told = ToldBook {
            is_whole: false,
            number: book.number,
            update_id: book.update_id,
            previous_id,
            bids: &bids,
            asks: &asks,
            shown: (&book.bids, &book.asks),
        };
        W::book(&mut self.text, &market.symbol, &told, now);
    }
}

impl<W: InBandFormat> Dialect for InBand<W> {
    fn resolve(&self, stream: &str) -> Option<StreamKey> {
        let is_it = |name: &Option<String>| name.as_deref() == Some(stream);
        let of_market = |(index, names): (usize, &[Option<String>; Feed::ALL.len()])| {
            let feed = names.iter().position(is_it)?;
            Some(StreamKey::new(index, Feed::ALL[feed]))
        };
        self.names.iter().enumerate().find_map(of_market)
    }

    fn open(
        &mut self,
        request: &HttpRequest,
        limits: &mut Limits,
        now: Moment,
    ) -> Result<Opening, Reply> {
        let api = self.orders.as_ref().and_then(|desk| desk.serves(&request.path));
        let contracts = W::CONTRACTS_PATH.filter(|path| request.path == *path);
        if request.path != W::PATH && contracts.is_none() && api.is_none() {
            return Err(Reply::not_found());
        }
        if let Some(refusal) = refused(limits.connect(now), now) {
            return Err(refusal);
        }
        if let Some(part) = api {
            let numbered_by = W::RECORDED.numbered_by();
            return Ok(Opening { door: Door::Api, part, numbered_by, ..Opening::market() });
        }
        Ok(Opening {
            messages_per_s: Some(W::MESSAGES_PER_S),
            numbered_by: W::RECORDED.numbered_by(),
            part: contracts.unwrap_or_default(),
            ..Opening::market()
        })
    }

    fn rest(
        &mut self,
        request: &HttpRequest,
        exchange: &Exchange,
        limits: &mut Limits,
        (fault, faults): (Option<Fault>, &mut Faults),
        now: Moment,
    ) -> Reply {
        match fault {
            Some(Fault::RefuseRest { status }) => return Reply::new(status, b"{}".to_vec()),
            Some(Fault::Ban { duration }) => limits.ban(duration.as_millis() as i64, now),
            _ => {}
        }
        if let Some(refusal) = refused(limits.charge(1, now), now) {
            return refusal;
        }
        let (path, body) = W::time(now);
        if request.path == path {
            return Reply::json(body.into_bytes());
        }
        if let Some(list) = W::instruments(request, exchange, now) {
            return Reply::json(list.into_bytes());
        }
        let desk = self.orders.as_mut();
        let answer = desk.and_then(|desk| desk.rest(request, exchange, faults, now));
        answer.unwrap_or_else(Reply::not_found)
    }

    fn message_of(
        &mut self,
        request: &HttpRequest,
        limits: &mut Limits,
        now: Moment,
    ) -> Option<String> {
        let text = self.orders.as_ref()?.message_of(request)?;
        // Without room it is refused with the others.
        (limits.charge(1, now) == Admission::Granted).then_some(text)
    }

    fn message(&mut self, text: &str, stage: Stage, talk: &mut Talk<'_>) {
        if talk.session.door != Door::Market || stage != Stage::Received {
            return self.orders.iter_mut().for_each(|desk| desk.message(text, stage, talk));
        }
        let is_subscription = text.contains("\"subscribe\"");
        if is_subscription && talk.faults.strike(Occasion::Subscribe).is_some() {
            let request = serde_json::from_str(text).unwrap_or_default();
            return talk.says.push(Saying::Now(W::refusal(&request)));
        }
        let before = talk.session.names.clone();
        let has_marks = Some(talk.session.part) == W::CONTRACTS_PATH;
        let is_there =
            |key: &StreamKey| has_marks || *key != StreamKey::new(key.index, Feed::Marks);
        let resolve = |name: &str| self.resolve(name).filter(is_there);
        let Some(answer) = W::RECORDED.answer(talk.session, text, &resolve) else { return };
        talk.says.push(Saying::Now(answer));
        let wanted = talk.session.names.iter().filter(|name| !before.contains(name));
        let told: Vec<StreamKey> = wanted.filter_map(|name| resolve(name)).collect();
        for key in told {
            if key == StreamKey::new(key.index, Feed::FastDepth) {
                let text = self.whole(key.index, talk.exchange, talk.now);
                talk.says.push(Saying::Now(text));
            } else if key == StreamKey::new(key.index, Feed::Marks) {
                let text = self.whole_mark(key.index, talk.exchange, talk.now);
                talk.says.push(Saying::Now(text));
            }
        }
    }

    fn watch(
        &mut self,
        sessions: &mut dyn Iterator<Item = &Session>,
        exchange: &Exchange,
        now: Moment,
    ) {
        self.orders.iter_mut().for_each(|desk| desk.watch(sessions, exchange, now));
    }

    fn market_frame(
        &mut self,
        event: &Event,
        exchange: &Exchange,
        now: Moment,
    ) -> Option<MarketFrame<'_>> {
        let (index, feed) = event.feed()?;
        let symbol = &exchange.markets()[index].symbol;
        self.text.clear();
        match event {
            Event::Trade { tick, .. } => W::trade(&mut self.text, symbol, tick, now),
            Event::Top { top, .. } => W::top(&mut self.text, symbol, top, now),
            Event::Bar { bar, .. } => W::bar(&mut self.text, symbol, bar, now),
            Event::Depth { .. } => self.change(index, exchange, now),
            Event::Mark { price, funding, .. } => {
                let (was, funded) = self.marks[index].replace((*price, *funding)).unzip();
                let told = ToldMark {
                    is_whole: false,
                    price: Some(*price).filter(|_| was != Some(*price)),
                    funding: Some(*funding).filter(|_| funded != Some(*funding)),
                };
                W::mark(&mut self.text, symbol, &told, now);
            }
            Event::Order(_) | Event::Balances(_) => return None,
        }
        let stream = self.names[index][feed as usize].as_deref()?;
        let kind = match feed {
            Feed::Trades => FrameKind::Trade,
            Feed::Top => FrameKind::BookTicker,
            Feed::FastDepth | Feed::SlowDepth => FrameKind::Depth,
            Feed::Bars => FrameKind::Kline,
            Feed::Marks => FrameKind::OtherMarket,
        };
        Some(MarketFrame { kind, stream, data: self.text.as_bytes(), lost: 0 })
    }

    fn account_frame(
        &mut self,
        event: &Event,
        exchange: &Exchange,
        now: Moment,
    ) -> Option<AccountFrame> {
        self.orders.as_ref()?.account_frame(event, exchange, now)
    }

    fn heartbeat(&self, session: &Session, now: Moment) -> Option<String> {
        W::heartbeat(&session.names, now)
    }

    fn shutdown_notice(&self, _session: &Session, _now: Moment) -> Option<String> {
        W::shutdown_notice()
    }
}

/// The answer to a request for which there is no room.
fn refused(admission: Admission, now: Moment) -> Option<Reply> {
    let (status, until_ms) = match admission {
        Admission::Granted => return None,
        Admission::SlowDown { until_ms } => (429, until_ms),
        Admission::Banned { until_ms } => (418, until_ms),
    };
    let mut reply = Reply::new(status, b"{}".to_vec());
    let wait_s = ((until_ms - now.epoch_ms).max(0) + 999) / 1_000;
    reply.headers.push(("Retry-After", wait_s.to_string()));
    Some(reply)
}

/// Notes streams that a session wants, or wants no more. `resolve` finds a stream by its name.
pub(super) fn note_streams(
    session: &mut Session,
    wants: bool,
    names: impl Iterator<Item = String>,
    resolve: &dyn Fn(&str) -> Option<StreamKey>,
) {
    for name in names {
        let key = resolve(&name);
        match wants {
            true => session.subscribe(&name, key),
            false => session.unsubscribe(&name, key),
        }
    }
}

/// A price without zeros at its end.
pub(super) fn price(symbol: &SimulatedSymbol, value: u64) -> String {
    plain(value, symbol.price_scale)
}

/// A quantity without zeros at its end.
pub(super) fn qty(symbol: &SimulatedSymbol, value: u64) -> String {
    plain(value, symbol.qty_scale)
}

/// A number without zeros at its end.
pub(super) fn plain(value: u64, scale: u32) -> String {
    let number = PlainNumber::new(value.cast_signed(), scale as u8);
    String::from_utf8_lossy(number.as_bytes()).into_owned()
}

/// `["price","quantity"MORE],..`.
pub(super) fn levels(symbol: &SimulatedSymbol, levels: &[Change], more: &str) -> String {
    let level =
        |(at, of): &Change| format!(r#"["{}","{}"{more}]"#, price(symbol, *at), qty(symbol, *of));
    levels.iter().map(level).collect::<Vec<_>>().join(",")
}

/// A time as RFC 3339 writes it.
pub(super) fn date(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_book_adds_up_to_its_best_levels() {
        let mut market = Market::new(SimulatedSymbol::default(), 5, 0);
        let mut book = ShownBook::default();
        let (bids, _) = book.advance(&market, 10);
        let mut client: std::collections::BTreeMap<u64, u64> = bids.into_iter().collect();
        for _ in 0..200 {
            (0..30).for_each(|_| market.crowd_acts());
            let (bids, _) = book.advance(&market, 10);
            for (price, qty) in bids {
                match qty {
                    0 => client.remove(&price),
                    qty => client.insert(price, qty),
                };
            }
            // As the venue wants it: cut to the depth behind each change.
            while client.len() > 10 {
                client.pop_first();
            }
            assert!(client.iter().rev().map(|(p, q)| (*p, *q)).eq(book.bids.iter().copied()));
            assert!(market.book.levels(Side::Buy).take(10).eq(book.bids.iter().copied()));
        }
        assert_eq!((book.number, book.update_id), (201, market.update_id()));
    }
}
