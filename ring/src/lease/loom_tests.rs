use loom::thread;

use super::*;
use crate::sync::{explore, is_planted};

/// In every interleaving exactly one of leave and take wins, nobody but the owner reaches a cell,
/// and the new owner sees what the old one did to it.
#[test]
fn loom_lease_leave_and_take_have_one_winner() {
    explore(|| {
        let (mut home, mut watch) = lease(vec![0, 0]);
        let watchdog = thread::spawn(move || {
            let seen = watch.running()?;
            let slow = seen.cell;
            let mut home = watch.take(seen)?.into_home();
            home.run(1 - slow, |count| {
                *count += 10;
                (slow, *count)
            })
            .ok()
        });
        let mut lost = None;
        let mut ran = [0, 0];
        for cell in [1, 0] {
            match home.run(cell, |count| *count += 1) {
                Ok(()) => ran[cell] += 1,
                Err(mut demoted) => {
                    assert_eq!((demoted.cell(), *demoted.get_mut()), (cell, 1));
                    lost = Some(cell);
                    break;
                }
            }
        }
        let taken = watchdog.join().unwrap();
        assert_eq!(taken, lost.map(|slow| (slow, ran[1 - slow] + 10)));
        if lost.is_none() {
            assert_eq!(home.into_cells(), [(0, 1), (1, 1)]);
        }
    });
}

/// A look that is out of date never takes a later batch of the same cell. The canary `same-batch`
/// looks ahead instead.
#[test]
fn loom_lease_an_old_look_takes_nothing() {
    explore(|| {
        let (mut home, mut watch) = lease(vec![0, 0]);
        let mut seen = home.run(0, |_| watch.running()).unwrap().unwrap();
        seen.batch += u64::from(is_planted("same-batch"));
        let watchdog = thread::spawn(move || watch.take(seen).is_none());
        home.run(0, |count| *count += 1).expect("it keeps its cells");
        assert!(watchdog.join().unwrap());
    });
}
