//! Connections of a world with a tape.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::event::Source;
use mio::{Interest, Registry, Token};

use super::attached::{Mode, ask, kept, mode, note};
use super::entry::Tag;

/// What a stream has beside reading and writing.
pub trait Line: Read + Write + Source {
    /// Whether the attempt to connect has succeeded.
    ///
    /// # Errors
    /// Why it has failed.
    fn is_connected(&mut self) -> io::Result<bool>;

    /// Ends the writing half.
    ///
    /// # Errors
    /// The system's.
    fn shutdown_write(&mut self) -> io::Result<()>;

    /// Lets the drop that follows cut the connection.
    ///
    /// # Errors
    /// The system's.
    fn reset_on_drop(&self) -> io::Result<()>;
}

/// A stream of which all that is read is noted, or one that reads what was noted.
#[derive(Debug)]
pub struct TapedStream<L> {
    /// In the order in which connections were begun.
    number: usize,
    /// `None` while a record is played.
    live: Option<L>,
}

/// A connection that was begun.
pub(in crate::world) enum Begun<L> {
    Taped(TapedStream<L>),
    /// On a thread without a tape.
    Live(L),
}

impl<L: Line> TapedStream<L> {
    /// Begins a connection, by `live` or as it was noted.
    pub(in crate::world) fn connect(
        address: SocketAddr,
        live: impl FnOnce() -> io::Result<L>,
    ) -> io::Result<Begun<L>> {
        let mut stream = None;
        let begun = kept(
            Tag::Connect,
            || live().map(|made| stream = Some(made)),
            || Err(ErrorKind::ConnectionRefused.into()),
        );
        begun?;
        let number = note(|writer| writer.places.add(address));
        let number = number.or_else(|| ask(|player| player.places.add(address)));
        match (number, stream) {
            (Some(number), live) => Ok(Begun::Taped(TapedStream { number, live })),
            (None, Some(stream)) => Ok(Begun::Live(stream)),
            (None, None) => Err(ErrorKind::ConnectionRefused.into()),
        }
    }

    pub(in crate::world) fn is_connected(&mut self) -> io::Result<bool> {
        let live = &mut self.live;
        kept(Tag::Connected, || live_or(live, L::is_connected), || Ok(false))
    }

    pub(in crate::world) fn shutdown_write(&mut self) -> io::Result<()> {
        let live = &mut self.live;
        kept(Tag::Shutdown, || live_or(live, L::shutdown_write), || Ok(()))
    }

    pub(in crate::world) fn reset_on_drop(&self) -> io::Result<()> {
        self.live.as_ref().map_or(Ok(()), L::reset_on_drop)
    }
}

/// What a live stream says; one that is none was closed.
fn live_or<L, T>(live: &mut Option<L>, run: impl FnOnce(&mut L) -> io::Result<T>) -> io::Result<T> {
    live.as_mut().map_or_else(|| Err(ErrorKind::NotConnected.into()), run)
}

impl<L: Line> Read for TapedStream<L> {
    #[inline]
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if mode() == Mode::Playing {
            let lost = || Err(ErrorKind::WouldBlock.into());
            return ask(|player| player.read(self.number, bytes)).flatten().unwrap_or_else(lost);
        }
        let read = live_or(&mut self.live, |stream| stream.read(bytes));
        if mode() == Mode::Recording {
            note(|writer| writer.read(self.number, &read, bytes));
        }
        read
    }
}

impl<L: Line> Write for TapedStream<L> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if mode() == Mode::Playing {
            let lost = || Err(ErrorKind::WouldBlock.into());
            return ask(|player| player.wrote(self.number, bytes)).flatten().unwrap_or_else(lost);
        }
        let taken = live_or(&mut self.live, |stream| stream.write(bytes));
        if mode() == Mode::Recording {
            note(|writer| writer.wrote(self.number, &taken, bytes));
        }
        taken
    }

    fn flush(&mut self) -> io::Result<()> {
        let live = &mut self.live;
        kept(Tag::Flush, || live_or(live, L::flush), || Ok(()))
    }
}

/// One that is played is registered nowhere.
impl<L: Line> Source for TapedStream<L> {
    fn register(&mut self, registry: &Registry, token: Token, want: Interest) -> io::Result<()> {
        self.live.as_mut().map_or(Ok(()), |stream| stream.register(registry, token, want))
    }

    fn reregister(&mut self, registry: &Registry, token: Token, want: Interest) -> io::Result<()> {
        self.live.as_mut().map_or(Ok(()), |stream| stream.reregister(registry, token, want))
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.live.as_mut().map_or(Ok(()), |stream| stream.deregister(registry))
    }
}
