//! The one account: free and locked balances, exact to the last digit of any price times quantity.

use std::fmt::Write as _;

use super::decimal::Decimal;
use super::options::SimulatedSymbol;

/// Digits after the point of a balance: those of a price (8) and of a quantity (8) together, so that
/// no product is rounded.
const SCALE: u32 = 16;

/// An amount of an asset in units of 10^-16.
pub(super) type Amount = u128;

/// A balance.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Balance {
    asset: String,
    free: Amount,
    locked: Amount,
}

/// Balances by asset.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    balances: Vec<Balance>,
}

impl Account {
    /// An account that owns `whole_units` of each asset.
    pub(super) fn new<'a>(assets: impl Iterator<Item = &'a str>, whole_units: u64) -> Self {
        let mut account = Self::default();
        for asset in assets {
            if account.balances.iter().all(|balance| balance.asset != asset) {
                let free = Amount::from(whole_units) * 10_u128.pow(SCALE);
                account.balances.push(Balance { asset: asset.into(), free, locked: 0 });
            }
        }
        account
    }

    /// Moves an amount from free to locked; `false`, and nothing moved, when it is not there.
    pub(super) fn lock(&mut self, asset: &str, amount: Amount) -> bool {
        let balance = self.balance(asset);
        if balance.free < amount {
            return false;
        }
        balance.free -= amount;
        balance.locked += amount;
        true
    }

    /// Moves an amount from locked to free.
    ///
    /// # Panics
    /// When less is locked: an order released more than it locked.
    pub(super) fn unlock(&mut self, asset: &str, amount: Amount) {
        let balance = self.balance(asset);
        balance.locked = balance.locked.checked_sub(amount).expect("locked by the order before");
        balance.free += amount;
    }

    /// Takes an amount that was unlocked or checked before.
    ///
    /// # Panics
    /// When it is not there.
    pub(super) fn pay(&mut self, asset: &str, amount: Amount) {
        let balance = self.balance(asset);
        balance.free = balance.free.checked_sub(amount).expect("a fill costs what was locked");
    }

    /// Adds an amount.
    pub(super) fn receive(&mut self, asset: &str, amount: Amount) {
        self.balance(asset).free += amount;
    }

    /// Whether so much is free.
    pub(super) fn has_free(&self, asset: &str, amount: Amount) -> bool {
        self.balances.iter().any(|balance| balance.asset == asset && balance.free >= amount)
    }

    /// The `outboundAccountPosition` event of the assets of a symbol.
    pub(super) fn position_event(&self, symbol: &SimulatedSymbol, now_ms: i64) -> String {
        let mut text =
            format!(r#"{{"e":"outboundAccountPosition","E":{now_ms},"u":{now_ms},"B":["#);
        let assets = [&symbol.base_asset, &symbol.quote_asset];
        for (index, balance) in
            self.balances.iter().filter(|balance| assets.contains(&&balance.asset)).enumerate()
        {
            let comma = if index > 0 { "," } else { "" };
            let free = Decimal { value: balance.free, scale: SCALE };
            let locked = Decimal { value: balance.locked, scale: SCALE };
            let asset = &balance.asset;
            let _ = write!(text, r#"{comma}{{"a":"{asset}","f":"{free}","l":"{locked}"}}"#);
        }
        text.push_str("]}");
        text
    }

    fn balance(&mut self, asset: &str) -> &mut Balance {
        let mut balances = self.balances.iter_mut();
        balances.find(|balance| balance.asset == asset).expect("every traded asset has a balance")
    }
}

/// A quantity of the base asset.
pub(super) fn base_amount(symbol: &SimulatedSymbol, qty: u64) -> Amount {
    Amount::from(qty) * 10_u128.pow(SCALE - symbol.qty_scale)
}

/// What a product of price and quantity is in the quote asset.
pub(super) fn quote_amount(symbol: &SimulatedSymbol, notional: u128) -> Amount {
    notional * 10_u128.pow(SCALE - symbol.price_scale - symbol.qty_scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locking_moves_and_never_overdraws() {
        let mut account = Account::new(["BTC", "USDT", "BTC"].into_iter(), 1);
        let one = 10_u128.pow(SCALE);
        assert!(account.lock("BTC", one / 2));
        assert!(!account.lock("BTC", one));
        account.unlock("BTC", one / 2);
        account.pay("BTC", one);
        account.receive("USDT", one / 4);
        assert_eq!(
            account.position_event(&SimulatedSymbol::default(), 5),
            r#"{"e":"outboundAccountPosition","E":5,"u":5,"B":[{"a":"BTC","f":"0.00000000","l":"0.00000000"},{"a":"USDT","f":"1.25000000","l":"0.00000000"}]}"#
        );
    }
}
