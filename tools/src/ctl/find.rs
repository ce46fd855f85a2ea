//! Finds the engines of this user that run on this machine.
//!
//! The system lists every Unix socket with the path it was bound to (`/proc/net/unix`); an engine
//! binds its own by the whole path where that fits. A socket's name proves nothing: whoever listens
//! must be of this user, and those of others are left out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pitlane_engine::control::protocol::{ControlRequest, Reply, RequestLine};
use pitlane_engine::control::{SOCKET_NAME, Status};

use super::connection::{Connection, ConnectionError};
use super::engine_list::{Engines, engines};
use super::peer::{Peer, connect};

/// How long an engine that is only listed has to answer.
const LIST_PATIENCE: Duration = Duration::from_secs(1);

/// Which engine a command is for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) socket: Option<&'a Path>,
    pub(crate) pid: Option<u32>,
}

/// The socket to use: the given one, that of the given process, or that of the one engine that runs
/// here.
///
/// # Errors
/// There is none, or there are several, in words for a person.
pub(crate) fn socket(wanted: Wanted<'_>) -> Result<PathBuf, String> {
    if let Some(path) = wanted.socket {
        // A run's folder stands for its socket.
        let inside = [path.join("control").join(SOCKET_NAME), path.join(SOCKET_NAME)];
        let found = inside.into_iter().find(|path| path.exists());
        return Ok(found.unwrap_or_else(|| path.to_owned()));
    }
    let mut living = living(&listed());
    if let Some(pid) = wanted.pid {
        living.retain(|(_, peer)| peer.pid == pid);
        let none =
            || format!("process {pid} is no engine of this user; `pitlane ctl list` shows all");
        return living.pop().map(|(path, _)| path).ok_or_else(none);
    }
    match (living.pop(), living.len()) {
        (None, _) => {
            Err("no engine listens here; start one with `pitlane run`, or give its socket"
                .to_owned())
        }
        (Some((path, _)), 0) => Ok(path),
        (Some(_), others) => {
            let several = others + 1;
            let list = engines(&find_engines());
            Err(format!("{several} engines listen here; say which by --pid or --socket:\n{list}"))
        }
    }
}

/// Every engine of this user.
pub(crate) fn find_engines() -> Vec<Engines> {
    let ask = |path: &Path| -> Result<Option<Box<Status>>, ConnectionError> {
        let mut connection = Connection::open_within(path, LIST_PATIENCE)?;
        connection.send(&RequestLine { id: None, request: ControlRequest::Status {} })?;
        Ok(match connection.answer()?.reply {
            Some(Reply::Status(status)) => Some(status),
            _ => None,
        })
    };
    let look = |(path, peer): (PathBuf, Peer)| {
        let status = ask(&path).ok().flatten();
        Engines { path, peer, status }
    };
    living(&listed()).into_iter().map(look).collect()
}

/// Those that somebody of this user listens at.
fn living(paths: &BTreeSet<PathBuf>) -> Vec<(PathBuf, Peer)> {
    let ours = |path: &PathBuf| {
        let (_stream, peer) = connect(path, Duration::ZERO).ok()?;
        peer.is_ours().then(|| (path.clone(), peer))
    };
    paths.iter().filter_map(ours).collect()
}

/// Sockets that are named as an engine's.
fn listed() -> BTreeSet<PathBuf> {
    let text = std::fs::read_to_string("/proc/net/unix").unwrap_or_default();
    paths_in(&text).collect()
}

/// The paths in the system's list whose file is named as an engine's socket.
fn paths_in(text: &str) -> impl Iterator<Item = PathBuf> {
    text.lines().filter_map(|line| {
        let at = line.find('/')?;
        let path = Path::new(&line[at..]);
        path.ends_with(SOCKET_NAME).then(|| path.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_list_gives_engines_sockets_only() {
        let text = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 23456 /run/dbus/socket\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 23457 /a b/control/pitlane.sock\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 23458\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 23459 @/x/pitlane.sock.old\n";
        let paths: Vec<_> = paths_in(text).collect();
        assert_eq!(paths, [PathBuf::from("/a b/control/pitlane.sock")]);
    }

    #[test]
    fn an_engine_here_is_found_by_its_socket_or_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("control");
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join(SOCKET_NAME);
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let is_living = || living(&listed()).iter().any(|(one, _)| *one == path);
        assert!(is_living());
        for given in [dir.path(), &folder, &path] {
            let wanted = Wanted { socket: Some(given), pid: None };
            assert_eq!(socket(wanted).as_ref(), Ok(&path));
        }
        let by_pid = |pid| socket(Wanted { socket: None, pid: Some(pid) });
        assert_eq!(by_pid(std::process::id()).as_ref(), Ok(&path));
        assert!(by_pid(u32::MAX).unwrap_err().contains("is no engine of this user"));
        drop(listener);
        assert!(!is_living());
    }
}
