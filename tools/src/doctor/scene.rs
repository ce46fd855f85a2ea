//! What every check looks at: the host's files, its cores, and which of them the plan makes busy.

use std::thread;
use std::time::{Duration, Instant};

use super::cpu_list::folded;
use super::cpu_times::{CpuTimes, STAT};
use super::host_files::{HostFiles, Unread};
use super::interrupt_table::{INTERRUPTS, Interrupts};
use super::topology::Topology;

/// The host, and the plan for it.
pub(crate) struct Scene<'a> {
    /// Where to read.
    pub(crate) files: &'a HostFiles,
    /// The online cores.
    pub(crate) topology: &'a Topology,
    /// Cores that run a planned thread, ascending.
    pub(crate) busy: &'a [usize],
    /// Online cores that are neither planned nor the SMT sibling of a planned one; where other work
    /// goes.
    pub(crate) spare: &'a [usize],
    /// Cores without a timer tick; none when unknown.
    pub(crate) tickless: &'a [usize],
    /// Whether planned threads spin, and so never let their core idle.
    pub(crate) is_spinning: bool,
    /// Memory of all lanes.
    pub(crate) lane_bytes: u64,
    /// Counters read twice.
    pub(crate) sample: &'a Sample,
    /// Names of the running processes.
    pub(crate) processes: &'a [String],
}

impl Scene<'_> {
    /// The command that mends one group of settings for the planned cores.
    pub(crate) fn tune(&self, group: &str) -> String {
        format!("sudo scripts/tune-host.sh --cores {} --only {group}", folded(self.busy))
    }
}

/// Counters at one moment.
pub(crate) struct Counters {
    pub(crate) times: Result<CpuTimes, Unread>,
    pub(crate) interrupts: Result<Interrupts, Unread>,
}

impl Counters {
    fn read(files: &HostFiles) -> Counters {
        Counters {
            times: files.parsed(STAT, CpuTimes::parse),
            interrupts: files.parsed(INTERRUPTS, Interrupts::parse),
        }
    }
}

/// Counters before and after a wait.
pub(crate) struct Sample {
    pub(crate) before: Counters,
    pub(crate) after: Counters,
    /// Time between them; 0 when nothing was waited for.
    pub(crate) elapsed_ms: u64,
}

impl Sample {
    /// Reads, waits for `wait`, and reads again; a copy of a host does not change, so there is no
    /// wait.
    pub(crate) fn take(files: &HostFiles, wait: Duration) -> Sample {
        let start = Instant::now();
        let before = Counters::read(files);
        let mut elapsed_ms = 0;
        if files.is_live() && !wait.is_zero() {
            thread::sleep(wait);
            elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        }
        Sample { before, after: Counters::read(files), elapsed_ms }
    }
}

/// The names of the running processes, sorted; those that end meanwhile are left out.
pub(crate) fn process_names(files: &HostFiles) -> Vec<String> {
    let pids = files.names("/proc").unwrap_or_default();
    let pids = pids.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let mut names: Vec<String> =
        pids.filter_map(|pid| files.text(&format!("/proc/{pid}/comm")).ok()).collect();
    names.sort_unstable();
    names.dedup();
    names
}
