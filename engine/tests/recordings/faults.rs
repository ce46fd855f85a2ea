//! Faults made out of a recording: none of the recordings has a gap, a repeat, a swap or a
//! reconnect (F18, EDGE-16). Each test asserts that its fault happened, and that the book healed to
//! the digest of the undisturbed recording.

use pitlane_engine::event::{Book, BookStatus, BookStatusReason, Quote};
use pitlane_engine::venue::LetterReason;

use super::replay::{Replay, SCALES, Step, expected, load_inline, recordings};
use pitlane_engine::venue::binance::SpotMarket;

const NAME: &str = "spot_btcusdt_20240808";
const SYNCED: (BookStatus, BookStatusReason) = (BookStatus::Live, BookStatusReason::Synced);

/// A recording, the place of one of its diffs, and the digest it ends with.
struct Scene {
    steps: Vec<Step>,
    /// Where the n-th diff is in `steps`.
    diffs: Vec<usize>,
    digest: String,
}

/// The diff that is disturbed: far from the start and from the end.
const DISTURBED: usize = 1_000;

/// How many diffs later the snapshot arrives.
const LATER: usize = 5;

impl Scene {
    fn load() -> Option<Scene> {
        let folder = recordings()?;
        let recording = load_inline(&folder, NAME);
        let is_diff = |step: &Step| matches!(step, Step::Frame(f) if f.contains("depthUpdate"));
        let places = recording.steps.iter().enumerate();
        let diffs = places.filter(|(_, step)| is_diff(step)).map(|(at, _)| at).collect();
        let results = &expected(&folder)[format!("binance/{NAME}")]["symbols"]["BTCUSDT"]["final"];
        let digest = results["book_sha256"].as_str().unwrap().to_owned();
        Some(Scene { steps: recording.steps, diffs, digest })
    }

    fn frame(&self, diff: usize) -> &str {
        match &self.steps[self.diffs[diff]] {
            Step::Frame(frame) => frame,
            Step::Snapshot(..) => unreachable!("the place of a diff"),
        }
    }

    fn replay_until(&self, step: usize) -> Replay {
        let mut replay = Replay::<SpotMarket>::new(&["BTCUSDT".to_owned()]);
        replay.run(&self.steps[..step]);
        replay
    }

    /// Goes on to the diff `LATER` than the disturbed one, takes the venue's own book of that
    /// moment as the snapshot, and runs to the end.
    fn heal_and_finish(&self, replay: &mut Replay, from: usize) {
        let heal_at = self.diffs[DISTURBED + LATER] + 1;
        let books_before = replay.out.of::<Book>().count();
        replay.run(&self.steps[from..heal_at]);
        assert_eq!(replay.book("BTCUSDT").1, BookStatus::Syncing, "waits for its snapshot");
        assert_eq!(replay.out.of::<Book>().count(), books_before, "no book while distrusted");
        let snapshot = self.replay_until(heal_at).as_snapshot();
        replay.snapshot(&snapshot);
        replay.run(&self.steps[heal_at..]);
        self.finished(replay);
    }

    fn finished(&self, replay: &Replay) {
        let (book, status) = replay.book("BTCUSDT");
        assert_eq!(status, BookStatus::Live);
        assert_eq!(book.digest(SCALES), self.digest);
        assert!(replay.read().identity_holds());
        assert!(replay.out.books_only_while_live());
    }
}

#[test]
fn a_dropped_diff_is_a_gap_within_one_event_and_heals() {
    let Some(scene) = Scene::load() else { return };
    let at = scene.diffs[DISTURBED];
    let mut replay = scene.replay_until(at);
    let requested = replay.requested.len();
    // Without the disturbed diff, up to and with the next one.
    let next = scene.diffs[DISTURBED + 1] + 1;
    replay.run(&scene.steps[at + 1..next]);
    assert_eq!(replay.out.states().last(), Some(&(BookStatus::Syncing, BookStatusReason::Gap)));
    assert_eq!(replay.read().gaps, 1);
    assert_eq!(replay.requested.len(), requested + 1, "asked for a snapshot at once");
    scene.heal_and_finish(&mut replay, next);
    assert_eq!(replay.out.states(), [SYNCED, (BookStatus::Syncing, BookStatusReason::Gap), SYNCED]);
}

#[test]
fn swapped_diffs_are_a_gap_and_heal() {
    let Some(scene) = Scene::load() else { return };
    let (at, next) = (scene.diffs[DISTURBED], scene.diffs[DISTURBED + 1]);
    let mut replay = scene.replay_until(at);
    let old = replay.counters("BTCUSDT").old;
    replay.step(&scene.steps[next]);
    assert_eq!(replay.read().gaps, 1);
    replay.step(&scene.steps[at]);
    assert_eq!(replay.counters("BTCUSDT").old, old + 1, "the late one is ignored");
    assert_eq!(replay.read().gaps, 1);
    replay.run(&scene.steps[at + 1..next]);
    scene.heal_and_finish(&mut replay, next + 1);
}

#[test]
fn a_repeated_diff_is_ignored() {
    let Some(scene) = Scene::load() else { return };
    let at = scene.diffs[DISTURBED] + 1;
    let mut replay = scene.replay_until(at);
    let (old, events) = (replay.counters("BTCUSDT").old, replay.out.events.len());
    replay.step(&scene.steps[at - 1]);
    assert_eq!(replay.counters("BTCUSDT").old, old + 1);
    assert_eq!(replay.out.events.len(), events);
    replay.run(&scene.steps[at..]);
    assert_eq!(replay.out.states(), [SYNCED]);
    scene.finished(&replay);
}

#[test]
fn a_diff_that_cannot_be_decoded_makes_the_book_corrupt_and_heals() {
    let Some(scene) = Scene::load() else { return };
    let at = scene.diffs[DISTURBED];
    let mut replay = scene.replay_until(at);
    let garbled = scene.frame(DISTURBED).replacen(r#"","0.00000000"]"#, r#"","NaN"]"#, 1);
    assert_ne!(garbled, scene.frame(DISTURBED));
    replay.frame(&garbled);
    assert_eq!(replay.out.letters.len(), 1);
    assert_eq!(replay.out.letters[0].0, LetterReason::Number);
    let corrupt = (BookStatus::Syncing, BookStatusReason::Corrupt);
    assert_eq!(replay.out.states().last(), Some(&corrupt));
    scene.heal_and_finish(&mut replay, at + 1);
    assert_eq!(replay.out.states(), [SYNCED, corrupt, SYNCED]);
    assert_eq!(replay.read().refused, 1);
}

#[test]
fn a_reconnect_distrusts_the_book_and_quotes_go_on() {
    let Some(scene) = Scene::load() else { return };
    let at = scene.diffs[DISTURBED];
    let mut replay = scene.replay_until(at);
    let quotes = replay.out.of::<Quote>().count();
    replay.feed.on_disconnected(&mut replay.out);
    let disconnected = (BookStatus::Syncing, BookStatusReason::Disconnected);
    assert_eq!(replay.out.states().last(), Some(&disconnected));
    assert_eq!(replay.book("BTCUSDT").0.level_count(pitlane_engine::event::Side::Buy), 0);
    let now_ns = replay.clock.now_ns();
    replay.feed.on_connected(now_ns);
    scene.heal_and_finish(&mut replay, at);
    assert!(replay.out.of::<Quote>().count() > quotes);
    assert_eq!(replay.out.states(), [SYNCED, disconnected, SYNCED]);
}

#[test]
fn a_snapshot_older_than_the_buffer_is_asked_for_again() {
    let Some(scene) = Scene::load() else { return };
    let at = scene.diffs[DISTURBED];
    let old_snapshot = scene.replay_until(at).as_snapshot();
    let mut replay = scene.replay_until(at);
    replay.run(&scene.steps[at + 1..scene.diffs[DISTURBED + 1] + 1]);
    let requested = replay.requested.len();
    replay.snapshot(&old_snapshot);
    assert_eq!(replay.book("BTCUSDT").1, BookStatus::Syncing);
    // A second later by the clock the next frame may ask again; before that it may not.
    let next = scene.diffs[DISTURBED + 1] + 1;
    replay.step(&scene.steps[next]);
    assert_eq!(replay.requested.len(), requested, "one request a symbol and second");
    replay.time.advance_ns(1_000_000_000);
    replay.step(&scene.steps[next + 1]);
    assert_eq!(replay.requested.len(), requested + 1);
    scene.heal_and_finish(&mut replay, next + 2);
}
