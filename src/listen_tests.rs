//! Tests of `listen.rs`.

use super::*;

fn ips(text: &str) -> Vec<IpAddr> {
    let ips = text.split_whitespace();
    ips.map(|ip| ip.parse().unwrap()).collect()
}

/// UDP where TCP is.
const AS_TCP: Option<Each<'_>> = Some(&|_| None);

impl Sockets {
    fn udp(&self) -> &[UdpSocket] {
        match &self.udp {
            Udp::AsTcp(sockets) | Udp::Each(sockets) => sockets,
            Udp::Off | Udp::Refused(_) => &[],
        }
    }
}

/// Those that listen, TCP and UDP, on a free port of these addresses.
fn opened(addresses: &str) -> Sockets {
    open(&ips(addresses), 0, AS_TCP).unwrap_or_else(|error| panic!("{addresses}: {error}"))
}

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[test]
fn connections_inherit_the_lack_of_delay() {
    let listener = without_delay(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert!(listener.accept().unwrap().0.nodelay().unwrap());
}

#[test]
fn every_address_of_both_families_on_one_free_port() {
    let sockets = opened("");
    let port = sockets.port;
    assert_ne!(port, 0);
    assert_eq!(sockets.bind, ips(""));
    assert_eq!(sockets.tcp.len(), sockets.udp().len());
    for (tcp, udp) in sockets.tcp.iter().zip(sockets.udp()) {
        assert_eq!(tcp.local_addr().unwrap().port(), port);
        assert_eq!(udp.local_addr().unwrap(), tcp.local_addr().unwrap());
    }
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    if has_ipv6() {
        TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
    }
}

#[test]
fn a_free_port_of_the_loopback() {
    let sockets = opened("127.0.0.1");
    assert_ne!(sockets.port, 0);
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, sockets.port));
    assert_eq!(sockets.tcp[0].local_addr().unwrap(), at);
    assert_eq!(sockets.udp()[0].local_addr().unwrap(), at);
    assert_eq!((sockets.tcp.len(), sockets.udp().len()), (1, 1));
}

// Of 127.0.0.0/8 other systems have 127.0.0.1 alone.
#[cfg(any(target_os = "linux", windows))]
#[test]
fn given_addresses_share_one_free_port() {
    let sockets = opened("127.0.0.1 127.0.0.2");
    let at = ips("127.0.0.1 127.0.0.2");
    let at: Vec<_> = at
        .into_iter()
        .map(|ip| SocketAddr::new(ip, sockets.port))
        .collect();
    let tcp: Vec<_> = sockets
        .tcp
        .iter()
        .map(|l| l.local_addr().unwrap())
        .collect();
    let udp: Vec<_> = sockets
        .udp()
        .iter()
        .map(|s| s.local_addr().unwrap())
        .collect();
    assert_eq!((tcp, udp), (at.clone(), at));
}

#[test]
fn an_address_that_another_covers_is_not_opened_twice() {
    for addresses in ["0.0.0.0 127.0.0.1", "127.0.0.1 0.0.0.0"] {
        assert_eq!(opened(addresses).tcp.len(), 1, "{addresses}");
    }
    if has_ipv6() {
        for addresses in [":: 0.0.0.0", "0.0.0.0 ::", ":: 127.0.0.1", "127.0.0.1 ::"] {
            let sockets = opened(addresses);
            TcpStream::connect((Ipv4Addr::LOCALHOST, sockets.port)).expect(addresses);
            TcpStream::connect((Ipv6Addr::LOCALHOST, sockets.port)).expect(addresses);
        }
    }
}

/// Whether it does is for the system to say; it must be known, since URLs follow from it.
#[test]
fn a_wildcard_of_ipv6_that_takes_ipv4_says_so() {
    if !has_ipv6() {
        return;
    }
    let sockets = opened("::");
    let takes = TcpStream::connect((Ipv4Addr::LOCALHOST, sockets.port)).is_ok();
    let expected = if takes { ":: 0.0.0.0" } else { "::" };
    assert_eq!(sockets.bind, ips(expected));
    assert_eq!(opened("::1").bind, ips("::1"));
}

#[test]
fn a_taken_port_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let port = address.port();
    let error = open(&[address.ip()], port, AS_TCP).unwrap_err();
    assert!(
        error.starts_with(&format!("port {port} is in use")),
        "{error}"
    );
}

#[test]
fn a_port_taken_on_ipv4_alone_is_taken() {
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = open(&[], port, AS_TCP).unwrap_err();
    assert!(
        error.starts_with(&format!("port {port} is in use")),
        "{error}"
    );
}

#[test]
fn where_udp_is_taken_tcp_is_opened_and_why_is_said() {
    // A port that is free for TCP, which another program may take meanwhile: so try some.
    for _ in 0..TRIES {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let Ok(sockets) = open(&ips("127.0.0.1"), port, AS_TCP) else {
            continue;
        };
        assert_eq!(sockets.tcp.len(), 1);
        let Udp::Refused(why) = sockets.udp else {
            panic!("{:?}", sockets.udp);
        };
        assert!(
            why.starts_with(&format!("UDP port {port} is in use")),
            "{why}"
        );
        let without = open(&ips("127.0.0.2"), port, None).unwrap();
        assert!(matches!(without.udp, Udp::Off));
        return;
    }
    panic!("no port is free for TCP alone");
}

/// What is free for TCP may be taken for UDP, so others are tried; but not for ever.
#[test]
fn of_free_ports_some_are_tried_until_one_is_free_for_udp() {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let opened_after = |taken: u32| {
        let tries = std::cell::Cell::new(0);
        // A second socket at the same address finds the port taken.
        let each = |_: &[IpAddr]| {
            tries.set(tries.get() + 1);
            Some(vec![loopback; if tries.get() <= taken { 2 } else { 1 }])
        };
        let sockets = open(&ips("127.0.0.1"), 0, Some(&each)).unwrap();
        (sockets.udp.count(), tries.get())
    };
    assert_eq!(opened_after(5), (1, 6));
    let (count, tries) = opened_after(u32::MAX);
    assert_eq!(count, 0);
    assert!(tries <= 1000, "{tries}");
}

#[test]
fn every_refusal_says_what_to_do() {
    for (kind, port, expected) in [
        (
            ErrorKind::AddrInUse,
            9000,
            "port 9000 is in use by another program (or another mayfly): \
            stop that one, or choose another port, such as: mayfly -p 9001",
        ),
        (
            ErrorKind::AddrInUse,
            65535,
            "port 65535 is in use by another program (or another \
            mayfly): stop that one, or choose another port, such as: mayfly -p 9001",
        ),
        (
            ErrorKind::PermissionDenied,
            80,
            "this user may not listen on port 80: choose one above \
            1023, such as: mayfly -p 9000 (or on Linux allow it: setcap cap_net_bind_service=+ep \
            on the executable; for a service of systemd, dont_readme.txt has what it needs)",
        ),
        (
            ErrorKind::PermissionDenied,
            9000,
            "the system does not let anybody listen on port 9000: \
            choose another one, such as: mayfly -p 6969",
        ),
        (
            ErrorKind::AddrNotAvailable,
            9000,
            "--bind '192.0.2.1': this machine has no such \
            address; leave -b out to listen on all that it has",
        ),
    ] {
        let address = SocketAddr::from(([192, 0, 2, 1], port));
        let error = kind.into();
        assert_eq!(explain(Failed { address, error }), expected);
    }
}
