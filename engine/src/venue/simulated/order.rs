//! An order of the account, and the texts in which the venue speaks of it.

use super::book::Side;
use super::decimal::Decimal;
use super::options::SimulatedSymbol;

/// What kinds of order the venue takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrderType {
    Limit,
    LimitMaker,
    Market,
}

/// How long an order lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeInForce {
    Gtc,
    Ioc,
    Fok,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    New,
    PartiallyFilled,
    Filled,
    Canceled,
    Expired,
}

/// An order of the account.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) id: u64,
    pub(super) client_order_id: String,
    /// Number of its market.
    pub(super) market: usize,
    pub(super) side: Side,
    pub(super) order_type: OrderType,
    pub(super) time_in_force: TimeInForce,
    /// 0 for a market order.
    pub(super) price: u64,
    pub(super) qty: u64,
    pub(super) executed: u64,
    /// Sum of price times quantity of its fills.
    pub(super) notional: u128,
    pub(super) status: Status,
    /// The resting part's id in the book.
    pub(super) resting: Option<u64>,
    pub(super) created_ms: i64,
    pub(super) updated_ms: i64,
}

/// One fill, as the order sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OrderFill {
    pub(super) trade_id: u64,
    pub(super) price: u64,
    pub(super) qty: u64,
    pub(super) is_maker: bool,
}

/// What an exec report tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExecType<'a> {
    New,
    Trade(OrderFill),
    /// With the client's name for the cancel itself.
    Canceled(&'a str),
    Expired,
}

/// How much a client wants to be told in the reply to a new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResponseType {
    Ack,
    Result,
    Full,
}

impl OrderType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Limit => "LIMIT",
            Self::LimitMaker => "LIMIT_MAKER",
            Self::Market => "MARKET",
        }
    }
}

impl TimeInForce {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gtc => "GTC",
            Self::Ioc => "IOC",
            Self::Fok => "FOK",
        }
    }
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::PartiallyFilled => "PARTIALLY_FILLED",
            Self::Filled => "FILLED",
            Self::Canceled => "CANCELED",
            Self::Expired => "EXPIRED",
        }
    }
}

pub(super) fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

impl Order {
    /// Whether more may happen to it.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.status, Status::New | Status::PartiallyFilled)
    }

    /// Quantity that is not executed.
    pub(super) fn remaining(&self) -> u64 {
        self.qty - self.executed
    }

    /// The `executionReport` event.
    ///
    /// Field order of reports recorded from the venue in 2026. The conditional field `v` (a match
    /// prevented between own orders) never applies here.
    pub(super) fn exec_report(
        &self,
        symbol: &SimulatedSymbol,
        exec: ExecType<'_>,
        execution_id: u64,
        now_ms: i64,
    ) -> String {
        let price = |value| Decimal::new(value, symbol.price_scale);
        let qty = |value| Decimal::new(value, symbol.qty_scale);
        let quote = |value| self.quote(symbol, value);
        let (exec_name, client_id, original_id) = match exec {
            ExecType::New => ("NEW", self.client_order_id.as_str(), ""),
            ExecType::Trade(_) => ("TRADE", self.client_order_id.as_str(), ""),
            ExecType::Canceled(name) => ("CANCELED", name, self.client_order_id.as_str()),
            ExecType::Expired => ("EXPIRED", self.client_order_id.as_str(), ""),
        };
        let fill = match exec {
            ExecType::Trade(fill) => Some(fill),
            _ => None,
        };
        let (last_qty, last_price) = fill.map_or((0, 0), |fill| (fill.qty, fill.price));
        let (fee, fee_asset) = match (fill, self.side) {
            (None, _) => ("0", "null".to_owned()),
            (Some(_), Side::Buy) => ("0.00000000", format!("\"{}\"", symbol.base_asset)),
            (Some(_), Side::Sell) => ("0.00000000", format!("\"{}\"", symbol.quote_asset)),
        };
        let trade_id = fill.map_or(-1, |fill| fill.trade_id as i64);
        format!(
            r#"{{"e":"executionReport","E":{now_ms},"s":"{}","c":"{client_id}","S":"{}","o":"{}","f":"{}","q":"{}","p":"{}","P":"0.00000000","F":"0.00000000","g":-1,"C":"{original_id}","x":"{exec_name}","X":"{}","r":"NONE","i":{},"l":"{}","z":"{}","L":"{}","n":"{fee}","N":{fee_asset},"T":{now_ms},"t":{trade_id},"I":{execution_id},"w":{},"m":{},"M":{},"O":{},"Z":"{}","Y":"{}","Q":"0.00000000","W":{},"V":"NONE"}}"#,
            symbol.name,
            side_name(self.side),
            self.order_type.name(),
            self.time_in_force.name(),
            qty(self.qty),
            price(self.price),
            self.status.name(),
            self.id,
            qty(last_qty),
            qty(self.executed),
            price(last_price),
            self.is_open(),
            fill.is_some_and(|fill| fill.is_maker),
            fill.is_some(),
            self.created_ms,
            quote(self.notional),
            quote(u128::from(last_qty) * u128::from(last_price)),
            self.created_ms,
        )
    }

    /// The result of `order.place`.
    pub(super) fn placed(
        &self,
        symbol: &SimulatedSymbol,
        response: ResponseType,
        fills: &[OrderFill],
    ) -> String {
        let mut text = format!(
            r#"{{"symbol":"{}","orderId":{},"orderListId":-1,"clientOrderId":"{}","transactTime":{}"#,
            symbol.name, self.id, self.client_order_id, self.updated_ms
        );
        if response != ResponseType::Ack {
            text.push_str(&self.body(symbol));
            text.push_str(&format!(r#","workingTime":{}"#, self.created_ms));
        }
        if response == ResponseType::Full {
            let fee_asset = match self.side {
                Side::Buy => &symbol.base_asset,
                Side::Sell => &symbol.quote_asset,
            };
            let fills: Vec<String> = fills
                .iter()
                .map(|fill| {
                    format!(
                        r#"{{"price":"{}","qty":"{}","commission":"0.00000000","commissionAsset":"{fee_asset}","tradeId":{}}}"#,
                        Decimal::new(fill.price, symbol.price_scale),
                        Decimal::new(fill.qty, symbol.qty_scale),
                        fill.trade_id
                    )
                })
                .collect();
            text.push_str(&format!(r#","fills":[{}]"#, fills.join(",")));
        }
        if response != ResponseType::Ack {
            text.push_str(r#","selfTradePreventionMode":"NONE""#);
        }
        text.push('}');
        text
    }

    /// The result of a cancel.
    pub(super) fn canceled(&self, symbol: &SimulatedSymbol, cancel_id: &str) -> String {
        format!(
            r#"{{"symbol":"{}","origClientOrderId":"{}","orderId":{},"orderListId":-1,"clientOrderId":"{cancel_id}","transactTime":{}{},"selfTradePreventionMode":"NONE"}}"#,
            symbol.name,
            self.client_order_id,
            self.id,
            self.updated_ms,
            self.body(symbol)
        )
    }

    /// The result of a query.
    pub(super) fn queried(&self, symbol: &SimulatedSymbol) -> String {
        format!(
            r#"{{"symbol":"{}","orderId":{},"orderListId":-1,"clientOrderId":"{}"{},"stopPrice":"0.00000000","icebergQty":"0.00000000","time":{},"updateTime":{},"isWorking":{},"workingTime":{},"selfTradePreventionMode":"NONE"}}"#,
            symbol.name,
            self.id,
            self.client_order_id,
            self.body(symbol),
            self.created_ms,
            self.updated_ms,
            self.is_open(),
            self.created_ms
        )
    }

    /// The fields that all results share.
    fn body(&self, symbol: &SimulatedSymbol) -> String {
        format!(
            r#","price":"{}","origQty":"{}","executedQty":"{}","origQuoteOrderQty":"0.000000","cummulativeQuoteQty":"{}","status":"{}","timeInForce":"{}","type":"{}","side":"{}""#,
            Decimal::new(self.price, symbol.price_scale),
            Decimal::new(self.qty, symbol.qty_scale),
            Decimal::new(self.executed, symbol.qty_scale),
            self.quote(symbol, self.notional),
            self.status.name(),
            self.time_in_force.name(),
            self.order_type.name(),
            side_name(self.side)
        )
    }

    fn quote(&self, symbol: &SimulatedSymbol, notional: u128) -> Decimal {
        Decimal { value: notional, scale: symbol.price_scale + symbol.qty_scale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exec_report_has_the_fields_of_the_venues_own() {
        let order = Order {
            id: 7,
            client_order_id: "a-1".into(),
            market: 0,
            side: Side::Buy,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            price: 6_000_000,
            qty: 100,
            executed: 40,
            notional: 240_000_000,
            status: Status::PartiallyFilled,
            resting: Some(1),
            created_ms: 5,
            updated_ms: 6,
        };
        let fill = OrderFill { trade_id: 9, price: 6_000_000, qty: 40, is_maker: true };
        let symbol = SimulatedSymbol::default();
        assert_eq!(
            order.exec_report(&symbol, ExecType::Trade(fill), 11, 6),
            r#"{"e":"executionReport","E":6,"s":"BTCUSDT","c":"a-1","S":"BUY","o":"LIMIT","f":"GTC","q":"0.00100000","p":"60000.00000000","P":"0.00000000","F":"0.00000000","g":-1,"C":"","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":7,"l":"0.00040000","z":"0.00040000","L":"60000.00000000","n":"0.00000000","N":"BTC","T":6,"t":9,"I":11,"w":true,"m":true,"M":true,"O":5,"Z":"24.00000000","Y":"24.00000000","Q":"0.00000000","W":5,"V":"NONE"}"#
        );
        let text = order.exec_report(&symbol, ExecType::Canceled("c-1"), 12, 8);
        assert!(text.contains(r#""c":"c-1""#) && text.contains(r#""C":"a-1""#), "{text}");
        assert!(text.contains(r#""N":null"#) && text.contains(r#""t":-1"#), "{text}");
        for text in [
            order.placed(&symbol, ResponseType::Full, &[fill]),
            order.canceled(&symbol, "c"),
            order.queried(&symbol),
        ] {
            serde_json::from_str::<serde_json::Value>(&text).expect("results are JSON");
        }
    }
}
