//! What the account has of one asset.

use std::sync::Arc;

use super::amount::Amount;

/// A balance at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceNow {
    pub asset: Arc<str>,
    pub free: Amount,
    pub locked: Amount,
}
