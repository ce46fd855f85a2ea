//! A change of a limit while the engine runs.
//!
//! It is checked whole before any cell is written: it applies to all that it names, or to none.

use super::book::RiskBook;
use super::change_error::ChangeError;
use super::target::{LimitName, Target, bad, name_at};
use crate::event::InstrumentId;

/// A change that an operator asks for. Who is not named is meant: every strategy, every instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RiskChange {
    pub(crate) limit: String,
    /// In the configuration's own unit, or `off`.
    pub(crate) value: String,
    pub(crate) strategy: Option<String>,
    pub(crate) venue: Option<String>,
    /// What strategies share over all venues.
    pub(crate) is_total: bool,
    pub(crate) instrument: Option<String>,
}

impl RiskBook {
    /// Changes a limit; what was changed, a line each.
    ///
    /// # Errors
    /// [`ChangeError`] says in words what is wrong with it.
    pub(crate) fn change(&self, change: &RiskChange) -> Result<Vec<String>, ChangeError> {
        let known = || LimitName::ALL.map(LimitName::name).join(", ");
        let limit = LimitName::of(&change.limit)
            .ok_or_else(|| ChangeError::UnknownLimit(change.limit.clone(), known()))?;
        let targets = self.targets(limit, change)?;
        let values: Vec<i64> =
            targets.iter().map(|one| one.parsed(&change.value)).collect::<Result<_, _>>()?;
        if limit == LimitName::SelfCross && self.own_best.is_none() {
            let problem = "no strategy has it from the start, so that own prices are not kept; set \
                           risk.self_cross in the configuration";
            return Err(bad(limit, &change.value, problem));
        }
        let mut lines = Vec::new();
        for (target, value) in targets.iter().zip(values) {
            let before = target.text();
            target.set(value);
            lines.push(format!("{} (was {before})", target.sentence()));
        }
        self.changed();
        Ok(lines)
    }

    fn targets(
        &self,
        limit: LimitName,
        change: &RiskChange,
    ) -> Result<Vec<Target<'_>>, ChangeError> {
        let instrument = change.instrument.as_deref().map(|name| self.instrument(name));
        let instrument = instrument.transpose()?;
        let of_whom = match (&change.strategy, &change.venue, change.is_total) {
            (_, Some(name), _) => {
                let index = place("venue", name, self.venue_names.iter().map(String::as_str))?;
                self.group_targets(limit, &self.venues[index], ("venue", name_at(self, index)))
            }
            (_, _, true) => self.group_targets(limit, &self.total, ("total", "-")),
            (Some(name), ..) => {
                let names = self.strategies.iter().map(|cells| cells.name.as_str());
                self.strategy_targets(limit, &self.strategies[place("strategy", name, names)?])
            }
            (None, None, false) => self
                .strategies
                .iter()
                .flat_map(|cells| self.strategy_targets(limit, cells))
                .collect(),
        };
        let targets: Vec<Target<'_>> = match instrument {
            None => of_whom,
            Some(symbol) => {
                of_whom.into_iter().filter(|one| one.instrument == Some(symbol)).collect()
            }
        };
        if targets.is_empty() {
            let whom = match (&change.venue, change.is_total, instrument) {
                (_, _, Some(_)) => "one instrument",
                (Some(_), ..) => "a venue",
                (None, true, _) => "the engine as a whole",
                (None, false, None) => "a strategy",
            };
            return Err(ChangeError::NotThere(limit.name(), whom));
        }
        Ok(targets)
    }

    fn instrument(&self, name: &str) -> Result<&str, ChangeError> {
        let symbols: Vec<&str> =
            self.instruments.iter().map(|(_, spec)| spec.symbol.as_str()).collect();
        let index = place("instrument", name, symbols.iter().copied())?;
        let spec = self.instruments.get(InstrumentId(index as u32));
        Ok(spec.map_or("", |spec| spec.symbol.as_str()))
    }
}

fn place<'a>(
    what: &'static str,
    name: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Result<usize, ChangeError> {
    names.clone().position(|one| one == name).ok_or_else(|| ChangeError::UnknownName {
        what,
        name: name.to_owned(),
        known: names.collect::<Vec<_>>().join(", "),
    })
}
