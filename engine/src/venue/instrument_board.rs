//! What a venue has said of its instruments last, for who wants to hold it against a configuration.

use std::fmt::Display;
use std::sync::Arc;

use parking_lot::Mutex;

use super::SymbolMap;
use super::protocol::ToldInstrument;

/// An instrument as its venue lists it, in the venue's own words and numbers. All of it is raw: it
/// must be escaped before it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedInstrument {
    /// Its status.
    pub status: String,
    /// Whether orders are taken; `None` where that could not be read, see `problem`.
    pub is_trading: Option<bool>,
    /// Price increment.
    pub tick: Option<String>,
    /// Quantity increment.
    pub step: Option<String>,
    /// Least quantity of an order.
    pub min_qty: Option<String>,
    /// Least value of an order, in the quote asset.
    pub min_notional: Option<String>,
    /// The assets that are traded, base and quote.
    pub assets: [Option<String>; 2],
    /// What of it could not be read.
    pub problem: Option<String>,
}

/// What a venue has said of one instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstrumentWord {
    /// It has not answered; why, where that is known.
    Unanswered(Option<String>),
    /// It has answered, and does not list it.
    Unlisted,
    /// It lists it so.
    Listed(ListedInstrument),
}

/// The last word on each of a venue's instruments, by the venue's own names of them. The default
/// one keeps nothing, and allocates nothing: only who asks for the words pays for them.
#[derive(Clone, Debug, Default)]
pub struct InstrumentBoard(Option<Arc<Mutex<Words>>>);

type Words = Vec<(String, InstrumentWord)>;

impl InstrumentBoard {
    /// One on which nothing was said of these symbols yet.
    #[must_use]
    pub fn of(symbols: &SymbolMap) -> InstrumentBoard {
        let unanswered =
            |(native, _): (&str, _)| (native.to_owned(), InstrumentWord::Unanswered(None));
        InstrumentBoard(Some(Arc::new(Mutex::new(symbols.iter().map(unanswered).collect()))))
    }

    /// The last words, in the order of the configuration.
    #[must_use]
    pub fn read(&self) -> Vec<(String, InstrumentWord)> {
        self.0.as_ref().map(|words| words.lock().clone()).unwrap_or_default()
    }

    /// A word on an instrument.
    pub(in crate::venue) fn hear(&self, native: &str, word: &ToldInstrument<'_>) {
        if self.0.is_none() {
            return;
        }
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let rules = word.rules;
        self.set(
            native,
            InstrumentWord::Listed(ListedInstrument {
                status: word.status.to_owned(),
                is_trading: word.data.ok().map(|data| data.trading == 1),
                tick: owned(rules.tick),
                step: owned(rules.step),
                min_qty: owned(rules.min_qty),
                min_notional: owned(rules.min_notional),
                assets: rules.assets.map(owned),
                problem: word.data.err().map(|error| error.to_string()),
            }),
        );
    }

    /// The venue does not list it.
    pub(in crate::venue) fn miss(&self, native: &str) {
        self.set(native, InstrumentWord::Unlisted);
    }

    /// It could not be had what the venue says of it. What it has said before stays.
    pub(in crate::venue) fn fail(&self, native: &str, why: &impl Display) {
        let Some(words) = &self.0 else { return };
        let mut words = words.lock();
        let known = words.iter_mut().find(|(of, _)| of == native);
        if let Some((_, InstrumentWord::Unanswered(reason))) = known {
            *reason = Some(why.to_string());
        }
    }

    fn set(&self, native: &str, word: InstrumentWord) {
        let Some(words) = &self.0 else { return };
        let mut words = words.lock();
        match words.iter_mut().find(|(of, _)| of == native) {
            Some((_, known)) => *known = word,
            None => words.push((native.to_owned(), word)),
        }
    }
}
