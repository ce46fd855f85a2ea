//! What tickers tell, held against a plain model, and frames that make no sense.

use proptest::prelude::*;

use super::*;
use crate::venue::bybit::BybitMarket;
use crate::venue::protocol::{MarketProtocol, MarketSink};
use crate::venue::{LetterReason, SymbolMap};

/// As recorded, as far as it is read and a little more.
const ALL: &str = r#","lastPrice":"65114.30","markPrice":"65117.44","indexPrice":"65137.76","openInterest":"59891.732","nextFundingTime":"1786320000000","fundingRate":"0.0001","bid1Price":"65114.20","preOpenPrice":"""#;
const FUNDING_NS: i64 = 1_786_320_000_000_000_000;
const WHOLE: [i64; 4] = [651_174_400_000_000, 651_377_600_000_000, 100_000_000, FUNDING_NS];

fn frame(name: &str, kind: &str, fields: &str) -> String {
    format!(
        r#"{{"topic":"tickers.{name}","type":"{kind}","data":{{"symbol":"{name}"{fields}}},"cs":753843900397,"ts":1786310817583}}"#
    )
}

fn snapshot(fields: &str) -> String {
    frame("S0", "snapshot", fields)
}

fn delta(fields: &str) -> String {
    frame("S0", "delta", fields)
}

fn protocol() -> BybitMarket {
    BybitMarket::new(SymbolMap::of_test(&["S0", "S1"]), 1 << 20)
}

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// Mark, index, rate and time.
    Mark([i64; 4]),
    AsBefore,
    Nothing,
}

use Said::{AsBefore, Mark, Nothing};

#[derive(Default)]
struct Heard(Option<Said>);

impl MarketSink for Heard {
    fn take(&mut self, message: MarketMessage<'_>) {
        assert_eq!(self.0, None, "one message a frame");
        self.0 = Some(match message {
            MarketMessage::Mark { venue_time_ns, mark, .. } => {
                assert_eq!(venue_time_ns, 1_786_310_817_583_000_000);
                let MarkPrice { mark_price_e10, index_price_e10, .. } = mark;
                let MarkPrice { funding_rate_e12, next_funding_ns, .. } = mark;
                Mark([mark_price_e10, index_price_e10, funding_rate_e12, next_funding_ns])
            }
            MarketMessage::Unchanged { kind: EventKind::MarkPrice, .. } => AsBefore,
            MarketMessage::KeptAlive => Nothing,
            other => panic!("{other:?}"),
        });
    }
}

fn told(of: &mut BybitMarket, frame: &str) -> Result<Said, LetterReason> {
    let mut heard = Heard::default();
    match of.decode(frame.as_bytes(), &mut heard) {
        Ok(()) => Ok(heard.0.expect("a frame is something")),
        Err(error) => {
            assert_eq!(heard.0, None, "{frame}: told and refused");
            Err(error.reason)
        }
    }
}

#[test]
fn changes_are_told_with_what_the_snapshot_said_beside_them() {
    let mut of = protocol();
    assert_eq!(told(&mut of, &snapshot(ALL)), Ok(Mark(WHOLE)));
    let [mark, index, rate, time] = WHOLE;
    for (fields, expected) in [
        (r#","bid1Price":"65114.20","bid1Size":"6.054""#, AsBefore),
        (r#","markPrice":"65117.43""#, Mark([651_174_300_000_000, index, rate, time])),
        (r#","indexPrice":"0""#, Mark([651_174_300_000_000, 0, rate, time])),
        (r#","fundingRate":"-0.00038167""#, Mark([651_174_300_000_000, 0, -381_670_000, time])),
        (
            r#","nextFundingTime":"1786348800000","markPrice":"1.0000000001""#,
            Mark([10_000_000_001, 0, -381_670_000, 1_786_348_800_000_000_000]),
        ),
        ("", AsBefore),
    ] {
        assert_eq!(told(&mut of, &delta(fields)), Ok(expected), "{fields}");
    }
    // A snapshot says all anew: what it leaves out is not there.
    let alone = snapshot(r#","markPrice":"2""#);
    assert_eq!(told(&mut of, &alone), Ok(Mark([20_000_000_000, 0, 0, 0])));
    assert_eq!(told(&mut of, &snapshot(ALL)), Ok(Mark([mark, index, rate, time])));
}

#[test]
fn nothing_is_told_before_a_snapshot_nor_of_another_connection() {
    let mut of = protocol();
    assert_eq!(told(&mut of, &delta(ALL)), Ok(Nothing));
    assert_eq!(told(&mut of, &delta(ALL)), Ok(Nothing), "a change makes no snapshot");
    assert_eq!(told(&mut of, &frame("S1", "snapshot", ALL)), Ok(Mark(WHOLE)));
    assert_eq!(told(&mut of, &delta(ALL)), Ok(Nothing), "nor does that of another contract");
    assert_eq!(told(&mut of, &snapshot(ALL)), Ok(Mark(WHOLE)));
    of.on_open();
    assert_eq!(told(&mut of, &delta(r#","markPrice":"1""#)), Ok(Nothing));
    assert_eq!(told(&mut of, &delta(r#","markPrice":"-1""#)), Ok(Nothing), "of no use, and unread");
    assert_eq!(told(&mut of, &delta(r#","markPrice":1"#)), Err(LetterReason::Field));
    assert_eq!(told(&mut of, &snapshot(ALL)), Ok(Mark(WHOLE)));
}

#[test]
fn spot_has_tickers_without_a_mark_and_what_is_delivered_none_of_funding() {
    let mut of = protocol();
    let spot = r#","lastPrice":"21109.77","usdIndexPrice":"21120.2400136""#;
    assert_eq!(told(&mut of, &snapshot(spot)), Ok(Nothing));
    for fields in [
        r#","markPrice":"2","indexPrice":"3","fundingRate":"","nextFundingTime":"""#,
        r#","markPrice":"2","indexPrice":"3","fundingRate":"","nextFundingTime":"0""#,
        r#","markPrice":"2","indexPrice":"3","fundingRate":"0.01","nextFundingTime":"0""#,
        r#","markPrice":"2","indexPrice":"3""#,
    ] {
        let expected = Ok(Mark([20_000_000_000, 30_000_000_000, 0, 0]));
        assert_eq!(told(&mut of, &snapshot(fields)), expected, "{fields}");
    }
    assert_eq!(told(&mut of, &snapshot(ALL)), Ok(Mark(WHOLE)));
    let ended = delta(r#","fundingRate":"","nextFundingTime":"""#);
    assert_eq!(told(&mut of, &ended), Ok(Mark([WHOLE[0], WHOLE[1], 0, 0])));
    // What does not trade yet has no price.
    assert_eq!(told(&mut of, &delta(r#","markPrice":"""#)), Ok(Nothing));
    assert_eq!(told(&mut of, &delta(r#","indexPrice":"""#)), Ok(Nothing));
    assert_eq!(told(&mut of, &delta(r#","markPrice":"2""#)), Ok(Mark([20_000_000_000, 0, 0, 0])));
    // An index alone is told once there is a mark.
    assert_eq!(told(&mut of, &snapshot(r#","indexPrice":"3""#)), Ok(Nothing));
    let mark = delta(r#","markPrice":"2""#);
    assert_eq!(told(&mut of, &mark), Ok(Mark([20_000_000_000, 30_000_000_000, 0, 0])));
}

#[test]
fn what_makes_no_sense_is_refused_and_nothing_is_told_until_the_next_snapshot() {
    use LetterReason::{Field, Malformed, Nonsense, Number, Unknown};
    let with = |from: &str, to: &str| delta(ALL).replacen(from, to, 1);
    let mark = r#""markPrice":"65117.44""#;
    let funding = r#""nextFundingTime":"1786320000000""#;
    for (frame, reason) in [
        (with(mark, r#""markPrice":"-65117.44""#), Nonsense),
        (with(mark, r#""markPrice":"0""#), Nonsense),
        (with(mark, r#""markPrice":"1e30""#), Number),
        (with(mark, r#""markPrice":"99999999999999999999""#), Number),
        (with(mark, r#""markPrice":"1.00000000001""#), Number),
        (with(mark, r#""markPrice":65117.44"#), Field),
        (with(mark, r#""markPrice":null"#), Field),
        (with(mark, r#""markPrice":["1"]"#), Field),
        (with(mark, &format!("{mark},{mark}")), Malformed),
        (with(r#""65137.76""#, r#""-65137.76""#), Nonsense),
        (with(r#""65137.76""#, "65137.76"), Field),
        (with(r#""0.0001""#, r#""1.0001""#), Nonsense),
        (with(r#""0.0001""#, r#""-1.0001""#), Nonsense),
        (with(r#""0.0001""#, "0.0001"), Field),
        (with(r#""0.0001""#, r#""""#), Field),
        (with(r#""0.0001""#, r#""1e-4""#), Number),
        (with(funding, r#""nextFundingTime":"-1""#), Field),
        (with(funding, r#""nextFundingTime":"99999999999999999999""#), Field),
        (with(funding, r#""nextFundingTime":"9223372036855""#), Number),
        (with(funding, r#""nextFundingTime":"18446744073709551615""#), Number),
        (with(funding, r#""nextFundingTime":true"#), Field),
        (with("delta", "change"), Unknown),
        (with(r#""type":"delta","#, ""), Field),
        (with(r#""type":"delta""#, r#""type":1"#), Field),
        (with(r#""symbol":"S0""#, r#""symbol":"S1""#), Nonsense),
        (with(r#""symbol":"S0","#, ""), Field),
        (with(r#","ts":1786310817583"#, ""), Field),
        (with(r#""ts":1786310817583"#, r#""ts":99999999999999999"#), Number),
        (with(r#""data":{"#, r#""data":7,"other":{"#), Field),
        (with(r#""data":{"#, r#""other":{"#), Field),
        (delta(ALL)[..90].to_owned(), Malformed),
        ("[]".to_owned(), Unknown),
        (with(r#""topic":"tickers.S0""#, r#""topic":7"#), Field),
    ] {
        let mut of = protocol();
        assert_eq!(told(&mut of, &snapshot(ALL)), Ok(Mark(WHOLE)));
        assert_eq!(told(&mut of, &frame), Err(reason), "{frame}");
        let change = delta(r#","indexPrice":"3""#);
        assert_eq!(told(&mut of, &change), Ok(Nothing), "behind {frame}");
        assert_eq!(told(&mut of, &snapshot(ALL)), Ok(Mark(WHOLE)), "behind {frame}");
    }
}

#[test]
fn a_frame_of_something_else_that_is_refused_loses_no_ticker() {
    for other in [
        frame("S1", "delta", r#","markPrice":"-1""#).replace("delta", "change"),
        frame("S9", "snapshot", ALL),
        frame("S9", "change", ALL).replace("tickers.S9", "tickers"),
        r#"{"topic":"orderbook.200.S0","type":"delta","ts":9,"data":{"s":"S0","u":7}}"#.to_owned(),
        r#"{"op":"auth","success":true}"#.to_owned(),
    ] {
        let mut of = protocol();
        assert_eq!(told(&mut of, &snapshot(ALL)), Ok(Mark(WHOLE)));
        assert!(told(&mut of, &other).is_err(), "{other}");
        let change = delta(r#","markPrice":"2""#);
        let expected = [20_000_000_000, WHOLE[1], WHOLE[2], WHOLE[3]];
        assert_eq!(told(&mut of, &change), Ok(Mark(expected)), "behind {other}");
    }
}

#[test]
fn frames_allocate_nothing() {
    let mut of = protocol();
    let frames = [snapshot(ALL), delta(r#","markPrice":"2""#), delta(r#","bid1Size":"6.054""#)];
    let bad = delta(r#","markPrice":"-2""#);
    let mut run = || {
        for frame in frames.iter().chain([&bad]) {
            let _outcome = of.decode(frame.as_bytes(), &mut Heard::default());
        }
    };
    run();
    assert_eq!(crate::allocations_of(|| (0..1_000).for_each(|_| run())), 0);
}

/// What happens to a connection; places and values of fields are small numbers.
#[derive(Clone, Debug)]
enum Step {
    Frame { slot: usize, is_whole: bool, fields: [Option<i64>; 4] },
    Garbled,
    Opened,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let field = || prop::option::weighted(0.4, prop::sample::select(vec![-1_i64, 0, 1, 2, 3]));
    let fields = [field(), field(), field(), field()];
    let of_frame = (0..2_usize, any::<bool>(), fields);
    let step = prop_oneof![
        20 => of_frame.prop_map(|(slot, is_whole, fields)| Step::Frame { slot, is_whole, fields }),
        1 => Just(Step::Garbled),
        1 => Just(Step::Opened),
    ];
    prop::collection::vec(step, 1..60)
}

/// As texts: a mark and an index of so much, a rate of so many hundredths, where 3 is none, and a
/// time of so many ms.
fn words(fields: &[Option<i64>; 4]) -> String {
    let names = ["markPrice", "indexPrice", "fundingRate", "nextFundingTime"];
    let word = |(name, value): (&str, &Option<i64>)| {
        value.map(|value| match name {
            "fundingRate" if value == 3 => format!(r#","{name}":"""#),
            "fundingRate" if value < 0 => format!(r#","{name}":"-0.0{}""#, -value),
            "fundingRate" => format!(r#","{name}":"0.0{value}""#),
            _ => format!(r#","{name}":"{value}""#),
        })
    };
    names.into_iter().zip(fields).filter_map(word).collect()
}

/// What must be told, by maps of what was named last.
fn modelled(known: &mut Option<[Option<i64>; 4]>, step: &Step) -> Result<Said, ()> {
    let Step::Frame { is_whole, fields, .. } = step else { return Ok(Nothing) };
    let before = known.take();
    let mut now = if *is_whole { [None; 4] } else { before.unwrap_or_default() };
    for (at, value) in fields.iter().enumerate().filter(|(_, value)| value.is_some()) {
        now[at] = *value;
    }
    if now[3] == Some(-1) {
        return Err(());
    }
    if !is_whole && before.is_none() {
        return Ok(Nothing);
    }
    let mut told = Nothing;
    if let [Some(mark), index, rate, time] = now {
        let (index, time) = (index.unwrap_or(0), time.unwrap_or(0));
        let rate = rate.filter(|rate| *rate != 3);
        if mark <= 0 || index < 0 || (time > 0 && rate.is_none()) {
            return Err(());
        }
        let rate = if time > 0 { rate.unwrap_or(0) } else { 0 };
        let e10 = 10_000_000_000;
        told = match fields.iter().any(Option::is_some) {
            true => Mark([mark * e10, index * e10, rate * e10, time * 1_000_000]),
            false => AsBefore,
        };
    }
    *known = Some(now);
    Ok(told)
}

proptest! {
    #[test]
    fn what_is_told_is_what_was_named_last_since_the_snapshot(steps in steps()) {
        let mut of = protocol();
        let mut known = [None, None];
        for step in &steps {
            match step {
                Step::Opened => {
                    of.on_open();
                    known = [None, None];
                }
                Step::Garbled => {
                    let cut = told(&mut of, r#"{"topic":"tickers.S0","#);
                    prop_assert_eq!(cut, Err(LetterReason::Malformed));
                    known = [None, None];
                }
                Step::Frame { slot, is_whole, fields } => {
                    let kind = if *is_whole { "snapshot" } else { "delta" };
                    let frame = frame(["S0", "S1"][*slot], kind, &words(fields));
                    let expected = modelled(&mut known[*slot], step);
                    prop_assert_eq!(told(&mut of, &frame).map_err(|_| ()), expected, "{}", frame);
                }
            }
        }
    }

    #[test]
    fn a_changed_ticker_never_panics_and_the_next_snapshot_is_fine(
        is_whole in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut of = protocol();
        assert_eq!(told(&mut of, &snapshot(ALL)), Ok(Mark(WHOLE)));
        let original = if is_whole { snapshot(ALL) } else { delta(ALL) };
        let mut changed = original.into_bytes();
        for (at, byte) in changes {
            let at = at.index(changed.len());
            changed[at] = byte;
        }
        changed.truncate(cut.index(changed.len()) + 1);
        struct Any;
        impl MarketSink for Any {
            fn take(&mut self, _message: MarketMessage<'_>) {}
        }
        let _outcome = of.decode(&changed, &mut Any);
        prop_assert_eq!(told(&mut of, &snapshot(ALL)), Ok(Mark(WHOLE)));
    }
}
