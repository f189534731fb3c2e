//! Tests of `with_decoys.rs`: whole answers.

use crate::announce::{Announce, Event, InfoHash, PeerId, Reply};
use crate::decoys::Decoys;
use crate::network::Network;
use crate::tracker::{Settings, Tracker};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

const NETWORK: &str = "198.18.0.0/15";

fn tracker(networks: &[&str]) -> Tracker {
    let decoys: Vec<_> = networks
        .iter()
        .filter_map(|text| Network::parse(text))
        .collect();
    let decoys = (!decoys.is_empty()).then(|| Decoys::new(decoys));
    Tracker::new(Settings::default()).with_decoys(decoys)
}

fn announce(n: u32, is_seeder: bool, numwant: u32) -> Announce {
    Announce {
        info_hash: InfoHash([5; 20]),
        peer_id: PeerId([7; 20]),
        key: None,
        source: Ipv4Addr::from_bits(0xc633_6400 + n).into(),
        local: IpAddr::from([203, 0, 113, 1]),
        port: 6881,
        is_seeder,
        has_transferred: true,
        event: Event::Update,
        numwant: Some(numwant),
        wants_peer_ids: false,
        wants_both_families: true,
        ip: None,
        ipv4: None,
        ipv6: None,
    }
}

fn ask(tracker: &Tracker, announce: &Announce) -> Reply {
    let mut reply = Reply::default();
    let now = Duration::from_secs(1);
    tracker.handle(announce, now, &mut reply).unwrap();
    reply
}

/// A swarm of so many leechers, and how many decoys one more is shown.
fn shown(tracker: &Tracker, leechers: u32, numwant: u32) -> (usize, usize) {
    (1..=leechers).for_each(|n| drop(ask(tracker, &announce(n, false, 0))));
    let reply = ask(tracker, &announce(0, false, numwant));
    assert_eq!(reply.leechers, leechers + 1, "counts tell the truth");
    let decoys = reply.peers.iter().filter(|peer| is_decoy(peer.endpoint.ip));
    (decoys.clone().count(), reply.peers.len())
}

fn is_decoy(ip: IpAddr) -> bool {
    Network::parse(NETWORK).unwrap().contains(ip)
}

#[test]
fn half_as_many_decoys_as_peers_and_no_peer_makes_room_while_there_is_some() {
    for (leechers, expected) in [
        (0, (0, 0)),
        (1, (0, 1)),
        (10, (5, 15)),
        (26, (4, 30)),
        (30, (0, 30)),
    ] {
        // Of a counter that a decoy shares with a peer it is left out, once in 1,500 times.
        let mut tries = (0..3).map(|_| shown(&tracker(&[NETWORK]), leechers, 30));
        assert!(tries.any(|shown| shown == expected), "{leechers}");
    }
    assert_eq!(shown(&tracker(&[]), 10, 30), (0, 10), "without the option");
    // A network of the LAN is not shown to the internet.
    assert_eq!(shown(&tracker(&["10.0.0.0/16"]), 10, 30), (0, 10));
    assert_eq!(
        shown(&tracker(&[NETWORK]), 10, 0),
        (0, 0),
        "nobody is wanted"
    );
}

/// Over 10,000 answers with a fixed swarm, decoys and peers come equally often: Pearson's test.
#[test]
fn decoys_come_as_often_as_peers() {
    let tracker = tracker(&[NETWORK]);
    shown(&tracker, 60, 0);
    let mut seen = HashMap::new();
    for _ in 0..10_000 {
        for peer in ask(&tracker, &announce(0, false, 20)).peers {
            *seen.entry(peer.endpoint).or_insert(0_u32) += 1;
        }
    }
    let decoys = seen.keys().filter(|endpoint| is_decoy(endpoint.ip)).count();
    assert_eq!((decoys, seen.len()), (30, 90));
    let expected = 10_000.0 * 20.0 / 90.0;
    let chi_square: f64 = seen
        .values()
        .map(|&count| (f64::from(count) - expected).powi(2) / expected)
        .sum();
    // 89 degrees of freedom; 170 is exceeded once in a million times, and the seed is random here.
    assert!(chi_square < 170.0, "{chi_square}");
}

/// Where every other address of the network is a real peer's, none of those is a decoy's.
#[test]
fn never_a_real_peer_nor_the_asker() {
    let tracker = tracker(&["198.51.100.0/28"]);
    let real: Vec<_> = (1..14).collect();
    real.iter()
        .for_each(|&n| drop(ask(&tracker, &announce(n, false, 0))));
    for _ in 0..200 {
        let peers = ask(&tracker, &announce(1, false, 30)).peers;
        let mut ips: Vec<_> = peers.iter().map(|peer| peer.endpoint.ip).collect();
        let asker = announce(1, false, 0).source;
        assert!(!ips.contains(&asker));
        let count = ips.len();
        ips.sort();
        ips.dedup();
        assert_eq!(ips.len(), count, "an address stands twice");
    }
}

#[test]
fn a_seeder_is_shown_decoys_among_leechers() {
    let tracker = tracker(&[NETWORK]);
    shown(&tracker, 10, 0);
    let reply = ask(&tracker, &announce(99, true, 30));
    let decoys = reply.peers.iter().filter(|peer| is_decoy(peer.endpoint.ip));
    assert_eq!(
        (decoys.count(), reply.peers.len()),
        (5, 16),
        "and 11 leechers"
    );
}

/// How often each two stand in an answer together: whoever comes with the same neighbours again and
/// again is real, since decoys have none.
#[test]
fn peers_do_not_come_with_the_same_neighbours() {
    let tracker = tracker(&[NETWORK]);
    shown(&tracker, 60, 0);
    let mut together = HashMap::new();
    const ANSWERS: u32 = 2000;
    for _ in 0..ANSWERS {
        let peers = ask(&tracker, &announce(0, false, 20)).peers;
        for (i, one) in peers.iter().enumerate() {
            for other in &peers[i + 1..] {
                let pair = (
                    one.endpoint.min(other.endpoint),
                    one.endpoint.max(other.endpoint),
                );
                *together.entry(pair).or_insert(0_u32) += 1;
            }
        }
    }
    // 95 times on average, and of 4,005 pairs none 190 times by chance; 400 for neighbours in runs.
    let most = together.values().max().copied().unwrap_or_default();
    assert!((95..190).contains(&most), "{most}");
}

/// Peers of the other family, and those who are further, come later; decoys would come anywhere.
#[test]
fn an_answer_has_no_order() {
    let tracker = tracker(&[NETWORK]);
    shown(&tracker, 6, 0);
    for n in 1..=6_u32 {
        let source = Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(n)).into();
        let other = Announce {
            source,
            ..announce(0, false, 0)
        };
        ask(&tracker, &other);
    }
    let is_mixed = || {
        let peers = ask(&tracker, &announce(0, false, 30)).peers;
        let mut real = peers.iter().map(|peer| peer.endpoint.ip);
        real.clone().filter(|ip| ip.is_ipv6()).count() == 6
            && real.any(|ip| ip.is_ipv6())
            && real.any(|ip| ip.is_ipv4() && !is_decoy(ip))
    };
    assert!((0..50).any(|_| is_mixed()));
}
