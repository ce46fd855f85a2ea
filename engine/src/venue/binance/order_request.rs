//! The requests of the order connection, written into one reused buffer without formatting machinery.
//!
//! Source: the venue's WebSocket API, `session.logon`, `userDataStream.subscribe`, `order.place`,
//! `order.cancel`, `order.status`. After a logon a request needs a timestamp and no signature.

use crate::event::{ClientOrderId, ConsumerId, Side, push_scaled};
use crate::order::{OrderCommand, OrderKey, OrderType, TimeInForce};
use crate::venue::Scales;

use super::credentials::Credentials;

/// The longest client order id that the venue takes, bytes.
const ORDER_NAME_BYTES_MAX: usize = 36;

/// The text under which an order is known at the venue: `p<run>-<consumer>-<client_order_id>`.
pub(super) type OrderName = arrayvec::ArrayVec<u8, ORDER_NAME_BYTES_MAX>;

/// Names orders so that another run's can't be taken for ours: numbers start anew with each run.
#[derive(Clone, Copy, Debug)]
pub(super) struct OrderNames {
    run: u32,
}

impl OrderNames {
    pub(super) fn new(run: u32) -> OrderNames {
        OrderNames { run }
    }

    /// The name of an order.
    #[inline]
    pub(super) fn name(self, key: OrderKey) -> OrderName {
        let mut name = OrderName::new();
        let mut digits = itoa::Buffer::new();
        name.push(b'p');
        for part in [u64::from(self.run), u64::from(key.consumer.0), key.id.0] {
            if name.len() > 1 {
                name.push(b'-');
            }
            // 1 + 10 + 1 + 5 + 1 bytes leave room for the eighteen digits of the last part, which counts
            // the orders of one run.
            let text = digits.format(part).as_bytes();
            let _more_orders_than_nine_years_hold = name.try_extend_from_slice(text);
        }
        name
    }

    /// The order that a name stands for; `None` when it is none of this run's.
    #[inline]
    pub(super) fn parse(self, name: &[u8]) -> Option<OrderKey> {
        let mut parts = name.strip_prefix(b"p")?.split(|byte| *byte == b'-').map(number);
        let (run, consumer, id) = (parts.next()??, parts.next()??, parts.next()??);
        if parts.next().is_some() || run != u64::from(self.run) {
            return None;
        }
        let consumer = ConsumerId(u16::try_from(consumer).ok()?);
        Some(OrderKey { consumer, id: ClientOrderId(id) })
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

/// One request's text.
#[derive(Debug, Default)]
pub(super) struct RequestText(Vec<u8>);

impl RequestText {
    /// A buffer that holds every request without growing.
    pub(super) fn new() -> RequestText {
        RequestText(Vec::with_capacity(1_024))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Logs on. Cold: it signs and allocates.
    pub(super) fn logon(&mut self, id: u64, credentials: &Credentials, timestamp_ms: i64) {
        let api_key = credentials.api_key();
        // The parameters in the order of their names, as they are signed.
        let signature = credentials.sign(&format!("apiKey={api_key}&timestamp={timestamp_ms}"));
        self.0.clear();
        self.0.extend_from_slice(
            format!(
                r#"{{"id":{id},"method":"session.logon","params":{{"apiKey":"{api_key}","signature":"{signature}","timestamp":{timestamp_ms}}}}}"#
            )
            .as_bytes(),
        );
    }

    /// Subscribes to the account's own events.
    pub(super) fn subscribe(&mut self, id: u64) {
        self.start(id, "userDataStream.subscribe");
        self.text("{}}");
    }

    /// Places an order. False when the command is none that can be written.
    #[inline]
    pub(super) fn place(
        &mut self,
        id: u64,
        command: &OrderCommand,
        native: &str,
        scales: Scales,
        name: &OrderName,
        timestamp_ms: i64,
    ) -> bool {
        let (Some(side), Some(order_type), Some(life)) =
            (command.side(), command.order_type(), command.time_in_force())
        else {
            return false;
        };
        self.start(id, "order.place");
        self.text(r#"{"symbol":""#);
        self.text(native);
        self.text(match side {
            Side::Buy => r#"","side":"BUY""#,
            Side::Sell => r#"","side":"SELL""#,
        });
        self.text(match (order_type, life) {
            (OrderType::Limit, TimeInForce::Gtc) => r#","type":"LIMIT","timeInForce":"GTC""#,
            (OrderType::Limit, TimeInForce::Ioc) => r#","type":"LIMIT","timeInForce":"IOC""#,
            (OrderType::Limit, TimeInForce::Fok) => r#","type":"LIMIT","timeInForce":"FOK""#,
            // The venue knows no time in force for these two.
            (OrderType::LimitMaker, _) => r#","type":"LIMIT_MAKER""#,
            (OrderType::Market, _) => r#","type":"MARKET""#,
        });
        if order_type != OrderType::Market {
            self.text(r#","price":""#);
            push_scaled(&mut self.0, command.price, scales.price);
            self.text("\"");
        }
        self.text(r#","quantity":""#);
        push_scaled(&mut self.0, command.qty, scales.qty);
        self.text(r#"","newClientOrderId":""#);
        self.0.extend_from_slice(name);
        // The reports tell everything else.
        self.text(r#"","newOrderRespType":"ACK""#);
        self.timestamp(timestamp_ms);
        true
    }

    /// Cancels an order.
    #[inline]
    pub(super) fn cancel(&mut self, id: u64, native: &str, name: &OrderName, timestamp_ms: i64) {
        self.of_order(id, "order.cancel", native, name, timestamp_ms);
    }

    /// Asks for the state of an order.
    pub(super) fn query(&mut self, id: u64, native: &str, name: &OrderName, timestamp_ms: i64) {
        self.of_order(id, "order.status", native, name, timestamp_ms);
    }

    fn of_order(
        &mut self,
        id: u64,
        method: &str,
        native: &str,
        name: &OrderName,
        timestamp_ms: i64,
    ) {
        self.start(id, method);
        self.text(r#"{"symbol":""#);
        self.text(native);
        self.text(r#"","origClientOrderId":""#);
        self.0.extend_from_slice(name);
        self.text("\"");
        self.timestamp(timestamp_ms);
    }

    fn start(&mut self, id: u64, method: &str) {
        self.0.clear();
        self.text(r#"{"id":"#);
        self.number(id as i64);
        self.text(r#","method":""#);
        self.text(method);
        self.text(r#"","params":"#);
    }

    fn timestamp(&mut self, timestamp_ms: i64) {
        self.text(r#","timestamp":"#);
        self.number(timestamp_ms);
        self.text("}}");
    }

    fn text(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, value: i64) {
        self.0.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use zerocopy::FromZeros;

    use super::*;

    const SCALES: Scales = Scales { price: 2, qty: 5 };
    const KEY: OrderKey = OrderKey { consumer: ConsumerId(3), id: ClientOrderId(41) };

    fn json_of(text: &RequestText) -> Value {
        serde_json::from_slice(text.bytes()).unwrap()
    }

    #[test]
    fn names_are_read_back_and_strangers_are_not_ours() {
        let names = OrderNames::new(77);
        assert_eq!(names.name(KEY).as_slice(), b"p77-3-41");
        assert_eq!(names.parse(b"p77-3-41"), Some(KEY));
        // EDGE-21: one name is a prefix of another.
        assert_eq!(names.parse(b"p77-3-4").map(|key| key.id), Some(ClientOrderId(4)));
        for name in ["p78-3-41", "77-3-41", "p77-3", "p77-3-41-1", "p77-3-", "p77--41", "", "x"] {
            assert_eq!(names.parse(name.as_bytes()), None, "{name}");
        }
        assert_eq!(names.parse(b"p77-99999-1"), None);
        let longest =
            OrderKey { consumer: ConsumerId(u16::MAX), id: ClientOrderId(10_u64.pow(17)) };
        let names = OrderNames::new(u32::MAX);
        assert_eq!(names.parse(&names.name(longest)), Some(longest));
    }

    #[test]
    fn every_kind_of_order_is_written_as_the_venue_wants_it() {
        let mut text = RequestText::new();
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty, command.side_code) = (6_000_001, 150, Side::Sell.code());
        command.order_type_code = OrderType::Limit as u8;
        command.time_in_force_code = TimeInForce::Ioc as u8;
        let name = OrderNames::new(1).name(KEY);
        assert!(text.place(9, &command, "BTCUSDT", SCALES, &name, 1_000));
        let expected = json!({"id": 9, "method": "order.place", "params": {
            "symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "IOC",
            "price": "60000.01", "quantity": "0.00150", "newClientOrderId": "p1-3-41",
            "newOrderRespType": "ACK", "timestamp": 1_000,
        }});
        assert_eq!(json_of(&text), expected);
        command.order_type_code = OrderType::Market as u8;
        assert!(text.place(9, &command, "BTCUSDT", SCALES, &name, 1_000));
        let params = &json_of(&text)["params"];
        assert!(params.get("price").is_none() && params.get("timeInForce").is_none());
        command.side_code = 0;
        assert!(!text.place(9, &command, "BTCUSDT", SCALES, &name, 1_000));
    }

    #[test]
    fn cancels_and_queries_name_the_order() {
        let mut text = RequestText::new();
        let name = OrderNames::new(1).name(KEY);
        let params = json!({"symbol": "BTCUSDT", "origClientOrderId": "p1-3-41", "timestamp": 5});
        text.cancel(2, "BTCUSDT", &name, 5);
        assert_eq!(json_of(&text), json!({"id": 2, "method": "order.cancel", "params": params}));
        text.query(3, "BTCUSDT", &name, 5);
        assert_eq!(json_of(&text), json!({"id": 3, "method": "order.status", "params": params}));
        text.subscribe(4);
        let expected = json!({"id": 4, "method": "userDataStream.subscribe", "params": {}});
        assert_eq!(json_of(&text), expected);
    }

    #[test]
    fn no_request_outgrows_the_buffer() {
        let mut text = RequestText::new();
        let capacity = text.0.capacity();
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty, command.side_code) = (i64::MAX, i64::MAX, Side::Sell.code());
        command.order_type_code = OrderType::Limit as u8;
        command.time_in_force_code = TimeInForce::Ioc as u8;
        let name = OrderNames::new(u32::MAX).name(KEY);
        let native = "A".repeat(32);
        assert!(text.place(u64::MAX, &command, &native, SCALES, &name, i64::MAX));
        assert_eq!(text.0.capacity(), capacity);
    }
}
