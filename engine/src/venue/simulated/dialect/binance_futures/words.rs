//! The texts in which the venue speaks of orders, wallets and positions.

use serde_json::{Value, json};

use super::super::binance_spot::decimal::Decimal;
use super::super::order_entry::average;
use crate::venue::simulated::exchange::{
    AMOUNT_SCALE, Amount, BalanceNow, Exchange, ExecKind, ExpiryReason, LedgerTrade, Order,
    OrderReport, OrderType, Position, Side, SimulatedSymbol, Status, TimeInForce,
};

fn amount(value: Amount) -> String {
    Decimal { value, scale: AMOUNT_SCALE }.to_string()
}

fn price(symbol: &SimulatedSymbol, value: u64) -> String {
    Decimal::new(value, symbol.price_scale).to_string()
}

fn qty(symbol: &SimulatedSymbol, value: u64) -> String {
    Decimal::new(value, symbol.qty_scale).to_string()
}

fn type_and_life(order: &Order) -> (&'static str, &'static str) {
    match (order.order_type, order.time_in_force) {
        (OrderType::LimitMaker, _) => ("LIMIT", "GTX"),
        (OrderType::Limit, TimeInForce::Gtc) => ("LIMIT", "GTC"),
        (OrderType::Limit, TimeInForce::Ioc) => ("LIMIT", "IOC"),
        (OrderType::Limit, TimeInForce::Fok) => ("LIMIT", "FOK"),
        _ => ("MARKET", "GTC"),
    }
}

fn status(order: &Order) -> &'static str {
    match order.status {
        Status::New => "NEW",
        Status::PartiallyFilled => "PARTIALLY_FILLED",
        Status::Filled => "FILLED",
        Status::Canceled => "CANCELED",
        Status::Expired => "EXPIRED",
        Status::ExpiredInMatch => "EXPIRED_IN_MATCH",
    }
}

fn side(side: Side) -> &'static str {
    if side == Side::Buy { "BUY" } else { "SELL" }
}

/// What an order's fills have cost on average, as the venue writes it.
fn average_text(order: &Order, symbol: &SimulatedSymbol) -> String {
    match average(order, symbol) {
        nothing if nothing.is_empty() => "0.00".to_owned(),
        price => price,
    }
}

/// An order, as answers tell it.
pub(super) fn order(order: &Order, symbol: &SimulatedSymbol) -> Value {
    let (kind, life) = type_and_life(order);
    let sum = Decimal { value: order.notional, scale: symbol.price_scale + symbol.qty_scale };
    json!({
        "orderId": order.id, "symbol": symbol.name, "status": status(order),
        "clientOrderId": order.client_order_id, "price": price(symbol, order.price),
        "avgPrice": average_text(order, symbol), "origQty": qty(symbol, order.qty),
        "executedQty": qty(symbol, order.executed), "cumQuote": sum.to_string(),
        "timeInForce": life, "type": kind, "closePosition": false, "side": side(order.side),
        "positionSide": "BOTH", "stopPrice": "0.00", "workingType": "CONTRACT_PRICE",
        "priceProtect": false, "origType": kind, "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER", "goodTillDate": 0,
        "time": order.created_ms, "updateTime": order.updated_ms,
    })
}

/// One entry of a list of fills.
pub(super) fn fill(trade: &LedgerTrade, symbol: &SimulatedSymbol) -> Value {
    json!({
        "symbol": symbol.name, "id": trade.trade_id, "orderId": trade.order_id,
        "side": side(trade.side), "price": price(symbol, trade.price),
        "qty": qty(symbol, trade.qty), "commission": amount(trade.fee.amount),
        "commissionAsset": &*trade.fee.asset, "time": trade.at_ms, "positionSide": "BOTH",
        "buyer": trade.side == Side::Buy, "maker": trade.is_maker,
    })
}

/// The wallets, as REST tells them.
pub(super) fn wallets(balances: &[BalanceNow]) -> Value {
    let wallet = |balance: &BalanceNow| {
        let all = amount(balance.free + balance.locked);
        json!({"accountAlias": "Simulated", "asset": &*balance.asset, "balance": all,
            "crossWalletBalance": all, "crossUnPnl": "0.00000000", "availableBalance": all,
            "maxWithdrawAmount": all, "marginAvailable": true})
    };
    balances.iter().map(wallet).collect()
}

/// `ORDER_TRADE_UPDATE`, in the venue's order of fields; `None` where it tells nothing.
pub(super) fn report(
    report: &OrderReport,
    symbol: &SimulatedSymbol,
    now_ms: i64,
) -> Option<String> {
    let order = &report.order;
    let (exec, reason) = match &report.kind {
        ExecKind::New | ExecKind::Triggered => ("NEW", "0"),
        ExecKind::Trade(_) => ("TRADE", "0"),
        ExecKind::Canceled(_) => ("CANCELED", "0"),
        ExecKind::Replaced(_) => ("AMENDMENT", "0"),
        ExecKind::Expired(reason) => ("EXPIRED", expiry(*reason)),
        // Nothing of it is told before it ends.
        ExecKind::Prevented { .. } if order.is_open() => return None,
        ExecKind::Prevented { .. } => ("EXPIRED", "1"),
    };
    let fill = match &report.kind {
        ExecKind::Trade(fill) => Some(fill),
        _ => None,
    };
    let (last_qty, last_price) = fill.map_or((0, 0), |fill| (fill.qty, fill.price));
    let fee = fill.map_or(String::new(), |fill| {
        format!(r#","N":"{}","n":"{}""#, fill.fee.asset, amount(fill.fee.amount))
    });
    let (kind, life) = type_and_life(order);
    Some(format!(
        r#"{{"e":"ORDER_TRADE_UPDATE","E":{now_ms},"T":{now_ms},"o":{{"s":"{}","c":"{}","S":"{}","o":"{kind}","f":"{life}","q":"{}","p":"{}","ap":"{}","sp":"0","x":"{exec}","X":"{}","i":{},"l":"{}","z":"{}","L":"{}"{fee},"T":{now_ms},"t":{},"b":"0","a":"0","m":{},"wt":"CONTRACT_PRICE","ot":"{kind}","ps":"BOTH","cp":false,"rp":"0","V":"EXPIRE_MAKER","pm":"NONE","gtd":0,"er":"{reason}"}}}}"#,
        symbol.name,
        order.client_order_id,
        side(order.side),
        qty(symbol, order.qty),
        price(symbol, order.price),
        average_text(order, symbol),
        status(order),
        order.id,
        qty(symbol, last_qty),
        qty(symbol, order.executed),
        price(symbol, last_price),
        fill.map_or(0, |fill| fill.trade_id),
        fill.is_some_and(|fill| fill.is_maker),
    ))
}

fn expiry(reason: ExpiryReason) -> &'static str {
    match reason {
        ExpiryReason::IocUnfilled => "2",
        ExpiryReason::NoBalance => "5",
        ExpiryReason::NoLiquidity => "9",
        ExpiryReason::FokUnfilled => "10",
        ExpiryReason::WouldTake => "11",
    }
}

/// `ACCOUNT_UPDATE`: wallets, and the positions as they are now.
pub(super) fn account(balances: &[BalanceNow], exchange: &Exchange, now_ms: i64) -> String {
    let wallet = |balance: &BalanceNow| {
        let all = amount(balance.free + balance.locked);
        json!({"a": &*balance.asset, "wb": all, "cw": all, "bc": "0"})
    };
    let wallets: Vec<Value> = balances.iter().map(wallet).collect();
    let markets = exchange.markets().iter().enumerate();
    let positions: Vec<Value> = markets
        .filter_map(|(index, market)| {
            Some(position(exchange.orders().position(index)?, &market.symbol))
        })
        .collect();
    json!({"e": "ACCOUNT_UPDATE", "E": now_ms, "T": now_ms,
        "a": {"m": "ORDER", "B": wallets, "P": positions}})
    .to_string()
}

/// The positions, as REST lists them: those that are not 0.
pub(super) fn positions(exchange: &Exchange) -> Value {
    let markets = exchange.markets().iter().enumerate();
    let held = markets.filter_map(|(index, market)| {
        let position = exchange.orders().position(index).filter(|of| of.qty != 0)?;
        let told = self::position(position, &market.symbol);
        Some(json!({"symbol": told["s"], "positionSide": told["ps"], "positionAmt": told["pa"],
            "entryPrice": told["ep"], "breakEvenPrice": told["bep"], "unRealizedProfit": "0.00",
            "liquidationPrice": "0", "isolatedMargin": "0", "marginAsset": "USDT"}))
    });
    held.collect()
}

fn position(position: &Position, symbol: &SimulatedSymbol) -> Value {
    let sign = if position.qty < 0 { "-" } else { "" };
    let size = Decimal { value: position.qty.unsigned_abs(), scale: symbol.qty_scale };
    let entry = match position.qty {
        0 => 0,
        qty => (position.cost / qty).unsigned_abs(),
    };
    let entry = Decimal { value: entry, scale: symbol.price_scale };
    json!({"s": symbol.name, "pa": format!("{sign}{size}"), "ep": entry.to_string(),
        "bep": entry.to_string(), "cr": "0", "up": "0", "mt": "cross", "iw": "0", "ps": "BOTH"})
}
