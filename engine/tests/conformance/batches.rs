//! Cancels that leave in one request, and answers to it that do not tell of each.

use pitlane_engine::event::{ExecReport, ExecType, OrderStatus};
use pitlane_engine::order::OrderAction;

use crate::raw::{Peer, RawServer, text};
use crate::scripted::{Asks, Scripted};
use crate::subject::{Okx, Orders};
use crate::trader::{Trader, TraderOptions, reports};

const NONE: (&str, &str) = ("0.00000", "0.00000");

/// The number of the order that stands first in a text.
fn order_in(text: &str) -> u64 {
    let (_, rest) = text.split_once("p1x0x").expect("a name");
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("digits")
}

/// The numbers of all orders in a request.
fn orders_in(request: &str) -> Vec<u64> {
    request.match_indices("p1x0x").map(|(place, _)| order_in(&request[place..])).collect()
}

fn answer(request: &str, code: &str, results: &[String]) -> String {
    let json: serde_json::Value = serde_json::from_str(request).expect("requests are JSON");
    let (id, op, results) = (&json["id"], &json["op"], results.join(","));
    format!(r#"{{"id":{id},"op":{op},"code":"{code}","msg":"","data":[{results}]}}"#)
}

fn result(id: u64, code: &str) -> String {
    format!(r#"{{"ordId":"77","clOrdId":"p1x0x{id}","sCode":"{code}","sMsg":""}}"#)
}

/// Does what a request for cancels wants, and says so of each.
fn cancel(peer: &mut Peer, request: &str) -> std::io::Result<()> {
    let ids = orders_in(request);
    let results: Vec<_> = ids.iter().map(|id| result(*id, "0")).collect();
    peer.send(&text(&answer(request, "0", &results)))?;
    ids.into_iter().try_for_each(|id| tell_end(peer, id))
}

fn tell_end(peer: &mut Peer, id: u64) -> std::io::Result<()> {
    let end = (ExecType::Canceled, OrderStatus::Canceled);
    peer.tell(&Okx::report(&Okx::name(id), 20 + id, end.0, end.1, NONE))
}

/// A trader with three orders that rest, whose cancels leave together; the first request for them
/// is answered by `first`, later ones are done. No answer is overdue in the time of a test.
fn cancel_three(
    first: impl Fn(&mut Peer, &str) -> std::io::Result<()> + Send + 'static,
) -> (RawServer, Trader<Okx>) {
    let mut is_first = true;
    let server = RawServer::start(move |_, peer| {
        Okx::log_on(peer)?;
        loop {
            let request = peer.read_text()?;
            if Okx::asks(&request) == Asks::ToPlace {
                let id = order_in(&request);
                peer.reply(&request, &Okx::acknowledged(&request))?;
                let new = (ExecType::New, OrderStatus::New);
                peer.tell(&Okx::report(&Okx::name(id), 10 + id, new.0, new.1, NONE))?;
            } else if Okx::asks(&request) == Asks::HowItStands {
                let name = Okx::name(order_in(&request));
                peer.reply(&request, &Okx::stands(&request, &name, OrderStatus::New, NONE.1))?;
            } else if std::mem::take(&mut is_first) {
                assert_eq!(orders_in(&request), [1, 2, 3], "they leave together: {request}");
                first(peer, &request)?;
            } else {
                cancel(peer, &request)?;
            }
        }
    });
    let options = TraderOptions { answer_ms: 600_000, ..server.options() };
    let mut trader = Trader::<Okx>::new(server.address, &options);
    trader.drive_to_ready();
    for id in 1..=3 {
        trader.submit_resting(id);
        trader.drive_to(id, OrderStatus::New);
    }
    for id in 1..=3 {
        trader.command(OrderAction::Cancel, id, |_| {});
    }
    (server, trader)
}

#[test]
fn cancels_that_are_refused_together_are_refused_each() {
    let (_server, mut trader) =
        cancel_three(|peer, request| peer.send(&text(&answer(request, "51000", &[]))));
    trader.drive("each refusal", |seen, _| {
        (1..=3).all(|id| {
            let last = reports(seen, id).last().copied();
            last.is_some_and(|report| {
                report.exec_type() == Some(ExecType::CancelRejected) && report.venue_code == 51_000
            })
        })
    });
    for id in 1..=3 {
        trader.command(OrderAction::Cancel, id, |_| {});
    }
    for id in 1..=3 {
        trader.drive_to(id, OrderStatus::Canceled);
    }
    trader.assert_sound();
}

/// Cancels whose answer is `first` are sent again as far as nobody knows of them.
fn sent_again(first: impl Fn(&mut Peer, &str) -> std::io::Result<()> + Send + 'static) {
    let (_server, mut trader) = cancel_three(first);
    for id in 1..=3 {
        trader.drive_to(id, OrderStatus::Canceled);
    }
    for id in 1..=3 {
        let told: Vec<_> = trader.reports(id).iter().filter_map(ExecReport::exec_type).collect();
        assert!(!told.contains(&ExecType::CancelRejected), "{told:?}");
    }
    trader.assert_sound();
}

#[test]
fn cancels_that_an_answer_leaves_out_are_sent_again() {
    sent_again(|peer, request| {
        peer.send(&text(&answer(request, "0", &[result(1, "0")])))?;
        tell_end(peer, 1)
    });
}

#[test]
fn cancels_that_the_venue_had_no_time_for_are_sent_again() {
    sent_again(|peer, request| peer.send(&text(&answer(request, "50061", &[]))));
}

#[test]
fn a_cancel_whose_part_of_the_answer_can_not_be_read_is_sent_again() {
    sent_again(|peer, request| {
        let results = [result(1, "0"), result(2, "soon"), result(3, "0")];
        peer.send(&text(&answer(request, "2", &results)))?;
        tell_end(peer, 1)?;
        tell_end(peer, 3)
    });
}

#[test]
fn cancels_whose_answer_can_not_be_read_are_sent_again() {
    sent_again(|peer, request| {
        let whole = answer(request, "0", &[result(1, "0"), result(2, "0"), result(3, "0")]);
        peer.send(&text(&whole[..whole.len() - 9]))
    });
}
