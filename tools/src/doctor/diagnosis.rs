//! Everything that was found out about one host.

use std::io;
use std::path::Path;
use std::time::Duration;

use pitlane_engine::config::Config;
use pitlane_engine::runtime::{LaneFootprint, PlanError, lane_footprints};
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
    /// [`DiagnosisError`] when the cores can't be read or none can be planned with; all else that can't
    /// be read is a finding.
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
        memory::findings,
        limits::findings,
        kernel_noise::findings,
    ] {
        all.extend(check(scene));
    }
    all
}
