//! Sums over a journal.

use std::collections::BTreeMap;

use pitlane_engine::event::ExecType;
use pitlane_engine::journal::{FolderRead, Intent, NameTable, RecordView, ReportRecord};

use super::names::Names;
use crate::table::{count, render, table};

/// What one strategy has on record.
#[derive(Default)]
struct OfStrategy {
    orders: u64,
    cancels: u64,
    others: u64,
    reports: u64,
    fills: u64,
    ends: u64,
}

/// Sums of all records.
#[derive(Default)]
pub(super) struct Stats {
    names: Names,
    kinds: BTreeMap<String, (u64, u64)>,
    strategies: BTreeMap<String, OfStrategy>,
    first_ns: Option<i64>,
    last_ns: i64,
    bytes: u64,
}

impl Stats {
    /// Adds a record.
    pub(super) fn take(&mut self, epoch: u64, record: &RecordView<'_>) {
        self.names.learn(epoch, record);
        self.first_ns.get_or_insert(record.time_ns);
        self.last_ns = record.time_ns;
        let bytes = record.bytes() as u64;
        self.bytes += bytes;
        let kind = record.kind.map_or_else(|| "unknown".to_owned(), |kind| kind.name().to_owned());
        let of_kind = self.kinds.entry(kind).or_default();
        *of_kind = (of_kind.0 + 1, of_kind.1 + bytes);
        if let Some(intent) = record.body::<Intent>() {
            let of = self.of(intent.consumer);
            match intent.action_code {
                1 => of.orders += 1,
                2 => of.cancels += 1,
                _ => of.others += 1,
            }
        } else if let Some(body) = record.body::<ReportRecord>() {
            let report = &body.report;
            let is_end = report.status().is_some_and(|status| status.is_terminal());
            let of = self.of(report.consumer);
            of.reports += 1;
            of.fills += u64::from(report.exec_type() == Some(ExecType::Trade));
            of.ends += u64::from(is_end);
        }
    }

    fn of(&mut self, consumer: u16) -> &mut OfStrategy {
        let name = self.names.name(NameTable::Consumer, u32::from(consumer));
        self.strategies.entry(name).or_default()
    }

    /// As text.
    pub(super) fn text(&self, read: &FolderRead) -> String {
        let ns = self.last_ns - self.first_ns.unwrap_or(self.last_ns);
        let ms = (ns / 1_000_000).max(1).unsigned_abs();
        let mut text = format!(
            "{} records, {} bytes, {} segments, {} starts; {} s from first to last, {} records/s\n\n",
            count(read.records),
            count(self.bytes),
            read.segments.len(),
            read.last_epoch,
            count(ms / 1_000),
            count(read.records * 1_000 / ms),
        );
        let mut kinds = table(&["record", ">count", ">bytes"]);
        for (kind, (records, bytes)) in &self.kinds {
            kinds.add_row([kind.clone(), count(*records), count(*bytes)]);
        }
        text.push_str(&render(&kinds));
        text.push('\n');
        let heads = ["strategy", ">orders", ">cancels", ">other", ">reports", ">fills", ">ends"];
        let mut strategies = table(&heads);
        for (name, of) in &self.strategies {
            let sums = [of.orders, of.cancels, of.others, of.reports, of.fills, of.ends];
            let name = pitlane_engine::text::escaped(name).into_owned();
            strategies.add_row(std::iter::once(name).chain(sums.map(count)));
        }
        text.push_str(&render(&strategies));
        text
    }
}
