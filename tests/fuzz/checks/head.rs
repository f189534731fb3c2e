//! What a client sends over one connection: requests, or something else.

use super::is_one_clean_line;
use mayfly::gate::head::{self, Head, LONGEST};
use mayfly::http::query;
use mayfly::refusal::{HttpRefusal, Refusal};

/// Checks which requests are seen in these bytes, and that what passes is clean.
pub fn check(bytes: &[u8]) {
    let at_once = requests(bytes, bytes.len().max(1));
    // The gate reads 2,048 at a time; an odd size, other for other bytes, cuts anywhere.
    let odd = 1 + bytes.iter().map(|&byte| usize::from(byte)).sum::<usize>() % 97;
    for size in [1, 2048, odd] {
        assert_eq!(at_once, requests(bytes, size), "in pieces of {size}");
    }
    for request in &at_once {
        match request {
            Ok((head, bytes)) => check_passed(head, bytes),
            Err(refused) => {
                assert!(refused.status().starts_with(['4', '5']));
                let refused = Refusal::Http(*refused);
                let text = refused.to_string();
                assert!(is_one_clean_line(&text) && is_one_clean_line(refused.fault()));
            }
        }
    }
    check_that_the_ordinary_passes(bytes);
}

/// The heads in these bytes, each with its own, as the gate gets to see them; the last may be a
/// refusal.
fn requests(bytes: &[u8], size: usize) -> Vec<Result<(Head, Vec<u8>), HttpRefusal>> {
    let mut requests = Vec::new();
    let mut received = Vec::new();
    let mut seen = 0;
    for piece in bytes.chunks(size) {
        received.extend_from_slice(piece);
        loop {
            match head::next(&mut received, seen) {
                Ok(Some((head, length))) => {
                    let rest = received.split_off(length);
                    requests.push(Ok((head, std::mem::replace(&mut received, rest))));
                    seen = 0;
                }
                Ok(None) => break,
                Err(refused) => {
                    requests.push(Err(refused));
                    return requests;
                }
            }
        }
        seen = received.len();
    }
    requests
}

fn check_passed(head: &Head, bytes: &[u8]) {
    assert!(bytes.len() <= LONGEST);
    let target = &bytes[head.target.clone()];
    assert!(matches!(target.first(), None | Some(b'/' | b'?')));
    let mut clean = Vec::new();
    head::write_target(target, &mut clean);
    assert!(clean.iter().all(u8::is_ascii_graphic), "for tiny_http");
    assert_eq!(query::decode(&clean), query::decode(target));
    if let Some(host) = &head.host {
        let host = &bytes[host.clone()];
        let is_plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(b);
        assert!((1..=260).contains(&host.len()) && host.iter().all(is_plain));
    }
    // However else a line may be read, it must not announce a body.
    for line in bytes.split(|&byte| byte == b'\n').skip(1) {
        let name = line.split(|&byte| byte == b':').next();
        let name = name.unwrap_or_default().trim_ascii().to_ascii_lowercase();
        assert!(name != b"transfer-encoding" && name != b"expect");
        let is_digit = |byte: &u8| (b'1'..=b'9').contains(byte);
        assert!(name != b"content-length" || !line.iter().any(is_digit));
    }
    check_by_another_parser(head, bytes);
}

/// Where httparse can read the same head, it must read the same in it.
fn check_by_another_parser(head: &Head, bytes: &[u8]) {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let Ok(httparse::Status::Complete(length)) = request.parse(bytes) else {
        return;
    };
    assert_eq!(length, bytes.len());
    let method = if head.is_head { "HEAD" } else { "GET" };
    assert_eq!(request.method, Some(method));
    assert_eq!(request.version, Some(u8::from(!head.is_http_1_0)));
    let target = &bytes[head.target.clone()];
    let path = request.path.expect("a path").as_bytes();
    let is_whole_url = path.len() > 4 && path[..4].eq_ignore_ascii_case(b"http");
    assert!(path == target || is_whole_url && path.ends_with(target));
    let values = |name: &str| {
        let of_name = |header: &&httparse::Header| header.name.eq_ignore_ascii_case(name);
        let found = request.headers.iter().filter(of_name);
        found.map(|header| header.value).collect::<Vec<_>>()
    };
    assert!(values("transfer-encoding").is_empty() && values("expect").is_empty());
    for length in values("content-length") {
        assert!(!length.is_empty() && length.iter().all(|&byte| byte == b'0'));
    }
    let hosts = values("host");
    assert!(hosts.len() <= 1);
    if let Some(host) = &head.host {
        assert_eq!(hosts, [&bytes[host.clone()]]);
    }
    let forwarded = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];
    let is_forwarded = forwarded.iter().any(|name| !values(name).is_empty());
    assert_eq!(head.is_forwarded, is_forwarded);
    let has_marks = request.headers.iter().any(|header| {
        let name = header.name.to_ascii_lowercase();
        name.starts_with("sec-fetch-")
            || ["origin", "referer", "cookie", "accept-language"].contains(&&name[..])
            || name == "user-agent" && header.value.starts_with(b"Mozilla/")
    });
    assert_eq!(head.has_browser_marks, has_marks);
}

/// A request that httparse understands, that is short enough and has nothing that a tracker has no
/// use for, must pass.
fn check_that_the_ordinary_passes(bytes: &[u8]) {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let Ok(httparse::Status::Complete(length)) = request.parse(bytes) else {
        return;
    };
    let count = |name: &str| {
        let of_name = |header: &&httparse::Header| header.name.eq_ignore_ascii_case(name);
        request.headers.iter().filter(of_name).count()
    };
    let is_ordinary = length <= LONGEST
        && matches!(request.method, Some("GET" | "HEAD"))
        && request.path.is_some_and(|path| path.starts_with('/'))
        && count("content-length") + count("transfer-encoding") + count("expect") == 0
        && count("host") <= 1;
    let first = head::next(&mut bytes.to_vec(), 0);
    if is_ordinary {
        let passed = first.expect("ordinary").expect("whole");
        // httparse takes empty lines before a request along.
        let empty = head::leading_empty_lines(bytes);
        assert_eq!(passed.1, length - empty);
    }
}
