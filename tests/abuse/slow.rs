//! Clients that take their time: silent ones, those that send a byte now and then, and those that
//! ask and never read. The gate ends all of them by itself. That takes seconds, so they wait for
//! their end at the same time.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::{Victim, fill, is_the_end, query};
use crate::support::http::{Connection, PATIENCE};

/// A client that sends something, and then more of it, byte by byte and again from the beginning.
struct Slow {
    name: &'static str,
    at_once: &'static str,
    then: &'static str,
    /// The statuses of the answers before the connection is closed; one of these sequences.
    gets: &'static [&'static [u16]],
}

const SLOW: &[Slow] = &[
    Slow {
        name: "says nothing",
        at_once: "",
        then: "",
        gets: &[&[]],
    },
    Slow {
        name: "stops after the first byte",
        at_once: "G",
        then: "",
        gets: &[&[408]],
    },
    Slow {
        name: "stops within the head",
        at_once: "GET /announce?info_hash=x HTTP/1.1\r\nHost: x\r\n",
        then: "",
        gets: &[&[408]],
    },
    Slow {
        name: "speaks HTTP/0.9 and waits",
        at_once: "GET /announce\r\n",
        then: "",
        gets: &[&[408]],
    },
    Slow {
        name: "drips a request line",
        at_once: "GET /announce?",
        then: "info_hash=%12&",
        gets: &[&[408]],
    },
    Slow {
        name: "drips from the first byte",
        at_once: "",
        then: "GET",
        gets: &[&[408]],
    },
    Slow {
        name: "drips headers",
        at_once: "GET / HTTP/1.1\r\n",
        then: "A: b\r\n",
        gets: &[&[408]],
    },
    Slow {
        name: "drips a second request",
        at_once: "GET / HTTP/1.1\r\n\r\n",
        then: "GET /announce?",
        gets: &[&[200, 408]],
    },
    Slow {
        name: "goes on after a refusal",
        at_once: "\0",
        then: "\0",
        gets: &[&[400]],
    },
    // No part of a request, but no reason to wait for ever either.
    Slow {
        name: "drips empty lines",
        at_once: "",
        then: "\r\n",
        gets: &[&[], &[408]],
    },
];

#[test]
fn idle_and_dripping_connections() {
    let victim = Victim::start();
    let address = victim.address();
    let held: Vec<_> = thread::scope(|scope| {
        let clients: Vec<_> = SLOW
            .iter()
            .map(|slow| scope.spawn(move || slow.run(address)))
            .collect();
        victim.assert_answers();
        let ends = clients.into_iter().map(|client| client.join().unwrap());
        ends.collect()
    });
    // They have not closed on their side: that must not hold a thread or a descriptor.
    victim.assert_unharmed();
    drop(held);
}

impl Slow {
    /// Sends what it has to send until the tracker ends the connection, and looks at the answers.
    fn run(&self, to: SocketAddr) -> TcpStream {
        let name = self.name;
        let begin = Instant::now();
        let mut stream = Connection::open(to).stream;
        stream.write_all(self.at_once.as_bytes()).unwrap();
        // The pace of the drip.
        let pace = Duration::from_millis(100);
        stream.set_read_timeout(Some(pace)).unwrap();
        let mut drip = self.then.bytes().cycle();
        let mut answers = Vec::new();
        loop {
            assert!(begin.elapsed() < PATIENCE, "{name}: no end");
            let mut bytes = [0; 1024];
            match stream.read(&mut bytes) {
                Ok(0) => break,
                Ok(length) => answers.extend_from_slice(&bytes[..length]),
                Err(error) if is_the_end(error.kind()) => break,
                Err(error) => {
                    let is_timeout =
                        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                    assert!(is_timeout, "{name}: {error}");
                    // Should that fail, reading will tell.
                    let _ = stream.write_all(drip.next().as_slice());
                }
            }
        }
        // No answer has "HTTP/" in its body.
        let answers = String::from_utf8(answers).unwrap();
        let statuses = answers.match_indices("HTTP/1.1 ").map(|(at, begin)| {
            let status = &answers[at + begin.len()..];
            status[..3].parse::<u16>().unwrap()
        });
        let statuses: Vec<_> = statuses.collect();
        assert!(self.gets.contains(&&statuses[..]), "{name}: {answers}");
        let is_announced = answers.contains("\r\nConnection: close\r\n");
        assert_eq!(is_announced, !statuses.is_empty(), "{name}: {answers}");
        stream
    }
}

/// Its answers fill what the system buffers for it, then its requests do, until the time for
/// taking an answer is over.
#[test]
fn pipelining_without_reading() {
    let victim = Victim::start();
    fill(&victim, b'p', 40);
    thread::scope(|scope| {
        let victim = &victim;
        let clients: Vec<_> = (0..5)
            .map(|_| scope.spawn(|| pipeline(victim.address())))
            .collect();
        while !clients.iter().all(|client| client.is_finished()) {
            victim.assert_answers();
            // Now and then, so that the machine is not busy with this alone.
            thread::sleep(Duration::from_millis(50));
        }
    });
    victim.assert_unharmed();
}

/// Asks and never reads, until the tracker ends the connection.
fn pipeline(to: SocketAddr) {
    const MOST: usize = 256 << 20;
    let mut stream = Connection::open(to).stream;
    // The less fits there, the sooner is it full.
    let socket = SockRef::from(&stream);
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    let target = format!("/announce?{}&compact=0", query(b'p', 1));
    let requests = format!("GET {target} HTTP/1.1\r\n\r\n").repeat(50);
    let mut sent = 0;
    let error = loop {
        match stream.write(requests.as_bytes()) {
            Ok(length) => sent += length,
            Err(error) => break error,
        }
        assert!(sent < MOST, "the tracker takes all of it");
    };
    // Not a timeout, which would mean that it waits for us for ever.
    assert!(is_the_end(error.kind()), "after {sent} bytes: {error}");
    assert!(sent > requests.len(), "ended before it began");
}
