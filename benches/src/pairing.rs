//! Paired ratios: two contenders are compared only where both ran in the same round and the machine
//! was in the same state.

use crate::crossing::State;

/// Pairs below which no ratio is given.
pub(crate) const PAIRS_MIN: usize = 5;

/// One run of one contender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// The round it ran in.
    pub(crate) round: usize,
    /// The machine before and after it; `None` when that changed meanwhile.
    pub(crate) state: Option<State>,
    /// What was measured.
    pub(crate) value: f64,
}

/// Paired ratios of two contenders in one state.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Ratio {
    /// The median of the pairs.
    pub(crate) median: f64,
    /// A quarter of the pairs is below.
    pub(crate) low: f64,
    /// A quarter of the pairs is above.
    pub(crate) high: f64,
    /// How many pairs.
    pub(crate) pairs: usize,
}

/// `ours` over `theirs`, for each round in which both ran in `state`.
pub(crate) fn ratio(ours: &[Sample], theirs: &[Sample], state: State) -> Option<Ratio> {
    let of = |sample: &&Sample| sample.state == Some(state);
    let mut ratios: Vec<f64> = ours
        .iter()
        .filter(of)
        .filter_map(|mine| {
            let other = theirs.iter().filter(of).find(|other| other.round == mine.round)?;
            Some(mine.value / other.value)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    if ratios.len() < PAIRS_MIN {
        return None;
    }
    let at = |quantile: f64| ratios[((ratios.len() - 1) as f64 * quantile).round() as usize];
    Some(Ratio { median: at(0.5), low: at(0.25), high: at(0.75), pairs: ratios.len() })
}

/// Median of the samples of one state.
pub(crate) fn median(samples: &[Sample], state: State) -> Option<f64> {
    let mut values: Vec<f64> = samples
        .iter()
        .filter(|sample| sample.state == Some(state))
        .map(|sample| sample.value)
        .collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(round: usize, state: State, value: f64) -> Sample {
        Sample { round, state: Some(state), value }
    }

    #[test]
    fn only_runs_of_one_round_and_one_state_are_paired() {
        let ours: Vec<Sample> =
            (0..6).map(|round| sample(round, State::Near, 2.0 * (round + 1) as f64)).collect();
        let mut theirs: Vec<Sample> =
            (0..6).map(|round| sample(round, State::Near, (round + 1) as f64)).collect();
        let paired = ratio(&ours, &theirs, State::Near).unwrap();
        assert_eq!((paired.pairs, paired.median, paired.low, paired.high), (6, 2.0, 2.0, 2.0));
        theirs[0].state = Some(State::Far);
        theirs[1].state = None;
        assert!(ratio(&ours, &theirs, State::Near).is_none(), "four pairs are too few");
        assert!(ratio(&ours, &theirs, State::Far).is_none());
    }

    #[test]
    fn the_median_is_of_one_state() {
        let samples =
            [sample(0, State::Near, 1.0), sample(1, State::Near, 3.0), sample(2, State::Far, 9.0)];
        assert_eq!(median(&samples, State::Near), Some(3.0));
        assert_eq!(median(&samples, State::Far), Some(9.0));
        assert_eq!(median(&[], State::Far), None);
    }
}
