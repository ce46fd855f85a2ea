//! Where a venue listens: scheme, host, port and path, taken from a URL, and the addresses behind
//! it.
//!
//! Names are resolved when the endpoint is made, on the thread that launches: resolving blocks, and
//! a pinned thread must not. Whoever connects again asks again, without waiting, and gives the
//! endpoint the answer.

use std::fmt;
use std::net::SocketAddr;

use thiserror::Error;

use crate::world::Net;

/// What is spoken at an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// WebSocket without TLS, `ws://`.
    Ws,
    /// HTTP without TLS, `http://`.
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
    addresses: Vec<SocketAddr>,
}

/// Why a URL can't be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum EndpointError {
    #[error("{url}: TLS is not built in yet, use {plain}:// to a local address or a TLS proxy")]
    TlsNotBuiltIn { url: String, plain: &'static str },
    #[error("{url}: not a {expected}:// URL")]
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
    ///
    /// # Errors
    /// [`EndpointError`], which shows the URL: put no credentials into it.
    pub fn parse(url: &str, scheme: Scheme, net: &Net) -> Result<Endpoint, EndpointError> {
        let name = scheme.name();
        let owned = || url.to_owned();
        let rest = match url.split_once("://") {
            Some((found, rest)) if found == name => rest,
            Some((found, _)) if found.strip_suffix('s') == Some(name) => {
                return Err(EndpointError::TlsNotBuiltIn { url: owned(), plain: name });
            }
            _ => return Err(EndpointError::Scheme { url: owned(), expected: name }),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let has_port = authority.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !host.contains('@') && port.parse::<u16>().is_ok_and(|p| p > 0)
        });
        if !has_port {
            return Err(EndpointError::Authority { url: owned(), expected: name });
        }
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(EndpointError::Path { url: owned() });
        }
        let resolve_error = |reason: String| EndpointError::Resolve { url: owned(), reason };
        let addresses = net.resolve(authority).map_err(|error| resolve_error(error.to_string()))?;
        Ok(Endpoint { scheme, authority: authority.into(), path: path.into(), addresses })
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

    /// `host:port` as written.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_url_apart() {
        let endpoint =
            Endpoint::parse("ws://127.0.0.1:9001/stream?x=1", Scheme::Ws, &Net::real()).unwrap();
        assert_eq!((endpoint.authority(), endpoint.path()), ("127.0.0.1:9001", "/stream?x=1"));
        assert_eq!(endpoint.addresses(), ["127.0.0.1:9001".parse().unwrap()]);
        assert_eq!(endpoint.to_string(), "ws://127.0.0.1:9001/stream?x=1");
        let bare = Endpoint::parse("http://[::1]:80", Scheme::Http, &Net::real()).unwrap();
        assert_eq!((bare.path(), bare.addresses()[0].port()), ("/", 80));
    }

    #[test]
    fn refuses_what_it_can_not_speak() {
        let error = |url| Endpoint::parse(url, Scheme::Ws, &Net::real()).unwrap_err();
        let tls = error("wss://stream.example:9443/ws");
        assert!(matches!(tls, EndpointError::TlsNotBuiltIn { .. }));
        assert!(tls.to_string().contains("TLS is not built in yet"));
        for url in ["http://127.0.0.1:1/", "127.0.0.1:1", ""] {
            assert!(matches!(error(url), EndpointError::Scheme { .. }), "{url}");
        }
        for url in ["ws://127.0.0.1/x", "ws://:9001/x", "ws://127.0.0.1:0/", "ws://u@h:1/"] {
            assert!(matches!(error(url), EndpointError::Authority { .. }), "{url}");
        }
        assert!(matches!(error("ws://127.0.0.1:1/a b"), EndpointError::Path { .. }));
        assert!(matches!(error("ws://127.0.0.1:1/a\r\nX: y"), EndpointError::Path { .. }));
    }
}
