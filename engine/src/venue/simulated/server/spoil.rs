//! How a market frame reaches a connection's wire: whole, or spoiled by a fault.

use std::time::Duration;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};

use super::client::{Client, append_frame};
use super::frame::MarketFrame;
use super::wire::Mark;
use crate::venue::simulated::fault::Fault;

/// Pieces of a frame that is split into TCP segments.
const SEGMENTS: usize = 8;
/// Time between two segments: enough for the reader to see them apart.
const SEGMENT_PAUSE: Duration = Duration::from_millis(1);

/// Appends a frame as the session wants it.
pub fn append_market(client: &mut Client, frame: &MarketFrame<'_>) {
    match client.session.envelope {
        Some(envelope) => append(client, &frame.wrapped(envelope)),
        None => append(client, &[frame.data]),
    }
}

/// Appends a frame of several parts, text or binary as the session's market frames are.
fn append(client: &mut Client, parts: &[&[u8]]) {
    let header = header_of(client);
    append_frame(client.wire().out(), header, parts);
}

/// The header of a whole, unmasked market frame of the session.
fn header_of(client: &Client) -> FrameHeader {
    FrameHeader { opcode: OpCode::Data(data_of(client)), ..FrameHeader::default() }
}

fn data_of(client: &Client) -> Data {
    if client.session.binary.is_some() { Data::Binary } else { Data::Text }
}

/// Sends the frame of this stream that a reorder fault held back before the last one.
pub fn release_held(client: &mut Client, stream: &str) {
    if client.session.held.as_ref().is_some_and(|(held, _)| held == stream) {
        let (_, payload) = client.session.held.take().expect("just seen");
        append(client, &[&payload]);
    }
}

/// Appends a frame spoiled by `fault`. Returns whether the frame's data left or will leave: a gap,
/// a data stall and a frame held back count as not sent (yet).
pub fn append_spoiled(
    client: &mut Client,
    frame: &MarketFrame<'_>,
    fault: Fault,
    now_ns: u64,
) -> bool {
    match fault {
        Fault::Gap => return false,
        Fault::DataStall { duration } => {
            client.session.muted_until_ns = Some(now_ns + duration.as_nanos() as u64);
            return false;
        }
        Fault::Reorder if client.session.held.is_none() => {
            client.session.held = Some((frame.stream.into(), payload(client, frame)));
            return false;
        }
        Fault::Duplicate => {
            append_market(client, frame);
            append_market(client, frame);
        }
        Fault::LostLevels => {
            let data = match client.session.binary {
                Some(binary) => (binary.without_levels)(frame.data),
                None => without_levels(frame.data),
            };
            append_market(client, &MarketFrame { data: &data, ..*frame });
        }
        Fault::BadJson => {
            let payload = payload(client, frame);
            append(client, &[&payload[..payload.len() * 2 / 3]]);
        }
        Fault::BadUtf8 => {
            let mut payload = payload(client, frame);
            // A lone continuation byte is no UTF-8 anywhere. The text in a binary frame is its end.
            let is_binary = client.session.binary.is_some();
            let at = if is_binary { payload.len() - 1 } else { payload.len() / 2 };
            payload[at] = 0x80;
            append(client, &[&payload]);
        }
        Fault::UnknownEvent => {
            let text = br#"{"e":"lunarEclipse","E":1,"s":"MOON","depth":[["1","2"]]}"#;
            let data = client.session.binary.map_or(&text[..], |binary| binary.unknown);
            append_market(client, &MarketFrame { data, ..*frame });
            append_market(client, frame);
        }
        Fault::AbsurdNumber { number } => {
            let data = match client.session.binary {
                Some(binary) => (binary.absurd)(frame.data, number),
                None => with_absurd_number(frame.data, number),
            };
            append_market(client, &MarketFrame { data: &data, ..*frame });
        }
        Fault::OversizeFrame { bytes } => {
            append(client, &[&vec![b' '; bytes]]);
            append_market(client, frame);
        }
        Fault::Stall { duration } => {
            append_market(client, frame);
            client.wire().mark(Mark::Pause(duration));
        }
        Fault::SplitFragments => append_fragments(client, frame),
        Fault::SplitSegments => {
            let bytes = encoded(client, frame);
            let piece = bytes.len().div_ceil(SEGMENTS);
            append_in_pieces(client, &bytes, piece, SEGMENT_PAUSE);
        }
        Fault::SlowLoris { byte_pause } => {
            let bytes = encoded(client, frame);
            append_in_pieces(client, &bytes, 1, byte_pause);
        }
        Fault::Disconnect { after_bytes, reset } => {
            let bytes = encoded(client, frame);
            let kept = after_bytes.min(bytes.len());
            client.wire().out().extend_from_slice(&bytes[..kept]);
            client.wire().mark(Mark::Close { reset });
        }
        Fault::MaskedFrame => {
            let payload = payload(client, frame);
            let header = FrameHeader { mask: Some([1, 2, 3, 4]), ..header_of(client) };
            append_frame(client.wire().out(), header, &[&payload]);
        }
        Fault::ReservedBit => {
            let payload = payload(client, frame);
            let header = FrameHeader { rsv1: true, ..header_of(client) };
            append_frame(client.wire().out(), header, &[&payload]);
        }
        Fault::BadOpcode => {
            let opcode = OpCode::Data(Data::Reserved(3));
            let header = FrameHeader { opcode, ..FrameHeader::default() };
            append_frame(client.wire().out(), header, &[b"?"]);
            append_market(client, frame);
        }
        // The others spoil no market frame, and a held frame is behind already.
        _ => append_market(client, frame),
    }
    true
}

/// The payload as the session wants it.
fn payload(client: &Client, frame: &MarketFrame<'_>) -> Vec<u8> {
    match client.session.envelope {
        Some(envelope) => frame.wrapped(envelope).concat(),
        None => frame.data.to_vec(),
    }
}

/// The text with each list of lists empty.
fn without_levels(text: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len());
    let mut is_left_out = false;
    for (at, byte) in text.iter().enumerate() {
        let before = if at > 0 { text[at - 1] } else { 0 };
        is_left_out |= (before, *byte) == (b'[', b'[');
        if !is_left_out {
            kept.push(*byte);
        } else if (before, *byte) == (b']', b']') {
            is_left_out = false;
            kept.push(*byte);
        }
    }
    kept
}

/// Values that no id and no time has.
const ABSURD: [&str; 6] =
    ["0", "-1", "4000000000000000000", "18446744073709551615", "1e30", "null"];

/// The text with an absurd value in place of one of its whole numbers: those of five digits or more
/// that are no text, so ids and times at all venues, and prices and quantities at none.
fn with_absurd_number(text: &[u8], number: usize) -> Vec<u8> {
    let is_of_number = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let mut places = Vec::new();
    let (mut at, mut is_in_text) = (0, false);
    while at < text.len() {
        is_in_text ^= text[at] == b'"';
        let digits = text[at..].iter().take_while(|byte| is_of_number(byte)).count();
        let is_whole = text[at..at + digits].iter().all(u8::is_ascii_digit);
        if !is_in_text && digits >= 5 && is_whole {
            places.push(at..at + digits);
        }
        at += digits.max(1);
    }
    let Some(place) = places.get(number % places.len().max(1)).cloned() else {
        return text.to_vec();
    };
    let value = ABSURD[number / places.len() % ABSURD.len()].as_bytes();
    [&text[..place.start], value, &text[place.end..]].concat()
}

/// The whole frame as bytes.
fn encoded(client: &Client, frame: &MarketFrame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_frame(&mut bytes, header_of(client), &[&payload(client, frame)]);
    bytes
}

fn append_fragments(client: &mut Client, frame: &MarketFrame<'_>) {
    let payload = payload(client, frame);
    let third = payload.len() / 3;
    let parts = [&payload[..third], &payload[third..2 * third], &payload[2 * third..]];
    for (index, part) in parts.into_iter().enumerate() {
        let data = if index == 0 { data_of(client) } else { Data::Continue };
        let header = FrameHeader {
            is_final: index == 2,
            opcode: OpCode::Data(data),
            ..FrameHeader::default()
        };
        append_frame(client.wire().out(), header, &[part]);
    }
}

fn append_in_pieces(client: &mut Client, bytes: &[u8], piece: usize, pause: Duration) {
    for piece in bytes.chunks(piece.max(1)) {
        client.wire().out().extend_from_slice(piece);
        client.wire().mark(Mark::Pause(pause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_whole_number_becomes_absurd_and_all_else_stays() {
        let text =
            br#"{"u":400900217,"s":"BTC12345","b":"25.35190","T":1700000000000,"q":1.50000}"#;
        let spoiled = |number| String::from_utf8(with_absurd_number(text, number)).unwrap();
        assert!(spoiled(0).starts_with(r#"{"u":0,"s":"BTC12345","b":"25.35190","T":1700"#));
        assert!(spoiled(1).ends_with(r#""b":"25.35190","T":0,"q":1.50000}"#));
        assert!(spoiled(6).starts_with(r#"{"u":18446744073709551615,"#));
        assert_eq!(with_absurd_number(b"{\"a\":\"12345\"}", 7), b"{\"a\":\"12345\"}");
    }

    #[test]
    fn levels_are_left_out_and_all_else_stays() {
        let text = br#"{"U":5,"b":[["1.0","2"],["0.9","3"]],"a":[["1.1","1"]],"x":[]}"#;
        assert_eq!(without_levels(text), br#"{"U":5,"b":[],"a":[],"x":[]}"#);
    }
}
