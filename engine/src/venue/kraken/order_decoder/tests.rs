//! Frames in the form of the venue's captures, and what is wrong with others.

use proptest::prelude::*;

use super::*;
use crate::event::InstrumentId;
use crate::venue::protocol::Reply;
use crate::venue::{LetterReason, Scales};

const NAME: &str = "00000001-0003-4700-8000-000000000029";
const NAMES: &str =
    r#""cl_ord_id":"00000001-0003-4700-8000-000000000029","order_id":"OVN7VD-7VYHS-APBKHA""#;
const TIME: &str = r#""timestamp":"2026-01-22T06:06:19.833306Z""#;

fn decoder() -> KrakenReports {
    KrakenReports::new(SymbolMap::of_test(&["BTC/USDT"]), 1 << 20)
}

fn frame(kind: &str, elements: &[String]) -> String {
    let data = elements.join(",");
    format!(r#"{{"channel":"executions","type":"{kind}","data":[{data}],"sequence":2}}"#)
}

fn pending(life: &str) -> String {
    format!(
        r#"{{{NAMES},"symbol":"BTC/USDT","order_qty":0.00010000,"cum_cost":0.00000,"time_in_force":"{life}","exec_type":"pending_new","side":"buy","order_type":"limit","limit_price":80000.0,"order_status":"pending_new",{TIME}}}"#
    )
}

fn change(exec: &str, more: &str) -> String {
    format!(r#"{{{TIME},"order_status":"{exec}","exec_type":"{exec}"{more},{NAMES}}}"#)
}

const TRADE: &str = r#","exec_id":"TGBB7L-HT5LX-J3BZ4A","trade_id":62887576,"symbol":"BTC/USDT","side":"buy","last_qty":0.00004000,"last_price":79999.9,"liquidity_ind":"m","cost":3.2,"cum_qty":0.00004000,"cum_cost":3.199996,"fees":[{"asset":"USDT","qty":0.0083199}]"#;

/// What a frame tells a decoder: reports, or what was wrong with each and the unknown word.
fn told(
    decoder: &mut KrakenReports,
    elements: &[String],
) -> Vec<Result<VenueReport, (LetterReason, String)>> {
    let frame = frame("update", elements);
    let told = |read: Result<OrderMessage<'_>, UnreadFrame<'_>>| match read {
        Ok(OrderMessage::Report { name, report, .. }) => {
            assert_eq!(name, NAME.as_bytes());
            Some(Ok(report))
        }
        Ok(OrderMessage::Other("executions")) => None,
        Ok(other) => panic!("{other:?}"),
        Err(unread) => {
            assert_eq!(unread.name, Some(NAME.as_bytes()));
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
fn what_changes_is_told_of_the_terms_that_were_told_once() {
    let mut decoder = decoder();
    let new = told(&mut decoder, &[pending("GTC"), change("new", "")]);
    let expected = VenueReport {
        exec_type: ExecType::New,
        status: OrderStatus::New,
        venue_order_id: VenueRef::text(b"OVN7VD-7VYHS-APBKHA").unwrap(),
        execution_id: VenueRef::NONE,
        instrument: InstrumentId(0),
        side: Side::Buy,
        price: 8_000_000,
        trigger_price: None,
        qty: 10,
        last_price: 0,
        last_qty: 0,
        filled_qty: 0,
        prevented_qty: None,
        quote_total: None,
        fee: None,
        liquidity: None,
        expiry: ExpiryReason::None,
    };
    assert_eq!(new, [Ok(expected)]);
    let fill = told(&mut decoder, &[change("trade", TRADE)]).remove(0).unwrap();
    let filled = VenueReport {
        exec_type: ExecType::Trade,
        status: OrderStatus::PartiallyFilled,
        execution_id: VenueRef::number(62_887_576),
        last_price: 7_999_990,
        last_qty: 4,
        filled_qty: 4,
        quote_total: Some(31_999_960),
        fee: Some((831_990, asset_code("USDT").unwrap())),
        liquidity: Some(Liquidity::Maker),
        ..expected
    };
    assert_eq!(fill, filled);
    let smaller = r#","cum_qty":0.00004000,"order_qty":0.00005000,"limit_price":80000.0"#;
    let amended = told(&mut decoder, &[change("amended", smaller)]).remove(0).unwrap();
    assert_eq!((amended.exec_type, amended.qty, amended.filled_qty), (ExecType::Replaced, 5, 4));
    let last = TRADE.replace("\"cum_qty\":0.00004000", "\"cum_qty\":0.00005000");
    let last = last.replace("\"last_qty\":0.00004000", "\"last_qty\":0.00001000");
    let done = told(&mut decoder, &[change("trade", &last), change("filled", "")]);
    assert_eq!(done.len(), 1, "the trade tells it");
    assert_eq!(done[0].clone().unwrap().status, OrderStatus::Filled, "by its quantity now");
}

#[test]
fn an_end_is_what_its_reason_says() {
    use {ExecType as Exec, ExpiryReason as Why, OrderStatus as Status};
    let end = |life: &str, exec: &str, reason: &str| {
        let mut decoder = decoder();
        let more = format!(r#","cum_qty":0.00000000,"reason":"{reason}""#);
        let report = told(&mut decoder, &[pending(life), change(exec, &more)]).remove(0).unwrap();
        (report.exec_type, report.status, report.expiry)
    };
    let canceled = (Exec::Canceled, Status::Canceled, Why::None);
    assert_eq!(end("GTC", "canceled", "User requested"), canceled);
    let taker = (Exec::Expired, Status::Expired, Why::Rejected);
    assert_eq!(end("GTC", "canceled", "Post only order"), taker);
    let rest = (Exec::Expired, Status::Expired, Why::UnfilledIoc);
    assert_eq!(end("IOC", "canceled", "Whatever"), rest);
    assert_eq!(end("IOC", "canceled", "User requested"), canceled);
    let unlisted = (Exec::Canceled, Status::Canceled, Why::Unlisted);
    assert_eq!(end("GTC", "canceled", "Moon"), unlisted);
    assert_eq!(end("GTC", "expired", "").1, Status::Expired);
}

#[test]
fn what_has_no_terms_or_no_sense_is_refused_and_costs_no_other() {
    let mut fresh = decoder();
    let untold = told(&mut fresh, &[change("new", "")]).remove(0).unwrap_err();
    assert_eq!(untold.0, LetterReason::Field, "the order becomes a question");
    let strange = change("half", "");
    let both = told(&mut fresh, &[pending("GTC"), strange, change("new", "")]);
    assert_eq!(both[0], Err((LetterReason::Unknown, "half".to_owned())));
    assert!(both[1].is_ok());
    for (from, to, reason) in [
        ("\"cum_qty\":0.00004000", "\"cum_qty\":0.00020000", LetterReason::Nonsense),
        ("\"cum_qty\":0.00004000", "\"cum_qty\":-0.00004000", LetterReason::Nonsense),
        ("\"cum_qty\":0.00004000", "\"cum_qty\":0.00001000", LetterReason::Nonsense),
        ("\"last_qty\":0.00004000", "\"last_qty\":0.00000000", LetterReason::Nonsense),
        ("\"trade_id\":62887576", "\"trade_id\":\"x\"", LetterReason::Field),
        ("\"side\":\"buy\"", "\"side\":\"hold\"", LetterReason::Unknown),
        ("\"symbol\":\"BTC/USDT\"", "\"symbol\":\"MOON/USD\"", LetterReason::Symbol),
        ("\"last_price\":79999.9", "\"last_price\":1e9", LetterReason::Number),
    ] {
        let wrong = told(&mut fresh, &[change("trade", &TRADE.replace(from, to))]);
        assert_eq!(wrong[0].clone().unwrap_err().0, reason, "{to}");
    }
    let fees = r#""fees":[{"asset":"USDT","qty":1},{"asset":"BTC","qty":1}]"#;
    let two = TRADE.replace(r#""fees":[{"asset":"USDT","qty":0.0083199}]"#, fees);
    assert_eq!(told(&mut fresh, &[change("trade", &two)])[0].clone().unwrap().fee, None);
}

#[test]
fn a_snapshot_lists_what_is_open_ours_and_others_and_tells_terms() {
    let mut decoder = decoder();
    let ours = pending("GTC").replace("pending_new", "new");
    let part = r#""order_qty":0.00010000,"cum_qty":0.00004000"#;
    let part = ours.replace(r#""order_qty":0.00010000"#, part);
    let foreign = part.replace("BTC/USDT", "MOON/USD").replace(NAME, "").replace("buy", "sell");
    let snapshot = frame("snapshot", &[ours, foreign, part]);
    let Ok(OrderMessage::Listed { list: AccountList::OpenOrders, body, is_whole: true }) =
        decoder.decode(snapshot.as_bytes())
    else {
        panic!("a list")
    };
    let told = |order: &ListedOrder| {
        let filled = order.filled.to_string();
        let state = order.state.map(|(price, answer)| (price, answer.status, answer.filled_qty));
        (String::from_utf8(order.name.to_vec()).unwrap(), order.native.to_string(), filled, state)
    };
    let expected = [
        (NAME, "BTC/USDT", "0", Some((8_000_000, OrderStatus::New, 0))),
        ("", "MOON/USD", "0.00004000", None),
        (NAME, "BTC/USDT", "0.00004000", Some((8_000_000, OrderStatus::PartiallyFilled, 4))),
    ];
    let expected = expected.map(|(name, native, filled, state)| {
        (name.to_owned(), native.to_owned(), filled.to_owned(), state)
    });
    assert_eq!(body.listed.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(body.listed.iter().map(|of| of.side).collect::<Vec<_>>(), {
        [Side::Buy, Side::Sell, Side::Buy]
    });
    assert!(told_change(&mut decoder).is_ok(), "terms are kept");
    let nothing = frame("snapshot", &[]);
    let read = decoder.decode(nothing.as_bytes());
    let is_empty = |body: ReplyBody<'_>| body.listed.is_empty();
    assert!(matches!(read, Ok(OrderMessage::Listed { body, .. }) if is_empty(body)), "{read:?}");
}

fn told_change(decoder: &mut KrakenReports) -> Result<VenueReport, (LetterReason, String)> {
    told(decoder, &[change("new", "")]).remove(0)
}

#[test]
fn replies_are_found_by_their_numbers() {
    let mut decoder = decoder();
    let mut outcome = |frame: &str| match decoder.decode(frame.as_bytes()) {
        Ok(OrderMessage::Reply(reply)) => {
            let outcome = reply.outcome.map(|body| body.venue_order_id.to_string());
            (reply.id, outcome.map_err(|failure| failure.code))
        }
        Ok(OrderMessage::Unasked(failure)) => (0, Err(failure.code)),
        other => panic!("{frame}: {other:?}"),
    };
    let placed = r#"{"method":"add_order","req_id":7,"result":{"order_id":"OVN7VD-7VYHS-APBKHA"},"success":true,"time_in":"2024-05-19T19:18:44.987402Z"}"#;
    assert_eq!(outcome(placed), (7, Ok("OVN7VD-7VYHS-APBKHA".to_owned())));
    let refused =
        r#"{"error":"EOrder:Unknown order","method":"amend_order","req_id":8,"success":false}"#;
    assert_eq!(outcome(refused), (8, Err(UNKNOWN_ORDER)));
    assert_eq!(outcome(&refused.replace(r#""req_id":8,"#, "")), (0, Err(UNKNOWN_ORDER)));
    let subscribed =
        r#"{"method":"subscribe","req_id":2,"result":{"channel":"executions"},"success":true}"#;
    assert_eq!(outcome(subscribed), (2, Ok("-".to_owned())));
    for (frame, what) in [
        (r#"{"method":"pong","req_id":1,"success":true}"#, "pong"),
        (r#"{"channel":"heartbeat"}"#, "heartbeat"),
        (r#"{"channel":"status","type":"update","data":[{"system":"online"}]}"#, "status"),
    ] {
        let read = decoder.decode(frame.as_bytes());
        assert!(matches!(read, Ok(OrderMessage::Other(told)) if told == what), "{read:?}");
    }
    let ill = r#"{"channel":"status","type":"update","data":[{"system":"maintenance"}]}"#;
    assert!(decoder.decode(ill.as_bytes()).is_err());
}

#[test]
fn answers_over_rest_tell_states_fills_and_what_is_not_there() {
    let mut decoder = decoder();
    let scales = Scales { price: 2, qty: 5 };
    let (native, name, venue_order_id) = ("BTC/USDT", NAME.as_bytes(), VenueRef::NONE);
    let request =
        |id| OrderRequest { id, native, scales, name, venue_order_id, time_ms: 0, sent: None };
    let order = format!(
        r#"{{"OVN7VD-7VYHS-APBKHA":{{"cl_ord_id":"{NAME}","status":"closed","reason":null,"opentm":1688666559.8974,"descr":{{"pair":"XBTUSDT","type":"buy","ordertype":"limit","price":"80000.0","price2":"0"}},"vol":"0.00010000","vol_exec":"0.00010000","cost":"7.99999","fee":"0.02","price":"79999.9","trades":["TB-1","TA-2"]}}}}"#
    );
    fn outcome(
        decoder: &mut KrakenReports,
        id: u64,
        body: &str,
    ) -> Result<Option<OrderStatus>, i32> {
        match decoder.decode_rest(id, 200, body.as_bytes()) {
            Ok(OrderMessage::Reply(reply)) => {
                assert_eq!(reply.id, id);
                let state = reply.outcome.map(|body| body.state.map(|state| state.status));
                state.map_err(|failure| failure.code)
            }
            other => panic!("{other:?}"),
        }
    }
    // Not open: that says nothing, and the next question goes to those that are over.
    assert!(!decoder.asks_history(&request(1)));
    let none = r#"{"error":[],"result":{"open":{}}}"#;
    assert_eq!(outcome(&mut decoder, 1, none), Err(NOT_OPEN_NOW));
    assert!(decoder.asks_history(&request(2)));
    let closed = format!(r#"{{"error":[],"result":{{"closed":{order},"count":1}}}}"#);
    assert_eq!(outcome(&mut decoder, 2, &closed), Ok(Some(OrderStatus::Filled)));
    let order_id = VenueRef::text(b"OVN7VD-7VYHS-APBKHA").unwrap();
    assert_eq!(decoder.trades_of(order_id), Some("TB-1,TA-2"));
    assert!(!decoder.asks_history(&request(3)));
    assert_eq!(outcome(&mut decoder, 3, none), Err(NOT_OPEN_NOW));
    assert!(decoder.asks_history(&request(4)));
    let none = r#"{"error":[],"result":{"closed":{},"count":0}}"#;
    assert_eq!(outcome(&mut decoder, 4, none), Err(UNKNOWN_ORDER), "the last word");
    // The same in words.
    let unknown = r#"{"error":["EOrder:Unknown order"]}"#;
    for (id, is_last, expected) in [(10, false, NOT_OPEN_NOW), (11, true, UNKNOWN_ORDER)] {
        assert_eq!(decoder.asks_history(&request(id)), is_last);
        assert_eq!(outcome(&mut decoder, id, unknown), Err(expected));
    }
    assert_eq!(
        outcome(&mut decoder, 5, r#"{"error":["EAPI:Invalid key"]}"#),
        Err(code_of("EAPI:Invalid key"))
    );
    let trade = |name: &str, number: u64| {
        format!(
            r#""{name}":{{"ordertxid":"OVN7VD-7VYHS-APBKHA","pair":"XBTUSDT","time":1688667796.8802,"type":"buy","price":"79999.9","cost":"4","fee":"0.0104","vol":"0.00005000","trade_id":{number},"maker":true}}"#
        )
    };
    let trades = [trade("TB-1", 9), trade("TA-2", 8)].join(",");
    let body = format!(r#"{{"error":[],"result":{{{trades}}}}}"#);
    let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(6, 200, body.as_bytes()) else {
        panic!()
    };
    let body = reply.outcome.unwrap();
    let numbers: Vec<_> =
        body.fills.iter().map(|fill| (fill.trade.as_number(), fill.qty)).collect();
    assert_eq!((numbers, body.venue_order_id), (vec![(Some(8), 5), (Some(9), 5)], order_id));
    assert_eq!(body.fills[0].liquidity, Some(Liquidity::Maker));
    let refused = decoder.decode_rest(7, 502, b"<html>");
    assert!(matches!(refused, Ok(OrderMessage::Reply(Reply { outcome: Err(_), .. }))));
    assert!(decoder.decode_rest(7, 200, b"<html>").is_err_and(|unread| unread.reply == Some(7)));
}

#[test]
fn the_trades_of_an_order_are_asked_for_twenty_at_a_time() {
    let (mut decoder, order) = (decoder(), VenueRef::text(b"OVN7VD-7VYHS-APBKHA").unwrap());
    assert_eq!(decoder.asks_trades(order, FillsFrom::Newest, 1), None, "none was named");
    let symbol = decoder.symbols.lookup(b"BTC/USDT").unwrap();
    let names: Vec<_> = (0..45).map(|number| format!("T-{number}")).collect();
    decoder.trades.push_back(NamedTrades { order, symbol, trades: names.join(",") });
    let mut from = FillsFrom::Newest;
    for (asked, count) in [(0..20, 20), (20..40, 20), (40..45, 5)] {
        let txid = decoder.asks_trades(order, from, 7).unwrap();
        assert_eq!(txid, names[asked.clone()].join(","));
        // The venue tells them in whatever order.
        let trade = |number: usize| {
            let id = 1_000 - number;
            format!(
                r#""T-{number}":{{"ordertxid":"OVN7VD-7VYHS-APBKHA","price":"79999.9","fee":"0","vol":"0.00005000","trade_id":{id},"maker":true}}"#
            )
        };
        let trades: Vec<_> = asked.map(trade).collect();
        let body = format!(r#"{{"error":[],"result":{{{}}}}}"#, trades.join(","));
        let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(7, 200, body.as_bytes()) else {
            panic!("a reply")
        };
        let body = reply.outcome.unwrap();
        let told = if count == 20 { (true, 0) } else { (false, 45) };
        assert_eq!(((body.has_older, body.fills.len()), body.venue_order_id), (told, order));
        assert!(body.fills.is_sorted_by_key(|fill| fill.trade.as_number()));
        from = FillsFrom::Older;
    }
    assert_eq!(decoder.asks_trades(order, from, 8), None, "all are told");
}

#[test]
fn what_can_not_be_read_of_a_snapshot_is_a_question_and_other_symbols_are_none_of_ours() {
    let mut decoder = decoder();
    let good = pending("GTC").replace("pending_new", "new");
    let foreign = good.replace("BTC/USDT", "MOON/USD");
    let ill = good.replace("\"order_qty\":0.00010000", "\"order_qty\":1e9");
    let strange = good.replace("\"exec_type\":\"new\"", "\"exec_type\":\"half\"");
    let snapshot = frame("snapshot", &[good, foreign, ill, strange]);
    let told = |unread: UnreadFrame<'_>| (unread.error.reason, unread.name.map(<[u8]>::to_vec));
    let list = decoder.decode(snapshot.as_bytes());
    let count = |read: &Result<OrderMessage<'_>, _>| match read {
        Ok(OrderMessage::Listed { body, is_whole, .. }) => Some((body.listed.len(), *is_whole)),
        _ => None,
    };
    assert_eq!(count(&list), Some((2, false)), "{list:?}");
    let name = Some(NAME.as_bytes().to_vec());
    let (first, raw) = decoder.next_of_frame().unwrap();
    assert_eq!(raw, snapshot.as_bytes());
    assert_eq!(first.map(drop).map_err(told), Err((LetterReason::Number, name.clone())));
    let (second, raw) = decoder.next_of_frame().unwrap();
    assert_eq!(raw, snapshot.as_bytes());
    assert_eq!(second.map(drop).map_err(told), Err((LetterReason::Unknown, name)));
    assert!(decoder.next_of_frame().is_none());
}

#[test]
fn balances_are_those_of_the_main_wallet() {
    let mut decoder = decoder();
    let mut amounts = |frame: &str| match decoder.decode(frame.as_bytes()) {
        Ok(OrderMessage::Balances { entries, unreadable: None, .. })
        | Ok(OrderMessage::Listed {
            list: AccountList::Balances,
            body: ReplyBody { balances: entries, unreadable: None, .. },
            is_whole: true,
        }) => entries.iter().map(|entry| (entry.free.0, entry.locked.0)).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let snapshot = r#"{"channel":"balances","data":[{"asset":"BTC","asset_class":"currency","balance":1.2,"wallets":[{"type":"spot","id":"main","balance":1.2}]},{"asset":"MATIC","balance":500,"wallets":[{"type":"spot","id":"main","balance":300},{"type":"earn","id":"flex","balance":200}]}],"type":"snapshot","sequence":1}"#;
    assert_eq!(amounts(snapshot), [(120_000_000, 0), (30_000_000_000, 0)]);
    let update = r#"{"channel":"balances","type":"update","data":[{"ledger_id":"A","timestamp":"2023-09-22T10:23:42.925034Z","type":"deposit","asset":"BTC","wallet_type":"spot","wallet_id":"main","amount":0.01,"fee":0.0,"balance":0.02}],"sequence":2}"#;
    assert_eq!(amounts(update), [(2_000_000, 0)]);
    assert_eq!(amounts(&update.replace("\"main\"", "\"flex\"")), []);
}

proptest! {
    #[test]
    fn arbitrary_and_changed_frames_never_panic(
        original in prop::sample::select(vec![
            frame("update", &[pending("GTC"), change("trade", TRADE)]),
            frame("snapshot", &[pending("IOC")]),
        ]),
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
