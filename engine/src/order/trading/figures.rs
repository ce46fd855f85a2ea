//! What a person or a script reads of a strategy's trading. Amounts are plain decimals as text.

use serde::{Deserialize, Serialize};

/// One strategy: a row for each instrument at each venue that it has touched, and their sums.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StrategyFigures {
    /// The consumer's name.
    pub strategy: String,
    /// By instrument and venue, in the order in which they were first touched.
    pub positions: Vec<PositionFigures>,
    /// By quote asset.
    pub totals: Vec<ProfitFigures>,
    /// Reports that it was never told: they are in the dead letters, and in no figure here.
    pub reports_undelivered: u64,
    /// Things told of instruments at venues beyond the rows there are: in no figure here.
    pub beyond: u64,
}

/// One strategy in one instrument at one venue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PositionFigures {
    /// `BASE-QUOTE`; `-` for orders that named no known instrument or venue.
    pub instrument: String,
    /// The venue's name; `-` likewise.
    pub venue: String,
    /// Bought minus sold minus fees taken in the base asset; below 0 when short.
    pub position: String,
    /// Average price of the open position, with two places more than prices have; `None` when flat.
    pub average_price: Option<String>,
    /// What the open position is valued at; `None` when flat, or when no price was heard.
    pub mark: Option<MarkFigures>,
    /// The asset of the amounts that follow.
    pub quote_asset: String,
    /// Profit of what was closed, by average cost, before fees.
    pub realised: String,
    /// Profit if the open position were closed at the mark, before fees; `None` without a mark.
    pub unrealised: Option<String>,
    /// Fees taken in the quote and the base asset, the latter at their fills' prices.
    pub fees_in_quote: String,
    /// `realised + unrealised - fees_in_quote`. Fees in other assets, and unknown ones, are not in.
    pub net: Option<String>,
    /// Fees by asset; negative for rebates.
    pub fees: Vec<FeeFigures>,
    /// Quantity of fills whose fee the venue did not tell, or not yet; 0 when all are known.
    pub fee_unknown_qty: String,
    /// Fees in further assets than `fees` has room for.
    pub fees_beyond: u64,
    /// Fills, partial ones included.
    pub fills: u64,
    /// Of them inferred from a sum, since the venue's own report did not come in time.
    pub fills_inferred: u64,
    /// Inferred fills, or parts of one, that the venue's own reports have replaced since.
    pub fills_corrected: u64,
    /// Quantity of inferred fills that no report has confirmed: their price is an average.
    pub inferred_qty: String,
    /// Bought quantity.
    pub bought: String,
    /// Sold quantity.
    pub sold: String,
    /// Value of what was bought.
    pub bought_value: String,
    /// Value of what was sold.
    pub sold_value: String,
    /// Both together: what was traded.
    pub volume: String,
    /// Decimal places of the instrument's prices.
    pub price_places: u8,
    /// Quantity that self-trade prevention took off orders.
    pub prevented: String,
    /// Orders handed to the gateway.
    pub orders_sent: u64,
    /// Orders that the venue acknowledged.
    pub orders_acknowledged: u64,
    /// Orders filled in whole.
    pub orders_filled: u64,
    /// Orders cancelled or expired.
    pub orders_canceled: u64,
    /// Orders refused by engine or venue.
    pub orders_rejected: u64,
    /// Orders refused by the strategy's own risk check: nothing was sent.
    pub orders_refused: u64,
    /// Orders whose end had been told and was taken back.
    pub orders_revived: u64,
    /// Orders that are open in the strategy's view.
    pub orders_open: u64,
    /// Cancels sent.
    pub cancels_sent: u64,
    /// Amendments sent.
    pub amends_sent: u64,
    /// Refusals by who, what and why, the most frequent first.
    pub refusals: Vec<RefusalFigures>,
    /// Refusals of further kinds.
    pub refusals_beyond: u64,
    /// A sum did not fit and stays at its limit: the figures are wrong.
    pub saturated: bool,
}

/// What a position is valued at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MarkFigures {
    /// The price.
    pub price: String,
    /// Where it is from.
    pub from: MarkFrom,
    /// How long ago it was heard, ns.
    pub age_ns: u64,
}

/// Where a mark is from: the price that an order closing the position would meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkFrom {
    /// The best bid, for a long position.
    #[default]
    Bid,
    /// The best ask, for a short position.
    Ask,
    /// The last trade, where that side of the book is empty or was never heard.
    LastTrade,
}

impl MarkFrom {
    /// The name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            MarkFrom::Bid => "bid",
            MarkFrom::Ask => "ask",
            MarkFrom::LastTrade => "last",
        }
    }
}

/// Fees in one asset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FeeFigures {
    /// The asset.
    pub asset: String,
    /// The amount; negative for a rebate.
    pub amount: String,
}

/// One kind of refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RefusalFigures {
    /// `check` (the strategy's own risk check), `engine` or `venue`.
    pub by: String,
    /// `order`, `cancel`, `amend` or `query`.
    pub what: String,
    /// The reason's name.
    pub reason: String,
    /// The venue's own code; `None` when it gave none.
    pub venue_code: Option<i32>,
    /// How often.
    pub count: u64,
}

/// Profit in one quote asset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfitFigures {
    /// The asset.
    pub asset: String,
    /// Profit of what was closed.
    pub realised: String,
    /// Profit of what is open; `None` when a position has no mark.
    pub unrealised: Option<String>,
    /// Fees taken in the quote and the base asset.
    pub fees: String,
    /// Profit after these fees.
    pub net: Option<String>,
}
