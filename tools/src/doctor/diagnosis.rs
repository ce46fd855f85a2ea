//! Everything that was found out about one host.

use std::io;
use std::path::Path;
use std::time::Duration;

use pitlane_engine::config::Config;
use pitlane_engine::runtime::PlanError;
use pitlane_engine::{LaneFootprint, lane_footprints};
use pitlane_ring::IdleStrategy;
use serde::Serialize;
use thiserror::Error;

use super::control_group::ControlGroup;
use super::core_matrix::CoreMatrix;
use super::finding::{Finding, Severity};
use super::hiccups::Hiccups;
use super::host_files::{HostFiles, Unread};
use super::isolation::Isolation;
use super::placement::{self, Choice, Placement};
use super::scene::{Sample, Scene, process_names};
use super::topology::Topology;
use super::{
    clock_offset, clock_source, cpu_time, frequency, interrupts, kernel_noise, limits, memory,
    network,
};

/// Why there is no diagnosis.
#[derive(Debug, Error)]
pub(crate) enum DiagnosisError {
    /// The host does not say which cores it has.
    #[error("{}: {}", .0.path, .0.reason)]
    Host(Unread),
    /// No core is left to plan with.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A measurement on pinned threads was refused.
    #[error("cores {cores} can't be measured: {reason}")]
    Measure {
        /// The cores it was about.
        cores: String,
        /// The system's error.
        reason: io::Error,
    },
}

/// Everything that was found out.
#[derive(Debug, Serialize)]
pub(crate) struct Diagnosis {
    /// Version of this object's form.
    pub(crate) form: u32,
    /// The processor's name, when it has one.
    pub(crate) model: Option<String>,
    /// Cores this process may run on.
    pub(crate) mask: Vec<usize>,
    /// Cores kept free by the kernel.
    pub(crate) isolated: Vec<usize>,
    pub(crate) topology: Topology,
    pub(crate) placement: Placement,
    /// `[cores]` as text.
    pub(crate) toml: String,
    /// Worst first.
    pub(crate) findings: Vec<Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) matrix: Option<CoreMatrix>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hiccups: Option<Vec<Hiccups>>,
}

impl Diagnosis {
    /// Looks at the host below `root`, for the venues and consumers of `config`.
    ///
    /// # Errors
    /// [`DiagnosisError`] when the cores can't be read or none can be planned with; all else that
    /// can't be read is a finding.
    pub(crate) fn make(
        root: &Path,
        config: &Config,
        wait: Duration,
    ) -> Result<Diagnosis, DiagnosisError> {
        let files = HostFiles::new(root);
        let topology = Topology::read(&files).map_err(DiagnosisError::Host)?;
        let mask = placement::mask(&files).map_err(DiagnosisError::Host)?;
        let (isolation, group) = (Isolation::read(&files), ControlGroup::read(&files));
        let choice =
            Choice { topology: &topology, mask: &mask, isolated: isolation.cores(), group: &group };
        let placement = Placement::choose(config, &choice)?;
        let lanes = lane_footprints(config, &placement.plan);
        let scene = Scene {
            files: &files,
            topology: &topology,
            busy: &placement.busy,
            spare: &placement.spare,
            tickless: isolation.tickless.as_ref().map_or(&[][..], |(_, cores)| cores),
            is_spinning: placement.plan.cores.iter().all(|core| core.idle == IdleStrategy::Spin),
            lane_bytes: lanes.iter().map(LaneFootprint::bytes).sum::<usize>() as u64,
            sample: &Sample::take(&files, wait),
            processes: &process_names(&files),
        };
        let mut findings = findings(&scene, &placement, &isolation, &group);
        findings.sort_by_key(|finding| finding.severity);
        Ok(Diagnosis {
            form: 1,
            model: kernel_noise::model(&files).ok(),
            isolated: isolation.cores().to_vec(),
            toml: placement.toml(&topology),
            mask,
            topology,
            placement,
            findings,
            matrix: None,
            hiccups: None,
        })
    }

    /// How many findings have this severity.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

fn findings(
    scene: &Scene<'_>,
    placement: &Placement,
    isolation: &Isolation,
    group: &ControlGroup,
) -> Vec<Finding> {
    let mut all = placement.findings(scene.topology);
    all.extend(group.findings(&scene.topology.ids()));
    all.extend(isolation.findings(scene.busy, !scene.spare.is_empty()));
    for check in [
        cpu_time::findings,
        interrupts::findings,
        frequency::findings,
        clock_source::findings,
        clock_offset::findings,
        network::findings,
        memory::findings,
        limits::findings,
        kernel_noise::findings,
    ] {
        all.extend(check(scene));
    }
    all
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::doctor::fixture::{Host, write};

    /// Files whose content decides what is read next.
    const FILES: [&str; 14] = [
        "/sys/devices/system/cpu/online",
        "/sys/devices/system/cpu/isolated",
        "/sys/devices/system/cpu/cpu1/topology/thread_siblings_list",
        "/sys/devices/system/cpu/cpu2/cache/index3/shared_cpu_list",
        "/sys/devices/system/cpu/cpu2/cpu_capacity",
        "/sys/devices/system/node/node0/cpulist",
        "/sys/devices/virtual/workqueue/cpumask",
        "/sys/fs/cgroup/cpu.max",
        "/sys/fs/cgroup/cpuset.cpus.effective",
        "/proc/self/cgroup",
        "/proc/self/status",
        "/proc/stat",
        "/proc/interrupts",
        "/proc/irq/30/smp_affinity_list",
    ];

    /// What a broken or hostile file may hold: lists, numbers beyond every limit, words, any bytes.
    fn content() -> impl Strategy<Value = String> {
        prop_oneof![
            "[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}){0,3}",
            "[0-9]{1,24} [0-9]{1,24}",
            "Cpus_allowed_list:\t[0-9]{1,2}-[0-9]{1,5}",
            "CPU[0-9]{1,3}( CPU[0-9]{1,25})?\n 30: [0-9]{1,25} x",
            "cpu[0-9]{1,2}( [0-9]{1,25}){1,10}",
            "0::(/\\.\\.|/[a-z]){0,4}",
            "\\PC{0,30}",
            Just(String::new()),
        ]
    }

    #[test]
    fn no_garbage_breaks_it() {
        let host = Host::PLAIN.make();
        let files = HostFiles::new(host.path());
        let sound = FILES.map(|path| files.text(path).ok());
        let garbage = proptest::collection::vec((0..FILES.len(), content()), 1..6);
        let diagnosed = Cell::new(0);
        let judged = |garbage: Vec<(usize, String)>| {
            for (file, content) in &garbage {
                write(host.path(), FILES[*file], content);
            }
            let made = Diagnosis::make(host.path(), &Config::default_run(), Duration::ZERO);
            for (path, text) in FILES.iter().zip(&sound) {
                write(host.path(), path, text.as_deref().unwrap_or_default());
            }
            if let Ok(diagnosis) = made {
                diagnosed.set(diagnosed.get() + 1);
                let online = diagnosis.topology.ids();
                prop_assert!(diagnosis.placement.busy.iter().all(|core| online.contains(core)));
                prop_assert!(
                    Config::parse(&diagnosis.toml, "pasted").is_ok(),
                    "{}",
                    diagnosis.toml
                );
            }
            Ok(())
        };
        let mut runner = TestRunner::new(ProptestConfig::with_cases(200));
        runner.run(&garbage, judged).unwrap_or_else(|failure| panic!("{failure}"));
        assert!(diagnosed.get() > 20, "almost everything was refused: {}", diagnosed.get());
    }
}
