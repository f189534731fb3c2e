//! The proxies that are trusted (`--trust-proxy`): a set of networks, and whether an address is
//! in it.
//!
//! Values only. What a trusted proxy says of its clients is read in `forwarded.rs`.

use crate::address;
use crate::network::Network;
use std::net::{IpAddr, Ipv4Addr};

/// Reads a proxy's address, or a network of proxies (see [`Network::parse`]). The error says what is
/// accepted.
pub fn parse(text: &str) -> Result<Network, &'static str> {
    let network = Network::parse(text).ok_or(
        "a proxy is an address like 10.0.0.2 or fd00::2, or a network like 10.0.0.0/8, \
         without a name or a port",
    )?;
    let free = network.free_bits();
    if free >= 32 && network.contains(Ipv4Addr::UNSPECIFIED.into()) || free >= 127 {
        return Err(
            "this trusts everybody, so that anybody could put strangers into swarms; \
             give more bits",
        );
    }
    if free == 0 && !address::is_unicast(network.address(0)) {
        return Err("no machine has such an address");
    }
    Ok(network)
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

#[cfg(test)]
#[path = "trusted_tests.rs"]
mod tests;
