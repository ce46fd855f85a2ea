//! Events and wallets of an account that holds contracts: USD-M futures.
//!
//! Source: "Event: Order Update", "Event: Balance and Position Update", "Event: Order Trade Lite"
//! and "Event: User Data Stream Expired" of the user data streams, `v2/account.balance`, "Position
//! Information V3".
//!
//! One position a symbol is read (the venue's one-way mode). What speaks of a position on one side
//! is refused: its quantity would be counted as the whole position.

use super::execution::{Execution, check, fee_of, liquidity_of, number_of};
use super::{
    AssetAmount, BALANCES_MAX, DecodeError, ExecType, ExpiryReason, LetterReason, Letters, Lists,
    Node, SymbolMap, UserMessage, elements, find_symbol, is_null, members, parse_scaled,
    parse_wide, read_side, read_status, text,
};
use crate::venue::protocol::{AccountPosition, AssetBalance};

/// The side of a position in one-way mode.
pub(super) const ONE_WAY: &str = "BOTH";
/// The account is in hedge mode.
pub(super) const HEDGED: DecodeError =
    DecodeError::unknown("position side other than BOTH: the account is in hedge mode");

/// Reads an event.
pub(super) fn read_event<'a>(
    nodes: &[Node<'a>],
    symbols: &SymbolMap,
    lists: Lists<'a>,
) -> Result<UserMessage<'a>, DecodeError> {
    let fields = Letters::read(nodes)?;
    if fields.get(b'e').is_none() {
        return Err(DecodeError::unknown("frame of no known kind"));
    }
    Ok(match fields.text(b'e')? {
        "ORDER_TRADE_UPDATE" => {
            let order = fields.get(b'o').ok_or(DecodeError::field("field o missing"))?;
            let times = (fields.time_ns(b'E')?, fields.time_ns(b'T')?);
            UserMessage::Execution(read_execution(order, times, symbols)?)
        }
        "ACCOUNT_UPDATE" => {
            let account = fields.get(b'a').ok_or(DecodeError::field("field a missing"))?;
            let Lists { balances, positions, .. } = lists;
            let unreadable = read_account(account, symbols, (balances, positions))?;
            let venue_time_ns = fields.time_ns(b'E')?;
            UserMessage::Balances { venue_time_ns, entries: balances, positions, unreadable }
        }
        "listenKeyExpired" => UserMessage::StreamTerminated,
        "serverShutdown" => UserMessage::Shutdown,
        // Fills, once more and with less; settings; and orders of a kind that is not placed.
        "TRADE_LITE" => UserMessage::Other("TRADE_LITE"),
        "MARGIN_CALL" => UserMessage::Other("MARGIN_CALL"),
        "ACCOUNT_CONFIG_UPDATE" => UserMessage::Other("ACCOUNT_CONFIG_UPDATE"),
        "ALGO_UPDATE" => UserMessage::Other("ALGO_UPDATE"),
        "CONDITIONAL_ORDER_TRIGGER_REJECT" => {
            UserMessage::Other("CONDITIONAL_ORDER_TRIGGER_REJECT")
        }
        "STRATEGY_UPDATE" => UserMessage::Other("STRATEGY_UPDATE"),
        "GRID_UPDATE" => UserMessage::Other("GRID_UPDATE"),
        _ => return Err(DecodeError::unknown("event kind not known")),
    })
}

/// The text of a member whose name has two letters.
fn long_text<'a>(nodes: &[Node<'a>], wanted: &str) -> Option<&'a str> {
    let found = members(nodes).find(|(name, _)| *name == wanted);
    found.and_then(|(_, value)| text(value))
}

fn read_execution<'a>(
    nodes: &[Node<'a>],
    (event_time_ns, transaction_time_ns): (i64, i64),
    symbols: &SymbolMap,
) -> Result<Execution<'a>, DecodeError> {
    let fields = Letters::read(nodes)?;
    if long_text(nodes, "ps").is_some_and(|side| side != ONE_WAY) {
        return Err(HEDGED);
    }
    let symbol = find_symbol(fields.text(b's')?, symbols)?;
    let scales = symbol.scales;
    let filled_qty = fields.scaled(b'z', scales.qty)?;
    let exec_type = read_exec_type(fields.text(b'x')?)?;
    let is_fill = exec_type == ExecType::Trade;
    let of_a_fill = |letter, scale| if is_fill { fields.scaled(letter, scale) } else { Ok(0) };
    // Left out where nothing was taken.
    let fee = match fields.get(b'n') {
        None => Some((0, 0)),
        Some(amount) => text(amount).and_then(|amount| fee_of(amount, fields.text(b'N').ok())),
    };
    let report = Execution {
        symbol,
        client_order_id: fields.text(b'c')?.as_bytes(),
        orig_client_order_id: b"",
        side: read_side(fields.text(b'S')?)?,
        exec_type,
        status: read_status(fields.text(b'X')?, filled_qty > 0)?,
        order_id: number_of(&fields, b'i')?,
        execution_id: None,
        trade_id: if is_fill { Some(number_of(&fields, b't')?) } else { None },
        price: fields.scaled(b'p', scales.price)?,
        trigger_price: 0,
        qty: fields.scaled(b'q', scales.qty)?,
        last_price: of_a_fill(b'L', scales.price)?,
        last_qty: of_a_fill(b'l', scales.qty)?,
        filled_qty,
        prevented_qty: None,
        quote_total: None,
        fee,
        fee_error: (is_fill && fee.is_none())
            .then_some(DecodeError::field("fee of a fill can't be read")),
        liquidity: fields.boolean(b'm').ok().map(liquidity_of),
        expiry: expiry_of(long_text(nodes, "er"), fields.text(b'X')? == "EXPIRED_IN_MATCH"),
        reject_reason: "",
        event_time_ns,
        transaction_time_ns,
    };
    check(&report)?;
    Ok(report)
}

/// `CALCULATED` is a fill of the venue's own order: a liquidation, or deleveraging.
fn read_exec_type(exec_type: &str) -> Result<ExecType, DecodeError> {
    Ok(match exec_type {
        "NEW" => ExecType::New,
        "CANCELED" => ExecType::Canceled,
        "TRADE" | "CALCULATED" => ExecType::Trade,
        "EXPIRED" => ExecType::Expired,
        "AMENDMENT" => ExecType::Replaced,
        _ => return Err(DecodeError::unknown("execution type not known")),
    })
}

/// Why an order expired, by the venue's numbers. One that this engine does not know is told as
/// such: the report counts all the same.
fn expiry_of(reason: Option<&str>, is_self_trade: bool) -> ExpiryReason {
    match reason {
        None | Some("0") if is_self_trade => ExpiryReason::SelfTrade,
        None | Some("0") => ExpiryReason::None,
        Some("1" | "3") => ExpiryReason::SelfTrade,
        Some("2") => ExpiryReason::UnfilledIoc,
        // Reduce-only that would open, liquidation, a condition, delisting.
        Some("4" | "5" | "6" | "7" | "8") => ExpiryReason::ExchangeCanceled,
        Some("9") => ExpiryReason::InsufficientLiquidity,
        Some("10") => ExpiryReason::UnfilledFok,
        Some("11") => ExpiryReason::Rejected,
        Some(_) => ExpiryReason::Unlisted,
    }
}

/// Reads what an event tells of the account: wallets, and positions. Of what can't be read, what is
/// wrong with the first.
fn read_account(
    nodes: &[Node<'_>],
    symbols: &SymbolMap,
    (balances, positions): (&mut Vec<AssetBalance>, &mut Vec<AccountPosition>),
) -> Result<Option<DecodeError>, DecodeError> {
    balances.clear();
    positions.clear();
    let fields = Letters::read(nodes)?;
    let entries = |letter| {
        fields.get(letter).map(|value| {
            elements(value).ok_or(DecodeError::field("balances or positions are no array"))
        })
    };
    let mut unreadable = None;
    for nodes in entries(b'B').transpose()?.into_iter().flatten() {
        if balances.len() == BALANCES_MAX {
            return Err(DecodeError::new(LetterReason::Oversize, "too many balances"));
        }
        match read_wallet(nodes, ["a", "wb"]) {
            Ok(balance) => balances.push(balance),
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
    }
    let list = entries(b'P').transpose()?.into_iter().flatten();
    let of_positions = read_positions(list, ["s", "ps", "pa"], symbols, positions);
    Ok(unreadable.or(of_positions))
}

/// Reads positions, by the names of these members: symbol, side and amount. Those in symbols that
/// are not ours are left out; of those that can't be read, what is wrong with the first.
fn read_positions<'t, 'a: 't>(
    list: impl Iterator<Item = &'t [Node<'a>]>,
    names: [&str; 3],
    symbols: &SymbolMap,
    positions: &mut Vec<AccountPosition>,
) -> Option<DecodeError> {
    let mut unreadable = None;
    for nodes in list {
        match read_position(nodes, names, symbols) {
            Ok(Some(position))
                if positions.iter().any(|of| position.instrument == of.instrument) =>
            {
                unreadable = unreadable.or(Some(DecodeError::nonsense("a position twice")));
            }
            Ok(Some(position)) => positions.push(position),
            Ok(None) => {}
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
    }
    unreadable
}

fn read_position(
    nodes: &[Node<'_>],
    names: [&str; 3],
    symbols: &SymbolMap,
) -> Result<Option<AccountPosition>, DecodeError> {
    let [native, side, amount] = names.map(|name| long_text(nodes, name));
    if side.is_some_and(|side| side != ONE_WAY) {
        return Err(HEDGED);
    }
    let native = native.ok_or(DecodeError::field("position without a symbol"))?;
    let Some(symbol) = symbols.lookup(native.as_bytes()) else { return Ok(None) };
    let amount = amount.ok_or(DecodeError::field("position without an amount"))?;
    let qty = parse_scaled(amount.as_bytes(), symbol.scales.qty)?;
    Ok(Some(AccountPosition { instrument: symbol.instrument, qty }))
}

/// Whether a list is one of positions. One without any is no list of anything.
pub(super) fn is_list_of_positions(result: &[Node<'_>]) -> bool {
    let first = elements(result).and_then(|mut list| list.next());
    first.is_some_and(|of| members(of).any(|(name, _)| name == "positionAmt"))
}

/// Reads the positions of a list, as REST tells it.
#[cold]
pub(super) fn read_listed_positions<'t, 'a: 't>(
    list: impl Iterator<Item = &'t [Node<'a>]>,
    symbols: &SymbolMap,
    positions: &mut Vec<AccountPosition>,
) -> Option<DecodeError> {
    read_positions(list, ["symbol", "positionSide", "positionAmt"], symbols, positions)
}

/// The wallet of an asset, by the names of these two members: all of it counts as free. What
/// positions and orders hold of it is not told.
fn read_wallet(nodes: &[Node<'_>], names: [&str; 2]) -> Result<AssetBalance, DecodeError> {
    let [asset, amount] = names.map(|name| long_text(nodes, name));
    let asset = asset.ok_or(DecodeError::field("wallet without an asset"))?;
    let amount = amount.ok_or(DecodeError::field("wallet without an amount"))?;
    let amount = parse_wide(amount.as_bytes(), AssetAmount::SCALE)?;
    AssetBalance::named(asset, amount, 0)
}

/// Whether a list is one of wallets.
pub(super) fn is_list_of_wallets(result: &[Node<'_>]) -> bool {
    let first = elements(result).and_then(|mut list| list.next());
    let is_its =
        |(name, value): (&str, &[Node<'_>])| name == "crossWalletBalance" && !is_null(value);
    first.is_some_and(|wallet| members(wallet).any(is_its))
}

/// Reads the wallets of a list. One that can't be read leaves the others; what is wrong with the
/// first such one is given.
#[cold]
pub(super) fn read_wallets<'t, 'a: 't>(
    list: impl Iterator<Item = &'t [Node<'a>]>,
    balances: &mut Vec<AssetBalance>,
) -> Option<DecodeError> {
    let mut unreadable = None;
    for nodes in list {
        if balances.len() == BALANCES_MAX {
            let too_many = DecodeError::new(LetterReason::Oversize, "too many balances");
            return unreadable.or(Some(too_many));
        }
        match read_wallet(nodes, ["asset", "balance"]) {
            Ok(balance) => balances.push(balance),
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
    }
    unreadable
}
