//! Tests of `http/untrusted_proxies.rs`.

use super::*;

const NOW: Duration = Duration::from_secs(5);
/// Announces within that are counted together.
const TEN_MINUTES: Duration = Duration::from_secs(600);

/// Which of `announces`, counted from 1, are worth a line.
fn told(untrusted_proxies: &UntrustedProxies, ip: &str, announces: u32, now: Duration) -> Vec<u32> {
    let ip = ip.parse().unwrap();
    (1..=announces)
        .filter(|_| untrusted_proxies.note(ip, now))
        .collect()
}

#[test]
fn each_private_address_is_told_of_once() {
    let untrusted_proxies = UntrustedProxies::default();
    for ip in ["10.0.0.2", "127.0.0.1", "fd00::2"] {
        assert_eq!(told(&untrusted_proxies, ip, 100, NOW), [MANY], "{ip}");
        assert_eq!(
            told(&untrusted_proxies, ip, 100, NOW + TEN_MINUTES * 2),
            [0; 0],
            "{ip}"
        );
    }
    assert_eq!(told(&untrusted_proxies, "203.0.113.7", 100, NOW), [0; 0]);
}

#[test]
fn a_few_announces_now_and_then_are_not_told_of() {
    let untrusted_proxies = UntrustedProxies::default();
    for minute in 0..20 {
        let now = NOW + (TEN_MINUTES + Duration::from_secs(1)) * minute;
        assert_eq!(told(&untrusted_proxies, "10.0.0.2", MANY - 1, now), [0; 0]);
    }
}

#[test]
fn a_single_client_is_not_in_a_proxys_way_for_long() {
    let untrusted_proxies = UntrustedProxies::default();
    assert_eq!(told(&untrusted_proxies, "10.0.0.9", 1, NOW), [0; 0]);
    assert_eq!(told(&untrusted_proxies, "10.0.0.2", 100, NOW), [0; 0]);
    assert_eq!(
        told(&untrusted_proxies, "10.0.0.2", 100, NOW + TEN_MINUTES * 2),
        [MANY]
    );
}

#[test]
fn the_first_few_are_told_of_and_then_nobody() {
    let untrusted_proxies = UntrustedProxies::default();
    let all = (0..100).flat_map(|n| told(&untrusted_proxies, &format!("10.0.0.{n}"), MANY, NOW));
    assert_eq!(all.collect::<Vec<_>>(), [MANY; MOST]);
}

#[test]
fn announces_of_some_minutes_are_counted_together() {
    let untrusted_proxies = UntrustedProxies::default();
    let at = |minute| NOW + Duration::from_secs(60) * minute;
    let told = |minute| !told(&untrusted_proxies, "10.0.0.2", 1, at(minute)).is_empty();
    assert_eq!(
        (0..20).filter(|&minute| told(minute)).collect::<Vec<_>>(),
        [9]
    );
}
