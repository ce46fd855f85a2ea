//! The parameters of a new order, read into the exchange's units.

use serde_json::{Map, Value};

use super::decimal::{DecimalError, TEXT_SCALE, parse_decimal};
use super::refusal::Refusal;
use crate::venue::simulated::exchange::{
    Filter, NewOrder, OrderType, SelfTrade, Side, SimulatedSymbol, TimeInForce,
};

/// A client's own name for an order or a cancel has at most this many characters.
const CLIENT_ID_LEN_MAX: usize = 36;

/// How much a client wants to be told in the reply to a new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseType {
    Ack,
    Result,
    Full,
}

/// Reads the parameters of `order.place`.
pub fn new_order(
    params: &Map<String, Value>,
    market: usize,
    symbol: &SimulatedSymbol,
) -> Result<(NewOrder, ResponseType), Refusal> {
    let side = match required(params, "side")?.as_str() {
        "BUY" => Side::Buy,
        "SELL" => Side::Sell,
        _ => return Err(Refusal::bad(-1117, "Invalid side.")),
    };
    let order_type = match required(params, "type")?.as_str() {
        "LIMIT" => OrderType::Limit,
        "LIMIT_MAKER" => OrderType::LimitMaker,
        "MARKET" => OrderType::Market,
        "STOP_LOSS" => OrderType::StopLoss,
        "STOP_LOSS_LIMIT" => OrderType::StopLossLimit,
        "TAKE_PROFIT" => OrderType::TakeProfit,
        "TAKE_PROFIT_LIMIT" => OrderType::TakeProfitLimit,
        _ => return Err(Refusal::bad(-1116, "Invalid orderType.")),
    };
    let has_life = order_type.is_priced() && order_type != OrderType::LimitMaker;
    let time_in_force = match (has_life, text(params, "timeInForce").as_deref()) {
        (true, None) => return Err(Refusal::missing("timeInForce")),
        (true, Some("GTC")) | (false, None) => TimeInForce::Gtc,
        (true, Some("IOC")) => TimeInForce::Ioc,
        (true, Some("FOK")) => TimeInForce::Fok,
        (true, Some(_)) => return Err(Refusal::bad(-1115, "Invalid timeInForce.")),
        (false, Some(_)) => return Err(not_required("timeInForce")),
    };
    let price_of = |name: &str, is_needed: bool| match is_needed {
        true => number(params, name, symbol.price_scale, Filter::Price),
        false if params.contains_key(name) => Err(not_required(name)),
        false => Ok(0),
    };
    let price = price_of("price", order_type.is_priced())?;
    let stop_price = price_of("stopPrice", order_type.is_stop())?;
    let self_trade = match text(params, "selfTradePreventionMode").as_deref() {
        None => None,
        Some("NONE") => Some(SelfTrade::Allow),
        Some("EXPIRE_TAKER") => Some(SelfTrade::ExpireTaker),
        Some("EXPIRE_MAKER") => Some(SelfTrade::ExpireMaker),
        Some("EXPIRE_BOTH") => Some(SelfTrade::ExpireBoth),
        Some("DECREMENT") => Some(SelfTrade::Decrement),
        Some(_) => return Err(Refusal::bad(-1130, "Invalid selfTradePreventionMode.")),
    };
    let order = NewOrder {
        is_accepted_first: false,
        reduces_only: false,
        market,
        side,
        order_type,
        time_in_force,
        price,
        stop_price,
        qty: qty(params, "quantity", symbol)?,
        client_order_id: client_id(params, "newClientOrderId")?,
        self_trade,
    };
    Ok((order, response(params, order_type)?))
}

/// A parameter as text; numbers count as their text.
pub fn text(params: &Map<String, Value>, name: &str) -> Option<String> {
    match params.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

pub fn required(params: &Map<String, Value>, name: &str) -> Result<String, Refusal> {
    text(params, name).filter(|text| !text.is_empty()).ok_or_else(|| Refusal::missing(name))
}

/// A client's own name: letters, digits and a few marks, so that it needs no escaping anywhere.
pub fn client_id(params: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    let Some(id) = text(params, name) else { return Ok(None) };
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:/.".contains(&byte);
    if id.is_empty() || id.len() > CLIENT_ID_LEN_MAX || !id.bytes().all(is_legal) {
        let message = format!(
            "Illegal characters found in parameter '{name}'; legal range is \
             '^[a-zA-Z0-9-_:/.]{{1,36}}$'."
        );
        return Err(Refusal::bad(-1100, &message));
    }
    Ok(Some(id))
}

/// A quantity of the symbol's scale.
pub fn qty(
    params: &Map<String, Value>,
    name: &str,
    symbol: &SimulatedSymbol,
) -> Result<u64, Refusal> {
    number(params, name, symbol.qty_scale, Filter::LotSize)
}

/// A number of the symbol's scale. More digits than the asset has are malformed; more than the
/// symbol has break its filter.
fn number(
    params: &Map<String, Value>,
    name: &str,
    scale: u32,
    filter: Filter,
) -> Result<u64, Refusal> {
    let text = required(params, name)?;
    parse_decimal(&text, scale).map_err(|why| match why {
        DecimalError::TooPrecise if parse_decimal(&text, TEXT_SCALE).is_ok() => {
            Refusal::filter(filter)
        }
        DecimalError::TooPrecise => {
            Refusal::bad(-1111, &format!("Parameter '{name}' has too much precision."))
        }
        DecimalError::TooLarge => Refusal::filter(filter),
        DecimalError::Malformed => {
            let message = format!("Illegal characters found in parameter '{name}'.");
            Refusal::bad(-1100, &message)
        }
    })
}

fn response(params: &Map<String, Value>, order_type: OrderType) -> Result<ResponseType, Refusal> {
    match (text(params, "newOrderRespType").as_deref(), order_type) {
        (Some("ACK"), _) => Ok(ResponseType::Ack),
        (Some("RESULT"), _) => Ok(ResponseType::Result),
        (Some("FULL"), _) | (None, OrderType::Limit | OrderType::Market) => Ok(ResponseType::Full),
        (None, _) => Ok(ResponseType::Ack),
        (Some(_), _) => Err(Refusal::bad(-1100, "Invalid newOrderRespType.")),
    }
}

fn not_required(name: &str) -> Refusal {
    Refusal::bad(-1106, &format!("Parameter '{name}' sent when not required."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(change: Value) -> Result<(NewOrder, ResponseType), i32> {
        let mut params = json!({
            "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "60000.01",
            "quantity": "0.00100", "newClientOrderId": "a-1"
        });
        for (name, value) in change.as_object().expect("an object") {
            params[name] = value.clone();
        }
        let params = params.as_object().expect("an object");
        new_order(params, 0, &SimulatedSymbol::default()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_good_order_is_read() {
        let (request, response) = read(json!({})).expect("good");
        assert_eq!((request.price, request.qty, request.side), (6_000_001, 100, Side::Buy));
        assert_eq!(response, ResponseType::Full);
    }

    #[test]
    fn each_broken_rule_has_its_code() {
        for (change, code) in [
            (json!({"side": "HOLD"}), -1117),
            (json!({"type": "ICEBERG"}), -1116),
            (json!({"timeInForce": "DAY"}), -1115),
            (json!({"timeInForce": null}), -1102),
            (json!({"type": "MARKET"}), -1106),
            (json!({"type": "STOP_LOSS_LIMIT"}), -1102),
            (json!({"type": "STOP_LOSS", "stopPrice": "59000"}), -1106),
            (json!({"stopPrice": "59000"}), -1106),
            (json!({"price": "60000.015"}), -1013),
            (json!({"price": "60000.0000000001"}), -1111),
            (json!({"price": "1e5"}), -1100),
            (json!({"quantity": "0.000001"}), -1013),
            (json!({"quantity": null}), -1102),
            (json!({"newClientOrderId": "a b"}), -1100),
            (json!({"newOrderRespType": "LOUD"}), -1100),
        ] {
            assert_eq!(read(change.clone()).expect_err("refused"), code, "{change}");
        }
    }
}
