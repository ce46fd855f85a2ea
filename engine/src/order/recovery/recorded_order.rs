//! One order as the journal has it.

use zerocopy::FromZeros;

use crate::event::{
    Certainty, ExecReport, ExecType, FEE_UNKNOWN, INFERRED, InstrumentId, OrderStatus,
    PositionSide, Side, VenueId, VenueRef,
};
use crate::order::{OrderAction, OrderCommand, OrderKey, OrderType};

/// Inferred fills of one order that are remembered, as its session does.
const INFERRED_MAX: usize = 12;
/// Fills without a fee of one order that are remembered, as its session does.
const WITHOUT_FEE_MAX: usize = 8;
/// Amendments of one order that may still come true, as its session remembers them.
const AMENDMENTS_MAX: usize = 4;

/// A part of an order's quantity whose fill was told by inference, and not corrected since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InferredFill {
    /// It covers the filled quantity above this.
    pub from: i64,
    /// Up to this.
    pub to: i64,
    /// What it was told to cost, in units of 10^-(price scale + quantity scale).
    pub quote: i128,
}

/// A fill whose fee was not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsettledFill {
    /// The venue's name of the trade.
    pub trade: VenueRef,
    /// It covers the filled quantity above this.
    pub from: i64,
    /// Up to this.
    pub to: i64,
    /// Its price.
    pub price: i64,
}

/// An order as the journal has it, in the numbers of the present configuration.
#[derive(Clone, Debug)]
pub struct RecordedOrder {
    /// The command that opened it.
    pub command: OrderCommand,
    /// When it was recorded, ns since the Unix epoch.
    pub sent_wall_ns: i64,
    /// The venue's name; none when it was never told.
    pub venue_order_id: VenueRef,
    /// Its price, after amendments.
    pub price: i64,
    /// Its quantity, after amendments.
    pub qty: i64,
    /// Filled so far.
    pub filled_qty: i64,
    /// What that cost, in units of 10^-(price scale + quantity scale).
    pub quote: i128,
    /// Taken off by self-trade prevention.
    pub prevented_qty: i64,
    /// Its status by the last report.
    pub status: OrderStatus,
    /// Whose report that is.
    pub certainty: Certainty,
    /// The venue has told something of it.
    pub is_heard: bool,
    /// Its strategy had a cancel on its way, which nothing has answered.
    pub wants_cancel: bool,
    /// Its command is not on record: type, time in force and flags of it are guessed.
    pub is_guessed: bool,
    /// Price and quantity of amendments that may have reached the venue.
    pub amendments: Vec<(i64, i64)>,
    /// Inferred fills.
    pub inferred: Vec<InferredFill>,
    /// Fills without a fee.
    pub without_fee: Vec<UnsettledFill>,
}

impl RecordedOrder {
    /// One of which nothing but its command is on record.
    #[must_use]
    pub fn new(command: &OrderCommand, sent_wall_ns: i64) -> RecordedOrder {
        RecordedOrder {
            command: *command,
            sent_wall_ns,
            venue_order_id: VenueRef::NONE,
            price: command.price,
            qty: command.qty,
            filled_qty: 0,
            quote: 0,
            prevented_qty: 0,
            status: OrderStatus::PendingNew,
            certainty: Certainty::Assumed,
            is_heard: false,
            wants_cancel: false,
            is_guessed: false,
            amendments: Vec::new(),
            inferred: Vec::new(),
            without_fee: Vec::new(),
        }
    }

    /// One that the venue has and the journal has not, as if its end had been told: what the venue
    /// says of it takes that back. `terms`: what it is for, its side, price and quantity. Its type
    /// is not told: what has a price is taken for a limit order.
    #[must_use]
    pub fn unrecorded(
        key: OrderKey,
        venue: VenueId,
        terms: (InstrumentId, Side, i64, i64),
        wall_ns: i64,
    ) -> RecordedOrder {
        let (instrument, side, price, qty) = terms;
        let mut command = OrderCommand::new_zeroed();
        command.client_order_id = key.id.0;
        (command.price, command.qty) = (price, qty);
        command.instrument = instrument.0;
        (command.consumer, command.venue) = (key.consumer.0, venue.0);
        command.action_code = OrderAction::Submit as u8;
        command.side_code = side.code();
        let order_type = if price != 0 { OrderType::Limit } else { OrderType::Market };
        command.order_type_code = order_type as u8;
        command.position_side_code = PositionSide::Net.code();
        let mut order = RecordedOrder::new(&command, wall_ns);
        (order.status, order.is_guessed) = (OrderStatus::Rejected, true);
        order
    }

    /// Whose it is, and its number.
    #[must_use]
    pub fn key(&self) -> OrderKey {
        OrderKey::of(&self.command)
    }

    /// Whether it may still trade, as far as is on record.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.status.is_terminal()
    }

    /// Whether the venue has more to tell of it although it has ended: its end was inferred, or a
    /// fill lacks its price or fee.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.certainty == Certainty::Assumed
            || !self.inferred.is_empty()
            || !self.without_fee.is_empty()
    }

    /// An amendment was asked for.
    pub(super) fn amend(&mut self, price: i64, qty: i64) {
        if self.amendments.len() == AMENDMENTS_MAX {
            self.amendments.remove(0);
        }
        self.amendments.push((price, qty));
    }

    /// The order has these terms now: what was asked for before them has been overtaken.
    fn come_true(&mut self, terms: (i64, i64)) {
        if let Some(at) = self.amendments.iter().position(|asked| *asked == terms) {
            self.amendments.drain(..=at);
        }
    }

    /// Takes a report on it.
    pub(super) fn take(&mut self, report: &ExecReport) {
        let Some(exec_type) = report.exec_type() else { return };
        match exec_type {
            ExecType::Trade if report.last_qty > 0 => self.fill(report),
            ExecType::Corrected => self.correct(report),
            ExecType::CancelRejected => self.wants_cancel = false,
            ExecType::ModifyRejected => drop(self.amendments.pop()),
            ExecType::Replaced => self.come_true((report.price, report.qty)),
            _ => {}
        }
        let Some(status) = report.status() else { return };
        self.is_heard |= matches!(
            exec_type,
            ExecType::New
                | ExecType::Trade
                | ExecType::Replaced
                | ExecType::Prevented
                | ExecType::Status
                | ExecType::Revived
                | ExecType::Corrected
        );
        if exec_type == ExecType::Corrected && !self.is_open() {
            return;
        }
        self.status = status;
        self.certainty = report.certainty().unwrap_or(Certainty::Unknown);
        (self.price, self.qty) = (report.price, report.qty);
        self.prevented_qty = report.prevented_qty;
        if !report.venue_order_id.is_none() {
            self.venue_order_id = report.venue_order_id;
        }
    }

    fn fill(&mut self, report: &ExecReport) {
        let (from, to) = (report.filled_qty.saturating_sub(report.last_qty), report.filled_qty);
        let quote = match report.quote {
            0 => i128::from(report.last_price) * i128::from(report.last_qty),
            quote => quote,
        };
        self.filled_qty = self.filled_qty.max(to);
        self.quote = self.quote.saturating_add(quote);
        if report.has(INFERRED) {
            self.infer(InferredFill { from, to, quote });
        } else if report.has(FEE_UNKNOWN) {
            self.lacks_fee(report, from);
        }
    }

    /// The truth about a fill that was inferred, or the fee of one that had none.
    fn correct(&mut self, report: &ExecReport) {
        self.quote = self.quote.saturating_add(report.quote - report.replaced_quote);
        let known = self.without_fee.iter().position(|fill| fill.trade == report.execution_id);
        if let Some(known) = known {
            self.without_fee.remove(known);
            return;
        }
        // The list of fills tells them in their order: each is the beginning of what is left.
        let fits = |hole: &InferredFill| hole.to - hole.from >= report.last_qty;
        let Some(index) = self.inferred.iter().position(fits) else { return };
        let hole = self.inferred.remove(index);
        let from = hole.from + report.last_qty;
        if from < hole.to {
            let quote = hole.quote - report.replaced_quote;
            self.inferred.insert(index, InferredFill { from, quote, ..hole });
        }
        if report.has(FEE_UNKNOWN) {
            self.lacks_fee(report, hole.from);
        }
    }

    fn infer(&mut self, fill: InferredFill) {
        if self.inferred.len() == INFERRED_MAX {
            self.inferred.remove(0);
        }
        self.inferred.push(fill);
    }

    fn lacks_fee(&mut self, report: &ExecReport, from: i64) {
        if self.without_fee.len() == WITHOUT_FEE_MAX {
            self.without_fee.remove(0);
        }
        self.without_fee.push(UnsettledFill {
            trade: report.execution_id,
            from,
            to: from + report.last_qty,
            price: report.last_price,
        });
    }
}
