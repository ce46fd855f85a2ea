//! TLS on a stream: rustls on a socket that does not block.
//!
//! A stream counts as connected once the peer has proved who it is; until then nothing of ours but
//! the handshake is sent, and no failure falls back to a connection without TLS. Records are
//! encrypted and decrypted by rustls, which keeps each in a vector: those allocations are counted
//! apart.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use pitlane_ring::alloc::count_apart;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use thiserror::Error;

/// Reads of the socket in one read of ours: a record has at most 16 KiB, which takes a few.
const READS_MAX: usize = 64;

/// Whom TLS trusts. Cheap to clone: connections of one share their resumed sessions.
#[derive(Clone, Debug)]
pub struct TlsTrust {
    config: Arc<ClientConfig>,
}

/// Why certificates can't be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum TlsError {
    #[error("{0:?} is no host name that a certificate can be for")]
    Host(String),
    #[error("no certificate in PEM form: {0}")]
    Pem(String),
    #[error("a certificate cannot be trusted: {0}")]
    Certificate(String),
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

impl TlsTrust {
    /// The certificate authorities that browsers trust (Mozilla's list, as compiled in).
    ///
    /// # Errors
    /// [`TlsError::Setup`], which only a broken build gives.
    pub fn public() -> Result<TlsTrust, TlsError> {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        TlsTrust::of(roots)
    }

    /// The certificates of a PEM text, and nobody else.
    ///
    /// # Errors
    /// When there is none, or one that is none.
    pub fn only(pem: &[u8]) -> Result<TlsTrust, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| TlsError::Pem(error.to_string()))?;
            roots.add(certificate).map_err(|error| TlsError::Certificate(error.to_string()))?;
        }
        match roots.is_empty() {
            true => Err(TlsError::Pem("the file has none".to_owned())),
            false => TlsTrust::of(roots),
        }
    }

    fn of(roots: RootCertStore) -> Result<TlsTrust, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Setup(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(TlsTrust { config: Arc::new(config) })
    }

    /// The same for one host, whose certificate must name it.
    ///
    /// # Errors
    /// [`TlsError::Host`].
    pub fn host(&self, name: &str) -> Result<TlsPeer, TlsError> {
        // An IPv6 address stands in brackets in a URL.
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let host = ServerName::try_from(bare.to_owned());
        let host = host.map_err(|_| TlsError::Host(name.to_owned()))?;
        Ok(TlsPeer { config: Arc::clone(&self.config), host })
    }
}

/// A host that is spoken to over TLS.
#[derive(Clone)]
pub struct TlsPeer {
    config: Arc<ClientConfig>,
    host: ServerName<'static>,
}

impl TlsPeer {
    /// A connection that speaks over `tcp`, which is on its way.
    pub(super) fn stream(&self, tcp: TcpStream) -> io::Result<TlsStream> {
        let config = Arc::clone(&self.config);
        let tls = count_apart(|| ClientConnection::new(config, self.host.clone()));
        Ok(TlsStream { tcp, tls: tls.map_err(io::Error::other)? })
    }
}

impl fmt::Debug for TlsPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsPeer({:?})", self.host)
    }
}

impl PartialEq for TlsPeer {
    fn eq(&self, other: &TlsPeer) -> bool {
        Arc::ptr_eq(&self.config, &other.config) && self.host == other.host
    }
}

impl Eq for TlsPeer {}

/// A TCP stream and what encrypts it.
pub struct TlsStream {
    pub(super) tcp: TcpStream,
    tls: ClientConnection,
}

impl TlsStream {
    /// Goes on with the handshake; true once it is over.
    pub(super) fn is_agreed(&mut self) -> io::Result<bool> {
        while self.tls.is_handshaking() {
            self.write_records()?;
            match self.read_records() {
                Ok(0) if self.tls.is_handshaking() => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the peer ended the TLS handshake",
                    ));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.write_records()?;
        Ok(true)
    }

    /// Says that nothing more comes.
    pub(super) fn close(&mut self) {
        self.tls.send_close_notify();
        // As far as the socket takes it: the connection ends in any case.
        let _gone = self.write_records();
    }

    /// Writes what is encrypted, as far as the socket takes it.
    fn write_records(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match count_apart(|| self.tls.write_tls(&mut self.tcp)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads from the socket once, and decrypts what is whole; 0 at its end.
    fn read_records(&mut self) -> io::Result<usize> {
        let count = loop {
            match count_apart(|| self.tls.read_tls(&mut self.tcp)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome?,
            }
        };
        if let Err(error) = count_apart(|| self.tls.process_new_packets()) {
            // The peer is told why.
            let _gone = self.write_records();
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(count)
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsStream({:?})", self.tcp)
    }
}

impl Read for TlsStream {
    /// Until there is something, or the socket has nothing more: it wakes its poller for what comes
    /// later alone.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.write_records()?;
        for _ in 0..READS_MAX {
            match count_apart(|| self.tls.reader().read(bytes)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            // Once the socket has ended, the next read says whether the peer meant it.
            self.read_records()?;
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "TLS records without data"))
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = count_apart(|| self.tls.writer().write(bytes))?;
        self.write_records()?;
        match taken {
            0 if !bytes.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            taken => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_records()
    }
}
