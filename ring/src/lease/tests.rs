use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::*;

fn cells_of<T: Send>(home: &Home<T>) -> Vec<usize> {
    home.cells().collect()
}

#[test]
fn a_home_runs_each_cell_and_shows_what_it_is_at() {
    let (mut home, watch) = lease(vec![10, 20]);
    assert_eq!((cells_of(&home), watch.running()), (vec![0, 1], None));
    for (batch, cell) in [(1, 0), (2, 1), (3, 1)] {
        let seen = home.run(cell, |value| {
            *value += 1;
            (watch.running(), *value)
        });
        let (seen, value) = seen.unwrap();
        assert_eq!(seen, Some(Running { cell, batch }));
        assert_eq!(value, [11, 21, 22][batch as usize - 1]);
        assert_eq!(watch.running(), None);
    }
    assert_eq!(home.into_cells(), [(0, 11), (1, 22)]);
}

#[test]
fn a_cell_is_reached_between_batches_until_the_home_is_demoted() {
    let (mut home, mut watch) = lease(vec![10, 20]);
    *home.get_mut(1).unwrap() += 1;
    assert_eq!((watch.running(), home.get_mut(1).copied()), (None, Some(21)));
    let mut rest = None;
    let demoted = home.run(0, |_| rest = watch.take(watch.running().unwrap())).unwrap_err();
    assert_eq!(home.get_mut(1), None);
    let mut successor = rest.unwrap().into_home();
    assert_eq!(successor.get_mut(1).copied(), Some(21));
    drop(demoted);
}

#[test]
fn a_home_whose_word_was_taken_keeps_the_slow_cell_alone() {
    let (mut home, mut watch) = lease(vec!["a", "b", "c"]);
    home.run(0, |_| ()).unwrap();
    let mut standby = None;
    let left = home.run(1, |value| {
        standby = watch.take(watch.running().unwrap());
        *value = "slow";
    });
    let mut demoted = left.unwrap_err();
    assert_eq!((demoted.cell(), *demoted.get_mut()), (1, "slow"));
    let standby = standby.unwrap();
    assert_eq!(standby.taken_from(), Running { cell: 1, batch: 2 });
    let mut next = standby.into_home();
    assert_eq!((cells_of(&next), watch.cells().collect::<Vec<_>>()), (vec![0, 2], vec![0, 2]));
    assert_eq!(next.run(2, |_| watch.running()).unwrap(), Some(Running { cell: 2, batch: 3 }));
    assert_eq!(next.into_cells(), [(0, "a"), (2, "c")]);
    assert_eq!(demoted.into_inner(), "slow");
    assert_eq!(cells_of(&home), [0; 0]);
}

/// "A second neighbour may stall": home after home, down to the last cell, which has nobody left
/// to be taken from it.
#[test]
fn every_cell_but_the_last_may_stall() {
    let (home, mut watch) = lease((0..LEASE_CELLS_MAX).collect());
    let mut home = home;
    let mut demoted = Vec::new();
    for cell in 0..LEASE_CELLS_MAX - 1 {
        let mut standby = None;
        let left = home.run(cell, |_| standby = watch.take(watch.running().unwrap()));
        demoted.push(left.unwrap_err().into_inner());
        home = standby.unwrap().into_home();
    }
    let last = LEASE_CELLS_MAX - 1;
    home.run(last, |_| assert!(watch.take(watch.running().unwrap()).is_none())).unwrap();
    assert_eq!(home.into_cells(), [(last, last)]);
    assert!(demoted.into_iter().eq(0..last));
}

#[test]
fn a_look_that_is_out_of_date_takes_nothing() {
    let (mut home, mut watch) = lease(vec![(), ()]);
    let seen = home.run(0, |()| watch.running()).unwrap().unwrap();
    assert!(watch.take(seen).is_none(), "between batches");
    home.run(0, |()| assert!(watch.take(seen).is_none(), "the next batch of that cell")).unwrap();
    assert_eq!(cells_of(&home), [0, 1]);
}

#[test]
fn a_batch_that_panics_leaves_its_cell_and_the_home_as_they_are() {
    let (mut home, mut watch) = lease(vec![1, 2]);
    let panicked = catch_unwind(AssertUnwindSafe(|| home.run(0, |_| panic!("on purpose"))));
    assert!(panicked.is_err());
    assert_eq!(watch.running(), None);
    assert_eq!(home.run(0, |value| *value).unwrap(), 1);

    let mut standby = None;
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        home.run(1, |_| {
            standby = watch.take(watch.running().unwrap());
            panic!("on purpose, and too late");
        })
    }));
    assert!(panicked.is_err() && standby.is_some());
    let demoted = home.run(0, |_| unreachable!("it has only cell 1")).unwrap_err();
    assert_eq!((demoted.cell(), demoted.into_inner()), (1, 2));
}

#[test]
#[should_panic(expected = "this home was demoted before and has handed out its cell")]
fn a_demoted_home_has_nothing_to_run() {
    let (mut home, mut watch) = lease(vec![(), ()]);
    let mut standby = None;
    let left = home.run(1, |()| standby = watch.take(watch.running().unwrap()));
    assert!(left.is_err() && standby.is_some());
    let _ = home.run(1, |()| ());
}

#[test]
#[should_panic(expected = "cell 1 is not of this home")]
fn a_taken_cell_is_not_run_by_the_new_home() {
    let (mut home, mut watch) = lease(vec![(), ()]);
    let mut standby = None;
    let _demoted = home.run(1, |()| standby = watch.take(watch.running().unwrap()));
    let _ = standby.unwrap().into_home().run(1, |()| ());
}

#[test]
#[should_panic(expected = "a lease has 1 to 64 cells, not 65")]
fn too_many_cells_are_refused() {
    lease(vec![(); LEASE_CELLS_MAX + 1]);
}

/// Says when it is dropped.
struct Noted<'n>(usize, &'n Mutex<Vec<usize>>);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(self.0);
    }
}

#[test]
fn each_cell_is_dropped_once_by_its_owner() {
    let dropped = Mutex::new(Vec::new());
    let noted = |cell| Noted(cell, &dropped);
    let now = || std::mem::take(&mut *dropped.lock().unwrap());
    let (mut home, mut watch) = lease((0..5).map(noted).collect());
    let mut standby = None;
    let left = home.run(2, |_| standby = watch.take(watch.running().unwrap()));
    assert_eq!(now(), [0; 0]);
    drop(left);
    assert_eq!(now(), [2]);
    drop(home);
    assert_eq!(now(), [0; 0]);
    let mut home = standby.unwrap().into_home();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        home.run(4, |_| {
            drop(watch.take(watch.running().unwrap()));
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(now(), [0, 1, 3], "a standby that nobody took in");
    drop(home);
    assert_eq!(now(), [4], "a demoted home that was not asked again");
    drop(watch);
    assert_eq!(now(), [0; 0]);
}

/// A home and its watch on two threads, with takes that come at any moment: no cell is ever run by
/// two at once (a plain count shows a lost addition), and who lost knows it.
#[test]
fn a_home_and_a_watch_agree_on_who_owns_what() {
    const ROUNDS: u64 = 300;
    const CELLS: usize = 4;
    let (mut kept, mut taken) = (0_u64, 0_u64);
    for round in 0..ROUNDS {
        let (home, mut watch) = lease(vec![0_u64; CELLS]);
        let batches = AtomicU64::new(0);
        let is_done = AtomicBool::new(false);
        let run_sweeps = |mut home: Home<u64>, sweeps: u64| -> (Vec<u64>, bool) {
            for _ in 0..sweeps {
                for cell in home.cells() {
                    let ran = home.run(cell, |count| {
                        *count += 1;
                        if round % 2 == 0 && *count % 8 == 0 {
                            // A batch that is seen in its midst, also on one core.
                            thread::yield_now();
                        }
                        batches.fetch_add(1, Ordering::Relaxed);
                    });
                    if let Err(demoted) = ran {
                        return (vec![demoted.into_inner()], true);
                    }
                }
            }
            (home.into_cells().into_iter().map(|(_, count)| count).collect(), false)
        };
        let (mut counts, is_demoted, took) = thread::scope(|scope| {
            let first = scope.spawn(|| {
                let outcome = run_sweeps(home, 20 + round % 50);
                is_done.store(true, Ordering::Release);
                outcome
            });
            let mut standby = None;
            while standby.is_none() && !is_done.load(Ordering::Acquire) {
                standby = watch.running().and_then(|seen| watch.take(seen));
                thread::yield_now();
            }
            let took = standby.is_some();
            let second = standby.map_or(Vec::new(), |it| run_sweeps(it.into_home(), 20).0);
            let (first, is_demoted) = first.join().unwrap();
            ([first, second].concat(), is_demoted, took)
        });
        assert_eq!(is_demoted, took, "round {round}: exactly one wins");
        assert_eq!(counts.len(), CELLS, "round {round}: each cell has one owner");
        assert_eq!(counts.drain(..).sum::<u64>(), batches.into_inner(), "round {round}");
        kept += u64::from(!took);
        taken += u64::from(took);
    }
    println!("{kept} homes kept all, {taken} lost all but one");
    assert!(taken > 0, "nothing was ever taken");
}
