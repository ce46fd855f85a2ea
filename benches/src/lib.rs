//! Benches and races with other crates; see `BENCHMARKS.md` for the method and the figures.

mod contender;
mod crossing;
pub mod instructions;
mod lanes;
mod limit;
mod load;
mod machine;
mod order_path;
mod paced;
mod pairing;
mod partner;
pub mod quiet;
pub mod race;
mod rivals;
mod saturated;
pub mod stages;
pub mod wire;
