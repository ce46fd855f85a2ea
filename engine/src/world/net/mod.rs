//! The network seam: streams, listeners and names, of the system or of a virtual net in memory.
//!
//! Nothing here blocks but [`Net::resolve`]. A stream is what mio has of it: `Read`, `Write` and an
//! event source. A virtual one wakes no poller: whoever schedules a simulated world runs its agents
//! again when [`VirtualNet::next_due_ns`] says so.

#![allow(clippy::disallowed_methods, reason = "the seam itself")]

mod listener;
mod pipe;
mod resolver;
mod stream;
mod tls;
mod virtual_ends;
mod virtual_net;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

pub use listener::Listener;
pub use resolver::Lookup;
use resolver::Resolver;
pub use stream::Stream;
pub use tls::{TlsError, TlsPeer, TlsTrust};
use virtual_ends::{VirtualListener, VirtualStream};
pub use virtual_net::{NetConditions, NetTotals, Reader, VirtualNet};

use super::tape::{self, Begun, Tag, TapedStream};

/// Opens streams and listeners, and finds the addresses of names. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Net {
    /// The system's.
    Real(Real),
    /// In memory, in virtual time.
    Virtual(VirtualNet),
    /// Another net, of which all that comes in is kept on the thread's tape; `None` where a tape is
    /// played, and nothing is behind it.
    Taped(Option<Arc<Net>>),
}

/// The system's network.
#[derive(Clone, Debug, Default)]
pub struct Real {
    resolver: Arc<Resolver>,
}

impl Default for Net {
    fn default() -> Net {
        Net::real()
    }
}

impl Net {
    /// The system's network.
    #[must_use]
    pub fn real() -> Net {
        Net::Real(Real::default())
    }

    /// The same network, all that comes in from which is kept on the tape of the thread.
    #[must_use]
    pub fn taped(self) -> Net {
        Net::Taped(Some(Arc::new(self)))
    }

    /// Starts to connect, over TLS where `peer` says to whom; [`Stream::is_connected`] says when
    /// that has succeeded. A virtual net has no TLS, and no need of it.
    ///
    /// # Errors
    /// The system's. A refusal may show only later.
    pub fn connect(&self, address: SocketAddr, peer: Option<&TlsPeer>) -> io::Result<Stream> {
        let tcp = match self {
            Net::Real(_) => mio::net::TcpStream::connect(address)?,
            Net::Virtual(net) => return Ok(Stream::Virtual(VirtualStream::connect(net, address))),
            Net::Taped(behind) => {
                let begin = || live(behind).and_then(|net| net.connect(address, peer));
                return Ok(match TapedStream::connect(address, begin)? {
                    Begun::Taped(stream) => Stream::Taped(Box::new(stream)),
                    Begun::Live(stream) => stream,
                });
            }
        };
        Ok(match peer {
            Some(peer) => Stream::Tls(Box::new(peer.stream(tcp)?)),
            None => Stream::Plain(tcp),
        })
    }

    /// Listens at `address`; port 0 takes one that is free.
    ///
    /// # Errors
    /// The system's; `AddrInUse` when somebody listens there.
    pub fn listen(&self, address: SocketAddr) -> io::Result<Listener> {
        match self {
            Net::Real(_) => Ok(Listener::Plain(mio::net::TcpListener::bind(address)?)),
            Net::Virtual(net) => Ok(Listener::Virtual(VirtualListener::listen(net, address)?)),
            // What is accepted there is another's: of a venue in the same world.
            Net::Taped(behind) => live(behind)?.listen(address),
        }
    }

    /// The addresses behind `host:port`, at least one. **Blocks** on the system's resolver: for the
    /// thread that launches, before any thread is pinned.
    ///
    /// # Errors
    /// The resolver's; `NotFound` when the name has no address.
    pub fn resolve(&self, authority: &str) -> io::Result<Vec<SocketAddr>> {
        match self {
            Net::Real(real) => {
                real.resolver.prepare(authority)?;
                resolve(authority)
            }
            Net::Virtual(net) => net.resolve(authority),
            Net::Taped(behind) => tape::kept(
                Tag::Resolve,
                || live(behind).and_then(|net| net.resolve(authority)),
                || Err(io::ErrorKind::NotFound.into()),
            ),
        }
    }

    /// Starts to resolve `host:port`, without waiting: the answer is polled.
    #[must_use]
    pub fn look_up(&self, authority: &str) -> Lookup {
        match self {
            Net::Real(real) => real.resolver.look_up(authority),
            Net::Virtual(net) => Lookup::done(net.resolve(authority)),
            Net::Taped(behind) => Lookup::taped(behind.as_ref().map(|net| net.look_up(authority))),
        }
    }
}

/// The net behind one with a tape.
fn live(behind: &Option<Arc<Net>>) -> io::Result<&Net> {
    behind.as_deref().ok_or_else(|| io::ErrorKind::NotConnected.into())
}

/// The system's resolver; an address written in digits is returned without asking it.
fn resolve(authority: &str) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<SocketAddr> = authority.to_socket_addrs()?.collect();
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no address"));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests;
