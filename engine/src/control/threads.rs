//! The threads of this process as the system sees them: where they may run and what they burn.

use std::collections::HashMap;

use super::ThreadStatus;
use crate::runtime::CorePlan;
use crate::world::{kernel_names, kernel_text};

/// Bytes of a thread's name that the system keeps.
const NAME_BYTES: usize = 15;

/// Reads the threads; remembers what each had burned, for the next reading.
#[derive(Debug, Default)]
pub(super) struct Threads {
    burned_ns: HashMap<u32, u64>,
    read_ns: Option<u64>,
}

/// A thread as the system shows it.
#[derive(Debug)]
struct Task {
    tid: u32,
    name: String,
    /// The one core that it may run on; `None` when there are several.
    core: Option<usize>,
    burned_ns: Option<u64>,
}

/// What the plan says of one thread, and the names of its agents.
#[derive(Clone, Debug)]
pub(crate) struct PlannedThread {
    name: String,
    core: Option<usize>,
    agents: Vec<String>,
}

impl PlannedThread {
    /// The threads of `plan`; `name_of` names an agent by its role.
    pub(crate) fn of_plan(
        plan: &CorePlan,
        name_of: impl Fn(crate::runtime::AgentRole) -> String,
    ) -> Vec<PlannedThread> {
        let thread = |core: &crate::runtime::PlannedCore| PlannedThread {
            name: core.name.clone(),
            core: core.core,
            agents: core.agents.iter().map(|role| name_of(*role)).collect(),
        };
        plan.cores.iter().map(thread).collect()
    }

    /// It is left to the scheduler after all.
    pub(crate) fn set_free(&mut self) {
        self.core = None;
    }

    /// Whether a task of this name, on this core, may be this thread.
    fn is(&self, task: &Task) -> bool {
        let cut = self.name.get(..self.name.len().min(NAME_BYTES)).unwrap_or(&self.name);
        task.name == cut && (task.core.is_none() || self.core.is_none() || task.core == self.core)
    }

    /// The core that it runs on, by its agents.
    pub(super) fn runs(&self, agent: &str) -> bool {
        self.agents.iter().any(|name| name == agent)
    }

    pub(super) fn core(&self) -> Option<usize> {
        self.core
    }
}

impl Threads {
    /// The planned threads first, in their order, then all others of the process.
    pub(super) fn read(&mut self, planned: &[PlannedThread], now_ns: u64) -> Vec<ThreadStatus> {
        let elapsed_ns = self.read_ns.map(|before_ns| now_ns.saturating_sub(before_ns));
        self.read_ns = Some(now_ns);
        let mut tasks = tasks();
        let mut threads = Vec::new();
        let mut burned = HashMap::new();
        let mut cpu = |task: &Task| {
            let burned_ns = task.burned_ns?;
            burned.insert(task.tid, burned_ns);
            let before_ns = self.burned_ns.get(&task.tid)?;
            let spent_ns = burned_ns.saturating_sub(*before_ns);
            // Both clocks are not read at one moment: no thread has more than a core.
            let permille = |ns: u64| (spent_ns.saturating_mul(1_000) / ns).min(1_000);
            elapsed_ns.filter(|ns| *ns > 0).map(permille)
        };
        for plan in planned {
            let found = tasks.iter().position(|task| plan.is(task));
            let task = found.map(|at| tasks.remove(at));
            let pinned = match (&task, plan.core) {
                (None, _) => "unknown",
                (Some(_), None) => "not_asked",
                (Some(task), core) if task.core == core => "yes",
                (Some(_), _) => "refused",
            };
            threads.push(ThreadStatus {
                name: plan.name.clone(),
                core: plan.core,
                pinned: pinned.to_owned(),
                agents: plan.agents.clone(),
                cpu_permille: task.as_ref().and_then(&mut cpu),
            });
        }
        for task in &tasks {
            threads.push(ThreadStatus {
                name: task.name.clone(),
                core: task.core,
                pinned: if task.core.is_some() { "yes" } else { "not_asked" }.to_owned(),
                agents: Vec::new(),
                cpu_permille: cpu(task),
            });
        }
        self.burned_ns = burned;
        threads
    }
}

/// The threads of this process, in the order of their start.
fn tasks() -> Vec<Task> {
    let names = kernel_names("/proc/self/task");
    let mut ids: Vec<u32> = names.iter().filter_map(|name| name.parse().ok()).collect();
    ids.sort_unstable();
    ids.into_iter().filter_map(task).collect()
}

fn task(tid: u32) -> Option<Task> {
    let read = |file: &str| kernel_text(format!("/proc/self/task/{tid}/{file}")).ok();
    let status = read("status")?;
    let field = |name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).map(str::to_owned)
    };
    Some(Task {
        tid,
        name: field("Name:")?,
        core: field("Cpus_allowed_list:")?.parse().ok(),
        burned_ns: read("schedstat").and_then(|text| text.split(' ').next()?.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_planned_thread_is_found_by_the_beginning_of_its_name() {
        let (stop, stopped) = channel::<()>();
        let (ready, is_ready) = channel();
        let name = "consumer-with-a-long-name".to_owned();
        let thread = std::thread::Builder::new().name(name.clone()).spawn(move || {
            ready.send(()).unwrap();
            let _ended = stopped.recv();
        });
        is_ready.recv().unwrap();
        let planned = PlannedThread { name, core: None, agents: vec!["a".into()] };
        let mut threads = Threads::default();
        let first = threads.read(std::slice::from_ref(&planned), 0);
        assert_eq!((first[0].pinned.as_str(), first[0].cpu_permille), ("not_asked", None));
        assert!(first.len() > 1, "the test's own thread is there, too");
        let second = threads.read(std::slice::from_ref(&planned), 1_000_000);
        assert!(second[0].cpu_permille.is_some());
        drop(stop);
        thread.unwrap().join().unwrap();
    }
}
