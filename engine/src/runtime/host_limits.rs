//! What the machine has of memory and of files for this process.

use std::path::Path;

use super::control_groups::smallest_limit;
use crate::world::kernel_text;

/// Memory and open files that this process may have; `None` where the system does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostLimits {
    /// Memory of the machine, bytes.
    pub memory_bytes: Option<u64>,
    /// Memory that the control group grants, bytes; `None` where it is unlimited, too.
    pub group_bytes: Option<u64>,
    /// Files and sockets that may be open at a time.
    pub open_files: Option<u64>,
}

impl HostLimits {
    /// Reads them.
    #[must_use]
    pub fn read() -> HostLimits {
        let text = |path: &str| kernel_text(path).unwrap_or_default();
        HostLimits {
            memory_bytes: memory_total(&text("/proc/meminfo")),
            group_bytes: group_memory(Path::new("/proc/self/cgroup"), Path::new("/sys/fs/cgroup")),
            open_files: open_files(&text("/proc/self/limits")),
        }
    }

    /// The memory that this process can have at most, bytes, and whose limit that is.
    #[must_use]
    pub fn memory(&self) -> Option<(u64, &'static str)> {
        let of_machine = self.memory_bytes.map(|bytes| (bytes, "this machine"));
        let of_group = self.group_bytes.map(|bytes| (bytes, "the control group"));
        [of_machine, of_group].into_iter().flatten().min()
    }
}

fn memory_total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

fn group_memory(membership: &Path, root: &Path) -> Option<u64> {
    let limit = |folder: &Path| {
        let read = |name: &str| kernel_text(folder.join(name)).ok();
        // "max" means unlimited, as does version 1's largest number, which no machine has.
        read("memory.max").or_else(|| read("memory.limit_in_bytes"))?.trim().parse().ok()
    };
    smallest_limit(membership, root, "memory", limit)
}

/// The soft limit: the first of the two numbers.
fn open_files(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read() {
        assert_eq!(
            memory_total("MemTotal:        8000000 kB\nMemFree: 1 kB\n"),
            Some(8_192_000_000)
        );
        let limits = "Limit  Soft  Hard  Units\nMax open files            1024      4096   files\n";
        assert_eq!(open_files(limits), Some(1_024));
        assert_eq!((memory_total("?"), open_files("Max open files unlimited")), (None, None));
        let here = HostLimits::read();
        assert!(here.memory().is_some() && here.open_files.is_some(), "{here:?}");
    }

    #[test]
    fn the_smaller_of_machine_and_group_holds() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("membership", "0::/outer/inner\n");
        write("outer/memory.max", "1000000\n");
        write("outer/inner/memory.max", "max\n");
        let group_bytes = group_memory(&folder.path().join("membership"), folder.path());
        assert_eq!(group_bytes, Some(1_000_000));
        let limits = HostLimits { memory_bytes: Some(5_000_000), group_bytes, open_files: None };
        assert_eq!(limits.memory(), Some((1_000_000, "the control group")));
        let limits = HostLimits { group_bytes: Some(u64::MAX), ..limits };
        assert_eq!(limits.memory(), Some((5_000_000, "this machine")));
    }
}
