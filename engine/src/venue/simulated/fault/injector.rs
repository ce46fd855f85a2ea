//! The fault plan at work: which event a fault strikes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::counters::SimulatedVenueCounters;
use super::super::frame_kind::FrameKind;
use super::{Fault, FaultPlan, FaultRule, Trigger};
use crate::world::SplitMix64;

/// An event that a rule can spoil.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    Frame(FrameKind),
    Handshake,
    Subscribe,
    Rest,
    /// A snapshot of a book is asked for.
    Snapshot,
    /// A request of a session of the WebSocket API.
    Request,
    /// A new order that is well-formed, before it takes effect.
    Place,
    /// The reply to a new order or a cancel.
    Reply,
    /// A query of orders.
    Query,
    /// A tenth of a second has passed.
    Tenth,
}

/// The plan at work, and the count of what it did.
pub struct Faults {
    rules: Vec<ArmedRule>,
    counters: Arc<SimulatedVenueCounters>,
    /// Whether nothing strikes any more.
    is_calm: Arc<AtomicBool>,
}

struct ArmedRule {
    rule: FaultRule,
    seen: u64,
    owed: bool,
    random: SplitMix64,
}

impl Faults {
    pub fn new(
        plan: &FaultPlan,
        counters: Arc<SimulatedVenueCounters>,
        is_calm: Arc<AtomicBool>,
    ) -> Self {
        let arm = |rule: &FaultRule| {
            let seed = if let Trigger::Rate { seed, .. } = rule.trigger { seed } else { 0 };
            ArmedRule { rule: *rule, seen: 0, owed: false, random: SplitMix64::new(seed) }
        };
        Self { rules: plan.rules.iter().map(arm).collect(), counters, is_calm }
    }

    /// The fault that strikes at this event, if any; it is counted.
    pub fn strike(&mut self, occasion: Occasion) -> Option<Fault> {
        let mut struck = None;
        if self.rules.is_empty() || self.is_calm.load(Ordering::Relaxed) {
            return None;
        }
        for armed in &mut self.rules {
            if !armed.rule.can_spoil(occasion) {
                continue;
            }
            armed.seen += 1;
            armed.owed |= armed.is_due();
            if armed.owed && struck.is_none() {
                armed.owed = false;
                struck = Some(armed.rule.fault);
            }
        }
        if let Some(fault) = struck {
            self.counters.fault(fault.name());
        }
        struck
    }
}

impl ArmedRule {
    fn is_due(&mut self) -> bool {
        match self.rule.trigger {
            Trigger::At(at) => self.seen == at,
            Trigger::Every(0) => false,
            Trigger::Every(every) => self.seen.is_multiple_of(every),
            Trigger::Rate { per_million, .. } => {
                self.random.between(0, 999_999) < u64::from(per_million)
            }
        }
    }
}

impl FaultRule {
    fn can_spoil(&self, occasion: Occasion) -> bool {
        match self.fault {
            Fault::RefuseHandshake | Fault::NeverAnswerHandshake => occasion == Occasion::Handshake,
            Fault::RefuseSubscribe => occasion == Occasion::Subscribe,
            Fault::RefuseRest { .. } => occasion == Occasion::Rest,
            Fault::DuplicateExec
            | Fault::LostReport
            | Fault::ReorderReports
            | Fault::AbsurdField { .. } => occasion == Occasion::Frame(FrameKind::ExecReport),
            Fault::UnknownOutcome { .. }
            | Fault::FalseRefusal { .. }
            | Fault::LateForward { .. }
            | Fault::OrderLimit => occasion == Occasion::Place,
            Fault::LostReply => occasion == Occasion::Reply,
            Fault::ReplicaLag { .. } => occasion == Occasion::Query,
            Fault::Ban { .. } => matches!(occasion, Occasion::Request | Occasion::Rest),
            Fault::KeyRevoked => occasion == Occasion::Request,
            Fault::FutureSnapshot { .. } => occasion == Occasion::Snapshot,
            Fault::IdRestart
            | Fault::ServerShutdown { .. }
            | Fault::StreamTerminated
            | Fault::MarketBreak { .. }
            | Fault::StreamLost => occasion == Occasion::Tenth,
            Fault::Gap | Fault::Duplicate | Fault::Reorder | Fault::LostLevels => {
                occasion == Occasion::Frame(self.only.unwrap_or(FrameKind::Depth))
            }
            _ => match occasion {
                Occasion::Frame(kind) => kind.is_market() && self.only.is_none_or(|o| o == kind),
                _ => false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPTH: Occasion = Occasion::Frame(FrameKind::Depth);

    fn faults(plan: &FaultPlan) -> Faults {
        Faults::new(plan, Arc::new(SimulatedVenueCounters::default()), Arc::default())
    }

    fn strikes(plan: &FaultPlan, events: u64) -> Vec<u64> {
        let mut faults = faults(plan);
        (1..=events).filter(|_| faults.strike(DEPTH).is_some()).collect()
    }

    #[test]
    fn triggers_count_from_one() {
        assert_eq!(strikes(&FaultPlan::one(Fault::Gap, Trigger::At(3)), 9), [3]);
        assert_eq!(strikes(&FaultPlan::one(Fault::Gap, Trigger::Every(4)), 9), [4, 8]);
        assert!(strikes(&FaultPlan::one(Fault::Gap, Trigger::Every(0)), 9).is_empty());
    }

    #[test]
    fn a_rate_repeats_with_its_seed() {
        let rate = Trigger::Rate { per_million: 100_000, seed: 11 };
        let first = strikes(&FaultPlan::one(Fault::BadJson, rate), 1_000);
        assert_eq!(first, strikes(&FaultPlan::one(Fault::BadJson, rate), 1_000));
        assert!((50..200).contains(&first.len()), "seed 11 struck {} times", first.len());
    }

    #[test]
    fn a_rule_ignores_what_it_cannot_spoil() {
        let mut faults = faults(&FaultPlan::one(Fault::Gap, Trigger::At(1)));
        assert_eq!(faults.strike(Occasion::Frame(FrameKind::Trade)), None);
        assert_eq!(faults.strike(Occasion::Handshake), None);
        assert_eq!(faults.strike(DEPTH), Some(Fault::Gap));
    }

    #[test]
    fn the_second_of_two_rules_strikes_at_the_next_event() {
        let rule = |fault| FaultRule { fault, trigger: Trigger::At(1), only: None };
        let plan = FaultPlan { rules: vec![rule(Fault::Gap), rule(Fault::Duplicate)] };
        let mut faults = faults(&plan);
        assert_eq!(faults.strike(DEPTH), Some(Fault::Gap));
        assert_eq!(faults.strike(DEPTH), Some(Fault::Duplicate));
        assert_eq!(faults.strike(DEPTH), None);
    }
}
