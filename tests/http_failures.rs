//! Announces that are refused: with a reason that a person can act on, with a code, and without
//! harm to anybody else's.

use crate::support::http::{Announced, Answer, Connection, TORRENT, ask, decode, get, ipv4};
use crate::support::tracker::Tracker;

fn start() -> Tracker {
    Tracker::start(&["-p", "0"])
}

/// The code and the reason of an answer that is a failure as clients want it: libtorrent and
/// Transmission show nothing but the status when that is not 200.
#[track_caller]
fn failure(answer: &Answer) -> (u64, String) {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("Content-Type"), Some("text/plain"));
    let failed = decode(&answer.body);
    let (code, reason) = (failed.failure_code, failed.failure_reason.clone());
    let nothing_else = Announced {
        failure_code: code,
        failure_reason: reason.clone(),
        ..Announced::default()
    };
    assert_eq!(failed, nothing_else, "never a failure together with peers");
    (code.expect("a code"), reason.expect("a reason"))
}

#[test]
fn a_failure_has_a_reason_and_a_code_and_status_200() {
    let tracker = start();
    let hash = "info_hash=aaaaaaaaaabbbbbbbbbb";
    let both = &format!("{hash}&peer_id=aaaaaaaaaabbbbbbbbbb");
    for (query, code, words) in [
        (String::new(), 101, "info_hash is missing"),
        (
            "peer_id=aaaaaaaaaabbbbbbbbbb&port=1".into(),
            101,
            "info_hash is missing",
        ),
        (format!("{hash}&port=1"), 102, "peer_id is missing"),
        (both.clone(), 103, "port is missing"),
        (
            "info_hash=abc&port=1".into(),
            150,
            "info_hash is 3 bytes, not 20",
        ),
        (
            "info_hash=&port=1".into(),
            150,
            "info_hash is 0 bytes, not 20",
        ),
        (
            format!("info_hash={}&port=1", "a".repeat(21)),
            150,
            "21 bytes",
        ),
        (
            format!("{hash}&peer_id=abc&port=1"),
            151,
            "peer_id is 3 bytes, not 20",
        ),
        (format!("{both}&port=0"), 900, "port is '0'"),
    ] {
        let (got, reason) = failure(&get(ipv4(&tracker), &format!("/announce?{query}")));
        assert_eq!(got, code, "{query}");
        assert!(reason.contains(words), "{query}: {reason}");
        assert!(reason.contains("; "), "what to do is missing: {reason}");
    }
    let bare = failure(&get(ipv4(&tracker), "/announce"));
    assert_eq!(bare.0, 101, "without any query");
}

/// libtorrent behind a proxy sends port 0.
#[test]
fn a_port_that_is_none_is_a_failure_that_names_it() {
    let tracker = start();
    for port in [
        "0",
        "65536",
        "-1",
        "x",
        "",
        "1.5",
        "99999999999999999999999",
        "0x50",
    ] {
        let target = format!("/announce?{TORRENT}&left=5&port={port}");
        let (code, reason) = failure(&get(ipv4(&tracker), &target));
        assert_eq!(code, 900, "{port}");
        let quoted = format!("port is '{}'", &port[..port.len().min(20)]);
        assert!(reason.contains(&quoted), "{port}: {reason}");
        assert!(reason.contains("1 to 65535"), "{reason}");
    }
    for port in ["1", "65535"] {
        let announced = ask(&tracker, &format!("left=5&port={port}"));
        assert_eq!(announced.failure_reason, None, "{port}");
    }
}

/// A common mistake of those who write their first client.
#[test]
fn a_hexadecimal_info_hash_is_told_so() {
    let tracker = start();
    let expected = "info_hash is 40 characters of hexadecimal; \
                    send the 20 raw bytes, percent-encoded";
    for hash in [
        "0123456789abcdef0123456789abcdef01234567",
        "ABCDEFABCDABCDEFABCDABCDEFABCDABCDEFABCD",
    ] {
        let target = format!("/announce?info_hash={hash}&peer_id=aaaaaaaaaabbbbbbbbbb&port=1");
        let told = failure(&get(ipv4(&tracker), &target));
        assert_eq!(told, (150, expected.to_owned()));
    }
}

#[test]
fn a_malformed_announce_disturbs_no_stored_peer() {
    let tracker = start();
    ask(&tracker, "port=1&left=5");
    let hash = TORRENT.split('&').next().unwrap();
    for query in [
        format!("{hash}&peer_id=short&port=1&left=0&event=completed"),
        format!("{hash}&peer_id=short&port=1&event=stopped"),
        format!("{hash}&port=1&event=stopped"),
        format!("{TORRENT}&port=65537&event=stopped"),
    ] {
        failure(&get(ipv4(&tracker), &format!("/announce?{query}")));
    }
    let announced = ask(&tracker, "port=2&left=5");
    let counts = (
        announced.complete,
        announced.incomplete,
        announced.downloaded,
    );
    assert_eq!(counts, (Some(0), Some(2), Some(0)));
    assert_eq!(announced.shown(), ["127.0.0.1:1"]);
}

/// With a reason alone libtorrent stays away for half an hour.
#[test]
fn a_refusal_that_will_pass_says_when_to_come_again() {
    let tracker = Tracker::start(&["-p", "0", "-i", "7", "--max-peers", "1"]);
    ask(&tracker, "port=1&left=5");
    let target = format!("/announce?{TORRENT}&left=5&port=2");
    let full = decode(&get(ipv4(&tracker), &target).body);
    let reason = full.failure_reason.expect("a reason");
    assert!(reason.contains("as many peers as it may have"), "{reason}");
    assert_eq!(full.interval, Some(7 * 60));
    assert_eq!((full.min_interval, full.peers), (None, None));
    let target = format!("/announce?{TORRENT}&left=5&port=0");
    let for_good = decode(&get(ipv4(&tracker), &target).body);
    assert_eq!(for_good.interval, None);
}

/// wiki.theory.org's code 100. Clients do not POST, so that HTTP's own status wins here.
#[test]
fn a_post_is_told_that_an_announce_is_a_get() {
    let tracker = start();
    let mut connection = Connection::open(ipv4(&tracker));
    connection.send(b"POST /announce HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    let answer = connection.answer();
    assert_eq!(
        (answer.status, answer.header("Allow")),
        (405, Some("GET, HEAD"))
    );
    assert_eq!(decode(&answer.body).failure_code, Some(100));
}
