//! What the venue says when it refuses: its own codes and words.

use crate::venue::simulated::exchange::{Filter, Refusal as Refused};
use crate::venue::simulated::limits::OrderCountExceeded;
use crate::venue::simulated::server::Reply;

/// Status, code and message of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: i32,
    pub message: String,
    /// When to come back, milliseconds of the epoch.
    pub retry_after_ms: Option<i64>,
}

impl Refusal {
    pub fn new(status: u16, code: i32, message: &str) -> Self {
        Self { status, code, message: message.into(), retry_after_ms: None }
    }

    /// Status 400.
    pub fn bad(code: i32, message: &str) -> Self {
        Self::new(400, code, message)
    }

    /// Status 401.
    pub fn unauthorized(code: i32, message: &str) -> Self {
        Self::new(401, code, message)
    }

    /// A key that is wrong, or was revoked.
    pub fn key() -> Self {
        Self::unauthorized(-2015, "Invalid API-key, IP, or permissions for action.")
    }

    /// A parameter that is needed and was not sent.
    pub fn missing(name: &str) -> Self {
        let message =
            format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
        Self::bad(-1102, &message)
    }

    /// An order that breaks a rule of its symbol.
    pub fn filter(filter: Filter) -> Self {
        let name = match filter {
            Filter::Price => "PRICE_FILTER",
            Filter::LotSize => "LOT_SIZE",
            Filter::MarketLotSize => "MARKET_LOT_SIZE",
            Filter::MaxPosition => "MAX_POSITION",
            Filter::Notional => "NOTIONAL",
            Filter::PercentPriceBySide => "PERCENT_PRICE_BY_SIDE",
            Filter::MaxNumOrders => "MAX_NUM_ORDERS",
            Filter::MaxNumAlgoOrders => "MAX_NUM_ALGO_ORDERS",
            Filter::MaxNumOrderAmends => "MAX_NUM_ORDER_AMENDS",
        };
        let code = if filter == Filter::MaxNumOrderAmends { -2038 } else { -1013 };
        Self::bad(code, &format!("Filter failure: {name}"))
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Filter(filter) => Self::filter(filter),
            Refused::DuplicateName => Self::bad(-2010, "Duplicate order sent."),
            Refused::WouldTake => Self::bad(-2010, "Order would immediately match and take."),
            Refused::WouldTrigger => Self::bad(-2010, "Stop price would trigger immediately."),
            Refused::NoBalance => {
                Self::bad(-2010, "Account has insufficient balance for requested action.")
            }
            Refused::NotReducing => Self::bad(-2022, "ReduceOnly Order is rejected."),
            Refused::MarketClosed => Self::bad(-1013, "Market is closed."),
            Refused::UnknownOrder => Self::bad(-2011, "Unknown order sent."),
            Refused::NoSuchOrder => Self::bad(-2013, "Order does not exist."),
            Refused::AmendNotWorking => {
                Self::bad(-2038, "An order that waits for its stop price can not be amended.")
            }
            Refused::AmendNotSmaller => {
                Self::bad(-2038, "The new quantity must be less than the order's quantity.")
            }
        }
    }
}

impl From<OrderCountExceeded> for Refusal {
    fn from(count: OrderCountExceeded) -> Self {
        let OrderCountExceeded { limit, interval, until_ms } = count;
        let message =
            format!("Too many new orders; current limit is {limit} orders per {interval}.");
        Self { retry_after_ms: Some(until_ms), ..Self::new(429, -1015, &message) }
    }
}

/// The error object of REST.
pub fn http(status: u16, code: i32, message: &str) -> Reply {
    Reply::new(status, format!(r#"{{"code":{code},"msg":"{message}"}}"#).into_bytes())
}
