//! Tests of `udp/connection_id.rs`.

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Twice five minutes.
const LIFE: Duration = Duration::from_secs(600);

fn ids() -> ConnectionIds {
    ConnectionIds::new(LIFE)
}

/// (created, now, address that checks, key that checks) → valid?
#[test]
fn valid_for_its_life_at_its_address_with_its_key() {
    let (key, other_key) = (ids(), ids());
    let home = "192.0.2.1";
    for (created, now, address, ids, valid) in [
        (3000, 3000, home, &key, true),
        (3000, 3060, home, &key, true),
        (3000, 3300, home, &key, true),
        (3000, 3600, home, &key, true),
        (3000, 3899, home, &key, true),
        (3299, 3899, home, &key, true),
        (3000, 3900, home, &key, false),
        (3299, 3900, home, &key, false),
        (3000, 1_000_000, home, &key, false),
        // From the future.
        (3300, 3299, home, &key, false),
        (1_000_000, 3000, home, &key, false),
        // Just begun.
        (0, 0, home, &key, true),
        (0, 600, home, &key, true),
        (300, 0, home, &key, false),
        // Another address, another key.
        (3000, 3000, "192.0.2.2", &key, false),
        (3000, 3000, "::c000:201", &key, false),
        (3000, 3000, home, &other_key, false),
    ] {
        let at = Duration::from_secs;
        let id = key.make(ip(home), at(created));
        let checked = ids.check(id, ip(address), at(now));
        assert_eq!(checked, valid, "{created} {now} {address}");
    }
}

/// For every second of two lives, with lives that do and do not have a half of whole seconds.
#[test]
fn never_for_less_than_its_life_and_never_for_one_and_a_half() {
    for life in [0, 1, 2, 660, 661, 1944] {
        let ids = ConnectionIds::new(Duration::from_secs(life));
        let longest = life.div_ceil(2) * 3;
        let begin = [0, 1, (life / 2).saturating_sub(1), life.saturating_sub(1)];
        for made in begin.into_iter().chain([life, 7 * life + 1]) {
            let id = ids.make(ip("192.0.2.1"), Duration::from_secs(made));
            let is_good = |age| ids.check(id, ip("192.0.2.1"), Duration::from_secs(made + age));
            assert!((0..=life).all(is_good), "{life} {made}");
            assert!(!(longest..longest + life).any(is_good), "{life} {made}");
        }
    }
}

#[test]
fn every_bit_of_the_id_matters() {
    let ids = ids();
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
    for key in (0..20).map(|_| ids()) {
        for n in 0..20 {
            assert!(seen.insert(key.make(ip(&format!("192.0.2.{n}")), now)));
        }
    }
}
