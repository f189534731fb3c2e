//! Golden packets of BEP 15, byte for byte, in and out, and everything that is not one.

use super::*;
use crate::announce::{Endpoint, Peer};
use proptest::prelude::*;

const ID: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
const TRANSACTION: [u8; 4] = [0xca, 0xfe, 0xba, 0xbe];
const T: u32 = 0xcafe_babe;

/// An announce in which every field is told from every other.
fn golden_announce() -> Vec<u8> {
    [
        &ID[..],
        &[0, 0, 0, 1],
        &TRANSACTION,
        b"an info_hash of 2026",
        b"-MF1000-abcdefghijkl",
        &[0, 0, 0, 0, 0, 0, 1, 0],
        &[0, 0, 0, 0, 0, 0, 2, 0],
        &[0, 0, 0, 0, 0, 0, 3, 0],
        &[0, 0, 0, 2],
        &[0, 0, 0, 0],
        &[9, 9, 9, 9],
        &[0xff, 0xff, 0xff, 0xff],
        &[0x1a, 0xe1],
    ]
    .concat()
}

fn announce(bytes: &[u8]) -> Announce {
    match read(bytes).unwrap().action {
        Action::Announce(bytes) => read_announce(
            bytes,
            "192.0.2.1".parse().unwrap(),
            "192.0.2.9".parse().unwrap(),
        ),
        other => panic!("{other:?}"),
    }
}

/// The golden announce with some bytes replaced.
fn with(at: usize, bytes: &[u8]) -> Announce {
    let mut packet = golden_announce();
    packet[at..at + bytes.len()].copy_from_slice(bytes);
    announce(&packet)
}

#[test]
fn a_connect_is_read_and_answered_with_no_more_bytes() {
    let bytes = [
        0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 0xca, 0xfe, 0xba, 0xbe,
    ];
    let packet = read(&bytes).unwrap();
    assert_eq!((packet.action, packet.transaction_id), (Action::Connect, T));
    let mut out = vec![7; 99];
    write_connected(T, u64::from_be_bytes(ID), &mut out);
    assert_eq!(out, [&[0, 0, 0, 0][..], &TRANSACTION, &ID].concat());
    let mut wrong = bytes;
    wrong[7] ^= 1;
    assert_eq!(read(&wrong).unwrap().action, Action::Bad(BadPacket::Action));
}

#[test]
fn an_announce_is_read() {
    let packet = golden_announce();
    assert_eq!(packet.len(), 98);
    let head = read(&packet).unwrap();
    assert_eq!(head.connection_id, u64::from_be_bytes(ID));
    assert_eq!(head.transaction_id, T);
    let expected = Announce {
        info_hash: InfoHash(*b"an info_hash of 2026"),
        peer_id: PeerId(*b"-MF1000-abcdefghijkl"),
        key: Some(0x0909_0909),
        source: "192.0.2.1".parse().unwrap(),
        local: "192.0.2.9".parse().unwrap(),
        port: 6881,
        is_seeder: false,
        has_transferred: true,
        event: Event::Started,
        numwant: None,
        wants_peer_ids: false,
        wants_both_families: false,
        ip: None,
        ipv4: None,
        ipv6: None,
    };
    assert_eq!(announce(&packet), expected);
}

#[test]
fn the_fields_of_an_announce() {
    assert!(with(64, &[0; 8]).is_seeder, "left is 0");
    assert!(!with(64, &[0xff; 8]).is_seeder, "left is huge");
    let highest = with(64, &[1, 0, 0, 0, 0, 0, 0, 0]);
    assert!(!highest.is_seeder, "left has its highest byte here");
    for (event, expected) in [
        (0, Event::Update),
        (1, Event::Completed),
        (2, Event::Started),
        (3, Event::Stopped),
        (4, Event::Update),
    ] {
        assert_eq!(with(80, &[0, 0, 0, event]).event, expected);
    }
    assert_eq!(with(80, &[1, 0, 0, 3]).event, Event::Update);
    assert_eq!(with(92, &[0, 0, 0, 0]).numwant, Some(0));
    assert_eq!(with(92, &[0, 0, 0, 50]).numwant, Some(50));
    assert_eq!(
        with(92, &[0x7f, 0xff, 0xff, 0xff]).numwant,
        Some(i32::MAX as u32)
    );
    assert_eq!(with(92, &[0x80, 0, 0, 0]).numwant, None);
    assert_eq!(with(88, &[0, 0, 0, 0]).key, None, "said by those without");
    assert_eq!(with(88, &[0, 0, 0xab, 0xcd]).key, Some(0xabcd));
    let transferred = |amounts: [u8; 2]| {
        let [downloaded, uploaded] = amounts.map(|amount| [0, 0, 0, 0, 0, 0, amount, 0]);
        let amounts = [downloaded, [0; 8], uploaded].concat();
        with(56, &amounts).has_transferred
    };
    assert_eq!(
        [[0, 0], [1, 0], [0, 1]].map(transferred),
        [false, true, true]
    );
    assert_eq!(with(84, &[192, 168, 0, 7]).ip, Claim::parse("192.168.0.7"));
    let mut packet = golden_announce();
    packet[84..88].copy_from_slice(&[192, 168, 0, 7]);
    let over_ipv6 = "2001:db8::1".parse().unwrap();
    let packet = packet.first_chunk().expect("it is an announce");
    assert_eq!(read_announce(packet, over_ipv6, over_ipv6).ip, None);
    assert_eq!(
        with(96, &[0, 0]).port,
        0,
        "refused by the tracker, with words"
    );
}

#[test]
fn options_behind_an_announce_do_no_harm() {
    let plain = announce(&golden_announce());
    for options in [
        &[0][..],   // end of options
        &[1, 1, 1], // no operation
        &[2, 9, b'/', b'a', b'n', b'n', b'o', b'u', b'n', b'c', b'e'],
        &[2, 200, b'/'],   // URL data, cut off in the middle
        &[2],              // cut off before its length
        &[77, 3, 1, 2, 3], // unknown
        &[0xff; 400],
    ] {
        let packet = [&golden_announce()[..], options].concat();
        assert_eq!(announce(&packet), plain, "{options:?}");
    }
}

fn reply(external_ip: &str) -> Reply {
    let peer = |ip: &str, port| Peer {
        endpoint: Endpoint {
            ip: ip.parse().unwrap(),
            port,
        },
        peer_id: PeerId::default(),
    };
    Reply {
        interval: 240,
        seeders: 3,
        leechers: 2,
        external_ip: external_ip.parse().unwrap(),
        peers: vec![peer("192.0.2.7", 258), peer("2001:db8::7", 6881)],
        ..Reply::default()
    }
}

#[test]
fn the_answer_to_an_announce_over_each_family() {
    let head = [
        &[0, 0, 0, 1][..],
        &TRANSACTION,
        &[0, 0, 0, 240],
        &[0, 0, 0, 2],
        &[0, 0, 0, 3],
    ]
    .concat();
    let mut out = vec![7; 99];
    write_reply(T, &reply("192.0.2.1"), &mut out);
    assert_eq!(out, [&head[..], &[192, 0, 2, 7, 1, 2]].concat());
    write_reply(T, &reply("2001:db8::1"), &mut out);
    let peer = b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x1a\xe1";
    assert_eq!(out, [&head[..], peer].concat());
}

#[test]
fn a_scrape_is_read_and_answered_in_its_order_with_repeats() {
    let head = [&ID[..], &[0, 0, 0, 2], &TRANSACTION].concat();
    let hashes = [[1; 20], [2; 20], [1; 20]].concat();
    let packet = [&head[..], &hashes].concat();
    assert_eq!(read(&packet).unwrap().action, Action::Scrape(&hashes));
    let counts = |n| Counts {
        seeders: n,
        downloaded: n + 1,
        leechers: n + 2,
    };
    let mut out = vec![7; 99];
    write_scraped(T, [counts(1), counts(5)].into_iter(), &mut out);
    let expected = [
        &[0, 0, 0, 2][..],
        &TRANSACTION,
        &[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3],
        &[0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7],
    ];
    assert_eq!(out, expected.concat());
    for (hashes, is_one) in [(0, false), (1, true), (73, true), (74, true), (75, false)] {
        let packet = [&head[..], &vec![3; 20 * hashes]].concat();
        let action = read(&packet).unwrap().action;
        assert_eq!(matches!(action, Action::Scrape(_)), is_one, "{hashes}");
        assert_eq!(matches!(action, Action::Bad(_)), !is_one, "{hashes}");
    }
}

#[test]
fn an_error_is_a_transaction_id_and_a_text() {
    let mut out = vec![7; 99];
    write_refusal(T, &Refusal::ConnectionId, &mut out);
    let expected = [&[0, 0, 0, 3][..], &TRANSACTION, b"connection id expired"];
    assert_eq!(out, expected.concat());
}

#[test]
fn every_action_with_every_length() {
    for action in 0..6 {
        for length in 0..3_000 {
            let mut packet = vec![0; length];
            if length >= HEAD {
                packet[11] = action;
            }
            let read = read(&packet).map(|packet| packet.action);
            match (action, length, read) {
                (_, 0..16, None) => {}
                (1, 16..98, Some(Action::Bad(BadPacket::ShortAnnounce))) => {}
                (1, 98.., Some(Action::Announce(_))) => {}
                (2, _, Some(Action::Scrape(hashes))) => {
                    assert!(length == 16 + hashes.len() && hashes.len() % 20 == 0);
                    assert!((20..=74 * 20).contains(&hashes.len()));
                }
                (2, 16, Some(Action::Bad(BadPacket::EmptyScrape))) => {}
                (2, _, Some(Action::Bad(BadPacket::CutScrape))) => {
                    assert_ne!((length - 16) % 20, 0);
                }
                (2, _, Some(Action::Bad(BadPacket::LongScrape))) => {
                    assert!(length > 16 + 74 * 20);
                }
                (0 | 3.., 16.., Some(Action::Bad(BadPacket::Action))) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

proptest! {
    #[test]
    fn anything_is_read_or_not(bytes: Vec<u8>) {
        prop_assert_eq!(read(&bytes).is_some(), bytes.len() >= HEAD);
    }

    #[test]
    fn any_announce_is_read(tail in prop::collection::vec(any::<u8>(), 82..200)) {
        let packet = [&ID[..], &[0, 0, 0, 1], &TRANSACTION, &tail].concat();
        announce(&packet);
    }
}
