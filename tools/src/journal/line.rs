//! A record as a line of JSON, of CSV, or for people.

use std::fmt::Write;

use pitlane_engine::event::{
    FEE_UNKNOWN, INFERRED, Liquidity, RejectReason, Side, asset_name, format_scaled,
};
use pitlane_engine::journal::{
    BalanceRecord, ControlCommand, Intent, NameTable, Named, RecordKind, RecordView, ReportRecord,
    RiskRecord, RunStart, RunStop, SegmentHeader, TradingState,
};
use pitlane_engine::order::trading::decimal;
use pitlane_engine::order::{OrderAction, OrderType, TimeInForce, TriggerBy};
use pitlane_engine::text::escaped;
use serde::Serialize;

use super::names::Names;

/// Columns of a CSV export, in the order of the fields below.
pub(super) const CSV_HEAD: &str = "sequence,time_ns,epoch,kind,strategy,venue,instrument,order,\
                                   name,action,exec_type,status,side,order_type,time_in_force,\
                                   price,qty,filled_qty,last_price,last_qty,fee,fee_asset,\
                                   execution_id,venue_order_id,certainty,reason,liquidity,inferred,\
                                   decision_id,trace_id,venue_time_ns,detail";

/// A record with its names. What it has not is left out.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Line {
    pub(super) sequence: u64,
    pub(super) time_ns: i64,
    pub(super) epoch: u64,
    pub(super) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) strategy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) venue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) instrument: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) order: Option<u64>,
    /// The order's name at the venue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(flatten)]
    pub(super) order_fields: OrderFields,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decision_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trace_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) venue_time_ns: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<String>,
}

/// What only orders have.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct OrderFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exec_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_in_force: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qty: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filled_qty: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_qty: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fee: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fee_asset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    venue_order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certainty: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    liquidity: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inferred: Option<bool>,
}

impl Line {
    /// A record as a line; what can't be read of it is said in `detail`.
    pub(super) fn new(header: &SegmentHeader, record: &RecordView<'_>, names: &Names) -> Line {
        let mut line = Line {
            sequence: record.sequence,
            time_ns: record.time_ns,
            epoch: header.epoch,
            kind: record
                .kind
                .map_or_else(|| format!("kind {}", record.kind_code), |kind| kind.name().into()),
            ..Line::default()
        };
        let is_read = match record.kind {
            Some(RecordKind::Intent) => line.intent(record.body(), names),
            Some(RecordKind::Report) => line.report(record.body(), names),
            Some(RecordKind::RunStart) => record.body::<RunStart>().map(|start| {
                line.detail = Some(format!("run {}, process {}", start.run, start.process));
            }),
            Some(RecordKind::Named) => record.body::<Named>().map(|named| {
                let table = NameTable::from_code(named.table).map_or("unknown", NameTable::name);
                line.detail = Some(format!("{table} {} is {}", named.number, named.text()));
            }),
            Some(RecordKind::Trading) => record.body::<TradingState>().map(|state| {
                let words = if state.is_on == 1 { "trading is on" } else { "trading is off" };
                line.detail = Some(words.to_owned());
            }),
            Some(RecordKind::RunStop) => record.body::<RunStop>().map(|stop| {
                let RunStop { missed, left } = stop;
                line.detail = Some(format!("{left} orders may be left, {missed} reports missed"));
            }),
            Some(RecordKind::Control) => record.body::<ControlCommand>().map(|command| {
                let outcome = if command.is_refused == 1 { "refused: " } else { "" };
                let cut = if command.is_cut == 1 { " ..." } else { "" };
                line.detail = Some(format!("{outcome}{}{cut}", command.text()));
            }),
            Some(RecordKind::Risk) => line.risk(record.body(), names),
            Some(RecordKind::Balance) => line.balance(record.body(), names),
            None => {
                let bytes = record.payload.len();
                line.detail = Some(format!("{bytes} bytes, version {}", record.version));
                Some(())
            }
        };
        if is_read.is_none() {
            line.detail = Some(format!("payload of version {}, not read here", record.version));
        }
        line
    }

    fn risk(&mut self, body: Option<RiskRecord>, names: &Names) -> Option<()> {
        let body = body?;
        self.strategy = Some(names.name(NameTable::Consumer, u32::from(body.consumer)));
        if body.scope_code == 1 {
            self.venue = Some(names.name(NameTable::Venue, u32::from(body.venue)));
        }
        let reason = RejectReason::from_code(body.reason_code)?;
        let strategy = self.strategy.as_deref().unwrap_or_default();
        self.detail = Some(match (reason, body.value) {
            (RejectReason::None, _) => format!("{strategy}: orders may leave again"),
            (RejectReason::TradingHalted, _) => format!("{strategy}: orders are off"),
            (reason, 0) => format!("{strategy}: {} no longer holds its orders", reason.name()),
            (reason, value) => {
                let (reason, limit) = (reason.name(), body.limit);
                format!("{strategy}: {reason} holds its orders, {value} of {limit}")
            }
        });
        Some(())
    }

    fn balance(&mut self, body: Option<BalanceRecord>, names: &Names) -> Option<()> {
        let body = body?;
        self.venue = Some(names.name(NameTable::Venue, u32::from(body.venue)));
        let (free, locked) = (decimal(body.free, 8, 8), decimal(body.locked, 8, 8));
        let asset = asset_name(body.asset);
        self.detail = Some(format!("{}: {free} free, {locked} locked", asset.as_str()));
        Some(())
    }

    fn intent(&mut self, intent: Option<Intent>, names: &Names) -> Option<()> {
        let intent = intent?;
        let place = (intent.consumer, intent.venue, intent.instrument);
        self.order_of(place, intent.client_order_id, intent.decision_id, names);
        let fields = &mut self.order_fields;
        fields.action = OrderAction::from_code(intent.action_code).map(OrderAction::name);
        fields.side = Side::from_code(intent.side_code).map(Side::name);
        fields.order_type = OrderType::from_code(intent.order_type_code).map(OrderType::name);
        fields.time_in_force =
            TimeInForce::from_code(intent.time_in_force_code).map(TimeInForce::name);
        fields.price = Some(names.price(intent.instrument, intent.price));
        fields.qty = Some(names.qty(intent.instrument, intent.qty));
        let trigger = (intent.trigger_price != 0).then(|| {
            let by = TriggerBy::from_code(intent.trigger_by_code).map_or("?", TriggerBy::name);
            format!("trigger {} ({by})", names.price(intent.instrument, intent.trigger_price))
        });
        let replaces = (intent.replaces != 0).then(|| format!("replaces {}", intent.replaces));
        let details: Vec<String> = trigger.into_iter().chain(replaces).collect();
        self.detail = (!details.is_empty()).then(|| details.join(", "));
        Some(())
    }

    fn report(&mut self, body: Option<ReportRecord>, names: &Names) -> Option<()> {
        let body = body?;
        let report = &body.report;
        let place = (report.consumer, body.venue, body.instrument);
        self.order_of(place, report.client_order_id, report.decision_id, names);
        self.trace_id = Some(body.trace_id);
        self.venue_time_ns = Some(body.venue_time_ns).filter(|ns| *ns != 0);
        let price = |price: i64| Some(names.price(body.instrument, price));
        let qty = |qty: i64| Some(names.qty(body.instrument, qty));
        let is_fill = report.last_qty != 0;
        let fields = &mut self.order_fields;
        fields.exec_type = report.exec_type().map(|exec_type| exec_type.name());
        fields.status = report.status().map(|status| status.name());
        fields.side = report.side().map(Side::name);
        (fields.price, fields.qty) = (price(report.price), qty(report.qty));
        fields.filled_qty = qty(report.filled_qty);
        if is_fill {
            (fields.last_price, fields.last_qty) = (price(report.last_price), qty(report.last_qty));
            fields.inferred = Some(report.has(INFERRED));
            fields.liquidity = report.liquidity().map(Liquidity::name);
        }
        if is_fill && !report.has(FEE_UNKNOWN) && report.fee_asset != 0 {
            fields.fee = Some(format_scaled(report.fee, 8).to_string());
            fields.fee_asset = Some(report.fee_asset_name().as_str().to_owned());
        }
        let named = |id: &pitlane_engine::event::VenueRef| (!id.is_none()).then(|| id.to_string());
        fields.execution_id = named(&report.execution_id);
        fields.venue_order_id = named(&report.venue_order_id);
        fields.certainty = report.certainty().map(|certainty| certainty.name());
        fields.reason =
            report.reason().filter(|reason| reason.code() != 0).map(|reason| reason.name());
        Some(())
    }

    fn order_of(
        &mut self,
        (consumer, venue, instrument): (u16, u16, u32),
        order: u64,
        decision_id: u64,
        names: &Names,
    ) {
        self.strategy = Some(names.name(NameTable::Consumer, u32::from(consumer)));
        self.venue = Some(names.name(NameTable::Venue, u32::from(venue)));
        self.instrument = Some(names.name(NameTable::Instrument, instrument));
        (self.order, self.decision_id) = (Some(order), Some(decision_id));
        self.name = Some(format!("p{}-{consumer}-{order}", names.run_of(order)));
    }

    /// As CSV, in the order of [`CSV_HEAD`].
    pub(super) fn csv(&self) -> String {
        let of = &self.order_fields;
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let owned = |text: Option<&'static str>| text.map(str::to_owned);
        let fields = [
            Some(self.sequence.to_string()),
            Some(self.time_ns.to_string()),
            Some(self.epoch.to_string()),
            Some(self.kind.clone()),
            self.strategy.clone(),
            self.venue.clone(),
            self.instrument.clone(),
            number(self.order),
            self.name.clone(),
            owned(of.action),
            owned(of.exec_type),
            owned(of.status),
            owned(of.side),
            owned(of.order_type),
            owned(of.time_in_force),
            of.price.clone(),
            of.qty.clone(),
            of.filled_qty.clone(),
            of.last_price.clone(),
            of.last_qty.clone(),
            of.fee.clone(),
            of.fee_asset.clone(),
            of.execution_id.clone(),
            of.venue_order_id.clone(),
            owned(of.certainty),
            owned(of.reason),
            owned(of.liquidity),
            of.inferred.map(|inferred| inferred.to_string()),
            number(self.decision_id),
            number(self.trace_id),
            self.venue_time_ns.map(|ns| ns.to_string()),
            self.detail.clone(),
        ];
        let quoted = fields.map(|field| quoted(&field.unwrap_or_default()));
        quoted.join(",")
    }

    /// For people, on one line.
    pub(super) fn words(&self, time: &str) -> String {
        let mut text = format!("{:>9}  {time}  {:9}", self.sequence, self.kind);
        let of = &self.order_fields;
        if let Some(name) = &self.name {
            let what = of.action.or(of.exec_type).unwrap_or("unknown");
            let strategy = self.strategy.as_deref().unwrap_or_default();
            let _infallible = write!(text, " {what:12} {name:20} {strategy}");
        }
        let (side, qty) = (of.side, of.last_qty.as_ref().or(of.qty.as_ref()));
        if let (Some(side), Some(qty)) = (side, qty) {
            let price = of.last_price.as_ref().or(of.price.as_ref());
            let price = price.map(String::as_str).unwrap_or_default();
            let instrument = self.instrument.as_deref().unwrap_or_default();
            let venue = self.venue.as_deref().unwrap_or_default();
            let _infallible = write!(text, "  {side} {qty} {instrument} @ {price} on {venue}");
        }
        for part in [of.status, of.reason].into_iter().flatten() {
            let _infallible = write!(text, "  {part}");
        }
        if let Some(detail) = &self.detail {
            let _infallible = write!(text, " {detail}");
        }
        // One line, whatever stands in a name.
        escaped(&text).replace(['\n', '\t'], " ")
    }
}

/// A field of CSV. One that a spreadsheet would take for a formula is text.
fn quoted(field: &str) -> String {
    let is_number = field.strip_prefix('-').is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    });
    let is_formula = field.starts_with(['=', '+', '-', '@']) && !is_number;
    let field = escaped(field);
    if is_formula || field.contains([',', '"', '\n', '\r']) {
        let mark = if is_formula { "'" } else { "" };
        return format!("\"{mark}{}\"", field.replace('"', "\"\""));
    }
    field.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_csv_are_quoted_where_they_must_be() {
        for (field, is_it) in [
            ("plain", "plain"),
            ("-1.5", "-1.5"),
            ("a,b", "\"a,b\""),
            ("say \"so\"", "\"say \"\"so\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("\u{1b}[2J", "\\u{1b}[2J"),
        ] {
            assert_eq!(quoted(field), is_it);
        }
        assert_eq!(Line::default().csv().split(',').count(), CSV_HEAD.split(',').count());
    }
}
