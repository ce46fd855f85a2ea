//! Finds the engines that run on this machine.
//!
//! The system lists every Unix socket with the path it was bound to (`/proc/net/unix`); an engine
//! binds its own by the whole path where that fits. Those that this user may not enter do not
//! connect.

use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use pitlane_engine::control::SOCKET_NAME;
use pitlane_engine::control::protocol::{Reply, Request, RequestLine};

use super::Connection;

/// A running engine.
#[derive(Clone, Debug)]
pub(crate) struct Engines {
    pub(crate) path: PathBuf,
    pub(crate) pid: u32,
    pub(crate) run: String,
    pub(crate) uptime_ns: u64,
}

/// The socket to use: the given one, or that of the one engine that runs here.
///
/// # Errors
/// There is none, or there are several, in words for a person.
pub(crate) fn socket(given: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(path) = given {
        // A run's folder stands for its socket.
        let inside = [path.join("control").join(SOCKET_NAME), path.join(SOCKET_NAME)];
        let found = inside.into_iter().find(|path| path.exists());
        return Ok(found.unwrap_or_else(|| path.to_owned()));
    }
    let mut living = living(&listed());
    match (living.pop(), living.is_empty()) {
        (None, _) => {
            Err("no engine listens here; start one with `pitlane run`, or give its socket"
                .to_owned())
        }
        (Some(path), true) => Ok(path),
        (Some(path), false) => {
            living.push(path);
            let paths: Vec<_> = living.iter().map(|path| format!("  {}", path.display())).collect();
            let several = living.len();
            Err(format!(
                "{several} engines listen here; say which by its socket:\n{}",
                paths.join("\n")
            ))
        }
    }
}

/// Every engine that answers.
pub(crate) fn find_engines() -> Vec<Engines> {
    let ask = |path: PathBuf| {
        let mut connection = Connection::open(&path).ok()?;
        connection.send(&RequestLine { id: None, request: Request::Status {} }).ok()?;
        match connection.answer().ok()?.reply? {
            Reply::Status(status) => Some(Engines {
                path,
                pid: status.pid,
                run: status.run,
                uptime_ns: status.uptime_ns,
            }),
            _ => None,
        }
    };
    living(&listed()).into_iter().filter_map(ask).collect()
}

fn living(paths: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    paths.iter().filter(|path| UnixStream::connect(path).is_ok()).cloned().collect()
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
        assert!(living(&listed()).contains(&path));
        assert_eq!(socket(Some(dir.path())).as_ref(), Ok(&path));
        assert_eq!(socket(Some(&folder)).as_ref(), Ok(&path));
        assert_eq!(socket(Some(&path)).as_ref(), Ok(&path));
        drop(listener);
        assert!(!living(&listed()).contains(&path));
    }
}
