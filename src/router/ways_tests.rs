use super::*;
use std::net::{IpAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const WISH: Wish = Wish {
    port: 9000,
    udp: true,
};

const OUTSIDE: [u8; 4] = [203, 0, 114, 1];

/// A router on this machine that answers packets as `answer` says, and knows no UPnP. Its thread
/// ends with the test's process.
fn router(answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> Router {
    router_of_many(move |packet, send| send(&answer(packet)))
}

/// The same with any number of answers to a packet.
fn router_of_many(mut answer: impl FnMut(&[u8], &mut dyn FnMut(&[u8])) + Send + 'static) -> Router {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = socket.local_addr().expect("an address").port();
    thread::spawn(move || {
        let mut buffer = [0; 1200];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            answer(&buffer[..length], &mut |answer| {
                let _ = socket.send_to(answer, from);
            });
        }
    });
    // Nobody listens there, and this port is nobody's but its own.
    let nobody = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    Router {
        address: Ipv4Addr::LOCALHOST,
        is_guess: false,
        local: Ipv4Addr::LOCALHOST,
        networks: Vec::new(),
        port,
        ssdp: [nobody; 2],
    }
}

/// What a router answers that speaks PCP: the port that was asked for plus `more`.
fn pcp(packet: &[u8], epoch: u8, more: u8) -> Vec<u8> {
    let mut answer = packet.to_vec();
    answer[1] |= 0x80;
    answer[8..24].fill(0);
    answer[11] = epoch;
    answer[43] += more;
    answer[56..].copy_from_slice(&OUTSIDE);
    answer
}

/// The same for NAT-PMP; to PCP it says what RFC 6887 wants of it.
fn nat_pmp(packet: &[u8], epoch: u8) -> Vec<u8> {
    let mut answer = vec![0, packet[1] | 0x80, 0, 0, 0, 0, 0, epoch];
    match packet {
        [0, 0] => answer.extend(OUTSIDE),
        [0, 1 | 2, ..] => answer.extend(&packet[4..]),
        _ => answer[3] = 1,
    }
    answer
}

fn ask(router: &Router, held: Option<&Held>, second: u64) -> Result<Held, Refusal> {
    super::ask(router, WISH, [7; 12], held, Duration::from_secs(second))
}

#[test]
fn pcp_comes_first() {
    let router = router(|packet| pcp(packet, 9, 0));
    let held = ask(&router, None, 0).expect("a mapping");
    assert_eq!(held.way, Way::Pcp(9));
    let expected = Forwarded {
        ip: IpAddr::from(OUTSIDE),
        tcp_port: 9000,
        udp_port: Some(9000),
    };
    assert_eq!(held.outside, expected);
    assert_eq!(held.lease, Some(Duration::from_secs(3600)));
    assert!(!held.has_forgotten);
}

#[test]
fn a_router_that_speaks_nat_pmp_alone_is_asked_by_that() {
    let router = router(|packet| nat_pmp(packet, 9));
    let held = ask(&router, None, 0).expect("a mapping");
    assert_eq!(held.way, Way::NatPmp(9));
    assert_eq!(held.outside.ip, IpAddr::from(OUTSIDE));
    assert_eq!(
        (held.outside.tcp_port, held.outside.udp_port),
        (9000, Some(9000))
    );
}

#[test]
fn the_port_that_the_router_gave_is_asked_for_again_and_for_udp_too() {
    // TCP gets another port than was asked for, and UDP what it asks for.
    let router = router(|packet| {
        let is_first = packet[36] == 6 && packet[43] == 0x28;
        pcp(packet, 9, is_first.into())
    });
    let held = ask(&router, None, 0).expect("a mapping");
    assert_eq!(
        (held.outside.tcp_port, held.outside.udp_port),
        (9001, Some(9001))
    );
    let again = ask(&router, Some(&held), 0).expect("a mapping");
    assert_eq!(again.outside, held.outside);
}

#[test]
fn without_udp_only_tcp_is_mapped() {
    let router = router(|packet| match packet[36] {
        6 => pcp(packet, 9, 0),
        other => panic!("protocol {other}"),
    });
    let wish = Wish { udp: false, ..WISH };
    let held = super::ask(&router, wish, [7; 12], None, Duration::ZERO).expect("a mapping");
    assert_eq!((held.outside.tcp_port, held.outside.udp_port), (9000, None));
}

#[test]
fn a_router_whose_clock_has_begun_anew_has_forgotten() {
    for way in [Way::Pcp(100), Way::NatPmp(100)] {
        let is_pcp = matches!(way, Way::Pcp(_));
        // Twenty seconds pass, by whatever clock.
        for (epoch, expected) in [(120, false), (5, true)] {
            let router = router(move |packet| match is_pcp {
                true => pcp(packet, epoch, 0),
                false => nat_pmp(packet, epoch),
            });
            let mut held = ask(&router, None, 0).expect("a mapping");
            held.way = way.clone();
            let again = ask(&router, Some(&held), 20).expect("a mapping");
            assert_eq!(again.has_forgotten, expected, "{way:?}, {epoch}");
        }
    }
}

#[test]
fn the_refusal_that_says_most_is_given() {
    use Refusal::{NoAddress, NoResources, NotAuthorized, Silence, Unsupported};
    for (one, other, expected) in [
        (Silence, Silence, Silence),
        (Silence, Unsupported, Unsupported),
        (NotAuthorized, Silence, NotAuthorized),
        (NoResources, NoAddress, NoAddress),
        (NoResources, NotAuthorized, NotAuthorized),
        (Refusal::Other(1), Refusal::Other(2), Refusal::Other(1)),
    ] {
        assert_eq!(one.or(other), expected, "{one:?} {other:?}");
    }
    // As miniupnpd does whose own address is private.
    let router = router(|packet| {
        let mut answer = match packet[0] {
            2 => pcp(packet, 9, 0),
            _ => nat_pmp(packet, 9),
        };
        answer[3] = if packet[0] == 2 { 8 } else { 3 };
        answer
    });
    assert_eq!(ask(&router, None, 0), Err(NoAddress));
}

#[test]
fn ten_thousand_malformed_answers_are_no_answer() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let router = router_of_many(move |packet, send| {
        let good = match packet[0] {
            2 => pcp(packet, 9, 0),
            _ => nat_pmp(packet, 9),
        };
        for _ in 0..2000 {
            let number = count.fetch_add(1, Ordering::Relaxed);
            // Each almost is one: a byte is wrong, and most are cut short.
            let mut answer = good.clone();
            answer[0] ^= 0x55;
            answer.truncate(number % (answer.len() + 1));
            send(&answer);
        }
    });
    assert_eq!(ask(&router, None, 0), Err(Refusal::Silence));
    assert!(sent.load(Ordering::Relaxed) >= 10_000);
}
