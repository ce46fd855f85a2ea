//! Random words of a venue about one order, in any order, repeated, lost and later revealed, with
//! replies, time-outs, lost sessions, lagging queries and nonsense between them: what is told
//! converges to the venue's own record.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use zerocopy::FromZeros;

use super::order::KnownOrder;
use super::states::{OrderInput, OrderState};
use super::told::{Applied, Told, VenueAnswer, VenueFill, VenueReport};
use crate::event::{
    ClientOrderId, ExecReport, ExecType, ExpiryReason, FEE_UNKNOWN, InstrumentId, OrderStatus,
    Price, Qty, RejectReason, Side, VenueId, VenueRef,
};
use crate::instrument::Instruments;
use crate::order::{OpenOrder, OrderCommand, OrderTracker, OrderType};

const QTY: i64 = 100;
const PRICE: i64 = 1_000;
const FEE: i64 = 3;
/// Cases and seed of a run; the seed stands in the message of a failure too.
const CASES: u32 = 20_000;
const SEED: u64 = 20_261_129;

/// What happens to the order at the venue.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Fill { qty: i64, price: i64 },
    Prevent { qty: i64 },
    Amend { qty: i64 },
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        6 => (1_i64..40, 900_i64..=PRICE).prop_map(|(qty, price)| Deed::Fill { qty, price }),
        1 => (1_i64..20).prop_map(|qty| Deed::Prevent { qty }),
        1 => (1_i64..QTY).prop_map(|qty| Deed::Amend { qty }),
    ];
    prop::collection::vec(deed, 0..9)
}

/// The venue's record: reports in their true order, and the amendments that we asked for.
struct Record {
    reports: Vec<VenueReport>,
    amends: Vec<i64>,
}

impl Record {
    fn of(deeds: &[Deed], end: Option<OrderStatus>) -> Record {
        let mut now = VenueReport {
            exec_type: ExecType::New,
            status: OrderStatus::New,
            venue_order_id: VenueRef::number(7),
            execution_id: VenueRef::number(1_000),
            instrument: InstrumentId(0),
            side: Side::Buy,
            price: PRICE,
            trigger_price: None,
            qty: QTY,
            last_price: 0,
            last_qty: 0,
            filled_qty: 0,
            prevented_qty: None,
            quote_total: None,
            fee: None,
            liquidity: None,
            expiry: ExpiryReason::None,
        };
        let mut record = Record { reports: vec![now], amends: Vec::new() };
        for (number, deed) in deeds.iter().enumerate() {
            let open = now.qty - now.filled_qty - now.prevented_qty.unwrap_or(0);
            (now.last_qty, now.last_price, now.fee) = (0, 0, None);
            now.execution_id = VenueRef::number(number as u64);
            match *deed {
                _ if open == 0 => break,
                Deed::Fill { qty, price } => {
                    (now.exec_type, now.fee) = (ExecType::Trade, Some((FEE, 9)));
                    (now.last_qty, now.last_price) = (qty.min(open), price);
                    now.filled_qty += now.last_qty;
                    let quote = i128::from(now.last_qty) * i128::from(price);
                    now.quote_total = Some(now.quote_total.unwrap_or(0) + quote);
                }
                Deed::Prevent { qty } => {
                    now.exec_type = ExecType::Prevented;
                    now.prevented_qty = Some(now.prevented_qty.unwrap_or(0) + qty.min(open));
                }
                Deed::Amend { qty } if qty > now.qty - open && qty < now.qty => {
                    (now.exec_type, now.qty) = (ExecType::Replaced, qty);
                    record.amends.push(qty);
                }
                Deed::Amend { .. } => continue,
            }
            let is_whole = now.filled_qty + now.prevented_qty.unwrap_or(0) == now.qty;
            now.status = match (is_whole, now.filled_qty) {
                (true, _) => OrderStatus::Filled,
                (_, 0) => OrderStatus::New,
                _ => OrderStatus::PartiallyFilled,
            };
            record.reports.push(now);
        }
        if let Some(status) = end.filter(|_| !now.status.is_terminal()) {
            (now.last_qty, now.last_price, now.fee) = (0, 0, None);
            now.status = status;
            now.exec_type = match status {
                OrderStatus::Canceled => ExecType::Canceled,
                _ => ExecType::Expired,
            };
            record.reports.push(now);
        }
        record
    }

    fn last(&self) -> VenueReport {
        self.reports[self.reports.len() - 1]
    }

    fn at(&self, index: usize) -> VenueReport {
        self.reports[index % self.reports.len()]
    }

    /// The answer to a query after the report of this number.
    fn answer(&self, index: usize) -> VenueAnswer {
        let report = self.at(index);
        VenueAnswer {
            status: report.status,
            venue_order_id: report.venue_order_id,
            instrument: report.instrument,
            side: Some(report.side),
            price: Some(report.price),
            trigger_price: None,
            qty: Some(report.qty),
            filled_qty: report.filled_qty,
            prevented_qty: report.prevented_qty,
            quote_total: report.quote_total,
            expiry: report.expiry,
        }
    }

    /// The fills up to the report of this number.
    fn fills(&self, index: usize) -> Vec<VenueFill> {
        let until = index % self.reports.len();
        let fills = self.reports[..=until].iter().filter(|report| report.last_qty > 0);
        let fill = |report: &VenueReport| VenueFill {
            trade: report.execution_id,
            price: report.last_price,
            qty: report.last_qty,
            fee: report.fee,
            liquidity: report.liquidity,
        };
        fills.map(fill).collect()
    }
}

/// What a strategy makes of what it is told.
#[derive(Default)]
struct Books {
    filled: i64,
    quote: i128,
    fee: i64,
    is_over: bool,
    true_fills: Vec<VenueRef>,
    news: u32,
    copy: OwnCopy,
}

/// The strategy's own copy of the order, as the engine keeps it for it.
struct OwnCopy(OrderTracker);

impl Default for OwnCopy {
    fn default() -> OwnCopy {
        let mut tracker = OrderTracker::new(1, &Instruments::of_test(1));
        tracker.opened(OpenOrder {
            id: ClientOrderId(0),
            venue: VenueId(0),
            instrument: InstrumentId(0),
            side: Side::Buy,
            price: Price(PRICE),
            trigger_price: Price(0),
            qty: Qty(QTY),
            filled: Qty(0),
            status: OrderStatus::PendingNew,
            cancel_pending: false,
            replaces: None,
            terms: None,
        });
        OwnCopy(tracker)
    }
}

impl OwnCopy {
    /// It says what the venue's agent has told, and the agent has told all that it knows of an
    /// order that is open.
    fn agrees(&self, order: &KnownOrder) -> Result<(), TestCaseError> {
        let copy = self.0.find(ClientOrderId(0));
        prop_assert_eq!(copy.is_some(), order.told_end.is_none(), "{:?}", order);
        prop_assert!(copy.is_some() || !order.is_open() || order.state == OrderState::Doubted);
        if let Some(copy) = copy {
            prop_assert_eq!(copy.status, order.status);
            prop_assert_eq!(copy.filled, Qty(order.filled_qty()));
            prop_assert_eq!((copy.price, copy.qty), (Price(order.price), Qty(order.qty)));
        }
        Ok(())
    }
}

impl Books {
    fn take(&mut self, report: &ExecReport) {
        self.copy.0.apply(VenueId(0), InstrumentId(0), report);
        let exec_type = report.exec_type().unwrap();
        self.news += u32::from(exec_type == ExecType::New);
        match exec_type {
            ExecType::Trade if report.last_qty > 0 => {
                self.filled += report.last_qty;
                self.quote += report.quote;
            }
            ExecType::Corrected => self.quote += report.quote - report.replaced_quote,
            ExecType::Revived => self.is_over = false,
            _ => {}
        }
        self.fee += report.fee;
        if report.last_qty > 0 && !report.execution_id.is_none() {
            assert!(!report.has(FEE_UNKNOWN), "the venue told the fee: {report:?}");
            self.true_fills.push(report.execution_id);
        }
        assert!(!self.is_over || exec_type == ExecType::Corrected, "after the end: {report:?}");
        self.is_over |= report.status().unwrap().is_terminal();
    }
}

/// Something that happens to the order as we know it.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The venue's report of this number arrives (again).
    Report(usize),
    /// An answer to a query tells the state after this report, and was overtaken or not.
    Answer(usize, bool),
    /// The reply to a request tells the state after this report.
    ReplyState(usize),
    /// The list of fills up to this report arrives.
    Fills(usize),
    /// This report arrives with something wrong.
    Nonsense(usize, u8),
    /// An answer to a query, or the state in a reply, arrives with something wrong.
    OddAnswer(usize, u8, bool),
    OrderInput(OrderInput),
    AmendAccepted,
    Refused,
    NoSuchOrder {
        is_over: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let words = [
        OrderInput::Accepted,
        OrderInput::NoAnswer,
        OrderInput::Cut,
        OrderInput::AnswerFailed,
        OrderInput::CancelSent,
        OrderInput::CancelAccepted,
        OrderInput::CancelNotOpen,
        OrderInput::CancelLost,
    ];
    let index = || any::<prop::sample::Index>().prop_map(|index| index.index(64));
    let step = prop_oneof![
        8 => index().prop_map(Step::Report),
        3 => (index(), any::<bool>()).prop_map(|(index, late)| Step::Answer(index, late)),
        1 => index().prop_map(Step::ReplyState),
        1 => index().prop_map(Step::Fills),
        2 => (index(), any::<u8>()).prop_map(|(index, what)| Step::Nonsense(index, what)),
        2 => (index(), any::<u8>(), any::<bool>())
            .prop_map(|(index, what, is_query)| Step::OddAnswer(index, what, is_query)),
        3 => prop::sample::select(words.to_vec()).prop_map(Step::OrderInput),
        1 => Just(Step::AmendAccepted),
        1 => Just(Step::Refused),
        1 => any::<bool>().prop_map(|is_over| Step::NoSuchOrder { is_over }),
    ];
    prop::collection::vec(step, 0..32)
}

/// A report that no order of ours can have.
fn nonsense(mut report: VenueReport, what: u8) -> VenueReport {
    match what % 9 {
        0 => report.instrument = InstrumentId(1),
        1 => report.side = Side::Sell,
        2 => report.qty = 1_000 * QTY,
        3 => report.venue_order_id = VenueRef::number(8),
        4 => report.filled_qty = i64::MAX,
        5 => report.filled_qty = -1,
        6 => report.price += 1,
        7 => report.prevented_qty = Some(i64::MAX),
        _ => {
            (report.exec_type, report.status) = (ExecType::Trade, OrderStatus::PartiallyFilled);
            (report.last_qty, report.last_price) = (report.filled_qty.max(1), PRICE + 1);
        }
    }
    report
}

/// An answer that no order of ours can have.
fn odd(mut answer: VenueAnswer, what: u8) -> VenueAnswer {
    match what % 8 {
        0 => answer.instrument = InstrumentId(1),
        1 => answer.side = Some(Side::Sell),
        2 => answer.qty = Some(1_000 * QTY),
        3 => answer.price = Some(PRICE + 1),
        4 => answer.trigger_price = Some(1),
        5 => answer.filled_qty = i64::MAX,
        6 => answer.filled_qty = -1,
        _ => answer.prevented_qty = Some(i64::MAX),
    }
    answer
}

fn apply(order: &mut KnownOrder, step: Step, truth: &Record, now: u64, books: &mut Books) {
    let mut told = Told::new();
    let is_sound = |applied| !matches!(applied, Applied::Contradiction(_));
    match step {
        Step::Report(index) => {
            let applied = order.on_report(&truth.at(index), now, &mut told);
            assert!(is_sound(applied), "{applied:?} {:?}", truth.at(index));
        }
        Step::Answer(index, is_late) => {
            let reports = order.reports.wrapping_sub(u32::from(is_late));
            let applied = order.on_answer(&truth.answer(index), reports, now, &mut told);
            assert!(is_sound(applied), "{applied:?} {step:?}");
        }
        Step::ReplyState(index) => {
            let reports = order.reports;
            let applied = order.on_reply_state(&truth.answer(index), reports, now, &mut told);
            assert!(is_sound(applied), "{applied:?} {step:?}");
        }
        Step::Fills(index) => {
            let mut from = 0;
            for fill in truth.fills(index) {
                let applied = order.on_listed_fill(&fill, from, now, &mut told);
                told.drain(..).for_each(|report| books.take(&report));
                // A list may know more than what ended the order by our guess.
                let is_ahead = from + fill.qty > order.filled_qty();
                assert!(is_sound(applied) || is_ahead, "{applied:?} {step:?}");
                from += fill.qty;
            }
        }
        Step::Nonsense(index, what) => {
            let filled = order.filled_qty();
            let is_named = !order.venue_order_id.is_none();
            if what % 9 == 3 && !is_named {
                return;
            }
            let applied = order.on_report(&nonsense(truth.at(index), what), now, &mut told);
            assert!(!is_sound(applied), "{applied:?} {step:?}");
            assert_eq!(order.filled_qty(), filled, "nothing of it counts");
        }
        Step::OddAnswer(index, what, is_query) => {
            let (filled, answer) = (order.filled_qty(), odd(truth.answer(index), what));
            let reports = order.reports;
            let applied = match is_query {
                true => order.on_answer(&answer, reports, now, &mut told),
                false => order.on_reply_state(&answer, reports, now, &mut told),
            };
            assert!(!is_sound(applied), "{applied:?} {step:?}");
            assert_eq!(order.filled_qty(), filled, "nothing of it counts");
        }
        Step::OrderInput(input) => order.apply(input, now, &mut told),
        Step::AmendAccepted => order.on_amend_accepted(now, &mut told),
        Step::Refused => order.on_refused(RejectReason::Venue, -2010, now, &mut told),
        Step::NoSuchOrder { is_over } if order.is_open() => {
            order.on_no_such_order(is_over, -2013, now, &mut told);
        }
        Step::NoSuchOrder { .. } => {}
    }
    told.iter().for_each(|report| books.take(report));
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(SEED),
        ..ProptestConfig::with_cases(CASES)
    })]

    /// F30, F31: whatever came in which order, once everything is revealed, by reports or by
    /// answers and a list of fills, the strategy's books are the venue's: quantity, money, fees and
    /// end, and no trade was told twice. After each input the strategy's own copy of the order is
    /// what the venue's agent has of it.
    #[test]
    fn what_is_told_converges_to_the_venues_record(
        deeds in deeds(),
        end in prop::option::of(prop::sample::select(vec![OrderStatus::Canceled, OrderStatus::Expired])),
        steps in steps(),
        by_reports in any::<bool>(),
        is_denied in any::<bool>(),
    ) {
        let truth = Record::of(&deeds, end);
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty, command.side_code) = (PRICE, QTY, Side::Buy.code());
        command.order_type_code = OrderType::Limit as u8;
        let mut order = KnownOrder::new(&command, 0);
        truth.amends.iter().for_each(|qty| order.amend(PRICE, *qty));
        let mut books = Books::default();
        if is_denied {
            // A reply says that the last amendment was refused, and yet it happened.
            let mut told = Told::new();
            order.on_amend_refused(RejectReason::Venue, 51_149, &mut told);
            told.iter().for_each(|report| books.take(report));
        }
        let newest = truth.reports.len() - 1;
        let mut revealed = vec![Step::OrderInput(OrderInput::Cut)];
        if by_reports {
            revealed.extend((0..=newest).map(Step::Report));
        }
        revealed.extend([Step::Answer(newest, false), Step::Fills(newest)]);
        for (now, step) in steps.into_iter().chain(revealed).enumerate() {
            apply(&mut order, step, &truth, now as u64 * 1_000_000, &mut books);
            books.copy.agrees(&order)?;
        }
        let last = truth.last();
        prop_assert_eq!(books.filled, last.filled_qty);
        prop_assert_eq!(books.quote, last.quote_total.unwrap_or_default());
        prop_assert_eq!(books.is_over, last.status.is_terminal());
        prop_assert_eq!((order.qty, order.prevented_qty), (last.qty, last.prevented_qty.unwrap_or(0)));
        prop_assert!(books.news <= 1, "accepted once");
        prop_assert!(order.state == OrderState::Ended || !last.status.is_terminal());
        prop_assert!(order.is_open() != last.status.is_terminal());
        prop_assert!(!order.is_unsettled(), "nothing is left to learn");
        let mut trades = books.true_fills.clone();
        trades.sort_by_key(|trade| trade.as_number());
        trades.dedup();
        prop_assert_eq!(trades.len(), books.true_fills.len(), "each trade once");
        let fills = truth.fills(newest).len();
        prop_assert_eq!((trades.len(), books.fee), (fills, FEE * fills as i64));
    }
}
