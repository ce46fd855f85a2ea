//! Sessions over TLS: who does not prove to be the venue is left with the reason, and nothing of
//! ours is sent to them (F24).

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};

use data_encoding::BASE64;
use pitlane_engine::runtime::Clock;
use pitlane_engine::venue::governor::Governor;
use pitlane_engine::venue::protocol::KeepAlive;
use pitlane_engine::venue::transport::{
    CloseReason, Endpoint, Progress, RestClient, RestOptions, Scheme, Session, SessionOptions,
};
use pitlane_engine::world::{Net, TlsTrust};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::harness::{Patience, limits};
use crate::raw::{Peer, RawServer};

type Authority = CertifiedIssuer<'static, KeyPair>;

/// Who signs the venue's certificates.
fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| new_authority("authority"))
}

fn new_authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Trust in one certificate.
fn trust_in(certificate: &CertificateDer<'_>) -> TlsTrust {
    let text = BASE64.encode(certificate);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    TlsTrust::only(pem.as_bytes()).unwrap()
}

/// A server's side with a certificate of the authority.
fn server_config(params: CertificateParams) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority()).unwrap();
    config_of(certificate.der().clone(), &key)
}

fn config_of(certificate: CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

fn named(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

fn encrypted(
    peer: &Peer,
    config: &Arc<ServerConfig>,
) -> io::Result<StreamOwned<ServerConnection, TcpStream>> {
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, peer.stream.try_clone()?))
}

fn session(address: SocketAddr, trust: &TlsTrust, clock: &Clock) -> Session {
    let url = format!("wss://{address}/ws");
    let endpoint = Endpoint::parse(&url, Scheme::Ws, &Net::real(), Some(trust)).unwrap();
    let options = SessionOptions {
        endpoint,
        headers: String::new(),
        limits: limits(),
        governor: Governor::default(),
        net: Net::real(),
        token: 0,
        seed: 3,
    };
    Session::new(options, KeepAlive::WsPing, clock.clone())
}

#[test]
fn messages_of_every_size_go_both_ways() {
    // Shorter than a record, a record, many of them.
    const SIZES: [usize; 5] = [1, 125, 16_384, 16_385, 60_000];
    let config = server_config(named("127.0.0.1"));
    let server = RawServer::start(move |_, peer| {
        let stream = encrypted(peer, &config)?;
        let mut socket = tungstenite::accept(stream).map_err(io::Error::other)?;
        loop {
            let message = socket.read().map_err(io::Error::other)?;
            if message.is_text() {
                socket.send(message).map_err(io::Error::other)?;
            }
        }
    });
    let clock = Clock::start();
    let trust = trust_in(authority().der());
    let mut session = session(server.address, &trust, &clock);
    let texts = SIZES.map(|size| "x".repeat(size));
    let (mut sent, mut echoed) = (0, 0);
    let patience = Patience::new();
    while echoed < texts.len() {
        match session.step(clock.now_ns()) {
            Progress::Closed(reason) => panic!("{reason}"),
            _ if session.is_open() && sent == echoed => {
                session.send(texts[sent].as_bytes()).unwrap();
                sent += 1;
            }
            _ => {}
        }
        session.flush();
        while let Some(frame) = session.next_frame() {
            assert_eq!(frame.bytes.len(), texts[echoed].len());
            echoed += 1;
        }
        assert!(!patience.is_over(), "{echoed} came back");
        std::thread::yield_now();
    }
    session.end_for_good();
    assert_eq!(server.accepted(), 1);
}

#[test]
fn a_request_over_rest_is_answered_on_a_connection_that_is_kept() {
    let config = server_config(named("127.0.0.1"));
    let server = RawServer::start(move |_, peer| {
        let mut stream = encrypted(peer, &config)?;
        loop {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte)?;
                asked.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")?;
        }
    });
    let trust = trust_in(authority().der());
    let url = format!("https://{}", server.address);
    let mut client = RestClient::new(RestOptions {
        endpoint: Endpoint::parse(&url, Scheme::Http, &Net::real(), Some(&trust)).unwrap(),
        net: Net::real(),
        token: 0,
        timeout_ns: 20_000_000_000,
        body_bytes_max: 1_000,
    });
    let clock = Clock::start();
    for _ in 0..3 {
        client.get("/time", clock.now_ns()).unwrap();
        let reply = loop {
            if let Some(outcome) = client.step(clock.now_ns()) {
                break outcome.unwrap();
            }
            std::thread::yield_now();
        };
        assert_eq!((reply.status, reply.body.as_slice()), (200, &b"{}"[..]));
    }
    assert_eq!(server.accepted(), 1);
}

/// How the attempt of a session ends whose server does `script`, and what that server was told: the
/// bytes that it could read, decrypted where it speaks TLS.
fn refused(
    trust: &TlsTrust,
    mut script: impl FnMut(&mut Peer, &Sender<Vec<u8>>) -> io::Result<()> + Send + 'static,
) -> (String, Vec<u8>) {
    let (tell, told) = channel();
    let server = RawServer::start(move |_, peer| script(peer, &tell));
    let clock = Clock::start();
    let mut session = session(server.address, trust, &clock);
    let patience = Patience::new();
    let reason = loop {
        match session.step(clock.now_ns()) {
            Progress::Closed(reason) => break reason,
            Progress::Opened => panic!("opened"),
            _ => assert!(!patience.is_over(), "the attempt did not end"),
        }
        std::thread::yield_now();
    };
    assert!(matches!(reason, CloseReason::Connect(_)), "{reason}");
    session.end_for_good();
    assert_eq!(server.accepted(), 1, "the fault was met, once");
    drop(server);
    (reason.to_string(), told.try_iter().flatten().collect())
}

/// A server with this side of TLS: it tells what it could decrypt.
fn reads_all(
    config: Arc<ServerConfig>,
) -> impl FnMut(&mut Peer, &Sender<Vec<u8>>) -> io::Result<()> + Send + 'static {
    move |peer, tell| {
        let mut stream = encrypted(peer, &config)?;
        let mut bytes = vec![0; 4_096];
        loop {
            let count = stream.read(&mut bytes)?;
            if count == 0 {
                return Ok(());
            }
            let _ignored = tell.send(bytes[..count].to_vec());
        }
    }
}

#[test]
fn who_does_not_prove_to_be_the_venue_is_told_nothing() {
    let trust = trust_in(authority().der());
    let mut expired = named("127.0.0.1");
    (expired.not_before, expired.not_after) =
        (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let own_key = KeyPair::generate().unwrap();
    let mut own = named("127.0.0.1");
    own.distinguished_name.push(DnType::CommonName, "own");
    let own = own.self_signed(&own_key).unwrap();
    let cases = [
        ("expired", server_config(expired), "certificate expired"),
        ("of another host", server_config(named("other.example")), "not valid for name"),
        ("signed by itself", config_of(own.der().clone(), &own_key), "UnknownIssuer"),
    ];
    for (what, config, expected) in cases {
        let (reason, told) = refused(&trust, reads_all(config));
        assert!(reason.contains(expected), "{what}: {reason}");
        assert_eq!(told, b"", "{what}");
    }
    // A good certificate of an authority that is not trusted.
    let stranger = trust_in(new_authority("stranger").der());
    let (reason, told) = refused(&stranger, reads_all(server_config(named("127.0.0.1"))));
    assert!(reason.contains("UnknownIssuer"), "{reason}");
    assert_eq!(told, b"");
}

#[test]
fn a_port_without_tls_and_a_cut_handshake_are_no_way_around_it() {
    let trust = trust_in(authority().der());
    let (reason, told) = refused(&trust, |peer, tell| {
        peer.stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
        let mut bytes = Vec::new();
        let _ = peer.stream.read_to_end(&mut bytes);
        let _ignored = tell.send(bytes);
        Ok(())
    });
    assert!(reason.contains("connect failed"), "{reason}");
    let asked = b"GET /ws";
    assert!(!told.windows(asked.len()).any(|window| window == asked), "asked in plain text");
    assert!(!told.is_empty(), "the handshake was sent");
    for bytes in [0, 1, 100] {
        let (reason, _) = refused(&trust, move |peer, _| {
            let mut hello = vec![0; 100.max(bytes)];
            peer.stream.read_exact(&mut hello[..100])?;
            // A record that announces more than comes.
            let begun = [&[22, 3, 3, 1, 0][..], &[0; 95]].concat();
            peer.stream.write_all(&begun[..bytes])
        });
        assert!(reason.contains("connect failed"), "{bytes}: {reason}");
    }
}

#[test]
fn text_that_is_no_certificate_is_no_trust() {
    for text in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(TlsTrust::only(text.as_bytes()).is_err(), "{text:?}");
    }
}
