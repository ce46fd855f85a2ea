//! What a venue is asked of an account and its key, beside orders and balances: whether it may read
//! and trade, which fees it pays, in which modes it is. Nothing that is asked changes anything.

use serde_json::Value;

use super::Way;

/// A question of that kind.
#[derive(Clone, Copy, Debug)]
pub struct AccountQuestion {
    /// What it is for, in messages.
    pub name: &'static str,
    /// Where it goes.
    pub way: Way,
    /// What it weighs against the venue's budget.
    pub weight: u32,
}

/// A right of the key or of the account, in the venue's own words. Raw: they must be escaped before
/// they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// Whether there is all of it that the engine needs.
    pub is_given: bool,
    /// The venue's words for it.
    pub words: String,
}

/// A mode of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountMode {
    /// Whether orders can be sent in it here.
    pub is_fine: bool,
    /// The venue's words for it. Raw, as those of a right.
    pub words: String,
}

/// What a venue has said of an account and its key. `None`, or empty: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountWords {
    /// Whether the key may read orders and balances.
    pub key_reads: Option<Right>,
    /// Whether it may place and cancel orders.
    pub key_trades: Option<Right>,
    /// Whether the account may trade, whatever the key.
    pub account_trades: Option<Right>,
    /// What it pays.
    pub fees: Vec<String>,
    /// In which modes it is.
    pub modes: Vec<AccountMode>,
    /// What else the key is, such as bound to addresses.
    pub notes: Vec<String>,
}

impl Right {
    /// One that depends on a word alone.
    pub(in crate::venue) fn of(is_given: bool, words: impl Into<String>) -> Option<Right> {
        Some(Right { is_given, words: words.into() })
    }
}

impl AccountMode {
    /// One that is told, and left to who reads it.
    pub(in crate::venue) fn told(words: impl Into<String>) -> AccountMode {
        AccountMode { is_fine: true, words: words.into() }
    }
}

/// The text at a name; refused where there is none.
///
/// # Errors
/// Which is missing.
pub(in crate::venue) fn need<'v>(value: &'v Value, name: &str) -> Result<&'v str, String> {
    value[name].as_str().ok_or_else(|| format!("{name} missing or no text"))
}

/// The truth value at a name.
///
/// # Errors
/// Which is missing.
pub(in crate::venue) fn need_bool(value: &Value, name: &str) -> Result<bool, String> {
    value[name].as_bool().ok_or_else(|| format!("{name} missing or no truth value"))
}

/// The texts of a list at a name.
///
/// # Errors
/// Which is missing.
pub(in crate::venue) fn need_texts<'v>(
    value: &'v Value,
    name: &str,
) -> Result<Vec<&'v str>, String> {
    let list = value[name].as_array().ok_or_else(|| format!("{name} missing or no list"))?;
    Ok(list.iter().filter_map(Value::as_str).collect())
}
