//! Reading the nodes of a parsed document: walks, and the table of one-letter fields.
//!
//! Some venues name the fields of their stream messages by one letter, upper and lower case apart,
//! in no promised order. One pass over an object notes where each letter's value is; a letter that
//! comes twice is an error (F16), a longer name is skipped. The values are then read by name, each
//! with a typed error.

use simd_json::{Node, StaticNode};

use super::error::DecodeError;
use crate::event::{parse_scaled, parse_wide};

/// Nodes a value spans, its own head included.
#[inline]
pub(in crate::venue) fn span(node: &Node<'_>) -> usize {
    match node {
        Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
        Node::String(_) | Node::Static(_) => 1,
    }
}

/// The members of the object that `nodes` starts with: name, and the nodes from its value on.
/// Nothing when it isn't an object.
#[inline]
pub(in crate::venue) fn members<'t, 'a>(nodes: &'t [Node<'a>]) -> Members<'t, 'a> {
    match nodes.first() {
        Some(Node::Object { len, .. }) => Members { rest: &nodes[1..], left: *len },
        _ => Members { rest: &[], left: 0 },
    }
}

/// Iterator of [`members`].
pub(in crate::venue) struct Members<'t, 'a> {
    rest: &'t [Node<'a>],
    left: usize,
}

impl<'t, 'a> Iterator for Members<'t, 'a> {
    type Item = (&'a str, &'t [Node<'a>]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let (name, value) = self.rest.split_first()?;
        let Node::String(name) = name else { return None };
        self.left -= 1;
        self.rest = &value[span(value.first()?)..];
        Some((*name, value))
    }
}

/// The elements of an array; `None` when `nodes` doesn't start with one.
#[inline]
pub(in crate::venue) fn elements<'t, 'a>(nodes: &'t [Node<'a>]) -> Option<Elements<'t, 'a>> {
    match nodes.first() {
        Some(Node::Array { len, .. }) => Some(Elements { rest: &nodes[1..], left: *len }),
        _ => None,
    }
}

/// Iterator of [`elements`].
pub(in crate::venue) struct Elements<'t, 'a> {
    rest: &'t [Node<'a>],
    left: usize,
}

impl<'t, 'a> Iterator for Elements<'t, 'a> {
    type Item = &'t [Node<'a>];

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let element = self.rest;
        self.left -= 1;
        self.rest = &element[span(element.first()?)..];
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Elements<'_, '_> {}

/// The text a value is; `None` when it isn't one.
#[inline]
pub(in crate::venue) fn text<'a>(nodes: &[Node<'a>]) -> Option<&'a str> {
    match nodes.first() {
        Some(Node::String(text)) => Some(text),
        _ => None,
    }
}

/// The unsigned integer a value is; `None` when it isn't one.
#[inline]
pub(in crate::venue) fn unsigned(nodes: &[Node<'_>]) -> Option<u64> {
    match nodes.first() {
        Some(Node::Static(StaticNode::U64(value))) => Some(*value),
        _ => None,
    }
}

/// The integer a value is; `None` when it isn't one, or doesn't fit.
#[inline]
pub(in crate::venue) fn signed(nodes: &[Node<'_>]) -> Option<i64> {
    match nodes.first() {
        Some(Node::Static(StaticNode::U64(value))) => i64::try_from(*value).ok(),
        Some(Node::Static(StaticNode::I64(value))) => Some(*value),
        _ => None,
    }
}

/// Whether a value is true; `None` when it is neither true nor false.
#[inline]
pub(in crate::venue) fn boolean(value: Option<&[Node<'_>]>) -> Option<bool> {
    match value?.first() {
        Some(Node::Static(StaticNode::Bool(value))) => Some(*value),
        _ => None,
    }
}

/// Whether a value is `null`.
#[inline]
pub(in crate::venue) fn is_null(nodes: &[Node<'_>]) -> bool {
    matches!(nodes.first(), Some(Node::Static(StaticNode::Null)))
}

const LETTERS: usize = (b'z' - b'A') as usize + 1;

macro_rules! letter_texts {
    ($before:literal, $after:literal) => {
        letter_texts!(@ $before, $after,
            "A" "B" "C" "D" "E" "F" "G" "H" "I" "J" "K" "L" "M" "N" "O" "P" "Q" "R" "S" "T" "U" "V"
            "W" "X" "Y" "Z" "[" "\\" "]" "^" "_" "`" "a" "b" "c" "d" "e" "f" "g" "h" "i" "j" "k" "l"
            "m" "n" "o" "p" "q" "r" "s" "t" "u" "v" "w" "x" "y" "z")
    };
    (@ $before:literal, $after:literal, $($letter:literal)+) => {
        [$(concat!($before, $letter, $after),)+]
    };
}

// Static texts for every letter: an error must not allocate, and must name its field.
static MISSING: [&str; LETTERS] = letter_texts!("field ", " missing");
static WRONG_TYPE: [&str; LETTERS] = letter_texts!("field ", " of the wrong type");
static TWICE: [&str; LETTERS] = letter_texts!("field ", " twice");
static NOT_A_NUMBER: [&str; LETTERS] =
    letter_texts!("field ", ": not a plain decimal, or more decimals than the instrument allows");

#[inline]
fn letter_index(name: &str) -> Option<usize> {
    match name.as_bytes() {
        [letter @ b'A'..=b'z'] => Some((letter - b'A') as usize),
        _ => None,
    }
}

/// The one-letter fields of one object.
pub(in crate::venue) struct Letters<'t, 'a> {
    nodes: &'t [Node<'a>],
    /// Where each letter's value starts in `nodes`; 0 = absent, since node 0 is the object's head.
    at: [u32; LETTERS],
}

impl<'t, 'a> Letters<'t, 'a> {
    /// Notes the fields of the object that `nodes` starts with.
    #[inline]
    pub(in crate::venue) fn read(nodes: &'t [Node<'a>]) -> Result<Letters<'t, 'a>, DecodeError> {
        let mut at = [0; LETTERS];
        for (name, value) in members(nodes) {
            let Some(index) = letter_index(name) else { continue };
            if at[index] != 0 {
                return Err(DecodeError::malformed(TWICE[index]));
            }
            // Below 2^32: a document has fewer bytes.
            at[index] = (nodes.len() - value.len()) as u32;
        }
        Ok(Letters { nodes, at })
    }

    /// The nodes of a field, from its value on; `None` when absent.
    #[inline]
    pub(in crate::venue) fn get(&self, letter: u8) -> Option<&'t [Node<'a>]> {
        match self.at[(letter - b'A') as usize] {
            0 => None,
            at => Some(&self.nodes[at as usize..]),
        }
    }

    /// A text field.
    #[inline]
    pub(in crate::venue) fn text(&self, letter: u8) -> Result<&'a str, DecodeError> {
        text(self.need(letter)?).ok_or(self.wrong_type(letter))
    }

    /// An unsigned integer field.
    #[inline]
    pub(in crate::venue) fn unsigned(&self, letter: u8) -> Result<u64, DecodeError> {
        unsigned(self.need(letter)?).ok_or(self.wrong_type(letter))
    }

    /// An integer field.
    #[inline]
    pub(in crate::venue) fn signed(&self, letter: u8) -> Result<i64, DecodeError> {
        signed(self.need(letter)?).ok_or(self.wrong_type(letter))
    }

    /// A field that is true or false.
    #[inline]
    pub(in crate::venue) fn boolean(&self, letter: u8) -> Result<bool, DecodeError> {
        boolean(Some(self.need(letter)?)).ok_or(self.wrong_type(letter))
    }

    /// A number in text, in units of 10^-`scale`.
    #[inline]
    pub(in crate::venue) fn scaled(&self, letter: u8, scale: u8) -> Result<i64, DecodeError> {
        let number = self.text(letter)?;
        parse_scaled(number.as_bytes(), scale)
            .map_err(|_| DecodeError::number(NOT_A_NUMBER[(letter - b'A') as usize]))
    }

    /// [`Self::scaled`] for amounts that 64 bits may not hold.
    pub(in crate::venue) fn wide(&self, letter: u8, scale: u8) -> Result<i128, DecodeError> {
        parse_wide(self.text(letter)?.as_bytes(), scale)
            .map_err(|_| DecodeError::number(NOT_A_NUMBER[(letter - b'A') as usize]))
    }

    /// A time in milliseconds since the Unix epoch, in nanoseconds.
    #[inline]
    pub(in crate::venue) fn time_ns(&self, letter: u8) -> Result<i64, DecodeError> {
        milliseconds_to_ns(self.unsigned(letter)?)
    }

    #[inline]
    fn need(&self, letter: u8) -> Result<&'t [Node<'a>], DecodeError> {
        self.get(letter).ok_or(DecodeError::field(MISSING[(letter - b'A') as usize]))
    }

    #[inline]
    fn wrong_type(&self, letter: u8) -> DecodeError {
        DecodeError::field(WRONG_TYPE[(letter - b'A') as usize])
    }
}

/// Nanoseconds of a venue's milliseconds.
#[inline]
pub(in crate::venue) fn milliseconds_to_ns(ms: u64) -> Result<i64, DecodeError> {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| ms.checked_mul(1_000_000))
        .ok_or(DecodeError::number("time out of range"))
}
