//! What only several keys together can get wrong: names that are used twice or exist nowhere,
//! numbers that do not fit each other.

use std::collections::{HashMap, HashSet};

use super::check::{most_alike, suggestion};
use super::error::Problem;
use super::{
    Config, InstrumentConfig, SIMULATED_MAX, SIMULATED_SYMBOLS_MAX, VenueMode, simulated_name,
};
use crate::event::{EventClass, EventKind, parse_scaled};

/// Decimal places that the simulated venue writes.
const SIMULATED_SCALE_MAX: u8 = 8;

/// Decimal places of limits of money.
const MONEY_SCALE: u8 = 8;

/// Ticks that the simulated venue needs below its first price.
const SIMULATED_TICKS_MIN: i64 = 1_000;

/// Every problem between keys, in the order of the file.
pub(super) fn problems(config: &Config) -> Vec<Problem> {
    let mut cross = Cross { config, problems: Vec::new() };
    cross.stalls();
    cross.session();
    cross.venues();
    cross.instruments();
    cross.natives();
    cross.risk();
    cross.consumers();
    cross.problems.sort_by_key(|problem| problem.position);
    cross.problems
}

struct Cross<'a> {
    config: &'a Config,
    problems: Vec<Problem>,
}

impl Cross<'_> {
    fn add(&mut self, key: &str, problem: &str, allowed: &str) {
        self.problems.push(self.config.origin.problem(key, problem, allowed));
    }

    fn stalls(&mut self) {
        let config = self.config;
        let quarantine_ms = config.engine.quarantine_after_ms;
        let consumers = config.consumers.iter().enumerate().filter_map(|(index, consumer)| {
            Some((format!("consumer[{index}].stall_budget_ms"), consumer.stall_budget_ms?))
        });
        let engine = ("engine.stall_budget_ms".to_owned(), config.engine.stall_budget_ms);
        for (key, budget_ms) in std::iter::once(engine).chain(consumers) {
            if budget_ms >= quarantine_ms {
                let problem = format!("{budget_ms} ms would quarantine before it is a stall");
                let allowed = format!("below engine.quarantine_after_ms, {quarantine_ms}");
                self.add(&key, &problem, &allowed);
            }
        }
    }

    fn session(&mut self) {
        let session = &self.config.session;
        if session.idle_ms <= session.ping_interval_ms {
            let problem = format!("{} ms would end a connection before its ping", session.idle_ms);
            let allowed = format!("above session.ping_interval_ms, {}", session.ping_interval_ms);
            self.add("session.idle_ms", &problem, &allowed);
        }
        let deadline_ms = self.config.engine.drain_deadline_ms;
        if session.rest_ms >= deadline_ms {
            let problem = format!("{} ms would outlast a stop", session.rest_ms);
            let allowed = format!("below engine.drain_deadline_ms, {deadline_ms}");
            self.add("session.rest_ms", &problem, &allowed);
        }
        if session.backoff_max_ms < session.backoff_min_ms {
            let problem = format!("{} ms is below the first wait", session.backoff_max_ms);
            let allowed = format!("from session.backoff_min_ms, {}", session.backoff_min_ms);
            self.add("session.backoff_max_ms", &problem, &allowed);
        }
    }

    fn venues(&mut self) {
        let config = self.config;
        if config.venue_names().is_empty() {
            let problem = "there is no venue at all";
            self.add("simulated.enabled", problem, "true, or a [[venue]]");
        }
        let mut seen: HashSet<String> = (1..=SIMULATED_MAX).map(simulated_name).collect();
        for (index, venue) in config.venues.iter().enumerate() {
            let key = |name: &str| format!("venue[{index}].{name}");
            if !seen.insert(venue.name.clone()) {
                let problem = format!("the name {:?} is taken", venue.name);
                self.add(&key("name"), &problem, "a name of its own");
            }
            if venue.stream_url.is_empty() {
                self.add(&key("stream_url"), "missing", "wss://HOST[:PORT][/PATH]");
            }
            self.once(&key("streams"), venue.streams.as_deref().unwrap_or_default());
            if venue.mode == VenueMode::Paper && !venue.books {
                let problem = "false: orders on paper are matched against the live book";
                self.add(&key("books"), problem, "true");
            }
            if venue.sends_orders() {
                if venue.api_key.is_none() && venue.api_key_env.is_none() {
                    let problem = "missing: orders need an API key";
                    self.add(&key("api_key_env"), problem, "api_key_env or api_key");
                }
                if venue.private_key_file.is_none() {
                    let problem = "missing: orders need a key to sign with";
                    self.add(&key("private_key_file"), problem, "a file with an Ed25519 key");
                }
            }
        }
    }

    fn instruments(&mut self) {
        let config = self.config;
        if config.instruments.is_empty() {
            self.add("instrument", "there is no instrument", "at least one");
        }
        if config.simulated.enabled && config.instruments.len() > SIMULATED_SYMBOLS_MAX {
            let count = config.instruments.len();
            let problem = format!("{count} of them: the simulated venue trades fewer");
            let allowed =
                format!("at most {SIMULATED_SYMBOLS_MAX}, or [simulated] enabled = false");
            self.add("instrument", &problem, &allowed);
        }
        let venues = config.venue_names();
        let mut seen = HashSet::new();
        for (index, instrument) in config.instruments.iter().enumerate() {
            let key = |name: &str| format!("instrument[{index}].{name}");
            if !seen.insert(&instrument.symbol) {
                let problem = format!("{:?} is there twice", instrument.symbol);
                self.add(&key("symbol"), &problem, "each symbol once");
            }
            for venue in instrument.native.iter().flat_map(|native| native.keys()) {
                if !venues.contains(venue) {
                    let hint = suggestion(venue, venues.iter().map(String::as_str));
                    let problem = format!("there is no venue {venue:?}{hint}");
                    self.add(&key(&format!("native.{venue}")), &problem, &venues.join(", "));
                }
            }
            let (price_scale, qty_scale) = (instrument.price_scale, instrument.qty_scale);
            let tick = self.scaled(&key("tick"), &instrument.tick, price_scale);
            self.scaled(&key("step"), &instrument.step, qty_scale);
            let start = self.scaled(&key("start_price"), &instrument.start_price, price_scale);
            if let (Some(tick), Some(start)) = (tick, start)
                && start % tick != 0
            {
                let problem = format!("{} is no multiple of the tick", instrument.start_price);
                let allowed = format!("a multiple of {}", instrument.tick);
                self.add(&key("start_price"), &problem, &allowed);
            }
            if config.simulated.enabled {
                self.simulated(&key, instrument, start.zip(tick));
            }
        }
    }

    /// What the simulated venue needs of an instrument: it writes eight decimal places, and its
    /// prices walk.
    fn simulated(
        &mut self,
        key: &impl Fn(&str) -> String,
        instrument: &InstrumentConfig,
        start_and_tick: Option<(i64, i64)>,
    ) {
        let scales = [("price_scale", instrument.price_scale), ("qty_scale", instrument.qty_scale)];
        for (name, scale) in scales.into_iter().filter(|(_, scale)| *scale > SIMULATED_SCALE_MAX) {
            let problem = format!("{scale} is more than the simulated venue writes");
            self.add(&key(name), &problem, &format!("0 to {SIMULATED_SCALE_MAX} places"));
        }
        if let Some((start, tick)) = start_and_tick
            && start / tick < SIMULATED_TICKS_MIN
        {
            let problem = "too few ticks above 0 for the simulated venue's prices to walk";
            self.add(&key("start_price"), problem, &format!("{SIMULATED_TICKS_MIN} ticks or more"));
        }
    }

    /// The number in units of 10^-`scale`; a problem when it does not fit.
    fn scaled(&mut self, key: &str, text: &str, scale: u8) -> Option<i64> {
        match parse_scaled(text.as_bytes(), scale) {
            Ok(value) if value > 0 => Some(value),
            Ok(_) => None,
            Err(error) => {
                let allowed = format!("at most {scale} decimal places, within 64 bits");
                self.add(key, &format!("{text}: {error}"), &allowed);
                None
            }
        }
    }

    /// Every limit fits the scales of what it is of, and is of something that there is.
    fn risk(&mut self) {
        let config = self.config;
        let risk = &config.risk;
        for instrument in &config.instruments {
            let own = risk.instruments.get(&instrument.symbol);
            let of_all = [
                ("max_order_qty", &risk.max_order_qty, own.map(|own| &own.max_order_qty)),
                ("max_position", &risk.max_position, own.map(|own| &own.max_position)),
            ];
            for (name, of_all, own) in of_all {
                let own = own.and_then(Option::as_deref);
                let of_own = format!("risk.instruments.{}.{name}", instrument.symbol);
                match own {
                    Some(text) => self.quantity(&of_own, text, instrument),
                    None => self.quantities(&[(&format!("risk.{name}"), of_all)], instrument),
                }
            }
            for (name, own) in &risk.strategies {
                let key = |limit: &str| format!("risk.strategies.{name}.{limit}");
                let texts = [
                    (key("max_order_qty"), &own.max_order_qty),
                    (key("max_position"), &own.max_position),
                ];
                let texts = texts.each_ref().map(|(key, text)| (key.as_str(), *text));
                self.quantities(&texts, instrument);
            }
            for (name, group) in &risk.venues {
                let key = format!("risk.venues.{name}.max_position");
                self.quantities(&[(&key, &group.max_position)], instrument);
            }
            self.quantities(&[("risk.total.max_position", &risk.total.max_position)], instrument);
        }
        self.amounts();
        let symbols: Vec<&str> = config.instruments.iter().map(|it| it.symbol.as_str()).collect();
        let consumers: Vec<&str> = config.consumers.iter().map(|it| it.name.as_str()).collect();
        let venues = config.venue_names();
        let venues: Vec<&str> = venues.iter().map(String::as_str).collect();
        self.there("instrument", "instruments", risk.instruments.keys(), &symbols);
        self.there("consumer", "strategies", risk.strategies.keys(), &consumers);
        self.there("venue", "venues", risk.venues.keys(), &venues);
    }

    fn quantities(&mut self, texts: &[(&str, &Option<String>)], instrument: &InstrumentConfig) {
        for (key, text) in texts {
            if let Some(text) = text {
                self.quantity(key, text, instrument);
            }
        }
    }

    fn quantity(&mut self, key: &str, text: &str, instrument: &InstrumentConfig) {
        let Err(error) = parse_scaled(text.as_bytes(), instrument.qty_scale) else { return };
        let (symbol, places) = (&instrument.symbol, instrument.qty_scale);
        let name = key.rsplit('.').next().unwrap_or_default();
        let problem = format!("{text} does not fit {symbol}: {error}");
        let own = match ["max_order_qty", "max_position"].contains(&name) {
            true => format!(", or one of its own at risk.instruments.\"{symbol}\".{name}"),
            false => String::new(),
        };
        self.add(key, &problem, &format!("at most {places} decimal places{own}"));
    }

    /// Money has eight decimal places everywhere.
    fn amounts(&mut self) {
        let risk = &self.config.risk;
        let mut texts = vec![
            ("risk.max_order_notional".to_owned(), &risk.max_order_notional),
            ("risk.max_open_notional".to_owned(), &risk.max_open_notional),
            ("risk.max_daily_loss".to_owned(), &risk.max_daily_loss),
            ("risk.breaker_loss".to_owned(), &risk.breaker_loss),
            ("risk.total.max_open_notional".to_owned(), &risk.total.max_open_notional),
            ("risk.total.max_daily_loss".to_owned(), &risk.total.max_daily_loss),
        ];
        for (name, own) in &risk.instruments {
            let key = format!("risk.instruments.{name}.max_order_notional");
            texts.push((key, &own.max_order_notional));
        }
        for (name, own) in &risk.strategies {
            let key = |limit: &str| format!("risk.strategies.{name}.{limit}");
            texts.push((key("max_order_notional"), &own.max_order_notional));
            texts.push((key("max_open_notional"), &own.max_open_notional));
            texts.push((key("max_daily_loss"), &own.max_daily_loss));
        }
        for (name, group) in &risk.venues {
            let key = format!("risk.venues.{name}.max_open_notional");
            texts.push((key, &group.max_open_notional));
            if let Some(loss) = &group.max_daily_loss {
                let key = format!("risk.venues.{name}.max_daily_loss");
                let problem = format!("{loss}: the loss of a day is of no single venue");
                self.add(&key, &problem, "in [risk], [risk.strategies.NAME] or [risk.total]");
            }
        }
        for (key, text) in texts {
            let Some(text) = text else { continue };
            if let Err(error) = parse_scaled(text.as_bytes(), MONEY_SCALE) {
                let allowed = format!("at most {MONEY_SCALE} decimal places, below 92 billion");
                self.add(&key, &format!("{text}: {error}"), &allowed);
            }
        }
    }

    /// Every name of a table under `risk` is one of `known`.
    fn there<'n>(
        &mut self,
        what: &str,
        table: &str,
        names: impl Iterator<Item = &'n String>,
        known: &[&str],
    ) {
        for name in names.filter(|name| !known.contains(&name.as_str())) {
            let hint = suggestion(name, known.iter().copied());
            let problem = format!("no {what} {name:?} is configured{hint}");
            self.add(&format!("risk.{table}.{name}"), &problem, &known.join(", "));
        }
    }

    fn consumers(&mut self) {
        let config = self.config;
        let symbols: Vec<&str> = config.instruments.iter().map(|i| i.symbol.as_str()).collect();
        let kinds: Vec<&str> = EventKind::ALL
            .into_iter()
            .filter(|kind| kind.class() != EventClass::Critical)
            .map(EventKind::name)
            .collect();
        let mut seen = HashSet::new();
        for (index, consumer) in config.consumers.iter().enumerate() {
            let key = |name: &str| format!("consumer[{index}].{name}");
            if consumer.strategy.is_empty() {
                self.add(&key("strategy"), "missing", "the name of a registered strategy");
            } else if !seen.insert(&consumer.name) {
                let problem = format!("the name {:?} is taken", consumer.name);
                self.add(&key("name"), &problem, "a name of its own");
            }
            let of_consumer = consumer.kinds.as_deref().unwrap_or_default();
            self.known(&key("instruments"), &consumer.instruments, &symbols);
            self.known(&key("kinds"), of_consumer, &kinds);
            self.once(&key("instruments"), &consumer.instruments);
            self.once(&key("kinds"), of_consumer);
        }
    }

    /// No word may be there twice.
    fn once(&mut self, key: &str, words: &[String]) {
        let mut seen = HashSet::new();
        for (index, word) in words.iter().enumerate() {
            if !seen.insert(word) {
                let problem = format!("{word:?} is there twice");
                self.add(&format!("{key}[{index}]"), &problem, "each once");
            }
        }
    }

    /// No two instruments may have one name at a venue.
    fn natives(&mut self) {
        let config = self.config;
        for venue in config.venue_names() {
            let mut seen = HashMap::new();
            for (index, instrument) in config.instruments.iter().enumerate() {
                let native = instrument.native_symbol(&venue);
                let Some(other) = seen.insert(native.clone(), &instrument.symbol) else { continue };
                // The same symbol twice is told by its own name.
                if *other != instrument.symbol {
                    let problem = format!("{venue} would call {other} {native:?}, too");
                    let key = format!("instrument[{index}].native.{venue}");
                    self.add(&key, &problem, "a name of its own at each venue");
                }
            }
        }
    }

    /// Every one of `words` must be one of `known`.
    fn known(&mut self, key: &str, words: &[String], known: &[&str]) {
        for (index, word) in words.iter().enumerate() {
            if known.contains(&word.as_str()) {
                continue;
            }
            let hint = match most_alike(word, known.iter().copied()) {
                Some(name) => format!("; did you mean {name:?}?"),
                None => String::new(),
            };
            let problem = format!("{word:?} is unknown{hint}");
            self.add(&format!("{key}[{index}]"), &problem, &known.join(", "));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[track_caller]
    fn refused(text: &str, key: &str, problem: &str) {
        let error = Config::parse(text, "x").expect_err("it was taken");
        let found = error.problems().iter().find(|p| p.key == key);
        let found = found.unwrap_or_else(|| panic!("no problem with {key}, but: {error}"));
        assert!(found.problem.contains(problem), "{found}");
    }

    const VENUE: &str = "[[venue]]\nstream_url = 'ws://h'\nrest_url = 'http://h'\n";

    #[test]
    fn a_venue_turns_the_simulated_one_off_unless_it_is_asked_for() {
        let config = Config::parse(VENUE, "x").unwrap();
        assert_eq!(config.venue_names(), ["binance"]);
        let both = format!("[simulated]\nenabled = true\n{VENUE}");
        assert_eq!(Config::parse(&both, "x").unwrap().venue_names(), ["binance", "simulated"]);
        refused("[simulated]\nenabled = false\n", "simulated.enabled", "no venue");
        let standby = format!("[simulated]\nenabled = true\nstandby = 2\n{VENUE}start = false\n");
        let config = Config::parse(&standby, "x").unwrap();
        let names = ["binance", "simulated", "simulated_2", "simulated_3"];
        assert_eq!(config.venue_names(), names);
        assert_eq!([0, 1, 2, 3].map(|venue| config.starts(venue)), [false, true, false, false]);
    }

    #[test]
    fn venues_need_their_addresses_and_keys() {
        refused("[[venue]]\nrest_url = 'http://h'\n", "venue[0].stream_url", "missing");
        let orders = format!("{VENUE}api_url = 'ws://h'\n");
        refused(&orders, "venue[0].api_key_env", "API key");
        refused(&orders, "venue[0].private_key_file", "sign");
        refused(&format!("{VENUE}{VENUE}"), "venue[1].name", "taken");
        refused(&format!("{VENUE}name = 'simulated'\n"), "venue[0].name", "taken");
        refused(&format!("{VENUE}name = 'simulated_2'\n"), "venue[0].name", "taken");
    }

    #[test]
    fn what_is_there_twice_is_refused_where_it_stands_again() {
        let consumer = "[[consumer]]\nstrategy = 'a'\n";
        let twice = "instruments = ['BTC-USDT', 'BTC-USDT']\n";
        refused(&format!("{consumer}{twice}"), "consumer[0].instruments[1]", "twice");
        let twice = "kinds = ['quote', 'trade', 'quote']\n";
        refused(&format!("{consumer}{twice}"), "consumer[0].kinds[2]", "twice");
        let twice = "streams = ['a@trade', 'a@trade']\n";
        refused(&format!("{VENUE}{twice}"), "venue[0].streams[1]", "twice");
        let alike = "[[instrument]]\nsymbol = 'AB-CD'\n[[instrument]]\nsymbol = 'ABC-D'\n";
        refused(alike, "instrument[1].native.simulated", "AB-CD \"ABCD\", too");
        let own = "native = { simulated = 'X' }\n";
        assert!(Config::parse(&format!("{alike}{own}"), "x").is_ok());
        refused(
            &format!("{alike}native = {{ simulatd = 'X' }}\n"),
            "instrument[1].native.simulatd",
            "did you mean `simulated`?",
        );
    }

    #[test]
    fn the_simulated_venue_trades_so_many_instruments() {
        let one = |n| format!("[[instrument]]\nsymbol = 'A{n}-B'\n");
        let many: String = (0..257).map(one).collect();
        refused(&many, "instrument", "257 of them");
        assert!(Config::parse(&format!("{many}{VENUE}"), "x").is_ok());
    }

    #[test]
    fn a_stall_comes_before_a_quarantine() {
        let text = "[engine]\nstall_budget_ms = 20\nquarantine_after_ms = 20\n";
        refused(text, "engine.stall_budget_ms", "before it is a stall");
        let text = "[[consumer]]\nstrategy = 'a'\nstall_budget_ms = 6_000\n";
        refused(text, "consumer[0].stall_budget_ms", "before it is a stall");
    }

    #[test]
    fn deadlines_must_fit_each_other() {
        refused("[session]\nidle_ms = 20_000\n", "session.idle_ms", "before its ping");
        refused("[session]\nrest_ms = 3_000\n", "session.rest_ms", "outlast a stop");
        refused("[session]\nbackoff_max_ms = 50\n", "session.backoff_max_ms", "below");
    }

    #[test]
    fn an_instruments_numbers_must_fit_its_scales() {
        refused("instrument = []", "instrument", "no instrument");
        let with = |line: &str| format!("[[instrument]]\nsymbol = 'A-B'\n{line}\n");
        refused(&with("tick = '0.001'"), "instrument[0].tick", "decimal places");
        refused(&with("step = '0.000001'"), "instrument[0].step", "decimal places");
        refused(
            &with("tick = '0.05'\nstart_price = '1.03'"),
            "instrument[0].start_price",
            "multiple",
        );
        refused(&with("tick = '1'\nstart_price = '999'"), "instrument[0].start_price", "too few");
        refused(&with("qty_scale = 9"), "instrument[0].qty_scale", "simulated venue");
        refused(&with("native = { nowhere = 'X' }"), "instrument[0].native.nowhere", "no venue");
        refused(&with("").repeat(2), "instrument[1].symbol", "twice");
        refused("[risk]\nmax_order_qty = '0.000001'\n", "risk.max_order_qty", "BTC-USDT");
        refused(
            "[risk.instruments.'BTC-USD']\nmax_order_qty = '1'\n",
            "risk.instruments.BTC-USD",
            "BTC-USDT",
        );
        refused("[risk.instruments.BTC-USDT]\nqty = '1'\n", "risk.instruments", "unknown key");
        refused(
            "[risk.instruments.BTC-USDT]\nmax_order_qty = '0.000001'\n",
            "risk.instruments.BTC-USDT.max_order_qty",
            "decimal places",
        );
        let spec = Config::default_run().instruments[0].spec().unwrap();
        assert_eq!((spec.tick, spec.step), (1, 1));
    }

    #[test]
    fn limits_name_what_there_is_and_fit_its_scales() {
        refused("[risk.strategies.nop]\nmax_position = '1'\n", "risk.strategies.nop", "`noop`?");
        refused("[risk.venues.x]\nmax_open_orders = 1\n", "risk.venues.x", "no venue");
        let fine = "[risk.strategies.noop]\nmax_position = '0.000001'\n";
        refused(fine, "risk.strategies.noop.max_position", "BTC-USDT");
        let fine = "[risk.total]\nmax_position = '0.000001'\n";
        refused(fine, "risk.total.max_position", "BTC-USDT");
        let at_venue = "[risk.venues.binance]\nmax_daily_loss = '5'\n";
        refused(at_venue, "risk.venues.binance.max_daily_loss", "no single venue");
        let wide = "[risk.total]\nmax_daily_loss = '1000000000000'\n";
        refused(wide, "risk.total", "out of range");
        let wide = "[risk]\nmax_daily_loss = '1000000000000'\n";
        refused(wide, "risk.max_daily_loss", "out of range");
        refused("[risk]\norder_types = ['limt']\n", "risk.order_types", "none of them");
        refused("[risk]\norder_types = []\n", "risk.order_types", "empty");
        refused("[risk.total]\nmax_orders = 1\n", "risk.total", "unknown key");
        let config = "[risk]\nmax_open_orders = 7\n[risk.strategies.noop]\nmax_open_orders = 2\n";
        let config = Config::parse(config, "x").unwrap();
        assert_eq!((config.max_open_orders("noop"), config.open_orders_max()), (2, 2 + 7 + 7));
    }

    /// "2" is 2 BTC and 2 DOGE, whatever the scales are.
    #[test]
    fn a_limit_is_read_at_each_instruments_own_scale() {
        let text = "[risk]\nmax_order_qty = '2'\n[risk.instruments.'ETH-USDT']\n\
                    max_order_qty = '0.5'\n[[instrument]]\nsymbol = 'BTC-USDT'\n\
                    [[instrument]]\nsymbol = 'DOGE-USDT'\nqty_scale = 0\nstep = '1'\n\
                    [[instrument]]\nsymbol = 'ETH-USDT'\nqty_scale = 4\nstep = '0.0001'\n";
        assert!(Config::parse(text, "x").is_ok(), "each fits its own scale");
    }

    #[test]
    fn consumers_name_what_exists_and_are_named_apart() {
        refused("[[consumer]]\n", "consumer[0].strategy", "missing");
        let with = |line: &str| format!("[[consumer]]\nstrategy = 'a'\n{line}\n");
        refused(&with("").repeat(2), "consumer[1].name", "taken");
        refused(&with("instruments = ['BTC-USD']"), "consumer[0].instruments[0]", "BTC-USDT");
        refused(&with("kinds = ['quote', 'trades']"), "consumer[0].kinds[1]", "\"trade\"");
        refused(&with("kinds = ['exec_report']"), "consumer[0].kinds[0]", "unknown");
        assert!(Config::parse("consumer = []", "x").unwrap().consumers.is_empty());
    }

    #[test]
    fn an_api_key_never_shows_in_debug_output() {
        let text = format!("{VENUE}api_key = 'hush-hush'\n");
        let config = Config::parse(&text, "x").unwrap();
        assert_eq!(config.venues[0].api_key.as_deref(), Some("hush-hush"));
        assert!(!format!("{config:?}").contains("hush"));
    }
}
