//! Which cores the engine should have on this host, and what it would do with them.
//!
//! One planned thread to a physical core, isolated cores first, all in one L3 group as far as it
//! reaches, then in the same memory node. The engine's own planner has the last word: the table is
//! given to it, and what it makes of it is shown. The planner can only be told the cores of the
//! dispatcher and the consumers; where venues would land elsewhere than chosen here, or cores lie
//! outside of the process's mask, the engine is to be started under `taskset`.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use pitlane_engine::config::{CORE_IDS, Config, CoresConfig};
use pitlane_engine::runtime::{CorePlan, HostCores, PlanError};
use serde::Serialize;

use super::control_group::ControlGroup;
use super::cpu_list::{self, folded};
use super::finding::{Finding, Severity};
use super::host_files::{HostFiles, Unread};
use super::topology::{Distance, Topology};

const STATUS: &str = "/proc/self/status";

/// The cores this process may run on now.
pub(crate) fn mask(files: &HostFiles) -> Result<Vec<usize>, Unread> {
    files.parsed(STATUS, |text| {
        let list = text.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        cpu_list::parse(list)
    })
}

/// What is known of the host when cores are chosen.
pub(crate) struct Choice<'a> {
    pub(crate) topology: &'a Topology,
    /// The process's affinity mask.
    pub(crate) mask: &'a [usize],
    /// Cores kept free by the kernel.
    pub(crate) isolated: &'a [usize],
    pub(crate) group: &'a ControlGroup,
}

/// The advice.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Placement {
    /// `[cores]` of the configuration.
    pub(crate) cores: CoresConfig,
    /// Cores to start the engine on with `taskset -c`; `None` when it finds them by itself.
    pub(crate) taskset: Option<String>,
    /// What the engine would make of it.
    pub(crate) plan: CorePlan,
    /// Cores that run a planned thread, ascending.
    pub(crate) busy: Vec<usize>,
    /// Cores for everything else, ascending; empty when every core is planned.
    pub(crate) spare: Vec<usize>,
}

impl Placement {
    /// Chooses cores for the venues and consumers of `config`; its own `[cores]` is not looked at.
    ///
    /// # Errors
    /// [`PlanError::NoCores`] when no core is left to choose from.
    pub(crate) fn choose(config: &Config, choice: &Choice<'_>) -> Result<Placement, PlanError> {
        let candidates = choice.candidates();
        let quota_millicores = choice.group.quota.as_ref().map(|quota| quota.millicores);
        let host =
            |ids: &[usize]| HostCores { quota_millicores, ..HostCores::of(ids.iter().copied()) };
        let usable = host(&candidates).usable();
        let (spare, busy) = choice.pick(&candidates, usable, wanted(config));
        if busy.is_empty() {
            return Err(PlanError::NoCores);
        }
        let cores = table(config, &busy, usable);
        let mut asked = config.clone();
        asked.cores = cores.clone();
        let mut on = busy.clone();
        on.extend(spare);
        on.sort_unstable();
        let plan = CorePlan::make(&asked, &host(&on))?;
        let as_it_is = CorePlan::make(&asked, &host(choice.mask));
        let is_found = as_it_is.is_ok_and(|other| other.cores == plan.cores);
        let busy: BTreeSet<usize> = plan.cores.iter().filter_map(|core| core.core).collect();
        let busy: Vec<usize> = busy.into_iter().collect();
        Ok(Placement {
            cores,
            taskset: (!is_found).then(|| folded(&on)),
            plan,
            spare: choice.beside(&busy),
            busy,
        })
    }

    /// The table to paste.
    pub(crate) fn toml(&self, topology: &Topology) -> String {
        let mut text = String::from("[cores]\n");
        if let Some(core) = self.cores.dispatch {
            let place = place(topology, core);
            text.push_str(&format!("dispatch = {core} # {place}\n"));
        }
        if let Some(cores) = &self.cores.consumers {
            let list: Vec<String> = cores.iter().map(ToString::to_string).collect();
            // A long list breaks between its numbers, which TOML allows.
            let lines: Vec<String> = list.chunks(14).map(|line| line.join(", ")).collect();
            match lines.as_slice() {
                [line] => text.push_str(&format!("consumers = [{line}]\n")),
                _ => text.push_str(&format!("consumers = [\n    {},\n]\n", lines.join(",\n    "))),
            }
        }
        text.push_str(&format!("pin = {}\n", self.cores.pin));
        text
    }

    /// What is good and bad about the cores there are.
    pub(crate) fn findings(&self, topology: &Topology) -> Vec<Finding> {
        vec![self.enough(topology), self.siblings(topology), self.spread(topology)]
    }

    fn enough(&self, topology: &Topology) -> Finding {
        const ID: &str = "cores.count";
        const PATH: &str = "/sys/devices/system/cpu/online";
        let value = format!("{} ({} physical)", folded(&topology.ids()), topology.physical());
        let agents: usize = self.plan.cores.iter().map(|core| core.agents.len()).sum();
        let threads = self.plan.cores.len();
        let title =
            format!("{agents} agents on {threads} threads, {} cores spare", self.spare.len());
        if !self.plan.notes.is_empty() || self.spare.is_empty() {
            let severity = if self.busy.len() < 2 { Severity::High } else { Severity::Medium };
            let mut finding = Finding::new(ID, severity, title).read(PATH, value);
            for note in &self.plan.notes {
                finding = finding.read("core plan", note);
            }
            return finding
                .costs(
                    "Agents on one core wait for each other: a callback of 1 ms delays its \
                     neighbours by 1 ms. Without a spare core all other work interrupts planned \
                     ones.",
                )
                .mend("# more cores: one for all else, for dispatch, for each venue and consumer");
        }
        Finding::fine(ID, title).read(PATH, value)
    }

    fn siblings(&self, topology: &Topology) -> Finding {
        const ID: &str = "cores.smt";
        const PATH: &str = "/sys/devices/system/cpu/cpu*/topology/thread_siblings_list";
        let siblings_of = |core: &usize| topology.cpu(*core).map_or(&[][..], |cpu| &cpu.siblings);
        let shared: Vec<usize> = self
            .busy
            .iter()
            .copied()
            .filter(|core| cpu_list::common(siblings_of(core), &self.busy).len() > 1)
            .collect();
        let idle: BTreeSet<usize> = self.busy.iter().flat_map(siblings_of).copied().collect();
        let idle: Vec<usize> = idle.into_iter().filter(|core| !self.busy.contains(core)).collect();
        if !shared.is_empty() {
            let title = format!("planned cores {} share physical cores", folded(&shared));
            return Finding::new(ID, Severity::Medium, title)
                .read(PATH, format!("{} pairs or more", shared.len() / 2))
                .costs("Two spinning threads on one physical core run at 50 to 70 % speed each.")
                .mend("# fewer consumers on their own core, or more physical cores");
        }
        if idle.is_empty() {
            return Finding::fine(ID, "no planned core has a second thread").read(PATH, "alone");
        }
        let title = format!("siblings {} of planned cores must stay idle", folded(&idle));
        Finding::new(ID, Severity::Low, title)
            .read(PATH, format!("{} siblings online", idle.len()))
            .costs("What runs on a sibling takes 30 to 50 % of the planned core's speed meanwhile.")
            .mend(format!(
                "echo 0 | sudo tee /sys/devices/system/cpu/cpu{}/online",
                cpu_list::braced(&idle)
            ))
    }

    fn spread(&self, topology: &Topology) -> Finding {
        const ID: &str = "cores.distance";
        const PATH: &str = "/sys/devices/system/cpu/cpu*/cache/index*/shared_cpu_list";
        let Some(dispatch) = self.cores.dispatch else {
            return Finding::fine(ID, "one core");
        };
        let farthest = self.busy.iter().map(|core| topology.distance(dispatch, *core)).max();
        let read = |finding: Finding, value: &str| finding.read(PATH, value);
        match farthest {
            Some(Distance::OtherNode) => read(
                Finding::new(ID, Severity::Medium, "planned cores lie in several memory nodes"),
                "other node",
            )
            .costs("Each cache line that crosses costs 100 to 300 ns more, several lines an event.")
            .mend("# fewer consumers, or an engine for each node (shard the instruments)"),
            Some(Distance::SameNode) => read(
                Finding::new(ID, Severity::Low, "planned cores lie in several L3 groups"),
                "same node, other L3",
            )
            .costs("Each cache line that crosses costs 50 to 150 ns more, several lines an event.")
            .mend("doctor --matrix    # shows what it costs between which cores"),
            Some(Distance::Unknown) => {
                let unread = topology.unread.first().cloned();
                let none = || Unread::new(PATH, "no L3 cache or no memory node is named");
                Finding::unknown(ID, "what planned cores share", &unread.unwrap_or_else(none))
            }
            _ => Finding::fine(ID, "planned cores share one L3 cache").read(PATH, "one group"),
        }
    }
}

/// How many busy cores the configuration can use: dispatch, venues, consumers.
fn wanted(config: &Config) -> usize {
    1 + config.venue_names().len() + config.consumers.len()
}

/// `[cores]` for the planner: it takes venues' cores from those that stand between.
fn table(config: &Config, busy: &[usize], usable: usize) -> CoresConfig {
    let venues = config.venue_names().len();
    let room = busy.len().saturating_sub(2);
    let venues = match usable {
        0..4 => 0,
        _ if room >= venues => venues,
        _ => room.min(1),
    };
    let consumers: Vec<usize> = busy.iter().skip(1 + venues).copied().collect();
    let count = config.consumers.len();
    CoresConfig {
        dispatch: busy.first().copied(),
        consumers: (!consumers.is_empty() && count > 0)
            .then(|| consumers[..count.min(consumers.len())].to_vec()),
        pin: true,
    }
}

/// Where a core is, in a few words.
fn place(topology: &Topology, core: usize) -> String {
    let Some(cpu) = topology.cpu(core) else { return "not online".to_owned() };
    let node = cpu.node.map_or("unknown node".to_owned(), |node| format!("node {node}"));
    let l3 = cpu.l3.map_or("no known L3".to_owned(), |l3| format!("L3 group of core {l3}"));
    format!("{node}, {l3}")
}

impl Choice<'_> {
    /// Online cores that the engine may be pinned to, by its mask or by `taskset`.
    fn candidates(&self) -> Vec<usize> {
        let allowed: Vec<usize> = match &self.group.cpuset {
            // The cpuset is the hard limit; within it a mask can be widened.
            Some((_, cores)) => {
                let isolated = cpu_list::common(self.isolated, cores);
                self.mask.iter().chain(&isolated).copied().collect()
            }
            None => self.mask.to_vec(),
        };
        let pinnable = |id: &usize| *id < CORE_IDS && allowed.contains(id);
        self.topology.ids().into_iter().filter(pinnable).collect()
    }

    /// The core for everything else (none where fewer than four are usable) and the busy ones.
    fn pick(
        &self,
        candidates: &[usize],
        usable: usize,
        wanted: usize,
    ) -> (Option<usize>, Vec<usize>) {
        let spare = match usable {
            0..4 => None,
            _ => {
                let open = |id: &&usize| !self.isolated.contains(id);
                candidates.iter().find(open).or(candidates.first()).copied()
            }
        };
        let room = usable - usize::from(spare.is_some());
        let mut order = self.order(candidates, spare);
        order.truncate(wanted.max(2).min(room));
        order.sort_unstable();
        (spare, order)
    }

    /// Candidates from best to worst: isolated before open ones, one to a physical core before
    /// siblings, fast before slow, and then by nearness to the largest L3 group of the best.
    fn order(&self, candidates: &[usize], spare: Option<usize>) -> Vec<usize> {
        let cpu = |id: usize| self.topology.cpu(id);
        let siblings = |id| cpu(id).map_or(&[][..], |cpu| &cpu.siblings);
        let class = |id: usize| {
            let first = siblings(id).iter().find(|other| candidates.contains(other));
            let is_second = first != Some(&id) || siblings(id).iter().any(|s| Some(*s) == spare);
            let slowness = u64::MAX - cpu(id).and_then(|cpu| cpu.capacity).unwrap_or(0);
            (!self.isolated.contains(&id), is_second, slowness)
        };
        let mut order: Vec<usize> =
            candidates.iter().copied().filter(|id| Some(*id) != spare).collect();
        let Some(best) = order.iter().map(|id| class(*id)).min() else { return order };
        let group = |id: usize| cpu(id).and_then(|cpu| cpu.l3);
        let good: Vec<usize> = order.iter().copied().filter(|id| class(*id) == best).collect();
        let size = |id: usize| good.iter().filter(|other| group(**other) == group(id)).count();
        let largest = good.iter().copied().max_by_key(|id| (size(*id), Reverse(*id)));
        let Some(anchor) = largest else { return order };
        order.sort_by_key(|id| {
            let distance = self.topology.distance(anchor, *id).max(Distance::SameL3);
            (class(*id), distance, group(*id), *id)
        });
        order
    }

    /// Online cores that no planned thread uses, siblings of planned ones left out, and isolated
    /// ones too where others are left.
    fn beside(&self, busy: &[usize]) -> Vec<usize> {
        let near: BTreeSet<usize> = busy
            .iter()
            .filter_map(|core| self.topology.cpu(*core))
            .flat_map(|cpu| cpu.siblings.iter().copied())
            .chain(busy.iter().copied())
            .collect();
        let beside: Vec<usize> =
            self.topology.ids().into_iter().filter(|id| !near.contains(id)).collect();
        let open = cpu_list::without(&beside, self.isolated);
        if open.is_empty() { beside } else { open }
    }
}
