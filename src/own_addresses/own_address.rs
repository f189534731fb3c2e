//! One address of this machine, and what follows from it alone.

use crate::address;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

/// An address of this machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OwnAddress {
    /// The address, canonical.
    pub ip: IpAddr,
    /// How many of its bits are its network's.
    pub bits: u8,
    /// The number of its interface, if a socket needs that: for link-local ones of IPv6.
    pub interface: u32,
    /// Whether its network leads to containers or virtual machines on this machine only.
    pub is_virtual: bool,
    /// Whether it will be another one soon (privacy addresses of IPv6).
    pub is_passing: bool,
}

impl Default for OwnAddress {
    fn default() -> OwnAddress {
        OwnAddress {
            ip: Ipv4Addr::LOCALHOST.into(),
            bits: 32,
            interface: 0,
            is_virtual: false,
            is_passing: false,
        }
    }
}

impl OwnAddress {
    /// Where to have a socket for it; the port is 0.
    pub fn socket(&self) -> SocketAddr {
        match self.ip {
            IpAddr::V4(ip) => SocketAddr::new(ip.into(), 0),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, 0, 0, self.interface).into(),
        }
    }

    /// Whether anybody asks it. Every container has a link-local address on this side too, which nobody ever uses.
    pub fn can_be_asked(&self) -> bool {
        address::is_unicast(self.ip) && !(self.is_virtual && address::is_link_local(self.ip))
    }

    /// Whether `ip` is in its network.
    pub fn shares_network_with(&self, ip: IpAddr) -> bool {
        if self.ip.is_ipv6() != ip.is_ipv6() {
            return false;
        }
        let bits = |ip| u128::from_be_bytes(address::to_bytes(ip));
        let of_family = if ip.is_ipv6() { 128 } else { 32 };
        let rest = of_family - u32::from(self.bits).min(of_family);
        (bits(self.ip) ^ bits(ip)).checked_shr(rest).unwrap_or(0) == 0
    }
}
