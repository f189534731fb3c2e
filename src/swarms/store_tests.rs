//! The state against literals, against statistics, and against a naive model of itself.

use super::*;
use crate::swarms::OneAddress;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::net::IpAddr;

const LIFE: Duration = Duration::from_secs(432);

const BOUNDS: Bounds = Bounds {
    peers: 100_000,
    per_block: 10_000,
    per_block_in_swarm: 5_000,
};

fn endpoint(text: &str, port: u16) -> Endpoint {
    let ip = text.parse().unwrap();
    Endpoint { ip, port }
}

fn hash(n: u8) -> InfoHash {
    InfoHash([n; 20])
}

fn at(endpoint: Endpoint) -> Announced {
    Announced {
        endpoint,
        peer_id: PeerId([endpoint.port as u8; 20]),
        is_seeder: false,
        completed: false,
    }
}

fn seeding(endpoint: Endpoint) -> Announced {
    Announced {
        is_seeder: true,
        ..at(endpoint)
    }
}

/// Everybody may be shown.
fn all(asker: Endpoint, most: usize) -> Selection {
    Selection {
        is_ipv6: asker.ip.is_ipv6(),
        only_leechers: false,
        loopback: true,
        loopback_as_ipv6: None,
        lan: true,
        both_families: true,
        most,
        with_peer_ids: false,
    }
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What of a `put` does not depend on where things lie.
fn is_first(stored: Result<(Entry, bool), LimitReached>) -> Result<bool, LimitReached> {
    stored.map(|(_, is_first)| is_first)
}

fn picked(
    swarms: &mut Swarms,
    n: u8,
    asker: Endpoint,
    selection: &Selection,
    now: Duration,
) -> Vec<Endpoint> {
    let mut peers = Vec::new();
    if let Some(entry) = swarms.entry(hash(n), asker) {
        swarms.pick(entry, selection, now, &mut peers);
    }
    peers.into_iter().map(|peer| peer.endpoint).collect()
}

/// Picks among all.
fn from_all(swarms: &mut Swarms, n: u8, asker: Endpoint, most: usize, now: u64) -> Vec<Endpoint> {
    picked(swarms, n, asker, &all(asker, most), secs(now))
}

#[test]
fn a_peer_is_its_address_and_port_not_its_peer_id() {
    let mut swarms = Swarms::new(LIFE, BOUNDS, 1);
    let here = endpoint("192.0.2.1", 6881);
    assert_eq!(is_first(swarms.put(hash(1), &at(here), secs(0))), Ok(true));
    let renamed = Announced {
        peer_id: PeerId(*b"another peer id 2026"),
        ..at(here)
    };
    assert_eq!(is_first(swarms.put(hash(1), &renamed, secs(1))), Ok(false));
    assert_eq!(
        is_first(swarms.put(hash(1), &at(endpoint("192.0.2.1", 6882)), secs(1))),
        Ok(false)
    );
    assert_eq!(
        is_first(swarms.put(hash(1), &at(endpoint("2001:db8::1", 6881)), secs(1))),
        Ok(false)
    );
    assert_eq!(swarms.counts(hash(1)).leechers, 3);
    let mut peers = Vec::new();
    let selection = Selection {
        with_peer_ids: true,
        ..all(endpoint("192.0.2.1", 6882), 1)
    };
    let entry = swarms.entry(hash(1), endpoint("192.0.2.1", 6882)).unwrap();
    swarms.pick(entry, &selection, secs(1), &mut peers);
    assert_eq!(peers[0].peer_id, renamed.peer_id);
}

#[test]
fn a_peer_of_two_swarms_is_two_peers() {
    let mut swarms = Swarms::new(LIFE, BOUNDS, 1);
    let here = endpoint("192.0.2.1", 6881);
    swarms.put(hash(1), &at(here), secs(0)).unwrap();
    swarms.put(hash(2), &seeding(here), secs(0)).unwrap();
    swarms.remove(hash(1), here, None);
    assert_eq!(
        (swarms.by_info_hash.len(), swarms.counts(hash(2)).seeders),
        (1, 1)
    );
}

#[test]
fn dead_a_tenth_of_a_second_after_its_life_and_not_before() {
    let mut swarms = Swarms::new(LIFE, BOUNDS, 1);
    let (old, new) = (endpoint("192.0.2.1", 1), endpoint("192.0.2.2", 2));
    swarms.put(hash(1), &at(old), secs(1_000)).unwrap();
    swarms.put(hash(1), &at(new), secs(1_100)).unwrap();
    let mut ended = Vec::new();
    swarms.sweep(secs(1_432), 9, &mut ended);
    assert_eq!(swarms.counts(hash(1)).leechers, 2);
    swarms.sweep(secs(1_432) + Duration::from_millis(100), 9, &mut ended);
    assert_eq!(swarms.counts(hash(1)).leechers, 1);
    assert_eq!(from_all(&mut swarms, 1, old, 9, 1_433), [new]);
    assert!(ended.is_empty());
    swarms.sweep(secs(9_000), 9, &mut ended);
    let expected = EndedSwarm {
        info_hash: hash(1),
        said_goodbye: false,
    };
    assert_eq!(ended, [expected]);
    assert_eq!((swarms.by_info_hash.len(), swarms.peers.len()), (0, 0));
}

#[test]
fn what_is_swept_is_counted_and_what_leaves_is_not() {
    let mut swarms = Swarms::new(LIFE, BOUNDS, 1);
    let peers = [1, 2, 3].map(|port| endpoint("192.0.2.1", port));
    for peer in peers {
        swarms.put(hash(1), &at(peer), secs(0)).unwrap();
    }
    swarms.remove(hash(1), peers[0], None);
    swarms.sweep(secs(500), 9, &mut Vec::new());
    swarms.sweep(secs(500), 9, &mut Vec::new());
    let expected = Totals {
        swept: 2,
        ..Totals::default()
    };
    assert_eq!(swarms.totals(), expected);
}

#[test]
fn swarms_with_one_address_are_found() {
    let mut swarms = Swarms::new(LIFE, BOUNDS, 1);
    for (n, addresses) in [
        (1, "192.0.2.1"),
        (2, "192.0.2.1 192.0.2.1"),
        (3, "192.0.2.1 192.0.2.1 192.0.2.2"),
        (4, "10.0.0.1 10.0.0.1 10.0.0.1"),
        (5, "127.0.0.1 ::1"),
        (6, "127.0.0.1 10.0.0.1"),
        (7, "2001:db8::1 2001:db8::1"),
        (8, "2001:db8::1 2001:db8::2"),
        (9, "127.0.0.1"),
    ] {
        for (port, address) in (1..).zip(addresses.split(' ')) {
            let kind = [at, seeding][usize::from(port % 2)];
            let announced = kind(endpoint(address, port));
            swarms.put(hash(n), &announced, secs(0)).unwrap();
        }
    }
    let expected = OneAddress {
        of: 7,
        on_this_machine: 1,
        elsewhere: 3,
    };
    assert_eq!(swarms.one_address(), expected);
}

#[test]
fn the_look_at_addresses_has_bounds() {
    let bounds = Bounds {
        peers: 100_000,
        per_block: 100_000,
        per_block_in_swarm: 100_000,
    };
    let mut swarms = Swarms::new(LIFE, bounds, 1);
    let put = |swarms: &mut Swarms, n: u16, port| {
        let info_hash = InfoHash([n.to_be_bytes(); 10].concat().try_into().unwrap());
        let peer = at(endpoint("192.0.2.1", port));
        swarms.put(info_hash, &peer, secs(0)).unwrap();
    };
    // More swarms than are looked at, with two members each.
    for n in 1..=1_100 {
        put(&mut swarms, n, 1);
        put(&mut swarms, n, 2);
    }
    let found = swarms.one_address();
    assert_eq!((found.of, found.elsewhere), (1_000, 1_000));
    // More members than are looked at, in the first swarm: nothing is said of any.
    for port in 3..=5_000 {
        put(&mut swarms, 1, port);
    }
    put(&mut swarms, 1, 5_001);
    assert_eq!(swarms.one_address(), OneAddress::default());
}

#[test]
fn an_announce_begins_a_new_life() {
    let mut swarms = Swarms::new(LIFE, BOUNDS, 1);
    let here = endpoint("192.0.2.1", 1);
    for now in (0..4_000).step_by(400) {
        swarms.sweep(secs(now), 9, &mut Vec::new());
        assert_eq!(
            is_first(swarms.put(hash(1), &at(here), secs(now))),
            Ok(now == 0)
        );
    }
}

#[test]
fn an_announce_that_waited_for_the_lock_does_not_turn_time_back() {
    let mut swarms = Swarms::new(LIFE, BOUNDS, 1);
    swarms
        .put(hash(1), &at(endpoint("192.0.2.1", 1)), secs(1_000))
        .unwrap();
    swarms
        .put(hash(1), &at(endpoint("192.0.2.2", 2)), secs(999))
        .unwrap();
    swarms.sweep(secs(1_432), 9, &mut Vec::new());
    assert_eq!(swarms.counts(hash(1)).leechers, 2);
    swarms.sweep(secs(1_433), 9, &mut Vec::new());
    assert_eq!(swarms.peers.len(), 0);
}

#[test]
fn a_sweep_does_no_more_than_it_is_told_and_the_dead_are_not_handed_out() {
    let mut swarms = Swarms::new(LIFE, BOUNDS, 1);
    for port in 1..=1_000 {
        swarms
            .put(hash(1), &at(endpoint("192.0.2.1", port)), secs(0))
            .unwrap();
    }
    let alive = endpoint("192.0.2.2", 1);
    swarms.put(hash(1), &at(alive), secs(400)).unwrap();
    swarms.sweep(secs(500), 10, &mut Vec::new());
    assert_eq!(swarms.peers.len(), 991);
    let asker = endpoint("192.0.2.3", 1);
    for _ in 0..100 {
        let peers = from_all(&mut swarms, 1, asker, 30, 500);
        assert!(peers.iter().all(|&peer| peer == alive), "{peers:?}");
    }
    for _ in 0..99 {
        swarms.sweep(secs(500), 10, &mut Vec::new());
    }
    assert_eq!(from_all(&mut swarms, 1, asker, 30, 500), [alive]);
}

#[test]
fn completed_counts_once_when_a_known_leecher_becomes_a_seeder() {
    let mut swarms = Swarms::new(LIFE, BOUNDS, 1);
    let (here, there) = (endpoint("192.0.2.1", 1), endpoint("192.0.2.2", 1));
    let completed = |endpoint| Announced {
        completed: true,
        ..seeding(endpoint)
    };
    let mut step = |announced: Announced| {
        swarms.put(hash(1), &announced, secs(1)).unwrap();
        let counts = swarms.counts(hash(1));
        (counts.seeders, counts.leechers, counts.downloaded)
    };
    assert_eq!(step(completed(here)), (1, 0, 0), "never seen as a leecher");
    assert_eq!(step(completed(here)), (1, 0, 0), "a seeder already");
    assert_eq!(step(at(there)), (1, 1, 0));
    let says_so_too_early = Announced {
        is_seeder: false,
        ..completed(there)
    };
    assert_eq!(step(says_so_too_early), (1, 1, 0), "something is left");
    assert_eq!(step(completed(there)), (2, 0, 1));
    assert_eq!(step(completed(there)), (2, 0, 1), "said twice");
    assert_eq!(step(at(there)), (1, 1, 1), "a leecher again");
    assert_eq!(step(seeding(there)), (2, 0, 1), "did not say completed");
}

#[test]
fn own_family_first_then_the_other_under_one_cap() {
    let mut swarms = Swarms::new(LIFE, BOUNDS, 1);
    for port in 1..=5 {
        swarms
            .put(hash(1), &at(endpoint("192.0.2.1", port)), secs(0))
            .unwrap();
        swarms
            .put(hash(1), &at(endpoint("2001:db8::1", port)), secs(0))
            .unwrap();
    }
    for (asker, own_is_ipv6) in [("192.0.2.9", false), ("2001:db8::9", true)] {
        for most in [0, 3, 5, 8, 30] {
            let peers = from_all(&mut swarms, 1, endpoint(asker, 9), most, 0);
            assert_eq!(peers.len(), most.min(10));
            let first = &peers[..most.min(5)];
            assert!(first.iter().all(|peer| peer.ip.is_ipv6() == own_is_ipv6));
        }
    }
}

#[test]
fn at_a_bound_newcomers_are_refused_and_the_known_are_not() {
    let bounds = Bounds {
        peers: 10,
        per_block: 6,
        per_block_in_swarm: 3,
    };
    let mut swarms = Swarms::new(LIFE, bounds, 1);
    let crowd = |address: &str, port| at(endpoint(address, port));
    for swarm in 1..=2 {
        for port in 1..=3 {
            swarms
                .put(hash(swarm), &crowd("192.0.2.1", port), secs(0))
                .unwrap();
        }
    }
    let mut put =
        |swarm, address, port| is_first(swarms.put(hash(swarm), &crowd(address, port), secs(1)));
    assert_eq!(put(1, "192.0.2.1", 4), Err(LimitReached::AddressBlock));
    assert_eq!(put(3, "192.0.2.1", 4), Err(LimitReached::AddressBlock));
    assert_eq!(put(1, "192.0.2.1", 3), Ok(false), "known");
    assert_eq!(put(3, "2001:db8::1", 1), Ok(true), "another block");
    assert_eq!(put(3, "2001:db8::2", 1), Ok(false));
    assert_eq!(put(3, "2001:db8::3", 1), Ok(false));
    assert_eq!(
        put(3, "2001:db8::4", 1),
        Err(LimitReached::AddressBlockInSwarm)
    );
    assert_eq!(put(4, "127.0.0.1", 1), Ok(true), "the tenth");
    assert_eq!(put(4, "127.0.0.1", 2), Err(LimitReached::Store));
    assert_eq!(put(5, "127.0.0.1", 2), Err(LimitReached::Store));
    assert_eq!(
        swarms.by_info_hash.len(),
        4,
        "no empty swarm is left behind"
    );
    swarms.remove(hash(1), endpoint("192.0.2.1", 1), None);
    let again = is_first(swarms.put(hash(1), &crowd("192.0.2.1", 4), secs(1)));
    assert_eq!(again, Ok(false), "a place was given back");
    check_that_it_all_fits_together(&swarms);
}

#[test]
fn this_machine_is_not_bounded() {
    let bounds = Bounds {
        per_block: 1,
        per_block_in_swarm: 1,
        ..BOUNDS
    };
    let mut swarms = Swarms::new(LIFE, bounds, 1);
    for port in 1..=100 {
        swarms
            .put(hash(1), &at(endpoint("127.0.0.1", port)), secs(0))
            .unwrap();
        swarms
            .put(hash(1), &at(endpoint("::1", port)), secs(0))
            .unwrap();
    }
}

#[test]
fn a_collision_of_fingerprints_costs_one_peer_its_place_and_nothing_else() {
    for mask in [0, 1, 15] {
        let mut swarms = Swarms::new(LIFE, BOUNDS, 1);
        swarms.index.mask = mask;
        for round in 0..50 {
            for n in 0..4 {
                let peer = at(endpoint("192.0.2.1", 1 + (round * 7 + n) % 20));
                swarms
                    .put(hash(n as u8), &peer, secs(u64::from(round)))
                    .unwrap();
                check_that_it_all_fits_together(&swarms);
                assert!(swarms.counts(hash(n as u8)).leechers >= 1);
            }
        }
        assert!(u64::from(swarms.peers.len()) <= mask + 1);
    }
}

/// Pearson's test with a fixed seed, the asker in the middle: each of the 99 others is as likely
/// as any. 98 degrees of freedom: 147.0 is exceeded once in a thousand times.
#[test]
fn selection_is_uniform() {
    let mut swarms = Swarms::new(LIFE, BOUNDS, 2026);
    for port in 1..=100 {
        let ip = ["192.0.2.1", "10.0.0.1"][usize::from(port % 2)];
        let peer = endpoint(ip, port);
        let announced = [at(peer), seeding(peer)][usize::from(port % 3 == 0)];
        swarms.put(hash(1), &announced, secs(0)).unwrap();
    }
    let asker = endpoint("192.0.2.1", 50);
    for most in [1, 30, 60] {
        let mut counts = BTreeMap::new();
        let rounds = 40_000 / most;
        for _ in 0..rounds {
            let peers = from_all(&mut swarms, 1, asker, most, 0);
            assert_eq!(peers.len(), most);
            for peer in peers {
                *counts.entry(peer.port).or_insert(0) += 1;
            }
        }
        assert!(!counts.contains_key(&50) && counts.len() == 99);
        let expected = (rounds * most) as f64 / 99.0;
        let chi_square: f64 = counts
            .values()
            .map(|&count| (f64::from(count) - expected).powi(2) / expected)
            .sum();
        assert!(chi_square < 147.0, "{most}: {chi_square}");
    }
}

/// Every reference from one table into another leads where it should.
fn check_that_it_all_fits_together(swarms: &Swarms) {
    let mut members = 0;
    let mut kinds = [[0; 2]; 2];
    for (info_hash, &index) in &swarms.by_info_hash {
        let swarm = &swarms.swarms[index as usize];
        assert_eq!(swarm.info_hash, *info_hash);
        assert!(!swarm.is_empty());
        for group in swarm.groups() {
            assert_ne!(group.members.len(), 0);
            let (kind, family) = (group.key.is_seeder, group.key.is_ipv6);
            kinds[usize::from(kind)][usize::from(family)] += group.members.len() as u32;
            for place in 0..group.members.len() {
                let (endpoint, slot) = (group.members.endpoint(place), group.members.slot(place));
                let peer = swarms.peers.get(slot);
                assert_eq!((peer.swarm, peer.place), (index, place as u32));
                assert_eq!(peer.key, group.key);
                let fingerprint = swarms.index.fingerprint(index, endpoint);
                assert_eq!(swarms.index.get(fingerprint), Some(slot));
                members += 1;
            }
        }
    }
    assert_eq!(swarms.peers.len(), members);
    assert_eq!(swarms.totals().peers, kinds);
    assert_eq!(swarms.index.slots.len() as u32, members);
}

#[derive(Clone, Debug)]
enum Step {
    Put {
        swarm: u8,
        who: usize,
        is_seeder: bool,
        completed: bool,
    },
    Leave {
        swarm: u8,
        who: usize,
    },
    Wait {
        tenths: u16,
    },
}

const ADDRESSES: [&str; 6] = [
    "192.0.2.1",
    "192.168.0.1",
    "127.0.0.1",
    "2001:db8::1",
    "fd00::1",
    "::1",
];

fn who(n: usize) -> Endpoint {
    endpoint(ADDRESSES[n % 6], 1 + (n / 6) as u16)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..4_u8, 0..30_usize, any::<bool>(), any::<bool>()).prop_map(
            |(swarm, who, is_seeder, completed)| Step::Put { swarm, who, is_seeder, completed }
        ),
        3 => (0..4_u8, 0..30_usize).prop_map(|(swarm, who)| Step::Leave { swarm, who }),
        1 => (0..3_000_u16).prop_map(|tenths| Step::Wait { tenths }),
    ]
}

/// What the state should know, told as simply as it can be.
#[derive(Default)]
struct Model {
    peers: BTreeMap<(u8, Endpoint), (bool, Duration)>,
    downloaded: BTreeMap<u8, u32>,
}

impl Model {
    fn apply(&mut self, step: &Step, now: Duration) {
        self.peers.retain(|_, (_, last)| now - *last <= LIFE);
        match *step {
            Step::Put {
                swarm,
                who: n,
                is_seeder,
                completed,
            } => {
                let before = self.peers.insert((swarm, who(n)), (is_seeder, now));
                if is_seeder && completed && before.is_some_and(|(was_seeder, _)| !was_seeder) {
                    *self.downloaded.entry(swarm).or_default() += 1;
                }
            }
            Step::Leave { swarm, who: n } => {
                self.peers.remove(&(swarm, who(n)));
            }
            Step::Wait { .. } => {}
        }
        let peers = &self.peers;
        self.downloaded
            .retain(|swarm, _| peers.keys().any(|(s, _)| s == swarm));
    }

    fn visible(&self, swarm: u8, asker: Endpoint, s: &Selection) -> Vec<Endpoint> {
        let as_ipv6 = |ip: IpAddr| match s.loopback_as_ipv6 {
            Some(as_ipv6) if ip.is_loopback() => as_ipv6,
            _ => ip.is_ipv6(),
        };
        let is_visible = |ip: IpAddr| match Scope::of(ip) {
            _ if !s.both_families && as_ipv6(ip) != s.is_ipv6 => false,
            Scope::Loopback => s.loopback,
            Scope::Lan => s.lan,
            Scope::Global => true,
        };
        self.peers
            .iter()
            .filter(|((of, peer), (is_seeder, _))| {
                *of == swarm
                    && *peer != asker
                    && is_visible(peer.ip)
                    && !(s.only_leechers && *is_seeder)
            })
            .map(|((_, peer), _)| *peer)
            .collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_long_random_life_gives_what_a_naive_model_gives(
        steps in prop::collection::vec(step(), 1..400),
        flags in any::<[bool; 4]>(),
        loopback_as_ipv6: Option<bool>,
        most in 0..40_usize,
    ) {
        let mut swarms = Swarms::new(LIFE, BOUNDS, 3);
        let mut model = Model::default();
        let mut now = Duration::ZERO;
        for (i, step) in steps.iter().enumerate() {
            swarms.sweep(now, usize::MAX, &mut Vec::new());
            match *step {
                Step::Put { swarm, who: n, is_seeder, completed } => {
                    let announced = Announced { is_seeder, completed, ..at(who(n)) };
                    let was_there = swarms.by_info_hash.contains_key(&hash(swarm));
                    prop_assert_eq!(is_first(swarms.put(hash(swarm), &announced, now)), Ok(!was_there));
                }
                Step::Leave { swarm, who: n } => {
                    swarms.remove(hash(swarm), who(n), None);
                }
                Step::Wait { tenths } => now += Duration::from_millis(u64::from(tenths) * 100),
            }
            swarms.sweep(now, usize::MAX, &mut Vec::new());
            model.apply(step, now);
            check_that_it_all_fits_together(&swarms);
            for swarm in 0..4 {
                let kind = |seeder| {
                    let of_swarm = model.peers.iter().filter(|((s, _), _)| *s == swarm);
                    of_swarm.filter(|(_, (is_seeder, _))| *is_seeder == seeder).count() as u32
                };
                let expected = Counts {
                    seeders: kind(true),
                    leechers: kind(false),
                    downloaded: model.downloaded.get(&swarm).copied().unwrap_or(0),
                };
                prop_assert_eq!(swarms.counts(hash(swarm)), expected);
            }
            let [only_leechers, loopback, lan, both_families] = flags;
            let selection = Selection {
                is_ipv6: who(i).ip.is_ipv6(),
                only_leechers,
                loopback,
                loopback_as_ipv6,
                lan,
                both_families,
                most,
                with_peer_ids: false,
            };
            let mut got = picked(&mut swarms, 0, who(i), &selection, now);
            let visible = model.visible(0, who(i), &selection);
            prop_assert_eq!(got.len(), most.min(visible.len()));
            got.sort();
            prop_assert!(got.windows(2).all(|pair| pair[0] != pair[1]), "{:?}", got);
            prop_assert!(got.iter().all(|peer| visible.contains(peer)), "{:?}", got);
        }
    }
}
