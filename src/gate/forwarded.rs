//! Whom a proxy has brought: from the headers that proxies add to the client's address.
//!
//! Bytes in, values out. A client reads a request's headers (`head.rs`), asks here whose it
//! is, and the handler learns of it (`visitor.rs`).
//!
//! A list of addresses grows at its right end: each proxy adds whom it saw. What the client has
//! made up stands to the left of that. So the rightmost address that is no trusted proxy's is the
//! client's, whatever stands before it.

use super::head::{self, Head};
use super::trusted::Trusted;
use crate::address;
use std::net::IpAddr;

/// The headers that name a client's address. A proxy that sets one passes the others on as the client
/// sent them, and which one it sets is not known here: so those that a request has must agree. Nearly every proxy sets the first of them, a list of
/// addresses. The second is that of RFC 7239, as in
/// `for=192.0.2.7;proto=https, for="[2001:db8::7]:4711"`. The third has one address.
const HEADERS: [&str; 3] = ["X-Forwarded-For", STANDARD, "X-Real-IP"];
const STANDARD: &str = "Forwarded";

/// How a request came to the gate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Via {
    /// By its sender.
    Direct,
    /// By a trusted proxy that says who its sender is.
    TrustedProxy,
    /// By a proxy that is not trusted, if that is one: what it says is not believed.
    UntrustedProxy,
    /// From where a trusted proxy is, without a word of for whom: by a proxy that should say so, or
    /// by somebody on its machine.
    Unstated,
    /// By a trusted proxy that says nothing of its client, but that it is one.
    Unnamed,
    /// By a trusted proxy that says something which is no address: header and value, as far as
    /// that is printable ASCII.
    Unreadable(String),
    /// By a trusted proxy whose headers name different clients: one of them was written by the
    /// client itself. Two of the headers, quoted likewise.
    Contradictory(String),
}

/// Longest part of a value that is quoted, in bytes.
const MOST_QUOTED: usize = 60;

/// Who asks: the address that is taken for the client's, and how it came by. `from` is the other
/// end of the connection; `bytes` begin with the head that `head` was read from.
pub fn whose(from: IpAddr, trusted: &Trusted, head: &Head, bytes: &[u8]) -> (IpAddr, Via) {
    if trusted.contains(from) {
        return match said(bytes, trusted) {
            // On a machine that is not this one, whose own such address means something else.
            Ok(client) if client.is_loopback() && !from.is_loopback() => {
                (from, Via::Unreadable(client.to_string()))
            }
            Ok(client) => (client, Via::TrustedProxy),
            Err(Via::Unstated) if head.is_forwarded => (from, Via::Unnamed),
            Err(via) => (from, via),
        };
    }
    match head.is_forwarded {
        true => (from, Via::UntrustedProxy),
        false => (from, Via::Direct),
    }
}

/// The client that a trusted proxy names.
fn said(bytes: &[u8], trusted: &Trusted) -> Result<IpAddr, Via> {
    let mut found: Option<(&str, IpAddr)> = None;
    for name in HEADERS {
        let mut client = None;
        // Several lines are one list (RFC 9110, 5.3).
        for line in head::values(bytes, name) {
            note_clients(line, name == STANDARD, trusted, &mut client);
        }
        let Some(client) = client else {
            continue;
        };
        let ip = client.map_err(|value| Via::Unreadable(quoted(name, value)))?;
        match found {
            // With several proxies, one header may have the next of them where another has the
            // client.
            Some((_, before)) if ip == before || trusted.contains(ip) => {}
            Some((other, before)) if !trusted.contains(before) => {
                let text = format!("{other}: {before}, {name}: {ip}");
                return Err(Via::Contradictory(text));
            }
            _ => found = Some((name, ip)),
        }
    }
    found.map(|(_, ip)| ip).ok_or(Via::Unstated)
}

/// A header, as far as it is printable ASCII.
fn quoted(name: &str, value: &[u8]) -> String {
    let is_odd = |byte: &u8| !(b' '..=b'~').contains(byte);
    let end = value.iter().take(MOST_QUOTED).position(is_odd);
    let value = &value[..end.unwrap_or(value.len().min(MOST_QUOTED))];
    let value = std::str::from_utf8(value).unwrap_or_default();
    let colon = if value.is_empty() { ":" } else { ": " };
    [name, colon, value].concat()
}

/// Looks for the client in a list, from the left to the right: who is not trusted takes the place
/// of whoever stands to the left. What should be an address and is none, does so too.
fn note_clients<'a>(
    line: &'a [u8],
    is_standard: bool,
    trusted: &Trusted,
    client: &mut Option<Result<IpAddr, &'a [u8]>>,
) {
    // An empty list names nobody.
    client.get_or_insert(Err(b""));
    let mut is_empty = matches!(client, Some(Err(b"")));
    let mut rest = Some(line);
    while let Some(list) = rest {
        let Some((element, more)) = first(list, b',', is_standard) else {
            *client = Some(Err(line));
            return;
        };
        rest = more;
        let element = head::trim(element);
        // A list may have empty elements (RFC 9110, 5.6.1).
        if element.is_empty() {
            continue;
        }
        let ip = match is_standard {
            true => forwarded_for(element).and_then(client_address),
            false => client_address(element),
        };
        if is_empty || !ip.is_some_and(|ip| trusted.contains(ip)) {
            *client = Some(ip.ok_or(element));
            is_empty = false;
        }
    }
}

/// An address where a client can live, without the port and the brackets that may be around it.
fn client_address(node: &[u8]) -> Option<IpAddr> {
    // Ports may be hidden behind names (RFC 7239, 6.3).
    let hidden = node.windows(2).rposition(|pair| pair == b":_");
    let text = std::str::from_utf8(&node[..hidden.unwrap_or(node.len())]).ok()?;
    let (ip, _) = address::parse(text)?;
    address::is_unicast(ip).then_some(ip)
}

/// The value of `for` in one element of `Forwarded`, which must have it once.
fn forwarded_for(element: &[u8]) -> Option<&[u8]> {
    let mut found = None;
    let mut rest = Some(element);
    while let Some(pairs) = rest {
        let (pair, more) = first(pairs, b';', true)?;
        rest = more;
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        if head::trim(&pair[..equals]).eq_ignore_ascii_case(b"for") {
            let value = match head::trim(&pair[equals + 1..]) {
                // In an address nothing needs to be escaped.
                [b'"', inside @ .., b'"'] => inside,
                value => value,
            };
            if found.replace(value).is_some() {
                return None;
            }
        }
    }
    found
}

/// What stands before the first separator, and what behind it if there is one. Separators in
/// quoted strings do not count, if there may be such. `None` if one does not end: somebody has
/// opened it to hide, or to change, what the proxy has added behind.
fn first(text: &[u8], separator: u8, has_strings: bool) -> Option<(&[u8], Option<&[u8]>)> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_quoted,
            b'"' => is_quoted = has_strings && !is_quoted,
            _ if byte == separator && !is_quoted => {
                return Some((&text[..at], Some(&text[at + 1..])));
            }
            _ => {}
        }
    }
    (!is_quoted).then_some((text, None))
}

#[cfg(test)]
#[path = "forwarded_tests.rs"]
mod tests;
