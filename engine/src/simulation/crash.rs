//! The end of an engine in the middle of anything, and the next one on its disk.

use std::mem;
use std::path::Path;

use super::on_record::OnRecord;
use super::plan::Crash;
use super::run::{JOURNAL, MS, Outcome, Run};
use crate::journal::read_checkpoints;
use crate::world::{FileConditions, Files};

impl Run<'_> {
    /// Runs until then. An engine that is killed in a write meanwhile is followed by the next.
    pub(super) fn until(mut self, end_ns: u64) -> Result<Self, Outcome> {
        loop {
            self.run_until(end_ns);
            if !self.engine.is_dead() {
                return Ok(self);
            }
            let crash = self.armed.take().unwrap_or_default();
            self = self.crashed(&crash)?;
        }
    }

    /// Begins a crash of the plan: at once, or in the middle of a write that is still to come.
    pub(super) fn begin_crash(mut self, crash: Crash) -> Result<Self, Outcome> {
        if crash.at_write == 0 {
            return self.crashed(&crash);
        }
        self.engine.kill_at_write(crash.at_write);
        self.armed = Some(crash);
        Ok(self)
    }

    /// Takes back what the plan has begun and not done.
    pub(super) fn disarm(&mut self) {
        self.engine.kill_at_write(0);
        self.armed = None;
    }

    /// Kills the engine, and starts the next one on its disk.
    fn crashed(self, crash: &Crash) -> Result<Self, Outcome> {
        let Run { plan, mut engine, notes, of, stop, mut lives, .. } = self;
        let (dead, has_halted) = (engine.run_number(), engine.status().halted.is_some());
        let mut world = engine.crash();
        let died_ns = world.now_ns();
        if crash.loses_power {
            world.files().crash();
        }
        // Its files are made on a disk that works, as those of the first are.
        world.files().set_conditions(FileConditions::default());
        world.run_ns(crash.down_ms * MS);
        let whole = Files::Virtual(world.files().with_removed());
        let on_record = OnRecord::read(&whole, Path::new(JOURNAL));
        let at_ns = world.now_ns();
        lives.downs.push((died_ns, at_ns));
        let files = Files::Virtual(world.files().clone());
        let checkpoints = read_checkpoints(&files, Path::new(JOURNAL)).unwrap_or_default();
        lives.from_checkpoint += u64::from(checkpoints.iter().any(|of| of.content.is_ok()));
        let known = notes.lock().begin_life(&on_record, dead, has_halted, at_ns);
        world.files().kill_at_write(crash.again_at_write);
        match world.launch(&of.config, &of.registry, &of.launch, plan.holds()) {
            Ok(engine) => {
                engine.files().set_conditions(plan.file_conditions());
                lives.taken_up.insert(engine.run_number(), known);
                let again = Crash { at_write: crash.again_at_write, again_at_write: 0, ..*crash };
                let armed = (crash.again_at_write > 0).then_some(again);
                Ok(Run { plan, engine, notes, of, stop, armed, lives, killed_ns: None })
            }
            Err(error) => {
                let what = format!("after a crash the engine does not start: {error}");
                let mut notes = notes.lock();
                notes.violated(18, at_ns, what);
                let violations = mem::take(&mut notes.found);
                Err(Outcome { violations, virtual_ns: at_ns, ..Outcome::default() })
            }
        }
    }
}
