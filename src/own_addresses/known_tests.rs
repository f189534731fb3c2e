//! Tests of `own_addresses/known.rs`.

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn ips(text: &str) -> Vec<IpAddr> {
    text.split_whitespace().map(ip).collect()
}

/// An ordinary machine with docker, a VPN and privacy addresses: `192.168.1.5/24`; with `*`, in
/// front of it, virtual, and with `~` passing.
fn own(text: &str) -> Vec<OwnAddress> {
    let read = |word: &str| {
        let (is_virtual, word) = (word.starts_with('*'), word.trim_start_matches('*'));
        let (is_passing, word) = (word.starts_with('~'), word.trim_start_matches('~'));
        let (ip, bits) = word.split_once('/').unwrap();
        OwnAddress {
            ip: ip.parse().unwrap(),
            bits: bits.parse().unwrap(),
            interface: if ip.starts_with("fe80") { 4 } else { 0 },
            is_virtual,
            is_passing,
        }
    };
    text.split_whitespace().map(read).collect()
}

fn machine(listed: &str, preferred: &str) -> OwnAddresses {
    OwnAddresses(RwLock::new(Found {
        listed: Some(own(listed)),
        preferred: ips(preferred),
        way_out: None,
        gateways: ips("192.168.1.1"),
    }))
}

const LAPTOP: &str = "127.0.0.1/8 ::1/128 fe80::1/64 *172.17.0.1/16 *fe80::2/64 192.168.1.5/24 \
    10.8.0.2/32 ~2001:db8::aaaa/64 2001:db8::5/64";

/// Fails on a machine without any network where it has to pass (`CI`); elsewhere it says so.
#[test]
fn what_is_found_on_this_machine_is_usable_by_others() {
    let here = OwnAddresses::look();
    let found = here.reached_by(&[]);
    for ip in &found {
        assert!(!ip.is_loopback() && !ip.is_unspecified(), "{ip}");
    }
    // The system's own answer to the same question.
    let asked = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("203.0.113.1:9")?;
        socket.local_addr()
    });
    match asked {
        Ok(own) if !own.ip().is_loopback() => {
            assert!(found.contains(&own.ip()), "{} in {found:?}", own.ip());
            let preferred = &here.read().preferred;
            assert!(
                preferred.contains(&own.ip()),
                "{} in {preferred:?}",
                own.ip()
            );
        }
        _ => {
            assert!(std::env::var_os("CI").is_none(), "no way to the internet");
            println!("partly skipped: this machine has no way to the internet");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn linux_has_a_list_and_everything_in_it_can_be_listened_on() {
    let here = OwnAddresses::look();
    let at = here.to_listen_on(&[]).expect("a list");
    assert!(
        at.contains(&SocketAddr::from(([127, 0, 0, 1], 0))),
        "{at:?}"
    );
    for address in at {
        UdpSocket::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    }
}

#[test]
fn the_likeliest_is_the_one_that_leads_to_the_internet() {
    let laptop = machine(LAPTOP, "10.8.0.2 192.168.1.5 2001:db8::aaaa");
    assert_eq!(
        laptop.reached_by(&[]),
        ips("10.8.0.2 192.168.1.5 2001:db8::5")
    );
    let laptop = machine(LAPTOP, "192.168.1.5");
    assert_eq!(
        laptop.reached_by(&[]),
        ips("192.168.1.5 10.8.0.2 2001:db8::5")
    );
    assert_eq!(laptop.likeliest(false), ip("192.168.1.5"));
    assert_eq!(laptop.likeliest(true), ip("2001:db8::5"));
}

#[test]
fn a_networks_first_address_comes_last_unless_it_leads_to_the_internet() {
    let listed = "192.168.56.1/32 172.28.0.1/32 192.168.0.7/32";
    for (preferred, way_out, expected) in [
        ("", "", "192.168.0.7 192.168.56.1 172.28.0.1"),
        // The best network there is of a machine without a router.
        ("172.28.0.1", "", "192.168.0.7 172.28.0.1 192.168.56.1"),
        (
            "172.28.0.1",
            "172.28.0.1",
            "172.28.0.1 192.168.0.7 192.168.56.1",
        ),
    ] {
        let windows = OwnAddresses(RwLock::new(Found {
            listed: Some(own(listed)),
            preferred: ips(preferred),
            way_out: way_out.parse().ok(),
            gateways: vec![],
        }));
        assert_eq!(
            windows.reached_by(&[]),
            ips(expected),
            "{preferred} {way_out}"
        );
    }
}

#[test]
fn passing_addresses_are_better_than_none() {
    let guest = machine("127.0.0.1/8 ~2001:db8::aaaa/64", "");
    assert_eq!(guest.reached_by(&[]), ips("2001:db8::aaaa"));
}

#[test]
fn without_a_list_the_preferred_ones_are_known() {
    let unlisted = OwnAddresses(RwLock::new(Found {
        preferred: ips("10.0.0.1 192.168.1.5 10.0.0.1 127.0.0.1"),
        way_out: Some(ip("10.0.0.1")),
        ..Found::default()
    }));
    assert_eq!(unlisted.reached_by(&[]), ips("10.0.0.1 192.168.1.5"));
    assert_eq!(unlisted.to_listen_on(&[]), None);
    assert_eq!(
        unlisted.whereabouts(ip("172.17.0.2")),
        Whereabouts::Elsewhere
    );
    let nowhere = OwnAddresses::default();
    assert_eq!(nowhere.reached_by(&[]), ips(""));
    assert_eq!(nowhere.likeliest(false), ip("127.0.0.1"));
    assert_eq!(nowhere.likeliest(true), ip("::1"));
}

#[test]
fn what_is_bound_is_what_reaches() {
    let laptop = machine(LAPTOP, "192.168.1.5");
    for (bind, expected) in [
        ("127.0.0.1", "127.0.0.1"),
        ("10.8.0.2 192.168.1.5", "10.8.0.2 192.168.1.5"),
        ("0.0.0.0", "192.168.1.5 10.8.0.2"),
        ("::", "2001:db8::5"),
        (":: 10.8.0.2", "10.8.0.2 2001:db8::5"),
        (":: 0.0.0.0", "192.168.1.5 10.8.0.2 2001:db8::5"),
    ] {
        assert_eq!(laptop.reached_by(&ips(bind)), ips(expected), "{bind}");
    }
}

#[test]
fn every_address_is_listened_on() {
    let laptop = machine(LAPTOP, "192.168.1.5");
    let at = |bind: &str| {
        let at = laptop.to_listen_on(&ips(bind)).unwrap();
        let at: Vec<_> = at.iter().map(|address| address.to_string()).collect();
        at.join(" ")
    };
    assert_eq!(
        at(""),
        "127.0.0.1:0 [::1]:0 [fe80::1%4]:0 172.17.0.1:0 192.168.1.5:0 10.8.0.2:0 \
         [2001:db8::aaaa]:0 [2001:db8::5]:0"
    );
    assert_eq!(
        at("0.0.0.0"),
        "127.0.0.1:0 172.17.0.1:0 192.168.1.5:0 10.8.0.2:0"
    );
    assert_eq!(at(":: 10.8.0.2").split(' ').count(), 5);
}

#[test]
fn containers_are_known_by_their_networks() {
    let host = machine(
        "127.0.0.1/8 192.168.1.5/24 *172.17.0.1/16 *10.88.0.1/20 *10.88.0.3/20 *fd00:d::1/64 \
         *fe80::2/64",
        "",
    );
    for (asker, expected) in [
        ("172.17.0.2", Whereabouts::Container),
        ("172.17.255.254", Whereabouts::Container),
        ("172.17.0.1", Whereabouts::Bridge),
        ("172.18.0.2", Whereabouts::Elsewhere),
        ("10.88.15.254", Whereabouts::Container),
        ("10.88.16.1", Whereabouts::Elsewhere),
        ("10.88.0.3", Whereabouts::Bridge),
        ("fd00:d::2", Whereabouts::Container),
        ("fd00:d::1", Whereabouts::Bridge),
        ("fd00:e::2", Whereabouts::Elsewhere),
        ("fe80::99", Whereabouts::Elsewhere),
        ("192.168.1.9", Whereabouts::Elsewhere),
        ("192.168.1.1", Whereabouts::Gateway),
        ("127.0.0.1", Whereabouts::Elsewhere),
        ("203.0.113.9", Whereabouts::Elsewhere),
    ] {
        assert_eq!(host.whereabouts(ip(asker)), expected, "{asker}");
    }
}

#[test]
fn only_what_is_listed_is_this_machines() {
    let laptop = machine(LAPTOP, "192.168.1.9");
    for (asker, expected) in [
        ("192.168.1.5", true),
        ("10.8.0.2", true),
        ("172.17.0.1", true),
        ("2001:db8::aaaa", true),
        ("192.168.1.6", false),
        ("192.168.1.9", false),
        ("2001:db8::6", false),
    ] {
        assert_eq!(laptop.has(ip(asker)), expected, "{asker}");
    }
    assert!(!OwnAddresses::default().has(ip("192.168.1.5")));
}

#[test]
fn who_is_on_the_same_link() {
    let host = machine(
        "2001:db8::5/64 2001:db8:1::5/128 *2001:db8:2::1/64 2001:0::1/32",
        "",
    );
    for (asker, expected) in [
        ("2001:db8::6", true),
        ("2001:db8:0:1::6", false),
        ("2001:db8:1::6", false),
        ("2001:db8:2::6", false),
        ("2001::6", false),
    ] {
        assert_eq!(
            host.shares_link_with(asker.parse().unwrap()),
            expected,
            "{asker}"
        );
    }
}

#[test]
fn networks_of_any_size() {
    for (network, other, expected) in [
        ("10.0.0.1/0", "203.0.113.1", true),
        ("10.0.0.1/0", "::1", false),
        ("10.0.0.1/31", "10.0.0.0", true),
        ("10.0.0.1/32", "10.0.0.0", false),
        ("fd00::1/0", "2001:db8::1", true),
        ("fd00::1/128", "fd00::1", true),
        ("fd00::1/128", "fd00::2", false),
    ] {
        let shares = own(network)[0].shares_network_with(ip(other));
        assert_eq!(shares, expected, "{network} {other}");
    }
}

#[test]
fn looking_again_tells_of_changes() {
    let here = OwnAddresses::default();
    // This machine has some address, a loopback one if there is no other.
    assert_eq!(
        here.refresh(),
        cfg!(target_os = "linux") || !here.reached_by(&[]).is_empty()
    );
    assert!(!here.refresh(), "nothing has changed meanwhile");
}

#[test]
fn a_text_has_to_end_within_a_megabyte() {
    let read = |length| whole(io::repeat(b'a').take(length)).map(|text| text.len() as u64);
    // A route has 128 bytes, an address of IPv6 about 60.
    for length in [0, 200_000, LONGEST - 1] {
        assert_eq!(read(length), Some(length));
    }
    for length in [LONGEST, 4 << 20] {
        assert_eq!(read(length), None, "{length}");
    }
}

/// An address that has come is known soon, and a machine that sleeps is not woken all the time.
#[test]
fn it_is_looked_again_after_some_seconds_each_time() {
    let own = OwnAddresses::default();
    let (paused, mut looks) = (std::cell::RefCell::new(Vec::new()), 0);
    let pause = |time: Duration| {
        paused.borrow_mut().push(time.as_secs());
        paused.borrow().len() <= 3
    };
    own.refresh_after_each(pause, &mut || looks += 1);
    assert_eq!(looks, 3);
    let paused = paused.into_inner();
    assert!(
        paused.iter().all(|secs| (1..=30).contains(secs)),
        "{paused:?}"
    );
}
