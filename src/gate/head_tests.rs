//! Tests of `gate/head.rs`.

use super::*;
use proptest::prelude::*;

fn read(head: &str) -> Result<(String, Option<String>, bool), HttpRefusal> {
    assert_eq!(end(head.as_bytes(), 0), Some(head.len()), "{head:?}");
    parse(head.as_bytes()).map(|parsed| {
        let text = |range: Range<usize>| head[range].to_owned();
        (
            text(parsed.target),
            parsed.host.map(text),
            parsed.keep_alive,
        )
    })
}

macro_rules! passes {
    ($name:ident, $head:expr, $target:expr, $host:expr, $keep_alive:expr) => {
        #[test]
        fn $name() {
            let host: Option<&str> = $host;
            let expected = ($target.to_owned(), host.map(str::to_owned), $keep_alive);
            assert_eq!(read($head), Ok(expected));
        }
    };
}

macro_rules! fails {
    ($name:ident, $head:expr, $refused:expr) => {
        #[test]
        fn $name() {
            assert_eq!(read($head), Err($refused));
        }
    };
}

passes!(plain, "GET /a?b=c HTTP/1.1\r\n\r\n", "/a?b=c", None, true);
passes!(
    a_host,
    "GET / HTTP/1.1\r\nHost:  box.lan:9000 \r\n\r\n",
    "/",
    Some("box.lan:9000"),
    true
);
passes!(
    an_ipv6_host,
    "GET / HTTP/1.1\nhOST:[::1]:9\n\n",
    "/",
    Some("[::1]:9"),
    true
);
passes!(
    a_host_that_is_none,
    "GET / HTTP/1.1\r\nHost: <b>\r\n\r\n",
    "/",
    None,
    true
);
passes!(
    close,
    "GET / HTTP/1.1\r\nConnection: TE, Close\r\n\r\n",
    "/",
    None,
    false
);
passes!(http_1_0_closes, "GET / HTTP/1.0\r\n\r\n", "/", None, false);
passes!(
    http_1_0_kept,
    "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
    "/",
    None,
    true
);
passes!(
    a_space_in_the_target,
    "GET /a?b= c HTTP/1.1\r\n\r\n",
    "/a?b= c",
    None,
    true
);
passes!(
    the_whole_url,
    "GET http://box.lan:9000/a?b=c HTTP/1.1\r\n\r\n",
    "/a?b=c",
    None,
    true
);
passes!(
    a_scheme_in_any_case,
    "GET HttP://x/announce HTTP/1.1\r\n\r\n",
    "/announce",
    None,
    true
);
passes!(
    a_url_without_path,
    "GET https://x:9 HTTP/1.1\r\n\r\n",
    "",
    None,
    true
);
passes!(
    a_url_of_a_query_alone,
    "GET http://x?b=/c?d HTTP/1.1\r\n\r\n",
    "?b=/c?d",
    None,
    true
);
passes!(
    a_query_alone,
    "GET ?b=c HTTP/1.1\r\n\r\n",
    "?b=c",
    None,
    true
);
passes!(
    no_body_said_aloud,
    "GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "/",
    None,
    true
);

fails!(post, "POST / HTTP/1.1\r\n\r\n", HttpRefusal::NotAGet);
fails!(options, "OPTIONS * HTTP/1.1\r\n\r\n", HttpRefusal::NotAGet);
fails!(http_2, "GET / HTTP/2.0\r\n\r\n", HttpRefusal::BadVersion);
fails!(http_3, "GET / HTTP/3.0\r\n\r\n", HttpRefusal::BadVersion);
fails!(
    h2_preface,
    "PRI * HTTP/2.0\r\n\r\n",
    HttpRefusal::BadVersion
);
fails!(http_0_9, "GET /\r\n\r\n", HttpRefusal::BadLine);
fails!(no_target, "GET HTTP/1.1\r\n\r\n", HttpRefusal::BadLine);
fails!(no_path, "GET x HTTP/1.1\r\n\r\n", HttpRefusal::BadLine);
fails!(empty_target, "GET  HTTP/1.1\r\n\r\n", HttpRefusal::BadLine);
fails!(
    another_scheme,
    "GET ftp://x/a HTTP/1.1\r\n\r\n",
    HttpRefusal::BadLine
);
fails!(
    lower_case_method,
    "Get / HTTP/1.1\r\n\r\n",
    HttpRefusal::BadLine
);
fails!(
    a_body,
    "GET / HTTP/1.1\r\nContent-Length: 1000000000000\r\n\r\n",
    HttpRefusal::Body
);
fails!(
    two_lengths,
    "GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
    HttpRefusal::Body
);
fails!(
    a_length_of_nothing,
    "GET / HTTP/1.1\r\nContent-Length:\r\n\r\n",
    HttpRefusal::Body
);
fails!(
    a_chunked_body,
    "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    HttpRefusal::Body
);
fails!(
    expect,
    "GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n",
    HttpRefusal::Expect
);
fails!(
    no_colon,
    "GET / HTTP/1.1\r\nHost\r\n\r\n",
    HttpRefusal::BadHeader
);
fails!(
    no_name,
    "GET / HTTP/1.1\r\n: x\r\n\r\n",
    HttpRefusal::BadHeader
);
fails!(
    a_folded_header,
    "GET / HTTP/1.1\r\nA: b\r\n c: d\r\n\r\n",
    HttpRefusal::BadHeader
);
fails!(
    a_space_before_the_colon,
    "GET / HTTP/1.1\r\nContent-Length : 5\r\n\r\n",
    HttpRefusal::BadHeader
);
fails!(
    two_hosts,
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    HttpRefusal::BadHeader
);
fails!(
    a_bare_cr_in_a_value,
    "GET / HTTP/1.1\r\nA: b\rHost: c\r\n\r\n",
    HttpRefusal::BadHeader
);
fails!(
    two_crs_at_the_end_of_a_value,
    "GET / HTTP/1.1\r\nA: b\r\r\n\r\n",
    HttpRefusal::BadHeader
);
fails!(
    a_nul_in_a_value,
    "GET / HTTP/1.1\r\nA: b\0\r\n\r\n",
    HttpRefusal::BadHeader
);
fails!(tls, "\u{16}\u{3}\u{1}\n\n", HttpRefusal::NotHttp);

#[test]
fn a_proxy_is_noticed() {
    for (header, is_forwarded) in [
        ("X-Forwarded-For: 203.0.113.7", true),
        ("forwarded: for=203.0.113.7", true),
        ("X-Real-IP: 203.0.113.7", true),
        ("Via: 1.1 proxy", true),
        ("Accept: */*", false),
    ] {
        let head = format!("GET / HTTP/1.1\r\n{header}\r\n\r\n");
        assert_eq!(parse(head.as_bytes()).unwrap().is_forwarded, is_forwarded);
    }
}

/// A head of 8,000 bytes, and behind it another request: one that comes with the last piece
/// once counted towards the first one's length.
#[test]
fn what_follows_a_request_does_not_make_it_too_long() {
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(8_000));
    let both = [long.as_bytes(), &[b'b'; LONGEST]].concat();
    let (head, length) = next(&mut both.clone(), 0).unwrap().unwrap();
    assert_eq!((head.target, length), (4..8_005, long.len()));
    let mut in_two = both[..6_000].to_vec();
    assert_eq!(next(&mut in_two, 0), Ok(None));
    in_two.extend_from_slice(&both[6_000..]);
    assert!(next(&mut in_two, 6_000).unwrap().is_some());
    let mut without_end = vec![b'A'; LONGEST + 1];
    assert_eq!(
        next(&mut without_end, LONGEST),
        Err(HttpRefusal::TargetTooLong)
    );
}

#[test]
fn what_a_page_makes_a_browser_ask_is_noticed() {
    for (header, has_marks) in [
        ("Sec-Fetch-Mode: no-cors", true),
        ("sec-fetch-site: cross-site", true),
        ("SEC-FETCH-NEW: x", true),
        ("Origin: null", true),
        ("referer: http://evil.example/", true),
        ("Cookie: a=b", true),
        ("Accept: text/html", false),
        ("Sec-Fetch: x", false),
        // What Chromium sends for an image that a page wants without referrer, over http.
        ("Accept-Language: en-US,en;q=0.5", true),
        ("User-Agent: Mozilla/5.0 (X11; Linux x86_64)", true),
        ("user-agent: Transmission/4.0.6", false),
        ("User-Agent: qBittorrent/5.0 Mozilla/5.0", false),
        ("X-User-Agent: Mozilla/5.0", false),
        ("Accept-Encoding: gzip, deflate", false),
        ("Origins: x", false),
        ("X-Origin: x", false),
        ("User-Agent: Origin", false),
    ] {
        let head = format!("GET / HTTP/1.1\r\n{header}\r\n\r\n");
        let parsed = parse(head.as_bytes()).unwrap();
        assert_eq!(parsed.has_browser_marks, has_marks, "{header}");
    }
}

/// Browsers take names that are none, if a name server gives them an address.
#[test]
fn a_host_that_is_odd_is_not_one_that_is_missing() {
    for (header, has_odd_host) in [
        ("Host: box.lan", false),
        ("Host:", false),
        ("Accept: */*", false),
        ("Host: a!b.evil.example", true),
    ] {
        let head = format!("GET / HTTP/1.1\r\n{header}\r\n\r\n");
        let parsed = parse(head.as_bytes()).unwrap();
        assert_eq!(parsed.has_odd_host, has_odd_host, "{header}");
    }
}

#[test]
fn a_browser_is_noticed() {
    let chromium = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (header, is_browser) in [
        (chromium, true),
        ("accept:text/html", true),
        ("Accept: */*, Text/HTML ;level=1", true),
        ("Accept: text/html;q=0.1", true),
        ("Accept: text/html\r\nAccept: */*", true),
        ("Accept: */*\r\nAccept: text/html", true),
        ("Accept: text/html;q=0", false),
        ("Accept: */*, text/html; level=1; q=0.000", false),
        ("Accept: text/htmlx, x-text/html", false),
        ("Accept: */*", false),
        ("Accept: text/plain", false),
        ("Accept:", false),
        ("User-Agent: text/html", false),
    ] {
        let head = format!("GET / HTTP/1.1\r\n{header}\r\n\r\n");
        assert_eq!(parse(head.as_bytes()).unwrap().is_browser, is_browser);
    }
}

#[test]
fn the_beginning_tells_early() {
    assert_eq!(check_beginning(b""), Ok(()));
    assert_eq!(check_beginning(b"GET"), Ok(()));
    assert_eq!(check_beginning(b"\x16\x03"), Err(HttpRefusal::NotHttp));
    assert_eq!(
        check_beginning(b"\x13BitTorrent protocol"),
        Err(HttpRefusal::NotHttp)
    );
    // Browsers send up to 4 KB; each of a thousand connections may take that much memory.
    assert_eq!(check_beginning(&[b'A'; 8_000]), Ok(()));
    assert!(check_beginning(&[b'A'; 10_000]).is_err());
    assert_eq!(check_beginning(&[b'A'; LONGEST]), Ok(()));
    assert_eq!(
        check_beginning(&[b'A'; LONGEST + 1]),
        Err(HttpRefusal::TargetTooLong)
    );
    let with_line_end = |at| {
        let mut bytes = [b'A'; LONGEST + 2];
        bytes[at] = b'\n';
        check_beginning(&bytes)
    };
    assert_eq!(
        with_line_end(LONGEST - 1),
        Err(HttpRefusal::TooLong),
        "headers"
    );
    assert_eq!(with_line_end(LONGEST), Err(HttpRefusal::TargetTooLong));
}

/// A name has 253 characters at most, a port 5.
#[test]
fn a_host_has_the_length_of_a_name() {
    assert!(is_host("a".repeat(260).as_bytes()));
    assert!(!is_host("a".repeat(261).as_bytes()));
}

#[test]
fn a_target_of_any_bytes_becomes_printable_and_decodes_to_the_same() {
    let all: Vec<u8> = (0..=255).filter(|&byte| byte != b'%').collect();
    let mut out = Vec::new();
    write_target(&all, &mut out);
    assert!(out.iter().all(u8::is_ascii_graphic));
    let mut decoded = Vec::new();
    let mut rest = &out[..];
    while let [first, behind @ ..] = rest {
        let (byte, behind) = match (first, behind) {
            (b'%', [high, low, behind @ ..]) => {
                let digits = std::str::from_utf8(&[*high, *low]).unwrap().to_owned();
                (u8::from_str_radix(&digits, 16).unwrap(), behind)
            }
            _ => (*first, behind),
        };
        decoded.push(byte);
        rest = behind;
    }
    assert_eq!(decoded, all);
}

proptest! {
    #[test]
    fn anything_is_read_or_refused(mut head in "(GET|HEAD|[A-Z]{1,4}) [ -~\r\n]{0,200}") {
        head.push_str("\r\n\r\n");
        let end = end(head.as_bytes(), 0).unwrap();
        if let Ok(parsed) = parse(&head.as_bytes()[..end]) {
            let target = &head[parsed.target];
            prop_assert!(target.is_empty() || target.starts_with(['/', '?']));
        }
    }

    #[test]
    fn the_end_is_found_however_the_head_is_cut(head in "[a\r\n]{0,20}", cut in 0..20_usize) {
        let cut = cut.min(head.len());
        let whole = end(head.as_bytes(), 0);
        let in_parts = end(&head.as_bytes()[..cut], 0).or(end(head.as_bytes(), cut));
        prop_assert_eq!(whole, in_parts);
    }
}
