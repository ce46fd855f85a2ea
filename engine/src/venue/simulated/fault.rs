//! The fault plan: what goes wrong on the wire, when, and that it did.
//!
//! A rule is a fault and a trigger. Each rule counts the events that it could spoil (frames,
//! handshakes, subscriptions, exec reports, HTTP requests, over all connections) and strikes when its
//! trigger says so. When two rules strike at once, the second strikes at its next event. Every
//! injection is counted under the fault's [`FaultName`].

use std::time::Duration;

use super::counters::FrameKind;
use super::random::Random;

/// A fault and its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A depth diff is not sent.
    Gap,
    /// A depth diff is sent twice.
    Duplicate,
    /// A depth diff is sent after the next one of its stream.
    Reorder,
    /// The JSON text ends after two thirds.
    BadJson,
    /// A text frame holds a byte that is no UTF-8.
    BadUtf8,
    /// The frame leaves in eight TCP segments, a millisecond apart.
    SplitSegments,
    /// The message leaves as three WebSocket fragments.
    SplitFragments,
    /// After this frame nothing leaves the connection for a while, heartbeats included.
    Stall {
        /// How long.
        duration: Duration,
    },
    /// From this frame on market frames are lost for a while; heartbeats and replies go on.
    DataStall {
        /// How long.
        duration: Duration,
    },
    /// The connection ends inside the frame.
    Disconnect {
        /// Bytes of the frame, header included, that leave before; clipped to the frame's length.
        after_bytes: usize,
        /// With a TCP reset in place of an orderly end.
        reset: bool,
    },
    /// Each byte of the frame leaves by itself.
    SlowLoris {
        /// Time between two bytes.
        byte_pause: Duration,
    },
    /// The WebSocket handshake is answered with HTTP status 503.
    RefuseHandshake,
    /// The WebSocket handshake is never answered; the connection stays open.
    NeverAnswerHandshake,
    /// A SUBSCRIBE is answered with an error.
    RefuseSubscribe,
    /// An exec report is sent twice.
    DuplicateExec,
    /// A frame of this many bytes is sent before the frame.
    OversizeFrame {
        /// Its payload's length.
        bytes: usize,
    },
    /// An event that no documentation knows is sent before the frame.
    UnknownEvent,
    /// The frame is masked, which a server must never do (RFC 6455, section 5.1).
    MaskedFrame,
    /// The frame has a reserved bit set (RFC 6455, section 5.2).
    ReservedBit,
    /// A frame with a reserved opcode is sent before the frame.
    BadOpcode,
    /// An HTTP request is answered with this status, such as 429 or 503.
    RefuseRest {
        /// The status.
        status: u16,
    },
}

macro_rules! fault_names {
    ($($name:ident,)*) => {
        /// A fault without its numbers: the key of the counters.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "each is described at the variant of `Fault` of its name")]
        pub enum FaultName { $($name,)* }

        impl FaultName {
            /// All names, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }

        impl Fault {
            /// The key under which its injections are counted.
            #[must_use]
            pub fn name(&self) -> FaultName {
                match self { $(Self::$name { .. } => FaultName::$name,)* }
            }
        }
    };
}

fault_names! {
    Gap, Duplicate, Reorder, BadJson, BadUtf8, SplitSegments, SplitFragments, Stall, DataStall,
    Disconnect, SlowLoris, RefuseHandshake, NeverAnswerHandshake, RefuseSubscribe, DuplicateExec,
    OversizeFrame, UnknownEvent, MaskedFrame, ReservedBit, BadOpcode, RefuseRest,
}

/// When a rule strikes; events are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// At one event.
    At(u64),
    /// At every so many events; 0 is never.
    Every(u64),
    /// At random.
    Rate {
        /// Chance in a million events.
        per_million: u32,
        /// Seed of the dice.
        seed: u64,
    },
}

/// A fault and when it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultRule {
    /// What.
    pub fault: Fault,
    /// When.
    pub trigger: Trigger,
    /// For faults of market frames: only frames of this kind count. `None`: all (of depth diffs,
    /// for gap, duplicate and reorder).
    pub only: Option<FrameKind>,
}

/// All rules of a run; the default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// The rules, asked in this order.
    pub rules: Vec<FaultRule>,
}

impl FaultPlan {
    /// A plan of one rule for all frames that the fault can spoil.
    #[must_use]
    pub fn one(fault: Fault, trigger: Trigger) -> Self {
        Self { rules: vec![FaultRule { fault, trigger, only: None }] }
    }
}

/// An event that a rule can spoil.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    Frame(FrameKind),
    Handshake,
    Subscribe,
    Rest,
}

/// The plan at work.
pub(super) struct Injector {
    rules: Vec<ArmedRule>,
}

struct ArmedRule {
    rule: FaultRule,
    seen: u64,
    owed: bool,
    random: Random,
}

impl Injector {
    pub(super) fn new(plan: &FaultPlan) -> Self {
        let arm = |rule: &FaultRule| {
            let seed = if let Trigger::Rate { seed, .. } = rule.trigger { seed } else { 0 };
            ArmedRule { rule: *rule, seen: 0, owed: false, random: Random::new(seed) }
        };
        Self { rules: plan.rules.iter().map(arm).collect() }
    }

    /// The fault that strikes at this event, if any.
    pub(super) fn strike(&mut self, occasion: Occasion) -> Option<Fault> {
        let mut struck = None;
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
                self.random.below(1_000_000) < u64::from(per_million)
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
            Fault::DuplicateExec => occasion == Occasion::Frame(FrameKind::ExecReport),
            Fault::Gap | Fault::Duplicate | Fault::Reorder => {
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

    fn strikes(plan: &FaultPlan, events: u64) -> Vec<u64> {
        let mut injector = Injector::new(plan);
        (1..=events).filter(|_| injector.strike(DEPTH).is_some()).collect()
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
        let mut injector = Injector::new(&FaultPlan::one(Fault::Gap, Trigger::At(1)));
        assert_eq!(injector.strike(Occasion::Frame(FrameKind::Trade)), None);
        assert_eq!(injector.strike(Occasion::Handshake), None);
        assert_eq!(injector.strike(DEPTH), Some(Fault::Gap));
    }

    #[test]
    fn the_second_of_two_rules_strikes_at_the_next_event() {
        let rule = |fault| FaultRule { fault, trigger: Trigger::At(1), only: None };
        let plan = FaultPlan { rules: vec![rule(Fault::Gap), rule(Fault::Duplicate)] };
        let mut injector = Injector::new(&plan);
        assert_eq!(injector.strike(DEPTH), Some(Fault::Gap));
        assert_eq!(injector.strike(DEPTH), Some(Fault::Duplicate));
        assert_eq!(injector.strike(DEPTH), None);
    }
}
