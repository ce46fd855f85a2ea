//! Which cells there are.

use super::cell::{Load, RaceCell};

const CONSUMERS: [usize; 5] = [1, 5, 10, 20, 50];
const BYTES: [usize; 3] = [64, 128, 384];
const RATES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// The lines through the middle of the matrix: each of the three dimensions varies alone.
pub(crate) fn representative() -> Vec<RaceCell> {
    let mut cells = Vec::new();
    for consumers in CONSUMERS {
        cells.push(RaceCell { load: Load::Saturated, consumers, bytes: 128 });
    }
    for bytes in [64, 384] {
        cells.push(RaceCell { load: Load::Saturated, consumers: 10, bytes });
    }
    for rate in RATES {
        cells.push(RaceCell { load: Load::Paced(rate), consumers: 10, bytes: 128 });
    }
    for consumers in [1, 50] {
        cells.push(RaceCell { load: Load::Paced(10_000), consumers, bytes: 128 });
    }
    cells
}

/// Every combination.
pub(crate) fn full() -> Vec<RaceCell> {
    let loads = [Load::Saturated].into_iter().chain(RATES.map(Load::Paced));
    let mut cells = Vec::new();
    for load in loads {
        for consumers in CONSUMERS {
            for bytes in BYTES {
                cells.push(RaceCell { load, consumers, bytes });
            }
        }
    }
    cells
}
