//! Walks a file by the table of sections: unknown keys, wrong types and values out of range, all of
//! them, each with its place.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::SECTIONS;
use super::error::{ConfigError, Problem};
use super::origin::Origin;
use super::schema::{KeySpec, Section};

/// How alike two words must be, from 0 to 1, for one to be suggested for the other.
const ALIKE: f64 = 0.6;

/// Checks every key and value of `text` by itself, and returns where each stands.
pub(super) fn keys_and_values(text: &str, name: &str) -> Result<Origin, ConfigError> {
    let mut walk = Walk { origin: Origin::new(name, text), problems: Vec::new() };
    let (root, faults) = DeTable::parse_recoverable(text);
    if faults.is_empty() {
        walk.root(root.get_ref());
    } else {
        walk.problems = faults.iter().map(|e| walk.origin.syntax_problem(e)).collect();
    }
    if walk.problems.is_empty() {
        return Ok(walk.origin);
    }
    walk.problems.sort_by_key(|problem| problem.position);
    Err(ConfigError::Invalid(walk.problems))
}

struct Walk {
    origin: Origin,
    problems: Vec<Problem>,
}

impl Walk {
    fn root(&mut self, root: &DeTable<'_>) {
        for (key, value) in root {
            self.record(key.get_ref(), key);
            match SECTIONS.iter().find(|section| section.name == key.get_ref()) {
                Some(section) if section.is_repeated() => self.tables(section, value),
                Some(section) => self.table(section, section.name, value),
                None => {
                    let names = SECTIONS.iter().map(|section| section.name);
                    let is_section = is_section(value.get_ref());
                    let what = if is_section { "section" } else { "key" };
                    let hint = match is_section {
                        // A key of that name elsewhere is no section.
                        true => suggestion(key.get_ref(), names.clone()),
                        false => hint(key.get_ref(), names.clone(), ""),
                    };
                    let allowed = names.collect::<Vec<_>>().join(", ");
                    self.problem(key.get_ref(), &format!("unknown {what}{hint}"), &allowed);
                }
            }
        }
    }

    fn tables(&mut self, section: &Section, value: &Spanned<DeValue<'_>>) {
        let Some(items) = value.get_ref().as_array() else {
            let found = value.get_ref().type_str();
            let problem = format!("expected a list of tables, found {found}");
            return self.problem(section.name, &problem, &section.header());
        };
        if items.len() > section.most {
            let allowed = format!("at most {}", section.most);
            self.problem(section.name, &format!("{} of them", items.len()), &allowed);
        }
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{index}]", section.name);
            self.record(&path, item);
            self.table(section, &path, item);
        }
    }

    fn table(&mut self, section: &Section, path: &str, value: &Spanned<DeValue<'_>>) {
        let Some(table) = value.get_ref().as_table() else {
            let problem = format!("expected a table, found {}", value.get_ref().type_str());
            return self.problem(path, &problem, &section.header());
        };
        for (key, value) in table {
            let path = format!("{path}.{}", key.get_ref());
            match section.keys.iter().find(|spec| spec.name == key.get_ref()) {
                Some(spec) => self.value(spec, &path, value),
                None => {
                    self.record(&path, key);
                    let names = section.keys.iter().map(|spec| spec.name);
                    let hint = hint(key.get_ref(), names.clone(), section.name);
                    let allowed = names.collect::<Vec<_>>().join(", ");
                    self.problem(&path, &format!("unknown key{hint}"), &allowed);
                }
            }
        }
    }

    fn value(&mut self, spec: &KeySpec, path: &str, value: &Spanned<DeValue<'_>>) {
        self.record_all(path, value);
        if let Some(fault) = spec.rule.fault(value.get_ref()) {
            self.problem(path, &fault, &spec.rule.allowed());
        }
    }

    fn problem(&mut self, path: &str, problem: &str, allowed: &str) {
        self.problems.push(self.origin.problem(path, problem, allowed));
    }

    fn record<T>(&mut self, path: &str, at: &Spanned<T>) {
        self.origin.record(path, at.span().start);
    }

    /// Records a value and all that is inside it.
    fn record_all(&mut self, path: &str, value: &Spanned<DeValue<'_>>) {
        self.record(path, value);
        match value.get_ref() {
            DeValue::Table(table) => {
                for (key, value) in table {
                    self.record_all(&format!("{path}.{}", key.get_ref()), value);
                }
            }
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.record_all(&format!("{path}[{index}]"), item);
                }
            }
            _ => {}
        }
    }
}

/// What may have been meant: a name alike, or the same key in another section.
fn hint<'a>(word: &str, names: impl Iterator<Item = &'a str>, section: &str) -> String {
    let elsewhere = SECTIONS
        .iter()
        .filter(|other| other.name != section)
        .find(|other| other.keys.iter().any(|spec| spec.name == word));
    if let Some(other) = elsewhere {
        return format!("; it belongs to {}", other.header());
    }
    suggestion(word, names)
}

/// The name alike, as a question.
pub(super) fn suggestion<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> String {
    match most_alike(word, names) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => String::new(),
    }
}

/// Whether a value was written under a header: `[name]` or `[[name]]`.
fn is_section(value: &DeValue<'_>) -> bool {
    let is_table = |item: &Spanned<DeValue<'_>>| item.get_ref().is_table();
    value.is_table() || value.as_array().is_some_and(|items| items.iter().any(is_table))
}

/// The name most like `word`; `None` when none is like it.
pub(crate) fn most_alike<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (strsim::normalized_damerau_levenshtein(word, name), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Problem};

    fn problems(text: &str) -> Vec<Problem> {
        Config::parse(text, "my.toml").expect_err("it was taken").problems().to_vec()
    }

    fn lines(text: &str) -> Vec<String> {
        problems(text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_empty_file_is_the_default_run() {
        let config = Config::parse("", "my.toml").unwrap();
        let default = Config::default_run();
        assert_eq!(toml::to_string(&config).unwrap(), toml::to_string(&default).unwrap());
        assert!(config.simulated.enabled);
        let names: Vec<_> = config.consumers.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["noop", "momentum", "market_maker"]);
        assert_eq!(config.instruments[0].native_symbol("simulated"), "BTCUSDT");
    }

    #[test]
    fn an_error_says_file_line_column_key_problem_and_what_is_allowed() {
        assert_eq!(
            lines("[engine]\nbatch = 70_000\n"),
            ["my.toml:2:9: engine.batch: 70000 is out of range; allowed: 1 to 1_024 callbacks"]
        );
    }

    #[test]
    fn unknown_keys_are_refused_with_what_may_have_been_meant() {
        let line = &lines("[engine]\n  bach = 1\n")[0];
        assert!(line.starts_with("my.toml:2:3: engine.bach: unknown key; did you mean `batch`?"));
        let line = &lines("[engine]\nseed = 1\n")[0];
        assert!(line.contains("engine.seed: unknown key; it belongs to [simulated];"), "{line}");
        let line = &lines("[engin]\nbatch = 1\n")[0];
        assert!(line.starts_with("my.toml:1:2: engin: unknown section; did you mean `engine`?"));
        // A key `consumers` of another section is not what was meant.
        for (wrong, right) in [("[[consumers]]", "consumer"), ("[[venues]]", "venue")] {
            let line = &lines(&format!("{wrong}\nname = 'x'\n"))[0];
            assert!(line.contains(&format!("unknown section; did you mean `{right}`?")), "{line}");
        }
        let line = &lines("[risk.instruments.BTC-USDT]\nmax_order_qyt = '1'\n")[0];
        assert!(line.contains("did you mean `max_order_qty`?"), "{line}");
        let line = &lines("zzz = 1\n")[0];
        assert!(
            line.starts_with("my.toml:1:1: zzz: unknown key; allowed: engine, cores,"),
            "{line}"
        );
    }

    #[test]
    fn all_problems_are_found_in_one_pass_and_listed_as_they_stand() {
        let found = problems(
            "[lanes]\nmarket = 1000\nventure = 4\n[[consumer]]\nstrategy = 5\n\n[[consumer]]\n\
             strategy = 'B'\n[engine]\nwarm_up_ms = -1\n",
        );
        let keys: Vec<_> =
            found.iter().map(|p| (p.position.unwrap().line, p.key.as_str())).collect();
        let expected = [
            (2, "lanes.market"),
            (3, "lanes.venture"),
            (5, "consumer[0].strategy"),
            (8, "consumer[1].strategy"),
            (10, "engine.warm_up_ms"),
        ];
        assert_eq!(keys, expected);
    }

    #[test]
    fn faults_of_the_syntax_have_a_place_too() {
        let found = problems("[engine]\nbatch = = 3\n");
        assert_eq!(found[0].position.unwrap().line, 2, "{found:?}");
        let found = problems("[engine]\nbatch = 3\nbatch = 4\n");
        assert_eq!(found[0].position.unwrap().line, 3, "{found:?}");
    }

    #[test]
    fn sections_of_the_wrong_shape_are_refused() {
        let shapes = ["engine = 3\n", "[[engine]]\n", "[venue]\nname = 'x'\n", "consumer = [1]\n"];
        for text in shapes {
            assert_eq!(problems(text).len(), 1, "{text}");
        }
        let many = "[[venue]]\n".repeat(65);
        assert!(lines(&many)[0].contains("65 of them; allowed: at most 64"));
    }

    #[test]
    fn params_are_free_and_a_complaint_about_them_finds_its_place() {
        let text = "[[consumer]]\nstrategy = 'a'\n[consumer.params]\nspread = { ticks = 'x' }\n";
        let config = Config::parse(text, "my.toml").unwrap();
        assert!(config.consumers[0].params.contains_key("spread"));
        let error = config.error_at("consumer[0].params.spread.ticks", "no number", "1 to 9");
        let expected = "my.toml:4:20: consumer[0].params.spread.ticks: no number; allowed: 1 to 9";
        assert_eq!(error.to_string(), expected);
        let missing = config.error_at("consumer[0].params.depth", "missing", "1 to 9");
        assert!(missing.to_string().starts_with("my.toml:3:"), "{missing}");
    }

    #[test]
    fn a_file_that_is_not_there_is_unreadable_rather_than_invalid() {
        let error = Config::load("no/such/file.toml").unwrap_err();
        assert!(matches!(error, crate::config::ConfigError::Unreadable { .. }));
        assert!(error.to_string().starts_with("no/such/file.toml: cannot be read: "));
    }
}
