//! What came out: tables of ratios for people, rows for programs.

use std::fmt::Write;

use super::cell::RaceCell;
use super::entrant::OURS;
use crate::contender::Form;
use crate::crossing::State;
use crate::paced::{PacedFigures, quantile_ns};
use crate::pairing::{Ratio, Sample, median, ratio};

/// One entrant's results in one cell.
pub(crate) struct Line {
    /// The entrant.
    pub(crate) name: &'static str,
    /// Its form; `None` for the limit.
    pub(crate) form: Option<Form>,
    /// Its runs.
    pub(crate) samples: Vec<Sample>,
    /// What lies behind the median of paced runs.
    pub(crate) tails: Tails,
}

/// Quantiles of each paced run, and the machine's hiccups in the same seconds.
#[derive(Default)]
pub(crate) struct Tails {
    p90_ns: Vec<u64>,
    p99_ns: Vec<u64>,
    hiccup_ns: Vec<u64>,
    hiccups: usize,
}

/// One cell's results.
pub(crate) struct CellResults {
    /// The cell.
    pub(crate) cell: RaceCell,
    /// By entrant, ours first.
    pub(crate) lines: Vec<Line>,
}

/// All results.
#[derive(Default)]
pub(crate) struct Report {
    /// By cell, as they were run.
    pub(crate) cells: Vec<CellResults>,
}

impl Tails {
    /// Adds one run.
    pub(crate) fn add(&mut self, figures: &PacedFigures) {
        self.p90_ns.push(quantile_ns(&figures.last_ns, 0.9));
        self.p99_ns.push(quantile_ns(&figures.last_ns, 0.99));
        self.hiccup_ns.push(figures.hiccups_ns.last().copied().unwrap_or(0));
        self.hiccups += figures.hiccups_ns.len();
    }

    /// Medians over the runs of p90, p99 and of the longest hiccup.
    fn medians(&self) -> [u64; 3] {
        [&self.p90_ns, &self.p99_ns, &self.hiccup_ns].map(|values| {
            let mut values = values.clone();
            values.sort_unstable();
            values.get(values.len() / 2).copied().unwrap_or(0)
        })
    }
}

impl Line {
    fn form_name(&self) -> &'static str {
        self.form.map_or("", Form::name)
    }
}

impl CellResults {
    /// Ours in `form`.
    pub(crate) fn ours(&self, form: Form) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == OURS && line.form == Some(form))
    }

    fn ratio_to(&self, form: Form, line: &Line, state: State) -> Option<Ratio> {
        ratio(&self.ours(form)?.samples, &line.samples, state)
    }

    /// Prints a table for each state of the machine in which there are pairs.
    pub(crate) fn print(&self) {
        for state in [State::Near, State::Far] {
            let has_pairs = |line| self.ratio_to(Form::Batched, line, state).is_some();
            if self.lines.iter().any(has_pairs) {
                self.print_state(state);
            }
        }
    }

    fn print_state(&self, state: State) {
        println!("\n{}, cores {}", self.cell.name(), state.name());
        println!(
            "{:24} {:10} {:>12} {:>8} {:>13} {:>5} {:>9}  {}",
            "",
            "",
            self.cell.unit(),
            "ours/it",
            "quartiles",
            "pairs",
            "same form",
            if self.cell.is_throughput() { "" } else { "p90 / p99 ns, longest hiccup ns (count)" }
        );
        for line in &self.lines {
            let Some(value) = median(&line.samples, state) else { continue };
            let form = line.form.unwrap_or(Form::Batched);
            let best = self.ratio_to(Form::Batched, line, state);
            let same = self.ratio_to(form, line, state);
            print!("{:24} {:10} {value:12.1} ", line.name, line.form_name());
            match best {
                Some(Ratio { median, low, high, pairs }) => {
                    let quartiles = format!("{low:.2}-{high:.2}");
                    print!("{median:8.2} {quartiles:>13} {pairs:5} ");
                }
                None => print!("{:8} {:>13} {:5} ", "-", "too few pairs", ""),
            }
            print!("{:>9}", same.map_or("-".to_owned(), |same| format!("{:.2}", same.median)));
            if !self.cell.is_throughput() {
                let [p90, p99, hiccup] = line.tails.medians();
                print!("  {p90} / {p99}, {hiccup} ({})", line.tails.hiccups);
            }
            println!();
        }
    }

    fn rows(&self, text: &mut String) {
        for state in [State::Near, State::Far] {
            for line in &self.lines {
                let Some(value) = median(&line.samples, state) else { continue };
                let ratio = self.ratio_to(Form::Batched, line, state);
                let columns = ratio.map_or(",,,".to_owned(), |ratio| {
                    let Ratio { median, low, high, pairs } = ratio;
                    format!("{median:.4},{low:.4},{high:.4},{pairs}")
                });
                let [p90, p99, hiccup] = line.tails.medians();
                let (cell, name, form) = (self.cell.name(), line.name, line.form_name());
                let (state, unit) = (state.name(), self.cell.unit());
                let row = format!(
                    "{cell},{state},\"{name}\",{form},{unit},{value:.2},{columns},{p90},{p99},\
                     {hiccup}"
                );
                let _infallible = writeln!(text, "{row}");
            }
        }
    }
}

impl Report {
    /// Adds a cell.
    pub(crate) fn add(&mut self, results: CellResults) {
        self.cells.push(results);
    }

    /// Everything, one row for each cell, state and entrant.
    pub(crate) fn csv(&self) -> String {
        let mut text =
            crate::machine::header().iter().map(|line| format!("# {line}\n")).collect::<String>();
        text.push_str(
            "cell,state,entrant,form,unit,median,ours_over_it,low,high,pairs,p90_ns,p99_ns,\
             hiccup_ns\n",
        );
        self.cells.iter().for_each(|cell| cell.rows(&mut text));
        text
    }

    /// The state with the most settled runs.
    pub(crate) fn main_state(&self) -> State {
        let count = |state| {
            let lines = self.cells.iter().flat_map(|cell| &cell.lines);
            lines.flat_map(|line| &line.samples).filter(|s| s.state == Some(state)).count()
        };
        if count(State::Far) > count(State::Near) { State::Far } else { State::Near }
    }
}
