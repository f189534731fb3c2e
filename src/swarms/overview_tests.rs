//! Tests of `swarms/overview.rs`.

use super::super::bounds::Bounds;
use super::super::fixture::*;
use super::*;
use crate::announce::InfoHash;

#[test]
fn swarms_with_one_address_are_found() {
    let mut swarms = swarms();
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
            put(&mut swarms, n, &kind(endpoint(address, port)), 0).unwrap();
        }
    }
    // One client, though with two addresses.
    let twice = at(endpoint("127.0.0.1", 1)).claiming(endpoint("127.0.0.1", 2));
    put(&mut swarms, 10, &twice, 0).unwrap();
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
        ..BOUNDS
    };
    let mut swarms = Swarms::new(LIFE, bounds, 1);
    let put = |swarms: &mut Swarms, n: u16, port| {
        let info_hash = InfoHash([n.to_be_bytes(); 10].concat().try_into().unwrap());
        let peer = at(endpoint("192.0.2.1", port));
        swarms.put(info_hash, &peer.announced(), secs(0)).unwrap();
    };
    // More swarms than are looked at, with two members each.
    for n in 1..=1_100 {
        put(&mut swarms, n, 1);
        put(&mut swarms, n, 2);
    }
    let found = swarms.one_address();
    assert_eq!((found.of, found.elsewhere), (1_000, 1_000));
    // As many members as are looked at, in the first swarm; with one more, nothing is said of any.
    for port in 3..=5_000 {
        put(&mut swarms, 1, port);
    }
    let found = swarms.one_address();
    assert_eq!((found.of, found.elsewhere), (1, 1));
    put(&mut swarms, 1, 5_001);
    assert_eq!(swarms.one_address(), OneAddress::default());
}
