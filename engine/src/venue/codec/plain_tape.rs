//! The tape of a short document in the plain form in which venues write: no spaces, no escapes,
//! whole numbers.
//!
//! Promises: what it takes, it takes as the parser of all JSON does (a differential test says so);
//! of anything else it takes nothing, and that parser decides. It knows no errors. A parser that
//! looks for the structure of 64 bytes at once costs more than it saves in frames of some hundred
//! bytes with a mark in every fourth.

use simd_json::{Node, StaticNode};

use super::digits::{DIGITS_MAX, ONES};

/// Deepest nesting that is taken.
const DEPTH_MAX: usize = 8;
/// The highest bit of eight bytes.
const HIGHS: u64 = 0x80 * ONES;

/// An object or an array that is not closed yet.
#[derive(Clone, Copy, Default)]
struct Open {
    /// Its own node.
    place: usize,
    /// Values in it so far.
    values: usize,
    is_object: bool,
}

/// Fills `tape` with the document that `text` is; false where it is not plain, and then the tape
/// holds anything.
#[inline]
pub(super) fn fill<'a>(text: &'a str, tape: &mut Vec<Node<'a>>) -> bool {
    tape.clear();
    text.starts_with('{') && Filler { text, at: 0, tape }.fill().is_some()
}

struct Filler<'a, 't> {
    text: &'a str,
    at: usize,
    tape: &'t mut Vec<Node<'a>>,
}

impl<'a> Filler<'a, '_> {
    fn fill(&mut self) -> Option<()> {
        let mut open = [Open::default(); DEPTH_MAX];
        let mut depth = 0;
        loop {
            let first = self.peek()?;
            if first == b'{' || first == b'[' {
                let is_object = first == b'{';
                *open.get_mut(depth)? = Open { place: self.tape.len(), values: 0, is_object };
                depth += 1;
                // Its length is known at its end.
                self.tape.push(Node::Object { len: 0, count: 0 });
                self.at += 1;
                let closing = if is_object { b'}' } else { b']' };
                if self.peek()? != closing {
                    if is_object {
                        self.name()?;
                    }
                    continue;
                }
            } else {
                self.scalar(first)?;
                open[depth - 1].values += 1;
            }
            // Behind a value, or at the end of what is empty.
            while self.is_closed(open.get(depth - 1)?)? {
                depth -= 1;
                if depth == 0 {
                    return (self.at == self.text.len()).then_some(());
                }
                open[depth - 1].values += 1;
            }
        }
    }

    /// Whether what is open ends here, which is noted in its node; else the next value comes.
    #[inline]
    fn is_closed(&mut self, open: &Open) -> Option<bool> {
        let Open { place, values: len, is_object } = *open;
        let count = self.tape.len() - place - 1;
        let mark = self.peek()?;
        self.at += 1;
        match (mark, is_object) {
            (b',', _) if len == 0 => return None,
            (b',', true) => {
                self.name()?;
                return Some(false);
            }
            (b',', false) => return Some(false),
            (b'}', true) => self.tape[place] = Node::Object { len, count },
            (b']', false) => self.tape[place] = Node::Array { len, count },
            _ => return None,
        }
        Some(true)
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// A text, a whole number, or a word.
    #[inline]
    fn scalar(&mut self, first: u8) -> Option<()> {
        let node = match first {
            b'"' => return self.quoted(),
            b'0'..=b'9' => StaticNode::U64(self.digits()?),
            b'-' => {
                self.at += 1;
                match self.digits()? {
                    // What -0 is, others decide.
                    0 => return None,
                    value => StaticNode::I64(-i64::try_from(value).ok()?),
                }
            }
            b't' => self.word("true", StaticNode::Bool(true))?,
            b'f' => self.word("false", StaticNode::Bool(false))?,
            b'n' => self.word("null", StaticNode::Null)?,
            _ => return None,
        };
        self.tape.push(Node::Static(node));
        Some(())
    }

    #[inline]
    fn word(&mut self, word: &str, node: StaticNode) -> Option<StaticNode> {
        self.text.as_bytes()[self.at..].strip_prefix(word.as_bytes())?;
        self.at += word.len();
        Some(node)
    }

    #[inline]
    fn digits(&mut self) -> Option<u64> {
        let begin = self.at;
        let mut value = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let count = self.at - begin;
        let has_leading_zero = count > 1 && self.text.as_bytes()[begin] == b'0';
        ((1..=DIGITS_MAX).contains(&count) && !has_leading_zero).then_some(value)
    }

    /// The name of a member, and the colon behind it.
    #[inline]
    fn name(&mut self) -> Option<()> {
        if self.peek()? != b'"' {
            return None;
        }
        self.quoted()?;
        let is_colon = self.peek()? == b':';
        self.at += 1;
        is_colon.then_some(())
    }

    #[inline]
    fn quoted(&mut self) -> Option<()> {
        let begin = self.at + 1;
        let end = text_end(self.text.as_bytes(), begin)?;
        self.tape.push(Node::String(self.text.get(begin..end)?));
        self.at = end + 1;
        Some(())
    }
}

/// Where the text that begins at `at` has its closing quote; `None` where something in it is to be
/// undone or refused first.
#[inline]
fn text_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let special = special_bytes(u64::from_le_bytes(*eight));
        if special != 0 {
            at += special.trailing_zeros() as usize / 8;
            return (bytes[at] == b'"').then_some(at);
        }
        at += 8;
    }
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    at += bytes.get(at..)?.iter().position(special)?;
    (bytes[at] == b'"').then_some(at)
}

/// The highest bit of the first byte, which is the lowest, that is a quote, an escape or a control
/// character. Behind it any bit may be set: a borrow goes only there.
#[inline]
fn special_bytes(eight: u64) -> u64 {
    let below = |eight: u64, byte: u64| eight.wrapping_sub(byte * ONES) & !eight;
    let is = |byte: u8| below(eight ^ (u64::from(byte) * ONES), 1);
    (is(b'"') | is(b'\\') | below(eight, 0x20)) & HIGHS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simd_json::to_tape;

    use super::*;

    const REPORT: &str = r#"{"subscriptionId":0,"event":{"e":"executionReport","E":1499405658658,"s":"BTCUSDT","c":"p1x0x7","g":-1,"C":"","i":4293153,"w":false,"m":true,"N":null}}"#;
    const NESTED: &str = r#"{"a":[],"b":{},"c":[[1,2],[{"d":[{}]}]],"":0}"#;

    /// Whether the document was taken; it then was as the parser of all JSON takes it.
    fn is_taken(text: &str) -> bool {
        let mut tape = Vec::new();
        if !fill(text, &mut tape) {
            return false;
        }
        let mut bytes = text.as_bytes().to_vec();
        let whole = to_tape(&mut bytes).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(format!("{:?}", whole.0), format!("{tape:?}"), "{text}");
        true
    }

    #[test]
    fn takes_what_venues_write_as_the_parser_of_all_json_does() {
        let words =
            r#"{"result":null,"id":18,"ok":true,"no":false,"x":-7,"big":999999999999999999}"#;
        for text in [REPORT, NESTED, words, "{}", r#"{"text":"é, ü and 漢字 in a text"}"#] {
            assert!(is_taken(text), "{text}");
        }
    }

    #[test]
    fn takes_nothing_else() {
        for text in [
            "",
            "[1]",
            "7",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,\"a\":1}",
            "{\"a\":1}}",
            "{\"a\":1} ",
            "{\"a\": 1}",
            "{\"a\":1]",
            "{\"a\":[1}",
            "{\"a\":[,1]}",
            "{\"a\":[1,]}",
            "{\"a\":1.5}",
            "{\"a\":1e5}",
            "{\"a\":01}",
            "{\"a\":-0}",
            "{\"a\":-}",
            "{\"a\":--1}",
            "{\"a\":1234567890123456789}",
            "{\"a\":tru}",
            "{\"a\":truex}",
            "{\"a\":\"b\\n\"}",
            "{\"a\":\"b\n\"}",
            "{\"a\\u0041\":1}",
            "{\"a\":\"b}",
            "{a:1}",
            "{\"a\":[[[[[[[[1]]]]]]]]}",
        ] {
            assert!(!is_taken(text), "{text}");
        }
    }

    #[test]
    fn a_text_ends_at_its_quote_wherever_that_stands_and_whatever_comes_before_it() {
        for length in 0..20 {
            for byte in 1..=0x7f_u8 {
                for place in 0..length {
                    let mut bytes = vec![b'x'; length];
                    bytes[place] = byte;
                    bytes.extend_from_slice(b"\"},\"y\":");
                    let is_plain = byte >= 0x20 && byte != b'\\';
                    let end = if byte == b'"' { place } else { length };
                    let expected = is_plain.then_some(end);
                    assert_eq!(text_end(&bytes, 0), expected, "{byte} at {place} of {length}");
                }
            }
        }
    }

    /// A document that may be plain.
    fn document() -> impl Strategy<Value = String> {
        let scalar = prop_oneof![
            "\"[a-zA-Z0-9 .:,\\[\\]{}é]{0,20}\"",
            "-?[0-9]{1,20}",
            Just("true".to_owned()),
            Just("null".to_owned()),
            "[0-9]{1,3}\\.[0-9]{1,3}",
        ];
        scalar.prop_recursive(4, 40, 6, |inner| {
            let member = ("\"[a-z]{0,9}\"", inner.clone()).prop_map(|(name, of)| name + ":" + &of);
            prop_oneof![
                prop::collection::vec(inner, 0..6).prop_map(|of| format!("[{}]", of.join(","))),
                prop::collection::vec(member, 0..6).prop_map(|of| format!("{{{}}}", of.join(","))),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_on_any_document(value in document()) {
            is_taken(&format!(r#"{{"x":{value}}}"#));
        }

        #[test]
        fn agrees_on_changed_documents(
            original in prop::sample::select(vec![REPORT, NESTED]),
            changes in prop::collection::vec(
                (any::<prop::sample::Index>(), prop::sample::select(b"0123456789.-\"\\{}[]:, eE\x07".to_vec())),
                1..4,
            ),
        ) {
            let mut bytes = original.as_bytes().to_vec();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            is_taken(&String::from_utf8(bytes).expect("ASCII"));
        }
    }
}
