//! Tests of `swarms/bounds.rs`: each bound is met, and by nobody else.

use super::super::fixture::*;
use super::super::store::Swarms;
use super::*;
use crate::announce::{Endpoint, InfoHash};
use std::net::Ipv4Addr;

const FEW: Bounds = Bounds {
    peers: 1_000,
    per_block: 1_000,
    per_block_in_swarm: 1_000,
    per_site: 1_000,
    per_site_in_swarm: 1_000,
};

fn with(bounds: Bounds) -> Swarms {
    Swarms::new(LIFE, bounds, 1)
}

/// Each line: the bounds, who is there in swarm 1, and who is refused or let in after them.
#[test]
fn at_a_bound_newcomers_are_refused_and_the_known_are_not() {
    use LimitReached::{AddressBlock, AddressBlockInSwarm, Store};
    let peers = Bounds { peers: 3, ..FEW };
    let block = Bounds {
        per_block: 3,
        ..FEW
    };
    let block_in_swarm = Bounds {
        per_block_in_swarm: 3,
        ..FEW
    };
    let site = Bounds { per_site: 3, ..FEW };
    let site_in_swarm = Bounds {
        per_site_in_swarm: 3,
        ..FEW
    };
    let ipv4 = ["192.0.2.1"; 3];
    let block_of_ipv6 = ["2001:db8::1", "2001:db8::2", "2001:db8::3"];
    let site_of_ipv6 = ["2001:db8:0:1::", "2001:db8:0:2::", "2001:db8:0:ff00::"];
    for (bounds, there, swarm, newcomer, expected) in [
        (peers, ipv4, 1, "127.0.0.1", Err(Store)),
        (peers, ipv4, 2, "127.0.0.1", Err(Store)),
        (block, ipv4, 1, "192.0.2.1", Err(AddressBlock)),
        (block, ipv4, 2, "192.0.2.1", Err(AddressBlock)),
        (block, ipv4, 1, "192.0.2.2", Ok(false)),
        (block, block_of_ipv6, 2, "2001:db8::9", Err(AddressBlock)),
        (block, block_of_ipv6, 2, "2001:db8:0:1::9", Ok(true)),
        (
            block_in_swarm,
            ipv4,
            1,
            "192.0.2.1",
            Err(AddressBlockInSwarm),
        ),
        (block_in_swarm, ipv4, 2, "192.0.2.1", Ok(true)),
        (site, ipv4, 1, "192.0.2.1", Ok(false)),
        (site, site_of_ipv6, 1, "2001:db8:0:3::", Err(AddressBlock)),
        (site, site_of_ipv6, 2, "2001:db8:0:3::", Err(AddressBlock)),
        (site, site_of_ipv6, 2, "2001:db8:1:1::", Ok(true)),
        (
            site_in_swarm,
            site_of_ipv6,
            1,
            "2001:db8:0:3::",
            Err(AddressBlockInSwarm),
        ),
        (site_in_swarm, site_of_ipv6, 2, "2001:db8:0:3::", Ok(true)),
    ] {
        let what = format!("{newcomer} in {swarm}, {bounds:?}");
        let mut swarms = with(bounds);
        for (address, port) in there.into_iter().zip(1..) {
            put(&mut swarms, 1, &at(endpoint(address, port)), 0).unwrap();
        }
        let newcomer = at(endpoint(newcomer, 9));
        assert_eq!(put(&mut swarms, swarm, &newcomer, 1), expected, "{what}");
        let known = at(endpoint(there[2], 3));
        assert_eq!(put(&mut swarms, 1, &known, 1), Ok(false), "{what}");
        check_that_it_all_fits_together(&swarms);
        // A place is given back.
        swarms.remove(hash(1), &known.who);
        assert!(put(&mut swarms, swarm, &newcomer, 1).is_ok(), "{what}");
        let swarms_left = swarms.totals().torrents;
        assert!(swarms_left <= 2, "no empty swarm is left behind: {what}");
    }
}

#[test]
fn as_it_is_started_an_address_has_20000_and_200_and_a_site_twice_that() {
    let mut limits = Limits::new(Bounds::default());
    let ip = |text: &str| text.parse().unwrap();
    let add = |limits: &mut Limits, swarms: u32, each: u32, ip| {
        (0..swarms).for_each(|swarm| (0..each).for_each(|_| limits.take(swarm, 0, ip, None)));
    };
    let elsewhere = Some(1_000_000);
    add(&mut limits, 1, 199, ip("192.0.2.1"));
    assert_eq!(limits.check(0, Some(0), ip("192.0.2.1")), Ok(()));
    add(&mut limits, 1, 1, ip("192.0.2.1"));
    let refused = Err(LimitReached::AddressBlockInSwarm);
    assert_eq!(limits.check(0, Some(0), ip("192.0.2.1")), refused);
    // Counters are shared, so that one may be beyond its bound.
    add(&mut limits, 1, 1, ip("192.0.2.1"));
    assert_eq!(limits.check(0, Some(0), ip("192.0.2.1")), refused);
    limits.free(0, 0, ip("192.0.2.1"), false);
    add(&mut limits, 98, 200, ip("192.0.2.1"));
    let refused = Err(LimitReached::AddressBlock);
    assert_eq!(limits.check(0, None, ip("192.0.2.1")), Ok(()));
    add(&mut limits, 1, 199, ip("192.0.2.1"));
    assert_eq!(limits.check(0, None, ip("192.0.2.1")), Ok(()));
    add(&mut limits, 1, 1, ip("192.0.2.1"));
    assert_eq!(limits.check(0, None, ip("192.0.2.1")), refused);
    assert_eq!(limits.check(0, elsewhere, ip("192.0.2.1")), refused);
    add(&mut limits, 1, 1, ip("192.0.2.1"));
    assert_eq!(limits.check(0, elsewhere, ip("192.0.2.1")), refused);
    for block in 1..=2 {
        add(&mut limits, 1, 199, ip(&format!("2001:db8:0:{block}::")));
    }
    assert_eq!(limits.check(0, Some(0), ip("2001:db8:0:3::")), Ok(()));
    add(&mut limits, 1, 1, ip("2001:db8:0:3::"));
    assert_eq!(limits.check(0, Some(0), ip("2001:db8:0:4::")), Ok(()));
    add(&mut limits, 1, 1, ip("2001:db8:0:3::"));
    let in_swarm = Err(LimitReached::AddressBlockInSwarm);
    assert_eq!(limits.check(0, Some(0), ip("2001:db8:0:4::")), in_swarm);
    add(&mut limits, 99, 200, ip("2001:db8:0:1::"));
    assert_eq!(limits.check(0, elsewhere, ip("2001:db8:0:4::")), Ok(()));
    add(&mut limits, 98, 200, ip("2001:db8:0:2::"));
    add(&mut limits, 1, 199, ip("2001:db8:0:2::"));
    assert_eq!(limits.check(0, elsewhere, ip("2001:db8:0:4::")), Ok(()));
    add(&mut limits, 1, 1, ip("2001:db8:0:2::"));
    assert_eq!(limits.check(0, elsewhere, ip("2001:db8:0:4::")), refused);
    let store = Err(LimitReached::Store);
    assert_eq!(limits.check(999_999, None, ip("10.0.0.1")), Ok(()));
    assert_eq!(limits.check(1_000_000, None, ip("10.0.0.1")), store);
    assert_eq!(limits.check(1_000_001, None, ip("10.0.0.1")), store);
}

#[test]
fn this_machine_is_not_bounded() {
    let mut swarms = with(Bounds {
        per_block: 1,
        per_block_in_swarm: 1,
        per_site: 1,
        per_site_in_swarm: 1,
        ..FEW
    });
    for port in 1..=100 {
        put(&mut swarms, 1, &at(endpoint("127.0.0.1", port)), 0).unwrap();
        put(&mut swarms, 1, &at(endpoint("::1", port)), 0).unwrap();
    }
}

/// A claim takes a place of the one who claims; where it leads to, others have theirs.
#[test]
fn claims_count_for_the_one_who_makes_them() {
    let mut swarms = with(Bounds {
        per_block: 4,
        ..FEW
    });
    let claims = |n: u16| at(endpoint("192.168.1.7", n)).claiming(endpoint("203.0.113.1", n));
    for n in 1..=2 {
        put(&mut swarms, 1, &claims(n), 0).unwrap();
    }
    let refused = Err(LimitReached::AddressBlock);
    assert_eq!(put(&mut swarms, 1, &claims(3), 0), refused);
    for n in 101..=104 {
        let victim = at(endpoint("203.0.113.1", n));
        assert_eq!(put(&mut swarms, 1, &victim, 0), Ok(false));
    }
    // There was room for where it was seen, and none for what it claims.
    swarms.remove(hash(1), &claims(1).who);
    let three = [at(endpoint("192.168.1.7", 4)), claims(5)];
    for client in &three {
        put(&mut swarms, 1, client, 0).unwrap();
    }
    assert_eq!(swarms.peers.len(), 2 + 2 + 4);
    // It is counted for itself once it is seen there, and the claimer has a place again.
    let (mut swarms, seen) = (with(FEW), endpoint("203.0.113.5", 5));
    let lan = at(endpoint("192.168.1.5", 5)).with_key(1, 7).claiming(seen);
    put(&mut swarms, 1, &lan, 0).unwrap();
    put(&mut swarms, 1, &at(seen).with_key(1, 7), 0).unwrap();
    swarms.limits.bounds.per_block = 2;
    assert_eq!(
        put(&mut swarms, 1, &at(endpoint("192.168.1.5", 6)), 0),
        Ok(false)
    );
    assert_eq!(
        put(&mut swarms, 1, &at(endpoint("203.0.113.5", 6)), 0),
        Ok(false)
    );
    for address in ["192.168.1.5", "203.0.113.5"] {
        assert_eq!(put(&mut swarms, 1, &at(endpoint(address, 7)), 0), refused);
    }
    // All of it is given back when it goes.
    swarms.remove(hash(1), &lan.who);
    for address in ["192.168.1.5", "203.0.113.5"] {
        assert_eq!(put(&mut swarms, 1, &at(endpoint(address, 7)), 0), Ok(false));
        assert_eq!(put(&mut swarms, 1, &at(endpoint(address, 8)), 0), refused);
    }
    check_that_it_all_fits_together(&swarms);
}

/// A new swarm has nobody yet, but the counter of its first peer may be shared with others that are
/// at their bound: the swarm would be there without a peer, and nothing would ever end it.
#[test]
fn a_shared_counter_keeps_nobody_from_beginning_a_swarm() {
    let mut swarms = with(Bounds {
        per_block_in_swarm: 1,
        peers: 10_000,
        ..Bounds::default()
    });
    // Of 2^18 counters, some 17 are met twice: 0 once in 29 million times.
    for n in 0..3000_u32 {
        let mut info_hash = InfoHash([0; 20]);
        info_hash.0[..4].copy_from_slice(&n.to_be_bytes());
        let ip = IpAddr::from(Ipv4Addr::from_bits(0x0100_0000 + n));
        let client = at(Endpoint { ip, port: 6881 });
        let stored = swarms.put(info_hash, &client.announced(), secs(0));
        assert!(stored.unwrap().is_some(), "{n}");
    }
    assert_eq!(swarms.totals().torrents, 3000);
    check_that_it_all_fits_together(&swarms);
}

/// Who has no address that could be stored takes no place: it is not refused, and begins no swarm,
/// which nothing would ever end.
#[test]
fn who_has_nothing_to_store_meets_no_bound_and_begins_nothing() {
    let mut swarms = with(Bounds { peers: 1, ..FEW });
    let nowhere = Client {
        addresses: Vec::new(),
        completed: true,
        ..seeding(endpoint("192.0.2.9", 9))
    };
    put(&mut swarms, 1, &at(endpoint("192.0.2.1", 1)), 0).unwrap();
    for n in [1, 2] {
        assert_eq!(put(&mut swarms, n, &nowhere, 0), Ok(false));
    }
    assert_eq!(swarms.totals().torrents, 1);
    assert_eq!(counts(&swarms, 1), (0, 1, 0), "nor is its download counted");
}

/// Somebody claimed it, and is seen there; but those who live there have as many as they may have.
#[test]
fn who_is_seen_where_there_is_no_room_stays_claimed() {
    let mut swarms = with(Bounds {
        per_block: 2,
        ..FEW
    });
    let seen = endpoint("203.0.113.5", 5);
    let lan = at(endpoint("192.168.1.5", 5)).with_key(1, 7).claiming(seen);
    put(&mut swarms, 1, &lan, 0).unwrap();
    for port in [6, 7] {
        put(&mut swarms, 1, &at(endpoint("203.0.113.5", port)), 0).unwrap();
    }
    put(&mut swarms, 1, &at(seen).with_key(1, 7), 0).unwrap();
    let full = Err(LimitReached::AddressBlock);
    let newcomer = at(endpoint("192.168.1.5", 8));
    assert_eq!(put(&mut swarms, 1, &newcomer, 0), full, "it counts here");
    // With room, it is counted where it is.
    swarms.remove(hash(1), &at(endpoint("203.0.113.5", 6)).who);
    put(&mut swarms, 1, &at(seen).with_key(1, 7), 0).unwrap();
    assert_eq!(put(&mut swarms, 1, &newcomer, 0), Ok(false));
}
