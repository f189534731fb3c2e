//! Which addresses others reach this machine by, for the start lines.
//!
//! std cannot list them. But a UDP socket that is connected (which sends nothing) knows from
//! which address it would send, so asking for a few destinations finds those that matter.

use crate::address::{self, Scope};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Destinations: somewhere on the internet, and the private networks, which a machine without
/// a way to the internet or with a VPN reaches by other addresses. Documentation addresses stand
/// for the internet; nothing is sent to them.
const DESTINATIONS: [IpAddr; 7] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
    IpAddr::V4(Ipv4Addr::new(192, 168, 255, 254)),
    IpAddr::V4(Ipv4Addr::new(10, 255, 255, 254)),
    IpAddr::V4(Ipv4Addr::new(172, 31, 255, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 255, 254)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0xffff)),
];

/// This machine's addresses as others reach them, the most likely first, IPv4 before IPv6. Empty
/// without a network.
pub fn find() -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    let destinations = DESTINATIONS.into_iter().chain(linux_networks());
    for ip in destinations.filter_map(towards) {
        if !found.contains(&ip) {
            found.push(ip);
        }
    }
    found.sort_by_key(IpAddr::is_ipv6);
    found
}

/// The same, as far as a tracker that listens on `bind` is reached by them; all if that is empty.
pub fn bound_to(bind: &[IpAddr]) -> Vec<IpAddr> {
    if !bind.is_empty() && !bind.iter().any(IpAddr::is_unspecified) {
        return bind.to_vec();
    }
    let mut addresses = find();
    if !bind.is_empty() {
        // -b 0.0.0.0 or -b :: means all of that family.
        let has = |ip: &IpAddr| {
            bind.iter()
                .any(|b| b == ip || b.is_unspecified() && b.is_ipv6() == ip.is_ipv6())
        };
        addresses.retain(has);
    }
    addresses
}

/// The address by which this machine would speak to `destination`, if others can use it.
pub fn towards(destination: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match destination {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // The port does not matter: nothing is sent.
    socket.connect(SocketAddr::new(destination, 9)).ok()?;
    let ip = address::canonical(socket.local_addr().ok()?.ip());
    let is_link_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    // A link-local address of IPv6 would need the name of the other machine's interface.
    (address::is_unicast(ip) && Scope::of(ip) != Scope::Loopback && !is_link_local).then_some(ip)
}

/// Destinations in the networks that Linux is connected to directly: a LAN may have any numbers
/// and no router. Elsewhere there is no such file, and the list above has to do.
fn linux_networks() -> Vec<IpAddr> {
    let ipv4 = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    let ipv6 = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let ipv4 = ipv4.lines().filter_map(ipv4_network);
    ipv4.chain(ipv6.lines().filter_map(ipv6_address)).collect()
}

/// Reads a line `eth0 0000A8C0 00000000 0001 0 0 100 00FFFFFF …` (interface, destination,
/// gateway; numbers in the machine's byte order), and gives an address in that network.
fn ipv4_network(line: &str) -> Option<IpAddr> {
    let mut words = line.split_whitespace();
    let interface = words.next()?;
    let mut number = || u32::from_str_radix(words.next()?, 16).ok();
    let (destination, gateway) = (number()?, number()?);
    let is_direct = gateway == 0 && destination != 0;
    (is_direct && !is_virtual(interface)).then(|| {
        let network = Ipv4Addr::from(destination.to_ne_bytes());
        Ipv4Addr::from(u32::from(network) | 1).into()
    })
}

/// Reads a line `fd000000000000000000000000000002 04 40 00 82 eth0` (address, …, scope 00 for
/// global, flags, interface) and gives the address itself; to reach that, it would be used.
fn ipv6_address(line: &str) -> Option<IpAddr> {
    let words: Vec<_> = line.split_whitespace().collect();
    let [address, _, _, "00", _, interface] = words[..] else {
        return None;
    };
    let address = u128::from_str_radix(address, 16).ok()?;
    (!is_virtual(interface)).then(|| Ipv6Addr::from(address).into())
}

/// Whether an interface leads to containers or virtual machines on this machine only.
fn is_virtual(interface: &str) -> bool {
    ["docker", "br-", "virbr", "lxc", "lxd", "cni", "podman"]
        .iter()
        .any(|prefix| interface.starts_with(prefix))
}

#[cfg(test)]
#[path = "own_addresses_tests.rs"]
mod tests;
