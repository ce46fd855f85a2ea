//! The journal of a run, opened before anything can be recorded in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::assemble::Assembly;
use super::compaction::{Compactor, FoldParts};
use super::journal_thread::JournalParts;
use super::options::LaunchError;
use crate::config::{Config, JournalDurability, JournalKeep, OnStart};
use crate::event::VenueId;
use crate::instrument::Instruments;
use crate::journal::{
    Durability, FolderRead, JournalFailure, JournalFolder, JournalKeeper, JournalOptions,
    JournalWriter, LockedFolder, NameTable, Named, RunStart, read_state,
};
use crate::order::order_log::OrderLogNames;
use crate::order::recovery::{RecordedOrder, Recovered, VenueRecovery};
use crate::world::Spawn;

/// A journal that was read, and is not written to yet.
pub(super) struct ReadJournal {
    folder: JournalFolder,
    path: PathBuf,
    options: JournalOptions,
    parts: FoldParts,
}

impl Assembly<'_> {
    /// Reads the journal that the configuration wants, and takes up what earlier starts have left.
    /// `ids_max` is by consumer how many names of ended orders it remembers.
    pub(super) fn read_journal(
        &mut self,
        ids_max: &[usize],
    ) -> Result<Option<ReadJournal>, LaunchError> {
        let config = &self.config.journal;
        let Some(durability) = durability(config.durability) else { return Ok(None) };
        let path = match &config.dir {
            Some(dir) => dir.clone(),
            None => self.run_dir()?.join("journal"),
        };
        let options = JournalOptions { durability, segment_bytes: config.segment_bytes };
        let parts = FoldParts {
            consumers: self.consumer_names(),
            venues: self.config.venue_names(),
            instruments: Arc::clone(&self.builder.readings.instruments),
            open_max: self.config.open_orders_most(),
            ids_max: ids_max.to_vec(),
        };
        let locked = LockedFolder::open(&self.world.files, &path)?;
        let (mut fold, base) = parts.begin(&self.world.files, &path)?;
        let folder = locked.read(durability, base, |header, record| {
            fold.take(header.epoch, record);
        })?;
        if let Some(stop) = &folder.read().stop {
            log::warn!(
                "[journal] {stop}; an earlier start was cut off there, and this one goes on"
            );
        }
        let recovered = fold.finish().map_err(|problems| LaunchError::JournalOfAnother {
            path: path.clone(),
            problems: problems.join("; "),
        })?;
        self.take_up(recovered, folder.read());
        Ok(Some(ReadJournal { folder, path, options, parts }))
    }

    /// Hands the strategies their books. The orders wait for the sessions of their venues.
    fn take_up(&mut self, mut recovered: Recovered, read: &FolderRead) {
        if read.last_epoch > 0 {
            log::info!(
                "[journal] {} records of {} earlier starts were read: {} orders are open on record",
                recovered.records,
                read.last_epoch,
                recovered.open.len()
            );
        }
        if self.config.risk.on_start == OnStart::Ask && self.config.risk.trading {
            let is_held = !recovered.open.is_empty();
            self.builder.switch.set(!is_held);
            self.builder.readings.recovery.ask(self.builder.switch.clone(), is_held);
        }
        let names = OrderLogNames {
            consumers: self.consumer_names(),
            venues: self.config.venue_names(),
            instruments: Arc::clone(&self.builder.readings.instruments),
        };
        let shown = &self.builder.readings.open_orders;
        recovered.open.iter().for_each(|order| shown.take_up(order, &names));
        self.builder.begin_with(std::mem::take(&mut recovered.books));
        self.recovered = Some(recovered);
    }

    /// What the order session of a venue has to find out before it takes new orders.
    pub(super) fn recovery_of(&mut self, venue: VenueId) -> VenueRecovery {
        let recorded = self.recovered.as_mut().map(|of_all| of_all.of_venue(venue));
        VenueRecovery {
            on_start: self.config.risk.on_start,
            is_sole_engine: self.config.risk.sole_engine,
            // What is written for one run alone is nothing to hold an account against.
            asks_account: self.config.journal.dir.is_some() || self.inspects_accounts,
            asks_positions: true,
            board: Arc::clone(&self.builder.readings.recovery),
            ..recorded.unwrap_or_default()
        }
    }

    /// Begins this start's part of the journal, and has the builder record in it.
    pub(super) fn start_journal(&mut self, read: Option<ReadJournal>) -> Result<(), LaunchError> {
        let Some(ReadJournal { folder, path, options, parts }) = read else { return Ok(()) };
        self.refuse_orphans(&path)?;
        let begin = folder.read().begin();
        let durability = options.durability;
        let (mut writer, mut keeper) = folder.start(options, &self.builder.clock)?;
        let names = Names { config: self.config, instruments: &self.builder.readings.instruments };
        let now_ns = self.builder.clock.wall_ns();
        let process = match self.world.spawn {
            Spawn::Threads | Spawn::LiveThread => std::process::id(),
            Spawn::OneThread | Spawn::Replay => 0,
        };
        let start = RunStart::new(self.world.entropy.run_number(), u64::from(process));
        names
            .record(&mut writer, &mut keeper, now_ns, &start)
            .map_err(LaunchError::JournalStart)?;
        let restores = self.consumer_names().into_iter();
        let restores = restores.map(|name| read_state(&self.world.files, &path, &name));
        let save_ns = self.config.journal.save_ms * 1_000_000;
        let restores = restores.collect();
        let journal = &self.config.journal;
        self.compactor = Some(Compactor::new(
            (self.world.files.clone(), path.clone()),
            parts,
            (keeper.health().clone(), self.builder.readings.checkpoints.clone()),
            self.builder.clock.clone(),
            (begin, journal.checkpoint_segments),
            (journal.keep == JournalKeep::All, durability == Durability::FsyncBatch),
        ));
        self.builder.record_in(writer);
        self.builder.save_states(restores, save_ns);
        self.journal = Some(JournalParts { keeper, folder: path, durability });
        Ok(())
    }

    /// Orders on record at a venue that takes none now: nobody would ask for them.
    fn refuse_orphans(&mut self, path: &Path) -> Result<(), LaunchError> {
        let open = self.recovered.take().map(|recovered| recovered.open).unwrap_or_default();
        refuse_orphans(self.config, path, &open)
    }
}

/// Refuses orders of which no session will take care.
pub(super) fn refuse_orphans(
    config: &Config,
    path: &Path,
    open: &[RecordedOrder],
) -> Result<(), LaunchError> {
    let mut at: BTreeMap<VenueId, usize> = BTreeMap::new();
    open.iter().for_each(|order| *at.entry(order.command.venue_id()).or_default() += 1);
    if at.is_empty() {
        return Ok(());
    }
    let venues = config.venue_names();
    let words = at.into_iter().map(|(venue, count)| {
        let name = venues.get(venue.index()).map_or("?", String::as_str);
        format!("{count} open orders at {name}, which has no order session now")
    });
    let problems = words.collect::<Vec<_>>().join("; ");
    Err(LaunchError::JournalOfAnother { path: path.to_owned(), problems })
}

/// How a journal is kept by the configuration's word; `None` where there is none.
pub(super) fn durability(config: JournalDurability) -> Option<Durability> {
    match config {
        JournalDurability::None => None,
        JournalDurability::Os => Some(Durability::Os),
        JournalDurability::FsyncBatch => Some(Durability::FsyncBatch),
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
