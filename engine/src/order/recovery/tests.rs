//! What is folded of a journal is what was recorded in it, wherever it ends.

use std::path::Path;

use zerocopy::FromZeros;

use super::*;
use crate::event::{
    AssetAmount, Certainty, ClientOrderId, ExecReport, ExecType, FEE_UNKNOWN, INFERRED,
    InstrumentId, OrderStatus, Price, Side, VenueId, VenueRef,
};
use crate::instrument::Instruments;
use crate::journal::{
    BalanceRecord, Body, Intent, JournalFolder, JournalKeeper, JournalOptions, JournalWriter,
    NameTable, Named, RecordKind, RecordView, ReportRecord, RunStart,
};
use crate::order::{OrderAction, OrderType, OwnId, TriggerBy, first_order_id};
use crate::runtime::Clock;
use crate::world::{FileConditions, Files, VirtualFiles};

const BTC: InstrumentId = InstrumentId(0);

/// A journal in a world of its own, with one start a call of `start`.
struct Bench {
    disk: VirtualFiles,
    writer: Option<(JournalWriter, JournalKeeper)>,
}

fn folder() -> &'static Path {
    Path::new("/journal")
}

impl Bench {
    fn new() -> Bench {
        Bench { disk: VirtualFiles::new(7, FileConditions::default()), writer: None }
    }

    fn files(&self) -> Files {
        Files::Virtual(self.disk.clone())
    }

    /// The next start, of these consumers.
    fn start(&mut self, consumers: &[&str]) {
        self.writer = None;
        let opened = JournalFolder::open(&self.files(), folder(), |_, _| ()).unwrap();
        let options = JournalOptions { segment_bytes: 16 << 10, ..JournalOptions::default() };
        let ends = opened.start(options, &Clock::manual(0).0).unwrap();
        let run = 50 + ends.0.epoch() as u32;
        self.writer = Some(ends);
        self.record(&RunStart::new(run, 1));
        for (number, name) in consumers.iter().enumerate() {
            self.record(&Named::new(NameTable::Consumer, number as u32, name));
        }
        self.record(&Named::new(NameTable::Venue, 0, "outside"));
        let instruments = Instruments::of_test(1);
        let spec = instruments.get(BTC).unwrap();
        self.record(&Named {
            price_scale: spec.price_scale,
            qty_scale: spec.qty_scale,
            ..Named::new(NameTable::Instrument, 0, &spec.symbol)
        });
    }

    fn record<B: Body>(&mut self, body: &B) {
        let (writer, keeper) = self.writer.as_mut().unwrap();
        keeper.make_room(writer).unwrap();
        writer.append(1_000, body).unwrap();
    }

    /// A buy of 10 at 100.
    fn intent(&mut self, action: OrderAction, id: u64) {
        let mut intent = Intent::new_zeroed();
        (intent.client_order_id, intent.price, intent.qty) = (id, 100, 10);
        intent.side_code = Side::Buy.code();
        intent.action_code = action as u8;
        intent.order_type_code = OrderType::Limit as u8;
        self.record(&intent);
    }

    fn report(&mut self, report: &ExecReport) {
        let mut body = ReportRecord::new_zeroed();
        body.report = *report;
        self.record(&body);
    }

    fn fold(&self, consumers: &[&str]) -> Result<Recovered, Vec<String>> {
        let names: Vec<String> = consumers.iter().map(|name| (*name).to_owned()).collect();
        let venues = ["outside".to_owned()];
        let mut fold = JournalFold::new(&names, &venues, &Instruments::of_test(1), 4, &[8]);
        crate::journal::read_folder(&self.files(), folder(), |header, record| {
            fold.take(header.epoch, record);
        })
        .unwrap();
        fold.finish()
    }
}

fn report(id: u64, exec: ExecType, status: OrderStatus) -> ExecReport {
    let mut report = ExecReport::new_zeroed();
    report.client_order_id = id;
    report.venue_order_id = VenueRef::number(900 + id % 100);
    (report.price, report.qty) = (100, 10);
    report.side_code = Side::Buy.code();
    (report.exec_type_code, report.status_code) = (exec.code(), status.code());
    report
}

fn fill(id: u64, qty: i64, filled: i64) -> ExecReport {
    let whole = filled == 10;
    let status = if whole { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
    let mut fill = report(id, ExecType::Trade, status);
    (fill.last_qty, fill.last_price, fill.filled_qty) = (qty, 99, filled);
    fill.quote = i128::from(99 * qty);
    fill
}

#[test]
fn open_orders_positions_and_names_of_all_starts_are_taken_up() {
    let mut bench = Bench::new();
    let (first, second) = (first_order_id(1), first_order_id(2));
    bench.start(&["maker"]);
    for id in [first, first + 1, first + 2] {
        bench.intent(OrderAction::Submit, id);
        bench.report(&report(id, ExecType::New, OrderStatus::New));
    }
    bench.report(&fill(first, 10, 10));
    bench.report(&fill(first + 1, 4, 4));
    bench.start(&["other", "maker"]);
    bench.intent(OrderAction::Submit, second);
    // A report of this run on an order of the last one: its consumer has another number now.
    let mut canceled = report(first + 2, ExecType::Canceled, OrderStatus::Canceled);
    canceled.consumer = 1;
    bench.report(&canceled);
    let recovered = bench.fold(&["maker", "other"]).map_err(|_| ()).unwrap();
    // The second start's order is the other's, whose number was 0 then.
    let open: Vec<(u16, u64)> = recovered
        .open
        .iter()
        .map(|order| (order.command.consumer, order.command.client_order_id))
        .collect();
    assert_eq!(open, [(0, first + 1), (1, second)]);
    assert_eq!(
        recovered.runs.iter().map(|run| (run.epoch, run.run)).collect::<Vec<_>>(),
        [(1, 51), (2, 52)]
    );
    let partly = &recovered.open[0];
    assert_eq!((partly.filled_qty, partly.quote, partly.is_heard), (4, 396, true));
    assert_eq!(partly.venue_order_id, VenueRef::number(900 + (first + 1) % 100));
    assert!(!recovered.open[1].is_heard && recovered.open[1].status == OrderStatus::PendingNew);
    let tracker = &recovered.books[0].tracker;
    assert_eq!(tracker.position(BTC).net, 14);
    assert_eq!(tracker.position(BTC).cash, -99 * 14);
    let held = RecordedPosition { venue: VenueId(0), instrument: BTC, qty: 14 };
    assert_eq!(recovered.positions, [held], "of all strategies together");
    assert_eq!(tracker.find(ClientOrderId(first + 1)).map(|order| order.filled.0), Some(4));
    assert_eq!(tracker.counts(), crate::order::OrderCounts::default(), "counts are of a run");
    assert_eq!(recovered.books[1].tracker.open().len(), 1);
}

#[test]
fn what_has_no_place_in_the_configuration_is_named_and_refused_unless_it_is_over() {
    let mut bench = Bench::new();
    bench.start(&["maker", "idle"]);
    bench.intent(OrderAction::Submit, 1);
    assert!(bench.fold(&["maker"]).is_ok(), "nothing is on record of the idle one");
    let problems = bench.fold(&["taker"]).err().unwrap().join("\n");
    assert!(problems.contains("1 open orders"), "{problems}");
    assert!(problems.contains("maker (consumer not there now)"), "{problems}");
    bench.report(&fill(1, 10, 10));
    let problems = bench.fold(&["taker"]).err().unwrap().join("\n");
    assert!(problems.contains("a position of 10") && !problems.contains("open"), "{problems}");
    let mut bench = Bench::new();
    bench.start(&["maker"]);
    bench.intent(OrderAction::Submit, 1);
    bench.report(&report(1, ExecType::Canceled, OrderStatus::Canceled));
    assert!(bench.fold(&["taker"]).is_ok());
}

#[test]
fn a_cancel_without_an_answer_stays_wanted_and_a_refused_one_does_not() {
    let mut bench = Bench::new();
    bench.start(&["maker"]);
    bench.intent(OrderAction::Submit, 1);
    bench.intent(OrderAction::Cancel, 1);
    let wants_cancel = |bench: &Bench| bench.fold(&["maker"]).ok().unwrap().open[0].wants_cancel;
    assert!(wants_cancel(&bench));
    bench.report(&report(1, ExecType::CancelRejected, OrderStatus::New));
    assert!(!wants_cancel(&bench));
}

#[test]
fn what_the_venue_has_more_to_tell_of_is_kept_until_it_has() {
    let mut bench = Bench::new();
    bench.start(&["maker"]);
    bench.intent(OrderAction::Submit, 1);
    let mut inferred = fill(1, 10, 10);
    inferred.flags = INFERRED | FEE_UNKNOWN;
    bench.report(&inferred);
    let unsettled = |bench: &Bench| bench.fold(&["maker"]).ok().unwrap().unsettled;
    let holes = [InferredFill { from: 0, to: 10, quote: 990 }];
    assert_eq!(unsettled(&bench)[0].inferred.as_slice(), holes);
    let mut corrected = report(1, ExecType::Corrected, OrderStatus::Filled);
    (corrected.last_qty, corrected.last_price, corrected.filled_qty) = (4, 98, 10);
    (corrected.quote, corrected.replaced_quote) = (392, 396);
    (corrected.execution_id, corrected.flags) = (VenueRef::number(5), FEE_UNKNOWN);
    bench.report(&corrected);
    let order = &unsettled(&bench)[0];
    assert_eq!(order.inferred.as_slice(), [InferredFill { from: 4, to: 10, quote: 594 }]);
    assert_eq!((order.quote, order.without_fee.len()), (986, 1));
    // The fee of the one, then the truth about the rest.
    (corrected.replaced_quote, corrected.flags) = (392, 0);
    bench.report(&corrected);
    (corrected.last_qty, corrected.quote, corrected.replaced_quote) = (6, 594, 594);
    corrected.execution_id = VenueRef::number(6);
    bench.report(&corrected);
    assert!(unsettled(&bench).is_empty());
    // An end that was inferred may be taken back.
    bench.intent(OrderAction::Submit, 2);
    let mut gone = report(2, ExecType::Rejected, OrderStatus::Rejected);
    gone.certainty_code = Certainty::Assumed.code();
    bench.report(&gone);
    assert_eq!(unsettled(&bench).len(), 1);
    bench.report(&report(2, ExecType::Revived, OrderStatus::New));
    let recovered = bench.fold(&["maker"]).ok().unwrap();
    assert_eq!((recovered.open.len(), recovered.unsettled.len()), (1, 0));
}

#[test]
fn a_journal_cut_at_any_byte_gives_the_books_of_the_records_before_the_cut() {
    let mut bench = Bench::new();
    bench.start(&["maker"]);
    // Open orders and position after each further record.
    let mut expected = vec![(0, 0)];
    let mut ends = vec![bench.writer.as_ref().unwrap().0.used_bytes()];
    let mut step = |bench: &mut Bench, open: usize, net: i64| {
        expected.push((open, net));
        ends.push(bench.writer.as_ref().unwrap().0.used_bytes());
    };
    bench.intent(OrderAction::Submit, 1);
    step(&mut bench, 1, 0);
    bench.report(&report(1, ExecType::New, OrderStatus::New));
    step(&mut bench, 1, 0);
    bench.intent(OrderAction::Submit, 2);
    step(&mut bench, 2, 0);
    bench.report(&fill(1, 4, 4));
    step(&mut bench, 2, 4);
    bench.report(&fill(1, 6, 10));
    step(&mut bench, 1, 10);
    bench.intent(OrderAction::Cancel, 2);
    step(&mut bench, 1, 10);
    bench.report(&report(2, ExecType::Canceled, OrderStatus::Canceled));
    step(&mut bench, 0, 10);
    let path = bench.files().list(folder()).unwrap()[0].clone();
    let whole = bench.files().read(&path).unwrap();
    let last = *ends.last().unwrap();
    for cut in ends[0]..=last {
        let bytes = &whole[..cut];
        let torn = Bench::new();
        torn.files().make_private_folder(folder()).unwrap();
        torn.files().create_private(&path).unwrap().write_all(bytes).unwrap();
        let recovered = torn.fold(&["maker"]).ok().unwrap();
        let records = ends.iter().rposition(|end| *end <= cut).unwrap();
        let tracker = &recovered.books[0].tracker;
        let books = (recovered.open.len(), tracker.position(BTC).net);
        assert_eq!(books, expected[records], "cut at byte {cut}");
        assert_eq!(tracker.open().len(), recovered.open.len());
    }
}

#[test]
fn an_amendment_stays_possible_until_it_came_true_or_was_refused() {
    let mut bench = Bench::new();
    bench.start(&["maker"]);
    bench.intent(OrderAction::Submit, 1);
    bench.report(&report(1, ExecType::New, OrderStatus::New));
    bench.intent(OrderAction::Modify, 1);
    let order = |bench: &Bench| bench.fold(&["maker"]).ok().unwrap().open[0].clone();
    assert_eq!(order(&bench).amendments.as_slice(), [(100, 10)]);
    bench.report(&report(1, ExecType::Replaced, OrderStatus::New));
    assert!(order(&bench).amendments.is_empty());
    bench.intent(OrderAction::Modify, 1);
    bench.report(&report(1, ExecType::ModifyRejected, OrderStatus::New));
    assert!(order(&bench).amendments.is_empty());
}

#[test]
fn names_of_orders_are_known_over_starts_with_what_became_of_them() {
    let mut bench = Bench::new();
    bench.start(&["maker"]);
    let own_id = OwnId::new("close 1").unwrap();
    let mut intent = Intent::new_zeroed();
    (intent.client_order_id, intent.price, intent.qty) = (1, 100, 10);
    (intent.side_code, intent.action_code) = (Side::Buy.code(), OrderAction::Submit as u8);
    intent.own_id = own_id.bytes();
    bench.record(&intent);
    let outcome = |bench: &Bench| {
        bench.fold(&["maker"]).ok().unwrap().books[0].own_ids.find(own_id).map(|of| of.status)
    };
    assert_eq!(outcome(&bench), Some(OrderStatus::PendingNew));
    bench.report(&fill(1, 10, 10));
    bench.start(&["maker"]);
    assert_eq!(outcome(&bench), Some(OrderStatus::Filled));
}

#[test]
fn a_stop_and_what_an_order_replaces_are_known_after_a_start() {
    let mut bench = Bench::new();
    bench.start(&["maker"]);
    let mut intent = Intent::new_zeroed();
    (intent.client_order_id, intent.action_code) = (2, OrderAction::Submit as u8);
    (intent.side_code, intent.qty) = (Side::Buy.code(), 10);
    (intent.order_type_code, intent.time_in_force_code) = (OrderType::StopLoss as u8, 1);
    (intent.trigger_price, intent.trigger_by_code) = (500, TriggerBy::Mark as u8);
    intent.replaces = 1;
    bench.record(&intent);
    let recovered = bench.fold(&["maker"]).ok().unwrap();
    let command = recovered.open[0].command;
    assert_eq!(command.replaced().map(|key| key.id.0), Some(1));
    let terms = recovered.books[0].tracker.open()[0].terms.expect("they are on record");
    assert_eq!((terms.order_type, terms.flags.trigger_by), (OrderType::StopLoss, TriggerBy::Mark));
    assert_eq!(terms.flags.trigger_price, Price(500));
}

/// What a fold has come to, as a checkpoint has it.
fn body_of(fold: &JournalFold) -> Vec<u8> {
    fold.checkpoint().unwrap()
}

fn fold_for(consumers: &[&str]) -> JournalFold {
    let names: Vec<String> = consumers.iter().map(|name| (*name).to_owned()).collect();
    JournalFold::new(&names, &["outside".to_owned()], &Instruments::of_test(1), 4, &[8, 8, 8])
}

/// A journal with something of everything.
fn eventful() -> Bench {
    let mut bench = Bench::new();
    bench.start(&["maker", "taker"]);
    let mut intent = Intent::new_zeroed();
    (intent.client_order_id, intent.price, intent.qty) = (1, 100, 10);
    (intent.side_code, intent.action_code) = (Side::Buy.code(), OrderAction::Submit as u8);
    intent.own_id = OwnId::new("close 1").unwrap().bytes();
    bench.record(&intent);
    bench.report(&report(1, ExecType::New, OrderStatus::New));
    (intent.client_order_id, intent.own_id) = (2, OwnId::new("close 2").unwrap().bytes());
    bench.record(&intent);
    bench.report(&fill(2, 10, 10));
    let mut balance = BalanceRecord::new_zeroed();
    (balance.asset, balance.free, balance.locked) = (7, 5, 1);
    bench.record(&balance);
    let mut unsettled = fill(1, 4, 4);
    unsettled.flags = INFERRED | FEE_UNKNOWN;
    bench.report(&unsettled);
    bench.intent(OrderAction::Modify, 1);
    bench.start(&["taker", "maker"]);
    let second = first_order_id(2);
    bench.intent(OrderAction::Submit, second);
    let mut no_fee = fill(second, 10, 10);
    (no_fee.flags, no_fee.execution_id) = (FEE_UNKNOWN, VenueRef::number(4));
    no_fee.prevented_qty = 3;
    bench.report(&no_fee);
    bench.intent(OrderAction::Submit, second + 1);
    bench.intent(OrderAction::Cancel, second + 1);
    let mut gone = report(second + 1, ExecType::Rejected, OrderStatus::Rejected);
    gone.certainty_code = Certainty::Assumed.code();
    bench.report(&gone);
    bench.intent(OrderAction::Submit, second + 2);
    bench
}

#[test]
fn a_checkpoint_after_any_record_and_those_behind_it_come_to_what_all_records_do() {
    let bench = eventful();
    let mut all = Vec::new();
    crate::journal::read_folder(&bench.files(), folder(), |header, record| {
        all.push((header.epoch, record.kind, record.payload.to_vec(), record.version));
    })
    .unwrap();
    let take = |fold: &mut JournalFold, of: &(u64, Option<RecordKind>, Vec<u8>, u8)| {
        let view = RecordView {
            sequence: 1,
            time_ns: 1_000,
            kind: of.1,
            kind_code: of.1.map_or(0, |kind| kind as u8),
            version: of.3,
            offset: 0,
            payload: &of.2,
        };
        fold.take(of.0, &view);
    };
    let names = ["maker", "taker"];
    let mut whole = fold_for(&names);
    all.iter().for_each(|of| take(&mut whole, of));
    let expected = body_of(&whole);
    assert!(all.len() > 20 && expected.len() > 500);
    // Behind the names of a start: segments begin with them, and checkpoints end before.
    let starts: Vec<usize> = (0..all.len())
        .filter(|at| all[*at].1 == Some(RecordKind::RunStart))
        .chain([all.len()])
        .collect();
    for cut in starts {
        let mut first = fold_for(&names);
        all[..cut].iter().for_each(|of| take(&mut first, of));
        let mut second = fold_for(&names);
        assert_eq!(second.restore(&body_of(&first)), Some(()), "cut at {cut}");
        assert_eq!(body_of(&second), body_of(&first), "cut at {cut}");
        all[cut..].iter().for_each(|of| take(&mut second, of));
        assert_eq!(body_of(&second), expected, "cut at {cut}");
    }
}

#[test]
fn a_checkpoint_is_taken_up_by_names_and_what_has_no_place_is_refused() {
    let bench = eventful();
    let mut fold = fold_for(&["maker", "taker"]);
    crate::journal::read_folder(&bench.files(), folder(), |header, record| {
        fold.take(header.epoch, record);
    })
    .unwrap();
    let body = body_of(&fold);
    let restored = |names: &[&str]| {
        let mut fold = fold_for(names);
        fold.restore(&body).expect("it is whole");
        fold.finish()
    };
    let same = restored(&["maker", "taker"]).ok().unwrap();
    let other = restored(&["new", "taker", "maker"]).ok().unwrap();
    let net = |of: &Recovered, consumer: usize| of.books[consumer].tracker.position(BTC);
    assert_eq!((net(&same, 0), net(&same, 1)), (net(&other, 2), net(&other, 1)));
    assert!(net(&same, 0).net != 0 && net(&same, 1).net != 0);
    let name = |of: &Recovered, consumer: usize| {
        of.books[consumer].own_ids.find(OwnId::new("close 2").unwrap()).map(|of| of.status)
    };
    assert_eq!((name(&same, 0), name(&other, 2)), (Some(OrderStatus::Filled), name(&same, 0)));
    assert_eq!(same.open.len(), other.open.len());
    assert!(other.runs.iter().all(|run| run.last_ids.len() <= 3));
    let problems = restored(&["taker"]).err().unwrap().join("\n");
    assert!(problems.contains("open orders") && problems.contains("a position of"), "{problems}");
    for cut in 0..body.len() {
        assert_eq!(fold_for(&["maker", "taker"]).restore(&body[..cut]), None, "cut at {cut}");
    }
}

/// What is on record of a bench, folded for these names.
fn folded(bench: &Bench, fold: &mut JournalFold) {
    crate::journal::read_folder(&bench.files(), folder(), |header, record| {
        fold.take(header.epoch, record);
    })
    .unwrap();
}

#[test]
fn a_position_without_a_place_is_one_sum_over_a_checkpoint_and_what_lies_behind_it() {
    let names = |of: &[&str]| of.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let all = Instruments::of_test(1);
    let other = Instruments::of_test(2);
    let other = Instruments::new(vec![other.get(InstrumentId(1)).unwrap().clone()]).unwrap();
    for (what, consumers, venues, instruments) in [
        ("consumer", names(&["taker"]), names(&["outside"]), &*all),
        ("instrument", names(&["maker"]), names(&["outside"]), &other),
        ("venue", names(&["maker"]), names(&["elsewhere"]), &all),
    ] {
        let mut bench = Bench::new();
        bench.start(&["maker"]);
        bench.intent(OrderAction::Submit, 1);
        bench.report(&fill(1, 10, 10));
        let mut before = fold_for(&["maker"]);
        folded(&bench, &mut before);
        let body = body_of(&before);
        let now = || JournalFold::new(&consumers, &venues, instruments, 4, &[8]);
        let mut held = now();
        held.restore(&body).unwrap();
        let problems = held.finish().err().unwrap().join("\n");
        assert!(problems.contains("a position of 10") && problems.contains(what), "{problems}");
        // Sold again, behind the checkpoint.
        let mut tail = Bench::new();
        tail.start(&["maker"]);
        tail.intent(OrderAction::Submit, 2);
        let mut sold = fill(2, 10, 10);
        sold.side_code = Side::Sell.code();
        tail.report(&sold);
        let mut both = now();
        both.restore(&body).unwrap();
        folded(&tail, &mut both);
        let left = both.finish();
        assert!(left.is_ok(), "{what}: {:?}", left.err());
    }
}

#[test]
fn what_was_traded_since_a_balance_was_told_is_since_that_word() {
    let mut bench = Bench::new();
    bench.start(&["maker"]);
    let instruments = Instruments::of_test(1);
    let spec = instruments.get(BTC).unwrap();
    let assets: Vec<u128> =
        spec.symbol.split('-').map(|name| crate::event::asset_code(name).unwrap()).collect();
    let told = |bench: &mut Bench, asset: u128| {
        let mut balance = BalanceRecord::new_zeroed();
        (balance.asset, balance.free) = (asset, 1_000);
        bench.record(&balance);
    };
    let traded = |bench: &Bench, asset: u128| {
        let found = bench.fold(&["maker"]).ok().unwrap().balances;
        found.iter().find(|of| of.asset == asset).map(|of| of.traded)
    };
    let unit = 10_i128.pow(u32::from(AssetAmount::SCALE - spec.qty_scale));
    bench.intent(OrderAction::Submit, 1);
    bench.report(&fill(1, 4, 4));
    told(&mut bench, assets[0]);
    assert_eq!(traded(&bench, assets[0]), Some(0), "the balance came behind the fill");
    bench.report(&fill(1, 6, 10));
    assert_eq!(traded(&bench, assets[0]), Some(6 * unit));
    assert_eq!(traded(&bench, assets[1]), None, "nothing was told of it");
    told(&mut bench, assets[0]);
    assert_eq!(traded(&bench, assets[0]), Some(0));
}

#[test]
fn the_terms_of_an_order_that_is_not_on_record_stay_unknown_over_a_checkpoint() {
    let mut bench = Bench::new();
    bench.start(&["maker"]);
    bench.report(&report(7, ExecType::Revived, OrderStatus::New));
    let mut whole = fold_for(&["maker"]);
    folded(&bench, &mut whole);
    let mut restored = fold_for(&["maker"]);
    restored.restore(&body_of(&whole)).unwrap();
    for fold in [whole, restored] {
        let recovered = fold.finish().ok().unwrap();
        assert_eq!(recovered.books[0].tracker.open()[0].terms, None);
        assert!(recovered.open[0].is_guessed);
    }
}

#[test]
fn starts_that_lie_far_back_are_forgotten_unless_an_order_of_them_is_about() {
    let names = ["maker"];
    let mut fold = fold_for(&names);
    let mut long = 0;
    for epoch in 1..=1_000_u64 {
        let mut bench = Bench::new();
        bench.start(&names);
        if epoch == 3 {
            bench.intent(OrderAction::Submit, first_order_id(3));
        }
        crate::journal::read_folder(&bench.files(), folder(), |_, record| fold.take(epoch, record))
            .unwrap();
        if epoch == 500 {
            long = body_of(&fold).len();
        }
    }
    assert_eq!(body_of(&fold).len(), long, "a checkpoint grows with starts");
    let recovered = fold.finish().ok().unwrap();
    let epochs: Vec<u64> = recovered.runs.iter().map(|run| run.epoch).collect();
    assert!(epochs.len() < 300, "{}", epochs.len());
    assert_eq!((epochs[0], epochs.last()), (3, Some(&1_000)), "it has an order open");
}
