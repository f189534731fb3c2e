//! A LAN party: a switch, no router, and machines with Windows that have an adapter for virtual
//! machines besides the real one. Which addresses the executable finds, and that they work.

use std::net::{IpAddr, SocketAddr};

use super::platform::WINDOWS;
use crate::support::http::{self, PATIENCE};
use crate::support::netns::{EtcFile, Machine};
use crate::support::tools::netns_possible;
use crate::support::tracker::Tracker;
use crate::support::udp::Client;

const LAN: [&str; 2] = ["192.168.77.5/24", "fd77::5/64"];
/// As VirtualBox and WSL give them to this machine.
const VIRTUAL: [&str; 2] = ["192.168.56.1/24", "172.28.0.1/20"];

struct Party {
    /// The tracker's machine.
    home: Machine,
    guest: Machine,
    /// To what the name of the tracker's machine leads, which on Windows are its addresses.
    _hosts: EtcFile,
}

impl Party {
    fn new() -> Party {
        let (mut home, mut guest) = (Machine::new(), Machine::new());
        home.connect_to("eth0", &guest, "eth0");
        home.ip("link add virtual up type bridge");
        for address in LAN {
            home.add_address(address, "eth0");
            guest.add_address(&address.replace('5', "6"), "eth0");
        }
        for address in VIRTUAL {
            home.add_address(address, "virtual");
        }
        // Every network of Windows has such a way; this is that of the best, as Windows sees it.
        home.ip("route add 224.0.0.0/4 dev virtual");
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
        let name = name.trim().split('.').next().expect("a name");
        // As long as a name of Windows may be.
        let short = &name[..name.len().min(15)];
        let mut hosts = "127.0.0.1 localhost\n".to_owned();
        for address in VIRTUAL.iter().chain(&LAN) {
            hosts += &format!("{} {name} {short}\n", ip(address));
        }
        Party {
            _hosts: EtcFile::of(&home, "hosts", &hosts),
            home,
            guest,
        }
    }
}

fn ip(with_length: &str) -> IpAddr {
    let (ip, _) = with_length.split_once('/').expect("ADDRESS/BITS");
    ip.parse().expect("an address")
}

/// The likeliest of IPv4 first, those of virtual adapters behind, IPv6 last.
#[test]
fn without_a_router_the_windows_executable_finds_its_addresses_and_all_work() {
    if !netns_possible() {
        return;
    }
    let Some(executable) = WINDOWS.executable() else {
        return;
    };
    let party = Party::new();
    let launch = executable.launch_without_proc_on(&party.home);
    let tracker = launch.start(&["-p", "0"]);
    let is_last = |line: &str| line.contains("how it is doing");
    assert!(tracker.wait_for_line(is_last, PATIENCE).is_some());
    let urls = tracker.urls();
    let port = tracker.port();
    let at = |ip| SocketAddr::new(ip, port);
    let both = |ip| ["http", "udp"].map(|scheme| format!("{scheme}://{}/announce", at(ip)));

    assert_eq!(urls[..2], both(ip(LAN[0])), "{}", tracker.report());
    assert_eq!(urls[6..], both(ip(LAN[1])), "{}", tracker.report());
    let mut between = urls[2..6].to_vec();
    between.sort();
    let mut expected = VIRTUAL.map(|address| both(ip(address))).concat();
    expected.sort();
    assert_eq!(between, expected, "{}", tracker.report());

    for address in LAN {
        assert_works(&tracker, &party.guest, at(ip(address)));
    }
    for address in LAN.iter().chain(&VIRTUAL) {
        assert_works(&tracker, &party.home, at(ip(address)));
    }

    // The page has them in the same order, and then what it was asked by.
    let loopback = at([127, 0, 0, 1].into());
    let page = party.home.inside(|| http::get(loopback, "/").text());
    let codes = page.split("</code>");
    let shown = codes.filter_map(|part| Some(part.rsplit_once('>')?.1.to_owned()));
    let shown: Vec<_> = shown.filter(|url| url.ends_with("/announce")).collect();
    assert_eq!(shown[..8], urls, "{page}");
    let own = [
        "http://x/announce".to_owned(),
        format!("udp://x:{port}/announce"),
    ];
    assert_eq!(shown[8..], own, "{page}");
}

/// An announce by each transport, as by clients that take an answer only from where they asked.
fn assert_works(tracker: &Tracker, from: &Machine, at: SocketAddr) {
    let (has_http, has_udp) = from.inside(|| {
        let announced = http::announce(at, &format!("{}&port=1", http::ORDINARY));
        (
            announced.failure_reason.is_none(),
            Client::reach(at).is_some(),
        )
    });
    let report = || format!("{at}\n{}", tracker.report());
    assert!(has_http, "http {}", report());
    assert!(has_udp, "udp {}", report());
}
