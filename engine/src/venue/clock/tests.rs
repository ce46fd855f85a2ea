//! What is believed of a venue's time, on a clock that is moved by hand.

use super::*;
use crate::world::{ManualTime, SplitMix64};

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;
const START_NS: i64 = 1_767_225_600_000_000_000;

/// A venue whose clock is `ahead_ns` ahead of ours and runs `ppm` faster.
struct Bench {
    clock: Clock,
    time: ManualTime,
    venue: VenueClock,
    ahead_ns: i64,
    ppm: i64,
    chance: SplitMix64,
}

fn bench(ahead_ns: i64, ppm: i64) -> Bench {
    let (clock, time) = Clock::manual(START_NS);
    let venue = VenueClock::new("x", clock.clone());
    Bench { clock, time, venue, ahead_ns, ppm, chance: SplitMix64::new(7) }
}

impl Bench {
    fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    fn truth_ns(&self) -> i64 {
        let now_ns = self.now_ns() as i64;
        START_NS + now_ns + self.ahead_ns + now_ns / 1_000_000 * self.ppm
    }

    /// Asks as an agent does: a way there and a way back of 1 to 20 ms each.
    fn ask(&mut self) -> Measured {
        let sent_ns = self.now_ns();
        self.venue.asked(sent_ns);
        self.time.advance_ns(MS + self.chance.between(0, 19 * MS));
        let time_ns = self.truth_ns() / 1_000_000 * 1_000_000;
        self.time.advance_ns(MS + self.chance.between(0, 19 * MS));
        self.venue.measured(sent_ns, self.now_ns(), time_ns)
    }

    fn error_ns(&self) -> i64 {
        (self.venue.at_ns(self.now_ns()) - self.truth_ns()).abs()
    }
}

#[test]
fn until_it_has_told_its_time_a_venue_has_ours() {
    let mut bench = bench(2 * S as i64, 0);
    assert!(!bench.venue.is_measured() && bench.venue.is_due(0));
    assert_eq!(bench.venue.at_ms(5 * MS), START_NS / 1_000_000 + 5);
    assert_eq!(bench.ask(), Measured::Taken);
    assert!(bench.error_ns() <= 20 * MS as i64, "{}", bench.error_ns());
    let reading = bench.venue.reading(bench.now_ns());
    assert!((reading.ahead_ns - 2 * S as i64).unsigned_abs() <= reading.uncertainty_ns);
    assert!(reading.is_measured && reading.uncertainty_ns <= 21 * MS, "{reading:?}");
}

#[test]
fn two_days_of_drift_stay_within_what_is_said_to_be_known() {
    // F35
    for ppm in [-50, -12, 12, 50] {
        let mut bench = bench(-3 * S as i64, ppm);
        let mut asked = 0_u64;
        while bench.now_ns() < 2 * 86_400 * S {
            if bench.venue.is_due(bench.now_ns()) {
                assert_eq!(bench.ask(), Measured::Taken, "{ppm} ppm");
                asked += 1;
            }
            let reading = bench.venue.reading(bench.now_ns());
            let error_ns = bench.error_ns();
            assert!(error_ns.unsigned_abs() <= reading.uncertainty_ns + MS, "{reading:?}");
            assert!(error_ns <= 25 * MS as i64, "{ppm} ppm: {error_ns}");
            bench.time.advance_ns(5 * S);
        }
        assert!((2_500..=2_900).contains(&asked), "about one a minute: {asked}");
    }
}

#[test]
fn a_step_of_our_clock_moves_no_stamp_and_has_the_time_measured() {
    for step_ns in [-2_000_000_000, 2_000_000_000] {
        let mut bench = bench(0, 0);
        while bench.venue.reading(bench.now_ns()).measurements < FIRST_COUNT {
            bench.ask();
        }
        assert!(!bench.venue.is_due(bench.now_ns() + S));
        bench.time.set_system_ns(step_ns);
        bench.time.advance_ns(2 * S);
        bench.clock.follow_system();
        assert!(bench.venue.is_due(bench.now_ns()), "the step was seen");
        assert!(bench.error_ns() <= 21 * MS as i64, "{}", bench.error_ns());
        assert_eq!(bench.ask(), Measured::Taken);
        assert!(!bench.venue.is_due(bench.now_ns()));
    }
}

#[test]
fn a_venue_whose_time_jumps_is_believed_the_second_time() {
    let mut bench = bench(0, 0);
    bench.ask();
    for jump_ns in [3 * S as i64, -3_600 * S as i64] {
        bench.ahead_ns += jump_ns;
        bench.time.advance_ns(60 * S);
        assert_eq!(bench.ask(), Measured::Suspect);
        bench.time.advance_ns(S);
        assert!(bench.venue.is_due(bench.now_ns()), "the next one decides, soon");
        assert_eq!(bench.ask(), Measured::Stepped);
        assert!(bench.error_ns() <= 20 * MS as i64);
    }
    assert_eq!(bench.venue.reading(bench.now_ns()).steps, 2);
}

#[test]
fn one_absurd_answer_moves_nothing() {
    let mut bench = bench(0, 0);
    bench.ask();
    let before = bench.venue.at_ns(0);
    let now_ns = bench.now_ns();
    // The year 2100, 1970, the end of all numbers, an hour off.
    for time_ns in [4_102_444_800_000_000_000, 0, i64::MAX, i64::MIN] {
        assert_eq!(bench.venue.measured(now_ns, now_ns + MS, time_ns), Measured::Refused);
    }
    let hour_ahead_ns = bench.truth_ns() + 3_600 * S as i64;
    assert_eq!(bench.venue.measured(now_ns, now_ns, hour_ahead_ns), Measured::Suspect);
    assert_eq!(bench.venue.measured(now_ns + 1, now_ns, bench.truth_ns()), Measured::Refused);
    assert_eq!(bench.venue.at_ns(0), before);
    assert_eq!(bench.venue.reading(now_ns).refused, 6);
    assert_eq!(bench.ask(), Measured::Taken);
}

#[test]
fn a_refused_stamp_has_the_time_measured_at_once_and_what_was_known_is_forgotten() {
    let mut bench = bench(0, 0);
    bench.ask();
    bench.ahead_ns = -2 * S as i64;
    let now_ns = bench.now_ns();
    assert!(!bench.venue.is_in_doubt(now_ns));
    bench.venue.doubt(now_ns);
    assert!(bench.venue.is_in_doubt(now_ns) && bench.venue.is_due(now_ns));
    assert_eq!(bench.ask(), Measured::Taken);
    assert!(!bench.venue.is_in_doubt(bench.now_ns()));
    assert!(bench.error_ns() <= 20 * MS as i64);
    bench.venue.doubt(bench.now_ns());
    assert!(!bench.venue.is_in_doubt(bench.now_ns() + DOUBT_MAX_NS), "no answer ever came");
}

#[test]
fn a_stamp_that_has_arrived_bounds_the_time_from_below() {
    let mut bench = bench(0, 0);
    bench.ask();
    let wide = bench.venue.reading(bench.now_ns());
    // Half a millisecond on its way.
    bench.time.advance_ns(S);
    let stamp_ns = bench.truth_ns();
    bench.time.advance_ns(MS / 2);
    bench.venue.heard(bench.now_ns(), stamp_ns);
    let narrow = bench.venue.reading(bench.now_ns());
    assert!(narrow.uncertainty_ns < wide.uncertainty_ns, "{wide:?} {narrow:?}");
    assert!(bench.error_ns().unsigned_abs() <= narrow.uncertainty_ns);
    // From the future: not believed, and looked into.
    bench.time.advance_ns(MS);
    bench.venue.heard(bench.now_ns(), bench.truth_ns() + 10 * S as i64);
    assert!(bench.error_ns().unsigned_abs() <= narrow.uncertainty_ns + MS);
    assert!(bench.venue.is_due(bench.now_ns() + AGAIN_NS));
}
