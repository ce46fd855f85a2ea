//! What the machine has: the cores this process may run on, and how much of them.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::control_groups::smallest_limit;
use crate::world::kernel_text;

/// The cores this process may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostCores {
    /// Ids of the cores in the process's affinity mask, ascending.
    pub ids: Vec<usize>,
    /// CPU time that the control group grants, in thousandths of a core; `None` when unlimited.
    pub quota_millicores: Option<u64>,
}

impl HostCores {
    /// Reads the affinity mask and the control group's quota.
    ///
    /// # Named traps
    /// *Read before pinning*: the mask is the calling thread's own, so after pinning there is one
    /// core.
    #[must_use]
    pub fn read() -> HostCores {
        let ids = core_affinity::get_core_ids().unwrap_or_default();
        let mut cores = HostCores::of(ids.into_iter().map(|core| core.id));
        cores.quota_millicores =
            read_quota(Path::new("/proc/self/cgroup"), Path::new("/sys/fs/cgroup"));
        cores
    }

    /// A machine with these cores and no quota.
    #[must_use]
    pub fn of(ids: impl IntoIterator<Item = usize>) -> HostCores {
        let mut ids: Vec<usize> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        HostCores { ids, quota_millicores: None }
    }

    /// How many threads can be busy all the time: the cores, or the whole cores of the quota when
    /// that is less; at least 1 where there is any core.
    #[must_use]
    pub fn usable(&self) -> usize {
        let granted = self.quota_millicores.map_or(u64::MAX, |quota| (quota / 1_000).max(1));
        self.ids.len().min(usize::try_from(granted).unwrap_or(usize::MAX))
    }
}

/// The smallest quota of this process's control group and all groups around it (version 2:
/// `cpu.max`; version 1: `cpu.cfs_quota_us`).
fn read_quota(membership: &Path, root: &Path) -> Option<u64> {
    smallest_limit(membership, root, "cpu", quota_of)
}

fn quota_of(folder: &Path) -> Option<u64> {
    let read = |name: &str| kernel_text(PathBuf::from(folder).join(name)).ok();
    let (quota_us, period_us) = match read("cpu.max") {
        Some(text) => {
            let (quota, period) = text.trim().split_once(' ')?;
            (quota.parse::<u64>().ok()?, period.parse::<u64>().ok()?)
        }
        None => {
            // -1 means unlimited and does not parse as unsigned.
            let quota = read("cpu.cfs_quota_us")?.trim().parse::<u64>().ok()?;
            (quota, read("cpu.cfs_period_us")?.trim().parse::<u64>().ok()?)
        }
    };
    quota_us.saturating_mul(1_000).checked_div(period_us)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn this_machine_has_a_core() {
        let cores = HostCores::read();
        assert!(cores.usable() >= 1, "{cores:?}");
        assert!(cores.ids.is_sorted());
    }

    #[test]
    fn a_quota_counts_whole_cores_and_never_none() {
        let mut cores = HostCores::of([3, 1, 1, 0, 2]);
        assert_eq!((cores.ids.as_slice(), cores.usable()), ([0, 1, 2, 3].as_slice(), 4));
        cores.quota_millicores = Some(2_500);
        assert_eq!(cores.usable(), 2);
        cores.quota_millicores = Some(500);
        assert_eq!(cores.usable(), 1);
        assert_eq!(HostCores::of([]).usable(), 0);
    }

    #[test]
    fn the_smallest_quota_of_all_groups_around_counts() {
        let folder = folder_with(&[
            ("membership", "0::/outer/inner\n"),
            ("outer/cpu.max", "150000 100000\n"),
            ("outer/inner/cpu.max", "max 100000\n"),
            ("cpu.max", "400000 100000\n"),
        ]);
        let quota = read_quota(&folder.path().join("membership"), folder.path());
        assert_eq!(quota, Some(1_500));
    }

    #[test]
    fn version_one_groups_are_read_and_no_group_is_no_quota() {
        let folder = folder_with(&[
            ("membership", "4:memory:/a\n3:cpu,cpuacct:/a\n"),
            ("cpu/a/cpu.cfs_quota_us", "200000\n"),
            ("cpu/a/cpu.cfs_period_us", "100000\n"),
            ("cpu/cpu.cfs_quota_us", "-1\n"),
            ("cpu/cpu.cfs_period_us", "100000\n"),
        ]);
        let quota = read_quota(&folder.path().join("membership"), folder.path());
        assert_eq!(quota, Some(2_000));
        assert_eq!(read_quota(&folder.path().join("missing"), folder.path()), None);
    }
}
