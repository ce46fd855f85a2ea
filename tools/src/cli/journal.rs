//! Arguments of `journal`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// What `pitlane journal` can do.
#[derive(Debug, Subcommand)]
pub enum JournalVerb {
    /// List the segments of a journal, one a line.
    Ls {
        /// The folder, such as `runs/run-1767225600000/journal`.
        folder: PathBuf,
    },
    /// Read every record, and say up to where the journal is whole. Exit code 1 when it is damaged.
    Verify {
        /// The folder.
        folder: PathBuf,
    },
    /// Print records, one a line.
    Dump {
        /// The folder.
        folder: PathBuf,
        /// Which of them.
        #[command(flatten)]
        filter: RecordFilter,
        /// Only the last so many.
        #[arg(long, value_name = "NUMBER")]
        last: Option<usize>,
    },
    /// Sums: records by kind, orders, fills and ends by strategy.
    Stats {
        /// The folder.
        folder: PathBuf,
    },
    /// Write records for another program, with names in place of numbers.
    Export {
        /// The folder.
        folder: PathBuf,
        /// Which of them.
        #[command(flatten)]
        filter: RecordFilter,
        /// One JSON object a line, or comma-separated values with a head.
        #[arg(long, value_name = "FORM", default_value = "jsonl")]
        format: RecordForm,
        /// A file to write [default: stdout]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Which records.
#[derive(Clone, Debug, Default, Args)]
pub struct RecordFilter {
    /// Only this kind: run_start, named, intent, word, trading, control, run_stop, risk,
    /// balance.
    #[arg(long)]
    pub kind: Option<String>,
    /// Only of the order with this number.
    #[arg(long, value_name = "NUMBER")]
    pub order: Option<u64>,
    /// Only of this strategy.
    #[arg(long, value_name = "NAME")]
    pub strategy: Option<String>,
}

/// Form of exported records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RecordForm {
    /// One JSON object a line.
    #[default]
    Jsonl,
    /// Comma-separated values with a head.
    Csv,
}
