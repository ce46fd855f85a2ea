//! The real binary `doctor`, on hosts that are not at hand: each is a small copy of /proc and /sys.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use pitlane_engine::config::Config;
use pitlane_engine::runtime::{CorePlan, HostCores};
use serde_json::Value;

#[path = "../src/doctor/fixture.rs"]
mod fixture;

use fixture::{Host, tree, write};

const CPU: &str = "/sys/devices/system/cpu";

/// Two sockets of 16 cores with two threads each, in L3 groups of 8, as AMD builds them.
const DUAL_SOCKET: Host =
    Host { sockets: 2, l3_per_socket: 2, cores_per_l3: 8, threads: 2, mask: "0-63", ..Host::PLAIN };

fn doctor(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_doctor")).args(args).output().expect("doctor starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is UTF-8")
}

fn on(root: &Path, args: &[&str]) -> Output {
    let root = root.display().to_string();
    doctor(&[&["--root", &root], args].concat())
}

fn diagnosed(root: &Path) -> Value {
    let output = on(root, &["--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("stdout is one JSON object")
}

fn finding<'a>(diagnosis: &'a Value, id: &str) -> &'a Value {
    let findings = diagnosis["findings"].as_array().expect("there are findings");
    let found = findings.iter().find(|finding| finding["id"] == id);
    found.unwrap_or_else(|| panic!("no finding {id}"))
}

fn severity<'a>(diagnosis: &'a Value, id: &str) -> &'a str {
    finding(diagnosis, id)["severity"].as_str().expect("a severity is a word")
}

fn ids(value: &Value) -> Vec<usize> {
    serde_json::from_value(value.clone()).expect("a list of cores")
}

/// The cores that the planned threads get.
fn busy(diagnosis: &Value) -> Vec<usize> {
    ids(&diagnosis["placement"]["busy"])
}

#[test]
fn help_teaches_and_fits_eighty_columns() {
    let help = doctor(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let help = text(&help.stdout);
    for needed in ["--matrix", "--root", "Exit codes", "tune-host.sh", "unknown", "Examples"] {
        assert!(help.contains(needed), "{needed} is missing from:\n{help}");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
}

#[test]
fn a_quiet_workstation_has_nothing_high_and_reads_on_eighty_columns() {
    let host = Host::PLAIN.make();
    let output = on(host.path(), &["--strict", "--all"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let report = text(&output.stdout);
    for needed in ["Machine", "What costs latency", "Unknown", "Fine", "[cores]", "0 high"] {
        assert!(report.contains(needed), "{needed} is missing from:\n{report}");
    }
    for line in report.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(!line.contains('\u{1b}'), "an escape although this is no terminal: {line:?}");
    }
}

#[test]
fn two_sockets_with_smt_are_planned_in_one_l3_group_one_thread_a_physical_core() {
    let host = DUAL_SOCKET.make();
    let diagnosis = diagnosed(host.path());
    assert_eq!(diagnosis["topology"]["cpus"].as_array().map(Vec::len), Some(64));
    // One for dispatch, one for the venue, three for consumers; core 0 is left to all else. The
    // group of core 0 has one core less to give, so the largest group is another one.
    assert_eq!(busy(&diagnosis), [8, 9, 10, 11, 12]);
    assert_eq!(diagnosis["placement"]["taskset"], "0,8-12");
    assert_eq!(severity(&diagnosis, "cores.distance"), "fine");
    let smt = finding(&diagnosis, "cores.smt");
    assert!(smt["title"].as_str().unwrap().contains("siblings 40-44"), "{smt}");
    let spare = ids(&diagnosis["placement"]["spare"]);
    assert!(!spare.contains(&8) && !spare.contains(&40) && spare.contains(&0), "{spare:?}");
}

#[test]
fn more_consumers_than_a_group_holds_reach_the_next_group_of_the_same_node_first() {
    let host = DUAL_SOCKET.make();
    let consumer = |n| format!("[[consumer]]\nname = \"c{n}\"\nstrategy = \"noop\"\n");
    let text: String = (0..10).map(consumer).collect();
    let file = host.path().join("my.toml");
    fs::write(&file, text).expect("the temporary folder takes a file");
    let file = file.display().to_string();
    let output = on(host.path(), &["--json", "--config", &file]);
    let diagnosis: Value = serde_json::from_slice(&output.stdout).expect("stdout is JSON");
    let busy = busy(&diagnosis);
    assert_eq!(busy.len(), 12);
    assert!(busy.iter().all(|core| (1..16).contains(core)), "all on node 0: {busy:?}");
    assert_eq!(severity(&diagnosis, "cores.distance"), "low");
    assert_eq!(severity(&diagnosis, "cores.count"), "fine");
}

#[test]
fn isolated_cores_come_first_and_need_a_taskset_since_the_mask_leaves_them_out() {
    let cmdline = "quiet isolcpus=managed_irq,domain,20-27 nohz_full=20-27 rcu_nocbs=20-27\n";
    let more = Box::leak(Box::new([
        ("/proc/cmdline", cmdline),
        ("/sys/devices/system/cpu/nohz_full", "20-27\n"),
        ("/proc/sys/kernel/timer_migration", "1\n"),
        ("/sys/fs/cgroup/cpuset.cpus.effective", "0-63\n"),
    ]));
    let host = Host { isolated: "20-27", mask: "0-19,28-63", more, ..DUAL_SOCKET }.make();
    let diagnosis = diagnosed(host.path());
    let busy = busy(&diagnosis);
    assert!(busy.iter().all(|core| (20..28).contains(core)), "{busy:?}");
    let taskset = diagnosis["placement"]["taskset"].as_str().expect("the mask lacks them");
    assert!(taskset.starts_with("0,2"), "{taskset}");
    for id in ["isolation.domain", "isolation.tick", "isolation.rcu", "kernel.timer_migration"] {
        assert_eq!(severity(&diagnosis, id), "fine", "{id}");
    }
    assert_eq!(ids(&diagnosis["isolated"]), (20..28).collect::<Vec<_>>());
}

#[test]
fn a_container_is_planned_within_its_quota_and_cpuset() {
    let more = &[
        ("/proc/self/cgroup", "0::/../../docker/x\n"),
        ("/sys/fs/cgroup/cpu.max", "250000 100000\n"),
        ("/sys/fs/cgroup/cpu.stat", "nr_periods 10\nnr_throttled 4\n"),
        ("/sys/fs/cgroup/cpuset.cpus.effective", "4-7\n"),
    ];
    let host = Host { mask: "4-7", more, ..DUAL_SOCKET }.make();
    let diagnosis = diagnosed(host.path());
    let quota = finding(&diagnosis, "cgroup.quota");
    assert_eq!(quota["severity"], "high");
    assert!(quota["costs"].as_str().unwrap().contains("up to 100 ms"), "{quota}");
    assert_eq!(quota["read"][1]["value"], "nr_throttled 4");
    assert_eq!(busy(&diagnosis), [4, 5], "2.5 cores are two whole ones");
    let cpuset = finding(&diagnosis, "cgroup.cpuset");
    assert!(cpuset["title"].as_str().unwrap().contains("4 of 64"), "{cpuset}");
    assert_eq!(on(host.path(), &[]).status.code(), Some(0));
    assert_eq!(on(host.path(), &["--strict"]).status.code(), Some(1), "a quota is high");
}

#[test]
fn version_one_quotas_count_as_well() {
    let more = &[
        ("/proc/self/cgroup", "3:cpu,cpuacct:/job\n0::/\n"),
        ("/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "300000\n"),
        ("/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n"),
        ("/sys/fs/cgroup/cpu/cgroup.procs", ""),
    ];
    let host = Host { mask: "0-63", more, ..DUAL_SOCKET }.make();
    let diagnosis = diagnosed(host.path());
    assert_eq!(severity(&diagnosis, "cgroup.quota"), "high");
    assert_eq!(busy(&diagnosis).len(), 3);
}

#[test]
fn arm_without_smt_or_l3_says_what_it_does_not_know() {
    let host = Host {
        sockets: 1,
        l3_per_socket: 0,
        cores_per_l3: 16,
        mask: "0-15",
        is_arm: true,
        clock_source: "arch_sys_counter",
        ..Host::PLAIN
    }
    .make();
    let diagnosis = diagnosed(host.path());
    assert_eq!(diagnosis["model"], "ARM, implementer 0x41 part 0xd40");
    assert_eq!(severity(&diagnosis, "clock.source"), "fine");
    assert_eq!(severity(&diagnosis, "clock.tsc"), "fine");
    assert_eq!(severity(&diagnosis, "cores.smt"), "fine");
    for id in ["cores.distance", "host.hypervisor"] {
        let unknown = finding(&diagnosis, id);
        assert_eq!(unknown["severity"], "unknown", "{unknown}");
        assert!(unknown["reason"].is_string(), "{unknown}");
    }
    assert_eq!(busy(&diagnosis), [1, 2, 3, 4, 5]);
    assert!(diagnosis["placement"]["taskset"].is_null(), "the planner finds these by itself");
}

#[test]
fn a_card_on_the_other_node_and_pages_that_move_are_told() {
    let more = &[
        ("/proc/sys/kernel/numa_balancing", "1\n"),
        ("/sys/class/net/lo/operstate", "unknown\n"),
        ("/sys/class/net/eth0/operstate", "up\n"),
        ("/sys/class/net/eth0/device/numa_node", "1\n"),
        ("/run/systemd/timesync/synchronized", ""),
    ];
    let host = Host { more, ..DUAL_SOCKET }.make();
    let diagnosis = diagnosed(host.path());
    let card = finding(&diagnosis, "net.node");
    assert_eq!((&card["severity"], &card["read"][0]["value"]), (&"low".into(), &"1".into()));
    assert_eq!(severity(&diagnosis, "memory.numa_balancing"), "medium");
    assert_eq!(severity(&diagnosis, "clock.offset"), "fine");
    write(host.path(), "/sys/class/net/eth0/device/numa_node", "0\n");
    assert_eq!(severity(&diagnosed(host.path()), "net.node"), "fine");
    write(host.path(), "/sys/class/net/eth0/device/numa_node", "-1\n");
    assert_eq!(severity(&diagnosed(host.path()), "net.node"), "unknown");
}

#[test]
fn fast_cores_are_taken_before_slow_ones() {
    // big.LITTLE: the first four are small.
    let host = Host { cores_per_l3: 12, mask: "0-11", is_arm: true, ..Host::PLAIN }.make();
    for core in 0..12 {
        let capacity = if core < 4 { "400\n" } else { "1024\n" };
        write(host.path(), &format!("{CPU}/cpu{core}/cpu_capacity"), capacity);
    }
    assert_eq!(busy(&diagnosed(host.path())), [4, 5, 6, 7, 8]);
}

#[test]
fn everything_that_costs_is_found_with_its_file_its_price_and_its_cure() {
    let more = &[
        ("/proc/cpuinfo", "model name : X\nflags : fpu tsc hypervisor\n"),
        ("/proc/stat", "cpu1 0 0 0 980 0 0 0 20 0 0\ncpu2 0 0 0 1000 0 0 0 0 0 0\n"),
        ("/proc/loadavg", "9.50 8.00 7.00 1/100 999\n"),
        ("/proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 1000 10 -2\n"),
        ("/proc/irq/30/smp_affinity_list", "0-3\n"),
        ("/proc/77/comm", "irqbalance\n"),
        (
            "/proc/self/limits",
            "Max locked memory 65536 65536 bytes\nMax open files 256 256 files\n",
        ),
        ("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"),
        ("/sys/kernel/mm/ksm/run", "1\n"),
        ("/proc/sys/kernel/nmi_watchdog", "1\n"),
        ("/proc/sys/kernel/timer_migration", "1\n"),
        ("/proc/sys/vm/stat_interval", "1\n"),
        ("/sys/devices/virtual/workqueue/cpumask", "f\n"),
        ("/sys/devices/system/cpu/vulnerabilities/meltdown", "Mitigation: PTI\n"),
        ("/sys/class/ptp/ptp0/clock_name", "mlx5_ptp\n"),
    ];
    let host = Host { governor: "powersave", clock_source: "hpet", more, ..Host::PLAIN }.make();
    let diagnosis = diagnosed(host.path());
    let expected = [
        ("clock.source", "high"),
        ("clock.tsc", "high"),
        ("host.steal", "high"),
        ("host.hypervisor", "medium"),
        ("host.load", "medium"),
        ("irq.devices", "medium"),
        ("irq.balance", "medium"),
        ("cpu.governor", "medium"),
        ("cpu.idle", "medium"),
        ("memory.thp", "medium"),
        ("memory.swap", "medium"),
        ("isolation.domain", "medium"),
        ("isolation.tick", "low"),
        ("isolation.rcu", "low"),
        ("memory.ksm", "low"),
        ("limits.memlock", "low"),
        ("limits.nofile", "low"),
        ("limits.rtprio", "unknown"),
        ("kernel.mitigations", "low"),
        ("kernel.nmi_watchdog", "low"),
        ("kernel.timer_migration", "low"),
        ("kernel.stat_interval", "low"),
        ("kernel.workqueue", "low"),
        ("clock.ptp", "low"),
        ("clock.offset", "unknown"),
        ("irq.rate", "unknown"),
    ];
    for (id, expected) in expected {
        assert_eq!(severity(&diagnosis, id), expected, "{}", finding(&diagnosis, id));
    }
    for finding in diagnosis["findings"].as_array().expect("there are findings") {
        let is_costly = ["high", "medium", "low"].contains(&finding["severity"].as_str().unwrap());
        let has = |key: &str| match &finding[key] {
            Value::Array(items) => !items.is_empty(),
            Value::String(text) => !text.is_empty(),
            _ => false,
        };
        assert_eq!(is_costly, has("costs"), "{finding}");
        assert_eq!(is_costly, has("mend"), "{finding}");
        assert!(!is_costly || has("read"), "{finding}");
        assert_eq!(finding["severity"] == "unknown", has("reason"), "{finding}");
    }
    let read = &finding(&diagnosis, "clock.source")["read"][0];
    assert_eq!(read["value"], "hpet");
    assert!(read["path"].as_str().unwrap().ends_with("current_clocksource"), "{read}");
}

#[test]
fn the_table_to_paste_checks_out_and_plans_what_was_promised() {
    // F28: on the cores it names, the engine's own planner makes the plan that was shown.
    let hosts = [Host::PLAIN, DUAL_SOCKET, Host { cores_per_l3: 2, mask: "0-1", ..Host::PLAIN }];
    for host in hosts {
        let folder = host.make();
        let diagnosis = diagnosed(folder.path());
        let output = on(folder.path(), &["--toml"]);
        let toml = text(&output.stdout);
        let config = Config::parse(&toml, "pasted").unwrap_or_else(|e| panic!("{e}\n{toml}"));
        let cores = match diagnosis["placement"]["taskset"].as_str() {
            Some(_) => {
                assert!(toml.starts_with("# Start it as: taskset -c "), "{toml}");
                [vec![0], busy(&diagnosis)].concat()
            }
            None => (0..host.cores()).collect(),
        };
        let plan = CorePlan::make(&config, &HostCores::of(cores)).expect("the cores are there");
        let plan = serde_json::to_value(plan).expect("a plan is JSON");
        assert_eq!(plan["cores"], diagnosis["placement"]["plan"]["cores"], "{host:?}");
    }
}

#[test]
fn one_core_is_enough_to_plan_and_no_more_is_claimed() {
    let host = Host { cores_per_l3: 1, mask: "0", ..Host::PLAIN }.make();
    let diagnosis = diagnosed(host.path());
    assert_eq!(busy(&diagnosis), [0]);
    assert_eq!(severity(&diagnosis, "cores.count"), "high");
    assert!(Config::parse(diagnosis["toml"].as_str().unwrap(), "pasted").is_ok());
}

#[test]
fn wrong_use_is_code_2_and_an_unreadable_host_or_file_code_3() {
    let empty = tree(&[]);
    let host = Host::PLAIN.make();
    assert_eq!(doctor(&["--fly"]).status.code(), Some(2));
    assert_eq!(doctor(&["--matrix=x"]).status.code(), Some(2));
    let measured = on(host.path(), &["--matrix"]);
    assert_eq!(measured.status.code(), Some(2));
    assert!(text(&measured.stderr).contains("leave --root away"), "{}", text(&measured.stderr));
    let unreadable = on(empty.path(), &[]);
    assert_eq!((unreadable.status.code(), unreadable.stdout.len()), (Some(3), 0));
    let problem = text(&unreadable.stderr);
    assert!(problem.contains("/sys/devices/system/cpu/online: not there"), "{problem}");
    assert_eq!(on(host.path(), &["--config", "no/such.toml"]).status.code(), Some(3));
    write(host.path(), "/bad.toml", "[engine]\nbach = 3\n");
    let bad = host.path().join("bad.toml").display().to_string();
    let bad = on(host.path(), &["--config", &bad]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(text(&bad.stderr).contains("engine.bach: unknown key"), "{}", text(&bad.stderr));
}

#[test]
fn this_machine_is_diagnosed_and_its_own_table_starts_a_plan_here() {
    let output = doctor(&["--json", "--sample", "10ms"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let diagnosis: Value = serde_json::from_slice(&output.stdout).expect("stdout is JSON");
    let here = HostCores::read();
    assert_eq!(ids(&diagnosis["mask"]), here.ids, "the files and the engine agree on the mask");
    let config = Config::parse(diagnosis["toml"].as_str().unwrap(), "pasted").expect("it is valid");
    if diagnosis["placement"]["taskset"].is_null() {
        let plan = CorePlan::make(&config, &here).expect("the cores are there");
        let plan = serde_json::to_value(plan).expect("a plan is JSON");
        assert_eq!(plan["cores"], diagnosis["placement"]["plan"]["cores"]);
    }
}

#[test]
fn cores_are_measured_in_pairs_and_watched_one_by_one() {
    let output = doctor(&["--json", "--sample", "1ms", "--matrix", "--hiccups", "20ms"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let diagnosis: Value = serde_json::from_slice(&output.stdout).expect("stdout is JSON");
    let cores = ids(&diagnosis["mask"]).len();
    let pairs = diagnosis["matrix"]["pairs"].as_array().expect("it was asked for");
    assert_eq!(pairs.len(), cores * (cores - 1) / 2);
    let hiccups = diagnosis["hiccups"].as_array().expect("it was asked for");
    let watched: Vec<usize> =
        hiccups.iter().map(|core| core["core"].as_u64().unwrap() as usize).collect();
    assert_eq!(watched, busy(&diagnosis));
    assert!(hiccups.iter().all(|core| core["readings"].as_u64() > Some(0)), "{hiccups:?}");
}
