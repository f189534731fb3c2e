//! Tests of `gate/trusted.rs`.

use super::*;

#[test]
fn what_lies_in_a_network_and_what_does_not() {
    for (network, inside, outside) in [
        ("10.0.0.2", "10.0.0.2", "10.0.0.3 10.0.0.0 ::a00:2"),
        ("10.0.0.0/8", "10.0.0.0 10.255.255.255", "11.0.0.0 9.9.9.9"),
        ("10.1.2.3/8", "10.9.9.9", "11.1.2.3"),
        ("172.16.0.0/12", "172.31.255.255", "172.32.0.0 172.15.9.9"),
        ("128.0.0.0/1", "128.0.0.0 255.0.0.1", "127.255.255.255"),
        ("127.0.0.1/32", "127.0.0.1", "127.0.0.2 ::1"),
        ("fd00::2", "fd00::2", "fd00::3 10.0.0.2"),
        ("[fd00::2]", "fd00::2", "fd00::3"),
        ("fd00::/8", "fd00:: fdff::1", "fc00::1 fe00::1"),
        ("fd00::/127", "fd00:: fd00::1", "fd00::2"),
        ("::ffff:10.0.0.0/104", "10.0.0.0 10.255.1.1", "11.0.0.0"),
        ("::ffff:10.0.0.2", "10.0.0.2", "10.0.0.3"),
        ("2000::/3", "2001:db8::1", "4000::1 32.0.0.0"),
    ] {
        let trusted = Trusted(vec![parse(network).unwrap()]);
        let contains = |ip: &str| trusted.contains(ip.parse().unwrap());
        assert!(inside.split(' ').all(contains), "{inside} in {network}");
        assert!(!outside.split(' ').any(contains), "{outside} in {network}");
    }
}

#[test]
fn any_of_several_networks_will_do_and_none_contains_nobody() {
    let trusted = Trusted(["10.0.0.2", "fd00::/8"].map(|n| parse(n).unwrap()).into());
    for (ip, expected) in [("10.0.0.2", true), ("fd12::", true), ("10.0.0.3", false)] {
        assert_eq!(trusted.contains(ip.parse().unwrap()), expected, "{ip}");
        assert!(!Trusted::default().contains(ip.parse().unwrap()));
    }
}

#[test]
fn what_is_no_network_is_told_what_is_accepted() {
    let proxy = "a proxy is an address like 10.0.0.2 or fd00::2, or a network like 10.0.0.0/8, \
                 without a name or a port";
    let everybody = "this trusts everybody, so that anybody could put strangers into swarms; \
                     give more bits";
    for (text, expected) in [
        ("nginx", proxy),
        ("", proxy),
        ("/8", proxy),
        ("10.0.0.2:80", proxy),
        ("10.0.0", proxy),
        ("10.0.0.0/33", proxy),
        ("10.0.0.0/", proxy),
        ("10.0.0.0/255.0.0.0", proxy),
        ("10.0.0.0/-1", proxy),
        ("0.0.0.0/0", everybody),
        ("::/0", everybody),
        ("::/1", everybody),
        ("8000::/1", everybody),
        ("::ffff:0.0.0.0/96", everybody),
        ("::ffff:10.0.0.0/8", everybody),
        ("::ffff:0.0.0.0/95", everybody),
        ("fd00::/129", proxy),
        ("0.0.0.0", "no machine has such an address"),
        ("ff02::1", "no machine has such an address"),
    ] {
        assert_eq!(parse(text), Err(expected), "{text}");
    }
}
