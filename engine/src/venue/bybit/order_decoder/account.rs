//! What the account has: its open orders, page by page, and its balances, over REST and by the
//! topic `wallet`.

use simd_json::Node;

use super::rest::read_open;
use super::{BALANCES_MAX, BybitReports, is_cursor, read_result_of};
use crate::event::AssetAmount;
use crate::venue::LetterReason;
use crate::venue::codec::{DecodeError, Value, elements, need_text, parse_cut, pick, text};
use crate::venue::protocol::{AccountList, AssetBalance, Failure, ReplyBody, told_balances};

/// Open orders of one answer; "Get Open & Closed Orders" lists no more.
const ORDERS_MAX: usize = 50;

/// What an answer says, or why it can't be read.
type Outcome<'a> = Result<Result<ReplyBody<'a>, Failure<'a>>, DecodeError>;

impl BybitReports {
    /// The answer to a question that is about no order: for the account's protection against lost
    /// connections, or for what it has.
    #[cold]
    pub(super) fn read_of_account<'a>(
        &'a mut self,
        id: u64,
        status: u16,
        body: &'a [u8],
    ) -> Outcome<'a> {
        match self.lists.answered(id) {
            Some(list) => self.read_account_list(list, status, body),
            None => self.disconnect.answered(status, body, &mut self.rest),
        }
    }

    /// The answer to a question for what the account has.
    #[cold]
    fn read_account_list<'a>(
        &'a mut self,
        list: AccountList,
        status: u16,
        body: &'a [u8],
    ) -> Outcome<'a> {
        let BybitReports { rest, symbols, lists, balances, .. } = self;
        let (mut next, mut half) = (String::new(), None);
        let read = rest.parse(body, |nodes| {
            let (entries, cursor) = match read_result_of(nodes, status)? {
                Ok(read) => read,
                Err(failure) => return Ok(Some(failure)),
            };
            let entries = elements(entries).ok_or(DecodeError::field("list is no array"))?;
            match list {
                AccountList::OpenOrders => {
                    let count = entries.len();
                    entries.for_each(|order| lists.push(read_open(order, symbols)));
                    let cursor = cursor.and_then(text).filter(|_| count >= ORDERS_MAX);
                    cursor.unwrap_or_default().clone_into(&mut next);
                }
                AccountList::Balances => {
                    balances.clear();
                    for account in entries {
                        half = half.or(read_wallet(account, balances)?);
                    }
                }
            }
            Ok(None)
        });
        match read {
            Ok(Some(failure)) => Ok(Err(failure)),
            Ok(None) if !is_cursor(&next) => Err(DecodeError::field("cursor can't be sent back")),
            Ok(None) => Ok(Ok(match list {
                AccountList::OpenOrders => lists.end_page(&next),
                AccountList::Balances => told_balances(balances, half),
            })),
            // A proxy, or a server in trouble, which says so by its status alone.
            Err(_) if status != 200 => Ok(Err(Failure::of(status, 0, ""))),
            Err(error) => Err(error),
        }
    }
}

/// The balances of an account; of those that can't be read, what is wrong with the first.
pub(super) fn read_wallet(
    nodes: &[Node<'_>],
    balances: &mut Vec<AssetBalance>,
) -> Result<Option<DecodeError>, DecodeError> {
    let [coins] = pick(nodes, ["coin"])?;
    let mut unreadable = None;
    for entry in coins.and_then(elements).ok_or(DecodeError::field("coin is no array"))? {
        if balances.len() == BALANCES_MAX {
            return Err(DecodeError::new(LetterReason::Oversize, "too many balances"));
        }
        match read_balance(entry) {
            Ok(balance) => balances.push(balance),
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
    }
    Ok(unreadable)
}

/// What is free is not told apart: it is what is there, less what orders hold.
fn read_balance(nodes: &[Node<'_>]) -> Result<AssetBalance, DecodeError> {
    let [asset, all, locked] = pick(nodes, ["coin", "walletBalance", "locked"])?;
    let asset = need_text(asset, "field coin missing or no text")?;
    let amount = |value: Value<'_, '_>| match value.and_then(text) {
        None | Some("") => Ok(0),
        Some(number) => parse_cut(number.as_bytes(), AssetAmount::SCALE),
    };
    let (all, locked) = (amount(all)?, amount(locked)?);
    AssetBalance::named(asset, all - locked, locked)
}
