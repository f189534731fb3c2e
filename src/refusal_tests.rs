//! Tests of `refusal.rs`.

use super::*;

/// One of each kind, with all that is in them.
fn all() -> Vec<Refusal> {
    let http = [
        HttpRefusal::NotAGet,
        HttpRefusal::TooSlow,
        HttpRefusal::Busy,
        HttpRefusal::TargetTooLong,
        HttpRefusal::TooLong,
        HttpRefusal::NotHttp,
        HttpRefusal::BadLine,
        HttpRefusal::BadHeader,
        HttpRefusal::BadVersion,
        HttpRefusal::Body,
        HttpRefusal::Expect,
    ];
    let packets = [
        BadPacket::NoHead,
        BadPacket::ShortAnnounce,
        BadPacket::EmptyScrape,
        BadPacket::CutScrape,
        BadPacket::LongScrape,
        BadPacket::Action,
    ];
    let mistakes = [
        Mistake::Hexadecimal,
        Mistake::Base32,
        Mistake::EscapedTwice,
        Mistake::Version2,
        Mistake::Length(7),
    ];
    let others = [
        Refusal::ConnectionId,
        Refusal::MissingInfoHash,
        Refusal::MissingPeerId,
        Refusal::MissingPort,
        Refusal::PeerIdLength(7),
        Refusal::PortZero,
        Refusal::Port("x".into()),
        Refusal::NothingToScrape,
        Refusal::StoreIsFull,
        Refusal::TooManyOfAddress,
        Refusal::TooManyOfAddressInTorrent,
        Refusal::ScrapeIsOff,
        Refusal::NotForwarded,
        Refusal::Forwarded("x".into()),
        Refusal::ContradictoryProxy("x".into()),
        Refusal::Internal,
    ];
    let http = http.into_iter().map(Refusal::Http);
    let packets = packets.into_iter().map(Refusal::Packet);
    let mistakes = mistakes.into_iter().map(Refusal::InfoHash);
    http.chain(packets).chain(mistakes).chain(others).collect()
}

/// Whoever watches a tracker has these in his rules: a word may be added, none changed.
#[test]
fn the_labels_stay() {
    let expected = [
        "not_a_get",
        "missing_info_hash",
        "missing_peer_id",
        "missing_port",
        "info_hash",
        "peer_id",
        "port_zero",
        "port",
        "store_full",
        "address_full",
        "address_full_in_torrent",
        "scrape_off",
        "scrape_of_everything",
        "forwarded",
        "internal",
        "connection_id",
        "bad_packet",
        "bad_request",
        "request_too_long",
        "request_body",
        "request_too_slow",
        "busy",
    ];
    assert_eq!(Reason::ALL.map(Reason::label), expected);
    for label in expected {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        assert!(label.bytes().all(is_plain), "{label}");
    }
}

#[test]
fn every_reason_is_at_the_place_of_its_number_and_of_some_refusal() {
    for (number, reason) in Reason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, number);
        let is_met = all().iter().any(|refusal| refusal.reason() == reason);
        assert!(is_met, "{reason:?}");
    }
}

#[test]
fn codes_are_those_of_the_wiki() {
    for refusal in all() {
        let code = match refusal {
            Refusal::Http(HttpRefusal::NotAGet) => 100,
            Refusal::MissingInfoHash | Refusal::NothingToScrape => 101,
            Refusal::MissingPeerId => 102,
            Refusal::MissingPort => 103,
            Refusal::InfoHash(_) => 150,
            Refusal::PeerIdLength(_) => 151,
            _ => 900,
        };
        assert_eq!(refusal.code(), code, "{refusal:?}");
    }
}

#[test]
fn what_will_pass_does_so_without_anybodys_doing() {
    let passing: Vec<_> = all().into_iter().filter(Refusal::will_pass).collect();
    let expected = [
        Refusal::Http(HttpRefusal::TooSlow),
        Refusal::Http(HttpRefusal::Busy),
        Refusal::ConnectionId,
        Refusal::StoreIsFull,
        Refusal::TooManyOfAddress,
        Refusal::TooManyOfAddressInTorrent,
        Refusal::Internal,
    ];
    assert_eq!(passing, expected);
}

#[test]
fn a_text_is_one_sentence_for_a_person_and_so_is_the_fault() {
    let mut texts: Vec<_> = all().iter().map(Refusal::to_string).collect();
    for refusal in all() {
        for text in [refusal.to_string(), refusal.fault().to_owned()] {
            let is_plain = |byte: u8| (b' '..=b'~').contains(&byte);
            assert!(text.bytes().all(is_plain), "{text}");
            assert!((10..200).contains(&text.len()), "{text}");
            assert!(!text.ends_with('.') && !text.starts_with(char::is_uppercase));
        }
    }
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), all().len(), "each says something else");
}

#[test]
fn a_refusal_quotes_what_came_without_control_characters() {
    for kind in [Refusal::Port, Refusal::Forwarded] {
        let text = kind("1\r\n\u{1b}[2J".into()).to_string();
        assert!(text.chars().all(|c| !c.is_control()), "{text:?}");
    }
}

/// A person with a terminal, a proxy and a client all go by the status.
#[test]
fn statuses() {
    for refusal in all() {
        let Refusal::Http(refusal) = refusal else {
            continue;
        };
        let number = match refusal {
            HttpRefusal::NotHttp | HttpRefusal::BadLine | HttpRefusal::BadHeader => 400,
            HttpRefusal::NotAGet => 405,
            HttpRefusal::TooSlow => 408,
            HttpRefusal::Body => 413,
            HttpRefusal::Expect => 417,
            HttpRefusal::TargetTooLong => 414,
            HttpRefusal::TooLong => 431,
            HttpRefusal::Busy => 503,
            HttpRefusal::BadVersion => 505,
        };
        let (digits, phrase) = refusal.status().split_once(' ').unwrap();
        assert_eq!((digits.parse(), phrase.is_empty()), (Ok(number), false));
    }
}
