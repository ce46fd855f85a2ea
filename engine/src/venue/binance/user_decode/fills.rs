//! Fills in a reply: the list of an order's trades, or what a new order matched at once.

use super::execution::{fee_of, liquidity_of};
use super::{DecodeError, Node, Symbol, SymbolMap, boolean, find_symbol, members, text, unsigned};
use crate::event::{VenueRef, parse_scaled};
use crate::venue::orders::VenueFill;

/// The texts of one fill.
#[derive(Default)]
struct FillTexts<'a> {
    symbol: Option<&'a str>,
    order_id: Option<u64>,
    trade_id: Option<u64>,
    price: Option<&'a str>,
    qty: Option<&'a str>,
    commission: Option<&'a str>,
    commission_asset: Option<&'a str>,
    /// Only a list says so.
    is_maker: Option<bool>,
}

/// Reads fills of one order, and sorts them by their numbers. Gives the number of the order, where
/// they name it. `symbol`: the order's, where they do not.
#[cold]
pub(super) fn read_fills<'t, 'a: 't>(
    list: impl Iterator<Item = &'t [Node<'a>]>,
    symbol: Option<Symbol>,
    symbols: &SymbolMap,
    fills: &mut Vec<VenueFill>,
) -> Result<Option<u64>, DecodeError> {
    let mut order_id = None;
    for nodes in list {
        let texts = read_texts(nodes);
        let is_fill = texts.order_id.is_some() && texts.trade_id.is_some();
        if symbol.is_none() && fills.is_empty() && !is_fill {
            // A list of something else: of orders, of tickers, of the market's trades.
            return Ok(None);
        }
        let symbol = match (symbol, texts.symbol) {
            (Some(symbol), _) => symbol,
            (None, Some(native)) => find_symbol(native, symbols)?,
            (None, None) => return Err(DecodeError::field("fill without a symbol")),
        };
        if order_id.is_some() && order_id != texts.order_id {
            return Err(DecodeError::nonsense("fills of several orders"));
        }
        order_id = texts.order_id;
        fills.push(read_fill(&texts, symbol)?);
    }
    fills.sort_unstable_by_key(|fill| fill.trade.as_number());
    Ok(order_id)
}

fn read_texts<'a>(nodes: &[Node<'a>]) -> FillTexts<'a> {
    let mut texts = FillTexts::default();
    for (name, value) in members(nodes) {
        match name {
            "symbol" => texts.symbol = text(value),
            "orderId" => texts.order_id = unsigned(value),
            // A list names the trade so, a new order's reply otherwise.
            "id" | "tradeId" => texts.trade_id = unsigned(value),
            "price" => texts.price = text(value),
            "qty" => texts.qty = text(value),
            "commission" => texts.commission = text(value),
            "commissionAsset" => texts.commission_asset = text(value),
            // A list of trades in contracts leaves the "is" out.
            "isMaker" | "maker" => texts.is_maker = boolean(Some(value)),
            _ => {}
        }
    }
    texts
}

fn read_fill(texts: &FillTexts<'_>, symbol: Symbol) -> Result<VenueFill, DecodeError> {
    let number = |text: Option<&str>, scale| {
        let text = text.ok_or(DecodeError::field("fill without price or quantity"))?;
        parse_scaled(text.as_bytes(), scale).map_err(DecodeError::from)
    };
    let trade = texts.trade_id.ok_or(DecodeError::field("fill without a trade"))?;
    Ok(VenueFill {
        trade: VenueRef::number(trade),
        price: number(texts.price, symbol.scales.price)?,
        qty: number(texts.qty, symbol.scales.qty)?,
        fee: texts.commission.and_then(|amount| fee_of(amount, texts.commission_asset)),
        liquidity: texts.is_maker.map(liquidity_of),
    })
}
