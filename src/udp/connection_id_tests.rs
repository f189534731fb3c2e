//! Tests of `udp/connection_id.rs`.

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// (created, now, address that checks, key that checks) → valid?
#[test]
fn valid_for_two_minutes_at_its_address_with_its_key() {
    let (key, other_key) = (ConnectionIds::new(), ConnectionIds::new());
    let home = "192.0.2.1";
    for (created, now, address, ids, valid) in [
        (600, 600, home, &key, true),
        (600, 660, home, &key, true),
        (600, 720, home, &key, true),
        (659, 779, home, &key, true),
        (600, 779, home, &key, true),
        (600, 780, home, &key, false),
        (659, 780, home, &key, false),
        (600, 1_000_000, home, &key, false),
        // From the future.
        (660, 659, home, &key, false),
        (1_000_000, 600, home, &key, false),
        // Just begun.
        (0, 0, home, &key, true),
        (60, 0, home, &key, false),
        // Another address, another key.
        (600, 600, "192.0.2.2", &key, false),
        (600, 600, "::c000:201", &key, false),
        (600, 600, home, &other_key, false),
    ] {
        let at = Duration::from_secs;
        let id = key.make(ip(home), at(created));
        let checked = ids.check(id, ip(address), at(now));
        assert_eq!(checked, valid, "{created} {now} {address}");
    }
}

#[test]
fn every_bit_of_the_id_matters() {
    let ids = ConnectionIds::new();
    let now = Duration::from_secs(600);
    let id = ids.make(ip("2001:db8::1"), now);
    for bit in 0..64 {
        assert!(!ids.check(id ^ 1 << bit, ip("2001:db8::1"), now), "{bit}");
    }
}

#[test]
fn the_key_and_the_address_matter_for_every_id() {
    let now = Duration::ZERO;
    let mut seen = std::collections::HashSet::new();
    for key in (0..20).map(|_| ConnectionIds::new()) {
        for n in 0..20 {
            assert!(seen.insert(key.make(ip(&format!("192.0.2.{n}")), now)));
        }
    }
}
