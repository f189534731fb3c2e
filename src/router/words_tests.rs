use super::super::mapping::Way;
use super::*;
use std::time::Duration;

const WISH: Wish = Wish {
    port: 9000,
    udp: true,
};

fn ip(text: &str) -> Ipv4Addr {
    text.parse().expect("an address")
}

fn held(address: &str, tcp: u16, udp: Option<u16>) -> Held {
    Held {
        router: ip("192.168.1.1"),
        local: ip("192.168.1.5"),
        outside: Forwarded {
            ip: ip(address).into(),
            tcp_port: tcp,
            udp_port: udp,
        },
        lease: Some(Duration::from_secs(3600)),
        since: Duration::ZERO,
        has_forgotten: false,
        way: Way::Pcp(0),
    }
}

fn refusal(refusal: Refusal) -> String {
    let trouble = Trouble::Refused {
        router: ip("192.168.1.1"),
        is_guess: false,
        local: ip("192.168.1.5"),
        refusal,
    };
    trouble.line(WISH)
}

#[test]
fn only_addresses_of_the_internet_are_public() {
    for public in [
        "203.0.114.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.0",
        "192.0.1.0",
    ] {
        assert!(is_public(ip(public).into()), "{public}");
    }
    for other in [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "169.254.1.1",
        "172.16.0.1",
        "192.0.0.2",
        "192.168.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
    ] {
        assert!(!is_public(ip(other).into()), "{other}");
    }
}

#[test]
fn an_address_that_is_not_public_is_explained() {
    let line = |address: &str| {
        let trouble = Trouble::NotPublic {
            router: ip("192.168.1.1"),
            address: ip(address).into(),
        };
        trouble.line(WISH)
    };
    for shared in ["100.64.3.4", "192.0.0.2"] {
        let line = line(shared);
        assert!(
            line.contains(shared) && line.contains("share a public one"),
            "{line}"
        );
        assert!(line.contains("no forwarding can help. IPv6 may"), "{line}");
    }
    let second = line("10.0.0.2");
    assert!(
        second.contains("there is a second router in front of it"),
        "{second}"
    );
    assert!(
        second.contains("Forward TCP and UDP port 9000 to 10.0.0.2 in that one"),
        "{second}"
    );
    assert!(line("0.0.0.0").ends_with("has no public address at the moment"));
}

#[test]
fn a_refusal_says_what_to_do() {
    for (why, words) in [
        (Refusal::Silence, "does not answer"),
        (
            Refusal::Silence,
            "forward TCP and UDP port 9000 to 192.168.1.5 there by hand",
        ),
        (
            Refusal::NotAuthorized,
            "does not let programs forward ports: allow it in",
        ),
        (
            Refusal::Unsupported,
            "does not let programs forward ports: allow it in",
        ),
        (
            Refusal::NoAddress,
            "has no public address: it is offline, or its provider has it share",
        ),
        (Refusal::NoResources, "has no room for another forwarding"),
        (
            Refusal::OtherRouter,
            "another one stands between it and this machine",
        ),
        (
            Refusal::Taken(Some(ip("192.168.1.9"))),
            "port 9000 of the router at 192.168.1.1 is",
        ),
        (
            Refusal::Taken(Some(ip("192.168.1.9"))),
            "forwarded to 192.168.1.9 already: choose",
        ),
        (
            Refusal::Taken(None),
            "is taken by another program or machine: choose another one with",
        ),
        (Refusal::Other(501), "(its error 501)"),
    ] {
        let line = refusal(why);
        assert!(line.contains(words), "{line}");
        assert!(line.contains("the router at 192.168.1.1"), "{line}");
    }
}

#[test]
fn a_guess_is_said_to_be_one() {
    let trouble = Trouble::Refused {
        router: ip("192.168.1.1"),
        is_guess: true,
        local: ip("192.168.1.5"),
        refusal: Refusal::Silence,
    };
    let line = trouble.line(WISH);
    assert!(
        line.starts_with("the router (at 192.168.1.1, by a guess) does not"),
        "{line}"
    );
}

#[test]
fn what_the_router_forwards_is_named() {
    let line = |tcp, udp, wish| forwards(&held("203.0.114.1", tcp, udp), None, wish);
    let urls = "Announce URLs for the internet:";
    assert_eq!(
        line(9000, Some(9000), WISH),
        format!("the router at 192.168.1.1 forwards TCP and UDP port 9000 to this machine. {urls}")
    );
    let http_alone = Wish { udp: false, ..WISH };
    assert_eq!(
        line(9000, None, http_alone),
        format!("the router at 192.168.1.1 forwards TCP port 9000 to this machine. {urls}")
    );
    assert_eq!(
        line(9001, Some(9001), WISH),
        format!(
            "the router at 192.168.1.1 forwards TCP and UDP port 9001 to this machine's 9000, \
             since its own 9000 is taken. {urls}"
        )
    );
    assert_eq!(
        line(9001, Some(9002), WISH),
        format!(
            "the router at 192.168.1.1 forwards TCP port 9001 and UDP port 9002 to this \
             machine's 9000, since its own 9000 is taken. {urls}"
        )
    );
}

#[test]
fn another_address_is_named_beside_the_old_one() {
    let before = held("203.0.114.1", 9000, Some(9000)).outside;
    let after = held("203.0.114.9", 9000, Some(9000));
    assert_eq!(
        forwards(&after, Some(before), WISH),
        "the public address is 203.0.114.9 now and no longer 203.0.114.1. \
         Announce URLs for the internet:"
    );
}

#[test]
fn no_line_is_longer_than_the_log_takes() {
    let lines = [
        refusal(Refusal::Silence),
        refusal(Refusal::Other(u16::MAX)),
        Trouble::NotPublic {
            router: ip("255.255.255.255"),
            address: ip("100.127.255.255").into(),
        }
        .line(WISH),
        Trouble::NotPublic {
            router: ip("192.168.111.111"),
            address: ip("192.168.222.222").into(),
        }
        .line(WISH),
        forwards(&held("203.0.114.1", 65535, Some(65534)), None, WISH),
    ];
    for line in lines {
        assert!(line.len() < 440, "{}: {line}", line.len());
    }
}
