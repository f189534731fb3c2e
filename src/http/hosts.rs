//! Under which names the pages with the tracker's numbers are shown, against DNS rebinding.
//!
//! The attack: somebody on the LAN looks at a page of evil.example, whose name server then says
//! that evil.example is 192.168.1.5. To the browser that is still the same site, so the page may
//! read what is there. But its requests say `Host: evil.example`. So the pages are shown under
//! addresses and under names that nobody can have on the internet, and else under none.

use std::net::{IpAddr, Ipv6Addr};

/// Ends of names that are given in a network of one's own (RFC 6762, RFC 8375, and by habit).
const LOCAL: [&str; 3] = [".local", ".lan", ".home.arpa"];

/// Whether a `Host`, with a port or without, is an address or a name of one's own network.
pub fn is_local(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let address = rest.split(']').next().unwrap_or_default();
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let name = name(host).to_ascii_lowercase();
    if name.parse::<IpAddr>().is_ok() {
        return true;
    }
    // Without a dot it is no name of the internet: localhost, or what a router calls a machine.
    !name.is_empty() && (!name.contains('.') || LOCAL.iter().any(|end| name.ends_with(end)))
}

/// Whether a `Host`, with a port or without, is a name or an address of this very machine.
pub fn is_loopback(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next() == Some("::1"),
        None => {
            let name = name(host);
            let ip = name.parse::<IpAddr>();
            name.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback())
        }
    }
}

/// A name without the port, and without the root's dot that whole names may end with.
pub fn name(host: &str) -> &str {
    let name = host.split(':').next().unwrap_or_default();
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
#[path = "hosts_tests.rs"]
mod tests;
