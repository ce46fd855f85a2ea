//! The client against a venue in virtual time.

use super::*;
use crate::venue::transport::Scheme;
use crate::world::{Clock, Listener, ManualTime, NetConditions, VirtualNet};

const BODY: &str = r#"{"lastUpdateId":7}"#;

struct Bench {
    net: VirtualNet,
    clock: Clock,
    time: ManualTime,
    listener: Listener,
    served: Option<Stream>,
    /// Whole requests that came.
    heard: usize,
    client: RestClient,
}

impl Bench {
    fn new(split_ppm: u32) -> Bench {
        let (clock, time) = Clock::manual(0);
        let conditions = NetConditions { split_ppm, ..NetConditions::default() };
        let net = VirtualNet::new(clock.clone(), 9, conditions);
        let world = Net::Virtual(net.clone());
        let listener = world.listen("10.0.0.1:80".parse().unwrap()).unwrap();
        let url = "http://10.0.0.1:80/base";
        let options = RestOptions {
            endpoint: Endpoint::parse(url, Scheme::Http, &world, None).unwrap(),
            net: world,
            token: 0,
            timeout_ns: 1_000_000_000,
            body_bytes_max: 1_000,
        };
        let client = RestClient::new(options);
        Bench { net, clock, time, listener, served: None, heard: 0, client }
    }

    /// Asks; the venue gives `reply` to the request that it reads, and hangs up behind it if told.
    fn ask(&mut self, reply: &str, hangs_up: bool) -> Result<RestReply, RestError> {
        self.client.get("/depth?symbol=X", self.clock.now_ns()).unwrap();
        self.serve("GET /base/depth?symbol=X HTTP/1.1\r\n", Some(reply), hangs_up)
    }

    /// Posts what may not be posted twice; `None`: it is read, and not answered.
    fn post(&mut self, reply: Option<&str>, hangs_up: bool) -> Result<RestReply, RestError> {
        let request = b"POST /orders\nContent-Length: 2\n\n{}";
        self.client.ask_once(request, self.clock.now_ns())?;
        self.serve("POST /base/orders HTTP/1.1\r\n", reply, hangs_up)
    }

    fn serve(
        &mut self,
        begins: &str,
        reply: Option<&str>,
        hangs_up: bool,
    ) -> Result<RestReply, RestError> {
        let mut request = Vec::new();
        loop {
            if let Some(outcome) = self.client.step(self.clock.now_ns()) {
                return outcome;
            }
            if let Ok((stream, _)) = self.listener.accept() {
                self.served = Some(stream);
            }
            let mut bytes = [0; 512];
            if let Some(stream) = &mut self.served
                && let Ok(count) = stream.read(&mut bytes)
            {
                request.extend_from_slice(&bytes[..count]);
                if request.ends_with(b"\r\n\r\n") || request.ends_with(b"\r\n\r\n{}") {
                    let is_post = begins.starts_with("POST");
                    if is_post && !request.ends_with(b"{}") {
                        continue;
                    }
                    assert!(request.starts_with(begins.as_bytes()));
                    request.clear();
                    self.heard += 1;
                    let reply = reply.unwrap_or_default().as_bytes();
                    reply.chunks(7).for_each(|part| stream.write_all(part).unwrap());
                    if hangs_up {
                        self.served = None;
                    }
                }
            }
            let next_ns = self.net.next_due_ns().min(self.client.deadline_ns());
            self.time.advance_to_ns(next_ns);
        }
    }
}

fn plain(status: &str, headers: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{BODY}", BODY.len())
}

#[test]
fn bodies_of_every_length_come_whole_however_the_bytes_are_split() {
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}\r\nd\r\n{}\r\n0\r\n\r\n",
        &BODY[..5],
        &BODY[5..]
    );
    let until_end = format!("HTTP/1.1 200 OK\r\n\r\n{BODY}");
    let mut bench = Bench::new(500_000);
    for (reply, hangs_up) in [(&plain("200 OK", ""), false), (&chunked, false), (&until_end, true)]
    {
        let reply = bench.ask(reply, hangs_up).unwrap();
        assert_eq!((reply.status, reply.body.as_slice()), (200, BODY.as_bytes()));
    }
    assert!(bench.net.totals().splits > 3);
    assert_eq!(bench.net.totals().connections, 1, "the connection was kept");
}

#[test]
fn a_kept_connection_that_the_venue_has_closed_is_opened_anew() {
    let mut bench = Bench::new(0);
    bench.ask(&plain("200 OK", ""), true).unwrap();
    bench.ask(&plain("200 OK", ""), false).unwrap();
    assert_eq!(bench.net.totals().connections, 2);
}

#[test]
fn a_redirect_is_an_error_that_names_its_target() {
    let mut bench = Bench::new(0);
    let moved = plain("302 Found", "Location: http://10.6.6.6/steal\r\n");
    let error = bench.ask(&moved, false).unwrap_err().to_string();
    assert_eq!(
        error,
        "request failed: redirected to http://10.6.6.6/steal, which is not followed (code: http 302)"
    );
    assert_eq!((bench.net.totals().connections, bench.net.totals().refused), (1, 0));
}

#[test]
fn a_refusal_says_when_to_come_back() {
    let mut bench = Bench::new(0);
    let reply = bench.ask(&plain("429 Slow", "Retry-After: 259200\r\n"), false).unwrap();
    let wanted = Some(RetryAfter::Seconds(259_200));
    assert_eq!((reply.status, reply.retry_after), (429, wanted));
    assert!(reply.headers.contains(&("Retry-After".to_owned(), "259200".to_owned())));
}

#[test]
fn what_is_no_reply_is_refused_with_its_reason() {
    let refused = |reply: &str| Bench::new(0).ask(reply, true).unwrap_err();
    assert!(matches!(refused("\u{16}\u{3}\u{1} tls\r\n\r\n"), RestError::Protocol(_)));
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n";
    assert!(matches!(refused(long), RestError::Oversize(1_000)));
    let cut = &plain("200 OK", "")[..50];
    assert!(matches!(refused(cut), RestError::Io(_)));
    let mut silent = Bench::new(0);
    assert!(matches!(silent.ask("", false).unwrap_err(), RestError::Deadline));
    assert_eq!(silent.clock.now_ns(), 1_000_000_000);
}

#[test]
fn what_changes_something_is_written_once_and_on_a_connection_that_stands() {
    let mut bench = Bench::new(0);
    bench.ask(&plain("200 OK", ""), true).unwrap();
    // The end of the connection comes while nothing is asked.
    bench.time.advance_to_ns(bench.clock.now_ns() + 1_000_000);
    let reply = bench.post(Some(&plain("200 OK", "")), false).unwrap();
    assert_eq!((reply.status, bench.heard, bench.net.totals().connections), (200, 2, 2));
    assert!(bench.client.was_sent());
    // It ends behind the request: a question would be asked again.
    let lost = bench.post(None, true).unwrap_err();
    assert!(matches!(lost, RestError::Io(_)), "{lost}");
    assert_eq!((bench.heard, bench.net.totals().connections), (3, 2), "never written again");
    assert!(bench.client.was_sent(), "the venue may have it");
}

#[test]
fn an_answer_that_comes_twice_is_not_that_to_the_next_question() {
    let mut bench = Bench::new(0);
    let twice = plain("200 OK", "");
    bench.ask(&twice, false).unwrap();
    if let Some(stream) = &mut bench.served {
        stream.write_all(twice.as_bytes()).unwrap();
    }
    bench.time.advance_to_ns(bench.clock.now_ns() + 1_000_000_000);
    let reply = bench.ask(&plain("404 Not Found", ""), false).unwrap();
    assert_eq!((reply.status, bench.heard, bench.net.totals().connections), (404, 2, 2));
}

#[test]
fn what_has_not_left_is_known_not_to_have_left_and_can_be_given_up() {
    let mut bench = Bench::new(0);
    bench.client.ask_once(b"POST /orders\n\n{}", 0).unwrap();
    assert!(bench.client.is_sending() && !bench.client.was_sent());
    bench.client.give_up_unsent();
    assert!(bench.client.is_idle() && bench.client.step(1).is_none());
    bench.client.ask_once(b"POST /orders\n\n{}", 0).unwrap();
    while !bench.client.was_sent() {
        let next_ns = bench.net.next_due_ns();
        bench.time.advance_to_ns(next_ns);
        assert!(bench.client.step(bench.clock.now_ns()).is_none());
    }
    bench.client.give_up_unsent();
    assert!(!bench.client.is_idle() && !bench.client.is_sending(), "its answer is awaited");
}

#[test]
fn a_request_on_a_kept_connection_takes_no_new_memory() {
    let mut bench = Bench::new(0);
    bench.post(Some(&plain("200 OK", "")), false).unwrap();
    let place = bench.client.request.as_ptr();
    for _ in 0..10 {
        bench.post(Some(&plain("200 OK", "")), false).unwrap();
    }
    assert_eq!((bench.client.request.as_ptr(), bench.net.totals().connections), (place, 1));
}
