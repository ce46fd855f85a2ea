//! What faults make of binary frames.

use crate::venue::simulated::server::BinaryFrames;

/// Bytes of the header.
const HEADER: usize = 8;
const TRADES: u16 = 10_000;
const SNAPSHOT: u16 = 10_002;
const DIFF: u16 = 10_003;
/// Values that no id and no time has.
const ABSURD: [i64; 5] = [0, -1, 4_000_000_000_000_000_000, i64::MAX, i64::MIN];

/// What faults make of the frames.
pub static SPOILED: BinaryFrames = BinaryFrames {
    // A block of four bytes, of a template that is in no schema so far.
    unknown: &[4, 0, 0xF7, 0x2A, 1, 0, 0, 0, 1, 2, 3, 4],
    without_levels,
    absurd,
};

fn short(frame: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([frame[at], frame[at + 1]])
}

/// The frame with both of its sides empty; one of another kind as it is.
fn without_levels(frame: &[u8]) -> Vec<u8> {
    if ![SNAPSHOT, DIFF].contains(&short(frame, 2)) {
        return frame.to_vec();
    }
    let mut at = HEADER + usize::from(short(frame, 0));
    let mut kept = frame[..at].to_vec();
    for _ in 0..2 {
        let (entry, count) = (short(frame, at), short(frame, at + 2));
        kept.extend([entry, 0].map(u16::to_le_bytes).as_flattened());
        at += 4 + usize::from(entry) * usize::from(count);
    }
    kept.extend_from_slice(&frame[at..]);
    kept
}

/// The frame with an absurd value in place of one of its ids and times.
fn absurd(frame: &[u8], number: usize) -> Vec<u8> {
    let places: &[usize] = match short(frame, 2) {
        // Behind the block and the size of the group is the first trade's number.
        TRADES => &[0, 24],
        DIFF => &[0, 8, 16],
        _ => &[0, 8],
    };
    let at = HEADER + places[number % places.len()];
    let mut spoiled = frame.to_vec();
    let value = ABSURD[number / places.len() % ABSURD.len()];
    spoiled[at..at + 8].copy_from_slice(&value.to_le_bytes());
    spoiled
}
