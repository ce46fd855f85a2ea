//! The figures of one strategy in one instrument at one venue, as plain words.

use std::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, transmute_mut};

use super::average_cost::AverageCost;
use super::refusals::{Refusal, Refusals};
use super::wide::share;
use crate::event::{AssetAmount, ExecReport, ExecType, FEE_UNKNOWN, INFERRED, Side, asset_code};
use crate::instrument::InstrumentSpec;
use crate::order::OrderCounts;

/// Assets of fees that a row tells apart: base, quote, the venue's own, and one more.
const FEE_ASSETS_MAX: usize = 4;

/// What money of an instrument is counted in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Units {
    /// The assets as [`asset_code`] has them.
    base: u128,
    quote: u128,
    /// Decimal places of quantities here: the instrument's, and at least those of a fee.
    pub(super) qty_places: u8,
    /// Decimal places of values: price times quantity.
    pub(super) value_places: u8,
    /// From the instrument's quantities and values to these.
    pub(super) step_up: i128,
    /// Units of a value in one of 10^-8.
    pub(super) value_step: i128,
}

impl Units {
    pub(super) fn of(spec: &InstrumentSpec) -> Units {
        let mut assets = spec.symbol.split('-').map(asset_code);
        // A fee in no asset is 0: no asset is none of these.
        let mut next = || assets.next().flatten().unwrap_or(u128::MAX);
        let (base, quote) = (next(), next());
        let qty_places = spec.qty_scale.max(AssetAmount::SCALE);
        let value_places = spec.price_scale + qty_places;
        Units {
            base,
            quote,
            qty_places,
            value_places,
            value_step: 10_i128.pow(u32::from(value_places - AssetAmount::SCALE)),
            step_up: 10_i128.pow(u32::from(qty_places - spec.qty_scale)),
        }
    }

    /// Units of a quantity in a unit of a fee.
    fn base_fee_step(&self) -> i128 {
        10_i128.pow(u32::from(self.qty_places - AssetAmount::SCALE))
    }

    fn quote_fee_step(&self) -> i128 {
        self.value_step
    }
}

/// Fees in one asset.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct FeeSum {
    /// As [`asset_code`] has it; 0 is a free place.
    pub(super) asset: u128,
    /// In units of 10^-8; negative for rebates.
    pub(super) amount: i128,
}

/// Sums since the start. Quantities and values in [`Units`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Row {
    pub(super) position: i128,
    pub(super) cost: i128,
    pub(super) realised: i128,
    pub(super) bought: i128,
    pub(super) sold: i128,
    /// Values of what was bought and sold, always positive.
    pub(super) bought_value: i128,
    pub(super) sold_value: i128,
    /// Fees in quote and base asset, in the quote asset: a base fee at its fill's price.
    pub(super) fees_in_quote: i128,
    /// Taken off orders by self-trade prevention.
    pub(super) prevented: i128,
    /// Quantity of fills whose fee is not known, or not yet.
    pub(super) fee_unknown_qty: i128,
    /// Quantity of fills that are inferred, and were not confirmed since.
    pub(super) inferred_qty: i128,
    pub(super) fees: [FeeSum; FEE_ASSETS_MAX],
    pub(super) refusals: Refusals,
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) fills: u64,
    pub(super) inferred: u64,
    pub(super) corrected: u64,
    pub(super) filled: u64,
    pub(super) canceled: u64,
    /// Refused by engine or venue.
    pub(super) rejected: u64,
    /// Refused by the strategy's own check.
    pub(super) refused: u64,
    pub(super) revived: u64,
    pub(super) open: u64,
    pub(super) cancels: u64,
    pub(super) amends: u64,
    /// Fees in assets beyond those told apart.
    pub(super) fees_beyond: u64,
    /// Sums that did not fit: the row can't be trusted.
    pub(super) saturated: u64,
    /// Which row it is: [`Row::key`] plus 1; 0 is a free one.
    pub(super) place: u64,
}

/// 64-bit words of a row.
pub(super) const WORDS: usize = size_of::<Row>() / 8;

const _: () = assert!(size_of::<Row>().is_multiple_of(16));

impl Row {
    /// Places of counts, in words.
    pub(super) const SENT: usize = offset_of!(Row, sent) / 8;
    pub(super) const OPEN: usize = offset_of!(Row, open) / 8;
    pub(super) const CANCELS: usize = offset_of!(Row, cancels) / 8;
    pub(super) const AMENDS: usize = offset_of!(Row, amends) / 8;

    /// Adds one to counts, by their places.
    pub(super) fn add_one<const N: usize>(&mut self, places: [usize; N]) {
        let words: &mut [u64; WORDS] = transmute_mut!(self);
        places.into_iter().for_each(|place| words[place] += 1);
    }

    /// Books what a report tells of fills and fees. `prevented` is what self-trade prevention has
    /// taken off since the order's report before.
    pub(super) fn take(&mut self, report: &ExecReport, units: &Units, prevented: i64) {
        self.prevented += i128::from(prevented) * units.step_up;
        if let Some(refusal) = Refusal::of_report(report) {
            self.refusals.add(refusal);
        }
        match report.exec_type() {
            Some(ExecType::Trade) => self.fill(report, units),
            Some(ExecType::Corrected) => self.correct(report, units),
            _ => {}
        }
    }

    fn fill(&mut self, report: &ExecReport, units: &Units) {
        let Some(side) = report.side() else { return };
        self.fills += 1;
        let qty = i128::from(report.last_qty) * units.step_up;
        // A fill without a sum of its own is worth price x quantity.
        let quote = match report.quote {
            0 => i128::from(report.last_price) * i128::from(report.last_qty),
            quote => quote,
        };
        let value = self.fits(quote.checked_mul(units.step_up));
        let (sum, sum_value) = match side {
            Side::Buy => (&mut self.bought, &mut self.bought_value),
            Side::Sell => (&mut self.sold, &mut self.sold_value),
        };
        let (more, more_value) = (sum.checked_add(qty), sum_value.checked_add(value));
        (*sum, *sum_value) = (more.unwrap_or(i128::MAX), more_value.unwrap_or(i128::MAX));
        self.saturated += u64::from(more.is_none() || more_value.is_none());
        self.trade(if side == Side::Buy { qty } else { -qty }, value);
        if report.has(INFERRED) {
            self.inferred += 1;
            self.inferred_qty += qty;
        }
        if report.has(FEE_UNKNOWN) {
            self.fee_unknown_qty += qty;
        }
        self.fee(report, units, qty, value);
    }

    /// The truth about (a part of) an inferred fill.
    fn correct(&mut self, report: &ExecReport, units: &Units) {
        let Some(side) = report.side() else { return };
        self.corrected += 1;
        let qty = i128::from(report.last_qty) * units.step_up;
        let by = report.quote.checked_sub(report.replaced_quote);
        let by = self.fits(by.and_then(|by| by.checked_mul(units.step_up)));
        let mut book = self.book();
        book.correct(side == Side::Buy, by);
        self.set_book(&book);
        match side {
            Side::Buy => self.bought_value = self.bought_value.saturating_add(by),
            Side::Sell => self.sold_value = self.sold_value.saturating_add(by),
        }
        self.inferred_qty = (self.inferred_qty - qty).max(0);
        if !report.has(FEE_UNKNOWN) {
            self.fee_unknown_qty = (self.fee_unknown_qty - qty).max(0);
        }
        let value = self.fits(report.quote.checked_mul(units.step_up));
        self.fee(report, units, qty, value);
    }

    /// A fee in the base asset is a quantity that the venue takes at the fill's price.
    fn fee(&mut self, report: &ExecReport, units: &Units, qty: i128, value: i128) {
        let fee = i128::from(report.fee);
        if fee == 0 || report.fee_asset == 0 {
            return;
        }
        let place = self.fees.iter_mut().find(|sum| [0, report.fee_asset].contains(&sum.asset));
        match place {
            Some(sum) => {
                (sum.asset, sum.amount) = (report.fee_asset, sum.amount.saturating_add(fee));
            }
            None => self.fees_beyond += 1,
        }
        let in_quote = if report.fee_asset == units.base {
            let fee_qty = fee * units.base_fee_step();
            let magnitude = fee_qty.unsigned_abs();
            let is_part = qty > 0 && magnitude <= qty.unsigned_abs();
            let worth = if is_part { share(value, magnitude, qty.unsigned_abs()) } else { 0 };
            self.saturated += u64::from(!is_part);
            self.trade(-fee_qty, worth);
            if fee < 0 { -worth } else { worth }
        } else if report.fee_asset == units.quote {
            fee * units.quote_fee_step()
        } else {
            return;
        };
        self.fees_in_quote = self.fits(self.fees_in_quote.checked_add(in_quote));
    }

    fn trade(&mut self, qty: i128, value: i128) {
        let mut book = self.book();
        book.trade(qty, value);
        self.set_book(&book);
    }

    pub(super) fn book(&self) -> AverageCost {
        AverageCost {
            position: self.position,
            cost: self.cost,
            realised: self.realised,
            is_lost: false,
        }
    }

    fn set_book(&mut self, book: &AverageCost) {
        (self.position, self.cost, self.realised) = (book.position, book.cost, book.realised);
        self.saturated += u64::from(book.is_lost);
    }

    fn fits(&mut self, value: Option<i128>) -> i128 {
        self.saturated += u64::from(value.is_none());
        value.unwrap_or(i128::MAX)
    }

    /// Counts of orders, fills and refusals begin anew; amounts and what is open stay.
    pub(super) fn begin_run(&mut self) {
        self.refusals = Refusals::default();
        (self.sent, self.acknowledged, self.filled) = (0, 0, 0);
        (self.fills, self.inferred, self.corrected) = (0, 0, 0);
        (self.canceled, self.rejected, self.refused, self.revived) = (0, 0, 0, 0);
        (self.cancels, self.amends) = (0, 0);
    }

    /// Adds what a report has changed of a strategy's counts of orders.
    pub(super) fn count(&mut self, before: &OrderCounts, after: &OrderCounts) {
        self.sent += after.submitted - before.submitted;
        self.acknowledged += after.acknowledged - before.acknowledged;
        self.filled += after.filled - before.filled;
        self.canceled += after.canceled - before.canceled;
        self.rejected += after.rejected - before.rejected;
        self.revived += after.revived - before.revived;
        self.refused += after.refused - before.refused;
    }
}
