//! Who the router is, and which addresses are this network's. On Linux the system says so; where it
//! does not, the router is guessed for NAT-PMP and PCP, and found by SSDP for UPnP.

use crate::own_addresses::{self, Route};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

/// Where NAT-PMP and PCP are spoken.
const PORT: u16 = 5351;
/// Where SSDP is.
const SSDP: u16 = 1900;

/// The router, as far as it is known before it was asked.
#[derive(Clone, PartialEq, Debug)]
pub struct Router {
    /// The default gateway.
    pub address: Ipv4Addr,
    /// Whether that is a guess.
    pub is_guess: bool,
    /// The address by which this machine speaks to it.
    pub local: Ipv4Addr,
    /// The networks that this machine is in: their addresses and their masks.
    pub networks: Vec<(u32, u32)>,
    /// Where it speaks NAT-PMP and PCP.
    pub port: u16,
    /// Where to look for it by SSDP: all that listen, and itself, which gets through firewalls that
    /// do not expect answers to the former.
    pub ssdp: [SocketAddrV4; 2],
}

impl Router {
    /// The router of this machine; `None` without a network.
    pub fn find() -> Option<Router> {
        match own_addresses::route_table() {
            Some(routes) => {
                let (address, networks) = read_routes(&routes)?;
                Some(Router::new(address, false, towards(address)?, networks))
            }
            None => {
                // An address for documentation; nothing is sent there.
                let local = towards(Ipv4Addr::new(203, 0, 113, 1))?;
                let (address, networks) = guess(local);
                Some(Router::new(address, true, local, networks))
            }
        }
    }

    fn new(
        address: Ipv4Addr,
        is_guess: bool,
        local: Ipv4Addr,
        networks: Vec<(u32, u32)>,
    ) -> Router {
        let all = Ipv4Addr::new(239, 255, 255, 250);
        Router {
            address,
            is_guess,
            local,
            networks,
            port: PORT,
            ssdp: [all, address].map(|ip| SocketAddrV4::new(ip, SSDP)),
        }
    }

    /// Whether one at this address is talked to: the gateway, and whoever is in this network.
    pub fn trusts(&self, ip: Ipv4Addr) -> bool {
        let ip_number = u32::from(ip);
        let is_in = |(network, mask): &(u32, u32)| ip_number & mask == *network;
        ip == self.address || self.networks.iter().any(is_in)
    }
}

fn towards(ip: Ipv4Addr) -> Option<Ipv4Addr> {
    match own_addresses::towards(ip.into())? {
        IpAddr::V4(local) => Some(local),
        IpAddr::V6(_) => None,
    }
}

/// The default gateway, that with the least metric, and the networks without a gateway.
fn read_routes(routes: &str) -> Option<(Ipv4Addr, Vec<(u32, u32)>)> {
    let routes = || routes.lines().filter_map(Route::read);
    // A default route is one for all: some VPNs have two that are for half of all each.
    let ways_out = routes().filter(Route::is_way_out);
    let gateway = ways_out.min_by_key(|route| route.metric)?.gateway;
    let own = routes().filter(|route| route.gateway == 0 && route.mask != 0);
    let networks = own.map(|route| (route.destination, route.mask));
    Some((gateway.into(), networks.collect()))
}

/// The first address of the network is the router's, mostly, and most networks have 24 bits.
fn guess(local: Ipv4Addr) -> (Ipv4Addr, Vec<(u32, u32)>) {
    let [a, b, c, _] = local.octets();
    let network = Ipv4Addr::new(a, b, c, 0);
    let mask = Ipv4Addr::new(255, 255, 255, 0);
    let networks = vec![(network.into(), mask.into())];
    (Ipv4Addr::new(a, b, c, 1), networks)
}

#[cfg(test)]
#[path = "gateway_tests.rs"]
mod tests;
