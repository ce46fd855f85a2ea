//! The journal of a run, opened before anything can be recorded in it.

use super::assemble::Assembly;
use super::journal_thread::JournalParts;
use super::options::LaunchError;
use crate::config::{Config, JournalDurability};
use crate::instrument::Instruments;
use crate::journal::{
    Durability, JournalFailure, JournalFolder, JournalKeeper, JournalOptions, JournalWriter,
    NameTable, Named, RunStart,
};
use crate::world::Spawn;

impl Assembly<'_> {
    /// Opens the journal that the configuration wants, and has the builder record in it.
    pub(super) fn open_journal(&mut self) -> Result<(), LaunchError> {
        let config = &self.config.journal;
        let durability = match config.durability {
            JournalDurability::None => return Ok(()),
            JournalDurability::Os => Durability::Os,
            JournalDurability::FsyncBatch => Durability::FsyncBatch,
        };
        let folder = match &config.dir {
            Some(dir) => dir.clone(),
            None => self.run_dir()?.join("journal"),
        };
        let options = JournalOptions { durability, segment_bytes: config.segment_bytes };
        let opened = JournalFolder::open(&self.world.files, &folder, |_, _| ())?;
        if let Some(stop) = &opened.read().stop {
            log::warn!(
                "[journal] {stop}; an earlier start was cut off there, and this one goes on"
            );
        }
        let (mut writer, mut keeper) = opened.start(options, &self.builder.clock)?;
        let names = Names { config: self.config, instruments: &self.builder.readings.instruments };
        let now_ns = self.builder.clock.wall_ns();
        let process = match self.world.spawn {
            Spawn::Threads => std::process::id(),
            Spawn::OneThread => 0,
        };
        let start = RunStart::new(self.world.entropy.run_number(), u64::from(process));
        names
            .record(&mut writer, &mut keeper, now_ns, &start)
            .map_err(LaunchError::JournalStart)?;
        self.builder.record_in(writer);
        self.journal = Some(JournalParts { keeper, folder });
        Ok(())
    }
}

/// What the numbers of this run stand for.
struct Names<'a> {
    config: &'a Config,
    instruments: &'a Instruments,
}

impl Names<'_> {
    fn record(
        &self,
        writer: &mut JournalWriter,
        keeper: &mut JournalKeeper,
        now_ns: i64,
        start: &RunStart,
    ) -> Result<(), JournalFailure> {
        writer.append(now_ns, start)?;
        let of = |table, names: Vec<String>| {
            let names = names.into_iter().enumerate();
            names.map(move |(number, name)| Named::new(table, number as u32, &name))
        };
        let consumers = self.config.consumers.iter().map(|consumer| consumer.name.clone());
        let mut all: Vec<Named> = of(NameTable::Consumer, consumers.collect()).collect();
        all.extend(of(NameTable::Venue, self.config.venue_names()));
        all.extend(self.instruments.iter().map(|(id, spec)| Named {
            price_scale: spec.price_scale,
            qty_scale: spec.qty_scale,
            ..Named::new(NameTable::Instrument, id.0, &spec.symbol)
        }));
        for named in &all {
            keeper.make_room(writer)?;
            writer.append(now_ns, named)?;
        }
        Ok(())
    }
}
