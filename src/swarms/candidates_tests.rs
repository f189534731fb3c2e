//! Tests of `candidates.rs`.

use super::*;
use crate::swarms::fixture::{Client, all, at, endpoint, entry, put, secs, seeding, swarms};

#[test]
fn candidates_are_of_the_askers_family_and_never_the_asker() {
    let mut swarms = swarms();
    for n in 1..=3 {
        put(&mut swarms, 1, &at(endpoint("192.0.2.1", n)), 0).unwrap();
        put(&mut swarms, 1, &seeding(endpoint("192.0.2.2", n)), 0).unwrap();
        put(&mut swarms, 1, &at(endpoint("2001:db8::1", n)), 0).unwrap();
    }
    let count = |swarms: &mut Swarms, asker: &Client| {
        let entry = entry(swarms, 1, asker, secs(1));
        let Candidates { first, all } = swarms.candidates(entry, &all(asker.who.source, 30));
        (first, all)
    };
    let leecher = at(endpoint("192.0.2.1", 1));
    assert_eq!(count(&mut swarms, &leecher), (5, 5));
    let leecher = at(endpoint("2001:db8::1", 1));
    assert_eq!(count(&mut swarms, &leecher), (2, 2), "over IPv6");
    let seeder = seeding(endpoint("192.0.2.2", 1));
    assert_eq!(count(&mut swarms, &seeder), (3, 3), "no seeders");
    for n in 4..=5 {
        let perhaps = Client {
            has_transferred: false,
            ..seeding(endpoint("192.0.2.2", n))
        };
        put(&mut swarms, 1, &perhaps, 0).unwrap();
    }
    assert_eq!(count(&mut swarms, &seeder), (3, 5), "with perhapses");
}

#[test]
fn whether_somebody_is_at_an_address() {
    let mut swarms = swarms();
    let one = at(endpoint("192.0.2.1", 7));
    let other = at(endpoint("2001:db8::1", 7));
    put(&mut swarms, 1, &other, 0).unwrap();
    let entry = entry(&mut swarms, 1, &one, secs(0));
    for (ip, port, expected) in [
        ("192.0.2.1", 7, true),
        ("192.0.2.1", 8, true),
        ("192.0.2.9", 7, false),
        ("2001:db8::1", 7, true),
        ("2001:db8::2", 7, false),
    ] {
        let is_there = swarms.has_somebody_at(entry, endpoint(ip, port));
        assert_eq!(is_there, expected, "{ip} {port}");
    }
}
