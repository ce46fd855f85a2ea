//! Where all agents leave their totals.

use crate::consumer::ConsumerTotals;
use crate::dispatcher::DispatcherTotals;
use crate::order::{GatewayCounts, GatewayJournal};
use crate::runtime::Closing;
use crate::venue::market::BookSummaries;
use crate::venue::orders::OrderSessionTotals;

/// Where all agents leave their totals.
#[derive(Default)]
pub(crate) struct Closings {
    /// By consumer.
    pub(crate) consumers: Vec<Closing<ConsumerTotals>>,
    pub(crate) dispatcher: Closing<DispatcherTotals>,
    pub(crate) gateway: Closing<GatewayCounts>,
    /// What the gateway records in, to be ended when all else has.
    pub(crate) journal: Closing<GatewayJournal>,
    /// By market session, with its venue.
    pub(crate) markets: Vec<(String, Closing<BookSummaries>)>,
    /// By order session.
    pub(crate) orders: Vec<Closing<OrderSessionTotals>>,
}

impl Closings {
    /// The place of the next consumer.
    pub(crate) fn consumer(&mut self) -> Closing<ConsumerTotals> {
        let closing = Closing::default();
        self.consumers.push(closing.clone());
        closing
    }

    /// The place of a market session.
    pub(crate) fn market(&mut self, venue: &str) -> Closing<BookSummaries> {
        let closing = Closing::default();
        self.markets.push((venue.to_owned(), closing.clone()));
        closing
    }

    /// The place of an order session.
    pub(crate) fn orders(&mut self) -> Closing<OrderSessionTotals> {
        let closing = Closing::default();
        self.orders.push(closing.clone());
        closing
    }
}
