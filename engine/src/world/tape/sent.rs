//! Bytes on a connection, as a person reads them: WebSocket payloads without their masks.

use crate::text;

/// Bytes of a text that are shown.
const SHOWN_BYTES_MAX: usize = 2_000;

/// What a client has sent, for a person: the payloads of its frames, joined; or the bytes, where
/// they are none.
#[must_use]
pub fn sent_text(bytes: &[u8]) -> String {
    bytes_text(&unmasked(bytes).concat())
}

/// What a server has sent, for a person: the payloads of its frames, with a space between them, the
/// last perhaps not whole; or the bytes, where they begin with no frame.
#[must_use]
pub fn received_text(bytes: &[u8]) -> String {
    let (mut payloads, mut rest) = (Vec::new(), bytes);
    while let Some((length, behind)) = head(rest, false) {
        let (payload, behind) = behind.split_at(length.min(behind.len()));
        payloads.push(payload);
        rest = behind;
    }
    if payloads.is_empty() || !rest.is_empty() {
        // Where a frame does not begin, what is there is a part of one, or an answer over REST.
        payloads.push(rest);
    }
    bytes_text(&payloads.join(&b" "[..]))
}

/// Bytes as they may be shown: on one line, secrets masked, control characters written out, and
/// what is long is cut.
#[must_use]
pub fn bytes_text(bytes: &[u8]) -> String {
    let text = text::shown(&String::from_utf8_lossy(bytes));
    let text = text.replace('\n', "\\n").replace('\t', "\\t");
    if text.len() <= SHOWN_BYTES_MAX {
        return text;
    }
    let cut = text.floor_char_boundary(SHOWN_BYTES_MAX);
    format!("{} ... ({} bytes)", &text[..cut], bytes.len())
}

/// The payloads of masked WebSocket frames, as a client sends them; or the bytes, where they are
/// none.
#[must_use]
pub fn unmasked(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut payloads, mut rest) = (Vec::new(), bytes);
    while let Some((payload, behind)) = frame(rest) {
        payloads.push(payload);
        rest = behind;
    }
    if payloads.is_empty() {
        payloads.push(bytes.to_vec());
    }
    payloads
}

/// The payload of one masked frame, and what is behind it.
fn frame(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (length, rest) = head(bytes, true)?;
    let (mask, rest) = rest.split_first_chunk::<4>()?;
    let (masked, rest) = rest.split_at_checked(length)?;
    let payload = masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    Some((payload.collect(), rest))
}

/// The length of the payload of a frame, and what is behind it in the head. No text begins as one:
/// the reserved bits are those of all printable characters.
fn head(bytes: &[u8], is_masked: bool) -> Option<(usize, &[u8])> {
    let (head, rest) = bytes.split_at_checked(2)?;
    if head[0] & 0x70 != 0 || (head[1] & 0x80 != 0) != is_masked {
        return None;
    }
    Some(match head[1] & 0x7F {
        126 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk::<8>()?;
            (usize::try_from(u64::from_be_bytes(*length)).ok()?, rest)
        }
        short => (usize::from(short), rest),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &[u8], mask: [u8; 4]) -> Vec<u8> {
        let mut frame = vec![0x81, 0x80 | text.len() as u8];
        frame.extend(mask);
        frame.extend(text.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    #[test]
    fn masked_frames_are_read_and_what_is_none_stays_as_it_is() {
        let bytes = [masked(b"{\"one\":1}", [1, 2, 3, 4]), masked(b" two", [9, 8, 7, 6])].concat();
        assert_eq!(sent_text(&bytes), "{\"one\":1} two");
        assert_eq!(sent_text(&bytes[..bytes.len() - 1]), "{\"one\":1}");
        assert_eq!(sent_text(b"GET / HTTP/1.1\r\n"), "GET / HTTP/1.1\\u{d}\\n");
        assert_eq!(unmasked(&bytes), [b"{\"one\":1}".to_vec(), b" two".to_vec()]);
    }

    #[test]
    fn frames_of_a_server_are_shown_without_their_heads_and_a_part_of_one_as_far_as_it_goes() {
        let long = vec![b'x'; 300];
        let frames = [&[0x81, 3][..], b"one", &[0x81, 126, 1, 44], &long, &[0x81, 5], b"th"];
        let text = received_text(&frames.concat());
        assert_eq!(text, format!("one {} th", "x".repeat(300)));
        assert_eq!(received_text(b"HTTP/1.1 200"), "HTTP/1.1 200");
        assert_eq!(received_text(b"the rest of a frame"), "the rest of a frame");
        assert_eq!(received_text(&[0x81]), received_text(&[0x81]), "half a head is no panic");
    }

    #[test]
    fn what_is_long_is_cut_and_a_secret_is_masked() {
        let long = "a ".repeat(2_000);
        let text = sent_text(long.as_bytes());
        assert!(text.len() < 2_100 && text.ends_with("... (4000 bytes)"), "{text}");
        let text = sent_text(b"GET /order?signature=0123456789abcdef0123456789abcdef HTTP/1.1");
        assert!(!text.contains("0123456789abcdef"), "{text}");
    }
}
