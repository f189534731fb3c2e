//! The proxies that are trusted (`--trust-proxy`): a set of networks, and whether an address is
//! in it.
//!
//! Values only. What a trusted proxy says of its clients is read in `forwarded.rs`.

use crate::address;
use std::net::{IpAddr, Ipv4Addr};

/// Addresses that begin with the same bits. A single address is one, too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    /// One of them, in 16 bytes.
    first: u128,
    /// How many of its last bits do not matter, 127 at most.
    free: u32,
}

impl Network {
    /// Reads `10.0.0.2`, `10.0.0.0/8`, `fd00::2`, `[fd00::2]` or `fd00::/8`. A network of IPv4
    /// addresses in IPv6 clothes is that network of IPv4 addresses. The error says what is
    /// accepted.
    pub fn parse(text: &str) -> Result<Network, &'static str> {
        let (ip, bits) = match text.split_once('/') {
            Some((ip, bits)) => (ip, Some(bits)),
            None => (text, None),
        };
        let bare = ip.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let expected = "a proxy is an address like 10.0.0.2 or fd00::2, or a network like \
                        10.0.0.0/8, without a name or a port";
        let ip: IpAddr = bare.unwrap_or(ip).parse().map_err(|_| expected)?;
        let most: u32 = if ip.is_ipv6() { 128 } else { 32 };
        let free = match bits {
            None => Some(0),
            Some(bits) => bits.parse().ok().and_then(|bits| most.checked_sub(bits)),
        };
        let free = free.ok_or(expected)?;
        let network = Network {
            first: bytes(ip),
            free: free.min(127),
        };
        if free >= 32 && network.contains(Ipv4Addr::UNSPECIFIED.into()) || free >= 127 {
            return Err(
                "this trusts everybody, so that anybody could put strangers into \
                        swarms; give more bits",
            );
        }
        if free == 0 && !address::is_unicast(address::canonical(ip)) {
            return Err("no machine has such an address");
        }
        Ok(network)
    }

    fn contains(&self, ip: IpAddr) -> bool {
        (self.first ^ bytes(ip)) >> self.free == 0
    }
}

/// Whose word is taken for where a request comes from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Trusted(pub Vec<Network>);

impl Trusted {
    /// Whether the proxy at this address is trusted.
    // Called from several places, and cheap where nobody is trusted.
    #[inline(never)]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(ip))
    }
}

fn bytes(ip: IpAddr) -> u128 {
    u128::from_be_bytes(address::to_bytes(ip))
}

#[cfg(test)]
#[path = "trusted_tests.rs"]
mod tests;
