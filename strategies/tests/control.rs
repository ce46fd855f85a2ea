//! The control plane as strategies use it, in a running engine.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use common::{ONE_AT_A_TIME, PATIENCE, Run, run_of};
use pitlane_engine::config::VenueConfig;
use pitlane_engine::consumer::{
    CommandId, Context, MergeRequest, Strategy, StrategyResult, VenueSet,
};
use pitlane_engine::control::{RouteChange, RoutingChange};
use pitlane_engine::dispatcher::{COMMAND_DONE, FLIP_BEGIN, FLIP_END, RouteKey};
use pitlane_engine::event::{
    ConsumerId, ControlAck, ControlCode, ControlResult, Event, EventKind, InstrumentId, Interest,
    Merged, VenueId,
};
use pitlane_engine::report::Report;
use pitlane_engine::venue::simulated::{
    Fault, FaultName, FaultPlan, SimulatedSymbol, SimulatedVenue, SimulatedVenueOptions, Trigger,
};
use pitlane_engine::{Engine, FlipError, Params, launch_with};

#[global_allocator]
static ALLOCATOR: pitlane_ring::CountingAllocator = pitlane_ring::CountingAllocator;

const QUOTES: Interest = Interest::NONE.and(EventKind::Quote);
const INSTRUMENT: InstrumentId = InstrumentId(0);

/// What a script's strategy saw, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Ack {
        command: u64,
        code: ControlCode,
    },
    Result {
        command: u64,
        phase: u64,
        code: ControlCode,
        version: u32,
    },
    Quotes {
        version: u32,
    },
    /// A merged quote: its rule, who is best, and whether both venues are in it, apart by some
    /// time.
    Merged {
        rule: u16,
        bid_venue: u16,
        ask_venue: u16,
        is_whole: bool,
        has_skew: bool,
    },
}

type Log = Arc<Mutex<Vec<Seen>>>;
type Step = Box<dyn FnMut(&mut Context) -> CommandId + Send>;

/// Sends its commands one after another: the next when the last was answered to the end.
struct Script {
    steps: Vec<Step>,
    sent: usize,
    log: Log,
}

impl Script {
    fn next(&mut self, ctx: &mut Context) {
        if let Some(step) = self.steps.get_mut(self.sent) {
            self.sent += 1;
            assert_eq!(step(ctx), CommandId(self.sent as u64));
        }
    }

    fn note(&self, seen: Seen) {
        let mut log = self.log.lock().unwrap();
        if log.last() != Some(&seen) {
            log.push(seen);
        }
    }
}

fn code(code: u32) -> ControlCode {
    ControlCode::from_code(code as u8).unwrap()
}

impl Strategy for Script {
    fn on_start(&mut self, ctx: &mut Context) -> StrategyResult {
        self.next(ctx);
        Ok(())
    }

    fn on_event(&mut self, event: &Event, ctx: &mut Context) -> StrategyResult {
        let version = event.routing_version;
        if let Some(ack) = event.get::<ControlAck>() {
            let code = code(ack.code);
            self.note(Seen::Ack { command: ack.command_id, code });
            if code != ControlCode::Ok {
                self.next(ctx);
            }
        }
        if let Some(result) = event.get::<ControlResult>() {
            let (command, phase) = (result.command_id, result.phase);
            self.note(Seen::Result { command, phase, code: code(result.code), version });
            if phase == COMMAND_DONE {
                self.next(ctx);
            }
        }
        if let Some(merged) = event.get::<Merged>() {
            self.note(Seen::Merged {
                rule: event.venue,
                bid_venue: merged.bid_venue,
                ask_venue: merged.ask_venue,
                is_whole: merged.providers == 0b11 && merged.quote().is_some(),
                has_skew: merged.skew_ns > 0,
            });
        }
        if event.kind() == Some(EventKind::Quote) {
            self.note(Seen::Quotes { version });
        }
        Ok(())
    }
}

/// A run whose first consumer plays `steps` and is subscribed to trades alone at the start, next to
/// one that gets everything and never asks for anything.
fn scripted(steps: impl Fn() -> Vec<Step> + Send + Sync + 'static) -> (Run, Log) {
    let log = Log::default();
    let mut run = run_of(&["script", "noop"]);
    run.config.consumers[0].kinds = Some(vec!["trade".to_owned()]);
    let kept = Arc::clone(&log);
    run.registry = run.registry.with("script", move |_params: &Params| {
        Ok(Script { steps: steps(), sent: 0, log: Arc::clone(&kept) })
    });
    (run, log)
}

fn play(run: Run, log: &Log, until: impl Fn(&[Seen], &Engine) -> bool) -> (Report, Vec<Seen>) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let engine = launch_with(run.config, &run.registry, run.options).unwrap();
    let started = Instant::now();
    while !until(&log.lock().unwrap(), &engine) {
        assert!(started.elapsed() < PATIENCE, "{:?}, saw {:?}", engine.status(), log.lock());
        std::thread::yield_now();
    }
    let report = engine.stop().unwrap();
    assert!(report.identity_holds, "{report:#?}");
    assert_eq!(report.critical_lost, 0);
    let seen = log.lock().unwrap().clone();
    (report, seen)
}

#[test]
fn a_strategy_subscribes_at_run_time_and_learns_from_which_version_on() {
    // FR-012, FR-013, LM-03: a route that never was, with cells that never were.
    let (run, log) = scripted(|| {
        let subscribe = |ctx: &mut Context| ctx.subscribe(VenueSet::ALL, INSTRUMENT, QUOTES);
        let unsubscribe = |ctx: &mut Context| ctx.unsubscribe(VenueSet::ALL, INSTRUMENT, QUOTES);
        vec![
            Box::new(move |ctx| subscribe(ctx).unwrap()),
            Box::new(move |ctx| subscribe(ctx).unwrap()),
            Box::new(move |ctx| unsubscribe(ctx).unwrap()),
            Box::new(move |ctx| unsubscribe(ctx).unwrap()),
        ]
    });
    let refused = Seen::Ack { command: 4, code: ControlCode::NotSubscribed };
    // The other consumer has quotes all the time; a few of them before the end.
    let (report, seen) =
        play(run, &log, |seen, engine| seen.contains(&refused) && engine.status().handled > 100);
    let ok = ControlCode::Ok;
    let ack = |command| Seen::Ack { command, code: ok };
    let result = |command, phase, version| Seen::Result { command, phase, code: ok, version };
    let answers: Vec<Seen> =
        seen.iter().filter(|seen| !matches!(seen, Seen::Quotes { .. })).cloned().collect();
    assert_eq!(
        answers,
        [
            ack(1),
            result(1, FLIP_BEGIN, 1),
            result(1, FLIP_END, 2),
            result(1, COMMAND_DONE, 2),
            ack(2),
            result(2, COMMAND_DONE, 2),
            ack(3),
            result(3, FLIP_BEGIN, 2),
            result(3, FLIP_END, 3),
            result(3, COMMAND_DONE, 3),
            refused,
        ],
        "EDGE-17: asking twice is no error, giving back what one never had is one"
    );
    let first_quote = seen.iter().position(|seen| matches!(seen, Seen::Quotes { .. }));
    let end = seen.iter().position(|seen| *seen == result(1, FLIP_END, 2));
    assert!(first_quote.is_none_or(|quote| Some(quote) > end), "{seen:?}");
    assert!(!report.consumers[1].kinds.contains_key("control_result"), "the other's are untouched");
    assert!(report.consumers[1].kinds["quote"].handled > 0);
}

#[test]
fn quotes_come_with_a_subscription_and_conflate_like_any_others() {
    let (mut run, log) = scripted(|| {
        vec![Box::new(|ctx| ctx.subscribe(VenueSet::ALL, INSTRUMENT, QUOTES).unwrap())]
    });
    run.config.lanes.market = 4;
    let (report, _) = play(run, &log, |seen, _| {
        seen.iter().filter(|seen| matches!(seen, Seen::Quotes { .. })).count() > 0
    });
    assert!(report.consumers[0].kinds["quote"].handled > 0);
}

#[test]
fn what_can_not_be_is_refused_at_once_or_by_its_acknowledgement() {
    let (run, log) = scripted(|| {
        vec![Box::new(|ctx: &mut Context| {
            let refusal = |result: Result<CommandId, _>| {
                result.map_err(|error: pitlane_engine::consumer::ControlError| error.code)
            };
            let stranger = ctx.subscribe(VenueSet::ALL, InstrumentId(99), QUOTES);
            assert_eq!(refusal(stranger), Err(ControlCode::UnknownInstrument));
            let nowhere = ctx.subscribe(VenueSet::default(), INSTRUMENT, QUOTES);
            assert_eq!(refusal(nowhere), Err(ControlCode::UnknownVenue));
            let nothing = ctx.subscribe(VenueSet::ALL, INSTRUMENT, Interest::NONE);
            assert_eq!(refusal(nothing), Err(ControlCode::NotInterested));
            let alone = ctx.subscribe_merged(MergeRequest {
                instrument: INSTRUMENT,
                kind: EventKind::Quote,
                venues: VenueSet(1),
                window_ns: 1_000_000,
                events_max: 10,
            });
            assert_eq!(refusal(alone), Err(ControlCode::BadMerge));
            ctx.subscribe(VenueSet(1 << 40), INSTRUMENT, QUOTES).unwrap()
        })]
    });
    let refused = Seen::Ack { command: 1, code: ControlCode::UnknownVenue };
    let (report, seen) = play(run, &log, |seen, _| !seen.is_empty());
    assert_eq!(seen, [refused], "the callback did not fail, and nothing else was answered");
    assert_eq!(report.consumers[0].failures, 0, "{:?}", report.consumers[0].failure_log);
}

/// A venue of its own for BTC-USDT, whose prices walk from `start_price`.
fn venue(start_price: u64, seed: u64) -> SimulatedVenue {
    let symbols = vec![SimulatedSymbol { start_price, ..SimulatedSymbol::default() }];
    let options = SimulatedVenueOptions { symbols, seed, ..SimulatedVenueOptions::default() };
    SimulatedVenue::start(options).unwrap()
}

#[test]
fn quotes_of_two_venues_merge_with_attribution_and_the_plain_ones_go_on() {
    // LM-05, EDGE-12: the dear venue has the best bid, the cheap one the best ask.
    let merge = MergeRequest {
        instrument: INSTRUMENT,
        kind: EventKind::Quote,
        venues: VenueSet::ALL,
        window_ns: 50_000_000,
        // Fewer than there could be venues, and enough for those that there are.
        events_max: 10,
    };
    let (mut run, log) = scripted(move || {
        vec![Box::new(move |ctx: &mut Context| ctx.subscribe_merged(merge).unwrap())]
    });
    let venues = [("cheap", venue(6_000_000, 1)), ("dear", venue(6_100_000, 2))];
    run.config.simulated.enabled = false;
    run.config.venues = venues
        .iter()
        .map(|(name, server)| VenueConfig {
            name: (*name).to_owned(),
            stream_url: format!("ws://{}/stream", server.address()),
            rest_url: format!("http://{}", server.address()),
            ..VenueConfig::default()
        })
        .collect();
    let (cheap, dear) = (0, 1);
    let crossed = |skewed| Seen::Merged {
        rule: 0,
        bid_venue: dear,
        ask_venue: cheap,
        is_whole: true,
        has_skew: skewed,
    };
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let engine = launch_with(run.config, &run.registry, run.options).unwrap();
    let started = Instant::now();
    while !log.lock().unwrap().contains(&crossed(true)) {
        assert!(started.elapsed() < PATIENCE, "{:?}, saw {:?}", engine.status(), log.lock());
        std::thread::yield_now();
    }
    let rules = engine.routing().rules;
    assert_eq!((rules.len(), rules[0].consumers.as_slice()), (1, &[ConsumerId(0)][..]));
    assert_eq!(rules[0].request.venues, VenueSet(0b11), "all that there are");
    engine.change(5, &[RoutingChange::EndRule(0)]).unwrap();
    assert!(engine.routing().rules.is_empty());
    let counts = engine.merge_port().unwrap().stats.total();
    let report = engine.stop().unwrap();
    for (name, server) in venues {
        server.stop().unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(report.identity_holds, "{report:#?}");
    assert!(counts.gone() > 0, "{counts:?}");
    let kinds = &report.consumers[0].kinds;
    assert!(kinds["merged"].handled > 0 && !kinds.contains_key("quote"), "{kinds:?}");
    let kinds = &report.consumers[1].kinds;
    assert!(kinds["quote"].handled > 0 && !kinds.contains_key("merged"), "{kinds:?}");
    let merged = log.lock().unwrap();
    let mut merged = merged.iter().filter(|seen| matches!(seen, Seen::Merged { .. }));
    assert!(merged.all(|seen| *seen == crossed(true) || *seen == crossed(false)), "{log:?}");
}

#[test]
fn a_paused_consumer_hears_nothing_but_what_is_critical_and_gets_all_back() {
    let (run, log) = scripted(|| {
        vec![Box::new(|ctx| ctx.subscribe(VenueSet::ALL, INSTRUMENT, QUOTES).unwrap())]
    });
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let engine = launch_with(run.config, &run.registry, run.options).unwrap();
    let started = Instant::now();
    let wait = |what: &dyn Fn() -> bool| {
        while !what() {
            assert!(started.elapsed() < PATIENCE, "{:?}", engine.status());
            std::thread::yield_now();
        }
    };
    let has_quotes =
        |log: &Log| log.lock().unwrap().iter().any(|s| matches!(s, Seen::Quotes { .. }));
    wait(&|| has_quotes(&log));
    let consumer = ConsumerId(0);
    let before = engine.routes();
    let pause = |is_paused| [RoutingChange::PauseConsumer { consumer, is_paused }];
    let preview = engine.preview(&pause(true)).unwrap();
    assert!(preview.on.is_empty() && !preview.off.is_empty());
    assert!(preview.off.iter().all(|route| route.consumer == consumer));
    assert_eq!(engine.routes(), before, "a preview changes nothing");
    engine.change(7, &pause(true)).unwrap();
    assert!(engine.routes().iter().all(|route| route.consumer != consumer));
    assert_eq!(engine.change(8, &pause(true)), Err(FlipError::NoChange));
    let resumed = engine.change(9, &pause(false)).unwrap();
    assert_eq!(engine.routes(), before);
    let fresh = Seen::Quotes { version: resumed.version };
    wait(&|| log.lock().unwrap().contains(&fresh));
    let report = engine.stop().unwrap();
    assert!(report.identity_holds, "{report:#?}");
    let seen = log.lock().unwrap();
    let of = |phase| {
        seen.iter()
            .filter(|s| matches!(s, Seen::Result { command: 7 | 9, phase: p, .. } if *p == phase))
            .count()
    };
    assert_eq!((of(FLIP_BEGIN), of(FLIP_END)), (2, 2), "{seen:?}");
}

/// A run of one consumer that wants trades alone from `server`, and plays `steps`.
fn of_one_that_trades(
    server: &SimulatedVenue,
    steps: impl Fn() -> Vec<Step> + Send + Sync + 'static,
) -> (Run, Log) {
    let (mut run, log) = scripted(steps);
    run.config.consumers.truncate(1);
    run.config.simulated.enabled = false;
    run.config.venues = vec![VenueConfig {
        name: "alone".to_owned(),
        stream_url: format!("ws://{}/stream", server.address()),
        books: false,
        ..VenueConfig::default()
    }];
    (run, log)
}

/// A venue that refuses the second request to subscribe.
fn venue_that_refuses_the_second() -> SimulatedVenue {
    let options = SimulatedVenueOptions {
        fault_plan: FaultPlan::one(Fault::RefuseSubscribe, Trigger::At(2)),
        ..SimulatedVenueOptions::default()
    };
    SimulatedVenue::start(options).unwrap()
}

fn quotes_on() -> RoutingChange {
    let route = RouteKey {
        venue: VenueId(0),
        instrument: INSTRUMENT,
        kind: EventKind::Quote,
        consumer: ConsumerId(0),
    };
    RoutingChange::Route(RouteChange { route, is_on: true })
}

fn trades(engine: &Engine) -> u64 {
    engine.status().handled
}

#[test]
fn what_nobody_wanted_at_the_start_is_asked_of_the_venue_before_the_flip() {
    let server = venue(6_000_000, 3);
    let (run, log) = of_one_that_trades(&server, Vec::new);
    let asked = std::cell::Cell::new(false);
    let (report, _) = play(run, &log, |seen, engine| {
        if trades(engine) > 0 && !asked.replace(true) {
            assert_eq!(engine.change(1, &[quotes_on()]).unwrap().version, 2);
        }
        seen.contains(&Seen::Quotes { version: 2 })
    });
    assert_eq!(report.venues[0].counters.reconnects, 0);
    server.stop().unwrap();
}

#[test]
fn what_is_asked_for_without_a_connection_comes_with_the_next_one() {
    let server = venue(6_000_000, 3);
    let (run, log) = of_one_that_trades(&server, || {
        vec![Box::new(|ctx| ctx.subscribe(VenueSet::ALL, INSTRUMENT, QUOTES).unwrap())]
    });
    play(run, &log, |seen, _| seen.contains(&Seen::Quotes { version: 2 }));
    server.stop().unwrap();
}

#[test]
fn what_the_venue_refuses_leaves_the_routes_and_the_connection_as_they_were() {
    let server = venue_that_refuses_the_second();
    let (run, log) = of_one_that_trades(&server, Vec::new);
    let refused_at = std::cell::Cell::new(None);
    let (report, seen) = play(run, &log, |_, engine| match refused_at.get() {
        None if trades(engine) > 0 => {
            let error = engine.change(1, &[quotes_on()]).unwrap_err();
            assert_eq!(error, FlipError::VenueRefused { venue: "alone".to_owned(), code: 2 });
            refused_at.set(Some(trades(engine)));
            false
        }
        None => false,
        Some(before) => trades(engine) > before,
    });
    assert_eq!(server.counters().report().faults(FaultName::RefuseSubscribe), 1);
    assert!(!seen.iter().any(|seen| matches!(seen, Seen::Quotes { .. })), "{seen:?}");
    let counters = &report.venues[0].counters;
    assert_eq!((counters.reconnects, report.routing.flips), (0, 0), "trades went on");
    server.stop().unwrap();
}

#[test]
fn a_refusal_of_what_was_asked_for_without_a_connection_does_not_cost_the_connection() {
    let server = venue_that_refuses_the_second();
    let (run, log) = of_one_that_trades(&server, || {
        vec![Box::new(|ctx| ctx.subscribe(VenueSet::ALL, INSTRUMENT, QUOTES).unwrap())]
    });
    let counters = std::sync::Arc::clone(server.counters());
    let is_refused = || counters.report().faults(FaultName::RefuseSubscribe) == 1;
    let (report, _) = play(run, &log, |_, engine| is_refused() && trades(engine) > 100);
    assert_eq!(report.venues[0].counters.reconnects, 0);
    server.stop().unwrap();
}

#[test]
fn a_venue_that_is_not_to_start_stands_by_and_is_not_connected_to() {
    let (served, waiting) = (venue(6_000_000, 1), venue(6_100_000, 2));
    let (mut run, log) = of_one_that_trades(&served, Vec::new);
    run.config.venues.push(VenueConfig {
        name: "waiting".to_owned(),
        stream_url: format!("ws://{}/stream", waiting.address()),
        books: false,
        start: false,
        ..VenueConfig::default()
    });
    let (report, _) = play(run, &log, |_, engine| trades(engine) > 100);
    assert_eq!(waiting.counters().report().connections, 0);
    assert_eq!((report.venues[1].name.as_str(), report.venues[1].counters.frames), ("waiting", 0));
    assert!(served.counters().report().connections > 0);
    served.stop().unwrap();
    waiting.stop().unwrap();
}
