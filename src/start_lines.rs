//! What the operator reads first: the announce URLs to paste, where the page is, and how to stop.
//!
//! Only says what has been opened; nothing is opened here.

use crate::address::Scope;
use crate::log::{About, Log};
use crate::options::Options;
use crate::own_addresses::has_wildcard;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Where the tracker listens.
pub struct Place {
    /// The addresses that are listened on; none means all.
    pub bind: Vec<IpAddr>,
    /// Of TCP and UDP.
    pub port: u16,
    /// Whether UDP is answered too.
    pub has_udp: bool,
    /// Whether each of this machine's addresses has a UDP socket of its own.
    pub has_each_udp: bool,
}

/// Writes the lines of a tracker that others reach by `addresses`, the likeliest first, and the
/// internet by the announce URLs `public`; `has_keys` says whether somebody can press some.
pub fn write(
    log: &Log,
    options: &Options,
    place: &Place,
    addresses: &[IpAddr],
    public: &[String],
    has_keys: bool,
) {
    for (about, line) in lines(options, place, addresses, public, has_keys) {
        log.line(about, format_args!("{line}"));
    }
}

/// Writes by which addresses others reach it that did not so `before`.
pub fn write_changed(log: &Log, place: &Place, before: &[IpAddr], now: &[IpAddr]) {
    let new: Vec<_> = now.iter().filter(|ip| !before.contains(ip)).collect();
    if !new.is_empty() {
        let text = "this machine has other addresses now; new announce URLs:";
        log.line(About::Start, format_args!("{text}"));
    }
    for url in new.into_iter().flat_map(|ip| urls(place, *ip)) {
        log.line(About::Always, format_args!("  {url}"));
    }
}

/// The announce URLs by an address.
fn urls(place: &Place, ip: IpAddr) -> impl Iterator<Item = String> {
    let address = SocketAddr::new(ip, place.port);
    let schemes = ["http", "udp"]
        .into_iter()
        .take(1 + usize::from(place.has_udp));
    schemes.map(move |scheme| format!("{scheme}://{address}/announce"))
}

fn lines(
    options: &Options,
    place: &Place,
    addresses: &[IpAddr],
    public: &[String],
    has_keys: bool,
) -> Vec<(About, String)> {
    let mut lines = Vec::new();
    let mut say = |about, text: fmt::Arguments<'_>| lines.push((about, text.to_string()));
    let Place { bind, port, .. } = place;
    let is_any = has_wildcard(bind);
    let mut addresses = addresses.to_vec();
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
    for url in addresses.iter().flat_map(|ip| urls(place, *ip)) {
        say(About::Always, format_args!("  {url}"));
    }
    if !public.is_empty() {
        let text = "For clients on the internet, if the router forwards the port to this machine:";
        say(About::Start, format_args!("{text}"));
    }
    for url in public {
        say(About::Always, format_args!("  {url}"));
    }
    let has_ipv4 = |addresses: &[IpAddr]| addresses.iter().any(IpAddr::is_ipv4);
    if has_ipv4(bind) && !has_ipv4(&options.bind) {
        let text = "(on this system -b :: takes IPv4 too; for IPv6 alone, -b each IPv6 address)";
        say(About::Start, format_args!("{text}"));
    }
    if place.has_udp && is_any && !place.has_each_udp && has_several(&addresses) {
        let text = "(over UDP, one socket for all addresses answers here, from the one that the \
            system prefers; a client that asked another drops that: with -b ADDRESS for each that \
            clients use, all work)";
        say(About::Start, format_args!("{text}"));
    }
    let here = match addresses.first() {
        Some(first) if !is_any => SocketAddr::new(*first, *port).to_string(),
        _ => format!("localhost:{port}"),
    };
    // This machine may have no browser. Strangers see the page only if they may.
    let is_shown_at = |ip: &&IpAddr| {
        let is_near = Scope::of(**ip) != Scope::Global || options.public_page;
        is_any && is_near && !ip.is_loopback()
    };
    let elsewhere = addresses.iter().find(is_shown_at);
    let elsewhere = elsewhere.map(|ip| SocketAddr::new(*ip, *port).to_string());
    let (host, elsewhere) = match elsewhere {
        // A service's machine often has no screen.
        Some(elsewhere) if !has_keys => (elsewhere, String::new()),
        Some(elsewhere) => (here, format!(" (on other machines: http://{elsewhere}/)")),
        None => (here, String::new()),
    };
    say(
        About::Start,
        format_args!("Open http://{host}/ in a browser to see how it is doing{elsewhere}."),
    );
    if has_keys {
        say(About::Start, format_args!("Press ctrl+c to stop."));
    }
    lines
}

/// Whether there are two of a family.
fn has_several(addresses: &[IpAddr]) -> bool {
    let ipv6 = addresses.iter().filter(|ip| ip.is_ipv6()).count();
    ipv6 > 1 || addresses.len() - ipv6 > 1
}

#[cfg(test)]
#[path = "start_lines_tests.rs"]
mod tests;
