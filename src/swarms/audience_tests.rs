//! Tests of `swarms/audience.rs`: the table of who is shown which address.

use super::super::fixture::{endpoint, place};
use super::*;
use crate::announce::Endpoint;
use std::net::Ipv6Addr;

/// Askers, by what is known of them.
const ASKERS: [(&str, View); 9] = {
    const fn view(from: Place, machine_as: Option<IpAddr>, lan_as: Option<Ipv4Addr>) -> View {
        View {
            from,
            machine_as,
            lan_as,
        }
    }
    const LAN: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(192, 168, 1, 1)));
    const ULA: Option<IpAddr> = Some(IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)));
    const BRIDGE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(172, 17, 0, 1)));
    const PUBLIC: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
    [
        ("machine", view(Place::Loopback, None, None)),
        ("container", view(Place::Container, BRIDGE, None)),
        ("lan", view(Place::Lan, LAN, None)),
        ("lan by ipv6", view(Place::Lan, ULA, None)),
        ("lan by a proxy", view(Place::Lan, None, None)),
        ("internet", view(Place::Internet, None, None)),
        (
            "internet to a global address",
            view(Place::Internet, Some(IpAddr::V4(PUBLIC)), None),
        ),
        (
            "internet, known",
            view(Place::Internet, Some(IpAddr::V4(PUBLIC)), Some(PUBLIC)),
        ),
        (
            "internet, known, by ipv6",
            view(Place::Internet, ULA, Some(PUBLIC)),
        ),
    ]
};

/// What of a client with these addresses (ports 1, 2, …) each of the askers is shown.
fn shown(addresses: &[&str]) -> Vec<Vec<String>> {
    let endpoints: Vec<_> = addresses
        .iter()
        .zip(1..)
        .map(|(a, n)| endpoint(a, n))
        .collect();
    let home = |e: &Endpoint| Home::new(place(e.ip), e.ip.is_ipv6());
    let homes: Vec<_> = endpoints.iter().map(home).collect();
    let mut audiences = vec![Audience::default(); homes.len()];
    let seen: Vec<_> = homes.iter().map(|&home| (home, false)).collect();
    Audience::of_each(&seen, &mut audiences);
    let of_view = |(name, view): (&str, View)| {
        let mut families = Vec::new();
        let mut shown = Vec::new();
        for ((&endpoint, &home), audience) in endpoints.iter().zip(&homes).zip(&audiences) {
            if audience.has(view.class()) {
                let ip = view.shown_as(home).unwrap_or(endpoint.ip);
                let as_shown = Endpoint { ip, ..endpoint };
                families.push(as_shown.ip.is_ipv6());
                assert_eq!(view.shows_as_ipv6(home), as_shown.ip.is_ipv6(), "{name}");
                shown.push(as_shown.to_string());
            }
        }
        families.sort_unstable();
        families.dedup();
        assert_eq!(families.len(), shown.len(), "one of each family: {name}");
        shown
    };
    ASKERS.into_iter().map(of_view).collect()
}

#[test]
fn one_address_each() {
    let none: &[&str] = &[];
    for (address, expected) in [
        (
            "127.0.0.1",
            [
                &["127.0.0.1:1"][..],
                &["172.17.0.1:1"],
                &["192.168.1.1:1"],
                &["[fd00::1]:1"],
                none,
                none,
                &["198.51.100.1:1"],
                &["198.51.100.1:1"],
                &["[fd00::1]:1"],
            ],
        ),
        (
            "::1",
            [
                &["[::1]:1"],
                &["172.17.0.1:1"],
                &["192.168.1.1:1"],
                &["[fd00::1]:1"],
                none,
                none,
                &["198.51.100.1:1"],
                &["198.51.100.1:1"],
                &["[fd00::1]:1"],
            ],
        ),
        (
            "172.17.0.2",
            [
                &["172.17.0.2:1"],
                &["172.17.0.2:1"],
                &["192.168.1.1:1"],
                &["[fd00::1]:1"],
                none,
                none,
                &["198.51.100.1:1"],
                &["198.51.100.1:1"],
                &["[fd00::1]:1"],
            ],
        ),
        (
            "192.168.1.7",
            [
                &["192.168.1.7:1"],
                &["192.168.1.7:1"],
                &["192.168.1.7:1"],
                &["192.168.1.7:1"],
                &["192.168.1.7:1"],
                none,
                none,
                &["198.51.100.1:1"],
                &["198.51.100.1:1"],
            ],
        ),
        (
            "fd00::7",
            [
                &["[fd00::7]:1"],
                &["[fd00::7]:1"],
                &["[fd00::7]:1"],
                &["[fd00::7]:1"],
                &["[fd00::7]:1"],
                none,
                none,
                none,
                none,
            ],
        ),
        ("203.0.113.7", [&["203.0.113.7:1"]; 9].map(|all| &all[..])),
        ("2001:db8::7", [&["[2001:db8::7]:1"]; 9].map(|all| &all[..])),
    ] {
        for ((shown, expected), (asker, _)) in shown(&[address]).iter().zip(expected).zip(ASKERS) {
            assert_eq!(shown, expected, "{address} to {asker}");
        }
    }
}

#[test]
fn of_several_the_nearest_of_each_family() {
    let none: &[&str] = &[];
    for (addresses, expected) in [
        (
            &["192.168.1.7", "203.0.113.7"][..],
            [
                &["192.168.1.7:1"][..],
                &["192.168.1.7:1"],
                &["192.168.1.7:1"],
                &["192.168.1.7:1"],
                &["192.168.1.7:1"],
                &["203.0.113.7:2"],
                &["203.0.113.7:2"],
                &["203.0.113.7:2"],
                &["203.0.113.7:2"],
            ],
        ),
        (
            &["127.0.0.1", "192.168.1.7", "203.0.113.7"],
            [
                &["127.0.0.1:1"],
                &["172.17.0.1:1"],
                &["192.168.1.1:1"],
                &["[fd00::1]:1", "192.168.1.7:2"],
                &["192.168.1.7:2"],
                &["203.0.113.7:3"],
                &["203.0.113.7:3"],
                &["203.0.113.7:3"],
                &["[fd00::1]:1", "203.0.113.7:3"],
            ],
        ),
        (
            &["fd00::7", "2001:db8::7"],
            [
                &["[fd00::7]:1"],
                &["[fd00::7]:1"],
                &["[fd00::7]:1"],
                &["[fd00::7]:1"],
                &["[fd00::7]:1"],
                &["[2001:db8::7]:2"],
                &["[2001:db8::7]:2"],
                &["[2001:db8::7]:2"],
                &["[2001:db8::7]:2"],
            ],
        ),
        (
            &["127.0.0.1", "::1"],
            [
                &["127.0.0.1:1", "[::1]:2"],
                &["172.17.0.1:1"],
                &["192.168.1.1:1"],
                &["[fd00::1]:2"],
                none,
                none,
                &["198.51.100.1:1"],
                &["198.51.100.1:1"],
                &["[fd00::1]:2"],
            ],
        ),
        (
            &["127.0.0.1", "172.17.0.2"],
            [
                &["127.0.0.1:1"],
                &["172.17.0.2:2"],
                &["192.168.1.1:1"],
                &["[fd00::1]:1"],
                none,
                none,
                &["198.51.100.1:1"],
                &["198.51.100.1:1"],
                &["[fd00::1]:1"],
            ],
        ),
        // Of two that are as good as each other, the one that came last.
        (
            &["10.0.0.1", "10.0.0.2", "2001:db8::7", "2001:db8::8"],
            [&["10.0.0.1:1", "[2001:db8::7]:3"][..]; 9].map(|both| both),
        ),
    ] {
        for ((shown, expected), (asker, _)) in shown(addresses).iter().zip(expected).zip(ASKERS) {
            let expected = match (addresses.len(), asker) {
                (4, "internet" | "internet to a global address") => &expected[1..],
                (4, "internet, known" | "internet, known, by ipv6") => {
                    &["198.51.100.1:1", "[2001:db8::7]:3"][..]
                }
                _ => expected,
            };
            assert_eq!(shown, expected, "{addresses:?} to {asker}");
        }
    }
}

#[test]
fn each_class_has_a_bit_of_its_own() {
    assert_eq!(Class::all().count(), 13);
    let bits = Class::all().fold(0, |all, class| all | class.bit());
    assert_eq!(bits, (1 << 13) - 1);
    for (name, view) in ASKERS {
        assert!(Class::all().any(|class| class == view.class()), "{name}");
    }
}

#[test]
fn a_home_is_what_it_was_made_of() {
    for place in [
        Place::Loopback,
        Place::Container,
        Place::Lan,
        Place::Internet,
    ] {
        for is_ipv6 in [false, true] {
            let home = Home::new(place, is_ipv6);
            assert_eq!((home.place(), home.is_ipv6()), (place, is_ipv6));
        }
    }
}

/// Its own addresses are those that others on it are reached by, whatever else it is called.
#[test]
fn what_becomes_of_addresses_makes_a_difference_only_where_they_do_not_lead() {
    let ip = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 1));
    let view = |from, machine_as, lan_as| View {
        from,
        machine_as,
        lan_as,
    };
    let named = view(Place::Loopback, Some(ip), None);
    assert_eq!(named.shown_as(Home::new(Place::Loopback, false)), None);
    assert_eq!(named.class(), view(Place::Loopback, None, None).class());
    let lan_as = Some(Ipv4Addr::new(198, 51, 100, 1));
    let known = view(Place::Lan, Some(ip), lan_as);
    assert_eq!(known.class(), view(Place::Lan, Some(ip), None).class());
}
