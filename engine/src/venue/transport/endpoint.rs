//! Where a venue listens: scheme, host, port and path, taken from a URL, and the addresses behind
//! it.
//!
//! Names are resolved when the endpoint is made, on the thread that launches: resolving blocks, and
//! a pinned thread must not. Whoever connects again asks again, without waiting, and gives the
//! endpoint the answer.

use std::fmt;
use std::net::SocketAddr;

use thiserror::Error;

use crate::world::{Net, TlsError, TlsPeer, TlsTrust};

/// The port of TLS where a URL names none.
const TLS_PORT: &str = "443";

/// What is spoken at an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// WebSocket, `ws://`, or `wss://` with TLS.
    Ws,
    /// HTTP, `http://`, or `https://` with TLS.
    Http,
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Scheme::Ws => "ws",
            Scheme::Http => "http",
        }
    }
}

/// A parsed and resolved URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Scheme,
    authority: String,
    path: String,
    /// `None`: without TLS.
    tls: Option<TlsPeer>,
    addresses: Vec<SocketAddr>,
}

/// Why a URL can't be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum EndpointError {
    #[error("{url}: {source}")]
    Tls { url: String, source: TlsError },
    #[error("{url}: not a {expected}:// or {expected}s:// URL")]
    Scheme { url: String, expected: &'static str },
    #[error("{url}: host and port are missing, as in {expected}://127.0.0.1:9001/path")]
    Authority { url: String, expected: &'static str },
    #[error("{url}: a path has no spaces or control characters")]
    Path { url: String },
    #[error("{url}: resolving failed: {reason}")]
    Resolve { url: String, reason: String },
}

impl Endpoint {
    /// Parses `scheme://host:port/path` and resolves the host. May block on the resolver of `net`.
    /// With TLS the port may be left out: it is 443 then, and who is trusted is `trust`.
    ///
    /// # Errors
    /// [`EndpointError`], which shows the URL: put no credentials into it.
    pub fn parse(
        url: &str,
        scheme: Scheme,
        net: &Net,
        trust: Option<&TlsTrust>,
    ) -> Result<Endpoint, EndpointError> {
        let name = scheme.name();
        let owned = || url.to_owned();
        let (is_secure, rest) = match url.split_once("://") {
            Some((found, rest)) if found == name => (false, rest),
            Some((found, rest)) if found.strip_suffix('s') == Some(name) => (true, rest),
            _ => return Err(EndpointError::Scheme { url: owned(), expected: name }),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let has_port = |authority: &str| {
            authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'))
        };
        let authority = match is_secure && !has_port(authority) {
            true => format!("{authority}:{TLS_PORT}"),
            false => authority.to_owned(),
        };
        let host = authority.rsplit_once(':').and_then(|(host, port)| {
            let is_right = !host.is_empty() && !host.contains('@');
            let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
            (is_right && is_port).then_some(host)
        });
        let Some(host) = host else {
            return Err(EndpointError::Authority { url: owned(), expected: name });
        };
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(EndpointError::Path { url: owned() });
        }
        let no_trust = || TlsError::Setup("there is nobody to trust".to_owned());
        let peer = is_secure.then(|| trust.ok_or_else(no_trust)?.host(host)).transpose();
        let tls = peer.map_err(|source| EndpointError::Tls { url: owned(), source })?;
        let resolve_error = |reason: String| EndpointError::Resolve { url: owned(), reason };
        let addresses =
            net.resolve(&authority).map_err(|error| resolve_error(error.to_string()))?;
        Ok(Endpoint { scheme, authority, path: path.into(), tls, addresses })
    }

    /// Who has to prove to be there; `None` without TLS.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsPeer> {
        self.tls.as_ref()
    }

    /// What requests call the host: without a port that goes without saying.
    #[must_use]
    pub fn host(&self) -> &str {
        let bare = self.authority.strip_suffix(TLS_PORT).and_then(|host| host.strip_suffix(':'));
        bare.filter(|_| self.tls.is_some()).unwrap_or(&self.authority)
    }

    /// The addresses behind the host, at least one, in the resolver's order.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Takes the addresses that the name has now. Without any, those before stay.
    pub(crate) fn set_addresses(&mut self, addresses: Vec<SocketAddr>) {
        if !addresses.is_empty() {
            self.addresses = addresses;
        }
    }

    /// The path with its query, at least `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Another path at the same host.
    #[must_use]
    pub fn at_path(&self, path: &str) -> Endpoint {
        Endpoint { path: path.to_owned(), ..self.clone() }
    }

    /// `host:port`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secure = if self.tls.is_some() { "s" } else { "" };
        write!(f, "{}{secure}://{}{}", self.scheme.name(), self.host(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust() -> TlsTrust {
        TlsTrust::public().unwrap()
    }

    #[test]
    fn takes_a_url_apart() {
        let parse =
            |url, scheme| Endpoint::parse(url, scheme, &Net::real(), Some(&trust())).unwrap();
        let endpoint = parse("ws://127.0.0.1:9001/stream?x=1", Scheme::Ws);
        assert_eq!((endpoint.authority(), endpoint.path()), ("127.0.0.1:9001", "/stream?x=1"));
        assert_eq!(endpoint.addresses(), ["127.0.0.1:9001".parse().unwrap()]);
        assert_eq!(endpoint.to_string(), "ws://127.0.0.1:9001/stream?x=1");
        let bare = parse("http://[::1]:80", Scheme::Http);
        assert_eq!((bare.path(), bare.addresses()[0].port()), ("/", 80));
        assert!(bare.tls().is_none());
    }

    #[test]
    fn with_tls_the_port_may_go_without_saying() {
        let parse =
            |url, scheme| Endpoint::parse(url, scheme, &Net::real(), Some(&trust())).unwrap();
        let bare = parse("wss://127.0.0.1/ws", Scheme::Ws);
        assert_eq!((bare.authority(), bare.host()), ("127.0.0.1:443", "127.0.0.1"));
        assert_eq!(bare.to_string(), "wss://127.0.0.1/ws");
        assert!(bare.tls().is_some());
        let other = parse("https://[::1]:9443", Scheme::Http);
        assert_eq!((other.host(), other.addresses()[0].port()), ("[::1]:9443", 9_443));
        let six = parse("https://[::1]", Scheme::Http);
        assert_eq!((six.host(), six.addresses()[0].port()), ("[::1]", 443));
    }

    #[test]
    fn refuses_what_it_can_not_speak() {
        let error =
            |url| Endpoint::parse(url, Scheme::Ws, &Net::real(), Some(&trust())).unwrap_err();
        assert!(matches!(error("wss://a..b/ws"), EndpointError::Tls { .. }));
        for url in ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "127.0.0.1:1", ""] {
            assert!(matches!(error(url), EndpointError::Scheme { .. }), "{url}");
        }
        for url in ["ws://127.0.0.1/x", "ws://:9001/x", "ws://127.0.0.1:0/", "ws://u@h:1/"] {
            assert!(matches!(error(url), EndpointError::Authority { .. }), "{url}");
        }
        assert!(matches!(error("ws://127.0.0.1:1/a b"), EndpointError::Path { .. }));
        assert!(matches!(error("ws://127.0.0.1:1/a\r\nX: y"), EndpointError::Path { .. }));
    }
}
