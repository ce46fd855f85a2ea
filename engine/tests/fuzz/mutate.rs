//! Changes of frames.

use pitlane_engine::world::SplitMix64;

/// What is put where a value stood, or in between.
const TOKENS: &[&str] = &[
    "0",
    "-1",
    "1",
    "-0",
    "00",
    "0.",
    ".5",
    "1e5",
    "1E400",
    "1e-9",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "0.00000001",
    "0.000000001",
    "99999999999999999999999999",
    "null",
    "true",
    "false",
    "\"\"",
    "\"0\"",
    "[]",
    "{}",
    "[[]]",
    "[{}]",
    "\"",
    "\\",
    "\\\"",
    "\\u0000",
    "\\ud800",
    ",",
    ":",
    "[",
    "]",
    "{",
    "}",
    " ",
    "\n",
    "\t",
    "NaN",
    "BTCUSDT",
    "BTC-USDT",
    "BTC/USD",
    "\u{5e01}",
    "\u{0}",
    "-",
    "\"id\":7,",
    "\"e\":\"trade\",",
    "\"code\":-1,",
    "\"data\":",
];
/// Numbers that are put into binary frames.
const NUMBERS: &[i64] = &[0, 1, -1, 2, 15, 16, 25, 127, 128, 255, i64::MAX, i64::MIN];

fn below(random: &mut SplitMix64, most: usize) -> usize {
    random.between(0, most.saturating_sub(1) as u64) as usize
}

/// A range within so many bytes, mostly a short one.
fn range(random: &mut SplitMix64, bytes: usize) -> std::ops::Range<usize> {
    let start = below(random, bytes + 1);
    let most = [4, 16, bytes][below(random, 3)];
    start..(start + below(random, most + 1)).min(bytes)
}

/// Any frame of the corpus.
pub fn any<'c>(random: &mut SplitMix64, corpus: &'c [Vec<u8>]) -> &'c [u8] {
    &corpus[below(random, corpus.len())]
}

/// A frame of the corpus, changed up to four times; one in sixteen stays as it is.
pub fn text(random: &mut SplitMix64, corpus: &[Vec<u8>], out: &mut Vec<u8>) {
    out.extend_from_slice(any(random, corpus));
    if random.between(0, 15) == 0 {
        return;
    }
    for _ in 0..random.between(1, 4) {
        let token = TOKENS[below(random, TOKENS.len())];
        let at = range(random, out.len());
        match random.between(0, 11) {
            0..=3 => number(random, token, out),
            4 => drop(out.splice(at.start..at.start, token.bytes())),
            5 => drop(out.splice(at, token.bytes())),
            6 => {
                let other = any(random, corpus);
                value(random, other, out);
            }
            _ => bytes(random, corpus, out),
        }
    }
}

/// Another token for one of the numbers.
fn number(random: &mut SplitMix64, token: &str, out: &mut Vec<u8>) {
    let from = below(random, out.len().max(1));
    let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let Some(start) = out[from..].iter().position(is_part).map(|at| from + at) else { return };
    let length = out[start..].iter().take_while(|byte| is_part(byte)).count();
    if random.between(0, 2) == 0 {
        // Another digit.
        out[start + below(random, length)] = b'0' + random.between(0, 9) as u8;
    } else {
        out.splice(start..start + length, token.bytes());
    }
}

/// A piece between two commas of another frame, in place of one of this.
fn value(random: &mut SplitMix64, other: &[u8], out: &mut Vec<u8>) {
    fn piece(random: &mut SplitMix64, frame: &[u8]) -> std::ops::Range<usize> {
        let from = below(random, frame.len().max(1));
        let is_end = |byte: &u8| *byte == b',';
        let start = frame[..from].iter().rposition(is_end).map_or(0, |at| at + 1);
        let end = frame[from..].iter().position(is_end).map_or(frame.len(), |at| from + at);
        start..end.max(start)
    }
    let (taken, place) = (piece(random, other), piece(random, out));
    out.splice(place, other[taken].iter().copied());
}

/// Changes that need not know what the bytes mean.
pub fn bytes(random: &mut SplitMix64, corpus: &[Vec<u8>], out: &mut Vec<u8>) {
    let at = range(random, out.len());
    match random.between(0, 6) {
        0 if !out.is_empty() => {
            let at = below(random, out.len());
            out[at] ^= 1 << random.between(0, 7);
        }
        1 if !out.is_empty() => {
            let at = below(random, out.len());
            out[at] = random.next_u64() as u8;
        }
        2 => drop(out.drain(at)),
        3 => {
            let again = out[at.clone()].to_vec();
            out.splice(at.end..at.end, again);
        }
        4 => out.truncate(at.start),
        5 => {
            let other = any(random, corpus);
            let from = below(random, other.len() + 1);
            out.truncate(at.start);
            out.extend_from_slice(&other[from..]);
        }
        _ => out.extend((0..random.between(0, 9)).map(|_| random.next_u64() as u8)),
    }
}

/// A binary frame of the corpus, changed up to four times; one in sixteen stays as it is.
pub fn binary(random: &mut SplitMix64, corpus: &[Vec<u8>], out: &mut Vec<u8>) {
    out.extend_from_slice(any(random, corpus));
    if random.between(0, 15) == 0 {
        return;
    }
    for _ in 0..random.between(1, 4) {
        let width = [1, 2, 4, 8][below(random, 4)];
        if random.between(0, 2) > 0 && out.len() >= width {
            let mut value = NUMBERS[below(random, NUMBERS.len())];
            if random.between(0, 1) == 0 {
                value = random.next_u64() as i64 >> random.between(0, 63);
            }
            // Half of them in the header, the block and what follows it.
            let most = if random.between(0, 1) == 0 { out.len().min(48) } else { out.len() };
            let at = below(random, (most + 1).saturating_sub(width).max(1));
            out[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        } else {
            bytes(random, corpus, out);
        }
    }
}
