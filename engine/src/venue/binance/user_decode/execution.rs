//! `executionReport`: the venue's word on one order.

use super::{
    DecodeError, ExecType, Letters, Node, OrderStatus, Side, Symbol, SymbolMap, find_symbol,
    members, quote_amount, read_expiry, read_side, read_status, text,
};
use crate::event::{AssetAmount, ExpiryReason, Liquidity, asset_code, parse_wide};

/// The largest number by which the venue names anything.
pub(super) const NUMBER_MAX: u64 = i64::MAX as u64;
/// A day, ns.
const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// One report, in the instrument's scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execution<'a> {
    /// What it is about.
    pub symbol: Symbol,
    /// The client order id, `c`; on a cancel that of the cancel. Empty when the venue sent none.
    pub client_order_id: &'a [u8],
    /// On a cancel the client order id of the order, `C`; else empty.
    pub orig_client_order_id: &'a [u8],
    /// Side of the order.
    pub side: Side,
    /// What the report tells.
    pub exec_type: ExecType,
    /// State of the order after it.
    pub status: OrderStatus,
    /// The venue's order number.
    pub order_id: u64,
    /// The venue's number of this report, `I`; the same when a report is repeated. `None` where its
    /// reports have none: of contracts.
    pub execution_id: Option<u64>,
    /// Trade number; `None` when it is no fill.
    pub trade_id: Option<u64>,
    /// Limit price; 0 for a market order.
    pub price: i64,
    /// The price that triggers it, `P`; 0 where it has none.
    pub trigger_price: i64,
    /// Quantity of the order.
    pub qty: i64,
    /// Price of this fill; 0 when it is none.
    pub last_price: i64,
    /// Quantity of this fill; 0 when it is none.
    pub last_qty: i64,
    /// Quantity filled so far.
    pub filled_qty: i64,
    /// Quantity that self-trade prevention took off so far, `A`; `None` where the report has none.
    pub prevented_qty: Option<i64>,
    /// Quote amount of all fills, `Z`; `None` where it is 0 or missing.
    pub quote_total: Option<i128>,
    /// Fee of this fill in units of 10^-8 and its asset, `n` and `N`; `None` when they can't be
    /// read.
    pub fee: Option<(i64, u128)>,
    /// Why the fee of a fill can't be read.
    pub fee_error: Option<DecodeError>,
    /// Whether this fill made or took liquidity, `m`; `None` where that can't be read.
    pub liquidity: Option<Liquidity>,
    /// Why it expired, `eR`.
    pub expiry: ExpiryReason,
    /// Why it was rejected, in the venue's words; empty when it says `NONE`.
    pub reject_reason: &'a str,
    /// Event time, ns since the Unix epoch.
    pub event_time_ns: i64,
    /// Transaction time, ns since the Unix epoch.
    pub transaction_time_ns: i64,
}

pub(super) fn read<'a>(
    nodes: &[Node<'a>],
    fields: &Letters<'_, 'a>,
    symbols: &SymbolMap,
) -> Result<Execution<'a>, DecodeError> {
    let symbol = find_symbol(fields.text(b's')?, symbols)?;
    let scales = symbol.scales;
    let filled_qty = fields.scaled(b'z', scales.qty);
    let exec_type = read_exec_type(fields.text(b'x')?, fields.text(b'X')?)?;
    let status = read_status(fields.text(b'X')?, filled_qty.is_ok_and(|qty| qty > 0))?;
    let is_self_trade = fields.text(b'X')? == "EXPIRED_IN_MATCH";
    let is_fill = exec_type == ExecType::Trade;
    // Self-trade prevention fills these two with what it prevented: that is no fill.
    let of_a_fill = |letter, scale| if is_fill { fields.scaled(letter, scale) } else { Ok(0) };
    let fee = read_fee(fields);
    let is_fee_lost = is_fill && fee.is_none();
    let report = Execution {
        symbol,
        client_order_id: fields.text(b'c')?.as_bytes(),
        orig_client_order_id: fields.text(b'C')?.as_bytes(),
        side: read_side(fields.text(b'S')?)?,
        exec_type,
        status,
        order_id: number_of(fields, b'i')?,
        execution_id: Some(number_of(fields, b'I')?),
        trade_id: match fields.signed(b't')? {
            -1 => None,
            id => Some(u64::try_from(id).map_err(|_| DecodeError::nonsense("negative trade id"))?),
        },
        price: fields.scaled(b'p', scales.price)?,
        trigger_price: match fields.get(b'P') {
            None => 0,
            Some(_) => fields.scaled(b'P', scales.price)?,
        },
        qty: fields.scaled(b'q', scales.qty)?,
        last_price: of_a_fill(b'L', scales.price)?,
        last_qty: of_a_fill(b'l', scales.qty)?,
        filled_qty: filled_qty?,
        prevented_qty: match fields.get(b'A') {
            None => None,
            Some(_) => Some(fields.scaled(b'A', scales.qty)?),
        },
        quote_total: fields.get(b'Z').and_then(text).and_then(|sum| quote_amount(sum, scales)),
        fee,
        fee_error: is_fee_lost.then_some(DecodeError::field("fee of a fill can't be read")),
        liquidity: fields.boolean(b'm').ok().map(liquidity_of),
        expiry: read_expiry(members(nodes).find(|(name, _)| *name == "eR"), is_self_trade),
        reject_reason: match fields.text(b'r')? {
            "NONE" => "",
            reason => reason,
        },
        event_time_ns: fields.time_ns(b'E')?,
        transaction_time_ns: fields.time_ns(b'T')?,
    };
    check(&report)?;
    Ok(report)
}

/// The venue's self-trade prevention ends an order as `TRADE_PREVENTION` with `EXPIRED_IN_MATCH`:
/// for us it expired. Else it only takes some quantity off a living order.
fn read_exec_type(exec_type: &str, status: &str) -> Result<ExecType, DecodeError> {
    Ok(match exec_type {
        "NEW" => ExecType::New,
        "CANCELED" => ExecType::Canceled,
        "REJECTED" => ExecType::Rejected,
        "TRADE" => ExecType::Trade,
        "EXPIRED" => ExecType::Expired,
        "TRADE_PREVENTION" if status == "EXPIRED_IN_MATCH" => ExecType::Expired,
        "TRADE_PREVENTION" => ExecType::Prevented,
        "REPLACED" => ExecType::Replaced,
        _ => return Err(DecodeError::unknown("execution type not known")),
    })
}

/// A number by which the venue names something: its own are positive and signed.
pub(super) fn number_of(fields: &Letters<'_, '_>, letter: u8) -> Result<u64, DecodeError> {
    match fields.unsigned(letter)? {
        number @ 1..=NUMBER_MAX => Ok(number),
        _ => Err(DecodeError::nonsense("number of an order or a report that no venue gives")),
    }
}

fn read_fee(fields: &Letters<'_, '_>) -> Option<(i64, u128)> {
    fee_of(fields.text(b'n').ok()?, fields.text(b'N').ok())
}

/// The side of a fill by the venue's own flag.
pub(super) const fn liquidity_of(is_maker: bool) -> Liquidity {
    if is_maker { Liquidity::Maker } else { Liquidity::Taker }
}

/// A fee; `None` when it can't be read: the fill counts all the same.
pub(super) fn fee_of(amount: &str, asset: Option<&str>) -> Option<(i64, u128)> {
    let amount = parse_wide(amount.as_bytes(), AssetAmount::SCALE).ok()?;
    let amount = i64::try_from(amount).ok()?;
    if amount == 0 {
        return Some((0, 0));
    }
    Some((amount, asset_code(asset?)?))
}

/// What can't be, whatever the order was (F17).
pub(super) fn check(report: &Execution<'_>) -> Result<(), DecodeError> {
    let Execution { price, trigger_price, last_price, last_qty, filled_qty, .. } = *report;
    let numbers = [price, trigger_price, last_price, last_qty, filled_qty];
    if report.qty < 0 || numbers.iter().any(|number| *number < 0) {
        return Err(DecodeError::nonsense("negative number in an execution report"));
    }
    // An order given in quote currency has quantity 0 until the venue knows better.
    if report.qty > 0 && report.filled_qty > report.qty {
        return Err(DecodeError::nonsense("filled above the order's quantity"));
    }
    if report.last_qty > report.filled_qty {
        return Err(DecodeError::nonsense("fill above what is filled"));
    }
    let is_fill = report.exec_type == ExecType::Trade;
    if is_fill && (report.last_qty == 0 || report.last_price == 0 || report.trade_id.is_none()) {
        return Err(DecodeError::nonsense("fill of no quantity, at no price or without a trade"));
    }
    if report.transaction_time_ns.saturating_sub(report.event_time_ns) > DAY_NS {
        return Err(DecodeError::nonsense("report that is older than what it tells"));
    }
    if report.prevented_qty.is_some_and(|prevented| prevented < 0) {
        return Err(DecodeError::nonsense("negative number in an execution report"));
    }
    Ok(())
}
