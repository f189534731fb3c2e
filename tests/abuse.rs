//! Whatever arrives, the tracker goes on: hostile, broken and unlucky clients against the running
//! executable. Each row of the table in `dont_readme.txt` that says what brings a bare tiny_http
//! down has a test named for it, and so has each of the gate's bounds. What all of them share is
//! here: a tracker whose threads and descriptors are counted before and after.
//!
//! One row has no test here: a handler that panics. Nothing that a client can send makes it, so
//! the unit tests in `src/http/` provoke it by a request that exists in them alone.

/// Bytes that are no request of a BitTorrent client, and what is answered.
mod bytes;
/// Many connections at the same time, and descriptors that run out.
mod crowds;
/// What the machine does to the tracker: no threads, little memory, a network that goes away.
mod faults;
/// How many connections one address gets: between machines, since this machine is exempt.
mod neighbours;
/// Clients that take their time, to send or to read.
mod slow;
/// Programs on the tracker's own machine.
mod strangers;

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use crate::support::http::{Answer, Connection, PATIENCE, assert_answers_soon};
use crate::support::tracker::{Launch, Tracker};
use crate::support::vitals::{LASTING_THREADS, Vitals, eventually, is_the_end};

/// A tracker under attack; it listens on every address.
struct Victim {
    tracker: Tracker,
    /// Before the first connection.
    before: Option<Vitals>,
}

impl Victim {
    fn start() -> Victim {
        Victim::launch(Launch::new())
    }

    fn launch(launch: Launch) -> Victim {
        Victim::launch_with(launch, &[])
    }

    /// With these options.
    fn with(options: &[&str]) -> Victim {
        Victim::launch_with(Launch::new(), options)
    }

    fn launch_with(launch: Launch, options: &[&str]) -> Victim {
        let tracker = launch.start(&[&["-p", "0"], options].concat());
        let before = Vitals::of(tracker.id());
        Victim { tracker, before }
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.tracker.port()).into()
    }

    fn assert_answers(&self) {
        assert!(self.tracker.is_running(), "{}", self.tracker.report());
        assert_answers_soon(self.address());
    }

    /// What has to hold after every attack, also while its connections are still open on the
    /// attacker's side.
    fn assert_unharmed(&self) {
        self.assert_answers();
        let Some(before) = self.before else {
            return;
        };
        let mut now = before;
        let is_unharmed = eventually(|| {
            now = Vitals::of(self.tracker.id()).expect("it is running");
            now.descriptors <= before.descriptors
                && now.threads <= before.threads
                && now.gate_threads >= before.gate_threads.min(LASTING_THREADS)
        });
        assert!(
            is_unharmed,
            "before: {before:?}, after: {now:?}\n{}",
            self.tracker.report()
        );
    }

    /// Sends this on a connection of its own, and has it refused with this status, a text and a
    /// close. Returns the text.
    fn assert_refuses(&self, request: &[u8], status: u16) -> String {
        let mut connection = Connection::open(self.address());
        connection.send(request);
        let text = assert_refusal(&connection.answer(), status);
        assert!(connection.is_closed(), "more than one answer");
        text
    }
}

fn assert_refusal(answer: &Answer, status: u16) -> String {
    let text = answer.text();
    assert_eq!(answer.status, status, "{text}");
    assert_eq!(answer.header("Connection"), Some("close"), "{answer:?}");
    assert!(text.len() > 10 && text.len() < 200, "{text}");
    text
}

/// All that comes until the tracker closes the connection, or resets it. Panics if it does
/// neither.
fn read_to_end(mut stream: &TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if is_the_end(error.kind()) => {}
        Err(error) => panic!("waiting for the tracker to close the connection: {error}"),
    }
    bytes
}

/// An info_hash of one test's own, percent-encoded.
fn info_hash(name: u8) -> String {
    format!("%{name:02x}").repeat(20)
}

/// The query of an announce for a torrent of one test's own.
fn query(name: u8, port: u16) -> String {
    let info_hash = info_hash(name);
    format!("info_hash={info_hash}&peer_id=-MF1000-abcdefghijkl&left=5&port={port}")
}

/// Has that many peers announce themselves for a torrent, over one connection.
fn fill(victim: &Victim, name: u8, peers: u16) {
    let mut connection = Connection::open(victim.address());
    for port in 1..=peers {
        let answer = connection.get(&format!("/announce?{}", query(name, port)));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}
