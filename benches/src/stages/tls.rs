//! What TLS costs a frame: the same frames over loopback, plain and encrypted, through the engine's
//! own session. Each frame is a write, and with TLS a record, of its own.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use data_encoding::BASE64;
use pitlane_engine::runtime::Clock;
use pitlane_engine::telemetry::Allocations;
use pitlane_engine::venue::governor::Governor;
use pitlane_engine::venue::protocol::KeepAlive;
use pitlane_engine::venue::transport::{
    Endpoint, Progress, Scheme, Session, SessionLimits, SessionOptions,
};
use pitlane_engine::world::{Net, TlsTrust};
use pitlane_ring::alloc::count_this_thread;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tungstenite::handshake::derive_accept_key;

use super::{Bench, Job, print};
use crate::paced::quantile_ns;

/// Frames of a sample, and how many a second.
const FRAMES: usize = 5_000;
const RATE_PER_S: u64 = 10_000;
const FRAME: &[u8] = br#"{"stream":"btcusdt@bookTicker","data":{"u":50093274440,"s":"BTCUSDT","b":"61828.25000000","B":"0.99959000","a":"61828.26000000","A":"3.34988000"}}"#;

/// The last frames of a sample: what is allocated for them is counted.
const COUNTED: usize = 4_000;

/// What is measured of a frame.
#[derive(Clone, Copy)]
enum Measured {
    /// From before it is written until it is in hand.
    Way,
    /// The call that gives it: reading, decrypting, and its end in the buffer.
    Read,
}

/// Prints the time of one frame, plain and with TLS, and what was allocated for it.
pub(crate) fn section(bench: &Bench) {
    let (config, trust) = certificate();
    for (title, measured) in [
        ("a frame from its write to hand, p50", Measured::Way),
        ("the call that reads a frame, p50", Measured::Read),
    ] {
        let (config, trust) = (config.clone(), trust.clone());
        let plain = move |bench: &Bench| sample(bench, None, measured).0;
        let with_tls = move |bench: &Bench| sample(bench, Some((&config, &trust)), measured).0;
        let mut jobs: Vec<Job> = vec![
            ("plain".to_owned(), Box::new(plain)),
            ("TLS 1.3, a record each".to_owned(), Box::new(with_tls)),
        ];
        print(&format!("{title}, {} bytes", FRAME.len()), "ns", &bench.interleave(&mut jobs));
    }
    println!("\nheap allocations of {COUNTED} frames, ours and those of the library for TLS:");
    for (name, tls) in [("plain", None), ("TLS 1.3, a record each", Some((&config, &trust)))] {
        let (_, Allocations { ours, of_tls }) = sample(bench, tls, Measured::Read);
        println!("  {name}: {ours} and {of_tls}");
    }
}

/// A certificate of this machine, and trust in nothing else.
fn certificate() -> (Arc<ServerConfig>, TlsTrust) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("it signs itself");
    let text = BASE64.encode(certificate.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    let trust = TlsTrust::only(pem.as_bytes()).expect("one certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions that it knows")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("its own key");
    (Arc::new(config), trust)
}

/// Runs the frames over one connection.
fn sample(
    bench: &Bench,
    tls: Option<(&Arc<ServerConfig>, &TlsTrust)>,
    measured: Measured,
) -> (f64, Allocations) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let written_ns: Arc<Vec<AtomicU64>> =
        Arc::new((0..FRAMES).map(|_| AtomicU64::new(0)).collect());
    let (config, clock, stamps) =
        (tls.map(|(config, _)| Arc::clone(config)), bench.clock.clone(), Arc::clone(&written_ns));
    let served = bench.partner.run(move || serve(&listener, config, &clock, &stamps));
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    let url = format!("{scheme}://{address}/ws");
    let endpoint = Endpoint::parse(&url, Scheme::Ws, &Net::real(), tls.map(|(_, trust)| trust));
    let options = SessionOptions {
        endpoint: endpoint.expect("a good URL"),
        headers: String::new(),
        limits: SessionLimits::default(),
        governor: Governor::default(),
        net: Net::real(),
        token: 0,
        seed: 1,
    };
    let mut session = Session::new(options, KeepAlive::WsPing, bench.clock.clone());
    let mut took_ns = Vec::with_capacity(FRAMES);
    let mut before = None;
    while took_ns.len() < FRAMES {
        if took_ns.len() >= FRAMES - COUNTED && before.is_none() {
            before = Some(Allocations::so_far());
            count_this_thread(true);
        }
        if let Progress::Closed(reason) = session.step(bench.clock.now_ns()) {
            panic!("the connection ended: {reason}");
        }
        session.flush();
        loop {
            let from_ns = bench.clock.now_ns();
            let Some(frame) = session.next_frame() else { break };
            let now_ns = bench.clock.now_ns();
            assert_eq!(frame.bytes.len(), FRAME.len());
            let written_ns = written_ns[took_ns.len()].load(Ordering::Acquire);
            took_ns.push(match measured {
                Measured::Way => now_ns - written_ns,
                Measured::Read => now_ns - from_ns,
            });
        }
    }
    count_this_thread(false);
    let allocations = Allocations::so_far().since(before.unwrap_or_default());
    session.end_for_good();
    served.wait().expect("the frames were written");
    took_ns.sort_unstable();
    (quantile_ns(&took_ns, 0.5) as f64, allocations)
}

/// Takes one connection and writes the frames, each when it is due.
fn serve(
    listener: &TcpListener,
    config: Option<Arc<ServerConfig>>,
    clock: &Clock,
    written_ns: &[AtomicU64],
) -> io::Result<()> {
    let (stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    match config {
        None => write_frames(stream, clock, written_ns),
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(io::Error::other)?;
            write_frames(StreamOwned::new(connection, stream), clock, written_ns)
        }
    }
}

fn write_frames(
    mut stream: impl Read + Write,
    clock: &Clock,
    written_ns: &[AtomicU64],
) -> io::Result<()> {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        asked.push(byte[0]);
    }
    let asked = String::from_utf8_lossy(&asked);
    let key = asked.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
    });
    let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes())?;
    stream.flush()?;
    // A length of 126 to 65,535 bytes stands in two bytes.
    let mut frame = vec![0x81, 126];
    frame.extend_from_slice(&(FRAME.len() as u16).to_be_bytes());
    frame.extend_from_slice(FRAME);
    // The other side has time to open.
    let start_ns = clock.now_ns() + 20_000_000;
    for (index, written_ns) in written_ns.iter().enumerate() {
        while clock.now_ns() < start_ns + index as u64 * 1_000_000_000 / RATE_PER_S {
            std::hint::spin_loop();
        }
        written_ns.store(clock.now_ns(), Ordering::Release);
        stream.write_all(&frame)?;
        stream.flush()?;
    }
    Ok(())
}
