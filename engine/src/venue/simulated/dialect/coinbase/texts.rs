//! The texts in which the venue tells orders, fills and balances.

use serde_json::{Value, json};

use super::NUMBER;
use crate::venue::simulated::dialect::in_band::{date, price, qty};
use crate::venue::simulated::dialect::order_entry::{Refused, amount, average};
use crate::venue::simulated::exchange::{
    BalanceNow, Exchange, Filter, LedgerTrade, Order, OrderType, Refusal, Side, SimulatedSymbol,
    Status, TimeInForce,
};
use crate::venue::simulated::moment::Moment;

/// As the venue names an order or a trade.
pub(super) fn uuid(id: u64) -> String {
    format!("{:08x}-5000-4000-8000-{:012x}", id >> 48, id & 0xffff_ffff_ffff)
}

/// The number behind such a name.
pub(super) fn number_of(uuid: &str) -> Option<u64> {
    let id = u64::from_str_radix(uuid.get(24..)?, 16).ok()?;
    Some(id).filter(|id| self::uuid(*id) == uuid)
}

fn side_text(side: Side) -> &'static str {
    if side == Side::Buy { "BUY" } else { "SELL" }
}

fn status_text(order: &Order) -> &'static str {
    match order.status {
        Status::New | Status::PartiallyFilled => "OPEN",
        Status::Filled => "FILLED",
        Status::Canceled | Status::ExpiredInMatch | Status::Expired => "CANCELLED",
    }
}

/// Why it is over, where it was not filled.
fn reason_of(order: &Order) -> &'static str {
    match order.status {
        Status::Canceled => "User requested cancel",
        Status::ExpiredInMatch => "Self trade prevention",
        Status::Expired => "Unfilled",
        _ => "",
    }
}

fn life_text(order: &Order) -> &'static str {
    match (order.order_type, order.time_in_force) {
        (OrderType::Market, _) | (_, TimeInForce::Ioc) => "IMMEDIATE_OR_CANCEL",
        (_, TimeInForce::Fok) => "FILL_OR_KILL",
        (_, TimeInForce::Gtc) => "GOOD_UNTIL_CANCELLED",
    }
}

/// A sum of prices times quantities.
fn notional(sum: u128, symbol: &SimulatedSymbol) -> String {
    let digits = symbol.price_scale + symbol.qty_scale;
    let one = 10_u128.pow(digits);
    format!("{}.{:0width$}", sum / one, sum % one, width = digits as usize)
}

/// A frame of the channel `user`.
pub(super) fn user_frame(kind: &str, orders: &[Value], now: Moment) -> String {
    let (time, orders) = (date(now.epoch_ms), Value::from(orders));
    format!(
        r#"{{"channel":"user","client_id":"","timestamp":"{time}",{NUMBER}0,"events":[{{"type":"{kind}","orders":{orders}}}]}}"#
    )
}

/// An order as the stream tells it: as it stands, and without its price.
pub(super) fn streamed(order: &Order, symbol: &SimulatedSymbol) -> Value {
    let is_market = order.order_type == OrderType::Market;
    let left = if order.is_open() { order.remaining() } else { 0 };
    json!({
        "order_id": uuid(order.id), "client_order_id": order.client_order_id,
        "cumulative_quantity": qty(symbol, order.executed), "leaves_quantity": qty(symbol, left),
        "avg_price": if order.executed == 0 { "0".to_owned() } else { average(order, symbol) },
        "total_fees": "0", "status": status_text(order), "product_id": symbol.name,
        "creation_time": date(order.created_ms), "order_side": side_text(order.side),
        "order_type": if is_market { "Market" } else { "Limit" },
        "cancel_reason": reason_of(order), "reject_reason": "", "product_type": "SPOT",
        "filled_value": notional(order.notional, symbol), "time_in_force": life_text(order),
    })
}

/// An order as REST lists it.
pub(super) fn listed(order: &Order, symbol: &SimulatedSymbol) -> Value {
    let size = qty(symbol, order.qty);
    let at = price(symbol, order.price);
    let configuration = match (order.order_type, order.time_in_force) {
        (OrderType::Market, _) => json!({"market_market_ioc": {"base_size": size}}),
        (kind, TimeInForce::Gtc) => {
            let is_maker = kind == OrderType::LimitMaker;
            let terms = json!({"base_size": size, "limit_price": at, "post_only": is_maker});
            json!({"limit_limit_gtc": terms})
        }
        (_, TimeInForce::Ioc) => json!({"sor_limit_ioc": {"base_size": size, "limit_price": at}}),
        (_, TimeInForce::Fok) => {
            json!({"limit_limit_fok": {"base_size": size, "limit_price": at}})
        }
    };
    let changes = match order.amends {
        0 => json!([]),
        _ => {
            let time = date(order.updated_ms);
            json!([{"size": size, "price": at, "replace_accept_timestamp": time}])
        }
    };
    json!({
        "order_id": uuid(order.id), "client_order_id": order.client_order_id,
        "edit_history": changes, "product_id": symbol.name, "side": side_text(order.side), "status": status_text(order),
        "order_configuration": configuration, "time_in_force": life_text(order),
        "created_time": date(order.created_ms), "filled_size": qty(symbol, order.executed),
        "average_filled_price": if order.executed == 0 { "0".into() } else { average(order, symbol) },
        "filled_value": notional(order.notional, symbol), "product_type": "SPOT",
        "size_in_quote": false, "pending_cancel": false, "cancel_message": reason_of(order),
    })
}

/// A fill as REST lists it.
pub(super) fn listed_fill(trade: &LedgerTrade, symbol: &SimulatedSymbol) -> Value {
    json!({
        "entry_id": format!("{:064x}", trade.trade_id), "trade_id": uuid(trade.trade_id),
        "order_id": uuid(trade.order_id), "trade_time": date(trade.at_ms), "trade_type": "FILL",
        "price": price(symbol, trade.price), "size": qty(symbol, trade.qty),
        "commission": amount(trade.fee.amount), "product_id": symbol.name,
        "liquidity_indicator": if trade.is_maker { "MAKER" } else { "TAKER" },
        "size_in_quote": false, "side": side_text(trade.side),
    })
}

/// What the account has of an asset.
pub(super) fn account(of: &BalanceNow) -> Value {
    let asset = &*of.asset;
    json!({
        "uuid": asset, "name": format!("{asset} Wallet"), "currency": asset,
        "available_balance": {"value": amount(of.free), "currency": asset},
        "hold": {"value": amount(of.locked), "currency": asset}, "active": true, "ready": true,
    })
}

/// Status and body of an answer, as they are said to who has no WebSocket.
pub(super) fn said(status: u16, body: &Value) -> String {
    format!("{status} {body}")
}

/// The body of a refusal that has a status of its own.
pub(super) fn refusal(word: &str) -> Value {
    json!({"error": word, "error_details": word, "message": word})
}

/// The answer to a new order.
pub(super) fn placed(order: &Order, exchange_symbol: &str) -> Value {
    let id = uuid(order.id);
    let done = json!({
        "order_id": id, "product_id": exchange_symbol, "side": side_text(order.side),
        "client_order_id": order.client_order_id,
    });
    json!({"success": true, "failure_reason": "UNKNOWN_FAILURE_REASON", "order_id": id,
           "success_response": done})
}

/// The answer to a new order that was refused.
pub(super) fn not_placed(word: &str) -> Value {
    let why = json!({
        "error": word, "message": word, "error_details": "",
        "preview_failure_reason": "UNKNOWN_PREVIEW_FAILURE_REASON", "new_order_failure_reason": word,
    });
    json!({"success": false, "failure_reason": "UNKNOWN_FAILURE_REASON", "order_id": "",
           "error_response": why})
}

/// The answer to a cancel, whose outcome stands in a list.
pub(super) fn canceled(order_id: &str, why: Option<&str>) -> Value {
    let word = why.unwrap_or("UNKNOWN_CANCEL_FAILURE_REASON");
    json!({"results": [{"success": why.is_none(), "failure_reason": word, "order_id": order_id}]})
}

/// The answer to a change.
pub(super) fn edited(why: Option<&str>) -> Value {
    let reason = |why: &str| json!({"edit_failure_reason": why});
    json!({"success": why.is_none(), "errors": why.map(reason).into_iter().collect::<Vec<_>>()})
}

/// The word for a change that was refused.
pub(super) fn edit_word_of(why: Refused) -> &'static str {
    match why {
        Refused::Exchange(Refusal::UnknownOrder | Refusal::NoSuchOrder) => "ORDER_NOT_FOUND",
        Refused::Exchange(Refusal::AmendNotWorking) => "ONLY_OPEN_ORDERS_CAN_BE_EDITED",
        Refused::Exchange(Refusal::AmendNotSmaller) => "CANNOT_EDIT_TO_BELOW_FILLED_SIZE",
        Refused::Exchange(Refusal::Filter(_)) => "INVALID_EDITED_SIZE",
        _ => "COMMANDER_REJECTED_EDIT_ORDER",
    }
}

/// The status of a refusal that is no word on the order, and its word.
pub(super) fn status_of(why: Refused) -> Option<(u16, &'static str)> {
    match why {
        Refused::NotLoggedOn => Some((401, "Unauthorized")),
        Refused::Expired | Refused::Malformed => Some((400, "INVALID_ARGUMENT")),
        Refused::TooManyOrders => Some((429, "rate_limit_exceeded")),
        Refused::Unknown => Some((503, "UNAVAILABLE")),
        Refused::Internal => Some((500, "INTERNAL")),
        Refused::NoSuchMarket | Refused::Exchange(_) => None,
    }
}

/// The word for one that is.
pub(super) fn word_of(why: Refused) -> &'static str {
    let Refused::Exchange(refusal) = why else { return "INVALID_PRODUCT_ID" };
    match refusal {
        Refusal::Filter(Filter::Price) => "INVALID_PRICE_PRECISION",
        Refusal::Filter(Filter::LotSize | Filter::MarketLotSize) => "INVALID_SIZE_PRECISION",
        Refusal::Filter(Filter::Notional) => "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL",
        Refusal::Filter(_) => "INVALID_LIMIT_PRICE",
        Refusal::MarketClosed => "ORDER_ENTRY_DISABLED",
        Refusal::NoBalance => "INSUFFICIENT_FUND",
        Refusal::WouldTake => "INVALID_LIMIT_PRICE_POST_ONLY",
        Refusal::UnknownOrder | Refusal::NoSuchOrder => "UNKNOWN_CANCEL_ORDER",
        // The venue leads to the first order, has no stops here, and amends nothing.
        Refusal::DuplicateName
        | Refusal::WouldTrigger
        | Refusal::AmendNotSmaller
        | Refusal::AmendNotWorking
        | Refusal::NotReducing => "UNSUPPORTED_ORDER_CONFIGURATION",
    }
}

/// The order that the exchange knows by this number, in whatever market.
pub(super) fn order_of(exchange: &Exchange, id: u64) -> Option<&Order> {
    use crate::venue::simulated::exchange::OrderName;
    let name = OrderName::Id(id);
    (0..exchange.markets().len()).find_map(|market| exchange.orders().find(market, &name))
}
