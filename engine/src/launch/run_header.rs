//! The run header of the interval log: what one must know to compare two runs.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::runtime::CorePlan;
use crate::telemetry::GAUGES_LINE;
use crate::world::kernel_text;

/// The lines of the header, without the `#[...]` around them.
pub(super) fn run_header(plan: &CorePlan, config: &Config, load: &str) -> Vec<String> {
    let lanes = &config.lanes;
    let mut header = vec![
        format!(
            "Build: revision {}, {}, {} profile",
            env!("PITLANE_REVISION"),
            env!("PITLANE_RUSTC"),
            env!("PITLANE_PROFILE")
        ),
        format!(
            "Host: {}, {} cores visible, Linux {}",
            cpu_model(),
            std::thread::available_parallelism().map_or(0, usize::from),
            file("/proc/sys/kernel/osrelease")
        ),
        format!(
            "Cores: governor {}, isolated {}",
            governors(plan),
            file("/sys/devices/system/cpu/isolated")
        ),
        format!(
            "Clock: time stamp counter, kernel source {}",
            file("/sys/devices/system/clocksource/clocksource0/current_clocksource")
        ),
        format!("Profile: {}", format!("{:?}", plan.profile).to_lowercase()),
        format!("Load: {load}"),
        GAUGES_LINE.to_owned(),
        format!(
            "Lanes: venue {}, market {}, critical {}, spill {}, order {}",
            lanes.venue, lanes.market, lanes.critical, lanes.spill, lanes.order
        ),
    ];
    for core in &plan.cores {
        let id = core.core.map_or_else(|| "any".to_owned(), |id| id.to_string());
        header.push(format!("Core {id}: {} ({}) {:?}", core.name, core.idle, core.agents));
    }
    header
}

/// The load that the configuration offers.
pub(super) fn offered(config: &Config) -> String {
    if config.simulated.enabled {
        let simulated = &config.simulated;
        format!("{} events/s offered, seed {}", simulated.events_per_s, simulated.seed)
    } else {
        format!("what {} sends", config.venue_names().join(", "))
    }
}

fn cpu_model() -> String {
    let info = kernel_text("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    model.map_or("unknown CPU", |rest| rest.trim_start_matches(['\t', ' ', ':'])).to_owned()
}

/// The governors of the planned cores, each once.
fn governors(plan: &CorePlan) -> String {
    let of_core =
        |id: usize| file(&format!("/sys/devices/system/cpu/cpu{id}/cpufreq/scaling_governor"));
    let found: BTreeSet<String> =
        plan.cores.iter().filter_map(|core| core.core).map(of_core).collect();
    found.into_iter().collect::<Vec<_>>().join(" and ")
}

/// A one-line file of the kernel; `none` when it is empty, `not exposed` when it is not there.
fn file(path: &str) -> String {
    match kernel_text(path) {
        Ok(text) if text.trim().is_empty() => "none".to_owned(),
        Ok(text) => text.trim().to_owned(),
        Err(_) => "not exposed".to_owned(),
    }
}
