//! Every field of an order in an answer, with every absurdity that it may have (F32): in the answer
//! to a query, and in the reply to a new order, an amendment and a cancel. Nothing of it counts; it
//! is kept, alarmed, and the venue is asked again.

use std::sync::{Arc, Mutex};

use pitlane_engine::event::{ExecReport, ExecType, OrderStatus};
use pitlane_engine::order::OrderAction;

use crate::raw::{RawServer, text};
use crate::scripted::{execution, id_of, log_on};
use crate::subject::BinanceSpot;
use crate::trader::{QTY, Trader, TraderOptions, fills, reports};

/// Fields of an answer, as they stand in it, and what is absurd there. `FILLED` in an answer about
/// an order that rests would be a fill of the whole.
const FIELDS: [(&str, &[&str]); 9] = [
    (r#""symbol":"BTCUSDT""#, &[r#""symbol":"ETHUSDT""#, r#""symbol":"MOON""#, r#""symbol":null"#]),
    (r#""orderId":77"#, &[r#""orderId":78"#, r#""orderId":0"#, r#""orderId":-1"#, ID_TEXT]),
    (
        r#""clientOrderId":"p1-0-1""#,
        &[r#""clientOrderId":"""#, r#""clientOrderId":"p1-0-2""#, r#""clientOrderId":7"#, NAME],
    ),
    (
        r#""price":"30000.00""#,
        &[r#""price":"30000.01""#, r#""price":"0""#, r#""price":"-1""#, r#""price":30000"#, PRICE],
    ),
    (
        r#""stopPrice":"0.00""#,
        &[r#""stopPrice":"29000.00""#, r#""stopPrice":"-1""#, r#""stopPrice":"soon""#],
    ),
    (
        r#""origQty":"0.01000""#,
        &[r#""origQty":"0.02000""#, r#""origQty":"0""#, r#""origQty":"-0.01""#, r#""origQty":1"#],
    ),
    (
        r#""executedQty":"0.00000""#,
        &[r#""executedQty":"0.02000""#, r#""executedQty":"-0.01""#, r#""executedQty":"all""#],
    ),
    (
        r#""status":"NEW""#,
        &[r#""status":"FILLED""#, r#""status":"OPEN""#, r#""status":"""#, r#""status":7"#],
    ),
    (r#""side":"BUY""#, &[r#""side":"SELL""#, r#""side":"HOLD""#, r#""side":true"#]),
];
const ID_TEXT: &str = r#""orderId":"77""#;
const NAME: &str = r#""clientOrderId":"somebody""#;
const PRICE: &str = r#""price":"92233720368547758.08""#;

/// How the order stands, in the words of a query.
const STANDS: &str = r#"{"symbol":"BTCUSDT","orderId":77,"clientOrderId":"p1-0-1","price":"30000.00","stopPrice":"0.00","origQty":"0.01000","executedQty":"0.00000","cummulativeQuoteQty":"0","status":"NEW","side":"BUY"}"#;

/// Which answer is absurd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Place,
    Query,
    Amend,
    Cancel,
}

impl To {
    /// The first request of its kind, by a word in it.
    fn is_asked_by(self, request: &str) -> bool {
        request.contains(match self {
            To::Place => "order.place",
            To::Query => "order.status",
            To::Amend => "order.amend",
            To::Cancel => "order.cancel",
        })
    }

    /// The true answer, as the venue words it.
    fn words(self) -> String {
        match self {
            To::Place | To::Query => STANDS.to_owned(),
            To::Amend => {
                let order = STANDS
                    .replace("origQty", "qty")
                    .replace("cummulativeQuoteQty", "cumulativeQuoteQty")
                    .replace("0.01000", "0.00500");
                format!(r#"{{"transactTime":5,"executionId":9,"amendedOrder":{order}}}"#)
            }
            To::Cancel => STANDS
                .replace("clientOrderId", "origClientOrderId")
                .replace(r#""NEW""#, r#""CANCELED""#),
        }
    }

    /// The answer with one field as another text; `None` where it has no such field.
    fn absurd(self, field: &str, absurdity: &str) -> Option<String> {
        let renamed = |text: &str| match self {
            To::Place | To::Query => text.to_owned(),
            To::Amend => text.replace("origQty", "qty").replace("0.01000", "0.00500"),
            To::Cancel => text
                .replace("clientOrderId", "origClientOrderId")
                .replace(r#""status":"NEW""#, r#""status":"CANCELED""#),
        };
        let (words, field) = (self.words(), renamed(field));
        words.contains(&field).then(|| words.replace(&field, &renamed(absurdity)))
    }
}

/// What a run came to.
struct Outcome {
    told: Vec<ExecReport>,
    queries: usize,
    contradictions: u64,
    letters: usize,
}

/// An order rests (but for `To::Place`, whose reply is the first word on it), `absurd` is the first
/// answer of that kind, all others are true; the end is told once by a report.
fn run(to: To, absurd: String) -> Outcome {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let mut first = Some(absurd);
    let server = RawServer::start(move |_, peer| {
        log_on(peer)?;
        loop {
            let request = peer.read_text()?;
            let is_first = to.is_asked_by(&request);
            let known = [To::Place, To::Query, To::Amend, To::Cancel];
            let kind = known.into_iter().find(|kind| kind.is_asked_by(&request));
            if kind == Some(To::Place) && to != To::Place {
                peer.send(&text(&execution("p1-0-1", 10, "NEW", "NEW", "0", "0")))?;
            }
            let result = match first.take_if(|_| is_first) {
                Some(absurd) => absurd,
                None => kind.map_or("{}".to_owned(), To::words),
            };
            let id = id_of(&request);
            log.lock().unwrap().push(request);
            peer.send(&text(&format!(r#"{{"id":{id},"status":200,"result":{result}}}"#)))?;
        }
    });
    let mut trader = Trader::<BinanceSpot>::new(server.address, &TraderOptions::default());
    trader.drive_to_ready();
    trader.submit_resting(1);
    if to != To::Place {
        trader.drive("it rests", |seen, _| !reports(seen, 1).is_empty());
    }
    match to {
        To::Place => {}
        To::Query => trader.command(OrderAction::Query, 1, |_| {}),
        To::Amend => trader.command(OrderAction::Modify, 1, |order| {
            (order.price, order.qty) = (3_000_000, QTY / 2);
        }),
        To::Cancel => trader.command(OrderAction::Cancel, 1, |_| {}),
    }
    let asked_for = |asked: &Mutex<Vec<String>>| {
        let asked = asked.lock().unwrap();
        asked.iter().filter(|request| request.contains("order.status")).count()
    };
    let least = 1 + usize::from(to == To::Query);
    trader.drive("the venue is asked", |_, counters| {
        asked_for(&asked) >= least && counters.contradictions > 0
    });
    trader.assert_sound();
    let counters = trader.counters();
    assert_eq!(counters.reconnects, 0, "an absurd word costs no session");
    Outcome {
        told: trader.reports(1),
        queries: asked_for(&asked),
        contradictions: counters.contradictions,
        letters: trader.outlet.seen().letters.len(),
    }
}

/// What is wrong with an outcome.
fn wrong_with(outcome: &Outcome) -> Option<&'static str> {
    let is_over = |report: &ExecReport| report.status().is_some_and(OrderStatus::is_terminal);
    let is_replaced = |report: &ExecReport| report.exec_type() == Some(ExecType::Replaced);
    let checks = [
        (fills(&outcome.told).is_empty(), "a fill is told"),
        (!outcome.told.iter().any(is_over), "an end is told"),
        (!outcome.told.iter().any(is_replaced), "an amendment is told"),
        (outcome.contradictions > 0, "not alarmed"),
        (outcome.letters > 0, "not kept"),
        (outcome.queries > 0, "not asked for"),
    ];
    checks.into_iter().find(|(is_right, _)| !is_right).map(|(_, wrong)| wrong)
}

/// By absurdity of one field, what is wrong.
fn every_absurdity(
    to: To,
    field: &str,
    absurdities: &[&str],
) -> Vec<(String, Option<&'static str>)> {
    let absurd = |text: &&str| Some(((*text).to_owned(), to.absurd(field, text)?));
    let cells = absurdities.iter().filter_map(absurd);
    cells.map(|(text, absurd)| (text, wrong_with(&run(to, absurd)))).collect()
}

fn every_field_of_an_answer(to: To) {
    let mut cells = Vec::new();
    std::thread::scope(|scope| {
        // Much of a run is waiting.
        let field = |(field, absurdities): (&'static str, &'static [&'static str])| {
            scope.spawn(move || every_absurdity(to, field, absurdities))
        };
        let fields: Vec<_> = FIELDS.into_iter().map(field).collect();
        fields.into_iter().for_each(|field| cells.extend(field.join().expect("no panic")));
    });
    println!("{to:?}: {} cells", cells.len());
    let wrong: Vec<_> = cells.iter().filter(|(_, wrong)| wrong.is_some()).collect();
    assert!(cells.len() > 30 && wrong.is_empty(), "{to:?}: {wrong:#?}");
}

#[test]
fn every_field_of_the_answer_to_a_query_is_held_against_the_order() {
    every_field_of_an_answer(To::Query);
}

#[test]
fn every_field_of_the_reply_to_a_new_order_is_held_against_it() {
    every_field_of_an_answer(To::Place);
}

#[test]
fn every_field_of_the_reply_to_an_amendment_is_held_against_the_order() {
    every_field_of_an_answer(To::Amend);
}

#[test]
fn every_field_of_the_reply_to_a_cancel_is_held_against_the_order() {
    every_field_of_an_answer(To::Cancel);
}
