//! SC-008: a second return of a slot is refused, whenever and from wherever it comes, and harms
//! nothing.

use std::sync::Barrier;

use pitlane_engine::event::{Event, Quote};
use pitlane_ring::raw::{self, RefusedReturn, ReturnToken};
use pitlane_ring::{Consumer, LaneOptions, Plain, Pool, Publisher, lane_with};

use super::finding::{Finding, Verdict};
use super::plant::Plant;
use super::setting::Setting;
use super::trial::TrialError;
use crate::table::count;

const SLOTS: usize = 8;

pub(crate) fn check(setting: &Setting<'_>) -> Result<Finding, TrialError> {
    // A fifth of them each way.
    let each = setting.scale.wrong_accesses / 5;
    let mut lane = Lane::new();
    let mut caught = 0;
    let mut intact = true;
    // A refused return of a plain lane logs a warning with a backtrace; so many would bury the
    // table.
    let level = log::max_level();
    log::set_max_level(log::LevelFilter::Off);
    for number in 0..each {
        if setting.is_stopped() {
            break;
        }
        caught += u64::from(lane.twice_at_once());
        caught += u64::from(lane.twice_after_reuse(setting.plant));
        caught += u64::from(lane.by_two_threads());
        intact &= number % 64 > 0 || lane.is_intact();
    }
    let (in_pool, pool_intact) = in_pool(each, setting.plant);
    log::set_max_level(level);
    caught += in_pool;
    intact &= lane.is_intact() && pool_intact;
    let planted = each * 5;
    let counted = lane.publisher.gauge().double_returns();
    let finding = Finding {
        done: format!(
            "{} second returns on plain lanes (at once, after reuse, by two threads) and in a pool \
             (at once, after reuse)",
            count(planted)
        ),
        measured: format!(
            "{} refused; lane and pool {}",
            count(caught),
            if intact { "intact after each" } else { "DAMAGED" }
        ),
        bound: "all refused, exactly one of two threads wins, nothing harmed".to_owned(),
        verdict: Verdict::Skipped,
        attack: format!("{} counted by the lane's own gauge", count(counted)),
    };
    Ok(finding.judged(&[caught == planted, intact, counted == each * 3]))
}

/// A lane that is used wrongly.
struct Lane {
    publisher: Publisher<Event, Plain>,
    consumer: Consumer<Event, Plain>,
    published: i64,
}

impl Lane {
    fn new() -> Lane {
        let options = LaneOptions { name: "verify:double-returns".to_owned(), capacity: SLOTS };
        let (publisher, consumer) = lane_with::<Event, Plain>(options);
        Lane { publisher, consumer, published: 0 }
    }

    fn publish(&mut self) -> bool {
        self.published += 1;
        let mark = self.published;
        let quote = Quote { bid_price: mark, bid_qty: 1, ask_price: mark + 1, ask_qty: 1 };
        self.publisher.try_publish(&Event::new(&quote)).is_ok()
    }

    /// Holds the next slot.
    fn hold(&mut self) -> Option<ReturnToken<Plain>> {
        if !self.publish() {
            return None;
        }
        raw::hold(&mut self.consumer).map(|(_handle, token)| token)
    }

    fn twice_at_once(&mut self) -> bool {
        let Some(token) = self.hold() else { return false };
        let first = token.give_back();
        let second = token.give_back();
        raw::settle(&mut self.consumer);
        first.is_ok() && second == Err(RefusedReturn::AlreadyReturned)
    }

    fn twice_after_reuse(&mut self, plant: Plant) -> bool {
        let Some(token) = self.hold() else { return false };
        let first = token.give_back();
        raw::settle(&mut self.consumer);
        let is_whole = self.is_intact();
        let again = || token.give_back();
        let Self { publisher, consumer, .. } = self;
        let second = match plant {
            Plant::ForgottenReturn => {
                raw::with_forgotten_return(publisher, consumer, token.sequence(), again)
            }
            _ => again(),
        };
        first.is_ok() && is_whole && second == Err(RefusedReturn::AlreadyReturned)
    }

    fn by_two_threads(&mut self) -> bool {
        let Some(token) = self.hold() else { return false };
        let other = token.clone();
        let start = Barrier::new(2);
        let outcomes = std::thread::scope(|scope| {
            let rival = scope.spawn(|| {
                start.wait();
                other.give_back()
            });
            start.wait();
            let mine = token.give_back();
            rival.join().map(|theirs| [mine, theirs])
        });
        raw::settle(&mut self.consumer);
        let Ok(outcomes) = outcomes else { return false };
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        won == 1 && outcomes.contains(&Err(RefusedReturn::AlreadyReturned))
    }

    /// Whether the lane takes as many events as it has slots and gives them back whole and in
    /// order.
    fn is_intact(&mut self) -> bool {
        let first = self.published + 1;
        if !(0..SLOTS).all(|_| self.publish()) || self.publisher.has_room() {
            return false;
        }
        let mut prices = Vec::with_capacity(SLOTS);
        self.consumer.poll(SLOTS, |event| {
            prices.extend(event.get::<Quote>().map(|quote| quote.bid_price));
        });
        prices == (first..first + SLOTS as i64).collect::<Vec<_>>()
            && self.consumer.gauge().in_flight() == 0
    }
}

/// Returns slots twice, `each` times at once and `each` times after reuse. How many were refused,
/// and whether the pool was whole after each.
fn in_pool(each: u64, plant: Plant) -> (u64, bool) {
    let mut pool = Pool::<u64, Plain>::new_with("verify:double-returns", SLOTS, || 0);
    let (mut caught, mut intact) = (0, true);
    for _ in 0..each {
        let Some(handle) = pool.claim() else { return (caught, false) };
        intact &= pool.give_back(handle).is_ok();
        caught += u64::from(pool.give_back(handle) == Err(RefusedReturn::AlreadyReturned));
        let Some(current) = pool.claim() else { return (caught, false) };
        if plant == Plant::ForgottenReturn {
            raw::forget_pool_return(&mut pool, handle);
        }
        // The slot is in use again: the old handle must not return it.
        if pool.give_back(handle).is_ok() {
            // A pool that has lost count is no pool to go on with.
            return (caught, false);
        }
        caught += 1;
        intact &= pool.free() == SLOTS - 1;
        intact &= pool.give_back(current).is_ok() && pool.free() == SLOTS;
    }
    (caught, intact)
}
