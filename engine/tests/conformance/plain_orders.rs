//! Orders of a made-up venue, from the words on its wire to every check of the suite: a template
//! for those of a new one. The guide is "Adding a venue" in `docs/venues.md`.
//!
//! All goes over one session, in texts of words; a semicolon stands before each entry of a list.
//! ```text
//! login ID KEY MS SIGNATURE                          no ID CODE WHY         ok ID
//! place ID MS SYMBOL NAME SIDE TYPE LIFE PRICE QTY   ok ID placed NUMBER
//! amend ID MS SYMBOL NAME QTY                        ok ID placed NUMBER
//! cancel ID MS SYMBOL NAME                           ok ID placed NUMBER
//! query ID SYMBOL NAME                               ok ID order ORDER
//! fills ID SYMBOL NUMBER                             ok ID fills SYMBOL NUMBER;FILL..
//! open ID                                            ok ID open;ORDER..
//! balances ID                                        ok ID balances;ASSET FREE LOCKED..
//! report WHAT ORDER     report fill ORDER FILL
//! ```
//! ORDER is `SYMBOL NUMBER NAME SIDE STATE PRICE QTY FILLED SUM MS`, and FILL is
//! `TRADE PRICE QTY FEE ASSET ROLE`. In `src` nothing of this is formatted, nor allocated
//! (`venue/okx/orders.rs`); here it is written as short as it can be.

use std::io::Write;

use pitlane_engine::event::{
    AssetAmount, ExecType, ExpiryReason, Liquidity, OrderStatus, RejectReason, Side, VenueRef,
    asset_code, format_scaled, parse_scaled, parse_wide,
};
use pitlane_engine::order::{
    Amends, Capabilities, OrderAction, OrderCommand, OrderType, OrderTypes, TimeInForce,
};
use pitlane_engine::venue::codec::DecodeError;
use pitlane_engine::venue::orders::{VenueAnswer, VenueFill, VenueReport};
use pitlane_engine::venue::protocol::{
    AssetBalance, Failure, FillsFrom, KeepAlive, ListedOrder, OrderDecoder, OrderMessage,
    OrderProtocol, OrderRequest, Outcome, ReplyBody, SharedSecret, UnreadFrame, order_terms,
};
use pitlane_engine::venue::{LetterReason, Scales, SymbolMap};
use zerocopy::FromZeros;

use crate::harness::{BTC, keep_log, logged, symbols};
use crate::plain_venue::Plain;
use crate::raw::RawServer;
use crate::scripted::{Asks, Scripted};
use crate::subject::Orders;
use crate::trader::{QTY, Trader, TraderOptions, fills};

/// The venue drops what is older, ms.
pub const AGE_MAX_MS: i64 = 5_000;

/// What each refusal means for the request. A code that is not here decides nothing: it is named,
/// and the order is asked for.
const MEANINGS: [(i32, Outcome); 10] = [
    (400, Outcome::Refused(RejectReason::Venue)),
    (401, Outcome::NoSession),
    (403, Outcome::BadKey),
    (404, Outcome::NoSuchOrder),
    (409, Outcome::NotOpen),
    (410, Outcome::Refused(RejectReason::Venue)),
    (412, Outcome::WrongTime),
    (422, Outcome::Refused(RejectReason::Venue)),
    (429, Outcome::TooManyOrders),
    (503, Outcome::Unknown),
];
const SIDES: [(&str, Side); 2] = [("buy", Side::Buy), ("sell", Side::Sell)];
const ROLES: [(&str, Liquidity); 2] = [("maker", Liquidity::Maker), ("taker", Liquidity::Taker)];
const STATES: [(&str, (OrderStatus, ExpiryReason)); 8] = [
    ("new", (OrderStatus::New, ExpiryReason::None)),
    ("partly", (OrderStatus::PartiallyFilled, ExpiryReason::None)),
    ("filled", (OrderStatus::Filled, ExpiryReason::None)),
    ("canceled", (OrderStatus::Canceled, ExpiryReason::None)),
    ("dropped", (OrderStatus::Canceled, ExpiryReason::ExchangeCanceled)),
    ("ioc", (OrderStatus::Expired, ExpiryReason::UnfilledIoc)),
    ("fok", (OrderStatus::Expired, ExpiryReason::UnfilledFok)),
    ("self-trade", (OrderStatus::Expired, ExpiryReason::SelfTrade)),
];
const REPORTS: [(&str, ExecType); 5] = [
    ("new", ExecType::New),
    ("fill", ExecType::Trade),
    ("amended", ExecType::Replaced),
    ("canceled", ExecType::Canceled),
    ("expired", ExecType::Expired),
];

/// What is said.
pub struct PlainOrders {
    key: SharedSecret<1>,
    decoder: PlainReports,
}

/// Writes a request in place of what was there.
macro_rules! say {
    ($out:ident, $($words:tt)+) => {{
        $out.clear();
        write!($out, $($words)+).expect("there is room");
    }};
}

impl OrderProtocol for PlainOrders {
    type Signer = SharedSecret<1>;
    type Decoder = PlainReports;

    const LOGON: &'static [&'static str] = &["logon"];
    const ORDER_TYPES: OrderTypes = OrderTypes::PLAIN;
    const CAPABILITIES: Capabilities =
        Capabilities::of(OrderTypes::PLAIN).with_amends(Amends::Smaller);
    /// The age at which the venue drops it, by a clock that may be a second off.
    const IN_FLIGHT_MAX_NS: u64 = (AGE_MAX_MS as u64 + 1_000) * 1_000_000;
    const KEEP_ALIVE: KeepAlive = KeepAlive::WsPing;

    fn new(key: SharedSecret<1>, decoder: PlainReports) -> PlainOrders {
        PlainOrders { key, decoder }
    }

    fn decoder(&mut self) -> &mut PlainReports {
        &mut self.decoder
    }

    fn logon(&mut self, _step: usize, id: u64, time_ms: i64, out: &mut Vec<u8>) {
        let signed = format!("{} {time_ms}", self.key.api_key());
        let signature = self.key.sign_base64(&signed);
        pitlane_engine::text::hide_passing(&signature);
        say!(out, "login {id} {signed} {signature}");
    }

    fn place(
        &mut self,
        command: &OrderCommand,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RejectReason> {
        let (side, order_type, life) = order_terms(command, Self::CAPABILITIES)?;
        let side = if side == Side::Buy { "buy" } else { "sell" };
        // Its words for these happen to be ours.
        let (order_type, life) = (order_type.name(), life.name());
        let price = format_scaled(command.price, request.scales.price);
        let qty = format_scaled(command.qty, request.scales.qty);
        let terms = format!("{side} {order_type} {life} {price} {qty}");
        say!(out, "place {} {} {terms}", request.id, of_order(request));
        Ok(())
    }

    fn amend(
        &mut self,
        command: &OrderCommand,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RejectReason> {
        let qty = format_scaled(command.qty, request.scales.qty);
        say!(out, "amend {} {} {qty}", request.id, of_order(request));
        Ok(())
    }

    fn cancel(&mut self, request: &OrderRequest<'_>, out: &mut Vec<u8>) {
        say!(out, "cancel {} {}", request.id, of_order(request));
    }

    fn query(&mut self, request: &OrderRequest<'_>, out: &mut Vec<u8>) {
        let name = String::from_utf8_lossy(request.name);
        say!(out, "query {} {} {name}", request.id, request.native);
    }

    /// All of them: the venue has no other list.
    fn fills_since(
        &mut self,
        order: VenueRef,
        _from: FillsFrom,
        request: &OrderRequest<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let Some(number) = order.as_number() else { return false };
        say!(out, "fills {} {} {number}", request.id, request.native);
        true
    }

    fn open_orders(&mut self, id: u64, _time_ms: i64, out: &mut Vec<u8>) -> bool {
        say!(out, "open {id}");
        true
    }

    fn balances(&mut self, id: u64, _time_ms: i64, out: &mut Vec<u8>) -> bool {
        say!(out, "balances {id}");
        true
    }

    fn outcome(failure: &Failure<'_>) -> Outcome {
        let meaning = MEANINGS.iter().find(|(code, _)| *code == failure.code);
        meaning.map_or(Outcome::Unknown, |(_, outcome)| *outcome)
    }
}

fn of_order(request: &OrderRequest<'_>) -> String {
    format!("{} {} {}", request.time_ms, request.native, String::from_utf8_lossy(request.name))
}

/// What is heard.
pub struct PlainReports {
    symbols: SymbolMap,
    frame_bytes_max: usize,
    lists: (Vec<ListedOrder>, Vec<VenueFill>, Vec<AssetBalance>),
}

/// Why a frame can't be read, and the word that is not known, if that is why.
type Unread<'a> = (DecodeError, Option<&'a str>);

impl OrderDecoder for PlainReports {
    fn new(symbols: SymbolMap, frame_bytes_max: usize) -> PlainReports {
        PlainReports { symbols, frame_bytes_max, lists: Default::default() }
    }

    fn decode<'a>(&'a mut self, frame: &'a [u8]) -> Result<OrderMessage<'a>, UnreadFrame<'a>> {
        let text = str::from_utf8(frame).ok().filter(|text| text.len() <= self.frame_bytes_max);
        let text = text.ok_or(UnreadFrame::of(DecodeError::malformed("no text, or too long")))?;
        let (head, list) = text.split_once(';').unwrap_or((text, ""));
        let words: Vec<&str> = head.split(' ').collect();
        let read = match words[..] {
            ["report", what, ref order @ ..] => self.report(what, order),
            ["no", id, code, ..] => refusal(id, code, text),
            ["ok", id, ref what @ ..] => self.reply(id, what, list.split_terminator(';')),
            _ => Err((DecodeError::unknown("frame not known"), words.first().copied())),
        };
        // What is wrong with it is kept with what can be told all the same: whom it is about.
        read.map_err(|(error, value)| {
            let value = value.map(str::as_bytes);
            let unread = UnreadFrame { value, ..UnreadFrame::of(error) };
            match words[..] {
                ["report", _, _, number, name, ..] => {
                    let venue_order_id = number.parse().map_or(VenueRef::NONE, VenueRef::number);
                    UnreadFrame { name: Some(name.as_bytes()), venue_order_id, ..unread }
                }
                ["ok" | "no", id, ..] => UnreadFrame { reply: id.parse().ok(), ..unread },
                _ => unread,
            }
        })
    }
}

impl PlainReports {
    fn reply<'a>(
        &'a mut self,
        id: &str,
        what: &[&'a str],
        entries: impl Iterator<Item = &'a str>,
    ) -> Result<OrderMessage<'a>, Unread<'a>> {
        let PlainReports { symbols, lists: (listed, fills, balances), .. } = self;
        let mut body = ReplyBody::default();
        match *what {
            [] => {}
            ["placed", number] => body.venue_order_id = VenueRef::number(integer(number)?),
            ["order", ref order @ ..] => {
                let (told, _) = order_of(order, symbols)?;
                (body.name, body.venue_order_id) = (order[2].as_bytes(), told.venue_order_id);
                body.state = Some(told.state.ok_or(known(DecodeError::symbol()))?.1);
            }
            ["fills", native, number] => {
                let symbol = symbols.lookup(native.as_bytes());
                let scales = symbol.ok_or(known(DecodeError::symbol()))?.scales;
                let words = |entry: &'a str| entry.split(' ').collect::<Vec<_>>();
                *fills = entries.map(|of| fill_of(&words(of), scales)).collect::<Result<_, _>>()?;
                (body.venue_order_id, body.fills) = (VenueRef::number(integer(number)?), fills);
            }
            // An entry that can't be read leaves the others; the list is known not to be whole.
            ["open"] => {
                let read = |of: &'a str| order_of(&of.split(' ').collect::<Vec<_>>(), symbols);
                (*listed, body.unreadable) = whole(entries.map(|of| Ok(read(of)?.0)));
                body.listed = listed;
            }
            ["balances"] => {
                (*balances, body.unreadable) = whole(entries.map(balance_of));
                body.balances = balances;
            }
            [word, ..] => return Err((DecodeError::unknown("reply not known"), Some(word))),
        }
        Ok(OrderMessage::reply(integer(id)?, Ok(body)))
    }

    fn report<'a>(&self, what: &'a str, words: &[&'a str]) -> Result<OrderMessage<'a>, Unread<'a>> {
        let exec_type = meaning(what, &REPORTS, "report not known")?;
        let (order, fill) = words.split_at(words.len().min(ORDER_WORDS));
        let (told, scales) = order_of(order, &self.symbols)?;
        let (_, state) = told.state.ok_or(known(DecodeError::symbol()))?;
        let fill = (exec_type == ExecType::Trade).then(|| fill_of(fill, scales)).transpose()?;
        let no_fee = fill.is_some_and(|fill| fill.fee.is_none());
        Ok(OrderMessage::Report {
            name: order[2].as_bytes(),
            report: VenueReport::of(exec_type, &state, told.side, fill.as_ref()),
            venue_time_ns: scaled(order[9], 0)?.saturating_mul(1_000_000),
            // The fill is no less true.
            unreadable: no_fee.then_some(DecodeError::field("fee of a fill can't be read")),
        })
    }
}

fn refusal<'a>(id: &str, code: &'a str, text: &'a str) -> Result<OrderMessage<'a>, Unread<'a>> {
    let number = code.parse().map_err(|_| known(DecodeError::number("code of a refusal")))?;
    let is_known = MEANINGS.iter().any(|(known, _)| *known == number);
    let failure = Failure::of(0, number, text.splitn(4, ' ').nth(3).unwrap_or_default());
    let failure = Failure { unknown: (!is_known).then_some(code), ..failure };
    Ok(OrderMessage::reply(integer(id)?, Err(failure)))
}

const ORDER_WORDS: usize = 10;

/// An order, whoever has placed it, and the scales of its symbol: its state where that is ours.
fn order_of<'a>(
    words: &[&'a str],
    symbols: &SymbolMap,
) -> Result<(ListedOrder, Scales), Unread<'a>> {
    let [native, number, name, side, state, price, qty, filled, sum, _] = *words else {
        return Err(known(DecodeError::malformed("an order has ten words")));
    };
    let venue_order_id = VenueRef::number(integer(number)?);
    let side = meaning(side, &SIDES, "side not known")?;
    let (status, expiry) = meaning(state, &STATES, "order status not known")?;
    let symbol = symbols.lookup(native.as_bytes());
    let scales = symbol.map_or(Scales { price: 0, qty: 0 }, |symbol| symbol.scales);
    let state = |instrument| {
        let (ordered, filled_qty) = (scaled(qty, scales.qty)?, scaled(filled, scales.qty)?);
        if filled_qty > ordered {
            return Err(known(DecodeError::nonsense("filled above the order's quantity")));
        }
        let sum = parse_wide(sum.as_bytes(), scales.price + scales.qty)
            .map_err(|error| known(error.into()))?;
        Ok(VenueAnswer {
            status,
            venue_order_id,
            instrument,
            side: Some(side),
            price: Some(scaled(price, scales.price)?),
            trigger_price: None,
            qty: Some(ordered),
            filled_qty,
            prevented_qty: None,
            quote_total: Some(sum).filter(|sum| *sum > 0),
            expiry,
        })
    };
    let state = symbol.map(|symbol| state(symbol.instrument)).transpose()?;
    let (names, numbers) = ((name.as_bytes(), venue_order_id), [price, qty, filled].map(Some));
    Ok((ListedOrder::new(names, (native, side), numbers, state), scales))
}

fn fill_of<'a>(words: &[&'a str], scales: Scales) -> Result<VenueFill, Unread<'a>> {
    let [trade, price, qty, fee, asset, role] = *words else {
        return Err(known(DecodeError::malformed("a fill has six words")));
    };
    Ok(VenueFill {
        trade: VenueRef::number(integer(trade)?),
        price: scaled(price, scales.price)?,
        qty: scaled(qty, scales.qty)?,
        fee: scaled(fee, AssetAmount::SCALE).ok().zip(asset_code(asset)),
        liquidity: Some(meaning(role, &ROLES, "role of a fill not known")?),
    })
}

fn balance_of(entry: &str) -> Result<AssetBalance, Unread<'_>> {
    let [asset, free, locked] = entry.split(' ').collect::<Vec<_>>()[..] else {
        return Err(known(DecodeError::malformed("a balance has three words")));
    };
    let amount = |text| scaled(text, AssetAmount::SCALE).map(i128::from);
    AssetBalance::named(asset, amount(free)?, amount(locked)?).map_err(known)
}

/// What can be read of a list, and why that is not all.
fn whole<'a, T>(
    entries: impl Iterator<Item = Result<T, Unread<'a>>>,
) -> (Vec<T>, Option<DecodeError>) {
    let mut unreadable = None;
    let read = entries.filter_map(|of| of.map_err(|(error, _)| unreadable = Some(error)).ok());
    (read.collect(), unreadable)
}

/// What a word means. One that is not known is never taken for another.
fn meaning<'a, T: Copy>(
    word: &'a str,
    meanings: &[(&str, T)],
    unknown: &'static str,
) -> Result<T, Unread<'a>> {
    let found = meanings.iter().find(|(known, _)| *known == word);
    found.map(|(_, meaning)| *meaning).ok_or((DecodeError::unknown(unknown), Some(word)))
}

fn scaled<'a>(word: &str, scale: u8) -> Result<i64, Unread<'a>> {
    let value = parse_scaled(word.as_bytes(), scale).map_err(|error| known(error.into()))?;
    if value < 0 { Err(known(DecodeError::nonsense("negative number"))) } else { Ok(value) }
}

fn integer<'a>(word: &str) -> Result<u64, Unread<'a>> {
    scaled(word, 0).map(i64::cast_unsigned)
}

fn known<'a>(error: DecodeError) -> Unread<'a> {
    (error, None)
}

const FILL: &str = "report fill BTCUSDT 77 p1-0-1 buy partly 30000.00 0.01 0.004 120 9 5 29999.99 \
                    0.004 0.00001 BTC maker";

fn decoder() -> PlainReports {
    PlainReports::new(symbols(), 1 << 10)
}

#[test]
fn a_request_is_written_to_the_letter() {
    let mut protocol = PlainOrders::new(Plain::key(), decoder());
    let mut command = OrderCommand::new_zeroed();
    (command.instrument, command.action_code) = (BTC.0, OrderAction::Submit as u8);
    (command.side_code, command.price, command.qty) = (Side::Sell.code(), 3_000_050, QTY);
    command.time_in_force_code = TimeInForce::Ioc as u8;
    let scales = Scales { price: 2, qty: 5 };
    let (venue_order_id, sent) = (VenueRef::number(77), None);
    let (native, name) = ("BTCUSDT", &b"p1-0-1"[..]);
    let request = OrderRequest { id: 7, native, scales, name, venue_order_id, time_ms: 9, sent };
    let mut out = b"what was there before".to_vec();
    command.order_type_code = OrderType::Limit as u8;
    protocol.place(&command, &request, &mut out).unwrap();
    assert_eq!(out, b"place 7 9 BTCUSDT p1-0-1 sell limit ioc 30000.50 0.01000");
    protocol.amend(&command, &request, &mut out).unwrap();
    assert_eq!(out, b"amend 7 9 BTCUSDT p1-0-1 0.01000");
    protocol.cancel(&request, &mut out);
    assert_eq!(out, b"cancel 7 9 BTCUSDT p1-0-1");
    assert!(protocol.fills_since(venue_order_id, FillsFrom::Newest, &request, &mut out));
    assert_eq!(out, b"fills 7 BTCUSDT 77");
    command.order_type_code = OrderType::StopLoss as u8;
    let refused = protocol.place(&command, &request, &mut out);
    assert_eq!(refused, Err(RejectReason::Unsupported), "what it lacks is never written");
}

#[test]
fn a_fill_is_read_in_the_scales_of_its_symbol_and_nothing_is_guessed() {
    let mut decoder = decoder();
    let Ok(OrderMessage::Report { name, report, venue_time_ns, unreadable: None }) =
        decoder.decode(FILL.as_bytes())
    else {
        panic!("it is whole");
    };
    assert_eq!((name, report.venue_order_id), (&b"p1-0-1"[..], VenueRef::number(77)));
    assert_eq!((report.last_price, report.last_qty, report.filled_qty), (2_999_999, 400, 400));
    assert_eq!((report.quote_total, venue_time_ns), (Some(1_200_000_000), 9_000_000));
    assert_eq!(report.fee, Some((1_000, asset_code("BTC").unwrap())));
    assert_eq!(report.liquidity, Some(Liquidity::Maker));
    // Cut behind whatever word, it is nobody's fill, and the order's as soon as it has a name.
    let words: Vec<&str> = FILL.split(' ').collect();
    for count in 1..words.len() {
        let cut = words[..count].join(" ");
        let unread = decoder.decode(cut.as_bytes()).unwrap_err();
        assert_eq!(unread.name.is_some(), count > 4, "{cut}");
    }
    for (word, other, reason) in [
        ("partly", "eclipsed", LetterReason::Unknown),
        ("maker", "mixer", LetterReason::Unknown),
        ("fill", "spill", LetterReason::Unknown),
        ("BTCUSDT", "ETHUSDT", LetterReason::Symbol),
        ("0.01", "0.003", LetterReason::Nonsense),
        ("0.004", "-0.004", LetterReason::Nonsense),
        ("30000.00", "3e4", LetterReason::Number),
    ] {
        let spoiled = FILL.replacen(&format!(" {word} "), &format!(" {other} "), 1);
        let spoiled = spoiled.replace(" maker", if word == "maker" { " mixer" } else { " maker" });
        let unread = decoder.decode(spoiled.as_bytes()).unwrap_err();
        assert_eq!((unread.error.reason, unread.name), (reason, Some(&b"p1-0-1"[..])), "{other}");
        let value = (reason == LetterReason::Unknown).then_some(other.as_bytes());
        assert_eq!(unread.value, value);
    }
    let no_fee = FILL.replace("0.00001 BTC", "some BTC");
    let Ok(OrderMessage::Report { report, unreadable: Some(_), .. }) =
        decoder.decode(no_fee.as_bytes())
    else {
        panic!("the fill is no less true");
    };
    assert_eq!((report.last_qty, report.fee), (400, None));
}

#[test]
fn what_is_not_known_is_named_and_counted_and_has_the_order_asked_for() {
    let server = RawServer::start(|_, peer| {
        Plain::log_on(peer)?;
        let place = peer.read_text()?;
        // A code that is not known decides nothing.
        peer.reply(&place, &Plain::refused(&place, 799))?;
        let query = peer.read_text()?;
        assert_eq!([Plain::asks(&place), Plain::asks(&query)], [Asks::ToPlace, Asks::HowItStands]);
        peer.reply(&query, &Plain::stands(&query, &Plain::name(1), OrderStatus::New, "0"))?;
        peer.tell(&FILL.replace("partly", "eclipsed"))?;
        let query = peer.read_text()?;
        let stands = Plain::stands(&query, &Plain::name(1), OrderStatus::PartiallyFilled, "0.004");
        peer.reply(&query, &stands)?;
        peer.wait_for_end()
    });
    keep_log();
    let options = TraderOptions { name: "plain", ..server.options() };
    let mut trader = Trader::<Plain>::new(server.address, &options);
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive_to(1, OrderStatus::PartiallyFilled);
    assert_eq!(fills(&trader.reports(1)).iter().map(|fill| fill.last_qty).sum::<i64>(), 400);
    assert_eq!((trader.counters().unknown, trader.counters().reconnects), (2, 0));
    assert!(logged(&["[plain]", "\"799\""]) && logged(&["[plain]", "\"eclipsed\""]));
    let letters = trader.outlet.seen().letters.clone();
    let unknown = letters.iter().filter(|letter| letter.reason == LetterReason::Unknown).count();
    assert_eq!((unknown, letters.len()), (2, 2), "{letters:?}");
    trader.assert_sound();
}
