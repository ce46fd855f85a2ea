//! What each request weighs. Source: the venue's REST and WebSocket API references, mid 2026.

use crate::venue::simulated::server::HttpRequest;

/// A connection to the WebSocket API.
pub const CONNECT: u32 = 2;
/// A new order: nothing once it has succeeded.
pub const PLACE: u32 = 1;

/// A REST request. Unknown paths weigh what the cheapest known one does.
pub fn rest(request: &HttpRequest) -> u32 {
    match request.path.as_str() {
        "/api/v3/depth" => {
            let limit = request.parameter("limit").and_then(|text| text.parse().ok());
            match limit.unwrap_or(100_u32) {
                0..=100 => 5,
                101..=500 => 25,
                501..=1_000 => 50,
                _ => 250,
            }
        }
        "/api/v3/exchangeInfo" => 20,
        _ => 1,
    }
}

/// A request of the WebSocket API; `of_symbol`, `of_order`: it names one.
pub fn api(method: &str, of_symbol: bool, of_order: bool) -> u32 {
    match method {
        "myTrades" if of_order => 5,
        "session.logon"
        | "session.status"
        | "session.logout"
        | "userDataStream.subscribe"
        | "userDataStream.unsubscribe" => 2,
        "order.status" | "order.amend.keepPriority" => 4,
        "openOrders.status" if of_symbol => 6,
        "openOrders.status" => 80,
        "exchangeInfo" | "myTrades" | "account.status" => 20,
        _ => PLACE,
    }
}
