//! How fast the cores run, and how deep they sleep: governors and idle states.

use std::collections::BTreeMap;

use super::cpu_list::{braced, folded};
use super::finding::{Finding, Severity};
use super::host_files::Unread;
use super::scene::Scene;

const CPU: &str = "/sys/devices/system/cpu";

/// Exit latency of an idle state, in microseconds, that is felt beside an event's way.
const DEEP_US: u64 = 10;

/// Idle states that are looked at; real drivers have up to ten.
const STATES: usize = 16;

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    vec![governor(scene), idle_states(scene)]
}

fn governor(scene: &Scene<'_>) -> Finding {
    const ID: &str = "cpu.governor";
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for core in scene.busy {
        let path = format!("{CPU}/cpu{core}/cpufreq/scaling_governor");
        match scene.files.text(&path) {
            Ok(name) => by_name.entry(name).or_default().push(*core),
            Err(unread) => {
                let reason = format!("{}; the hypervisor or firmware decides", unread.reason);
                return Finding::unknown(ID, "frequency governor", &Unread::new(&path, reason));
            }
        }
    }
    let driver = scene
        .busy
        .first()
        .and_then(|core| scene.files.text(&format!("{CPU}/cpu{core}/cpufreq/scaling_driver")).ok());
    let slow: Vec<usize> = by_name
        .iter()
        .filter(|(name, _)| *name != "performance")
        .flat_map(|(_, cores)| cores.clone())
        .collect();
    let severity = if slow.is_empty() { Severity::Fine } else { Severity::Medium };
    let title = match slow.is_empty() {
        true => "the governor is performance on all planned cores".to_owned(),
        false => format!("the governor of cores {} is not performance", folded(&slow)),
    };
    let mut finding = Finding::new(ID, severity, title);
    for (name, cores) in &by_name {
        let path = format!("{CPU}/cpu{}/cpufreq/scaling_governor", braced(cores));
        let driver = driver.as_ref().map_or(String::new(), |driver| format!(" ({driver})"));
        finding = finding.read(path, format!("{name}{driver}"));
    }
    if slow.is_empty() {
        return finding;
    }
    let path = format!("{CPU}/cpu{}/cpufreq/scaling_governor", braced(&slow));
    finding
        .costs(
            "After a quiet time code runs 2 to 4 times slower until the frequency has risen: 10 \
             us to 10 ms. A spinning core keeps it up; a parking one pays at every wake-up.",
        )
        .mend(scene.tune("governor"))
        .mend(format!("echo performance | sudo tee {path}"))
}

/// An idle state that takes long to leave and is not switched off.
struct Deep {
    core: usize,
    state: String,
    name: String,
    latency_us: u64,
}

fn idle_states(scene: &Scene<'_>) -> Finding {
    const ID: &str = "cpu.idle";
    let (mut deepest, mut cores): (Option<Deep>, Vec<usize>) = (None, Vec::new());
    for core in scene.busy {
        match deepest_of(scene, *core) {
            Ok(Some(deep)) => {
                cores.push(*core);
                if deepest.as_ref().is_none_or(|other| other.latency_us < deep.latency_us) {
                    deepest = Some(deep);
                }
            }
            Ok(None) => {}
            Err(unread) => return Finding::unknown(ID, "idle states", &unread),
        }
    }
    let Some(deep) = deepest else {
        return Finding::fine(ID, format!("no idle state takes over {DEEP_US} us to leave"))
            .read(format!("{CPU}/cpu*/cpuidle/state*/latency"), format!("at most {DEEP_US}"));
    };
    let severity = if scene.is_spinning { Severity::Low } else { Severity::Medium };
    let path = format!("{CPU}/cpu{}/cpuidle/{}", deep.core, deep.state);
    Finding::new(ID, severity, format!("cores {} may sleep deeply", folded(&cores)))
        .read(format!("{path}/latency"), format!("{} us ({})", deep.latency_us, deep.name))
        .read(format!("{path}/disable"), "0")
        .costs(format!(
            "Up to {} us to wake, and cold caches. A spinning core never sleeps; the yielding and \
             parking profiles do, and so do the cores that serve them.",
            deep.latency_us
        ))
        .mend(scene.tune("idle"))
        .mend(format!("sudo cpupower -c {} idle-set -D {DEEP_US}", folded(&cores)))
}

fn deepest_of(scene: &Scene<'_>, core: usize) -> Result<Option<Deep>, Unread> {
    let folder = format!("{CPU}/cpu{core}/cpuidle");
    let states = scene.files.names(&folder)?;
    let mut deepest: Option<Deep> = None;
    for state in states.into_iter().filter(|name| name.starts_with("state")).take(STATES) {
        let path = format!("{folder}/{state}");
        let latency_us =
            scene.files.parsed(&format!("{path}/latency"), |text| text.parse().ok())?;
        let is_off = scene.files.text(&format!("{path}/disable")).is_ok_and(|text| text != "0");
        let deeper = deepest.as_ref().is_none_or(|other| other.latency_us < latency_us);
        if latency_us > DEEP_US && !is_off && deeper {
            let name = scene.files.text(&format!("{path}/name")).unwrap_or_default();
            deepest = Some(Deep { core, state, name, latency_us });
        }
    }
    Ok(deepest)
}
