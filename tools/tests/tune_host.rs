//! `scripts/tune-host.sh` on copies of a host, so that it is proven without touching this one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

#[path = "../src/doctor/fixture.rs"]
mod fixture;

use fixture::{Host, write};

/// A host where every setting is as distributions ship it.
fn loud() -> tempfile::TempDir {
    let more = &[
        ("/sys/kernel/mm/transparent_hugepage/enabled", "always\n"),
        ("/sys/kernel/mm/transparent_hugepage/khugepaged/defrag", "1\n"),
        ("/sys/kernel/mm/ksm/run", "1\n"),
        ("/proc/sys/kernel/numa_balancing", "1\n"),
        ("/proc/sys/kernel/nmi_watchdog", "1\n"),
        ("/proc/sys/kernel/timer_migration", "1\n"),
        ("/proc/sys/vm/stat_interval", "1\n"),
        ("/proc/sys/vm/swappiness", "60\n"),
        ("/sys/devices/virtual/workqueue/cpumask", "ff,ffffffff\n"),
        ("/proc/irq/30/smp_affinity_list", "0-39\n"),
        ("/proc/irq/31/smp_affinity_list", "2\n"),
        ("/proc/irq/default_smp_affinity", "ff,ffffffff\n"),
    ];
    // 20 cores with two threads: 20-39 are the siblings.
    Host { cores_per_l3: 20, threads: 2, governor: "powersave", mask: "0-39", more, ..Host::PLAIN }
        .make()
}

fn tune(root: &Path, args: &[&str]) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/tune-host.sh");
    let root = root.display().to_string();
    let mut command = Command::new("bash");
    command.arg(script).args(["--root", &root]).args(args);
    command.output().expect("bash starts")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

/// Every file below `root` with its bytes.
fn snapshot(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the fixture is readable").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).expect("it is below the root");
                let bytes = fs::read(&path).expect("the fixture is readable");
                files.insert(name.display().to_string(), bytes);
            }
        }
    }
    files
}

fn value(root: &Path, path: &str) -> String {
    let path = root.join(path.trim_start_matches('/'));
    fs::read_to_string(path).expect("the fixture is readable").trim().to_owned()
}

const STATE: &str = "/var/lib/pitlane/tune-host.state";

#[test]
fn a_dry_run_names_every_change_and_makes_none() {
    let host = loud();
    let before = snapshot(host.path());
    let dry = tune(host.path(), &["--dry-run", "--cores", "2-4"]);
    assert_eq!(dry.status.code(), Some(0));
    let said = out(&dry);
    assert!(said.contains("would   /proc/sys/vm/swappiness: 60 -> 1"), "{said}");
    assert!(said.contains("cpu4/cpufreq/scaling_governor: powersave -> performance"), "{said}");
    assert!(!said.contains("cpu5/"), "core 5 is not planned: {said}");
    assert_eq!(snapshot(host.path()), before);
}

#[test]
fn it_sets_what_it_says_and_undo_restores_every_byte() {
    let host = loud();
    let root = host.path();
    let before = snapshot(root);
    let set = tune(root, &["--cores", "2-4"]);
    assert_eq!(set.status.code(), Some(0), "{}", out(&set));
    assert_ne!(snapshot(root), before, "nothing was set");
    // Neither the planned cores 2-4 nor their siblings 22-24.
    assert_eq!(value(root, "/proc/irq/30/smp_affinity_list"), "0-1,5-21,25-39");
    assert_eq!(value(root, "/proc/irq/default_smp_affinity"), "ff,fe3fffe3");
    assert_eq!(value(root, "/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor"), "performance");
    assert_eq!(value(root, "/sys/devices/system/cpu/cpu5/cpufreq/scaling_governor"), "powersave");
    assert_eq!(value(root, "/sys/devices/system/cpu/cpu3/cpuidle/state2/disable"), "1");
    assert_eq!(value(root, "/sys/devices/system/cpu/cpu3/cpuidle/state1/disable"), "0");
    assert_eq!(value(root, "/sys/kernel/mm/transparent_hugepage/enabled"), "madvise");
    assert_eq!(value(root, "/proc/sys/kernel/timer_migration"), "0");
    let undone = tune(root, &["--undo"]);
    assert_eq!(undone.status.code(), Some(0), "{}", out(&undone));
    assert_eq!(snapshot(root), before, "also the state file is gone");
}

#[test]
fn a_second_run_keeps_the_oldest_values() {
    let host = loud();
    let root = host.path();
    let before = snapshot(root);
    assert_eq!(tune(root, &["--cores", "2-4", "--only", "irq"]).status.code(), Some(0));
    assert_eq!(tune(root, &["--cores", "5-8"]).status.code(), Some(0));
    assert_eq!(value(root, "/proc/irq/31/smp_affinity_list"), "0-4,9-24,29-39");
    let again = tune(root, &["--cores", "5-8"]);
    assert!(out(&again).contains("changed 0,"), "{}", out(&again));
    assert_eq!(tune(root, &["--undo"]).status.code(), Some(0));
    assert_eq!(snapshot(root), before);
}

#[test]
fn groups_are_kept_apart_and_tickless_cores_keep_timer_migration() {
    let host = loud();
    let root = host.path();
    write(root, "/sys/devices/system/cpu/nohz_full", "2-4\n");
    assert_eq!(tune(root, &["--cores", "2-4", "--only", "kernel"]).status.code(), Some(0));
    assert_eq!(value(root, "/proc/sys/kernel/timer_migration"), "1");
    assert_eq!(value(root, "/proc/sys/kernel/nmi_watchdog"), "0");
    assert_eq!(value(root, "/proc/sys/vm/swappiness"), "60", "that is another group");
}

#[test]
fn isolated_cores_take_no_interrupts_while_others_can() {
    let host = loud();
    let root = host.path();
    write(root, "/sys/devices/system/cpu/isolated", "2-19\n");
    assert_eq!(tune(root, &["--cores", "2-4", "--only", "irq"]).status.code(), Some(0));
    assert_eq!(value(root, "/proc/irq/30/smp_affinity_list"), "0-1,20-21,25-39");
}

#[test]
fn where_every_core_is_planned_interrupts_stay() {
    let host = Host { cores_per_l3: 2, mask: "0-1", ..Host::PLAIN }.make();
    let run = tune(host.path(), &["--cores", "0-1", "--only", "irq"]);
    assert_eq!(run.status.code(), Some(0));
    assert!(out(&run).contains("none could take the interrupts"), "{}", out(&run));
    assert_eq!(value(host.path(), "/proc/irq/30/smp_affinity_list"), "0");
}

#[test]
fn a_value_that_is_refused_is_told_with_code_1_and_kept_for_undo() {
    // A folder in place of the file can be neither read nor written.
    let host = loud();
    let root = host.path();
    assert_eq!(tune(root, &["--cores", "2", "--only", "memory"]).status.code(), Some(0));
    let path = root.join("proc/sys/vm/swappiness");
    fs::remove_file(&path).expect("it was there");
    fs::create_dir(&path).expect("the place is free");
    let undone = tune(root, &["--undo"]);
    assert_eq!(undone.status.code(), Some(1), "{}", out(&undone));
    assert!(out(&undone).contains("refused /proc/sys/vm/swappiness"), "{}", out(&undone));
    assert_eq!(value(root, "/proc/sys/kernel/numa_balancing"), "1", "the others are restored");
    assert!(value(root, STATE).ends_with("/proc/sys/vm/swappiness\t60"), "it can be tried again");
}

#[test]
fn wrong_use_is_code_2_and_changes_nothing() {
    let host = loud();
    let before = snapshot(host.path());
    let lines: [&[&str]; 7] = [
        &[],
        &["--cores", "1;reboot"],
        &["--cores", "4-2"],
        &["--cores", "99"],
        &["--cores", "1", "--only", "everything"],
        &["--undo", "--cores", "1"],
        &["--fly"],
    ];
    for line in lines {
        let run = tune(host.path(), line);
        assert_eq!(run.status.code(), Some(2), "{line:?}: {}", out(&run));
    }
    assert_eq!(tune(host.path(), &["--undo"]).status.code(), Some(3), "there is nothing to undo");
    assert_eq!(snapshot(host.path()), before);
}
