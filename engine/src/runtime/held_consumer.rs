//! A consumer of a simulated world that is held up in callbacks, by seed.
//!
//! In a world on one thread no callback can really last while others go on. So a drawn one is said
//! to: its effects are there at its start, and until its end the consumer takes nothing. The
//! watchdog sees it as it sees a thread that does not come back.

use std::sync::Arc;

use mio::Registry;
use pitlane_ring::IdleStrategy;

use super::eye::{Eye, HeldBatch};
use super::guarded::{GuardedConsumer, Watched};
use super::home::{CoreRules, ThreadId};
use super::{Agent, AlonePlaces, Clock, ContentionBook, CoreWakers, StopSignal, YieldBan};
use crate::world::SplitMix64;

/// How often a consumer of a simulated world is held up, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HoldRates {
    /// Duty cycles with work after which it is, out of a million.
    pub hold_ppm: u32,
    /// The shortest, ns.
    pub least_ns: u64,
    /// The longest, ns.
    pub most_ns: u64,
    /// The number of the one consumer that is; `None` = every one.
    pub only: Option<u16>,
}

impl HoldRates {
    /// Those of the consumer of this number.
    #[must_use]
    pub fn of(self, consumer: usize) -> HoldRates {
        match self.only {
            Some(only) if usize::from(only) != consumer => HoldRates::default(),
            _ => self,
        }
    }
}

/// The consumer.
pub struct HeldConsumer {
    agent: Box<dyn Agent>,
    clock: Clock,
    random: SplitMix64,
    rates: HoldRates,
    batch: Arc<HeldBatch>,
    /// Number of the last hold.
    holds: u64,
    /// When it ends; 0 while there is none.
    until_ns: u64,
}

impl HeldConsumer {
    /// A consumer that is held up at these rates, and what the watchdog has to know of it.
    #[must_use]
    pub fn new(
        agent: Box<dyn Agent>,
        guarded: GuardedConsumer,
        rates: HoldRates,
        random: SplitMix64,
        clock: &Clock,
    ) -> (HeldConsumer, Watched) {
        let batch = Arc::<HeldBatch>::default();
        let rules = CoreRules {
            idle: IdleStrategy::Park,
            wakers: CoreWakers::default(),
            stop: StopSignal::default(),
            clock: clock.clone(),
            alone: AlonePlaces::default(),
            yield_ban: YieldBan::default(),
            contention: ContentionBook::new(guarded.name.clone(), None),
            adoptions: Arc::default(),
        };
        let watched = Watched {
            name: guarded.name.clone(),
            core: None,
            agents: Arc::default(),
            pinned: Arc::default(),
            rules,
            thread: ThreadId::default(),
            watch: Eye::Held(Arc::clone(&batch)),
            guarded: vec![guarded],
        };
        let (clock, holds, until_ns) = (clock.clone(), 0, 0);
        (HeldConsumer { agent, clock, random, rates, batch, holds, until_ns }, watched)
    }

    fn is_held(&self) -> bool {
        self.until_ns > 0
    }
}

impl Agent for HeldConsumer {
    fn name(&self) -> &str {
        self.agent.name()
    }

    fn on_start(&mut self, registry: &Registry) {
        self.agent.on_start(registry);
    }

    fn duty_cycle(&mut self) -> usize {
        let now_ns = self.clock.now_ns();
        if now_ns < self.until_ns {
            return 0;
        }
        if self.is_held() {
            self.until_ns = 0;
            self.batch.end();
        }
        let work = self.agent.duty_cycle();
        if work > 0 && self.random.hits_ppm(self.rates.hold_ppm) {
            self.until_ns = now_ns + self.random.between(self.rates.least_ns, self.rates.most_ns);
            self.holds += 1;
            self.batch.begin(self.holds);
        }
        work
    }

    fn has_pending(&self) -> bool {
        !self.is_held() && self.agent.has_pending()
    }

    fn next_timer_ns(&self) -> u64 {
        if self.is_held() { self.until_ns } else { self.agent.next_timer_ns() }
    }

    fn is_done(&self) -> bool {
        !self.is_held() && self.agent.is_done()
    }

    fn on_close(self: Box<Self>) {
        self.agent.on_close();
    }
}

#[cfg(test)]
mod tests {
    use super::super::placement::{Placement, Role};
    use super::super::{AgentRole, OneThread, StallBook, WatchdogHandle, WatchdogOptions};
    use super::*;
    use crate::event::ConsumerId;
    use crate::safety::Quarantine;
    use crate::telemetry::{LogLanes, Terms};
    use crate::world::{NetConditions, VirtualNet};

    const MS: u64 = 1_000_000;

    /// Has work all the time.
    struct Busy;

    impl Agent for Busy {
        fn name(&self) -> &str {
            "busy"
        }

        fn duty_cycle(&mut self) -> usize {
            1
        }

        fn is_done(&self) -> bool {
            false
        }
    }

    /// The stalls of a busy consumer in a second of virtual time, and whether it was quarantined.
    fn stalls_in_a_second(rates: HoldRates, budget_ms: u64) -> (u64, u64, bool) {
        let (clock, time) = Clock::manual(0);
        let net = VirtualNet::new(clock.clone(), 1, NetConditions::default());
        let random = SplitMix64::new(1);
        let mut world = OneThread::new(clock.clone(), time, net, random.clone()).unwrap();
        let (stalls, quarantine) = (StallBook::new(), Quarantine::new(1, false));
        let guarded = GuardedConsumer {
            id: ConsumerId(0),
            name: "busy".to_owned(),
            budget_ns: budget_ms * MS,
            stalls: Arc::clone(&stalls),
            published: Terms::new(),
        };
        let (agent, watched) = HeldConsumer::new(Box::new(Busy), guarded, rates, random, &clock);
        let role = Role::Stage(AgentRole::Consumer(0));
        world.place(Placement::new(role, Box::new(agent)));
        let watchdog = WatchdogHandle::in_world(WatchdogOptions {
            cores: vec![watched],
            loose_cores: Vec::new(),
            has_room: true,
            yield_ban: YieldBan::default(),
            quarantine_after_ns: 500 * MS,
            quarantine: quarantine.clone(),
            logs: LogLanes::new(64),
            clock,
            takes_nothing: false,
        });
        world.place(Placement::new(Role::Peer, watchdog));
        world.run_until_ns(1_000 * MS);
        let figures = stalls.read(world.now_ns());
        (figures.count, figures.longest_ns, quarantine.has(ConsumerId(0)))
    }

    #[test]
    fn a_hold_beyond_the_budget_is_a_stall_and_a_long_one_a_quarantine() {
        let holds = |hold_ppm, ms| {
            let (least_ns, most_ns, only) = (ms * MS, ms * MS, None);
            HoldRates { hold_ppm, least_ns, most_ns, only }
        };
        assert_eq!(stalls_in_a_second(holds(0, 0), 4), (0, 0, false));
        assert_eq!(stalls_in_a_second(holds(1_000, 2), 4), (0, 0, false), "within the budget");
        let (count, longest_ns, is_quarantined) = stalls_in_a_second(holds(1_000, 20), 4);
        assert!(count > 5 && !is_quarantined, "{count}");
        assert!((18 * MS..=22 * MS).contains(&longest_ns), "{longest_ns}");
        let (_, _, is_quarantined) = stalls_in_a_second(holds(1_000_000, 600), 4);
        assert!(is_quarantined);
    }
}
