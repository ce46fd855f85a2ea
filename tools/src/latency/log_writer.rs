//! Writes an interval log to a file or to standard output, with the engine's own encoding.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use pitlane_engine::telemetry::{LineEncoder, log_head};

use super::console::Console;
use super::counts::to_histogram;
use super::distribution::Distribution;
use super::error::VerbError;
use super::line::printable;

/// Refuses to write to a log that is being read: it would be lost before it was read.
///
/// # Errors
/// [`VerbError::Usage`].
pub fn refuse_input(output: &str, inputs: &[String]) -> Result<(), VerbError> {
    let place = |name: &str| {
        let name = if name == "-" { "/dev/stdin" } else { name };
        fs::metadata(name).ok().map(|found| (found.dev(), found.ino()))
    };
    let Some(to) = place(output) else { return Ok(()) };
    if inputs.iter().any(|input| place(input) == Some(to)) && Path::new(output).is_file() {
        let what = format!("{}: is read from; write to another file", printable(output));
        return Err(VerbError::Usage(what));
    }
    Ok(())
}

/// Where a verb writes a log.
pub struct LogWriter {
    file: Option<(String, BufWriter<File>)>,
    encoder: LineEncoder,
    line: Vec<u8>,
    /// Intervals written.
    pub intervals: u64,
    /// Those of them that start before the log's start time, which no line can say.
    early: u64,
}

impl LogWriter {
    /// To this file, or to standard output when there is none. `inputs` are the logs that are read
    /// meanwhile.
    ///
    /// # Errors
    /// [`VerbError::Output`] when it can't be created, [`VerbError::Usage`] when it is one of
    /// `inputs`.
    pub fn create(output: Option<&str>, inputs: &[String]) -> Result<LogWriter, VerbError> {
        let file = match output.filter(|name| *name != "-") {
            None => None,
            Some(name) => {
                refuse_input(name, inputs)?;
                let file = File::create(name).map_err(|source| VerbError::output(name, source))?;
                Some((name.to_owned(), BufWriter::new(file)))
            }
        };
        Ok(LogWriter {
            file,
            encoder: LineEncoder::new(),
            line: Vec::new(),
            intervals: 0,
            early: 0,
        })
    }

    /// Writes version, start time, run header and legend.
    ///
    /// # Errors
    /// [`VerbError::Output`].
    pub fn head(
        &mut self,
        start_s: f64,
        header: &[String],
        console: &mut Console<'_>,
    ) -> Result<(), VerbError> {
        self.raw(log_head(start_s, header).as_bytes(), console)
    }

    /// Writes lines as they are.
    ///
    /// # Errors
    /// [`VerbError::Output`].
    pub fn raw(&mut self, bytes: &[u8], console: &mut Console<'_>) -> Result<(), VerbError> {
        match &mut self.file {
            None => {
                let written = console.out.write_all(bytes);
                written.map_err(|source| VerbError::output("standard output", source))
            }
            Some((name, file)) => {
                file.write_all(bytes).map_err(|source| VerbError::output(name, source))
            }
        }
    }

    /// Writes one interval that starts `start_s` seconds after the log's start time.
    ///
    /// # Errors
    /// [`VerbError::Output`].
    pub fn interval(
        &mut self,
        tag: Option<&str>,
        start_s: f64,
        length_s: f64,
        values: &impl Distribution,
        console: &mut Console<'_>,
    ) -> Result<(), VerbError> {
        let seconds = |s: f64| Duration::try_from_secs_f64(s.max(0.0)).unwrap_or(Duration::MAX);
        let histogram = to_histogram(values);
        let mut line = std::mem::take(&mut self.line);
        let (start, length) = (seconds(start_s), seconds(length_s));
        let encoded =
            self.encoder.encode(&mut line, tag.unwrap_or_default(), start, length, &histogram);
        let written = match encoded {
            Ok(()) => self.raw(&line, console),
            Err(source) => Err(VerbError::output("the interval", source)),
        };
        self.line = line;
        self.intervals += 1;
        self.early += u64::from(start_s < -1e-4);
        written
    }

    /// Writes what is still buffered, and warns of times that no line could say.
    ///
    /// # Errors
    /// [`VerbError::Output`].
    pub fn close(&mut self, console: &mut Console<'_>) -> Result<(), VerbError> {
        if self.early > 0 {
            let what = "intervals start before the log's StartTime and were written as of then";
            console.warn(&format!("{} {what}", self.early));
        }
        match &mut self.file {
            None => Ok(()),
            Some((name, file)) => file.flush().map_err(|source| VerbError::output(name, source)),
        }
    }
}
