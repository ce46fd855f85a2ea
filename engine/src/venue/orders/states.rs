//! The states of an order at its venue, and what each input does: the one table of the engine.
//!
#![doc = include_str!("states.md")]
//!
//! An input of lower rank never undoes one of higher rank: an execution report, then the answer to
//! a query that is no older than the last report, then the reply to a request, then our own
//! time-outs. Queries: *now*, *soon* (one second), *back off* (doubling from a quarter of a second
//! to half a minute), *rest* (half a minute; one second for an order that can't rest; now where the
//! session waits for its answer), *keep* (as it was), *never*.

/// Where an order is. Each open order is in exactly one of the first five, which are the worklists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderState {
    /// Written; nothing was heard of it.
    Fresh,
    /// Its request was answered; no report on it has come yet.
    Acknowledged,
    /// The venue said that it works.
    Working,
    /// It works, and a cancel is on its way or answered without a report.
    Cancelling,
    /// Nobody knows; the venue is asked.
    Doubted,
    /// The venue said that it has ended.
    Ended,
    /// Ended by inference: a refusal, or an order that the venue does not know. May be revoked.
    Presumed,
}

/// What can be heard of an order, or not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderInput {
    /// The reply to its request: accepted.
    Accepted,
    /// The reply to its request: refused, and no report had said otherwise.
    Refused,
    /// The reply says that the outcome is unknown, or none came in time.
    NoAnswer,
    /// The connection was lost.
    Cut,
    /// The reply to a request tells its state: it is open, and more of it is filled.
    ReplyLive,
    /// The reply to a request tells its state: it has ended.
    ReplyEnd,
    /// A report that leaves it open.
    ReportLive,
    /// A report that ends it.
    ReportEnd,
    /// A report or a reply that contradicts what is known.
    Contradiction,
    /// The answer to a query: it is open.
    AnswerLive,
    /// The answer to a query: it has ended.
    AnswerEnd,
    /// The answer to a query: no such order, which proves nothing yet.
    AnswerNone,
    /// The answer to a query: no such order, when nothing can be on its way any more.
    AnswerGone,
    /// The query failed, or was not answered.
    AnswerFailed,
    /// The reply to the amendment: accepted.
    AmendAccepted,
    /// A cancel was written.
    CancelSent,
    /// The reply to the cancel: accepted.
    CancelAccepted,
    /// The reply to the cancel: refused.
    CancelRefused,
    /// The reply to the cancel: no such open order.
    CancelNotOpen,
    /// The cancel's outcome is unknown, or no reply came in time.
    CancelLost,
}

/// What the strategy is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// Nothing.
    Nothing,
    /// What the venue told, where it is news; after a `Revived` when an end had been told.
    News,
    /// The end that was inferred.
    End,
    /// That the state is unknown, once.
    Unknown,
    /// That the cancel was refused.
    CancelRejected,
}

/// When the venue is asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextQuery {
    /// As it was.
    Keep,
    /// At once.
    Now,
    /// In a second.
    Soon,
    /// Later each time.
    BackOff,
    /// After the rest between two polls.
    Rest,
    /// Not at all.
    Never,
}

/// What an input does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The state after it.
    pub next: OrderState,
    /// What is told.
    pub tell: Tell,
    /// When the venue is asked.
    pub query: NextQuery,
}

impl OrderState {
    /// Every state.
    pub const ALL: [OrderState; 7] = [
        OrderState::Fresh,
        OrderState::Acknowledged,
        OrderState::Working,
        OrderState::Cancelling,
        OrderState::Doubted,
        OrderState::Ended,
        OrderState::Presumed,
    ];

    /// Whether the order may still trade, as far as is known.
    #[must_use]
    pub const fn is_open(self) -> bool {
        !matches!(self, OrderState::Ended | OrderState::Presumed)
    }

    /// What `input` does to an order in this state.
    #[must_use]
    #[rustfmt::skip]
    pub const fn after(self, input: OrderInput) -> Step {
        use OrderState::{Acknowledged, Cancelling, Doubted, Ended, Fresh, Presumed, Working};
        match (self, input) {
            (Fresh, OrderInput::Accepted) => to(Acknowledged, Tell::Nothing, NextQuery::Soon),
            (Presumed, OrderInput::Accepted) => to(Doubted, Tell::Nothing, NextQuery::Now),
            (_, OrderInput::Accepted) => to(self, Tell::Nothing, NextQuery::Keep),

            (Fresh | Acknowledged | Doubted, OrderInput::Refused) => to(Presumed, Tell::End, NextQuery::Never),
            (Working | Cancelling, OrderInput::Refused) => to(self, Tell::Nothing, NextQuery::Now),

            (Fresh | Acknowledged, OrderInput::NoAnswer | OrderInput::Cut) => to(Doubted, Tell::Unknown, NextQuery::Now),
            (Working | Cancelling, OrderInput::NoAnswer) => to(self, Tell::Nothing, NextQuery::Now),
            (Doubted, OrderInput::NoAnswer) => to(Doubted, Tell::Nothing, NextQuery::BackOff),
            (Working | Cancelling | Doubted, OrderInput::Cut) => to(Doubted, Tell::Nothing, NextQuery::Now),

            (Ended, OrderInput::ReplyLive | OrderInput::ReplyEnd) => to(Ended, Tell::Nothing, NextQuery::Never),
            (Cancelling, OrderInput::ReplyLive) => to(Cancelling, Tell::News, NextQuery::Soon),
            (_, OrderInput::ReplyLive) => to(Working, Tell::News, NextQuery::Soon),
            (_, OrderInput::ReplyEnd) => to(Ended, Tell::News, NextQuery::Never),

            (Cancelling, OrderInput::ReportLive) => to(Cancelling, Tell::News, NextQuery::Keep),
            (Ended, OrderInput::ReportLive | OrderInput::ReportEnd) => to(Ended, Tell::Nothing, NextQuery::Never),
            (_, OrderInput::ReportLive) => to(Working, Tell::News, NextQuery::Rest),
            (_, OrderInput::ReportEnd) => to(Ended, Tell::News, NextQuery::Never),

            (Ended | Presumed, OrderInput::Contradiction) => to(Doubted, Tell::Nothing, NextQuery::Now),
            (_, OrderInput::Contradiction) => to(Doubted, Tell::Unknown, NextQuery::Now),

            (Cancelling, OrderInput::AnswerLive) => to(Cancelling, Tell::News, NextQuery::Soon),
            (Ended, OrderInput::AnswerLive | OrderInput::AnswerEnd) => to(Ended, Tell::Nothing, NextQuery::Never),
            (_, OrderInput::AnswerLive) => to(Working, Tell::News, NextQuery::Rest),
            (_, OrderInput::AnswerEnd) => to(Ended, Tell::News, NextQuery::Never),

            (Fresh | Acknowledged, OrderInput::AnswerNone) => to(Doubted, Tell::Unknown, NextQuery::BackOff),
            (Working | Cancelling | Doubted, OrderInput::AnswerNone) => to(Doubted, Tell::Nothing, NextQuery::BackOff),
            (Fresh | Acknowledged | Working | Cancelling | Doubted, OrderInput::AnswerGone) => to(Presumed, Tell::End, NextQuery::Never),
            (Fresh | Acknowledged | Working | Cancelling | Doubted, OrderInput::AnswerFailed) => to(self, Tell::Nothing, NextQuery::BackOff),

            (Fresh | Acknowledged | Working | Cancelling | Doubted, OrderInput::AmendAccepted) => to(self, Tell::Nothing, NextQuery::Soon),

            (Working, OrderInput::CancelSent) => to(Cancelling, Tell::Nothing, NextQuery::Keep),
            (Fresh | Acknowledged | Cancelling | Doubted, OrderInput::CancelSent) => to(self, Tell::Nothing, NextQuery::Keep),
            (Fresh | Acknowledged | Working | Cancelling | Doubted, OrderInput::CancelAccepted) => to(self, Tell::Nothing, NextQuery::Soon),
            (Cancelling, OrderInput::CancelRefused) => to(Working, Tell::CancelRejected, NextQuery::Soon),
            (Fresh | Acknowledged | Working | Doubted, OrderInput::CancelRefused) => to(self, Tell::CancelRejected, NextQuery::Keep),
            (Fresh | Acknowledged | Working | Cancelling | Doubted, OrderInput::CancelNotOpen) => to(Doubted, Tell::CancelRejected, NextQuery::Now),
            (Fresh | Acknowledged | Working | Cancelling | Doubted, OrderInput::CancelLost) => to(Doubted, Tell::Nothing, NextQuery::Now),

            (Ended | Presumed, _) => to(self, Tell::Nothing, NextQuery::Never),
        }
    }
}

const fn to(next: OrderState, tell: Tell, query: NextQuery) -> Step {
    Step { next, tell, query }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUTS: [OrderInput; 20] = [
        OrderInput::Accepted,
        OrderInput::Refused,
        OrderInput::NoAnswer,
        OrderInput::Cut,
        OrderInput::ReplyLive,
        OrderInput::ReplyEnd,
        OrderInput::ReportLive,
        OrderInput::ReportEnd,
        OrderInput::Contradiction,
        OrderInput::AnswerLive,
        OrderInput::AnswerEnd,
        OrderInput::AnswerNone,
        OrderInput::AnswerGone,
        OrderInput::AnswerFailed,
        OrderInput::AmendAccepted,
        OrderInput::CancelSent,
        OrderInput::CancelAccepted,
        OrderInput::CancelRefused,
        OrderInput::CancelNotOpen,
        OrderInput::CancelLost,
    ];

    fn rendered() -> String {
        let mut text = String::from("| input |");
        for state in OrderState::ALL {
            text += &format!(" {state:?} |");
        }
        text += "\n|---|---|---|---|---|---|---|---|\n";
        for input in INPUTS {
            text += &format!("| {input:?} |");
            for state in OrderState::ALL {
                let Step { next, tell, query } = state.after(input);
                let mut cell = if next == state { String::from("=") } else { format!("{next:?}") };
                if tell != Tell::Nothing {
                    cell += &format!(", tell {tell:?}");
                }
                if state.is_open() && query != NextQuery::Keep || next != state {
                    cell += &format!(", {query:?}");
                }
                text += &format!(" {cell} |");
            }
            text += "\n";
        }
        text
    }

    #[test]
    fn the_written_table_is_the_one_that_runs() {
        let written = include_str!("states.md");
        assert_eq!(written, rendered(), "write this into states.md:\n{}", rendered());
    }

    #[test]
    fn an_end_by_the_venues_word_is_left_only_by_a_contradiction_and_then_as_a_doubt() {
        for input in INPUTS {
            let next = OrderState::Ended.after(input).next;
            assert!(next == OrderState::Ended || input == OrderInput::Contradiction, "{input:?}");
        }
    }

    #[test]
    fn every_open_state_without_the_venues_word_has_a_look_or_a_request_to_wait_for() {
        for state in OrderState::ALL {
            for input in INPUTS {
                let step = state.after(input);
                if step.next.is_open() && step.next != state {
                    let waits =
                        matches!(input, OrderInput::CancelSent) || step.query != NextQuery::Never;
                    assert!(waits, "{state:?} {input:?}");
                }
            }
        }
    }
}
