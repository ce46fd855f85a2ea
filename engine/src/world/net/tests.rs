//! The same promises on the system's network and on the virtual one, and the faults of the latter.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use super::*;
use crate::world::{Clock, ManualTime};

const ANY_PORT: &str = "127.0.0.1:0";
const LATENCY_NS: u64 = 1_000;

fn virtual_net(seed: u64, conditions: NetConditions) -> (VirtualNet, ManualTime) {
    let (clock, time) = Clock::manual(0);
    (VirtualNet::new(clock, seed, conditions), time)
}

fn plain() -> NetConditions {
    NetConditions { latency_ns: LATENCY_NS, jitter_ns: 0, ..NetConditions::default() }
}

/// Tries until `attempt` gives something; `pass` lets time pass in between.
fn until<T>(pass: &dyn Fn(), mut attempt: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1_000_000 {
        if let Some(outcome) = attempt() {
            return outcome;
        }
        pass();
    }
    panic!("nothing came of it");
}

fn not_blocked<T>(outcome: io::Result<T>) -> Option<io::Result<T>> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        outcome => Some(outcome),
    }
}

fn talks_and_ends(net: &Net, pass: &dyn Fn()) {
    let listener = net.listen(ANY_PORT.parse().unwrap()).unwrap();
    let address = listener.local_address().unwrap();
    assert_ne!(address.port(), 0);
    assert_eq!(net.listen(address).unwrap_err().kind(), ErrorKind::AddrInUse);
    let mut client = net.connect(address, None).unwrap();
    let (mut server, _peer) = until(pass, || not_blocked(listener.accept())).unwrap();
    until(pass, || client.is_connected().unwrap().then_some(()));
    client.write_all(b"ask").unwrap();
    let mut bytes = [0; 2];
    let mut said = Vec::new();
    while said.len() < 3 {
        let count = until(pass, || not_blocked(server.read(&mut bytes))).unwrap();
        said.extend_from_slice(&bytes[..count]);
    }
    assert_eq!(said, b"ask");
    server.write_all(b"ok").unwrap();
    server.shutdown_write().unwrap();
    let mut answer = Vec::new();
    loop {
        match until(pass, || not_blocked(client.read(&mut bytes))).unwrap() {
            0 => break,
            count => answer.extend_from_slice(&bytes[..count]),
        }
    }
    assert_eq!(answer, b"ok");
    client.write_all(b"!").unwrap();
    until(pass, || not_blocked(server.read(&mut bytes))).unwrap();
    server.reset_on_drop().unwrap();
    drop(server);
    until(pass, || client.write(b"lost").err());
}

fn a_silent_address_refuses(net: &Net, pass: &dyn Fn()) {
    let listener = net.listen(ANY_PORT.parse().unwrap()).unwrap();
    let address = listener.local_address().unwrap();
    drop(listener);
    let error = until(pass, || match net.connect(address, None) {
        Err(error) => Some(error),
        Ok(mut stream) => Some(until(pass, || stream.is_connected().err())),
    });
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn both_nets_connect_talk_end_and_refuse() {
    let (net, time) = virtual_net(1, plain());
    let pass = || time.advance_ns(LATENCY_NS);
    let net = Net::Virtual(net);
    talks_and_ends(&net, &pass);
    a_silent_address_refuses(&net, &pass);
    let real = Net::real();
    talks_and_ends(&real, &std::thread::yield_now);
    a_silent_address_refuses(&real, &std::thread::yield_now);
}

/// A connection of a virtual net, both ends.
fn pair(net: &VirtualNet, time: &ManualTime) -> (Stream, Stream) {
    let world = Net::Virtual(net.clone());
    let listener = world.listen(ANY_PORT.parse().unwrap()).unwrap();
    let client = world.connect(listener.local_address().unwrap(), None).unwrap();
    time.advance_to_ns(net.next_due_ns());
    let (server, _peer) = listener.accept().unwrap();
    (client, server)
}

#[test]
fn nothing_arrives_before_its_time() {
    let (net, time) = virtual_net(1, plain());
    let (mut client, mut server) = pair(&net, &time);
    assert_eq!(net.next_due_ns(), u64::MAX);
    client.write_all(b"x").unwrap();
    assert_eq!(net.next_due_ns(), net.now_ns() + LATENCY_NS);
    time.advance_ns(LATENCY_NS - 1);
    let mut bytes = [0; 8];
    assert_eq!(server.read(&mut bytes).unwrap_err().kind(), ErrorKind::WouldBlock);
    time.advance_ns(1);
    assert_eq!(server.read(&mut bytes).unwrap(), 1);
}

/// What a reader sees of 200 writes: times and bytes; with the net's totals.
fn transcript(seed: u64, conditions: NetConditions) -> (Vec<(u64, Vec<u8>)>, NetTotals) {
    let (net, time) = virtual_net(seed, conditions);
    let (mut client, mut server) = pair(&net, &time);
    let mut seen = Vec::new();
    for number in 0..200_u8 {
        if client.write_all(&[number; 7]).is_err() {
            break;
        }
        for _ in 0..2 {
            time.advance_to_ns(net.next_due_ns().min(net.now_ns() + LATENCY_NS));
            let mut bytes = [0; 64];
            match server.read(&mut bytes) {
                Ok(count) => seen.push((net.now_ns(), bytes[..count].to_vec())),
                Err(error) => assert!(
                    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionReset),
                    "{error}"
                ),
            }
        }
    }
    (seen, net.totals())
}

#[test]
fn splits_and_stalls_keep_the_order_of_bytes_and_follow_from_the_seed() {
    let conditions = NetConditions {
        jitter_ns: 300,
        split_ppm: 200_000,
        stall_ppm: 50_000,
        stall_ns: 5_000,
        ..plain()
    };
    let (seen, totals) = transcript(5, conditions);
    assert!(totals.splits > 10 && totals.stalls > 2, "{totals:?}");
    let bytes: Vec<u8> = seen.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    let expected: Vec<u8> = (0..200_u8).flat_map(|number| [number; 7]).collect();
    assert!(bytes.len() > 1_000 && expected.starts_with(&bytes));
    assert_eq!((seen.clone(), totals), transcript(5, conditions));
    assert_ne!(seen, transcript(6, conditions).0);
}

#[test]
fn a_cut_loses_the_tail_and_both_sides_see_it() {
    let conditions = NetConditions { cut_ppm: 50_000, ..plain() };
    let (seen, totals) = transcript(3, conditions);
    assert_eq!(totals.cuts, 1, "{totals:?}");
    let bytes: Vec<u8> = seen.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    assert!(bytes.len() < 1_400);
}

#[test]
fn a_reader_that_does_not_read_blocks_the_writer() {
    let (net, time) = virtual_net(1, plain());
    let (mut client, mut server) = pair(&net, &time);
    let block = vec![7; 100_000];
    let mut written = 0;
    let blocked = loop {
        match client.write(&block) {
            Ok(count) => written += count,
            Err(error) => break error,
        }
    };
    assert_eq!((blocked.kind(), written), (ErrorKind::WouldBlock, 256 * 1024));
    time.advance_to_ns(net.next_due_ns());
    let mut bytes = [0; 1_000];
    assert_eq!(server.read(&mut bytes).unwrap(), 1_000);
    assert_eq!(client.write(&block).unwrap(), 1_000);
}

#[test]
fn a_name_that_moves_is_found_at_its_new_address() {
    let (net, _time) = virtual_net(1, plain());
    let addresses = |text: &str| vec![text.parse::<SocketAddr>().unwrap()];
    let world = Net::Virtual(net.clone());
    assert_eq!(world.resolve("venue:443").unwrap_err().kind(), ErrorKind::NotFound);
    net.set_name("venue:443", addresses("10.0.0.1:443"));
    assert_eq!(world.resolve("venue:443").unwrap(), addresses("10.0.0.1:443"));
    net.set_name("venue:443", addresses("10.0.0.2:443"));
    let lookup = world.look_up("venue:443");
    assert_eq!(lookup.poll().unwrap().unwrap(), addresses("10.0.0.2:443"));
    assert_eq!(world.resolve("127.0.0.1:80").unwrap(), addresses("127.0.0.1:80"));
}

#[test]
fn a_silence_swallows_what_is_written_and_its_end() {
    let conditions = NetConditions { silence_ppm: 1_000_000, ..plain() };
    let (net, time) = virtual_net(1, plain());
    let (mut client, mut server) = pair(&net, &time);
    net.set_conditions(conditions);
    assert_eq!(client.write(b"hello").unwrap(), 5);
    net.set_conditions(plain());
    assert_eq!(server.write(b"hello").unwrap(), 5);
    assert_eq!(client.write(b"again").unwrap(), 5);
    time.advance_ns(3_600_000_000_000);
    let mut bytes = [0; 10];
    assert_eq!(server.read(&mut bytes).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(client.read(&mut bytes).unwrap(), 5, "the other direction goes on");
    drop(client);
    time.advance_ns(3_600_000_000_000);
    assert_eq!(server.read(&mut bytes).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(net.totals().silences, 1);
}

#[test]
fn connections_are_refused_and_names_lost_as_often_as_was_asked() {
    let (net, _time) = virtual_net(1, plain());
    let world = Net::Virtual(net.clone());
    let listener = world.listen(ANY_PORT.parse().unwrap()).unwrap();
    let address = listener.local_address().unwrap();
    net.set_name("venue:443", vec![address]);
    let half = NetConditions { refuse_ppm: 500_000, lost_name_ppm: 500_000, ..plain() };
    net.set_conditions(half);
    let lost = (0..1_000).filter(|_| world.resolve("venue:443").is_err()).count() as u64;
    let _streams: Vec<_> = (0..1_000).map(|_| world.connect(address, None).unwrap()).collect();
    let totals = net.totals();
    assert_eq!((totals.lost_names, totals.refused + totals.connections), (lost, 1_000));
    assert!((400..600).contains(&lost) && (400..600).contains(&totals.refused), "{totals:?}");
}
