//! UDP announces (BEP 15) against the running executable, over real sockets. What every packet
//! looks like, byte by byte, is tested in `src/udp`; real clients are in `transfer.rs`.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::http;
use crate::support::random::Random;
use crate::support::tools;
use crate::support::tracker::Tracker;
use crate::support::udp::Client;
use crate::support::vitals::{Vitals, eventually};

const HASH: &[u8; 20] = b"an info_hash of 2026";
/// The same in a URL.
const HASH_IN_URL: &str = "an%20info_hash%20of%202026";

#[test]
fn peers_of_udp_and_of_http_meet_over_each_family() {
    let families = [("127.0.0.1", 4), ("::1", 16)];
    for (ip, address_length) in families {
        if ip == "::1" && !tools::has_ipv6() {
            continue;
        }
        let tracker = Tracker::start(&["-p", "0"]);
        let one = Client::connect(ip, tracker.port());
        let other = Client::connect(ip, tracker.port());
        assert_eq!(one.announce(HASH, 0x0101, 0), (1, 0, vec![]));
        let (seeders, leechers, peers) = other.announce(HASH, 0x0202, 1);
        assert_eq!((seeders, leechers), (1, 1));
        assert_eq!(peers.len(), address_length + 2);
        assert_eq!(peers[address_length..], [1, 1]);

        let ip: IpAddr = ip.parse().unwrap();
        let address = SocketAddr::new(ip, tracker.port());
        let query = format!("info_hash={HASH_IN_URL}&peer_id=aaaaaaaaaaaaaaaaaaaa&port=771&left=1");
        let over_http = http::announce(address, &query);
        let expected = [257, 514].map(|port| SocketAddr::new(ip, port).to_string());
        assert_eq!(over_http.shown(), expected);
        let (seeders, leechers, peers) = one.announce(HASH, 0x0101, 0);
        assert_eq!((seeders, leechers), (1, 2));
        assert_eq!(peers.len(), 2 * (address_length + 2));
    }
}

#[test]
fn a_connection_id_of_another_is_an_error_and_of_nobody_too() {
    let tracker = Tracker::start(&["-p", "0"]);
    let client = Client::without_id("127.0.0.1", tracker.port());
    let mut announce = client.packet(1, HASH);
    announce.resize(98, 1);
    let answer = client.ask(&announce);
    assert_eq!(answer, b"\0\0\0\x03tranconnection id expired");
}

#[test]
fn scrape_says_that_it_is_off_and_answers_when_it_is_on() {
    for (args, is_on) in [(&["-p", "0"][..], false), (&["-p", "0", "--scrape"], true)] {
        let tracker = Tracker::start(args);
        let client = Client::connect("127.0.0.1", tracker.port());
        client.announce(HASH, 1, 0);
        let answer = client.ask(&client.packet(2, HASH));
        let address = SocketAddr::from(([127, 0, 0, 1], tracker.port()));
        let over_http = http::get(address, &format!("/scrape?info_hash={HASH_IN_URL}"));
        if is_on {
            let counts = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
            assert_eq!(answer, [&b"\0\0\0\x02tran"[..], &counts].concat());
            // The longest packet there is.
            let all = client.ask(&client.packet(2, &HASH.repeat(74)));
            assert_eq!(all, [&b"\0\0\0\x02tran"[..], &counts.repeat(74)].concat());
            let expected = "d5:filesd20:an info_hash of 2026d8:completei1e\
                10:downloadedi0e10:incompletei0eeee";
            assert_eq!(over_http.text(), expected);
        } else {
            assert_eq!(
                answer,
                b"\0\0\0\x03tranthis tracker does not answer scrapes"
            );
            let failure = http::decode(&over_http.body).failure_reason;
            assert_eq!(
                failure.as_deref(),
                Some("this tracker does not answer scrapes")
            );
        }
    }
}

#[test]
fn no_udp_means_no_udp() {
    let tracker = Tracker::start(&["-p", "0", "--no-udp"]);
    let is_last = |line: &str| line.contains("how it is doing");
    assert!(tracker.wait_for_line(is_last, http::PATIENCE).is_some());
    let is_udp = |url: &String| url.starts_with("udp:");
    assert!(!tracker.urls().iter().any(is_udp), "{:?}", tracker.urls());
    // The port is free for somebody else.
    UdpSocket::bind(("0.0.0.0", tracker.port())).unwrap();
}

#[test]
fn http_alone_where_the_udp_port_is_taken() {
    // A port that is free for TCP; another test may take it meanwhile, so try some.
    for _ in 0..20 {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_err() {
            continue;
        }
        let tracker = Tracker::start(&["-p", &port.to_string(), "-b", "127.0.0.1"]);
        let says_so = |line: &str| line.contains("serving HTTP alone");
        assert!(tracker.wait_for_line(says_so, http::PATIENCE).is_some());
        http::assert_answers_soon(SocketAddr::from(([127, 0, 0, 1], port)));
        return;
    }
    panic!("no port is free for TCP alone");
}

#[test]
fn a_socket_for_each_address_answers_from_it() {
    let tracker = Tracker::start(&["-p", "0", "-b", "127.0.0.1", "-b", "127.0.0.2"]);
    for ip in ["127.0.0.1", "127.0.0.2"] {
        // A connected socket gets answers from that address alone.
        let client = Client::connect(ip, tracker.port());
        client.announce(HASH, 1, 0);
        tracker.expect_url(&format!("udp://{ip}:{}/announce", tracker.port()));
    }
}

/// A small dose of what `a_flood_of_ten_million_packets` gives in full.
#[test]
fn random_and_mutated_packets_do_no_harm() {
    flood(100_000);
}

/// Ten million: for a person who has minutes, with `cargo test -- --ignored flood`.
#[test]
#[ignore = "takes minutes; a hundredth of it is in the test before"]
fn a_flood_of_ten_million_packets() {
    flood(10_000_000);
}

fn flood(packets: u32) {
    let tracker = Tracker::start(&["-p", "0", "-q"]);
    let honest = Client::connect("127.0.0.1", tracker.port());
    honest.announce(HASH, 1, 0);
    let hostile = Client::connect("127.0.0.1", tracker.port());
    hostile.socket.set_nonblocking(true).unwrap();
    let mut ordinary = hostile.packet(1, HASH);
    ordinary.resize(98, 0);
    let mut random = Random(0x2026);
    let mut memory = None;
    for n in 0..packets {
        let packet = random.mutated_packet(&ordinary);
        // A full buffer loses one; that is what UDP is like.
        let _ = hostile.socket.send(&packet);
        if n % 64 == 0 {
            let mut answer = [0; 4096];
            while hostile.socket.recv(&mut answer).is_ok() {}
        }
        if n == packets / 2 {
            memory = Vitals::of(tracker.id());
        }
    }
    // What came last may have found the socket's buffer full.
    let again = Client::connect_packet();
    assert!(eventually(|| honest
        .ask_within(&again, Duration::from_millis(500))
        .is_some()));
    let fresh = Client::connect("127.0.0.1", tracker.port());
    let (seeders, leechers, _) = fresh.announce(HASH, 7, 1);
    assert!(seeders >= 1 && leechers >= 1);
    // Half of the flood has filled whatever was to be filled.
    if let (Some(before), Some(after)) = (memory, Vitals::of(tracker.id())) {
        let most = before.resident + 1024;
        assert!(after.resident <= most, "{before:?}, then {after:?}");
    }
}

/// Threads that serve the tracker's UDP sockets; `None` where the system does not tell.
fn threads(tracker: &Tracker) -> Option<usize> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", tracker.id())).ok()?;
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
    let names = tasks.flatten().filter_map(name);
    Some(names.filter(|name| name == "udp\n").count())
}

/// It is asked for more than one thread can answer, and later by somebody now and then.
#[test]
fn a_socket_that_does_not_keep_up_is_helped_and_for_no_longer_than_that() {
    let tracker = Tracker::start(&["-p", "0", "-b", "127.0.0.1", "-q"]);
    if threads(&tracker).is_none() {
        return;
    }
    // Before the flood, in which an answer may be lost.
    let clients: Vec<_> = (0..5)
        .map(|_| Client::connect("127.0.0.1", tracker.port()))
        .collect();
    let is_over = AtomicBool::new(false);
    let is_helped = thread::scope(|scope| {
        for (port, client) in (1..).zip(&clients[1..]) {
            let is_over = &is_over;
            scope.spawn(move || {
                client.socket.set_nonblocking(true).unwrap();
                let packet = client.announce_packet(HASH, port, 1, 0);
                while !is_over.load(Ordering::Relaxed) {
                    let _ = client.socket.send(&packet);
                    while client.socket.recv(&mut [0; 4096]).is_ok() {}
                }
            });
        }
        let is_helped = eventually(|| threads(&tracker) > Some(1));
        is_over.store(true, Ordering::Relaxed);
        is_helped
    });
    assert!(is_helped, "{}", tracker.report());
    let packet = Client::connect_packet();
    let is_alone = eventually(|| {
        clients[0].ask_within(&packet, Duration::from_millis(500));
        threads(&tracker) == Some(1)
    });
    assert!(is_alone, "{:?} threads", threads(&tracker));
}
