//! The packets of NAT-PMP (RFC 6886): requests to bytes, bytes to answers. No socket is seen here.

use super::mapping::{Granted, Protocol, Refusal};
use std::net::Ipv4Addr;

/// Asks for the router's outside address.
pub const ADDRESS_REQUEST: [u8; 2] = [0, 0];

/// What a packet says that is an answer: the router's clock, and what was asked for or why not.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Answer<T> {
    /// Seconds since the router forgot what it knew.
    pub epoch: u32,
    /// What was asked for.
    pub outcome: Result<T, Refusal>,
}

/// Asks that `outside` be forwarded to `inside` of this machine. The router may choose another
/// port than `outside`.
pub fn map_request(protocol: Protocol, inside: u16, outside: u16, seconds: u32) -> [u8; 12] {
    let mut packet = [0; 12];
    packet[1] = opcode(protocol);
    packet[4..6].copy_from_slice(&inside.to_be_bytes());
    packet[6..8].copy_from_slice(&outside.to_be_bytes());
    packet[8..].copy_from_slice(&seconds.to_be_bytes());
    packet
}

/// Reads the answer to [`ADDRESS_REQUEST`]; `None` if it is not one.
pub fn address_answer(packet: &[u8]) -> Option<Answer<Ipv4Addr>> {
    let (epoch, refusal) = head(packet, 0)?;
    let outcome = match refusal {
        Some(refusal) => Err(refusal),
        None => Ok(Ipv4Addr::from(*packet.get(8..)?.first_chunk::<4>()?)),
    };
    Some(Answer { epoch, outcome })
}

/// Reads the answer to a [`map_request`] for this protocol and port; `None` if it is not one.
pub fn map_answer(packet: &[u8], protocol: Protocol, inside: u16) -> Option<Answer<Granted>> {
    let (epoch, refusal) = head(packet, opcode(protocol))?;
    let outcome = match refusal {
        Some(refusal) => Err(refusal),
        None => {
            let [i0, i1, o0, o1, seconds @ ..] = *packet.get(8..)?.first_chunk::<8>()?;
            let (port, seconds) = (u16::from_be_bytes([o0, o1]), u32::from_be_bytes(seconds));
            // Of another mapping of this machine, or none at all.
            if u16::from_be_bytes([i0, i1]) != inside || port == 0 || seconds == 0 {
                return None;
            }
            Ok(Granted { port, seconds })
        }
    };
    Some(Answer { epoch, outcome })
}

/// Whether the router has forgotten what it knew, by what its clock said and says now, `elapsed`
/// seconds later (RFC 6886, 3.6: two seconds and an eighth are for clocks that go wrong).
pub fn has_restarted(before: u32, now: u32, elapsed: u64) -> bool {
    u64::from(now) + 2 < u64::from(before) + elapsed - elapsed / 8
}

fn opcode(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Udp => 1,
        Protocol::Tcp => 2,
    }
}

/// The router's clock, and why it refuses, if it does.
fn head(packet: &[u8], opcode: u8) -> Option<(u32, Option<Refusal>)> {
    let [version, op, r0, r1, epoch @ ..] = *packet.first_chunk::<8>()?;
    if version != 0 || op != opcode | 0x80 {
        return None;
    }
    let refusal = match u16::from_be_bytes([r0, r1]) {
        0 => None,
        1 | 5 => Some(Refusal::Unsupported),
        2 => Some(Refusal::NotAuthorized),
        3 => Some(Refusal::NoAddress),
        4 => Some(Refusal::NoResources),
        other => Some(Refusal::Other(other)),
    };
    Some((u32::from_be_bytes(epoch), refusal))
}

#[cfg(test)]
#[path = "nat_pmp_tests.rs"]
mod tests;
