//! The packets of PCP's MAP (RFC 6887): requests to bytes, bytes to answers. No socket is seen here.

use super::mapping::{Granted, Protocol, Refusal};
use crate::address;
use std::net::{IpAddr, Ipv4Addr};

/// A request, and an answer without options.
pub const LENGTH: usize = 60;
const VERSION: u8 = 2;
const MAP: u8 = 1;

/// What tells a mapping's owner from others: who does not know it can neither renew nor remove.
pub type Nonce = [u8; 12];

/// What a packet says that is an answer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Answer {
    /// The router does not speak this version of PCP; it may speak NAT-PMP.
    OtherVersion,
    /// It does.
    Map {
        /// Seconds since the router forgot what it knew.
        epoch: u32,
        /// The mapping and its outside address.
        outcome: Result<(Granted, Ipv4Addr), Refusal>,
    },
}

/// A request for a mapping.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// This machine's address, as the router sees it.
    pub local: Ipv4Addr,
    /// Proof of ownership.
    pub nonce: Nonce,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port of this machine.
    pub inside: u16,
    /// The router's port, if that is free.
    pub outside: u16,
    /// For how long.
    pub seconds: u32,
}

impl Request {
    /// The packet.
    pub fn packet(&self) -> [u8; LENGTH] {
        let mut packet = [0; LENGTH];
        packet[..2].copy_from_slice(&[VERSION, MAP]);
        packet[4..8].copy_from_slice(&self.seconds.to_be_bytes());
        packet[8..24].copy_from_slice(&address::to_bytes(self.local.into()));
        packet[24..36].copy_from_slice(&self.nonce);
        packet[36] = number(self.protocol);
        packet[40..42].copy_from_slice(&self.inside.to_be_bytes());
        packet[42..44].copy_from_slice(&self.outside.to_be_bytes());
        // Any address, of IPv4.
        packet[44..].copy_from_slice(&address::to_bytes(Ipv4Addr::UNSPECIFIED.into()));
        packet
    }

    /// Reads the answer to this request; `None` if it is not one.
    pub fn answer(&self, packet: &[u8]) -> Option<Answer> {
        let [version, opcode, reserved, result, ..] = *packet.first_chunk::<8>()?;
        if opcode != MAP | 0x80 {
            return None;
        }
        if version != VERSION {
            // A router that speaks NAT-PMP alone says so in its own format, which has the number 1
            // in the same place.
            return ((reserved, result) == (0, 1)).then_some(Answer::OtherVersion);
        }
        let refusal = match result {
            0 => None,
            1 => return Some(Answer::OtherVersion),
            2 => Some(Refusal::NotAuthorized),
            4 | 5 | 9 => Some(Refusal::Unsupported),
            7 => Some(Refusal::NoAddress),
            8 | 10 => Some(Refusal::NoResources),
            11 => Some(Refusal::Taken(None)),
            12 => Some(Refusal::OtherRouter),
            other => Some(Refusal::Other(other.into())),
        };
        // An answer to somebody else's request has another nonce, protocol or port.
        let mine = self.packet();
        let body = packet.get(..LENGTH)?;
        if body[24..37] != mine[24..37] || body[40..42] != mine[40..42] {
            return None;
        }
        let outcome = match refusal {
            Some(refusal) => Err(refusal),
            None => Ok(granted(body)?),
        };
        let epoch = u32::from_be_bytes(*body[8..].first_chunk()?);
        Some(Answer::Map { epoch, outcome })
    }
}

/// Whether the router has forgotten what it knew, by what its clock said and says now, `elapsed`
/// seconds later (RFC 6887, 8.5: one second is for packets that overtake each other, two and a
/// sixteenth for clocks that go wrong).
pub fn has_restarted(before: u32, now: u32, elapsed: u64) -> bool {
    let Some(passed) = (u64::from(now) + 1).checked_sub(before.into()) else {
        return true;
    };
    let passed = passed.saturating_sub(1);
    elapsed + 2 < passed - passed / 16 || passed + 2 < elapsed - elapsed / 16
}

fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
    }
}

fn granted(body: &[u8]) -> Option<(Granted, Ipv4Addr)> {
    let granted = Granted {
        port: u16::from_be_bytes(*body[42..].first_chunk()?),
        seconds: u32::from_be_bytes(*body[4..].first_chunk()?),
    };
    let address = IpAddr::from(*body[44..].first_chunk::<16>()?);
    match address::canonical(address) {
        IpAddr::V4(address) if granted.port != 0 && granted.seconds != 0 => {
            Some((granted, address))
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "pcp_tests.rs"]
mod tests;
