//! A connection to a control socket.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pitlane_engine::control::protocol::{ReplyLine, RequestLine, VERSION};
use thiserror::Error;

use super::peer::{Peer, connect, us};

/// An engine that answers later than this does not answer: a flip takes at most a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer: a reading of ten thousand instruments takes a few MB.
const REPLY_BYTES_MAX: usize = 64 << 20;

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
    /// For each answer.
    patience: Duration,
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
        stream.set_read_timeout(Some(patience)).map_err(no_engine)?;
        stream.set_write_timeout(Some(patience)).map_err(no_engine)?;
        Ok(Connection {
            path: path.to_owned(),
            peer,
            stream: BufReader::new(stream),
            line: Vec::new(),
            is_waiting: true,
            patience,
        })
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
        (self.is_waiting, self.patience) = (false, time);
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

    /// The next answer. Whoever listens there may be anything: a line has a largest length, and
    /// the patience is for the whole of it.
    pub(crate) fn answer(&mut self) -> Result<ReplyLine, ConnectionError> {
        let began = Instant::now();
        while self.line.last() != Some(&b'\n') {
            if self.line.len() > REPLY_BYTES_MAX {
                self.line.clear();
                return Err(self.no_reply(format!("a line of more than {REPLY_BYTES_MAX} bytes")));
            }
            if began.elapsed() > self.patience {
                return Err(self.nothing_came());
            }
            let chunk = match self.stream.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    return Err(ConnectionError::NotYet);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(self.nothing_came());
                }
                Err(_) => return Err(ConnectionError::Gone(self.path.clone())),
            };
            if chunk.is_empty() {
                return Err(ConnectionError::Gone(self.path.clone()));
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(chunk.len(), |end| end + 1);
            self.line.extend_from_slice(&chunk[..taken]);
            self.stream.consume(taken);
        }
        let line = std::mem::take(&mut self.line);
        let answer: ReplyLine =
            serde_json::from_slice(&line).map_err(|error| self.no_reply(error.to_string()))?;
        if answer.version != VERSION {
            let problem = format!("version {} of the protocol, not {VERSION}", answer.version);
            return Err(self.no_reply(problem));
        }
        Ok(answer)
    }

    fn nothing_came(&self) -> ConnectionError {
        match self.is_waiting {
            true => ConnectionError::Silent(self.path.clone()),
            false => ConnectionError::NotYet,
        }
    }

    fn no_reply(&self, problem: String) -> ConnectionError {
        ConnectionError::NoReply { path: self.path.clone(), problem }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixListener;

    use pitlane_engine::control::protocol::ControlRequest;

    use super::*;

    /// Connects to one who takes a line and then writes `bytes` again and again, with this pause.
    fn hear(bytes: &'static [u8], pause: Duration, patience: Duration) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("peer.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let peer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _asked = stream.read(&mut [0; 4_096]);
            while stream.write_all(bytes).is_ok() {
                std::thread::sleep(pause);
            }
        });
        let mut connection = Connection::open_within(&path, patience).unwrap();
        connection.send(&RequestLine { id: None, request: ControlRequest::Status {} }).unwrap();
        let error = connection.answer().unwrap_err().to_string();
        drop(connection);
        peer.join().unwrap();
        error
    }

    #[test]
    fn one_who_floods_drips_or_speaks_another_version_is_given_up_in_time_and_memory() {
        let long = Duration::from_secs(60);
        let flood = hear(&[b'x'; 1 << 20], Duration::ZERO, long);
        assert!(flood.contains("a line of more than"), "{flood}");
        let drip = hear(b" ", Duration::from_millis(5), Duration::from_millis(50));
        assert!(drip.contains("does not answer"), "{drip}");
        let other = b"{\"version\":9,\"id\":null,\"ok\":true,\"reply\":{\"kind\":\"stopping\"}}\n";
        let version = hear(other, Duration::from_millis(5), long);
        assert!(version.contains("version 9 of the protocol"), "{version}");
    }
}
