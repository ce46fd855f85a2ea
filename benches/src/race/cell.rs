//! One cell of the race: a kind of load on a number of consumers.

/// What is measured, on what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// As much as goes through.
    Saturated,
    /// This many records a second.
    Paced(u64),
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RaceCell {
    /// The load.
    pub(crate) load: Load,
    /// Consumers.
    pub(crate) consumers: usize,
    /// Bytes of a record: 64, 128 or 384.
    pub(crate) bytes: usize,
}

impl RaceCell {
    /// The name that `--only` looks in.
    pub(crate) fn name(&self) -> String {
        let RaceCell { load, consumers, bytes } = self;
        match load {
            Load::Saturated => format!("saturated/{consumers}x{bytes}"),
            Load::Paced(rate) => format!("paced-{rate}/{consumers}x{bytes}"),
        }
    }

    /// What its figures are.
    pub(crate) fn unit(&self) -> &'static str {
        match self.load {
            Load::Saturated => "M copies/s",
            Load::Paced(_) => "p50 ns",
        }
    }

    /// Whether more is better.
    pub(crate) fn is_throughput(&self) -> bool {
        self.load == Load::Saturated
    }
}
