//! The head of an HTTP request, as the gate reads it: what is let through, and what is refused.
//!
//! Bytes in, values out. The limits that need a clock or a socket are in `serve.rs`. The grammar
//! is that of RFC 9112, and only what a tracker has a use for: GET and HEAD without a body.

use crate::refusal::HttpRefusal;
use std::ops::Range;

/// Longest head, in bytes. An announce takes some 400; browsers send up to 4 KB with cookies.
pub const LONGEST: usize = 8 * 1024;

/// Headers that a proxy adds.
const FORWARDED: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];

/// Headers that a browser adds, and what others of them begin with. Most can be left out: a page may
/// have an image loaded without `Referer`, and `Sec-Fetch-*` goes to https and to this machine alone.
const BROWSER_MARKS: [&str; 4] = ["origin", "referer", "cookie", "accept-language"];
const SEC_FETCH: &str = "sec-fetch-";
/// What every browser's name begins with, which a page cannot change.
const BROWSER: &[u8] = b"Mozilla/";

/// A request that may pass.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// HEAD instead of GET.
    pub is_head: bool,
    /// Path and query as they came; the path may be empty, which means the same as `/`.
    pub target: Range<usize>,
    /// The value of `Host`, if it looks like one.
    pub host: Option<Range<usize>>,
    /// Whether there is a `Host` that does not look like one.
    pub has_odd_host: bool,
    /// Whether a proxy says that it brought the request.
    pub is_forwarded: bool,
    /// Whether it comes from a browser that shows the answer to a person.
    pub is_browser: bool,
    /// Whether a browser has sent it, on behalf of whichever page it shows.
    pub has_browser_marks: bool,
    /// Whether the client would like to ask more on this connection.
    pub keep_alive: bool,
    /// Whether it is HTTP/1.0, whose clients must be told that the connection is kept.
    pub is_http_1_0: bool,
}

/// Reads the request that `received` begins with: its head, and how many bytes that has. `None`
/// until it is whole. Of the empty lines before it nothing is kept. `seen` bytes of it were there
/// when this was asked before.
///
/// How the bytes were cut on their way, and what follows the request, makes no difference.
pub fn next(received: &mut Vec<u8>, seen: usize) -> Result<Option<(Head, usize)>, HttpRefusal> {
    received.drain(..leading_empty_lines(received));
    if let Some(length) = end(received, seen) {
        let head = parse(&received[..length])?;
        return Ok(Some((head, length)));
    }
    check_beginning(received)?;
    Ok(None)
}

/// Where the head ends, if it is whole: the index behind its empty line. `seen` bytes have been
/// looked at before, so that a client which sends byte by byte does not cost a look at all of
/// them each time.
pub fn end(bytes: &[u8], seen: usize) -> Option<usize> {
    let begin = seen.saturating_sub(3);
    let mut rest = bytes.get(begin..)?;
    loop {
        let line_feed = rest.iter().position(|&byte| byte == b'\n')?;
        rest = &rest[line_feed + 1..];
        let empty_line = match rest {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => continue,
        };
        return Some(bytes.len() - rest.len() + empty_line);
    }
}

/// How many bytes of empty lines stand before a request: some clients end the one before with
/// such (RFC 9112, 2.2).
pub fn leading_empty_lines(bytes: &[u8]) -> usize {
    let is_line_end = |&byte: &u8| byte == b'\r' || byte == b'\n';
    bytes.iter().take_while(|byte| is_line_end(byte)).count()
}

/// Whether what has come so far can still become a request; found out early for those that send
/// something else and then wait.
pub fn check_beginning(bytes: &[u8]) -> Result<(), HttpRefusal> {
    match bytes.first() {
        Some(byte) if !byte.is_ascii_uppercase() => Err(HttpRefusal::NotHttp),
        _ if bytes.len() > LONGEST => match bytes[..LONGEST].contains(&b'\n') {
            true => Err(HttpRefusal::TooLong),
            // RFC 9112, 3 and RFC 9110, 15.5.15.
            false => Err(HttpRefusal::TargetTooLong),
        },
        _ => Ok(()),
    }
}

/// Reads a whole head. `head` ends with the empty line.
pub fn parse(head: &[u8]) -> Result<Head, HttpRefusal> {
    check_beginning(head)?;
    let mut lines = Lines { head, at: 0 };
    let line = lines.next().ok_or(HttpRefusal::BadLine)?;
    let mut parsed = request_line(head, line)?;
    // Kept by default since HTTP/1.1.
    let (mut close, mut keep) = (false, false);
    let mut hosts = 0;
    for line in lines {
        let text = &head[line.clone()];
        if text.is_empty() {
            break;
        }
        let colon = text.iter().position(|&byte| byte == b':');
        let colon = colon
            .filter(|&colon| colon > 0)
            .ok_or(HttpRefusal::BadHeader)?;
        let (name, value) = (&text[..colon], trim(&text[colon + 1..]));
        // Space around a name is how requests are smuggled past a proxy.
        if name.iter().any(|byte| !byte.is_ascii_graphic()) {
            return Err(HttpRefusal::BadHeader);
        }
        // To others these may end a line (RFC 9110, 5.5).
        if value.iter().any(|&byte| byte == b'\r' || byte == 0) {
            return Err(HttpRefusal::BadHeader);
        }
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("content-length") {
            if value.is_empty() || value.iter().any(|&byte| byte != b'0') {
                return Err(HttpRefusal::Body);
            }
        } else if is("transfer-encoding") {
            return Err(HttpRefusal::Body);
        } else if is("expect") {
            return Err(HttpRefusal::Expect);
        } else if is("connection") {
            for option in value.split(|&byte| byte == b',') {
                close |= trim(option).eq_ignore_ascii_case(b"close");
                keep |= trim(option).eq_ignore_ascii_case(b"keep-alive");
            }
        } else if FORWARDED.iter().any(|name| is(name)) {
            parsed.is_forwarded = true;
        } else if is("accept") {
            // Several lines are one list (RFC 9110, 5.3).
            parsed.is_browser |= value.split(|&byte| byte == b',').any(is_html);
        } else if is("host") {
            hosts += 1;
            let begin = line.start + (value.as_ptr() as usize - text.as_ptr() as usize);
            parsed.host = is_host(value).then_some(begin..begin + value.len());
            parsed.has_odd_host = parsed.host.is_none() && !value.is_empty();
        } else if is_browser_mark(name) || is("user-agent") && value.starts_with(BROWSER) {
            parsed.has_browser_marks = true;
        }
    }
    if hosts > 1 {
        return Err(HttpRefusal::BadHeader);
    }
    parsed.keep_alive = !close && (keep || !parsed.is_http_1_0);
    Ok(parsed)
}

/// The values of the headers of this name, in a head that [`parse`] has accepted.
pub fn values<'a>(head: &'a [u8], name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    let lines = Lines { head, at: 0 }.skip(1).map(|line| &head[line]);
    let headers = lines.take_while(|text| !text.is_empty());
    headers.filter_map(move |text| {
        let colon = text.iter().position(|&byte| byte == b':')?;
        let is_it = text[..colon].eq_ignore_ascii_case(name.as_bytes());
        is_it.then(|| trim(&text[colon + 1..]))
    })
}

/// Without the spaces and tabs at both ends.
pub fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// Appends `target` with everything but printable ASCII percent-encoded: tiny_http drops a
/// connection with such bytes, and some clients send them.
pub fn write_target(target: &[u8], out: &mut Vec<u8>) {
    for &byte in target {
        if byte.is_ascii_graphic() {
            out.push(byte);
        } else {
            let digit = |digit: u8| b"0123456789ABCDEF"[usize::from(digit)];
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// `GET target HTTP/1.1`. What lies between the first space and the last is the target, so that
/// a space in it (an info_hash may hold one, unescaped) does no harm.
fn request_line(head: &[u8], line: Range<usize>) -> Result<Head, HttpRefusal> {
    let text = &head[line.clone()];
    let first = text
        .iter()
        .position(|&byte| byte == b' ')
        .ok_or(HttpRefusal::BadLine)?;
    let last = text
        .iter()
        .rposition(|&byte| byte == b' ')
        .ok_or(HttpRefusal::BadLine)?;
    let is_http_1_0 = match &text[last + 1..] {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        version if version.starts_with(b"HTTP/") => return Err(HttpRefusal::BadVersion),
        _ => return Err(HttpRefusal::BadLine),
    };
    let is_head = match &text[..first] {
        b"GET" => false,
        b"HEAD" => true,
        method if method.iter().all(u8::is_ascii_uppercase) => return Err(HttpRefusal::NotAGet),
        _ => return Err(HttpRefusal::BadLine),
    };
    let target = text.get(first + 1..last).unwrap_or_default();
    let skip = authority(target);
    if !matches!(target.get(skip), None | Some(b'/' | b'?')) || target.is_empty() {
        return Err(HttpRefusal::BadLine);
    }
    let begin = line.start + first + 1;
    Ok(Head {
        is_head,
        target: begin + skip..begin + target.len(),
        host: None,
        has_odd_host: false,
        is_forwarded: false,
        is_browser: false,
        has_browser_marks: false,
        keep_alive: false,
        is_http_1_0,
    })
}

/// Whether a header is one that browsers add to the requests of pages. No BitTorrent client sends
/// them.
fn is_browser_mark(name: &[u8]) -> bool {
    let begin = name.get(..SEC_FETCH.len()).unwrap_or_default();
    let is = |mark: &str| name.eq_ignore_ascii_case(mark.as_bytes());
    begin.eq_ignore_ascii_case(SEC_FETCH.as_bytes()) || BROWSER_MARKS.into_iter().any(is)
}

/// How many bytes at the beginning of a target are scheme and authority: a client behind a proxy
/// may send the whole URL. Schemes are written in any case, and behind the authority there may be
/// no path (RFC 9110, 4.2.3).
fn authority(target: &[u8]) -> usize {
    let begins = |scheme: &str| {
        let begin = target.get(..scheme.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(scheme.as_bytes()))
    };
    let mut schemes = ["http://", "https://"].into_iter();
    let Some(scheme) = schemes.find(|scheme| begins(scheme)) else {
        return 0;
    };
    let is_end = |byte: &u8| matches!(byte, b'/' | b'?');
    let end = target[scheme.len()..].iter().position(is_end);
    end.map_or(target.len(), |end| scheme.len() + end)
}

/// Whether an element of `Accept` is HTML that is wanted: a weight of 0 means that it is not
/// (RFC 9110, 12.4.2).
fn is_html(element: &[u8]) -> bool {
    let mut parts = element.split(|&byte| byte == b';').map(trim);
    let is_nothing = |weight: &[u8]| weight.iter().all(|byte| matches!(byte, b'0' | b'.'));
    let is_zero = |part: &[u8]| match part {
        [b'q' | b'Q', b'=', weight @ ..] => is_nothing(weight),
        _ => false,
    };
    let kind = parts.next().unwrap_or_default();
    kind.eq_ignore_ascii_case(b"text/html") && !parts.any(is_zero)
}

/// A name or an address, and perhaps a port; nothing that could be markup or a second header.
pub fn is_host(value: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte);
    !value.is_empty() && value.len() <= 260 && value.iter().all(allowed)
}

/// The lines of a head, without their ends; a line feed alone ends one too.
struct Lines<'a> {
    head: &'a [u8],
    at: usize,
}

impl Iterator for Lines<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let begin = self.at;
        let length = self.head.get(begin..)?.iter().position(|&b| b == b'\n')?;
        self.at = begin + length + 1;
        let has_return = length > 0 && self.head[begin + length - 1] == b'\r';
        Some(begin..begin + length - usize::from(has_return))
    }
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
