//! How the query of an announce is read: escapes, raw bytes, keys that are odd, unknown or
//! repeated. Clients differ most here, and a tracker that reads one of them differently puts it
//! into a swarm of its own.

use crate::support::http::{Announced, TORRENT, announce, ask, decode, ipv4, send};
use crate::support::tracker::Tracker;

fn start() -> Tracker {
    Tracker::start(&["-p", "0"])
}

/// Announces with a query of any bytes.
fn announce_raw(tracker: &Tracker, query: &[u8]) -> Announced {
    let request = [b"GET /announce?", query, b" HTTP/1.1\r\nHost: x\r\n\r\n"].concat();
    let answer = send(ipv4(tracker), &request);
    assert_eq!(answer.status, 200, "{}", query.escape_ascii());
    decode(&answer.body)
}

/// The query of an announce of this info_hash, as spelt, from this port.
fn query(info_hash: &[u8], port: u16) -> Vec<u8> {
    let rest = format!("&peer_id=-MF1000-abcdefghijkl&left=5&port={port}");
    [b"info_hash=", info_hash, rest.as_bytes()].concat()
}

fn upper_case(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

/// Asserts that both spellings name the same torrent.
#[track_caller]
fn assert_same(tracker: &Tracker, one: &[u8], other: &[u8]) {
    announce_raw(tracker, &query(one, 1));
    let announced = announce_raw(tracker, &query(other, 2));
    assert_eq!(
        announced.shown(),
        ["127.0.0.1:1"],
        "{} {}",
        one.escape_ascii(),
        other.escape_ascii()
    );
}

#[test]
fn escapes_are_read_in_upper_lower_and_mixed_case() {
    let tracker = start();
    let upper = "%AB%CD%EF%FA%AF%9C%C9%1E%E1%0B%B0%5D%D5%3F%F3%7C%C7%2E%E2%AA";
    assert_same(&tracker, upper.as_bytes(), upper.to_lowercase().as_bytes());
    let mixed = "%aB%Cd%eF%Fa%aF%9c%C9%1e%E1%0b%B0%5d%D5%3f%F3%7c%C7%2e%E2%Aa";
    assert_same(&tracker, upper.as_bytes(), mixed.as_bytes());
}

#[test]
fn every_byte_may_come_escaped_in_either_case() {
    let tracker = start();
    for first in (0..=255).step_by(20) {
        let bytes: Vec<u8> = (first..first + 20).map(|byte: u32| byte as u8).collect();
        let upper = upper_case(&bytes);
        assert_same(&tracker, upper.as_bytes(), upper.to_lowercase().as_bytes());
    }
}

#[test]
fn bytes_that_need_no_escape_may_come_raw() {
    let tracker = start();
    let raw = b"abcXYZ019-._~!$'()*,";
    assert_same(&tracker, upper_case(raw).as_bytes(), raw);
    // These have a meaning elsewhere in a URL, and none in a value.
    let raw = b":/?@;=[]|^{}`\"<>\\abc";
    assert_same(&tracker, upper_case(raw).as_bytes(), raw);
}

/// HTTP libraries refuse such a request line, and some clients send it.
#[test]
fn bytes_from_0x80_on_may_come_raw() {
    let tracker = start();
    for first in (0x80..=0xff).step_by(20) {
        let raw: Vec<u8> = (first..first + 20)
            .map(|byte: u32| byte as u8 | 0x80)
            .collect();
        assert_same(&tracker, upper_case(&raw).as_bytes(), &raw);
    }
}

#[test]
fn a_plus_sign_stays_a_plus_sign() {
    let tracker = start();
    let raw = b"++++++++++aaaaaaaaa+";
    assert_same(&tracker, upper_case(raw).as_bytes(), raw);
    let hash = "info_hash=aaaaaaaaaabbbbbbbbbb";
    let at = ipv4(&tracker);
    announce(at, &format!("{hash}&peer_id=-MF1000-a+b+c+d+ef%2B+&port=1"));
    let announced = announce(
        at,
        &format!("{hash}&peer_id=-MF1000-zzzzzzzzzzzz&port=2&compact=0"),
    );
    let peers = announced.peers.expect("peers");
    assert_eq!(
        peers[0].peer_id.as_deref(),
        Some(&b"-MF1000-a+b+c+d+ef++"[..])
    );
}

#[test]
fn a_bare_key_and_an_empty_pair_are_skipped() {
    let tracker = start();
    ask(&tracker, "port=1&left=5");
    for query in [
        format!("&&{TORRENT}&&port=2&left=5&&"),
        format!("compact&{TORRENT}&port=2&left=5"),
        format!("=&=x&{TORRENT}&port=2&left=5&="),
        format!("info_hash&peer_id&port&left&{TORRENT}&port=2&left=5"),
        format!("{TORRENT}&port=2&left=5&numwant&event&no_peer_id"),
    ] {
        let announced = announce(ipv4(&tracker), &query);
        assert_eq!(announced.shown(), ["127.0.0.1:1"], "{query}");
        assert_eq!(announced.incomplete, Some(2), "{query}");
    }
}

#[test]
fn the_first_of_a_repeated_key_counts() {
    let tracker = start();
    ask(
        &tracker,
        "port=1&port=9&left=5&left=0&event=started&event=stopped",
    );
    let other = "info_hash=zzzzzzzzzzzzzzzzzzzz&peer_id=zzzzzzzzzzzzzzzzzzzz";
    let query = format!("{TORRENT}&{other}&port=2&left=5&compact=0&compact=1");
    let announced = announce(ipv4(&tracker), &query);
    assert_eq!(announced.shown(), ["127.0.0.1:1"]);
    assert_eq!(
        (announced.complete, announced.incomplete),
        (Some(0), Some(2))
    );
    assert!(!announced.is_compact);
    // Also where it makes no sense and the second would.
    let failed = ask(&tracker, "port=x&port=3");
    let reason = failed.failure_reason.expect("a failure");
    assert!(reason.contains("port is 'x'"), "{reason}");
}

#[test]
fn a_passkey_may_come_first_as_private_trackers_have_it() {
    let tracker = start();
    ask(&tracker, "port=1&left=5");
    let query = format!("passkey=0123456789abcdef0123456789abcdef&{TORRENT}&port=2&left=5");
    assert_eq!(announce(ipv4(&tracker), &query).shown(), ["127.0.0.1:1"]);
    // A client that appends its query to a URL which has one already.
    let query = format!("passkey=x?{TORRENT}&{TORRENT}&port=2&left=5");
    assert_eq!(announce(ipv4(&tracker), &query).shown(), ["127.0.0.1:1"]);
}

#[test]
fn unknown_keys_are_skipped() {
    let tracker = start();
    ask(&tracker, "port=1&left=5");
    let unknown = "supportcrypto=1&requirecrypto=1&cryptoport=0&corrupt=0&redundant=0&key=1A2B3C4D\
                   &trackerid=%FF%00&azudp=6881&azver=3&azhttp=0&hide=1&Port=7&INFO_HASH=x&no_peer_ids=1";
    let announced = announce(
        ipv4(&tracker),
        &format!("{unknown}&{TORRENT}&port=2&left=5&{unknown}"),
    );
    assert_eq!(announced.shown(), ["127.0.0.1:1"]);
    let announced = ask(&tracker, "port=3&left=0");
    assert_eq!(announced.shown(), ["127.0.0.1:1", "127.0.0.1:2"]);
}

#[test]
fn one_odd_pair_costs_nothing_but_itself() {
    let tracker = start();
    ask(&tracker, "port=1&left=5");
    for odd in [
        "left=%zz",
        "numwant=%",
        "event=%f",
        "ip=%00",
        "compact=%31%",
        "x%zz=%%%",
        "%=%",
        "uploaded=%C3%28",
        "left=5=5",
    ] {
        let announced = ask(&tracker, &format!("{odd}&port=2"));
        assert_eq!(announced.shown(), ["127.0.0.1:1"], "{odd}");
        assert_eq!(announced.incomplete, Some(2), "{odd}");
    }
}

/// Numbers, events and addresses are escaped by some clients too.
#[test]
fn all_values_may_be_escaped() {
    let tracker = start();
    ask(&tracker, "port=%31&left=%30&ip=2001%3Adb8%3a:7");
    let announced = ask(&tracker, "port=2&left=5&compact=0");
    assert_eq!(announced.shown(), ["127.0.0.1:1", "[2001:db8::7]:1"]);
    assert_eq!(announced.complete, Some(1));
    let announced = ask(&tracker, "port=3&left=5&numwant=%30");
    assert_eq!(announced.shown(), [""; 0]);
}
