//! Benches and races.
