//! How fast a start takes up a journal: read, checked and folded into the books, one core.

use pitlane_engine::testing::BareRecovery;

use super::Bench;

/// Orders on record, each with an intent, an acknowledgement and two fills.
const ORDERS: u64 = 50_000;
/// What is promised, records a second.
const PROMISED: f64 = 5_000_000.0;

/// Prints records a second, the median over rounds.
pub(crate) fn section(bench: &Bench) {
    let dir = tempfile::tempdir().expect("a folder for what lives as long as this");
    let recovery = BareRecovery::new(&dir.path().join("journal"), ORDERS);
    let mut per_s: Vec<f64> = (0..bench.rounds.max(1))
        .map(|_| {
            let from_ns = bench.clock.now_ns();
            let records = recovery.take_up();
            records as f64 * 1e9 / (bench.clock.now_ns() - from_ns) as f64
        })
        .collect();
    per_s.sort_by(f64::total_cmp);
    let (median, least) = (per_s[per_s.len() / 2], per_s[0]);
    println!("\nrecovery of a journal of {} records [millions a second]", recovery.records());
    println!(
        "  {:42} p50 {:6.2}, worst {:6.2}, promised {:.0}",
        "read, checked, folded",
        median / 1e6,
        least / 1e6,
        PROMISED / 1e6
    );
}
