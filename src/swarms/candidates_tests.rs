//! Tests of `candidates.rs`.

use super::*;
use crate::swarms::fixture::{all, at, endpoint, entry, put, secs, seeding, swarms};

#[test]
fn candidates_are_of_the_askers_family_and_never_the_asker() {
    let mut swarms = swarms();
    for n in 1..=3 {
        put(&mut swarms, 1, &at(endpoint("192.0.2.1", n)), 0).unwrap();
        put(&mut swarms, 1, &seeding(endpoint("192.0.2.2", n)), 0).unwrap();
        put(&mut swarms, 1, &at(endpoint("2001:db8::1", n)), 0).unwrap();
    }
    let mut count = |asker: &crate::swarms::fixture::Client| {
        let entry = entry(&mut swarms, 1, asker, secs(1));
        let Candidates { first, all } = swarms.candidates(entry, &all(asker.who.source, 30));
        (first, all)
    };
    assert_eq!(count(&at(endpoint("192.0.2.1", 1))), (5, 5), "a leecher");
    assert_eq!(count(&at(endpoint("2001:db8::1", 1))), (2, 2), "over IPv6");
    let (first, all) = count(&seeding(endpoint("192.0.2.2", 1)));
    assert_eq!(first, 3, "leechers, for a seeder");
    assert!(all >= first);
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
