//! Tests of `http/hosts.rs`.

use super::*;

#[test]
fn addresses_and_names_of_ones_own_network() {
    for host in [
        "127.0.0.1",
        "192.168.1.5:9000",
        "203.0.113.7:9000",
        "[::1]:9000",
        "[fd00::5]",
        "localhost",
        "LocalHost:9000",
        "box",
        "box:9000",
        "box.local",
        "Box.LAN:9000",
        "a.b.lan",
        "box.home.arpa.",
    ] {
        assert!(is_local(host), "{host}");
    }
}

#[test]
fn names_of_the_internet_and_what_is_none() {
    for host in [
        "evil.example",
        "evil.example:9000",
        "evil.example.",
        "127.0.0.1.evil.example",
        "192.168.1.5.evil.example:9000",
        "localhost.evil.example",
        "box.lan.evil.example",
        "evil-lan.example",
        "evillan.com",
        "evil.local.com",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "[evil.example]",
        "[::1.evil.example]",
        "[",
        "[]:9000",
        ":9000",
        "",
        ".",
    ] {
        assert!(!is_local(host), "{host}");
    }
}

#[test]
fn names_of_this_very_machine() {
    for host in [
        "localhost",
        "LocalHost:9000",
        "127.0.0.1:9000",
        "127.8.9.10",
        "[::1]:9000",
        "[::1]",
    ] {
        assert!(is_loopback(host), "{host}");
    }
    for host in [
        "",
        "mayfly",
        "tracker.example",
        "localhost.example",
        "127.0.0.1.example:9000",
        "192.168.1.5:9000",
        "[::2]",
        "[::1",
        "::1",
    ] {
        assert_eq!(is_loopback(host), host == "[::1", "{host}");
    }
}
