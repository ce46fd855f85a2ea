//! The writing side of a board: a strategy's thread books its orders and reports here.

use std::collections::VecDeque;
use std::sync::Arc;

use zerocopy::{FromBytes, IntoBytes};

use super::board::TradingBoard;
use super::refusals::{Refusal, RefusedWhat};
use super::row::{Row, Units};
use crate::event::{ExecReport, InstrumentId, RejectReason, VenueId};
use crate::instrument::Instruments;
use crate::order::OrderCounts;

/// Orders of which it is remembered how much self-trade prevention took off them. They are rare.
const PREVENTED_MAX: usize = 64;

/// No row was taken yet.
const NO_ROW: u16 = u16::MAX;
/// There was none left.
const BEYOND: u16 = u16::MAX - 1;

/// Books one strategy's orders and reports. Bounded, and preallocated.
pub(crate) struct Ledger {
    board: Arc<TradingBoard>,
    units: Box<[Units]>,
    venues: usize,
    /// By instrument and venue, and at the end for what names none: the row.
    rows: Box<[u16]>,
    prevented: VecDeque<(u64, i64)>,
    /// By row, what it has earned, and where.
    profits: Vec<RowProfit>,
    /// The rows themselves, as long as nobody reads the board.
    unread: Option<Vec<Row>>,
}

/// A position in its instrument's scale, which a fee in the base asset may be finer than: rounded
/// down, as what may be sold is counted, and up, as what may be bought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) least: i64,
    pub(crate) most: i64,
}

/// What one row has earned, in the units of its values.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RowProfit {
    /// Of the row: instrument times venues plus venue.
    pub(crate) place: usize,
    /// Above 0 when long.
    pub(crate) position: i128,
    /// What the position cost; below 0 for a short one.
    pub(crate) cost: i128,
    /// Earned by what was closed, after fees.
    pub(crate) closed: i128,
    /// Units in one of 10^-8.
    pub(crate) step: i128,
}

impl RowProfit {
    fn of(row: &Row, units: &Units) -> RowProfit {
        RowProfit {
            place: row.place.saturating_sub(1) as usize,
            position: row.position,
            cost: row.cost,
            closed: row.realised.saturating_sub(row.fees_in_quote),
            step: units.value_step,
        }
    }

    /// All of it in units of 10^-8, rounded down: with what is open at `price`; at its cost where
    /// there is none.
    pub(crate) fn net(&self, price: Option<i64>) -> i64 {
        let open =
            price.and_then(|price| self.position.checked_mul(price.into())?.checked_sub(self.cost));
        let net = self.closed.saturating_add(open.unwrap_or(0));
        let net = net.div_euclid(self.step.max(1));
        i64::try_from(net).unwrap_or(if net < 0 { i64::MIN } else { i64::MAX })
    }
}

impl Ledger {
    /// Writes on `board`, which was made for these instruments and so many venues.
    pub(crate) fn new(
        board: Arc<TradingBoard>,
        instruments: &Instruments,
        venues: usize,
    ) -> Ledger {
        Ledger {
            board,
            units: instruments.iter().map(|(_, spec)| Units::of(spec)).collect(),
            venues,
            rows: vec![NO_ROW; instruments.len() * venues + 1].into_boxed_slice(),
            prevented: VecDeque::with_capacity(PREVENTED_MAX),
            profits: Vec::with_capacity(TradingBoard::rows(instruments.len(), venues)),
            unread: None,
        }
    }

    /// One that shows nothing on its board before [`Ledger::begin_run`]: for who books a journal.
    pub(crate) fn unread(mut self) -> Ledger {
        self.unread = Some(Vec::new());
        self
    }

    /// Changes a row where it is.
    #[inline]
    fn change(&mut self, row: usize, change: impl FnOnce(&mut Row)) {
        let Some(rows) = &mut self.unread else { return self.board.update(row, change) };
        if rows.len() <= row {
            rows.resize(row + 1, Row::default());
        }
        change(&mut rows[row]);
    }

    /// Counts begin anew; amounts and what is open stay. From here on the board has it.
    pub(crate) fn begin_run(&mut self) {
        for (row, booked) in self.unread.take().into_iter().flatten().enumerate() {
            self.board.update(row, |row| *row = booked);
            let place = booked.place.saturating_sub(1) as usize;
            let units = self.units.get(place / self.venues.max(1));
            if let Some(profit) = self.profits.get_mut(row).filter(|profit| profit.step > 0)
                && let Some(units) = units
            {
                *profit = RowProfit::of(&booked, units);
            }
        }
        for row in self.rows.iter().filter(|row| !matches!(**row, NO_ROW | BEYOND)) {
            self.board.update(usize::from(*row), Row::begin_run);
        }
    }

    /// The rows with anything in them: what was bought less what was sold, in the instrument's
    /// scale, and the row as plain bytes.
    pub(crate) fn saved_rows(&self) -> Vec<(VenueId, InstrumentId, i128, Vec<u8>)> {
        let last = self.rows.len() - 1;
        let used = self.rows[..last].iter().enumerate();
        let used = used.filter(|(_, row)| !matches!(**row, NO_ROW | BEYOND));
        used.map(|(place, row)| {
            let (mut net, mut bytes) = (0, Vec::new());
            let (instrument, venue) = (place / self.venues, place % self.venues);
            let mut take = |row: &Row| {
                net = row.bought.saturating_sub(row.sold) / self.units[instrument].step_up;
                bytes.extend_from_slice(row.as_bytes());
            };
            let row = usize::from(*row);
            match &self.unread {
                Some(rows) => rows.get(row).into_iter().for_each(&mut take),
                None => self.board.update(row, |row| take(row)),
            }
            (VenueId(venue as u16), InstrumentId(instrument as u32), net, bytes)
        })
        .collect()
    }

    /// Takes up such a row; `None` where these bytes are none.
    pub(crate) fn hold(
        &mut self,
        venue: VenueId,
        instrument: InstrumentId,
        bytes: &[u8],
    ) -> Option<()> {
        let saved = Row::read_from_bytes(bytes).ok()?;
        let units = self.units.get(instrument.index()).copied()?;
        let mut earned = RowProfit::default();
        let row = self.update(venue, instrument, |row| {
            let place = row.place;
            *row = saved;
            row.place = place;
            earned = RowProfit::of(row, &units);
        });
        if let Some(row) = row {
            self.earned(row, earned);
        }
        Some(())
    }

    /// What self-trade prevention had taken off an order that is open.
    pub(crate) fn knows_prevented(&mut self, id: u64, prevented_qty: i64) {
        if prevented_qty > 0 && self.prevented.len() < PREVENTED_MAX {
            self.prevented.push_back((id, prevented_qty));
        }
    }

    fn earned(&mut self, row: usize, earned: RowProfit) {
        if self.profits.len() <= row {
            self.profits.resize(row + 1, RowProfit::default());
        }
        self.profits[row] = earned;
    }

    /// The most rows that there may be.
    pub(crate) fn rows_max(&self) -> usize {
        self.profits.capacity()
    }

    /// The row of an instrument at a venue, where anything was reported of it.
    #[inline]
    pub(crate) fn row_of(&self, venue: VenueId, instrument: InstrumentId) -> Option<usize> {
        let place = instrument.index() * self.venues + venue.index();
        let row = usize::from(*self.rows.get(place)?);
        self.profits
            .get(row)
            .is_some_and(|profit| profit.place == place && profit.step > 0)
            .then_some(row)
    }

    /// What a row has earned, and where; `None` for one of which nothing was reported.
    #[inline]
    pub(crate) fn profit(&self, row: usize) -> Option<((VenueId, InstrumentId), &RowProfit)> {
        let profit = self.profits.get(row).filter(|profit| profit.step > 0)?;
        let (instrument, venue) = (profit.place / self.venues, profit.place % self.venues);
        Some(((VenueId(venue as u16), InstrumentId(instrument as u32)), profit))
    }

    /// The position of a row in its instrument's scale.
    pub(crate) fn holding(&self, row: usize) -> Holding {
        let Some(((_, instrument), profit)) = self.profit(row) else { return Holding::default() };
        let step = self.units.get(instrument.index()).map_or(1, |units| units.step_up);
        let least = profit.position.div_euclid(step);
        let most = least + i128::from(least * step != profit.position);
        let narrow = |qty| i64::try_from(qty).unwrap_or_default();
        Holding { least: narrow(least), most: narrow(most) }
    }

    /// Rows that were taken.
    #[inline]
    pub(crate) fn rows_used(&self) -> usize {
        self.profits.len()
    }

    /// An order has left for the gateway.
    #[inline]
    pub(crate) fn sent(&mut self, venue: VenueId, instrument: InstrumentId) {
        self.add_one(venue, instrument, [Row::SENT, Row::OPEN]);
    }

    /// A cancel, an amendment or a question about an order has.
    #[inline]
    pub(crate) fn asked(&mut self, venue: VenueId, instrument: InstrumentId, what: RefusedWhat) {
        match what {
            RefusedWhat::Cancel => self.add_one(venue, instrument, [Row::CANCELS]),
            RefusedWhat::Amend => self.add_one(venue, instrument, [Row::AMENDS]),
            RefusedWhat::Order | RefusedWhat::Query => {}
        }
    }

    /// The strategy's own check has refused something.
    #[cold]
    pub(crate) fn refused(
        &mut self,
        venue: VenueId,
        instrument: InstrumentId,
        what: RefusedWhat,
        reason: RejectReason,
    ) {
        let _row = self.update(venue, instrument, |row| {
            row.refused += u64::from(what == RefusedWhat::Order);
            row.refusals.add(Refusal::of_check(what, reason));
        });
    }

    /// A report, and what it has changed: the strategy's counts and how many orders are open.
    pub(crate) fn reported(
        &mut self,
        venue: VenueId,
        instrument: InstrumentId,
        report: &ExecReport,
        [before, after]: [(&OrderCounts, usize); 2],
    ) {
        let prevented = self.prevented(report);
        let Some(units) = self.units.get(instrument.index()).copied() else {
            let _row = self.update(venue, instrument, |row| row.count(before.0, after.0));
            return;
        };
        // Of a journal only what all of it comes to is asked for, once the run begins.
        let is_put_off = self.unread.is_some();
        let mut earned = RowProfit::default();
        let row = self.update(venue, instrument, |row| {
            row.count(before.0, after.0);
            row.open = (row.open + after.1 as u64).saturating_sub(before.1 as u64);
            row.take(report, &units, prevented);
            if row.saturated > 0 {
                tell_saturated(row);
            }
            if !is_put_off {
                earned = RowProfit::of(row, &units);
            }
        });
        match row {
            Some(row) if !is_put_off => self.earned(row, earned),
            Some(row) if self.profits.get(row).is_none_or(|profit| profit.step == 0) => {
                self.earned(row, RowProfit { step: units.value_step, ..earned });
            }
            _ => {}
        }
    }

    /// What self-trade prevention has taken off the order since its report before.
    #[inline]
    fn prevented(&mut self, report: &ExecReport) -> i64 {
        if report.prevented_qty == 0 {
            return 0;
        }
        let id = report.client_order_id;
        if let Some((_, known)) = self.prevented.iter_mut().find(|(of, _)| *of == id) {
            let more = report.prevented_qty.saturating_sub(*known).max(0);
            *known = report.prevented_qty.max(*known);
            return more;
        }
        if self.prevented.len() == PREVENTED_MAX {
            self.prevented.pop_front();
        }
        self.prevented.push_back((id, report.prevented_qty));
        report.prevented_qty
    }

    /// The row that was changed; `None` when there is no room for one.
    #[inline]
    fn update(
        &mut self,
        venue: VenueId,
        instrument: InstrumentId,
        change: impl FnOnce(&mut Row),
    ) -> Option<usize> {
        let row = self.row(venue, instrument)?;
        self.change(row, change);
        Some(row)
    }

    /// Adds one to counts of a row.
    #[inline]
    fn add_one<const N: usize>(
        &mut self,
        venue: VenueId,
        instrument: InstrumentId,
        places: [usize; N],
    ) {
        let Some(row) = self.row(venue, instrument) else { return };
        match self.unread {
            None => self.board.add_one(row, places),
            Some(_) => self.change(row, |row| row.add_one(places)),
        }
    }

    /// The row of an instrument at a venue, which is taken now if it has none.
    #[inline]
    fn row(&mut self, venue: VenueId, instrument: InstrumentId) -> Option<usize> {
        let is_known = venue.index() < self.venues && instrument.index() < self.units.len();
        let unknown = self.rows.len() - 1;
        let place =
            if is_known { instrument.index() * self.venues + venue.index() } else { unknown };
        if matches!(self.rows[place], NO_ROW | BEYOND) {
            self.rows[place] = self.board.take_row().map_or(BEYOND, |row| row as u16);
            if self.rows[place] != BEYOND {
                let row = usize::from(self.rows[place]);
                self.change(row, |row| row.place = place as u64 + 1);
            }
        }
        (self.rows[place] != BEYOND).then(|| usize::from(self.rows[place]))
    }
}

#[cold]
fn tell_saturated(row: &Row) {
    if row.saturated == 1 {
        log::error!("[orders] sums of a position are beyond 128 bits: its figures are wrong");
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;
    use crate::event::ExecType;

    #[test]
    fn what_is_prevented_is_told_in_sums_and_counted_once() {
        let instruments = Instruments::of_test(1);
        let board = TradingBoard::new(1, 1);
        let mut ledger = Ledger::new(Arc::clone(&board), &instruments, 1);
        let mut report = ExecReport::new_zeroed();
        report.exec_type_code = ExecType::Prevented.code();
        let counts = OrderCounts::default();
        for (order, prevented_qty) in [(1, 3), (1, 3), (1, 5), (2, 4), (1, 5)] {
            (report.client_order_id, report.prevented_qty) = (order, prevented_qty);
            let unchanged = [(&counts, 0), (&counts, 0)];
            ledger.reported(VenueId(0), InstrumentId(0), &report, unchanged);
        }
        assert_eq!(board.read()[0].prevented, (5 + 4) * 1_000);
    }

    #[test]
    fn what_names_no_instrument_has_a_row_of_its_own() {
        let board = TradingBoard::new(1, 1);
        let mut ledger = Ledger::new(Arc::clone(&board), &Instruments::of_test(1), 1);
        let unknown = RejectReason::UnknownInstrument;
        ledger.refused(VenueId(0), InstrumentId(9), RefusedWhat::Order, unknown);
        ledger.refused(VenueId(9), InstrumentId(0), RefusedWhat::Order, unknown);
        ledger.sent(VenueId(0), InstrumentId(0));
        let rows = board.read();
        assert_eq!((rows.len(), rows[0].refused, rows[0].place), (2, 2, 2));
        assert_eq!((rows[1].sent, rows[1].place), (1, 1));
    }
}
