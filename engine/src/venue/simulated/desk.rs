//! The order desk: the account's orders, what happens to them, and what the account is told of it.
//!
//! Execution ids are contiguous over all orders. Closed orders are remembered for queries, the last
//! ten thousand of them.

use std::collections::{HashMap, VecDeque};

use super::account::{Account, Amount, base_amount, quote_amount};
use super::book::Side;
use super::counters::FrameKind;
use super::frames::TradeTick;
use super::market::Market;
use super::options::SimulatedSymbol;
use super::order::{ExecType, Order, OrderFill, OrderType, Status, TimeInForce};
use super::order_request::{OrderRequest, check_notional};
use super::refusal::Refusal;

/// Closed orders that can still be queried.
const CLOSED_MAX: usize = 10_000;
/// Open orders of a symbol, as `MAX_NUM_ORDERS` says.
const OPEN_MAX: usize = 200;

/// An event of the user-data stream, wrapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UserEvent {
    pub(super) kind: FrameKind,
    pub(super) text: String,
    /// It tells of a fill.
    pub(super) is_fill: bool,
}

/// How a client names an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OrderName {
    Id(u64),
    Client(String),
}

/// The account's orders and balances.
pub(super) struct Desk {
    account: Account,
    orders: HashMap<u64, Order>,
    /// The newest order of a name, open or closed.
    by_name: HashMap<(usize, String), u64>,
    by_resting: HashMap<(usize, u64), u64>,
    closed: VecDeque<u64>,
    next_order_id: u64,
    next_execution_id: u64,
    next_name: u64,
}

impl Desk {
    pub(super) fn new(symbols: &[SimulatedSymbol], starting_balance: u64) -> Self {
        let assets = symbols.iter().flat_map(|s| [s.base_asset.as_str(), s.quote_asset.as_str()]);
        Self {
            account: Account::new(assets, starting_balance),
            orders: HashMap::new(),
            by_name: HashMap::new(),
            by_resting: HashMap::new(),
            closed: VecDeque::new(),
            next_order_id: 1,
            next_execution_id: 1,
            next_name: 1,
        }
    }

    /// Enters a new order. On success it is in the books, `events` tells what it did, and the order's
    /// id and its fills come back.
    pub(super) fn place(
        &mut self,
        index: usize,
        market: &mut Market,
        request: OrderRequest,
        now_ms: i64,
        events: &mut Vec<UserEvent>,
    ) -> Result<(u64, Vec<OrderFill>), Refusal> {
        self.check(index, market, &request)?;
        let order = self.accept(index, request, now_ms);
        let (id, side, limit) = (order.id, order.side, order.price);
        let (qty, kind, life) = (order.qty, order.order_type, order.time_in_force);
        self.lock(&order, &market.symbol);
        self.by_name.insert((index, order.client_order_id.clone()), id);
        self.orders.insert(id, order);
        self.report(id, ExecType::New, market, now_ms, events);

        let limit = (kind != OrderType::Market).then_some(limit);
        let is_killed = life == TimeInForce::Fok && market.book.executable(side, limit, qty) < qty;
        let mut fills = Vec::new();
        if !is_killed {
            let may_rest = limit.is_some() && life == TimeInForce::Gtc;
            let entered = market.enter(side, limit, qty, may_rest);
            if let Some(resting) = entered.rested {
                self.by_resting.insert((index, resting), id);
                self.order(id).resting = Some(resting);
            }
            for (trade_id, fill) in entered.fills {
                let (price, qty) = (fill.price, fill.qty);
                fills.push(OrderFill { trade_id, price, qty, is_maker: false });
            }
        }
        for &fill in &fills {
            self.fill(id, fill, market, now_ms, events);
        }
        let order = self.order(id);
        if order.is_open() && order.resting.is_none() {
            self.end(id, Status::Expired, ExecType::Expired, market, now_ms, events);
        }
        self.tell_position(market, now_ms, events);
        Ok((id, fills))
    }

    /// A trade met a resting order: if it is the account's, it is filled.
    pub(super) fn on_trade(
        &mut self,
        index: usize,
        market: &Market,
        tick: &TradeTick,
        maker: u64,
        now_ms: i64,
        events: &mut Vec<UserEvent>,
    ) {
        let Some(&id) = self.by_resting.get(&(index, maker)) else { return };
        let (trade_id, price, qty) = (tick.id, tick.price, tick.qty);
        let fill = OrderFill { trade_id, price, qty, is_maker: true };
        self.fill(id, fill, market, now_ms, events);
        self.tell_position(market, now_ms, events);
    }

    /// Cancels an open order and returns its id.
    pub(super) fn cancel(
        &mut self,
        index: usize,
        market: &mut Market,
        name: &OrderName,
        cancel_id: &str,
        now_ms: i64,
        events: &mut Vec<UserEvent>,
    ) -> Result<u64, Refusal> {
        let unknown = || Refusal::bad(-2011, "Unknown order sent.");
        let order = self.find(index, name).filter(|order| order.is_open()).ok_or_else(unknown)?;
        let (id, resting) = (order.id, order.resting.expect("an open order rests"));
        market.cancel(resting).expect("what the desk holds open rests in the book");
        self.end(id, Status::Canceled, ExecType::Canceled(cancel_id), market, now_ms, events);
        self.tell_position(market, now_ms, events);
        Ok(id)
    }

    /// An order, open or remembered.
    pub(super) fn find(&self, index: usize, name: &OrderName) -> Option<&Order> {
        let id = match name {
            OrderName::Id(id) => id,
            OrderName::Client(name) => self.by_name.get(&(index, name.clone()))?,
        };
        self.orders.get(id).filter(|order| order.market == index)
    }

    /// Ids of the open orders of one market, or of all, oldest first.
    pub(super) fn open_ids(&self, index: Option<usize>) -> Vec<u64> {
        let mut ids: Vec<u64> = self
            .by_resting
            .iter()
            .filter(|((market, _), _)| index.is_none_or(|index| index == *market))
            .map(|(_, &id)| id)
            .collect();
        ids.sort_unstable();
        ids
    }

    /// An order by its id.
    ///
    /// # Panics
    /// When it is not known.
    pub(super) fn by_id(&self, id: u64) -> &Order {
        &self.orders[&id]
    }

    /// A name for an order or a cancel whose client gave none.
    pub(super) fn new_name(&mut self) -> String {
        self.next_name += 1;
        format!("venue-{}", self.next_name - 1)
    }

    /// Refuses what the venue refuses although it is well-formed.
    fn check(&self, index: usize, market: &Market, request: &OrderRequest) -> Result<(), Refusal> {
        let refuse = |message| Err(Refusal::bad(-2010, message));
        let same_name = request.client_order_id.as_ref().and_then(|name| {
            self.find(index, &OrderName::Client(name.clone())).filter(|order| order.is_open())
        });
        if same_name.is_some() {
            return refuse("Duplicate order sent.");
        }
        if self.open_ids(Some(index)).len() >= OPEN_MAX {
            return Err(Refusal::filter("MAX_NUM_ORDERS"));
        }
        let OrderRequest { side, order_type, price, qty, .. } = *request;
        let symbol = &market.symbol;
        if order_type == OrderType::LimitMaker && market.book.executable(side, Some(price), 1) > 0 {
            return refuse("Order would immediately match and take.");
        }
        let cost = match order_type {
            OrderType::Market => {
                let best = market.book.best(side.opposite()).map_or(0, |(price, _)| price);
                check_notional(symbol, best, qty)?;
                market_cost(market, side, qty)
            }
            _ => u128::from(price) * u128::from(qty),
        };
        let (asset, amount) = spent(symbol, side, qty, cost);
        if !self.account.has_free(asset, amount) {
            return refuse("Account has insufficient balance for requested action.");
        }
        Ok(())
    }

    fn accept(&mut self, market: usize, request: OrderRequest, now_ms: i64) -> Order {
        let id = self.next_order_id;
        self.next_order_id += 1;
        Order {
            id,
            client_order_id: request.client_order_id.unwrap_or_else(|| self.new_name()),
            market,
            side: request.side,
            order_type: request.order_type,
            time_in_force: request.time_in_force,
            price: request.price,
            qty: request.qty,
            executed: 0,
            notional: 0,
            status: Status::New,
            resting: None,
            created_ms: now_ms,
            updated_ms: now_ms,
        }
    }

    fn fill(
        &mut self,
        id: u64,
        fill: OrderFill,
        market: &Market,
        now_ms: i64,
        events: &mut Vec<UserEvent>,
    ) {
        let symbol = &market.symbol;
        let order = self.orders.get_mut(&id).expect("a filled order is known");
        let notional = u128::from(fill.price) * u128::from(fill.qty);
        order.executed += fill.qty;
        order.notional += notional;
        order.updated_ms = now_ms;
        let is_filled = order.remaining() == 0;
        order.status = if is_filled { Status::Filled } else { Status::PartiallyFilled };
        if let Some((asset, amount)) = locked(order, symbol, fill.qty) {
            self.account.unlock(asset, amount);
        }
        let (asset, amount) = spent(symbol, order.side, fill.qty, notional);
        self.account.pay(asset, amount);
        match order.side {
            Side::Buy => self.account.receive(&symbol.base_asset, base_amount(symbol, fill.qty)),
            Side::Sell => self.account.receive(&symbol.quote_asset, quote_amount(symbol, notional)),
        }
        self.report(id, ExecType::Trade(fill), market, now_ms, events);
        if is_filled {
            self.close(id);
        }
    }

    /// Ends an order before it is filled.
    fn end(
        &mut self,
        id: u64,
        status: Status,
        exec: ExecType<'_>,
        market: &Market,
        now_ms: i64,
        events: &mut Vec<UserEvent>,
    ) {
        let order = self.orders.get_mut(&id).expect("an ended order is known");
        order.status = status;
        order.updated_ms = now_ms;
        if let Some((asset, amount)) = locked(order, &market.symbol, order.remaining()) {
            self.account.unlock(asset, amount);
        }
        self.report(id, exec, market, now_ms, events);
        self.close(id);
    }

    /// Moves an order to those remembered, and forgets the oldest of them.
    fn close(&mut self, id: u64) {
        let order = self.order(id);
        let (market, resting) = (order.market, order.resting.take());
        if let Some(resting) = resting {
            self.by_resting.remove(&(market, resting));
        }
        self.closed.push_back(id);
        if self.closed.len() > CLOSED_MAX {
            let oldest = self.closed.pop_front().expect("it is not empty");
            let order = self.orders.remove(&oldest).expect("a closed order is known");
            let key = (order.market, order.client_order_id);
            if self.by_name.get(&key) == Some(&oldest) {
                self.by_name.remove(&key);
            }
        }
    }

    fn lock(&mut self, order: &Order, symbol: &SimulatedSymbol) {
        if let Some((asset, amount)) = locked(order, symbol, order.qty) {
            assert!(self.account.lock(asset, amount), "the balance was checked before");
        }
    }

    fn report(
        &mut self,
        id: u64,
        exec: ExecType<'_>,
        market: &Market,
        now_ms: i64,
        events: &mut Vec<UserEvent>,
    ) {
        let execution_id = self.next_execution_id;
        self.next_execution_id += 1;
        let text = self.orders[&id].exec_report(&market.symbol, exec, execution_id, now_ms);
        let is_fill = matches!(exec, ExecType::Trade(_));
        events.push(UserEvent { kind: FrameKind::ExecReport, text: wrapped(&text), is_fill });
    }

    fn tell_position(&self, market: &Market, now_ms: i64, events: &mut Vec<UserEvent>) {
        let text = wrapped(&self.account.position_event(&market.symbol, now_ms));
        events.push(UserEvent { kind: FrameKind::Account, text, is_fill: false });
    }

    fn order(&mut self, id: u64) -> &mut Order {
        self.orders.get_mut(&id).expect("the desk knows its orders")
    }
}

/// A session has one user-data subscription at most, so its number is always 0.
fn wrapped(event: &str) -> String {
    format!(r#"{{"subscriptionId":0,"event":{event}}}"#)
}

/// What a trade of `qty` for `notional` costs the side.
fn spent(symbol: &SimulatedSymbol, side: Side, qty: u64, notional: u128) -> (&str, Amount) {
    match side {
        Side::Buy => (&symbol.quote_asset, quote_amount(symbol, notional)),
        Side::Sell => (&symbol.base_asset, base_amount(symbol, qty)),
    }
}

/// What an order has locked for `qty` of it; a market order locks nothing.
fn locked<'a>(order: &Order, symbol: &'a SimulatedSymbol, qty: u64) -> Option<(&'a str, Amount)> {
    let notional = u128::from(order.price) * u128::from(qty);
    (order.order_type != OrderType::Market).then(|| spent(symbol, order.side, qty, notional))
}

/// What taking `qty` would cost now.
fn market_cost(market: &Market, side: Side, qty: u64) -> u128 {
    let mut left = qty;
    let mut cost = 0;
    for (price, level_qty) in market.book.levels(side.opposite()) {
        let taken = left.min(level_qty);
        cost += u128::from(price) * u128::from(taken);
        left -= taken;
        if left == 0 {
            break;
        }
    }
    cost
}
