//! What the kernel itself does on every core: mitigations, watchdog, timers, statistics, work
//! queues.

use super::cpu_list::{self, folded};
use super::finding::{Finding, Severity};
use super::host_files::Unread;
use super::scene::Scene;

const VULNERABILITIES: &str = "/sys/devices/system/cpu/vulnerabilities";
const WORKQUEUE: &str = "/sys/devices/virtual/workqueue/cpumask";

/// Mitigations named before the rest is only counted.
const NAMED_MAX: usize = 6;

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    vec![
        mitigations(scene),
        setting(scene, &WATCHDOG),
        timer_migration(scene),
        setting(scene, &STATISTICS),
        work_queues(scene),
    ]
}

fn mitigations(scene: &Scene<'_>) -> Finding {
    const ID: &str = "kernel.mitigations";
    let names = match scene.files.names(VULNERABILITIES) {
        Ok(names) => names,
        Err(unread) => return Finding::unknown(ID, "mitigations", &unread),
    };
    let active: Vec<String> = names
        .into_iter()
        .filter(|name| {
            let text = scene.files.text(&format!("{VULNERABILITIES}/{name}"));
            text.is_ok_and(|text| text.contains("Mitigation"))
        })
        .collect();
    if active.is_empty() {
        return Finding::fine(ID, "no mitigation is active")
            .read(VULNERABILITIES, "none mitigated");
    }
    let mut value = active.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if active.len() > NAMED_MAX {
        value.push_str(&format!(" and {} more", active.len() - NAMED_MAX));
    }
    Finding::new(ID, Severity::Low, format!("{} mitigations are active", active.len()))
        .read(VULNERABILITIES, value)
        .costs(
            "0.1 to 1 us more for each system call and switch of threads: sockets and parking \
             pay, a spinning thread that reads a lane does not.",
        )
        .mend("# only where no foreign code runs: kernel parameter mitigations=off, then reboot")
}

/// A number in /proc/sys with one value that disturbs least.
struct Setting {
    id: &'static str,
    path: &'static str,
    quiet: fn(u64) -> bool,
    value: &'static str,
    fine: &'static str,
    noisy: &'static str,
    costs: &'static str,
}

const WATCHDOG: Setting = Setting {
    id: "kernel.nmi_watchdog",
    path: "/proc/sys/kernel/nmi_watchdog",
    quiet: |value| value == 0,
    value: "0",
    fine: "no watchdog interrupts the cores",
    noisy: "the NMI watchdog interrupts every core",
    costs: "1 to 10 us, about once in 10 s, and one performance counter.",
};

const TIMER_MIGRATION: Setting = Setting {
    id: "kernel.timer_migration",
    path: "/proc/sys/kernel/timer_migration",
    quiet: |value| value == 0,
    value: "0",
    fine: "timers stay on the core that set them",
    noisy: "timers of idle cores move to busy ones",
    costs: "1 to 5 us for each timer of another core's that fires on a spinning one.",
};

const STATISTICS: Setting = Setting {
    id: "kernel.stat_interval",
    path: "/proc/sys/vm/stat_interval",
    quiet: |seconds| seconds >= 10,
    value: "120",
    fine: "memory statistics are gathered rarely",
    noisy: "memory statistics are gathered on every core",
    costs: "2 to 20 us in a kernel thread on each core, at every interval.",
};

/// Migration puts timers of idle cores on busy ones, so on those that spin; but never on tickless
/// ones.
fn timer_migration(scene: &Scene<'_>) -> Finding {
    let finding = setting(scene, &TIMER_MIGRATION);
    let is_tickless = cpu_list::without(scene.busy, scene.tickless).is_empty();
    match finding.severity {
        Severity::Low if is_tickless => {
            let mut fine = Finding::fine(finding.id, "timers move away from tickless cores");
            fine.read = finding.read;
            fine
        }
        _ => finding,
    }
}

fn setting(scene: &Scene<'_>, setting: &Setting) -> Finding {
    match scene.files.parsed(setting.path, |text| text.parse::<u64>().ok()) {
        Ok(value) if (setting.quiet)(value) => {
            Finding::fine(setting.id, setting.fine).read(setting.path, value.to_string())
        }
        Ok(value) => Finding::new(setting.id, Severity::Low, setting.noisy)
            .read(setting.path, value.to_string())
            .costs(setting.costs)
            .mend(scene.tune("kernel"))
            .mend(format!("echo {} | sudo tee {}", setting.value, setting.path)),
        Err(unread) => Finding::unknown(setting.id, setting.fine, &unread),
    }
}

fn work_queues(scene: &Scene<'_>) -> Finding {
    const ID: &str = "kernel.workqueue";
    let cores = match scene.files.parsed(WORKQUEUE, cores_of_mask) {
        Ok(cores) => cores,
        Err(unread) => return Finding::unknown(ID, "work queues", &unread),
    };
    let open = cpu_list::common(scene.busy, &cores);
    if open.is_empty() {
        return Finding::fine(ID, "the kernel's work queues stay off planned cores")
            .read(WORKQUEUE, folded(&cores));
    }
    let finding = Finding::new(ID, Severity::Low, "kernel work may be queued to planned cores")
        .read(WORKQUEUE, folded(&cores))
        .costs("10 to 100 us in a kernel thread, mostly when disks and networks are busy.");
    match scene.spare.is_empty() {
        true => finding.mend("# every core is planned: none is left that could take it"),
        false => finding.mend(scene.tune("kernel")),
    }
}

/// The cores of a hexadecimal mask, `ff` or `ffffffff,00000003`, the highest cores first.
fn cores_of_mask(text: &str) -> Option<Vec<usize>> {
    let digits: Vec<u32> =
        text.chars().filter(|c| *c != ',').map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    if digits.is_empty() {
        return None;
    }
    let bits = digits.iter().rev().enumerate().flat_map(|(place, digit)| {
        (0..4).filter(move |bit| digit & (1 << bit) != 0).map(move |bit| place * 4 + bit)
    });
    Some(bits.collect())
}

/// The name of the processor, for the summary.
pub(crate) fn model(scene_files: &super::host_files::HostFiles) -> Result<String, Unread> {
    scene_files.parsed("/proc/cpuinfo", |text| {
        let value = |key: &str| {
            let line = text.lines().find(|line| line.starts_with(key))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        value("model name").or_else(|| {
            let part = [value("CPU implementer")?, value("CPU part")?].join(" part ");
            Some(format!("ARM, implementer {part}"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_read_from_their_end() {
        assert_eq!(cores_of_mask("3"), Some(vec![0, 1]));
        assert_eq!(cores_of_mask("1,00000005"), Some(vec![0, 2, 32]));
        assert_eq!(cores_of_mask("00"), Some(vec![]));
        assert_eq!(cores_of_mask("g"), None);
        assert_eq!(cores_of_mask(""), None);
    }
}
