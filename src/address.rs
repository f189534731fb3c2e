//! Addresses: their one canonical form, their scope, and whom they lead to.
//!
//! Values only; nothing here asks the machine which addresses it has (see `own_addresses/`).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The one form in which an address is stored, compared and shown: an IPv4 address that arrived
/// as `::ffff:a.b.c.d` (every IPv4 client of a dual-stack socket does) is an IPv4 address.
/// `IpAddr` has no zone id, so that is gone already.
pub fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// Reads `192.0.2.7`, `192.0.2.7:6881`, `2001:db8::7`, `[2001:db8::7]` or `[2001:db8::7]:6881` as
/// a canonical address, and the port if there is one.
pub fn parse(text: &str) -> Option<(IpAddr, Option<u16>)> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    // The zone of fe80::1%eth0 means nothing to another machine.
    let bare = bare.split('%').next().unwrap_or_default();
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Some((canonical(ip), None));
    }
    let both = text.parse::<SocketAddr>().ok()?;
    Some((canonical(both.ip()), Some(both.port())))
}

/// How far an address reaches (RFC 4007 calls it so), the nearest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// This machine: 127.0.0.0/8 and `::1`.
    Loopback,
    /// A network without a way in from the internet: the private ranges of RFC 1918 and RFC 4193,
    /// link-local ones, and the carriers' 100.64.0.0/10 (which VPN meshes use too).
    Lan,
    /// Everywhere.
    Global,
}

impl Scope {
    /// The scope of a canonical address.
    pub fn of(ip: IpAddr) -> Scope {
        if ip.is_loopback() {
            return Scope::Loopback;
        }
        let is_lan = match ip {
            IpAddr::V4(ip) => {
                let shared = u32::from(ip) >> 22 == u32::from(Ipv4Addr::new(100, 64, 0, 0)) >> 22;
                ip.is_private() || ip.is_link_local() || shared
            }
            IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
        };
        if is_lan { Scope::Lan } else { Scope::Global }
    }
}

/// Whether an address is one of IPv6 that counts on one link only, and is an address only together
/// with the name of an interface, which is another one on each machine.
pub fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// Addresses that belong to one customer of the internet: one of IPv4, a /64 of IPv6. What is
/// bounded for an address is bounded for these.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AddressBlock(pub u64);

impl AddressBlock {
    /// The block of a canonical address, and the site that it belongs to if that may have many
    /// blocks: a customer of IPv6 is often given a /56 or a /48. Nothing for the tracker's own
    /// machine, as in [`of`](AddressBlock::of).
    pub fn around(ip: IpAddr) -> [Option<AddressBlock>; 2] {
        let block = AddressBlock::of(ip);
        let site = match ip {
            // Of global addresses the first 3 bits are not all zero, so neither an IPv4 address is
            // met nor, with 16 bits less, a block.
            IpAddr::V6(ip) if block.is_some() => Some((u128::from(ip) >> 80) as u64),
            _ => None,
        };
        [block, site.map(AddressBlock)]
    }

    /// The block of a canonical address. `None` for the tracker's own machine, which is not
    /// bounded: a proxy may live there, and whoever is on it has easier ways to do harm.
    pub fn of(ip: IpAddr) -> Option<AddressBlock> {
        match ip {
            _ if Scope::of(ip) == Scope::Loopback => None,
            IpAddr::V4(ip) => Some(AddressBlock(u32::from(ip).into())),
            // Of global addresses the first 3 bits are not all zero, so no IPv4 address is met.
            IpAddr::V6(ip) => Some(AddressBlock((u128::from(ip) >> 64) as u64)),
        }
    }
}

/// Whether a peer can live at a canonical address at all: no broadcast, no multicast, not
/// "this network".
pub fn is_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[0] != 0 && ip.octets()[0] < 224,
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    }
}

/// The address in 16 bytes, an IPv4 one as `::ffff:a.b.c.d`: both alike.
pub fn to_bytes(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
