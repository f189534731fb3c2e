//! Tests of `address.rs`.

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn an_ipv4_mapped_address_is_that_ipv4_address() {
    assert_eq!(canonical(ip("::ffff:192.0.2.7")), ip("192.0.2.7"));
    assert_eq!(canonical(ip("192.0.2.7")), ip("192.0.2.7"));
    assert_eq!(canonical(ip("2001:db8::7")), ip("2001:db8::7"));
    assert_eq!(canonical(ip("::1")), ip("::1"));
}

#[test]
fn reach_of_every_kind_of_address() {
    let table = [
        (Scope::Loopback, "127.0.0.1 127.255.0.9 ::1"),
        (Scope::Lan, "10.0.0.1 172.16.0.1 172.31.255.255 192.168.9.9"),
        (Scope::Lan, "169.254.3.4 100.64.0.1 100.127.255.255"),
        (Scope::Lan, "fd00::2 fc00::1 fe80::1"),
        (Scope::Global, "8.8.8.8 172.32.0.1 100.128.0.0 100.63.0.1"),
        (Scope::Global, "2001:db8::1 2a00::1"),
    ];
    for (scope, addresses) in table {
        for text in addresses.split(' ') {
            assert_eq!(Scope::of(ip(text)), scope, "{text}");
        }
    }
}

#[test]
fn blocks_and_sites() {
    let around = |text| AddressBlock::around(ip(text));
    assert_eq!(around("127.0.0.1"), [None, None]);
    assert_eq!(around("::1"), [None, None]);
    let [block, site] = around("192.0.2.1");
    assert!(block.is_some() && site.is_none());
    let [block, site] = around("2001:db8:1:2::3");
    assert_eq!(around("2001:db8:1:2:ffff::"), [block, site]);
    let [other_block, same_site] = around("2001:db8:1:3::3");
    assert!(other_block != block && same_site == site);
    let [_, other_site] = around("2001:db8:2:2::3");
    assert!(other_site != site && block != site);
}

#[test]
fn where_no_peer_can_live() {
    for text in [
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "ff02::1",
    ] {
        assert!(!is_unicast(ip(text)), "{text}");
    }
    for text in ["1.2.3.4", "223.255.255.255", "::1", "2001:db8::1"] {
        assert!(is_unicast(ip(text)), "{text}");
    }
}

#[test]
fn link_local_is_of_ipv6_alone() {
    for (text, expected) in [
        ("fe80::1", true),
        ("febf::1", true),
        ("fec0::1", false),
        ("fd00::1", false),
        ("169.254.1.1", false),
    ] {
        assert_eq!(is_link_local(text.parse().unwrap()), expected, "{text}");
    }
}
