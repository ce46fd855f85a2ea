//! What the account of a venue and its key may do, as the venue says it. Nothing is tried.

use pitlane_engine::config::Config;
use pitlane_engine::event::AssetAmount;
use pitlane_engine::venue::orders::AccountFound;
use pitlane_engine::venue::protocol::Right;

use super::checks::Checks;

/// Checks that need a session.
const OF_SESSION: [&str; 7] = [
    "key may read",
    "key may trade",
    "account may trade",
    "modes",
    "fees",
    "balances",
    "open orders",
];

/// Why an account is not looked at.
pub(super) fn not_seen(checks: &mut Checks, why: &str) {
    checks.not_seen("sign-on", why);
    OF_SESSION.iter().for_each(|name| checks.not_seen(name, why));
}

/// Adds the checks of what was found; `assets`: those of the configuration's instruments.
pub(super) fn judge(checks: &mut Checks, found: &AccountFound, assets: &[String]) {
    if !found.is_signed_on {
        let why = found.trouble.as_deref().unwrap_or("the session was not ready in this time");
        checks.add("sign-on", false, why.to_owned());
        return OF_SESSION.iter().for_each(|name| checks.not_seen(name, "it is not signed on"));
    }
    checks.add("sign-on", true, "the order session is ready, and has sent no order".to_owned());
    let words = &found.words;
    let unanswered: Vec<String> =
        found.unanswered.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    let unseen = match (unanswered.is_empty(), found.is_over) {
        (false, _) => unanswered.join("; "),
        (true, true) => "this kind of venue does not tell it".to_owned(),
        (true, false) => "no answer in this time".to_owned(),
    };
    let told_all = found.balances.is_some() && found.open_orders.is_some();
    let reads = words.key_reads.clone().or_else(|| {
        let words = "balances and open orders were told".to_owned();
        told_all.then_some(Right { is_given: true, words })
    });
    let notes: String = words.notes.iter().map(|note| format!("; {note}")).collect();
    let mut right = |name, right: Option<&Right>, notes: &str| match right {
        Some(right) => checks.add(name, right.is_given, format!("{}{notes}", right.words)),
        None => checks.not_seen(name, &unseen),
    };
    right("key may read", reads.as_ref(), "");
    right("key may trade", words.key_trades.as_ref(), &notes);
    right("account may trade", words.account_trades.as_ref(), "");
    match words.modes.is_empty() {
        true => checks.not_seen("modes", &unseen),
        false => {
            let all: Vec<&str> = words.modes.iter().map(|mode| mode.words.as_str()).collect();
            checks.add("modes", words.modes.iter().all(|mode| mode.is_fine), all.join("; "));
        }
    }
    match words.fees.is_empty() {
        true => checks.not_seen("fees", &unseen),
        false => checks.add("fees", true, words.fees.join("; ")),
    }
    holdings(checks, found, assets, &unseen);
}

fn holdings(checks: &mut Checks, found: &AccountFound, assets: &[String], unseen: &str) {
    match &found.balances {
        None => checks.not_seen("balances", unseen),
        Some(balances) => {
            let of = |asset: &String| {
                let its = balances.iter().find(|of| of.asset.as_str() == asset);
                let (free, locked) = its.map_or((0, 0), |of| (of.free.0, of.locked.0));
                format!("{asset} {} free, {} in orders", amount(free), amount(locked))
            };
            let all: Vec<String> = assets.iter().map(of).collect();
            checks.add("balances", true, all.join("; "));
        }
    }
    match found.open_orders {
        None => checks.not_seen("open orders", unseen),
        Some(0) => checks.add("open orders", true, "none".to_owned()),
        Some(count) => {
            checks.add("open orders", true, format!("{count}, all left as they are"));
        }
    }
}

/// In whole units, without zeros behind the last digit.
fn amount(value: i128) -> String {
    let (unit, width) =
        (10_i128.pow(u32::from(AssetAmount::SCALE)), usize::from(AssetAmount::SCALE));
    let fraction = format!("{:0width$}", value % unit);
    let fraction = fraction.trim_end_matches('0');
    let whole = value / unit;
    if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") }
}

/// The assets that a configuration's instruments are traded in, each once.
pub(super) fn assets_of(config: &Config) -> Vec<String> {
    let mut assets = Vec::new();
    for asset in config.instruments.iter().flat_map(|entry| entry.symbol.split('-')) {
        if !assets.iter().any(|known| known == asset) {
            assets.push(asset.to_owned());
        }
    }
    assets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn judged(found: &AccountFound) -> (Exit, String) {
        let mut checks = Checks::default();
        judge(&mut checks, found, &["BTC".to_owned()]);
        let text = checks.text();
        let words = text.split(['|', ' ', '\n']).filter(|word| !word.is_empty());
        (checks.exit(), words.collect::<Vec<_>>().join(" "))
    }

    fn right(is_given: bool) -> Option<Right> {
        Some(Right { is_given, words: format!("trade {is_given}") })
    }

    #[test]
    fn what_was_not_told_never_holds() {
        let (exit, text) = judged(&AccountFound::default());
        assert_eq!(exit, Exit::Failed);
        assert!(text.contains("sign-on FAILS the session was not ready in this time"), "{text}");
        assert_eq!(text.matches("not seen it is not signed on").count(), OF_SESSION.len());
        let signed_on = AccountFound { is_signed_on: true, ..AccountFound::default() };
        let (exit, text) = judged(&signed_on);
        assert_eq!((exit, text.matches(" holds ").count()), (Exit::Ok, 1), "{text}");
        let why = ("the key's permissions", "http 404".to_owned());
        let refused = AccountFound { unanswered: vec![why], is_over: true, ..signed_on };
        let (_, text) = judged(&refused);
        assert!(text.contains("key may trade not seen the key's permissions: http 404"), "{text}");
    }

    #[test]
    fn a_key_that_may_not_trade_fails_whatever_the_account_may() {
        let mut found = AccountFound { is_signed_on: true, ..AccountFound::default() };
        (found.words.key_trades, found.words.account_trades) = (right(false), right(true));
        (found.balances, found.open_orders) = (Some(Vec::new()), Some(2));
        let (exit, text) = judged(&found);
        assert_eq!(exit, Exit::Failed);
        for part in [
            "key may read holds balances and open orders were told",
            "key may trade FAILS trade false",
            "account may trade holds",
            "balances holds BTC 0 free, 0 in orders",
            "open orders holds 2, all left as they are",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }
}
