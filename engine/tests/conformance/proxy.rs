//! A TCP proxy that loses bytes and cuts: the line between us and the venue.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the proxy does at present.
#[derive(Default)]
struct Line {
    /// Bytes to the venue are lost.
    loses_requests: AtomicBool,
    /// Bytes to us are lost.
    loses_replies: AtomicBool,
    /// How often the present connections were ended.
    cuts: AtomicUsize,
    stop: AtomicBool,
    lost_bytes: AtomicUsize,
    connections: AtomicUsize,
}

/// A proxy: what happens, happens to all connections that there are.
pub struct Proxy {
    pub address: SocketAddr,
    line: Arc<Line>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    pub fn start(venue: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let line = Arc::<Line>::default();
        let shared = Arc::clone(&line);
        let thread = std::thread::spawn(move || {
            for client in listener.incoming() {
                if shared.stop.load(Ordering::Acquire) {
                    return;
                }
                let client = client.expect("a connection");
                shared.connections.fetch_add(1, Ordering::AcqRel);
                let (line, cuts) = (Arc::clone(&shared), shared.cuts.load(Ordering::Acquire));
                let venue = TcpStream::connect(venue).expect("the venue listens");
                // Ends with its connection, at the latest when the proxy goes.
                std::thread::spawn(move || line.carry(&client, &venue, cuts));
            }
        });
        Proxy { address, line, thread: Some(thread) }
    }

    /// From now on, bytes in this direction are lost.
    pub fn lose_requests(&self) {
        self.line.loses_requests.store(true, Ordering::Release);
    }

    /// From now on, bytes in this direction are lost.
    pub fn lose_replies(&self) {
        self.line.loses_replies.store(true, Ordering::Release);
    }

    pub fn lost_bytes(&self) -> usize {
        self.line.lost_bytes.load(Ordering::Acquire)
    }

    pub fn connections(&self) -> usize {
        self.line.connections.load(Ordering::Acquire)
    }

    /// Ends the present connections; the next ones are whole again.
    pub fn cut(&self) {
        self.line.cuts.fetch_add(1, Ordering::AcqRel);
        self.line.loses_requests.store(false, Ordering::Release);
        self.line.loses_replies.store(false, Ordering::Release);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.line.stop.store(true, Ordering::Release);
        self.cut();
        // Wakes the accept.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

impl Line {
    /// Carries bytes both ways until one side ends or the line is cut.
    fn carry(&self, client: &TcpStream, venue: &TcpStream, cuts: usize) {
        for stream in [client, venue] {
            stream.set_nodelay(true).expect("no delay");
            stream.set_read_timeout(Some(Duration::from_millis(1))).expect("a timeout");
        }
        while self.pass(client, venue, (&self.loses_requests, cuts))
            && self.pass(venue, client, (&self.loses_replies, cuts))
        {}
        for stream in [client, venue] {
            let _gone = stream.shutdown(Shutdown::Both);
        }
    }

    /// False at the end of the bytes, and once the line was cut again.
    fn pass(
        &self,
        mut from: &TcpStream,
        mut to: &TcpStream,
        (loses, cuts): (&AtomicBool, usize),
    ) -> bool {
        let mut bytes = [0; 4_096];
        let read = from.read(&mut bytes);
        if self.cuts.load(Ordering::Acquire) != cuts {
            return false;
        }
        match read {
            Ok(0) => false,
            Ok(count) if loses.load(Ordering::Acquire) => {
                self.lost_bytes.fetch_add(count, Ordering::AcqRel);
                true
            }
            Ok(count) => to.write_all(&bytes[..count]).is_ok(),
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}
