//! Interrupts: which device may interrupt a planned core, and how often anything does.

use super::cpu_list::{self, folded};
use super::finding::{Finding, Severity};
use super::host_files::Unread;
use super::scene::Scene;

pub(crate) const INTERRUPTS: &str = "/proc/interrupts";

/// Interrupts a second on one core, above which a finding is made of it.
const RATE_LOW: u64 = 1_500;

/// Names shown before the rest is only counted.
const NAMED_MAX: usize = 4;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// Its number, or its short name such as `LOC`.
    pub(crate) name: String,
    /// Counts, in the order of the table's cores.
    pub(crate) counts: Vec<u64>,
    /// Chip and device, as printed.
    pub(crate) what: String,
}

/// The whole table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interrupts {
    cores: Vec<usize>,
    sources: Vec<Source>,
}

impl Interrupts {
    /// Reads the table; `None` when its head names no core.
    pub(crate) fn parse(text: &str) -> Option<Interrupts> {
        let mut lines = text.lines();
        let core = |word: &str| word.strip_prefix("CPU").and_then(|id| id.parse().ok());
        let cores: Vec<usize> = lines.next()?.split_whitespace().filter_map(core).collect();
        let sources = lines.filter_map(|line| source(line, cores.len())).collect();
        (!cores.is_empty()).then_some(Interrupts { cores, sources })
    }

    /// How often `source` came on `core` since the machine started.
    fn count(&self, source: &Source, core: usize) -> u64 {
        let column = self.cores.iter().position(|other| *other == core);
        column.and_then(|column| source.counts.get(column)).copied().unwrap_or(0)
    }

    /// All interrupts of `core`.
    fn total(&self, core: usize) -> u64 {
        self.sources.iter().fold(0, |sum, source| sum.saturating_add(self.count(source, core)))
    }

    /// The sources with the most interrupts on `core` since `before`, most first.
    fn most(&self, before: &Interrupts, core: usize) -> Vec<(u64, String)> {
        let grown = |source: &Source| {
            let old = before.sources.iter().find(|other| other.name == source.name);
            let old = old.map_or(0, |old| before.count(old, core));
            (self.count(source, core).saturating_sub(old), source.name.clone())
        };
        let mut grown: Vec<_> = self.sources.iter().map(grown).filter(|(n, _)| *n > 0).collect();
        grown.sort_unstable_by(|a, b| b.cmp(a));
        grown
    }
}

fn source(line: &str, columns: usize) -> Option<Source> {
    let (name, rest) = line.split_once(':')?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let counts: Vec<u64> = words.iter().take(columns).map_while(|word| word.parse().ok()).collect();
    let what = words[counts.len()..].join(" ");
    Some(Source { name: name.trim().to_owned(), counts, what })
}

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
    let numbered = |source: &&Source| source.name.bytes().all(|byte| byte.is_ascii_digit());
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TABLE: &str = "           CPU0       CPU2       \n\
        \x2024:          1          7  IO-APIC   5-edge      ACPI:Ged\n\
        LOC:     107348     115431   Local timer interrupts\n\
        ERR:          0\n garbage\n";

    #[test]
    fn a_table_with_a_missing_core_is_read_by_its_head() {
        let table = Interrupts::parse(TABLE).unwrap();
        assert_eq!((table.total(0), table.total(1), table.total(2)), (107_349, 0, 115_438));
        assert_eq!(table.sources[0].what, "IO-APIC 5-edge ACPI:Ged");
        assert_eq!(table.sources.len(), 3);
        assert_eq!(Interrupts::parse("nothing"), None);
    }

    #[test]
    fn growth_is_named_by_source_and_a_counter_that_fell_is_no_growth() {
        let before = Interrupts::parse(TABLE).unwrap();
        let after = TABLE.replace("115431", "115500").replace("          7", "          3");
        let after = Interrupts::parse(&after).unwrap();
        assert_eq!(after.most(&before, 2), [(69, "LOC".to_owned())]);
        assert!(after.most(&before, 0).is_empty());
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[ CPU0-9:\\nA-C\u{0}-\u{ff}]{0,200}") {
            if let Some(table) = Interrupts::parse(&text) {
                let _sum = table.total(0);
            }
        }
    }
}
