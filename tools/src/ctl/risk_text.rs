//! Limits and what is used of them, as tables.

use std::fmt::Write;

use pitlane_engine::risk::{RiskRow, RiskState};

use crate::table::{count, render, table};

/// All of it.
pub(super) fn state(state: &RiskState) -> String {
    let mut text = held_back(state);
    if text.is_empty() {
        text = "nothing holds orders back\n".to_owned();
    }
    let mut limits = table(&["whose", "instrument", "limit", ">value", ">used"]);
    for RiskRow { scope, name, instrument, limit, value, used } in &state.limits {
        let whose = if scope == "total" { "all".to_owned() } else { format!("{scope} {name}") };
        limits.add_row([
            whose.as_str(),
            instrument.as_deref().unwrap_or("-"),
            limit,
            value,
            used.as_deref().unwrap_or("-"),
        ]);
    }
    let note = "used: by the worst case, what is open or in doubt counts as filled\n";
    let _infallible = write!(text, "\n{}{note}", render(&limits));
    text
}

/// What holds orders back; nothing when nothing does.
pub(super) fn held_back(state: &RiskState) -> String {
    let mut text = String::new();
    if !state.trading && !state.strategies.is_empty() {
        text.push_str("trading is off: no new order leaves\n");
    }
    for venue in &state.venues_killed {
        let _infallible = writeln!(text, "orders to venue {venue} are killed");
    }
    for one in &state.strategies {
        let name = &one.name;
        if one.is_killed {
            let _infallible = writeln!(text, "orders of {name} are killed");
        }
        for (what, rest_ns, trips) in [
            ("circuit breaker", one.breaker_ns, one.breaker_trips),
            ("loss of the day", one.daily_loss_ns, one.daily_loss_trips),
        ] {
            if rest_ns > 0 {
                let rest_s = count(rest_ns.div_ceil(1_000_000_000));
                let _infallible =
                    writeln!(text, "orders of {name} are off: {what}, for {rest_s} s more");
            } else if trips > 0 {
                let _infallible = writeln!(text, "{name}: {what} rang {} times", count(trips));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use pitlane_engine::risk::StrategyRisk;

    use super::*;

    #[test]
    fn what_holds_orders_back_is_said_first_and_limits_beside_their_use() {
        let row = RiskRow {
            scope: "strategy".into(),
            name: "noop".into(),
            instrument: Some("BTC-USDT".into()),
            limit: "max_position".into(),
            value: "2".into(),
            used: Some("0.5".into()),
        };
        let held = StrategyRisk {
            name: "noop".into(),
            breaker_ns: 1_500_000_000,
            breaker_trips: 1,
            ..StrategyRisk::default()
        };
        let risk = RiskState {
            trading: true,
            venues_killed: vec!["binance".into()],
            strategies: vec![held],
            limits: vec![row],
        };
        let text = state(&risk);
        assert!(text.starts_with("orders to venue binance are killed\n"), "{text}");
        assert!(text.contains("orders of noop are off: circuit breaker, for 2 s more"), "{text}");
        assert!(text.contains("max_position"), "{text}");
        let calm = RiskState { trading: true, ..RiskState::default() };
        assert!(state(&calm).starts_with("nothing holds orders back"), "{}", state(&calm));
        assert_eq!(held_back(&RiskState::default()), "", "of an engine without this reading");
    }
}
