//! What a core does when there is nothing to do: it runs the code that the next event will run, on
//! an event of its own, which goes to nobody.
//!
//! At 1,000 events a second a core polls a thousand times between two of them, and what only an
//! event needs is then in a far cache: measured with fifty consumers, the first callback came 0.2
//! us later and the second one 0.1. The data of the real agents are kept near by the agents
//! themselves, see [`pitlane_ring::Consumer::keep_warm`]; here it is about their code, which stages
//! of the same types run.

use std::sync::Arc;

use crate::consumer::{Closure, Strategy};
use crate::event::{Event, Interest, Quote};
use crate::instrument::{InstrumentError, InstrumentSpec, Instruments};
use crate::risk::RiskLimits;
use crate::runtime::{Agent, AgentRole, Clock, Rehearsal};
use crate::testing::{BareConsumer, Size, Stages, StagesOptions, bare_consumer, stages};

/// Slots of the lanes that events pass.
const SLOTS: usize = 4;

/// The rehearsal of a core with these roles; none where there is nothing but venues.
pub(super) fn rehearsal(
    roles: &[AgentRole],
    clock: &Clock,
) -> Result<Option<Rehearsal>, InstrumentError> {
    let has = |is: fn(&AgentRole) -> bool| roles.iter().any(is);
    let instruments = Arc::new(Instruments::new(vec![InstrumentSpec {
        symbol: "REHEARSAL-ONLY".to_owned(),
        price_scale: 0,
        qty_scale: 0,
        tick: 1,
        step: 1,
    }])?);
    let clock = clock.clone();
    if has(|role| matches!(role, AgentRole::Dispatcher)) {
        let stages = stages(StagesOptions {
            // Three of them, so that lanes are written together.
            strategies: (0..3).map(|_| strategy()).collect(),
            instruments,
            clock,
            link_slots: SLOTS,
            market_slots: SLOTS,
            batch: 1,
            open_orders_max: 1,
            fanout_every: 0,
            size: Size::Rehearsal,
        });
        return Ok(Some(of_stages(stages)));
    }
    let consumer = || {
        of_consumer(bare_consumer(
            strategy(),
            instruments,
            RiskLimits::default(),
            clock,
            Size::Rehearsal,
        ))
    };
    Ok(has(|role| matches!(role, AgentRole::Consumer(_))).then(consumer))
}

fn of_stages(mut stages: Stages) -> Rehearsal {
    let mut event = event();
    Box::new(move || {
        event.sequence += 1;
        let published = stages.link.try_publish(&event);
        debug_assert!(published.is_ok(), "it is taken before the next one");
        stages.dispatcher.duty_cycle();
        for consumer in &mut stages.consumers {
            consumer.duty_cycle();
        }
    })
}

fn of_consumer(consumer: BareConsumer) -> Rehearsal {
    let BareConsumer { mut market, critical, orders, control, mut agent, .. } = consumer;
    let mut event = event();
    Box::new(move || {
        // Lanes whose other ends were gone would be closed.
        let _hold = (&critical, &orders, &control);
        event.sequence += 1;
        let published = market.try_publish(&event);
        debug_assert!(published.is_ok(), "it is taken before the next one");
        agent.duty_cycle();
    })
}

fn strategy() -> Box<dyn Strategy> {
    Box::new(Closure::new(Interest::ALL, |_event, _ctx| Ok(())))
}

fn event() -> Event {
    Event::new(&Quote { bid_price: 1, bid_qty: 1, ask_price: 2, ask_qty: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles_with_rehearsal(roles: &[AgentRole]) -> bool {
        let (clock, _time) = Clock::manual(0);
        match rehearsal(roles, &clock).expect("its instrument is a constant") {
            Some(mut rehearse) => {
                // More often than its lanes have slots: what it publishes is taken.
                (0..10 * SLOTS).for_each(|_| rehearse());
                true
            }
            None => false,
        }
    }

    #[test]
    fn cores_that_handle_events_rehearse_again_and_again_and_venues_alone_do_not() {
        assert!(roles_with_rehearsal(&[AgentRole::Consumer(0)]));
        assert!(roles_with_rehearsal(&[AgentRole::Orchestrator, AgentRole::Dispatcher]));
        assert!(!roles_with_rehearsal(&[]));
    }
}
