//! Frames of the venue's pages, and what is wrong with others.

use proptest::prelude::*;

use super::*;
use crate::event::InstrumentId;

/// The page's example of the channel, cut to what is read.
const FILL: &str = r#"{"accFillSz":"0.001","amendResult":"","avgPx":"31527.1","cancelSource":"","clOrdId":"p1x3x41","execType":"M","fee":"-0.02522168","feeCcy":"USDT","fillFee":"-0.02522168812","fillFeeCcy":"USDT","fillPx":"31527.1","fillSz":"0.001","instId":"BTC-USDT","ordId":"452197707845865472","ordType":"limit","px":"31527.1","side":"sell","state":"filled","sz":"0.001","tradeId":"242589207","uTime":"1654084353264"}"#;

const LOGIN: &str = r#"{"event":"login","code":"0","msg":"","connId":"a4d3ae55"}"#;

fn decoder() -> OkxReports {
    OkxReports::new(SymbolMap::of_test(&["BTC-USDT"]), 1 << 20)
}

fn orders(elements: &[&str]) -> String {
    let arg = r#"{"channel":"orders","instType":"SPOT","uid":"614488474791936"}"#;
    format!(r#"{{"arg":{arg},"data":[{}]}}"#, elements.join(","))
}

/// Reports of a frame, or what was wrong with each: details and unknown words.
fn reports(elements: &[&str]) -> Vec<Result<VenueReport, (DecodeError, String)>> {
    let (mut decoder, frame) = (decoder(), orders(elements));
    let told = |read: Result<OrderMessage<'_>, UnreadFrame<'_>>| match read {
        Ok(OrderMessage::Report { name, report, .. }) => {
            assert_eq!(name, b"p1x3x41");
            Ok(report)
        }
        Ok(other) => panic!("{other:?}"),
        Err(unread) => {
            let word = unread.value.unwrap_or_default();
            Err((unread.error, String::from_utf8_lossy(word).into_owned()))
        }
    };
    let mut all = vec![told(decoder.decode(frame.as_bytes()))];
    while let Some((next, raw)) = decoder.next_of_frame() {
        assert_eq!(raw, frame.as_bytes());
        all.push(told(next));
    }
    all
}

fn report(element: &str) -> VenueReport {
    reports(&[element])[0].clone().unwrap()
}

#[test]
fn a_fill_is_read_in_the_instruments_scales_with_its_fee_as_what_was_taken() {
    let fill = report(FILL);
    let expected = VenueReport {
        exec_type: ExecType::Trade,
        status: OrderStatus::Filled,
        venue_order_id: VenueRef::number(452_197_707_845_865_472),
        execution_id: VenueRef::number(242_589_207),
        instrument: InstrumentId(0),
        side: Side::Sell,
        price: 3_152_710,
        trigger_price: None,
        qty: 100,
        last_price: 3_152_710,
        last_qty: 100,
        filled_qty: 100,
        prevented_qty: None,
        quote_total: Some(315_271_000),
        fee: Some((2_522_168, asset_code("USDT").unwrap())),
        liquidity: Some(Liquidity::Maker),
        expiry: ExpiryReason::None,
    };
    assert_eq!(fill, expected);
    let rebate = report(&FILL.replace("-0.02522168812", "0.00000001"));
    assert_eq!(rebate.fee.map(|(fee, _)| fee), Some(-1));
}

#[test]
fn what_an_element_tells_follows_from_its_state() {
    let live = FILL
        .replace("\"filled\"", "\"live\"")
        .replace(r#""accFillSz":"0.001""#, r#""accFillSz":"0""#)
        .replace(r#""fillSz":"0.001""#, r#""fillSz":"0""#)
        .replace("242589207", "");
    let told = |text: &str| {
        let report = report(text);
        (report.exec_type, report.status, report.expiry)
    };
    use {ExecType as Exec, ExpiryReason as Why, OrderStatus as Status};
    assert_eq!(told(&live), (Exec::New, Status::New, Why::None));
    let amended = live.replace(r#""amendResult":"""#, r#""amendResult":"0""#);
    assert_eq!(told(&amended), (Exec::Replaced, Status::New, Why::None));
    for (source, expected) in [
        ("1", (Exec::Canceled, Status::Canceled, Why::None)),
        ("0", (Exec::Canceled, Status::Canceled, Why::ExchangeCanceled)),
        ("13", (Exec::Expired, Status::Expired, Why::UnfilledFok)),
        ("14", (Exec::Expired, Status::Expired, Why::UnfilledIoc)),
        ("31", (Exec::Expired, Status::Expired, Why::Rejected)),
        ("32", (Exec::Expired, Status::Expired, Why::SelfTrade)),
        ("999", (Exec::Canceled, Status::Canceled, Why::Unlisted)),
    ] {
        let ended = live.replace("\"live\"", "\"canceled\"");
        let source_text = format!(r#""cancelSource":"{source}""#);
        let ended = ended.replace(r#""cancelSource":"""#, &source_text);
        assert_eq!(told(&ended), expected, "{source}");
    }
    // The last fill may still stand in the word on an order's end.
    let after_fill = FILL.replace("\"filled\"", "\"canceled\"");
    assert_eq!(told(&after_fill), (Exec::Canceled, Status::Canceled, Why::None));
}

#[test]
fn each_of_several_orders_is_told_and_one_that_can_not_be_read_costs_no_other() {
    let strange = FILL.replace("\"filled\"", "\"half\"");
    let negative = FILL.replace(r#""sz":"0.001""#, r#""sz":"-0.001""#);
    let told = reports(&[&strange, FILL, &negative]);
    let (error, word) = told[0].clone().unwrap_err();
    assert_eq!((error.reason, word.as_str()), (LetterReason::Unknown, "half"));
    assert!(told[1].is_ok());
    assert_eq!(told[2].clone().unwrap_err().0.reason, LetterReason::Nonsense);
    for (from, to, reason) in [
        ("\"sell\"", "\"hold\"", LetterReason::Unknown),
        ("BTC-USDT", "MOON-USDT", LetterReason::Symbol),
        (r#""accFillSz":"0.001""#, r#""accFillSz":"0.002""#, LetterReason::Nonsense),
        ("242589207", "", LetterReason::Nonsense),
        (r#""uTime":"1654084353264""#, r#""uTime":"""#, LetterReason::Field),
    ] {
        let wrong = reports(&[&FILL.replace(from, to)])[0].clone().unwrap_err();
        assert_eq!(wrong.0.reason, reason, "{to}");
    }
}

#[test]
fn replies_are_found_by_their_numbers_and_the_logons_has_none() {
    let mut decoder = decoder();
    let mut outcome = |frame: &str| match decoder.decode(frame.as_bytes()) {
        Ok(OrderMessage::Reply(reply)) => {
            (reply.id, reply.outcome.map(|_| ()).map_err(|failure| failure.code))
        }
        Ok(OrderMessage::Unasked(failure)) => (0, Err(failure.code)),
        other => panic!("{frame}: {other:?}"),
    };
    let placed = r#"{"id":"1512","op":"order","data":[{"clOrdId":"","ordId":"12345689","tag":"","sCode":"0","sMsg":""}],"code":"0","msg":"","inTime":"1695190491421339","outTime":"1695190491423240"}"#;
    assert_eq!(outcome(placed), (1_512, Ok(())));
    let refused = placed.replace(r#""sCode":"0""#, r#""sCode":"51008""#);
    assert_eq!(outcome(&refused.replace(r#""code":"0""#, r#""code":"1""#)), (1_512, Err(51_008)));
    let format = r#"{"id":"1512","op":"order","data":[],"code":"60013","msg":"Invalid args"}"#;
    assert_eq!(outcome(format), (1_512, Err(60_013)));
    let failed = r#"{"event":"error","code":"60009","msg":"Login failed.","connId":"a4d3ae55"}"#;
    assert_eq!((outcome(LOGIN), outcome(failed)), ((0, Ok(())), (0, Err(60_009))));
    decoder.logon = Some(7);
    let Ok(OrderMessage::Reply(reply)) = decoder.decode(failed.as_bytes()) else { panic!() };
    assert_eq!((reply.id, reply.outcome.unwrap_err().code), (7, 60_009));
    let notice = r#"{"event":"notice","code":"64008","msg":"soon","connId":"a"}"#;
    assert!(matches!(decoder.decode(notice.as_bytes()), Ok(OrderMessage::EndingSoon)));
    let unread = decoder.decode(br#"{"id":"17","op":"order","code":"0","data":[]}"#).unwrap_err();
    assert_eq!((unread.reply, unread.error.reason), (Some(17), LetterReason::Field));
}

#[test]
fn answers_over_rest_tell_states_fills_and_failures() {
    let mut decoder = decoder();
    let state = format!(r#"{{"code":"0","msg":"","data":[{FILL}]}}"#);
    let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(5, 200, state.as_bytes()) else {
        panic!()
    };
    let body = reply.outcome.unwrap();
    let answer = body.state.unwrap();
    assert_eq!((reply.id, body.name), (5, &b"p1x3x41"[..]));
    assert_eq!((answer.status, answer.filled_qty), (OrderStatus::Filled, 100));
    assert_eq!((answer.qty, answer.quote_total), (Some(100), Some(315_271_000)));
    let fill = |trade: u64| {
        format!(
            r#"{{"instId":"BTC-USDT","ordId":"77","clOrdId":"p1x3x41","billId":"9","tradeId":"{trade}","fillPx":"1.5","fillSz":"0.5","execType":"T","fee":"-0.1","feeCcy":"BTC"}}"#
        )
    };
    let list = format!(r#"{{"code":"0","msg":"","data":[{},{}]}}"#, fill(9), fill(8));
    let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(6, 200, list.as_bytes()) else {
        panic!()
    };
    let body = reply.outcome.unwrap();
    let trades: Vec<_> = body.fills.iter().filter_map(|fill| fill.trade.as_number()).collect();
    assert_eq!((trades, body.venue_order_id), (vec![8, 9], VenueRef::number(77)));
    assert_eq!(body.fills[0].fee, Some((10_000_000, asset_code("BTC").unwrap())));
    let failed = |decoder: &mut OkxReports, status, body: &str| match decoder.decode_rest(
        6,
        status,
        body.as_bytes(),
    ) {
        Ok(OrderMessage::Reply(reply)) => reply.outcome.map(|_| ()).map_err(|f| (f.status, f.code)),
        other => panic!("{other:?}"),
    };
    let none = r#"{"code":"51603","msg":"Order does not exist","data":[]}"#;
    assert_eq!(failed(&mut decoder, 200, none), Err((200, 51_603)));
    assert_eq!(failed(&mut decoder, 502, "<html>"), Err((502, 0)));
    let unread = decoder.decode_rest(6, 200, b"<html>").unwrap_err();
    assert_eq!((unread.reply, unread.error.reason), (Some(6), LetterReason::Malformed));
}

#[test]
fn balances_are_cut_to_the_decimals_that_are_kept() {
    let mut decoder = decoder();
    let frame = r#"{"arg":{"channel":"account","uid":"44"},"eventType":"snapshot","curPage":1,"lastPage":true,"data":[{"uTime":"1705474164160","details":[{"availBal":"4734.371190691436","ccy":"USDT","frozenBal":"158.57998"},{"availBal":"-1","ccy":"BTC","frozenBal":"0"}]}]}"#;
    let Ok(OrderMessage::Balances { entries, unreadable, venue_time_ns, .. }) =
        decoder.decode(frame.as_bytes())
    else {
        panic!()
    };
    assert_eq!(venue_time_ns, 1_705_474_164_160_000_000);
    let free: Vec<_> = entries.iter().map(|entry| entry.free).collect();
    assert_eq!(free, [AssetAmount(473_437_119_069)]);
    assert_eq!(unreadable.map(|error| error.reason), Some(LetterReason::Nonsense));
}

/// A page of open orders with these numbers, the newest first.
fn page_of_open(numbers: std::ops::RangeInclusive<u64>) -> String {
    let order = |number: u64| {
        let name = if number == 1 { "web9f2c".to_owned() } else { format!("p1x0x{number}") };
        let native = if number == 2 { "MOON-USDT-SWAP" } else { "BTC-USDT" };
        format!(
            r#"{{"instType":"SPOT","instId":"{native}","ordId":"{number}","clOrdId":"{name}","px":"30000.1","sz":"0.002","side":"buy","state":"partially_filled","accFillSz":"0.001","avgPx":"30000.1","cancelSource":"","uTime":"1"}}"#
        )
    };
    let orders: Vec<String> = numbers.rev().map(order).collect();
    format!(r#"{{"code":"0","msg":"","data":[{}]}}"#, orders.join(","))
}

#[test]
fn open_orders_are_listed_page_by_page_ours_and_others() {
    let mut decoder = decoder();
    assert_eq!(decoder.lists.ask_orders(7), "");
    let page = page_of_open(4..=103);
    let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(7, 200, page.as_bytes()) else {
        panic!("a reply")
    };
    let body = reply.outcome.unwrap();
    assert!(body.has_older && body.listed.is_empty());
    assert_eq!(decoder.lists.ask_orders(8), "4", "the oldest of the page");
    let broken = page_of_open(1..=3).replacen("0.002", "two", 1);
    let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(8, 200, broken.as_bytes()) else {
        panic!("a reply")
    };
    let body = reply.outcome.unwrap();
    assert_eq!((body.has_older, body.listed.len()), (false, 102));
    assert_eq!(body.unreadable.map(|error| error.reason), Some(LetterReason::Number));
    let [.., strange, foreign] = body.listed else { panic!("two of them") };
    assert_eq!((strange.native.as_str(), strange.state), ("MOON-USDT-SWAP", None));
    assert_eq!((foreign.name.as_slice(), foreign.qty.as_str()), (&b"web9f2c"[..], "0.002"));
    let state = foreign.state.map(|(price, answer)| (price, answer.qty, answer.filled_qty));
    assert_eq!(state, Some((3_000_010, Some(200), 100)));
}

#[test]
fn balances_over_rest_are_those_of_the_account_and_a_refusal_is_one() {
    let mut decoder = decoder();
    let said = r#"{"code":"0","msg":"","data":[{"uTime":"1705474164160","totalEq":"1","details":[{"ccy":"USDT","availBal":"5.5","frozenBal":"0.5","cashBal":"6","uTime":"1"},{"ccy":"BTC","availBal":"one","frozenBal":"0"}]}]}"#;
    decoder.lists.ask_balances(3);
    let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(3, 200, said.as_bytes()) else {
        panic!("a reply")
    };
    let body = reply.outcome.unwrap();
    let usdt = AssetBalance::named("USDT", 550_000_000, 50_000_000).unwrap();
    assert_eq!((body.balances, body.unreadable.is_some()), (&[usdt][..], true));
    decoder.lists.ask_balances(4);
    let refused = r#"{"code":"50011","msg":"Too Many Requests","data":[]}"#;
    let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(4, 429, refused.as_bytes()) else {
        panic!("a reply")
    };
    assert_eq!(reply.outcome.unwrap_err().code, 50_011);
}

proptest! {
    #[test]
    fn arbitrary_and_changed_frames_never_panic(
        original in prop::sample::select(vec![orders(&[FILL]), LOGIN.to_owned()]),
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
    let mut decoder = OkxReports::new(SymbolMap::of_test(&["BTC-USDT"]), 1 << 20);
    let frame = br#"{"id":"7","op":"batch-cancel-orders","code":"2","msg":"","data":[{"ordId":"11","clOrdId":"p1x0x1","sCode":"0","sMsg":""},{"ordId":"","clOrdId":"p1x0x2","sCode":"51400","sMsg":"Cancellation failed as the order is filled"}]}"#;
    let Ok(OrderMessage::Reply(first)) = decoder.decode(frame) else { panic!("a reply") };
    let body = first.outcome.unwrap();
    assert_eq!((first.id, first.reach, body.name), (7, Reach::One, b"p1x0x1".as_slice()));
    assert_eq!(body.venue_order_id, VenueRef::number(11));
    let Some((Ok(OrderMessage::Reply(second)), raw)) = decoder.next_of_frame() else {
        panic!("another")
    };
    assert_eq!((second.id, second.outcome.unwrap_err().code, raw), (8, 51_400, frame.as_slice()));
    assert_eq!(second.reach, Reach::Last);
    assert!(decoder.next_of_frame().is_none());
    // One that can't be read costs no other its answer.
    let frame = br#"{"id":"7","op":"batch-cancel-orders","code":"2","msg":"","data":[{"clOrdId":"p1x0x1","sCode":"0"},{"clOrdId":"p1x0x2","sCode":"soon"},{"clOrdId":"p1x0x3","sCode":"0"}]}"#;
    let mut told =
        vec![decoder.decode(frame).map_err(|unread| (unread.reply, unread.reach)).map(drop)];
    while let Some((next, raw)) = decoder.next_of_frame() {
        assert_eq!(raw, frame);
        told.push(next.map_err(|unread| (unread.reply, unread.reach)).map(drop));
    }
    assert_eq!(told, [Ok(()), Err((Some(8), Reach::One)), Ok(())]);
    // One answer for all.
    let frame = br#"{"id":"7","op":"batch-cancel-orders","code":"50011","msg":"Too many requests","data":[]}"#;
    let Ok(OrderMessage::Reply(all)) = decoder.decode(frame) else { panic!("a reply") };
    assert_eq!((all.id, all.reach, all.outcome.unwrap_err().code), (7, Reach::All, 50_011));
}

#[test]
fn a_list_of_fills_goes_on_behind_its_oldest_bill() {
    let mut decoder = decoder();
    let order = VenueRef::number(77);
    decoder.past.note(Some((order, 1)));
    let page = |bills: std::ops::Range<u64>| {
        let fill = |bill: u64| {
            let trade = bill + 5_000;
            format!(
                r#"{{"instId":"BTC-USDT","ordId":"77","clOrdId":"p1x3x41","tradeId":"{trade}","billId":"{bill}","fillPx":"30000","fillSz":"0.001","fee":"0","feeCcy":"BTC","execType":"T"}}"#
            )
        };
        let fills: Vec<_> = bills.rev().map(fill).collect();
        format!(r#"{{"code":"0","msg":"","data":[{}]}}"#, fills.join(","))
    };
    decoder.pages.ask_newest(1, order);
    let newest = page(20..120);
    let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(1, 200, newest.as_bytes()) else {
        panic!("a reply")
    };
    let body = reply.outcome.unwrap();
    assert_eq!((body.has_older, body.fills.len(), body.venue_order_id), (true, 0, order));
    assert_eq!(decoder.pages.ask_older(2, order).as_deref(), Some("fills:20"));
    for (id, page, count) in [(2, page(10..20), 110), (3, page(0..0), 100)] {
        let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(id, 200, page.as_bytes()) else {
            panic!("a reply")
        };
        let body = reply.outcome.unwrap();
        assert_eq!((body.has_older, body.fills.len(), body.venue_order_id), (false, count, order));
        let numbers: Vec<_> = body.fills.iter().filter_map(|fill| fill.trade.as_number()).collect();
        assert!(numbers.is_sorted() && numbers.last() == Some(&5_119));
        // The last page may be an empty one.
        decoder.pages.ask_newest(4, order);
        assert!(decoder.decode_rest(4, 200, newest.as_bytes()).is_ok());
        assert!(decoder.pages.ask_older(3, order).is_some());
    }
}
