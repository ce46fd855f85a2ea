//! Market data frames in SBE, and the texts between them.
//!
//! Promises: a frame counts whole or not at all, and gives what the same words in JSON give; every
//! byte is within bounds before it is read; a template, a schema or a value that is not known is an
//! error and never a default; nothing is rounded, and nothing is allocated per frame. Does not know
//! whether a diff follows the one before: that is the book's part.

use super::rescale::Rescale;
use super::wire::{self, Group, Header, Reader, best, diff, level, snapshot, trades};
use crate::event::{Level, Quote};
use crate::venue::binance::MarketDecoder;
use crate::venue::book::Diff;
use crate::venue::codec::{DIFF_LEVELS_MAX, DecodeError, check_quote, make_trade};
use crate::venue::protocol::{MarketMessage, MarketSink, WholeBook, in_book};
use crate::venue::{LetterReason, Symbol, SymbolMap};

/// Decodes market frames of one connection.
pub struct SbeDecoder {
    /// Reads what comes as text.
    texts: MarketDecoder,
    symbols: SymbolMap,
    bids: Vec<Level>,
    asks: Vec<Level>,
    frame_bytes_max: usize,
    /// How many trades of the frame that is begun were told.
    told: usize,
}

/// What levels are read with.
#[derive(Clone, Copy)]
struct Forms {
    price: Rescale,
    qty: Rescale,
}

type Levels<'f> = Group<'f, { level::ENTRY }>;

impl SbeDecoder {
    /// Trades of a frame that are told in one go.
    pub(super) const EVENTS_MAX: usize = 64;

    /// A decoder for these symbols that refuses frames above `frame_bytes_max`.
    #[must_use]
    pub fn new(symbols: SymbolMap, frame_bytes_max: usize) -> SbeDecoder {
        let levels = || Vec::with_capacity(DIFF_LEVELS_MAX);
        SbeDecoder {
            texts: MarketDecoder::new(symbols.clone(), frame_bytes_max),
            symbols,
            bids: levels(),
            asks: levels(),
            frame_bytes_max,
            told: 0,
        }
    }

    /// Forgets a frame that was begun: its connection is gone.
    pub(super) fn restart(&mut self) {
        self.told = 0;
    }

    /// Whether the frame has more trades than were told: it is to be handed over again.
    #[inline]
    pub(super) fn is_unfinished(&self) -> bool {
        self.told > 0
    }

    /// Decodes one frame.
    ///
    /// # Errors
    /// [`DecodeError`] says what was wrong. Where the frame was a diff of a configured symbol, its
    /// `book` names the instrument: that book now has a hole.
    #[inline]
    pub fn decode(&mut self, frame: &[u8], sink: &mut impl MarketSink) -> Result<(), DecodeError> {
        let begun = std::mem::take(&mut self.told);
        if frame.len() > self.frame_bytes_max {
            return Err(DecodeError::new(LetterReason::Oversize, "frame above the limit"));
        }
        if wire::is_text(frame) {
            return self.text(frame, sink);
        }
        let (header, reader) = Reader::new(frame)?;
        if header.schema != wire::SCHEMA {
            return Err(DecodeError::unknown("schema not known"));
        }
        match header.template {
            best::TEMPLATE => self.best(header, reader, sink),
            diff::TEMPLATE => self.diff(header, reader, sink),
            trades::TEMPLATE => self.trades(header, reader, begun, sink),
            snapshot::TEMPLATE => self.snapshot(header, reader, sink),
            _ => Err(DecodeError::unknown("template not known")),
        }
    }

    /// An answer, or the notice that the connection will end: nothing else comes as text.
    #[cold]
    fn text(&mut self, frame: &[u8], sink: &mut impl MarketSink) -> Result<(), DecodeError> {
        let message = self.texts.decode(frame)?;
        if !matches!(message, MarketMessage::Reply { .. } | MarketMessage::Shutdown) {
            return Err(DecodeError::unknown("market data in text"));
        }
        sink.take(message);
        Ok(())
    }

    #[inline]
    fn best(
        &self,
        header: Header,
        mut reader: Reader<'_>,
        sink: &mut impl MarketSink,
    ) -> Result<(), DecodeError> {
        let block = reader.block::<{ best::BLOCK }>(header.block)?;
        let symbol = self.symbol(reader)?;
        let forms = forms(block, best::PRICE_EXPONENT, best::QTY_EXPONENT, symbol);
        let number = |form: Rescale, at| form.apply(wire::long(block, at));
        let quote = Quote {
            bid_price: number(forms.price, best::BID_PRICE)?,
            bid_qty: number(forms.qty, best::BID_QTY)?,
            ask_price: number(forms.price, best::ASK_PRICE)?,
            ask_qty: number(forms.qty, best::ASK_QTY)?,
        };
        check_quote(&quote)?;
        let update_id = wire::id(block, best::UPDATE_ID)?;
        let venue_time_ns = wire::time_ns(block, best::EVENT_TIME)?;
        sink.take(MarketMessage::Quote { symbol, update_id, venue_time_ns, quote });
        Ok(())
    }

    #[inline]
    fn trades(
        &mut self,
        header: Header,
        mut reader: Reader<'_>,
        begun: usize,
        sink: &mut impl MarketSink,
    ) -> Result<(), DecodeError> {
        let block = reader.block::<{ trades::BLOCK }>(header.block)?;
        let group = reader.long_group::<{ trades::ENTRY }>()?;
        let symbol = self.symbol(reader)?;
        let forms = forms(block, trades::PRICE_EXPONENT, trades::QTY_EXPONENT, symbol);
        let venue_time_ns = wire::time_ns(block, trades::EVENT_TIME)?;
        let trades = Trades { symbol, forms, venue_time_ns };
        if let Some(only) = group.only() {
            sink.take(trades.read(only)?);
            return Ok(());
        }
        self.told = trades.tell_part(group, begun, sink)?;
        Ok(())
    }

    #[inline]
    fn diff(
        &mut self,
        header: Header,
        mut reader: Reader<'_>,
        sink: &mut impl MarketSink,
    ) -> Result<(), DecodeError> {
        let block = reader.block::<{ diff::BLOCK }>(header.block)?;
        let (bids, asks) = (reader.group()?, reader.group()?);
        let symbol = self.symbol(reader)?;
        let sides = [(bids, &mut self.bids), (asks, &mut self.asks)];
        let diff = read_diff(block, sides, symbol).map_err(in_book(symbol))?;
        sink.take(MarketMessage::Depth { symbol, diff });
        Ok(())
    }

    #[inline]
    fn snapshot(
        &mut self,
        header: Header,
        mut reader: Reader<'_>,
        sink: &mut impl MarketSink,
    ) -> Result<(), DecodeError> {
        let block = reader.block::<{ snapshot::BLOCK }>(header.block)?;
        let (bids, asks) = (reader.group()?, reader.group()?);
        let symbol = self.symbol(reader)?;
        let forms = forms(block, snapshot::PRICE_EXPONENT, snapshot::QTY_EXPONENT, symbol);
        read_levels(bids, forms, &mut self.bids)?;
        read_levels(asks, forms, &mut self.asks)?;
        let book = WholeBook {
            last_update_id: wire::id(block, snapshot::UPDATE_ID)?,
            venue_time_ns: wire::time_ns(block, snapshot::EVENT_TIME)?,
            bids: &self.bids,
            asks: &self.asks,
            checksum: None,
        };
        sink.take(MarketMessage::Book { symbol, book });
        Ok(())
    }

    /// Inlined: what it gives would be written and read again, which takes as long as the look-up.
    #[inline(always)]
    fn symbol(&self, reader: Reader<'_>) -> Result<Symbol, DecodeError> {
        let (upto, length) = reader.symbol_and_end()?;
        self.symbols.lookup_last(upto, length).ok_or(DecodeError::symbol())
    }
}

/// What all trades of a frame have in common.
#[derive(Clone, Copy)]
struct Trades {
    symbol: Symbol,
    forms: Forms,
    venue_time_ns: i64,
}

impl Trades {
    /// Inlined for the same reason.
    #[inline(always)]
    fn read<'a>(self, entry: &[u8; trades::ENTRY]) -> Result<MarketMessage<'a>, DecodeError> {
        let Trades { symbol, forms, venue_time_ns } = self;
        let price = forms.price.apply(wire::long(entry, trades::PRICE))?;
        let qty = forms.qty.apply(wire::long(entry, trades::QTY))?;
        let trade = make_trade(price, qty, wire::boolean(entry, trades::BUYER_IS_MAKER)?)?;
        let trade_id = wire::id(entry, trades::ID)?;
        Ok(MarketMessage::Trade { symbol, trade_id, venue_time_ns, trade })
    }

    /// All trades are read before the first one is told. Where there are many they are told in
    /// parts, and the same frame has to come again: how many were told of it so far, 0 behind the
    /// last one.
    #[inline(never)]
    fn tell_part(
        self,
        group: Group<'_, { trades::ENTRY }>,
        begun: usize,
        sink: &mut impl MarketSink,
    ) -> Result<usize, DecodeError> {
        if group.len() == 0 {
            return Err(DecodeError::nonsense("trades without a trade"));
        }
        if begun == 0 {
            group.iter().try_for_each(|entry| self.read(entry).map(|_| ()))?;
        }
        for entry in group.iter().skip(begun).take(SbeDecoder::EVENTS_MAX) {
            sink.take(self.read(entry)?);
        }
        let told = begun + SbeDecoder::EVENTS_MAX;
        Ok(if told < group.len() { told } else { 0 })
    }
}

#[inline]
fn read_diff<'a>(
    block: &[u8; diff::BLOCK],
    [(bids, bids_in), (asks, asks_in)]: [(Levels<'_>, &'a mut Vec<Level>); 2],
    symbol: Symbol,
) -> Result<Diff<'a>, DecodeError> {
    let first_update_id = wire::id(block, diff::FIRST_ID)?;
    let final_update_id = wire::id(block, diff::LAST_ID)?;
    if final_update_id < first_update_id {
        return Err(DecodeError::nonsense("last update of a diff before its first"));
    }
    let venue_time_ns = wire::time_ns(block, diff::EVENT_TIME)?;
    let forms = forms(block, diff::PRICE_EXPONENT, diff::QTY_EXPONENT, symbol);
    read_levels(bids, forms, bids_in)?;
    read_levels(asks, forms, asks_in)?;
    Ok(Diff {
        first_update_id,
        final_update_id,
        previous_update_id: 0,
        checksum: None,
        venue_time_ns,
        bids: bids_in,
        asks: asks_in,
    })
}

#[inline]
fn forms<const N: usize>(block: &[u8; N], price: usize, qty: usize, symbol: Symbol) -> Forms {
    Forms {
        price: Rescale::new(wire::exponent(block, price), symbol.scales.price),
        qty: Rescale::new(wire::exponent(block, qty), symbol.scales.qty),
    }
}

/// Reads a side into `out`, which is cleared first.
#[inline]
fn read_levels(levels: Levels<'_>, forms: Forms, out: &mut Vec<Level>) -> Result<(), DecodeError> {
    out.clear();
    for entry in levels.at_most(DIFF_LEVELS_MAX)?.iter() {
        let price = forms.price.apply(wire::long(entry, level::PRICE))?;
        let qty = forms.qty.apply(wire::long(entry, level::QTY))?;
        if price <= 0 || qty < 0 {
            return Err(DecodeError::nonsense("level at no price or of negative quantity"));
        }
        out.push(Level { price, qty });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
