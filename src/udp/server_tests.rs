//! Packets in, packets out, without a socket.

use super::*;
use crate::service::tests::{logged, service};
use crate::tracker::Settings;
use proptest::prelude::*;

fn server(scrape: bool) -> Server {
    Server {
        service: Arc::new(service(scrape).0),
        ids: ConnectionIds::new(Settings::default().life()),
    }
}

const NOW: Duration = Duration::from_secs(600);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The answer to a packet from `from` at a socket of 198.51.100.1.
fn ask(server: &Server, from: &str, packet: &[u8]) -> Option<Vec<u8>> {
    let mut buffers = Buffers::default();
    let local = ip("198.51.100.1");
    let is_answered = server.answer(packet, ip(from), local, NOW, &mut buffers);
    is_answered.then_some(buffers.answer)
}

fn head(id: u64, action: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &action.to_be_bytes(), b"tran"].concat()
}

fn announce(id: u64, port: u16, left: u8) -> Vec<u8> {
    let mut packet = head(id, 1);
    packet.resize(98, 0);
    packet[16..36].copy_from_slice(b"an info_hash of 2026");
    packet[71] = left;
    packet[92..96].copy_from_slice(&[0xff; 4]);
    packet[96..].copy_from_slice(&port.to_be_bytes());
    packet
}

fn id_for(server: &Server, from: &str) -> u64 {
    let answer = ask(server, from, &head(0x417_2710_1980, 0)).unwrap();
    assert_eq!(answer.len(), 16);
    assert_eq!(answer[..8], *b"\0\0\0\0tran");
    u64::from_be_bytes(answer[8..].try_into().unwrap())
}

fn error_text(answer: &[u8]) -> &str {
    assert_eq!(answer[..8], *b"\0\0\0\x03tran");
    std::str::from_utf8(&answer[8..]).unwrap()
}

#[test]
fn connect_announce_and_meet() {
    let server = server(false);
    for (one, other) in [
        ("203.0.113.1", "::ffff:203.0.113.2"),
        ("2001:db8::1", "2001:db8::2"),
    ] {
        let id = id_for(&server, one);
        let answer = ask(&server, one, &announce(id, 1, 5)).unwrap();
        assert_eq!(answer[..12], *b"\0\0\0\x01tran\0\0\0\xf0");
        let id = id_for(&server, other);
        let answer = ask(&server, other, &announce(id, 2, 0)).unwrap();
        let peer: &[u8] = match one {
            "203.0.113.1" => &[203, 0, 113, 1, 0, 1],
            _ => b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x01",
        };
        assert_eq!(answer[20..], *peer);
    }
}

#[test]
fn a_peer_of_http_and_a_peer_of_udp_are_in_one_swarm() {
    let server = server(false);
    let id = id_for(&server, "203.0.113.1");
    ask(&server, "203.0.113.1", &announce(id, 1, 5)).unwrap();
    let path = crate::http::announce::Path {
        source: ip("203.0.113.2"),
        local: ip("198.51.100.1"),
    };
    let query = b"info_hash=an%20info_hash%20of%202026&peer_id=aaaaaaaaaaaaaaaaaaaa&port=2";
    let (over_http, _) = crate::http::announce::read(query, path).unwrap();
    let mut reply = Reply::default();
    server
        .service
        .tracker
        .handle(&over_http, NOW, &mut reply)
        .unwrap();
    assert_eq!(reply.peers[0].endpoint.to_string(), "203.0.113.1:1");
}

#[test]
fn a_wrong_id_gets_less_than_it_sent_and_changes_nothing() {
    let server = server(true);
    let id = id_for(&server, "203.0.113.1");
    let mut scrape = head(id, 2);
    scrape.extend_from_slice(&[1; 20]);
    for packet in [announce(id, 1, 5), scrape] {
        let answer = ask(&server, "203.0.113.9", &packet).unwrap();
        assert_eq!(error_text(&answer), Refusal::ConnectionId.to_string());
        assert!(answer.len() < packet.len());
    }
    let answer = ask(&server, "203.0.113.1", &announce(id, 2, 5)).unwrap();
    assert_eq!(answer[12..], [0, 0, 0, 1, 0, 0, 0, 0], "itself alone");
}

/// There are clients that keep their id for several announces.
#[test]
fn an_id_lives_as_long_as_a_peer() {
    let server = server(false);
    let id = id_for(&server, "203.0.113.1");
    let life = Settings::default().life();
    for (age, is_good) in [(life, true), (life * 2, false)] {
        let mut buffers = Buffers::default();
        let packet = announce(id, 1, 5);
        let from = ip("203.0.113.1");
        let local = ip("198.51.100.1");
        assert!(server.answer(&packet, from, local, NOW + age, &mut buffers));
        assert_eq!(buffers.answer[3] == 1, is_good, "{age:?}");
    }
}

#[test]
fn what_is_no_packet_meets_silence() {
    let server = server(true);
    let id = id_for(&server, "203.0.113.1");
    for packet in [
        vec![],
        vec![0; 15],
        vec![0; 16],
        vec![0xff; 500],
        head(0, 0),
        head(id ^ 1, 9),
        head(id ^ 1, 1),
        head(id ^ 1, 2),
    ] {
        assert_eq!(ask(&server, "203.0.113.1", &packet), None, "{packet:?}");
    }
}

#[test]
fn with_a_good_id_every_mistake_is_named() {
    let server = server(true);
    let id = id_for(&server, "203.0.113.1");
    let says = |packet: &[u8], text| {
        let answer = ask(&server, "203.0.113.1", packet).unwrap();
        assert!(
            error_text(&answer).contains(text),
            "{}",
            error_text(&answer)
        );
    };
    says(&head(id, 1), "at least 98 bytes");
    says(&announce(id, 1, 0)[..97], "at least 98 bytes");
    says(&announce(id, 0, 0), "port is '0'");
    says(&head(id, 2), "at least one info_hash");
    says(&[head(id, 2), vec![0; 21]].concat(), "20 bytes for each");
    says(&[head(id, 2), vec![0; 1500]].concat(), "at most 74");
    says(&head(id, 3), "not known");
    says(&head(id, 0), "not known");
}

#[test]
fn scrape_is_off_until_it_is_on() {
    for scrape in [false, true] {
        let server = server(scrape);
        let id = id_for(&server, "203.0.113.1");
        ask(&server, "203.0.113.1", &announce(id, 1, 0)).unwrap();
        ask(&server, "203.0.113.1", &announce(id, 2, 5)).unwrap();
        let known = b"an info_hash of 2026";
        let packet = [&head(id, 2)[..], known, &[9; 20], known].concat();
        let answer = ask(&server, "203.0.113.1", &packet).unwrap();
        if scrape {
            let (some, none) = ([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1], [0; 12]);
            let expected = [&b"\0\0\0\x02tran"[..], &some, &none, &some].concat();
            assert_eq!(answer, expected);
        } else {
            assert_eq!(error_text(&answer), Refusal::ScrapeIsOff.to_string());
        }
    }
}

#[test]
fn what_became_of_each_packet_is_counted() {
    let server = server(true);
    let counters = &server.service.counters;
    let from = "203.0.113.1";
    let id = id_for(&server, from);
    ask(&server, from, &announce(id, 1, 5)).unwrap();
    ask(&server, from, &announce(id, 2, 5)).unwrap();
    ask(&server, from, &announce(id, 0, 5)).unwrap();
    ask(&server, from, &announce(id ^ 1, 1, 5)).unwrap();
    ask(&server, from, &[&head(id, 2)[..], &[9; 20]].concat()).unwrap();
    ask(&server, from, &head(id, 1)).unwrap();
    ask(&server, from, &head(id, 7)).unwrap();
    assert_eq!(ask(&server, from, b"?"), None);
    let announces = &counters.udp.announces;
    assert_eq!((announces.answered.get(), announces.refused.get()), (2, 1));
    assert_eq!(counters.udp.scrapes.answered.get(), 1);
    assert_eq!(counters.http.announces.answered.get(), 0);
    let refused: Vec<_> = counters.refusals().filter(|(_, n)| *n > 0).collect();
    let expected = [("port_zero", 1), ("connection_id", 1), ("bad_packet", 3)];
    assert_eq!(refused, expected);
}

/// Of who has not proven where it is, nothing is logged: a line would name a stranger.
#[test]
fn what_is_refused_is_logged_if_its_sender_is_known() {
    let (service, lines) = service(false);
    let server = Server {
        service: Arc::new(service),
        ids: ConnectionIds::new(Settings::default().life()),
    };
    let from = "203.0.113.1";
    let id = id_for(&server, from);
    let scrape = |id| [&head(id, 2)[..], &[9; 20]].concat();
    ask(&server, from, &scrape(id)).unwrap();
    ask(&server, from, &announce(id, 0, 5)).unwrap();
    ask(&server, from, &head(id, 7)).unwrap();
    ask(&server, from, &scrape(id ^ 1)).unwrap();
    assert_eq!(ask(&server, from, b"?"), None);
    let line =
        |asked, refusal: Refusal| format!("refused {asked}{from}: {refusal} ({})", refusal.fault());
    let expected = [
        line("a scrape by ", Refusal::ScrapeIsOff),
        line("an announce by ", Refusal::PortZero),
        line("", Refusal::Packet(BadPacket::Action)),
    ];
    assert_eq!(logged(&server.service, &lines), expected);
    assert_eq!(server.service.counters.udp.scrapes.refused.get(), 1);
}

#[test]
fn the_largest_answer_fits_into_a_packet_of_an_ordinary_network() {
    let server = server(false);
    let id = id_for(&server, "2001:db8::1");
    for port in 1..=300 {
        ask(&server, "2001:db8::1", &announce(id, port, 5)).unwrap();
    }
    let answer = ask(&server, "2001:db8::1", &announce(id, 1, 5)).unwrap();
    assert_eq!(answer.len(), 20 + 70 * 18);
}

proptest! {
    #[test]
    fn never_more_out_than_in_before_the_id_was_checked(
        bytes: Vec<u8>,
        action in 0..5_u32,
        tail in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let server = server(true);
        for packet in [bytes, [head(7, action), tail].concat()] {
            if let Some(answer) = ask(&server, "203.0.113.1", &packet) {
                prop_assert!(answer.len() <= packet.len());
            }
        }
    }
}
