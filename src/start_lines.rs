//! What the operator reads first: the announce URLs to paste, where the page is, and how to stop.
//!
//! Only says what has been opened; nothing is opened here.

use crate::log::{About, Log};
use crate::options::Options;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Where the tracker is reached.
pub struct Place<'a> {
    /// The addresses that are listened on; none means all.
    pub bind: &'a [IpAddr],
    /// Those of them that others can use, the likeliest first.
    pub addresses: &'a [IpAddr],
    /// Of TCP and UDP.
    pub port: u16,
    /// Whether UDP is answered too.
    pub has_udp: bool,
}

/// Writes the lines.
pub fn write(log: &Log, options: &Options, place: &Place<'_>) {
    for (about, line) in lines(options, place) {
        log.line(about, format_args!("{line}"));
    }
}

fn lines(options: &Options, place: &Place<'_>) -> Vec<(About, String)> {
    let mut lines = Vec::new();
    let mut say = |about, text: fmt::Arguments<'_>| lines.push((about, text.to_string()));
    let &Place { bind, port, .. } = place;
    let is_any = bind.is_empty() || bind.iter().any(IpAddr::is_unspecified);
    let mut addresses = place.addresses.to_vec();
    say(
        About::Start,
        format_args!(
            "mayfly {} is running. Announce URLs for your torrents:",
            env!("CARGO_PKG_VERSION")
        ),
    );
    if addresses.is_empty() {
        let text = "(no network found: this one works on this machine only)";
        say(About::Start, format_args!("{text}"));
        addresses.push(Ipv4Addr::LOCALHOST.into());
    }
    if !is_any && addresses.iter().all(IpAddr::is_loopback) {
        let text = match options.trust_proxy.is_empty() {
            true => "(only programs on this machine can reach these)",
            false => "(for the proxy on this machine: clients use the proxy's URL)",
        };
        say(About::Start, format_args!("{text}"));
    }
    for ip in &addresses {
        let address = SocketAddr::new(*ip, port);
        say(About::Always, format_args!("  http://{address}/announce"));
        if place.has_udp {
            say(About::Always, format_args!("  udp://{address}/announce"));
        }
    }
    let has_ipv4 = |addresses: &[IpAddr]| addresses.iter().any(IpAddr::is_ipv4);
    if has_ipv4(bind) && !has_ipv4(&options.bind) {
        let text = "(on this system -b :: takes IPv4 too; for IPv6 alone, -b each IPv6 address)";
        say(About::Start, format_args!("{text}"));
    }
    if place.has_udp && is_any {
        for line in which_work_for_udp(&addresses) {
            say(About::Start, format_args!("{line}"));
        }
    }
    let host = match addresses.first() {
        Some(first) if !is_any => SocketAddr::new(*first, port).to_string(),
        _ => format!("localhost:{port}"),
    };
    say(
        About::Start,
        format_args!("Open http://{host}/ in a browser to see how it is doing."),
    );
    say(About::Start, format_args!("Press ctrl+c to stop."));
    lines
}

/// A socket for all addresses answers from the one that the system prefers on the way to the
/// client, which drops an answer from another than it asked. So with several addresses of a
/// family, some may not work for some clients.
fn which_work_for_udp(addresses: &[IpAddr]) -> Vec<String> {
    let mut lines = Vec::new();
    for is_ipv6 in [false, true] {
        let mut of_family = addresses.iter().filter(|ip| ip.is_ipv6() == is_ipv6);
        let (Some(first), Some(_)) = (of_family.next(), of_family.next()) else {
            continue;
        };
        let family = if is_ipv6 { "IPv6" } else { "IPv4" };
        lines.push(format!(
            "(several {family} addresses: over UDP, {first} works for clients on the internet, \
             the others for clients in their own network; with -b ADDRESS for each, all work for \
             all)"
        ));
    }
    lines
}

#[cfg(test)]
#[path = "start_lines_tests.rs"]
mod tests;
