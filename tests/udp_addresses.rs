//! A UDP socket for each of the machine's addresses: those that there are, those that come and go,
//! and what becomes of it when there are too many. A client takes an answer only from the address
//! that it asked, so here everybody asks with a connected socket.

#![cfg(target_os = "linux")]

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::support::http::PATIENCE;
use crate::support::netns::{Family, Lan, Machine};
use crate::support::tools::netns_possible;
use crate::support::tracker::{Launch, Tracker};
use crate::support::udp::Client;
use crate::support::vitals::Vitals;

/// Addresses that come are listened on within this.
const TO_FOLLOW: Duration = Duration::from_secs(30);
/// UDP sockets at most, as documented.
const MOST: usize = 64;

/// Two machines; the tracker is to be on the first.
fn two_machines() -> Option<Lan> {
    netns_possible().then(|| Lan::new(2, &[Family::V4, Family::V6]))
}

fn start_on(machine: &Machine, args: &[&str]) -> Tracker {
    let args = [&["-p", "0"], args].concat();
    let tracker = Launch::new().prefix(&machine.prefix()).start(&args);
    let is_last = |line: &str| line.contains("how it is doing");
    assert!(tracker.wait_for_line(is_last, PATIENCE).is_some());
    tracker
}

/// Whether the tracker answers this machine at that address within the time, asked again and again.
fn answers_within(time: Duration, asker: &Machine, at: SocketAddr) -> bool {
    let deadline = Instant::now() + time;
    asker.inside(|| {
        loop {
            let client = Client::between(any_like(at), at);
            let packet = Client::connect_packet();
            let answer = client.ask_within(&packet, Duration::from_millis(250));
            if answer.is_some() || Instant::now() >= deadline {
                return answer.is_some();
            }
        }
    })
}

fn any_like(at: SocketAddr) -> IpAddr {
    let text = if at.is_ipv6() { "::" } else { "0.0.0.0" };
    text.parse().unwrap()
}

/// Where the machine has UDP sockets at this port, as Linux writes it.
fn sockets(machine: &Machine, port: u16) -> Vec<String> {
    let files = ["udp", "udp6"].map(|name| format!("/proc/thread-self/net/{name}"));
    machine.inside(|| {
        let texts = files.map(|file| std::fs::read_to_string(file).expect("Linux"));
        let at = format!(":{port:04X}");
        let lines = texts.iter().flat_map(|text| text.lines());
        let local = lines.filter_map(|line| line.split_whitespace().nth(1)?.strip_suffix(&at));
        local.map(str::to_owned).collect()
    })
}

/// An address as Linux writes it there.
fn as_linux_has_it(ip: IpAddr) -> String {
    let bytes = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = bytes.chunks(4).map(|word| {
        let word = u32::from_ne_bytes(word.try_into().expect("4 bytes"));
        format!("{word:08X}")
    });
    words.collect()
}

#[test]
fn an_address_that_comes_is_listened_on_and_goes_and_comes_again() {
    let Some(lan) = two_machines() else { return };
    let (machine, other) = (lan.machine(0), lan.machine(1));
    let tracker = start_on(machine, &[]);
    let port = tracker.port();
    let added = [("10.77.0.99", 24), ("fd00::99", 64)];
    let added = added.map(|(ip, bits)| (SocketAddr::new(ip.parse().unwrap(), port), bits));
    for _ in 0..2 {
        for (at, bits) in added {
            machine.ip(&format!("address add {}/{bits} dev bridge nodad", at.ip()));
        }
        for (at, _) in added {
            assert!(
                answers_within(TO_FOLLOW, other, at),
                "{at}\n{}",
                tracker.report()
            );
            tracker.expect_url(&format!("udp://{at}/announce"));
        }
        for (at, bits) in added {
            machine.ip(&format!("address delete {}/{bits} dev bridge", at.ip()));
        }
        let gone = added.map(|(at, _)| as_linux_has_it(at.ip()));
        let deadline = Instant::now() + TO_FOLLOW;
        while sockets(machine, port)
            .iter()
            .any(|socket| gone.contains(socket))
        {
            assert!(
                Instant::now() < deadline,
                "still there\n{}",
                tracker.report()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let lines = tracker.lines();
    let is_trouble =
        |line: &&String| line.contains("cannot listen") || line.contains("not answered at");
    assert_eq!(lines.iter().find(is_trouble), None);
}

#[test]
fn a_machine_without_a_network_is_reached_when_it_gets_one() {
    let Some(lan) = two_machines() else { return };
    let (machine, other) = (lan.machine(0), lan.machine(1));
    machine.ip("address flush dev bridge");
    let tracker = start_on(machine, &[]);
    let at = SocketAddr::new(machine.address(Family::V4), tracker.port());
    machine.ip(&format!("address add {}/24 dev bridge", at.ip()));
    assert!(answers_within(TO_FOLLOW, other, at), "{}", tracker.report());
    tracker.expect_url(&format!("http://{at}/announce"));
    tracker.expect_url(&format!("udp://{at}/announce"));
}

/// With `count` addresses, loopback and link-local ones included.
fn with_addresses(lan: &Lan, count: usize) -> (Tracker, Vec<SocketAddr>) {
    let machine = lan.machine(0);
    // None that comes later, as link-local ones do, and none that is too many.
    machine.set("ipv6/conf/all/addr_gen_mode", "1");
    machine.ip("-6 address flush scope link");
    machine.ip("-6 address flush dev bridge");
    let there = 3;
    for n in 0..count - there {
        machine.ip(&format!("address add 10.77.1.{n}/16 dev bridge"));
    }
    let tracker = start_on(machine, &[]);
    let at = |n| SocketAddr::from(([10, 77, 1, n as u8], tracker.port()));
    let addresses = (0..count - there).map(at).collect();
    (tracker, addresses)
}

#[test]
fn each_of_64_addresses_answers_from_itself() {
    let Some(lan) = two_machines() else { return };
    let (machine, other) = (lan.machine(0), lan.machine(1));
    other.ip("route add 10.77.1.0/24 dev eth0");
    let (tracker, addresses) = with_addresses(&lan, MOST);
    assert_eq!(sockets(machine, tracker.port()).len(), MOST);
    for at in addresses {
        assert!(
            answers_within(PATIENCE, other, at),
            "{at}\n{}",
            tracker.report()
        );
    }
    // One more has no socket, which is said; those that there are go on.
    let one_more = SocketAddr::from(([10, 77, 2, 1], tracker.port()));
    machine.ip(&format!("address add {}/16 dev bridge", one_more.ip()));
    let told = |line: &str| line.contains("more than 64 addresses: 1 of them");
    assert!(
        tracker.wait_for_line(told, TO_FOLLOW).is_some(),
        "{}",
        tracker.report()
    );
    let lines = tracker.lines();
    let told = lines.iter().filter(|line| line.contains("more than 64"));
    assert_eq!(told.count(), 1, "{}", tracker.report());
    assert_eq!(sockets(machine, tracker.port()).len(), MOST);
    if let Some(vitals) = Vitals::of(tracker.id()) {
        assert!(vitals.resident < 10 * 1024, "{vitals:?}");
    }
}

#[test]
fn more_than_64_addresses_have_one_socket_and_that_is_told() {
    let Some(lan) = two_machines() else { return };
    let (machine, other) = (lan.machine(0), lan.machine(1));
    other.ip("route add 10.77.1.0/24 dev eth0");
    let (tracker, _) = with_addresses(&lan, MOST + 1);
    assert_eq!(sockets(machine, tracker.port()).len(), 1);
    let told = tracker
        .lines()
        .concat()
        .contains("one socket for all addresses");
    assert!(told, "{}", tracker.report());
    // The one that the system prefers.
    let preferred = SocketAddr::new(machine.address(Family::V4), tracker.port());
    assert!(
        answers_within(PATIENCE, other, preferred),
        "{}",
        tracker.report()
    );
}

/// A phone or a container without an address of its own: it asks by a link-local one.
#[test]
fn link_local_addresses_answer_too() {
    let Some(lan) = two_machines() else { return };
    let (machine, other) = (lan.machine(0), lan.machine(1));
    let tracker = start_on(machine, &[]);
    let (ip, _) = machine.link_local("bridge");
    let (_, interface) = other.link_local("eth0");
    let at = std::net::SocketAddrV6::new(ip, tracker.port(), 0, interface);
    assert!(
        answers_within(TO_FOLLOW, other, at.into()),
        "{}",
        tracker.report()
    );
}

#[test]
fn what_is_bound_is_all_that_answers() {
    let Some(lan) = two_machines() else { return };
    let (machine, other) = (lan.machine(0), lan.machine(1));
    machine.ip("address add 10.77.0.99/24 dev bridge");
    let tracker = start_on(machine, &["-b", "10.77.0.99"]);
    let port = tracker.port();
    assert!(answers_within(
        PATIENCE,
        other,
        SocketAddr::from(([10, 77, 0, 99], port))
    ));
    assert_eq!(sockets(machine, port).len(), 1);
    let tracker = start_on(machine, &["-b", "0.0.0.0"]);
    assert_eq!(
        sockets(machine, tracker.port()).len(),
        3,
        "127.0.0.1 and two others"
    );
}

/// A small board has little memory, and a desktop many addresses.
#[test]
fn ten_addresses_take_no_more_memory_than_promised() {
    let Some(lan) = two_machines() else { return };
    let (tracker, _) = with_addresses(&lan, 10);
    let vitals = Vitals::of(tracker.id()).expect("Linux");
    // That of the tests' executable, which is not stripped and not optimized, is larger.
    assert!(vitals.resident < 8 * 1024, "{vitals:?}");
}
