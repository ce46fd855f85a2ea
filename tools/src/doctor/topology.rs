//! The cores, and what they share: physical core (SMT), L3 cache, memory node, socket.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::cpu_list;
use super::host_files::{HostFiles, Unread};

const CPU: &str = "/sys/devices/system/cpu";
const NODE: &str = "/sys/devices/system/node";

/// Deepest cache index that is looked at; real machines have four to five.
const CACHES: usize = 10;

/// One core as the kernel numbers them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Cpu {
    /// The kernel's number.
    pub(crate) id: usize,
    /// Every core on the same physical core, itself included, ascending.
    pub(crate) siblings: Vec<usize>,
    /// Socket; `None` when it could not be read.
    pub(crate) package: Option<u64>,
    /// Memory node; `None` when it could not be read.
    pub(crate) node: Option<usize>,
    /// The lowest core that shares its L3 cache, which names the group; `None` without L3 or
    /// unread.
    pub(crate) l3: Option<usize>,
    /// Relative speed, 1,024 for the fastest cores of the machine; `None` where all are alike.
    pub(crate) capacity: Option<u64>,
}

/// All online cores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Topology {
    /// Online cores, ascending.
    pub(crate) cpus: Vec<Cpu>,
    /// What could not be read; the fields it would have filled are `None` or the core alone.
    pub(crate) unread: Vec<Unread>,
}

impl Topology {
    /// Reads what is online.
    ///
    /// # Errors
    /// [`Unread`] when not even the list of online cores can be read.
    pub(crate) fn read(files: &HostFiles) -> Result<Topology, Unread> {
        let online = format!("{CPU}/online");
        let ids = files.parsed(&online, cpu_list::parse)?;
        if ids.is_empty() {
            return Err(Unread::new(&online, "names no core"));
        }
        let mut unread = Vec::new();
        let nodes = nodes(files, &mut unread);
        let cpus = ids.iter().map(|id| {
            let mut cpu = cpu(files, *id, &ids, &mut unread);
            cpu.node = nodes.get(id).copied();
            cpu
        });
        let cpus = cpus.collect();
        Ok(Topology { cpus, unread })
    }

    pub(crate) fn ids(&self) -> Vec<usize> {
        self.cpus.iter().map(|cpu| cpu.id).collect()
    }

    pub(crate) fn cpu(&self, id: usize) -> Option<&Cpu> {
        let place = self.cpus.binary_search_by_key(&id, |cpu| cpu.id).ok()?;
        self.cpus.get(place)
    }

    /// Physical cores with more than one online thread, each as the list of its threads.
    pub(crate) fn smt_groups(&self) -> Vec<Vec<usize>> {
        let groups: BTreeSet<_> = self.cpus.iter().map(|cpu| cpu.siblings.clone()).collect();
        groups.into_iter().filter(|group| group.len() > 1).collect()
    }

    /// How many physical cores the online threads stand on.
    pub(crate) fn physical(&self) -> usize {
        self.cpus.iter().map(|cpu| cpu.siblings[0]).collect::<BTreeSet<_>>().len()
    }

    /// Cores by socket, node and L3 group, in this order.
    pub(crate) fn groups(&self) -> BTreeMap<Group, Vec<usize>> {
        let mut groups: BTreeMap<Group, Vec<usize>> = BTreeMap::new();
        for cpu in &self.cpus {
            let group = Group { package: cpu.package, node: cpu.node, l3: cpu.l3 };
            groups.entry(group).or_default().push(cpu.id);
        }
        groups
    }

    /// How far apart two cores are.
    pub(crate) fn distance(&self, a: usize, b: usize) -> Distance {
        let (Some(a), Some(b)) = (self.cpu(a), self.cpu(b)) else { return Distance::Unknown };
        if a.siblings.contains(&b.id) {
            return Distance::Sibling;
        }
        match (a.l3, b.l3, a.node, b.node) {
            (Some(one), Some(other), ..) if one == other => Distance::SameL3,
            (_, _, Some(one), Some(other)) if one != other => Distance::OtherNode,
            (Some(_), Some(_), Some(_), Some(_)) => Distance::SameNode,
            _ => Distance::Unknown,
        }
    }
}

/// What a group of cores has in common; see [`Cpu`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group {
    pub(crate) package: Option<u64>,
    pub(crate) node: Option<usize>,
    pub(crate) l3: Option<usize>,
}

/// How far apart two cores are, near first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Distance {
    /// Two threads of one physical core.
    Sibling,
    /// One L3 cache.
    SameL3,
    /// One memory node, two L3 caches.
    SameNode,
    /// Two memory nodes.
    OtherNode,
    /// The machine does not say.
    Unknown,
}

fn cpu(files: &HostFiles, id: usize, online: &[usize], unread: &mut Vec<Unread>) -> Cpu {
    let mut note = |error: Unread| unread.push(error);
    let topology = format!("{CPU}/cpu{id}/topology");
    let threads = files.parsed(&format!("{topology}/thread_siblings_list"), cpu_list::parse);
    let mut siblings = cpu_list::common(&threads.map_err(&mut note).unwrap_or_default(), online);
    // A list that does not hold its own core is garbled: then the core stands alone.
    if !siblings.contains(&id) {
        siblings = vec![id];
    }
    let package = files.parsed(&format!("{topology}/physical_package_id"), |text| {
        // ARM firmware without sockets says -1: one socket.
        if text == "-1" { Some(0) } else { text.parse().ok() }
    });
    let capacity = files.parsed(&format!("{CPU}/cpu{id}/cpu_capacity"), |text| text.parse().ok());
    Cpu {
        id,
        siblings,
        package: package.map_err(&mut note).ok(),
        node: None,
        l3: l3(files, id, online).map_err(&mut note).ok().flatten(),
        capacity: capacity.ok(),
    }
}

/// The lowest core that shares the L3 cache; `None` when there is no cache of level 3.
fn l3(files: &HostFiles, id: usize, online: &[usize]) -> Result<Option<usize>, Unread> {
    let cache = format!("{CPU}/cpu{id}/cache");
    let names = files.names(&cache)?;
    let indices = names.iter().filter(|name| name.starts_with("index")).take(CACHES);
    for folder in indices.map(|name| format!("{cache}/{name}")) {
        if files.text(&format!("{folder}/level")).is_ok_and(|level| level == "3") {
            let path = format!("{folder}/shared_cpu_list");
            let shared = cpu_list::common(&files.parsed(&path, cpu_list::parse)?, online);
            let garbled = || Unread::new(&path, format!("does not name core {id}"));
            return match shared.contains(&id) {
                true => Ok(shared.first().copied()),
                false => Err(garbled()),
            };
        }
    }
    Ok(None)
}

/// The node of each core.
fn nodes(files: &HostFiles, unread: &mut Vec<Unread>) -> BTreeMap<usize, usize> {
    let names = files.names(NODE).map_err(|error| unread.push(error)).unwrap_or_default();
    let mut nodes = BTreeMap::new();
    for name in names {
        let Some(node) = name.strip_prefix("node").and_then(|n| n.parse::<usize>().ok()) else {
            continue;
        };
        match files.parsed(&format!("{NODE}/{name}/cpulist"), cpu_list::parse) {
            Ok(cores) => nodes.extend(cores.into_iter().map(|core| (core, node))),
            Err(error) => unread.push(error),
        }
    }
    nodes
}
