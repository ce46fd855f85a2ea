//! What a venue says of its instruments, held against what the configuration says of them.

use pitlane_engine::event::{SCALE_MAX, parse_wide};
use pitlane_engine::instrument::InstrumentSpec;
use pitlane_engine::text::escaped;
use pitlane_engine::venue::{InstrumentWord, ListedInstrument};

use super::checks::Checks;
use crate::table::{render, table};

/// Problems that a row of the table of checks names; all of them are counted.
const NAMED_MAX: usize = 4;

/// One instrument: as the configuration has it, and what the venue has said of it.
pub(super) struct Instrument {
    pub(super) native: String,
    pub(super) spec: InstrumentSpec,
    /// It is made of a recording: its name and its increments are nobody's choice.
    pub(super) is_made: bool,
    pub(super) word: InstrumentWord,
}

/// Adds the checks of instruments and of their rules; the table of them, empty where nothing was
/// seen.
pub(super) fn judge(checks: &mut Checks, instruments: &[Instrument], unseen: &str) -> String {
    let (mut wrong, mut unfit, mut unsure) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = 0;
    for Instrument { native, spec, is_made, word } in instruments {
        match word {
            InstrumentWord::Unanswered(why) => {
                let why = why.as_deref().unwrap_or(unseen);
                unsure.push(format!("{native}: {why}"));
            }
            InstrumentWord::Unlisted => {
                seen += 1;
                wrong.push(format!("{native} is not listed there: renamed, or gone"));
            }
            InstrumentWord::Listed(listed) => {
                seen += 1;
                match (&listed.problem, listed.is_trading) {
                    (Some(problem), _) => unsure.push(format!("{native}: {problem}")),
                    (None, Some(false)) => {
                        wrong.push(format!("{native} does not trade: it is {}", listed.status));
                    }
                    _ => {}
                }
                if !is_made {
                    wrong.extend(other_assets(native, spec, listed));
                }
                unfit.extend(scale_problems(native, spec, *is_made, listed));
            }
        }
    }
    if seen == 0 {
        let why = unsure.first().map_or(unseen, String::as_str);
        checks.not_seen("instruments", why);
        checks.not_seen("filters", why);
        return String::new();
    }
    let fine = format!("{seen} listed, and trading");
    add(checks, "instruments", &wrong, &unsure, fine);
    let fine = "every price and quantity of the configuration is one of the venue's".to_owned();
    add(checks, "filters", &unfit, &unsure, fine);
    rows(instruments)
}

/// A row: it fails where anything is wrong, and does not hold where anything could not be seen.
fn add(checks: &mut Checks, name: &'static str, wrong: &[String], unsure: &[String], fine: String) {
    let named = |problems: &[String]| {
        let more = problems.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        problems[..problems.len().min(NAMED_MAX)].join("; ") + &more
    };
    match (wrong, unsure) {
        ([], []) => checks.add(name, true, fine),
        ([], unsure) => checks.not_seen(name, &named(unsure)),
        (wrong, _) => checks.add(name, false, named(wrong)),
    }
}

/// What the venue trades under this name, where that is something else.
fn other_assets(native: &str, spec: &InstrumentSpec, listed: &ListedInstrument) -> Option<String> {
    let [Some(base), Some(quote)] = &listed.assets else { return None };
    let theirs = format!("{}-{}", base.to_uppercase(), quote.to_uppercase());
    let (symbol, is_other) = (&spec.symbol, theirs != spec.symbol);
    is_other.then(|| format!("{native} is {base} in {quote} there, and {symbol} here"))
}

/// What keeps prices and quantities of the configuration from being those of the venue.
fn scale_problems(
    native: &str,
    spec: &InstrumentSpec,
    is_made: bool,
    listed: &ListedInstrument,
) -> Vec<String> {
    let price = Increment {
        name: "tick",
        scale_name: "price_scale",
        scale: spec.price_scale,
        own: spec.tick,
    };
    let qty =
        Increment { name: "step", scale_name: "qty_scale", scale: spec.qty_scale, own: spec.step };
    let of = |increment: Increment, theirs: &Option<String>| {
        let problem = increment.problem(theirs.as_deref()?, is_made)?;
        Some(format!("{native}: {problem}"))
    };
    of(price, &listed.tick).into_iter().chain(of(qty, &listed.step)).collect()
}

/// An increment of the configuration.
struct Increment {
    name: &'static str,
    scale_name: &'static str,
    /// Decimal places.
    scale: u8,
    /// In that scale.
    own: i64,
}

impl Increment {
    /// What is wrong with it beside that of the venue, and what to write; of one that is made, with
    /// its scale alone.
    fn problem(&self, theirs: &str, is_made: bool) -> Option<String> {
        let Increment { name, scale_name, scale, own } = self;
        let Ok(wide) = parse_wide(theirs.as_bytes(), SCALE_MAX) else {
            return Some(format!("its {name} {theirs} can't be written in {SCALE_MAX} places"));
        };
        // The venue sets none.
        if wide <= 0 {
            return None;
        }
        let theirs = plain(wide);
        let places = theirs.split_once('.').map_or(0, |(_, places)| places.len());
        let unit = 10_i128.pow(u32::from(SCALE_MAX.saturating_sub(*scale)));
        let own = i128::from(*own) * unit;
        if places > usize::from(*scale) {
            let unit = plain(unit);
            return Some(format!(
                "the venue's {name} is {theirs}, and {scale_name} = {scale} ends at {unit}: write \
                 {scale_name} = {places} and {name} = \"{theirs}\""
            ));
        }
        (own % wide != 0 && !is_made).then(|| {
            format!(
                "{name} = \"{}\" is no multiple of the venue's {theirs}: write {name} = \
                 \"{theirs}\"",
                plain(own)
            )
        })
    }
}

/// A number in units of 10^-12, without zeros behind its last digit.
fn plain(wide: i128) -> String {
    let unit = 10_i128.pow(u32::from(SCALE_MAX));
    let width = usize::from(SCALE_MAX);
    let fraction = format!("{:0width$}", wide % unit);
    let fraction = fraction.trim_end_matches('0');
    let whole = wide / unit;
    if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") }
}

/// The instruments beside each other, as the venue and as the configuration have them.
fn rows(instruments: &[Instrument]) -> String {
    let heads = ["instrument", "at the venue", "status", ">tick", ">(here)", ">step", ">(here)"];
    let mut table = table(&[&heads[..], &[">least qty", ">least value"]].concat());
    for Instrument { native, spec, word, .. } in instruments {
        let own = |value: i64, scale: u8| {
            plain(i128::from(value) * 10_i128.pow(u32::from(SCALE_MAX.saturating_sub(scale))))
        };
        let (tick, step) = (own(spec.tick, spec.price_scale), own(spec.step, spec.qty_scale));
        let listed = match word {
            InstrumentWord::Listed(listed) => listed.clone(),
            InstrumentWord::Unlisted => {
                ListedInstrument { status: "not listed".to_owned(), ..ListedInstrument::default() }
            }
            InstrumentWord::Unanswered(_) => {
                ListedInstrument { status: "?".to_owned(), ..ListedInstrument::default() }
            }
        };
        let theirs = |number: &Option<String>| {
            let number = number.as_deref().unwrap_or("-");
            let wide = parse_wide(number.as_bytes(), SCALE_MAX);
            wide.map_or_else(|_| escaped(number).into_owned(), plain)
        };
        table.add_row([
            spec.symbol.clone(),
            escaped(native).into_owned(),
            escaped(&listed.status).into_owned(),
            theirs(&listed.tick),
            tick,
            theirs(&listed.step),
            step,
            theirs(&listed.min_qty),
            theirs(&listed.min_notional),
        ]);
    }
    format!("\n{}", render(&table))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn listed(tick: &str, step: &str) -> ListedInstrument {
        ListedInstrument {
            status: "TRADING".to_owned(),
            is_trading: Some(true),
            tick: Some(tick.to_owned()),
            step: Some(step.to_owned()),
            assets: [Some("BTC".to_owned()), Some("USDT".to_owned())],
            ..ListedInstrument::default()
        }
    }

    /// Exit code and text of the checks of BTC-USDT, in cents and units of 10^-5.
    fn judged(words: &[InstrumentWord]) -> (Exit, String) {
        let mut checks = Checks::default();
        let of = |word: &InstrumentWord| Instrument {
            native: "BTCUSDT".to_owned(),
            spec: InstrumentSpec::btc_usdt(),
            is_made: false,
            word: word.clone(),
        };
        let instruments: Vec<_> = words.iter().map(of).collect();
        let rows = judge(&mut checks, &instruments, "nobody asked");
        (checks.exit(), checks.text() + &rows)
    }

    fn of_one(listed: ListedInstrument) -> (Exit, String) {
        judged(&[InstrumentWord::Listed(listed)])
    }

    #[track_caller]
    fn assert_has((exit, text): (Exit, String), expected: Exit, parts: &[&str]) {
        assert_eq!(exit, expected, "{text}");
        // Long cells are broken into lines.
        let words = text.split(['|', ' ', '\n']).filter(|word| !word.is_empty());
        let flat = words.collect::<Vec<_>>().join(" ");
        for part in parts {
            assert!(flat.contains(part), "{part:?} is not in {flat}");
        }
    }

    #[test]
    fn increments_that_the_scale_can_write_hold_with_whatever_zeros_they_are_written() {
        for (tick, step) in [("0.01000000", "0.00001000"), ("0.01", "0.00001"), ("0", "0")] {
            assert_has(
                of_one(listed(tick, step)),
                Exit::Ok,
                &["instruments holds", "filters holds"],
            );
        }
    }

    #[test]
    fn a_finer_increment_fails_with_both_numbers_and_what_to_write() {
        let parts = [
            "the venue's tick is 0.001, and price_scale = 2 ends at 0.01",
            "write price_scale = 3 and tick = \"0.001\"",
        ];
        assert_has(of_one(listed("0.00100", "0.00001")), Exit::Failed, &parts);
        let parts = [
            "the venue's step is 0.00000001, and qty_scale = 5 ends at 0.00001",
            "write qty_scale = 8 and step = \"0.00000001\"",
        ];
        assert_has(of_one(listed("0.01", "0.00000001")), Exit::Failed, &parts);
    }

    #[test]
    fn a_coarser_increment_fails_where_the_configurations_is_no_multiple_of_it() {
        let parts = ["tick = \"0.01\" is no multiple of the venue's 0.1: write tick = \"0.1\""];
        assert_has(of_one(listed("0.10", "0.00001")), Exit::Failed, &parts);
        let mut spec = InstrumentSpec::btc_usdt();
        spec.tick = 100;
        let problems = scale_problems("BTCUSDT", &spec, false, &listed("0.10", "0.00001"));
        assert!(problems.is_empty(), "whole dollars are ten of the venue's each");
        let made = scale_problems("AB", &InstrumentSpec::btc_usdt(), true, &listed("0.1", "1"));
        assert!(made.is_empty(), "{made:?}");
        let parts = ["its tick 1e-5 can't be written"];
        assert_has(of_one(listed("1e-5", "1")), Exit::Failed, &parts);
    }

    #[test]
    fn what_is_halted_unlisted_or_another_pair_fails_by_its_name() {
        let halted = ListedInstrument {
            status: "BREAK".to_owned(),
            is_trading: Some(false),
            ..listed("0.01", "0.00001")
        };
        assert_has(of_one(halted), Exit::Failed, &["BTCUSDT does not trade: it is BREAK"]);
        let unlisted = judged(&[InstrumentWord::Unlisted]);
        assert_has(unlisted, Exit::Failed, &["BTCUSDT is not listed there"]);
        let mut other = listed("0.01", "0.00001");
        other.assets[1] = Some("USDC".to_owned());
        let parts = ["BTCUSDT is BTC in USDC there, and BTC-USDT here"];
        assert_has(of_one(other), Exit::Failed, &parts);
    }

    #[test]
    fn what_could_not_be_seen_never_holds() {
        let parts = ["instruments not seen BTCUSDT: nobody asked", "filters not seen"];
        assert_has(judged(&[InstrumentWord::Unanswered(None)]), Exit::Ok, &parts);
        let one = InstrumentWord::Listed(listed("0.01", "0.00001"));
        let other = InstrumentWord::Unanswered(Some("http 503".to_owned()));
        let parts = ["instruments not seen BTCUSDT: http 503", "filters not seen"];
        assert_has(judged(&[one, other]), Exit::Ok, &parts);
        let strange = ListedInstrument {
            status: "\u{1b}[2J".to_owned(),
            is_trading: None,
            problem: Some("status not known".to_owned()),
            ..listed("0.01", "0.00001")
        };
        let (exit, text) = of_one(strange);
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert_has((exit, text), Exit::Ok, &["instruments not seen BTCUSDT: status not known"]);
        assert_has(judged(&[]), Exit::Ok, &["instruments not seen nobody asked"]);
    }
}
