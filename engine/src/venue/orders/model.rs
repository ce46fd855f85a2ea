//! Random words of a venue about one order, in any order, repeated, lost and later revealed, with
//! replies and time-outs between them: what is told converges to the venue's own record.

use proptest::prelude::*;
use zerocopy::FromZeros;

use super::order::{Applied, KnownOrder, Told, VenueAnswer, VenueReport};
use super::states::{OrderState, Word};
use crate::event::{
    ExecReport, ExecType, ExpiryReason, InstrumentId, OrderStatus, RejectReason, Side, VenueRef,
};
use crate::order::{OrderCommand, OrderType};

const QTY: i64 = 100;
const PRICE: i64 = 1_000;

/// The venue's record: reports in their true order.
fn history(fills: &[(i64, i64)], end: Option<OrderStatus>) -> Vec<VenueReport> {
    let blank = VenueReport {
        exec_type: ExecType::New,
        status: OrderStatus::New,
        venue_order_id: VenueRef::number(7),
        execution_id: VenueRef::number(1_000),
        instrument: InstrumentId(0),
        side: Side::Buy,
        price: PRICE,
        qty: QTY,
        last_price: 0,
        last_qty: 0,
        filled_qty: 0,
        prevented_qty: None,
        quote_total: None,
        fee: Some((1, 9)),
        expiry: ExpiryReason::None,
    };
    let mut reports = vec![blank];
    let (mut filled, mut quote) = (0, 0);
    for (trade, &(qty, price)) in fills.iter().enumerate() {
        let qty = qty.min(QTY - filled);
        if qty == 0 {
            break;
        }
        filled += qty;
        quote += i128::from(qty) * i128::from(price);
        let is_whole = filled == QTY;
        reports.push(VenueReport {
            exec_type: ExecType::Trade,
            status: if is_whole { OrderStatus::Filled } else { OrderStatus::PartiallyFilled },
            execution_id: VenueRef::number(trade as u64),
            last_price: price,
            last_qty: qty,
            filled_qty: filled,
            quote_total: Some(quote),
            ..blank
        });
    }
    if let Some(status) = end.filter(|_| filled < QTY) {
        let is_cancel = status == OrderStatus::Canceled;
        reports.push(VenueReport {
            exec_type: if is_cancel { ExecType::Canceled } else { ExecType::Expired },
            status,
            filled_qty: filled,
            quote_total: (quote > 0).then_some(quote),
            ..blank
        });
    }
    reports
}

fn answer(report: &VenueReport) -> VenueAnswer {
    VenueAnswer {
        status: report.status,
        venue_order_id: report.venue_order_id,
        instrument: report.instrument,
        side: Some(report.side),
        qty: Some(report.qty),
        filled_qty: report.filled_qty,
        prevented_qty: None,
        quote_total: report.quote_total,
        expiry: ExpiryReason::None,
    }
}

/// What a strategy makes of what it is told.
#[derive(Default)]
struct Books {
    filled: i64,
    quote: i128,
    is_over: bool,
    true_fills: Vec<VenueRef>,
    news: u32,
}

impl Books {
    fn take(&mut self, report: &ExecReport) {
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
        if report.last_qty > 0 && !report.execution_id.is_none() {
            self.true_fills.push(report.execution_id);
        }
        assert!(!self.is_over || exec_type == ExecType::Corrected, "after the end: {report:?}");
        self.is_over |= report.status().unwrap().is_terminal();
    }
}

/// Something that happens to the order.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The venue's report of this number arrives (again).
    Report(usize),
    /// An answer to a query tells the state after this report.
    Answer(usize),
    Word(Word),
    Refused,
    NoSuchOrder {
        is_over: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let words = [Word::Accepted, Word::NoAnswer, Word::Cut, Word::AnswerFailed, Word::CancelSent];
    let step = prop_oneof![
        6 => any::<prop::sample::Index>().prop_map(|index| Step::Report(index.index(64))),
        2 => any::<prop::sample::Index>().prop_map(|index| Step::Answer(index.index(64))),
        2 => prop::sample::select(words.to_vec()).prop_map(Step::Word),
        1 => Just(Step::Refused),
        1 => any::<bool>().prop_map(|is_over| Step::NoSuchOrder { is_over }),
    ];
    prop::collection::vec(step, 0..24)
}

fn apply(order: &mut KnownOrder, step: Step, truth: &[VenueReport], now: u64, told: &mut Told) {
    let refused = RejectReason::Venue;
    match step {
        Step::Report(index) => {
            let outcome = order.on_report(&truth[index % truth.len()], now, told);
            assert!(!matches!(outcome, Applied::Contradiction(_)), "{outcome:?} {step:?}");
        }
        Step::Answer(index) => {
            let reports = order.reports;
            let outcome = order.on_answer(&answer(&truth[index % truth.len()]), reports, now, told);
            assert!(!matches!(outcome, Applied::Contradiction(_)), "{outcome:?} {step:?}");
        }
        Step::Word(word) => order.word(word, now, told),
        Step::Refused => order.on_refused(refused, -2010, now, told),
        Step::NoSuchOrder { is_over } if order.is_open() => {
            order.on_no_such_order(is_over, -2013, now, told);
        }
        Step::NoSuchOrder { .. } => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { ..ProptestConfig::with_cases(20_000) })]

    /// F30, F31: whatever came in which order, once everything is revealed the strategy's books are
    /// the venue's: quantity, money and end, and no trade was told twice.
    #[test]
    fn what_is_told_converges_to_the_venues_record(
        fills in prop::collection::vec((1_i64..60, 900_i64..=PRICE), 0..5),
        end in prop::option::of(prop::sample::select(vec![OrderStatus::Canceled, OrderStatus::Expired])),
        steps in steps(),
    ) {
        let truth = history(&fills, end);
        let mut command = OrderCommand::new_zeroed();
        (command.price, command.qty, command.side_code) = (PRICE, QTY, Side::Buy.code());
        command.order_type_code = OrderType::Limit as u8;
        let mut order = KnownOrder::new(&command, 0);
        let mut books = Books::default();
        let revealed = (0..truth.len()).map(Step::Report).chain([Step::Answer(truth.len() - 1)]);
        for (now, step) in steps.into_iter().chain(revealed).enumerate() {
            let mut told = Told::new();
            apply(&mut order, step, &truth, now as u64 * 1_000_000, &mut told);
            told.iter().for_each(|report| books.take(report));
        }
        let last = truth.last().unwrap();
        prop_assert_eq!(books.filled, last.filled_qty);
        prop_assert_eq!(books.quote, last.quote_total.unwrap_or_default());
        prop_assert_eq!(books.is_over, last.status.is_terminal());
        prop_assert!(books.news <= 2, "accepted once, and once more after a revival");
        let expected = if last.status.is_terminal() { OrderState::Ended } else { order.state };
        prop_assert_eq!(order.state, expected);
        prop_assert!(order.is_open() != last.status.is_terminal());
        let mut trades = books.true_fills.clone();
        trades.sort_by_key(|trade| trade.as_number());
        trades.dedup();
        prop_assert_eq!(trades.len(), books.true_fills.len(), "each trade once");
        prop_assert_eq!(trades.len(), truth.iter().filter(|r| r.last_qty > 0).count());
    }
}
