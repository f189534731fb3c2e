//! Peers as both transports write them: 6 bytes each for IPv4 and 18 for IPv6, address and port,
//! big-endian (BEP 23, BEP 7, BEP 15).

use crate::announce::Peer;
use std::net::IpAddr;

/// Appends those of `peers` that are of the address family.
pub fn write(peers: &[Peer], ipv6: bool, out: &mut Vec<u8>) {
    for peer in peers {
        let [high, low] = peer.endpoint.port.to_be_bytes();
        match peer.endpoint.ip {
            IpAddr::V4(ip) if !ipv6 => {
                let [a, b, c, d] = ip.octets();
                out.extend_from_slice(&[a, b, c, d, high, low]);
            }
            IpAddr::V6(ip) if ipv6 => {
                out.extend_from_slice(&ip.octets());
                out.extend_from_slice(&[high, low]);
            }
            _ => {}
        }
    }
}
