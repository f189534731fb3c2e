//! Bytes that are no request of a BitTorrent client: other protocols, requests with a body, heads
//! without a measure, noise. Each is answered in a few words or closed, and costs nothing for good.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use super::{Victim, Vitals, assert_refusal, fill, query, read_to_end};
use crate::support::http::{Connection, ORDINARY, PATIENCE, announce, decode};
use crate::support::random::Random;

#[test]
fn a_huge_content_length() {
    let victim = Victim::start();
    for length in ["1000000000000", "18446744073709551616", "-1", "1"] {
        let header = format!("Content-Length: {length}\r\n\r\n");
        let get = format!("GET /announce?{ORDINARY}&port=1 HTTP/1.1\r\nHost: x\r\n{header}");
        victim.assert_refuses(get.as_bytes(), 413);
        let post = format!("POST /announce HTTP/1.1\r\nHost: x\r\n{header}");
        victim.assert_refuses(post.as_bytes(), 405);
        victim.assert_answers();
    }
    victim.assert_unharmed();
}

#[test]
fn a_body_announced_and_not_sent() {
    let victim = Victim::start();
    let mut connections: Vec<_> = (0..50)
        .map(|_| Connection::open(victim.address()))
        .collect();
    for (index, connection) in connections.iter_mut().enumerate() {
        let length = ["", "Content-Length: 5\r\n"][index % 2];
        let request =
            format!("GET /announce HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n{length}\r\n");
        connection.send(request.as_bytes());
    }
    victim.assert_answers();
    for (index, connection) in connections.iter_mut().enumerate() {
        let answer = connection.answer();
        // With both headers it does not matter which is looked at first.
        let status = match answer.status {
            413 if index % 2 == 1 => 413,
            _ => 417,
        };
        assert_refusal(&answer, status);
        assert!(connection.is_closed());
    }
    // The clients have not closed: the tracker waits for none of them.
    victim.assert_unharmed();
    drop(connections);
}

#[test]
fn http_2_and_3() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let victim = Victim::start();
    for _ in 0..300 {
        victim.assert_refuses(PREFACE, 505);
    }
    victim.assert_answers();
    for _ in 0..50 {
        victim.assert_refuses(b"GET /announce HTTP/2.0\r\nHost: x\r\n\r\n", 505);
        victim.assert_refuses(b"GET /announce HTTP/3.0\r\nHost: x\r\n\r\n", 505);
    }
    victim.assert_unharmed();
}

#[test]
fn http_0_9() {
    let victim = Victim::start();
    victim.assert_refuses(b"GET /announce\r\n\r\n", 400);
    victim.assert_refuses(b"GET /\n\n", 400);
    victim.assert_unharmed();
}

#[test]
fn other_protocols() {
    let victim = Victim::start();
    let client_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03Random bytes";
    let text = victim.assert_refuses(client_hello, 400);
    assert!(text.contains("TLS"), "{text}");
    victim.assert_refuses(b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x05", 400);
    victim.assert_refuses(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", 400);
    victim.assert_refuses(&[0], 400);
    victim.assert_refuses(&[0; 1000], 400);
    victim.assert_unharmed();
}

#[test]
fn a_head_of_more_than_8_kib() {
    let victim = Victim::start();
    let mut connection = Connection::open(victim.address());
    let mut request = |length: usize| {
        let begin = format!("GET /announce?{ORDINARY}&port=1 HTTP/1.1\r\nCookie: ");
        let filling = "c".repeat(length - begin.len() - 4);
        connection.send(format!("{begin}{filling}\r\n\r\n").as_bytes());
        connection.answer()
    };
    assert_eq!(request(8 * 1024).status, 200, "as long as it may be");
    assert_refusal(&request(8 * 1024 + 1), 431);
    let target = format!("GET /announce?{} HTTP/1.1\r\n\r\n", "x".repeat(9000));
    victim.assert_refuses(target.as_bytes(), 414);
    victim.assert_unharmed();
}

#[test]
fn a_head_without_an_end() {
    const MOST: usize = 64 << 20;
    let victim = Victim::start();
    let before = Vitals::of(victim.tracker.id());
    let mut stream = TcpStream::connect(victim.address()).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let lines = b"A: b\r\n".repeat(10_000);
    let mut sent = 0;
    let error = loop {
        match stream.write(&lines) {
            Ok(length) => sent += length,
            Err(error) => break error,
        }
        assert!(sent < MOST, "the tracker takes all of it");
    };
    assert!(super::is_the_end(error.kind()), "{error}");
    victim.assert_unharmed();
    if let (Some(before), Some(after)) = (before, Vitals::of(victim.tracker.id())) {
        let most = before.resident + (8 << 10);
        assert!(after.resident < most, "{before:?} and then {after:?}");
    }
}

#[test]
fn raw_bytes_in_the_request_line() {
    let victim = Victim::start();
    let bytes: Vec<u8> = (0x80..=0xff).chain(0x80..0x8c).collect();
    for (index, info_hash) in bytes.chunks(20).enumerate() {
        let mut request = b"GET /announce?info_hash=".to_vec();
        request.extend_from_slice(info_hash);
        request
            .extend_from_slice(b"&peer_id=-MF1000-abcdefghijkl&left=5&port=1111 HTTP/1.1\r\n\r\n");
        let mut connection = Connection::open(victim.address());
        connection.send(&request);
        let answer = connection.answer();
        assert_eq!(answer.status, 200, "{index}");
        assert_eq!(decode(&answer.body).failure_reason, None, "{index}");
        // It is the torrent that others name in the proper way.
        let encoded: String = info_hash
            .iter()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        let query = format!("info_hash={encoded}&peer_id=-MF1000-abcdefghijkl&left=5&port=2222");
        let announced = announce(victim.address(), &query);
        assert_eq!(announced.shown(), ["127.0.0.1:1111"], "{index}");
    }
    victim.assert_unharmed();
}

#[test]
fn empty_lines_before_a_request() {
    let victim = Victim::start();
    let request = format!("GET /announce?{ORDINARY}&port=1 HTTP/1.1\r\n\r\n");
    let mut connection = Connection::open(victim.address());
    for empty_lines in ["", "\r\n", "\n\n\n", "\r\n\r\n\r\n\r\n"] {
        connection.send(format!("{empty_lines}{request}").as_bytes());
        assert_eq!(connection.answer().status, 200, "{empty_lines:?}");
    }
    drop(connection);
    victim.assert_unharmed();
}

#[test]
fn a_request_inside_the_body_of_another() {
    let victim = Victim::start();
    let inner = format!(
        "GET /announce?{} HTTP/1.1\r\nHost: x\r\n\r\n",
        query(b's', 6666)
    );
    let length = inner.len();
    let chunked = format!("{length:x}\r\n{inner}\r\n0\r\n\r\n");
    let outer = "GET /announce HTTP/1.1\r\nHost: x\r\n";
    for (request, status) in [
        (
            format!("{outer}Transfer-Encoding: chunked\r\n\r\n{chunked}"),
            413,
        ),
        (
            format!("{outer}Transfer-Encoding: identity, chunked\r\n\r\n{chunked}"),
            413,
        ),
        (
            format!("{outer}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"),
            413,
        ),
        (
            format!("{outer}Content-Length: {length}\r\n\r\n{inner}"),
            413,
        ),
        // Two heads, should a space not be seen for what it is.
        (
            format!("{outer}Transfer-Encoding : chunked\r\n\r\n{chunked}"),
            400,
        ),
        // One to us, and two to whoever takes a bare CR for the end of a line.
        (
            format!("{outer}A: b\rTransfer-Encoding: chunked\r\n\r\n{chunked}"),
            400,
        ),
        (format!("{outer}A: \0\r\n\r\n"), 400),
        (
            format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"),
            405,
        ),
    ] {
        victim.assert_refuses(request.as_bytes(), status);
    }
    let announced = announce(victim.address(), &query(b's', 1));
    assert_eq!(announced.incomplete, Some(1), "the inner one was answered");
    victim.assert_unharmed();
}

#[test]
fn an_answer_over_1_kb_on_a_kept_connection() {
    let victim = Victim::start();
    fill(&victim, b'k', 40);
    let mut connection = Connection::open(victim.address());
    let target = format!("/announce?{}&compact=0", query(b'k', 1));
    let begin = Instant::now();
    for _ in 0..20 {
        let answer = connection.get(&target);
        assert!(answer.body.len() > 1024, "{}", answer.text());
        assert_eq!(decode(&answer.body).shown().len(), 30);
    }
    // 40 ms each would be the delay that the row is about. Only said, not asserted: a busy
    // machine may take as long. That the delay is off has a unit test in `src/listen.rs`.
    eprintln!("20 answers took {:?}", begin.elapsed());
    drop(connection);
    victim.assert_unharmed();
}

#[test]
fn an_answer_is_never_chunked() {
    // The most that there can be in an answer, with the longest form of addresses.
    let victim = Victim::start();
    fill(&victim, b'c', 40);
    for te in ["chunked", "trailers, chunked;q=1", "chunked, gzip"] {
        let mut connection = Connection::open(victim.address());
        let query = query(b'c', 1);
        connection.send(
            format!(
                "GET /announce?{query}&compact=0 HTTP/1.1\r\nHost: x\r\nTE: {te}\r\n\
                 Connection: TE\r\n\r\n"
            )
            .as_bytes(),
        );
        let answer = connection.answer();
        assert_eq!(answer.header("Transfer-Encoding"), None, "{answer:?}");
        // Read by its Content-Length, it is whole.
        assert_eq!(decode(&answer.body).shown().len(), 30);
        assert_eq!(connection.get("/").status, 200, "the connection goes on");
    }
    victim.assert_unharmed();
}

#[test]
fn random_bytes() {
    let victim = Victim::start();
    let mut random = Random(0x6d61_7966_6c79_2e31);
    let mut answered = 0;
    for round in 0..300 {
        let bytes = match round % 3 {
            0 => random.bytes(3000),
            _ => random.mutated_announce(),
        };
        let mut stream = TcpStream::connect(victim.address()).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        // It may be refused, and closed, before it has come whole.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let answer = read_to_end(&stream);
        let shown = || (bytes.escape_ascii(), answer.escape_ascii());
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 "),
            "{:?}",
            shown()
        );
        answered += usize::from(!answer.is_empty());
    }
    assert!(answered > 100, "only {answered} were worth an answer");
    victim.assert_unharmed();
}
