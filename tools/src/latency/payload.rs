//! Decodes the payload of a log line: base64, zlib, then a histogram in encoding V0, V1 or V2.
//!
//! Written for streams of millions of lines: buffers are reused, and counts go straight into the
//! cells of an [`Interval`]. Every length that the input claims is checked before memory is taken
//! for it: a payload never makes the decoder hold more than 9 bytes for each cell of the layout
//! that it declares. `hdrhistogram` reads V2 alone, allocates by the input's word, and hides its
//! cells; hence this module.

use data_encoding::BASE64;
use flate2::{Decompress, FlushDecompress, Status};
use thiserror::Error;

use super::interval::Interval;
use super::layout::{Layout, LayoutError};

const COOKIE_MASK: u32 = !0xf0;
const V0: u32 = 0x1c84_9308;
const V0_COMPRESSED: u32 = 0x1c84_9309;
const V1: u32 = 0x1c84_9301;
const V1_COMPRESSED: u32 = 0x1c84_9302;
const V2: u32 = 0x1c84_9303;
const V2_COMPRESSED: u32 = 0x1c84_9304;
const DOUBLES: u32 = 0x0c72_124e & COOKIE_MASK;
const DOUBLES_COMPRESSED: u32 = 0x0c72_124f & COOKIE_MASK;

/// Bytes in front of the counts.
const V0_HEADER: usize = 32;
const HEADER: usize = 40;

/// Most bytes that one count takes in V2.
const COUNT_BYTES_MAX: usize = 9;

/// What is wrong with a payload.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PayloadError {
    /// Not base64, or cut off.
    #[error("the histogram is not whole base64 text (position {0})")]
    Base64(usize),
    /// Base64 of something else.
    #[error("the histogram starts with 0x{0:08x}, which is no encoding of HdrHistogram")]
    Cookie(u32),
    /// A `DoubleHistogram` of the Java library.
    #[error("a histogram of doubles, which only Java's own tools read")]
    Doubles,
    /// Shifted cells, as only `DoubleHistogram` makes them.
    #[error(
        "the histogram's normalizingIndexOffset is {0}: its cells are shifted, as Java's \
             DoubleHistogram does it, and only Java's own tools read that"
    )]
    Shifted(i32),
    /// The payload ends before what it announces.
    #[error("the histogram ends too early")]
    TooShort,
    /// The payload announces more than its bounds have cells.
    #[error("the histogram announces {0} bytes, more than its bounds have room for")]
    TooLong(u64),
    /// The bounds make no histogram.
    #[error("the histogram claims {0}")]
    Layout(#[from] LayoutError),
    /// The compressed part is damaged.
    #[error("the histogram's compressed part is damaged")]
    Zlib,
    /// Counts beyond the last cell.
    #[error("the histogram has counts beyond its highest value")]
    BeyondLast,
    /// A negative count, or zeros without end.
    #[error("the histogram has a count that is none")]
    Count,
}

/// Decodes payloads, one after another, with the same buffers.
pub struct PayloadDecoder {
    raw: Vec<u8>,
    inflated: Vec<u8>,
    zlib: Decompress,
}

impl Default for PayloadDecoder {
    fn default() -> PayloadDecoder {
        let zlib = Decompress::new(true);
        PayloadDecoder { raw: Vec::new(), inflated: Vec::new(), zlib }
    }
}

impl PayloadDecoder {
    /// Decodes base64 text into `interval`.
    ///
    /// # Errors
    /// [`PayloadError`]; `interval` then holds a part or nothing.
    pub fn decode(&mut self, text: &[u8], interval: &mut Interval) -> Result<(), PayloadError> {
        let length = BASE64.decode_len(text.len()).map_err(|e| PayloadError::Base64(e.position))?;
        if self.raw.len() < length {
            self.raw.resize(length, 0);
        }
        let length = BASE64
            .decode_mut(text, &mut self.raw[..length])
            .map_err(|partial| PayloadError::Base64(partial.error.position))?;
        let raw = &self.raw[..length];
        let cookie = word(raw, 0)?;
        match cookie & COOKIE_MASK {
            V0_COMPRESSED | V1_COMPRESSED | V2_COMPRESSED => {
                let compressed_len = word(raw, 4)? as usize;
                let end = compressed_len.checked_add(8).ok_or(PayloadError::TooShort)?;
                let compressed = raw.get(8..end).ok_or(PayloadError::TooShort)?;
                inflate(&mut self.zlib, compressed, &mut self.inflated)?;
                uncompressed(&self.inflated, interval)
            }
            _ => uncompressed(raw, interval),
        }
    }
}

/// A histogram that is not compressed (any more).
fn uncompressed(bytes: &[u8], interval: &mut Interval) -> Result<(), PayloadError> {
    let head = Head::read(bytes)?;
    let layout = head.layout;
    interval.start(layout);
    let counts = bytes.get(head.len..).ok_or(PayloadError::TooShort)?;
    let counts = match head.counts_len {
        // V0 does not say how long it is.
        None => counts,
        Some(claimed) => counts.get(..claimed).ok_or(PayloadError::TooShort)?,
    };
    match head.word_size {
        None => variable_counts(counts, layout.cells(), interval),
        Some(size) => fixed_counts(counts, size, layout.cells(), interval),
    }
}

/// What stands in front of the counts.
struct Head {
    len: usize,
    layout: Layout,
    /// Bytes of all counts, where the encoding tells.
    counts_len: Option<usize>,
    /// Bytes of one count; `None` for V2's variable length.
    word_size: Option<usize>,
}

impl Head {
    fn read(bytes: &[u8]) -> Result<Head, PayloadError> {
        let cookie = word(bytes, 0)?;
        let word_size = ((cookie & 0xf0) >> 4) as usize;
        let layout = |digits, lowest: usize| {
            let digits = u64::from(word(bytes, digits)?);
            let bounds = (long(bytes, lowest)?, long(bytes, lowest + 8)?);
            Ok::<_, PayloadError>(Layout::new(bounds.0, bounds.1, digits)?)
        };
        match cookie & COOKIE_MASK {
            V0 => {
                let layout = layout(4, 8)?;
                Ok(Head { len: V0_HEADER, layout, counts_len: None, word_size: Some(word_size) })
            }
            base @ (V1 | V2) => {
                let layout = layout(12, 16)?;
                let offset = word(bytes, 8)?;
                if offset != 0 && !is_of_javascript(offset, &layout) {
                    return Err(PayloadError::Shifted(offset as i32));
                }
                let claimed = u64::from(word(bytes, 4)?);
                if claimed > (layout.cells() * COUNT_BYTES_MAX) as u64 {
                    return Err(PayloadError::TooLong(claimed));
                }
                let word_size = (base == V1).then_some(word_size);
                Ok(Head { len: HEADER, layout, counts_len: Some(claimed as usize), word_size })
            }
            DOUBLES | DOUBLES_COMPRESSED => Err(PayloadError::Doubles),
            _ => Err(PayloadError::Cookie(cookie)),
        }
    }

    /// Most bytes that a histogram with this head can have.
    fn len_max(&self) -> usize {
        self.len + self.counts_len.unwrap_or(self.layout.cells() * 8)
    }
}

/// Whether the offset is what HdrHistogramJS writes into every head, though it shifts nothing. Java
/// shifts by whole buckets, so by a multiple of half the sub-buckets.
fn is_of_javascript(offset: u32, layout: &Layout) -> bool {
    offset == 1 && layout.sub_buckets() > 2
}

/// Inflates the head first, to learn how much may follow, then the rest.
fn inflate(zlib: &mut Decompress, input: &[u8], out: &mut Vec<u8>) -> Result<(), PayloadError> {
    zlib.reset(true);
    out.resize(HEADER, 0);
    let filled = inflate_into(zlib, input, &mut out[..HEADER])?;
    if filled < HEADER {
        out.truncate(filled);
        return Ok(());
    }
    let len_max = Head::read(out)?.len_max();
    let mut filled = filled;
    // In steps, since a head may claim far more than the input holds.
    while filled < len_max {
        let read = zlib.total_in() as usize;
        let step = (8 * (input.len() - read)).max(4096).min(len_max - filled);
        out.resize(filled + step, 0);
        let got = inflate_into(zlib, input, &mut out[filled..])?;
        filled += got;
        if got < step {
            break;
        }
    }
    out.truncate(filled);
    Ok(())
}

/// Inflates until `out` is full or the stream ends; returns how much was filled.
fn inflate_into(
    zlib: &mut Decompress,
    input: &[u8],
    out: &mut [u8],
) -> Result<usize, PayloadError> {
    let start = zlib.total_out();
    loop {
        let filled = (zlib.total_out() - start) as usize;
        let read = zlib.total_in() as usize;
        if filled == out.len() {
            return Ok(filled);
        }
        let status = zlib
            .decompress(&input[read..], &mut out[filled..], FlushDecompress::None)
            .map_err(|_| PayloadError::Zlib)?;
        let now = (zlib.total_out() - start) as usize;
        if status == Status::StreamEnd {
            return Ok(now);
        }
        if now == filled && zlib.total_in() as usize == read {
            return Err(PayloadError::TooShort);
        }
    }
}

/// V2: zig-zag LEB128 of up to nine bytes; a negative number is a run of empty cells.
fn variable_counts(bytes: &[u8], cells: usize, to: &mut Interval) -> Result<(), PayloadError> {
    let (mut at, mut cell) = (0, 0_usize);
    while at < bytes.len() {
        let number = variable(bytes, &mut at)?;
        if number < 0 {
            let run = usize::try_from(number.unsigned_abs()).map_err(|_| PayloadError::Count)?;
            cell = cell
                .checked_add(run)
                .filter(|cell| *cell <= cells)
                .ok_or(PayloadError::BeyondLast)?;
        } else {
            if cell >= cells {
                return Err(PayloadError::BeyondLast);
            }
            to.push(cell, number as u64);
            cell += 1;
        }
    }
    Ok(())
}

#[inline]
fn variable(bytes: &[u8], at: &mut usize) -> Result<i64, PayloadError> {
    let mut value = 0_u64;
    for index in 0..COUNT_BYTES_MAX {
        let Some(&byte) = bytes.get(*at) else { return Err(PayloadError::TooShort) };
        *at += 1;
        if index == COUNT_BYTES_MAX - 1 {
            value |= u64::from(byte) << 56; // the ninth byte carries eight bits
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            break;
        }
    }
    Ok((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// V0 and V1: one big-endian word a cell, as many as were used.
fn fixed_counts(
    bytes: &[u8],
    word_size: usize,
    cells: usize,
    to: &mut Interval,
) -> Result<(), PayloadError> {
    if !matches!(word_size, 2 | 4 | 8) {
        return Err(PayloadError::Count);
    }
    for (cell, word) in bytes.chunks_exact(word_size).enumerate() {
        let count = word.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        if count == 0 {
            continue;
        }
        if cell >= cells {
            return Err(PayloadError::BeyondLast);
        }
        if count > i64::MAX as u64 {
            return Err(PayloadError::Count);
        }
        to.push(cell, count);
    }
    Ok(())
}

fn word(bytes: &[u8], at: usize) -> Result<u32, PayloadError> {
    let word = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    word.map(u32::from_be_bytes).ok_or(PayloadError::TooShort)
}

fn long(bytes: &[u8], at: usize) -> Result<u64, PayloadError> {
    let long = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    long.map(u64::from_be_bytes).ok_or(PayloadError::TooShort)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::{Serializer, V2DeflateSerializer, V2Serializer};

    use super::super::counts::to_histogram;
    use super::super::distribution::Distribution;
    use super::*;

    const HOUR: u64 = 3_600_000_000_000;

    fn sample() -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, HOUR, 3).unwrap();
        for k in 1..900_u64 {
            histogram.record_n(k * k * k, 1 + k % 13 * 1_000_003).unwrap();
        }
        histogram
    }

    fn decode(bytes: &[u8]) -> Result<Interval, PayloadError> {
        let mut interval = Interval::default();
        PayloadDecoder::default().decode(BASE64.encode(bytes).as_bytes(), &mut interval)?;
        Ok(interval)
    }

    fn compressed(cookie: u32, inner: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(inner).unwrap();
        let zlib = encoder.finish().unwrap();
        let mut bytes = cookie.to_be_bytes().to_vec();
        bytes.extend((zlib.len() as u32).to_be_bytes());
        bytes.extend(zlib);
        bytes
    }

    fn v2_head(counts_len: u32, digits: u32, lowest: u64, highest: u64) -> Vec<u8> {
        let mut bytes = (V2 | 0x10).to_be_bytes().to_vec();
        bytes.extend(counts_len.to_be_bytes());
        bytes.extend(0_u32.to_be_bytes());
        bytes.extend(digits.to_be_bytes());
        bytes.extend(lowest.to_be_bytes());
        bytes.extend(highest.to_be_bytes());
        bytes.extend(1.0_f64.to_be_bytes());
        bytes
    }

    #[test]
    fn both_forms_of_v2_decode_to_what_was_encoded() {
        let histogram = sample();
        let (mut plain, mut deflated) = (Vec::new(), Vec::new());
        V2Serializer::new().serialize(&histogram, &mut plain).unwrap();
        V2DeflateSerializer::new().serialize(&histogram, &mut deflated).unwrap();
        assert_eq!(to_histogram(&decode(&plain).unwrap()), histogram);
        assert_eq!(to_histogram(&decode(&deflated).unwrap()), histogram);
        assert_eq!(decode(&deflated).unwrap().total(), histogram.len());
    }

    #[test]
    fn every_cut_is_an_error_and_no_panic() {
        let mut deflated = Vec::new();
        V2DeflateSerializer::new().serialize(&sample(), &mut deflated).unwrap();
        for length in 0..deflated.len() {
            assert!(decode(&deflated[..length]).is_err(), "{length} of {}", deflated.len());
        }
        let text = BASE64.encode(&deflated);
        let mut interval = Interval::default();
        for length in 0..text.len() {
            let cut = PayloadDecoder::default().decode(&text.as_bytes()[..length], &mut interval);
            assert!(cut.is_err(), "{length} of {}", text.len());
        }
    }

    #[test]
    fn every_flipped_bit_is_survived() {
        let mut plain = Vec::new();
        V2Serializer::new().serialize(&sample(), &mut plain).unwrap();
        for bit in 0..plain.len().min(300) * 8 {
            let mut flipped = plain.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _either = decode(&flipped);
        }
    }

    #[test]
    fn words_of_v0_and_v1_decode_in_every_size() {
        for size in [2_u32, 4, 8] {
            let mut counts = Vec::new();
            for count in [0_u64, 7, 0, 300] {
                counts.extend(&count.to_be_bytes()[8 - size as usize..]);
            }
            let mut v1 = v2_head(counts.len() as u32, 2, 1, 1_000);
            v1[..4].copy_from_slice(&(V1 | size << 4).to_be_bytes());
            v1.extend(&counts);
            let mut v0 = (V0 | size << 4).to_be_bytes().to_vec();
            v0.extend(2_u32.to_be_bytes());
            v0.extend(1_u64.to_be_bytes());
            v0.extend(1_000_u64.to_be_bytes());
            v0.extend(307_u64.to_be_bytes());
            v0.extend(&counts);
            let cases = [
                v1.clone(),
                v0.clone(),
                compressed(V1_COMPRESSED | size << 4, &v1),
                compressed(V0_COMPRESSED | size << 4, &v0),
            ];
            for (index, bytes) in cases.iter().enumerate() {
                let interval = decode(bytes).unwrap();
                let cells: Vec<_> = interval.recorded().collect();
                assert_eq!(cells, [(1, 7), (3, 300)], "size {size}, form {index}");
            }
        }
    }

    #[test]
    fn absurd_claims_are_refused_by_name() {
        let huge = v2_head(u32::MAX, 3, 1, HOUR);
        assert_eq!(decode(&huge).unwrap_err(), PayloadError::TooLong(u64::from(u32::MAX)));
        let digits = v2_head(0, 9, 1, HOUR);
        assert_eq!(decode(&digits).unwrap_err(), PayloadError::Layout(LayoutError::Digits(9)));
        let bounds = v2_head(0, 3, 1, u64::MAX);
        let highest = LayoutError::Highest(u64::MAX);
        assert_eq!(decode(&bounds).unwrap_err(), PayloadError::Layout(highest));
        let mut run = v2_head(9, 3, 1, HOUR);
        run.extend([0xff; 9]);
        assert!(matches!(decode(&run), Err(PayloadError::BeyondLast | PayloadError::Count)));
        assert_eq!(decode(&[0; 60]).unwrap_err(), PayloadError::Cookie(0));
        assert_eq!(decode(&DOUBLES.to_be_bytes()).unwrap_err(), PayloadError::Doubles);
        let mut shifted = v2_head(0, 3, 1, HOUR);
        shifted[11] = 1;
        assert_eq!(decode(&shifted).unwrap().total(), 0, "HdrHistogramJS shifts nothing by its 1");
        shifted[10] = 4;
        assert_eq!(decode(&shifted).unwrap_err(), PayloadError::Shifted(1_025));
        let message = decode(&shifted).unwrap_err().to_string();
        assert!(message.contains("normalizingIndexOffset is 1025"), "{message}");
    }

    #[test]
    fn a_zlib_bomb_inflates_no_further_than_its_head_allows() {
        let mut bomb = v2_head(100, 3, 1, HOUR);
        bomb.resize(64 << 20, 0);
        let mut decoder = PayloadDecoder::default();
        let text = BASE64.encode(&compressed(V2_COMPRESSED | 0x10, &bomb));
        let mut interval = Interval::default();
        decoder.decode(text.as_bytes(), &mut interval).unwrap();
        assert!(decoder.inflated.capacity() < 1 << 20, "{}", decoder.inflated.capacity());
        assert_eq!(interval.total(), 0);
    }
}
