//! Answers to strategies on their way to the dispatcher: critical, so none is dropped while it
//! takes any.

use std::collections::VecDeque;

use pitlane_ring::Publisher;

use super::hand_over::FLIP_DEADLINE_NS;
use crate::dispatcher::COMMAND_DONE;
use crate::event::{
    ConsumerId, ControlAck, ControlCode, ControlResult, Event, EventPayload, Risk, TraceIds,
    TraceSource,
};
use crate::risk::{RiskNotice, RiskScope};
use crate::runtime::{CoreWakers, Phase, StopSignal};

/// The answers that wait for room in the lane.
pub(super) struct Answers {
    lane: Publisher<Event>,
    queue: VecDeque<Event>,
    traces: TraceIds,
    /// Since when the first of them waits, ns.
    since_ns: u64,
}

impl Answers {
    pub(super) fn new(lane: Publisher<Event>) -> Answers {
        Answers {
            lane,
            queue: VecDeque::new(),
            traces: TraceIds::of(TraceSource::Controller),
            since_ns: 0,
        }
    }

    /// Whether all are published.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Tells a consumer whether its command was accepted.
    pub(super) fn acknowledge(
        &mut self,
        consumer: ConsumerId,
        command_id: u64,
        code: ControlCode,
        now_ns: u64,
    ) {
        let (consumer, code) = (u32::from(consumer.0), u32::from(code.code()));
        self.tell(&ControlAck { command_id, consumer, code }, now_ns);
    }

    /// Tells a consumer what came of a command that the dispatcher has no word on.
    pub(super) fn conclude(
        &mut self,
        consumer: ConsumerId,
        command_id: u64,
        code: ControlCode,
        now_ns: u64,
    ) {
        let (consumer, code) = (u32::from(consumer.0), u32::from(code.code()));
        self.tell(&ControlResult { command_id, consumer, code, phase: COMMAND_DONE }, now_ns);
    }

    /// Tells a consumer that the trading switch was turned.
    pub(super) fn notice_trading(&mut self, consumer: ConsumerId, is_on: bool, now_ns: u64) {
        self.notice_risk(&RiskNotice::switch(consumer, RiskScope::Engine, None, is_on), now_ns);
    }

    /// Tells a consumer what holds its orders back, or no longer does.
    pub(super) fn notice_risk(&mut self, notice: &RiskNotice, now_ns: u64) {
        let notice = Risk {
            client_order_id: 0,
            value: notice.value,
            limit: notice.limit,
            consumer: u32::from(notice.consumer.0),
            reason_code: notice.reason.code(),
            scope_code: notice.scope as u8,
            venue: notice.venue.map_or(0, |venue| venue.0),
        };
        self.tell(&notice, now_ns);
    }

    /// Tells a consumer an event that an operator has told again; it keeps its trace.
    pub(super) fn deliver(&mut self, mut event: Event, now_ns: u64) {
        event.receive_ns = now_ns;
        event.stamp_decoded(now_ns);
        self.push(event, now_ns);
    }

    fn tell<P: EventPayload>(&mut self, payload: &P, now_ns: u64) {
        let mut event = Event::new(payload);
        event.trace_id = self.traces.next_id();
        event.receive_ns = now_ns;
        event.stamp_decoded(now_ns);
        self.push(event, now_ns);
    }

    fn push(&mut self, event: Event, now_ns: u64) {
        if self.queue.is_empty() {
            self.since_ns = now_ns;
        }
        self.queue.push_back(event);
    }

    /// Publishes what there is room for; returns how many. A dispatcher that takes nothing for as
    /// long as a flip may take has failed, and everything with it.
    pub(super) fn publish(&mut self, wakers: &CoreWakers, stop: &StopSignal, now_ns: u64) -> usize {
        let mut published = 0;
        while let Some(event) = self.queue.front() {
            if self.lane.try_publish(event).is_err() {
                break;
            }
            self.queue.pop_front();
            self.since_ns = now_ns;
            published += 1;
        }
        if published > 0 {
            wakers.wake();
        }
        let waited_ns = now_ns.saturating_sub(self.since_ns);
        let is_given_up = waited_ns > FLIP_DEADLINE_NS || stop.phase() == Phase::Halted;
        if is_given_up && !self.queue.is_empty() {
            let lost = self.queue.len();
            log::error!("[routes] {lost} answers lost: the dispatcher takes none (code: deadline)");
            self.queue.clear();
        }
        published
    }
}

#[cfg(test)]
mod tests {
    use pitlane_ring::{LaneOptions, lane};

    use super::*;

    #[test]
    fn each_answer_has_a_trace_of_its_own() {
        // LM-08: also what no frame has caused, acknowledgement, outcome and risk notice alike.
        let (publisher, mut end) = lane(LaneOptions { name: "answers".to_owned(), capacity: 8 });
        let (mut answers, consumer) = (Answers::new(publisher), ConsumerId(1));
        answers.acknowledge(consumer, 7, ControlCode::Ok, 100);
        answers.conclude(consumer, 7, ControlCode::Ok, 100);
        answers.notice_trading(consumer, false, 100);
        answers.publish(&CoreWakers::default(), &StopSignal::default(), 100);
        let mut traces = Vec::new();
        end.poll(8, |event| traces.push(event.trace_id));
        let known = TraceIds::of(TraceSource::Controller).next_id() >> 48;
        assert!(traces.iter().all(|trace| trace >> 48 == known), "{traces:?}");
        traces.sort_unstable();
        traces.dedup();
        assert_eq!(traces.len(), 3, "{traces:?}");
        assert!(answers.is_empty());
    }
}
