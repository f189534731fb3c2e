//! Addresses: their one canonical form, how far they reach, and whom they lead to.
//!
//! Values only; nothing here asks the machine which addresses it has (see `own_addresses.rs`).

use std::net::{IpAddr, Ipv4Addr};

/// The one form in which an address is stored, compared and shown: an IPv4 address that arrived
/// as `::ffff:a.b.c.d` (every IPv4 client of a dual-stack socket does) is an IPv4 address.
/// `IpAddr` has no zone id, so that is gone already.
pub fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// How far an address reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// This machine: 127.0.0.0/8 and `::1`.
    Loopback,
    /// A network without a way in from the internet: the private ranges of RFC 1918 and RFC 4193,
    /// link-local ones, and the carriers' 100.64.0.0/10 (which VPN meshes use too).
    Lan,
    /// Everywhere.
    Global,
}

impl Reach {
    /// The reach of a canonical address.
    pub fn of(ip: IpAddr) -> Reach {
        if ip.is_loopback() {
            return Reach::Loopback;
        }
        let is_lan = match ip {
            IpAddr::V4(ip) => {
                let shared = u32::from(ip) >> 22 == u32::from(Ipv4Addr::new(100, 64, 0, 0)) >> 22;
                ip.is_private() || ip.is_link_local() || shared
            }
            IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
        };
        if is_lan { Reach::Lan } else { Reach::Global }
    }
}

/// Addresses that belong to one customer of the internet: one of IPv4, a /64 of IPv6. What is
/// bounded for an address is bounded for these.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Neighbour(pub u64);

impl Neighbour {
    /// The neighbour at a canonical address. `None` for the tracker's own machine, which is not
    /// bounded: a proxy may live there, and whoever is on it has easier ways to do harm.
    pub fn of(ip: IpAddr) -> Option<Neighbour> {
        match ip {
            _ if Reach::of(ip) == Reach::Loopback => None,
            IpAddr::V4(ip) => Some(Neighbour(u32::from(ip).into())),
            // Of global addresses the first 3 bits are not all zero, so no IPv4 address is met.
            IpAddr::V6(ip) => Some(Neighbour((u128::from(ip) >> 64) as u64)),
        }
    }
}

/// Whether somebody at `asker` gets anywhere by using the address `ip`, both being canonical and
/// seen from the tracker's machine.
pub fn leads_somewhere(asker: Reach, ip: IpAddr) -> bool {
    match Reach::of(ip) {
        Reach::Loopback => asker == Reach::Loopback,
        Reach::Lan => asker != Reach::Global,
        Reach::Global => true,
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
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_ipv4_mapped_address_is_that_ipv4_address() {
        assert_eq!(canonical(ip("::ffff:192.0.2.7")), ip("192.0.2.7"));
        assert_eq!(canonical(ip("192.0.2.7")), ip("192.0.2.7"));
        assert_eq!(canonical(ip("2001:db8::7")), ip("2001:db8::7"));
        assert_eq!(canonical(ip("::1")), ip("::1"));
    }

    #[test]
    fn reach_of_every_kind_of_address() {
        let table = [
            (Reach::Loopback, "127.0.0.1 127.255.0.9 ::1"),
            (Reach::Lan, "10.0.0.1 172.16.0.1 172.31.255.255 192.168.9.9"),
            (Reach::Lan, "169.254.3.4 100.64.0.1 100.127.255.255"),
            (Reach::Lan, "fd00::2 fc00::1 fe80::1"),
            (Reach::Global, "8.8.8.8 172.32.0.1 100.128.0.0 100.63.0.1"),
            (Reach::Global, "2001:db8::1 2a00::1"),
        ];
        for (reach, addresses) in table {
            for text in addresses.split(' ') {
                assert_eq!(Reach::of(ip(text)), reach, "{text}");
            }
        }
    }

    #[test]
    fn whom_an_address_leads_to() {
        use Reach::*;
        for (asker, address, leads) in [
            (Loopback, "127.0.0.1", true),
            (Lan, "127.0.0.1", false),
            (Global, "::1", false),
            (Loopback, "192.168.1.2", true),
            (Lan, "192.168.1.2", true),
            (Global, "192.168.1.2", false),
            (Global, "fd00::1", false),
            (Loopback, "8.8.8.8", true),
            (Lan, "8.8.8.8", true),
            (Global, "8.8.8.8", true),
        ] {
            assert_eq!(
                leads_somewhere(asker, ip(address)),
                leads,
                "{asker:?} {address}"
            );
        }
    }

    #[test]
    fn where_no_peer_can_live() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "ff02::1",
        ] {
            assert!(!is_unicast(ip(text)), "{text}");
        }
        for text in ["1.2.3.4", "223.255.255.255", "::1", "2001:db8::1"] {
            assert!(is_unicast(ip(text)), "{text}");
        }
    }
}
