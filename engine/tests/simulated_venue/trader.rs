//! A client of the WebSocket API with an account.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use pitlane_engine::venue::simulated::SimulatedVenueOptions;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tungstenite::Message;

use crate::client::Client;

const API_KEY: &str = "test-key";

/// A key that tests share; any 32 bytes are one.
fn key_pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[42; 32]).expect("any seed is a key")
}

/// Options of a venue that knows the traders' key.
pub fn options(events_per_s: u32) -> SimulatedVenueOptions {
    SimulatedVenueOptions {
        events_per_s,
        api_key: API_KEY.into(),
        verifying_key: key_pair().public_key().as_ref().to_vec(),
        ..Default::default()
    }
}

/// A session of the API.
pub struct Trader {
    pub client: Client,
    next_id: u64,
    /// User events that came before the reply that was waited for.
    pub events: Vec<Value>,
}

impl Trader {
    /// Connects, without logging on.
    pub fn open(address: SocketAddr) -> Self {
        let client = Client::open(address, "/ws-api/v3?returnRateLimits=false");
        Self { client, next_id: 1, events: Vec::new() }
    }

    /// Connects, logs on and subscribes to user data.
    pub fn log_on(address: SocketAddr) -> Self {
        let mut trader = Self::open(address);
        let reply = trader.call("session.logon", signed_params("right"));
        assert_eq!(reply["status"], 200, "{reply}");
        assert_eq!(reply["result"]["apiKey"], API_KEY);
        let reply = trader.call("userDataStream.subscribe", json!({}));
        assert_eq!(reply["result"], json!({"subscriptionId": 0}));
        trader
    }

    /// Sends a request; its id.
    pub fn send(&mut self, method: &str, params: Value) -> String {
        let id = format!("r{}", self.next_id);
        self.next_id += 1;
        let text = json!({"id": id, "method": method, "params": params}).to_string();
        self.client.socket.send(Message::text(text)).expect("the request is sent");
        id
    }

    /// Sends a request and waits for its reply.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        loop {
            let message = self.client.json();
            if message["id"] == id {
                return message;
            }
            self.events.push(message);
        }
    }

    /// The next exec report of an order.
    pub fn exec_report(&mut self, client_order_id: &str) -> Value {
        loop {
            let mut message =
                if self.events.is_empty() { self.client.json() } else { self.events.remove(0) };
            let event = message["event"].take();
            let is_its = event["c"] == client_order_id || event["C"] == client_order_id;
            if event["e"] == "executionReport" && is_its {
                return event;
            }
        }
    }

    /// Places a limit order.
    pub fn limit(&mut self, name: &str, side: &str, price: &str, life: &str) -> Value {
        let params = json!({
            "symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": life,
            "price": price, "quantity": "0.05000", "newClientOrderId": name,
            "newOrderRespType": "RESULT",
        });
        self.call("order.place", params)
    }
}

/// Milliseconds since the epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    since.as_millis() as u64
}

/// Parameters of `session.logon`, with a signature that fits them or not.
pub fn signed_params(which: &str) -> Value {
    let timestamp = now_ms();
    let text = format!("apiKey={API_KEY}&timestamp={timestamp}");
    let signed = if which == "right" { text } else { format!("{text}0") };
    let signature = data_encoding::BASE64.encode(key_pair().sign(signed.as_bytes()).as_ref());
    json!({"apiKey": API_KEY, "timestamp": timestamp, "signature": signature})
}
