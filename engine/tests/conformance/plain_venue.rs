//! The venue of `plain_orders.rs`: the exchange of the simulated venue, spoken to in those words.
//!
//! Strict: a request has all its words and no other, is signed with the account's key and no older
//! than it may be. What each is answered by stands there.

use std::io;

use pitlane_engine::event::{ExecType, OrderStatus, format_scaled, parse_scaled};
use pitlane_engine::venue::protocol::{SharedSecret, Signer};
use pitlane_engine::venue::simulated::{
    DialectKind, Exchange, ExecKind, Fee, LedgerExpiry, LedgerOrder, LedgerOrderType, LedgerSide,
    LedgerStatus, LedgerTimeInForce, Moment, NewOrder, OrderFormat, OrderName, OrderReport,
    Refusal, Refused, Saying, SimulatedSymbol, Talk, Wish, orders_alone,
};
use pitlane_engine::world::SplitMix64;

use crate::harness::wall_ms;
use crate::plain_orders::{AGE_MAX_MS, PlainOrders};
use crate::raw::{Peer, text};
use crate::scripted::{Asks, Scripted};
use crate::subject::{Codes, Orders, Venue};

/// The words, and the account's key.
struct PlainVenue {
    key: SharedSecret<1>,
}

const SIDES: [(&str, LedgerSide); 2] = [("buy", LedgerSide::Buy), ("sell", LedgerSide::Sell)];
const TYPES: [(&str, LedgerOrderType); 3] = [
    ("limit", LedgerOrderType::Limit),
    ("limit_maker", LedgerOrderType::LimitMaker),
    ("market", LedgerOrderType::Market),
];
const LIVES: [(&str, LedgerTimeInForce); 3] = [
    ("gtc", LedgerTimeInForce::Gtc),
    ("ioc", LedgerTimeInForce::Ioc),
    ("fok", LedgerTimeInForce::Fok),
];

static DIALECT: DialectKind = DialectKind {
    name: "plain",
    stream_path: "/",
    api_path: Some("/orders"),
    fees_in: None,
    trades_contracts: false,
    new: |_| orders_alone(Box::new(PlainVenue { key: Plain::key() })),
};

impl PlainVenue {
    /// The answer to what is no request about an order; or a code, and why.
    fn answer(&self, words: &[&str], talk: &mut Talk<'_>) -> Result<String, &'static str> {
        let (exchange, now_ms) = (&*talk.exchange, talk.now.epoch_ms);
        let market = |symbol| exchange.market(symbol).ok_or("410 no such symbol");
        let told =
            |order: &LedgerOrder| order_text(order, &exchange.markets()[order.market].symbol);
        Ok(match *words {
            ["login", key, ms, signature] => {
                let sent_ms: i64 = ms.parse().map_err(|_| "400 no time")?;
                if signature != self.key.sign_base64(&format!("{key} {ms}")) {
                    return Err("403 wrong signature");
                }
                if (now_ms - sent_ms).abs() > AGE_MAX_MS {
                    return Err("412 wrong time");
                }
                (talk.session.authorized_ms, talk.session.has_logged_on) = (Some(now_ms), true);
                talk.session.user_subscription = Some(0);
                String::new()
            }
            _ if talk.session.authorized_ms.is_none() => return Err("401 log in first"),
            ["query", symbol, name] => {
                let name = OrderName::Client(name.to_owned());
                let found = exchange.orders().find(market(symbol)?, &name);
                format!(" order {}", told(found.ok_or("404 no such order")?))
            }
            ["fills", name, number] => {
                let symbol = &exchange.markets()[market(name)?].symbol;
                let ledger = exchange.ledger().lock();
                let its = ledger.trades.iter().filter(|of| of.order_id.to_string() == number);
                let entries = its.map(|of| {
                    let terms = (of.trade_id, of.price, of.qty);
                    format!(";{}", fill_text(terms, &of.fee, of.is_maker, symbol))
                });
                format!(" fills {name} {number}{}", entries.collect::<String>())
            }
            ["open"] => {
                let ids = exchange.orders().open_ids(None).into_iter();
                let listed = |id| format!(";{}", told(exchange.orders().by_id(id)));
                format!(" open{}", ids.map(listed).collect::<String>())
            }
            ["balances"] => {
                let all = exchange.orders().account().balances().iter();
                let of =
                    all.map(|of| format!(";{} {} {}", of.asset, units(of.free), units(of.locked)));
                format!(" balances{}", of.collect::<String>())
            }
            _ => return Err("400 no such request"),
        })
    }
}

impl OrderFormat for PlainVenue {
    fn paths(&self) -> &'static [&'static str] {
        &["/orders"]
    }

    fn answers(&mut self, text: &str, talk: &mut Talk<'_>) -> bool {
        let mut words: Vec<&str> = text.split(' ').collect();
        if ["place", "amend", "cancel"].contains(&words[0]) {
            return false;
        }
        let id = if words.len() > 1 { words.remove(1) } else { "0" };
        let answer = self.answer(&words, talk);
        let answer =
            answer.map_or_else(|why| format!("no {id} {why}"), |what| format!("ok {id}{what}"));
        talk.says.push(Saying::Now(answer));
        true
    }

    fn read(&self, text: &str, exchange: &Exchange, now: Moment) -> Result<Wish, Refused> {
        let words: Vec<&str> = text.split(' ').collect();
        let [verb, _, ms, symbol, name, ref rest @ ..] = words[..] else {
            return Err(Refused::Malformed);
        };
        if ms.parse::<i64>().map_err(|_| Refused::Malformed)? < now.epoch_ms - AGE_MAX_MS {
            return Err(Refused::Expired);
        }
        let market = exchange.market(symbol).ok_or(Refused::NoSuchMarket)?;
        let name = name.to_owned();
        let symbol = &exchange.markets()[market].symbol;
        let price = |text: &str| number(text, symbol.price_scale);
        let qty = |text: &str| number(text, symbol.qty_scale);
        match (verb, rest) {
            ("cancel", []) => Ok(Wish::Cancel(market, OrderName::Client(name))),
            ("amend", [size]) => Ok(Wish::Amend(market, OrderName::Client(name), qty(size)?)),
            ("place", &[side, order_type, life, limit, size]) => {
                Ok(Wish::Place(Box::new(NewOrder {
                    market,
                    side: one_of(side, &SIDES)?,
                    order_type: one_of(order_type, &TYPES)?,
                    time_in_force: one_of(life, &LIVES)?,
                    price: price(limit)?,
                    stop_price: 0,
                    qty: qty(size)?,
                    client_order_id: Some(name),
                    self_trade: None,
                    is_accepted_first: false,
                    reduces_only: false,
                })))
            }
            _ => Err(Refused::Malformed),
        }
    }

    fn granted(&self, text: &str, order: &LedgerOrder, _now: Moment) -> String {
        format!("ok {} placed {}", text.split(' ').nth(1).unwrap_or_default(), order.id)
    }

    fn refused(&self, text: &str, why: Refused, _now: Moment) -> String {
        let code = match why {
            Refused::Malformed => 400,
            Refused::NotLoggedOn => 401,
            Refused::Exchange(Refusal::NoSuchOrder) => 404,
            Refused::Exchange(Refusal::UnknownOrder) => 409,
            Refused::NoSuchMarket => 410,
            Refused::Expired => 412,
            Refused::Exchange(_) => 422,
            Refused::TooManyOrders => 429,
            Refused::Unknown | Refused::Internal => 503,
        };
        format!("no {} {code} {why:?}", text.split(' ').nth(1).unwrap_or_default())
    }

    fn report(
        &self,
        report: &OrderReport,
        symbol: &SimulatedSymbol,
        _now: Moment,
    ) -> Option<String> {
        let (what, fill) = match &report.kind {
            ExecKind::Trade(fill) => {
                let terms = (fill.trade_id, fill.price, fill.qty);
                ("fill", format!(" {}", fill_text(terms, &fill.fee, fill.is_maker, symbol)))
            }
            ExecKind::New | ExecKind::Triggered => ("new", String::new()),
            ExecKind::Replaced(_) => ("amended", String::new()),
            ExecKind::Canceled(_) => ("canceled", String::new()),
            // Nothing of it is told before it ends.
            ExecKind::Prevented { .. } if report.order.is_open() => return None,
            ExecKind::Expired(_) | ExecKind::Prevented { .. } => ("expired", String::new()),
        };
        Some(format!("report {what} {}{fill}", order_text(&report.order, symbol)))
    }
}

fn one_of<T: Copy>(word: &str, known: &[(&str, T)]) -> Result<T, Refused> {
    let found = known.iter().find(|(name, _)| *name == word);
    found.map(|(_, meaning)| *meaning).ok_or(Refused::Malformed)
}

fn number(word: &str, scale: u32) -> Result<u64, Refused> {
    let value = parse_scaled(word.as_bytes(), scale as u8).map_err(|_| Refused::Malformed)?;
    u64::try_from(value).map_err(|_| Refused::Malformed)
}

fn order_text(order: &LedgerOrder, symbol: &SimulatedSymbol) -> String {
    let state = match (order.status, order.expiry) {
        (LedgerStatus::New, _) => "new",
        (LedgerStatus::PartiallyFilled, _) => "partly",
        (LedgerStatus::Filled, _) => "filled",
        (LedgerStatus::Canceled, _) => "canceled",
        (LedgerStatus::ExpiredInMatch, _) => "self-trade",
        (_, Some(LedgerExpiry::FokUnfilled)) => "fok",
        (_, Some(LedgerExpiry::IocUnfilled | LedgerExpiry::NoLiquidity)) => "ioc",
        _ => "dropped",
    };
    let (name, number, ms) = (&order.client_order_id, order.id, order.updated_ms);
    let side = if order.side == LedgerSide::Buy { "buy" } else { "sell" };
    let (scale, qty) = (symbol.price_scale, |qty| decimal(qty, symbol.qty_scale));
    let numbers = [decimal(order.price, scale), qty(order.qty), qty(order.executed)].join(" ");
    let sum = decimal(order.notional as u64, scale + symbol.qty_scale);
    format!("{} {number} {name} {side} {state} {numbers} {sum} {ms}", symbol.name)
}

fn fill_text(
    (trade, price, qty): (u64, u64, u64),
    fee: &Fee,
    is_maker: bool,
    symbol: &SimulatedSymbol,
) -> String {
    let (price, qty) = (decimal(price, symbol.price_scale), decimal(qty, symbol.qty_scale));
    let role = if is_maker { "maker" } else { "taker" };
    format!("{trade} {price} {qty} {} {} {role}", units(fee.amount), fee.asset)
}

fn decimal(value: u64, scale: u32) -> String {
    format_scaled(value.cast_signed(), scale as u8).to_string()
}

/// An amount with eight of its decimal places.
fn units(amount: u128) -> String {
    decimal((amount / 10_u128.pow(8)) as u64, 8)
}

/// As a subject of the suite.
pub struct Plain;

impl Venue for Plain {
    const KIND: &'static str = "plain";

    fn dialect() -> &'static DialectKind {
        &DIALECT
    }
}

impl Orders for Plain {
    type Entry = PlainOrders;
    const CODES: Codes = Codes {
        would_take: Some(422),
        too_many: 429,
        wrong_signature: 403,
        no_such_order: 404,
        delisted: 410,
    };
    const NAMES_REPORTS: bool = false;

    fn key() -> SharedSecret<1> {
        SharedSecret::drawn(Self::API_KEY, &mut SplitMix64::new(1)).expect("a key")
    }

    fn other_key() -> SharedSecret<1> {
        SharedSecret::drawn(Self::API_KEY, &mut SplitMix64::new(2)).expect("a key")
    }
}

impl Scripted for Plain {
    fn log_on(peer: &mut Peer) -> io::Result<()> {
        peer.shake_hands()?;
        let login = peer.read_text()?;
        peer.send(&text(&format!("ok {}", id_of(&login))))
    }

    fn asks(request: &str) -> Asks {
        match request.split(' ').next() {
            Some("place") => Asks::ToPlace,
            Some("query") => Asks::HowItStands,
            _ => Asks::SomethingElse,
        }
    }

    fn acknowledged(request: &str) -> String {
        format!("ok {} placed 77", id_of(request))
    }

    fn refused(request: &str, code: i32) -> String {
        format!("no {} {code} a test", id_of(request))
    }

    fn stands(request: &str, name: &str, status: OrderStatus, filled: &str) -> String {
        format!("ok {} order {}", id_of(request), scripted_order(name, status, filled))
    }

    fn report(
        name: &str,
        id: u64,
        exec: ExecType,
        status: OrderStatus,
        (last, filled): (&str, &str),
    ) -> String {
        let order = scripted_order(name, status, filled);
        match exec {
            ExecType::Trade => format!("report fill {order} {id} 30000.00 {last} 0 BTC taker"),
            ExecType::Canceled => format!("report canceled {order}"),
            _ => format!("report new {order}"),
        }
    }
}

fn id_of(request: &str) -> &str {
    request.split(' ').nth(1).expect("a request has a number")
}

fn scripted_order(name: &str, status: OrderStatus, filled: &str) -> String {
    let state = match status {
        OrderStatus::PartiallyFilled => "partly",
        OrderStatus::Filled => "filled",
        OrderStatus::Canceled => "canceled",
        _ => "new",
    };
    let sum = decimal(30_000 * number(filled, 5).expect("a quantity"), 5);
    format!("BTCUSDT 77 {name} buy {state} 30000 0.01 {filled} {sum} {}", wall_ms())
}
