//! Makes the books of the strategies, and the list of what is open, of the records of a journal.

use std::collections::{BTreeSet, VecDeque};

use zerocopy::FromZeros;

use super::asset_legs::AssetLegs;
use super::books::StrategyBooks;
use super::gone::Gone;
use super::names::{NamesThen, Place, PresentNames};
use super::recorded_order::RecordedOrder;
use super::recorded_orders::RecordedOrders;
use super::recovered::{EarlierRun, RecordedBalance, RecordedPosition, Recovered};
use crate::event::{
    ClientOrderId, ConsumerId, ExecReport, ExecType, OrderStatus, Price, Qty, Side,
};
use crate::instrument::Instruments;
use crate::journal::{
    BalanceRecord, Intent, NameTable, Named, RecordKind, RecordView, ReportRecord, RunStart,
};
use crate::order::order_ids::epoch_of_order;
use crate::order::{OpenOrder, OrderAction, OrderCommand, OrderKey, OwnId};

/// Orders that have ended and of which the venue has more to tell, at most.
const UNSETTLED_MAX: usize = 1_024;

/// Starts whose names of orders are remembered, beside those that have orders about. An order of
/// one before them that is met at the venue is told as `unrecorded`.
const RUNS_MAX: usize = 256;

/// Takes the records of a journal one by one, in their order.
pub(crate) struct JournalFold {
    pub(super) present: PresentNames,
    pub(super) then: NamesThen,
    pub(super) books: Vec<StrategyBooks>,
    pub(super) open: RecordedOrders,
    pub(super) unsettled: VecDeque<RecordedOrder>,
    pub(super) runs: Vec<EarlierRun>,
    pub(super) balances: Vec<RecordedBalance>,
    legs: Box<[AssetLegs]>,
    pub(super) gone: Gone,
    records: u64,
    /// Records of this engine's kinds that it can't read, by what is wrong.
    unreadable: Option<String>,
}

impl JournalFold {
    /// For a configuration with these names; `open_max` is how many orders each strategy may have
    /// open, and `ids_max` by consumer how many names of ended orders are remembered.
    pub(crate) fn new(
        consumers: &[String],
        venues: &[String],
        instruments: &Instruments,
        open_max: usize,
        ids_max: &[usize],
    ) -> JournalFold {
        let books = |consumer: usize| {
            let ids_max = ids_max.get(consumer).copied().unwrap_or_default();
            StrategyBooks::of_journal(open_max, ids_max, instruments, venues.len())
        };
        JournalFold {
            present: PresentNames::new(consumers, venues, instruments),
            then: NamesThen::default(),
            books: (0..consumers.len()).map(books).collect(),
            open: RecordedOrders::new(),
            unsettled: VecDeque::with_capacity(UNSETTLED_MAX),
            runs: Vec::new(),
            balances: Vec::new(),
            legs: instruments.iter().map(|(_, spec)| AssetLegs::of(spec)).collect(),
            gone: Gone::default(),
            records: 0,
            unreadable: None,
        }
    }

    /// Takes the next record, of this start of an engine.
    #[inline]
    pub(crate) fn take(&mut self, epoch: u64, record: &RecordView<'_>) {
        self.records += 1;
        let is_read = match record.kind {
            Some(RecordKind::Report) => record.body().map(|report| self.report(report)).is_some(),
            Some(RecordKind::Intent) => {
                let intent = record.body();
                intent.map(|intent| self.intent(epoch, &intent, record.time_ns)).is_some()
            }
            Some(RecordKind::Balance) => {
                record.body().map(|record| self.balance(&record)).is_some()
            }
            Some(RecordKind::RunStart) => {
                record.body().map(|run| self.start(epoch, &run)).is_some()
            }
            Some(RecordKind::Named) => {
                record.body::<Named>().map(|named| self.named(&named)).is_some()
            }
            _ => true,
        };
        if !is_read && self.unreadable.is_none() {
            let name = record.kind.map_or("?", RecordKind::name);
            self.unreadable = Some(format!(
                "record {} ({name}) is of version {}, which this engine does not read",
                record.sequence, record.version
            ));
        }
    }

    fn start(&mut self, epoch: u64, run: &RunStart) {
        self.then = NamesThen::default();
        self.forget_runs();
        self.runs.push(EarlierRun::new(epoch, run.run));
    }

    /// Of starts that lie far back only those are kept whose orders are still about.
    fn forget_runs(&mut self) {
        while self.runs.len() >= RUNS_MAX {
            let orders = self.open.values().chain(&self.unsettled);
            let about: BTreeSet<u64> =
                orders.map(|order| epoch_of_order(order.command.client_order_id)).collect();
            let oldest = self.runs.iter().position(|run| !about.contains(&run.epoch));
            let Some(oldest) = oldest else { return };
            self.runs.remove(oldest);
        }
    }

    fn named(&mut self, named: &Named) {
        self.then.take(named, &self.present);
        if named.table == NameTable::Consumer as u8
            && let Some(run) = self.runs.last_mut()
        {
            run.consumers = self.then.consumers_now();
        }
    }

    /// An order is on record: its number is used. Numbers of a start are met in its own records,
    /// and in those of later ones.
    #[inline]
    fn met(&mut self, consumer: ConsumerId, id: u64) {
        let epoch = epoch_of_order(id);
        let its = self.runs.iter_mut().rev().find(|run| run.epoch == epoch);
        if let Some(run) = its {
            run.met(consumer, id);
        }
    }

    fn intent(&mut self, epoch: u64, intent: &Intent, time_ns: i64) {
        let place = self.then.place(intent.consumer, intent.venue, intent.instrument);
        let action = OrderAction::from_code(intent.action_code);
        let Some(place) = place else {
            if action == Some(OrderAction::Submit) {
                let words = self.then.words(intent.consumer, intent.venue, intent.instrument);
                self.gone.sent(words, intent.client_order_id);
            }
            return;
        };
        let command = command(intent, place);
        let key = OrderKey::of(&command);
        match action {
            Some(OrderAction::Submit) => {
                if epoch_of_order(intent.client_order_id) != epoch {
                    self.unreadable.get_or_insert_with(|| {
                        format!("the order numbers of start {epoch} are not its own")
                    });
                }
                self.met(place.consumer, intent.client_order_id);
                self.sent(key, &command, time_ns);
            }
            Some(OrderAction::Cancel) => {
                if let Some(order) = self.open.get_mut(key) {
                    order.wants_cancel = true;
                    self.books[place.consumer.index()].tracker.cancel_sent(key.id);
                }
            }
            Some(OrderAction::Modify) => {
                if let Some(order) = self.open.get_mut(key) {
                    order.amend(command.price, command.qty);
                }
            }
            Some(OrderAction::Query | OrderAction::CancelSymbol) | None => {}
        }
    }

    fn sent(&mut self, key: OrderKey, command: &OrderCommand, time_ns: i64) {
        let order = OpenOrder {
            id: key.id,
            venue: command.venue_id(),
            instrument: command.instrument_id(),
            side: command.side().unwrap_or(Side::Buy),
            price: Price(command.price),
            trigger_price: Price(command.trigger_price),
            qty: Qty(command.qty),
            filled: Qty(0),
            status: OrderStatus::PendingNew,
            cancel_pending: false,
            replaces: None,
            terms: command.terms(),
        };
        self.books[key.consumer.index()].sent(order, OwnId::from_bytes(command.own_id));
        self.open.insert(key, RecordedOrder::new(command, time_ns));
    }

    fn report(&mut self, mut record: ReportRecord) {
        let report = &mut record.report;
        let place = self.then.place(report.consumer, record.venue, record.instrument);
        let Some(place) = place else {
            let of = (report.consumer, record.venue, record.instrument);
            let words = self.then.words(of.0, of.1, of.2);
            let held_in = self.then.position_words(of.0, of.1, of.2);
            return self.gone.take((words, held_in), report);
        };
        report.consumer = place.consumer.0;
        let report = &*report;
        let books = &mut self.books[place.consumer.index()];
        if !books.take(place.venue, place.instrument, report) {
            return;
        }
        self.traded(place, report);
        let key = OrderKey { consumer: place.consumer, id: ClientOrderId(report.client_order_id) };
        let Some(order) = self.open.get_mut(key) else {
            return self.of_none_open(key, place, report);
        };
        order.take(report);
        if !order.is_open() {
            self.ended(key);
        }
    }

    fn ended(&mut self, key: OrderKey) {
        let Some(order) = self.open.remove(key).filter(|order| order.is_unsettled()) else {
            return;
        };
        if self.unsettled.len() == UNSETTLED_MAX {
            self.unsettled.pop_front();
        }
        self.unsettled.push_back(order.clone());
    }

    /// A report on an order that is not open.
    #[cold]
    fn of_none_open(&mut self, key: OrderKey, place: Place, report: &ExecReport) {
        self.met(key.consumer, key.id.0);
        self.revive(key, place, report);
        let Some(order) = self.open.get_mut(key) else { return };
        order.take(report);
        if !order.is_open() {
            self.ended(key);
        }
    }

    fn balance(&mut self, record: &BalanceRecord) {
        let Some(venue) = self.then.venue(record.venue) else { return };
        let total = record.free.saturating_add(record.locked);
        let told = RecordedBalance { venue, asset: record.asset, total, traded: 0 };
        match self.balances.iter_mut().find(|of| (of.venue, of.asset) == (venue, record.asset)) {
            Some(known) => *known = told,
            None => self.balances.push(told),
        }
    }

    /// What a fill has moved of the assets whose balance was told before it.
    #[inline]
    fn traded(&mut self, place: Place, report: &ExecReport) {
        let (qty, quote) = match report.exec_type() {
            Some(ExecType::Trade) if report.quote == 0 => {
                let quote = i128::from(report.last_price) * i128::from(report.last_qty);
                (i128::from(report.last_qty), quote)
            }
            Some(ExecType::Trade) => (i128::from(report.last_qty), report.quote),
            Some(ExecType::Corrected) => (0, report.quote - report.replaced_quote),
            _ => return,
        };
        let Some(side) = report.side().filter(|_| !self.balances.is_empty()) else { return };
        let Some(legs) = self.legs.get(place.instrument.index()) else { return };
        for (asset, amount) in legs.moved(side, qty, quote) {
            let its =
                self.balances.iter_mut().find(|of| (of.venue, of.asset) == (place.venue, asset));
            if let Some(its) = its {
                its.traded = its.traded.saturating_add(amount);
            }
        }
    }

    /// A report on an order that had ended: a late fee, or it lives.
    #[cold]
    fn revive(&mut self, key: OrderKey, place: Place, report: &ExecReport) {
        let known = self.unsettled.iter().position(|order| order.key() == key);
        let known = known.and_then(|index| self.unsettled.remove(index));
        let order = match known {
            Some(order) => order,
            None if report.exec_type() == Some(ExecType::Revived) => revived(key, place, report),
            None => return,
        };
        self.open.insert(key, order);
    }

    /// Why what was folded can't be taken up, a line each.
    pub(super) fn problems(&self) -> Vec<String> {
        self.unreadable.iter().cloned().chain(self.gone.problems()).collect()
    }

    /// What is to be taken up.
    ///
    /// # Errors
    /// Why it can't be, a line each.
    pub(crate) fn finish(mut self) -> Result<Recovered, Vec<String>> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        self.books.iter_mut().for_each(StrategyBooks::begin_run);
        let mut open: Vec<RecordedOrder> = self.open.values().cloned().collect();
        open.sort_by_key(|order| (order.command.consumer, order.command.client_order_id));
        let unsettled: Vec<RecordedOrder> = self.unsettled.into();
        let rows = self.books.iter().flat_map(|books| books.ledger.saved_rows());
        let position = |(venue, instrument, net, _): (_, _, i128, _)| {
            let qty = i64::try_from(net).ok().filter(|qty| *qty != 0)?;
            Some(RecordedPosition { venue, instrument, qty })
        };
        let positions = rows.filter_map(position).collect();
        Ok(Recovered {
            positions,
            books: self.books,
            open,
            unsettled,
            runs: self.runs,
            balances: self.balances,
            records: self.records,
        })
    }
}

/// The command that was recorded, in the numbers of now.
fn command(intent: &Intent, place: Place) -> OrderCommand {
    let mut command = OrderCommand::new_zeroed();
    command.client_order_id = intent.client_order_id;
    command.decision_id = intent.decision_id;
    (command.price, command.qty) = (intent.price, intent.qty);
    command.trigger_price = intent.trigger_price;
    command.instrument = place.instrument.0;
    (command.consumer, command.venue) = (place.consumer.0, place.venue.0);
    command.action_code = intent.action_code;
    command.side_code = intent.side_code;
    command.order_type_code = intent.order_type_code;
    command.time_in_force_code = intent.time_in_force_code;
    command.position_side_code = intent.position_side_code;
    command.flags = intent.flags;
    command.own_id = intent.own_id;
    (command.trigger_by_code, command.replaces) = (intent.trigger_by_code, intent.replaces);
    command
}

/// An order that had ended for good, or was never on record, as the report that takes its end back
/// tells it.
fn revived(key: OrderKey, place: Place, report: &ExecReport) -> RecordedOrder {
    let side = report.side().unwrap_or(Side::Buy);
    let terms = (place.instrument, side, report.price, report.qty);
    let mut order = RecordedOrder::unrecorded(key, place.venue, terms, 0);
    order.command.decision_id = report.decision_id;
    order.command.trigger_price = report.trigger_price;
    order.command.position_side_code = report.position_side_code;
    order.filled_qty = report.filled_qty;
    order.quote = i128::from(report.price) * i128::from(report.filled_qty);
    order
}
