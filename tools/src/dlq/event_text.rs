//! What an event says, as a person reads it: one line a field, numbers as decimals.

use pitlane_engine::event::{
    AssetAmount, BookState, Certainty, ControlAck, ControlCode, ControlResult, Event, EventKind,
    ExecReport, ExecType, ExpiryReason, FEE_UNKNOWN, INFERRED, Instrument, Level, MarkPrice,
    Merged, OrderStatus, Payload, PositionSide, Quote, REDUCE_ONLY, RETOLD, RejectReason, Risk,
    Side, StreamState, Trade, format_scaled,
};
use pitlane_engine::order::trading::{decimal, reason_words};

use crate::utc::utc;

/// Decimal places of an instrument's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scales {
    pub(crate) price: u8,
    pub(crate) qty: u8,
}

/// Fields of an event with what they say.
type Fields = Vec<(&'static str, String)>;

/// The payload's fields, each on a line, the names padded to one width.
pub(crate) fn payload_text(event: &Event, scales: Scales) -> String {
    let fields = fields(event, scales);
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    fields.iter().map(|(name, value)| format!("  {name:width$}  {value}\n")).collect()
}

/// The event in a few words, for one line.
pub(super) fn summary(event: &Event, scales: Scales) -> String {
    let Some(kind) = event.kind() else { return "no event".to_owned() };
    match event.get::<ExecReport>() {
        Some(report) => {
            let what = name(report.exec_type().map(ExecType::name), report.exec_type_code);
            let order = format!("{kind}: {what} of order {}", report.client_order_id);
            match report.last_qty {
                0 => order,
                qty => format!(
                    "{order}, {} at {}",
                    format_scaled(qty, scales.qty),
                    format_scaled(report.last_price, scales.price)
                ),
            }
        }
        None => format!("{kind}, sequence {}", event.sequence),
    }
}

fn fields(event: &Event, scales: Scales) -> Fields {
    match event.payload() {
        None => Vec::new(),
        Some(Payload::Quote(quote)) => quote_fields(quote, scales),
        Some(Payload::Trade(trade)) => trade_fields(trade, scales),
        Some(Payload::Book(book)) => levels(
            book.bids.iter().take(event.bid_levels.into()).copied(),
            book.asks.iter().take(event.ask_levels.into()).copied(),
            scales,
        ),
        Some(Payload::Bar(bar)) => bar_fields(bar, scales),
        Some(Payload::MarkPrice(mark)) => mark_fields(mark),
        Some(Payload::Merged(merged)) => merged_fields(merged, scales),
        Some(Payload::BookState(state)) => book_state_fields(*state),
        Some(Payload::StreamState(state)) => stream_state_fields(state),
        Some(Payload::Instrument(data)) => instrument_fields(data),
        Some(Payload::Balance(balance)) => vec![
            ("asset", balance.asset_name().to_string()),
            ("free", amount(balance.free)),
            ("locked", amount(balance.locked)),
        ],
        Some(Payload::ExecReport(report)) => report_fields(report, scales),
        Some(Payload::ControlAck(ack)) => ack_fields(ack),
        Some(Payload::ControlResult(result)) => result_fields(result),
        Some(Payload::Risk(risk)) => risk_fields(risk),
    }
}

/// The name of a code, or the code where it has none.
fn name(name: Option<&'static str>, code: impl std::fmt::Display) -> String {
    name.map_or_else(|| format!("unknown (code {code})"), str::to_owned)
}

fn amount(value: i128) -> String {
    decimal(value, AssetAmount::SCALE, AssetAmount::SCALE)
}

fn at(price: i64, qty: i64, scales: Scales) -> String {
    match qty {
        0 => "none".to_owned(),
        qty => format!("{} at {}", format_scaled(qty, scales.qty), price_text(price, scales)),
    }
}

fn price_text(price: i64, scales: Scales) -> String {
    format_scaled(price, scales.price).to_string()
}

fn quote_fields(quote: &Quote, scales: Scales) -> Fields {
    vec![
        ("best bid", at(quote.bid_price, quote.bid_qty, scales)),
        ("best ask", at(quote.ask_price, quote.ask_qty, scales)),
    ]
}

fn trade_fields(trade: &Trade, scales: Scales) -> Fields {
    let price = |value| price_text(value, scales);
    let qty = |value| format_scaled(value, scales.qty).to_string();
    let places = scales.price + scales.qty;
    vec![
        ("price, last", price(trade.last_price)),
        ("price, first", price(trade.first_price)),
        ("price, highest", price(trade.high_price)),
        ("price, lowest", price(trade.low_price)),
        ("bought", qty(trade.buy_qty)),
        ("sold", qty(trade.sell_qty)),
        ("value", decimal(trade.notional(), places, places)),
    ]
}

fn levels(
    bids: impl Iterator<Item = Level>,
    asks: impl Iterator<Item = Level>,
    scales: Scales,
) -> Fields {
    let mut fields = Fields::new();
    fields.extend(bids.map(|level| ("bid", at(level.price, level.qty, scales))));
    fields.extend(asks.map(|level| ("ask", at(level.price, level.qty, scales))));
    fields
}

fn mark_fields(mark: &MarkPrice) -> Fields {
    let price = |value| format_scaled(value, MarkPrice::PRICE_SCALE).to_string();
    let mut fields = vec![("mark price", price(mark.mark_price_e10))];
    if mark.index_price_e10 > 0 {
        fields.push(("index price", price(mark.index_price_e10)));
    }
    if mark.next_funding_ns > 0 {
        let rate = format_scaled(mark.funding_rate_e12, MarkPrice::RATE_SCALE);
        fields.push(("funding", format!("{rate} at {}", utc(mark.next_funding_ns))));
    }
    fields
}

fn bar_fields(bar: &pitlane_engine::event::Bar, scales: Scales) -> Fields {
    let price = |value| price_text(value, scales);
    vec![
        ("interval", format!("{} s from {}", bar.interval_s, utc(bar.open_time_ns))),
        ("closed", yes(bar.closed == 1)),
        ("open", price(bar.open)),
        ("high", price(bar.high)),
        ("low", price(bar.low)),
        ("close", price(bar.close)),
        ("volume", format_scaled(bar.volume, scales.qty).to_string()),
        ("trades", bar.trades.to_string()),
    ]
}

fn merged_fields(merged: &Merged, scales: Scales) -> Fields {
    let source = name(merged.source().map(EventKind::name), merged.source_code);
    let mut fields = vec![
        ("merged from", source),
        ("venues", merged.provider_count().to_string()),
        ("events", merged.count.to_string()),
    ];
    if let Some(quote) = merged.quote() {
        fields.extend(quote_fields(quote, scales));
    } else if let Some(trade) = merged.trade() {
        fields.extend(trade_fields(trade, scales));
    } else if let Some(bar) = merged.bar() {
        fields.extend(bar_fields(bar, scales));
    } else if let Some(book) = merged.book() {
        fields.extend(levels(book.bids(), book.asks(), scales));
    }
    fields
}

fn book_state_fields(state: BookState) -> Fields {
    vec![
        ("status", name(state.status().map(|it| it.name()), state.status_code)),
        ("reason", name(state.reason().map(|it| it.name()), state.reason_code)),
    ]
}

fn stream_state_fields(state: &StreamState) -> Fields {
    vec![
        ("stream", name(state.stream().map(EventKind::name), state.kind_code)),
        ("status", name(state.status().map(|it| it.name()), state.status_code)),
        ("silent for", format!("{} ms", state.silent_ns / 1_000_000)),
    ]
}

fn instrument_fields(data: &Instrument) -> Fields {
    vec![
        ("tick", format_scaled(data.tick, data.price_scale).to_string()),
        ("step", format_scaled(data.step, data.qty_scale).to_string()),
        ("trades", yes(data.trading == 1)),
    ]
}

fn report_fields(report: &ExecReport, scales: Scales) -> Fields {
    let price = |value| price_text(value, scales);
    let qty = |value| format_scaled(value, scales.qty).to_string();
    let reference = |is_none, text: String| if is_none { "none".to_owned() } else { text };
    let order_id = report.venue_order_id;
    let mut fields = vec![
        ("report", name(report.exec_type().map(ExecType::name), report.exec_type_code)),
        ("order", report.client_order_id.to_string()),
        ("order at venue", reference(order_id.is_none(), order_id.to_string())),
        ("status", name(report.status().map(OrderStatus::name), report.status_code)),
        ("side", name(report.side().map(Side::name), report.side_code)),
        ("price", price(report.price)),
        ("quantity", qty(report.qty)),
        ("filled", qty(report.filled_qty)),
        ("remaining", qty(report.remaining_qty())),
    ];
    if report.last_qty != 0 {
        fields.extend(fill_fields(report, scales));
    }
    if report.prevented_qty != 0 {
        fields.push(("prevented", qty(report.prevented_qty)));
    }
    if report.reason() != Some(RejectReason::None) {
        let words = report.reason().map(reason_words);
        fields.push(("reason", name(words, report.reason_code)));
    }
    if report.venue_code != 0 {
        fields.push(("venue's code", report.venue_code.to_string()));
    }
    if report.expiry() != Some(ExpiryReason::None) {
        fields.push(("expiry", name(report.expiry().map(ExpiryReason::name), report.expiry_code)));
    }
    fields.push(("word of", whose(report).to_owned()));
    if report.position_side_code != PositionSide::Net.code() {
        let side = PositionSide::from_code(report.position_side_code).map(PositionSide::name);
        fields.push(("position side", name(side, report.position_side_code)));
    }
    for (flag, words) in [(REDUCE_ONLY, "reduce only"), (RETOLD, "told again by an operator")] {
        if report.has(flag) {
            fields.push(("flag", words.to_owned()));
        }
    }
    fields.push(("decision", report.decision_id.to_string()));
    fields
}

fn fill_fields(report: &ExecReport, scales: Scales) -> Fields {
    let places = scales.price + scales.qty;
    let fee = match report.has(FEE_UNKNOWN) {
        true => "not known".to_owned(),
        false => format!("{} {}", amount(report.fee.into()), report.fee_asset_name()),
    };
    let id = report.execution_id;
    let mut fields = vec![
        ("this fill", at(report.last_price, report.last_qty, scales)),
        ("execution", if id.is_none() { "none".to_owned() } else { id.to_string() }),
        ("fee", fee.trim_end().to_owned()),
    ];
    if report.quote != 0 {
        fields.push(("value", decimal(report.quote, places, places)));
    }
    if report.exec_type() == Some(ExecType::Corrected) {
        fields.push(("value before", decimal(report.replaced_quote, places, places)));
    }
    if let Some(liquidity) = report.liquidity() {
        fields.push(("liquidity", liquidity.name().to_owned()));
    }
    if report.has(INFERRED) {
        fields.push(("flag", "inferred from a sum".to_owned()));
    }
    fields
}

fn whose(report: &ExecReport) -> &'static str {
    match report.certainty() {
        Some(Certainty::Known) => "the venue",
        Some(Certainty::Assumed) => "the engine, by inference",
        Some(Certainty::Unknown) => "nobody: the venue is asked",
        None => "unknown",
    }
}

/// The name of a code in 32 bits.
fn code_name(code: u32) -> String {
    let known = u8::try_from(code).ok().and_then(ControlCode::from_code);
    name(known.map(ControlCode::name), code)
}

fn ack_fields(ack: &ControlAck) -> Fields {
    vec![("command", ack.command_id.to_string()), ("answer", code_name(ack.code))]
}

fn result_fields(result: &ControlResult) -> Fields {
    let phase = match result.phase {
        0 => "done".to_owned(),
        1 => "begin of a flip".to_owned(),
        2 => "end of a flip".to_owned(),
        other => other.to_string(),
    };
    vec![
        ("command", result.command_id.to_string()),
        ("outcome", code_name(result.code)),
        ("phase", phase),
    ]
}

fn risk_fields(risk: &Risk) -> Fields {
    let reason = RejectReason::from_code(risk.reason_code);
    let order = match risk.client_order_id {
        0 => "none".to_owned(),
        order => order.to_string(),
    };
    vec![
        ("reason", name(reason.map(reason_words), u32::from(risk.reason_code))),
        ("order", order),
        ("value", risk.value.to_string()),
        ("limit", risk.limit.to_string()),
    ]
}

fn yes(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trade_reads_as_decimals_and_not_as_a_struct() {
        use pitlane_engine::event::{Price, Qty};
        let event = Event::new(&Trade::single(Price(6_000_001), Qty(150_000), Side::Sell));
        let text = payload_text(&event, Scales { price: 2, qty: 5 });
        assert!(text.contains("  price, last     60000.01\n"), "{text}");
        assert!(text.contains("  sold            1.50000\n"), "{text}");
        assert!(text.contains("  value           90000.0150000\n"), "{text}");
        assert!(!text.contains('{') && !text.contains("last_price"), "{text}");
    }
}
