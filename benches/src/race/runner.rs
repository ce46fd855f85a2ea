//! Runs a cell: rounds of everyone in changing order, each run between two looks at the machine.

use std::time::Duration;

use pitlane_engine::runtime::Clock;

use super::cell::{Load, RaceCell};
use super::entrant::{Entrant, entrants};
use super::report::{CellResults, Line};
use crate::contender::Form;
use crate::crossing::{Crossing, State};
use crate::limit::{self, LimitShape};
use crate::paced::{PacedOptions, quantile_ns};
use crate::pairing::Sample;
use crate::partner::Partner;
use crate::saturated::SaturatedOptions;

/// Slots of every queue.
const CAPACITY: usize = 2_048;
/// How long a saturated run sends.
const SATURATED: Duration = Duration::from_millis(25);
/// Records of a paced run at the least, as far as [`PACED_MAX`] goes.
const PACED_RECORDS: f64 = 2_000.0;
/// Longest paced run.
const PACED_MAX: Duration = Duration::from_millis(250);
/// Shortest paced run.
const PACED_MIN: Duration = Duration::from_millis(40);

/// Runs cells.
pub(crate) struct Runner {
    partner: Partner,
    clock: Clock,
    rounds: usize,
}

impl Runner {
    /// Pins the two threads.
    ///
    /// # Errors
    /// When there are not two cores to pin to.
    pub(crate) fn start(rounds: usize) -> Result<Runner, String> {
        Ok(Runner { clock: Clock::start(), partner: Partner::start()?, rounds })
    }

    /// Runs everyone in one cell.
    pub(crate) fn run(&self, cell: &RaceCell) -> CellResults {
        let entrants = entrants(cell.bytes);
        let mut lines: Vec<Line> =
            entrants.iter().map(|entrant| Line::new(entrant.name, Some(entrant.form))).collect();
        if cell.is_throughput() {
            lines.push(Line::new("limit of the lines", None));
        }
        let count = lines.len();
        for round in 0..self.rounds {
            let mut before = Crossing::measure(&self.partner);
            for place in 0..count {
                let index = (place + round) % count;
                let line = &mut lines[index];
                let value = match entrants.get(index) {
                    Some(entrant) => self.one(cell, entrant, line),
                    None => self.limit(cell),
                };
                let after = Crossing::measure(&self.partner);
                line.samples.push(Sample { round, state: settled(before, after), value });
                before = after;
            }
        }
        CellResults { cell: *cell, lines }
    }

    fn one(&self, cell: &RaceCell, entrant: &Entrant, line: &mut Line) -> f64 {
        let (consumers, form) = (cell.consumers, entrant.form);
        match cell.load {
            Load::Saturated => {
                let duration = SATURATED;
                let options = SaturatedOptions { consumers, capacity: CAPACITY, form, duration };
                (entrant.saturated)(&self.partner, options)
            }
            Load::Paced(rate_per_s) => {
                let wanted = Duration::from_secs_f64(PACED_RECORDS / rate_per_s as f64);
                let duration = wanted.clamp(PACED_MIN, PACED_MAX);
                let options =
                    PacedOptions { consumers, capacity: CAPACITY, form, rate_per_s, duration };
                let figures = (entrant.paced)(&self.partner, &self.clock, options);
                line.tails.add(&figures);
                quantile_ns(&figures.last_ns, 0.5) as f64
            }
        }
    }

    /// The limit with buffers of the same size as the lanes.
    fn limit(&self, cell: &RaceCell) -> f64 {
        let shape =
            LimitShape { buffers: cell.consumers, lines: cell.bytes / 64, batch: CAPACITY / 2 };
        limit::measure(&self.partner, shape, SATURATED)
    }
}

fn settled(before: Crossing, after: Crossing) -> Option<State> {
    (before.state() == after.state()).then_some(before.state())
}

impl Line {
    fn new(name: &'static str, form: Option<Form>) -> Line {
        Line { name, form, samples: Vec::new(), tails: super::report::Tails::default() }
    }
}
