//! The client's half of the opening handshake (RFC 6455, section 4.1), without waiting.
//!
//! Why not tungstenite's own: its client keeps bytes that arrive behind the answer inside its frame
//! reader, where our reader can't get them; and it brings nine packages for one SHA-1.

use std::io::{self, Read, Write};

use data_encoding::BASE64;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::CloseReason;
use crate::venue::transport::{Endpoint, RetryAfter};
use crate::world::SplitMix64;

/// Bytes of an answer's head, at most.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of an answer, at most.
const HEADERS_MAX: usize = 64;
/// What is appended to a key before it is hashed (RFC 6455, section 1.3).
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The proof that a server has read `key`, as `Sec-WebSocket-Accept` carries it.
pub(in crate::venue) fn accept_key(key: &str) -> String {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, [key, KEY_SUFFIX].concat().as_bytes());
    BASE64.encode(hash.as_ref())
}

/// A handshake in progress.
pub(super) struct Handshake {
    request: Vec<u8>,
    sent: usize,
    accept_key: String,
    answer: Vec<u8>,
}

impl Handshake {
    /// `headers` are whole lines, each ended by CR and LF; its key is drawn from `random`.
    pub(super) fn new(endpoint: &Endpoint, headers: &str, random: &mut SplitMix64) -> Handshake {
        let nonce = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
        let key = BASE64.encode(&nonce.to_be_bytes());
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nUser-Agent: pitlane\r\n\
             {headers}\r\n",
            endpoint.path(),
            endpoint.host()
        );
        let accept_key = accept_key(&key);
        Handshake { request: request.into_bytes(), sent: 0, accept_key, answer: Vec::new() }
    }

    /// Writes and reads as far as the socket goes. `Some` when the venue agreed: the bytes that
    /// came behind its answer, which belong to the WebSocket already.
    ///
    /// # Errors
    /// The reason for which the attempt has failed.
    pub(super) fn step(
        &mut self,
        stream: &mut (impl Read + Write),
    ) -> Result<Option<Vec<u8>>, CloseReason> {
        while self.sent < self.request.len() {
            match stream.write(&self.request[self.sent..]) {
                Ok(0) => return Err(CloseReason::HandshakeIo(io::ErrorKind::WriteZero.into())),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(CloseReason::HandshakeIo(error)),
            }
        }
        let mut bytes = [0; 4_096];
        while let Some(count) = read_some(stream, &mut bytes).map_err(CloseReason::HandshakeIo)? {
            if count == 0 {
                return Err(CloseReason::HandshakeIo(io::ErrorKind::UnexpectedEof.into()));
            }
            self.answer.extend_from_slice(&bytes[..count]);
            if let Some(head_bytes) = self.check()? {
                return Ok(Some(self.answer.split_off(head_bytes)));
            }
            if self.answer.len() > HEAD_BYTES_MAX {
                return Err(protocol("the answer's head does not end"));
            }
        }
        Ok(None)
    }

    /// Length of the head, once it is whole and agrees.
    fn check(&self) -> Result<Option<usize>, CloseReason> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let length = match head.parse(&self.answer) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(protocol(&format!("the answer is no HTTP: {error}"))),
        };
        let find = |name: &str| {
            let mut found = head.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name));
            found.next().map(|header| header.value.trim_ascii())
        };
        match head.code {
            Some(101) => {}
            Some(status) => {
                let text = |name| find(name).and_then(|value| str::from_utf8(value).ok());
                let retry_after = text("retry-after");
                let retry_after = retry_after.and_then(|at| RetryAfter::read(at, text("date")));
                return Err(CloseReason::HandshakeStatus(status, retry_after));
            }
            None => return Err(protocol("the answer has no status")),
        }
        if !find("upgrade").is_some_and(|value| value.eq_ignore_ascii_case(b"websocket")) {
            return Err(protocol("the answer upgrades to something else"));
        }
        if find("sec-websocket-accept") != Some(self.accept_key.as_bytes()) {
            return Err(protocol("the answer's accept key is wrong"));
        }
        // We ask for no extension, so one that is used would be misread (section 4.1, item 5).
        if find("sec-websocket-extensions").is_some() {
            return Err(protocol("the answer uses an extension that was not asked for"));
        }
        Ok(Some(length))
    }
}

/// Reads once, again when interrupted; `None` when there is nothing now.
fn read_some(stream: &mut impl Read, bytes: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match stream.read(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            outcome => return outcome.map(Some),
        }
    }
}

fn protocol(text: &str) -> CloseReason {
    CloseReason::HandshakeProtocol(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::transport::Scheme;
    use crate::world::Net;

    /// The example of RFC 6455, section 1.3.
    #[test]
    fn a_key_is_proved_as_in_the_rfc() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    /// A peer that takes everything and answers a byte at a time.
    struct Peer {
        request: Vec<u8>,
        answer: Vec<u8>,
        at: usize,
        /// Bytes it still gives before it would block.
        budget: usize,
    }

    impl Read for Peer {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            if self.budget == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.budget -= 1;
            let Some(byte) = self.answer.get(self.at) else { return Ok(0) };
            bytes[0] = *byte;
            self.at += 1;
            Ok(1)
        }
    }

    impl Write for Peer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.request.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn handshake() -> Handshake {
        let url = "ws://127.0.0.1:9/ws?a=b";
        let endpoint = Endpoint::parse(url, Scheme::Ws, &Net::real(), None).unwrap();
        Handshake::new(&endpoint, "X-Name: value\r\n", &mut SplitMix64::new(1))
    }

    fn answer(accept: &str) -> Vec<u8> {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .into_bytes()
    }

    /// What becomes of an answer that arrives in single bytes, with waits between (EDGE-23).
    fn outcome(make: impl Fn(&str) -> Vec<u8>) -> Result<Vec<u8>, CloseReason> {
        let mut handshake = handshake();
        let accept = handshake.accept_key.clone();
        let mut peer = Peer { request: Vec::new(), answer: make(&accept), at: 0, budget: 0 };
        for _ in 0..10_000 {
            peer.budget = 1;
            if let Some(rest) = handshake.step(&mut peer)? {
                assert!(peer.request.starts_with(b"GET /ws?a=b HTTP/1.1\r\nHost: 127.0.0.1:9\r\n"));
                assert!(peer.request.ends_with(b"\r\nX-Name: value\r\n\r\n"));
                return Ok(rest);
            }
        }
        panic!("the handshake neither ended nor failed");
    }

    #[test]
    fn an_answer_in_single_bytes_is_taken() {
        assert_eq!(outcome(answer).unwrap(), b"");
    }

    #[test]
    fn bytes_behind_the_answer_belong_to_the_websocket() {
        let mut handshake = handshake();
        let mut whole = answer(&handshake.accept_key.clone());
        whole.extend_from_slice(b"\x81\x02hi");
        let mut stream = Both(io::Cursor::new(whole));
        assert_eq!(handshake.step(&mut stream).unwrap().as_deref(), Some(&b"\x81\x02hi"[..]));
    }

    struct Both(io::Cursor<Vec<u8>>);

    impl Read for Both {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            self.0.read(bytes)
        }
    }

    impl Write for Both {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_does_not_agree_is_refused_with_its_reason() {
        let refused = |make: &dyn Fn(&str) -> Vec<u8>| outcome(make).unwrap_err().to_string();
        let status = refused(&|_| b"HTTP/1.1 503 Service Unavailable\r\n\r\n".to_vec());
        assert!(status.ends_with("(code: http 503)"), "{status}");
        assert!(refused(&|_| answer("wrong")).contains("accept key"));
        assert!(refused(&|_| b"\x15\x03\x01 not http\r\n".to_vec()).contains("no HTTP"));
        let endless = refused(&|_| {
            let mut head = b"HTTP/1.1 101 X\r\n".to_vec();
            head.extend(std::iter::repeat_n(b"a: b\r\n", 10).flatten());
            head
        });
        assert!(endless.contains("unexpected end of file"), "{endless}");
        let extended = refused(&|accept| {
            let mut text = answer(accept);
            text.truncate(text.len() - 2);
            text.extend_from_slice(b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
            text
        });
        assert!(extended.contains("extension"), "{extended}");
    }
}
