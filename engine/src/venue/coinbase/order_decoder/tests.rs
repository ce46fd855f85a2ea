//! Frames and answers in the venue's words.

use super::*;
use crate::event::Liquidity;
use crate::venue::protocol::{Reach, Reply};

const NAME: &str = "00000001-0003-4700-8000-000000000029";
const ID: &str = "a1b2c3d4-e5f6-7890-abcd-ef1234567890";

fn decoder() -> CoinbaseReports {
    CoinbaseReports::new(SymbolMap::of_test(&["BTC-USD"]), 1 << 20)
}

fn id() -> VenueRef {
    VenueRef::uuid(ID.as_bytes()).unwrap()
}

/// A frame of this number.
fn frame(number: u64, channel: &str, event: &str) -> String {
    format!(
        r#"{{"channel":"{channel}","client_id":"","timestamp":"2026-04-07T14:30:06.000001Z","sequence_num":{number},"events":[{event}]}}"#
    )
}

/// An order of 0.01 as the stream tells it.
fn told(status: &str, filled: &str, left: &str) -> String {
    format!(
        r#"{{"order_id":"{ID}","client_order_id":"{NAME}","cumulative_quantity":"{filled}","leaves_quantity":"{left}","avg_price":"30000.125","total_fees":"0","status":"{status}","product_id":"BTC-USD","order_side":"BUY","order_type":"Limit","cancel_reason":"","contract_expiry_type":"UNKNOWN_CONTRACT_EXPIRY_TYPE"}}"#
    )
}

fn user(number: u64, orders: &[String]) -> String {
    let orders = orders.join(",");
    frame(number, "user", &format!(r#"{{"type":"update","orders":[{orders}]}}"#))
}

fn state(decoder: &mut CoinbaseReports, frame: &str) -> VenueAnswer {
    match decoder.decode(frame.as_bytes()) {
        Ok(OrderMessage::State { name, state, venue_time_ns }) => {
            assert_eq!(name, NAME.as_bytes());
            assert_eq!(venue_time_ns, 1_775_572_206_000_001_000);
            state
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_stream_tells_how_each_order_stands() {
    let mut decoder = decoder();
    let mut told = |number, status, filled, left| {
        state(&mut decoder, &user(number, &[told(status, filled, left)]))
    };
    let open = told(0, "OPEN", "0", "0.01");
    assert_eq!((open.status, open.qty, open.filled_qty), (OrderStatus::New, Some(1_000), 0));
    assert_eq!((open.price, open.quote_total), (None, None), "no price is told");
    assert_eq!((open.venue_order_id, open.side), (id(), Some(Side::Buy)));
    let part = told(1, "OPEN", "0.004", "0.006");
    assert_eq!((part.status, part.filled_qty), (OrderStatus::PartiallyFilled, 400));
    assert_eq!(part.quote_total, Some(1_200_005_000), "average times quantity");
    let whole = told(2, "FILLED", "0.01", "0");
    assert_eq!((whole.status, whole.qty), (OrderStatus::Filled, Some(1_000)));
    let over = told(3, "CANCELLED", "0.004", "0");
    assert_eq!((over.status, over.qty, over.filled_qty), (OrderStatus::Canceled, None, 400));
    assert_eq!(told(4, "FAILED", "0", "0").status, OrderStatus::Rejected);
    assert_eq!(told(5, "FAILED", "0.004", "0").status, OrderStatus::Canceled, "it was taken");
    assert_eq!(told(6, "EXPIRED", "0", "0").status, OrderStatus::Expired);
}

#[test]
fn several_orders_of_a_frame_are_told_one_by_one_and_what_was_taken_in_is_no_news() {
    let mut decoder = decoder();
    let orders = [told("PENDING", "0", "0.01"), told("OPEN", "0", "0.01"), told("MOON", "0", "1")];
    assert_eq!(state(&mut decoder, &user(0, &orders)).status, OrderStatus::New);
    let (next, raw) = decoder.next_of_frame().unwrap();
    let unread = next.unwrap_err();
    assert_eq!((unread.value, unread.name), (Some(&b"MOON"[..]), Some(NAME.as_bytes())));
    assert!(!raw.is_empty() && decoder.next_of_frame().is_none());
    let none = user(1, &[told("QUEUED", "0", "0.01")]);
    assert!(matches!(decoder.decode(none.as_bytes()), Ok(OrderMessage::Other("user"))));
}

#[test]
fn a_number_that_is_left_out_makes_every_order_a_question() {
    let mut decoder = decoder();
    let beat = |number| frame(number, "heartbeats", r#"{"heartbeat_counter":"3049"}"#);
    let mut read = |frame: String| {
        decoder.decode(frame.as_bytes()).map(|_| ()).map_err(|unread| {
            assert_eq!((unread.name, unread.reply), (None, None));
            unread.error.detail
        })
    };
    assert_eq!([read(beat(0)), read(beat(1))], [Ok(()), Ok(())]);
    assert_eq!(read(beat(3)), Err("numbers of frames are left out"));
    assert_eq!(read(beat(4)), Ok(()));
    let orders = user(6, &[told("OPEN", "0", "0.01")]);
    assert_eq!(read(orders), Err("numbers of frames are left out"));
    let (next, _) = decoder.next_of_frame().expect("and what it tells");
    assert!(matches!(next, Ok(OrderMessage::State { .. })));
    decoder.restart();
    assert!(decoder.decode(beat(99).as_bytes()).is_ok(), "a new connection");
}

#[test]
fn a_frame_of_several_orders_that_cant_be_read_names_none_of_them() {
    let mut decoder = decoder();
    let of = [told("OPEN", "0", "0.01"), told("FILLED", "0.01", "0")];
    let named = |decoder: &mut CoinbaseReports, frame: String| {
        let unread = decoder.decode(frame.as_bytes()).map(|_| ()).unwrap_err();
        (unread.name.is_some(), !unread.venue_order_id.is_none())
    };
    let timeless = |orders: &[String]| user(0, orders).replace("timestamp", "time");
    assert_eq!(named(&mut decoder, timeless(&of[..1])), (true, true));
    assert_eq!(named(&mut decoder, timeless(&of)), (false, false), "all are asked for");
    let no_list = frame(0, "user", r#"{"type":"update","orders":{}}"#);
    assert_eq!(named(&mut decoder, no_list), (false, false));
}

#[test]
fn a_subscription_is_granted_or_refused_to_the_step_that_waits() {
    let mut decoder = decoder();
    let granted = |channel: &str| {
        frame(0, "subscriptions", &format!(r#"{{"subscriptions":{{"{channel}":["1"]}}}}"#))
    };
    decoder.subscribing = Some((7, "user"));
    let other = granted("heartbeats");
    assert!(matches!(decoder.decode(other.as_bytes()), Ok(OrderMessage::Other(_))));
    match decoder.decode(granted("user").as_bytes()) {
        Ok(OrderMessage::Reply(reply)) => assert!(reply.id == 7 && reply.outcome.is_ok()),
        other => panic!("{other:?}"),
    }
    let refused = r#"{"type":"error","message":"authentication failure"}"#;
    assert!(matches!(decoder.decode(refused.as_bytes()), Ok(OrderMessage::Unasked(_))));
    decoder.subscribing = Some((8, "user"));
    match decoder.decode(refused.as_bytes()) {
        Ok(OrderMessage::Reply(reply)) => {
            assert_eq!((reply.id, reply.outcome.unwrap_err().code), (8, 4));
        }
        other => panic!("{other:?}"),
    }
}

/// The outcome of an answer over REST: the venue's name and the status of the order, or the code.
fn outcome(
    decoder: &mut CoinbaseReports,
    (id, status): (u64, u16),
    body: &str,
) -> Result<(VenueRef, Option<OrderStatus>), i32> {
    match decoder.decode_rest(id, status, body.as_bytes()) {
        Ok(OrderMessage::Reply(reply)) => {
            assert_eq!(reply.id, id);
            let told = reply.outcome.map(|body| (body.venue_order_id, body.state));
            told.map(|(id, state)| (id, state.map(|state| state.status)))
                .map_err(|failure| failure.code)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_order_and_a_cancel_are_granted_or_refused_in_the_body() {
    let mut decoder = decoder();
    let done = format!(
        r#"{{"success":true,"failure_reason":"UNKNOWN_FAILURE_REASON","order_id":"{ID}","success_response":{{"order_id":"{ID}","product_id":"BTC-USD","side":"BUY","client_order_id":"{NAME}"}}}}"#
    );
    assert_eq!(outcome(&mut decoder, (1, 200), &done), Ok((id(), None)));
    let refused = r#"{"success":false,"failure_reason":"UNKNOWN_FAILURE_REASON","order_id":"","error_response":{"error":"INSUFFICIENT_FUND","message":"","error_details":"","preview_failure_reason":"UNKNOWN_PREVIEW_FAILURE_REASON","new_order_failure_reason":"INVALID_LIMIT_PRICE_POST_ONLY"}}"#;
    assert_eq!(outcome(&mut decoder, (2, 200), refused), Err(14));
    let canceled = |is_done: bool, why: &str| {
        format!(
            r#"{{"results":[{{"success":{is_done},"failure_reason":"{why}","order_id":"{ID}"}}]}}"#
        )
    };
    let granted = canceled(true, "UNKNOWN_CANCEL_FAILURE_REASON");
    assert_eq!(outcome(&mut decoder, (3, 200), &granted), Ok((id(), None)));
    let gone = canceled(false, "UNKNOWN_CANCEL_ORDER");
    assert_eq!(outcome(&mut decoder, (4, 200), &gone), Err(2));
    let several = r#"{"results":[]}"#;
    let unread = decoder.decode_rest(5, 200, several.as_bytes()).unwrap_err();
    assert_eq!(unread.reply, Some(5));
    // A status says enough where a body says nothing.
    for (status, body, code) in [
        (401, "Unauthorized", 5),
        (404, "{}", 1),
        (429, r#"{"errors":[{"id":"rate_limit_exceeded","message":"Too many"}]}"#, 3),
        (400, r#"{"error":"INVALID_ARGUMENT","message":"x"}"#, 18),
        (502, "<html>", 0),
    ] {
        assert_eq!(outcome(&mut decoder, (6, status), body), Err(code), "{status}");
    }
}

/// An order as REST lists it.
fn listed(name: &str, status: &str, filled: &str) -> String {
    format!(
        r#"{{"order_id":"{ID}","client_order_id":"{name}","product_id":"BTC-USD","side":"BUY","status":"{status}","order_configuration":{{"limit_limit_gtc":{{"base_size":"0.01","limit_price":"30000.00","post_only":false}}}},"filled_size":"{filled}","average_filled_price":"29999.5","filled_value":"119.998"}}"#
    )
}

#[test]
fn an_order_is_found_by_its_name_in_the_list_page_by_page() {
    let mut decoder = decoder();
    let page = |orders: &[String], has_next: bool, cursor: &str| {
        let orders = orders.join(",");
        format!(r#"{{"orders":[{orders}],"has_next":{has_next},"cursor":"{cursor}"}}"#)
    };
    let part = |is_settled| move || ListPart { query: "&part=1".into(), is_settled };
    assert_eq!(decoder.looks_for(1, NAME.as_bytes(), part(false)), "&part=1");
    let strange = page(&[listed("another", "OPEN", "0")], true, "789");
    assert_eq!(outcome(&mut decoder, (1, 200), &strange), Err(NOT_LISTED));
    let unmade = || unreachable!("its pages are of one part");
    assert_eq!(decoder.looks_for(2, NAME.as_bytes(), unmade), "&part=1&cursor=789");
    assert_eq!(at_cursor("a+b/c=&x\n~"), "&cursor=a%2Bb%2Fc%3D%26x%0A~", "the venue's own word");
    let here = page(&[listed("another", "OPEN", "0"), listed(NAME, "OPEN", "0.004")], true, "9");
    let found = outcome(&mut decoder, (2, 200), &here);
    assert_eq!(found, Ok((id(), Some(OrderStatus::PartiallyFilled))));
    let first = decoder.looks_for(3, NAME.as_bytes(), part(false));
    assert_eq!(first, "&part=1", "from the beginning again");
    assert_eq!(outcome(&mut decoder, (3, 200), &page(&[], false, "")), Err(NOT_FOUND));
    // Behind a page that could not be shown it goes on, and behind one that is refused begins anew.
    for (status, body, goes_on) in [(429, "{}", true), (503, "", true), (400, "{}", false)] {
        decoder.looks_for(4, NAME.as_bytes(), part(true));
        assert_eq!(outcome(&mut decoder, (4, 200), &strange), Err(NOT_LISTED));
        decoder.looks_for(5, NAME.as_bytes(), unmade);
        assert!(outcome(&mut decoder, (5, status), body).is_err());
        let next = decoder.looks_for(6, NAME.as_bytes(), part(true));
        assert_eq!(next.contains("cursor"), goes_on, "{status}");
        assert_eq!(outcome(&mut decoder, (6, 200), &page(&[], false, "")), Err(NOT_FOUND));
    }
    // A list of several pages that was read while the order may have come in proves nothing.
    decoder.looks_for(7, NAME.as_bytes(), part(false));
    assert_eq!(outcome(&mut decoder, (7, 200), &strange), Err(NOT_LISTED));
    decoder.looks_for(8, NAME.as_bytes(), unmade);
    assert_eq!(outcome(&mut decoder, (8, 200), &page(&[], false, "")), Err(NOT_IN_TIME));
    // A long list is read on after a pause, to its end.
    let mut asked = 0;
    for pause in 1..=3 {
        loop {
            asked += 1;
            decoder.looks_for(10 + asked, NAME.as_bytes(), part(true));
            match outcome(&mut decoder, (10 + asked, 200), &strange) {
                Err(NOT_LISTED) => {}
                told => break assert_eq!(told, Err(NOT_IN_TIME), "it may be further down"),
            }
        }
        assert_eq!(asked, pause * u64::from(PAGES_MAX));
    }
    assert_eq!(decoder.looks_for(89, NAME.as_bytes(), unmade), "&part=1&cursor=789");
    assert_eq!(outcome(&mut decoder, (89, 200), &page(&[], false, "")), Err(NOT_FOUND));
    // By the venue's name.
    let only = format!(r#"{{"order":{}}}"#, listed(NAME, "CANCELLED", "0"));
    decoder.asks_by_name(90, id(), NAME.as_bytes());
    assert_eq!(outcome(&mut decoder, (90, 200), &only), Ok((id(), Some(OrderStatus::Canceled))));
    assert!(!decoder.distrusts(id()));
    let other = format!(r#"{{"order":{}}}"#, listed("another", "OPEN", "0"));
    decoder.asks_by_name(91, id(), NAME.as_bytes());
    assert!(outcome(&mut decoder, (91, 200), &other).is_ok());
    assert!(decoder.distrusts(id()), "it is looked for in the list from now on");
}

#[test]
fn a_change_is_asked_for_or_refused_by_the_first_word_that_says_something() {
    let mut decoder = decoder();
    let mut answer = |body: &str| {
        decoder.amends(1, id());
        outcome(&mut decoder, (1, 200), body)
    };
    assert_eq!(answer(r#"{"success":true,"errors":[]}"#), Ok((id(), None)));
    // As the reference shows it.
    let unknown = r#"{"edit_failure_reason":"UNKNOWN_EDIT_ORDER_FAILURE_REASON","preview_failure_reason":"PREVIEW_INSUFFICIENT_FUND"}"#;
    assert_eq!(answer(&format!(r#"{{"success":true,"errors":[{unknown}]}}"#)), Ok((id(), None)));
    assert_eq!(answer(&format!(r#"{{"success":false,"errors":[{unknown}]}}"#)), Err(13));
    let gone = r#"{"edit_failure_reason":"ORDER_NOT_FOUND"}"#;
    assert_eq!(answer(&format!(r#"{{"success":false,"errors":[{gone}]}}"#)), Err(37));
    assert_eq!(answer(r#"{"success":false}"#), Err(44));
    decoder.amends(2, id());
    assert_eq!(outcome(&mut decoder, (2, 503), ""), Err(0));
    decoder.amends(3, id());
    assert!(decoder.decode_rest(3, 200, b"{}").is_err());
}

#[test]
fn an_order_stands_as_the_last_of_its_changes_says() {
    let mut decoder = decoder();
    let change = |second: u32, size: &str| {
        format!(
            r#"{{"price":"30000.00","size":"{size}","replace_accept_timestamp":"2026-04-07T14:30:0{second}Z"}}"#
        )
    };
    let mut size = |changes: &[String]| {
        let history = format!(r#""edit_history":[{}],"filled_size""#, changes.join(","));
        let order = listed(NAME, "OPEN", "0.004").replace(r#""filled_size""#, &history);
        let only = format!(r#"{{"order":{order}}}"#);
        let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(1, 200, only.as_bytes()) else {
            panic!("a reply")
        };
        reply.outcome.unwrap().state.unwrap().qty
    };
    assert_eq!(size(&[]), Some(1_000));
    let (first, last) = (change(1, "0.009"), change(2, "0.008"));
    assert_eq!(size(&[first.clone(), last.clone()]), Some(800));
    assert_eq!(size(&[last, first]), Some(800), "whichever stands first");
}

#[test]
fn the_answers_to_several_cancels_come_under_their_own_numbers() {
    let other = VenueRef::uuid(b"b1b2c3d4-e5f6-7890-abcd-ef1234567890").unwrap();
    let mut decoder = decoder();
    let mut answers = |status: u16, body: &str| {
        decoder.cancels(7, [id(), other].into_iter());
        let mut told = Vec::new();
        let mut take = |read: Result<OrderMessage<'_>, UnreadFrame<'_>>| match read {
            Ok(OrderMessage::Reply(Reply { id, outcome, reach, .. })) => {
                let failed = outcome.err().map(|failure| (failure.code, failure.unknown.is_some()));
                told.push((id, failed, reach));
            }
            Err(UnreadFrame { reply, reach, .. }) => {
                told.push((reply.unwrap(), Some((i32::MIN, false)), reach));
            }
            other => panic!("{other:?}"),
        };
        take(decoder.decode_rest(7, status, body.as_bytes()));
        while let Some((next, _)) = decoder.next_of_frame() {
            take(next);
        }
        told
    };
    let result = |order: VenueRef, is_done: bool, why: &str| {
        format!(r#"{{"success":{is_done},"failure_reason":"{why}","order_id":"{order}"}}"#)
    };
    let (one, two) = (result(id(), true, ""), result(other, false, "UNKNOWN_CANCEL_ORDER"));
    let both = [(7, None, Reach::One), (8, Some((2, false)), Reach::Last)];
    assert_eq!(answers(200, &format!(r#"{{"results":[{two},{one}]}}"#)), both);
    let moon = result(other, false, "FULL_MOON");
    let told = answers(200, &format!(r#"{{"results":[{one},{moon}]}}"#));
    assert_eq!(told[1], (8, Some((-3, true)), Reach::Last));
    let missing = Some((i32::MIN, false));
    assert_eq!(answers(200, &format!(r#"{{"results":[{two}]}}"#))[0], (7, missing, Reach::One));
    for (status, body) in [(200, "{"), (200, r#"{"results":{}}"#)] {
        assert_eq!(answers(status, body), [(7, missing, Reach::All)], "{body}");
    }
    let stranger = result(VenueRef::number(1), true, "");
    let told = answers(200, &format!(r#"{{"results":[{one},{stranger}]}}"#));
    assert_eq!(told, [(7, missing, Reach::All)], "what else it says is not believed");
    assert_eq!(answers(503, ""), [(7, Some((0, false)), Reach::All)]);
    assert_eq!(answers(401, "Unauthorized"), [(7, Some((5, false)), Reach::All)]);
}

#[test]
fn open_orders_and_balances_are_listed_and_a_list_that_goes_on_is_half_a_list() {
    let mut decoder = decoder();
    let list = |has_next: bool| {
        let orders = [listed(NAME, "OPEN", "0"), listed("another", "OPEN", "0.004")].join(",");
        format!(r#"{{"orders":[{orders}],"has_next":{has_next},"cursor":"x"}}"#)
    };
    for has_next in [false, true] {
        let list = list(has_next);
        let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(1, 200, list.as_bytes()) else {
            panic!("a reply")
        };
        let body = reply.outcome.unwrap();
        assert_eq!((body.listed.len(), body.unreadable.is_some()), (2, has_next));
        let first = &body.listed[0];
        assert_eq!((first.name.as_slice(), first.venue_order_id), (NAME.as_bytes(), id()));
        let (price, state) = first.state.unwrap();
        assert_eq!((price, state.qty), (3_000_000, Some(1_000)));
    }
    let accounts = r#"{"accounts":[{"currency":"BTC","available_balance":{"value":"1.234567890123","currency":"BTC"},"hold":{"value":"0.00500000","currency":"BTC"}},{"currency":"USD","available_balance":{"value":"x","currency":"USD"}}],"has_next":false,"cursor":"","size":2}"#;
    let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(2, 200, accounts.as_bytes()) else {
        panic!("a reply")
    };
    let body = reply.outcome.unwrap();
    assert!(body.unreadable.is_some(), "one of them can't be read");
    let [bitcoin] = body.balances else { panic!("{:?}", body.balances) };
    assert_eq!((bitcoin.asset.as_str(), bitcoin.free.0), ("BTC", 123_456_789));
    assert_eq!(bitcoin.locked.0, 500_000);
}

#[test]
fn fills_are_gathered_over_pages_and_told_oldest_first_with_their_fees() {
    let mut decoder = decoder();
    let fill = |number: u64, second: u64| {
        format!(
            r#"{{"entry_id":"x","trade_id":"0000000{number}-f2ed-4f03-bd24-26b37c8bea56","order_id":"{ID}","trade_time":"2026-04-07T14:30:0{second}Z","trade_type":"FILL","price":"29999.5","size":"0.002","commission":"0.12345678","product_id":"BTC-USD","liquidity_indicator":"MAKER","size_in_quote":false,"side":"BUY"}}"#
        )
    };
    let page = |fills: [String; 2], cursor: &str| {
        let fills = fills.join(",");
        format!(r#"{{"fills":[{fills}],"cursor":"{cursor}"}}"#)
    };
    decoder.pages.ask_newest(1, id());
    let newest = page([fill(4, 4), fill(3, 3)], "next");
    let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(1, 200, newest.as_bytes()) else {
        panic!("a reply")
    };
    assert!(reply.outcome.unwrap().has_older);
    assert_eq!(decoder.pages.ask_older(2, id()).as_deref(), Some("next"));
    let oldest = page([fill(2, 1), fill(1, 1)], "");
    let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(2, 200, oldest.as_bytes()) else {
        panic!("a reply")
    };
    let body = reply.outcome.unwrap();
    let numbers: Vec<u8> =
        body.fills.iter().map(|fill| fill.trade.to_string().as_bytes()[7] - b'0').collect();
    assert_eq!((numbers, body.venue_order_id), (vec![1, 2, 3, 4], id()));
    let first = body.fills[0];
    assert_eq!((first.price, first.qty, first.liquidity), (2_999_950, 200, Some(Liquidity::Maker)));
    for (word, unknown) in [
        ("UNKNOWN_LIQUIDITY_INDICATOR", None),
        ("SOMEBODY", Some(("liquidity indicator of a fill not known", "SOMEBODY"))),
    ] {
        decoder.pages.ask_newest(9, id());
        let fill = fill(1, 1).replace("MAKER", word);
        let list = format!(r#"{{"fills":[{fill}],"cursor":""}}"#);
        let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(9, 200, list.as_bytes()) else {
            panic!("a reply")
        };
        let body = reply.outcome.unwrap();
        assert_eq!((body.fills.len(), body.fills[0].liquidity, body.unknown), (1, None, unknown));
    }
    let quoted = fill(1, 1).replace(r#""size_in_quote":false"#, r#""size_in_quote":true"#);
    let quoted = format!(r#"{{"fills":[{quoted}],"cursor":""}}"#);
    assert!(decoder.decode_rest(3, 200, quoted.as_bytes()).is_err(), "of another currency");
    decoder.pages.ask_newest(4, VenueRef::number(5));
    let strange = page([fill(4, 4), fill(3, 3)], "");
    let unread = decoder.decode_rest(4, 200, strange.as_bytes()).unwrap_err();
    assert_eq!(unread.error.detail, "fill of another order than was asked for");
}
