//! The policy, on literals.

use super::*;
use crate::announce::{Claim, InfoHash, PeerId};
use crate::own_addresses::{OwnAddress, OwnAddresses};
use crate::public_address::{PublicAddress, PublicHost};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;

fn tracker() -> Tracker {
    tracker_with(|_| Vec::new())
}

fn tracker_with(resolve: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Tracker {
    Tracker::with_names(Settings::default(), Names::new(resolve))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// An ordinary leecher at `source`, which reached the tracker as `local`.
fn from(source: &str, local: &str, port: u16) -> Announce {
    Announce {
        info_hash: InfoHash(*b"an info_hash of 2026"),
        peer_id: PeerId([port as u8; 20]),
        key: None,
        source: ip(source),
        local: ip(local),
        port,
        is_seeder: false,
        has_transferred: true,
        event: Event::Update,
        numwant: None,
        wants_peer_ids: false,
        wants_both_families: true,
        ip: None,
        ipv4: None,
        ipv6: None,
    }
}

fn ask(tracker: &Tracker, announce: &Announce) -> Reply {
    ask_at(tracker, announce, 1)
}

fn ask_at(tracker: &Tracker, announce: &Announce, secs: u64) -> Reply {
    let mut reply = Reply::default();
    tracker
        .handle(announce, Duration::from_secs(secs), &mut reply)
        .unwrap();
    reply
}

/// The endpoints of a reply, sorted.
fn shown(reply: &Reply) -> Vec<String> {
    let mut shown: Vec<_> = reply.peers.iter().map(|p| p.endpoint.to_string()).collect();
    shown.sort();
    shown
}

#[test]
fn interval_min_interval_and_external_ip() {
    let reply = ask(&tracker(), &from("203.0.113.1", "198.51.100.1", 1));
    assert_eq!((reply.interval, reply.min_interval), (240, 60));
    assert_eq!(reply.external_ip, ip("203.0.113.1"));
}

/// Whole seconds, and never none.
#[test]
fn the_shortest_intervals_are_a_second() {
    for (millis, expected) in [
        (500, (1, 1)),
        (1_000, (1, 1)),
        (4_000, (4, 1)),
        (8_000, (8, 2)),
    ] {
        let settings = Settings {
            interval: Duration::from_millis(millis),
            ..Settings::default()
        };
        let tracker = Tracker::new(settings);
        let reply = ask(&tracker, &from("203.0.113.1", "198.51.100.1", 1));
        assert_eq!((reply.interval, reply.min_interval), expected, "{millis}");
    }
}

#[test]
fn counts_after_every_kind_of_event() {
    let tracker = tracker();
    let step = |port, is_seeder, event| {
        let announce = Announce {
            is_seeder,
            event,
            ..from("203.0.113.1", "198.51.100.1", port)
        };
        let reply = ask(&tracker, &announce);
        (reply.seeders, reply.leechers, reply.downloaded)
    };
    assert_eq!(step(1, false, Event::Started), (0, 1, 0));
    assert_eq!(step(2, true, Event::Started), (1, 1, 0));
    assert_eq!(step(3, false, Event::Update), (1, 2, 0), "without started");
    assert_eq!(step(1, false, Event::Started), (1, 2, 0), "said twice");
    assert_eq!(step(1, true, Event::Completed), (2, 1, 1));
    assert_eq!(step(1, true, Event::Completed), (2, 1, 1), "said twice");
    assert_eq!(
        step(4, true, Event::Completed),
        (3, 1, 2),
        "never a leecher"
    );
    assert_eq!(step(2, false, Event::Update), (2, 2, 2), "lost a piece");
    assert_eq!(step(3, false, Event::Stopped), (2, 1, 2));
    assert_eq!(step(3, false, Event::Stopped), (2, 1, 2), "said twice");
    assert_eq!(step(9, true, Event::Stopped), (2, 1, 2), "not known");
    assert_eq!(step(2, true, Event::Stopped), (2, 0, 2));
    assert_eq!(step(1, true, Event::Stopped), (1, 0, 2));
    assert_eq!(step(4, true, Event::Stopped), (0, 0, 0), "forgotten");
}

#[test]
fn stopped_gets_no_peers_and_is_gone() {
    let tracker = tracker();
    ask(&tracker, &from("203.0.113.1", "198.51.100.1", 1));
    let mut leaving = from("203.0.113.2", "198.51.100.1", 2);
    assert_eq!(shown(&ask(&tracker, &leaving)), ["203.0.113.1:1"]);
    leaving.event = Event::Stopped;
    assert_eq!(shown(&ask(&tracker, &leaving)), [""; 0]);
    let reply = ask(&tracker, &from("203.0.113.1", "198.51.100.1", 1));
    assert_eq!(shown(&reply), [""; 0]);
}

#[test]
fn a_seeder_gets_no_seeders_and_nobody_gets_itself() {
    let tracker = tracker();
    let seeder = |port| Announce {
        is_seeder: true,
        ..from("203.0.113.1", "198.51.100.1", port)
    };
    ask(&tracker, &seeder(1));
    ask(&tracker, &from("203.0.113.1", "198.51.100.1", 2));
    assert_eq!(shown(&ask(&tracker, &seeder(3))), ["203.0.113.1:2"]);
    assert_eq!(shown(&ask(&tracker, &seeder(1))), ["203.0.113.1:2"]);
    let reply = ask(&tracker, &from("203.0.113.1", "198.51.100.1", 2));
    assert_eq!(shown(&reply), ["203.0.113.1:1", "203.0.113.1:3"]);
}

#[test]
fn numwant_is_honoured_below_the_cap_and_capped_above() {
    let tracker = tracker();
    for port in 1..=100 {
        ask(&tracker, &from("203.0.113.1", "198.51.100.1", port));
    }
    for (numwant, expected) in [
        (None, 30),
        (Some(0), 0),
        (Some(1), 1),
        (Some(29), 29),
        (Some(30), 30),
        (Some(31), 30),
        (Some(u32::MAX), 30),
    ] {
        let announce = Announce {
            numwant,
            ..from("203.0.113.1", "198.51.100.1", 1)
        };
        let reply = ask(&tracker, &announce);
        assert_eq!(reply.peers.len(), expected, "{numwant:?}");
        assert_eq!(reply.leechers, 100);
    }
}

#[test]
fn at_a_bound_the_reason_is_said() {
    let tracker = tracker();
    for port in 1..=200 {
        ask(&tracker, &from("203.0.113.1", "198.51.100.1", port));
    }
    let mut reply = Reply::default();
    let mut asking = from("203.0.113.1", "198.51.100.1", 201);
    let refused = tracker.handle(&asking, Duration::from_secs(1), &mut reply);
    assert_eq!(refused, Err(Refusal::TooManyOfAddressInTorrent));
    asking.port = 200;
    assert_eq!(ask(&tracker, &asking).leechers, 200, "the known are not");
}

#[test]
fn an_answer_without_a_place_for_the_other_family_is_filled_with_its_own() {
    let tracker = tracker();
    for port in 1..=40 {
        ask(&tracker, &from("203.0.113.1", "198.51.100.1", port));
        ask(&tracker, &from("2001:db8::1", "2001:db8::9", port));
    }
    let announce = Announce {
        wants_both_families: false,
        ..from("2001:db8::1", "2001:db8::9", 1)
    };
    let reply = ask(&tracker, &announce);
    assert_eq!(reply.peers.len(), 30);
    assert!(reply.peers.iter().all(|peer| peer.endpoint.ip.is_ipv6()));
    assert_eq!(reply.leechers, 80, "all are counted");
}

#[test]
fn port_0_is_refused_and_changes_nothing() {
    let tracker = tracker();
    let mut reply = Reply::default();
    let refused = tracker.handle(
        &from("203.0.113.1", "198.51.100.1", 0),
        Duration::ZERO,
        &mut reply,
    );
    assert!(refused.unwrap_err().to_string().contains("port is '0'"));
    let reply = ask(&tracker, &from("203.0.113.1", "198.51.100.1", 1));
    assert_eq!(reply.leechers, 1);
}

#[test]
fn who_sees_whom() {
    let tracker = tracker();
    for (source, port) in [
        ("127.0.0.1", 1),
        ("::1", 2),
        ("192.168.1.7", 3),
        ("fd00::7", 4),
        ("203.0.113.7", 5),
        ("2001:db8::7", 6),
    ] {
        ask(&tracker, &from(source, source, port));
    }
    let sees = |source: &str, local: &str, expected: &[&str]| {
        let mut asking = from(source, local, 99);
        asking.event = Event::Update;
        let mut seen = shown(&ask(&tracker, &asking));
        asking.event = Event::Stopped;
        ask(&tracker, &asking);
        seen.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(seen, expected, "{source} by {local}");
    };
    let lan = ["192.168.1.7:3", "[fd00::7]:4"];
    let global = ["203.0.113.7:5", "[2001:db8::7]:6"];
    let with = |twins: [&'static str; 2], others: &[&'static str]| [&twins, others].concat();
    let local_and_global = [lan, global].concat();

    sees(
        "127.0.0.1",
        "127.0.0.1",
        &with(["127.0.0.1:1", "[::1]:2"], &local_and_global),
    );
    sees(
        "192.168.1.8",
        "192.168.1.1",
        &with(["192.168.1.1:1", "192.168.1.1:2"], &local_and_global),
    );
    sees(
        "fd00::8",
        "fd00::1",
        &with(["[fd00::1]:1", "[fd00::1]:2"], &local_and_global),
    );
    sees(
        "203.0.113.8",
        "198.51.100.1",
        &with(["198.51.100.1:1", "198.51.100.1:2"], &global),
    );
    // Through a port forwarding: the tracker's private address leads the internet nowhere.
    sees("203.0.113.8", "192.168.1.1", &global);
    // Through a proxy on the tracker's machine: so does 127.0.0.1.
    sees("192.168.1.8", "127.0.0.1", &local_and_global);
    sees("203.0.113.8", "::1", &global);
}

#[test]
fn the_twin_of_a_loopback_peer_is_shown_once_and_not_to_itself() {
    let tracker = tracker();
    ask(&tracker, &from("127.0.0.1", "127.0.0.1", 1));
    ask(&tracker, &from("::1", "::1", 1));
    ask(&tracker, &from("192.168.1.1", "192.168.1.1", 1));
    let reply = ask(&tracker, &from("192.168.1.2", "192.168.1.1", 2));
    assert_eq!(shown(&reply), ["192.168.1.1:1"]);
    let reply = ask(&tracker, &from("192.168.1.1", "192.168.1.1", 1));
    assert_eq!(shown(&reply), ["192.168.1.2:2"]);
}

/// Peers at `::1` are shown under the address by which the asker reached the tracker, here an IPv4
/// one (by way of a proxy): they are not of the family of this asker.
#[test]
fn loopback_peers_count_as_of_the_family_that_they_are_shown_in() {
    let tracker = tracker();
    ask(&tracker, &from("2001:db8::1", "2001:db8::ff", 1));
    for port in 1..=100 {
        ask(&tracker, &from("::1", "::1", port));
    }
    let mut asker = from("fd00::2", "192.168.1.1", 2);
    asker.numwant = Some(1);
    assert_eq!(shown(&ask(&tracker, &asker)), ["[2001:db8::1]:1"]);
}

/// What askers on the tracker's machine, in its network and on the internet are shown of what there
/// is, and what is stored of it.
fn shown_to_each(tracker: &Tracker) -> [Vec<String>; 3] {
    let askers = [
        ("127.0.0.1", "127.0.0.1"),
        ("192.168.1.99", "192.168.1.1"),
        ("203.0.113.99", "192.168.1.1"),
    ];
    askers.map(|(source, local)| {
        let mut asking = from(source, local, 99);
        let shown = shown(&ask(tracker, &asking));
        asking.event = Event::Stopped;
        ask(tracker, &asking);
        shown
    })
}

/// A claim adds an address, for those whom it serves better than what was seen.
#[test]
fn claims_are_believed_from_loopback_and_lan_only_and_hide_nothing() {
    let none: &[&str] = &[];
    for (source, claims, expected) in [
        (
            "127.0.0.1",
            ["192.168.1.5", "", ""],
            [&["127.0.0.1:7"][..], &["192.168.1.1:7"], none],
        ),
        (
            "127.0.0.1",
            ["203.0.113.5:8", "", ""],
            [&["127.0.0.1:7"], &["192.168.1.1:7"], &["203.0.113.5:8"]],
        ),
        (
            "192.168.1.7",
            ["203.0.113.5", "", ""],
            [&["192.168.1.7:7"], &["192.168.1.7:7"], &["203.0.113.5:7"]],
        ),
        (
            "192.168.1.7",
            ["", "203.0.113.5", ""],
            [&["192.168.1.7:7"], &["192.168.1.7:7"], &["203.0.113.5:7"]],
        ),
        (
            "192.168.1.7",
            ["", "", "[2001:db8::5]:9"],
            [
                &["192.168.1.7:7", "[2001:db8::5]:9"],
                &["192.168.1.7:7", "[2001:db8::5]:9"],
                &["[2001:db8::5]:9"],
            ],
        ),
        (
            "fd00::7",
            ["", "", "2001:db8::5"],
            [&["[fd00::7]:7"], &["[fd00::7]:7"], &["[2001:db8::5]:7"]],
        ),
        (
            "192.168.1.7",
            ["2001:db8::5", "192.168.1.7", ""],
            [
                &["192.168.1.7:7", "[2001:db8::5]:7"],
                &["192.168.1.7:7", "[2001:db8::5]:7"],
                &["[2001:db8::5]:7"],
            ],
        ),
        // A private claim does not hide a good address that was seen.
        (
            "192.168.1.7",
            ["10.9.9.9", "", ""],
            [&["192.168.1.7:7"], &["192.168.1.7:7"], none],
        ),
        (
            "192.168.1.7",
            ["203.0.113.5", "203.0.113.6", "2001:db8::5"],
            [
                &["192.168.1.7:7", "[2001:db8::5]:7"],
                &["192.168.1.7:7", "[2001:db8::5]:7"],
                &["203.0.113.6:7", "[2001:db8::5]:7"],
            ],
        ),
        // Not believed.
        (
            "192.168.1.7",
            ["127.0.0.1", "0.0.0.0", "fe80::1"],
            [&["192.168.1.7:7"], &["192.168.1.7:7"], none],
        ),
        (
            "192.168.1.7",
            ["255.255.255.255", "box.lan", "ff02::1"],
            [&["192.168.1.7:7"], &["192.168.1.7:7"], none],
        ),
        (
            "203.0.113.7",
            ["203.0.113.5", "192.168.1.5", "2001:db8::5"],
            [&["203.0.113.7:7"]; 3].map(|all| &all[..]),
        ),
        (
            "2001:db8::7",
            ["203.0.113.5", "192.168.1.5", "2001:db8::5"],
            [&["[2001:db8::7]:7"]; 3].map(|all| &all[..]),
        ),
    ] {
        let tracker = tracker();
        let [ip, ipv4, ipv6] = claims.map(Claim::parse);
        let mut announce = Announce {
            ip,
            ipv4,
            ipv6,
            ..from(source, source, 7)
        };
        let reply = ask(&tracker, &announce);
        assert_eq!((reply.leechers, reply.peers.len()), (1, 0), "{claims:?}");
        assert_eq!(shown(&ask(&tracker, &announce)), [""; 0], "not to itself");
        assert_eq!(shown_to_each(&tracker), expected, "{source}: {claims:?}");
        // It need not repeat its claims to leave.
        (announce.ip, announce.ipv4, announce.ipv6) = (None, None, None);
        announce.event = Event::Stopped;
        assert_eq!(
            ask(&tracker, &announce).ended.len(),
            1,
            "{source}: {claims:?}"
        );
    }
}

/// Somebody was seen there, so that the claim takes nothing over: it may be the same client over
/// another family, without a key, and who claims it is not shown itself.
#[test]
fn nobody_is_shown_where_it_says_that_it_is() {
    let tracker = tracker();
    ask(&tracker, &from("192.168.1.5", "192.168.1.1", 7));
    let mut claiming = from("fd00::5", "fd00::1", 7);
    let reply = ask(&tracker, &claiming);
    assert_eq!(shown(&reply), ["192.168.1.5:7"]);
    claiming.ipv4 = Claim::parse("192.168.1.5");
    let reply = ask(&tracker, &claiming);
    assert_eq!(shown(&reply), [""; 0]);
}

#[test]
fn link_local_addresses_of_ipv6_are_neither_stored_nor_shown() {
    let tracker = tracker();
    for (source, port) in [("::1", 1), ("fd00::7", 2), ("203.0.113.7", 3)] {
        ask(&tracker, &from(source, source, port));
    }
    let mut asking = from("fe80::5", "fe80::1", 5);
    // What is on the tracker's machine could only be shown under the address that it has there.
    let works = ["203.0.113.7:3", "[fd00::7]:2"];
    let reply = ask(&tracker, &asking);
    assert_eq!(
        (shown(&reply), reply.leechers),
        (works.map(String::from).to_vec(), 3)
    );
    asking.wants_both_families = false;
    assert_eq!(shown(&ask(&tracker, &asking)), ["[fd00::7]:2"]);
    assert_eq!(shown_to_each(&tracker)[0].len(), 3, "not stored");
    asking.ipv6 = Claim::parse("fd00::5");
    assert_eq!(
        ask(&tracker, &asking).leechers,
        4,
        "by what it claims alone"
    );
    assert!(shown_to_each(&tracker)[1].contains(&"[fd00::5]:5".to_owned()));
    asking.ipv6 = None;
    asking.event = Event::Stopped;
    assert_eq!(ask(&tracker, &asking).leechers, 3);
    // Nobody else is there.
    let alone = Announce {
        info_hash: InfoHash([7; 20]),
        ..from("fe80::5", "fe80::1", 5)
    };
    let reply = ask(&tracker, &alone);
    assert_eq!((reply.leechers, reply.is_first_peer), (0, false));
}

fn with_surroundings() -> Tracker {
    let bridge = OwnAddress {
        ip: ip("172.17.0.1"),
        bits: 16,
        is_virtual: true,
        ..OwnAddress::default()
    };
    let public = ["198.51.100.1", "2001:db8::99"].map(|text| PublicHost::Address(ip(text)));
    tracker().within(Surroundings {
        own_addresses: Arc::new(OwnAddresses::of(vec![bridge], vec![ip("192.168.1.254")])),
        public_address: Arc::new(PublicAddress::new(public.to_vec(), 9000, true)),
    })
}

#[test]
fn containers_on_this_machine_are_this_machine() {
    let tracker = with_surroundings();
    ask(&tracker, &from("172.17.0.2", "172.17.0.1", 2));
    ask(&tracker, &from("127.0.0.1", "127.0.0.1", 1));
    let expected = [
        &["127.0.0.1:1", "172.17.0.2:2"],
        &["192.168.1.1:1", "192.168.1.1:2"],
        &["198.51.100.1:1", "198.51.100.1:2"],
    ];
    assert_eq!(shown_to_each(&tracker), expected);
    let reply = ask(&tracker, &from("172.17.0.3", "172.17.0.1", 3));
    assert_eq!(shown(&reply), ["172.17.0.1:1", "172.17.0.2:2"]);
}

/// It gets to containers without their ports being published, and to the private addresses of its
/// network without any help of the router.
#[test]
fn who_asks_from_an_address_of_this_machine_is_on_it() {
    let clients = [
        ("127.0.0.1", 1),
        ("172.17.0.2", 2),
        ("192.168.1.7", 3),
        ("203.0.113.7", 4),
        ("2001:db8:1::7", 5),
    ];
    let of_machine = |text: &str| OwnAddress {
        ip: ip(text),
        bits: if text.contains(':') { 64 } else { 24 },
        is_virtual: text.starts_with("172"),
        ..OwnAddress::default()
    };
    let listed = ["172.17.0.1", "192.168.1.1", "198.51.100.1", "2001:db8::1"];
    let tracker = tracker().within(Surroundings {
        own_addresses: Arc::new(OwnAddresses::of(listed.map(of_machine).to_vec(), vec![])),
        ..Surroundings::default()
    });
    for (source, port) in clients {
        ask(&tracker, &from(source, "192.168.1.1", port));
    }
    for (source, local, is_on_it) in [
        ("192.168.1.1", "192.168.1.1", true),
        ("198.51.100.1", "198.51.100.1", true),
        ("198.51.100.1", "192.168.1.1", true),
        ("2001:db8::1", "2001:db8::1", true),
        ("192.168.1.2", "192.168.1.1", false),
        ("2001:db8::2", "2001:db8::1", false),
        ("2001:db8:9::2", "2001:db8::1", false),
    ] {
        let mut asking = from(source, local, 99);
        let seen = shown(&ask(&tracker, &asking));
        let sees = |text: &str| seen.iter().any(|peer| peer == text);
        let as_machine = SocketAddr::new(ip(local), 1).to_string();
        assert!(sees(&as_machine), "{source}: {seen:?}");
        assert_eq!(sees("172.17.0.2:2"), is_on_it, "{source}: {seen:?}");
        // In a network that this machine is in, too.
        let is_near = is_on_it || ["192.168.1.2", "2001:db8::2"].contains(&source);
        assert_eq!(sees("192.168.1.7:3"), is_near, "{source}: {seen:?}");
        assert!(
            sees("203.0.113.7:4") && sees("[2001:db8:1::7]:5"),
            "{seen:?}"
        );
        // One of each client.
        assert_eq!(
            seen.len(),
            if is_near { 5 } else { 4 },
            "{source}: {seen:?}"
        );
        asking.event = Event::Stopped;
        ask(&tracker, &asking);
    }
}

/// To somebody on the network, the address of this machine's bridge is that of a bridge of his own.
#[test]
fn who_comes_by_a_proxy_in_a_container_is_shown_an_address_of_the_network() {
    let asker = || from("192.168.1.9", "172.17.0.1", 9);
    for (ips, expected) in [
        (&["192.168.1.5", "172.17.0.1"][..], &["192.168.1.5:1"][..]),
        (&["172.17.0.1"], &[]),
    ] {
        let own = |ip: &&str| OwnAddress {
            ip: self::ip(ip),
            bits: 16,
            is_virtual: ip.starts_with("172.17."),
            ..OwnAddress::default()
        };
        let listed = ips.iter().map(own).collect();
        let tracker = tracker().within(Surroundings {
            own_addresses: Arc::new(OwnAddresses::of(listed, Vec::new())),
            ..Surroundings::default()
        });
        ask(&tracker, &from("127.0.0.1", "127.0.0.1", 1));
        assert_eq!(shown(&ask(&tracker, &asker())), expected, "{ips:?}");
    }
}

#[test]
fn claims_of_and_about_containers() {
    for (source, claim, expected) in [
        (
            "172.17.0.2",
            "192.168.1.5",
            ["172.17.0.2:7", "192.168.1.1:7"],
        ),
        ("172.17.0.2", "127.0.0.1", ["172.17.0.2:7", "192.168.1.1:7"]),
        ("127.0.0.1", "172.17.0.2", ["127.0.0.1:7", "192.168.1.1:7"]),
        // It has containers of its own, which others do not reach.
        (
            "192.168.1.7",
            "172.17.0.2",
            ["192.168.1.7:7", "192.168.1.7:7"],
        ),
    ] {
        let tracker = with_surroundings();
        let announce = Announce {
            ip: Claim::parse(claim),
            ..from(source, source, 7)
        };
        assert_eq!(ask(&tracker, &announce).leechers, 1);
        assert_eq!(
            shown_to_each(&tracker)[..2],
            expected.map(|one| [one]),
            "{source} {claim}"
        );
    }
    // Of containers, those in others are shown where these are; of the bridge's own address nobody
    // knows who is behind it.
    for (source, expected) in [
        ("172.17.0.2", "203.0.113.5:7"),
        ("172.17.0.1", "198.51.100.1:7"),
    ] {
        let tracker = with_surroundings();
        let announce = Announce {
            ip: Claim::parse("203.0.113.5"),
            ..from(source, "172.17.0.1", 7)
        };
        ask(&tracker, &announce);
        assert_eq!(shown_to_each(&tracker)[2], [expected], "{source}");
    }
}

/// Each line: where a client is, where an asker on the internet is, by which address it reached the
/// tracker, and what it is shown.
#[test]
fn under_the_public_address_of_the_network() {
    let none: &[&str] = &[];
    for (client, asker, local, expected) in [
        (
            "127.0.0.1",
            "203.0.113.9",
            "192.168.1.1",
            &["198.51.100.1:7"][..],
        ),
        ("127.0.0.1", "203.0.113.9", "127.0.0.1", &["198.51.100.1:7"]),
        (
            "127.0.0.1",
            "203.0.113.9",
            "198.51.100.7",
            &["198.51.100.7:7"],
        ),
        (
            "127.0.0.1",
            "2001:db8::9",
            "2001:db8::1",
            &["[2001:db8::1]:7"],
        ),
        ("127.0.0.1", "2001:db8::9", "fd00::1", &["[2001:db8::99]:7"]),
        ("::1", "203.0.113.9", "192.168.1.1", &["198.51.100.1:7"]),
        (
            "172.17.0.2",
            "203.0.113.9",
            "192.168.1.1",
            &["198.51.100.1:7"],
        ),
        (
            "192.168.1.7",
            "203.0.113.9",
            "192.168.1.1",
            &["198.51.100.1:7"],
        ),
        (
            "192.168.1.7",
            "203.0.113.9",
            "198.51.100.7",
            &["198.51.100.1:7"],
        ),
        ("192.168.1.7", "2001:db8::9", "fd00::1", &["198.51.100.1:7"]),
        // No router translates addresses of IPv6: it is not there.
        ("fd00::7", "2001:db8::9", "fd00::1", none),
        (
            "203.0.113.7",
            "203.0.113.9",
            "192.168.1.1",
            &["203.0.113.7:7"],
        ),
        // Not for those who are nearer.
        (
            "192.168.1.7",
            "192.168.1.9",
            "192.168.1.1",
            &["192.168.1.7:7"],
        ),
        (
            "192.168.1.7",
            "172.17.0.2",
            "172.17.0.1",
            &["192.168.1.7:7"],
        ),
    ] {
        let tracker = with_surroundings();
        ask(&tracker, &from(client, client, 7));
        let reply = ask(&tracker, &from(asker, local, 9));
        assert_eq!(shown(&reply), expected, "{client} to {asker} at {local}");
    }
}

#[test]
fn a_client_with_a_key_is_one_over_both_families() {
    let tracker = tracker();
    let with_key = |source: &str, event| Announce {
        peer_id: PeerId([1; 20]),
        key: Some(7),
        is_seeder: true,
        event,
        ..from(source, "198.51.100.1", 1)
    };
    let counts = |reply: &Reply| (reply.seeders, reply.leechers, reply.downloaded);
    for source in ["203.0.113.1", "2001:db8::1", "203.0.113.1"] {
        let reply = ask(&tracker, &with_key(source, Event::Completed));
        assert_eq!((counts(&reply), reply.peers.len()), ((1, 0, 1), 0));
    }
    let other = from("203.0.113.2", "198.51.100.1", 2);
    assert_eq!(
        shown(&ask(&tracker, &other)),
        ["203.0.113.1:1", "[2001:db8::1]:1"]
    );
    let reply = ask(&tracker, &with_key("2001:db8::1", Event::Stopped));
    assert_eq!(counts(&reply), (0, 1, 1), "gone as one");
}

#[test]
fn only_who_announced_a_peer_can_stop_it() {
    let tracker = tracker();
    let own = from("203.0.113.1", "198.51.100.1", 1);
    let neighbour = Announce {
        peer_id: PeerId([9; 20]),
        event: Event::Stopped,
        ..own.clone()
    };
    ask(&tracker, &own);
    assert_eq!(ask(&tracker, &neighbour).leechers, 1);
    let by_claim = Announce {
        ip: Claim::parse("203.0.113.1"),
        ..from("192.168.1.7", "192.168.1.1", 1)
    };
    for event in [Event::Update, Event::Stopped] {
        ask(
            &tracker,
            &Announce {
                event,
                ..by_claim.clone()
            },
        );
    }
    let asker = from("203.0.113.2", "198.51.100.1", 2);
    assert_eq!(shown(&ask(&tracker, &asker)), ["203.0.113.1:1"]);
}

/// A client with a magnet link and no metadata says that nothing is left.
#[test]
fn perhaps_a_seeder_is_shown_seeders_in_the_places_that_are_free() {
    let tracker = tracker();
    let with = |port, has_transferred| Announce {
        is_seeder: true,
        has_transferred,
        ..from("203.0.113.1", "198.51.100.1", port)
    };
    ask(&tracker, &with(1, true));
    let reply = ask(&tracker, &with(2, false));
    assert_eq!(
        (shown(&reply), reply.seeders),
        (vec!["203.0.113.1:1".into()], 2)
    );
    assert_eq!(shown(&ask(&tracker, &with(1, true))), ["203.0.113.1:2"]);
    assert_eq!(shown(&ask(&tracker, &with(3, true))), ["203.0.113.1:2"]);
}

#[test]
fn a_name_counts_once_it_is_resolved_and_the_source_stands_until_then() {
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let tracker = tracker_with(move |_| {
        let _ = lock(&may_go).recv();
        vec![ip("203.0.113.50")]
    });
    let named = |source: &str, name: &str| Announce {
        ip: Claim::parse(name),
        ..from(source, source, 7)
    };
    let looks = || {
        let mut other = from("127.0.0.1", "127.0.0.1", 99);
        let shown = shown(&ask(&tracker, &other));
        other.event = Event::Stopped;
        ask(&tracker, &other);
        shown
    };
    ask(&tracker, &named("192.168.1.7", "box.lan"));
    assert_eq!(looks(), ["192.168.1.7:7"]);
    go.send(()).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while shown_to_each(&tracker)[2] != ["203.0.113.50:7"] {
        assert!(std::time::Instant::now() < deadline, "it is not resolved");
        std::thread::sleep(Duration::from_millis(1));
        ask(&tracker, &named("192.168.1.7", "box.lan"));
    }
    assert_eq!(looks(), ["192.168.1.7:7"], "it stays");
}

#[test]
fn names_from_the_internet_are_not_resolved() {
    let tracker = tracker();
    let announce = Announce {
        ip: Claim::parse("victim.example"),
        ..from("203.0.113.7", "198.51.100.1", 7)
    };
    for _ in 0..3 {
        ask(&tracker, &announce);
    }
    assert!(tracker.names.has_asked_for_none());
    let reply = ask(&tracker, &from("127.0.0.1", "127.0.0.1", 1));
    assert_eq!(shown(&reply), ["203.0.113.7:7"]);
}

#[test]
fn silent_for_longer_than_a_life_is_dead() {
    let tracker = tracker();
    ask_at(&tracker, &from("203.0.113.1", "198.51.100.1", 1), 1_000);
    let other = from("203.0.113.2", "198.51.100.1", 2);
    assert_eq!(ask_at(&tracker, &other, 1_660).leechers, 2);
    let reply = ask_at(&tracker, &other, 1_661);
    assert_eq!((reply.leechers, reply.peers.len()), (1, 0));
}

#[test]
fn a_life_is_1_8_intervals_and_never_below_11_minutes() {
    for (interval, life) in [(3, 660), (60, 660), (366, 660), (370, 666), (3_600, 6_480)] {
        let settings = Settings {
            interval: Duration::from_secs(interval),
            ..Settings::default()
        };
        assert_eq!(settings.life().as_secs(), life, "{interval}");
    }
}

/// The bounds of a request's work: all who died at once are swept away by and by, 64 for each
/// request, whatever that request is.
#[test]
fn every_request_sweeps_and_none_sweeps_more_than_64() {
    let tracker = tracker();
    for n in 0..5 * 64 {
        let announce = Announce {
            source: Ipv4Addr::from(0xcb00_7100 + n).into(),
            ..from("203.0.113.1", "198.51.100.1", 1)
        };
        ask_at(&tracker, &announce, 1);
    }
    let (later, mut ended) = (Duration::from_secs(662), Vec::new());
    let stored = |tracker: &Tracker| tracker.totals().count(false);
    assert_eq!(stored(&tracker), 5 * 64);
    let elsewhere = Announce {
        info_hash: InfoHash([7; 20]),
        ..from("203.0.113.1", "198.51.100.1", 1)
    };
    ask_at(&tracker, &elsewhere, 662);
    assert_eq!(stored(&tracker), 4 * 64 + 1, "an announce");
    tracker.scrape([].into_iter(), later, &mut ended);
    assert_eq!(stored(&tracker), 3 * 64 + 1, "a scrape");
    tracker.sweep(later, &mut ended);
    assert_eq!(stored(&tracker), 2 * 64 + 1, "a look at the page");
    for _ in 0..2 {
        assert_eq!(ended, []);
        tracker.scrape([elsewhere.info_hash].into_iter(), later, &mut ended);
    }
    assert_eq!((stored(&tracker), ended.len()), (1, 1), "and so the swarm");
}

#[test]
fn first_peers_and_ended_swarms_are_told() {
    let tracker = tracker();
    let first = from("203.0.113.1", "198.51.100.1", 1);
    assert!(ask_at(&tracker, &first, 0).is_first_peer);
    assert!(!ask_at(&tracker, &first, 0).is_first_peer);
    let ended = |said_goodbye| crate::announce::EndedSwarm {
        info_hash: first.info_hash,
        said_goodbye,
    };
    let stopped = Announce {
        event: Event::Stopped,
        ..first.clone()
    };
    assert_eq!(ask_at(&tracker, &stopped, 0).ended, [ended(true)]);
    ask_at(&tracker, &first, 0);
    let elsewhere = Announce {
        info_hash: InfoHash([7; 20]),
        ..first.clone()
    };
    assert_eq!(ask_at(&tracker, &elsewhere, 9_000).ended, [ended(false)]);
}

#[test]
fn a_panic_under_the_lock_does_not_silence_the_tracker() {
    let tracker = tracker();
    thread::scope(|scope| {
        let broken = scope.spawn(|| {
            let _guard = tracker.swarms.lock().unwrap();
            panic!("on purpose");
        });
        assert!(broken.join().is_err());
    });
    let first = from("203.0.113.1", "198.51.100.1", 1);
    assert!(ask(&tracker, &first).is_first_peer);
    assert!(
        !ask(&tracker, &first).is_first_peer,
        "begins anew only once"
    );
}

#[test]
fn who_only_looks_sweeps_too() {
    let tracker = tracker();
    ask(&tracker, &from("203.0.113.1", "198.51.100.1", 1));
    assert_eq!(tracker.totals().count(false), 1);
    let mut ended = Vec::new();
    tracker.sweep(Duration::from_secs(700), &mut ended);
    assert_eq!((ended.len(), tracker.totals().count(false)), (1, 0));
    assert_eq!(tracker.totals().swept, 1);
}

#[test]
fn the_look_at_addresses_is_remembered_for_a_while() {
    let tracker = tracker();
    let of = |tenths: u64| tracker.one_address(Duration::from_millis(tenths * 100)).of;
    assert_eq!(of(10), 0);
    for port in [1, 2] {
        ask(&tracker, &from("203.0.113.1", "198.51.100.1", port));
    }
    assert_eq!(of(29), 0);
    assert_eq!(of(30), 1);
    assert_eq!(of(29), 1, "who read the clock before that");
}
