//! Tests of `swarms/members.rs`.

use super::*;

#[test]
fn packed_and_unpacked_are_the_same_in_both_families() {
    for text in ["192.0.2.7", "2001:db8::7", "::1"] {
        let ip: IpAddr = text.parse().unwrap();
        let mut members = Members::new(ip.is_ipv6());
        let member = |n: u16| {
            let port = 1000 + n;
            (Endpoint { ip, port }, 0x0102_0304 + u32::from(n))
        };
        for (endpoint, slot) in (0..9).map(member) {
            let last = members.len();
            assert_eq!(
                members.insert(last, endpoint, slot),
                None,
                "nobody is there"
            );
        }
        assert_eq!(members.swap_remove(2), Some(member(8).1), "it moved");
        assert_eq!(members.swap_remove(7), None, "it was the last");
        let places = 0..members.len();
        let found = places.map(|place| (members.endpoint(place), members.slot(place)));
        assert!(found.eq([0, 1, 8, 3, 4, 5, 6].map(member)));
        let (endpoint, slot) = member(9);
        let moved = members.insert(1, endpoint, slot);
        assert_eq!(moved, Some(member(1).1), "to the end");
        let places = 0..members.len();
        let found = places.map(|place| (members.endpoint(place), members.slot(place)));
        assert!(found.eq([0, 9, 8, 3, 4, 5, 6, 1].map(member)));
        let mut peers = vec![Peer::NOWHERE];
        members.append(2, 3, &mut peers);
        let appended = peers[1..].iter().map(|peer| peer.endpoint);
        assert!(appended.eq([8, 3, 4].map(|n| member(n).0)));
        assert_eq!(peers[0], Peer::NOWHERE, "it stays");
    }
}

#[test]
fn an_endpoint_is_as_small_as_can_be() {
    assert_eq!((size_of::<Packed<4>>(), size_of::<Packed<16>>()), (6, 18));
}

#[test]
fn what_is_not_needed_any_more_is_given_back() {
    let ip = "192.0.2.7".parse().unwrap();
    let mut members = Members::new(false);
    for port in 1..=1_000 {
        members.insert(members.len(), Endpoint { ip, port }, port.into());
    }
    assert!((1_000..2_000).contains(&members.capacity()));
    while members.len() > 10 {
        members.swap_remove(0);
    }
    assert!(members.capacity() <= 40, "{}", members.capacity());
}

/// Half as much again when it is full, so that few places are unused; twice what is needed once
/// three quarters are not, so that it is not done again and again.
#[test]
fn places_come_by_halves_and_go_when_most_are_not_needed() {
    let ip = "192.0.2.7".parse().unwrap();
    let mut members = Members::new(false);
    let mut capacities = Vec::new();
    for port in 1..=40 {
        members.insert(members.len(), Endpoint { ip, port }, port.into());
        capacities.push(members.capacity());
    }
    while members.len() > 0 {
        members.swap_remove(0);
        capacities.push(members.capacity());
    }
    capacities.dedup();
    assert_eq!(capacities, [1, 2, 4, 7, 11, 17, 26, 40, 18, 6, 0]);
}
