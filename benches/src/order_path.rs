//! The parts of an order's way to its bytes, each alone: what a strategy submits, the gateway, the
//! governor's decision, and the text and frame of the request.

use pitlane_engine::consumer::{Closure, Context, NewOrder};
use pitlane_engine::event::{
    Event, EventKind, InstrumentId, Interest, Price, Qty, Side, VenueId, VenueRef,
};
use pitlane_engine::order::{OrderAction, OrderCommand, OrderType, TimeInForce};
use pitlane_engine::risk::RiskLimits;
use pitlane_engine::runtime::{Agent, Clock};
use pitlane_engine::testing::{BareConsumer, BareGateway, Size, bare_consumer, bare_gateway};
use pitlane_engine::venue::binance::{BinanceOrders, BinanceReports, Credentials};
use pitlane_engine::venue::governor::{Counted, Governor, Limit};
use pitlane_engine::venue::protocol::{OrderDecoder, OrderProtocol, OrderRequest};
use pitlane_engine::venue::transport::Outbound;
use pitlane_engine::venue::{Scales, SymbolMap};
use zerocopy::FromZeros;

use crate::stages::{instruments, quote};

/// Strategies that share what the venue allows.
const OWNERS: u16 = 10;
/// Between two orders, ns.
pub(crate) const PACE_NS: u64 = 1_000_000;
/// Price of the orders.
pub(crate) const PRICE: i64 = 6_000_000;
const SECOND_NS: u64 = 1_000_000_000;

fn command() -> OrderCommand {
    let mut command = OrderCommand::new_zeroed();
    (command.client_order_id, command.decision_id) = (1, 7);
    (command.price, command.qty) = (6_000_000, 100_000);
    command.action_code = OrderAction::Submit as u8;
    command.side_code = Side::Buy as u8;
    command.order_type_code = OrderType::Limit as u8;
    command.time_in_force_code = TimeInForce::Gtc as u8;
    command
}

/// A governor with as many limits as Binance spot has, none of which is reached.
pub(crate) struct Decision {
    governor: Governor,
    owner: u16,
    now_ns: u64,
}

impl Decision {
    pub(crate) fn new() -> Decision {
        let limit = |counts, window_ns| Limit { counts, amount: u32::MAX, window_ns };
        let limits = [
            limit(Counted::Weight, 60 * SECOND_NS),
            limit(Counted::Orders, 10 * SECOND_NS),
            limit(Counted::Orders, 86_400 * SECOND_NS),
            limit(Counted::Connects, 300 * SECOND_NS),
        ];
        let governor = Governor::named("venue", &limits, usize::from(OWNERS));
        Decision { governor, owner: 0, now_ns: 0 }
    }

    /// Decides on an order of the next strategy; true when it may leave.
    #[inline]
    pub(crate) fn decide(&mut self) -> bool {
        self.owner = (self.owner + 1) % OWNERS;
        self.now_ns += PACE_NS;
        self.governor.may_order(self.owner, 1, self.now_ns).is_ok()
    }
}

/// A strategy that answers each quote with an order.
pub(crate) struct Submitting(BareConsumer);

impl Submitting {
    /// Of at most so many orders, all of which stay open.
    pub(crate) fn new(orders_max: usize, clock: Clock) -> Submitting {
        let order = |event: &Event| NewOrder {
            venue: VenueId(event.venue),
            instrument: InstrumentId(event.instrument),
            side: Side::Buy,
            price: Price(6_000_000),
            qty: Qty(1),
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
        };
        let quotes = Interest::NONE.and(EventKind::Quote);
        let strategy = Closure::new(quotes, move |event: &Event, ctx: &mut Context| {
            ctx.submit(order(event))?;
            Ok(())
        });
        let limits = RiskLimits {
            max_orders_per_s: u32::MAX,
            max_open_orders: orders_max,
            ..RiskLimits::default()
        };
        Submitting(bare_consumer(Box::new(strategy), instruments(), limits, clock, Size::Full))
    }

    /// Puts a quote into its lane.
    pub(crate) fn offer(&mut self, number: u64) {
        assert!(self.0.market.try_publish(&quote(number, 0)).is_ok(), "it is taken each time");
    }

    /// Runs the callback; true when it was entered.
    #[inline]
    pub(crate) fn cycle(&mut self) -> bool {
        self.0.agent.duty_cycle() == 1
    }

    /// Takes the order off its lane; true when there was one.
    pub(crate) fn take(&mut self) -> bool {
        self.0.orders.poll(2, |_| ()) == 1
    }
}

/// A gateway with one order before it.
pub(crate) struct Passing(BareGateway);

impl Passing {
    pub(crate) fn new(clock: Clock) -> Passing {
        Passing(bare_gateway(&instruments(), clock))
    }

    pub(crate) fn offer(&mut self) {
        assert!(self.0.orders.try_publish(&command()).is_ok(), "it is taken each time");
    }

    /// Takes the order to the session's lane; true when it did.
    #[inline]
    pub(crate) fn cycle(&mut self) -> bool {
        self.0.agent.duty_cycle() == 1
    }

    /// Takes the order off that lane; true when there was one.
    pub(crate) fn take(&mut self) -> bool {
        self.0.sent.poll(2, |_| ()) == 1
    }
}

/// Writes the request of an order and its WebSocket frame.
pub(crate) struct Writing {
    protocol: BinanceOrders,
    command: OrderCommand,
    text: Vec<u8>,
    outbound: Outbound,
}

impl Writing {
    pub(crate) fn new() -> Writing {
        let names = [("BTCUSDT".to_owned(), InstrumentId(0))];
        let symbols = SymbolMap::new(&names, instruments()).expect("a constant symbol");
        let key = Credentials::generate("key of a bench").expect("the system gives random bytes");
        Writing {
            protocol: BinanceOrders::new(key, BinanceReports::new(symbols, 1 << 20)),
            command: command(),
            text: Vec::with_capacity(1_024),
            outbound: Outbound::new(1),
        }
    }

    /// Writes them; true when it could.
    #[inline]
    pub(crate) fn write(&mut self) -> bool {
        let Writing { protocol, command, text, outbound } = self;
        let request = OrderRequest {
            id: 4_711,
            native: "BTCUSDT",
            scales: Scales { price: 2, qty: 5 },
            name: b"p0123456789abcdef-0-1",
            venue_order_id: VenueRef::NONE,
            time_ms: 1_767_225_600_000,
            sent: None,
        };
        outbound.reset();
        protocol.place(command, &request, text).is_ok() && outbound.text(text).is_ok()
    }
}
