//! SSDP: the question which routers there are, and what is an answer to it. Text in, values out;
//! who is worth asking further is for `upnp.rs` to say.

use super::place::Place;
use std::net::Ipv4Addr;

/// What is looked for: routers of both generations. Some of the second answer to its own name only.
pub const KINDS: [&str; 2] = [
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
];

/// The question, to be sent to 239.255.255.250:1900; whoever is that answers within a second.
pub fn search(kind: &str) -> String {
    format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\n\
         MX: 1\r\nST: {kind}\r\n\r\n"
    )
}

/// Where the router at `from` describes itself, if this packet from there says so.
pub fn location(packet: &[u8], from: Ipv4Addr) -> Option<Place> {
    let text = std::str::from_utf8(packet).ok()?;
    let mut lines = text.lines();
    let status = lines.next()?;
    if !status.starts_with("HTTP/1.") || status.split(' ').nth(1) != Some("200") {
        return None;
    }
    let (mut kind, mut location) = (None, None);
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name.eq_ignore_ascii_case("ST") {
            kind = kind.or(Some(value.trim()));
        } else if name.eq_ignore_ascii_case("LOCATION") {
            location = location.or(Some(value.trim()));
        }
    }
    kind.filter(|kind| KINDS.contains(kind))?;
    Place::parse(location?, from)
}

#[cfg(test)]
#[path = "ssdp_tests.rs"]
mod tests;
