//! What the kernel says of the time of each core.

pub(crate) const STAT: &str = "/proc/stat";

/// Fields of a line that make up its whole time; guest time behind them is part of user time.
const FIELDS: usize = 8;
const STEAL: usize = 7;

/// Time of each core in clock ticks, by cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTimes {
    /// Core and its fields: user, nice, system, idle, iowait, irq, softirq, steal.
    cores: Vec<(usize, [u64; FIELDS])>,
}

impl CpuTimes {
    /// `None` when no line is about a core.
    pub(crate) fn parse(text: &str) -> Option<CpuTimes> {
        let line = |line: &str| {
            let mut words = line.strip_prefix("cpu")?.split(' ');
            let core = words.next()?.parse().ok()?;
            let mut fields = [0; FIELDS];
            for (field, word) in fields.iter_mut().zip(words) {
                *field = word.parse().ok()?;
            }
            Some((core, fields))
        };
        let cores: Vec<_> = text.lines().filter_map(line).collect();
        (!cores.is_empty()).then_some(CpuTimes { cores })
    }

    /// Thousandths of the time of `core` since `before` that were stolen; `None` when no time
    /// passed.
    pub(super) fn stolen(&self, before: &CpuTimes, core: usize) -> Option<u64> {
        let of = |times: &CpuTimes| times.cores.iter().find(|(id, _)| *id == core).map(|(_, f)| *f);
        let (new, old) = (of(self)?, of(before).unwrap_or_default());
        let grown: Vec<u64> =
            new.iter().zip(old).map(|(new, old)| new.saturating_sub(old)).collect();
        let whole = grown.iter().fold(0_u64, |sum, field| sum.saturating_add(*field));
        grown[STEAL].saturating_mul(1_000).checked_div(whole)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stolen_time_is_a_share_of_what_passed() {
        let before = CpuTimes::parse("cpu  1 1\ncpu0 10 0 10 70 0 0 0 10 5 0\nintr 1").unwrap();
        let after = CpuTimes::parse("cpu0 20 0 10 150 0 0 0 20 9 0\ncpu1 0 0 0 0").unwrap();
        assert_eq!(after.stolen(&CpuTimes::default(), 0), Some(100));
        assert_eq!(after.stolen(&before, 0), Some(100));
        assert_eq!(before.stolen(&before, 0), None, "no time passed");
        assert_eq!(after.stolen(&before, 7), None, "no such core");
        assert_eq!(CpuTimes::parse("cpu  1 2 3"), None);
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "(cpu[0-9]{0,4}( [0-9]{1,22}){0,12}\\n|[ -~]{0,20}\\n){0,6}") {
            if let Some(times) = CpuTimes::parse(&text) {
                for (core, _) in &times.cores {
                    let _share = times.stolen(&CpuTimes::default(), *core);
                }
            }
        }
    }
}
