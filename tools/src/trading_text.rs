//! What the strategies have earned, as calm tables: positions, profit, orders, refusals. The same
//! in the report of a run and in a reading of a running engine.

use std::fmt::Write;

use pitlane_engine::order::trading::{
    PositionFigures, ProfitFigures, StrategyFigures, rounded, words_of_reason,
};
use pitlane_engine::text::escaped;

use crate::table::{count, render, table};

/// Places of an amount in the quote asset beyond those of prices, and the most there are.
const MORE_PLACES: u8 = 2;
const PLACES_MAX: u8 = 8;

/// What nobody may miss: that nothing of this is real. Empty where all is.
pub(crate) fn paper(venues: &[String]) -> String {
    if venues.is_empty() {
        return String::new();
    }
    let names = venues.iter().map(|name| escaped(name).to_string()).collect::<Vec<_>>().join(", ");
    let line = "=".repeat(96);
    format!(
        "{line}\nPAPER TRADING at {names}: market data is real, orders are matched in this process.\n\
         None of them is sent to a venue; positions, fills and profit are not real.\n{line}\n"
    )
}

/// All tables, each with its title; one line when no strategy has touched an order.
pub(crate) fn trading(figures: &[StrategyFigures]) -> String {
    let active: Vec<_> = figures.iter().filter(|one| !one.positions.is_empty()).collect();
    let idle = figures.iter().filter(|one| one.positions.is_empty());
    let idle: Vec<&str> = idle.map(|one| one.strategy.as_str()).collect();
    let mut text = String::new();
    if !active.is_empty() {
        for (title, body) in [
            ("Positions", positions(&active)),
            ("Profit, in the quote asset", profits(&active)),
            ("Orders", orders(&active)),
            ("Refusals", refusals(&active)),
        ] {
            if !body.is_empty() {
                let _infallible = write!(text, "{title}\n\n{body}\n");
            }
        }
    }
    if !idle.is_empty() {
        let _infallible = writeln!(text, "No order and no fill: {}", idle.join(", "));
    }
    text
}

/// A row's name below its strategy's.
fn place(row: &PositionFigures) -> String {
    format!("- {} {}", row.instrument, row.venue)
}

fn money(text: &str, row: &PositionFigures) -> String {
    rounded(text, (row.price_places + MORE_PLACES).min(PLACES_MAX))
}

fn or_dash(text: Option<&String>) -> String {
    text.map_or_else(|| "-".to_owned(), Clone::clone)
}

fn positions(strategies: &[&StrategyFigures]) -> String {
    let heads = [
        "strategy, instrument venue",
        ">position",
        ">average price",
        ">mark",
        "of",
        ">age ms",
        ">fills",
        ">volume",
    ];
    let mut table = table(&heads);
    let mut notes = String::new();
    for one in strategies {
        table.add_row([one.strategy.as_str()]);
        for row in &one.positions {
            let mark = row.mark.as_ref();
            table.add_row([
                place(row),
                row.position.clone(),
                or_dash(row.average_price.as_ref()),
                mark.map_or_else(|| "-".to_owned(), |mark| mark.price.clone()),
                mark.map_or("", |mark| mark.from.name()).to_owned(),
                mark.map_or_else(String::new, |mark| count(mark.age_ns / 1_000_000)),
                count(row.fills),
                money(&row.volume, row),
            ]);
        }
        notes.push_str(&notes_of_fills(one));
    }
    format!(
        "{}average cost; mark: best bid for a long position, best ask for a short one, else last trade\n\
         {notes}",
        render(&table)
    )
}

/// What is not as it seems in a strategy's fills.
fn notes_of_fills(one: &StrategyFigures) -> String {
    let mut text = String::new();
    let is_zero = |amount: &str| amount.chars().all(|digit| matches!(digit, '0' | '.'));
    for row in &one.positions {
        let name = format!("{} {} {}", one.strategy, row.instrument, row.venue);
        if !is_zero(&row.inferred_qty) {
            let inferred = &row.inferred_qty;
            let _infallible =
                writeln!(text, "{name}: {inferred} of it filled by inference, at an average price");
        }
        if row.fills_corrected > 0 {
            let corrected = count(row.fills_corrected);
            let _infallible =
                writeln!(text, "{name}: {corrected} inferred fills corrected by the venue since");
        }
        if !is_zero(&row.prevented) {
            let prevented = &row.prevented;
            let _infallible =
                writeln!(text, "{name}: {prevented} taken off by self-trade prevention");
        }
        if row.saturated {
            let _infallible = writeln!(text, "{name}: A SUM DID NOT FIT, these figures are wrong");
        }
    }
    if one.reports_undelivered > 0 {
        let reports = count(one.reports_undelivered);
        let _infallible = writeln!(
            text,
            "{}: {reports} REPORTS ARE IN THE DEAD LETTERS and in no figure here",
            one.strategy
        );
    }
    if one.beyond > 0 {
        let beyond = count(one.beyond);
        let _infallible = writeln!(
            text,
            "{}: {beyond} ORDERS AND REPORTS beyond the rows there are, in no figure here",
            one.strategy
        );
    }
    text
}

fn profits(strategies: &[&StrategyFigures]) -> String {
    let heads =
        ["strategy, instrument venue", "asset", ">realised", ">unrealised", ">fees", ">net"];
    let mut table = table(&heads);
    let mut notes = String::new();
    for one in strategies {
        let places = one.positions.iter().map(|row| row.price_places).max().unwrap_or_default();
        let places = (places + MORE_PLACES).min(PLACES_MAX);
        for total in &one.totals {
            table.add_row(total_row(&one.strategy, total, places));
        }
        for row in one.positions.iter().filter(|row| row.fills > 0) {
            let total = ProfitFigures {
                asset: row.quote_asset.clone(),
                realised: row.realised.clone(),
                unrealised: row.unrealised.clone(),
                fees: row.fees_in_quote.clone(),
                net: row.net.clone(),
            };
            table.add_row(total_row(&place(row), &total, places));
            let fees = row.fees.iter().map(|fee| format!("{} {}", fee.amount, fee.asset));
            let fees: Vec<String> = fees.collect();
            let name = format!("{} {} {}", one.strategy, row.instrument, row.venue);
            if !fees.is_empty() {
                let fees = escaped(&fees.join(", ")).into_owned();
                let _infallible = writeln!(notes, "{name}: fees {fees}");
            }
            if row.fee_unknown_qty.chars().any(|digit| matches!(digit, '1'..='9')) {
                let unknown = &row.fee_unknown_qty;
                let _infallible =
                    writeln!(notes, "{name}: the fee of {unknown} filled IS NOT KNOWN");
            }
            if row.fees_beyond > 0 {
                let beyond = count(row.fees_beyond);
                let _infallible = writeln!(notes, "{name}: {beyond} fees in further assets");
            }
        }
    }
    format!(
        "{}net = realised + unrealised - fees; fees in other assets than base and quote are not in it\n\
         {notes}",
        render(&table)
    )
}

fn total_row(name: &str, total: &ProfitFigures, places: u8) -> [String; 6] {
    let money = |text: &String| rounded(text, places);
    let or_unknown = |text: Option<&String>| text.map_or_else(|| "no mark".to_owned(), money);
    [
        name.to_owned(),
        escaped(&total.asset).into_owned(),
        money(&total.realised),
        or_unknown(total.unrealised.as_ref()),
        money(&total.fees),
        or_unknown(total.net.as_ref()),
    ]
}

/// Counts of orders of a row, in the order of the table.
fn order_counts(row: &PositionFigures) -> [u64; 9] {
    [
        row.orders_sent,
        row.orders_acknowledged,
        row.orders_filled,
        row.orders_canceled,
        row.orders_rejected,
        row.orders_refused,
        row.orders_open,
        row.cancels_sent,
        row.amends_sent,
    ]
}

fn orders(strategies: &[&StrategyFigures]) -> String {
    let heads = [
        "strategy, instrument venue",
        ">sent",
        ">acked",
        ">filled",
        ">canceled",
        ">rejected",
        ">refused",
        ">open",
        ">cancels",
        ">amends",
    ];
    let mut table = table(&heads);
    for one in strategies {
        let mut sums = [0; 9];
        let counts: Vec<_> = one.positions.iter().map(order_counts).collect();
        for counts in &counts {
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        let mut add = |name: String, counts: [u64; 9]| {
            let mut cells = vec![name];
            cells.extend(counts.map(count));
            table.add_row(cells);
        };
        add(one.strategy.clone(), sums);
        for (row, counts) in one.positions.iter().zip(counts) {
            add(place(row), counts);
        }
    }
    format!(
        "{}rejected: by engine or venue; refused: by the strategy's own risk check, never sent\n",
        render(&table)
    )
}

fn refusals(strategies: &[&StrategyFigures]) -> String {
    let mut table = table(&["strategy, instrument venue", "by", "of", ">times", "reason"]);
    let mut is_empty = true;
    for one in strategies {
        for row in &one.positions {
            let name = format!("{} {} {}", one.strategy, row.instrument, row.venue);
            for refusal in &row.refusals {
                is_empty = false;
                let code = refusal.venue_code.map(|code| format!(", code {code}"));
                table.add_row([
                    name.clone(),
                    refusal.by.clone(),
                    refusal.what.clone(),
                    count(refusal.count),
                    format!("{}{}", words_of_reason(&refusal.reason), code.unwrap_or_default()),
                ]);
            }
            if row.refusals_beyond > 0 {
                let beyond = count(row.refusals_beyond);
                let words = "of further kinds";
                table.add_row([name.as_str(), "", "", beyond.as_str(), words]);
            }
        }
    }
    if is_empty { String::new() } else { render(&table) }
}
