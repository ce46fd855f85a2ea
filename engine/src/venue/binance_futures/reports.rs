//! What the connections of Binance USD-M futures say of orders: answers of the WebSocket API and of
//! REST, and the account's stream.

use crate::venue::SymbolMap;
use crate::venue::binance::BinanceReports;
use crate::venue::governor::ToldLimits;
use crate::venue::protocol::{OrderDecoder, OrderMessage, UnreadFrame};

/// What is read of them: spot's words for answers, and words of its own for events.
pub struct FuturesReports(BinanceReports);

impl FuturesReports {
    /// The name of the account's stream that an answer has told, once.
    pub(super) fn take_listen_key(&mut self) -> Option<String> {
        self.0.take_listen_key()
    }
}

impl OrderDecoder for FuturesReports {
    fn new(symbols: SymbolMap, frame_bytes_max: usize) -> FuturesReports {
        FuturesReports(BinanceReports::of_contracts(symbols, frame_bytes_max))
    }

    #[inline]
    fn decode<'a>(&'a mut self, frame: &'a [u8]) -> Result<OrderMessage<'a>, UnreadFrame<'a>> {
        self.0.decode(frame)
    }

    #[cold]
    fn decode_rest<'a>(
        &'a mut self,
        id: u64,
        status: u16,
        body: &'a [u8],
    ) -> Result<OrderMessage<'a>, UnreadFrame<'a>> {
        self.0.read_rest(id, status, body)
    }

    #[inline]
    fn limits(&self) -> Option<&ToldLimits> {
        self.0.limits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{
        AssetAmount, ExecType, ExpiryReason, InstrumentId, Liquidity, OrderStatus, Side, VenueRef,
        asset_code,
    };
    use crate::venue::LetterReason;
    use crate::venue::protocol::{AccountPosition, AssetBalance};

    /// The documented order update, of an account in one-way mode.
    const TRADE: &str = r#"{"e":"ORDER_TRADE_UPDATE","E":1568879465651,"T":1568879465650,"o":{"s":"BTCUSDT","c":"p1-0-7","S":"SELL","o":"LIMIT","f":"GTC","q":"0.002","p":"7100.50","ap":"7100.50","sp":"0","x":"TRADE","X":"PARTIALLY_FILLED","i":8886774,"l":"0.001","z":"0.001","L":"7100.50","N":"USDT","n":"0.01","T":1568879465650,"t":12345678,"b":"0","a":"9.91","m":true,"R":false,"wt":"CONTRACT_PRICE","ot":"LIMIT","ps":"BOTH","cp":false,"AP":"0","cr":"0","pP":false,"si":0,"ss":0,"rp":"12.34","V":"EXPIRE_MAKER","pm":"OPPONENT","gtd":0,"er":"0"}}"#;
    const ACCOUNT: &str = r#"{"e":"ACCOUNT_UPDATE","E":1564745798939,"T":1564745798938,"a":{"m":"ORDER","B":[{"a":"USDT","wb":"122624.12345678","cw":"100.12345678","bc":"50.12345678"},{"a":"BUSD","wb":"1.00000000","cw":"0.00000000","bc":"-49.12345678"}],"P":[{"s":"BTCUSDT","pa":"-10","ep":"6563.8","bep":"6563.6","cr":"0","up":"0","mt":"cross","iw":"0","ps":"BOTH"}]}}"#;
    const ORDER: &str = r#"{"avgPrice":"0.00000","clientOrderId":"p1-0-7","cumQuote":"14.2","executedQty":"0.002","orderId":1917641,"origQty":"0.40","origType":"LIMIT","price":"7100.00","reduceOnly":false,"side":"BUY","positionSide":"BOTH","status":"PARTIALLY_FILLED","stopPrice":"0","closePosition":false,"symbol":"BTCUSDT","time":1579276756075,"timeInForce":"GTC","type":"LIMIT","priceRate":"0.3","updateTime":1579276756075,"workingType":"CONTRACT_PRICE","priceProtect":false,"priceMatch":"NONE","selfTradePreventionMode":"NONE","goodTillDate":0}"#;

    fn decoder() -> FuturesReports {
        FuturesReports::new(SymbolMap::of_test(&["BTCUSDT"]), 1 << 20)
    }

    #[test]
    fn an_order_update_is_read_in_the_instruments_scales() {
        let mut decoder = decoder();
        let Ok(OrderMessage::Report { name, report, venue_time_ns, unreadable }) =
            decoder.decode(TRADE.as_bytes())
        else {
            panic!()
        };
        assert_eq!((name, venue_time_ns), (&b"p1-0-7"[..], 1_568_879_465_651_000_000));
        assert_eq!(
            (report.exec_type, report.status),
            (ExecType::Trade, OrderStatus::PartiallyFilled)
        );
        assert_eq!((report.side, report.price, report.qty), (Side::Sell, 710_050, 200));
        assert_eq!((report.last_price, report.last_qty, report.filled_qty), (710_050, 100, 100));
        assert_eq!(report.venue_order_id, VenueRef::number(8_886_774));
        assert_eq!(report.execution_id, VenueRef::number(12_345_678));
        assert_eq!(report.fee, Some((1_000_000, asset_code("USDT").unwrap())));
        assert_eq!((report.liquidity, unreadable), (Some(Liquidity::Maker), None));
        let free = TRADE.replace(r#""N":"USDT","n":"0.01","#, "");
        let Ok(OrderMessage::Report { report, unreadable: None, .. }) =
            decoder.decode(free.as_bytes())
        else {
            panic!()
        };
        assert_eq!(report.fee, Some((0, 0)), "no commission is told as none");
    }

    #[test]
    fn each_kind_of_order_update_is_told_apart() {
        let mut decoder = decoder();
        let mut read = |exec: &str, status: &str, reason: &str| {
            let frame = TRADE
                .replace(
                    r#""x":"TRADE","X":"PARTIALLY_FILLED""#,
                    &format!(r#""x":"{exec}","X":"{status}""#),
                )
                .replace(r#""er":"0""#, &format!(r#""er":"{reason}""#));
            match decoder.decode(frame.as_bytes()) {
                Ok(OrderMessage::Report { report, .. }) => {
                    Ok((report.exec_type, report.status, report.expiry, report.last_qty))
                }
                Ok(other) => panic!("{other:?}"),
                Err(unread) => Err((unread.error.reason, unread.value.map(<[u8]>::to_vec))),
            }
        };
        use {ExecType as Exec, ExpiryReason as Why, OrderStatus as Status};
        for (exec, status, reason, told) in [
            ("NEW", "NEW", "0", (Exec::New, Status::New, Why::None, 0)),
            ("AMENDMENT", "NEW", "0", (Exec::Replaced, Status::New, Why::None, 0)),
            ("CANCELED", "CANCELED", "0", (Exec::Canceled, Status::Canceled, Why::None, 0)),
            ("EXPIRED", "EXPIRED", "2", (Exec::Expired, Status::Expired, Why::UnfilledIoc, 0)),
            ("EXPIRED", "EXPIRED", "10", (Exec::Expired, Status::Expired, Why::UnfilledFok, 0)),
            ("EXPIRED", "EXPIRED", "99", (Exec::Expired, Status::Expired, Why::Unlisted, 0)),
            (
                "EXPIRED",
                "EXPIRED_IN_MATCH",
                "0",
                (Exec::Expired, Status::Expired, Why::SelfTrade, 0),
            ),
            ("CALCULATED", "FILLED", "0", (Exec::Trade, Status::Filled, Why::None, 100)),
        ] {
            assert_eq!(read(exec, status, reason), Ok(told), "{exec} {status} {reason}");
        }
        let unknown = |word: &str| Err((LetterReason::Unknown, Some(word.as_bytes().to_vec())));
        assert_eq!(read("EATEN", "NEW", "0"), unknown("EATEN"));
        assert_eq!(read("TRADE", "NEW_ADL", "0"), unknown("NEW_ADL"));
    }

    #[test]
    fn hedge_mode_is_refused_by_its_name_wherever_it_shows() {
        let mut decoder = decoder();
        let frame = TRADE.replace(r#""ps":"BOTH""#, r#""ps":"SHORT""#);
        let unread = decoder.decode(frame.as_bytes()).unwrap_err();
        assert!(unread.error.detail.contains("hedge mode"), "{unread:?}");
        assert_eq!((unread.name, unread.value), (Some(&b"p1-0-7"[..]), Some(&b"SHORT"[..])));
        let answer = ORDER.replace(r#""positionSide":"BOTH""#, r#""positionSide":"LONG""#);
        let unread = decoder.decode_rest(4, 200, answer.as_bytes()).unwrap_err();
        assert!(unread.error.detail.contains("hedge mode"), "{unread:?}");
        assert_eq!((unread.reply, unread.value), (Some(4), Some(&b"LONG"[..])));
        let account = ACCOUNT.replace(r#""ps":"BOTH""#, r#""ps":"LONG""#);
        let Ok(OrderMessage::Balances { entries, unreadable: Some(error), .. }) =
            decoder.decode(account.as_bytes())
        else {
            panic!()
        };
        assert!(entries.len() == 2 && error.detail.contains("hedge mode"), "{error:?}");
    }

    #[test]
    fn wallets_are_read_and_what_can_not_be_leaves_the_others() {
        let balance = |asset: &str, amount: i128| {
            AssetBalance::named(asset, amount, 0).expect("a good balance")
        };
        let mut decoder = decoder();
        let Ok(OrderMessage::Balances { venue_time_ns, entries, unreadable: None, .. }) =
            decoder.decode(ACCOUNT.as_bytes())
        else {
            panic!()
        };
        let told = [balance("USDT", 12_262_412_345_678), balance("BUSD", 100_000_000)];
        assert_eq!((venue_time_ns, entries), (1_564_745_798_939_000_000, &told[..]));
        assert_eq!(entries[0].free, AssetAmount(12_262_412_345_678));
        let list = r#"[{"accountAlias":"SgsR","asset":"USDT","balance":"122.5","crossWalletBalance":"1","crossUnPnl":"0","availableBalance":"7","maxWithdrawAmount":"7","marginAvailable":true,"updateTime":1617939110373},{"asset":"BTC","balance":"-0.5"}]"#;
        let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(3, 200, list.as_bytes()) else {
            panic!()
        };
        let body = reply.outcome.unwrap();
        assert_eq!(body.balances, [balance("USDT", 12_250_000_000)]);
        assert!(body.unreadable.is_some(), "a debt is no balance that the engine can hold");
    }

    #[test]
    fn positions_are_read_where_they_are_ours_and_what_can_not_be_leaves_the_others() {
        let mut decoder = FuturesReports::new(SymbolMap::of_test(&["BTCUSDT", "ETHUSDT"]), 1 << 20);
        let held = |index, qty| AccountPosition { instrument: InstrumentId(index), qty };
        let mut told = |frame: &str| match decoder.decode(frame.as_bytes()) {
            Ok(OrderMessage::Balances { positions, unreadable, .. }) => {
                (positions.to_vec(), unreadable.map(|error| error.reason))
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(told(ACCOUNT), (vec![held(0, -1_000_000)], None));
        assert_eq!(told(&ACCOUNT.replace(r#""s":"BTCUSDT""#, r#""s":"DOGEUSDT""#)), (vec![], None));
        for (from, to, reason) in [
            (r#""pa":"-10""#, r#""pa":"ten""#, LetterReason::Number),
            (r#""pa":"-10","#, "", LetterReason::Field),
            (r#""ps":"BOTH""#, r#""ps":"SHORT""#, LetterReason::Unknown),
        ] {
            let other = r#"{"s":"ETHUSDT","pa":"3","ps":"BOTH"}]"#;
            let frame = ACCOUNT.replace(from, to).replace("}]}}", &format!("}},{other}}}}}"));
            assert_eq!(told(&frame), (vec![held(1, 300_000)], Some(reason)), "{to}");
        }
        let listed = r#"[{"symbol":"BTCUSDT","positionSide":"BOTH","positionAmt":"0.5","entryPrice":"1.0","updateTime":1720736417660},{"symbol":"DOGEUSDT","positionSide":"BOTH","positionAmt":"1"}]"#;
        let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(3, 200, listed.as_bytes()) else {
            panic!()
        };
        let body = reply.outcome.unwrap();
        assert_eq!((body.positions, body.unreadable), (&[held(0, 50_000)][..], None));
    }

    #[test]
    fn answers_over_rest_are_orders_lists_and_errors() {
        let mut decoder = decoder();
        let mut read =
            |status: u16, body: &str| match decoder.decode_rest(9, status, body.as_bytes()) {
                Ok(OrderMessage::Reply(reply)) => match reply.outcome {
                    Ok(body) => {
                        let state = body.state.map(|state| (state.status, state.filled_qty));
                        Ok((body.name.to_vec(), state, body.fills.len(), body.listed.len()))
                    }
                    Err(failure) => Err((failure.status, failure.code)),
                },
                other => panic!("{other:?}"),
            };
        let state = Some((OrderStatus::PartiallyFilled, 200));
        assert_eq!(read(200, ORDER), Ok((b"p1-0-7".to_vec(), state, 0, 0)));
        assert_eq!(read(200, &format!("[{ORDER}]")), Ok((Vec::new(), None, 0, 1)));
        let trades = r#"[{"buyer":false,"commission":"0.0781","commissionAsset":"USDT","id":698759,"maker":false,"orderId":25851813,"price":"7819.01","qty":"0.002","quoteQty":"15.63802","realizedPnl":"-0.91539999","side":"SELL","positionSide":"BOTH","symbol":"BTCUSDT","time":1569514978020}]"#;
        assert_eq!(read(200, trades), Ok((Vec::new(), None, 1, 0)));
        for nothing in
            ["[]", r#"{"code":200,"msg":"The operation of cancel all open order is done."}"#]
        {
            assert_eq!(read(200, nothing), Ok((Vec::new(), None, 0, 0)), "{nothing}");
        }
        let error = r#"{"code":-2013,"msg":"Order does not exist."}"#;
        assert_eq!(read(400, error), Err((400, -2013)));
        assert_eq!(read(502, "<html>"), Err((502, 0)), "a proxy's");
    }

    #[test]
    fn a_trade_of_a_list_says_who_rested() {
        for (maker, liquidity) in [(true, Liquidity::Maker), (false, Liquidity::Taker)] {
            let trades = format!(
                r#"[{{"id":1,"orderId":7,"symbol":"BTCUSDT","price":"1.50","qty":"1","maker":{maker}}}]"#
            );
            let mut decoder = decoder();
            let Ok(OrderMessage::Reply(reply)) = decoder.decode_rest(5, 200, trades.as_bytes())
            else {
                panic!("{trades}");
            };
            assert_eq!(reply.outcome.unwrap().fills[0].liquidity, Some(liquidity));
        }
    }

    #[test]
    fn the_end_of_the_stream_closes_it_and_what_is_of_no_use_is_known_by_name() {
        let mut decoder = decoder();
        let expired = r#"{"e":"listenKeyExpired","E":1699596037418,"listenKey":"OfYGbUzi3PraNagEkdKuFwUHn48brFsItTdsuiIXrucvkD0rhRXZ7I6URWfE8YE8"}"#;
        assert!(matches!(decoder.decode(expired.as_bytes()), Ok(OrderMessage::Closing(_))));
        let lite = r#"{"e":"TRADE_LITE","E":1721895408092,"T":1721895408214,"s":"BTCUSDT","q":"0.001","p":"0","m":false,"c":"z8hcUoOsqEdKMeKPSABslD","S":"BUY","L":"64089.20","l":"0.040","t":109100866,"i":8886774}"#;
        assert!(matches!(decoder.decode(lite.as_bytes()), Ok(OrderMessage::Other("TRADE_LITE"))));
        let spots = TRADE.replace("ORDER_TRADE_UPDATE", "executionReport");
        assert!(decoder.decode(spots.as_bytes()).is_err(), "an event of spot is none here");
        assert_eq!(decoder.take_listen_key(), None, "an event names no new stream");
        let told = r#"{"id":2,"status":200,"result":{"listenKey":"xs0mRXdAKlIPDRFrlPcw0"}}"#;
        assert!(matches!(decoder.decode(told.as_bytes()), Ok(OrderMessage::Reply(_))));
        assert_eq!(decoder.take_listen_key().as_deref(), Some("xs0mRXdAKlIPDRFrlPcw0"));
        assert_eq!(decoder.take_listen_key(), None, "once");
    }
}
