//! The texts in which the venue speaks of orders and balances.

use std::fmt::Write as _;

use super::decimal::Decimal;
use super::order_request::ResponseType;
use crate::venue::simulated::exchange::{
    AMOUNT_SCALE, Amount, BalanceNow, ExecKind, ExpiryReason, LedgerTrade, Order, OrderFill,
    OrderReport, OrderType, Placed, SelfTrade, Side, SimulatedSymbol, Status, TimeInForce,
};

fn order_type(order_type: OrderType) -> &'static str {
    match order_type {
        OrderType::Limit => "LIMIT",
        OrderType::LimitMaker => "LIMIT_MAKER",
        OrderType::Market => "MARKET",
        OrderType::StopLoss => "STOP_LOSS",
        OrderType::StopLossLimit => "STOP_LOSS_LIMIT",
        OrderType::TakeProfit => "TAKE_PROFIT",
        OrderType::TakeProfitLimit => "TAKE_PROFIT_LIMIT",
    }
}

fn time_in_force(life: TimeInForce) -> &'static str {
    match life {
        TimeInForce::Gtc => "GTC",
        TimeInForce::Ioc => "IOC",
        TimeInForce::Fok => "FOK",
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::New => "NEW",
        Status::PartiallyFilled => "PARTIALLY_FILLED",
        Status::Filled => "FILLED",
        Status::Canceled => "CANCELED",
        Status::Expired => "EXPIRED",
        Status::ExpiredInMatch => "EXPIRED_IN_MATCH",
    }
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

/// A mode of self-trade prevention, as the venue writes it.
pub fn self_trade(mode: SelfTrade) -> &'static str {
    match mode {
        SelfTrade::Allow => "NONE",
        SelfTrade::ExpireTaker => "EXPIRE_TAKER",
        SelfTrade::ExpireMaker => "EXPIRE_MAKER",
        SelfTrade::ExpireBoth => "EXPIRE_BOTH",
        SelfTrade::Decrement => "DECREMENT",
    }
}

fn expiry(reason: ExpiryReason) -> &'static str {
    match reason {
        ExpiryReason::IocUnfilled => "UNFILLED_IOC_QUANTITY_EXPIRED",
        ExpiryReason::FokUnfilled => "UNFILLED_FOK_ORDER_EXPIRED",
        ExpiryReason::NoLiquidity => "INSUFFICIENT_LIQUIDITY",
        // The venue refuses the second before it accepts it.
        ExpiryReason::NoBalance | ExpiryReason::WouldTake => "REJECTED",
    }
}

fn amount(value: Amount) -> Decimal {
    Decimal { value, scale: AMOUNT_SCALE }
}

fn price(symbol: &SimulatedSymbol, value: u64) -> Decimal {
    Decimal::new(value, symbol.price_scale)
}

fn qty(symbol: &SimulatedSymbol, value: u64) -> Decimal {
    Decimal::new(value, symbol.qty_scale)
}

fn quote(symbol: &SimulatedSymbol, value: u128) -> Decimal {
    Decimal { value, scale: symbol.price_scale + symbol.qty_scale }
}

/// When an order began to work; nothing of one that waits.
fn working_time(order: &Order, name: &str) -> String {
    match order.working_ms {
        0 => String::new(),
        ms => format!(r#","{name}":{ms}"#),
    }
}

/// The `executionReport` event, in the field order of reports recorded from the venue in 2026.
pub fn exec_report(report: &OrderReport, symbol: &SimulatedSymbol, now_ms: i64) -> String {
    let OrderReport { order, kind, execution_id } = report;
    let name = order.client_order_id.as_str();
    let (exec, client_id, original_id) = match kind {
        // From memory: the venue says a second time that it is new once it works.
        ExecKind::New | ExecKind::Triggered => ("NEW", name, ""),
        ExecKind::Trade(_) => ("TRADE", name, ""),
        ExecKind::Canceled(cancel) => ("CANCELED", cancel.as_str(), name),
        ExecKind::Replaced(before) => ("REPLACED", name, before.as_str()),
        ExecKind::Expired(_) => ("EXPIRED", name, ""),
        ExecKind::Prevented { .. } => ("TRADE_PREVENTION", name, ""),
    };
    let fill = match kind {
        ExecKind::Trade(fill) => Some(fill),
        _ => None,
    };
    let (last_qty, last_price) = fill.map_or((0, 0), |fill| (fill.qty, fill.price));
    let (fee, fee_asset) = match fill {
        None => ("0".to_owned(), "null".to_owned()),
        Some(fill) => (amount(fill.fee.amount).to_string(), format!("\"{}\"", fill.fee.asset)),
    };
    let trade_id = fill.map_or(-1, |fill| fill.trade_id as i64);
    let mut text = format!(
        r#"{{"e":"executionReport","E":{now_ms},"s":"{}","c":"{client_id}","S":"{}","o":"{}","f":"{}","q":"{}","p":"{}","P":"{}","F":"0.00000000","g":-1,"C":"{original_id}","x":"{exec}","X":"{}","r":"NONE","i":{},"l":"{}","z":"{}","L":"{}","n":"{fee}","N":{fee_asset},"T":{now_ms},"t":{trade_id}"#,
        symbol.name,
        side(order.side),
        order_type(order.order_type),
        time_in_force(order.time_in_force),
        qty(symbol, order.qty),
        price(symbol, order.price),
        price(symbol, order.stop_price),
        status(order.status),
        order.id,
        qty(symbol, last_qty),
        qty(symbol, order.executed),
        price(symbol, last_price),
    );
    if let ExecKind::Prevented { match_id, qty: prevented, price: at, counter_order } = kind {
        let value = quote(symbol, u128::from(*prevented) * u128::from(*at));
        let _ = write!(
            text,
            r#","v":{match_id},"A":"{}","B":"{}","u":1,"U":{counter_order},"Cs":"{}","pl":"{}","pL":"{}","pY":"{value}""#,
            qty(symbol, order.prevented),
            qty(symbol, *prevented),
            symbol.name,
            qty(symbol, *prevented),
            price(symbol, *at),
        );
    }
    let _ = write!(
        text,
        r#","I":{execution_id},"w":{},"m":{},"M":{},"O":{},"Z":"{}","Y":"{}","Q":"0.00000000"{},"V":"{}""#,
        order.is_working(),
        fill.is_some_and(|fill| fill.is_maker),
        fill.is_some(),
        order.created_ms,
        quote(symbol, order.notional),
        quote(symbol, u128::from(last_qty) * u128::from(last_price)),
        working_time(order, "W"),
        self_trade(order.self_trade),
    );
    if let ExecKind::Expired(reason) = kind {
        let _ = write!(text, r#","eR":"{}""#, expiry(*reason));
    }
    text.push('}');
    text
}

/// The `outboundAccountPosition` event.
pub fn position(balances: &[BalanceNow], now_ms: i64) -> String {
    let balances: Vec<String> = balances
        .iter()
        .map(|balance| {
            let (free, locked) = (amount(balance.free), amount(balance.locked));
            format!(r#"{{"a":"{}","f":"{free}","l":"{locked}"}}"#, balance.asset)
        })
        .collect();
    let balances = balances.join(",");
    format!(r#"{{"e":"outboundAccountPosition","E":{now_ms},"u":{now_ms},"B":[{balances}]}}"#)
}

/// The result of `account.status`.
pub fn account(balances: &[BalanceNow], now_ms: i64) -> String {
    let rates =
        r#"{"maker":"0.00100000","taker":"0.00100000","buyer":"0.00000000","seller":"0.00000000"}"#;
    let balances: Vec<String> = balances
        .iter()
        .map(|balance| {
            let (free, locked) = (amount(balance.free), amount(balance.locked));
            format!(r#"{{"asset":"{}","free":"{free}","locked":"{locked}"}}"#, balance.asset)
        })
        .collect();
    let balances = balances.join(",");
    format!(
        r#"{{"canTrade":true,"accountType":"SPOT","permissions":["SPOT"],"commissionRates":{rates},"updateTime":{now_ms},"balances":[{balances}]}}"#
    )
}

/// The result of `order.place`.
pub fn placed(
    order: &Order,
    symbol: &SimulatedSymbol,
    response: ResponseType,
    placed: &Placed,
) -> String {
    let mut text = format!(
        r#"{{"symbol":"{}","orderId":{},"orderListId":-1,"clientOrderId":"{}","transactTime":{}"#,
        symbol.name, order.id, order.client_order_id, order.updated_ms
    );
    if response != ResponseType::Ack {
        text.push_str(&body(order, symbol));
        text.push_str(&working_time(order, "workingTime"));
        if response == ResponseType::Full {
            let fills: Vec<String> = placed.fills.iter().map(|f| fill(f, symbol)).collect();
            let _ = write!(text, r#","fills":[{}]"#, fills.join(","));
        }
        if let Some(reason) = order.expiry {
            let _ = write!(text, r#","expiryReason":"{}""#, expiry(reason));
        }
        let _ = write!(text, r#","selfTradePreventionMode":"{}""#, self_trade(order.self_trade));
    }
    text.push('}');
    text
}

fn fill(fill: &OrderFill, symbol: &SimulatedSymbol) -> String {
    format!(
        r#"{{"price":"{}","qty":"{}","commission":"{}","commissionAsset":"{}","tradeId":{}}}"#,
        price(symbol, fill.price),
        qty(symbol, fill.qty),
        amount(fill.fee.amount),
        fill.fee.asset,
        fill.trade_id
    )
}

/// The result of a cancel.
pub fn canceled(order: &Order, symbol: &SimulatedSymbol, cancel_id: &str) -> String {
    format!(
        r#"{{"symbol":"{}","origClientOrderId":"{}","orderId":{},"orderListId":-1,"clientOrderId":"{cancel_id}","transactTime":{}{},"selfTradePreventionMode":"{}"}}"#,
        symbol.name,
        order.client_order_id,
        order.id,
        order.updated_ms,
        body(order, symbol),
        self_trade(order.self_trade)
    )
}

/// The result of an amend. It has words of its own for three of the fields of other results.
pub fn amended(order: &Order, symbol: &SimulatedSymbol, execution_id: u64) -> String {
    let order_text = queried(order, symbol)
        .replace(r#""origQty""#, r#""qty""#)
        .replace(r#""preventedQuantity""#, r#""preventedQty""#)
        .replace(r#""cummulativeQuoteQty""#, r#""cumulativeQuoteQty""#);
    format!(
        r#"{{"transactTime":{},"executionId":{execution_id},"amendedOrder":{order_text}}}"#,
        order.updated_ms
    )
}

/// The result of a query.
pub fn queried(order: &Order, symbol: &SimulatedSymbol) -> String {
    let prevented = match order.prevented {
        0 => String::new(),
        some => format!(r#","preventedQuantity":"{}""#, qty(symbol, some)),
    };
    format!(
        r#"{{"symbol":"{}","orderId":{},"orderListId":-1,"clientOrderId":"{}"{},"stopPrice":"{}","icebergQty":"0.00000000","time":{},"updateTime":{},"isWorking":{}{}{prevented},"selfTradePreventionMode":"{}"}}"#,
        symbol.name,
        order.id,
        order.client_order_id,
        body(order, symbol),
        price(symbol, order.stop_price),
        order.created_ms,
        order.updated_ms,
        order.is_working(),
        working_time(order, "workingTime"),
        self_trade(order.self_trade)
    )
}

/// One entry of `myTrades`.
pub fn trade(trade: &LedgerTrade, symbol: &SimulatedSymbol) -> String {
    format!(
        r#"{{"symbol":"{}","id":{},"orderId":{},"orderListId":-1,"price":"{}","qty":"{}","quoteQty":"{}","commission":"{}","commissionAsset":"{}","time":{},"isBuyer":{},"isMaker":{},"isBestMatch":true}}"#,
        symbol.name,
        trade.trade_id,
        trade.order_id,
        price(symbol, trade.price),
        qty(symbol, trade.qty),
        quote(symbol, u128::from(trade.price) * u128::from(trade.qty)),
        amount(trade.fee.amount),
        trade.fee.asset,
        trade.at_ms,
        trade.side == Side::Buy,
        trade.is_maker
    )
}

/// The fields that all results share.
fn body(order: &Order, symbol: &SimulatedSymbol) -> String {
    format!(
        r#","price":"{}","origQty":"{}","executedQty":"{}","origQuoteOrderQty":"0.000000","cummulativeQuoteQty":"{}","status":"{}","timeInForce":"{}","type":"{}","side":"{}""#,
        price(symbol, order.price),
        qty(symbol, order.qty),
        qty(symbol, order.executed),
        quote(symbol, order.notional),
        status(order.status),
        time_in_force(order.time_in_force),
        order_type(order.order_type),
        side(order.side)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::simulated::exchange::Fee;

    fn order() -> Order {
        Order {
            id: 7,
            client_order_id: "a-1".into(),
            market: 0,
            side: Side::Buy,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            price: 6_000_000,
            stop_price: 0,
            is_waiting: false,
            qty: 100,
            executed: 40,
            prevented: 0,
            notional: 240_000_000,
            status: Status::PartiallyFilled,
            resting: Some(1),
            self_trade: SelfTrade::Allow,
            expiry: None,
            amends: 0,
            created_ms: 5,
            working_ms: 5,
            updated_ms: 6,
        }
    }

    fn report(kind: ExecKind, now_ms: i64) -> String {
        let report = OrderReport { order: order(), kind, execution_id: 11 };
        let text = exec_report(&report, &SimulatedSymbol::default(), now_ms);
        serde_json::from_str::<serde_json::Value>(&text).expect("reports are JSON");
        text
    }

    #[test]
    fn an_exec_report_has_the_fields_of_the_venues_own() {
        let fee = Fee { amount: 4_000_000_000, asset: "BTC".into() };
        let fill = OrderFill { trade_id: 9, price: 6_000_000, qty: 40, is_maker: true, fee };
        assert_eq!(
            report(ExecKind::Trade(fill.clone()), 6),
            r#"{"e":"executionReport","E":6,"s":"BTCUSDT","c":"a-1","S":"BUY","o":"LIMIT","f":"GTC","q":"0.00100000","p":"60000.00000000","P":"0.00000000","F":"0.00000000","g":-1,"C":"","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":7,"l":"0.00040000","z":"0.00040000","L":"60000.00000000","n":"0.00000040","N":"BTC","T":6,"t":9,"I":11,"w":true,"m":true,"M":true,"O":5,"Z":"24.00000000","Y":"24.00000000","Q":"0.00000000","W":5,"V":"NONE"}"#
        );
        let text = report(ExecKind::Canceled("c-1".into()), 8);
        assert!(text.contains(r#""c":"c-1""#) && text.contains(r#""C":"a-1""#), "{text}");
        assert!(text.contains(r#""N":null"#) && text.contains(r#""t":-1"#), "{text}");
        let text = report(ExecKind::Replaced("a-0".into()), 8);
        assert!(text.contains(r#""x":"REPLACED""#) && text.contains(r#""C":"a-0""#), "{text}");
        let kind = ExecKind::Prevented { match_id: 3, qty: 20, price: 6_000_000, counter_order: 8 };
        assert!(report(kind, 8).contains(r#""v":3,"A":"0.00000000","B":"0.00020000""#));
        let symbol = SimulatedSymbol::default();
        let entered = Placed { id: 7, fills: vec![fill] };
        for text in [
            placed(&order(), &symbol, ResponseType::Full, &entered),
            canceled(&order(), &symbol, "c"),
            queried(&order(), &symbol),
            amended(&order(), &symbol, 12),
        ] {
            serde_json::from_str::<serde_json::Value>(&text).expect("results are JSON");
        }
    }

    #[test]
    fn a_position_names_its_balances() {
        let balance = BalanceNow { asset: "BTC".into(), free: 12_500_000_000_000_000, locked: 0 };
        assert_eq!(
            position(&[balance], 5),
            r#"{"e":"outboundAccountPosition","E":5,"u":5,"B":[{"a":"BTC","f":"1.25000000","l":"0.00000000"}]}"#
        );
    }
}
