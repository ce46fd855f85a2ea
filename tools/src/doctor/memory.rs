//! What the kernel does with memory behind a program's back: huge pages, swap, moving between
//! nodes.

use super::finding::{Finding, Severity};
use super::scene::Scene;

const THP: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
const DEFRAG: &str = "/sys/kernel/mm/transparent_hugepage/defrag";
const SWAPS: &str = "/proc/swaps";
const BALANCING: &str = "/proc/sys/kernel/numa_balancing";
const KSM: &str = "/sys/kernel/mm/ksm/run";

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    vec![huge_pages(scene), swap(scene), balancing(scene), same_page_merging(scene)]
}

/// The word in brackets of `always [madvise] never`.
fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0.to_owned())
}

fn huge_pages(scene: &Scene<'_>) -> Finding {
    const ID: &str = "memory.thp";
    let mode = match scene.files.parsed(THP, chosen) {
        Ok(mode) => mode,
        Err(unread) => return Finding::unknown(ID, "transparent huge pages", &unread),
    };
    if mode != "always" {
        return Finding::fine(ID, format!("transparent huge pages only on request: {mode}"))
            .read(THP, mode);
    }
    let mut finding =
        Finding::new(ID, Severity::Medium, "transparent huge pages everywhere").read(THP, mode);
    if let Ok(mode) = scene.files.parsed(DEFRAG, chosen) {
        finding = finding.read(DEFRAG, mode);
    }
    finding
        .costs(
            "khugepaged rebuilds memory in use: 0.01 to 1 ms of waiting for whoever touches it, \
             more when memory has to be compacted first.",
        )
        .mend(scene.tune("thp"))
        .mend(format!("echo madvise | sudo tee {THP}"))
}

fn swap(scene: &Scene<'_>) -> Finding {
    const ID: &str = "memory.swap";
    let text = match scene.files.text(SWAPS) {
        Ok(text) => text,
        Err(unread) => return Finding::unknown(ID, "swap", &unread),
    };
    let areas: Vec<Vec<&str>> =
        text.lines().skip(1).map(|l| l.split_whitespace().collect()).collect();
    let kib = |column: usize| {
        let sizes = areas.iter().filter_map(|area| area.get(column)?.parse::<u64>().ok());
        sizes.fold(0, u64::saturating_add)
    };
    if areas.is_empty() {
        return Finding::fine(ID, "no swap").read(SWAPS, "no area");
    }
    let value = format!("{} areas, {} KiB, {} KiB used", areas.len(), kib(2), kib(3));
    Finding::new(ID, Severity::Medium, "swap is on")
        .read(SWAPS, value)
        .costs("A page that was moved out costs 0.1 to 10 ms when it is touched again.")
        .mend("sudo swapoff -a    # and take it out of /etc/fstab")
        .mend(scene.tune("memory"))
}

fn balancing(scene: &Scene<'_>) -> Finding {
    const ID: &str = "memory.numa_balancing";
    let mode = match scene.files.text(BALANCING) {
        Ok(mode) => mode,
        Err(unread) => return Finding::unknown(ID, "moving of pages between nodes", &unread),
    };
    let mut nodes: Vec<_> = scene.topology.cpus.iter().filter_map(|cpu| cpu.node).collect();
    nodes.dedup();
    if mode == "0" || nodes.len() < 2 {
        return Finding::fine(ID, "pages are not moved between nodes")
            .read(BALANCING, format!("{mode} on {} nodes", nodes.len().max(1)));
    }
    Finding::new(ID, Severity::Medium, "the kernel moves pages between memory nodes")
        .read(BALANCING, mode)
        .costs("It unmaps pages to see who uses them: faults of 1 to 10 us, thousands at a time.")
        .mend(scene.tune("memory"))
        .mend(format!("echo 0 | sudo tee {BALANCING}"))
}

fn same_page_merging(scene: &Scene<'_>) -> Finding {
    const ID: &str = "memory.ksm";
    match scene.files.text(KSM) {
        Ok(mode) if mode == "1" => Finding::new(ID, Severity::Low, "equal pages are merged")
            .read(KSM, mode)
            .costs(
                "Only pages that asked for it (virtual machines): a copy fault of 1 to 5 us each.",
            )
            .mend(scene.tune("memory"))
            .mend(format!("echo 0 | sudo tee {KSM}")),
        Ok(mode) => Finding::fine(ID, "equal pages are not merged").read(KSM, mode),
        Err(unread) if unread.reason == "not there" => {
            Finding::fine(ID, "the kernel can't merge equal pages").read(KSM, "not there")
        }
        Err(unread) => Finding::unknown(ID, "merging of equal pages", &unread),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_word_stands_in_brackets() {
        assert_eq!(chosen("always [madvise] never").as_deref(), Some("madvise"));
        assert_eq!(chosen("always madvise"), None);
        assert_eq!(chosen("]["), None);
    }
}
