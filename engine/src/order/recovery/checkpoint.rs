//! What a fold has come to, as bytes, and back: the body of a checkpoint.
//!
//! Numbers in it are those of the configuration that wrote it, by the names that stand at its
//! beginning: a later one may have others.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::fold::JournalFold;
use super::recorded_order::{InferredFill, RecordedOrder, UnsettledFill};
use super::recovered::{EarlierRun, RecordedBalance};
use crate::event::{Certainty, ClientOrderId, OrderStatus, Price, Qty, Side};
use crate::journal::{NameTable, Named};
use crate::order::{OnceOutcome, OpenOrder, OrderCommand, OwnId, Position};

/// A number that stands for nothing.
const NONE: u16 = u16::MAX;

/// Bytes as they are written.
#[derive(Default)]
pub(super) struct Out(Vec<u8>);

impl Out {
    pub(super) fn put<T: IntoBytes + Immutable>(&mut self, value: &T) {
        self.0.extend_from_slice(value.as_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.put(&(bytes.len() as u64));
        self.0.extend_from_slice(bytes);
    }

    fn each<T>(&mut self, of: &[T], mut put: impl FnMut(&mut Out, &T)) {
        self.put(&(of.len() as u64));
        of.iter().for_each(|one| put(self, one));
    }
}

/// Bytes as they are read; `None` behind the end.
pub(super) struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    pub(super) fn get<T: FromBytes + KnownLayout + Immutable>(&mut self) -> Option<T> {
        let (value, rest) = T::read_from_prefix(self.0).ok()?;
        self.0 = rest;
        Some(value)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.get::<u64>()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn each(&mut self, mut get: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        (0..self.get::<u64>()?).try_for_each(|_| get(self))
    }
}

impl JournalFold {
    /// All that was folded so far.
    ///
    /// # Errors
    /// Why it can't stand for the records, a line each.
    pub(crate) fn checkpoint(&self) -> Result<Vec<u8>, Vec<String>> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut out = Out::default();
        let names = self.present.named();
        out.each(&names, |out, named| out.put(named));
        out.each(&self.runs, put_run);
        out.each(&self.balances, |out, of| {
            out.put(&of.venue.0);
            [of.asset.cast_signed(), of.total, of.traded].iter().for_each(|number| out.put(number));
        });
        for books in &self.books {
            out.each(&books.tracker.positions_held(), |out, (instrument, position)| {
                out.put(&instrument.0);
                put_position(out, position);
            });
            out.each(&books.ledger.saved_rows(), |out, (venue, instrument, net, row)| {
                out.put(&venue.0);
                out.put(&instrument.0);
                out.put(net);
                out.bytes(row);
            });
            let owned: Vec<_> = books.own_ids.all().collect();
            out.each(&owned, |out, (own_id, outcome)| put_own_id(out, own_id.bytes(), outcome));
        }
        let mut open: Vec<&RecordedOrder> = self.open.values().collect();
        open.sort_by_key(|order| (order.command.consumer, order.command.client_order_id));
        out.each(&open, |out, order| put_order(out, order));
        let unsettled: Vec<&RecordedOrder> = self.unsettled.iter().collect();
        out.each(&unsettled, |out, order| put_order(out, order));
        Ok(out.0)
    }

    /// Takes up what a checkpoint stands for; nothing may have been taken before. `None` where it
    /// can't be read.
    pub(crate) fn restore(&mut self, body: &[u8]) -> Option<()> {
        let mut from = In(body);
        let mut consumers = 0;
        from.each(|from| {
            let named = from.get::<Named>()?;
            consumers += usize::from(named.table == NameTable::Consumer as u8);
            self.then.take(&named, &self.present);
            Some(())
        })?;
        from.each(|from| {
            let run = get_run(from)?;
            let run = self.then.run_now(run);
            self.runs.push(run);
            Some(())
        })?;
        from.each(|from| {
            let (venue, asset) = (from.get::<u16>()?, from.get::<i128>()?.cast_unsigned());
            let (total, traded) = (from.get()?, from.get()?);
            if let Some(venue) = self.then.venue(venue) {
                self.balances.push(RecordedBalance { venue, asset, total, traded });
            }
            Some(())
        })?;
        for consumer in 0..consumers {
            self.restore_books(consumer as u16, &mut from)?;
        }
        from.each(|from| {
            let order = get_order(from)?;
            self.restore_open(order);
            Some(())
        })?;
        from.each(|from| {
            let order = get_order(from)?;
            if let Some(order) = self.moved(order) {
                self.unsettled.push_back(order);
            }
            Some(())
        })?;
        from.0.is_empty().then_some(())
    }

    fn restore_books(&mut self, consumer: u16, from: &mut In<'_>) -> Option<()> {
        from.each(|from| {
            let instrument = from.get::<u32>()?;
            let position = get_position(from)?;
            match self.then.held_by(consumer, instrument) {
                Some((consumer, instrument)) => {
                    self.books[consumer.index()].tracker.hold(instrument, position);
                }
                None => {
                    let held_in = self.then.position_words(consumer, NONE, instrument);
                    self.gone.holds(held_in, position.net.into());
                }
            }
            Some(())
        })?;
        from.each(|from| {
            let (venue, instrument) = (from.get::<u16>()?, from.get::<u32>()?);
            let (net, row) = (from.get()?, from.bytes()?);
            if let Some(place) = self.then.place(consumer, venue, instrument) {
                let books = &mut self.books[place.consumer.index()];
                books.ledger.hold(place.venue, place.instrument, row)?;
            } else if self.then.held_by(consumer, instrument).is_some() {
                let held_in = self.then.position_words(consumer, venue, instrument);
                self.gone.holds(held_in, net);
            }
            Some(())
        })?;
        from.each(|from| {
            let (own_id, outcome) = get_own_id(from)?;
            if let Some(consumer) = self.then.consumer(consumer) {
                self.books[consumer.index()].own_ids.recall(own_id, outcome);
            }
            Some(())
        })
    }

    /// The order in the numbers of now; `None` where it has no place there.
    fn moved(&self, mut order: RecordedOrder) -> Option<RecordedOrder> {
        let OrderCommand { consumer, venue, instrument, .. } = order.command;
        let place = self.then.place(consumer, venue, instrument)?;
        order.command.consumer = place.consumer.0;
        (order.command.venue, order.command.instrument) = (place.venue.0, place.instrument.0);
        Some(order)
    }

    fn restore_open(&mut self, order: RecordedOrder) {
        let OrderCommand { consumer, venue, instrument, client_order_id, .. } = order.command;
        let Some(order) = self.moved(order) else {
            let words = self.then.words(consumer, venue, instrument);
            return self.gone.sent(words, client_order_id);
        };
        let command = &order.command;
        let books = &mut self.books[usize::from(command.consumer)];
        books.tracker.take_up(OpenOrder {
            id: ClientOrderId(command.client_order_id),
            venue: command.venue_id(),
            instrument: command.instrument_id(),
            side: command.side().unwrap_or(Side::Buy),
            price: Price(order.price),
            trigger_price: Price(command.trigger_price),
            qty: Qty(order.qty),
            filled: Qty(order.filled_qty),
            status: order.status,
            cancel_pending: order.wants_cancel,
            replaces: None,
            terms: command.terms().filter(|_| !order.is_guessed),
        });
        books.ledger.knows_prevented(command.client_order_id, order.prevented_qty);
        self.open.insert(order.key(), order);
    }
}

fn put_run(out: &mut Out, run: &EarlierRun) {
    out.put(&run.epoch);
    out.put(&run.run);
    out.each(&run.consumers, |out, now| out.put(&now.unwrap_or(NONE)));
    out.each(&run.last_ids, |out, id| out.put(id));
}

fn get_run(from: &mut In<'_>) -> Option<EarlierRun> {
    let mut run = EarlierRun::new(from.get()?, from.get()?);
    from.each(|from| {
        run.consumers.push(Some(from.get::<u16>()?).filter(|now| *now != NONE));
        Some(())
    })?;
    from.each(|from| {
        run.last_ids.push(from.get()?);
        Some(())
    })?;
    Some(run)
}

fn put_position(out: &mut Out, position: &Position) {
    let Position { net, bought, sold, cash, fee_base, fee_quote } = position;
    [net, bought, sold].into_iter().for_each(|number| out.put(number));
    out.put(cash);
    [fee_base, fee_quote].into_iter().for_each(|number| out.put(number));
}

fn get_position(from: &mut In<'_>) -> Option<Position> {
    Some(Position {
        net: from.get()?,
        bought: from.get()?,
        sold: from.get()?,
        cash: from.get()?,
        fee_base: from.get()?,
        fee_quote: from.get()?,
    })
}

fn put_own_id(out: &mut Out, own_id: [u8; 16], outcome: &OnceOutcome) {
    out.put(&own_id);
    out.put(&outcome.id.0);
    out.put(&outcome.filled.0);
    out.put(&outcome.status.code());
}

fn get_own_id(from: &mut In<'_>) -> Option<(OwnId, OnceOutcome)> {
    let own_id = OwnId::from_bytes(from.get()?)?;
    let (id, filled) = (ClientOrderId(from.get()?), Qty(from.get()?));
    let status = OrderStatus::from_code(from.get()?)?;
    Some((own_id, OnceOutcome { id, status, filled }))
}

fn put_order(out: &mut Out, order: &RecordedOrder) {
    out.put(&order.command);
    out.put(&order.sent_wall_ns);
    out.put(&order.venue_order_id);
    [order.price, order.qty, order.filled_qty, order.prevented_qty].iter().for_each(|n| out.put(n));
    out.put(&order.quote);
    out.put(&order.status.code());
    out.put(&order.certainty.code());
    out.put(&u8::from(order.is_heard));
    out.put(&u8::from(order.wants_cancel));
    out.put(&u8::from(order.is_guessed));
    out.each(&order.amendments, |out, (price, qty)| {
        out.put(price);
        out.put(qty);
    });
    out.each(&order.inferred, |out, fill| {
        out.put(&fill.from);
        out.put(&fill.to);
        out.put(&fill.quote);
    });
    out.each(&order.without_fee, |out, fill| {
        out.put(&fill.trade);
        [fill.from, fill.to, fill.price].iter().for_each(|number| out.put(number));
    });
}

fn get_order(from: &mut In<'_>) -> Option<RecordedOrder> {
    let command: OrderCommand = from.get()?;
    let mut order = RecordedOrder::new(&command, from.get()?);
    order.venue_order_id = from.get()?;
    (order.price, order.qty) = (from.get()?, from.get()?);
    (order.filled_qty, order.prevented_qty) = (from.get()?, from.get()?);
    order.quote = from.get()?;
    order.status = OrderStatus::from_code(from.get()?)?;
    order.certainty = Certainty::from_code(from.get()?)?;
    order.is_heard = from.get::<u8>()? == 1;
    order.wants_cancel = from.get::<u8>()? == 1;
    order.is_guessed = from.get::<u8>()? == 1;
    from.each(|from| {
        order.amendments.push((from.get()?, from.get()?));
        Some(())
    })?;
    from.each(|from| {
        let (from_qty, to, quote) = (from.get()?, from.get()?, from.get()?);
        order.inferred.push(InferredFill { from: from_qty, to, quote });
        Some(())
    })?;
    from.each(|from| {
        let trade = from.get()?;
        let (from_qty, to, price) = (from.get()?, from.get()?, from.get()?);
        order.without_fee.push(UnsettledFill { trade, from: from_qty, to, price });
        Some(())
    })?;
    Some(order)
}
