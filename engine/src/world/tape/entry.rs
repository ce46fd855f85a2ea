//! What an entry is made of: a tag, then values of a few forms.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use super::pen::Pen;
use super::spool::Spool;

/// What an entry tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tag {
    /// What the run was, before all.
    Head = 1,
    /// A file that was read at the start.
    File = 2,
    /// A reading of the clock.
    Clock = 3,
    /// The system's wall time.
    System = 4,
    /// Addresses of a name, asked for at the start.
    Resolve = 5,
    /// An answer of the resolver, or none yet.
    Lookup = 6,
    /// Where a simulated venue listens.
    Address = 7,
    /// A connection that was begun.
    Connect = 8,
    /// Whether it is there.
    Connected = 9,
    /// Bytes read.
    Read = 10,
    /// Bytes taken: how many, and their hash.
    Write = 11,
    /// A flush.
    Flush = 12,
    /// The end of the writing half.
    Shutdown = 13,
    /// A duty cycle of an agent.
    Cycle = 14,
    /// A callback, by its hash.
    Call = 15,
    /// What an operator asks for.
    Operate = 16,
    /// A look whether that is answered.
    Poll = 17,
    /// A step of the stop.
    Stop = 18,
    /// The sums of all that has left.
    End = 19,
}

impl Tag {
    pub(super) const ALL: [Tag; 19] = [
        Tag::Head,
        Tag::File,
        Tag::Clock,
        Tag::System,
        Tag::Resolve,
        Tag::Lookup,
        Tag::Address,
        Tag::Connect,
        Tag::Connected,
        Tag::Read,
        Tag::Write,
        Tag::Flush,
        Tag::Shutdown,
        Tag::Cycle,
        Tag::Call,
        Tag::Operate,
        Tag::Poll,
        Tag::Stop,
        Tag::End,
    ];

    pub(super) fn of(code: u8) -> Option<Tag> {
        Tag::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }

    /// What it is, in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Tag::Head => "the head of the record",
            Tag::File => "a file read at the start",
            Tag::Clock => "a reading of the clock",
            Tag::System => "a reading of the system's clock",
            Tag::Resolve | Tag::Lookup => "the addresses of a name",
            Tag::Address => "the address of a simulated venue",
            Tag::Connect => "a connection that is begun",
            Tag::Connected => "a look whether a connection is there",
            Tag::Read => "a read of a socket",
            Tag::Write => "a write to a socket",
            Tag::Flush => "a flush of a socket",
            Tag::Shutdown => "the end of a connection",
            Tag::Cycle => "the end of a duty cycle",
            Tag::Call => "a callback",
            Tag::Operate | Tag::Poll => "a command of an operator",
            Tag::Stop => "the stop",
            Tag::End => "the end of the record",
        }
    }
}

/// A value that is kept.
pub(crate) trait Kept: Sized {
    fn put(&self, to: &mut Pen);
    /// `None` where the record ends, or is not what is expected.
    fn take(from: &mut Spool) -> Option<Self>;
}

impl Kept for () {
    fn put(&self, _to: &mut Pen) {}

    fn take(_from: &mut Spool) -> Option<()> {
        Some(())
    }
}

impl Kept for bool {
    fn put(&self, to: &mut Pen) {
        to.byte(u8::from(*self));
    }

    fn take(from: &mut Spool) -> Option<bool> {
        from.byte().map(|byte| byte != 0)
    }
}

impl Kept for u64 {
    fn put(&self, to: &mut Pen) {
        to.number(*self);
    }

    fn take(from: &mut Spool) -> Option<u64> {
        from.number()
    }
}

impl Kept for i64 {
    fn put(&self, to: &mut Pen) {
        to.bytes(&self.to_le_bytes());
    }

    fn take(from: &mut Spool) -> Option<i64> {
        from.array().map(i64::from_le_bytes)
    }
}

impl Kept for SocketAddr {
    fn put(&self, to: &mut Pen) {
        match self.ip() {
            IpAddr::V4(ip) => {
                to.byte(4);
                to.bytes(&ip.octets());
            }
            IpAddr::V6(ip) => {
                to.byte(6);
                to.bytes(&ip.octets());
            }
        }
        to.bytes(&self.port().to_le_bytes());
    }

    fn take(from: &mut Spool) -> Option<SocketAddr> {
        let ip = match from.byte()? {
            4 => IpAddr::from(from.array::<4>()?),
            6 => IpAddr::from(from.array::<16>()?),
            _ => return None,
        };
        Some(SocketAddr::new(ip, u16::from_le_bytes(from.array()?)))
    }
}

impl Kept for Vec<SocketAddr> {
    fn put(&self, to: &mut Pen) {
        to.number(self.len() as u64);
        self.iter().for_each(|address| address.put(to));
    }

    fn take(from: &mut Spool) -> Option<Vec<SocketAddr>> {
        let count = from.number()?;
        (0..count).map(|_| SocketAddr::take(from)).collect()
    }
}

impl<T: Kept> Kept for Option<T> {
    fn put(&self, to: &mut Pen) {
        to.byte(u8::from(self.is_some()));
        if let Some(value) = self {
            value.put(to);
        }
    }

    fn take(from: &mut Spool) -> Option<Option<T>> {
        match from.byte()? {
            0 => Some(None),
            _ => T::take(from).map(Some),
        }
    }
}

/// Kinds of errors that are no system's: of a virtual net, of TLS, and of the standard library.
const KINDS: [ErrorKind; 12] = [
    ErrorKind::WouldBlock,
    ErrorKind::NotFound,
    ErrorKind::ConnectionRefused,
    ErrorKind::ConnectionReset,
    ErrorKind::NotConnected,
    ErrorKind::BrokenPipe,
    ErrorKind::AddrInUse,
    ErrorKind::InvalidData,
    ErrorKind::InvalidInput,
    ErrorKind::UnexpectedEof,
    ErrorKind::TimedOut,
    ErrorKind::WriteZero,
];
const OK: u8 = 0;
const WOULD_BLOCK: u8 = 1;
const SYSTEM: u8 = 2;
const BARE: u8 = 3;
const TOLD: u8 = 4;

impl<T: Kept> Kept for io::Result<T> {
    fn put(&self, to: &mut Pen) {
        match self {
            Ok(value) => {
                to.byte(OK);
                value.put(to);
            }
            Err(error) => put_error(error, to),
        }
    }

    fn take(from: &mut Spool) -> Option<io::Result<T>> {
        match from.byte()? {
            OK => T::take(from).map(Ok),
            code => take_error(code, from).map(Err),
        }
    }
}

pub(super) fn put_error(error: &io::Error, to: &mut Pen) {
    let kind = KINDS.iter().position(|kind| *kind == error.kind()).unwrap_or(KINDS.len()) as u8;
    if error.kind() == ErrorKind::WouldBlock {
        to.byte(WOULD_BLOCK);
    } else if let Some(code) = error.raw_os_error() {
        to.byte(SYSTEM);
        to.bytes(&code.to_le_bytes());
    } else if error.get_ref().is_none() {
        to.byte(BARE);
        to.byte(kind);
    } else {
        to.byte(TOLD);
        to.byte(kind);
        to.counted(error.to_string().as_bytes());
    }
}

pub(super) fn take_error(code: u8, from: &mut Spool) -> Option<io::Error> {
    let kind = |code: u8| KINDS.get(usize::from(code)).copied().unwrap_or(ErrorKind::Other);
    Some(match code {
        WOULD_BLOCK => ErrorKind::WouldBlock.into(),
        SYSTEM => io::Error::from_raw_os_error(i32::from_le_bytes(from.array()?)),
        BARE => kind(from.byte()?).into(),
        TOLD => {
            let kind = kind(from.byte()?);
            io::Error::new(kind, from.text()?)
        }
        _ => return None,
    })
}
