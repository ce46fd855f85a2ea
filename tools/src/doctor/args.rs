//! The command line of `doctor`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use super::cpu_list;
use crate::duration::parse_duration;

const TEACH: &str = "\
Each finding says what was read, what it costs, and the command that mends it:
  high     in every run: stalls of milliseconds, or times that can't be believed
  medium   under load or in the tail: tens of microseconds and more
  low      microseconds now and then; for a machine that does nothing else
  unknown  it could not be read; nothing is guessed
Costs are orders of magnitude of common hardware. Only --matrix and --hiccups
measure this one.

Examples:
  doctor                              look at this machine, for the default run
  doctor --config my.toml             for the venues and consumers of my.toml
  doctor --toml >> my.toml            the [cores] table alone
  doctor --strict                     for start scripts: 1 on a high finding
  doctor --matrix                     core-to-core latency of the usable cores
  doctor --matrix=0-7 --json          the same for some, as JSON
  doctor --hiccups 10s                how long the platform stops a thread
  doctor --root /mnt/snapshot         a copy of another host's /proc and /sys
  sudo scripts/tune-host.sh --dry-run --cores 2-7
                                      what can be mended at run time, and undone

Exit codes:
  0  looked at everything             2  command line or configuration
  1  --strict, and a finding is high  3  the host or a file can't be read";

/// Says what this machine gives the engine, what costs latency here and how to mend it, and which
/// cores to use. Changes nothing; needs no root, but with it fewer things are unknown.
#[derive(Clone, Debug, Parser)]
#[command(name = "doctor", version, after_help = TEACH, max_term_width = 80)]
pub(crate) struct Args {
    /// Configuration whose venues and consumers are planned for; its own [cores] is not looked at
    /// [default: that of the default run]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Folder that holds the host's proc and sys; only with / things are measured
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(crate) root: PathBuf,
    /// Print one JSON object instead
    #[arg(long, conflicts_with = "toml")]
    pub(crate) json: bool,
    /// Print only the [cores] table
    #[arg(long)]
    pub(crate) toml: bool,
    /// End with 1 when a finding is high
    #[arg(long)]
    pub(crate) strict: bool,
    /// Show also what is fine, with what was read
    #[arg(long)]
    pub(crate) all: bool,
    /// Time over which interrupts and stolen time are counted: 500ms, 10s
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = parse_duration)]
    pub(crate) sample: Duration,
    /// Measure core-to-core latency, of these cores [default: all usable]
    #[arg(long, value_name = "CORES", num_args = 0..=1, require_equals = true)]
    #[arg(value_parser = some_cores, default_missing_value = "")]
    pub(crate) matrix: Option<Cores>,
    /// Watch the planned cores for this long, spinning
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) hiccups: Option<Duration>,
}

/// Cores to measure; none means all usable ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cores(pub(crate) Vec<usize>);

fn some_cores(text: &str) -> Result<Cores, String> {
    let cores = cpu_list::parse(text).map(Cores);
    cores.ok_or_else(|| "expected cores such as 0-3,8".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound_and_help_fits_eighty_columns() {
        Args::command().debug_assert();
        let help = Args::command().render_long_help().to_string();
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn a_matrix_takes_cores_or_none() {
        let matrix = |line: &str| {
            Args::try_parse_from(["doctor", line]).map(|args| args.matrix.map(|cores| cores.0))
        };
        assert_eq!(matrix("--matrix").unwrap(), Some(vec![]));
        assert_eq!(matrix("--matrix=0-1,4").unwrap(), Some(vec![0, 1, 4]));
        assert_eq!(matrix("--json").unwrap(), None);
        assert!(matrix("--matrix=x").is_err());
        assert!(Args::try_parse_from(["doctor", "--json", "--toml"]).is_err());
    }
}
