//! What Linux says of this machine's addresses in `/proc/net`, read from text. `std` cannot list
//! them, and asks for no file.

use super::own_address::OwnAddress;
use crate::address;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses in the texts of `fib_trie`, `route` and `if_inet6`. `None` where the first, which
/// every Linux has, does not look like that, or has whole networks that are this machine's: those
/// cannot be listed.
pub fn addresses(fib_trie: &str, route: &str, if_inet6: &str) -> Option<Vec<OwnAddress>> {
    let routes: Vec<_> = route.lines().filter_map(Route::read).collect();
    let ipv4 = local_ipv4(fib_trie)?
        .into_iter()
        .map(|ip| of_ipv4(ip, &routes));
    Some(ipv4.chain(if_inet6.lines().filter_map(of_ipv6)).collect())
}

/// The gateways out of the networks of this machine, in the text of `route`.
pub fn gateways(route: &str) -> Vec<IpAddr> {
    let routes = route.lines().filter_map(Route::read);
    let ways_out = routes.filter(|route| route.is_way_out());
    ways_out
        .map(|route| Ipv4Addr::from(route.gateway).into())
        .collect()
}

/// Every address in `fib_trie` that is this machine's. They stand in lines of two kinds:
///
/// ```text
///            |-- 192.168.1.5
///               /32 host LOCAL
/// ```
fn local_ipv4(fib_trie: &str) -> Option<Vec<Ipv4Addr>> {
    let mut found = Vec::new();
    let mut address: Option<Ipv4Addr> = None;
    for line in fib_trie.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["|--", ip] => address = Some(ip.parse().ok()?),
            [length, "host", "LOCAL"] => {
                let ip = address?;
                // Most have two tables with the same in them.
                match length {
                    "/32" if !found.contains(&ip) => found.push(ip),
                    "/32" => {}
                    // All of 127.0.0.0/8 is there, too; 127.0.0.1 is the one that is used.
                    _ if ip.is_loopback() => {}
                    _ => return None,
                }
            }
            _ => {}
        }
    }
    fib_trie.starts_with("Main:").then_some(found)
}

fn of_ipv4(ip: Ipv4Addr, routes: &[Route]) -> OwnAddress {
    let is_direct = |route: &&Route| route.gateway == 0 && route.mask != 0 && route.holds(ip);
    let route = routes
        .iter()
        .filter(is_direct)
        .max_by_key(|route| route.mask);
    let is_virtual = route.is_some_and(|route| {
        let leads_out = |other: &Route| other.is_way_out() && other.interface == route.interface;
        is_virtual(route.interface) && !routes.iter().any(leads_out)
    });
    OwnAddress {
        ip: ip.into(),
        bits: route.map_or(32, |route| route.mask.leading_ones() as u8),
        is_virtual,
        ..OwnAddress::default()
    }
}

/// A line `eth0 0000A8C0 00000000 0001 0 0 100 00FFFFFF …` of `route`: interface, destination,
/// gateway, …, metric, mask.
pub struct Route<'a> {
    /// By its name.
    pub interface: &'a str,
    /// The network.
    pub destination: u32,
    /// 0 if the network is this machine's own.
    pub gateway: u32,
    /// Of two ways to the same network, that with the lower one is taken.
    pub metric: u32,
    /// Which bits of the destination count.
    pub mask: u32,
}

impl Route<'_> {
    /// Reads such a line.
    pub fn read(line: &str) -> Option<Route<'_>> {
        let words: Vec<_> = line.split_whitespace().collect();
        let [interface, destination, gateway, _, _, _, metric, mask, ..] = words[..] else {
            return None;
        };
        // In the machine's byte order.
        let number = |word| u32::from_str_radix(word, 16).ok().map(u32::from_be);
        Some(Route {
            interface,
            destination: number(destination)?,
            gateway: number(gateway)?,
            metric: metric.parse().ok()?,
            mask: number(mask)?,
        })
    }

    /// Whether this address is in the network.
    pub fn holds(&self, ip: Ipv4Addr) -> bool {
        u32::from(ip) & self.mask == self.destination
    }

    /// Whether it leads out of this machine's networks, and to everywhere.
    pub fn is_way_out(&self) -> bool {
        self.mask == 0 && self.gateway != 0
    }
}

/// Flags of an IPv6 address: it will be another tomorrow; was found to be somebody else's; is not
/// used for anything new; is not yet known to be nobody else's.
const TEMPORARY: u32 = 0x01;
const DAD_FAILED: u32 = 0x08;
const DEPRECATED: u32 = 0x20;
const TENTATIVE: u32 = 0x40;

/// Reads a line `fd000000000000000000000000000002 04 40 00 82 eth0` of `if_inet6`: address, number
/// of the interface, bits of the network, scope, flags, name of the interface.
fn of_ipv6(line: &str) -> Option<OwnAddress> {
    let words: Vec<_> = line.split_whitespace().collect();
    let [address, interface, bits, _, flags, name] = words[..] else {
        return None;
    };
    let number = |word| u32::from_str_radix(word, 16).ok();
    let ip = Ipv6Addr::from(u128::from_str_radix(address, 16).ok()?);
    let flags = number(flags)?;
    let is_link_local = address::is_link_local(ip.into());
    (flags & (TENTATIVE | DAD_FAILED) == 0).then_some(OwnAddress {
        ip: ip.into(),
        bits: number(bits)?.try_into().ok()?,
        // The others are unique without one.
        interface: if is_link_local { number(interface)? } else { 0 },
        is_virtual: is_virtual(name),
        is_passing: flags & (TEMPORARY | DEPRECATED) != 0,
    })
}

/// Whether an interface, by its name, leads to containers or virtual machines on this machine only.
fn is_virtual(interface: &str) -> bool {
    let is_one_of_docker = |name: &str| {
        name.strip_prefix("br-").is_some_and(|id| {
            // Other bridges, such as br-lan of OpenWrt, are a LAN's.
            id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    let is_numbered = |prefix: &str| {
        let number = interface.strip_prefix(prefix);
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    is_one_of_docker(interface)
        || VIRTUAL.iter().any(|prefix| is_numbered(prefix))
        || ["veth", "vnet", "cni-podman"]
            .iter()
            .any(|prefix| interface.starts_with(prefix))
}

/// Names of virtual interfaces, which may have a number: docker, libvirt, LXC, LXD, Incus, podman
/// and other users of CNI, VirtualBox, VMware.
const VIRTUAL: [&str; 10] = [
    "docker",
    "docker_gwbridge",
    "virbr",
    "lxcbr",
    "lxdbr",
    "incusbr",
    "podman",
    "cni",
    "vboxnet",
    "vmnet",
];

#[cfg(test)]
#[path = "proc_net_tests.rs"]
mod tests;
