use proptest::prelude::*;

use super::*;

const S: u64 = 1_000_000_000;
const BANNED: PauseCause = PauseCause { status: 418, code: -1003 };
const WEIGHT: Limit = Limit { counts: Counted::Weight, amount: 6_000, window_ns: 60 * S };
const ORDERS: Limit = Limit { counts: Counted::Orders, amount: 100, window_ns: 10 * S };

#[test]
fn snapshots_leave_a_reserve_and_are_told_when_to_come_back() {
    let governor = Governor::new(&[WEIGHT]);
    let ask = |now_ns| governor.may_send(RequestClass::Snapshot, 250, now_ns);
    let sent = (0..40).filter(|_| ask(S).is_ok()).count();
    assert_eq!(sent, 18, "three quarters of 6,000");
    let held_back = ask(S).unwrap_err();
    assert_eq!(held_back.reason, HoldReason::Weight);
    assert!(ask(held_back.until_ns - 1).is_err() && ask(held_back.until_ns).is_ok());
    assert!(held_back.until_ns <= S + 70 * S, "{held_back:?}");
    let reading = governor.reading(held_back.until_ns);
    assert_eq!((reading.sent[3], reading.held_back[3]), (19, 24));
}

#[test]
fn cancels_have_what_no_other_kind_may_use() {
    let governor = Governor::new(&[WEIGHT, ORDERS]);
    while governor.may_send(RequestClass::Query, 4, 0).is_ok() {}
    while governor.may_send(RequestClass::Order, 60, 0).is_ok() {}
    let sent = (0..1_000).filter(|_| governor.may_send(RequestClass::Cancel, 1, 0).is_ok());
    assert!(sent.count() >= 300, "a twentieth of 6,000");
}

#[test]
fn orders_are_counted_by_account_and_no_other_kind_is() {
    let governor = Governor::new(&[ORDERS]);
    let order = |now_ns| governor.may_send(RequestClass::Order, 1, now_ns);
    assert_eq!((0..1_000).filter(|_| order(0).is_ok()).count(), 95);
    assert_eq!(order(0).unwrap_err().reason, HoldReason::Orders);
    assert!(governor.may_send(RequestClass::Cancel, 1, 0).is_ok());
}

#[test]
fn a_penalty_is_obeyed_to_its_end_and_never_shortened() {
    let governor = Governor::new(&[WEIGHT]);
    let three_days_ns = 3 * 24 * 3_600 * S;
    let clock = Clock::manual(0).0;
    governor.pause(PauseScope::Address, three_days_ns, BANNED, &clock);
    governor.pause(PauseScope::Address, S, BANNED, &clock);
    for class in RequestClass::ALL {
        let held_back = governor.may_send(class, 1, three_days_ns - 1).unwrap_err();
        assert_eq!(held_back.until_ns, three_days_ns);
        assert_eq!(held_back.reason, HoldReason::Pause);
    }
    assert_eq!(governor.reading(three_days_ns - S).penalty_left_ms, 1_000);
    assert!(governor.may_send(RequestClass::Order, 1, three_days_ns).is_ok());
}

#[test]
fn a_penalty_of_orders_holds_no_cancel_back() {
    let governor = Governor::new(&[WEIGHT, ORDERS]);
    governor.pause(PauseScope::Orders, 5 * S, BANNED, &Clock::manual(0).0);
    let may = |class| governor.may_send(class, 1, S).is_ok();
    assert!(!may(RequestClass::Order) && !may(RequestClass::Amend));
    assert!(may(RequestClass::Cancel) && may(RequestClass::Query));
    assert_eq!(governor.reading(S).penalty_left_ms, 4_000);
    assert!(governor.may_send(RequestClass::Order, 1, 5 * S).is_ok());
}

#[test]
fn amendments_are_counted_by_themselves_where_the_venue_does() {
    let amends = Limit { counts: Counted::Amends, amount: 10, window_ns: S };
    let governor = Governor::new(&[ORDERS, amends]);
    assert_eq!(sent(&governor, RequestClass::Amend, 0), 9);
    assert_eq!(sent(&governor, RequestClass::Order, 0), 95);
    assert_eq!(sent(&governor, RequestClass::Amend, 2 * S), 9);
}

fn said(counts: Counted, window_s: u64, amount: Option<u32>, used: Option<u32>) -> ToldLimits {
    let mut limits = ToldLimits::default();
    limits.take(ToldLimit { counts, window_ns: window_s * S, amount, used });
    limits
}

fn sent(governor: &Governor, class: RequestClass, now_ns: u64) -> usize {
    (0..10_000).take_while(|_| governor.may_send(class, 1, now_ns).is_ok()).count()
}

#[test]
fn a_limit_that_the_venue_tells_takes_the_place_of_ours() {
    let governor = Governor::new(&[ORDERS]);
    governor.learn(&said(Counted::Orders, 10, Some(20), None), 0, 0);
    assert_eq!(sent(&governor, RequestClass::Order, 0), 19);
    // One that is new, and one that is nonsense.
    governor.learn(&said(Counted::Orders, 60, Some(40), None), 0, 0);
    governor.learn(&said(Counted::Orders, 10, Some(0), None), 0, 0);
    assert_eq!(sent(&governor, RequestClass::Order, 12 * S), 19);
    assert_eq!(sent(&governor, RequestClass::Order, 24 * S), 19, "beside 38 of a minute");
    let limits = governor.reading(24 * S).limits;
    assert_eq!(limits.iter().map(|limit| limit.used).collect::<Vec<_>>(), [19, 38]);
    assert!(limits.iter().all(|limit| limit.is_learned));
}

#[test]
fn the_venues_count_counts_where_it_is_worse_until_its_window_is_over() {
    // Somebody else uses the same address.
    let governor = Governor::new(&[WEIGHT]);
    governor.learn(&said(Counted::Weight, 60, None, Some(5_690)), 0, 0);
    assert_eq!(sent(&governor, RequestClass::Order, S), 10);
    let held_back = governor.may_send(RequestClass::Order, 1, S).unwrap_err();
    assert_eq!(held_back.until_ns, 60 * S);
    // An answer that our requests have overtaken changes nothing; a new window does.
    governor.learn(&said(Counted::Weight, 60, None, Some(5_695)), 2 * S, 0);
    assert_eq!(sent(&governor, RequestClass::Order, 2 * S), 0);
    governor.learn(&said(Counted::Weight, 60, None, Some(4)), 3 * S, 0);
    assert!(sent(&governor, RequestClass::Order, 3 * S) > 5_000);
}

#[test]
fn a_day_that_is_used_up_ends_at_midnight_of_the_venue() {
    let day_s = 86_400;
    let limit = Limit { counts: Counted::Orders, amount: 100, window_ns: day_s * S };
    let governor = Governor::new(&[limit]);
    let wall_ns = (3 * day_s - 600) as i64 * S as i64;
    governor.learn(&said(Counted::Orders, day_s, None, Some(100)), 0, wall_ns);
    let held_back = governor.may_send(RequestClass::Order, 1, 0).unwrap_err();
    assert_eq!(held_back.until_ns, 660 * S);
    assert!(governor.may_send(RequestClass::Order, 1, 660 * S).is_ok());
}

#[test]
fn a_count_and_a_pause_that_make_no_sense_hold_nothing_back_for_long() {
    let governor = Governor::new(&[WEIGHT]);
    governor.learn(&said(Counted::Weight, 60, None, Some(u32::MAX)), 0, 0);
    assert!(governor.may_send(RequestClass::Order, 1, 0).is_ok());
    assert_eq!(governor.reading(0).unknown_limits, 1, "it is counted");
    let clock = Clock::manual(0).0;
    for until_ns in [u64::MAX, 60 * 86_400 * S] {
        governor.pause(PauseScope::Address, until_ns, BANNED, &clock);
    }
    let until_ns = governor.paused_until_ns(RequestClass::Cancel);
    assert_eq!(until_ns, 120 * S, "as one ban without an end");
}

#[test]
fn kinds_that_nobody_knows_are_counted() {
    let governor = Governor::new(&[WEIGHT]);
    let mut limits = ToldLimits::default();
    limits.take_unknown("CPU");
    (0..3).for_each(|_| governor.learn(&limits, 0, 0));
    assert_eq!(governor.reading(0).unknown_limits, 3);
}

#[test]
fn no_strategy_uses_up_the_orders_of_another() {
    let governor = Governor::named("x", &[ORDERS], 3);
    let sent = |owner, now_ns| {
        (0..1_000).take_while(|_| governor.may_order(owner, 1, now_ns).is_ok()).count()
    };
    let greedy = sent(0, 0);
    assert_eq!(greedy, 86, "nine tenths of 95, rounded up");
    let held_back = governor.may_order(0, 1, 0).unwrap_err();
    assert_eq!(held_back.reason, HoldReason::Share);
    // A newcomer finds room at once, and the next one after it too.
    assert!(sent(1, 0) >= 4);
    assert!(sent(2, 0) >= 1);
    // In the long run all three have the same, whoever asks first.
    let mut of_each = [0; 3];
    for tenth in 200..1_200 {
        for owner in [0, 1, 2] {
            of_each[usize::from(owner)] += sent(owner, tenth * S / 10);
        }
    }
    let least = of_each.iter().min().unwrap() * 10;
    assert!(least >= of_each.iter().max().unwrap() * 7, "{of_each:?}");
    assert!(of_each.iter().sum::<usize>() > 700, "{of_each:?}");
}

#[test]
fn where_the_window_is_a_second_all_of_its_attempts_may_be_used_at_once() {
    let limit = Limit { counts: Counted::Connects, amount: 3, window_ns: S };
    let governor = Governor::new(&[limit]);
    let connects = |now_ns| {
        let ask = || governor.may_send(RequestClass::Connect, 0, now_ns).is_ok();
        (0..10).filter(|_| ask()).count()
    };
    assert_eq!((connects(S), connects(2 * S - 1)), (3, 0));
    assert_eq!(connects(2 * S + S / 6), 3, "whatever the venue's own windows");
}

#[test]
fn half_of_the_attempts_to_connect_are_spread() {
    let limit = Limit { counts: Counted::Connects, amount: 300, window_ns: 300 * S };
    let governor = Governor::new(&[limit]);
    let mut at_s = Vec::new();
    for tenth in 0..9_000 {
        if governor.may_send(RequestClass::Connect, 2, tenth * S / 10).is_ok() {
            at_s.push(tenth / 10);
        }
    }
    let longest = at_s.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest <= 4, "never blind for longer than {longest} s");
    for start in 0..600 {
        let count = at_s.iter().filter(|at| (start..start + 300).contains(*at)).count();
        assert!(count <= 300, "{count} from {start} s on");
    }
}

#[test]
fn doors_obey_what_they_are_told() {
    let hours_3 = Some(3 * 3_600 * S);
    for (status, wait_ns, class, left_s) in [
        (418, hours_3, RequestClass::Cancel, 10_800),
        (418, None, RequestClass::Cancel, 120),
        (429, None, RequestClass::Order, 60),
        (429, None, RequestClass::Cancel, 0),
        (429, hours_3, RequestClass::Cancel, 0),
        (429, hours_3, RequestClass::Query, 10_800),
        (403, hours_3, RequestClass::Cancel, 0),
        (429, Some(0), RequestClass::Order, 1),
        (403, None, RequestClass::Order, 0),
        (403, None, RequestClass::Snapshot, 30),
        (403, hours_3, RequestClass::Order, 10_800),
        (503, hours_3, RequestClass::Order, 0),
        (503, hours_3, RequestClass::Snapshot, 10_800),
        (503, None, RequestClass::Snapshot, 0),
    ] {
        let governor = Governor::default();
        let cause = PauseCause { status, code: 0 };
        governor.obey_http(PauseScope::Rest, cause, wait_ns, &Clock::manual(0).0);
        assert_eq!(governor.paused_until_ns(class), left_s * S, "{status} {wait_ns:?}");
    }
}

#[test]
fn two_accounts_at_one_address_share_its_weight_and_its_bans_and_no_orders() {
    let limits = [WEIGHT, ORDERS];
    let first = Governor::named("first", &limits, 1);
    let second = first.for_account("second", &limits, 1);
    let third = second.for_account("third", &limits, 1);
    let all = [&first, &second, &third];
    let mut sent = 0;
    while all[sent % 3].may_send(RequestClass::Cancel, 10, 0).is_ok() {
        sent += 1;
    }
    assert_eq!(sent as u32, WEIGHT.amount / 10, "what one address may send");
    for governor in all {
        let held = governor.may_send(RequestClass::Cancel, 10, 0).unwrap_err();
        assert_eq!(held.reason, HoldReason::Weight);
        let weight = governor.reading(0).limits.into_iter().find(|it| it.limit == WEIGHT);
        assert_eq!(weight.map(|it| it.used), Some(u64::from(WEIGHT.amount)));
    }
    // Orders are the account's own.
    let at_ns = 2 * WEIGHT.window_ns;
    let orders = |governor: &Governor| {
        (0..1_000).take_while(|_| governor.may_order(0, 0, at_ns).is_ok()).count()
    };
    let counts = all.map(orders);
    assert!(counts[0] > 0 && counts == [counts[0]; 3], "{counts:?}");
    let (clock, cause) = (Clock::manual(0).0, PauseCause { status: 429, code: -1015 });
    let until_ns = at_ns + 5 * S;
    second.pause(PauseScope::Orders, until_ns, cause, &clock);
    let paused_ns = all.map(|it| it.paused_until_ns(RequestClass::Order));
    assert_eq!(paused_ns, [0, until_ns, 0]);
    // A ban is the address', whoever is told of it.
    third.pause(PauseScope::Address, 2 * until_ns, BANNED, &clock);
    for governor in all {
        assert_eq!(governor.paused_until_ns(RequestClass::Cancel), 2 * until_ns);
        let held = governor.may_send(RequestClass::Cancel, 1, at_ns).unwrap_err();
        assert_eq!((held.reason, held.until_ns), (HoldReason::Pause, 2 * until_ns));
        assert_eq!(
            governor.pauses(at_ns).iter().filter(|it| it.0 == PauseScope::Address).count(),
            1
        );
    }
    // What the venue says of the weight counts for all.
    let mut limits = ToldLimits::default();
    let (counts, window_ns) = (Counted::Weight, WEIGHT.window_ns);
    limits.take(ToldLimit { counts, window_ns, amount: Some(20), used: None });
    second.learn(&limits, at_ns, 0);
    for governor in all {
        let weight =
            governor.reading(at_ns).limits.into_iter().filter(|it| it.limit.counts == counts);
        assert_eq!(weight.map(|it| it.limit.amount).collect::<Vec<_>>(), [20]);
    }
}

#[test]
fn a_decision_allocates_nothing() {
    let governor = Governor::new(&[WEIGHT, ORDERS]);
    let allocated = crate::allocations_of(|| {
        for n in 0..1_000 {
            let _sent = governor.may_send(RequestClass::Order, 1, n * S / 10);
        }
    });
    assert_eq!(allocated, 0);
}

#[test]
fn a_reading_waits_for_no_decision_and_so_holds_none_up() {
    let first = Governor::named("first", &[WEIGHT, ORDERS], 1);
    let second = first.for_account("second", &[WEIGHT, ORDERS], 1);
    let (clock, _) = Clock::manual(0);
    second.pause(PauseScope::Address, S, BANNED, &clock);
    let _guards = (second.own.state.lock(), first.own.state.lock());
    // Each would wait here without end.
    let (reading, allowance) = (second.reading(0), second.allowance("second", &clock));
    assert_eq!((reading.limits.len(), reading.pauses.len()), (2, 1));
    assert_eq!((reading.pauses[0].cause, allowance.pauses[0].code), (BANNED, BANNED.code));
    assert_eq!(second.pauses(S - 1), [(PauseScope::Address, S, BANNED)]);
}

proptest! {
    /// A reading tells what decisions go by, of any time, and changes none of them.
    #[test]
    fn a_reading_tells_what_counts_and_changes_nothing(
        window_ns in 7_u64..100_000,
        demand in prop::collection::vec((0_u64..9_000, 1_u32..300, 0_u64..200_000), 1..200),
        told in prop::option::of((0_usize..200, 0_u32..400)),
    ) {
        let limit = Limit { counts: Counted::Weight, amount: 400, window_ns };
        let [read, unread] = [Governor::new(&[limit]), Governor::new(&[limit])];
        let mut now_ns = 0;
        for (place, (step_ns, weight, ahead_ns)) in demand.into_iter().enumerate() {
            now_ns += step_ns;
            if let Some((at, used)) = told && at == place {
                let mut limits = ToldLimits::default();
                let (counts, amount, used) = (limit.counts, Some(500), Some(used));
                limits.take(ToldLimit { counts, window_ns, amount, used });
                [&read, &unread].iter().for_each(|governor| governor.learn(&limits, now_ns, 0));
            }
            let _ = read.reading(now_ns + ahead_ns);
            let ask = |of: &Governor| of.may_send(RequestClass::Cancel, weight, now_ns);
            prop_assert_eq!(ask(&read), ask(&unread));
            let shown = read.reading(now_ns + ahead_ns).limits[0];
            let mut window = read.own.state.lock().windows[0].clone();
            prop_assert_eq!(shown.used, window.used(now_ns + ahead_ns));
            prop_assert_eq!((shown.limit, shown.is_learned), (window.limit, window.is_learned));
        }
    }

    /// Whatever is asked for when, and wherever the venue has its windows begin: none holds
    /// more than the limit.
    #[test]
    fn no_window_ever_holds_more_than_the_limit(
        amount in 1_u32..400,
        window_ns in 7_u64..100_000,
        offset_ns in 0_u64..100_000,
        demand in prop::collection::vec((0_u64..5_000, 1_u32..300, 0_usize..5), 1..400),
    ) {
        let limit = Limit { counts: Counted::Weight, amount, window_ns };
        let governor = Governor::new(&[limit]);
        let (mut now_ns, mut sent) = (0, Vec::new());
        for (step_ns, weight, class) in demand {
            now_ns += step_ns;
            match governor.may_send(RequestClass::ALL[class], weight, now_ns) {
                Ok(()) => sent.push((now_ns, weight)),
                Err(held_back) => prop_assert!(held_back.until_ns > now_ns),
            }
        }
        let mut of_windows = std::collections::HashMap::new();
        for (at_ns, weight) in sent {
            let used: &mut u64 = of_windows.entry((at_ns + offset_ns) / window_ns).or_default();
            *used += u64::from(weight);
            prop_assert!(*used <= u64::from(amount));
        }
    }
}
