//! Tests of `gate/forwarded.rs`.

use super::*;
use crate::gate::trusted;
use proptest::prelude::*;

/// The address of a trusted proxy, next to which there are others in 10.0.0.0/8 and fd00::/8.
const PROXY: &str = "10.0.0.2";

/// Who asks when these lines arrive from `from`, as the address and the word for the server.
fn asked_from(from: &str, lines: &[&str]) -> (String, String) {
    let trusted = Trusted(
        ["10.0.0.0/8", "fd00::/8"]
            .map(|n| trusted::parse(n).unwrap())
            .into(),
    );
    let bytes = format!("GET / HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n"));
    let head = head::parse(bytes.as_bytes()).unwrap();
    let (ip, via) = whose(from.parse().unwrap(), &trusted, &head, bytes.as_bytes());
    let word = match via {
        Via::Direct | Via::TrustedProxy => "directly".to_owned(),
        Via::UntrustedProxy => "untrusted".to_owned(),
        Via::Unstated => "unsaid".to_owned(),
        Via::Unnamed => "unnamed".to_owned(),
        Via::Unreadable(said) => format!("unreadable {said}"),
        Via::Contradictory(said) => format!("contradictory {said}"),
    };
    (ip.to_string(), word)
}

#[track_caller]
fn assert_client(expected: &str, lines: &[&str]) {
    let expected = (expected.to_owned(), "directly".to_owned());
    assert_eq!(asked_from(PROXY, lines), expected, "{lines:?}");
}

#[track_caller]
fn assert_unreadable(quoted: &str, lines: &[&str]) {
    let (ip, word) = asked_from(PROXY, lines);
    let expected = (PROXY, &*format!("unreadable {quoted}"));
    assert_eq!((&*ip, &*word), expected, "{lines:?}");
}

#[test]
fn the_rightmost_address_that_is_not_a_trusted_proxys() {
    for (value, expected) in [
        ("203.0.113.7", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("6.6.6.6,203.0.113.7,10.0.0.3, fd00::9", "203.0.113.7"),
        // What the client made up is not even looked at.
        ("unknown, <script>, \", 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, , ,", "203.0.113.7"),
        // Somebody in the proxies' own network.
        ("10.0.0.9", "10.0.0.9"),
        ("10.0.0.9, 10.0.0.3, fd00::9", "10.0.0.9"),
        ("192.168.1.5", "192.168.1.5"),
    ] {
        assert_client(expected, &[&format!("X-Forwarded-For: {value}")]);
    }
}

#[test]
fn addresses_in_all_their_forms() {
    for (value, expected) in [
        ("203.0.113.7:4711", "203.0.113.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[::ffff:203.0.113.7]:80", "203.0.113.7"),
        ("fe80::7%eth0", "fe80::7"),
    ] {
        assert_client(expected, &[&format!("x-forwarded-for: {value}")]);
        assert_client(expected, &[&format!("Forwarded: for=\"{value}\"")]);
        assert_client(expected, &[&format!("X-Real-IP: {value}")]);
    }
}

#[test]
fn what_is_no_address_of_a_client() {
    for value in [
        "unknown",
        "_hidden",
        "localhost",
        "203.0.113.300",
        "203.0.113.7:",
        "203.0.113.7:8 0",
        "localhost:80",
        "203.0.113.7 10.0.0.2",
        "[2001:db8::7",
        "[2001:db8::7]4711",
        "2001:db8::7]",
        "0.0.0.0",
        "255.255.255.255",
        "::",
        "ff02::1",
        "203.0.113.7:99999",
    ] {
        let line = format!("X-Forwarded-For: 203.0.113.7, {value}, 10.0.0.3");
        assert_unreadable(&format!("X-Forwarded-For: {value}"), &[&line]);
        assert_unreadable(
            &format!("X-Real-IP: {value}"),
            &[&format!("X-Real-IP: {value}")],
        );
        let element = format!("for=\"{value}\"");
        let line = format!("Forwarded: for=203.0.113.7, {element}, for=10.0.0.3");
        assert_unreadable(&format!("Forwarded: {element}"), &[&line]);
    }
    assert_unreadable("X-Forwarded-For:", &["X-Forwarded-For:"]);
    assert_unreadable("X-Forwarded-For:", &["X-Forwarded-For: , ,"]);
    assert_unreadable("X-Real-IP: x%0d", &["X-Real-IP: x%0d\u{e9}y"]);
    let long = format!("X-Forwarded-For: {}", "a".repeat(1000));
    assert_unreadable(&long[..17 + MOST_QUOTED], &[&long]);
}

#[test]
fn a_loopback_address_is_a_clients_only_on_this_machine() {
    assert_unreadable("127.0.0.1", &["X-Forwarded-For: 127.0.0.1"]);
    assert_unreadable("::1", &["Forwarded: for=\"[::1]:80\""]);
    let trusted = Trusted(vec![trusted::parse("127.0.0.0/8").unwrap()]);
    let bytes = b"GET / HTTP/1.1\r\nX-Real-IP: 127.0.0.5\r\n\r\n";
    let head = head::parse(bytes).unwrap();
    let client: IpAddr = "127.0.0.5".parse().unwrap();
    let found = whose("127.0.0.1".parse().unwrap(), &trusted, &head, bytes);
    assert_eq!(found, (client, Via::TrustedProxy));
}

#[test]
fn several_lines_are_one_list() {
    assert_client(
        "203.0.113.7",
        &["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 203.0.113.7"],
    );
    assert_client(
        "203.0.113.7",
        &["X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 10.0.0.3"],
    );
    assert_client(
        "203.0.113.7",
        &["Forwarded: for=\"", "Forwarded: for=203.0.113.7"],
    );
    assert_client(
        "203.0.113.7",
        &["Forwarded: for=203.0.113.7", "forwarded: for=10.0.0.3"],
    );
}

/// A proxy sets one of them, and passes on what the client has written into the others.
#[test]
fn headers_that_name_different_clients_are_refused() {
    let real = "X-Real-IP: 203.0.113.1";
    let standard = "Forwarded: for=203.0.113.2";
    let usual = "X-Forwarded-For: 203.0.113.3";
    for (lines, said) in [
        (
            &[real, standard, usual][..],
            "X-Forwarded-For: 203.0.113.3, Forwarded: 203.0.113.2",
        ),
        (
            &[real, usual],
            "X-Forwarded-For: 203.0.113.3, X-Real-IP: 203.0.113.1",
        ),
        (
            &[real, standard],
            "Forwarded: 203.0.113.2, X-Real-IP: 203.0.113.1",
        ),
        (
            &[real, "X-Forwarded-For: 127.0.0.1"],
            "X-Forwarded-For: 127.0.0.1, X-Real-IP: 203.0.113.1",
        ),
    ] {
        let expected = (PROXY.to_owned(), format!("contradictory {said}"));
        assert_eq!(asked_from(PROXY, lines), expected, "{lines:?}");
    }
    assert_unreadable("X-Forwarded-For:", &[real, standard, "X-Forwarded-For:"]);
    assert_unreadable("X-Real-IP: x", &["X-Real-IP: x", usual]);
}

#[test]
fn headers_that_agree_or_name_another_proxy_are_not() {
    let real = "X-Real-IP: 203.0.113.1";
    assert_client("203.0.113.1", &[real]);
    assert_client(
        "203.0.113.1",
        &[real, "Via: 1.1 proxy", "Forwarded: for=203.0.113.1"],
    );
    assert_client(
        "203.0.113.1",
        &[real, "X-Forwarded-For: 6.6.6.6, 203.0.113.1"],
    );
    // The one nearer to the client set the list, the other has seen that one.
    assert_client(
        "203.0.113.3",
        &["X-Real-IP: 10.0.0.3", "X-Forwarded-For: 203.0.113.3"],
    );
    assert_client("203.0.113.1", &[real, "X-Forwarded-For: 10.0.0.3"]);
}

#[test]
fn elements_of_the_standard_header() {
    for (value, expected) in [
        ("for=203.0.113.7", "203.0.113.7"),
        ("For=203.0.113.7;proto=https;by=10.0.0.2", "203.0.113.7"),
        ("proto=https; FOR = 203.0.113.7", "203.0.113.7"),
        (
            "for=6.6.6.6, for=203.0.113.7;by=_x , for=10.0.0.3",
            "203.0.113.7",
        ),
        ("for=\"203.0.113.7:_hidden\"", "203.0.113.7"),
        ("by=\"a, for=6.6.6.6; b\" ;for=203.0.113.7", "203.0.113.7"),
        ("x=\"\\\"\", for=203.0.113.7", "203.0.113.7"),
    ] {
        assert_client(expected, &[&format!("Forwarded: {value}")]);
    }
    for value in [
        "for",
        "for=\"203.0.113\\.7\"",
        "by=203.0.113.7",
        "for=1.2.3.4;for=5.6.7.8",
        "for=",
        "for=\"\"",
    ] {
        assert_unreadable(
            &format!("Forwarded: {value}"),
            &[&format!("Forwarded: {value}")],
        );
    }
}

/// A client may open a quoted string, and leave it to what the proxy adds to close it.
#[test]
fn a_quote_does_not_hide_what_the_proxy_has_added() {
    for added in [
        "for=203.0.113.7",
        "for=\"[2001:db8::7]\"",
        "for=203.0.113.7;by=\"[fd00::2]\"",
    ] {
        for opened in [
            "for=6.6.6.6;x=\"",
            "for=\"6.6.6.6",
            "for=6.6.6.6, \"",
            "for=6.6.6.6;x=\"\\",
        ] {
            let (ip, word) = asked_from(PROXY, &[&format!("Forwarded: {opened}, {added}")]);
            assert_eq!(ip, PROXY);
            assert!(word.starts_with("unreadable "), "{word}");
        }
    }
}

#[test]
fn from_anybody_else_the_headers_are_not_read() {
    let untrusted = ("203.0.113.9".to_owned(), "untrusted".to_owned());
    for line in [
        "X-Forwarded-For: 6.6.6.6",
        "Forwarded: for=6.6.6.6",
        "X-Real-IP: 6.6.6.6",
        "Via: x",
    ] {
        assert_eq!(asked_from("203.0.113.9", &[line]), untrusted, "{line}");
    }
    let direct = ("203.0.113.9".to_owned(), "directly".to_owned());
    assert_eq!(asked_from("203.0.113.9", &["Accept: */*"]), direct);
}

#[test]
fn a_trusted_proxy_must_say_for_whom_it_asks() {
    let unsaid = (PROXY.to_owned(), "unsaid".to_owned());
    assert_eq!(asked_from(PROXY, &["Accept: */*"]), unsaid);
    let unnamed = (PROXY.to_owned(), "unnamed".to_owned());
    assert_eq!(asked_from(PROXY, &["Via: 1.1 proxy"]), unnamed);
}

proptest! {
    /// Whatever a client has sent, the address that the proxy adds to it is the client's, or
    /// the request is refused.
    #[test]
    fn no_client_chooses_its_address(sent in "[ -~]{0,40}", which in 0..3_usize) {
        let line = match which {
            0 => format!("X-Forwarded-For: {sent}, 203.0.113.7"),
            1 => format!("Forwarded: {sent}, for=203.0.113.7"),
            _ => format!("Forwarded: {sent}, for=\"203.0.113.7:80\";by=\"[fd00::2]\""),
        };
        let (ip, word) = asked_from(PROXY, &[&line]);
        prop_assert!(
            ip == "203.0.113.7" && word == "directly"
                || ip == PROXY && word.starts_with("unreadable "),
            "{} {}", ip, word
        );
    }

    #[test]
    fn no_client_chooses_its_address_by_quotes(
        sent in r#"(for=|6\.6\.6\.6|"|\\|;|,|=| |x){0,12}"#
    ) {
        for added in ["for=203.0.113.7", "for=\"203.0.113.7:80\";by=\"[fd00::2]\""] {
            let (ip, word) = asked_from(PROXY, &[&format!("Forwarded: {sent}, {added}")]);
            prop_assert!(
                ip == "203.0.113.7" && word == "directly"
                    || ip == PROXY && word.starts_with("unreadable "),
                "{} {} {}", sent, ip, word
            );
        }
    }
}
