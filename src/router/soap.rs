//! What is asked of a service that forwards ports, and what it answers: text in, values out.

use super::description::Service;
use super::mapping::{Protocol, Refusal};
use super::xml;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// Names and values of what is asked, in the order that the specification has them in: some
/// routers insist on it.
pub type Arguments<'a> = [(&'a str, &'a str)];

/// The whole request over HTTP. The arguments are the tracker's own words, with nothing in them
/// that had to be escaped.
pub fn request(service: &Service, action: &str, arguments: &Arguments) -> String {
    let kind = service.kind;
    let mut body = format!(
        "<?xml version=\"1.0\"?>\r\n\
         <s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\">\
         <s:Body><u:{action} xmlns:u=\"{kind}\">"
    );
    for (name, value) in arguments {
        // Writing into a String does not fail.
        let _ = write!(body, "<{name}>{value}</{name}>");
    }
    let _ = write!(body, "</u:{action}></s:Body></s:Envelope>\r\n");
    format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Content-Type: text/xml; charset=\"utf-8\"\r\nSOAPAction: \"{kind}#{action}\"\r\n\
         Content-Length: {}\r\n\r\n{body}",
        service.control.path,
        service.control.socket,
        body.len(),
    )
}

/// The arguments by which a mapping is named.
pub fn names_mapping(protocol: Protocol, port: &str) -> [(&str, &str); 3] {
    // Whoever asks from outside, of whatever address.
    [
        ("NewRemoteHost", ""),
        ("NewExternalPort", port),
        ("NewProtocol", protocol.name()),
    ]
}

/// The number of the error that the router knows mappings without an end only.
pub const PERMANENT_ONLY: u16 = 725;

/// Whether the service did what was asked, by the status of its answer and its body.
pub fn outcome(status: u16, body: &str) -> Result<(), Refusal> {
    let code = number(body, "errorCode");
    Err(match (status, code) {
        (200, None) => return Ok(()),
        (_, Some(606)) => Refusal::NotAuthorized,
        // In the first generation, others' mappings alone; in the second, other programs' as well.
        (_, Some(718 | 729)) => Refusal::Taken(None),
        (_, Some(728)) => Refusal::NoResources,
        (_, Some(code)) => Refusal::Other(code),
        _ => Refusal::Unsupported,
    })
}

/// The router's outside address; `None` if it has none.
pub fn outside_address(body: &str) -> Option<Ipv4Addr> {
    xml::text_of(body, "NewExternalIPAddress")?.parse().ok()
}

/// The port that the router chose.
pub fn reserved_port(body: &str) -> Option<u16> {
    number(body, "NewReservedPort").filter(|port| *port != 0)
}

/// A mapping that the router has.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Entry {
    /// The machine that gets what arrives; `None` if it is told by a name.
    pub client: Option<Ipv4Addr>,
    /// The port of it.
    pub port: u16,
    /// How many seconds are left; `None` if it stays for ever.
    pub left: Option<u32>,
}

/// Reads a mapping. Some routers answer with empty elements where there is none.
pub fn entry(body: &str) -> Option<Entry> {
    Some(Entry {
        client: xml::text_of(body, "NewInternalClient")?.parse().ok(),
        port: number(body, "NewInternalPort")?,
        left: number(body, "NewLeaseDuration").filter(|left| *left != 0),
    })
}

/// The number in an element. `parse` alone would take +80.
fn number<T: std::str::FromStr>(body: &str, name: &str) -> Option<T> {
    let text = xml::text_of(body, name)?;
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
#[path = "soap_tests.rs"]
mod tests;
