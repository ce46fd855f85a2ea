//! Interrupts: which device may interrupt a planned core, and how often anything does.

use super::cpu_list::{self, folded};
use super::finding::{Finding, Severity};
use super::host_files::Unread;
use super::interrupt_table::{INTERRUPTS, InterruptLine, Interrupts};
use super::scene::Scene;

/// Interrupts a second on one core, above which a finding is made of it.
const RATE_LOW: u64 = 1_500;

/// Names shown before the rest is only counted.
const NAMED_MAX: usize = 4;

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let after = match &scene.sample.after.interrupts {
        Ok(interrupts) => interrupts,
        Err(unread) => {
            return vec![
                Finding::unknown("irq.devices", "device interrupts", unread),
                Finding::unknown("irq.rate", "interrupt rate", unread),
            ];
        }
    };
    let mut findings = vec![devices(scene, after), rate(scene, after)];
    findings.push(match scene.processes.iter().any(|name| name == "irqbalance") {
        true => Finding::new("irq.balance", Severity::Medium, "irqbalance is running")
            .read("/proc/*/comm", "irqbalance")
            .costs("It moves device interrupts onto planned cores every 10 s, and undoes pinning.")
            .mend("sudo systemctl disable --now irqbalance")
            .mend(format!(
                "# or in /etc/default/irqbalance: IRQBALANCE_BANNED_CPULIST={}",
                folded(scene.busy)
            )),
        false => {
            Finding::fine("irq.balance", "irqbalance does not run").read("/proc/*/comm", "absent")
        }
    });
    findings
}

/// A device interrupt that may come to a planned core.
struct Device {
    name: String,
    what: String,
    /// The file that says where it goes, and the cores in it.
    affinity: (String, Vec<usize>),
    /// How often it came to a planned core.
    count: u64,
}

fn devices(scene: &Scene<'_>, interrupts: &Interrupts) -> Finding {
    const ID: &str = "irq.devices";
    let mut devices = Vec::new();
    let mut unread = None;
    let numbered = |source: &&InterruptLine| source.name.bytes().all(|byte| byte.is_ascii_digit());
    for source in interrupts.sources.iter().filter(numbered) {
        match affinity(scene, &source.name) {
            Ok(affinity) if !cpu_list::common(scene.busy, &affinity.1).is_empty() => {
                let count = scene.busy.iter().map(|core| interrupts.count(source, *core)).sum();
                let (name, what) = (source.name.clone(), source.what.clone());
                devices.push(Device { name, what, affinity, count });
            }
            Ok(_) => {}
            Err(error) => unread = Some(error),
        }
    }
    match (devices.is_empty(), unread) {
        (true, Some(unread)) => Finding::unknown(ID, "where device interrupts go", &unread),
        (true, None) => Finding::fine(ID, "no device interrupt goes to a planned core")
            .read("/proc/irq/*/smp_affinity_list", format!("none on {}", folded(scene.busy))),
        (false, _) => complain(scene, devices),
    }
}

fn complain(scene: &Scene<'_>, mut devices: Vec<Device>) -> Finding {
    devices.sort_by_key(|device| std::cmp::Reverse(device.count));
    let active = devices.iter().filter(|device| device.count > 0).count();
    let severity = if active > 0 { Severity::Medium } else { Severity::Low };
    let title =
        format!("{} device interrupts may come to planned cores, {active} did", devices.len());
    let mut finding = Finding::new("irq.devices", severity, title);
    for device in devices.iter().take(NAMED_MAX) {
        let (path, cores) = &device.affinity;
        let what = device.what.split_whitespace().last().unwrap_or("unnamed");
        let value = format!("{} ({what}, {} times)", folded(cores), device.count);
        finding = finding.read(path, value);
    }
    if devices.len() > NAMED_MAX {
        finding = finding.read("and more", (devices.len() - NAMED_MAX).to_string());
    }
    let finding = finding.costs(
        "2 to 10 us each, and what its handler leaves in the caches; a network card under load \
         interrupts tens of thousands of times a second.",
    );
    if scene.spare.is_empty() {
        return finding.mend("# every core is planned: none is left that could take them");
    }
    let names: Vec<&str> = devices.iter().map(|device| device.name.as_str()).collect();
    let spare = folded(scene.spare);
    let places = match names.as_slice() {
        [one] => one.to_string(),
        _ => format!("{{{}}}", names.join(",")),
    };
    finding
        .mend(scene.tune("irq"))
        .mend(format!("echo {spare} | sudo tee /proc/irq/{places}/smp_affinity_list"))
}

/// Where an interrupt goes: the effective list where the kernel has one, else the allowed one.
fn affinity(scene: &Scene<'_>, irq: &str) -> Result<(String, Vec<usize>), Unread> {
    let read = |name: &str| {
        let path = format!("/proc/irq/{irq}/{name}");
        let cores = scene.files.parsed(&path, cpu_list::parse)?;
        Ok((path, cores))
    };
    match read("effective_affinity_list") {
        Ok((path, cores)) if !cores.is_empty() => Ok((path, cores)),
        _ => read("smp_affinity_list"),
    }
}

/// Everything that interrupts, the timer included, on the core with the most.
fn rate(scene: &Scene<'_>, after: &Interrupts) -> Finding {
    const ID: &str = "irq.rate";
    let (Ok(before), ms) = (&scene.sample.before.interrupts, scene.sample.elapsed_ms) else {
        return Finding::unknown(ID, "interrupt rate", &Unread::new(INTERRUPTS, "read only once"));
    };
    if ms == 0 {
        let reason = "a rate needs a live machine and --sample above 0";
        return Finding::unknown(ID, "interrupt rate", &Unread::new(INTERRUPTS, reason));
    }
    let rate_of = |core: &usize| {
        after.total(*core).saturating_sub(before.total(*core)).saturating_mul(1_000) / ms
    };
    let Some((rate, core)) = scene.busy.iter().map(|core| (rate_of(core), *core)).max() else {
        return Finding::fine(ID, "no planned core");
    };
    let most = after.most(before, core);
    let names: Vec<String> =
        most.iter().take(NAMED_MAX).map(|(n, name)| format!("{name} {n}")).collect();
    let value = format!("in {ms} ms on core {core}: {}", names.join(", "));
    let title = format!("{rate} interrupts/s on planned core {core}, timer included");
    if rate < RATE_LOW {
        return Finding::fine(ID, title).read(INTERRUPTS, value);
    }
    Finding::new(ID, Severity::Low, title)
        .read(INTERRUPTS, value)
        .costs(format!(
            "1 to 5 us each: about {} % of the core's time.",
            (rate * 3).div_ceil(10_000)
        ))
        .mend("# LOC is the timer (nohz_full), CAL and TLB come from other threads (isolcpus)")
}
