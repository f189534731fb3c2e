//! `wire.md`'s bullets on the announce over HTTP, a test each, on bytes.

use super::*;
use crate::announce::{Endpoint, Peer};
use proptest::prelude::*;

const HASH: &str = "%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A";
const ID: &str = "-TR3000-+abc~def.123";

fn path() -> Path {
    Path {
        source: "203.0.113.7".parse().unwrap(),
        local: "198.51.100.1".parse().unwrap(),
    }
}

fn read_raw(query: &[u8]) -> Result<(Announce, Form), Refusal> {
    read(query, path())
}

/// An ordinary query with something added in front, where it has precedence.
fn with(added: &str) -> (Announce, Form) {
    let query = format!("{added}&info_hash={HASH}&peer_id={ID}&port=6881&left=5");
    read_raw(query.as_bytes()).unwrap()
}

fn refusal(query: &str) -> Refusal {
    read_raw(query.as_bytes()).unwrap_err()
}

#[test]
fn an_ordinary_announce() {
    let (announce, form) = with("");
    assert_eq!(
        announce.info_hash.to_string(),
        "123456789abcdef123456789abcdef123456789a"
    );
    assert_eq!(announce.peer_id.0, ID.as_bytes(), "plus stays plus");
    assert_eq!((announce.source, announce.port), (path().source, 6881));
    assert_eq!((announce.event, announce.numwant), (Event::Update, None));
    assert!(form.compact && !form.no_peer_id && !announce.is_seeder);
}

#[test]
fn escapes_upper_lower_mixed_and_raw_bytes() {
    let expected = with("").0.info_hash;
    for hash in [
        "%12%34%56%78%9a%bc%de%f1%23%45%67%89%ab%cd%ef%12%34%56%78%9a",
        "%12%34%56%78%9A%bC%De%F1%23%45%67%89%AB%cd%eF%12%34%56%78%9a",
    ] {
        let query = format!("info_hash={hash}&peer_id={ID}&port=1");
        assert_eq!(read_raw(query.as_bytes()).unwrap().0.info_hash, expected);
    }
    let mut query = b"info_hash=".to_vec();
    query.extend_from_slice(&expected.0);
    query.extend_from_slice(b"&peer_id=aaaaaaaaaaaaaaaaaaaa&port=1");
    assert_eq!(read_raw(&query).unwrap().0.info_hash, expected, "raw bytes");
}

#[test]
fn the_first_of_a_repeated_key_counts() {
    assert_eq!(with("port=1").0.port, 1);
    assert!(with("left=0&left=1").0.is_seeder);
}

#[test]
fn private_tracker_keys_unknown_keys_bare_keys_and_empty_pairs_do_no_harm() {
    let odd = "passkey=x&supportcrypto=1&corrupt=0&redundant=0&trackerid=&azudp=1&&bare&=";
    assert_eq!(with(odd), with(""));
}

#[test]
fn the_key_is_the_number_that_udp_would_carry() {
    for (key, expected) in [
        ("key=0000ABCD", Some(0xabcd)),
        ("key=abcd", Some(0xabcd)),
        ("key=FFFFFFFF", Some(u32::MAX)),
        ("key=00000000", None),
        ("key=", None),
        ("", None),
    ] {
        assert_eq!(with(key).0.key, expected, "{key}");
    }
    let of = |key: &str| with(&format!("key={key}")).0.key.unwrap();
    assert_eq!(of("xyz"), of("%78yz"), "any text will do");
    assert_ne!(of("xyz"), of("xyw"));
    assert_ne!(of("123456789"), of("123456780"), "too long for 32 bits");
}

#[test]
fn who_has_sent_or_got_a_byte_has_transferred() {
    for (said, expected) in [
        ("", false),
        ("uploaded=0&downloaded=0", false),
        ("uploaded=1&downloaded=0", true),
        ("uploaded=0&downloaded=99999999999999999999", true),
        ("downloaded=-1&uploaded=x", false),
    ] {
        assert_eq!(with(said).0.has_transferred, expected, "{said}");
    }
}

#[test]
fn left_decides_who_is_a_seeder() {
    for (left, is_seeder) in [
        ("0", true),
        ("00", true),
        ("1", false),
        ("", false),
        ("-1", false),
        ("-0", false),
        ("+0", false),
        ("0x", false),
        ("18446744073709551615", false),
        ("18446744073709551616", false),
        ("340282366920938463463374607431768211456", false),
    ] {
        assert_eq!(
            with(&format!("left={left}")).0.is_seeder,
            is_seeder,
            "{left}"
        );
    }
    let query = format!("info_hash={HASH}&peer_id={ID}&port=6881");
    assert!(!read_raw(query.as_bytes()).unwrap().0.is_seeder, "missing");
}

#[test]
fn events_known_empty_paused_and_unknown() {
    for (event, expected) in [
        ("started", Event::Started),
        ("completed", Event::Completed),
        ("stopped", Event::Stopped),
        ("", Event::Update),
        ("paused", Event::Update),
        ("whatever", Event::Update),
    ] {
        assert_eq!(with(&format!("event={event}")).0.event, expected, "{event}");
    }
}

#[test]
fn numwant_missing_negative_odd_small_and_huge() {
    for (numwant, expected) in [
        ("", None),
        ("-1", None),
        ("many", None),
        ("0", Some(0)),
        ("7", Some(7)),
        ("99999999999999999999999", Some(u32::MAX)),
    ] {
        let announce = with(&format!("numwant={numwant}")).0;
        assert_eq!(announce.numwant, expected, "{numwant}");
    }
}

#[test]
fn compact_unless_compact_is_0() {
    for (query, compact, no_peer_id, wants_peer_ids) in [
        ("", true, false, false),
        ("compact=1", true, false, false),
        ("compact=", true, false, false),
        ("compact=0", false, false, true),
        ("compact=0&no_peer_id=0", false, false, true),
        ("compact=0&no_peer_id=1", false, true, false),
    ] {
        let (announce, form) = with(query);
        assert_eq!((form.compact, form.no_peer_id), (compact, no_peer_id));
        assert_eq!(announce.wants_peer_ids, wants_peer_ids, "{query}");
    }
}

#[test]
fn claims_are_read_and_nonsense_is_none() {
    let announce = with("ip=box.lan&ipv4=192.0.2.1&ipv6=%5B2001%3Adb8%3A%3A1%5D%3A9").0;
    assert_eq!(announce.ip, Claim::parse("box.lan"));
    assert_eq!(announce.ipv4, Claim::parse("192.0.2.1"));
    assert_eq!(announce.ipv6, Claim::parse("[2001:db8::1]:9"));
    assert_eq!(with("ip=%00%ff").0.ip, None);
    assert_eq!(with(&format!("ip={}", "a".repeat(5_000))).0.ip, None);
}

#[test]
fn what_is_missing_or_wrong_is_named_with_its_code() {
    let long = "9".repeat(5_000);
    let table = [
        (String::new(), 101, "info_hash is missing"),
        (format!("info_hash={HASH}"), 102, "peer_id is missing"),
        (
            format!("info_hash={HASH}&peer_id={ID}"),
            103,
            "port is missing",
        ),
        (
            "info_hash=123456789abcdef123456789abcdef123456789a".into(),
            150,
            "info_hash is 40 characters of hexadecimal; \
             send the 20 raw bytes, percent-encoded",
        ),
        (
            "info_hash=CI2FM6E2XTPPCI2FM6E2XTPPCI2FM6E2".into(),
            150,
            "32 characters of base32",
        ),
        (
            format!("info_hash={}", HASH.replace('%', "%25")),
            150,
            "percent-encoded twice",
        ),
        (
            format!("info_hash={}", "%00".repeat(32)),
            150,
            "version 2 hash in full; send its first 20 bytes, percent-encoded",
        ),
        (
            format!("info_hash={}", "0a".repeat(32)),
            150,
            "version 2 hash in full; send its first 20 bytes, percent-encoded",
        ),
        (
            format!("info_hash={}", "0g".repeat(32)),
            150,
            "info_hash is 64 bytes, not 20",
        ),
        ("info_hash=".into(), 150, "info_hash is 0 bytes, not 20"),
        ("info_hash=%zz".into(), 150, "info_hash is 3 bytes, not 20"),
        (
            format!("info_hash={HASH}&peer_id=abc"),
            151,
            "peer_id is 3 bytes, not 20",
        ),
    ];
    for (query, code, reason) in table {
        let refusal = refusal(&query);
        assert_eq!(refusal.code(), code, "{query}");
        assert!(refusal.to_string().contains(reason), "{query}: {refusal}");
    }
    for port in ["0", "65536", "-1", "", "x", "6881 ", &long] {
        let refusal = refusal(&format!("info_hash={HASH}&peer_id={ID}&port={port}"));
        let text = refusal.to_string();
        assert_eq!(refusal.code(), 900);
        assert!(text.starts_with("port is '") && text.len() < 200, "{text}");
    }
}

fn peer(ip: &str, port: u16) -> Peer {
    Peer {
        endpoint: Endpoint {
            ip: ip.parse().unwrap(),
            port,
        },
        peer_id: PeerId(*b"-MF1000-abcdefghijkl"),
    }
}

fn reply(peers: Vec<Peer>) -> Reply {
    Reply {
        interval: 240,
        min_interval: 60,
        seeders: 3,
        leechers: 2,
        downloaded: 1,
        external_ip: "203.0.113.7".parse().unwrap(),
        peers,
        ..Reply::default()
    }
}

fn written(reply: &Reply, compact: bool, no_peer_id: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let form = Form {
        compact,
        no_peer_id,
    };
    write_reply(reply, form, &mut out);
    out
}

/// `d8:complete…` up to the peers.
const BEFORE_PEERS: &[u8] = b"d8:completei3e10:downloadedi1e11:external ip4:\xcb\x00\x71\x07\
    10:incompletei2e8:intervali240e12:min intervali60e";

#[test]
fn a_compact_answer_byte_for_byte() {
    let both = reply(vec![
        peer("192.0.2.1", 6881),
        peer("2001:db8::1", 258),
        peer("192.0.2.2", 1),
    ]);
    let expected = [
        BEFORE_PEERS,
        b"5:peers12:\xc0\x00\x02\x01\x1a\xe1\xc0\x00\x02\x02\x00\x01",
        b"6:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x01\x02",
        b"e",
    ];
    assert_eq!(written(&both, true, false), expected.concat());
}

#[test]
fn peers_is_there_when_there_are_none_and_when_all_are_ipv6() {
    let none = [BEFORE_PEERS, b"5:peers0:e"].concat();
    assert_eq!(written(&reply(vec![]), true, false), none);
    let none = [BEFORE_PEERS, b"5:peerslee"].concat();
    assert_eq!(written(&reply(vec![]), false, false), none);
    let ipv6 = written(&reply(vec![peer("2001:db8::1", 258)]), true, false);
    let start = [BEFORE_PEERS, b"5:peers0:6:peers618:"].concat();
    assert!(ipv6.starts_with(&start));
}

#[test]
fn an_answer_of_dictionaries_has_both_families_in_peers() {
    let both = reply(vec![peer("192.0.2.1", 6881), peer("2001:db8::1", 258)]);
    let expected = [
        BEFORE_PEERS,
        b"5:peersl",
        b"d2:ip9:192.0.2.17:peer id20:-MF1000-abcdefghijkl4:porti6881ee",
        b"d2:ip11:2001:db8::17:peer id20:-MF1000-abcdefghijkl4:porti258ee",
        b"ee",
    ];
    assert_eq!(written(&both, false, false), expected.concat());
    let expected = [
        BEFORE_PEERS,
        b"5:peersld2:ip9:192.0.2.14:porti6881ee",
        b"d2:ip11:2001:db8::14:porti258eeee",
    ];
    assert_eq!(written(&both, false, true), expected.concat());
}

#[test]
fn external_ip_is_4_or_16_raw_bytes() {
    let mut over_ipv6 = reply(vec![]);
    over_ipv6.external_ip = "2001:db8::7".parse().unwrap();
    let out = written(&over_ipv6, true, false);
    let expected = b"11:external ip16:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07";
    assert!(out.windows(expected.len()).any(|part| part == expected));
}

#[test]
fn a_failure_is_a_reason_and_a_code_and_if_it_will_pass_an_interval() {
    for (refusal, code, end) in [
        (Refusal::MissingPort, 103, "e"),
        (Refusal::StoreIsFull, 900, "8:intervali240ee"),
        (Refusal::TooManyOfAddress, 900, "8:intervali240ee"),
        (Refusal::TooManyOfAddressInTorrent, 900, "8:intervali240ee"),
        (Refusal::ScrapeIsOff, 900, "e"),
    ] {
        let mut out = Vec::new();
        write_refusal(&refusal, 240, &mut out);
        let text = refusal.to_string();
        let expected = format!(
            "d12:failure codei{code}e14:failure reason{}:{text}{end}",
            text.len()
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

proptest! {
    #[test]
    fn anything_is_read_or_refused(query: Vec<u8>) {
        let _ = read_raw(&query);
    }

    /// Random values for the keys that matter, so that more than the first check is reached.
    #[test]
    fn any_values_are_read_or_refused(
        values in prop::collection::vec((0..11_usize, "[ -~]{0,40}|[0-9%a-f]{20}"), 0..30),
    ) {
        const KEYS: [&str; 11] = [
            "info_hash", "peer_id", "port", "left", "event", "numwant", "compact", "no_peer_id",
            "ip", "ipv4", "ipv6",
        ];
        let pairs: Vec<_> = values.iter().map(|(k, v)| format!("{}={v}", KEYS[*k])).collect();
        match read_raw(pairs.join("&").as_bytes()) {
            Ok((announce, _)) => prop_assert!(announce.port != 0),
            Err(refusal) => prop_assert!(refusal.to_string().len() < 300),
        }
    }
}
