//! Where the time of the cores went: stolen by a hypervisor, and how much else is running.

use super::cpu_times::{CpuTimes, STAT};
use super::finding::{Finding, Severity};
use super::host_files::Unread;
use super::scene::Scene;

const LOADAVG: &str = "/proc/loadavg";

/// Shares of stolen time, in thousandths, from which a finding is low, medium, high.
const STEAL_LIMITS: [u64; 2] = [1, 10];

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    vec![hypervisor(scene), steal(scene), load(scene)]
}

fn hypervisor(scene: &Scene<'_>) -> Finding {
    const ID: &str = "host.hypervisor";
    const CPUINFO: &str = "/proc/cpuinfo";
    let text = match scene.files.text(CPUINFO) {
        Ok(text) => text,
        Err(unread) => return Finding::unknown(ID, "hypervisor", &unread),
    };
    let Some(flags) = flags_of(&text) else {
        // ARM has no such flag; a device tree or the firmware's tables name a hypervisor there.
        let paths = ["/sys/class/dmi/id/sys_vendor", "/proc/device-tree/hypervisor/compatible"];
        let vendor = paths.iter().find_map(|path| Some((path, scene.files.text(path).ok()?)));
        return match vendor {
            Some((path, name)) if is_virtual(&name) => virtual_machine(path, &name),
            _ => {
                let reason = "no x86 flags; the firmware's tables name no hypervisor known here";
                Finding::unknown(ID, "hypervisor", &Unread::new(CPUINFO, reason))
            }
        };
    };
    match flags.split_whitespace().any(|flag| flag == "hypervisor") {
        true => virtual_machine(CPUINFO, "flags hold hypervisor"),
        false => Finding::fine(ID, "bare metal").read(CPUINFO, "flags without hypervisor"),
    }
}

/// The flags of the first core on x86.
pub(crate) fn flags_of(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("flags"))?;
    Some(line.split_once(':')?.1.trim())
}

fn is_virtual(vendor: &str) -> bool {
    ["qemu", "kvm", "vmware", "xen", "amazon", "google", "microsoft"]
        .iter()
        .any(|name| vendor.to_lowercase().contains(name))
}

fn virtual_machine(path: &str, value: &str) -> Finding {
    Finding::new("host.hypervisor", Severity::Medium, "a virtual machine")
        .read(path, value)
        .costs(
            "Exits to the hypervisor: 1 to 50 us each (timers, interrupts, idling). Its own \
             scheduler takes cores away for milliseconds, which shows as steal, or not at all.",
        )
        .mend("# bare metal, or an instance type with dedicated cores (no burstable or shared one)")
}

fn steal(scene: &Scene<'_>) -> Finding {
    const ID: &str = "host.steal";
    let (before, after) = match (&scene.sample.before.times, &scene.sample.after.times) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(unread), _) | (_, Err(unread)) => return Finding::unknown(ID, "steal time", unread),
    };
    let start = CpuTimes::default();
    let worst = |before: &CpuTimes| {
        let share = |core: &usize| Some((after.stolen(before, *core)?, *core));
        scene.busy.iter().filter_map(share).max()
    };
    let Some((since_boot, core)) = worst(&start) else {
        let unread = Unread::new(STAT, "no line about a planned core");
        return Finding::unknown(ID, "steal time", &unread);
    };
    let now = worst(before).map_or(0, |(share, _)| share);
    let of_window = match scene.sample.elapsed_ms {
        0 => "; not measured now".to_owned(),
        ms => format!("; {} in the last {ms} ms", percent(now)),
    };
    let value = format!("core {core}: {} since the start{of_window}", percent(since_boot));
    let severity = match since_boot.max(now) {
        share if share >= STEAL_LIMITS[1] => Severity::High,
        share if share >= STEAL_LIMITS[0] => Severity::Medium,
        _ => return Finding::fine(ID, "no time is stolen").read(STAT, value),
    };
    Finding::new(ID, severity, "the hypervisor takes time away from planned cores")
        .read(STAT, value)
        .costs("The thread stands still: 0.1 to 10 ms each time; inside, only this count shows it.")
        .mend("# dedicated cores from the provider, or another host: nothing inside mends it")
}

/// Thousandths as a percentage.
fn percent(thousandths: u64) -> String {
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

fn load(scene: &Scene<'_>) -> Finding {
    const ID: &str = "host.load";
    let hundredths = |text: &str| {
        let (whole, rest) = text.split_whitespace().next()?.split_once('.')?;
        let rest: u64 = rest.parse().ok().filter(|rest| *rest < 100)?;
        whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(rest)
    };
    let load = match scene.files.parsed(LOADAVG, hundredths) {
        Ok(load) => load,
        Err(unread) => return Finding::unknown(ID, "load", &unread),
    };
    let shown = format!("{}.{:02}", load / 100, load % 100);
    let spare = scene.topology.cpus.len().saturating_sub(scene.busy.len());
    let value = format!("{shown} over 1 minute, {spare} cores beside the planned ones");
    // An idle machine shows some hundredths; half a task is work that wants a core.
    if load <= (spare as u64 * 100).max(50) {
        return Finding::fine(ID, "the load fits beside the plan").read(LOADAVG, value);
    }
    Finding::new(ID, Severity::Medium, "more tasks run than fit beside the planned cores")
        .read(LOADAVG, value)
        .costs(
            "Each time another task gets a planned core: a slice of 3 to 4 ms, cold caches after.",
        )
        .mend("ps -eo pid,psr,pcpu,comm --sort=-pcpu | head")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_shown_in_percent() {
        assert_eq!([0, 1, 25, 1_000].map(percent), ["0.0 %", "0.1 %", "2.5 %", "100.0 %"]);
    }
}
