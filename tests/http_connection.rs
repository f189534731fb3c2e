//! What HTTP wants whatever the announce says: lengths, HEAD, kept connections, paths. What a
//! hostile client can do to a connection is tested in `abuse`.

use crate::support::http::{
    Answer, Connection, ORDINARY, TORRENT, crowd, decode, get, ipv4, ipv6, send,
};
use crate::support::tracker::Tracker;

fn start() -> Tracker {
    Tracker::start(&["-p", "0"])
}

/// Some clients cannot read a chunked body.
#[track_caller]
fn assert_has_a_length(answer: &Answer) {
    let length = answer.header("Content-Length").expect("Content-Length");
    assert_eq!(length.parse(), Ok(answer.body.len()));
    assert_eq!(answer.header("Transfer-Encoding"), None);
}

#[test]
fn content_length_is_always_there_and_nothing_is_chunked() {
    let tracker = Tracker::start(&["-p", "0", "-n", "200"]);
    crowd(&tracker, 200);
    let at = ipv4(&tracker);
    let large = format!("/announce?{ORDINARY}&port=201&compact=0");
    for target in [
        "/announce",
        "/",
        "/metrics",
        "/announce?event=stopped",
        &large,
    ] {
        for head in [
            "HTTP/1.1\r\nHost: x",
            "HTTP/1.1\r\nHost: x\r\nTE: chunked",
            "HTTP/1.1\r\nHost: x\r\nTE: trailers, chunked;q=1\r\nConnection: TE",
            "HTTP/1.1\r\nHost: x\r\nConnection: close",
            "HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip, deflate",
            "HTTP/1.0",
            "HTTP/1.0\r\nTE: chunked\r\nConnection: keep-alive",
        ] {
            let answer = send(at, format!("GET {target} {head}\r\n\r\n").as_bytes());
            assert_has_a_length(&answer);
            assert_eq!(answer.header("Content-Encoding"), None);
            if target == large {
                assert_eq!(decode(&answer.body).shown().len(), 200);
                assert!(answer.body.len() > 10_000, "as large as they get");
            }
        }
    }
    let answer = send(at, b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_has_a_length(&answer);
}

#[test]
fn announces_are_answered_at_every_usual_path() {
    let tracker = start();
    let at = ipv4(&tracker);
    for path in [
        "/announce",
        "/announce.php",
        "/x/announce",
        "/x/announce.php",
        "/0123456789abcdef/announce",
        "/a/b/c/announce",
    ] {
        let answer = get(at, &format!("{path}?{ORDINARY}&port=1"));
        assert_eq!(answer.status, 200, "{path}");
        let announced = decode(&answer.body);
        assert_eq!(announced.incomplete, Some(1), "{path}");
        assert_eq!(
            decode(&get(at, path).body).failure_code,
            Some(101),
            "{path}"
        );
    }
    // As a client behind a proxy sends it.
    let answer = get(
        at,
        &format!("http://tracker.example:80/announce?{ORDINARY}&port=1"),
    );
    assert_eq!(decode(&answer.body).incomplete, Some(1));
}

#[test]
fn everything_else_is_a_404_that_names_the_announce_url() {
    let tracker = start();
    let at = ipv4(&tracker);
    for path in [
        "/x",
        "/favicon.ico",
        "/announcement",
        "/announce/",
        "/announce.html",
        "/Announce",
        "//",
        "/x?announce",
        "/metrics/",
        "/status",
    ] {
        let answer = get(at, path);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("Content-Type"), Some("text/plain"));
        assert!(
            answer.text().contains("http://x/announce"),
            "{}",
            answer.text()
        );
        assert!(answer.text().contains("tracker"), "plain words");
    }
}

/// Of a 404 clients show next to nothing, and Transmission takes the page at `/` for an answer
/// without peers.
#[test]
fn an_info_hash_is_an_announce_by_any_url() {
    let tracker = start();
    let at = ipv4(&tracker);
    let mut port = 0;
    let mut announce = |url: &str| {
        port += 1;
        let answer = get(at, &format!("{url}?{ORDINARY}&port={port}"));
        assert_eq!(answer.status, 200, "{url}");
        assert_eq!(decode(&answer.body).incomplete, Some(port), "{url}");
    };
    for url in [
        "/",
        "",
        "//",
        "/announce/",
        "/ANNOUNCE",
        "/wrong",
        "/scrape/",
        "/scrape/x",
        "/status.json",
        "/metrics",
        "http://tracker.example:9000",
        "HTTP://tracker.example",
        "https://tracker.example/",
        "Http://tracker.example/announce",
    ] {
        announce(url);
    }
    // What it lacks is said as ever, and a scrape is one.
    let answer = get(at, &format!("/?{TORRENT}"));
    assert_eq!(decode(&answer.body).failure_code, Some(103));
    for url in ["/scrape", "/x/scrape", "/scrape.php", "http://x/scrape"] {
        let answer = get(at, &format!("{url}?{ORDINARY}&port=1"));
        let reason = decode(&answer.body).failure_reason;
        let reason = reason.unwrap_or_default();
        assert_eq!(reason, "this tracker does not answer scrapes", "{url}");
    }
    // Without one all is as it was.
    for url in ["/?port=1", "/wrong?info_hash", "http://x/wrong?x=info_hash"] {
        let expected = if url.starts_with("/?") {
            "mayfly"
        } else {
            "http://x/announce"
        };
        assert!(get(at, url).text().contains(expected), "{url}");
    }
    assert!(get(at, "http://tracker.example").text().contains("<html"));
}

#[test]
fn the_404_names_the_host_as_it_was_asked_for() {
    let tracker = start();
    let at = ipv4(&tracker);
    let page = |host: &str| {
        let answer = send(at, format!("GET /x HTTP/1.1\r\n{host}\r\n").as_bytes());
        assert_eq!(answer.status, 404, "{host}");
        answer.text()
    };
    for host in [
        "box.lan:9000",
        "box",
        "192.168.1.5:9000",
        "[fd00::5]:9000",
        "tracker.example",
    ] {
        let text = page(&format!("Host: {host}\r\n"));
        assert!(
            text.contains(&format!("http://{host}/announce\n")),
            "{text}"
        );
    }
    // Not decent, or none: the address that was reached.
    let reached = format!("http://{at}/announce\n");
    for host in [
        "",
        "Host:\r\n",
        "Host: <script>alert(1)</script>\r\n",
        "Host: a b\r\n",
        "Host: x\"y\r\n",
        "Host: \u{1b}[31mred\r\n",
        "Host: a/b\r\n",
        "Host: user@box\r\n",
    ] {
        let text = page(host);
        assert!(text.contains(&reached), "{host}: {text}");
    }
    let old = send(at, b"GET /x HTTP/1.0\r\n\r\n");
    assert!(old.text().contains(&reached), "{}", old.text());
    if let Some(at) = ipv6(&tracker) {
        let text = send(at, b"GET /x HTTP/1.0\r\n\r\n").text();
        assert!(
            text.contains(&format!("http://[::1]:{}/announce\n", at.port())),
            "{text}"
        );
    }
}

#[test]
fn no_answer_carries_markup_of_the_askers() {
    let tracker = start();
    let at = ipv4(&tracker);
    for target in [
        "/<script>alert(1)</script>",
        "/%3Cscript%3E",
        "/x?<script>",
        "/announce?<script>",
        "/announce?info_hash=<script>",
        "/announce/<script>",
    ] {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: <script>\r\nReferer: <script>\r\n\r\n");
        let answer = send(at, request.as_bytes());
        assert!(!answer.text().contains('<'), "{}", answer.text());
        assert_eq!(answer.header("Content-Type"), Some("text/plain"));
    }
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let tracker = start();
    let mut connection = Connection::open(ipv4(&tracker));
    let announce = format!("/announce?{ORDINARY}&port=1");
    for target in [&announce[..], "/announce", "/x", "/announce?port=0"] {
        for version in ["1.1\r\nHost: x", "1.0\r\nConnection: keep-alive"] {
            let mut ask = |method: &str| {
                connection.send(format!("{method} {target} HTTP/{version}\r\n\r\n").as_bytes());
                match method {
                    "HEAD" => connection.answer_without_body(),
                    _ => connection.answer(),
                }
            };
            let with_body = ask("GET");
            let without = ask("HEAD");
            assert_eq!(without.status, with_body.status, "{target}");
            assert_eq!(without.headers, with_body.headers, "{target}");
            assert_ne!(without.header("Content-Length"), Some("0"), "{target}");
            // Nothing but the next answer follows: the HEAD had no body.
            assert_eq!(ask("GET").body, with_body.body, "{target}");
        }
    }
    connection.send(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    connection.answer_without_body();
    assert!(connection.is_closed(), "something follows");
}

#[test]
fn http_1_0_closes_after_the_answer_unless_asked_to_keep() {
    let tracker = start();
    let mut connection = Connection::open(ipv4(&tracker));
    let request =
        |headers: &str| format!("GET /announce?{ORDINARY}&port=1 HTTP/1.0\r\n{headers}\r\n");
    for keep in ["Connection: keep-alive\r\n", "connection: Keep-Alive\r\n"] {
        connection.send(request(keep).as_bytes());
        let answer = connection.answer();
        assert_eq!(answer.header("Connection"), Some("keep-alive"));
        assert_eq!(decode(&answer.body).incomplete, Some(1));
    }
    connection.send(request("").as_bytes());
    let answer = connection.answer();
    assert_eq!(answer.header("Connection"), Some("close"));
    assert_eq!(decode(&answer.body).incomplete, Some(1));
    assert!(connection.is_closed());
}

#[test]
fn an_http_1_1_connection_is_kept() {
    let tracker = start();
    let mut connection = Connection::open(ipv4(&tracker));
    for port in 1..=50 {
        let answer = connection.get(&format!("/announce?{ORDINARY}&port={port}"));
        assert_eq!(answer.header("Connection"), None);
        assert_eq!(decode(&answer.body).incomplete, Some(port));
    }
    // Nor does a failure or a page end it.
    assert_eq!(
        decode(&connection.get("/announce").body).failure_code,
        Some(101)
    );
    assert_eq!(connection.get("/").status, 200);
    assert_eq!(
        connection
            .get(&format!("/announce?{ORDINARY}&port=1"))
            .status,
        200
    );
}

#[test]
fn connection_close_is_said_and_done() {
    let tracker = start();
    for close in ["close", "Close", "TE, close", "close, TE"] {
        let mut connection = Connection::open(ipv4(&tracker));
        let target = format!("/announce?{ORDINARY}&port=1");
        connection.send(
            format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: {close}\r\n\r\n").as_bytes(),
        );
        let answer = connection.answer();
        assert_eq!(answer.header("Connection"), Some("close"), "{close}");
        assert_eq!(decode(&answer.body).incomplete, Some(1));
        assert!(connection.is_closed(), "{close}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let tracker = start();
    let mut connection = Connection::open(ipv4(&tracker));
    // Each answer can be told from its neighbours: a failure that quotes, a count, a 404.
    let requests: String = (1..=60)
        .map(|n| {
            let target = match n % 3 {
                0 => format!("/{n}"),
                1 => format!("/announce?{TORRENT}&port=x{n}"),
                _ => format!("/announce?{ORDINARY}&port={n}&numwant=0"),
            };
            format!("GET {target} HTTP/1.1\r\nHost: n{n}\r\n\r\n")
        })
        .collect();
    connection.send(requests.as_bytes());
    let mut peers = 0;
    for n in 1..=60 {
        let answer = connection.answer();
        match n % 3 {
            0 => assert!(answer.text().contains(&format!("http://n{n}/announce"))),
            1 => assert!(answer.text().contains(&format!("port is 'x{n}'"))),
            _ => {
                peers += 1;
                assert_eq!(decode(&answer.body).incomplete, Some(peers));
            }
        }
    }
}

#[test]
fn what_follows_a_request_to_close_is_not_answered() {
    let tracker = start();
    let mut connection = Connection::open(ipv4(&tracker));
    connection.send(b"GET /1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(connection.answer().status, 404);
    assert!(connection.is_closed());
}
