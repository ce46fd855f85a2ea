//! Somebody else with the account's key: places orders under names that no engine of ours gives
//! out, one request after the other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use pitlane_engine::event::{Side, VenueRef};
use pitlane_engine::order::{OrderAction, OrderCommand, OrderType, TimeInForce};
use pitlane_engine::venue::Scales;
use pitlane_engine::venue::protocol::{
    OrderDecoder, OrderMessage, OrderProtocol, OrderRequest, Way,
};
use tungstenite::{Message, WebSocket};
use zerocopy::FromZeros;

use crate::harness::{BTC, symbols, wall_ms};
use crate::subject::Orders;
use crate::trader::QTY;

/// A session of the venue's order entry, logged on.
pub struct Stranger<V: Orders> {
    protocol: V::Entry,
    address: SocketAddr,
    session: Option<WebSocket<TcpStream>>,
    id: u64,
}

impl<V: Orders> Stranger<V> {
    pub fn new(address: SocketAddr) -> Stranger<V> {
        let decoder = <V::Entry as OrderProtocol>::Decoder::new(symbols(), 1 << 20);
        let protocol = V::Entry::new(V::key(), decoder);
        let mut stranger = Stranger { protocol, address, session: None, id: 0 };
        if V::Entry::ORDERS_OVER_REST {
            return stranger;
        }
        let stream = TcpStream::connect(address).expect("the venue is there");
        let path = V::dialect().api_path.expect("it takes orders");
        let url = format!("ws://{address}{path}");
        let (session, _) = tungstenite::client(url, stream).expect("a WebSocket");
        stranger.session = Some(session);
        for step in 0..V::Entry::LOGON.len() {
            let mut text = Vec::new();
            let id = stranger.next_id();
            stranger.protocol.logon(step, id, wall_ms(), &mut text);
            match V::Entry::logon_way(step) {
                // It does not listen.
                Way::Stream => {}
                Way::Rest => stranger.ask(id, &text),
                Way::Session => stranger.say(id, &text),
            }
        }
        stranger
    }

    /// Places an order that rests far below the market.
    pub fn place(&mut self, name: &str) {
        let mut command = OrderCommand::new_zeroed();
        (command.instrument, command.action_code) = (BTC.0, OrderAction::Submit as u8);
        (command.side_code, command.price, command.qty) = (Side::Buy.code(), 3_000_000, QTY);
        command.order_type_code = OrderType::Limit as u8;
        command.time_in_force_code = TimeInForce::Gtc as u8;
        let id = self.next_id();
        let request = OrderRequest {
            id,
            native: "BTCUSDT",
            scales: Scales { price: 2, qty: 5 },
            name: name.as_bytes(),
            venue_order_id: VenueRef::NONE,
            time_ms: wall_ms(),
            sent: None,
        };
        let mut text = Vec::new();
        self.protocol.place(&command, &request, &mut text).expect("any venue has such an order");
        if V::Entry::ORDERS_OVER_REST { self.ask(id, &text) } else { self.say(id, &text) }
    }

    fn next_id(&mut self) -> u64 {
        self.id += 1;
        self.id
    }

    /// Sends a request over the session, and waits until it is granted.
    fn say(&mut self, id: u64, text: &[u8]) {
        let session = self.session.as_mut().expect("it is open");
        let text = String::from_utf8(text.to_vec()).expect("text");
        session.send(Message::text(text)).expect("the venue listens");
        loop {
            let frame = session.read().expect("an answer").into_data();
            let decoder = self.protocol.decoder();
            if is_granted(id, decoder.decode(&frame)) {
                return;
            }
            while let Some((next, _)) = decoder.next_of_frame() {
                if is_granted(id, next) {
                    return;
                }
            }
        }
    }

    /// The same over REST.
    fn ask(&mut self, id: u64, text: &[u8]) {
        let text = str::from_utf8(text).expect("text");
        let (head, body) = text.split_once("\n\n").expect("a head and a body");
        let (first, headers) = head.split_once('\n').unwrap_or((head, ""));
        let headers: String = headers.lines().map(|line| format!("{line}\r\n")).collect();
        let mut stream = TcpStream::connect(self.address).expect("the venue is there");
        let request = format!("{first} HTTP/1.1\r\nHost: venue\r\n{headers}\r\n{body}");
        stream.write_all(request.as_bytes()).expect("the venue listens");
        let mut reader = BufReader::new(stream);
        let (mut line, mut length, mut status) = (String::new(), 0, 0);
        while reader.read_line(&mut line).expect("an answer") > 2 {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            match words.as_slice() {
                [version, code, ..] if version.starts_with("HTTP") => {
                    status = code.parse().unwrap()
                }
                [name, value] if name.eq_ignore_ascii_case("content-length:") => {
                    length = value.parse().unwrap();
                }
                _ => {}
            }
            line.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("the rest of it");
        assert!(is_granted(id, self.protocol.decoder().decode_rest(id, status, &body)));
    }
}

/// Whether this answers the request, which must not be refused.
fn is_granted<E: std::fmt::Debug>(id: u64, read: Result<OrderMessage<'_>, E>) -> bool {
    match read {
        Ok(OrderMessage::Reply(reply)) if reply.id == id => {
            reply.outcome.expect("it is granted");
            true
        }
        _ => false,
    }
}
