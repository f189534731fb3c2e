//! Tests of `decoys.rs`.

use super::*;
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn network(text: &str) -> Network {
    Network::parse(text).unwrap()
}

fn decoys(networks: &[&str]) -> Decoys {
    Decoys::new(networks.iter().map(|text| network(text)).collect())
}

const HASH: InfoHash = InfoHash(*b"a torrent with decoy");

fn at(seconds: u64) -> Answer<'static> {
    Answer {
        info_hash: HASH,
        now: Duration::from_secs(seconds),
        asker: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 9)),
        is_ipv6: false,
        with_peer_ids: true,
        is_taken: &|_| false,
    }
}

#[test]
fn which_networks_may_have_decoys_and_why_the_others_may_not() {
    let own = [
        "192.168.1.5",
        "2001:db8:ffff::5",
        "2a00:1:2:3::5",
        "fe80::5",
        "127.0.0.1",
    ]
    .map(ip);
    for text in [
        "192.0.2.0/24",
        "198.51.100.128/25",
        "203.0.113.0/24",
        "198.18.0.0/15",
        "2001:db8::/32",
        "2001:db8:7::/48",
        "100::/64",
        "192.168.1.0/24",
        "192.168.0.0/16",
        "2a00:1:2:3::/64",
        "2a00:1:2::/48",
    ] {
        assert_eq!(check(&network(text), &own), Ok(()), "{text}");
    }
    for (text, reason) in [
        ("192.168.2.0/24", "stranger"),
        ("8.8.8.0/24", "stranger"),
        ("2a00:1:3::/48", "stranger"),
        ("192.0.2.0/23", "stranger"),
        ("100::/63", "stranger"),
        ("192.168.0.0/15", "give /16 or smaller"),
        ("2a00:1::/32", "give /48 or smaller"),
        ("2001:db8::/31", "give /48 or smaller"),
        ("0.0.0.0/0", "give /16 or smaller"),
        ("192.168.1.5/32", "too small"),
        ("192.168.1.4/31", "too small"),
        // Where decoys harm nobody, too: somebody has left out the bits.
        ("198.51.100.0", "too small; give ADDRESS/BITS"),
        ("198.51.100.0", "such as 198.51.100.0/24"),
        ("2001:db8::", "such as 2001:db8::/64"),
        ("203.0.113.4/31", "too small"),
        ("127.0.0.0/16", "lead nobody anywhere"),
        ("fe80::/64", "lead nobody anywhere"),
    ] {
        let refused = check(&network(text), &own).unwrap_err();
        assert!(refused.contains(reason), "{text}: {refused}");
    }
}

#[test]
fn a_third_of_all_but_no_more_than_fit_beside_all_peers() {
    for (real, most, expected) in [
        (0, 30, 0),
        (1, 30, 0),
        (2, 30, 1),
        (20, 30, 10),
        (24, 30, 6),
        (30, 30, 0),
        (31, 30, 15),
        (1_000_000, 30, 500_000),
    ] {
        assert_eq!(beside(real, most), expected, "{real} of {most}");
    }
}

#[test]
fn shares_add_up_and_decoys_have_a_third_at_most() {
    let decoys = decoys(&["203.0.113.0/24"]);
    let mut random = Random::new(1);
    for real in 0..200 {
        for wanted in 0..50 {
            let Shares {
                real: places,
                decoys: of_decoys,
                of,
            } = decoys.share(at(0).asker, false, (real, wanted, 30), &mut random);
            assert_eq!(places + of_decoys, wanted.min(real + of));
            assert!(places <= real && of_decoys <= of);
            assert!(
                of_decoys <= (places + of_decoys).div_ceil(3),
                "{real} {wanted}"
            );
            if real <= 30 && wanted >= 30 {
                assert_eq!(places, real, "nobody makes room for a decoy");
            }
        }
    }
}

#[test]
fn without_a_network_that_leads_the_asker_somewhere_there_are_none() {
    let lan = decoys(&["192.168.1.0/24"]);
    let mut random = Random::new(1);
    for (asker, is_ipv6, expected) in [
        ("198.51.100.9", false, 0),
        ("192.168.1.9", false, 10),
        ("127.0.0.1", false, 10),
        ("192.168.1.9", true, 0),
    ] {
        let shares = lan.share(ip(asker), is_ipv6, (20, 30, 30), &mut random);
        assert_eq!(shares.of, expected, "{asker}");
    }
}

/// All decoys of a number below `of`, in order.
fn all(decoys: &Decoys, answer: &Answer<'_>, of: u32) -> Vec<Option<Peer>> {
    (0..of).map(|number| decoys.decoy(answer, number)).collect()
}

#[test]
fn they_stay_for_hours_and_come_and_go_singly() {
    let decoys = decoys(&["198.18.0.0/15"]);
    let mut before = all(&decoys, &at(0), 40);
    let mut changes = vec![0; 40];
    let day = 86_400;
    for second in (60..=day).step_by(60) {
        let now = all(&decoys, &at(second), 40);
        let changed: Vec<_> = (0..40).filter(|&n| before[n] != now[n]).collect();
        assert!(changed.len() <= 4, "{changed:?} at {second}");
        changed.iter().for_each(|&n| changes[n] += 1);
        before = now;
    }
    // A life of 2 to 6 hours each.
    assert!(changes.iter().all(|n| (3..=12).contains(n)), "{changes:?}");
    assert!(changes.iter().collect::<HashSet<_>>().len() > 3);
}

#[test]
fn a_torrents_decoys_are_its_own() {
    let decoys = decoys(&["198.18.0.0/15", "2001:db8::/32"]);
    let other = Answer {
        info_hash: InfoHash([7; 20]),
        ..at(0)
    };
    let endpoints = |answer: &Answer<'_>| -> HashSet<Endpoint> {
        let peers = all(&decoys, answer, 50).into_iter().flatten();
        peers.map(|peer| peer.endpoint).collect()
    };
    let (one, two) = (endpoints(&at(0)), endpoints(&other));
    assert!(one.len() >= 49 && two.len() >= 49);
    assert!(one.intersection(&two).count() <= 1);
    let again = endpoints(&at(0));
    assert_eq!(one, again);
    let ipv6 = Answer {
        is_ipv6: true,
        asker: ip("2001:db8::9"),
        ..at(0)
    };
    assert!(
        endpoints(&ipv6)
            .iter()
            .all(|e| network("2001:db8::/32").contains(e.ip))
    );
}

#[test]
fn never_the_asker_nor_somebody_real_nor_the_edge_of_a_network() {
    let small = decoys(&["203.0.113.0/30"]);
    let taken = ip("203.0.113.1");
    let is_taken = |endpoint: Endpoint| endpoint.ip == taken;
    let answer = Answer {
        asker: ip("203.0.113.2"),
        is_taken: &is_taken,
        ..at(0)
    };
    assert!(all(&small, &answer, 200).iter().all(Option::is_none));
    let free = Answer {
        asker: ip("198.51.100.9"),
        ..answer
    };
    let seen = all(&small, &free, 200).into_iter().flatten();
    let seen: HashSet<_> = seen.map(|peer| peer.endpoint.ip).collect();
    assert_eq!(seen, HashSet::from([ip("203.0.113.2")]));
}

#[test]
fn they_look_like_real_clients() {
    let decoys = decoys(&["198.18.0.0/15"]);
    let mut kinds = HashMap::new();
    for peer in all(&decoys, &at(0), 400).into_iter().flatten() {
        let PeerId(id) = peer.peer_id;
        assert!(peer.endpoint.port >= 1024);
        assert!(id[0] == b'-' && id[7] == b'-' && id.iter().all(u8::is_ascii_graphic));
        *kinds.entry(id[..8].to_vec()).or_insert(0) += 1;
        if id.starts_with(b"-TR") {
            let digit = |&byte: &u8| char::from(byte).to_digit(36).unwrap();
            assert_eq!(
                id[8..].iter().map(digit).sum::<u32>() % 36,
                0,
                "its checksum"
            );
            assert_eq!(peer.endpoint.port, 51413);
        }
    }
    assert_eq!(kinds.len(), CLIENTS.len());
    let without = Answer {
        with_peer_ids: false,
        ..at(0)
    };
    let bare = all(&decoys, &without, 9);
    assert!(
        bare.iter()
            .flatten()
            .all(|p| p.peer_id == PeerId::default())
    );
}

/// Who asks again and again learns nothing from how often somebody comes: Pearson's test with a
/// fixed seed, over 10,000 answers, of peers and decoys together and of the two apart.
#[test]
fn asking_again_and_again_does_not_tell_them_apart() {
    // With one key in 300, two of 30 have the same of 131,072 addresses, and one is left out.
    let are_apart = |decoys: &Decoys| {
        let all = all(decoys, &at(0), 30).into_iter().flatten();
        let addresses: HashSet<_> = all.map(|peer| peer.endpoint.ip).collect();
        addresses.len() == 30
    };
    let mut any = std::iter::repeat_with(|| decoys(&["198.18.0.0/15"])).take(100);
    let decoys = any.find(are_apart).expect("some that are apart");
    let mut random = Random::new(11);
    let real = 60;
    let real_peer = |n: u32| Peer {
        endpoint: Endpoint {
            ip: Ipv4Addr::from_bits(0x0a00_0000 + n).into(),
            port: 6881,
        },
        peer_id: PeerId::default(),
    };
    for wanted in [30, 7, 1] {
        let mut seen: HashMap<Endpoint, u32> = HashMap::new();
        let (mut firsts, mut answers) = (0, 0);
        for _ in 0..10_000 {
            let shares = decoys.share(at(0).asker, false, (real, wanted, 30), &mut random);
            let mut numbers = Vec::new();
            draw(&mut random, real as u32, shares.real, &mut numbers);
            let mut peers: Vec<_> = numbers.into_iter().map(real_peer).collect();
            decoys.add(&at(0), shares, &mut random, &mut peers);
            assert_eq!(peers.len(), wanted);
            let is_decoy = |p: &Peer| network("198.18.0.0/15").contains(p.endpoint.ip);
            firsts += u32::from(is_decoy(&peers[0]));
            answers += 1;
            for peer in peers {
                *seen.entry(peer.endpoint).or_insert(0) += 1;
            }
        }
        assert_eq!(seen.len(), 90, "60 real ones and 30 decoys");
        let expected = 10_000.0 * wanted as f64 / 90.0;
        let chi_square: f64 = seen
            .values()
            .map(|&count| (f64::from(count) - expected).powi(2) / expected)
            .sum();
        // 89 degrees of freedom: 135.0 is exceeded once in a thousand times.
        assert!(chi_square < 135.0, "{wanted}: {chi_square}");
        // Nor do they stand in other places: a third of the first ones are decoys.
        let share = f64::from(firsts) / f64::from(answers);
        assert!((share - 1.0 / 3.0).abs() < 0.02, "{wanted}: {share}");
    }
}
