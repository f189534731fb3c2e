//! Many connections at the same time, connections that are reset, and descriptors that run out:
//! an honest client is answered meanwhile, and afterwards everything is as before.

use std::io::{ErrorKind, Write};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use super::{Victim, Vitals, query};
use crate::support::http::{Connection, ORDINARY};
use crate::support::tools::tool;
use crate::support::tracker::Launch;
use crate::support::{Together, succeed};

#[test]
fn fifty_kept_connections_at_the_same_moment() {
    const CLIENTS: u16 = 50;
    let victim = Victim::start();
    let together = Together::new(CLIENTS.into());
    let client = &|port| {
        together.wait();
        let mut connection = Connection::open(victim.address());
        for _ in 0..3 {
            let answer = connection.get(&format!("/announce?{}", query(b'f', port)));
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        connection
    };
    // Nobody closes before everybody has got all answers: a client that is left without one would
    // get it when another leaves.
    let held: Vec<_> = thread::scope(|scope| {
        let clients: Vec<_> = (1..=CLIENTS)
            .map(|port| scope.spawn(move || client(port)))
            .collect();
        let ends = clients.into_iter().map(|client| client.join().unwrap());
        ends.collect()
    });
    victim.assert_answers();
    drop(held);
    victim.assert_unharmed();
}

/// For a listener of std the system keeps 128 connections that have not been accepted yet; one
/// that comes in addition has to try again after a second. So far fewer come at once, and after
/// them an honest client, whose answer shows that all before it were accepted.
const AT_ONCE: usize = 50;

/// Opens connections that say nothing. An honest client is answered meanwhile.
pub fn hold(victim: &Victim, connections: usize) -> Vec<Connection> {
    let mut held = Vec::new();
    while held.len() < connections {
        let some = (0..AT_ONCE).map(|_| Connection::open(victim.address()));
        held.extend(some);
        victim.assert_answers();
    }
    held
}

#[test]
fn reset_right_after_connecting() {
    let victim = Victim::start();
    let request = format!("GET /announce?{ORDINARY}&port=1 HTTP/1.1\r\n\r\n");
    for round in 0..500 {
        let mut connection = Connection::open(victim.address());
        match round % 4 {
            0 => connection.send(request.as_bytes()),
            1 => connection.send(b"GET /ann"),
            _ => {}
        }
        // Closing now resets the connection.
        let socket = SockRef::from(&connection.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        drop(connection);
    }
    victim.assert_unharmed();
}

/// It knows the limit, and keeps to it.
#[test]
fn few_descriptors() {
    if !cfg!(unix) {
        return;
    }
    let limited = |most: &str| {
        let limited = format!("ulimit -n {most} && exec \"$@\"");
        Victim::launch(Launch::new().prefix(&["sh", "-c", &limited, "sh"]))
    };
    let victim = limited("64");
    let held = hold(&victim, 200);
    for _ in 0..3 {
        victim.assert_answers();
    }
    drop(held);
    victim.assert_unharmed();
    let lines = victim.tracker.lines().concat();
    // Elsewhere than on Linux it does not know, and copes.
    if cfg!(target_os = "linux") {
        assert!(!lines.contains("could not be let in"), "{lines}");
        let says_so = "(ulimit -n, ulimit -v): 23 HTTP connections at most instead of 1000";
        assert!(lines.contains(says_so), "{lines}");
        // Hardly fewer than by default, which is not worth a line.
        let usual = limited("1024").tracker.lines().concat();
        assert!(!usual.contains("connections at most"), "{usual}");
    }
}

/// They run out although it was careful: another part of the machine has taken them.
#[test]
fn descriptors_run_out() {
    let victim = Victim::start();
    let Some(vitals) = victim.before else {
        return;
    };
    if tool("prlimit").is_none() {
        return;
    }
    let limit = |descriptors: &str| {
        let mut command = Command::new("prlimit");
        command.args(["--pid", &victim.tracker.id().to_string()]);
        command.arg(format!("--nofile={descriptors}:"));
        succeed(&mut command);
    };
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", victim.tracker.id())).unwrap();
    let line = limits.lines().find(|l| l.starts_with("Max open files"));
    let before = line.unwrap().split_whitespace().nth(3).unwrap();
    limit(&(vitals.descriptors + 5).to_string());
    // A thread that waits in accept has its next descriptor already, on Linux. So each gets a
    // connection, and has to ask for another descriptor afterwards.
    for _ in 0..vitals.gate_threads + 50 {
        victim.assert_answers();
    }
    let has_met_it = |line: &str| line.contains("could not be let in");
    let met = victim
        .tracker
        .wait_for_line(has_met_it, Duration::from_secs(5));
    assert!(met.is_some(), "{}", victim.tracker.report());
    let held: Vec<_> = (0..50)
        .map(|_| Connection::open(victim.address()))
        .collect();
    for _ in 0..3 {
        victim.assert_answers();
    }
    // Each of those that wait may get one connection, and another thread takes its place.
    let now = Vitals::of(victim.tracker.id()).expect("it is running");
    assert!(now.gate_threads <= 3 * vitals.gate_threads, "{now:?}");
    limit(before);
    victim.assert_answers();
    drop(held);
    victim.assert_unharmed();
}

#[test]
fn more_idle_connections_than_there_may_be() {
    // And 8 that are free.
    const MOST: usize = 100 + 8;
    let victim = Victim::with(&["--max-connections", "100"]);
    let held = hold(&victim, 500);
    if let (Some(before), Some(now)) = (victim.before, Vitals::of(victim.tracker.id())) {
        assert!(now.gate_threads <= MOST, "{now:?}");
        assert!(now.descriptors <= before.descriptors + MOST, "{now:?}");
    }
    for _ in 0..5 {
        victim.assert_answers();
    }
    // Those that were disconnected to make room know of it.
    assert!(closed(&held) >= 500 - MOST);
    drop(held);
    victim.assert_unharmed();
}

/// Threads are started for them, and end when they have gone.
#[test]
fn a_thousand_connections_at_a_time() {
    const CONNECTIONS: usize = 1000;
    let victim = Victim::start();
    let Some(before) = victim.before else {
        return;
    };
    let mut held = hold(&victim, CONNECTIONS - AT_ONCE);
    held.extend((1..AT_ONCE).map(|_| Connection::open(victim.address())));
    // The last one.
    victim.assert_answers();
    assert_eq!(closed(&held), 0, "though there is room");
    let now = Vitals::of(victim.tracker.id()).expect("it is running");
    assert!(now.gate_threads > CONNECTIONS, "{now:?}");
    assert!(before.gate_threads < 50, "{before:?}");
    drop(held);
    // As few as before, among others.
    victim.assert_unharmed();
}

/// How many of these the tracker has closed.
fn closed(held: &[Connection]) -> usize {
    let is_closed = |connection: &&Connection| {
        let stream = &connection.stream;
        stream.set_nonblocking(true).unwrap();
        let read = std::io::Read::read(&mut &*stream, &mut [0]);
        !read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    held.iter().filter(is_closed).count()
}

/// Of a crowd that is too large, those are closed that are too many, and hardly more.
#[test]
fn a_few_too_many_do_not_cost_all_their_places() {
    const MOST: usize = 1000;
    const TOO_MANY: usize = 200;
    let victim = Victim::start();
    let held = hold(&victim, MOST + TOO_MANY);
    let closed = closed(&held);
    // By some dozens at a time; more where threads take their time to come back.
    assert!((TOO_MANY..2 * TOO_MANY).contains(&closed), "{closed}");
    drop(held);
    victim.assert_unharmed();
}

/// A crowd that is merely slow: as many at the same moment as there are places, each of which
/// takes its time to send its request.
#[test]
fn a_crowd_that_is_slow_is_answered() {
    const CLIENTS: usize = 300;
    let victim = Victim::start();
    let address = victim.address();
    let answered = thread::scope(|scope| {
        let client = || {
            let mut connection = Connection::open(address);
            // The time that it takes to send.
            thread::sleep(Duration::from_millis(300));
            let request = format!("GET /announce?{ORDINARY}&port=1 HTTP/1.1\r\n\r\n");
            connection.stream.write_all(request.as_bytes()).ok()?;
            connection.try_answer(true)
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let answers = clients
            .into_iter()
            .filter_map(|client| client.join().unwrap());
        answers.filter(|answer| answer.status == 200).count()
    });
    assert!(answered >= CLIENTS * 99 / 100, "{answered} of {CLIENTS}");
    victim.assert_unharmed();
}

#[test]
fn five_hundred_drippers() {
    let victim = Victim::start();
    let mut drippers = hold(&victim, 500);
    for dripper in &drippers {
        dripper.stream.set_nonblocking(true).unwrap();
    }
    let request = format!("GET /announce?{ORDINARY}");
    // Each pass takes as long as an answer and a little more.
    for byte in &request.as_bytes()[..20] {
        let mut came_again = 0;
        for dripper in &mut drippers {
            let is_lost = dripper.stream.write_all(&[*byte]).is_err();
            // Those who have lost their place come again.
            if is_lost && came_again < AT_ONCE {
                *dripper = Connection::open(victim.address());
                dripper.stream.set_nonblocking(true).unwrap();
                came_again += 1;
            }
        }
        victim.assert_answers();
        // The pace of the drippers.
        thread::sleep(Duration::from_millis(50));
    }
    drop(drippers);
    victim.assert_unharmed();
}

/// More kept connections than threads, each of which asks again before it has waited for long
/// enough to lose its place: they must not keep their threads for ever.
#[test]
fn kept_connections_that_ask_again_and_again() {
    let victim = Victim::with(&["--max-connections", "100"]);
    let address = victim.address();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..140 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let mut connection = Connection::open(address);
                    // Whether it is answered or closed is the same to it: it comes again.
                    while !is_over.load(Ordering::Relaxed) {
                        let request = b"GET / HTTP/1.1\r\n\r\n";
                        let is_sent = connection.stream.write_all(request).is_ok();
                        let answer = is_sent.then(|| connection.try_answer(true)).flatten();
                        if answer.is_none_or(|a| a.header("Connection") == Some("close")) {
                            break;
                        }
                        // The pace of the attackers.
                        thread::sleep(Duration::from_millis(20));
                    }
                }
            });
        }
        let answered = std::panic::catch_unwind(|| {
            for _ in 0..20 {
                victim.assert_answers();
            }
        });
        is_over.store(true, Ordering::Relaxed);
        answered.unwrap();
    });
    victim.assert_unharmed();
}
