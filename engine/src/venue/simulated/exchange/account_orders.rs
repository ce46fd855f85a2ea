//! The orders of the account, what happens to them, and what the account is told of it.
//!
//! Execution ids are contiguous over all orders. Closed orders are remembered for queries, the last
//! ten thousand of them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

use super::account::Account;
use super::amount::{Amount, base_amount, quote_amount};
use super::book::{Fill, Side};
use super::event::{Event, ExecKind, OrderReport};
use super::fees::{BNB, Commission, CommissionAsset};
use super::filters::{self, AMENDS_MAX, OPEN_ORDERS_MAX, WAITING_ORDERS_MAX};
use super::instrument::SimulatedSymbol;
use super::ledger::Ledger;
use super::market::Market;
use super::order::{
    ExpiryReason, NewOrder, Order, OrderFill, OrderType, SelfTrade, Status, TimeInForce,
};
use super::positions::Position;
use super::refusal::{Filter, Refusal};
use super::trade_tick::TradeTick;

/// Closed orders that can still be queried.
const CLOSED_MAX: usize = 10_000;
/// A position may be worth so many times its margin.
const LEVERAGE: u128 = 20;

/// How a client names an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderName {
    /// The exchange's number.
    Id(u64),
    /// The client's name.
    Client(String),
}

/// What became of a new order at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    pub id: u64,
    /// Its executions as a taker, in order.
    pub fills: Vec<OrderFill>,
}

/// The account's orders and balances.
pub struct AccountOrders {
    account: Account,
    /// By market, where contracts are traded; else empty.
    positions: Vec<Position>,
    commission: Commission,
    self_trade: SelfTrade,
    orders: HashMap<u64, Order>,
    /// The newest order of a name, open or closed.
    by_name: HashMap<(usize, String), u64>,
    /// Orders in the books by market and id in the book.
    by_resting: BTreeMap<(usize, u64), u64>,
    /// Orders that wait for their triggers, by market and id.
    pub(super) waiting: BTreeSet<(usize, u64)>,
    closed: VecDeque<u64>,
    next_order_id: u64,
    next_execution_id: u64,
    pub(super) next_match_id: u64,
    next_name: u64,
    ledger: Arc<Mutex<Ledger>>,
}

impl AccountOrders {
    pub fn new(
        symbols: &[SimulatedSymbol],
        starting_balance: u64,
        commission: Commission,
        self_trade: SelfTrade,
        trades_contracts: bool,
    ) -> Self {
        let bases = symbols.iter().filter(|_| !trades_contracts).map(|s| s.base_asset.as_str());
        let assets = bases.chain(symbols.iter().map(|s| s.quote_asset.as_str()));
        let positions = vec![Position::default(); if trades_contracts { symbols.len() } else { 0 }];
        let bnb = (commission.asset == CommissionAsset::Bnb).then_some(BNB);
        let account = Account::new(assets.chain(bnb).map(|asset| (asset, starting_balance)));
        let opening = account.balances().to_vec();
        let balances = opening.clone();
        let ledger =
            Ledger { balances, opening, positions: positions.clone(), ..Ledger::default() };
        Self {
            account,
            positions,
            commission,
            self_trade,
            orders: HashMap::new(),
            by_name: HashMap::new(),
            by_resting: BTreeMap::new(),
            waiting: BTreeSet::new(),
            closed: VecDeque::new(),
            next_order_id: 1,
            next_execution_id: 1,
            next_match_id: 1,
            next_name: 1,
            ledger: Arc::new(Mutex::new(ledger)),
        }
    }

    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The position of a market, where contracts are traded.
    pub fn position(&self, market: usize) -> Option<&Position> {
        self.positions.get(market)
    }

    /// Frees what an order has locked.
    pub(super) fn release(&mut self, id: u64, symbol: &SimulatedSymbol) {
        let order = &self.orders[&id];
        if let Some((asset, amount)) =
            locked(self.positions.is_empty(), order, symbol, order.remaining())
        {
            self.account.unlock(asset, amount);
        }
    }

    /// Whether what taking an order's quantity now would cost is free.
    pub(super) fn can_pay(&self, id: u64, market: &Market) -> bool {
        let order = &self.orders[&id];
        let cost = market_cost(market, order.side, order.qty);
        let (asset, amount) = spent(&market.symbol, order.side, order.qty, cost);
        self.account.has_free(asset, amount)
    }

    /// The record, which any thread may read.
    pub fn ledger(&self) -> &Arc<Mutex<Ledger>> {
        &self.ledger
    }

    /// Enters a new order. On success it is in the books and `events` tells what it did.
    pub fn place(
        &mut self,
        market: &mut Market,
        new: NewOrder,
        now_ms: i64,
        events: &mut Vec<Event>,
    ) -> Result<Placed, Refusal> {
        self.check(market, &new)?;
        let market_index = new.market;
        let order = self.accept(new, now_ms);
        let (id, is_waiting) = (order.id, order.is_waiting);
        if let Some((asset, amount)) =
            locked(self.positions.is_empty(), &order, &market.symbol, order.qty)
        {
            assert!(self.account.lock(asset, amount), "the balance was checked before");
        }
        self.by_name.insert((order.market, order.client_order_id.clone()), id);
        self.orders.insert(id, order);
        self.report(id, ExecKind::New, events);
        let fills = match is_waiting {
            true => {
                self.waiting.insert((market_index, id));
                Vec::new()
            }
            false => self.work(id, market, now_ms, events),
        };
        self.tell_balances(market, events);
        Ok(Placed { id, fills })
    }

    /// Lets an order take what it can; what is left of it rests, or expires.
    pub(super) fn work(
        &mut self,
        id: u64,
        market: &mut Market,
        now_ms: i64,
        events: &mut Vec<Event>,
    ) -> Vec<OrderFill> {
        let order = &self.orders[&id];
        let (side, qty, life) = (order.side, order.qty, order.time_in_force);
        let limit = order.order_type.is_priced().then_some(order.price);
        let takes = || market.book.executable(side, limit, 1) > 0;
        if order.order_type == OrderType::LimitMaker && takes() {
            self.expire(id, ExpiryReason::WouldTake, market, now_ms, events);
            return Vec::new();
        }
        let is_killed = life == TimeInForce::Fok && market.book.executable(side, limit, qty) < qty;
        let fills = match is_killed {
            true => Vec::new(),
            false => self.take(id, market, now_ms, events),
        };
        let order = &self.orders[&id];
        if order.is_open() {
            let (index, left) = (order.market, order.remaining());
            match (limit, life) {
                (Some(price), TimeInForce::Gtc) => {
                    let resting = market.rest(side, price, left);
                    self.by_resting.insert((index, resting), id);
                    self.order(id).resting = Some(resting);
                    self.note(id);
                }
                (None, _) => self.expire(id, ExpiryReason::NoLiquidity, market, now_ms, events),
                (_, TimeInForce::Fok) => {
                    self.expire(id, ExpiryReason::FokUnfilled, market, now_ms, events);
                }
                _ => self.expire(id, ExpiryReason::IocUnfilled, market, now_ms, events),
            }
        }
        fills
    }

    /// A trade met a resting order: if it is the account's, it is filled.
    pub fn on_trade(
        &mut self,
        index: usize,
        market: &Market,
        tick: &TradeTick,
        maker: u64,
        now_ms: i64,
        events: &mut Vec<Event>,
    ) {
        let Some(&id) = self.by_resting.get(&(index, maker)) else { return };
        let fill = Fill { maker, price: tick.price, qty: tick.qty };
        self.fill(id, (tick.id, fill), true, market, now_ms, events);
        self.tell_balances(market, events);
    }

    /// Cancels an open order and returns its id.
    pub fn cancel(
        &mut self,
        index: usize,
        market: &mut Market,
        name: &OrderName,
        cancel_id: String,
        now_ms: i64,
        events: &mut Vec<Event>,
    ) -> Result<u64, Refusal> {
        let id = self.open_order(index, name)?;
        self.leave_book(id, market);
        self.end(id, Status::Canceled, ExecKind::Canceled(cancel_id), market, now_ms, events);
        self.tell_balances(market, events);
        Ok(id)
    }

    /// Makes an open order smaller; it keeps its id and its place in the queue, and gets a new
    /// name. Returns its id and that of the execution.
    pub fn amend(
        &mut self,
        index: usize,
        market: &mut Market,
        name: &OrderName,
        (qty, new_name): (u64, Option<String>),
        now_ms: i64,
        events: &mut Vec<Event>,
    ) -> Result<(u64, u64), Refusal> {
        let id = self.open_order(index, name)?;
        filters::check_qty(&market.symbol, qty)?;
        let order = &self.orders[&id];
        if order.is_waiting {
            return Err(Refusal::AmendNotWorking);
        }
        if qty >= order.qty || qty <= order.executed + order.prevented {
            return Err(Refusal::AmendNotSmaller);
        }
        if order.amends >= AMENDS_MAX {
            return Err(Refusal::Filter(Filter::MaxNumOrderAmends));
        }
        filters::check_min_notional(&market.symbol, order.price, qty)?;
        let less = order.qty - qty;
        market.reduce(order.resting.expect("an open order rests"), less);
        if let Some((asset, amount)) =
            locked(self.positions.is_empty(), order, &market.symbol, less)
        {
            self.account.unlock(asset, amount);
        }
        let new_name = new_name.unwrap_or_else(|| self.new_name());
        let order = self.order(id);
        order.qty = qty;
        order.amends += 1;
        order.updated_ms = now_ms;
        let old_name = std::mem::replace(&mut order.client_order_id, new_name.clone());
        self.by_name.remove(&(index, old_name.clone()));
        self.by_name.insert((index, new_name), id);
        self.report(id, ExecKind::Replaced(old_name), events);
        self.tell_balances(market, events);
        Ok((id, self.next_execution_id - 1))
    }

    /// An order, open or remembered.
    pub fn find(&self, index: usize, name: &OrderName) -> Option<&Order> {
        let id = match name {
            OrderName::Id(id) => id,
            OrderName::Client(name) => self.by_name.get(&(index, name.clone()))?,
        };
        self.orders.get(id).filter(|order| order.market == index)
    }

    /// Ids of the open orders of one market, or of all, oldest first.
    pub fn open_ids(&self, index: Option<usize>) -> Vec<u64> {
        let of_market = |market: usize| index.is_none_or(|index| index == market);
        let open = self.by_resting.iter().filter(|((market, _), _)| of_market(*market));
        let waiting = self.waiting.iter().filter(|(market, _)| of_market(*market));
        let ids = open.map(|(_, &id)| id).chain(waiting.map(|(_, id)| *id));
        let mut ids: Vec<u64> = ids.collect();
        ids.sort_unstable();
        ids
    }

    /// An order by its id.
    ///
    /// # Panics
    /// When it is not known.
    pub fn by_id(&self, id: u64) -> &Order {
        &self.orders[&id]
    }

    /// A name for an order or a cancel whose client gave none.
    pub fn new_name(&mut self) -> String {
        self.next_name += 1;
        format!("venue-{}", self.next_name - 1)
    }

    /// The account's order behind a resting one.
    pub(super) fn own(&self, index: usize, resting: u64) -> Option<u64> {
        self.by_resting.get(&(index, resting)).copied()
    }

    /// Refuses what the exchange refuses although it is well-formed.
    fn check(&self, market: &Market, new: &NewOrder) -> Result<(), Refusal> {
        let name = new.client_order_id.as_ref();
        let same_name = name.and_then(|name| {
            self.find(new.market, &OrderName::Client(name.clone())).filter(|order| order.is_open())
        });
        filters::check_order(market, new)?;
        if same_name.is_some() {
            return Err(Refusal::DuplicateName);
        }
        if self.open_ids(Some(new.market)).len() >= OPEN_ORDERS_MAX {
            return Err(Refusal::Filter(Filter::MaxNumOrders));
        }
        if self.is_beyond_position(market, new) {
            return Err(Refusal::Filter(Filter::MaxPosition));
        }
        let waiting = self.waiting.iter().filter(|(index, _)| *index == new.market);
        if new.order_type.is_stop() && waiting.count() >= WAITING_ORDERS_MAX {
            return Err(Refusal::Filter(Filter::MaxNumAlgoOrders));
        }
        if new.order_type.is_triggered(new.side, new.stop_price, market.last_price()) {
            return Err(Refusal::WouldTrigger);
        }
        let crosses = || market.book.executable(new.side, Some(new.price), 1) > 0;
        let is_maker = new.order_type == OrderType::LimitMaker;
        if is_maker && !new.is_accepted_first && crosses() {
            return Err(Refusal::WouldTake);
        }
        if let Some(position) = self.positions.get(new.market) {
            return self.check_margin(market, position, new);
        }
        let cost = match new.order_type {
            OrderType::Market => market_cost(market, new.side, new.qty),
            OrderType::StopLoss | OrderType::TakeProfit => {
                u128::from(new.stop_price) * u128::from(new.qty)
            }
            _ => u128::from(new.price) * u128::from(new.qty),
        };
        let (asset, amount) = spent(&market.symbol, new.side, new.qty, cost);
        if self.account.has_free(asset, amount) { Ok(()) } else { Err(Refusal::NoBalance) }
    }

    /// Refuses an order whose position could not be held, or that does not reduce one as it says.
    fn check_margin(
        &self,
        market: &Market,
        position: &Position,
        new: &NewOrder,
    ) -> Result<(), Refusal> {
        let symbol = &market.symbol;
        if new.reduces_only {
            let does = position.is_reduced_by(new.side, new.qty);
            return if does { Ok(()) } else { Err(Refusal::NotReducing) };
        }
        let open = self.open_ids(Some(new.market)).into_iter().map(|id| self.by_id(id));
        let same_side = open.filter(|order| order.side == new.side);
        let wanted = same_side.map(Order::remaining).sum::<u64>() + new.qty;
        let sign = if new.side == Side::Buy { 1 } else { -1 };
        let worst = (position.qty * sign + i128::from(wanted)).max(0).unsigned_abs();
        let price = match new.order_type.is_priced() {
            true => new.price,
            false => market.last_price(),
        };
        let margin = quote_amount(symbol, worst * u128::from(price)) / LEVERAGE;
        let has_it = self.account.has_free(&symbol.quote_asset, margin);
        if has_it { Ok(()) } else { Err(Refusal::NoBalance) }
    }

    /// Whether the account could own too much of the base asset with all its buy orders filled.
    fn is_beyond_position(&self, market: &Market, new: &NewOrder) -> bool {
        let is_limited = new.side == Side::Buy && self.positions.is_empty();
        let Some(most) = market.symbol.position_max.filter(|_| is_limited) else {
            return false;
        };
        let symbol = &market.symbol;
        let owned = self.account.of(&[&symbol.base_asset]);
        let owned: Amount = owned.iter().map(|balance| balance.free + balance.locked).sum();
        let open = self.open_ids(Some(new.market)).into_iter().map(|id| self.by_id(id));
        let buys = open.filter(|order| order.side == Side::Buy);
        let wanted = buys.map(Order::remaining).sum::<u64>() + new.qty;
        owned + base_amount(symbol, wanted) > base_amount(symbol, most)
    }

    fn accept(&mut self, new: NewOrder, now_ms: i64) -> Order {
        let id = self.next_order_id;
        self.next_order_id += 1;
        Order {
            id,
            client_order_id: new.client_order_id.unwrap_or_else(|| self.new_name()),
            market: new.market,
            side: new.side,
            order_type: new.order_type,
            time_in_force: new.time_in_force,
            price: new.price,
            stop_price: new.stop_price,
            is_waiting: new.order_type.is_stop(),
            qty: new.qty,
            executed: 0,
            prevented: 0,
            notional: 0,
            status: Status::New,
            resting: None,
            self_trade: new.self_trade.unwrap_or(self.self_trade),
            expiry: None,
            amends: 0,
            created_ms: now_ms,
            working_ms: if new.order_type.is_stop() { 0 } else { now_ms },
            updated_ms: now_ms,
        }
    }

    pub(super) fn fill(
        &mut self,
        id: u64,
        (trade_id, fill): (u64, Fill),
        is_maker: bool,
        market: &Market,
        now_ms: i64,
        events: &mut Vec<Event>,
    ) -> OrderFill {
        let symbol = &market.symbol;
        let order = self.orders.get_mut(&id).expect("a filled order is known");
        let (price, qty) = (fill.price, fill.qty);
        let notional = u128::from(price) * u128::from(qty);
        order.executed += qty;
        order.notional += notional;
        order.updated_ms = now_ms;
        let is_filled = order.remaining() == 0;
        order.status = if is_filled { Status::Filled } else { Status::PartiallyFilled };
        if let Some((asset, amount)) = locked(self.positions.is_empty(), order, symbol, qty) {
            self.account.unlock(asset, amount);
        }
        let (side, index) = (order.side, order.market);
        if let Some(position) = self.positions.get_mut(index) {
            let profit = position.take(side, (price, qty));
            let amount = quote_amount(symbol, profit.unsigned_abs());
            match profit {
                0.. => self.account.receive(&symbol.quote_asset, amount),
                _ => self.account.lose(&symbol.quote_asset, amount),
            }
        } else {
            let (asset, amount) = spent(symbol, side, qty, notional);
            self.account.pay(asset, amount);
            match side {
                Side::Buy => self.account.receive(&symbol.base_asset, base_amount(symbol, qty)),
                Side::Sell => {
                    self.account.receive(&symbol.quote_asset, quote_amount(symbol, notional));
                }
            }
        }
        let fee = self.commission.of(symbol, side, (price, qty), is_maker, &self.account);
        match self.positions.is_empty() {
            true => self.account.pay(&fee.asset, fee.amount),
            false => self.account.lose(&fee.asset, fee.amount),
        }
        let fill = OrderFill { trade_id, price, qty, is_maker, fee };
        self.ledger.lock().note_trade(&self.orders[&id], &fill);
        self.report(id, ExecKind::Trade(fill.clone()), events);
        if is_filled {
            self.close(id);
        }
        fill
    }

    pub(super) fn expire(
        &mut self,
        id: u64,
        reason: ExpiryReason,
        market: &Market,
        now_ms: i64,
        events: &mut Vec<Event>,
    ) {
        self.order(id).expiry = Some(reason);
        self.end(id, Status::Expired, ExecKind::Expired(reason), market, now_ms, events);
    }

    /// Ends an order before it is filled.
    fn end(
        &mut self,
        id: u64,
        status: Status,
        kind: ExecKind,
        market: &Market,
        now_ms: i64,
        events: &mut Vec<Event>,
    ) {
        let order = self.orders.get_mut(&id).expect("an ended order is known");
        order.status = status;
        order.updated_ms = now_ms;
        if let Some((asset, amount)) =
            locked(self.positions.is_empty(), order, &market.symbol, order.remaining())
        {
            self.account.unlock(asset, amount);
        }
        self.report(id, kind, events);
        self.close(id);
    }

    /// Takes quantity from an order instead of letting it meet an own one. It ends when nothing is
    /// left.
    pub(super) fn prevent(
        &mut self,
        id: u64,
        (qty, price, counter_order): (u64, u64, u64),
        market: &mut Market,
        now_ms: i64,
        events: &mut Vec<Event>,
    ) {
        let match_id = self.next_match_id;
        let order = self.orders.get_mut(&id).expect("a matched order is known");
        if let Some((asset, amount)) = locked(self.positions.is_empty(), order, &market.symbol, qty)
        {
            self.account.unlock(asset, amount);
        }
        order.prevented += qty;
        order.updated_ms = now_ms;
        let is_over = order.remaining() == 0;
        if is_over {
            order.status = Status::ExpiredInMatch;
            self.leave_book(id, market);
        } else if let Some(resting) = order.resting {
            market.reduce(resting, qty);
        }
        self.report(id, ExecKind::Prevented { match_id, qty, price, counter_order }, events);
        if is_over {
            self.close(id);
        }
    }

    /// Takes an order out of the book, if it rests there.
    fn leave_book(&mut self, id: u64, market: &mut Market) {
        if let Some(resting) = self.orders[&id].resting {
            market.cancel(resting).expect("what is held open rests in the book");
        }
    }

    /// Moves an order to those remembered, and forgets the oldest of them.
    fn close(&mut self, id: u64) {
        let order = self.order(id);
        let (market, resting) = (order.market, order.resting.take());
        order.is_waiting = false;
        self.waiting.remove(&(market, id));
        if let Some(resting) = resting {
            self.by_resting.remove(&(market, resting));
        }
        self.note(id);
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

    pub(super) fn report(&mut self, id: u64, kind: ExecKind, events: &mut Vec<Event>) {
        let execution_id = self.next_execution_id;
        self.next_execution_id += 1;
        let order = self.orders[&id].clone();
        self.ledger.lock().note_order(&order);
        events.push(Event::Order(Box::new(OrderReport { order, kind, execution_id })));
    }

    fn note(&self, id: u64) {
        self.ledger.lock().note_order(&self.orders[&id]);
    }

    pub(super) fn tell_balances(&self, market: &Market, events: &mut Vec<Event>) {
        let SimulatedSymbol { base_asset, quote_asset, .. } = &market.symbol;
        let mut assets = vec![base_asset.as_str(), quote_asset];
        if self.commission.asset == CommissionAsset::Bnb {
            assets.push(BNB);
        }
        events.push(Event::Balances(self.account.of(&assets)));
        let mut ledger = self.ledger.lock();
        ledger.balances.clone_from_slice(self.account.balances());
        ledger.positions.clone_from_slice(&self.positions);
    }

    fn open_order(&self, index: usize, name: &OrderName) -> Result<u64, Refusal> {
        let open = self.find(index, name).filter(|order| order.is_open());
        open.map(|order| order.id).ok_or(Refusal::UnknownOrder)
    }

    pub(super) fn order(&mut self, id: u64) -> &mut Order {
        self.orders.get_mut(&id).expect("an id held here names an order")
    }
}

/// What a trade of `qty` for `notional` costs the side.
fn spent(symbol: &SimulatedSymbol, side: Side, qty: u64, notional: u128) -> (&str, Amount) {
    match side {
        Side::Buy => (&symbol.quote_asset, quote_amount(symbol, notional)),
        Side::Sell => (&symbol.base_asset, base_amount(symbol, qty)),
    }
}

/// What an order has locked for `qty` of it; one that takes at any price locks nothing, but for
/// what its stop price would cost while it waits. One of contracts locks nothing either: its margin
/// is looked at when it enters.
fn locked<'a>(
    is_spot: bool,
    order: &Order,
    symbol: &'a SimulatedSymbol,
    qty: u64,
) -> Option<(&'a str, Amount)> {
    if !is_spot {
        return None;
    }
    let price = match (order.order_type.is_priced(), order.is_waiting) {
        (true, _) => order.price,
        (false, true) => order.stop_price,
        (false, false) => return None,
    };
    Some(spent(symbol, order.side, qty, u128::from(price) * u128::from(qty)))
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
