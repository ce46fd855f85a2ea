//! What it takes to make an event of a frame's bytes, message by message, on one core with all at
//! hand; beside it what is written in an afternoon, with serde and with a plain reader.

mod plain;
mod samples;

use pitlane_engine::event::{Level, Side};
use pitlane_engine::venue::binance::{BinanceOrders, SpotMarket};
use pitlane_engine::venue::binance_sbe::SbeMarket;
use pitlane_engine::venue::book::L2Book;
use pitlane_engine::venue::protocol::{
    MarketMessage, MarketProtocol, MarketSink, OrderDecoder, OrderProtocol,
};

use self::plain::{PlainBook, PlainSbe, PlainText};
use self::samples::{Kind, Samples};
use super::{Bench, Job, print};

const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Frames of one sample.
const FRAMES: usize = 200_000;
/// Updates of one sample of a book.
const UPDATES: usize = 2_000_000;
/// Levels a side of the book, and how far from the best one is touched.
const BOOK_LEVELS: i64 = 1_000;
const NEAR_LEVELS: usize = 10;

/// Takes all, and looks at it.
struct Looked;

impl MarketSink for Looked {
    #[inline]
    fn take(&mut self, message: MarketMessage<'_>) {
        std::hint::black_box(&message);
    }
}

/// Prints the time of one message.
pub(crate) fn section(bench: &Bench) {
    let samples = Samples::load();
    println!("\nframes of market data and orders: {}", samples.source);
    for kind in [Kind::Quote, Kind::Trade, Kind::Depth] {
        market(bench, &samples, kind);
    }
    reports(bench, &samples);
    book(bench);
}

fn market(bench: &Bench, samples: &Samples, kind: Kind) {
    let texts = samples.texts(kind);
    let binaries = samples.binaries(&texts);
    let (text_limit, binary_limit) = match kind {
        Kind::Quote => (140, 15),
        Kind::Trade => (150, 15),
        Kind::Depth => (1_200, 150),
    };
    let mut ours = SpotMarket::new(samples.symbols.clone(), FRAME_BYTES_MAX);
    let our_text = job("pitlane", &texts, move |frame| ours.decode(frame, &mut Looked).is_ok());
    let mut plain = PlainText::new(&samples.natives);
    let by_serde =
        job("serde_json, borrowed structs", &texts, move |frame| plain.read(frame, kind));
    let mut plain = PlainText::new(&samples.natives);
    let by_simd = job("simd-json, a value and the same structs", &texts, move |frame| {
        plain.read_simd(frame, kind)
    });
    let title = format!("{} in JSON, {} bytes (limit {text_limit})", kind.name(), bytes(&texts));
    print(&title, "ns each", &bench.interleave(&mut [our_text, by_serde, by_simd]));

    let mut ours = SbeMarket::new(samples.symbols.clone(), FRAME_BYTES_MAX);
    let our_binary =
        job("pitlane", &binaries, move |frame| ours.decode(frame, &mut Looked).is_ok());
    let mut plain = PlainSbe::new(&samples.natives);
    let by_reader = job("a plain reader", &binaries, move |frame| plain.read(frame));
    let mut ours = SpotMarket::new(samples.symbols.clone(), FRAME_BYTES_MAX);
    let in_text = job("pitlane, the same in JSON", &texts, move |frame| {
        ours.decode(frame, &mut Looked).is_ok()
    });
    let title =
        format!("{} in SBE, {} bytes (limit {binary_limit})", kind.name(), bytes(&binaries));
    print(&title, "ns each", &bench.interleave(&mut [our_binary, by_reader, in_text]));
}

fn reports(bench: &Bench, samples: &Samples) {
    let frames = samples.reports();
    let symbols = samples.symbols.clone();
    let mut ours = <BinanceOrders as OrderProtocol>::Decoder::new(symbols, FRAME_BYTES_MAX);
    let our = job("pitlane", &frames, move |frame| ours.decode(frame).is_ok());
    let mut plain = PlainText::new(&samples.natives);
    let by_serde = job("serde_json, borrowed structs", &frames, move |frame| plain.report(frame));
    let mut plain = PlainText::new(&samples.natives);
    let by_simd = job("simd-json, a value and the same structs", &frames, move |frame| {
        plain.report_simd(frame)
    });
    let title = format!("execution report in JSON, {} bytes (limit 800)", bytes(&frames));
    print(&title, "ns each", &bench.interleave(&mut [our, by_serde, by_simd]));
}

fn book(bench: &Bench) {
    let side = |sign: i64| {
        (1..=BOOK_LEVELS).map(move |n| Level { price: 6_000_000 + sign * n, qty: 100 + n })
    };
    let (bids, asks): (Vec<_>, Vec<_>) = (side(-1).collect(), side(1).collect());
    // Each level near the top goes and comes back, one in three only changes.
    let near: Vec<(Side, i64, i64)> = (0..NEAR_LEVELS)
        .flat_map(|n| {
            let (bid, ask) = (bids[n].price, asks[n].price);
            let quantities = if n % 3 == 0 { [5, 7] } else { [0, 7] };
            quantities
                .into_iter()
                .flat_map(move |qty| [(Side::Buy, bid, qty), (Side::Sell, ask, qty)])
        })
        .collect();
    let mut ours = L2Book::new(L2Book::LEVELS_MAX_DEFAULT);
    ours.load(&bids, &asks);
    let mut plain = PlainBook::new(&bids, &asks);
    let updates = near.clone();
    let our = updating("pitlane", near, move |(side, price, qty)| {
        std::hint::black_box(ours.apply(side, price, qty));
        ours.best_prices()
    });
    let by_map = updating("two BTreeMap", updates, move |(side, price, qty)| {
        plain.apply(side, price, qty);
        plain.best_prices()
    });
    let title = format!(
        "update among the best {NEAR_LEVELS} of {BOOK_LEVELS} levels, and the best prices (limit 60)"
    );
    print(&title, "ns each", &bench.interleave(&mut [our, by_map]));
}

fn bytes(frames: &[Vec<u8>]) -> usize {
    frames.iter().map(Vec::len).sum::<usize>() / frames.len()
}

fn updating(
    name: &str,
    updates: Vec<(Side, i64, i64)>,
    mut once: impl FnMut((Side, i64, i64)) -> (i64, i64) + 'static,
) -> Job {
    let run = move |bench: &Bench| {
        let from_ns = bench.clock.now_ns();
        for update in updates.iter().cycle().take(UPDATES) {
            std::hint::black_box(once(std::hint::black_box(*update)));
        }
        (bench.clock.now_ns() - from_ns) as f64 / UPDATES as f64
    };
    (name.to_owned(), Box::new(run))
}

fn job(name: &str, frames: &[Vec<u8>], mut once: impl FnMut(&[u8]) -> bool + 'static) -> Job {
    let frames = frames.to_vec();
    let run = move |bench: &Bench| {
        let from_ns = bench.clock.now_ns();
        let mut read = 0;
        for frame in frames.iter().cycle().take(FRAMES) {
            read += usize::from(once(std::hint::black_box(frame)));
        }
        let took_ns = bench.clock.now_ns() - from_ns;
        assert_eq!(read, FRAMES, "a frame is refused");
        took_ns as f64 / FRAMES as f64
    };
    (name.to_owned(), Box::new(run))
}
