//! What the control groups around this process grant: CPU time and cores (versions 1 and 2).

use super::cpu_list::{self, folded};
use super::finding::{Finding, Severity};
use super::host_files::{HostFiles, Unread};

const MOUNT: &str = "/sys/fs/cgroup";
const MEMBERSHIP: &str = "/proc/self/cgroup";

/// A limit on CPU time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    /// The file it stands in.
    pub(crate) path: String,
    /// Its content.
    pub(crate) value: String,
    /// Thousandths of a core.
    pub(crate) millicores: u64,
    /// Time after which a used-up quota is granted anew; the longest stall.
    pub(crate) period_us: u64,
    /// How often the group was stopped, when its statistics say so.
    pub(crate) throttled: Option<u64>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ControlGroup {
    /// The smallest quota of all groups around; `None` when unlimited or when nothing was readable.
    pub(crate) quota: Option<Quota>,
    /// The cores that the innermost readable cpuset allows, and the file that says so.
    pub(crate) cpuset: Option<(String, Vec<usize>)>,
    /// Why nothing is known about a quota.
    pub(crate) unread: Option<Unread>,
}

impl ControlGroup {
    pub(crate) fn read(files: &HostFiles) -> ControlGroup {
        let none = ControlGroup { quota: None, cpuset: None, unread: None };
        let membership = match files.text(MEMBERSHIP) {
            Ok(text) => text,
            Err(unread) => return ControlGroup { unread: Some(unread), ..none },
        };
        let mut quotas = Vec::new();
        let mut cpuset = None;
        let mut is_limited_by = false;
        for (controllers, group) in membership.lines().filter_map(membership_of) {
            let serves =
                |name: &str| controllers.is_empty() || controllers.split(',').any(|c| c == name);
            if serves("cpu") {
                let folders = folders(files, controllers, "cpu", group);
                is_limited_by |= !folders.is_empty();
                quotas.extend(folders.iter().filter_map(|folder| quota(files, folder)));
            }
            if serves("cpuset") && cpuset.is_none() {
                let folders = folders(files, controllers, "cpuset", group);
                cpuset = folders.iter().find_map(|folder| allowed(files, folder));
            }
        }
        let unread = (!is_limited_by).then(|| Unread::new(MOUNT, "no group of this process in it"));
        let quota = quotas.into_iter().min_by_key(|quota| quota.millicores);
        ControlGroup { quota, cpuset, unread }
    }

    pub(crate) fn findings(&self, online: &[usize]) -> Vec<Finding> {
        vec![self.quota_finding(), self.cpuset_finding(online)]
    }

    fn quota_finding(&self) -> Finding {
        const ID: &str = "cgroup.quota";
        let Some(quota) = &self.quota else {
            return match &self.unread {
                Some(unread) => Finding::unknown(ID, "CPU quota", unread),
                None => Finding::fine(ID, "no CPU quota").read(MEMBERSHIP, "unlimited"),
            };
        };
        let cores = format!("{}.{:03}", quota.millicores / 1_000, quota.millicores % 1_000);
        let title = format!("the control group grants {cores} cores of CPU time");
        let mut finding = Finding::new(ID, Severity::High, title).read(&quota.path, &quota.value);
        if let Some(throttled) = quota.throttled {
            let folder = quota.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            finding =
                finding.read(format!("{folder}/cpu.stat"), format!("nr_throttled {throttled}"));
        }
        finding
            .costs(format!(
                "A spinning thread uses a whole core. When the sum of all threads is above the \
                 quota, every one of them stands still until the period ends: up to {} ms.",
                quota.period_us / 1_000
            ))
            .mend("# systemd:    systemctl set-property UNIT CPUQuota=")
            .mend("# docker:     run without --cpus, with --cpuset-cpus=LIST instead")
            .mend("# kubernetes: static CPU manager, whole cores, requests = limits")
    }

    fn cpuset_finding(&self, online: &[usize]) -> Finding {
        const ID: &str = "cgroup.cpuset";
        let Some((path, cores)) = &self.cpuset else {
            let none = Unread::new(MOUNT, "no cpuset of this process in it");
            return Finding::unknown(ID, "cpuset", self.unread.as_ref().unwrap_or(&none));
        };
        let outside = cpu_list::without(online, cores);
        let title = match outside.is_empty() {
            true => "the cpuset allows every online core".to_owned(),
            false => format!("the cpuset allows {} of {} cores", cores.len(), online.len()),
        };
        Finding::fine(ID, title).read(path, folded(cores))
    }
}

/// Controllers and group of one line, `4:cpu,cpuacct:/a/b`.
fn membership_of(line: &str) -> Option<(&str, &str)> {
    let mut fields = line.splitn(3, ':').skip(1);
    Some((fields.next()?, fields.next()?))
}

/// The existing folders of a group and all groups around it, innermost first. A group outside of
/// what is mounted (`/../x`, as inside a container) leaves the mount itself.
fn folders(files: &HostFiles, controllers: &str, wanted: &str, group: &str) -> Vec<String> {
    let mounts = match controllers {
        "" => vec![MOUNT.to_owned(), format!("{MOUNT}/unified")],
        _ => vec![format!("{MOUNT}/{wanted}"), format!("{MOUNT}/{controllers}")],
    };
    let Some(mount) = mounts.into_iter().find(|mount| is_mount(files, mount)) else {
        return Vec::new();
    };
    let parts: Vec<&str> = group.split('/').filter(|part| !part.is_empty()).collect();
    let inside = if parts.contains(&"..") { &[] } else { parts.as_slice() };
    let folder = |depth: usize| {
        let below = inside[..depth].iter().map(|part| format!("/{part}")).collect::<String>();
        format!("{mount}{below}")
    };
    (0..=inside.len()).rev().map(folder).filter(|folder| files.exists(folder)).collect()
}

/// Whether a folder is the mount of a hierarchy, and not the folder in which version 1 mounts them.
fn is_mount(files: &HostFiles, folder: &str) -> bool {
    ["cgroup.procs", "cpu.max", "cpu.cfs_quota_us", "cpuset.cpus", "cpuset.cpus.effective"]
        .iter()
        .any(|name| files.exists(&format!("{folder}/{name}")))
}

fn quota(files: &HostFiles, folder: &str) -> Option<Quota> {
    let number = |text: &str| text.parse::<u64>().ok();
    let path = format!("{folder}/cpu.max");
    let (path, quota_us, period_us) = match files.text(&path) {
        Ok(text) => {
            let (quota, period) = text.split_once(' ')?;
            (path, number(quota)?, number(period.trim())?)
        }
        Err(_) => {
            // -1 means unlimited and is no number without a sign.
            let path = format!("{folder}/cpu.cfs_quota_us");
            let quota_us = files.parsed(&path, number).ok()?;
            let period = files.parsed(&format!("{folder}/cpu.cfs_period_us"), number);
            (path, quota_us, period.ok()?)
        }
    };
    let throttled = files.parsed(&format!("{folder}/cpu.stat"), |text| {
        let line = text.lines().find_map(|line| line.strip_prefix("nr_throttled "));
        line.and_then(number)
    });
    Some(Quota {
        path,
        value: format!("{quota_us} of {period_us} us"),
        millicores: quota_us.saturating_mul(1_000).checked_div(period_us)?,
        period_us,
        throttled: throttled.ok(),
    })
}

fn allowed(files: &HostFiles, folder: &str) -> Option<(String, Vec<usize>)> {
    ["cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"].iter().find_map(|name| {
        let path = format!("{folder}/{name}");
        let cores = files.parsed(&path, cpu_list::parse).ok().filter(|cores| !cores.is_empty())?;
        Some((path, cores))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::fixture::tree;

    fn group(files: &[(&str, &str)]) -> ControlGroup {
        let folder = tree(files);
        ControlGroup::read(&HostFiles::new(folder.path()))
    }

    #[test]
    fn version_two_takes_the_smallest_quota_around_and_the_innermost_cpuset() {
        let group = group(&[
            (MEMBERSHIP, "0::/outer/inner\n"),
            ("/sys/fs/cgroup/cgroup.procs", ""),
            ("/sys/fs/cgroup/outer/cpu.max", "150000 100000"),
            ("/sys/fs/cgroup/outer/cpu.stat", "nr_periods 9\nnr_throttled 7\n"),
            ("/sys/fs/cgroup/outer/inner/cpu.max", "max 100000"),
            ("/sys/fs/cgroup/outer/inner/cpuset.cpus.effective", "2-3"),
            ("/sys/fs/cgroup/outer/cpuset.cpus.effective", "0-7"),
        ]);
        let quota = group.quota.clone().unwrap();
        assert_eq!((quota.millicores, quota.period_us, quota.throttled), (1_500, 100_000, Some(7)));
        assert_eq!(group.cpuset.as_ref().unwrap().1, [2, 3]);
        let finding = group.quota_finding();
        assert_eq!(finding.severity, Severity::High);
        assert_eq!(finding.read[0].path, "/sys/fs/cgroup/outer/cpu.max");
        assert_eq!(finding.read[1].value, "nr_throttled 7");
        assert!(finding.title.contains("1.500 cores"), "{}", finding.title);
    }

    #[test]
    fn version_one_is_read_from_its_own_mounts() {
        let group = group(&[
            (MEMBERSHIP, "4:cpuset:/a\n3:cpu,cpuacct:/a\n0::/\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "200000"),
            ("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "50000"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1"),
            ("/sys/fs/cgroup/cpuset/cpuset.cpus", "0-3"),
            ("/sys/fs/cgroup/cpuset/a/cpuset.cpus", "1"),
        ]);
        assert_eq!(group.quota.as_ref().unwrap().millicores, 4_000);
        assert_eq!(group.cpuset.as_ref().unwrap().1, [1]);
        assert_eq!(group.unread, None);
    }

    #[test]
    fn unlimited_is_fine_and_unreadable_is_unknown() {
        let unlimited = group(&[
            (MEMBERSHIP, "0::/../other\n"),
            ("/sys/fs/cgroup/cgroup.procs", ""),
            ("/sys/fs/cgroup/cpu.max", "max 100000"),
        ]);
        assert_eq!(unlimited.quota_finding().severity, Severity::Fine);
        assert_eq!(unlimited.cpuset_finding(&[0]).severity, Severity::Unknown);
        for unreadable in [group(&[]), group(&[(MEMBERSHIP, "0::/")]), group(&[(MEMBERSHIP, "?")])]
        {
            let finding = unreadable.quota_finding();
            assert_eq!(finding.severity, Severity::Unknown, "{finding:?}");
            assert!(finding.reason.is_some());
        }
    }
}
