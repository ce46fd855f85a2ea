//! Accounts whose stream has a name that the logon tells, and that may be another one by now; and
//! what such a stream says of orders that are none of ours.

use std::io;

use pitlane_engine::event::{ExecType, OrderStatus};

use crate::harness::{keep_log, logged};
use crate::raw::{Peer, RawServer, text};
use crate::scripted::{Scripted, id_of};
use crate::subject::BinanceFutures;
use crate::trader::{Trader, TraderOptions};

type Futures = Trader<BinanceFutures>;

fn granted(request: &str, result: &str) -> Vec<u8> {
    text(&format!(r#"{{"id":{},"status":200,"result":{result}}}"#, id_of(request)))
}

/// The next request of this method. What was asked over REST before is not waited for any more.
fn read(peer: &mut Peer, method: &str) -> io::Result<String> {
    loop {
        let request = peer.read_text()?;
        if request.contains(method) {
            return Ok(request);
        }
    }
}

/// Grants a session, and names the account's stream so; `None`: by no name at all.
fn log_on_to(peer: &mut Peer, stream: Option<&str>) -> io::Result<()> {
    peer.shake_hands()?;
    let logon = read(peer, "session.logon")?;
    peer.send(&granted(&logon, "{}"))?;
    let start = read(peer, "userDataStream.start")?;
    let told = stream.map_or("{}".to_owned(), |key| format!(r#"{{"listenKey":"{key}"}}"#));
    peer.send(&granted(&start, &told))
}

fn path_of(stream: &str) -> String {
    format!("GET /private/ws?listenKey={stream} HTTP/1.1")
}

fn trader_at(server: &RawServer, name: &'static str) -> Futures {
    keep_log();
    let options = TraderOptions { name, ..server.options() };
    Futures::new(server.address, &options)
}

#[test]
fn a_name_that_was_told_before_the_connection_was_lost_is_not_connected_to() {
    let server = RawServer::start(|number, peer| {
        if number > 0 {
            log_on_to(peer, Some("second"))?;
            return peer.wait_for_end();
        }
        log_on_to(peer, Some("first"))?;
        // The session is whole by then, and has no more use for a name; as in an upkeep's answer.
        let place = read(peer, "order.place")?;
        peer.send(&granted(&place, r#"{"listenKey":"first"}"#))
    });
    let mut trader = trader_at(&server, "stale-name");
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive("the second stream", |_, _| server.streams().contains(&path_of("second")));
    assert_eq!(server.streams(), [path_of("first"), path_of("second")]);
    trader.assert_sound();
}

#[test]
fn a_hand_over_to_a_session_whose_stream_has_another_name_begins_anew() {
    let mut kept = Vec::new();
    let server = RawServer::start(move |number, peer| {
        let stream = if number == 0 { "first" } else { "second" };
        log_on_to(peer, Some(stream))?;
        if number > 0 {
            return peer.wait_for_end();
        }
        let place = read(peer, "order.place")?;
        peer.send(&granted(&place, "{}"))?;
        // It will end, and does not before the next one has taken over.
        kept.push(peer.stream.try_clone()?);
        peer.send(&text(r#"{"e":"serverShutdown","E":1}"#))
    });
    let mut trader = trader_at(&server, "other-name");
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive("the second stream", |_, _| server.streams().contains(&path_of("second")));
    assert_eq!(server.streams(), [path_of("first"), path_of("second")]);
    assert!(logged(&["[other-name]", "has another name by now"]));
    assert_eq!(trader.counters().handed_over, 1);
    trader.assert_sound();
}

#[test]
fn a_hand_over_takes_the_stream_along() {
    let mut kept = Vec::new();
    let server = RawServer::start(move |number, peer| {
        log_on_to(peer, Some("only"))?;
        let place = read(peer, "order.place")?;
        peer.send(&granted(&place, "{}"))?;
        if number == 0 {
            // It will end, and does not before the next one has taken over.
            kept.push(peer.stream.try_clone()?);
            return peer.send(&text(r#"{"e":"serverShutdown","E":1}"#));
        }
        // On the connection of the stream that was made last.
        let (name, all) = ("p1-0-2", ("0.01000", "0.01000"));
        peer.tell(&BinanceFutures::report(name, 12, ExecType::Trade, OrderStatus::Filled, all))?;
        peer.wait_for_end()
    });
    let mut trader = trader_at(&server, "taken-along");
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive("the hand-over", |_, _| logged(&["[taken-along]", "stream has handed over"]));
    trader.submit_resting(2);
    trader.drive_to(2, OrderStatus::Filled);
    assert_eq!(server.streams(), [path_of("only"), path_of("only")]);
    let counters = trader.counters();
    assert_eq!((counters.handed_over, counters.reconnects), (1, 0));
    trader.assert_sound();
}

#[test]
fn a_logon_that_names_no_stream_is_given_up_and_made_again() {
    let server = RawServer::start(|number, peer| {
        log_on_to(peer, Some("first").filter(|_| number > 0))?;
        peer.wait_for_end()
    });
    let mut trader = trader_at(&server, "no-name");
    trader.drive_to_ready();
    assert_eq!((server.accepted(), trader.counters().reconnects), (2, 1));
    assert!(logged(&["[no-name]", "did not name the account's stream"]));
    trader.assert_sound();
}

/// The venue closes a position by an order of its own.
#[test]
fn a_fill_of_an_order_that_is_none_of_ours_is_an_error_and_is_counted() {
    let server = RawServer::start(|_, peer| {
        BinanceFutures::log_on(peer)?;
        peer.read_text()?;
        let (all, name) = (("0.01000", "0.01000"), "autoclose-17");
        let report = |exec, status, filled| BinanceFutures::report(name, 12, exec, status, filled);
        peer.tell(&report(ExecType::New, OrderStatus::New, ("0", "0")))?;
        let fill = report(ExecType::Trade, OrderStatus::Filled, all);
        peer.tell(&fill.replace(r#""x":"TRADE""#, r#""x":"CALCULATED""#))?;
        peer.wait_for_end()
    });
    let mut trader = trader_at(&server, "liquidated");
    trader.drive_to_ready();
    trader.submit_resting(1);
    trader.drive("the fill", |_, counters| counters.contradictions >= 1);
    assert_eq!(trader.counters().contradictions, 1, "what is no fill moves no position");
    assert!(logged(&["ERROR", "[liquidated]", "autoclose-17", "(code: foreign_fill)"]));
    trader.assert_sound();
}
