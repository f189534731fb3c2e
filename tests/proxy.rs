//! Behind a proxy: whose address is believed, and several trackers behind one, with a real nginx
//! and a real HAProxy, set up as `dont_readme.txt` says. How the headers are read in every detail
//! is tested in `src/gate/forwarded.rs`.

/// Several trackers behind nginx or HAProxy are one.
#[cfg(target_os = "linux")]
mod balanced;
/// The configurations in `dont_readme.txt`, and the programs that run with them.
#[cfg(target_os = "linux")]
mod configured;
/// TLS in front of one tracker, and real clients.
#[cfg(target_os = "linux")]
mod tls;
/// Prometheus on the machine of the tracker and its proxy.
#[cfg(target_os = "linux")]
mod watched;

use std::time::Duration;

use crate::support::http::{Announced, PATIENCE, TORRENT, ask, decode, ipv4, ipv6, send};
use crate::support::tracker::Tracker;

/// A tracker that trusts 127.0.0.1.
fn trusting() -> Tracker {
    Tracker::start(&["-p", "0", "-v", "--trust-proxy", "127.0.0.1"])
}

/// Announces from 127.0.0.1 with these headers besides.
fn announce_with(tracker: &Tracker, headers: &[&str], rest: &str) -> Announced {
    let headers: String = headers.iter().map(|h| format!("{h}\r\n")).collect();
    let request = format!("GET /announce?{TORRENT}&left=5&{rest} HTTP/1.1\r\n{headers}\r\n");
    let answer = send(ipv4(tracker), request.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    decode(&answer.body)
}

#[test]
fn clients_of_a_trusted_proxy_live_at_their_own_addresses() {
    let tracker = trusting();
    for (headers, port) in [
        (&["X-Forwarded-For: 6.6.6.6, 203.0.113.1"][..], 1),
        (
            &["X-Forwarded-For: 6.6.6.6", "x-forwarded-for: 203.0.113.2"],
            2,
        ),
        (
            &[
                "X-Real-IP: 2001:db8::3",
                "Forwarded: for=\"[2001:db8::3]:4711\"",
            ],
            3,
        ),
        (&["X-Real-IP: 203.0.113.4"], 4),
    ] {
        announce_with(&tracker, headers, &format!("port={port}"));
    }
    let announced = announce_with(&tracker, &["X-Forwarded-For: 203.0.113.9"], "port=9");
    assert_eq!(
        announced.external_ip.as_deref(),
        Some(&[203, 0, 113, 9][..])
    );
    assert_eq!(
        announced.shown(),
        [
            "203.0.113.1:1",
            "203.0.113.2:2",
            "203.0.113.4:4",
            "[2001:db8::3]:3"
        ]
    );
    let logged = |line: &str| line.contains("leecher 203.0.113.2 port 2");
    assert!(tracker.wait_for_line(logged, PATIENCE).is_some());
}

#[test]
fn a_client_of_a_trusted_proxy_is_believed_as_one_that_comes_by_itself() {
    let tracker = trusting();
    let claim = |port| format!("port={port}&ip=198.51.100.7");
    announce_with(&tracker, &["X-Forwarded-For: 192.168.1.5"], &claim(1));
    announce_with(&tracker, &["X-Forwarded-For: 203.0.113.2"], &claim(2));
    announce_with(&tracker, &["X-Forwarded-For: 192.168.1.6"], "port=3");
    let shown_to = |ip: &str| {
        let header = format!("X-Forwarded-For: {ip}");
        announce_with(&tracker, &[&header], "port=9&event=stopped");
        announce_with(&tracker, &[&header], "port=9").shown()
    };
    let for_all = ["198.51.100.7:1", "203.0.113.2:2"];
    assert_eq!(shown_to("203.0.113.9")[..], for_all, "nobody on the LAN");
    let on_lan = shown_to("192.168.1.9");
    assert!(on_lan.contains(&"192.168.1.6:3".to_owned()), "{on_lan:?}");
}

#[test]
fn a_trusted_proxy_that_names_no_client_is_told_and_is_no_peer() {
    let tracker = trusting();
    for (headers, said) in [
        (&[][..], "the tracker's proxy does not say who asks; "),
        (&["Via: 1.1 proxy"], "does not say who asks; "),
        (
            &["X-Forwarded-For:"],
            "'X-Forwarded-For:', which names no client; ",
        ),
        (
            &["X-Forwarded-For: 203.0.113.7, unknown"],
            "'X-Forwarded-For: unknown', which names no client; ",
        ),
        (
            &["Forwarded: for=_hidden", "X-Real-IP: 203.0.113.7"],
            "'Forwarded: for=_hidden', which names no client; ",
        ),
        // It sets the one, and the client has written the other.
        (
            &["X-Real-IP: 203.0.113.7", "X-Forwarded-For: 6.6.6.6"],
            "'X-Forwarded-For: 6.6.6.6, X-Real-IP: 203.0.113.7'; it has to set X-Forwarded-For",
        ),
        (
            &["X-Real-IP: '<b>%0d%0a\u{202e}"],
            "'X-Real-IP: \\'<b>%0d%0a', which",
        ),
    ] {
        let announced = announce_with(&tracker, headers, "port=1");
        let reason = announced.failure_reason.expect("a failure");
        assert!(reason.contains(said), "{headers:?}: {reason}");
        assert_eq!(announced.failure_code, Some(900));
        assert_eq!(announced.peers, None, "never a failure together with peers");
        let is_logged = |line: &str| {
            let refused = format!("refused an announce by 127.0.0.1: {reason}");
            line.contains(&refused) && line.contains("the proxy's configuration")
        };
        let logged = tracker.wait_for_line(is_logged, PATIENCE);
        assert!(logged.is_some(), "{reason}\n{}", tracker.report());
    }
    let announced = announce_with(&tracker, &["X-Forwarded-For: 203.0.113.7"], "port=2");
    assert_eq!(announced.incomplete, Some(1));
}

#[test]
fn from_anybody_else_the_headers_are_ignored() {
    let headers = [
        "X-Forwarded-For: 6.6.6.6",
        "Forwarded: for=6.6.6.6",
        "X-Real-IP: 6.6.6.6",
    ];
    let all: String = headers.iter().map(|h| format!("{h}\r\n")).collect();
    let untrusting = Tracker::start(&["-p", "0", "--trust-proxy", "127.0.0.2"]);
    // It claims what a client on this machine would be believed.
    announce_with(&untrusting, &headers, "port=1&ip=6.6.6.6");
    assert_eq!(ask(&untrusting, "port=2&left=5").shown(), ["127.0.0.1:1"]);
    // And a neighbour of the trusted one is not trusted.
    let trusting = trusting();
    let Some(at) = ipv6(&trusting) else { return };
    let request = format!("GET /announce?{TORRENT}&left=5&port=1 HTTP/1.1\r\n{all}\r\n");
    send(at, request.as_bytes());
    let announced = announce_with(&trusting, &["X-Forwarded-For: 127.0.0.3"], "port=2");
    assert_eq!(announced.shown(), ["[::1]:1"]);
}

#[test]
fn a_forgotten_option_is_told_of_once() {
    let tracker = Tracker::start(&["-p", "0"]);
    for port in 1..=30 {
        let header = format!("X-Forwarded-For: 203.0.113.{port}");
        announce_with(&tracker, &[&header], &format!("port={port}"));
    }
    let is_hint = |line: &str| line.contains("--trust-proxy");
    let hint = tracker.wait_for_line(is_hint, PATIENCE).expect("a hint");
    assert!(
        hint.ends_with("start mayfly with --trust-proxy 127.0.0.1"),
        "{hint}"
    );
    // Lines come in order, so a later one shows that there is no other.
    ask(&tracker, "port=0");
    let later = tracker.wait_for_line(|line| line.contains("port is '0'"), PATIENCE);
    assert!(later.is_some(), "{}", tracker.report());
    let lines = tracker.lines();
    assert_eq!(
        lines.iter().filter(|line| is_hint(line)).count(),
        1,
        "{lines:?}"
    );
}

/// A trusted proxy's connections are those of all its clients.
#[test]
#[cfg(target_os = "linux")]
fn a_trusted_proxy_has_as_many_connections_as_it_likes() {
    use crate::support::http::Connection;
    use crate::support::netns::is_on_a_machine_of_its_own;
    const PROXY: &str = "198.51.100.1";
    const OTHER: &str = "198.51.100.2";
    // More than the 64 of one address, and fewer than there are in all.
    const MANY: usize = 100;

    let test = "a_trusted_proxy_has_as_many_connections_as_it_likes";
    if !is_on_a_machine_of_its_own(module_path!(), test, &[PROXY, OTHER]) {
        return;
    }
    let options = [
        "-p",
        "0",
        "--trust-proxy",
        PROXY,
        "--max-connections",
        "128",
    ];
    let tracker = Tracker::start(&options);
    let request = b"GET / HTTP/1.1\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n";
    let answered = |from: &str| {
        let mut held = Vec::new();
        let answered = (0..MANY).filter(|_| {
            let mut connection = Connection::open_from(from.parse().unwrap(), ipv4(&tracker));
            let sent = std::io::Write::write_all(&mut connection.stream, request);
            let is_answered = sent.is_ok() && connection.try_answer(true).is_some();
            held.push(connection);
            is_answered
        });
        answered.count()
    };
    assert_eq!(answered(PROXY), MANY);
    let is_told = |line: &str| line.contains("turned away");
    assert!(!tracker.lines().iter().any(|line| is_told(line)));
    assert!(answered(OTHER) < MANY, "the others are bounded still");
    let told = tracker.wait_for_line(is_told, Duration::from_secs(10));
    assert!(told.is_some_and(|line| line.contains(OTHER)));
}
