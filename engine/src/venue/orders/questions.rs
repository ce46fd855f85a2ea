//! Questions to the venue: which orders it is asked for, and when.

use super::agent::OrderAgent;
use super::listing::Known;
use super::order::KnownOrder;
use super::requests_in_flight::{Answered, Asked};
use super::rest_line::RestAnswer;
use super::stage::{EVENTS_PER_FRAME_MAX, POLL_NS, QUERIES_MAX};
use crate::event::RejectReason;
use crate::order::OrderKey;
use crate::runtime::Phase;
use crate::venue::EventOutlet;
use crate::venue::governor::RequestClass;
use crate::venue::protocol::{FillsFrom, OrderDecoder, OrderProtocol};
use crate::venue::transport::CloseReason;

impl<O: EventOutlet, P: OrderProtocol> OrderAgent<O, P> {
    /// Asks for the orders whose time has come, a few at a time, within the budget of queries.
    #[inline]
    pub(super) fn ask(&mut self) -> usize {
        let mut work = 0;
        while self.orders.requests.queries() < QUERIES_MAX {
            let Some(key) = self.orders.table.due(self.orders.now_ns) else { break };
            if !self.query(key) {
                break;
            }
            work += 1;
        }
        if work == 0 && self.orders.table.any_doubted_end() {
            work += self.ask_for_doubted_end();
        }
        if self.orders.table.any_wants_fills() {
            work += self.ask_for_fills();
        }
        if work > 0 {
            self.session.flush();
        }
        work
    }

    /// Queries an order, if the budget allows one more.
    fn query(&mut self, key: OrderKey) -> bool {
        let weight = self.protocol.weight(RequestClass::Query);
        if !self.orders.gate.may_send(RequestClass::Query, weight, self.orders.now_ns) {
            return false;
        }
        let reports = self.orders.table.get(key).map_or(0, |order| order.reports);
        let sent = self.send_for(key, Asked::Query(key, reports), |protocol, request, text| {
            protocol.query(request, text);
            Ok(())
        });
        if sent.is_err() {
            self.orders.change(key, KnownOrder::on_query_failed);
            return false;
        }
        self.orders.table.change(key, |order| order.is_asked = true);
        true
    }

    /// Asks once more for an order whose end was inferred: the venue may say otherwise.
    #[cold]
    fn ask_for_doubted_end(&mut self) -> usize {
        let now_ns = self.orders.now_ns;
        if self.orders.requests.queries() > 0 || self.stop.phase() >= Phase::Draining {
            return 0;
        }
        let Some(key) = self.orders.table.doubted_end(now_ns) else { return 0 };
        let is_asked = self.query(key);
        if !is_asked {
            self.orders.table.doubt_end(key, now_ns + POLL_NS);
        }
        usize::from(is_asked)
    }

    /// Asks for the fills of an order of which some were inferred, or have no fee. What is open
    /// goes first, and nothing is asked for at the end of the run.
    #[cold]
    fn ask_for_fills(&mut self) -> usize {
        let now_ns = self.orders.now_ns;
        let requests = &self.orders.requests;
        let is_busy = requests.queries() + requests.fills() > 0;
        let is_over = self.stop.phase() >= Phase::Draining;
        if is_busy || is_over || self.orders.known.fills == Known::EndsSession {
            return 0;
        }
        let Some(key) = self.orders.table.wants_fills(now_ns) else { return 0 };
        let venue_order_id = self.orders.table.get(key).map(|order| order.venue_order_id);
        let named = venue_order_id.filter(|id| !id.is_none());
        let weight = self.protocol.fills_weight();
        if !self.orders.gate.may_send(RequestClass::Query, weight, now_ns) {
            return 0;
        }
        let listing = self.orders.listing.filter(|listing| listing.key == key);
        let from = listing.map_or(FillsFrom::Newest, |listing| listing.from);
        let sent = self.send_for(key, Asked::Fills(key), |protocol, request, text| {
            let asks = named.is_some_and(|id| protocol.fills_since(id, from, request, text));
            if asks { Ok(()) } else { Err(RejectReason::Unsupported) }
        });
        if sent.is_err() {
            // The whole list is asked for again, as often as that may be.
            self.orders.listing = None;
        }
        let is_more = self.orders.listing.is_some() && listing.is_some();
        self.orders.table.change(key, |order| order.fills_were_asked(is_more, now_ns));
        if sent.is_err() {
            self.orders.on_no_fills(key);
        }
        usize::from(sent.is_ok())
    }

    /// Looks for answers that are overdue: a logon ends the connection, an order is in doubt.
    pub(super) fn look_for_overdue(&mut self) {
        let now_ns = self.orders.now_ns;
        if now_ns < self.next_poll_ns {
            return;
        }
        self.next_poll_ns = now_ns + POLL_NS;
        self.ask_time();
        self.ask_whether_stream_stands();
        self.orders.query_all();
        let before_ns = now_ns.saturating_sub(self.answer_ns);
        while let Some(asked) = self.orders.requests.next_overdue(before_ns) {
            self.orders.on_overdue(asked);
        }
        let max_ns = self.answer_ns.max(self.orders.in_flight_max_ns);
        self.orders.requests.forget(now_ns.saturating_sub(max_ns));
        self.end_what_failed();
    }

    /// Ends the connection whose logon failed, or where an answer is overdue that has to come.
    pub(super) fn end_what_failed(&mut self) {
        if self.rollover.is_joining()
            && let Some((_, reason, _)) = self.orders.failure.take()
        {
            self.give_next_up(reason);
        }
        if let Some((operation, reason, code)) = self.orders.failure.take() {
            self.session.fail(CloseReason::Refused { operation, reason, code });
        }
    }

    /// Hands the request that was written over to the line to REST; false where there is none, or
    /// where too many wait.
    #[cold]
    pub(super) fn ask_over_rest(&mut self, id: u64) -> bool {
        let Self { rest, text, orders, .. } = self;
        rest.questions.as_mut().is_some_and(|line| line.send((id, false), text, orders.now_ns))
    }

    /// Goes on with what was sent and asked over REST.
    #[cold]
    pub(super) fn step_rest(&mut self) -> usize {
        let Self { rest, protocol, orders, .. } = self;
        if !orders.flush_backlog() || orders.room() < EVENTS_PER_FRAME_MAX {
            return 0;
        }
        // What is left of an answer, or of a frame, before the next one is read.
        if let Some((next, raw)) = protocol.decoder().next_of_frame() {
            orders.gate.is_over_rest = P::ORDERS_OVER_REST;
            orders.on_decoded(next, P::outcome, raw);
            orders.gate.is_over_rest = false;
            return 1;
        }
        let Some(answered) = rest.step(orders.now_ns) else { return 0 };
        let RestAnswer { id, outcome, was_sent } = answered;
        orders.read_ns = orders.now_ns;
        match outcome {
            Ok(reply) => {
                let wall_ns = orders.clock.wall_at_ns(orders.now_ns);
                orders.gate.is_over_rest = true;
                orders.gate.rest_wait_ns = reply.retry_after.map(|at| at.wait_ns(wall_ns));
                if let Some(Asked::Account(place)) = orders.requests.asked(id) {
                    orders.requests.take(id);
                    orders.on_inspected_over_rest(place, reply.status, &reply.body);
                } else {
                    let read = protocol.decoder().decode_rest(id, reply.status, &reply.body);
                    orders.on_decoded(read, P::outcome, &reply.body);
                }
                orders.gate.is_over_rest = false;
                orders.gate.rest_wait_ns = None;
            }
            Err(error) => {
                if orders.lines.take(orders.now_ns) {
                    log::warn!("[{}] over REST: {error}", orders.venue);
                }
                // What went with it has no answer of its own.
                for behind in orders.requests.behind(id) {
                    if let Some(Answered::First(asked)) = orders.requests.take(behind) {
                        orders.on_overdue(asked);
                    }
                }
                match orders.requests.take(id) {
                    // Nothing of it left us.
                    Some(Answered::First(Asked::Submit(key))) if !was_sent => {
                        let reason = RejectReason::NotConnected;
                        orders.change(key, |order, now, told| {
                            order.on_refused(reason, 0, now, told);
                        });
                    }
                    Some(Answered::First(asked)) => orders.on_overdue(asked),
                    _ => {}
                }
            }
        }
        self.end_what_failed();
        1
    }
}
