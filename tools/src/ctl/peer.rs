//! Who listens at a socket: the system's word, not the socket's name.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Pause between two tries to reach a listener whose queue is full.
const PAUSE: Duration = Duration::from_millis(5);

/// The process that listens, and its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) uid: u32,
    pub(crate) pid: u32,
}

impl Peer {
    /// Asks the system, which took it down when the other end began to listen.
    fn of(stream: &UnixStream) -> io::Result<Peer> {
        let credentials = rustix::net::sockopt::socket_peercred(stream)?;
        let pid = credentials.pid.as_raw_nonzero().get().unsigned_abs();
        Ok(Peer { uid: credentials.uid.as_raw(), pid })
    }

    /// Whether it is of this user.
    pub(crate) fn is_ours(self) -> bool {
        self.uid == us()
    }
}

/// The user that this process acts as.
pub(crate) fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Connects, and says to whom. A listener that takes nobody is waited for as long as `patience`.
pub(super) fn connect(path: &Path, patience: Duration) -> io::Result<(UnixStream, Peer)> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let started = Instant::now();
    loop {
        match rustix::net::connect(&socket, &address) {
            Ok(()) => break,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if started.elapsed() < patience => std::thread::sleep(PAUSE),
            Err(error) => return Err(error.into()),
        }
    }
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    let peer = Peer::of(&stream)?;
    Ok((stream, peer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_names_who_listens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let (_stream, peer) = connect(&path, Duration::ZERO).unwrap();
        assert_eq!(peer, Peer { uid: us(), pid: std::process::id() });
        assert!(peer.is_ours() && !Peer { uid: us() + 1, ..peer }.is_ours());
    }

    #[test]
    fn a_listener_that_takes_nobody_holds_nobody_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let address = SocketAddrUnix::new(&path).unwrap();
        let flags = SocketFlags::CLOEXEC;
        let mute =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        rustix::net::bind(&mute, &address).unwrap();
        rustix::net::listen(&mute, 0).unwrap();
        // One waits in the queue, which then is full.
        let _first = connect(&path, Duration::ZERO).unwrap();
        let error = connect(&path, 2 * PAUSE).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
