//! What a venue says of its instruments, asked for in rounds: the first word on each, and every
//! later one that is another, is news.
//!
//! A venue may refuse a whole request for one symbol that it does not list any more: then those of
//! the request are asked for one by one, and the one that is refused by itself does not trade.

use std::collections::VecDeque;
use std::fmt::Display;

use crate::event::{Instrument, InstrumentId, format_scaled};
use crate::text::escaped;
use crate::venue::codec::DecodeError;
use crate::venue::protocol::{InstrumentsRequest, ToldInstrument};
use crate::venue::{InstrumentBoard, SymbolMap};

/// HTTP's word for a request that the venue takes for wrong.
const BAD_REQUEST: u16 = 400;
/// HTTP's word for a request that is not served at all.
const NOT_FOUND: u16 = 404;

/// Whom to ask about next, and what was said last.
pub(super) struct InstrumentWatch {
    request: InstrumentsRequest,
    /// Path of the streams.
    stream_path: String,
    /// Between two rounds, ns.
    every_ns: u64,
    /// When the next request of the round, or the next round, may be sent, ns.
    due_ns: u64,
    watched: Vec<Watched>,
    /// Place of the next one to be asked about.
    next: usize,
    /// How many the present request is about; 0: there is none.
    asked: usize,
    /// Places up to this one are asked about one by one.
    alone_until: usize,
    news: VecDeque<(InstrumentId, Instrument)>,
    /// Where the last word on each is kept.
    board: InstrumentBoard,
}

struct Watched {
    instrument: InstrumentId,
    native: String,
    /// What was said last.
    known: Option<Instrument>,
    /// It was named in the present answer.
    is_named: bool,
    /// The last word could not be read, and was complained of.
    is_unread: bool,
    /// The venue does not list it.
    is_gone: bool,
}

impl InstrumentWatch {
    /// A watch over those of `symbols` that are in `watched`; `None` when there is nothing to do.
    pub(super) fn new(
        request: Option<InstrumentsRequest>,
        symbols: &SymbolMap,
        watched: &[InstrumentId],
        every_ns: u64,
        (stream_path, board): (&str, InstrumentBoard),
    ) -> Option<InstrumentWatch> {
        let of = |instrument: &InstrumentId| {
            let native = symbols.native(*instrument)?.to_owned();
            let (known, is_named, is_unread, is_gone) = (None, false, false, false);
            Some(Watched { instrument: *instrument, native, known, is_named, is_unread, is_gone })
        };
        let watched: Vec<_> = watched.iter().filter_map(of).collect();
        let request = request.filter(|_| every_ns > 0 && !watched.is_empty())?;
        let (due_ns, next, asked, alone_until) = (0, 0, 0, 0);
        let news = VecDeque::new();
        let stream_path = stream_path.to_owned();
        Some(InstrumentWatch {
            request,
            stream_path,
            every_ns,
            due_ns,
            watched,
            next,
            asked,
            alone_until,
            news,
            board,
        })
    }

    /// Whether a request is to be sent.
    pub(super) fn is_due(&self, now_ns: u64) -> bool {
        self.asked == 0 && now_ns >= self.due_ns
    }

    pub(super) fn is_asking(&self) -> bool {
        self.asked > 0
    }

    /// No request before that.
    pub(super) fn hold_until(&mut self, until_ns: u64) {
        self.due_ns = self.due_ns.max(until_ns);
    }

    /// What the next request weighs.
    pub(super) fn weight(&self) -> u32 {
        self.request.weight
    }

    /// Path and query of the next request.
    pub(super) fn ask(&mut self) -> String {
        let most = match self.next < self.alone_until {
            true => 1,
            // One that is gone spoils no request of others.
            false if self.watched[self.next].is_gone => 1,
            false => self.request.symbols_max,
        };
        let run = self.watched[self.next..].iter().take(most);
        let run = run.enumerate().take_while(|(place, one)| *place == 0 || !one.is_gone);
        let natives: Vec<&str> = run.map(|(_, one)| one.native.as_str()).collect();
        self.asked = natives.len().max(1);
        (self.request.path)(&natives, &self.stream_path)
    }

    /// The request could not be had: the next round asks again.
    pub(super) fn failed(&mut self, why: impl Display, now_ns: u64) {
        for one in self.watched.iter().skip(self.next).take(self.asked) {
            self.board.fail(&one.native, &why);
        }
        (self.asked, self.next, self.alone_until) = (0, 0, 0);
        self.due_ns = now_ns + self.every_ns;
    }

    /// The venue refused the request with this status; false when it does not serve it at all, and
    /// there is nothing to watch any more.
    pub(super) fn refused(&mut self, venue: &str, status: u16, now_ns: u64) -> bool {
        let why = format_args!("refused by the venue (code: http {status})");
        match (status, self.asked) {
            (NOT_FOUND, _) => {
                self.failed(why, now_ns);
                return false;
            }
            (BAD_REQUEST, 1) => {
                self.lose(venue);
                self.advance(now_ns);
            }
            (BAD_REQUEST, more) => {
                (self.alone_until, self.asked) = (self.next + more, 0);
            }
            _ => self.failed(why, now_ns),
        }
        true
    }

    /// The symbol that was asked about by itself is not listed.
    fn lose(&mut self, venue: &str) {
        let Some(one) = self.watched.get_mut(self.next) else { return };
        self.board.miss(&one.native);
        if std::mem::replace(&mut one.is_gone, true) {
            return;
        }
        log::warn!("[{venue}] {} is not listed any more: it does not trade", one.native);
        if let Some(known) = &mut one.known {
            known.trading = 0;
            self.news.push_back((one.instrument, *known));
        }
    }

    /// Takes the body of an answer.
    pub(super) fn answered(
        &mut self,
        venue: &str,
        body: &[u8],
        symbols: &SymbolMap,
        now_ns: u64,
    ) -> Result<(), DecodeError> {
        let Self { watched, news, board, .. } = self;
        let read = (self.request.read)(body, symbols, &mut |word| {
            let one = watched.iter_mut().find(|one| one.instrument == word.instrument);
            let Some(one) = one else { return };
            one.is_named = true;
            board.hear(&one.native, &word);
            if let Some(data) = one.hear(venue, &word, symbols) {
                news.push_back((one.instrument, data));
            }
        });
        match read {
            Ok(()) => {
                self.miss();
                self.advance(now_ns);
            }
            Err(error) => self.failed(error, now_ns),
        }
        read
    }

    /// Those that were asked about and not named are not listed.
    fn miss(&mut self) {
        for one in self.watched.iter_mut().skip(self.next).take(self.asked) {
            if !std::mem::take(&mut one.is_named) {
                self.board.miss(&one.native);
            }
        }
    }

    fn advance(&mut self, now_ns: u64) {
        self.next += self.asked;
        self.asked = 0;
        if self.next >= self.watched.len() {
            (self.next, self.alone_until) = (0, 0);
            self.due_ns = now_ns + self.every_ns;
        }
    }

    /// Whether something is to be published.
    pub(super) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// What is to be published next.
    pub(super) fn next_news(&mut self) -> Option<(InstrumentId, Instrument)> {
        self.news.pop_front()
    }
}

impl Watched {
    /// The data of a word, when they are news.
    fn hear(
        &mut self,
        venue: &str,
        word: &ToldInstrument<'_>,
        symbols: &SymbolMap,
    ) -> Option<Instrument> {
        let data = match word.data {
            Ok(data) => data,
            Err(error) => {
                if !std::mem::replace(&mut self.is_unread, true) {
                    let (native, status) = (&self.native, escaped(word.status));
                    log::warn!(
                        "[{venue}] {native}, status {status}: {error}; it is left as it was"
                    );
                }
                return None;
            }
        };
        (self.is_unread, self.is_gone) = (false, false);
        let before = self.known.replace(data);
        if before == Some(data) {
            return None;
        }
        let is_changed = before.is_some();
        let scales = symbols.symbol(self.instrument)?.scales;
        let (tick, step) =
            (format_scaled(data.tick, scales.price), format_scaled(data.step, scales.qty));
        let (native, status) = (&self.native, escaped(word.status));
        let what = if is_changed { "is now" } else { "is" };
        let line = format!("[{venue}] {native} {what} {status}, tick {tick}, step {step}");
        match is_changed || data.trading == 0 {
            true => log::warn!("{line}"),
            false => log::debug!("{line}"),
        }
        Some(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::InstrumentWord;
    use crate::venue::protocol::{ToldRules, instrument_data};

    const EVERY_NS: u64 = 1_000;

    /// A body is lines of `symbol status tick`.
    fn read(
        body: &[u8],
        symbols: &SymbolMap,
        take: &mut dyn FnMut(ToldInstrument<'_>),
    ) -> Result<(), DecodeError> {
        for line in std::str::from_utf8(body).unwrap().lines() {
            let [native, status, tick] = line.split(' ').collect::<Vec<_>>()[..] else {
                return Err(DecodeError::malformed("a line"));
            };
            let symbol = symbols.lookup(native.as_bytes()).unwrap();
            let data = match status {
                "ON" | "OFF" => instrument_data(symbol.scales, (tick, "1"), status == "ON"),
                _ => Err(DecodeError::unknown("status")),
            };
            let rules = ToldRules { tick: Some(tick), ..ToldRules::default() };
            take(ToldInstrument { instrument: symbol.instrument, status, rules, data });
        }
        Ok(())
    }

    fn watch(natives: &[&str], symbols_max: usize) -> (InstrumentWatch, SymbolMap) {
        let symbols = SymbolMap::of_test(natives);
        let path = |natives: &[&str], _: &str| natives.join(",");
        let request = InstrumentsRequest { path, weight: 1, symbols_max, read };
        let ids: Vec<_> = (0..natives.len() as u32).map(InstrumentId).collect();
        let told = ("", InstrumentBoard::of(&symbols));
        let watch = InstrumentWatch::new(Some(request), &symbols, &ids, EVERY_NS, told).unwrap();
        (watch, symbols)
    }

    fn news(watch: &mut InstrumentWatch) -> Vec<(u32, u8, i64)> {
        std::iter::from_fn(|| watch.next_news())
            .map(|(id, data)| (id.0, data.trading, data.tick))
            .collect()
    }

    #[test]
    fn the_first_word_and_every_change_is_news_and_a_repeat_is_none() {
        let (mut watch, symbols) = watch(&["A", "B", "C"], 2);
        let mut now_ns = 0;
        let mut round = |watch: &mut InstrumentWatch, words: [&str; 2]| {
            for (path, words) in ["A,B", "C"].into_iter().zip(words) {
                assert!(watch.is_due(now_ns));
                assert_eq!(watch.ask(), path);
                watch.answered("v", words.as_bytes(), &symbols, now_ns).unwrap();
            }
            assert!(!watch.is_due(now_ns));
            now_ns += EVERY_NS;
        };
        round(&mut watch, ["A ON 0.01\nB ON 0.01", "C OFF 0.01"]);
        assert_eq!(news(&mut watch), [(0, 1, 1), (1, 1, 1), (2, 0, 1)]);
        round(&mut watch, ["A ON 0.01\nB ON 0.01", "C OFF 0.01"]);
        assert_eq!(news(&mut watch), []);
        round(&mut watch, ["A ON 0.10\nB OFF 0.01", "C ON 0.01"]);
        assert_eq!(news(&mut watch), [(0, 1, 10), (1, 0, 1), (2, 1, 1)]);
        round(&mut watch, ["A SLEEPS 0.10\nB OFF 0.01", "C ON 0.01"]);
        assert_eq!(news(&mut watch), [], "what is not known changes nothing");
    }

    #[test]
    fn of_a_refused_request_each_symbol_is_asked_for_and_the_one_that_is_gone_spoils_no_other() {
        let (mut watch, symbols) = watch(&["A", "B", "C"], 9);
        assert_eq!(watch.ask(), "A,B,C");
        let all = "A ON 0.01\nB ON 0.01\nC ON 0.01";
        watch.answered("v", all.as_bytes(), &symbols, 0).unwrap();
        assert_eq!(news(&mut watch).len(), 3);
        assert_eq!(watch.ask(), "A,B,C");
        assert!(watch.refused("v", 400, EVERY_NS));
        for (path, words) in [("A", Some("A ON 0.01")), ("B", None), ("C", Some("C OFF 0.01"))] {
            assert_eq!(watch.ask(), path);
            match words {
                Some(words) => {
                    watch.answered("v", words.as_bytes(), &symbols, EVERY_NS).unwrap();
                }
                None => assert!(watch.refused("v", 400, EVERY_NS)),
            }
        }
        assert_eq!(news(&mut watch), [(1, 0, 1), (2, 0, 1)]);
        assert!(!watch.is_due(EVERY_NS));
        // The next round asks for it by itself, should it come back.
        assert_eq!(watch.ask(), "A");
        watch.answered("v", b"A ON 0.01", &symbols, 0).unwrap();
        assert_eq!(watch.ask(), "B");
        watch.answered("v", b"B ON 0.01", &symbols, 0).unwrap();
        assert_eq!(news(&mut watch), [(1, 1, 1)]);
        assert_eq!(watch.ask(), "C");
    }

    #[test]
    fn a_venue_that_is_down_is_asked_again_later_and_one_that_serves_no_rules_never() {
        let (mut watch, symbols) = watch(&["A"], 9);
        watch.ask();
        assert!(watch.refused("v", 503, 0));
        assert!(!watch.is_due(EVERY_NS - 1) && watch.is_due(EVERY_NS));
        watch.ask();
        assert!(watch.answered("v", b"what", &symbols, 0).is_err());
        assert!(!watch.is_due(EVERY_NS - 1));
        watch.ask();
        assert!(!watch.refused("v", 404, 0));
        let told = ("", InstrumentBoard::default());
        assert!(InstrumentWatch::new(None, &symbols, &[InstrumentId(0)], 1, told).is_none());
    }

    /// The last word on each, in short.
    fn words(watch: &InstrumentWatch) -> Vec<String> {
        let word = |(native, word)| match word {
            InstrumentWord::Unanswered(why) => format!("{native}? {}", why.unwrap_or_default()),
            InstrumentWord::Unlisted => format!("{native} unlisted"),
            InstrumentWord::Listed(listed) => {
                let tick = listed.tick.unwrap_or_default();
                format!("{native} {} {tick} {:?}", listed.status, listed.is_trading)
            }
        };
        watch.board.read().into_iter().map(word).collect()
    }

    #[test]
    fn the_board_has_the_venues_own_words_and_names_what_is_not_listed() {
        let (mut watch, symbols) = watch(&["A", "B", "C"], 2);
        assert_eq!(words(&watch), ["A? ", "B? ", "C? "]);
        watch.ask();
        assert!(watch.refused("v", 503, 0));
        let why = "refused by the venue (code: http 503)";
        assert_eq!(words(&watch)[..2], [format!("A? {why}"), format!("B? {why}")]);
        watch.ask();
        // A tick that no scale here has stays as the venue wrote it.
        watch.answered("v", b"A ON 0.000125", &symbols, EVERY_NS).unwrap();
        assert_eq!(words(&watch)[..2], ["A ON 0.000125 Some(true)", "B unlisted"]);
        watch.ask();
        assert!(watch.refused("v", 400, EVERY_NS), "of one alone");
        assert_eq!(words(&watch)[2], "C unlisted");
        watch.ask();
        watch.answered("v", b"A SLEEPS 0.01\nB OFF 0.01", &symbols, 3 * EVERY_NS).unwrap();
        assert_eq!(words(&watch)[..2], ["A SLEEPS 0.01 None", "B OFF 0.01 Some(false)"]);
    }
}
