//! Takes connections at an address.

use std::io;
use std::net::SocketAddr;

use mio::event::Source;
use mio::net::TcpListener;
use mio::{Interest, Registry, Token};

use super::Stream;
use super::virtual_ends::VirtualListener;

/// A listener, non-blocking.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Plain(TcpListener),
    /// In memory.
    Virtual(VirtualListener),
}

impl Listener {
    /// The next connection and its peer's address.
    ///
    /// # Errors
    /// `WouldBlock` when there is none now; the system's.
    pub fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Listener::Plain(listener) => {
                let (stream, peer) = listener.accept()?;
                Ok((Stream::Plain(stream), peer))
            }
            Listener::Virtual(listener) => {
                let (stream, peer) = listener.accept()?;
                Ok((Stream::Virtual(stream), peer))
            }
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system's.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        match self {
            Listener::Plain(listener) => listener.local_addr(),
            Listener::Virtual(listener) => Ok(listener.address()),
        }
    }
}

/// A virtual listener is registered nowhere: no poller waits in a simulated world.
impl Source for Listener {
    fn register(&mut self, registry: &Registry, token: Token, want: Interest) -> io::Result<()> {
        match self {
            Listener::Plain(listener) => listener.register(registry, token, want),
            Listener::Virtual(_) => Ok(()),
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, want: Interest) -> io::Result<()> {
        match self {
            Listener::Plain(listener) => listener.reregister(registry, token, want),
            Listener::Virtual(_) => Ok(()),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Listener::Plain(listener) => listener.deregister(registry),
            Listener::Virtual(_) => Ok(()),
        }
    }
}
