//! A network: the addresses that begin with the same bits. Values only; which networks are trusted,
//! or may have decoys, is for those to say who ask.

use crate::address;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Addresses that begin with the same bits. A single address is one, too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    /// One of them, in 16 bytes.
    first: u128,
    /// How many of its last bits do not matter.
    free: u32,
}

impl Network {
    /// Reads `10.0.0.2`, `10.0.0.0/8`, `fd00::2`, `[fd00::2]` or `fd00::/8`. A network of IPv4
    /// addresses in IPv6 clothes is that network of IPv4 addresses. `None` for everything else.
    pub fn parse(text: &str) -> Option<Network> {
        let (ip, bits) = match text.split_once('/') {
            Some((ip, bits)) => (ip, Some(bits)),
            None => (text, None),
        };
        let bare = ip.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let ip: IpAddr = bare.unwrap_or(ip).parse().ok()?;
        let most: u32 = if ip.is_ipv6() { 128 } else { 32 };
        let free = match bits {
            None => 0,
            Some(bits) => most.checked_sub(bits.parse().ok()?)?,
        };
        Some(Network {
            first: bytes(ip),
            free,
        })
    }

    /// Whether a canonical address is in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.prefix(self.first) == self.prefix(bytes(ip))
    }

    /// Whether all of it is in another one.
    pub fn is_within(&self, other: &Network) -> bool {
        self.free <= other.free && other.prefix(self.first) == other.prefix(other.first)
    }

    /// Whether its addresses are IPv6 ones.
    pub fn is_ipv6(&self) -> bool {
        self.address(0).is_ipv6()
    }

    /// How many bits all of its addresses begin with: 0 to 32, or to 128.
    pub fn bits(&self) -> u32 {
        let all = if self.is_ipv6() { 128 } else { 32 };
        all - self.free.min(all)
    }

    /// How many of the last bits of its addresses tell them apart.
    pub fn free_bits(&self) -> u32 {
        self.free
    }

    /// The address in it that ends with as many of these bits as are free.
    pub fn address(&self, end: u128) -> IpAddr {
        let mask = u128::MAX.checked_shl(self.free).unwrap_or(0);
        let ip = self.first & mask | end & !mask;
        address::canonical(Ipv6Addr::from(ip).into())
    }

    fn prefix(&self, ip: u128) -> u128 {
        ip.checked_shr(self.free).unwrap_or(0)
    }
}

impl fmt::Display for Network {
    /// As [`Network::parse`] reads it, its first address first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address(0), self.bits())
    }
}

fn bytes(ip: IpAddr) -> u128 {
    u128::from_be_bytes(address::to_bytes(ip))
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
