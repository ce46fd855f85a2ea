//! Each limit at its edge: what reaches it passes, one unit more is refused; and what was reserved
//! is given back once.

use std::sync::Arc;

use zerocopy::FromZeros;

use super::*;
use crate::event::{
    Certainty, Event, ExecReport, ExecType, OrderStatus, Price, Qty, Quote, Side, Trade,
};
use crate::instrument::Instruments;
use crate::order::OrderTypes;
use crate::order::trading::{Marks, RowProfit};
use crate::risk::limits::{GroupLimits, InstrumentLimits, RiskLimits, SharedLimits};

const SECOND_NS: u64 = 1_000_000_000;
const BTC: InstrumentId = InstrumentId(0);
const VENUE: VenueId = VenueId(0);

/// A book of strategies that share a venue.
struct Bench {
    book: Arc<RiskBook>,
    marks: Arc<Marks>,
    accounts: Vec<Account>,
    quarantine: Quarantine,
}

/// Two strategies' worth of accounts, instruments and venues.
fn bench(limits: &[RiskLimits], shared: SharedLimits) -> Bench {
    let instruments = Arc::new(Instruments::of_test(2));
    let venues = ["one".to_owned(), "two".to_owned()];
    let marks = Marks::new(2, 2);
    let names: Vec<(&str, &RiskLimits)> = limits.iter().map(|limits| ("s", limits)).collect();
    let book = Arc::new(RiskBook::new(&names, &shared, &venues, &instruments, &marks));
    let quarantine = Quarantine::new(limits.len(), true);
    let account = |strategy: usize| {
        Account::new(AccountParts {
            book: Arc::clone(&book),
            strategy,
            quarantine: quarantine.clone(),
            assumed_ns: limits[strategy].assumed_ns,
            rows: 4,
        })
    };
    let accounts = (0..limits.len()).map(account).collect();
    Bench { book, marks, accounts, quarantine }
}

fn one(limits: RiskLimits) -> Bench {
    bench(&[limits], SharedLimits::default())
}

fn in_each(limits: InstrumentLimits) -> RiskLimits {
    RiskLimits { instruments: [limits, limits].into(), ..RiskLimits::default() }
}

fn buy(price: i64, qty: i64) -> Ask {
    Ask {
        venue: VENUE,
        instrument: BTC,
        side: Side::Buy,
        price,
        qty,
        order_type: OrderType::Limit,
        trigger_price: 0,
    }
}

fn sell(price: i64, qty: i64) -> Ask {
    Ask { side: Side::Sell, ..buy(price, qty) }
}

impl Bench {
    /// Has a strategy submit an order.
    fn submit(&mut self, of: usize, id: u64, ask: &Ask) -> Result<(), Refused> {
        self.submit_at(of, id, ask, SECOND_NS)
    }

    fn submit_at(&mut self, of: usize, id: u64, ask: &Ask, now_ns: u64) -> Result<(), Refused> {
        let account = &mut self.accounts[of];
        let reserved = account.reserve(ask, now_ns)?;
        account.opened(reserved, ClientOrderId(id));
        Ok(())
    }

    fn reason(&mut self, id: u64, ask: &Ask) -> Option<RejectReason> {
        self.submit(0, id, ask).err().map(|refused| refused.reason)
    }

    fn quote(&self, bid: i64, ask: i64, at_ns: u64) {
        let mut event =
            Event::new(&Quote { bid_price: bid, bid_qty: 1, ask_price: ask, ask_qty: 1 });
        event.receive_ns = at_ns;
        self.marks.take(&event);
    }

    fn report(&mut self, report: &ExecReport, moved: i64) {
        self.accounts[0].moved((VENUE, BTC), Holding { least: moved, most: moved });
        self.accounts[0].reported((VENUE, BTC), report, SECOND_NS);
    }

    /// Nothing is held any more, by anybody.
    #[track_caller]
    fn is_empty(&self, position: i64) {
        let place = &self.book.strategies[0].places[0];
        let worst =
            [&place.worst, &self.book.venues[0].places[0].worst, &self.book.total.places[0].worst];
        for pair in worst {
            assert_eq!(pair.each_ref().map(|cell| cell.load(RELAXED)), [position, -position]);
        }
        let notional = self.book.venues[0].open_notional.iter().map(|cell| cell.load(RELAXED));
        assert_eq!(notional.sum::<i64>(), 0);
        assert_eq!(self.book.total.open_orders.load(RELAXED), 0);
        assert_eq!(self.book.venues[0].open_orders.load(RELAXED), 0);
        assert_eq!(self.book.strategies[0].used.open_orders.load(RELAXED), 0);
    }
}

fn report(id: u64, exec_type: ExecType, status: OrderStatus, qty: i64, filled: i64) -> ExecReport {
    let mut report = ExecReport::new_zeroed();
    report.client_order_id = id;
    report.side_code = Side::Buy.code();
    (report.price, report.qty, report.filled_qty) = (100, qty, filled);
    (report.exec_type_code, report.status_code) = (exec_type.code(), status.code());
    report
}

#[test]
fn quantity_and_money_of_one_order() {
    let mut bench = one(in_each(InstrumentLimits { max_order_qty: 10, ..Default::default() }));
    assert_eq!(bench.reason(1, &buy(100, 10)), None);
    assert_eq!(bench.reason(2, &buy(100, 11)), Some(RejectReason::MaxOrderQty));
    let unit = bench.book.money[0].notional(1, 1);
    let limits = InstrumentLimits { max_order_notional: 1_000 * unit, ..Default::default() };
    let mut bench = one(in_each(limits));
    assert_eq!(bench.reason(1, &buy(100, 10)), None);
    assert_eq!(bench.reason(2, &buy(101, 10)), Some(RejectReason::MaxNotional));
    // A sale below the bid is one at the bid, and one without a price at what it meets.
    bench.quote(101, 102, SECOND_NS);
    assert_eq!(bench.reason(3, &sell(100, 10)), Some(RejectReason::MaxNotional));
    assert_eq!(bench.reason(4, &sell(100, 9)), None);
    let market = |side| Ask { side, order_type: OrderType::Market, ..buy(0, 9) };
    assert_eq!(bench.reason(5, &market(Side::Sell)), None);
    // 102 and 5 % are 107.
    assert_eq!(bench.reason(6, &market(Side::Buy)), None);
    let more = Ask { qty: 10, ..market(Side::Buy) };
    assert_eq!(bench.reason(7, &more), Some(RejectReason::MaxNotional));
    let elsewhere = Ask { venue: VenueId(1), ..market(Side::Buy) };
    assert_eq!(bench.reason(8, &elsewhere), Some(RejectReason::NoReference));
}

#[test]
fn a_price_may_go_through_the_book_by_the_band_and_not_farther() {
    let mut bench = one(in_each(InstrumentLimits { price_band_bps: 100, ..Default::default() }));
    assert_eq!(bench.reason(1, &buy(100, 1)), Some(RejectReason::NoReference));
    bench.quote(10_000, 10_100, SECOND_NS);
    assert_eq!(bench.reason(1, &buy(10_201, 1)), None, "1 % above the ask");
    assert_eq!(bench.reason(2, &buy(10_202, 1)), Some(RejectReason::PriceBand));
    assert_eq!(bench.reason(3, &sell(9_900, 1)), None);
    assert_eq!(bench.reason(4, &sell(9_899, 1)), Some(RejectReason::PriceBand));
    assert_eq!(bench.reason(5, &buy(1, 1)), None, "far away harms nobody");
    assert_eq!(bench.reason(6, &sell(1_000_000, 1)), None);
    let stop = |price| Ask {
        order_type: OrderType::StopLossLimit,
        trigger_price: 5_000,
        ..sell(price, 1)
    };
    assert_eq!(bench.reason(7, &stop(4_950)), None, "a stop is held against its trigger");
    assert_eq!(bench.reason(8, &stop(4_949)), Some(RejectReason::PriceBand));
    // An empty side: the last trade.
    let mut trade = Event::new(&Trade::single(Price(20_000), Qty(1), Side::Buy));
    (trade.venue, trade.receive_ns) = (1, SECOND_NS);
    bench.marks.take(&trade);
    let there = |price| Ask { venue: VenueId(1), ..buy(price, 1) };
    assert_eq!(bench.reason(9, &there(20_200)), None);
    assert_eq!(bench.reason(10, &there(20_201)), Some(RejectReason::PriceBand));
}

#[test]
fn a_trigger_price_may_be_so_far_from_the_market_and_no_further() {
    let limits = InstrumentLimits { trigger_band_bps: 1_000, ..InstrumentLimits::default() };
    let mut bench = one(in_each(limits));
    let stop = |trigger_price| Ask {
        order_type: OrderType::StopLoss,
        trigger_price,
        ..Ask { price: 0, ..sell(1, 1) }
    };
    assert_eq!(bench.reason(1, &stop(9_000)), Some(RejectReason::NoReference));
    bench.quote(10_000, 10_010, SECOND_NS);
    for (trigger, expected) in [
        (9_000_i64, None),
        (8_999, Some(RejectReason::PriceBand)),
        (11_000, None),
        (11_001, Some(RejectReason::PriceBand)),
    ] {
        assert_eq!(bench.reason(trigger.unsigned_abs(), &stop(trigger)), expected, "{trigger}");
    }
    assert_eq!(bench.reason(2, &buy(1, 1)), None, "it waits for nothing");
}

#[test]
fn a_book_that_is_old_or_not_live_lets_nothing_leave() {
    let mut bench = one(in_each(InstrumentLimits { stale_ns: 100, ..Default::default() }));
    assert_eq!(bench.reason(1, &buy(100, 1)), Some(RejectReason::StaleBook), "never heard");
    bench.quote(100, 101, SECOND_NS - 100);
    assert_eq!(bench.reason(1, &buy(100, 1)), None);
    assert!(bench.submit_at(0, 2, &buy(100, 1), SECOND_NS + 1).is_err());
    let mut state = crate::event::BookState::new_zeroed();
    state.status_code = crate::event::BookStatus::Syncing.code();
    state.reason_code = crate::event::BookStatusReason::Gap.code();
    bench.marks.take(&Event::new(&state));
    assert_eq!(bench.reason(3, &buy(100, 1)), Some(RejectReason::StaleBook));
    state.status_code = crate::event::BookStatus::Live.code();
    bench.marks.take(&Event::new(&state));
    assert_eq!(bench.reason(4, &buy(100, 1)), None);
}

#[test]
fn a_position_counts_what_is_open_on_its_side_and_what_reduces_it_passes() {
    let mut bench = one(in_each(InstrumentLimits { max_position: 10, ..Default::default() }));
    assert_eq!(bench.reason(1, &buy(100, 6)), None);
    assert_eq!(bench.reason(2, &buy(100, 4)), None);
    assert_eq!(bench.reason(3, &buy(100, 1)), Some(RejectReason::MaxPosition));
    assert_eq!(bench.reason(4, &sell(100, 10)), None, "short is a side of its own");
    assert_eq!(bench.reason(5, &sell(100, 1)), Some(RejectReason::MaxPosition));
    // The first buy fills: long 6, so that 6 more can be sold, and no more bought.
    bench.report(&report(1, ExecType::Trade, OrderStatus::Filled, 6, 6), 6);
    assert_eq!(bench.reason(6, &buy(100, 1)), Some(RejectReason::MaxPosition));
    assert_eq!(bench.reason(7, &sell(100, 6)), None);
    assert_eq!(bench.reason(8, &sell(100, 1)), Some(RejectReason::MaxPosition));
    // The other ends unfilled.
    bench.report(&report(2, ExecType::Canceled, OrderStatus::Canceled, 4, 0), 0);
    assert_eq!(bench.reason(9, &buy(100, 4)), None);
    assert_eq!(bench.reason(10, &buy(100, 1)), Some(RejectReason::MaxPosition));
}

#[test]
fn what_was_reserved_is_given_back_once_by_whatever_ends_it() {
    for assumed in [false, true] {
        let mut bench = one(RiskLimits { assumed_ns: 5, ..in_each(InstrumentLimits::default()) });
        bench.submit(0, 1, &buy(100, 10)).unwrap();
        let mut part = report(1, ExecType::Trade, OrderStatus::PartiallyFilled, 10, 4);
        part.last_qty = 4;
        bench.report(&part, 4);
        let mut end = report(1, ExecType::Canceled, OrderStatus::Canceled, 10, 4);
        if assumed {
            end.certainty_code = Certainty::Assumed.code();
        }
        bench.report(&end, 0);
        if assumed {
            assert_eq!(bench.book.total.open_orders.load(RELAXED), 1, "it may still be there");
            let worst = &bench.book.total.places[0].worst[0];
            assert_eq!(worst.load(RELAXED), 10, "and fill");
            bench.accounts[0].give_up_assumed(SECOND_NS + 4);
            assert_eq!(bench.book.total.open_orders.load(RELAXED), 1);
            bench.accounts[0].give_up_assumed(SECOND_NS + 5);
        }
        bench.is_empty(4);
        // Told once more: nothing is given back twice.
        bench.report(&end, 0);
        bench.is_empty(4);
        // It was not dead: it counts again.
        bench.report(&report(1, ExecType::Revived, OrderStatus::PartiallyFilled, 10, 4), 0);
        assert_eq!(bench.book.total.places[0].worst[0].load(RELAXED), 10);
        bench.report(&report(1, ExecType::Trade, OrderStatus::Filled, 10, 10), 6);
        bench.is_empty(10);
    }
}

#[test]
fn one_that_could_not_be_sent_holds_nothing() {
    let mut bench = one(in_each(InstrumentLimits::default()));
    let reserved = bench.accounts[0].reserve(&buy(100, 10), 0).unwrap();
    assert_eq!(bench.book.total.open_orders.load(RELAXED), 1);
    bench.accounts[0].undo(reserved);
    bench.is_empty(0);
}

#[test]
fn open_orders_and_orders_a_second_of_one_strategy() {
    let limits = RiskLimits { max_open_orders: 2, max_orders_per_s: 3, ..RiskLimits::default() };
    let mut bench = one(limits);
    assert_eq!([1, 2].map(|id| bench.reason(id, &buy(100, 1))), [None, None]);
    assert_eq!(bench.reason(3, &buy(100, 1)), Some(RejectReason::MaxOpenOrders));
    bench.report(&report(1, ExecType::Canceled, OrderStatus::Canceled, 1, 0), 0);
    assert_eq!(bench.reason(4, &buy(100, 1)), None, "a refusal takes nothing of the rate");
    bench.report(&report(4, ExecType::Canceled, OrderStatus::Canceled, 1, 0), 0);
    assert_eq!(bench.reason(5, &buy(100, 1)), Some(RejectReason::RateLimit));
    bench.report(&report(2, ExecType::Canceled, OrderStatus::Canceled, 1, 0), 0);
    bench.is_empty(0);
    let again = |bench: &mut Bench, at_ns| {
        let refused = bench.submit_at(0, 6, &buy(100, 1), at_ns).err();
        refused.map(|refused| refused.reason)
    };
    let edge_ns = 2 * SECOND_NS;
    assert_eq!(again(&mut bench, edge_ns - 1), Some(RejectReason::RateLimit), "three in a second");
    assert_eq!(again(&mut bench, edge_ns + SECOND_NS / 16), None);
}

/// What a window of any second allows, a burst at its end and one at the next one's beginning do
/// not break.
#[test]
fn the_orders_of_any_second_are_within_the_limit_over_the_edges_of_seconds() {
    let limits = RiskLimits { max_open_orders: 64, max_orders_per_s: 5, ..RiskLimits::default() };
    let mut bench = one(limits);
    let mut passed = Vec::new();
    for step in 0..400_u64 {
        let at_ns = SECOND_NS + step * SECOND_NS / 100;
        if passed.len() < 60 && bench.submit_at(0, step + 1, &buy(100, 1), at_ns).is_ok() {
            passed.push(at_ns);
        }
    }
    assert!(passed.len() >= 18, "{passed:?}");
    assert!(passed.windows(6).all(|of| of[5] - of[0] >= SECOND_NS), "{passed:?}");
}

#[test]
fn the_loss_of_all_together_holds_the_orders_of_each_until_midnight() {
    let day_ns = 86_400_000_000_000;
    let wall_ns = 20_000 * day_ns + 7_000_000_000;
    let total = GroupLimits { max_daily_loss: 100, ..GroupLimits::default() };
    let shared = SharedLimits { venues: Vec::new(), total };
    let mut bench = bench(&[RiskLimits::default(), RiskLimits::default()], shared);
    assert!(bench.accounts[0].follows_profit());
    let lost = |by: i128| RowProfit { closed: -by, step: 1, ..RowProfit::default() };
    let value = |of: usize, by: i128, bench: &mut Bench| {
        let at = (SECOND_NS, wall_ns);
        bench.accounts[of].value(0, (VENUE, BTC), &lost(by), at);
    };
    value(0, 60, &mut bench);
    value(1, 39, &mut bench);
    assert!(bench.submit(0, 1, &buy(100, 1)).is_ok(), "99 of 100");
    value(1, 40, &mut bench);
    for of in [0, 1] {
        let refused = bench.submit(of, 2, &buy(100, 1)).unwrap_err();
        assert_eq!((refused.reason, refused.scope), (RejectReason::DailyLoss, RiskScope::Engine));
        assert_eq!((refused.value, refused.limit), (100, 100));
    }
    let midnight_ns = SECOND_NS + day_ns as u64 - 7_000_000_000;
    assert!(bench.submit_at(0, 3, &buy(100, 1), midnight_ns - 1).is_err());
    assert!(bench.submit_at(0, 4, &buy(100, 1), midnight_ns).is_ok());
}

#[test]
fn what_strategies_share_is_refused_to_the_second_of_them_and_given_back() {
    let groups = [RiskScope::Venue, RiskScope::Engine];
    for scope in groups {
        let unlimited = GroupLimits::default;
        let unit = one(RiskLimits::default()).book.money[0].notional(1, 1);
        let cases = [
            (GroupLimits { max_open_orders: 1, ..unlimited() }, RejectReason::MaxOpenOrders),
            (GroupLimits { max_position: [10].into(), ..unlimited() }, RejectReason::MaxPosition),
            (
                GroupLimits { max_open_notional: 1_000 * unit, ..unlimited() },
                RejectReason::MaxNotional,
            ),
            (GroupLimits { max_orders_per_s: 1, ..unlimited() }, RejectReason::RateLimit),
        ];
        for (limits, reason) in cases {
            let shared = match scope {
                RiskScope::Venue => SharedLimits { venues: vec![limits], total: unlimited() },
                _ => SharedLimits { venues: Vec::new(), total: limits },
            };
            let two = [RiskLimits::default(), RiskLimits::default()];
            let mut bench = bench(&two, shared);
            bench.submit(0, 1, &buy(100, 10)).unwrap();
            let refused = bench.submit(1, 1, &buy(100, 1)).unwrap_err();
            assert_eq!((refused.reason, refused.scope), (reason, scope));
            // One elsewhere passes where the limit is the venue's.
            let there = Ask { venue: VenueId(1), ..buy(100, 1) };
            assert_eq!(bench.submit(1, 2, &there).is_ok(), scope == RiskScope::Venue, "{reason:?}");
            if scope == RiskScope::Venue {
                bench.accounts[1].reported(
                    (VenueId(1), BTC),
                    &report(2, ExecType::Canceled, OrderStatus::Canceled, 1, 0),
                    SECOND_NS,
                );
            }
            bench.report(&report(1, ExecType::Canceled, OrderStatus::Canceled, 10, 0), 0);
            bench.is_empty(0);
            if reason != RejectReason::RateLimit {
                assert!(bench.submit(1, 3, &buy(100, 10)).is_ok(), "{reason:?}");
            }
        }
    }
}

#[test]
fn an_amendment_is_checked_by_what_the_order_would_become() {
    let limits = InstrumentLimits { max_position: 10, max_order_qty: 9, ..Default::default() };
    let mut bench = one(in_each(limits));
    bench.submit(0, 1, &buy(100, 5)).unwrap();
    bench.submit(0, 2, &buy(100, 4)).unwrap();
    let mut amend = |price, qty| {
        let account = &mut bench.accounts[0];
        let amended = account.reserve_amendment(ClientOrderId(1), (price, qty), 0, SECOND_NS);
        amended.err().map(|refused| refused.reason)
    };
    assert_eq!(amend(100, 10), Some(RejectReason::MaxOrderQty));
    assert_eq!(amend(100, 7), Some(RejectReason::MaxPosition));
    assert_eq!(amend(100, 6), None);
    let worst = |bench: &Bench| bench.book.strategies[0].places[0].worst[0].load(RELAXED);
    assert_eq!(worst(&bench), 10);
    // To less: the larger one counts until the venue has said otherwise.
    let account = &mut bench.accounts[0];
    account.reserve_amendment(ClientOrderId(2), (100, 1), 0, SECOND_NS).unwrap();
    assert_eq!(worst(&bench), 10);
    let replaced = report(2, ExecType::Replaced, OrderStatus::New, 1, 0);
    bench.report(&replaced, 0);
    assert_eq!(worst(&bench), 7);
    // Refused: as it was.
    let mut refused = report(1, ExecType::ModifyRejected, OrderStatus::New, 5, 0);
    refused.reason_code = RejectReason::NeverArrived.code();
    bench.report(&refused, 0);
    assert_eq!(worst(&bench), 7, "by inference: it may still come true");
    refused.reason_code = RejectReason::Venue.code();
    bench.report(&refused, 0);
    assert_eq!(worst(&bench), 6);
    bench.report(&report(1, ExecType::Canceled, OrderStatus::Canceled, 5, 0), 0);
    bench.report(&report(2, ExecType::Canceled, OrderStatus::Canceled, 1, 0), 0);
    bench.is_empty(0);
}

#[test]
fn no_order_may_meet_one_of_our_own_of_any_strategy() {
    let limits = RiskLimits { refuses_self_cross: true, ..RiskLimits::default() };
    let mut bench = bench(&[limits.clone(), limits], SharedLimits::default());
    bench.submit(0, 1, &sell(105, 1)).unwrap();
    bench.submit(0, 2, &sell(110, 1)).unwrap();
    assert_eq!(bench.submit(1, 1, &buy(105, 1)).unwrap_err().reason, RejectReason::SelfCross);
    assert_eq!(bench.submit(0, 3, &buy(106, 1)).unwrap_err().reason, RejectReason::SelfCross);
    let market = Ask { order_type: OrderType::Market, ..buy(0, 1) };
    assert_eq!(bench.submit(1, 2, &market).unwrap_err().reason, RejectReason::SelfCross);
    bench.submit(1, 3, &buy(104, 1)).unwrap();
    let elsewhere = Ask { venue: VenueId(1), ..buy(200, 1) };
    bench.submit(1, 4, &elsewhere).unwrap();
    // The best one ends: the next best stands.
    let mut canceled = report(1, ExecType::Canceled, OrderStatus::Canceled, 1, 0);
    canceled.side_code = Side::Sell.code();
    bench.report(&canceled, 0);
    bench.submit(1, 5, &buy(109, 1)).unwrap();
    assert_eq!(bench.submit(1, 6, &buy(110, 1)).unwrap_err().reason, RejectReason::SelfCross);
    assert_eq!(bench.submit(0, 4, &sell(109, 1)).unwrap_err().reason, RejectReason::SelfCross);
    // An amendment is a new price.
    let account = &mut bench.accounts[0];
    let amended = account.reserve_amendment(ClientOrderId(2), (109, 1), 0, SECOND_NS);
    assert_eq!(amended.unwrap_err().reason, RejectReason::SelfCross);
}

#[test]
fn types_kills_and_cancels() {
    let limits = RiskLimits {
        allowed_types: OrderTypes::of(&[OrderType::Limit]),
        max_cancels_per_s: 2,
        ..RiskLimits::default()
    };
    let mut bench = one(limits);
    let market = Ask { order_type: OrderType::Market, ..buy(0, 1) };
    assert_eq!(bench.reason(1, &market), Some(RejectReason::OrderType));
    assert_eq!(bench.reason(1, &buy(100, 1)), None);
    bench.quarantine.kills().set_venue(VENUE, true);
    assert_eq!(bench.reason(2, &buy(100, 1)), Some(RejectReason::TradingHalted));
    let there = Ask { venue: VenueId(1), ..buy(100, 1) };
    assert_eq!(bench.reason(2, &there), None);
    bench.quarantine.kills().set_strategy(crate::event::ConsumerId(0), true);
    assert_eq!(bench.reason(3, &there), Some(RejectReason::TradingHalted));
    let cancels = [0; 3].map(|_| bench.accounts[0].may_cancel(VENUE, SECOND_NS).is_ok());
    assert_eq!(cancels, [true, true, false], "a kill holds no cancel, the rate does");
}

#[test]
fn the_breaker_holds_for_its_time_after_so_many_refusals_and_rejections() {
    let breaker = crate::risk::BreakerLimits {
        events: 3,
        window_ns: 1_000,
        cooldown_ns: 500,
        ..Default::default()
    };
    let mut bench = one(RiskLimits { breaker, ..RiskLimits::default() });
    let account = &mut bench.accounts[0];
    account.note_refusal(RejectReason::MaxPosition, 1_000);
    account.note_refusal(RejectReason::TradingHalted, 1_000);
    let mut rejected = report(9, ExecType::Rejected, OrderStatus::Rejected, 1, 0);
    rejected.reason_code = RejectReason::Venue.code();
    account.reported((VENUE, BTC), &rejected, 1_500);
    assert!(bench.submit_at(0, 1, &buy(100, 1), 1_999).is_ok());
    bench.accounts[0].reported((VENUE, BTC), &rejected, 2_000);
    let held = bench.submit_at(0, 2, &buy(100, 1), 2_499).unwrap_err();
    assert_eq!((held.reason, held.value, held.limit), (RejectReason::CircuitBreaker, 3, 3));
    assert!(bench.submit_at(0, 2, &buy(100, 1), 2_500).is_ok(), "its time is over");
    assert_eq!(bench.book.strategies[0].used.breaker.count.load(RELAXED), 1);
}

#[test]
fn a_check_allocates_nothing() {
    let limits = InstrumentLimits {
        max_order_qty: 10,
        max_order_notional: i64::MAX - 1,
        max_position: 1_000,
        price_band_bps: 100,
        trigger_band_bps: 100,
        stale_ns: i64::MAX - 1,
    };
    let limits = RiskLimits {
        refuses_self_cross: true,
        max_open_notional: i64::MAX - 1,
        max_orders_per_s: 1_000_000,
        ..in_each(limits)
    };
    let mut bench = one(limits);
    bench.quote(99, 101, SECOND_NS);
    let allocations = crate::allocations_of(|| {
        for id in 0..32 {
            bench.submit(0, id, &buy(100, 1)).unwrap();
            bench.report(&report(id, ExecType::Canceled, OrderStatus::Canceled, 1, 0), 0);
            assert!(bench.submit(0, id, &buy(100, 11)).is_err());
        }
    });
    assert_eq!(allocations, 0);
}

#[test]
fn a_price_that_the_venue_refuses_for_sure_does_not_leave_and_a_nearer_one_is_the_venues_to_judge()
{
    let mut bench = one(RiskLimits::default());
    let mut word = crate::event::Instrument::new_zeroed();
    word.buy_range_ppm = [500_000, 2_000_000];
    word.sell_range_ppm = [500_000, 3_000_000];
    word.range_window_s = 60;
    bench.marks.take(&Event::new(&word));
    bench.quote(990, 1_000, SECOND_NS);
    bench.quote(1_000, 1_010, 30 * SECOND_NS);
    let mut reason = |id: u64, ask: &Ask, second: u64| {
        let refused = bench.submit_at(0, id, ask, second * SECOND_NS).err();
        refused.map(|refused| (refused.reason, refused.limit))
    };
    assert_eq!(reason(1, &buy(5_000, 1), 60), None, "a minute was not heard yet");
    let by_range = |limit| Some((RejectReason::PriceRange, limit));
    assert_eq!(reason(2, &buy(2_022, 1), 61), by_range(2_021));
    assert_eq!(reason(3, &buy(494, 1), 61), by_range(495));
    assert_eq!(reason(4, &sell(3_032, 1), 61), by_range(3_031));
    let near = [buy(2_021, 1), buy(495, 1), sell(3_031, 1), sell(2_022, 1)];
    for (id, ask) in near.iter().enumerate() {
        assert_eq!(reason(5 + id as u64, ask, 61), None, "{ask:?}");
    }
    let stop = Ask { trigger_price: 2_500, ..buy(5_000, 1) };
    assert_eq!(reason(9, &stop, 61), None, "where the price will be then nobody knows");
    let elsewhere = Ask { venue: VenueId(1), ..buy(5_000, 1) };
    assert_eq!(reason(10, &elsewhere, 61), None, "the other venue sets none");
}

/// What one strategy alone may have open in money, and lose in a day.
#[test]
fn open_money_and_the_loss_of_a_day_of_one_strategy() {
    let unit = one(RiskLimits::default()).book.money[0].notional(1, 1);
    let mut bench = one(RiskLimits { max_open_notional: 1_000 * unit, ..RiskLimits::default() });
    assert_eq!(bench.reason(1, &buy(100, 9)), None);
    assert_eq!(bench.reason(2, &sell(101, 1)), Some(RejectReason::MaxNotional), "1,001");
    assert_eq!(bench.reason(3, &sell(100, 1)), None, "1,000");
    assert_eq!(bench.reason(4, &buy(1, 1)), Some(RejectReason::MaxNotional));
    bench.report(&report(1, ExecType::Canceled, OrderStatus::Canceled, 9, 0), 0);
    assert_eq!(bench.reason(5, &buy(900, 1)), None);

    let limits = RiskLimits { max_daily_loss: 100, ..RiskLimits::default() };
    let mut bench = self::bench(&[limits.clone(), limits], SharedLimits::default());
    let wall_ns = 20_000 * 86_400_000_000_000;
    let value = |of: usize, lost: i128, bench: &mut Bench| {
        let profit = RowProfit { closed: -lost, step: 1, ..RowProfit::default() };
        bench.accounts[of].value(0, (VENUE, BTC), &profit, (SECOND_NS, wall_ns));
    };
    value(0, 99, &mut bench);
    value(1, 99, &mut bench);
    assert!(bench.submit(0, 1, &buy(100, 1)).is_ok(), "99 of 100 each");
    value(0, 100, &mut bench);
    let refused = bench.submit(0, 2, &buy(100, 1)).unwrap_err();
    assert_eq!((refused.reason, refused.scope), (RejectReason::DailyLoss, RiskScope::Strategy));
    assert_eq!((refused.value, refused.limit), (100, 100));
    assert!(bench.submit(1, 1, &buy(100, 1)).is_ok(), "it is the other's loss");
}

/// Cancels in a second and types of orders, of a venue and of the engine.
#[test]
fn cancels_and_types_that_strategies_share() {
    for scope in [RiskScope::Venue, RiskScope::Engine] {
        let limits = GroupLimits {
            max_cancels_per_s: 2,
            allowed_types: OrderTypes::of(&[OrderType::Limit]),
            ..GroupLimits::default()
        };
        let shared = match scope {
            RiskScope::Venue => SharedLimits { venues: vec![limits], ..SharedLimits::default() },
            _ => SharedLimits { total: limits, ..SharedLimits::default() },
        };
        let mut bench = bench(&[RiskLimits::default(), RiskLimits::default()], shared);
        assert!(bench.accounts[0].may_cancel(VENUE, SECOND_NS).is_ok());
        assert!(bench.accounts[1].may_cancel(VENUE, SECOND_NS).is_ok());
        let refused = bench.accounts[0].may_cancel(VENUE, SECOND_NS).unwrap_err();
        assert_eq!((refused.reason, refused.scope), (RejectReason::CancelRate, scope));
        let elsewhere = bench.accounts[1].may_cancel(VenueId(1), SECOND_NS).is_ok();
        assert_eq!(elsewhere, scope == RiskScope::Venue);
        let later_ns = 3 * SECOND_NS;
        assert!(bench.accounts[0].may_cancel(VENUE, later_ns).is_ok(), "another second");

        assert_eq!(bench.reason(1, &buy(100, 1)), None);
        let market = Ask { order_type: OrderType::Market, ..buy(0, 1) };
        let refused = bench.submit(1, 1, &market).unwrap_err();
        assert_eq!((refused.reason, refused.scope), (RejectReason::OrderType, scope));
        let there = Ask { venue: VenueId(1), ..market };
        assert_eq!(bench.submit(1, 2, &there).is_ok(), scope == RiskScope::Venue);
    }
}

/// The breaker by what was lost in its window.
#[test]
fn the_breaker_holds_once_so_much_was_lost() {
    let breaker = crate::risk::BreakerLimits {
        loss: 100,
        window_ns: 1_000,
        cooldown_ns: 500,
        ..Default::default()
    };
    let mut bench = one(RiskLimits { breaker, ..RiskLimits::default() });
    bench.accounts[0].earned(BTC, -99, 10_000);
    assert!(bench.submit_at(0, 1, &buy(100, 1), 10_000).is_ok(), "99 of 100");
    bench.accounts[0].earned(BTC, -1, 10_500);
    let held = bench.submit_at(0, 2, &buy(100, 1), 10_501).unwrap_err();
    let told = (held.reason, held.value, held.limit);
    assert_eq!(told, (RejectReason::CircuitBreaker, 100, 100));
    assert!(bench.submit_at(0, 3, &buy(100, 1), 10_999).is_err());
    assert!(bench.submit_at(0, 4, &buy(100, 1), 11_000).is_ok(), "its time is over");
}

/// A fee in the base asset is finer than a quantity: what is held counts as more for a buy, and as
/// less for a sale. 400.486 of 500, and a buy of 100, would be 500.486.
#[test]
fn what_is_held_is_rounded_against_the_order() {
    let limits = InstrumentLimits { max_position: 500, ..Default::default() };
    let mut bench = one(in_each(limits));
    bench.accounts[0].holds(0, (VENUE, BTC), Holding { least: 400, most: 401 });
    assert_eq!(bench.reason(1, &buy(100, 100)), Some(RejectReason::MaxPosition));
    assert_eq!(bench.reason(1, &buy(100, 99)), None);
    bench.report(&report(1, ExecType::Canceled, OrderStatus::Canceled, 99, 0), 0);
    bench.accounts[0].holds(0, (VENUE, BTC), Holding { least: -401, most: -400 });
    assert_eq!(bench.reason(2, &sell(100, 100)), Some(RejectReason::MaxPosition));
    assert_eq!(bench.reason(2, &sell(100, 99)), None);
}
