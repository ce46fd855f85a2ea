//! An engine in a process of its own: started, asked, stopped, killed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use pitlane_engine::control::Status;
use pitlane_engine::control::protocol::{ControlRequest, Reply, RequestLine};
use pitlane_engine::simulation::Facts;
use pitlane_engine::simulation::real::Places;
use rustix::process::{Pid, Signal, kill_process};

use crate::ctl::Connection;

/// Bytes of its last words that are shown.
const LAST_WORDS_MAX: usize = 2_000;

/// A running engine. Dropping it kills it.
pub(super) struct Engine {
    child: Child,
    socket: PathBuf,
    told: PathBuf,
    told_bytes: u64,
    output: PathBuf,
    words: PathBuf,
}

impl Engine {
    /// Starts the engine of this number from the `program`; what it prints goes to files.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn start(program: &Path, places: &Places, number: usize) -> io::Result<Engine> {
        let (output, words) = (places.output(number, "json"), places.output(number, "log"));
        let told = places.told(number);
        let child = Command::new(program)
            .args(["run", "--report", "json", "--config"])
            .arg(places.config())
            .arg("--witness")
            .arg(&told)
            .args(["--judge", &std::process::id().to_string()])
            .stdin(Stdio::null())
            .stdout(File::create(&output)?)
            .stderr(File::create(&words)?)
            // Ctrl-C is for who runs the seed: it ends this one.
            .process_group(0)
            .spawn()?;
        Ok(Engine { child, socket: places.socket(), told, told_bytes: 0, output, words })
    }

    /// How it has ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks it for something, as `pitlane ctl` does.
    ///
    /// # Errors
    /// Its refusal, or why there is no answer, in words.
    pub(super) fn ask(&self, request: ControlRequest) -> Result<Reply, String> {
        let mut connection = Connection::open(&self.socket).map_err(|error| error.to_string())?;
        let line = RequestLine { id: None, request };
        connection.send(&line).map_err(|error| error.to_string())?;
        let answer = connection.answer().map_err(|error| error.to_string())?;
        match (answer.reply, answer.refusal) {
            (Some(reply), _) => Ok(reply),
            (None, Some(refusal)) => Err(refusal.message),
            (None, None) => Err("it answers nothing".to_owned()),
        }
    }

    /// A reading; `None` without an answer.
    pub(super) fn status(&self) -> Option<Box<Status>> {
        match self.ask(ControlRequest::Status {}) {
            Ok(Reply::Status(status)) => Some(status),
            _ => None,
        }
    }

    /// What its strategies were told since it was asked last.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn told(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut file = match File::open(&self.told) {
            // It has not begun.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(bytes),
            file => file?,
        };
        file.seek(SeekFrom::Start(self.told_bytes))?;
        file.read_to_end(&mut bytes)?;
        self.told_bytes += bytes.len() as u64;
        Ok(bytes)
    }

    /// SIGKILL: it ends at once.
    pub(super) fn kill(&mut self) {
        let _ended_by_itself = self.child.kill();
        let _reaped_before = self.child.wait();
    }

    /// SIGTERM: asks it to stop in order.
    pub(super) fn stop(&self) {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            let _has_ended = kill_process(pid, Signal::TERM);
        }
    }

    /// What it has reported at its end.
    ///
    /// # Errors
    /// Why there is no report, in words.
    pub(super) fn facts(&self, ended: ExitStatus) -> Result<Facts, String> {
        let code = ended.code().and_then(|code| u8::try_from(code).ok());
        let Some(code) = code else { return Err(format!("the engine {}", how(ended))) };
        let text = std::fs::read_to_string(&self.output).map_err(|error| error.to_string())?;
        Facts::parse(&text, code)
            .map_err(|error| format!("the engine {}, without a report: {error}", how(ended)))
    }

    /// The end of what it has said.
    pub(super) fn last_words(&self) -> String {
        let words = std::fs::read(&self.words).unwrap_or_default();
        let from = words.len().saturating_sub(LAST_WORDS_MAX);
        String::from_utf8_lossy(&words[from..]).into_owned()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How a process has ended.
pub(super) fn how(ended: ExitStatus) -> String {
    match (ended.code(), ended.signal()) {
        (Some(code), _) => format!("ended with {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
