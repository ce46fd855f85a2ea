//! Native symbols of one venue: from the venue's text to an instrument, without allocation.
//!
//! Promises: a lookup hashes once, compares the whole text and never allocates, so that one symbol
//! can be a prefix of another (EDGE-21). Does not know what a symbol means: the configuration says
//! which native text stands for which instrument. Immutable once made; each decoder owns a clone.

use std::collections::HashSet;
use std::sync::Arc;

use thiserror::Error;

use crate::event::{InstrumentId, asset_code};
use crate::instrument::Instruments;

/// Decimal places of an instrument's prices and quantities, at most 12 each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scales {
    /// Decimal places of a price.
    pub price: u8,
    /// Decimal places of a quantity.
    pub qty: u8,
}

/// What a native symbol stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The instrument.
    pub instrument: InstrumentId,
    /// Its scales.
    pub scales: Scales,
    /// Position in the venue's own dense table, from 0 in the order of the configuration.
    pub slot: usize,
}

/// Why a table of symbols was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum SymbolError {
    #[error("native symbol {0:?} is empty or longer than 32 bytes")]
    BadNative(String),
    #[error("native symbol {0:?} is listed twice")]
    Duplicate(String),
    #[error("native symbol {0:?} stands for an instrument that was listed before")]
    InstrumentTwice(String),
    #[error("native symbol {0:?} stands for an unknown instrument")]
    UnknownInstrument(String),
}

/// Longest native symbol, bytes.
const NATIVE_BYTES_MAX: usize = 32;
const EMPTY: u32 = u32::MAX;
/// Few symbols hardly ever want the same cell then.
const CELLS_MIN: usize = 128;

/// The symbols of one venue.
#[derive(Clone, Debug)]
pub struct SymbolMap {
    entries: Arc<[Entry]>,
    /// Open addressing, a power of two at most half full.
    table: Arc<[Cell]>,
    /// Place in `entries`, by instrument; [`EMPTY`] for one that the venue does not have.
    by_instrument: Arc<[u32]>,
}

/// A symbol where its text is looked up; an empty cell's key is that of an empty text.
#[derive(Clone, Copy, Debug)]
struct Cell {
    key: Key,
    symbol: Symbol,
}

impl Cell {
    const EMPTY: Cell = {
        let scales = Scales { price: 0, qty: 0 };
        Cell { key: Key::EMPTY, symbol: Symbol { instrument: InstrumentId(0), scales, slot: 0 } }
    };
}

#[derive(Debug)]
struct Entry {
    native: Box<str>,
    symbol: Symbol,
    /// What its prices are in, where the instrument's name says.
    quote: Option<u128>,
}

impl SymbolMap {
    /// A table of `(native symbol, instrument)` in this order.
    ///
    /// # Errors
    /// [`SymbolError`] names the first native symbol that can't be taken.
    pub fn new(
        natives: &[(String, InstrumentId)],
        instruments: Arc<Instruments>,
    ) -> Result<SymbolMap, SymbolError> {
        let mut entries: Vec<Entry> = Vec::with_capacity(natives.len());
        let (mut seen, mut seen_instruments) = (HashSet::new(), HashSet::new());
        for (native, instrument) in natives {
            if native.is_empty() || native.len() > NATIVE_BYTES_MAX {
                return Err(SymbolError::BadNative(native.clone()));
            }
            let Some(spec) = instruments.get(*instrument) else {
                return Err(SymbolError::UnknownInstrument(native.clone()));
            };
            if !seen.insert(native) {
                return Err(SymbolError::Duplicate(native.clone()));
            }
            if !seen_instruments.insert(*instrument) {
                return Err(SymbolError::InstrumentTwice(native.clone()));
            }
            let slot = entries.len();
            let scales = Scales { price: spec.price_scale, qty: spec.qty_scale };
            let symbol = Symbol { instrument: *instrument, scales, slot };
            let quote = spec.symbol.split_once('-').and_then(|(_, quote)| asset_code(quote));
            entries.push(Entry { native: native.as_str().into(), symbol, quote });
        }
        Ok(SymbolMap::of_entries(entries))
    }

    /// A table of the symbols in these slots alone, which are numbered from 0 in it.
    #[must_use]
    pub fn part(&self, slots: std::ops::Range<usize>) -> SymbolMap {
        let start = slots.start;
        let entry = |entry: &Entry| Entry {
            native: entry.native.clone(),
            symbol: Symbol { slot: entry.symbol.slot - start, ..entry.symbol },
            quote: entry.quote,
        };
        SymbolMap::of_entries(self.entries[slots].iter().map(entry).collect())
    }

    fn of_entries(entries: Vec<Entry>) -> SymbolMap {
        let mut table = vec![Cell::EMPTY; (entries.len() * 2).next_power_of_two().max(CELLS_MIN)];
        let last = entries.iter().map(|entry| entry.symbol.instrument.index()).max();
        let mut by_instrument = vec![EMPTY; last.map_or(0, |last| last + 1)];
        for (slot, entry) in entries.iter().enumerate() {
            by_instrument[entry.symbol.instrument.index()] = slot as u32;
            let key = Key::of(entry.native.as_bytes()).unwrap_or(Key::EMPTY);
            let mut at = key.hash() & (table.len() - 1);
            while table[at].key != Key::EMPTY {
                at = (at + 1) & (table.len() - 1);
            }
            table[at] = Cell { key, symbol: entry.symbol };
        }
        SymbolMap {
            entries: entries.into(),
            table: table.into(),
            by_instrument: by_instrument.into(),
        }
    }

    /// What `native` stands for; `None` when it isn't configured.
    #[inline]
    #[must_use]
    pub fn lookup(&self, native: &[u8]) -> Option<Symbol> {
        self.find(Key::of(native)?)
    }

    /// As [`SymbolMap::lookup`], of the text that the last `length` bytes of `bytes` are.
    #[inline]
    #[must_use]
    pub fn lookup_last(&self, bytes: &[u8], length: usize) -> Option<Symbol> {
        self.find(Key::of_last(bytes, length)?)
    }

    #[inline]
    fn find(&self, key: Key) -> Option<Symbol> {
        let mask = self.table.len() - 1;
        let mut at = key.hash() & mask;
        // Ends at an empty cell: the table is at most half full.
        loop {
            let cell = &self.table[at];
            if cell.key == key {
                return Some(cell.symbol);
            }
            if cell.key == Key::EMPTY {
                return None;
            }
            at = (at + 1) & mask;
        }
    }

    /// The native symbol of an instrument; `None` when the venue doesn't have it configured.
    #[must_use]
    pub fn native(&self, instrument: InstrumentId) -> Option<&str> {
        self.entry(instrument).map(|entry| &*entry.native)
    }

    /// The symbol of an instrument; `None` when the venue doesn't have it configured.
    #[must_use]
    pub fn symbol(&self, instrument: InstrumentId) -> Option<Symbol> {
        self.entry(instrument).map(|entry| entry.symbol)
    }

    /// The asset of an instrument's prices, as [`asset_code`] has it; `None` where its name does
    /// not say.
    #[must_use]
    pub fn quote_asset(&self, instrument: InstrumentId) -> Option<u128> {
        self.entry(instrument)?.quote
    }

    /// The symbol in a slot.
    #[must_use]
    pub fn at(&self, slot: usize) -> Option<Symbol> {
        self.entries.get(slot).map(|entry| entry.symbol)
    }

    /// Native texts and symbols in the order of the configuration.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, Symbol)> {
        self.entries.iter().map(|entry| (&*entry.native, entry.symbol))
    }

    /// How many symbols there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn entry(&self, instrument: InstrumentId) -> Option<&Entry> {
        let place = self.by_instrument.get(instrument.index())?;
        self.entries.get(*place as usize)
    }
}

/// A text of 1 to 32 bytes in two numbers, with zeros behind it. Made and compared in registers,
/// without a loop or a call.
#[derive(Clone, Copy, Debug, Eq)]
struct Key {
    length: usize,
    head: u128,
    /// What lies beyond [`HEAD_BYTES`].
    tail: u128,
}

/// Bytes of a key's head.
const HEAD_BYTES: usize = 16;

impl PartialEq for Key {
    /// Most symbols end in the head: their tails are both 0.
    #[inline]
    fn eq(&self, other: &Key) -> bool {
        self.length == other.length
            && self.head == other.head
            && (self.length <= HEAD_BYTES || self.tail == other.tail)
    }
}

impl Key {
    /// No text's.
    const EMPTY: Key = Key { length: 0, head: 0, tail: 0 };

    /// `None` for a text that is empty, or longer than any symbol.
    #[inline]
    fn of(text: &[u8]) -> Option<Key> {
        let length = text.len();
        let (head, tail) = match length {
            17..=NATIVE_BYTES_MAX => {
                (u128::from_le_bytes(*text.first_chunk()?), Key::last(text, length - 16)?)
            }
            16 => (u128::from_le_bytes(*text.first_chunk()?), 0),
            8..16 => {
                let high = u64::from_le_bytes(*text.last_chunk()?);
                let high = high.unbounded_shr(8 * (16 - length as u32));
                let low = u64::from_le_bytes(*text.first_chunk()?);
                (u128::from(low) | u128::from(high) << 64, 0)
            }
            4..8 => {
                let high = u32::from_le_bytes(*text.last_chunk()?);
                let high = high.unbounded_shr(8 * (8 - length as u32));
                let low = u32::from_le_bytes(*text.first_chunk()?);
                (u128::from(low) | u128::from(high) << 32, 0)
            }
            1..4 => {
                let byte = |at| text.get(at).copied().unwrap_or(0);
                (u32::from_le_bytes([byte(0), byte(1), byte(2), 0]).into(), 0)
            }
            _ => return None,
        };
        Some(Key { length, head, tail })
    }

    /// Of the text that the last `length` bytes of `bytes` are.
    #[inline]
    fn of_last(bytes: &[u8], length: usize) -> Option<Key> {
        // One way for all lengths, where enough stands before the text.
        if (1..=16).contains(&length)
            && let Some(head) = Key::last(bytes, length)
        {
            return Some(Key { length, head, tail: 0 });
        }
        Key::of(bytes.get(bytes.len().checked_sub(length)?..)?)
    }

    /// The last bytes, 1 to 16; `None` where there are fewer than 16 in all.
    #[inline]
    fn last(bytes: &[u8], length: usize) -> Option<u128> {
        let last = u128::from_le_bytes(*bytes.last_chunk()?);
        Some(last >> (8 * (16 - length)))
    }

    /// Both halves of a product, or of two that do not wait for each other. Not keyed: the table is
    /// filled from the configuration alone, a stranger's text is only ever looked up.
    #[inline]
    fn hash(&self) -> usize {
        let folded = |number: u128| {
            let (low, high) = (number as u64, (number >> 64) as u64);
            let product = u128::from(low ^ ODD) * u128::from(high ^ ODD.rotate_left(32));
            product as u64 ^ (product >> 64) as u64
        };
        let head = folded(self.head ^ self.length as u128);
        (if self.length > HEAD_BYTES { head ^ folded(self.tail) } else { head }) as usize
    }
}

/// Bits without a pattern.
const ODD: u64 = 0x517c_c1b7_2722_0a95;

#[cfg(test)]
impl SymbolMap {
    /// The native symbols of [`Instruments::of_test`], in its order.
    pub(crate) fn of_test<S: AsRef<str>>(natives: &[S]) -> SymbolMap {
        let named = natives.iter().map(|native| native.as_ref().to_owned());
        let natives: Vec<_> = named.zip((0..).map(InstrumentId)).collect();
        SymbolMap::new(&natives, Instruments::of_test(natives.len())).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_of_a_symbol_is_another_symbol() {
        // EDGE-21
        let natives = [("ETHUSDT".to_owned(), InstrumentId(1)), ("ETHUSD".into(), InstrumentId(0))];
        let map = SymbolMap::new(&natives, Instruments::of_test(2)).unwrap();
        assert_eq!(
            map.lookup(b"ETHUSDT").map(|s| (s.instrument, s.slot)),
            Some((InstrumentId(1), 0))
        );
        assert_eq!(
            map.lookup(b"ETHUSD").map(|s| (s.instrument, s.slot)),
            Some((InstrumentId(0), 1))
        );
        assert_eq!(map.lookup(b"ETHUS"), None);
        assert_eq!(map.lookup(b"ethusdt"), None);
        assert_eq!(map.lookup(b""), None);
        assert_eq!(map.native(InstrumentId(1)), Some("ETHUSDT"));
        assert_eq!(map.native(InstrumentId(2)), None);
    }

    #[test]
    fn every_one_of_a_thousand_symbols_is_found() {
        let natives: Vec<_> =
            (0..1_000).map(|n| (format!("SYMBOL{n}USDT"), InstrumentId(n))).collect();
        let map = SymbolMap::new(&natives, Instruments::of_test(1_000)).unwrap();
        for (native, instrument) in &natives {
            assert_eq!(map.lookup(native.as_bytes()).map(|s| s.instrument), Some(*instrument));
        }
        assert_eq!(map.lookup(b"SYMBOL1000USDT"), None);
    }

    #[test]
    fn texts_of_every_length_are_told_apart_by_each_of_their_bytes() {
        let text: Vec<u8> = (b'!'..).take(NATIVE_BYTES_MAX + 1).collect();
        for length in 1..=NATIVE_BYTES_MAX {
            let native = str::from_utf8(&text[..length]).unwrap().to_owned();
            let map = SymbolMap::of_test(&[native]);
            assert!(map.lookup(&text[..length]).is_some(), "{length}");
            assert_eq!(map.lookup(&text[..length - 1]), None, "{length}, one less");
            assert_eq!(map.lookup(&text[..length + 1]), None, "{length}, one more");
            for before in [0, 1, 15, 16, 40] {
                let mut bytes = vec![b'x'; before];
                bytes.extend_from_slice(&text[..length]);
                let found = |length| map.lookup_last(&bytes, length).is_some();
                assert!(found(length) && !found(length - 1) && !found(length + 1), "{length}");
                assert!(!found(bytes.len() + 1), "{length}");
            }
            for place in 0..length {
                let mut other = text[..length].to_vec();
                other[place] ^= 0x80;
                assert_eq!(map.lookup(&other), None, "{length}, byte {place}");
            }
        }
    }

    /// Names are much alike, and yet hardly ever want the same cell: a look-up sees few of them.
    #[test]
    fn a_lookup_of_names_that_are_much_alike_sees_few_cells() {
        let bases =
            ["BTC", "ETH", "SOL", "XRP", "ADA", "DOGE", "1000BONK", "1000PEPE", "LTC", "BCH"];
        let quotes = ["USDT", "USDC", "EUR", "BTC"];
        let forms = [("", ""), ("-", ""), ("/", ""), ("-", "-SWAP"), ("-", "-261225")];
        let mut further = 0;
        for (between, behind) in forms {
            let name = |base, quote| format!("{base}{between}{quote}{behind}");
            let natives: Vec<_> = bases.map(|base| quotes.map(|quote| name(base, quote))).concat();
            let map = SymbolMap::of_test(&natives);
            let cells = map.table.len();
            let used = map.table.iter().enumerate().filter(|(_, cell)| cell.key != Key::EMPTY);
            further += used
                .map(|(at, cell)| (at + cells - cell.key.hash() % cells) % cells)
                .sum::<usize>();
        }
        // By chance alone 200 names in five tables lie about 42 cells behind the ones they want.
        assert!(further <= 84, "{further} cells further");
    }

    #[test]
    fn refuses_tables_that_would_be_ambiguous() {
        let refused = |natives: &[(&str, u32)]| {
            let natives: Vec<_> =
                natives.iter().map(|(n, i)| ((*n).to_owned(), InstrumentId(*i))).collect();
            SymbolMap::new(&natives, Instruments::of_test(2)).unwrap_err()
        };
        assert_eq!(refused(&[("A", 0), ("A", 1)]), SymbolError::Duplicate("A".into()));
        assert_eq!(refused(&[("A", 0), ("B", 0)]), SymbolError::InstrumentTwice("B".into()));
        assert_eq!(refused(&[("A", 7)]), SymbolError::UnknownInstrument("A".into()));
        assert_eq!(refused(&[("", 0)]), SymbolError::BadNative(String::new()));
    }
}
