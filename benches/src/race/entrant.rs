//! Who takes part: every contender in both of its forms.

use pitlane_engine::runtime::Clock;

use crate::contender::Form;
use crate::lanes::Lanes;
use crate::load::{Load, Load64, Load128, Load384};
use crate::paced::{self, PacedFigures, PacedOptions};
use crate::partner::Partner;
use crate::rivals::{
    Crossbeam, DisruptorRings, DisruptorShared, Flume, Kanal, Rtrb, StdSync, TokioBroadcast,
};
use crate::saturated::{self, SaturatedOptions};

/// One contender in one form.
#[derive(Clone, Copy)]
pub(crate) struct Entrant {
    /// The crate, and how it is used where there are several ways.
    pub(crate) name: &'static str,
    /// How it is driven.
    pub(crate) form: Form,
    /// Runs it saturated.
    pub(crate) saturated: fn(&Partner, SaturatedOptions) -> f64,
    /// Runs it on a schedule.
    pub(crate) paced: fn(&Partner, &Clock, PacedOptions) -> PacedFigures,
}

/// Ours.
pub(crate) const OURS: &str = "pitlane lanes";

/// Everyone, with records of `bytes` bytes; ours first.
pub(crate) fn entrants(bytes: usize) -> Vec<Entrant> {
    match bytes {
        64 => entrants_of::<Load64>(),
        128 => entrants_of::<Load128>(),
        _ => entrants_of::<Load384>(),
    }
}

fn entrants_of<E: Load>() -> Vec<Entrant> {
    let mut all = Vec::new();
    macro_rules! enter {
        ($name:expr, $contender:ty) => {
            for form in [Form::Batched, Form::OneByOne] {
                all.push(Entrant {
                    name: $name,
                    form,
                    saturated: saturated::run::<E, $contender>,
                    paced: paced::run::<E, $contender>,
                });
            }
        };
    }
    enter!(OURS, Lanes);
    enter!("disruptor, ring each", DisruptorRings);
    enter!("disruptor, one ring", DisruptorShared);
    enter!("rtrb", Rtrb);
    enter!("crossbeam-channel", Crossbeam);
    enter!("flume", Flume);
    enter!("kanal", Kanal);
    enter!("std sync_channel", StdSync);
    enter!("tokio broadcast", TokioBroadcast);
    all
}
