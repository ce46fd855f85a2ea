//! What a venue tells of an account as a whole.

/// What a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountList {
    /// The orders that the account has open, whoever has placed them.
    OpenOrders,
    /// What it has of each asset; what is missing is 0.
    Balances,
}
