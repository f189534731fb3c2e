//! Tests of `public_address.rs`.

use super::*;
use crate::log::{Times, Verbosity};
use std::cell::{Cell, RefCell};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn hosts(text: &str) -> Vec<PublicHost> {
    let read = |word: &str| match word.parse() {
        Ok(ip) => PublicHost::Address(ip),
        Err(_) => PublicHost::Name(word.to_owned()),
    };
    text.split_whitespace().map(read).collect()
}

fn public(text: &str) -> PublicAddress {
    PublicAddress::new(hosts(text), 9000, true)
}

fn ips(public: &PublicAddress) -> [Option<IpAddr>; 2] {
    [false, true].map(|is_ipv6| public.ip(is_ipv6))
}

#[test]
fn nothing_is_known_until_somebody_says_so() {
    let public = public("");
    assert_eq!(ips(&public), [None, None]);
    assert!(!public.is_known());
    assert_eq!(public.urls(), [] as [&str; 0]);
}

#[test]
fn addresses_are_known_at_once() {
    let public = public("203.0.113.7 2001:db8::7");
    assert_eq!(
        ips(&public),
        [Some(ip("203.0.113.7")), Some(ip("2001:db8::7"))]
    );
    assert!(public.is_known());
    let expected = [
        "http://203.0.113.7:9000/announce",
        "udp://203.0.113.7:9000/announce",
        "http://[2001:db8::7]:9000/announce",
        "udp://[2001:db8::7]:9000/announce",
    ];
    assert_eq!(public.urls(), expected);
}

#[test]
fn a_name_is_in_the_urls_at_once_and_its_addresses_are_known_later() {
    let public = public("a.example");
    assert_eq!(ips(&public), [None, None]);
    let urls = [
        "http://a.example:9000/announce",
        "udp://a.example:9000/announce",
    ];
    assert_eq!(public.urls(), urls);
    assert_eq!(public.learn(&|_| vec![]), ["a.example"]);
    assert_eq!(ips(&public), [None, None]);
    let found = [
        ip("192.168.1.5"),
        ip("::1"),
        ip("::ffff:203.0.113.7"),
        ip("203.0.113.8"),
    ];
    assert_eq!(public.learn(&|_| found.to_vec()), [] as [&str; 0]);
    assert_eq!(
        ips(&public),
        [Some(ip("203.0.113.7")), None],
        "the first of the internet"
    );
    assert_eq!(public.learn(&|_| vec![]), ["a.example"]);
    assert_eq!(
        ips(&public),
        [Some(ip("203.0.113.7")), None],
        "no answer changes nothing"
    );
    assert_eq!(public.learn(&|_| vec![ip("2001:db8::7")]), [] as [&str; 0]);
    assert_eq!(ips(&public), [None, Some(ip("2001:db8::7"))]);
    assert_eq!(public.urls(), urls);
}

#[test]
fn a_name_that_leads_into_a_network_is_unknown() {
    let public = public("a.example");
    assert_eq!(public.learn(&|_| vec![ip("192.168.1.5")]), ["a.example"]);
    assert_eq!(ips(&public), [None, None]);
}

/// A name server that is not there in the first minute, nor for a while later, and has another
/// address for the name after the first hour, as dynamic DNS has after each night.
#[test]
fn a_name_is_asked_for_again_every_few_minutes_and_soon_after_a_failure() {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    let public = public("a.example");
    let log = Log::new(Verbosity::Quiet, Times::Written, io::sink()).unwrap();
    let clock = Cell::new(0);
    let asked = RefCell::new(Vec::new());
    let resolve = |name: &str| {
        assert_eq!(name, "a.example");
        asked.borrow_mut().push(clock.get());
        match clock.get() {
            ..MINUTE | 5400..6000 => vec![],
            MINUTE..HOUR => vec![ip("203.0.113.7")],
            HOUR.. => vec![ip("203.0.113.8")],
        }
    };
    let known = RefCell::new(Vec::new());
    let pause = |time: Duration| {
        let ip = public.ip(false).map(|ip| ip.to_string());
        if known.borrow().last().is_none_or(|(_, last)| *last != ip) {
            known.borrow_mut().push((clock.get(), ip));
        }
        clock.set(clock.get() + time.as_secs());
        clock.get() < 2 * HOUR
    };
    public.keep_learning(&log, &resolve, &pause);

    let known = known.into_inner();
    let addresses: Vec<_> = known.iter().map(|(_, ip)| ip.as_deref()).collect();
    let expected = [None, Some("203.0.113.7"), Some("203.0.113.8")];
    assert_eq!(addresses, expected, "{known:?}");
    assert!(known[1].0 < MINUTE + 20, "soon after a failure: {known:?}");
    assert!(
        known[2].0 < HOUR + 5 * MINUTE,
        "every few minutes: {known:?}"
    );
    // And no more often than that.
    let asked = asked.into_inner();
    let count = |from, to| asked.iter().filter(|at| (from..to).contains(*at)).count();
    assert!((2..10).contains(&count(0, MINUTE)), "{asked:?}");
    assert!(count(2 * MINUTE, HOUR) <= 30, "{asked:?}");
    assert!(
        count(5400, 6000) >= 20,
        "soon after a later failure: {asked:?}"
    );
}

fn forwarded(ip: &str, tcp_port: u16, udp_port: Option<u16>) -> Option<Forwarded> {
    let ip = ip.parse().unwrap();
    Some(Forwarded {
        ip,
        tcp_port,
        udp_port,
    })
}

#[test]
fn what_the_router_forwards_is_used_until_it_does_not_any_more() {
    let public = public("");
    assert!(public.set_forwarded(forwarded("203.0.113.7", 9001, Some(9002))));
    assert!(
        !public.set_forwarded(forwarded("203.0.113.7", 9001, Some(9002))),
        "no news"
    );
    assert!(public.is_known());
    assert_eq!(ips(&public), [Some(ip("203.0.113.7")), None]);
    let expected = [
        "http://203.0.113.7:9001/announce",
        "udp://203.0.113.7:9002/announce",
    ];
    assert_eq!(public.urls(), expected);
    assert!(public.set_forwarded(forwarded("203.0.113.7", 9001, None)));
    assert_eq!(public.urls(), expected[..1]);
    assert!(public.set_forwarded(None));
    assert!(!public.is_known());
    assert_eq!(ips(&public), [None, None]);
}

#[test]
fn what_the_operator_says_wins_with_the_ports_of_the_router() {
    let public = public("a.example 2001:db8::7");
    public.set_forwarded(forwarded("203.0.113.7", 9001, Some(9001)));
    assert_eq!(
        ips(&public),
        [Some(ip("203.0.113.7")), Some(ip("2001:db8::7"))]
    );
    assert_eq!(public.urls()[0], "http://a.example:9001/announce");
    public.learn(&|_| vec![ip("203.0.113.99")]);
    assert_eq!(
        ips(&public),
        [Some(ip("203.0.113.99")), Some(ip("2001:db8::7"))]
    );
}

#[test]
fn only_what_the_operator_said_is_a_name_of_this_network() {
    let public = public("203.0.113.7 Box.Example other.example.");
    for (name, is_own) in [
        ("box.example", true),
        ("BOX.EXAMPLE", true),
        ("other.example", true),
        ("evil.example", false),
        ("x.box.example", false),
        ("203.0.113.7", false),
        ("", false),
    ] {
        assert_eq!(public.has_name(name), is_own, "{name}");
    }
}

#[test]
fn without_udp_no_udp_urls() {
    let public = PublicAddress::new(hosts("203.0.113.7"), 9000, false);
    assert_eq!(public.urls(), ["http://203.0.113.7:9000/announce"]);
    public.set_forwarded(forwarded("203.0.113.8", 1, Some(2)));
    assert_eq!(public.urls(), ["http://203.0.113.7:1/announce"]);
}

#[test]
fn addresses_of_the_internet() {
    for (text, expected) in [
        ("203.0.113.7", true),
        ("2001:db8::7", true),
        ("192.168.1.5", false),
        ("100.64.0.1", false),
        ("fd00::1", false),
        ("fe80::1", false),
        ("127.0.0.1", false),
        ("0.0.0.0", false),
        ("::", false),
        ("224.0.0.1", false),
    ] {
        assert_eq!(is_of_the_internet(ip(text)), expected, "{text}");
    }
}
