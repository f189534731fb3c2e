//! Tests of `network.rs`; what is in a network is also tested in `gate/trusted_tests.rs`.

use super::*;

fn network(text: &str) -> Network {
    Network::parse(text).unwrap()
}

#[test]
fn the_address_at_an_end_keeps_the_beginning() {
    for (text, end, expected) in [
        ("192.0.2.9/24", 7, "192.0.2.7"),
        ("192.0.2.9/24", 0x1_07, "192.0.2.7"),
        ("192.0.2.9", 7, "192.0.2.9"),
        ("198.18.0.0/15", 0x1_02_03, "198.19.2.3"),
        ("0.0.0.0/0", 0x7f00_0001, "127.0.0.1"),
        ("2001:db8::/32", 1 << 95 | 5, "2001:db8:8000::5"),
        ("2001:db8::1", 5, "2001:db8::1"),
        ("::/0", 1 << 120, "100::"),
    ] {
        let expected: IpAddr = expected.parse().unwrap();
        assert_eq!(network(text).address(end), expected, "{text} {end}");
        assert!(network(text).contains(expected));
    }
}

#[test]
fn how_many_bits_are_shared_and_free() {
    for (text, bits, free, is_ipv6) in [
        ("10.0.0.0/8", 8, 24, false),
        ("10.0.0.1", 32, 0, false),
        ("::ffff:10.0.0.0/104", 8, 24, false),
        ("fd00::/48", 48, 80, true),
        ("fd00::1", 128, 0, true),
    ] {
        let network = network(text);
        let seen = (network.bits(), network.free_bits(), network.is_ipv6());
        assert_eq!(seen, (bits, free, is_ipv6), "{text}");
        assert_eq!(Network::parse(&network.to_string()), Some(network));
    }
}

#[test]
fn one_network_is_in_another() {
    for (inner, outer, expected) in [
        ("192.0.2.0/24", "192.0.2.0/24", true),
        ("192.0.2.128/25", "192.0.2.0/24", true),
        ("192.0.2.0/23", "192.0.2.0/24", false),
        ("192.0.3.0/24", "192.0.2.0/24", false),
        ("2001:db8:7::/48", "2001:db8::/32", true),
        ("2001:db8::/31", "2001:db8::/32", false),
        ("192.0.2.0/24", "::/0", true),
        ("100::/64", "192.0.2.0/24", false),
    ] {
        assert_eq!(
            network(inner).is_within(&network(outer)),
            expected,
            "{inner} in {outer}"
        );
    }
}

#[test]
fn what_is_no_network() {
    for text in [
        "",
        "/8",
        "x",
        "10.0.0.0/33",
        "10.0.0.0/",
        "::/129",
        "10.0.0.2:80",
    ] {
        assert_eq!(Network::parse(text), None, "{text}");
    }
}
