//! The loop of a target.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use pitlane_engine::world::SplitMix64;

/// Tries to make a finding smaller, at most.
const TRIES_MAX: usize = 5_000;

/// What is wrong with an input.
pub type Checked = Result<(), String>;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Draws inputs and checks them: `usual` of them, or for `FUZZ_SECONDS`.
///
/// # Panics
/// With the first input that is wrong or makes the check panic.
pub fn fuzz(
    name: &str,
    usual: u64,
    mut draw: impl FnMut(&mut SplitMix64, &mut Vec<u8>),
    mut check: impl FnMut(&[u8]) -> Checked,
) {
    let seed = number("FUZZ_SEED").unwrap_or(1);
    let limit = number("FUZZ_SECONDS").map(Duration::from_secs);
    let mut random = SplitMix64::new(seed);
    let (start, mut done) = (Instant::now(), 0);
    let mut input = Vec::new();
    let mut checked = |input: &[u8]| {
        catch_unwind(AssertUnwindSafe(|| check(input)))
            .unwrap_or_else(|_| Err("it panicked, see above".to_owned()))
    };
    loop {
        let is_over = match limit {
            None => done >= usual,
            // The clock is looked at now and then.
            Some(limit) => done % 256 == 0 && start.elapsed() >= limit,
        };
        if is_over {
            break;
        }
        input.clear();
        draw(&mut random, &mut input);
        if let Err(problem) = checked(&input) {
            let small = smaller(&input, &mut |input| checked(input).is_err());
            let said = checked(&small).err().unwrap_or(problem);
            panic!("{name}: input {done} of seed {seed}: {said}\n{}", small.escape_ascii());
        }
        done += 1;
    }
    println!("{name}: {done} inputs in {:.0?}, nothing found", start.elapsed());
}

/// The input without as much of it as is not needed.
fn smaller(input: &[u8], fails: &mut impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut kept = input.to_vec();
    let (mut piece, mut tries) = (kept.len().div_ceil(2).max(1), 0);
    while piece > 0 && tries < TRIES_MAX {
        let mut at = 0;
        while at < kept.len() && tries < TRIES_MAX {
            let end = (at + piece).min(kept.len());
            let without = [&kept[..at], &kept[end..]].concat();
            tries += 1;
            if fails(&without) {
                kept = without;
            } else {
                at = end;
            }
        }
        piece /= 2;
    }
    kept
}

#[test]
fn a_planted_finding_is_found_and_made_small() {
    let outcome = catch_unwind(|| {
        fuzz(
            "planted",
            10_000,
            |random, input| input.extend((0..40).map(|_| random.next_u64() as u8)),
            |input| {
                assert!(!input.contains(&7), "a seven");
                Ok(())
            },
        );
    });
    let words = *outcome.unwrap_err().downcast::<String>().unwrap();
    assert!(words.contains("it panicked") && words.ends_with("\\x07"), "{words}");
}
