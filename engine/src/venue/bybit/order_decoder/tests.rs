//! Frames in the form of the venue's pages, and what is wrong with others.

use proptest::prelude::*;

use super::*;
use crate::event::{InstrumentId, Liquidity};
use crate::venue::protocol::Reach;

const ORDER: &str = r#"{"category":"spot","symbol":"BTCUSDT","orderId":"1523347543495541248","orderLinkId":"p1-3-41","side":"Sell","orderType":"Limit","price":"31527.1","qty":"0.002","timeInForce":"GTC","orderStatus":"New","cancelType":"UNKNOWN","rejectReason":"EC_NoError","cumExecQty":"0","cumExecValue":"0","avgPrice":"","createdTime":"1672364262444","updatedTime":"1672364262457"}"#;
const FILL: &str = r#"{"category":"spot","symbol":"BTCUSDT","orderId":"1523347543495541248","orderLinkId":"p1-3-41","side":"Sell","orderPrice":"31527.1","orderQty":"0.002","leavesQty":"0.001","execType":"Trade","execId":"2290000000061666327","execPrice":"31527.2","execQty":"0.001","execFee":"0.0315272999","feeCurrency":"USDT","isMaker":false,"execTime":"1746270400353"}"#;

fn decoder() -> BybitReports {
    BybitReports::new(SymbolMap::of_test(&["BTCUSDT"]), 1 << 20)
}

fn frame(topic: &str, elements: &[&str]) -> String {
    let data = elements.join(",");
    format!(r#"{{"id":"1","topic":"{topic}","creationTime":1672364262474,"data":[{data}]}}"#)
}

/// What a frame tells: reports, or what was wrong with each and the unknown word.
fn reports(topic: &str, elements: &[&str]) -> Vec<Result<VenueReport, (LetterReason, String)>> {
    let (mut decoder, frame) = (decoder(), frame(topic, elements));
    let told = |read: Result<OrderMessage<'_>, UnreadFrame<'_>>| match read {
        Ok(OrderMessage::Report { name, report, .. }) => {
            assert_eq!(name, b"p1-3-41");
            Some(Ok(report))
        }
        Ok(OrderMessage::Other("order")) => None,
        Ok(other) => panic!("{other:?}"),
        Err(unread) => {
            let word = String::from_utf8_lossy(unread.value.unwrap_or_default()).into_owned();
            Some(Err((unread.error.reason, word)))
        }
    };
    let mut all = vec![told(decoder.decode(frame.as_bytes()))];
    while let Some((next, _)) = decoder.next_of_frame() {
        all.push(told(next));
    }
    all.into_iter().flatten().collect()
}

#[test]
fn a_fill_is_told_by_its_execution_alone() {
    let fill = reports("execution.spot", &[FILL])[0].clone().unwrap();
    let expected = VenueReport {
        exec_type: ExecType::Trade,
        status: OrderStatus::PartiallyFilled,
        venue_order_id: VenueRef::number(1_523_347_543_495_541_248),
        execution_id: VenueRef::number(2_290_000_000_061_666_327),
        instrument: InstrumentId(0),
        side: Side::Sell,
        price: 3_152_710,
        trigger_price: None,
        qty: 200,
        last_price: 3_152_720,
        last_qty: 100,
        filled_qty: 100,
        prevented_qty: None,
        quote_total: None,
        fee: Some((3_152_729, asset_code("USDT").unwrap())),
        liquidity: Some(Liquidity::Taker),
        expiry: ExpiryReason::None,
    };
    assert_eq!(fill, expected);
    let last = FILL.replace(r#""leavesQty":"0.001""#, r#""leavesQty":"0""#);
    let last = reports("execution.spot", &[&last])[0].clone().unwrap();
    assert_eq!((last.status, last.filled_qty), (OrderStatus::Filled, 200));
    let filled = ORDER.replace("\"New\"", "\"Filled\"");
    assert_eq!(reports("order.spot", &[&filled]), [], "the same again");
}

#[test]
fn what_an_order_tells_follows_from_its_status_and_reasons() {
    use {ExecType as Exec, ExpiryReason as Why, OrderStatus as Status};
    let told = |text: &str| {
        let report = reports("order.spot", &[text])[0].clone().unwrap();
        (report.exec_type, report.status, report.expiry)
    };
    assert_eq!(told(ORDER), (Exec::New, Status::New, Why::None));
    let rejected = ORDER.replace("\"New\"", "\"Rejected\"");
    assert_eq!(told(&rejected), (Exec::Rejected, Status::Rejected, Why::None));
    for (cancel, reject, expected) in [
        ("CancelByUser", "EC_PerCancelRequest", (Exec::Canceled, Status::Canceled, Why::None)),
        ("UNKNOWN", "EC_NoImmediateQtyToFill", (Exec::Expired, Status::Expired, Why::UnfilledIoc)),
        ("UNKNOWN", "EC_CancelForNoFullFill", (Exec::Expired, Status::Expired, Why::UnfilledFok)),
        (
            "UNKNOWN",
            "EC_PostOnlyWillTakeLiquidity",
            (Exec::Expired, Status::Expired, Why::Rejected),
        ),
        ("CancelBySmp", "EC_NoError", (Exec::Expired, Status::Expired, Why::SelfTrade)),
        ("CancelByMoon", "EC_Moon", (Exec::Canceled, Status::Canceled, Why::Unlisted)),
    ] {
        for status in ["Cancelled", "PartiallyFilledCanceled"] {
            let ended = ORDER
                .replace("\"New\"", &format!("\"{status}\""))
                .replace("\"UNKNOWN\"", &format!("\"{cancel}\""))
                .replace("EC_NoError", reject);
            assert_eq!(told(&ended), expected, "{cancel} {reject}");
        }
    }
}

#[test]
fn each_of_several_is_told_and_one_that_can_not_be_read_costs_no_other() {
    let strange = ORDER.replace("\"New\"", "\"Half\"");
    let told = reports("order", &[&strange, ORDER, &ORDER.replace("BTCUSDT", "MOONUSDT")]);
    assert_eq!(told[0], Err((LetterReason::Unknown, "Half".to_owned())));
    assert!(told[1].is_ok());
    assert_eq!(told[2], Err((LetterReason::Symbol, String::new())));
    for (from, to, reason) in [
        (r#""execType":"Trade""#, r#""execType":"Funding""#, LetterReason::Unknown),
        (r#""leavesQty":"0.001""#, r#""leavesQty":"0.0015""#, LetterReason::Nonsense),
        (r#""leavesQty":"0.001""#, r#""leavesQty":"-0.001""#, LetterReason::Nonsense),
        (r#""side":"Sell""#, r#""side":"Hold""#, LetterReason::Unknown),
        (r#""execPrice":"31527.2""#, r#""execPrice":"""#, LetterReason::Number),
    ] {
        let wrong = reports("execution", &[&FILL.replace(from, to)])[0].clone().unwrap_err();
        assert_eq!(wrong.0, reason, "{to}");
    }
}

#[test]
fn replies_are_found_by_their_numbers_on_either_connection() {
    let mut decoder = decoder();
    let mut outcome = |frame: &str| match decoder.decode(frame.as_bytes()) {
        Ok(OrderMessage::Reply(reply)) => {
            (reply.id, reply.outcome.map(|_| ()).map_err(|failure| failure.code))
        }
        Ok(OrderMessage::Unasked(failure)) => (0, Err(failure.code)),
        other => panic!("{frame}: {other:?}"),
    };
    let placed = r#"{"reqId":"5.1711001595207","retCode":0,"retMsg":"OK","op":"order.create","data":{"orderId":"a4c1718e-fe53-4659-a118-1f6ecce04ad9","orderLinkId":""},"retExtInfo":{},"connId":"c"}"#;
    assert_eq!(outcome(placed), (5, Ok(())));
    assert_eq!(
        outcome(&placed.replace(r#""retCode":0"#, r#""retCode":170131"#)),
        (5, Err(170_131))
    );
    let subscribed = r#"{"success":true,"ret_msg":"","op":"subscribe","req_id":"7","conn_id":"c"}"#;
    assert_eq!(outcome(subscribed), (7, Ok(())));
    assert_eq!(outcome(&subscribed.replace("true", "false")), (7, Err(NOT_DONE)));
    let failed = r#"{"retCode":10004,"retMsg":"invalid sign","op":"auth","connId":"c"}"#;
    assert_eq!(outcome(failed), (0, Err(10_004)));
    decoder.logon = Some(9);
    let Ok(OrderMessage::Reply(reply)) = decoder.decode(failed.as_bytes()) else { panic!() };
    assert_eq!((reply.id, decoder.logon), (9, None));
    let pong = br#"{"retCode":0,"retMsg":"OK","op":"pong","data":["1711002002529"],"connId":"c"}"#;
    assert!(matches!(decoder.decode(pong), Ok(OrderMessage::Other("pong"))));
}

#[test]
fn answers_over_rest_tell_states_fills_and_what_is_not_there() {
    let mut decoder = decoder();
    let list = |entries: &[&str]| {
        let list = entries.join(",");
        format!(r#"{{"retCode":0,"retMsg":"OK","result":{{"category":"spot","list":[{list}]}}}}"#)
    };
    let mut outcome =
        |status: u16, body: &str| match decoder.decode_rest(6, status, body.as_bytes()) {
            Ok(OrderMessage::Reply(reply)) => reply
                .outcome
                .map(|body| (body.state, body.fills.to_vec()))
                .map_err(|failure| (failure.status, failure.code)),
            other => panic!("{other:?}"),
        };
    let filled = ORDER.replace("\"New\"", "\"Filled\"");
    let filled = filled.replace(r#""cumExecQty":"0""#, r#""cumExecQty":"0.002""#);
    let filled = filled.replace(r#""cumExecValue":"0""#, r#""cumExecValue":"63.0543""#);
    let (state, _) = outcome(200, &list(&[&filled])).unwrap();
    let state = state.unwrap();
    assert_eq!((state.status, state.filled_qty), (OrderStatus::Filled, 200));
    assert_eq!((state.quote_total, state.price), (Some(630_543_000), Some(3_152_710)));
    let older = FILL.replace("2290000000061666327", "2290000000061666326");
    let (_, fills) = outcome(200, &list(&[FILL, &older])).unwrap();
    let trades: Vec<_> = fills.iter().filter_map(|fill| fill.trade.as_number()).collect();
    assert_eq!(trades, [2_290_000_000_061_666_326, 2_290_000_000_061_666_327]);
    assert_eq!(outcome(200, &list(&[])), Err((200, NONE_LISTED)));
    assert_eq!(outcome(200, r#"{"retCode":10002,"retMsg":"","result":{}}"#), Err((200, 10_002)));
    assert_eq!(outcome(502, "<html>"), Err((502, 0)));
    assert!(decoder.decode_rest(6, 200, b"<html>").is_err_and(|unread| unread.reply == Some(6)));
}

#[test]
fn balances_are_what_is_there_less_what_orders_hold() {
    let mut decoder = decoder();
    let frame = frame(
        "wallet",
        &[
            r#"{"accountType":"UNIFIED","coin":[{"coin":"USDT","walletBalance":"10.123456789","locked":"0.5"},{"coin":"BTC","walletBalance":"1","locked":"2"}]}"#,
        ],
    );
    let Ok(OrderMessage::Balances { entries, unreadable, .. }) = decoder.decode(frame.as_bytes())
    else {
        panic!()
    };
    let told: Vec<_> = entries.iter().map(|entry| (entry.free, entry.locked)).collect();
    assert_eq!(told, [(AssetAmount(962_345_678), AssetAmount(50_000_000))]);
    assert_eq!(unreadable.map(|error| error.reason), Some(LetterReason::Nonsense));
}

proptest! {
    #[test]
    fn arbitrary_and_changed_frames_never_panic(
        original in prop::sample::select(vec![frame("order.spot", &[ORDER]), frame("execution", &[FILL])]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        noise in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut frame = original.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        let mut decoder = decoder();
        for bytes in [&frame, &noise] {
            let _outcome = decoder.decode(bytes);
            while decoder.next_of_frame().is_some() {}
            let _outcome = decoder.decode_rest(7, 200, bytes);
        }
        prop_assert!(decoder.decode(original.as_bytes()).is_ok());
    }
}

#[test]
fn each_of_several_cancels_has_its_answer_under_its_own_number() {
    let mut decoder = BybitReports::new(SymbolMap::of_test(&["BTCUSDT"]), 1 << 20);
    let frame = br#"{"reqId":"7.1000","retCode":0,"retMsg":"OK","op":"order.cancel-batch","data":{"list":[{"category":"spot","symbol":"BTCUSDT","orderId":"11","orderLinkId":"p1-0-1"},{"category":"spot","symbol":"BTCUSDT","orderId":"","orderLinkId":"p1-0-2"}]},"retExtInfo":{"list":[{"code":0,"msg":"OK"},{"code":170213,"msg":"Order does not exist."}]},"header":{"Timenow":"1"},"connId":"0"}"#;
    let Ok(OrderMessage::Reply(first)) = decoder.decode(frame) else { panic!("a reply") };
    let body = first.outcome.unwrap();
    assert_eq!((first.id, first.reach, body.name), (7, Reach::One, b"p1-0-1".as_slice()));
    let Some((Ok(OrderMessage::Reply(second)), _)) = decoder.next_of_frame() else {
        panic!("another")
    };
    assert_eq!((second.id, second.outcome.unwrap_err().code), (8, 170_213));
    assert_eq!(second.reach, Reach::Last);
    assert!(decoder.next_of_frame().is_none());
    // One that can't be read costs no other its answer.
    let frame = br#"{"reqId":"7.1000","retCode":0,"retMsg":"OK","op":"order.cancel-batch","data":{"list":[{"orderId":"11","orderLinkId":"p1-0-1"},{"orderId":"","orderLinkId":"p1-0-2"}]},"retExtInfo":{"list":[{"msg":"OK"},{"code":0,"msg":"OK"}]}}"#;
    let unread = decoder.decode(frame).unwrap_err();
    assert_eq!((unread.reply, unread.name, unread.reach), (Some(7), None, Reach::One));
    let Some((Ok(OrderMessage::Reply(second)), raw)) = decoder.next_of_frame() else {
        panic!("another")
    };
    assert_eq!((second.id, second.outcome.is_ok(), raw), (8, true, frame.as_slice()));
    // One answer for all.
    let frame = br#"{"reqId":"7.1000","retCode":10006,"retMsg":"Too many visits!","op":"order.cancel-batch","data":{},"retExtInfo":{},"header":{"Timenow":"1"},"connId":"0"}"#;
    let Ok(OrderMessage::Reply(all)) = decoder.decode(frame) else { panic!("a reply") };
    assert_eq!((all.id, all.reach, all.outcome.unwrap_err().code), (7, Reach::All, 10_006));
}

#[test]
fn a_question_for_an_order_that_is_not_present_goes_to_the_history_whatever_says_so() {
    let mut decoder = BybitReports::new(SymbolMap::of_test(&["BTCUSDT"]), 1 << 20);
    let said = |code: i32| format!(r#"{{"retCode":{code},"retMsg":"A test.","result":{{}}}}"#);
    for code in [NONE_LISTED, NOT_OPEN] {
        for (id, is_last, expected) in [(1, false, NOT_PRESENT), (2, true, NONE_LISTED)] {
            assert_eq!(decoder.questions.goes_to_history(id, b"p1-0-1", None), is_last);
            let said = said(code);
            let read = decoder.decode_rest(id, 200, said.as_bytes());
            let Ok(OrderMessage::Reply(reply)) = read else { panic!("a reply") };
            assert_eq!(reply.outcome.unwrap_err().code, expected);
        }
    }
}

#[test]
fn open_orders_are_listed_page_by_page_ours_and_others() {
    let page = |count: u64, cursor: &str| {
        let order = |number: u64| ORDER.replace("1523347543495541248", &number.to_string());
        let foreign = ORDER.replace("p1-3-41", "").replace("BTCUSDT", "MOONUSDT");
        let stop = ORDER.replace("p1-3-41", "").replace("\"New\"", "\"Untriggered\"");
        let others = [foreign, stop].into_iter();
        let all: Vec<String> = (3..=count).map(order).chain(others).collect();
        let all = all.join(",");
        format!(
            r#"{{"retCode":0,"retMsg":"OK","result":{{"category":"spot","nextPageCursor":"{cursor}","list":[{all}]}}}}"#
        )
    };
    let mut decoder = decoder();
    assert_eq!(decoder.lists.ask_orders(7), "");
    let first = page(50, "5%3A1");
    let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(7, 200, first.as_bytes()) else {
        panic!("a reply")
    };
    let body = reply.outcome.unwrap();
    assert!(body.has_older && body.listed.is_empty());
    assert_eq!(decoder.lists.ask_orders(8), "5%3A1");
    // The venue has a cursor behind the last page, too.
    let last = page(12, "5%3A2");
    let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(8, 200, last.as_bytes()) else {
        panic!("a reply")
    };
    let body = reply.outcome.unwrap();
    assert_eq!((body.has_older, body.listed.len(), body.unreadable), (false, 62, None));
    let [ours, .., foreign, stop] = body.listed else { panic!("of each kind") };
    assert_eq!(ours.state.map(|(price, of)| (price, of.qty)), Some((3_152_710, Some(200))));
    assert_eq!((foreign.native.as_str(), foreign.state), ("MOONUSDT", None));
    assert!(stop.name.is_empty() && stop.state.is_some());
    assert_eq!(decoder.lists.ask_orders(9), "", "it was told whole");
    let strange = page(50, "1&category=linear");
    assert!(decoder.decode_rest(9, 200, strange.as_bytes()).is_err(), "never sent back");
    decoder.lists.ask_orders(10);
    let nothing = r#"{"retCode":0,"retMsg":"OK","result":{"list":[]}}"#;
    let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(10, 200, nothing.as_bytes()) else {
        panic!("a reply")
    };
    assert!(reply.outcome.unwrap().listed.is_empty(), "nothing is open, and that is an answer");
}

#[test]
fn balances_over_rest_are_those_of_the_wallet_and_a_refusal_is_one() {
    let mut decoder = decoder();
    let said = r#"{"retCode":0,"retMsg":"OK","result":{"list":[{"accountType":"UNIFIED","coin":[{"coin":"USDT","walletBalance":"6","locked":"0.5"},{"coin":"BTC","walletBalance":"one"}]}]}}"#;
    decoder.lists.ask_balances(3);
    let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(3, 200, said.as_bytes()) else {
        panic!("a reply")
    };
    let body = reply.outcome.unwrap();
    let usdt = AssetBalance::named("USDT", 550_000_000, 50_000_000).unwrap();
    assert_eq!((body.balances, body.unreadable.is_some()), (&[usdt][..], true));
    decoder.lists.ask_balances(4);
    let refused = r#"{"retCode":10006,"retMsg":"Too many visits!","result":{}}"#;
    let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(4, 200, refused.as_bytes()) else {
        panic!("a reply")
    };
    assert_eq!(reply.outcome.unwrap_err().code, 10_006);
}

#[test]
fn a_list_of_fills_goes_on_at_the_venues_cursor() {
    let mut decoder = BybitReports::new(SymbolMap::of_test(&["BTCUSDT"]), 1 << 20);
    let order = VenueRef::number(77);
    let page = |trades: std::ops::Range<u64>, cursor: &str| {
        let fill = |trade: u64| {
            format!(
                r#"{{"symbol":"BTCUSDT","orderId":"77","orderLinkId":"p1-0-1","execId":"{trade}","execPrice":"30000","execQty":"0.001","execFee":"0","feeCurrency":"BTC","isMaker":false}}"#
            )
        };
        let fills: Vec<_> = trades.rev().map(fill).collect();
        let fills = fills.join(",");
        format!(
            r#"{{"retCode":0,"retMsg":"OK","result":{{"nextPageCursor":"{cursor}","list":[{fills}]}}}}"#
        )
    };
    // The same cursor on a page that is not full is the end.
    let pages = [(page(20..120, "132%3A2"), Some("132%3A2")), (page(0..20, "9%3A9"), None)];
    decoder.pages.ask_newest(1, order);
    for (page, next) in pages {
        let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(1, 200, page.as_bytes()) else {
            panic!("a reply")
        };
        let body = reply.outcome.unwrap();
        let told = if next.is_some() { (true, 0) } else { (false, 120) };
        assert_eq!(((body.has_older, body.fills.len()), body.venue_order_id), (told, order));
        assert_eq!(decoder.pages.ask_older(1, order).as_deref(), next);
    }
    decoder.pages.ask_newest(1, order);
    let strange = page(0..100, "1&orderId=78");
    // What is behind it can't be had: that is no whole list.
    assert!(decoder.decode_rest(1, 200, strange.as_bytes()).is_err());
    assert_eq!(decoder.pages.ask_older(1, order), None, "never sent back");
}
