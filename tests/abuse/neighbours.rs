//! How many connections one address gets. Clients on the tracker's own machine are exempt, so the
//! clients here are on others: this executable runs itself again, in their network namespaces.

#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::time::Duration;

use super::eventually;
use crate::support::Process;
use crate::support::http::{Connection, ORDINARY, assert_answers_soon};
use crate::support::netns::{Family, Lan};
use crate::support::role;
use crate::support::tools::netns_possible;
use crate::support::tracker::Launch;

/// This many of one address, half of all, and each that comes in addition is closed at once.
const PER_ADDRESS: usize = 64;
const NAME: &str = "abuse::neighbours::connections_of_one_address_are_bounded";
const TIME: Duration = Duration::from_secs(20);

#[test]
fn connections_of_one_address_are_bounded() {
    if let Some(role) = role::own() {
        return play(&role);
    }
    if !netns_possible() {
        return;
    }
    let lan = Lan::new(3, &[Family::V4]);
    let at = lan.machine(0);
    let tracker = Launch::new().prefix(&at.prefix());
    let tracker = tracker.start(&["-p", "0", "--max-connections", "128"]);
    let address = SocketAddr::new(at.address(Family::V4), tracker.port());

    let greedy = start(&lan, 1, &format!("{address} greedy"));
    let done = greedy.wait_for_line(|line| line.ends_with("held"), TIME);
    assert!(done.is_some(), "{}{}", greedy.report(), tracker.report());
    let honest = start(&lan, 2, &format!("{address} honest"));
    let done = honest.wait_for_line(|line| line.ends_with("answered"), TIME);
    assert!(done.is_some(), "{}{}", honest.report(), tracker.report());
    assert!(greedy.is_running(), "it holds them still");
    let noted = format!("turned away {}", lan.machine(1).address(Family::V4));
    let is_noted = |line: &str| line.contains(&noted);
    assert!(tracker.wait_for_line(is_noted, TIME).is_some());
    drop(greedy);
    // Its places are free again.
    let honest = start(&lan, 1, &format!("{address} honest"));
    let done = honest.wait_for_line(|line| line.ends_with("answered"), TIME);
    assert!(done.is_some(), "{}{}", honest.report(), tracker.report());
}

fn start(lan: &Lan, machine: usize, role: &str) -> Process {
    role::start(Some(lan.machine(machine)), NAME, role)
}

fn play(role: &str) {
    let (address, what) = role.split_once(' ').unwrap();
    let address: SocketAddr = address.parse().unwrap();
    match what {
        "honest" => {
            // What the address had before may take the tracker a moment to let go.
            assert!(eventually(|| is_answered(address)));
            assert_answers_soon(address);
            println!("\nanswered");
        }
        _ => be_greedy(address),
    }
}

fn is_answered(address: SocketAddr) -> bool {
    let mut connection = Connection::open(address);
    let request = format!("GET /announce?{ORDINARY}&port=1 HTTP/1.1\r\n\r\n");
    let sent = std::io::Write::write_all(&mut connection.stream, request.as_bytes());
    sent.is_ok() && connection.try_answer(true).is_some()
}

fn be_greedy(address: SocketAddr) {
    let mut held: Vec<_> = (0..PER_ADDRESS + 30)
        .map(|_| Connection::open(address).stream)
        .collect();
    for stream in &held {
        stream.set_nonblocking(true).unwrap();
    }
    let mut lost = 0;
    let is_bounded = eventually(|| {
        held.retain_mut(|stream| {
            let is_open =
                matches!(stream.read(&mut [0]), Err(e) if e.kind() == ErrorKind::WouldBlock);
            lost += usize::from(!is_open);
            is_open
        });
        lost >= 30
    });
    assert!(is_bounded, "{lost} lost");
    assert_eq!(held.len(), PER_ADDRESS);
    assert!(!is_answered(address), "one more");
    println!("\nheld");
    // Until it is killed, or the test that started it is gone.
    let _ = std::io::stdin().read(&mut [0]);
}
