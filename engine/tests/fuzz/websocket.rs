//! WebSocket frames: however the bytes come in pieces, the messages are the same, and no bytes make
//! the reader panic or grow without bound.

use std::cell::RefCell;

use pitlane_engine::runtime::Clock;
use pitlane_engine::venue::transport::{Inbound, Message, READ_BUFFER_BYTES};
use pitlane_engine::world::SplitMix64;

use crate::run::{Checked, fuzz};
use crate::{corpus, mutate};

/// Inputs in the suite.
const USUAL: u64 = 10_000;
/// Small, so that frames above it are drawn, too.
const FRAME_BYTES_MAX: usize = 70_000;

/// A frame with this first byte; one in eight is masked, or has a longer length than it needs.
fn frame(random: &mut SplitMix64, payload: &[u8], out: &mut Vec<u8>) {
    let first = match random.between(0, 15) {
        0 => random.next_u64() as u8,
        1 => 0x01,
        2 => 0x80,
        3 => 0x00,
        4 => 0x89,
        5 => 0x8A,
        6 => 0x88,
        7 => 0x82,
        _ => 0x81,
    };
    let is_odd = random.between(0, 31) == 0;
    let mask = if random.between(0, 63) == 0 { 0x80 } else { 0 };
    out.push(first);
    match payload.len() {
        length if length < 126 && !is_odd => out.push(mask | length as u8),
        length if length < 65_536 && !is_odd => {
            out.push(mask | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(mask | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if mask != 0 {
        out.extend_from_slice(&[1, 2, 3, 4]);
    }
    out.extend_from_slice(payload);
}

/// A few frames in a row, changed now and then.
fn draw(random: &mut SplitMix64, payloads: &[Vec<u8>], out: &mut Vec<u8>) {
    let mut payload = Vec::new();
    for _ in 0..random.between(1, 6) {
        payload.clear();
        match random.between(0, 9) {
            0 => {}
            1 => mutate::text(random, payloads, &mut payload),
            2 => payload.extend((0..random.between(0, 130)).map(|_| random.next_u64() as u8)),
            3 if random.between(0, 15) == 0 => {
                payload.resize(random.between(60_000, 75_000) as usize, b'x');
            }
            _ => payload.extend_from_slice(mutate::any(random, payloads)),
        }
        frame(random, &payload, out);
    }
    if random.between(0, 3) == 0 {
        mutate::bytes(random, payloads, out);
    }
}

/// All messages, and how it ended.
fn messages(
    bytes: &[u8],
    clock: &Clock,
    mut piece: impl FnMut() -> usize,
) -> Result<(Vec<String>, Option<String>), String> {
    let mut inbound = Inbound::new(FRAME_BYTES_MAX);
    let (mut seen, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let (mut part, _) = rest.split_at(piece().clamp(1, rest.len()));
        let taken = inbound.fill(&mut part, clock).map_err(|error| error.to_string())?;
        if taken == 0 {
            return Err("there is no room to read into".to_owned());
        }
        rest = &rest[taken..];
        loop {
            match inbound.next_message() {
                Ok(Some(Message::Data(data))) => seen.push(String::from_utf8_lossy(data).into()),
                Ok(Some(other)) => seen.push(format!("{other:?}")),
                Ok(None) => break,
                Err(error) => return Ok((seen, Some(error.to_string()))),
            }
        }
        let most = 4 * (FRAME_BYTES_MAX + READ_BUFFER_BYTES);
        if inbound.reserved_bytes() > most {
            return Err(format!("{} bytes are reserved", inbound.reserved_bytes()));
        }
    }
    Ok((seen, None))
}

#[test]
fn websocket_frames() {
    let payloads = corpus::frames("binance");
    let (clock, _time) = Clock::manual(0);
    let pieces = RefCell::new(SplitMix64::new(7));
    let check = |bytes: &[u8]| -> Checked {
        let whole = messages(bytes, &clock, || usize::MAX)?;
        let most = [1, 3, 200, 5_000][pieces.borrow_mut().between(0, 3) as usize];
        let parts = messages(bytes, &clock, || pieces.borrow_mut().between(1, most) as usize)?;
        match whole == parts {
            true => Ok(()),
            false => Err(format!("whole: {whole:?}\nin pieces of up to {most}: {parts:?}")),
        }
    };
    fuzz("websocket frames", USUAL, |random, out| draw(random, &payloads, out), check);
}
