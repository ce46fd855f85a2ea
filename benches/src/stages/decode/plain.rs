//! The other side: serde into borrowed structs, prices as integers, a `HashMap` of symbols, two
//! `BTreeMap` for a book; and a reader of binary frames that goes from field to field.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use pitlane_engine::event::{Level, Side};
use serde::Deserialize;
use simd_json::BorrowedValue;
use simd_json::prelude::*;

use super::samples::Kind;

#[derive(Deserialize)]
struct Combined<T> {
    data: T,
}

#[derive(Deserialize)]
struct Account<T> {
    event: T,
}

#[derive(Deserialize)]
struct Ticker<'f> {
    u: u64,
    #[serde(borrow)]
    s: Cow<'f, str>,
    #[serde(borrow)]
    b: Cow<'f, str>,
    #[serde(borrow, rename = "B")]
    bid_qty: Cow<'f, str>,
    #[serde(borrow)]
    a: Cow<'f, str>,
    #[serde(borrow, rename = "A")]
    ask_qty: Cow<'f, str>,
}

#[derive(Deserialize)]
struct Trade<'f> {
    #[serde(rename = "E")]
    time_ms: u64,
    #[serde(borrow)]
    s: Cow<'f, str>,
    t: u64,
    #[serde(borrow)]
    p: Cow<'f, str>,
    #[serde(borrow)]
    q: Cow<'f, str>,
    m: bool,
}

#[derive(Deserialize)]
struct Depth<'f> {
    #[serde(rename = "E")]
    time_ms: u64,
    #[serde(borrow)]
    s: Cow<'f, str>,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    #[serde(borrow)]
    b: Vec<(Cow<'f, str>, Cow<'f, str>)>,
    #[serde(borrow)]
    a: Vec<(Cow<'f, str>, Cow<'f, str>)>,
}

#[derive(Deserialize)]
struct Report<'f> {
    #[serde(rename = "E")]
    time_ms: u64,
    #[serde(borrow)]
    s: Cow<'f, str>,
    #[serde(borrow)]
    c: Cow<'f, str>,
    #[serde(borrow, rename = "C")]
    original: Cow<'f, str>,
    #[serde(borrow, rename = "S")]
    side: Cow<'f, str>,
    #[serde(borrow)]
    x: Cow<'f, str>,
    #[serde(borrow, rename = "X")]
    status: Cow<'f, str>,
    #[serde(borrow)]
    r: Cow<'f, str>,
    i: u64,
    t: i64,
    #[serde(rename = "I")]
    execution: u64,
    m: bool,
    #[serde(borrow)]
    q: Cow<'f, str>,
    #[serde(borrow)]
    p: Cow<'f, str>,
    #[serde(borrow)]
    l: Cow<'f, str>,
    #[serde(borrow)]
    z: Cow<'f, str>,
    #[serde(borrow, rename = "L")]
    last_price: Cow<'f, str>,
    #[serde(borrow, rename = "Z")]
    quote: Cow<'f, str>,
    #[serde(borrow)]
    n: Option<Cow<'f, str>>,
    #[serde(borrow, rename = "N")]
    asset: Option<Cow<'f, str>>,
}

/// A decimal with at most eight places, in units of 10^-8.
fn fixed_e8(text: &str) -> Option<i64> {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = whole.parse().ok()?;
    let fraction: i64 = if places.is_empty() { 0 } else { places.parse().ok()? };
    Some(whole * 100_000_000 + fraction * 10_i64.pow(8_u32.checked_sub(places.len() as u32)?))
}

fn text_of<'v>(of: &'v BorrowedValue<'_>, name: &str) -> Option<Cow<'v, str>> {
    of.get(name)?.as_str().map(Cow::Borrowed)
}

fn number_of(of: &BorrowedValue<'_>, name: &str) -> Option<u64> {
    of.get(name)?.as_u64()
}

fn ticker_of<'v>(of: &'v BorrowedValue<'_>) -> Option<Ticker<'v>> {
    Some(Ticker {
        u: number_of(of, "u")?,
        s: text_of(of, "s")?,
        b: text_of(of, "b")?,
        bid_qty: text_of(of, "B")?,
        a: text_of(of, "a")?,
        ask_qty: text_of(of, "A")?,
    })
}

fn trade_of<'v>(of: &'v BorrowedValue<'_>) -> Option<Trade<'v>> {
    Some(Trade {
        time_ms: number_of(of, "E")?,
        s: text_of(of, "s")?,
        t: number_of(of, "t")?,
        p: text_of(of, "p")?,
        q: text_of(of, "q")?,
        m: of.get("m")?.as_bool()?,
    })
}

fn depth_of<'v>(of: &'v BorrowedValue<'_>) -> Option<Depth<'v>> {
    let side = |name: &str| {
        let levels = of.get(name)?.as_array()?.iter();
        let text = |level: &'v BorrowedValue<'_>, place: usize| {
            level.get_idx(place)?.as_str().map(Cow::Borrowed)
        };
        levels.map(|level| Some((text(level, 0)?, text(level, 1)?))).collect::<Option<Vec<_>>>()
    };
    Some(Depth {
        time_ms: number_of(of, "E")?,
        s: text_of(of, "s")?,
        first: number_of(of, "U")?,
        u: number_of(of, "u")?,
        b: side("b")?,
        a: side("a")?,
    })
}

fn report_of<'v>(of: &'v BorrowedValue<'_>) -> Option<Report<'v>> {
    Some(Report {
        time_ms: number_of(of, "E")?,
        s: text_of(of, "s")?,
        c: text_of(of, "c")?,
        original: text_of(of, "C")?,
        side: text_of(of, "S")?,
        x: text_of(of, "x")?,
        status: text_of(of, "X")?,
        r: text_of(of, "r")?,
        i: number_of(of, "i")?,
        t: of.get("t")?.as_i64()?,
        execution: number_of(of, "I")?,
        m: of.get("m")?.as_bool()?,
        q: text_of(of, "q")?,
        p: text_of(of, "p")?,
        l: text_of(of, "l")?,
        z: text_of(of, "z")?,
        last_price: text_of(of, "L")?,
        quote: text_of(of, "Z")?,
        n: text_of(of, "n"),
        asset: text_of(of, "N"),
    })
}

/// Reads texts.
pub(crate) struct PlainText {
    ids: HashMap<String, usize>,
    /// A copy of the frame, for a parser that writes into what it reads.
    copy: Vec<u8>,
}

fn ids(natives: &[String]) -> HashMap<String, usize> {
    natives.iter().enumerate().map(|(id, native)| (native.clone(), id)).collect()
}

impl PlainText {
    pub(crate) fn new(natives: &[String]) -> PlainText {
        PlainText { ids: ids(natives), copy: Vec::new() }
    }

    #[inline]
    pub(crate) fn read(&mut self, frame: &[u8], kind: Kind) -> bool {
        match kind {
            Kind::Quote => serde_json::from_slice::<Combined<Ticker<'_>>>(frame)
                .is_ok_and(|frame| self.quote(&frame.data).is_some()),
            Kind::Trade => serde_json::from_slice::<Combined<Trade<'_>>>(frame)
                .is_ok_and(|frame| self.trade(&frame.data).is_some()),
            Kind::Depth => serde_json::from_slice::<Combined<Depth<'_>>>(frame)
                .is_ok_and(|frame| self.depth(&frame.data).is_some()),
        }
    }

    #[inline]
    pub(crate) fn read_simd(&mut self, frame: &[u8], kind: Kind) -> bool {
        let mut copy = self.copied(frame);
        let is_read = simd_json::to_borrowed_value(&mut copy).is_ok_and(|frame| {
            let read = frame.get("data").and_then(|data| match kind {
                Kind::Quote => self.quote(&ticker_of(data)?),
                Kind::Trade => self.trade(&trade_of(data)?),
                Kind::Depth => self.depth(&depth_of(data)?),
            });
            read.is_some()
        });
        self.copy = copy;
        is_read
    }

    #[inline]
    pub(crate) fn report(&mut self, frame: &[u8]) -> bool {
        serde_json::from_slice::<Account<Report<'_>>>(frame)
            .is_ok_and(|frame| self.execution(&frame.event).is_some())
    }

    #[inline]
    pub(crate) fn report_simd(&mut self, frame: &[u8]) -> bool {
        let mut copy = self.copied(frame);
        let is_read = simd_json::to_borrowed_value(&mut copy).is_ok_and(|frame| {
            let read = frame.get("event").and_then(|event| self.execution(&report_of(event)?));
            read.is_some()
        });
        self.copy = copy;
        is_read
    }

    fn copied(&mut self, frame: &[u8]) -> Vec<u8> {
        let mut copy = std::mem::take(&mut self.copy);
        copy.clear();
        copy.extend_from_slice(frame);
        copy
    }

    fn quote(&self, of: &Ticker<'_>) -> Option<()> {
        let bid = (fixed_e8(&of.b)?, fixed_e8(&of.bid_qty)?);
        let ask = (fixed_e8(&of.a)?, fixed_e8(&of.ask_qty)?);
        std::hint::black_box((self.ids.get(of.s.as_ref())?, of.u, bid, ask));
        Some(())
    }

    fn trade(&self, of: &Trade<'_>) -> Option<()> {
        let (price, qty) = (fixed_e8(&of.p)?, fixed_e8(&of.q)?);
        std::hint::black_box((self.ids.get(of.s.as_ref())?, of.t, of.time_ms, price, qty, of.m));
        Some(())
    }

    fn depth(&self, of: &Depth<'_>) -> Option<()> {
        let side = |levels: &[(Cow<'_, str>, Cow<'_, str>)]| {
            let level = |(price, qty): &(Cow<'_, str>, Cow<'_, str>)| {
                Some(Level { price: fixed_e8(price)?, qty: fixed_e8(qty)? })
            };
            levels.iter().map(level).collect::<Option<Vec<Level>>>()
        };
        let sides = (side(&of.b)?, side(&of.a)?);
        std::hint::black_box((self.ids.get(of.s.as_ref())?, of.first, of.u, of.time_ms, sides));
        Some(())
    }

    fn execution(&self, of: &Report<'_>) -> Option<()> {
        let numbers = [&of.q, &of.p, &of.l, &of.z, &of.last_price, &of.quote];
        let mut parsed = [0; 6];
        for (number, text) in parsed.iter_mut().zip(numbers) {
            *number = fixed_e8(text)?;
        }
        let fee = of.n.as_ref().map_or(Some(0), |fee| fixed_e8(fee))?;
        let words = (&of.c, &of.original, &of.side, &of.x, &of.status, &of.r, &of.asset);
        std::hint::black_box((self.ids.get(of.s.as_ref())?, of.i, of.t, of.execution, of.m));
        std::hint::black_box((of.time_ms, parsed, fee, words));
        Some(())
    }
}

/// Reads binary frames field by field, into structs with a text and lists of their own.
pub(crate) struct PlainSbe {
    ids: HashMap<String, usize>,
}

/// What is left of a frame.
struct Fields<'f>(&'f [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn long(&mut self) -> Option<i64> {
        self.bytes().map(i64::from_le_bytes)
    }

    fn short(&mut self) -> Option<u16> {
        self.bytes().map(u16::from_le_bytes)
    }

    fn exponent(&mut self) -> Option<i8> {
        self.bytes().map(i8::from_le_bytes)
    }

    fn name(&mut self) -> Option<String> {
        let [length] = self.bytes()?;
        String::from_utf8(self.0.get(..length.into())?.to_vec()).ok()
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }
}

/// A number in units of 10^-8.
fn scaled(mantissa: i64, exponent: i8) -> Option<i64> {
    let places = i32::from(exponent) + 8;
    let power = 10_i64.checked_pow(places.unsigned_abs())?;
    if places >= 0 {
        return mantissa.checked_mul(power);
    }
    (mantissa % power == 0).then(|| mantissa / power)
}

impl PlainSbe {
    pub(crate) fn new(natives: &[String]) -> PlainSbe {
        PlainSbe { ids: ids(natives) }
    }

    #[inline]
    pub(crate) fn read(&mut self, frame: &[u8]) -> bool {
        self.fields(frame).is_some()
    }

    fn fields(&self, frame: &[u8]) -> Option<()> {
        let mut fields = Fields(frame);
        let block = usize::from(fields.short()?);
        let template = fields.short()?;
        fields.skip(4)?;
        match template {
            10_000 => {
                let time = fields.long()?;
                fields.skip(8)?;
                let (price, qty) = (fields.exponent()?, fields.exponent()?);
                fields.skip(block.checked_sub(18)?)?;
                let entry = usize::from(fields.short()?);
                let count = u32::from_le_bytes(fields.bytes()?);
                let mut trades = Vec::new();
                for _ in 0..count {
                    let id = fields.long()?;
                    let price = scaled(fields.long()?, price)?;
                    let qty = scaled(fields.long()?, qty)?;
                    let [is_buyer_maker] = fields.bytes()?;
                    fields.skip(entry.checked_sub(25)?)?;
                    trades.push((id, price, qty, is_buyer_maker != 0));
                }
                std::hint::black_box((self.ids.get(&fields.name()?)?, time, trades));
            }
            10_001 => {
                let (time, id) = (fields.long()?, fields.long()?);
                let (price, qty) = (fields.exponent()?, fields.exponent()?);
                let bid = (scaled(fields.long()?, price)?, scaled(fields.long()?, qty)?);
                let ask = (scaled(fields.long()?, price)?, scaled(fields.long()?, qty)?);
                fields.skip(block.checked_sub(50)?)?;
                std::hint::black_box((self.ids.get(&fields.name()?)?, time, id, bid, ask));
            }
            10_003 => {
                let times = (fields.long()?, fields.long()?, fields.long()?);
                let (price, qty) = (fields.exponent()?, fields.exponent()?);
                fields.skip(block.checked_sub(26)?)?;
                let mut sides = [Vec::new(), Vec::new()];
                for side in &mut sides {
                    let (entry, count) = (usize::from(fields.short()?), fields.short()?);
                    for _ in 0..count {
                        let price = scaled(fields.long()?, price)?;
                        let qty = scaled(fields.long()?, qty)?;
                        fields.skip(entry.checked_sub(16)?)?;
                        side.push(Level { price, qty });
                    }
                }
                std::hint::black_box((self.ids.get(&fields.name()?)?, times, sides));
            }
            _ => return None,
        }
        Some(())
    }
}

/// A book of two sorted maps.
pub(crate) struct PlainBook {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

impl PlainBook {
    pub(crate) fn new(bids: &[Level], asks: &[Level]) -> PlainBook {
        let map = |side: &[Level]| side.iter().map(|level| (level.price, level.qty)).collect();
        PlainBook { bids: map(bids), asks: map(asks) }
    }

    #[inline]
    pub(crate) fn apply(&mut self, side: Side, price: i64, qty: i64) {
        let levels = if side == Side::Buy { &mut self.bids } else { &mut self.asks };
        if qty == 0 {
            levels.remove(&price);
        } else {
            levels.insert(price, qty);
        }
    }

    #[inline]
    pub(crate) fn best_prices(&self) -> (i64, i64) {
        let bid = self.bids.last_key_value().map_or(0, |(price, _)| *price);
        (bid, self.asks.first_key_value().map_or(0, |(price, _)| *price))
    }
}
