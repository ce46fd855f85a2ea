//! Hosts that are not at hand, as small copies of their /proc and /sys, made from a table.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

/// A folder with these files.
pub fn tree(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    files.iter().for_each(|(path, text)| write(folder.path(), path, text));
    folder
}

/// Writes one file below a root.
pub fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path.trim_start_matches('/'));
    let folder = path.parent().expect("a file has a folder");
    fs::create_dir_all(folder).expect("the temporary folder takes folders");
    fs::write(path, text).expect("the temporary folder takes files");
}

/// A host, in numbers. Cores are numbered as Linux does: first one thread of every physical core,
/// socket by socket, then the second threads in the same order. A socket is a memory node.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    pub sockets: usize,
    /// L3 groups of a socket; 0 describes no L3 cache at all, as many virtual machines do.
    pub l3_per_socket: usize,
    /// Physical cores of a group, or of a socket without groups.
    pub cores_per_l3: usize,
    /// Threads of a physical core.
    pub threads: usize,
    pub is_arm: bool,
    /// `isolcpus`, as sysfs lists them; they are also left out of the process's mask.
    pub isolated: &'static str,
    /// What this process may use.
    pub mask: &'static str,
    pub governor: &'static str,
    pub clock_source: &'static str,
    /// Files that replace or complete the others.
    pub more: &'static [(&'static str, &'static str)],
}

impl Host {
    /// A plain workstation: four cores, one socket, all settings quiet.
    pub const PLAIN: Host = Host {
        sockets: 1,
        l3_per_socket: 1,
        cores_per_l3: 4,
        threads: 1,
        is_arm: false,
        isolated: "",
        mask: "0-3",
        governor: "performance",
        clock_source: "tsc",
        more: &[],
    };

    fn physical_per_socket(&self) -> usize {
        self.l3_per_socket.max(1) * self.cores_per_l3
    }

    fn physical(&self) -> usize {
        self.sockets * self.physical_per_socket()
    }

    /// How many threads the host has.
    pub fn cores(&self) -> usize {
        self.physical() * self.threads
    }

    /// Writes the host into a folder.
    pub fn make(&self) -> TempDir {
        let folder = tree(&[]);
        let root = folder.path();
        write(root, "/sys/devices/system/cpu/online", &format!("0-{}\n", self.cores() - 1));
        write(root, "/sys/devices/system/cpu/isolated", &format!("{}\n", self.isolated));
        (0..self.cores()).for_each(|core| self.write_core(root, core));
        for socket in 0..self.sockets {
            let list = self.list(|core| self.socket_of(core) == socket);
            write(root, &format!("/sys/devices/system/node/node{socket}/cpulist"), &list);
        }
        self.write_proc(root);
        write_settings(root, self.clock_source);
        self.more.iter().for_each(|(path, text)| write(root, path, text));
        folder
    }

    fn socket_of(&self, core: usize) -> usize {
        core % self.physical() / self.physical_per_socket()
    }

    fn list(&self, is_in: impl Fn(usize) -> bool) -> String {
        let cores: Vec<String> =
            (0..self.cores()).filter(|core| is_in(*core)).map(|core| core.to_string()).collect();
        cores.join(",") + "\n"
    }

    fn write_core(&self, root: &Path, core: usize) {
        let folder = format!("/sys/devices/system/cpu/cpu{core}");
        let physical = core % self.physical();
        let siblings = self.list(|other| other % self.physical() == physical);
        write(root, &format!("{folder}/topology/thread_siblings_list"), &siblings);
        let socket = format!("{}\n", self.socket_of(core));
        write(root, &format!("{folder}/topology/physical_package_id"), &socket);
        write(root, &format!("{folder}/cache/index0/level"), "1\n");
        write(root, &format!("{folder}/cache/index0/shared_cpu_list"), &siblings);
        if self.l3_per_socket > 0 {
            let group = |core: usize| core % self.physical() / self.cores_per_l3;
            let shared = self.list(|other| group(other) == group(core));
            write(root, &format!("{folder}/cache/index3/level"), "3\n");
            write(root, &format!("{folder}/cache/index3/shared_cpu_list"), &shared);
        }
        write(root, &format!("{folder}/cpufreq/scaling_governor"), &format!("{}\n", self.governor));
        for (state, name, latency) in [(0, "POLL", 0), (1, "C1", 2), (2, "C6", 133)] {
            let folder = format!("{folder}/cpuidle/state{state}");
            write(root, &format!("{folder}/name"), &format!("{name}\n"));
            write(root, &format!("{folder}/latency"), &format!("{latency}\n"));
            write(root, &format!("{folder}/disable"), "0\n");
        }
    }

    fn write_proc(&self, root: &Path) {
        let cpuinfo = match self.is_arm {
            true => "Features : fp asimd atomics\nCPU implementer : 0x41\nCPU part : 0xd40\n",
            false => "model name : Test CPU\nflags : fpu tsc constant_tsc nonstop_tsc\n",
        };
        write(root, "/proc/cpuinfo", cpuinfo);
        write(root, "/proc/cmdline", "quiet\n");
        write(root, "/proc/self/status", &format!("Name:\tx\nCpus_allowed_list:\t{}\n", self.mask));
        write(root, "/proc/self/cgroup", "0::/\n");
        write(root, "/proc/self/limits", LIMITS);
        write(root, "/proc/loadavg", "0.10 0.10 0.10 1/100 999\n");
        write(root, "/proc/swaps", "Filename Type Size Used Priority\n");
        let line = |core| format!("cpu{core} 100 0 50 9000 0 0 0 0 0 0\n");
        write(root, "/proc/stat", &(0..self.cores()).map(line).collect::<String>());
        let heads: Vec<String> = (0..self.cores()).map(|core| format!("CPU{core}")).collect();
        let counts = vec!["10"; self.cores()].join(" ");
        let table =
            format!("  {}\n 30: {counts} PCI eth0-rx\nLOC: {counts} timer\n", heads.join(" "));
        write(root, "/proc/interrupts", &table);
        write(root, "/proc/irq/30/smp_affinity_list", "0\n");
        write(root, "/proc/irq/default_smp_affinity", "f\n");
    }
}

const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units     \n\
Max locked memory         unlimited            unlimited            bytes     \n\
Max open files            65536                65536                files     \n\
Max realtime priority     0                    0                    \n";

fn write_settings(root: &Path, clock_source: &str) {
    let clock = "/sys/devices/system/clocksource/clocksource0";
    let files = [
        ("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
        ("/sys/kernel/mm/transparent_hugepage/khugepaged/defrag", "0\n"),
        ("/sys/kernel/mm/ksm/run", "0\n"),
        ("/proc/sys/kernel/numa_balancing", "0\n"),
        ("/proc/sys/kernel/nmi_watchdog", "0\n"),
        ("/proc/sys/kernel/timer_migration", "0\n"),
        ("/proc/sys/kernel/sched_rt_runtime_us", "950000\n"),
        ("/proc/sys/vm/stat_interval", "120\n"),
        ("/proc/sys/vm/swappiness", "1\n"),
        ("/sys/devices/virtual/workqueue/cpumask", "1\n"),
        ("/sys/devices/system/cpu/vulnerabilities/meltdown", "Not affected\n"),
        ("/sys/devices/system/cpu/vulnerabilities/l1tf", "Not affected\n"),
        ("/sys/fs/cgroup/cgroup.procs", "1\n"),
        ("/sys/fs/cgroup/cpu.max", "max 100000\n"),
    ];
    files.iter().for_each(|(path, text)| write(root, path, text));
    write(root, &format!("{clock}/current_clocksource"), &format!("{clock_source}\n"));
    write(root, &format!("{clock}/available_clocksource"), "tsc hpet acpi_pm\n");
}
