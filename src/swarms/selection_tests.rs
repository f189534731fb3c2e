//! Tests of `swarms/selection.rs`: who is shown whom, and that it is left to chance.

use super::super::audience::Place;
use super::super::fixture::*;
use super::super::store::Swarms;
use super::*;
use crate::announce::Endpoint;
use std::collections::{BTreeMap, BTreeSet};

const KINDS: [Kind; 3] = [Kind::Leecher, Kind::PerhapsSeeder, Kind::Seeder];

fn of_kind(kind: Kind, endpoint: Endpoint) -> Client {
    Client {
        is_complete: kind != Kind::Leecher,
        has_transferred: kind == Kind::Seeder,
        ..at(endpoint)
    }
}

/// Each asker, each other: whether it is shown when there is nobody else, and whether it is shown
/// when leechers alone would fill the answer.
#[test]
fn who_is_shown_whom_by_kind() {
    use Kind::{Leecher, PerhapsSeeder, Seeder};
    for (asker, other, is_shown, is_shown_in_a_crowd) in [
        (Leecher, Leecher, true, true),
        (Leecher, PerhapsSeeder, true, true),
        (Leecher, Seeder, true, true),
        (PerhapsSeeder, Leecher, true, true),
        (PerhapsSeeder, PerhapsSeeder, true, false),
        (PerhapsSeeder, Seeder, true, false),
        (Seeder, Leecher, true, true),
        (Seeder, PerhapsSeeder, true, false),
        (Seeder, Seeder, false, false),
    ] {
        let mut swarms = swarms();
        let asking = of_kind(asker, endpoint("192.0.2.1", 1));
        let there = endpoint("192.0.2.2", 2);
        put(&mut swarms, 1, &of_kind(other, there), 0).unwrap();
        let shown = from_all(&mut swarms, 1, &asking, 9, 0);
        assert_eq!(shown == [there], is_shown, "{other:?} to {asker:?}");
        for port in 1..=9 {
            put(&mut swarms, 1, &at(endpoint("192.0.2.3", port)), 0).unwrap();
        }
        let mut rounds = (0..300).map(|_| from_all(&mut swarms, 1, &asking, 9, 0));
        let is_shown = rounds.any(|shown| {
            assert_eq!(shown.len(), 9);
            shown.contains(&there)
        });
        assert_eq!(is_shown, is_shown_in_a_crowd, "{other:?} to {asker:?}");
    }
}

/// Whoever has transferred something is no client that waits for metadata any more.
#[test]
fn a_seeder_that_has_transferred_something_stays_one() {
    let mut swarms = swarms();
    let seeder = of_kind(Kind::Seeder, endpoint("192.0.2.1", 1));
    put(&mut swarms, 1, &seeder, 0).unwrap();
    let here = endpoint("192.0.2.2", 2);
    let mut shown = |kind| from_all(&mut swarms, 1, &of_kind(kind, here), 9, 0).len();
    assert_eq!(shown(Kind::PerhapsSeeder), 1);
    assert_eq!(shown(Kind::Seeder), 0);
    assert_eq!(shown(Kind::PerhapsSeeder), 0, "it says nothing new");
    assert_eq!(shown(Kind::Leecher), 1);
    assert_eq!(shown(Kind::PerhapsSeeder), 0);
}

#[test]
fn own_family_first_then_the_other_under_one_cap() {
    let mut swarms = swarms();
    for port in 1..=5 {
        put(&mut swarms, 1, &at(endpoint("192.0.2.1", port)), 0).unwrap();
        put(&mut swarms, 1, &at(endpoint("2001:db8::1", port)), 0).unwrap();
    }
    for (asker, own_is_ipv6) in [("192.0.2.1", false), ("2001:db8::1", true)] {
        for most in [0, 3, 4, 8, 30] {
            let asker = at(endpoint(asker, 5));
            let peers = from_all(&mut swarms, 1, &asker, most, 0);
            assert_eq!(peers.len(), most.min(9));
            let first = &peers[..most.min(4)];
            assert!(first.iter().all(|peer| peer.ip.is_ipv6() == own_is_ipv6));
        }
    }
}

#[test]
fn the_kind_counts_for_more_than_the_family() {
    let mut swarms = swarms();
    for port in 1..=5 {
        put(&mut swarms, 1, &seeding(endpoint("192.0.2.1", port)), 0).unwrap();
        put(&mut swarms, 1, &at(endpoint("2001:db8::1", port)), 0).unwrap();
    }
    let asker = of_kind(Kind::PerhapsSeeder, endpoint("192.0.2.9", 9));
    let shown = from_all(&mut swarms, 1, &asker, 7, 0);
    let families = shown.iter().map(|peer| peer.ip.is_ipv6());
    assert!(families.eq([true, true, true, true, true, false, false]));
}

/// Pearson's test with fixed seeds: of `expected`, each is as likely as any. The bound is exceeded
/// once in a thousand times.
///
/// Every answer is that of another swarm: who stands side by side in one is shown together.
fn assert_uniform(
    filled: impl Fn(u64) -> Swarms,
    asker: &Client,
    selection: &Selection,
    expected: usize,
    bound: f64,
) {
    let mut counts = BTreeMap::new();
    let most = selection.most;
    let rounds = 10_000 / most;
    for round in 0..rounds {
        let mut swarms = filled(round as u64);
        let peers = picked(&mut swarms, 1, asker, selection, secs(0));
        assert_eq!(peers.len(), most);
        for peer in peers {
            *counts.entry(peer.port).or_insert(0) += 1;
        }
    }
    assert!(!counts.contains_key(&asker.who.source.port));
    assert_eq!(counts.len(), expected);
    let mean = (rounds * most) as f64 / expected as f64;
    let chi_square: f64 = counts
        .values()
        .map(|&count| (f64::from(count) - mean).powi(2) / mean)
        .sum();
    assert!(chi_square < bound, "{most}: {chi_square}");
}

fn seeded(seed: u64) -> Swarms {
    Swarms::new(LIFE, BOUNDS, seed)
}

/// 98 degrees of freedom: 147.0.
#[test]
fn selection_is_uniform() {
    let filled = |seed| {
        let mut swarms = seeded(seed);
        for port in 1..=100 {
            let ip = ["192.0.2.1", "10.0.0.1"][usize::from(port % 2)];
            let kind = KINDS[usize::from(port % 3)];
            put(&mut swarms, 1, &of_kind(kind, endpoint(ip, port)), 0).unwrap();
        }
        swarms
    };
    let asker = at(endpoint("192.0.2.1", 50));
    for most in [20, 60] {
        let selection = all(asker.who.source, most);
        assert_uniform(filled, &asker, &selection, 99, 147.0);
    }
}

/// In one swarm, too, however often and wherever they stand: each is shown as often as it should,
/// within five standard deviations.
#[test]
fn in_one_swarm_each_is_as_likely_as_any() {
    let mut swarms = swarms();
    for port in 1..=100 {
        let kind = KINDS[usize::from(port % 3)];
        put(
            &mut swarms,
            1,
            &of_kind(kind, endpoint("192.0.2.1", port)),
            0,
        )
        .unwrap();
    }
    let asker = at(endpoint("192.0.2.1", 50));
    for most in [1, 7, 30, 95] {
        let selection = all(asker.who.source, most);
        let rounds = 4_000;
        let mut counts = [0; 101];
        for _ in 0..rounds {
            for peer in picked(&mut swarms, 1, &asker, &selection, secs(0)) {
                counts[usize::from(peer.port)] += 1;
            }
        }
        let chance = most as f64 / 99.0;
        let mean = f64::from(rounds) * chance;
        let deviation = (mean * (1.0 - chance)).sqrt();
        for (port, &count) in counts
            .iter()
            .enumerate()
            .skip(1)
            .filter(|(port, _)| *port != 50)
        {
            let off = (f64::from(count) - mean).abs();
            assert!(
                off < 5.0 * deviation,
                "{most}: {port} was shown {count} times"
            );
        }
    }
}

/// Those who came one after the other do not stand side by side for that: of 40 others, 10 are
/// shown, both of two in 5.8 percent of the answers, and in four times as many if they did.
#[test]
fn who_came_together_is_not_shown_together() {
    let rounds = 600;
    let asker = at(endpoint("192.0.2.9", 9));
    let both = (0..rounds).filter(|seed| {
        let mut swarms = seeded(*seed);
        for port in 1..=60 {
            put(&mut swarms, 1, &at(endpoint("192.0.2.1", port)), 0).unwrap();
        }
        for port in 21..=40 {
            let who = at(endpoint("192.0.2.1", port)).who;
            swarms.remove(hash(1), &who);
        }
        let selection = all(asker.who.source, 10);
        let shown = picked(&mut swarms, 1, &asker, &selection, secs(0));
        assert_eq!(shown.len(), 10);
        [20, 41]
            .iter()
            .all(|port| shown.iter().any(|peer| peer.port == *port))
    });
    let part = both.count() as f64 / rounds as f64;
    assert!((0.03..0.1).contains(&part), "{part}");
}

/// Clients with several addresses are no more likely than others, and an asker with several leaves
/// no trace. Some are shown under another address. 98 degrees of freedom.
#[test]
fn selection_is_uniform_among_clients_with_several_addresses() {
    let client = |port: u16| {
        let client = at(endpoint("192.168.0.1", port)).with_key(port as u8, port.into());
        match port % 4 {
            0 => client,
            1 => client.claiming(endpoint("203.0.113.1", port)),
            2 => client
                .claiming(endpoint("192.168.0.2", port))
                .claiming(endpoint("2001:db8::1", port)),
            _ => client.claiming(endpoint("127.0.0.1", port)),
        }
    };
    let filled = |seed| {
        let mut swarms = seeded(seed);
        for port in 1..=100 {
            put(&mut swarms, 1, &client(port), 0).unwrap();
        }
        swarms
    };
    let asker = client(50);
    let local = "192.168.0.99".parse().unwrap();
    for (from, machine_as) in [(Place::Loopback, None), (Place::Lan, Some(local))] {
        let selection = Selection {
            view: View {
                from,
                machine_as,
                lan_as: None,
            },
            is_ipv6: false,
            both_families: false,
            most: 30,
            with_peer_ids: false,
            one_by_one: false,
        };
        assert_uniform(filled, &asker, &selection, 99, 147.0);
    }
}

#[test]
fn selection_is_uniform_among_those_who_come_second() {
    let filled = |seed| {
        let mut swarms = seeded(seed);
        for port in 1..=100 {
            let kind = KINDS[1 + usize::from(port % 3 > 0)];
            let client = of_kind(kind, endpoint("192.0.2.1", port));
            put(&mut swarms, 1, &client, 0).unwrap();
        }
        for port in 1..=5 {
            put(&mut swarms, 1, &at(endpoint("192.0.2.2", 1000 + port)), 0).unwrap();
        }
        swarms
    };
    let asker = of_kind(Kind::Seeder, endpoint("192.0.2.3", 2000));
    let selection = all(asker.who.source, 20);
    let mut counts = BTreeMap::new();
    for seed in 0..400 {
        let shown = picked(&mut filled(seed), 1, &asker, &selection, secs(0));
        let (first, others) = shown.split_at(5);
        assert!(first.iter().all(|peer| peer.port > 1000));
        for peer in others {
            assert_eq!(peer.port % 3, 0, "nobody who is a seeder for certain");
            *counts.entry(peer.port).or_insert(0) += 1;
        }
    }
    // 33 perhapses, 15 places: 32 degrees of freedom, 62.5.
    let mean = 400.0 * 15.0 / 33.0;
    let off = |&count: &i32| (f64::from(count) - mean).powi(2) / mean;
    let chi_square: f64 = counts.values().map(off).sum();
    assert!(counts.len() == 33 && chi_square < 62.5, "{chi_square}");
}

/// Though the last run is shorter than the others, and may be drawn first.
#[test]
fn an_answer_has_as_many_as_are_wanted_and_none_twice() {
    let mut swarms = swarms();
    for port in 1..=22 {
        put(&mut swarms, 1, &at(endpoint("192.0.2.1", port)), 0).unwrap();
    }
    let asker = at(endpoint("192.0.2.1", 22));
    for most in 1..=30 {
        for _ in 0..50 {
            let shown = from_all(&mut swarms, 1, &asker, most, 0);
            let ports: BTreeSet<_> = shown.iter().map(|peer| peer.port).collect();
            assert_eq!((shown.len(), ports.len()), (most.min(21), most.min(21)));
        }
    }
}

/// In some more tries than usual, but not in as many as there are peers; and who has been silent
/// for exactly a life is alive.
#[test]
fn the_living_are_found_among_the_dead_of_whom_no_sweep_came_by() {
    let mut swarms = swarms();
    let life = LIFE.as_secs();
    for port in 1..=3_000 {
        put(&mut swarms, 1, &at(endpoint("192.0.2.1", port)), 0).unwrap();
    }
    for port in 1..=1_000 {
        put(&mut swarms, 1, &at(endpoint("192.0.2.2", port)), 100).unwrap();
    }
    let alive = "192.0.2.2".parse::<std::net::IpAddr>().unwrap();
    let selection = all(endpoint("192.0.2.3", 1), 10);
    let mut picker = Picker::new(7);
    let mut pick = |now: u64| {
        let stock = Stock {
            swarm: &swarms.swarms[0],
            peers: &swarms.peers,
            life: life as u32 * 10,
            now: Tenths::new(secs(now)),
        };
        let mut picked = Vec::new();
        let is_rewritten = picker.pick(&stock, Kind::Leecher, &[], &selection, &mut picked);
        assert!(!is_rewritten, "all are shown under their own address");
        (picked, picker.runs.len())
    };
    // Nobody is dead yet: two runs, one of them perhaps in two parts.
    for _ in 0..100 {
        let (picked, runs) = pick(life);
        assert!(picked.len() == 10 && runs <= 3, "{runs}");
    }
    let mut found = 0;
    for _ in 0..300 {
        let (picked, runs) = pick(100 + life);
        assert!(picked.iter().all(|peer| peer.endpoint.ip == alive));
        assert!(
            picked
                .iter()
                .all(|peer| peer.peer_id == Peer::NOWHERE.peer_id)
        );
        assert!(runs <= 10, "{runs}");
        found += picked.len();
    }
    // With as many tries as usual, it would be less than 5 in an answer; and less than 8 if of each
    // run no more were taken, dead or alive, than are still wanted.
    assert!(found > 300 * 9, "{found}");
}
