//! A connection to a control socket.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pitlane_engine::control::protocol::{ReplyLine, RequestLine};
use thiserror::Error;

/// An engine that answers later than this does not answer: a flip takes at most a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub(crate) enum ConnectionError {
    #[error("no engine listens at {}: {source}", path.display())]
    NoEngine { path: PathBuf, source: io::Error },
    #[error("the engine at {} has gone away", .0.display())]
    Gone(PathBuf),
    #[error("the engine at {} does not answer", .0.display())]
    Silent(PathBuf),
    #[error("the engine at {} answers what is no reply: {problem}", path.display())]
    NoReply { path: PathBuf, problem: String },
    /// Nothing has come in the time that was given; what has come of a line is kept.
    #[error("nothing has come yet")]
    NotYet,
}

/// One connection.
pub(crate) struct Connection {
    path: PathBuf,
    stream: BufReader<UnixStream>,
    line: Vec<u8>,
    is_waiting: bool,
}

impl Connection {
    /// Connects.
    pub(crate) fn open(path: &Path) -> Result<Connection, ConnectionError> {
        let set_up = || {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        };
        let stream = set_up()
            .map_err(|source| ConnectionError::NoEngine { path: path.to_owned(), source })?;
        let stream = BufReader::new(stream);
        Ok(Connection { path: path.to_owned(), stream, line: Vec::new(), is_waiting: true })
    }

    /// From now on [`Connection::answer`] waits no longer than this, and then says that nothing has
    /// come.
    pub(crate) fn wait_at_most(&mut self, time: Duration) -> Result<(), ConnectionError> {
        self.is_waiting = false;
        let set = self.stream.get_ref().set_read_timeout(Some(time));
        set.map_err(|_| ConnectionError::Gone(self.path.clone()))
    }

    /// Sends a request.
    pub(crate) fn send(&mut self, line: &RequestLine) -> Result<(), ConnectionError> {
        let text = format!("{}\n", line.text());
        let sent = self.stream.get_mut().write_all(text.as_bytes());
        match sent {
            // An engine that takes nobody more says so and closes: its word is still to be read.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(_) => Err(ConnectionError::Gone(self.path.clone())),
            Ok(()) => Ok(()),
        }
    }

    /// The next answer.
    pub(crate) fn answer(&mut self) -> Result<ReplyLine, ConnectionError> {
        match self.stream.read_until(b'\n', &mut self.line) {
            Ok(_) if self.line.last() == Some(&b'\n') => {}
            Ok(_) => return Err(ConnectionError::Gone(self.path.clone())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                return Err(ConnectionError::NotYet);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(match self.is_waiting {
                    true => ConnectionError::Silent(self.path.clone()),
                    false => ConnectionError::NotYet,
                });
            }
            Err(_) => return Err(ConnectionError::Gone(self.path.clone())),
        }
        let line = std::mem::take(&mut self.line);
        serde_json::from_slice(&line).map_err(|error| ConnectionError::NoReply {
            path: self.path.clone(),
            problem: error.to_string(),
        })
    }
}
