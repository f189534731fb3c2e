//! URLs that a router gives, and that they lead to that router and nowhere else.

use std::net::{Ipv4Addr, SocketAddrV4};

/// A longer path is nobody's.
const LONGEST_PATH: usize = 512;

/// Something on a router that is asked over HTTP.
#[derive(Clone, PartialEq, Debug)]
pub struct Place {
    /// The router, and a port of it.
    pub socket: SocketAddrV4,
    /// Begins with a slash, and is ASCII without blanks.
    pub path: String,
}

impl Place {
    /// Reads `http://ADDRESS:PORT/PATH`; `None` unless the address is `of`.
    pub fn parse(url: &str, of: Ipv4Addr) -> Option<Place> {
        let scheme = url.get(..7)?;
        let rest = &url[7..];
        if !scheme.eq_ignore_ascii_case("http://") {
            return None;
        }
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
        // `parse` alone would take +80.
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let port: u16 = port.parse().ok()?;
        let host: Ipv4Addr = host.parse().ok()?;
        (host == of && port != 0 && is_path(path)).then(|| Place {
            socket: SocketAddrV4::new(host, port),
            path: path.to_owned(),
        })
    }

    /// Where a reference that stands at this place leads: a URL, a path, or a path from here.
    pub fn join(&self, reference: &str) -> Option<Place> {
        if reference.contains("://") {
            return Place::parse(reference, *self.socket.ip());
        }
        let path = if reference.starts_with('/') {
            reference.to_owned()
        } else {
            // There is a slash: a path begins with one.
            let directory = &self.path[..=self.path.rfind('/')?];
            format!("{directory}{reference}")
        };
        is_path(&path).then_some(Place {
            socket: self.socket,
            path,
        })
    }
}

/// Whether this can stand in the first line of a request and leads to the same router: `//name/`
/// would be another's.
fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= LONGEST_PATH
        && path.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
