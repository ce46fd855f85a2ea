//! Cores that the kernel keeps other work away from: `isolcpus`, `nohz_full`, `rcu_nocbs`.

use super::cpu_list::{self, folded};
use super::finding::{Finding, Severity};
use super::host_files::{HostFiles, Unread};

const CMDLINE: &str = "/proc/cmdline";
const ISOLATED: &str = "/sys/devices/system/cpu/isolated";
const NOHZ_FULL: &str = "/sys/devices/system/cpu/nohz_full";

/// The three sorts of isolation, each with the file that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Isolation {
    /// The scheduler places nothing there by itself.
    pub(crate) domain: Result<(&'static str, Vec<usize>), Unread>,
    /// No timer tick while one thread runs alone.
    pub(crate) tickless: Result<(&'static str, Vec<usize>), Unread>,
    /// RCU callbacks run elsewhere.
    pub(crate) callbacks: Result<(&'static str, Vec<usize>), Unread>,
}

impl Isolation {
    pub(crate) fn read(files: &HostFiles) -> Isolation {
        let from_cmdline = |key: &str| {
            let text = files.text(CMDLINE)?;
            let Some(value) = value_of(&text, key) else { return Ok((CMDLINE, Vec::new())) };
            let cores = cores_of(value);
            let garbled = || Unread::new(CMDLINE, format!("not understood: {key}={value}"));
            cores.map(|cores| (CMDLINE, cores)).ok_or_else(garbled)
        };
        // The kernel's own lists know what became of the words on its command line.
        let from_list = |path: &'static str, key: &str| match files.parsed(path, list) {
            Ok(cores) => Ok((path, cores)),
            Err(_) => from_cmdline(key),
        };
        let tickless = from_list(NOHZ_FULL, "nohz_full");
        // nohz_full implies rcu_nocbs for its cores.
        let callbacks = from_cmdline("rcu_nocbs").map(|(path, mut cores)| {
            cores.extend(tickless.iter().flat_map(|(_, tickless)| tickless));
            cores.sort_unstable();
            cores.dedup();
            (path, cores)
        });
        Isolation { domain: from_list(ISOLATED, "isolcpus"), tickless, callbacks }
    }

    /// The isolated cores; none when unknown.
    pub(crate) fn cores(&self) -> &[usize] {
        self.domain.as_ref().map_or(&[], |(_, cores)| cores)
    }

    /// What it means for the cores that shall be busy. Without a spare core nothing can be kept
    /// away.
    pub(crate) fn findings(&self, busy: &[usize], has_spare: bool) -> Vec<Finding> {
        [(&self.domain, &DOMAIN), (&self.tickless, &TICKLESS), (&self.callbacks, &CALLBACKS)]
            .map(|(isolated, sort)| match isolated {
                Ok((path, cores)) => sort.judge(path, cores, busy, has_spare),
                Err(unread) => Finding::unknown(sort.id, &format!("cores {}", sort.what), unread),
            })
            .into()
    }
}

/// What is to be said about one sort of isolation.
struct Sort {
    id: &'static str,
    /// Its word on the kernel's command line.
    word: &'static str,
    /// What stands between the word and the list of cores.
    flags: &'static str,
    what: &'static str,
    severity: Severity,
    costs: &'static str,
}

const DOMAIN: Sort = Sort {
    id: "isolation.domain",
    word: "isolcpus",
    flags: "managed_irq,domain,",
    what: "kept free of other tasks",
    severity: Severity::Medium,
    costs: "Whatever else is runnable may be put there: a time slice of 3 to 4 ms each \
            time, and cold caches after it.",
};

const TICKLESS: Sort = Sort {
    id: "isolation.tick",
    word: "nohz_full",
    flags: "",
    what: "without a timer tick",
    severity: Severity::Low,
    costs: "A tick of 1 to 5 us, 100 to 1,000 times a second, while the thread runs.",
};

const CALLBACKS: Sort = Sort {
    id: "isolation.rcu",
    word: "rcu_nocbs",
    flags: "",
    what: "without RCU callbacks",
    severity: Severity::Low,
    costs: "Deferred frees of the kernel run there: 1 to 100 us, now and then.",
};

impl Sort {
    fn judge(&self, path: &str, cores: &[usize], busy: &[usize], has_spare: bool) -> Finding {
        let Sort { id, word, flags, what, severity, costs } = *self;
        let value = match (path, cores) {
            (CMDLINE, []) => format!("no {word}"),
            (CMDLINE, cores) => format!("{word}: {}", folded(cores)),
            (_, cores) => folded(cores),
        };
        let open = cpu_list::without(busy, cores);
        if open.is_empty() {
            return Finding::fine(id, format!("planned cores are {what}")).read(path, value);
        }
        // What only a larger machine mends is told, but not as the first thing to do.
        let severity = if has_spare { severity } else { Severity::Low };
        let title = format!("planned cores {} are not {what}", folded(&open));
        let finding = Finding::new(id, severity, title).read(path, value).costs(costs);
        if !has_spare {
            return finding.mend("# no core is spare to take the other work: use a larger machine");
        }
        let file = "/etc/default/grub (GRUB_CMDLINE_LINUX), then update-grub and reboot";
        finding.mend(format!("# {file}: {word}={flags}{}", folded(busy)))
    }
}

/// The last value of `key` on a kernel's command line, as the kernel takes it.
fn value_of<'a>(cmdline: &'a str, key: &str) -> Option<&'a str> {
    let mut values =
        cmdline.split_whitespace().filter_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    values.next_back()
}

/// The cores of `isolcpus=flag,flag,LIST` and its like.
fn cores_of(value: &str) -> Option<Vec<usize>> {
    const FLAGS: [&str; 3] = ["nohz", "domain", "managed_irq"];
    let list: Vec<&str> = value.split(',').filter(|part| !FLAGS.contains(part)).collect();
    cpu_list::parse(&list.join(","))
}

/// A list in sysfs; an empty `nohz_full` prints as `(null)` on many kernels.
fn list(text: &str) -> Option<Vec<usize>> {
    if text == "(null)" { Some(Vec::new()) } else { cpu_list::parse(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::fixture::tree;

    fn isolation(files: &[(&str, &str)]) -> Isolation {
        let folder = tree(files);
        Isolation::read(&HostFiles::new(folder.path()))
    }

    #[test]
    fn sysfs_comes_first_and_the_command_line_fills_in() {
        let cmdline = "quiet isolcpus=managed_irq,domain,2-3 nohz_full=2-7 rcu_nocbs=8";
        let both = isolation(&[(ISOLATED, "2-5"), (NOHZ_FULL, "(null)"), (CMDLINE, cmdline)]);
        assert_eq!(both.cores(), [2, 3, 4, 5]);
        assert_eq!(both.tickless, Ok((NOHZ_FULL, vec![])));
        assert_eq!(both.callbacks, Ok((CMDLINE, vec![8])));
        let only = isolation(&[(CMDLINE, cmdline)]);
        assert_eq!(only.cores(), [2, 3]);
        assert_eq!(only.tickless, Ok((CMDLINE, vec![2, 3, 4, 5, 6, 7])));
        assert_eq!(only.callbacks, Ok((CMDLINE, vec![2, 3, 4, 5, 6, 7, 8])));
    }

    #[test]
    fn covered_cores_are_fine_open_ones_are_named_and_garbled_ones_unknown() {
        let found = isolation(&[(ISOLATED, "1-2"), (NOHZ_FULL, "x"), (CMDLINE, "nohz_full=y")]);
        let findings = found.findings(&[1, 2], true);
        let severities: Vec<_> = findings.iter().map(|finding| finding.severity).collect();
        assert_eq!(severities, [Severity::Fine, Severity::Unknown, Severity::Low]);
        let open = &found.findings(&[2, 3], true)[0];
        assert_eq!(open.severity, Severity::Medium);
        assert!(open.title.contains("cores 3 are not"), "{}", open.title);
        assert!(open.mend[0].ends_with("isolcpus=managed_irq,domain,2-3"), "{:?}", open.mend);
    }
}
