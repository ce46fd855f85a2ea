//! The Pitlane trading engine as a library, without a command line.

pub mod venue;
