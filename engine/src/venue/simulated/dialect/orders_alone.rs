//! A dialect of order entry without market data: with it a venue's orders are put to the test
//! before anything else of it is worded.

use super::order_entry::{OrderEntry, OrderFormat};
use super::{Dialect, Stage, Talk};
use crate::venue::simulated::exchange::{Event, Exchange, StreamKey};
use crate::venue::simulated::fault::{Fault, Faults};
use crate::venue::simulated::limits::{Admission, Limits};
use crate::venue::simulated::moment::Moment;
use crate::venue::simulated::server::{
    AccountFrame, Door, HttpRequest, MarketFrame, Opening, Reply, Session,
};

struct OrdersAlone(OrderEntry);

/// The dialect in these words.
#[must_use]
pub fn orders_alone(words: Box<dyn OrderFormat>) -> Box<dyn Dialect> {
    Box::new(OrdersAlone(OrderEntry::new(words)))
}

impl Dialect for OrdersAlone {
    fn resolve(&self, _stream: &str) -> Option<StreamKey> {
        None
    }

    fn open(
        &mut self,
        request: &HttpRequest,
        limits: &mut Limits,
        now: Moment,
    ) -> Result<Opening, Reply> {
        let part = self.0.serves(&request.path).ok_or_else(Reply::not_found)?;
        match limits.connect(now) {
            Admission::Granted => Ok(Opening { door: Door::Api, part, ..Opening::market() }),
            _ => Err(Reply::new(429, b"{}".to_vec())),
        }
    }

    fn rest(
        &mut self,
        request: &HttpRequest,
        exchange: &Exchange,
        _limits: &mut Limits,
        (_fault, faults): (Option<Fault>, &mut Faults),
        now: Moment,
    ) -> Reply {
        self.0.rest(request, exchange, faults, now).unwrap_or_else(Reply::not_found)
    }

    fn message(&mut self, text: &str, stage: Stage, talk: &mut Talk<'_>) {
        self.0.message(text, stage, talk);
    }

    fn market_frame(
        &mut self,
        _event: &Event,
        _exchange: &Exchange,
        _now: Moment,
    ) -> Option<MarketFrame<'_>> {
        None
    }

    fn account_frame(
        &mut self,
        event: &Event,
        exchange: &Exchange,
        now: Moment,
    ) -> Option<AccountFrame> {
        self.0.account_frame(event, exchange, now)
    }

    fn shutdown_notice(&self, _session: &Session, _now: Moment) -> Option<String> {
        None
    }
}
