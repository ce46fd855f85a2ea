//! The binary `pitlane`.

fn main() {}
