use super::*;

fn whole(status: u16, body: &str) -> Read {
    Read::Whole(Answer {
        status,
        body: body.to_owned(),
    })
}

#[test]
fn an_answer_ends_by_its_length() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef";
    assert_eq!(read(answer, false), whole(200, "abc"));
    for length in 0..answer.len() - 3 {
        assert_eq!(read(&answer[..length], false), Read::Part, "{length}");
        assert_eq!(read(&answer[..length], true), Read::Nonsense, "{length}");
    }
}

#[test]
fn an_answer_ends_with_its_last_chunk() {
    let answer =
        b"HTTP/1.1 500 No\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n00A;x=y\r\n0123456789\r\n0\r\n\r\n";
    assert_eq!(read(answer, false), whole(500, "abc0123456789"));
    for length in 0..answer.len() - 4 {
        assert_eq!(read(&answer[..length], false), Read::Part, "{length}");
    }
    for bad in ["g", "", "-1", "ffffffffffffffff", "10001"] {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{bad}\r\nabc");
        assert_eq!(read(answer.as_bytes(), false), Read::Nonsense, "{bad}");
    }
}

#[test]
fn an_answer_ends_with_the_connection() {
    let answer = b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nabc";
    assert_eq!(read(answer, false), Read::Part);
    assert_eq!(read(answer, true), whole(200, "abc"));
}

#[test]
fn what_is_no_answer_is_nonsense_at_once() {
    for head in [
        "GET / HTTP/1.1",
        "HTTP/2 200 OK",
        "HTTP/1.1",
        "HTTP/1.1 OK",
        "HTTP/1.1 200 OK\r\nContent-Length: many",
        "HTTP/1.1 200 OK\r\nContent-Length: -1",
        "",
    ] {
        let answer = format!("{head}\r\n\r\n");
        assert_eq!(read(answer.as_bytes(), false), Read::Nonsense, "{head}");
    }
    assert_eq!(read(b"\xff\xff\r\n\r\n", false), Read::Nonsense);
}

#[test]
fn an_answer_is_no_longer_than_64_kib() {
    for head in [
        "",
        "Content-Length: 70000\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        let mut answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n").into_bytes();
        answer.extend_from_slice(b"ff00\r\n");
        answer.resize(64 * 1024 - 1, b'x');
        assert_eq!(read(&answer, false), Read::Part, "{head}");
        answer.push(b'x');
        assert_eq!(read(&answer, false), Read::Nonsense, "{head}");
    }
    // Nor is a head without an end.
    assert_eq!(read(&vec![b'x'; 64 * 1024], false), Read::Nonsense);
}
