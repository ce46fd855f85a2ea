//! Whether the machine can hold what a run would touch.

use super::footprint::lane_footprints;
use super::options::LaunchError;
use crate::config::Config;
use crate::runtime::{CorePlan, HostLimits};

const MIB: u64 = 1 << 20;

/// Refuses lanes that this machine can't hold: they are touched whole before the first event.
pub(super) fn check_memory(
    config: &Config,
    plan: &CorePlan,
    limits: &HostLimits,
) -> Result<(), LaunchError> {
    let all = lane_footprints(config, plan);
    let need: u64 = all.iter().map(|footprint| footprint.bytes() as u64).sum();
    let Some((limit, place)) = limits.memory() else { return Ok(()) };
    let Some(largest) = all.iter().max_by_key(|footprint| footprint.bytes()) else { return Ok(()) };
    if need <= limit {
        return Ok(());
    }
    Err(LaunchError::Memory {
        need_mib: need / MIB,
        place,
        limit_mib: limit / MIB,
        largest: largest.lane,
        largest_mib: largest.bytes() as u64 / MIB,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::HostCores;

    #[test]
    fn lanes_that_the_machine_cannot_hold_are_refused_with_what_takes_most() {
        let config = Config::default_run();
        let plan = CorePlan::make(&config, &HostCores::of(0..2)).unwrap();
        let with = |mib: u64| HostLimits { memory_bytes: Some(mib * MIB), ..Default::default() };
        assert!(check_memory(&config, &plan, &with(8_000)).is_ok());
        let problem = check_memory(&config, &plan, &with(1)).unwrap_err().to_string();
        assert!(problem.contains("this machine has 1 MiB"), "{problem}");
    }
}
