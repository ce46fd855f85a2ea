//! What one must know of the machine to read a figure.

use std::fs;

/// Lines that say what the figures were taken on.
pub(crate) fn header() -> Vec<String> {
    // Of the machine: the calling thread may be pinned to one of them by now.
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = info.lines().filter(|line| line.starts_with("processor")).count();
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    vec![
        format!("cpu: {} ({cores} cores)", cpu_model(&info)),
        format!("kernel: {}", read("/proc/sys/kernel/osrelease")),
        format!("hypervisor: {}", if is_virtual() { "yes" } else { "no" }),
        format!("isolated cores: {:?}", read("/sys/devices/system/cpu/isolated")),
        format!("load: {}", read("/proc/loadavg")),
        format!("steal since boot, ticks: {}", steal_ticks()),
    ]
}

fn cpu_model(info: &str) -> String {
    let model = info.lines().find(|line| line.starts_with("model name"));
    model.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, name)| name).to_owned()
}

fn is_virtual() -> bool {
    fs::read_to_string("/proc/cpuinfo").unwrap_or_default().contains(" hypervisor")
}

/// Time the host gave to others.
fn steal_ticks() -> String {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = stat.lines().next().unwrap_or_default();
    first.split_whitespace().nth(8).unwrap_or("unknown").to_owned()
}
