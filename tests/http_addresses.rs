//! Who a peer is, and by which address it is shown to whom.

use std::net::{IpAddr, SocketAddr};

use crate::support::http::{TORRENT, announce, ask, decode, ipv4, ipv6, send};
use crate::support::tracker::Tracker;

fn start() -> Tracker {
    Tracker::start(&["-p", "0"])
}

fn at(ip: &str, tracker: &Tracker) -> SocketAddr {
    SocketAddr::new(ip.parse::<IpAddr>().unwrap(), tracker.port())
}

#[test]
fn a_peer_is_an_address_and_a_port_whatever_it_calls_itself() {
    let tracker = start();
    let hash = TORRENT.split('&').next().unwrap();
    let at = ipv4(&tracker);
    let ask_as = |peer_id: &str, rest: &str| {
        announce(at, &format!("{hash}&peer_id={peer_id}&left=5&{rest}"))
    };
    let (one, other) = ("-MF1000-oneoneoneone", "-MF1000-otherotherot");
    // The same peer_id at two ports or two addresses: several peers.
    ask_as(one, "port=1");
    ask_as(one, "port=2");
    let announced = ask_as(one, "port=2&ip=198.51.100.7");
    assert_eq!(announced.incomplete, Some(2), "one with two addresses");
    ask_as(one, "port=2");
    // Two peer_ids at the same port: one peer, which has been restarted.
    let announced = ask_as(other, "port=1");
    assert_eq!(announced.incomplete, Some(2));
    let announced = ask_as(one, "port=2&compact=0&numwant=30");
    let at_port_1 = announced.peers.expect("peers");
    let at_port_1 = at_port_1.iter().find(|peer| peer.address.port() == 1);
    let shown = at_port_1.and_then(|peer| peer.peer_id.as_deref());
    assert_eq!(shown, Some(other.as_bytes()));
    // Either may say that it leaves.
    let announced = ask_as(one, "port=1&event=stopped");
    assert_eq!(announced.incomplete, Some(2));
}

/// A page of anybody's may have the browsers of a LAN ask for any URL.
#[test]
fn what_a_browser_claims_is_not_believed() {
    let tracker = start();
    let at = ipv4(&tracker);
    let announce = |port: u16, header: &str| {
        let target =
            format!("/announce?{TORRENT}&left=5&port={port}&ip=198.51.100.7&ipv6=2001:db8::7");
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n{header}\r\n");
        decode(&send(at, request.as_bytes()).body)
    };
    let marks = [
        "Sec-Fetch-Mode: no-cors\r\n",
        "sec-fetch-site: cross-site\r\n",
        "Accept-Language: en\r\n",
        "User-Agent: Mozilla/5.0\r\n",
        "Origin: http://evil.example\r\n",
        "Referer: http://evil.example/\r\n",
        "Cookie: a=b\r\n",
    ];
    for (port, mark) in (1..).zip(marks) {
        let announced = announce(port, mark);
        assert_eq!(announced.incomplete, Some(u64::from(port)), "{mark}");
    }
    let mut shown = ask(&tracker, "port=9&left=5").shown();
    let all = (1..=7).map(|port| format!("127.0.0.1:{port}"));
    assert_eq!(shown, all.collect::<Vec<_>>());
    announce(8, "User-Agent: x\r\n");
    shown.extend(["127.0.0.1:8".into(), "[2001:db8::7]:8".into()]);
    shown.sort();
    assert_eq!(ask(&tracker, "port=9&left=5").shown(), shown);
    // Said once, and not for each.
    ask(&tracker, "port=0");
    let refused = |line: &str| line.contains("refused an announce");
    let within = std::time::Duration::from_secs(10);
    assert!(tracker.wait_for_line(refused, within).is_some());
    let said = "a browser at 127.0.0.1 announces for another address (ip=)";
    let lines = tracker.lines();
    let count = lines.iter().filter(|line| line.contains(said)).count();
    assert_eq!(count, 1, "{}", tracker.report());
}

#[test]
fn a_peer_of_one_swarm_is_none_of_another() {
    let tracker = start();
    let other = "info_hash=aaaaaaaaaabbbbbbbbbb&peer_id=-MF1000-abcdefghijkl";
    ask(&tracker, "port=1&left=5");
    let announced = announce(ipv4(&tracker), &format!("{other}&port=1&left=0"));
    assert_eq!(
        (announced.complete, announced.incomplete),
        (Some(1), Some(0))
    );
    announce(
        ipv4(&tracker),
        &format!("{other}&port=1&left=0&event=stopped"),
    );
    let announced = ask(&tracker, "port=2&left=5");
    assert_eq!(announced.shown(), ["127.0.0.1:1"]);
}

#[test]
fn external_ip_is_the_address_that_the_tracker_saw_in_4_or_16_raw_bytes() {
    let tracker = start();
    // The listener is an IPv6 one, where IPv4 clients arrive as ::ffff:127.0.0.1.
    let announced = ask(&tracker, "port=1&left=5&ip=198.51.100.7");
    assert_eq!(announced.external_ip.as_deref(), Some(&[127, 0, 0, 1][..]));
    // Not the one at which it was reached: 127.0.0.1 asks at 127.0.0.2.
    #[cfg(target_os = "linux")]
    {
        let announced = announce(
            at("127.0.0.2", &tracker),
            &format!("{TORRENT}&port=1&left=5"),
        );
        assert_eq!(announced.external_ip.as_deref(), Some(&[127, 0, 0, 1][..]));
    }
    if let Some(at) = ipv6(&tracker) {
        let announced = announce(at, &format!("{TORRENT}&port=1&left=5"));
        let loopback = std::net::Ipv6Addr::LOCALHOST.octets();
        assert_eq!(announced.external_ip.as_deref(), Some(&loopback[..]));
    }
}

#[test]
fn an_ipv4_address_in_ipv6_clothes_is_that_ipv4_address() {
    let tracker = start();
    for address in [
        "198.51.100.7",
        "::ffff:198.51.100.7",
        "::FFFF:c633:6407",
        "[::ffff:198.51.100.7]",
    ] {
        let announced = ask(&tracker, &format!("port=1&left=5&ip={address}"));
        assert_eq!(announced.incomplete, Some(1), "{address}");
    }
    // It would be shown beside the other if it were one of IPv6.
    let announced = ask(&tracker, "port=2&left=5");
    assert_eq!(announced.shown(), ["127.0.0.1:1"]);
    assert_eq!(announced.peers6, None);
    // And so is the address of the one who asks.
    let Some(_) = ipv6(&tracker) else { return };
    let mapped: SocketAddr = format!("[::ffff:127.0.0.1]:{}", tracker.port())
        .parse()
        .unwrap();
    let announced = announce(mapped, &format!("{TORRENT}&port=2&left=5"));
    assert_eq!(announced.incomplete, Some(2));
    assert_eq!(announced.external_ip.as_deref(), Some(&[127, 0, 0, 1][..]));
}

#[test]
fn a_link_local_address_is_shown_to_nobody() {
    let tracker = start();
    for claim in ["ip=fe80::7%25eth0", "ip=fe80::7", "ipv6=fe80::7"] {
        ask(&tracker, &format!("port=1&left=5&{claim}"));
        let announced = ask(&tracker, "port=2&left=5");
        assert_eq!(announced.shown(), ["127.0.0.1:1"], "{claim}");
    }
}

#[test]
fn dual_stack_clients_announce_over_ipv4_and_ipv6_side_by_side() {
    let tracker = start();
    let Some(at) = ipv6(&tracker) else { return };
    ask(&tracker, "port=1&left=5");
    let announced = announce(at, &format!("{TORRENT}&port=1&left=5"));
    assert_eq!(announced.incomplete, Some(2), "neither replaces the other");
    for asker in [ipv4(&tracker), at] {
        for form in ["", "&compact=0"] {
            let announced = announce(asker, &format!("{TORRENT}&port=2&left=5&numwant=9{form}"));
            let shown = announced.shown();
            for both in ["127.0.0.1:1", "[::1]:1"] {
                assert!(
                    shown.contains(&both.to_owned()),
                    "{asker} {form}: {shown:?}"
                );
            }
        }
    }
    let announced = announce(at, &format!("{TORRENT}&port=1&event=stopped"));
    assert_eq!(announced.incomplete, Some(3), "the IPv4 one stays");
}

#[test]
fn an_ipv6_asker_is_answered_like_any_other() {
    let tracker = start();
    let Some(at) = ipv6(&tracker) else { return };
    announce(at, &format!("{TORRENT}&port=258&left=0"));
    let announced = announce(at, &format!("{TORRENT}&port=2&left=5"));
    assert_eq!(
        announced.peers.as_deref(),
        Some(&[][..]),
        "there, and empty"
    );
    assert_eq!(announced.shown(), ["[::1]:258"]);
    let announced = announce(at, &format!("{TORRENT}&port=2&left=5&compact=0"));
    assert_eq!(announced.peers6, None);
    assert_eq!(announced.shown(), ["[::1]:258"]);
}

#[test]
fn an_address_that_a_client_gives_is_believed_from_this_machine() {
    // Whoever asks from this machine is shown what is nearest to it, in each family.
    for (claim, expected) in [
        ("ip=198.51.100.7", &["127.0.0.1:1"][..]),
        ("ip=2001:db8::7", &["127.0.0.1:1", "[2001:db8::7]:1"]),
        ("ip=[2001:db8::7]:77", &["127.0.0.1:1", "[2001:db8::7]:77"]),
        (
            "ip=%5B2001%3adb8::7%5D",
            &["127.0.0.1:1", "[2001:db8::7]:1"],
        ),
        ("ipv6=2001:db8::7", &["127.0.0.1:1", "[2001:db8::7]:1"]),
        (
            "ipv6=[2001:db8::7]:77",
            &["127.0.0.1:1", "[2001:db8::7]:77"],
        ),
        (
            "ip=198.51.100.7&ipv6=2001:db8::7",
            &["127.0.0.1:1", "[2001:db8::7]:1"],
        ),
        (
            "ip=2001:db8::7&ipv4=127.0.0.1",
            &["127.0.0.1:1", "[2001:db8::7]:1"],
        ),
    ] {
        let tracker = start();
        ask(&tracker, &format!("port=1&left=5&{claim}"));
        let announced = ask(&tracker, "port=2&left=5");
        assert_eq!(announced.shown(), expected, "{claim}");
        // It leaves with all of them.
        ask(&tracker, "port=1&left=5&event=stopped");
        let announced = ask(&tracker, "port=2&left=5");
        assert_eq!(announced.shown(), [""; 0], "{claim}");
    }
}

#[test]
fn an_address_where_no_peer_can_live_is_not_believed() {
    let tracker = start();
    for claim in [
        "ip=0.0.0.0",
        "ip=255.255.255.255",
        "ip=224.0.0.1",
        "ip=::",
        "ip=ff02::1",
        "ip=198.51.100.300",
        "ip=",
        "ip=%3Cb%3E",
        "ip=%00%FF",
        "ipv4=224.0.0.1",
        "ipv6=ff02::1",
        "ipv6=x",
    ] {
        ask(&tracker, &format!("port=1&left=5&{claim}"));
        let announced = ask(&tracker, "port=2&left=5");
        assert_eq!(announced.shown(), ["127.0.0.1:1"], "{claim}");
    }
}

/// Askers on the tracker's machine and on another one, which asks from the network that it is asked
/// in: the LAN, or one that might be the internet.
#[cfg(target_os = "linux")]
mod from_elsewhere {
    use super::*;
    use crate::support::netns::{Family, Lan};
    use crate::support::tools::netns_possible;
    use crate::support::tracker::Launch;

    struct Lab {
        // In the order in which they end.
        tracker: Tracker,
        lan: Lan,
    }

    /// The numbers of machines: the tracker's, another.
    const HERE: usize = 0;
    const THERE: usize = 1;
    /// How the addresses of a network begin, and end in 1 for the tracker.
    const LOOPBACK: &str = "127.0.0.";
    const LAN: &str = "10.77.0.";
    const INTERNET: &str = "198.51.100.";
    const INTERNET6: &str = "2001:db8::";

    impl Lab {
        fn new() -> Option<Lab> {
            if !netns_possible() {
                return None;
            }
            let lan = Lan::new(2, &[Family::V4]);
            for (machine, interface) in [(HERE, "bridge"), (THERE, "eth0")] {
                let n = machine + 1;
                let machine = lan.machine(machine);
                // Without its network: who is in one of IPv6 is on the LAN.
                for address in [
                    format!("{INTERNET}{n}/24"),
                    format!("{INTERNET6}{n}/128 nodad"),
                ] {
                    machine.ip(&format!("address add {address} dev {interface}"));
                }
                machine.ip(&format!("-6 route add {INTERNET6}/64 dev {interface}"));
            }
            let prefix = lan.machine(HERE).prefix();
            let tracker = Launch::new().prefix(&prefix).start(&["-p", "0"]);
            Some(Lab { tracker, lan })
        }

        /// What somebody on that machine is shown who asks at an address of the tracker's.
        fn ask(&self, from: usize, network: &str, rest: &str) -> Vec<String> {
            let at = at(&format!("{network}1"), &self.tracker);
            let query = format!("{TORRENT}&left=5&compact=0&numwant=30&{rest}");
            let announced = self.lan.machine(from).inside(|| announce(at, &query));
            announced.shown()
        }
    }

    /// Believed from everyone, it would turn the tracker into a tool for flooding strangers.
    #[test]
    fn an_address_that_a_client_gives_is_not_believed_from_the_internet() {
        let Some(lab) = Lab::new() else { return };
        let claims = "ip=203.0.113.9&ipv4=203.0.113.9&ipv6=2001:db8::9";
        for (network, port) in [(INTERNET, 1), (INTERNET6, 1), (LAN, 2)] {
            lab.ask(THERE, network, &format!("port={port}&{claims}"));
        }
        let expected = [
            "10.77.0.2:2",
            "198.51.100.2:1",
            "[2001:db8::2]:1",
            "[2001:db8::9]:2",
        ];
        let shown = lab.ask(HERE, LOOPBACK, "port=3");
        assert_eq!(shown, expected, "believed from the LAN alone");
        let to_the_internet = lab.ask(THERE, INTERNET, "port=4");
        assert!(to_the_internet.contains(&"203.0.113.9:2".to_owned()));
        lab.ask(THERE, INTERNET, "port=4&event=stopped");
        // Nor can a stranger make others leave.
        let leaving = format!("port=2&event=stopped&{claims}");
        lab.ask(THERE, INTERNET, &leaving);
        assert_eq!(lab.ask(HERE, LOOPBACK, "port=3"), expected);
    }

    #[test]
    fn nobody_is_shown_a_peer_by_an_address_that_leads_nowhere() {
        let Some(lab) = Lab::new() else { return };
        lab.ask(HERE, LOOPBACK, "port=1");
        lab.ask(THERE, LAN, "port=2");
        lab.ask(THERE, INTERNET, "port=3");
        // A peer on the tracker's machine is where the asker reached the tracker; one on the LAN is
        // nowhere for the internet.
        let shown = lab.ask(HERE, LOOPBACK, "port=9");
        assert_eq!(shown, ["10.77.0.2:2", "127.0.0.1:1", "198.51.100.2:3"]);
        lab.ask(HERE, LOOPBACK, "port=9&event=stopped");
        let shown = lab.ask(THERE, LAN, "port=2");
        assert_eq!(shown, ["10.77.0.1:1", "198.51.100.2:3"]);
        assert_eq!(lab.ask(THERE, INTERNET, "port=3"), ["198.51.100.1:1"]);
        let shown = lab.ask(THERE, INTERNET6, "port=4");
        assert_eq!(shown, ["198.51.100.2:3", "[2001:db8::1]:1"]);
        lab.ask(THERE, INTERNET6, "port=4&event=stopped");
        // Whoever asks from the tracker's machine is there, by whatever address.
        for network in [INTERNET, INTERNET6] {
            let shown = lab.ask(HERE, network, "port=9");
            assert!(shown.contains(&"10.77.0.2:2".to_owned()), "{shown:?}");
            lab.ask(HERE, network, "port=9&event=stopped");
        }
    }
}
