//! The state against literals. Against a naive model of itself: `model_tests.rs`.

use super::super::fixture::*;
use super::*;
use crate::swarms::View;

#[test]
fn without_a_key_a_client_is_its_address_and_port() {
    let mut swarms = swarms();
    let here = at(endpoint("192.0.2.1", 6881));
    assert_eq!(put(&mut swarms, 1, &here, 0), Ok(true));
    let mut renamed = here.clone();
    renamed.who.peer_id = PeerId(*b"another peer id 2026");
    assert_eq!(put(&mut swarms, 1, &renamed, 1), Ok(false));
    let beside = at(endpoint("192.0.2.1", 6882));
    assert_eq!(put(&mut swarms, 1, &beside, 1), Ok(false));
    let elsewhere = at(endpoint("2001:db8::1", 6881));
    assert_eq!(put(&mut swarms, 1, &elsewhere, 1), Ok(false));
    assert_eq!(counts(&swarms, 1), (0, 3, 0));
    let mut peers = Vec::new();
    let selection = Selection {
        with_peer_ids: true,
        one_by_one: false,
        ..all(beside.who.source, 1)
    };
    let entry = entry(&mut swarms, 1, &beside, secs(1));
    swarms.pick(entry, &selection, secs(1), &mut peers);
    assert_eq!(peers[0].peer_id, renamed.who.peer_id);
    check_that_it_all_fits_together(&swarms);
}

#[test]
fn a_client_of_two_swarms_is_two_clients() {
    let mut swarms = swarms();
    let here = endpoint("192.0.2.1", 6881);
    put(&mut swarms, 1, &at(here).with_key(1, 1), 0).unwrap();
    put(&mut swarms, 2, &seeding(here).with_key(1, 1), 0).unwrap();
    swarms.remove(hash(1), &at(here).with_key(1, 1).who);
    assert_eq!(
        (swarms.by_info_hash.len(), counts(&swarms, 2)),
        (1, (1, 0, 0))
    );
    assert_eq!(swarms.totals().count_all(), 1);
}

#[test]
fn dead_a_tenth_of_a_second_after_its_life_and_not_before() {
    let mut swarms = swarms();
    let [old, new] = [("192.0.2.1", 1), ("192.0.2.2", 2)].map(|(ip, port)| at(endpoint(ip, port)));
    put(&mut swarms, 1, &old, 1_000).unwrap();
    put(&mut swarms, 1, &new, 1_100).unwrap();
    let mut ended = Vec::new();
    swarms.sweep(secs(1_432), 9, &mut ended);
    assert_eq!(counts(&swarms, 1), (0, 2, 0));
    swarms.sweep(secs(1_432) + Duration::from_millis(100), 9, &mut ended);
    assert_eq!(counts(&swarms, 1), (0, 1, 0));
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
    let mut swarms = swarms();
    let peers = [1, 2, 3].map(|port| at(endpoint("192.0.2.1", port)));
    for peer in &peers {
        put(&mut swarms, 1, peer, 0).unwrap();
    }
    swarms.remove(hash(1), &peers[0].who);
    swarms.sweep(secs(500), 9, &mut Vec::new());
    swarms.sweep(secs(500), 9, &mut Vec::new());
    let expected = Totals {
        swept: 2,
        ..Totals::default()
    };
    assert_eq!(swarms.totals(), expected);
}

#[test]
fn when_nobody_is_left_the_memory_is_given_back() {
    let mut swarms = swarms();
    for port in 1..=1_000 {
        let client = at(endpoint("192.0.2.1", port)).with_key(1, port.into());
        put(
            &mut swarms,
            1,
            &client.claiming(endpoint("10.0.0.1", port)),
            0,
        )
        .unwrap();
    }
    let kept = |swarms: &Swarms| {
        [
            swarms.by_info_hash.capacity(),
            swarms.swarms.capacity(),
            swarms.unused.capacity(),
            swarms.peers.capacity(),
            swarms.index.capacity(),
            swarms.clients.capacity(),
        ]
    };
    assert!(kept(&swarms).iter().filter(|&&kept| kept > 0).count() >= 5);
    swarms.sweep(secs(9_000), usize::MAX, &mut Vec::new());
    assert_eq!(kept(&swarms), [0; 6]);
    put(&mut swarms, 1, &at(endpoint("192.0.2.1", 1)), 9_000).unwrap();
    check_that_it_all_fits_together(&swarms);
}

#[test]
fn an_announce_begins_a_new_life() {
    let mut swarms = swarms();
    let here = at(endpoint("192.0.2.1", 1));
    for now in (0..4_000).step_by(400) {
        swarms.sweep(secs(now), 9, &mut Vec::new());
        assert_eq!(put(&mut swarms, 1, &here, now), Ok(now == 0));
    }
}

#[test]
fn an_announce_that_waited_for_the_lock_does_not_turn_time_back() {
    let mut swarms = swarms();
    put(&mut swarms, 1, &at(endpoint("192.0.2.1", 1)), 1_000).unwrap();
    put(&mut swarms, 1, &at(endpoint("192.0.2.2", 2)), 999).unwrap();
    swarms.sweep(secs(1_432), 9, &mut Vec::new());
    assert_eq!(counts(&swarms, 1), (0, 2, 0));
    swarms.sweep(secs(1_433), 9, &mut Vec::new());
    assert_eq!(swarms.peers.len(), 0);
}

#[test]
fn a_sweep_does_no_more_than_it_is_told_and_the_dead_are_not_handed_out() {
    let mut swarms = swarms();
    for port in 1..=1_000 {
        put(&mut swarms, 1, &at(endpoint("192.0.2.1", port)), 0).unwrap();
    }
    let alive = at(endpoint("192.0.2.2", 1));
    put(&mut swarms, 1, &alive, 400).unwrap();
    swarms.sweep(secs(500), 10, &mut Vec::new());
    assert_eq!(swarms.peers.len(), 991);
    let asker = at(endpoint("192.0.2.3", 1));
    let alive = alive.who.source;
    for _ in 0..100 {
        let peers = from_all(&mut swarms, 1, &asker, 30, 500);
        assert!(peers.iter().all(|&peer| peer == alive), "{peers:?}");
    }
    for _ in 0..99 {
        swarms.sweep(secs(500), 10, &mut Vec::new());
    }
    assert_eq!(from_all(&mut swarms, 1, &asker, 30, 500), [alive]);
}

/// Each line: what clients say, one after the other, and what is counted then.
#[test]
fn completed_counts_once_for_each_client_that_has_it_all() {
    let (left, none, completed) = ((false, false), (true, false), (true, true));
    let says_so_too_early = (false, true);
    for (said, expected) in [
        (&[completed][..], (1, 0, 1)),
        (&[completed, completed], (1, 0, 1)),
        (&[none], (1, 0, 0)),
        (&[left, none, completed], (1, 0, 1)),
        (&[left, completed, left], (0, 1, 1)),
        (&[left, completed, left, completed], (1, 0, 1)),
        (&[left, says_so_too_early], (0, 1, 0)),
        (&[left, says_so_too_early, completed], (1, 0, 1)),
        (&[left, none, left, none], (1, 0, 0)),
    ] {
        let mut swarms = swarms();
        for &(is_complete, completed) in said {
            let client = Client {
                is_complete,
                completed,
                ..at(endpoint("192.0.2.1", 1))
            };
            put(&mut swarms, 1, &client, 1).unwrap();
        }
        assert_eq!(counts(&swarms, 1), expected, "{said:?}");
    }
}

#[test]
fn downloads_of_a_client_with_two_addresses_are_one() {
    let mut swarms = swarms();
    let [v4, v6] = ["192.0.2.1", "2001:db8::1"].map(|ip| Client {
        completed: true,
        ..seeding(endpoint(ip, 1)).with_key(1, 7)
    });
    for client in [&v4, &v6, &v4, &v6] {
        put(&mut swarms, 1, client, 1).unwrap();
        assert_eq!(counts(&swarms, 1), (1, 0, 1));
    }
    // The address that brought it is gone, and the other has not forgotten.
    put(&mut swarms, 1, &v6, 400).unwrap();
    swarms.sweep(secs(500), 9, &mut Vec::new());
    put(&mut swarms, 1, &v4, 500).unwrap();
    assert_eq!(counts(&swarms, 1), (1, 0, 1));
    // Another one is another one.
    put(&mut swarms, 1, &v4.clone().with_key(2, 8), 500).unwrap();
    assert_eq!(counts(&swarms, 1), (2, 0, 2));
}

#[test]
fn a_client_is_one_by_peer_id_and_key_and_leaves_as_one() {
    let mut swarms = swarms();
    let [v4, v6] = ["192.0.2.1", "2001:db8::1"].map(|ip| at(endpoint(ip, 1)).with_key(1, 7));
    put(&mut swarms, 1, &v4, 0).unwrap();
    put(&mut swarms, 1, &v6, 0).unwrap();
    assert_eq!(counts(&swarms, 1), (0, 1, 0));
    assert_eq!(from_all(&mut swarms, 1, &v4, 9, 0), [], "not shown itself");
    for stranger in [v6.clone().with_key(1, 8), v6.clone().with_key(2, 7)] {
        let mut stranger = stranger;
        stranger.who.source.port = 2;
        stranger.addresses[0].endpoint.port = 2;
        put(&mut swarms, 1, &stranger, 0).unwrap();
        assert_eq!(counts(&swarms, 1), (0, 2, 0), "both have to be the same");
        let shown = from_all(&mut swarms, 1, &stranger, 9, 0);
        assert_eq!(shown, [v6.who.source, v4.who.source], "one of each family");
        swarms.remove(hash(1), &stranger.who);
    }
    // By an address that it never announced.
    let leaving = at(endpoint("198.51.100.9", 9)).with_key(1, 7);
    let ended = swarms.remove(hash(1), &leaving.who);
    assert!(ended.is_some_and(|ended| ended.said_goodbye));
    assert_eq!(swarms.peers.len(), 0);
}

#[test]
fn a_client_becomes_a_seeder_with_all_its_addresses() {
    let mut swarms = swarms();
    let [v4, v6] = ["192.0.2.1", "2001:db8::1"].map(|ip| at(endpoint(ip, 1)).with_key(1, 7));
    put(&mut swarms, 1, &v4, 0).unwrap();
    put(&mut swarms, 1, &v6, 0).unwrap();
    let seeder = seeding(endpoint("192.0.2.2", 1));
    assert_eq!(from_all(&mut swarms, 1, &seeder, 9, 0).len(), 2);
    let done = Client {
        is_complete: true,
        ..v6.clone()
    };
    put(&mut swarms, 1, &done, 0).unwrap();
    assert_eq!(counts(&swarms, 1), (2, 0, 0));
    assert_eq!(from_all(&mut swarms, 1, &seeder, 9, 0), []);
    check_that_it_all_fits_together(&swarms);
}

#[test]
fn an_address_that_falls_silent_goes_alone() {
    let mut swarms = swarms();
    let [v4, v6] = ["192.0.2.1", "2001:db8::1"].map(|ip| at(endpoint(ip, 1)).with_key(1, 7));
    put(&mut swarms, 1, &v4, 0).unwrap();
    put(&mut swarms, 1, &v6, 400).unwrap();
    swarms.sweep(secs(500), 9, &mut Vec::new());
    assert_eq!(counts(&swarms, 1), (0, 1, 0));
    assert_eq!(swarms.totals().clients, [[0, 1], [0, 0]]);
    let asker = at(endpoint("192.0.2.2", 1));
    assert_eq!(from_all(&mut swarms, 1, &asker, 9, 500), [v6.who.source]);
    check_that_it_all_fits_together(&swarms);
}

#[test]
fn only_who_announced_it_can_have_it_forgotten() {
    let mut swarms = swarms();
    let here = at(endpoint("192.0.2.1", 1)).with_key(1, 7);
    put(&mut swarms, 1, &here, 0).unwrap();
    put(&mut swarms, 1, &at(endpoint("192.0.2.9", 9)), 0).unwrap();
    let mut keyless = here.clone();
    keyless.who.key = None;
    for other in [
        here.clone().with_key(2, 7),
        here.clone().with_key(1, 8),
        keyless,
    ] {
        assert_eq!(swarms.remove(hash(1), &other.who), None);
        assert_eq!(counts(&swarms, 1), (0, 2, 0), "{other:?}");
    }
    swarms.remove(hash(1), &here.who);
    assert_eq!(counts(&swarms, 1), (0, 1, 0));
}

#[test]
fn a_claim_does_not_take_over_the_living_and_who_is_seen_there_does() {
    let mut swarms = swarms();
    let there = endpoint("192.168.1.5", 5);
    let owner = at(there).with_key(1, 7);
    put(&mut swarms, 1, &owner, 0).unwrap();
    let other = at(endpoint("192.168.1.6", 6))
        .with_key(2, 8)
        .claiming(there);
    put(&mut swarms, 1, &other, 1).unwrap();
    assert_eq!((counts(&swarms, 1), swarms.peers.len()), ((0, 2, 0), 2));
    swarms.remove(hash(1), &other.who);
    assert_eq!(counts(&swarms, 1), (0, 1, 0), "the owner is still there");
    // It comes back with another peer_id, without having said goodbye.
    let restarted = owner.clone().with_key(3, 9);
    put(&mut swarms, 1, &restarted, 2).unwrap();
    assert_eq!((counts(&swarms, 1), swarms.peers.len()), ((0, 1, 0), 1));
    swarms.remove(hash(1), &owner.who);
    assert_eq!(counts(&swarms, 1), (0, 1, 0));
    // The dead defend nothing, though no sweep has come by yet.
    put(&mut swarms, 1, &other, 900).unwrap();
    let asker = at(endpoint("127.0.0.1", 1));
    let shown = from_all(&mut swarms, 1, &asker, 9, 900);
    assert_eq!(shown, [there], "somebody was seen there");
    let slot = swarms.find(0, there).expect("there is somebody");
    assert_eq!(swarms.peers.id(slot), other.who.peer_id);
    check_that_it_all_fits_together(&swarms);
}

#[test]
fn who_is_replaced_is_not_where_it_said_it_is_besides() {
    let mut swarms = swarms();
    let claimed = endpoint("203.0.113.5", 5);
    let before = at(endpoint("192.168.1.5", 5))
        .with_key(1, 7)
        .claiming(claimed);
    put(&mut swarms, 1, &before, 0).unwrap();
    let restarted = before.clone().with_key(2, 8);
    put(&mut swarms, 1, &restarted, 0).unwrap();
    assert_eq!((counts(&swarms, 1), swarms.peers.len()), ((0, 1, 0), 2));
    check_that_it_all_fits_together(&swarms);
    swarms.remove(hash(1), &restarted.who);
    assert_eq!(swarms.peers.len(), 0);
}

#[test]
fn a_client_that_gets_a_key_is_the_same() {
    let mut swarms = swarms();
    let keyless = Client {
        completed: true,
        ..seeding(endpoint("192.0.2.1", 1))
    };
    let mut keyed = keyless.clone();
    keyed.who.key = Some(7);
    for client in [&keyless, &keyed, &keyless] {
        put(&mut swarms, 1, client, 0).unwrap();
        assert_eq!(counts(&swarms, 1), (1, 0, 1));
    }
}

#[test]
fn a_client_has_8_addresses_and_loses_the_one_that_was_silent_for_longest() {
    let mut swarms = swarms();
    let client = |n: u16, now| {
        let client = at(endpoint("192.0.2.1", n)).with_key(1, 7);
        (client, now)
    };
    let put = |swarms: &mut Swarms, (client, now): (Client, u64)| {
        put(swarms, 1, &client, now).unwrap();
        check_that_it_all_fits_together(swarms);
        (swarms.peers.len(), counts(swarms, 1))
    };
    for n in 1..=8 {
        let stored = put(&mut swarms, client(n, u64::from(n)));
        assert_eq!(stored, (n.into(), (0, 1, 0)));
    }
    // The first has been heard of again, so it is the second that goes.
    put(&mut swarms, client(1, 9));
    assert_eq!(put(&mut swarms, client(9, 10)), (8, (0, 1, 0)));
    let is_there = |swarms: &Swarms, n| swarms.find(0, endpoint("192.0.2.1", n)).is_some();
    assert!(is_there(&swarms, 1) && !is_there(&swarms, 2) && is_there(&swarms, 9));
    // None that was heard of in the same moment goes.
    for n in 1..=8 {
        put(&mut swarms, client(n, 11));
    }
    put(&mut swarms, client(9, 11));
    put(&mut swarms, client(10, 11));
    assert!((1..=8).all(|n| is_there(&swarms, n)));
    // A tenth of a second later one does.
    let (tenth, _) = client(10, 11);
    entry(&mut swarms, 1, &tenth, Duration::from_millis(11_100));
    assert!(is_there(&swarms, 10));
    check_that_it_all_fits_together(&swarms);
}

#[test]
fn what_was_claimed_and_is_seen_then_is_seen() {
    let mut swarms = swarms();
    let seen = endpoint("203.0.113.5", 5);
    let lan = at(endpoint("192.168.1.5", 5)).with_key(1, 7).claiming(seen);
    put(&mut swarms, 1, &lan, 0).unwrap();
    put(&mut swarms, 1, &at(seen).with_key(1, 7), 0).unwrap();
    put(&mut swarms, 1, &lan, 0).unwrap();
    let slot = swarms.find(0, seen).unwrap();
    assert!(!swarms.peers.get(slot).standing.has(Standing::CLAIMED));
}

#[test]
fn a_collision_of_fingerprints_costs_one_peer_its_place_and_nothing_else() {
    for mask in [0, 1, 15] {
        let mut swarms = swarms();
        swarms.index.mask = mask;
        for round in 0..50 {
            for n in 0..4 {
                let peer = at(endpoint("192.0.2.1", 1 + (round * 7 + n) % 20));
                let entry = entry(&mut swarms, n as u8, &peer, secs(round.into()));
                let slot = entry.slot.expect("it is stored");
                assert_eq!(swarms.peers.get(slot).swarm, entry.swarm);
                check_that_it_all_fits_together(&swarms);
                assert!(counts(&swarms, n as u8).1 >= 1);
            }
        }
        assert!(u64::from(swarms.peers.len()) <= mask + 1);
    }
}

#[test]
fn a_collision_of_tags_costs_nobody_anything_but_may_count_a_client_twice() {
    for mask in [0, 1, 15] {
        let mut swarms = swarms();
        swarms.clients.mask = mask;
        let clients = (1..=40_u16).flat_map(|n| {
            ["192.0.2.1", "2001:db8::1"].map(|ip| at(endpoint(ip, n)).with_key(n as u8, 7))
        });
        for client in clients.clone() {
            put(&mut swarms, 1, &client, 0).unwrap();
            check_that_it_all_fits_together(&swarms);
        }
        assert_eq!(swarms.peers.len(), 80);
        assert!((40..=80).contains(&counts(&swarms, 1).1));
        // Who is not found by its tag is found by its address.
        for mut client in clients.clone() {
            client.is_complete = true;
            put(&mut swarms, 1, &client, 0).unwrap();
            check_that_it_all_fits_together(&swarms);
        }
        assert_eq!(counts(&swarms, 1).1, 0);
        for client in clients {
            swarms.remove(hash(1), &client.who);
            check_that_it_all_fits_together(&swarms);
        }
        assert_eq!(swarms.peers.len(), 0);
    }
}

/// A client has another tag in each swarm, but for one time in four billion.
#[test]
fn a_collision_of_tags_across_swarms_makes_two_clients() {
    let mut swarms = swarms();
    swarms.clients.mask = 0;
    for n in [1, 2] {
        let client = at(endpoint("192.0.2.1", n.into())).with_key(1, 7);
        put(&mut swarms, n, &client, 0).unwrap();
        assert_eq!(counts(&swarms, n), (0, 1, 0));
        check_that_it_all_fits_together(&swarms);
    }
}

/// Of two clients with one tag, the one that came second is not listed, and when the first has gone
/// nobody is.
#[test]
fn who_is_not_listed_is_seen_where_it_claimed_to_be() {
    let mut swarms = swarms();
    swarms.clients.mask = 0;
    let seen = endpoint("203.0.113.5", 5);
    let first = at(endpoint("192.0.2.1", 1)).with_key(1, 7);
    let second = at(endpoint("192.168.1.5", 5)).with_key(2, 8).claiming(seen);
    put(&mut swarms, 1, &first, 0).unwrap();
    put(&mut swarms, 1, &second, 0).unwrap();
    swarms.remove(hash(1), &first.who);
    let mut moved = at(seen).with_key(2, 8);
    put(&mut swarms, 1, &moved, 0).unwrap();
    moved.addresses[0].place = Place::Lan;
    put(&mut swarms, 1, &moved, 0).unwrap();
    let slot = swarms.find(0, seen).unwrap();
    assert!(!swarms.peers.get(slot).standing.has(Standing::CLAIMED));
    check_that_it_all_fits_together(&swarms);
}

/// With its other addresses: which of them an asker is shown depends on all of them.
#[test]
fn an_address_that_turns_out_to_be_behind_a_bridge_moves_there() {
    let mut swarms = swarms();
    let (bridged, lan) = (endpoint("172.18.0.2", 1), endpoint("192.168.1.5", 2));
    let mut client = at(bridged).with_key(1, 7).claiming(lan);
    let asker = at(endpoint("127.0.0.1", 9));
    put(&mut swarms, 1, &client, 0).unwrap();
    for place in [Place::Lan, Place::Container, Place::Lan] {
        client.addresses[0].place = place;
        put(&mut swarms, 1, &client, 0).unwrap();
        check_that_it_all_fits_together(&swarms);
        let slot = swarms.find(0, bridged).unwrap();
        assert_eq!(swarms.peers.get(slot).home.place(), place);
        let from_lan = Selection {
            view: View {
                from: Place::Lan,
                machine_as: None,
                lan_as: None,
            },
            ..all(asker.who.source, 9)
        };
        let shown = picked(&mut swarms, 1, &asker, &from_lan, secs(0));
        // The network's leads there, the bridge's to nobody outside this machine.
        let expected = if place == Place::Lan { bridged } else { lan };
        assert_eq!(shown, [expected], "{place:?}");
    }
}

#[test]
fn a_swarm_that_is_not_known_wants_no_name() {
    let mut swarms = swarms();
    let ip = "192.0.2.1".parse().unwrap();
    assert!(!swarms.wants_name(hash(1), ip));
    put(&mut swarms, 1, &at(endpoint("192.0.2.1", 1)), 0).unwrap();
    assert!(swarms.wants_name(hash(1), ip));
}
