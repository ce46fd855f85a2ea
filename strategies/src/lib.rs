//! Built-in strategies, and the registry that the binary `pitlane` compiles in.
//!
//! Start with [`Noop`], the smallest, then read [`Momentum`] (market data only) and [`MarketMaker`]
//! (orders). `strategies/README.md` tells how to write, test and compile in one of your own; its
//! code is compiled and run by this crate's tests.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod market_maker;
mod momentum;
mod noop;
mod params;

pub use market_maker::MarketMaker;
pub use momentum::Momentum;
pub use noop::Noop;

use pitlane_engine::StrategyRegistry;
use pitlane_engine::consumer::Faulty;

/// The built-in strategies by name: `noop`, `momentum`, `market_maker`, and `faulty`, which
/// misbehaves at stated rates.
#[must_use]
pub fn builtin() -> StrategyRegistry {
    StrategyRegistry::new()
        .with("noop", Noop::from_params)
        .with("momentum", Momentum::from_params)
        .with("market_maker", MarketMaker::from_params)
        .with("faulty", Faulty::from_params)
}

/// The guide, so that its code compiles as it is written.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Guide;

/// The first strategy of the repository's front page.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct FrontPage;
