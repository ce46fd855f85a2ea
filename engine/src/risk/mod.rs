//! Pre-trade risk: what is asked before every order, and the one place that answers it.
//!
//! Three owners have limits: each strategy, each venue (all strategies together), and the engine
//! (all venues together). A strategy's own thread asks (`Account`) before anything enters its
//! order lane; what strategies share is reserved in padded atomics (`RiskBook`), so that two of
//! them on two cores can't both take the last room.
//!
//! Promises: the worst case counts. An order that is open, in doubt, or whose end is only assumed
//! counts as filled; an amendment under way counts as the larger of both. What an order has
//! reserved is given back once, by the word that ends it. A refusal names its reason, whose limit
//! it was, the limit and what would have been. Cancels add no risk: only their own rate holds a
//! strategy's, and none holds those of a kill. No limit is set unless somebody sets it, but those
//! of open orders and of orders a second.

mod account;
mod book;
mod breaker;
mod change;
mod change_error;
mod from_config;
mod held;
mod limits;
mod loss;
mod money;
mod notices;
mod refused;
mod row;
mod self_cross;
mod state;
mod target;

pub(crate) use account::{Account, AccountParts, Ask, Reserved};
pub(crate) use book::RiskBook;
pub(crate) use change::RiskChange;
pub use change_error::ChangeError;
pub use limits::{
    BreakerLimits, GroupLimits, InstrumentLimits, NO_LIMIT, RiskLimits, SharedLimits,
};
pub(crate) use notices::{RiskNotice, RiskWatch};
pub(crate) use refused::Refused;
pub use refused::RiskScope;
pub use row::RiskRow;
pub use state::{RiskState, StrategyRisk};
