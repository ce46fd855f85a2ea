//! The operator of a simulated run, who asks for anything at any time, and puts it right at last.

use crate::control::protocol::{ConsumerAction, ControlRequest, Selection, VenueAction};
use crate::world::SplitMix64;

/// The one instrument of a run.
const INSTRUMENT: &str = "BTC-USDT";

fn selection(consumer: &str) -> Selection {
    let (consumer, instrument) = (consumer.to_owned(), INSTRUMENT.to_owned());
    Selection { consumer, instrument, ..Selection::default() }
}

/// What an operator might ask for: anything but the end.
pub(super) fn command(
    random: &mut SplitMix64,
    consumers: &[String],
    venues: &[String],
) -> ControlRequest {
    let name = consumers[random.between(0, consumers.len() as u64 - 1) as usize].clone();
    let venue = venues[random.between(0, venues.len() as u64 - 1) as usize].clone();
    match random.between(0, 9) {
        0 => ControlRequest::Consumer { action: ConsumerAction::Pause, name },
        1 => ControlRequest::Consumer { action: ConsumerAction::Resume, name },
        2 => ControlRequest::Venue { action: VenueAction::Pause, name: venue },
        3 => ControlRequest::Venue { action: VenueAction::Resume, name: venue },
        4 => ControlRequest::Venue { action: VenueAction::Remove, name: venue },
        5 => ControlRequest::Venue { action: VenueAction::Add, name: venue },
        6 => ControlRequest::Mode { trading: random.between(0, 1) == 1 },
        7 => ControlRequest::Unsubscribe(selection(&name)),
        8 => ControlRequest::Subscribe(selection(&name)),
        _ => ControlRequest::Status {},
    }
}

/// Every venue is to be connected to: of several, the first alone is at the start.
pub(super) fn adding(venues: &[String]) -> Vec<ControlRequest> {
    let add =
        |venue: &String| ControlRequest::Venue { action: VenueAction::Add, name: venue.clone() };
    venues.iter().map(add).collect()
}

/// Everything back to how it should be.
pub fn restoring(consumers: &[String], venues: &[String]) -> Vec<ControlRequest> {
    let mut commands = adding(venues);
    commands.extend(venues.iter().map(|venue| {
        let name = venue.clone();
        ControlRequest::Venue { action: VenueAction::Resume, name }
    }));
    commands.push(ControlRequest::Mode { trading: true });
    for name in consumers {
        let resume =
            ControlRequest::Consumer { action: ConsumerAction::Resume, name: name.clone() };
        commands.extend([resume, ControlRequest::Subscribe(selection(name))]);
    }
    commands
}
