//! What a reading of the clock costs, and whether it can be believed.

use super::cpu_time::flags_of;
use super::finding::{Finding, Severity};
use super::scene::Scene;

const CLOCK: &str = "/sys/devices/system/clocksource/clocksource0";
const CPUINFO: &str = "/proc/cpuinfo";

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    vec![source(scene), counter(scene)]
}

fn source(scene: &Scene<'_>) -> Finding {
    const ID: &str = "clock.source";
    let path = format!("{CLOCK}/current_clocksource");
    let name = match scene.files.text(&path) {
        Ok(name) => name,
        Err(unread) => return Finding::unknown(ID, "clock source", &unread),
    };
    let cheap = ["tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page", "timebase"];
    if cheap.contains(&name.as_str()) {
        return Finding::fine(ID, "the clock is read without a system call").read(path, name);
    }
    let offered = format!("{CLOCK}/available_clocksource");
    let others = scene.files.text(&offered).unwrap_or_default();
    let mut finding =
        Finding::new(ID, Severity::High, "reading the clock is a system call").read(&path, &name);
    if !others.is_empty() {
        finding = finding.read(&offered, &others);
    }
    finding = finding.costs(
        "0.5 to 2 us for each reading instead of 20 ns, several times an event; all measured \
         latencies grow by it.",
    );
    match others.split_whitespace().any(|other| other == "tsc") {
        true => finding.mend(format!("echo tsc | sudo tee {path}")),
        false => finding
            .mend("# the kernel gave up the TSC: dmesg | grep -i -e tsc -e clocksource tells why")
            .mend("# where that is a false alarm: kernel parameter tsc=reliable, then reboot"),
    }
}

fn counter(scene: &Scene<'_>) -> Finding {
    const ID: &str = "clock.tsc";
    let text = match scene.files.text(CPUINFO) {
        Ok(text) => text,
        Err(unread) => return Finding::unknown(ID, "TSC flags", &unread),
    };
    let Some(flags) = flags_of(&text) else {
        if text.lines().any(|line| line.starts_with("Features")) {
            return Finding::fine(ID, "ARM: the system counter has a constant rate by definition")
                .read(CPUINFO, "Features, no x86 flags");
        }
        let unread = super::host_files::Unread::new(CPUINFO, "no flags in it");
        return Finding::unknown(ID, "TSC flags", &unread);
    };
    let has = |name: &str| flags.split_whitespace().any(|flag| flag == name);
    let missing: Vec<&str> =
        ["constant_tsc", "nonstop_tsc"].into_iter().filter(|name| !has(name)).collect();
    if missing.is_empty() {
        return Finding::fine(ID, "the TSC has a constant rate and never stops")
            .read(CPUINFO, "constant_tsc nonstop_tsc");
    }
    Finding::new(ID, Severity::High, "the TSC changes its rate or stops")
        .read(CPUINFO, format!("flags without {}", missing.join(", ")))
        .costs(
            "Latencies measured with it are wrong by the ratio of the frequencies, up to 4 times.",
        )
        .mend("# virtual machine: the host must pass invtsc through (qemu: -cpu host,+invtsc)")
        .mend("# bare metal: a processor of the last fifteen years")
}
