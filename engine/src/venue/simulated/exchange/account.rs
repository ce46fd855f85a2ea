//! The one account: free and locked balances.

use std::sync::Arc;

use super::amount::{AMOUNT_SCALE, Amount};
use super::balance::BalanceNow;

/// Balances by asset, in the order in which the assets were first named.
#[derive(Clone, Debug, Default)]
pub struct Account {
    balances: Vec<BalanceNow>,
}

impl Account {
    /// An account that owns so many whole units of each asset; the first word on an asset counts.
    pub fn new<'a>(assets: impl Iterator<Item = (&'a str, u64)>) -> Self {
        let mut account = Self::default();
        for (asset, whole_units) in assets {
            if account.balances.iter().all(|balance| &*balance.asset != asset) {
                let free = Amount::from(whole_units) * 10_u128.pow(AMOUNT_SCALE);
                account.balances.push(BalanceNow { asset: asset.into(), free, locked: 0 });
            }
        }
        account
    }

    /// All balances.
    pub fn balances(&self) -> &[BalanceNow] {
        &self.balances
    }

    /// The shared name of a traded asset.
    pub fn name(&self, asset: &str) -> Arc<str> {
        self.balance(asset).asset.clone()
    }

    /// The balances of some assets.
    pub fn of(&self, assets: &[&str]) -> Vec<BalanceNow> {
        let wanted = |balance: &&BalanceNow| assets.contains(&&*balance.asset);
        self.balances.iter().filter(wanted).cloned().collect()
    }

    /// Moves an amount from free to locked; `false`, and nothing moved, when it is not there.
    pub fn lock(&mut self, asset: &str, amount: Amount) -> bool {
        let balance = self.balance_mut(asset);
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
    pub fn unlock(&mut self, asset: &str, amount: Amount) {
        let balance = self.balance_mut(asset);
        balance.locked = balance.locked.checked_sub(amount).expect("locked by the order before");
        balance.free += amount;
    }

    /// Takes an amount that was unlocked or checked before.
    ///
    /// # Panics
    /// When it is not there.
    pub fn pay(&mut self, asset: &str, amount: Amount) {
        let balance = self.balance_mut(asset);
        balance.free = balance.free.checked_sub(amount).expect("a fill costs what was locked");
    }

    /// Takes an amount, and no more than there is: what a loss leaves unpaid is the exchange's.
    pub fn lose(&mut self, asset: &str, amount: Amount) {
        let balance = self.balance_mut(asset);
        balance.free = balance.free.saturating_sub(amount);
    }

    /// Adds an amount.
    pub fn receive(&mut self, asset: &str, amount: Amount) {
        self.balance_mut(asset).free += amount;
    }

    /// Whether so much is free.
    pub fn has_free(&self, asset: &str, amount: Amount) -> bool {
        self.balances.iter().any(|balance| &*balance.asset == asset && balance.free >= amount)
    }

    fn balance(&self, asset: &str) -> &BalanceNow {
        let mut balances = self.balances.iter();
        balances.find(|balance| &*balance.asset == asset).expect("every traded asset has a balance")
    }

    fn balance_mut(&mut self, asset: &str) -> &mut BalanceNow {
        let mut balances = self.balances.iter_mut();
        balances.find(|balance| &*balance.asset == asset).expect("every traded asset has a balance")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locking_moves_and_never_overdraws() {
        let mut account = Account::new([("BTC", 1), ("USDT", 1), ("BTC", 2)].into_iter());
        let one = 10_u128.pow(AMOUNT_SCALE);
        assert!(account.lock("BTC", one / 2));
        assert!(!account.lock("BTC", one));
        account.unlock("BTC", one / 2);
        account.pay("BTC", one);
        account.receive("USDT", one / 4);
        let amounts = account.of(&["USDT", "BTC"]).into_iter().map(|b| (b.free, b.locked));
        assert_eq!(amounts.collect::<Vec<_>>(), [(0, 0), (one + one / 4, 0)]);
    }
}
