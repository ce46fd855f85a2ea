//! The table of interrupts.

pub(crate) const INTERRUPTS: &str = "/proc/interrupts";

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InterruptLine {
    /// Its number, or its short name such as `LOC`.
    pub(crate) name: String,
    /// Counts, in the order of the table's cores.
    pub(crate) counts: Vec<u64>,
    /// Chip and device, as printed.
    pub(crate) what: String,
}

/// The whole table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interrupts {
    cores: Vec<usize>,
    pub(super) sources: Vec<InterruptLine>,
}

impl Interrupts {
    /// Reads the table; `None` when its head names no core.
    pub(crate) fn parse(text: &str) -> Option<Interrupts> {
        let mut lines = text.lines();
        let core = |word: &str| word.strip_prefix("CPU").and_then(|id| id.parse().ok());
        let cores: Vec<usize> = lines.next()?.split_whitespace().filter_map(core).collect();
        let sources = lines.filter_map(|line| source(line, cores.len())).collect();
        (!cores.is_empty()).then_some(Interrupts { cores, sources })
    }

    /// How often `source` came on `core` since the machine started.
    pub(super) fn count(&self, source: &InterruptLine, core: usize) -> u64 {
        let column = self.cores.iter().position(|other| *other == core);
        column.and_then(|column| source.counts.get(column)).copied().unwrap_or(0)
    }

    /// All interrupts of `core`.
    pub(super) fn total(&self, core: usize) -> u64 {
        self.sources.iter().fold(0, |sum, source| sum.saturating_add(self.count(source, core)))
    }

    /// The sources with the most interrupts on `core` since `before`, most first.
    pub(super) fn most(&self, before: &Interrupts, core: usize) -> Vec<(u64, String)> {
        let grown = |source: &InterruptLine| {
            let old = before.sources.iter().find(|other| other.name == source.name);
            let old = old.map_or(0, |old| before.count(old, core));
            (self.count(source, core).saturating_sub(old), source.name.clone())
        };
        let mut grown: Vec<_> = self.sources.iter().map(grown).filter(|(n, _)| *n > 0).collect();
        grown.sort_unstable_by(|a, b| b.cmp(a));
        grown
    }
}

fn source(line: &str, columns: usize) -> Option<InterruptLine> {
    let (name, rest) = line.split_once(':')?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let counts: Vec<u64> = words.iter().take(columns).map_while(|word| word.parse().ok()).collect();
    let what = words[counts.len()..].join(" ");
    Some(InterruptLine { name: name.trim().to_owned(), counts, what })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TABLE: &str = "           CPU0       CPU2       \n\
        \x2024:          1          7  IO-APIC   5-edge      ACPI:Ged\n\
        LOC:     107348     115431   Local timer interrupts\n\
        ERR:          0\n garbage\n";

    #[test]
    fn a_table_with_a_missing_core_is_read_by_its_head() {
        let table = Interrupts::parse(TABLE).unwrap();
        assert_eq!((table.total(0), table.total(1), table.total(2)), (107_349, 0, 115_438));
        assert_eq!(table.sources[0].what, "IO-APIC 5-edge ACPI:Ged");
        assert_eq!(table.sources.len(), 3);
        assert_eq!(Interrupts::parse("nothing"), None);
    }

    #[test]
    fn growth_is_named_by_source_and_a_counter_that_fell_is_no_growth() {
        let before = Interrupts::parse(TABLE).unwrap();
        let after = TABLE.replace("115431", "115500").replace("          7", "          3");
        let after = Interrupts::parse(&after).unwrap();
        assert_eq!(after.most(&before, 2), [(69, "LOC".to_owned())]);
        assert!(after.most(&before, 0).is_empty());
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[ CPU0-9:\\nA-C\u{0}-\u{ff}]{0,200}") {
            if let Some(table) = Interrupts::parse(&text) {
                let _sum = table.total(0);
            }
        }
    }
}
