//! Another program on the tracker's machine that looks for the socket between gate and tiny_http,
//! by nothing but its name in `/proc/net/unix`, and connects to it. That it does not get in when a
//! running tracker makes a new tiny_http is tested in `src/gate/upstream.rs`, since nothing from
//! outside makes it do so.

#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr as InternetAddress};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use crate::support::http::PATIENCE;
use crate::support::netns::{Family, Lan};
use crate::support::role;
use crate::support::tools::netns_possible;
use crate::support::tracker::Launch;

const NAME: &str = "abuse::strangers::nobody_else_gets_to_tiny_http";
const STARTS: usize = 20;

#[test]
fn nobody_else_gets_to_tiny_http() {
    match role::own().as_deref() {
        Some("stranger") => return be_a_stranger(),
        // The tracker's machine is not the one that the test runs on.
        Some(address) => {
            return crate::support::http::assert_answers_soon(
                address.parse::<InternetAddress>().unwrap(),
            );
        }
        None => {}
    }
    if !netns_possible() {
        return;
    }
    // Names belong to a network namespace, so that no other test's tracker is met.
    let lan = Lan::new(1, &[Family::V4]);
    let machine = Some(lan.machine(0));
    let stranger = role::start(machine, NAME, "stranger");
    let begun = stranger.wait_for_line(|line| line.ends_with("looking"), PATIENCE);
    assert!(begun.is_some(), "{}", stranger.report());
    for _ in 0..STARTS {
        let tracker = Launch::new().prefix(&lan.machine(0).prefix());
        let tracker = tracker.start(&["-p", "0"]);
        let address = InternetAddress::from((Ipv4Addr::LOCALHOST, tracker.port()));
        let client = role::start(machine, NAME, &address.to_string());
        let passed = |line: &str| line.contains("test result: ok. 1 passed");
        let answered = client.wait_for_line(passed, PATIENCE).is_some();
        assert!(answered, "{}{}", client.report(), tracker.report());
    }
    stranger.tell("stop");
    let done = stranger.wait_for_line(|line| line.starts_with("in:"), 2 * PATIENCE);
    assert_eq!(done.as_deref(), Some("in: 0"), "{}", stranger.report());
}

/// Connects to every name of ours that listens, and holds what it gets.
fn be_a_stranger() {
    let is_over = AtomicBool::new(false);
    let mut got = thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut got = Vec::new();
            while !is_over.load(Relaxed) {
                let sockets = std::fs::read_to_string("/proc/net/unix").unwrap();
                let names = sockets.lines().filter_map(|line| line.split_once('@'));
                for (_, name) in names.filter(|(_, name)| name.starts_with("mayfly")) {
                    let address = SocketAddr::from_abstract_name(name).unwrap();
                    if let Ok(stream) = UnixStream::connect_addr(&address) {
                        let _ = (&stream).write_all(b"GET / HTTP/1.1\r\n\r\n");
                        got.push(stream);
                    }
                }
            }
            got
        });
        println!("\nlooking");
        let _ = std::io::stdin().read_line(&mut String::new());
        is_over.store(true, Relaxed);
        looking.join().unwrap()
    });
    // A listener that somebody got into was thrown away with him; who has got to tiny_http is
    // still in, answered or not.
    println!("\n{} times before the listener was thrown away", got.len());
    got.retain_mut(|stream| {
        stream.set_nonblocking(true).unwrap();
        match stream.read(&mut [0]) {
            Ok(0) => false,
            Err(error) => error.kind() != ErrorKind::ConnectionReset,
            Ok(_) => true,
        }
    });
    println!("in: {}", got.len());
}
