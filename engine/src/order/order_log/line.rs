//! A note as a line of JSON. Numbers of the instrument are plain decimals as text.

use std::sync::Arc;

use serde::Serialize;

use super::note::{NoteKind, OrderNote};
use crate::event::{
    AssetAmount, Certainty, ExecType, ExpiryReason, FEE_UNKNOWN, INFERRED, InstrumentId, Liquidity,
    OrderStatus, PositionSide, RejectReason, Side, format_scaled,
};
use crate::instrument::Instruments;
use crate::order::trading::{decimal, reason_words};
use crate::order::{OrderType, TimeInForce, TriggerBy};
use crate::runtime::Clock;
use crate::text::escaped_json;

/// What numbers mean in notes.
pub(crate) struct OrderLogNames {
    /// By number.
    pub(crate) consumers: Vec<String>,
    pub(crate) venues: Vec<String>,
    pub(crate) instruments: Arc<Instruments>,
}

/// Which file a line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineOf {
    Orders,
    /// Both files.
    Fills,
}

/// What each line begins with.
#[derive(Serialize)]
struct Head<'a> {
    /// Since the Unix epoch.
    time_ns: i64,
    venue_time_ns: Option<i64>,
    strategy: &'a str,
    venue: &'a str,
    instrument: &'a str,
    order: u64,
    venue_order_id: Option<String>,
    side: Option<&'static str>,
    decision_id: u64,
    trace_id: Option<u64>,
    /// Whether the strategy was told.
    told: bool,
}

#[derive(Serialize)]
struct FillLine<'a> {
    event: &'static str,
    #[serde(flatten)]
    head: Head<'a>,
    execution_id: Option<String>,
    price: String,
    qty: String,
    value: String,
    replaced_value: Option<String>,
    fee: Option<String>,
    fee_asset: Option<String>,
    /// `maker` or `taker`, where the venue says.
    liquidity: Option<&'static str>,
    inferred: bool,
    filled_qty: String,
    order_qty: String,
    status: &'static str,
}

#[derive(Serialize)]
struct OrderLine<'a> {
    event: &'static str,
    #[serde(flatten)]
    head: Head<'a>,
    order_type: Option<&'static str>,
    time_in_force: Option<&'static str>,
    price: String,
    trigger_price: Option<String>,
    /// `last`, `mark` or `index`, of a stop that is sent.
    trigger_by: Option<&'static str>,
    /// The order that ends before this new one leaves.
    replaces: Option<u64>,
    qty: String,
    filled_qty: Option<String>,
    prevented_qty: Option<String>,
    status: Option<&'static str>,
    certainty: Option<&'static str>,
    reason: Option<&'static str>,
    reason_text: Option<&'static str>,
    venue_code: Option<i32>,
    expiry: Option<&'static str>,
    reduce_only: bool,
    position_side: Option<&'static str>,
}

/// Scales of the instrument that a note is of; 0 where it names none that is known.
struct Scales {
    price: u8,
    qty: u8,
}

impl Scales {
    fn price(&self, value: i64) -> String {
        format_scaled(value, self.price).to_string()
    }

    fn qty(&self, value: i64) -> String {
        format_scaled(value, self.qty).to_string()
    }

    fn value(&self, value: i128) -> String {
        let places = self.price + self.qty;
        decimal(value, places, places)
    }
}

/// The lines of a note, each with its end.
pub(super) fn lines(
    note: &OrderNote,
    names: &OrderLogNames,
    clock: &Clock,
) -> Vec<(LineOf, String)> {
    let Some(kind) = note.kind() else { return Vec::new() };
    let spec = names.instruments.get(InstrumentId(note.instrument));
    let scales = Scales {
        price: spec.map_or(0, |spec| spec.price_scale),
        qty: spec.map_or(0, |spec| spec.qty_scale),
    };
    let report = &note.report;
    let name = |names: &'_ [String], number: u16| names.get(usize::from(number)).cloned();
    let strategy = name(&names.consumers, report.consumer).unwrap_or_else(unknown);
    let venue = name(&names.venues, note.venue).unwrap_or_else(unknown);
    let is_counted = matches!(kind, NoteKind::Report | NoteKind::Undelivered);
    let is_report = is_counted || kind == NoteKind::Retold;
    let head = || Head {
        time_ns: clock.wall_at_ns(note.at_ns),
        venue_time_ns: Some(note.venue_time_ns).filter(|ns| *ns != 0),
        strategy: &strategy,
        venue: &venue,
        instrument: spec.map_or("-", |spec| spec.symbol.as_str()),
        order: report.client_order_id,
        venue_order_id: (!report.venue_order_id.is_none())
            .then(|| report.venue_order_id.to_string()),
        side: report.side().map(Side::name),
        decision_id: report.decision_id,
        trace_id: is_report.then_some(note.trace_id),
        told: kind != NoteKind::Undelivered,
    };
    let mut lines = Vec::with_capacity(2);
    let is_fill = matches!(report.exec_type(), Some(ExecType::Trade | ExecType::Corrected));
    if is_counted && is_fill {
        lines.push((LineOf::Fills, text(&fill_line(note, &scales, head()))));
    }
    lines.push((LineOf::Orders, text(&order_line(note, kind, &scales, head()))));
    lines
}

fn unknown() -> String {
    "-".to_owned()
}

fn text(line: &impl Serialize) -> String {
    // Strings and numbers: nothing of it can fail.
    let text = serde_json::to_string(line).unwrap_or_default();
    format!("{}\n", escaped_json(&text))
}

fn fill_line<'a>(note: &OrderNote, scales: &Scales, head: Head<'a>) -> FillLine<'a> {
    let report = &note.report;
    let is_correction = report.exec_type() == Some(ExecType::Corrected);
    let has_fee = report.fee != 0 && report.fee_asset != 0;
    let is_fee_known = !report.has(FEE_UNKNOWN);
    let fee = decimal(report.fee.into(), AssetAmount::SCALE, AssetAmount::SCALE);
    let value = match report.quote {
        0 => i128::from(report.last_price) * i128::from(report.last_qty),
        quote => quote,
    };
    FillLine {
        event: if is_correction { "correction" } else { "fill" },
        head,
        execution_id: (!report.execution_id.is_none()).then(|| report.execution_id.to_string()),
        price: scales.price(report.last_price),
        qty: scales.qty(report.last_qty),
        value: scales.value(value),
        replaced_value: is_correction.then(|| scales.value(report.replaced_quote)),
        fee: is_fee_known.then_some(fee),
        fee_asset: (is_fee_known && has_fee).then(|| report.fee_asset_name().to_string()),
        liquidity: report.liquidity().map(Liquidity::name),
        inferred: report.has(INFERRED),
        filled_qty: scales.qty(report.filled_qty),
        order_qty: scales.qty(report.qty),
        status: report.status().map_or("unknown", OrderStatus::name),
    }
}

fn order_line<'a>(
    note: &OrderNote,
    kind: NoteKind,
    scales: &Scales,
    head: Head<'a>,
) -> OrderLine<'a> {
    let report = &note.report;
    let is_report = matches!(kind, NoteKind::Report | NoteKind::Undelivered | NoteKind::Retold);
    let reason = report.reason().filter(|reason| *reason != RejectReason::None);
    let of_report = |text: String| is_report.then_some(text);
    OrderLine {
        event: match kind {
            NoteKind::Sent => sent(note.action_code),
            NoteKind::Refused => refused(note.action_code),
            NoteKind::Retold => "retold",
            _ => report.exec_type().map_or("unknown", ExecType::name),
        },
        head,
        order_type: OrderType::from_code(note.order_type_code).map(OrderType::name),
        time_in_force: TimeInForce::from_code(note.time_in_force_code).map(TimeInForce::name),
        price: scales.price(report.price),
        trigger_price: Some(note.trigger_price)
            .filter(|price| *price != 0)
            .map(|price| scales.price(price)),
        trigger_by: TriggerBy::from_code(note.trigger_by_code)
            .filter(|_| note.trigger_price != 0)
            .map(TriggerBy::name),
        replaces: Some(note.replaces).filter(|order| *order != 0),
        qty: scales.qty(report.qty),
        filled_qty: of_report(scales.qty(report.filled_qty)),
        prevented_qty: of_report(scales.qty(report.prevented_qty))
            .filter(|_| report.prevented_qty != 0),
        status: report.status().filter(|_| is_report).map(OrderStatus::name),
        certainty: report.certainty().filter(|_| is_report).map(Certainty::name),
        reason: reason.map(RejectReason::name),
        reason_text: reason.map(reason_words),
        venue_code: Some(report.venue_code).filter(|code| *code != 0),
        expiry: report
            .expiry()
            .filter(|expiry| *expiry != ExpiryReason::None)
            .map(ExpiryReason::name),
        reduce_only: report.has(crate::event::REDUCE_ONLY),
        position_side: PositionSide::from_code(report.position_side_code)
            .filter(|side| *side != PositionSide::Net)
            .map(PositionSide::name),
    }
}

/// Names by the code of an action: submit, cancel, query, modify, cancel of a symbol.
fn sent(action_code: u8) -> &'static str {
    ["sent", "cancel_sent", "query_sent", "amend_sent", "cancel_symbol_sent"]
        .get(usize::from(action_code.wrapping_sub(1)))
        .copied()
        .unwrap_or("unknown")
}

fn refused(action_code: u8) -> &'static str {
    ["refused", "cancel_refused", "query_refused", "amend_refused", "cancel_symbol_refused"]
        .get(usize::from(action_code.wrapping_sub(1)))
        .copied()
        .unwrap_or("unknown")
}
