//! What it costs to have an order on record, and the whole way to its bytes with it; beside it what
//! an afternoon's work does: a map, a line of JSON, an append.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;

use pitlane_engine::event::Side;
use pitlane_engine::journal::{
    Durability, Intent, JournalFolder, JournalKeeper, JournalOptions, JournalWriter,
};
use pitlane_engine::order::{OrderAction, OrderType, TimeInForce};
use pitlane_engine::runtime::{Agent, Clock};
use pitlane_engine::testing::RiskCheck;
use pitlane_engine::world::Files;
use serde::Serialize;
use zerocopy::FromZeros;

use super::instruments;
use crate::order_path::{Decision, PACE_NS, PRICE, Passing, Submitting, Writing};

/// A journal on a real disk.
pub(crate) struct Recorded {
    writer: JournalWriter,
    keeper: JournalKeeper,
    intent: Intent,
    _dir: tempfile::TempDir,
}

impl Recorded {
    pub(crate) fn new(durability: Durability, clock: &Clock) -> Recorded {
        let dir = tempfile::tempdir_in(".").expect("a folder can be made");
        let folder = dir.path().join("journal");
        let opened = JournalFolder::open(&Files::Real, &folder, |_, _| ()).expect("it is new");
        let options = JournalOptions { durability, ..JournalOptions::default() };
        let (writer, keeper) = opened.start(options, clock).expect("there is room");
        let mut intent = Intent::new_zeroed();
        (intent.price, intent.qty) = (PRICE, 100);
        (intent.action_code, intent.side_code) = (OrderAction::Submit as u8, Side::Buy.code());
        intent.order_type_code = OrderType::Limit as u8;
        intent.time_in_force_code = TimeInForce::Gtc as u8;
        Recorded { writer, keeper, intent, _dir: dir }
    }

    /// Records an order; true when it is on record.
    #[inline]
    pub(crate) fn record(&mut self, number: u64) -> bool {
        if self.writer.room() == 0 {
            self.keeper.make_room(&mut self.writer).expect("there is room");
        }
        self.intent.client_order_id = number;
        self.writer.append(1, &self.intent).is_ok()
    }

    /// Lets the keeper do what it does beside: the next segment is there before it is needed.
    pub(crate) fn keep(&mut self) {
        self.keeper.duty_cycle();
    }

    /// Has the disk take all that was recorded; true when it has.
    pub(crate) fn sync(&mut self) -> bool {
        self.writer.request_sync();
        self.keeper.duty_cycle();
        self.writer.health().synced() == self.writer.sequence()
    }
}

#[derive(Clone, Serialize)]
struct PlainOrder {
    id: u64,
    symbol: String,
    side: &'static str,
    price: String,
    qty: String,
}

/// What is at hand without any of this.
pub(crate) struct Plain {
    orders: HashMap<u64, PlainOrder>,
    file: File,
    sum: i64,
}

impl Plain {
    pub(crate) fn new() -> Plain {
        let file = tempfile::tempfile_in(".").expect("a file can be made");
        Plain { orders: HashMap::new(), file, sum: 0 }
    }

    /// Checks a limit, keeps the order in the map and appends it as a line of JSON.
    #[inline]
    pub(crate) fn record(&mut self, number: u64) -> bool {
        self.sum += 1;
        let order = PlainOrder {
            id: number,
            symbol: "BTCUSDT".to_owned(),
            side: "BUY",
            price: format!("{}.{:02}", PRICE / 100, PRICE % 100),
            qty: "0.00100".to_owned(),
        };
        let Ok(mut line) = serde_json::to_vec(&order) else { return false };
        line.push(b'\n');
        self.orders.insert(number, order);
        self.sum < i64::MAX && self.file.write_all(&line).is_ok()
    }

    /// The same with the request of the venue made of it.
    #[inline]
    pub(crate) fn send(&mut self, number: u64) -> bool {
        let is_recorded = self.record(number);
        let Some(order) = self.orders.get(&number) else { return false };
        let request = serde_json::json!({
            "id": number,
            "method": "order.place",
            "params": {
                "symbol": order.symbol, "side": order.side, "type": "LIMIT", "timeInForce": "GTC",
                "price": order.price, "quantity": order.qty, "newClientOrderId": order.id,
                "timestamp": 1_767_225_600_000_u64,
            },
        });
        is_recorded && std::hint::black_box(request.to_string()).len() > 10
    }

    /// Has the disk take it.
    pub(crate) fn sync(&mut self) -> bool {
        self.file.sync_data().is_ok()
    }
}

/// The whole way of an order on one core: callback and submit, risk, journal, gateway, the venue's
/// limits, text and frame.
pub(crate) struct WholeWay {
    strategy: Submitting,
    risk: RiskCheck,
    recorded: Recorded,
    gateway: Passing,
    decision: Decision,
    text: Writing,
}

impl WholeWay {
    pub(crate) fn new(orders: usize, clock: &Clock) -> WholeWay {
        WholeWay {
            strategy: Submitting::new(orders, clock.clone()),
            risk: RiskCheck::new(&instruments(), PRICE),
            recorded: Recorded::new(Durability::Os, clock),
            gateway: Passing::new(clock.clone()),
            decision: Decision::new(),
            text: Writing::new(),
        }
    }

    /// Sends an order; true when its bytes are ready.
    #[inline]
    pub(crate) fn send(&mut self, number: u64) -> bool {
        self.strategy.offer(number);
        let is_submitted =
            self.strategy.cycle() && self.strategy.take() && self.risk.check(PACE_NS);
        let is_recorded = is_submitted && self.recorded.record(number);
        self.gateway.offer();
        let is_passed = self.gateway.cycle() && self.gateway.take() && self.decision.decide();
        is_recorded && is_passed && self.text.write()
    }

    pub(crate) fn keep(&mut self) {
        self.recorded.keep();
    }
}
