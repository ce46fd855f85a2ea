//! The rules of a symbol that an order must obey.

use super::instrument::SimulatedSymbol;
use super::market::Market;
use super::order::NewOrder;
use super::refusal::{Filter, Refusal};

/// Open orders of a symbol.
pub const OPEN_ORDERS_MAX: usize = 200;
/// Orders of a symbol that wait for their triggers.
pub const WAITING_ORDERS_MAX: usize = 5;
/// Amends of one order.
pub const AMENDS_MAX: u32 = 10;
/// A limit price lies between the market's price divided by this and multiplied by it.
pub const PRICE_FACTOR_MAX: u64 = 5;
/// The largest value of a limit order, whole units of the quote asset.
pub const MAX_NOTIONAL: u64 = 9_000_000;

/// Checks price, quantity and value of a new order.
pub fn check_order(market: &Market, new: &NewOrder) -> Result<(), Refusal> {
    let symbol = &market.symbol;
    check_qty(symbol, new.qty)?;
    if new.order_type.is_stop() {
        check_price(symbol, new.stop_price)?;
    }
    if !new.order_type.is_priced() {
        if new.qty > symbol.market_qty_max() {
            return Err(Refusal::Filter(Filter::MarketLotSize));
        }
        let best = || market.book.best(new.side.opposite()).map_or(0, |(price, _)| price);
        let price = if new.order_type.is_stop() { new.stop_price } else { best() };
        return check_min_notional(symbol, price, new.qty);
    }
    check_price(symbol, new.price)?;
    let reference = market.last_price();
    let (low, high) = (reference / PRICE_FACTOR_MAX, reference.saturating_mul(PRICE_FACTOR_MAX));
    if !(low..=high).contains(&new.price) {
        return Err(Refusal::Filter(Filter::PercentPriceBySide));
    }
    check_min_notional(symbol, new.price, new.qty)?;
    if notional(new.price, new.qty) > whole_value(symbol, MAX_NOTIONAL) {
        return Err(Refusal::Filter(Filter::Notional));
    }
    Ok(())
}

/// A price within the symbol's bounds and ticks.
fn check_price(symbol: &SimulatedSymbol, price: u64) -> Result<(), Refusal> {
    let is_legal = (1..=symbol.price_max()).contains(&price) && price.is_multiple_of(symbol.tick);
    if is_legal { Ok(()) } else { Err(Refusal::Filter(Filter::Price)) }
}

/// A quantity within the symbol's bounds and steps.
pub fn check_qty(symbol: &SimulatedSymbol, qty: u64) -> Result<(), Refusal> {
    let is_legal = (1..=symbol.qty_max()).contains(&qty) && qty.is_multiple_of(symbol.step);
    if is_legal { Ok(()) } else { Err(Refusal::Filter(Filter::LotSize)) }
}

/// An order must be worth something.
pub fn check_min_notional(symbol: &SimulatedSymbol, price: u64, qty: u64) -> Result<(), Refusal> {
    let least = u128::from(symbol.min_notional) * 10_u128.pow(symbol.qty_scale);
    if notional(price, qty) < least { Err(Refusal::Filter(Filter::Notional)) } else { Ok(()) }
}

fn notional(price: u64, qty: u64) -> u128 {
    u128::from(price) * u128::from(qty)
}

fn whole_value(symbol: &SimulatedSymbol, whole_units: u64) -> u128 {
    u128::from(whole_units) * 10_u128.pow(symbol.price_scale + symbol.qty_scale)
}

#[cfg(test)]
mod tests {
    use super::super::book::Side;
    use super::super::order::{OrderType, TimeInForce};
    use super::*;

    #[test]
    fn a_market_order_has_a_largest_quantity_of_its_own() {
        let symbol = SimulatedSymbol::default();
        let too_much = symbol.market_qty_max() + 1;
        assert!(too_much < symbol.qty_max());
        let refused = check_as(OrderType::Market, 0, too_much);
        assert_eq!(refused, Some(Refusal::Filter(Filter::MarketLotSize)));
    }

    fn check(price: u64, qty: u64) -> Option<Refusal> {
        check_as(OrderType::Limit, price, qty)
    }

    fn check_as(order_type: OrderType, price: u64, qty: u64) -> Option<Refusal> {
        let market = Market::new(SimulatedSymbol::default(), 1, 0);
        let new = NewOrder {
            is_accepted_first: false,
            reduces_only: false,
            market: 0,
            side: Side::Buy,
            order_type,
            time_in_force: TimeInForce::Gtc,
            price,
            stop_price: 0,
            qty,
            client_order_id: None,
            self_trade: None,
        };
        check_order(&market, &new).err()
    }

    #[test]
    fn each_broken_rule_has_its_name() {
        let refused = |filter| Some(Refusal::Filter(filter));
        assert_eq!(check(6_000_000, 100), None);
        assert_eq!(check(0, 100), refused(Filter::Price));
        assert_eq!(check(24_000_001, 100), refused(Filter::Price));
        assert_eq!(check(6_000_000, 0), refused(Filter::LotSize));
        assert_eq!(check(1_000_000, 100), refused(Filter::PercentPriceBySide));
        assert_eq!(check(6_000_000, 1), refused(Filter::Notional));
        assert_eq!(check(6_000_000, 20_000_000), refused(Filter::Notional));
    }
}
