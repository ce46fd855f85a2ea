//! A connected byte stream.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::tls::TlsStream;
use super::virtual_ends::VirtualStream;
use crate::world::tape::{Line, TapedStream};

/// A byte stream, non-blocking: `WouldBlock` when it has nothing to give or takes nothing now.
///
/// One match a call, no indirect call: the branch is always the same one in a run.
#[derive(Debug)]
pub enum Stream {
    /// TCP without TLS.
    Plain(TcpStream),
    /// TCP with TLS.
    Tls(Box<TlsStream>),
    /// In memory.
    Virtual(VirtualStream),
    /// One of which all that comes in is kept.
    Taped(Box<TapedStream<Stream>>),
}

impl Stream {
    /// Whether the attempt to connect has succeeded; with TLS, whether the peer has proved who it
    /// is. The first success also turns off the delay of
    /// small writes: orders are single small writes, none may wait for the one before to be
    /// acknowledged.
    ///
    /// # Errors
    /// Why the attempt has failed.
    pub fn is_connected(&mut self) -> io::Result<bool> {
        match self {
            Stream::Plain(stream) => has_arrived(stream),
            Stream::Tls(stream) => Ok(has_arrived(&stream.tcp)? && stream.is_agreed()?),
            Stream::Virtual(stream) => stream.is_connected(),
            Stream::Taped(stream) => stream.is_connected(),
        }
    }

    /// Ends the writing half: the peer reads the rest, then the end.
    ///
    /// # Errors
    /// The system's, as when the peer is gone already.
    pub fn shutdown_write(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.shutdown(Shutdown::Write),
            Stream::Tls(stream) => {
                stream.close();
                stream.tcp.shutdown(Shutdown::Write)
            }
            Stream::Virtual(stream) => {
                stream.shutdown_write();
                Ok(())
            }
            Stream::Taped(stream) => stream.shutdown_write(),
        }
    }

    /// Lets the drop that follows cut the connection: what is on its way is lost, and the peer
    /// reads `ConnectionReset`.
    ///
    /// # Errors
    /// The system's; the drop is an orderly end then.
    pub fn reset_on_drop(&self) -> io::Result<()> {
        let stream = match self {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => &stream.tcp,
            Stream::Virtual(stream) => {
                stream.reset();
                return Ok(());
            }
            Stream::Taped(stream) => return stream.reset_on_drop(),
        };
        Ok(rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO))?)
    }
}

impl Line for Stream {
    fn is_connected(&mut self) -> io::Result<bool> {
        Stream::is_connected(self)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Stream::shutdown_write(self)
    }

    fn reset_on_drop(&self) -> io::Result<()> {
        Stream::reset_on_drop(self)
    }
}

/// Whether TCP is connected. The first success also turns off the delay of small writes.
fn has_arrived(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => {
            stream.set_nodelay(true)?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

impl Read for Stream {
    #[inline]
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(bytes),
            Stream::Tls(stream) => stream.read(bytes),
            Stream::Virtual(stream) => stream.read(bytes),
            Stream::Taped(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
            Stream::Virtual(stream) => stream.write(bytes),
            Stream::Taped(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tls(stream) => stream.flush(),
            Stream::Taped(stream) => stream.flush(),
            Stream::Plain(_) | Stream::Virtual(_) => Ok(()),
        }
    }
}

/// A virtual stream is registered nowhere: no poller waits in a simulated world.
impl Source for Stream {
    fn register(&mut self, registry: &Registry, token: Token, want: Interest) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.register(registry, token, want),
            Stream::Tls(stream) => stream.tcp.register(registry, token, want),
            Stream::Taped(stream) => stream.register(registry, token, want),
            Stream::Virtual(_) => Ok(()),
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, want: Interest) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.reregister(registry, token, want),
            Stream::Tls(stream) => stream.tcp.reregister(registry, token, want),
            Stream::Taped(stream) => stream.reregister(registry, token, want),
            Stream::Virtual(_) => Ok(()),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.deregister(registry),
            Stream::Tls(stream) => stream.tcp.deregister(registry),
            Stream::Taped(stream) => stream.deregister(registry),
            Stream::Virtual(_) => Ok(()),
        }
    }
}
