//! What is on record of consumers, venues or instruments that the configuration has no more.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{ExecReport, ExecType, Side};

/// Open orders and positions without a place.
#[derive(Default)]
pub(super) struct Gone {
    open: BTreeMap<String, BTreeSet<u64>>,
    net: BTreeMap<String, i128>,
}

impl Gone {
    pub(super) fn sent(&mut self, place: String, id: u64) {
        self.open.entry(place).or_default().insert(id);
    }

    /// A report on an order in `place`; its fill moves what is held in `held_in`.
    pub(super) fn take(&mut self, (place, held_in): (String, String), report: &ExecReport) {
        if report.status().is_some_and(|status| status.is_terminal())
            && let Some(open) = self.open.get_mut(&place)
        {
            open.remove(&report.client_order_id);
        }
        if report.exec_type() == Some(ExecType::Trade) {
            let qty = i128::from(report.last_qty);
            let signed = if report.side() == Some(Side::Buy) { qty } else { -qty };
            *self.net.entry(held_in).or_default() += signed;
        }
    }

    /// A position that a checkpoint has.
    pub(super) fn holds(&mut self, held_in: String, net: i128) {
        *self.net.entry(held_in).or_default() += net;
    }

    /// What of it can't be left behind, a line each.
    pub(super) fn problems(&self) -> Vec<String> {
        let open = self.open.iter().filter(|(_, ids)| !ids.is_empty());
        let open = open.map(|(place, ids)| format!("{} open orders in {place}", ids.len()));
        let net = self.net.iter().filter(|(_, net)| **net != 0);
        let net = net.map(|(place, net)| {
            format!("a position of {net} (in units of its quantity scale) in {place}")
        });
        open.chain(net).collect()
    }
}
