//! What a strategy has earned: position, average price, profit, fees and counts for each instrument
//! at each venue.
//!
//! The strategy's own thread keeps the rows (`Ledger`) as it takes its reports, on a board that
//! anyone may read at any time ([`TradingBoard`]), also after its thread was left behind. Venues
//! leave their last prices beside it (`Marks`). `TradingReader` makes figures of both.
//!
//! Promises: whole numbers throughout, sums that do not fit stay at their limit and say so, and for
//! each row `realised = cash flow + cost of the open position`, to the last unit.

mod average_cost;
mod board;
mod decimal;
mod figures;
mod ledger;
mod marks;
mod price_range;
mod reader;
mod refusals;
mod row;
mod wide;

pub use board::TradingBoard;
pub use decimal::{decimal, rounded};
pub use figures::{
    FeeFigures, MarkFigures, MarkFrom, PositionFigures, ProfitFigures, RefusalFigures,
    StrategyFigures,
};
pub(crate) use ledger::{Holding, Ledger, RowProfit};
pub(crate) use marks::LastPrices;
pub use marks::Marks;
pub(crate) use reader::TradingReader;
pub use refusals::{RefusedBy, RefusedWhat, reason_words, words_of_reason};
