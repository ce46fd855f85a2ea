//! A connection to a control socket.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pitlane_engine::control::protocol::{ReplyLine, RequestLine};
use thiserror::Error;

use super::peer::{Peer, connect, us};

/// An engine that answers later than this does not answer: a flip takes at most a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub(crate) enum ConnectionError {
    #[error("no engine listens at {}: {source}", path.display())]
    NoEngine { path: PathBuf, source: io::Error },
    #[error(
        "process {} of user {} listens at {}, not one of user {}: nothing was sent to it; what \
         belongs to another user is controlled as that user (sudo -u '#{}' pitlane ctl ...)",
        peer.pid, peer.uid, path.display(), us(), peer.uid
    )]
    Foreign { path: PathBuf, peer: Peer },
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
    peer: Peer,
    stream: BufReader<UnixStream>,
    line: Vec<u8>,
    is_waiting: bool,
}

impl Connection {
    /// Connects to an engine of this user.
    ///
    /// # Errors
    /// None listens there, or a process of another user does: it is told nothing.
    pub(crate) fn open(path: &Path) -> Result<Connection, ConnectionError> {
        Connection::open_within(path, PATIENCE)
    }

    /// The same, with a patience of its own for each step.
    pub(super) fn open_within(
        path: &Path,
        patience: Duration,
    ) -> Result<Connection, ConnectionError> {
        let no_engine = |source| ConnectionError::NoEngine { path: path.to_owned(), source };
        let (stream, peer) = connect(path, patience).map_err(no_engine)?;
        if !peer.is_ours() {
            return Err(ConnectionError::Foreign { path: path.to_owned(), peer });
        }
        let patience = Some(patience);
        stream.set_read_timeout(patience).map_err(no_engine)?;
        stream.set_write_timeout(patience).map_err(no_engine)?;
        let stream = BufReader::new(stream);
        Ok(Connection { path: path.to_owned(), peer, stream, line: Vec::new(), is_waiting: true })
    }

    /// Who listens at the other end.
    pub(crate) fn peer(&self) -> Peer {
        self.peer
    }

    /// The socket.
    pub(crate) fn path(&self) -> &Path {
        &self.path
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
