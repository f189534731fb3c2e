//! The members of a group of a swarm, packed: with a million peers, an announce's time goes for
//! fetching members from memory.
//!
//! Which members make a group is decided in `swarm.rs`.

use super::peers::Slot;
use crate::announce::Endpoint;
use std::net::IpAddr;

/// A member of a swarm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    pub endpoint: Endpoint,
    /// Where the rest of what is known of it lies.
    pub slot: Slot,
}

/// Members of one address family, in no order: 10 bytes each of IPv4, 22 of IPv6.
pub enum Members {
    V4(Vec<Packed<4>>),
    V6(Vec<Packed<16>>),
}

/// A member. Arrays of bytes, since fields of two and four bytes would be padded.
#[derive(Clone, Copy)]
pub struct Packed<const N: usize> {
    address: [u8; N],
    port: [u8; 2],
    slot: [u8; 4],
}

impl Members {
    /// None yet; all will be of this family.
    pub fn new(is_ipv6: bool) -> Members {
        match is_ipv6 {
            false => Members::V4(Vec::new()),
            true => Members::V6(Vec::new()),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Members::V4(members) => members.len(),
            Members::V6(members) => members.len(),
        }
    }

    pub fn get(&self, place: usize) -> Option<Member> {
        match self {
            Members::V4(members) => members.get(place).map(|m| m.unpack(m.address)),
            Members::V6(members) => members.get(place).map(|m| m.unpack(m.address)),
        }
    }

    /// Some byte of a member, for its being read.
    pub fn touch(&self, place: usize) -> u8 {
        match self {
            Members::V4(members) => members[place].slot[0],
            Members::V6(members) => members[place].slot[0],
        }
    }

    /// Adds a member, whose family is that of all.
    pub fn push(&mut self, Member { endpoint, slot }: Member) {
        match (self, endpoint.ip) {
            (Members::V4(members), IpAddr::V4(ip)) => {
                push(members, ip.octets(), endpoint.port, slot);
            }
            (Members::V6(members), IpAddr::V6(ip)) => {
                push(members, ip.octets(), endpoint.port, slot);
            }
            _ => unreachable!("a group has one family"),
        }
    }

    /// Removes the member at `place`, to which the last one moves.
    pub fn swap_remove(&mut self, place: usize) {
        match self {
            Members::V4(members) => swap_remove(members, place),
            Members::V6(members) => swap_remove(members, place),
        }
    }
}

impl<const N: usize> Packed<N> {
    fn unpack(&self, ip: impl Into<IpAddr>) -> Member {
        Member {
            endpoint: Endpoint {
                ip: ip.into(),
                port: u16::from_ne_bytes(self.port),
            },
            slot: u32::from_ne_bytes(self.slot),
        }
    }
}

fn push<const N: usize>(members: &mut Vec<Packed<N>>, address: [u8; N], port: u16, slot: Slot) {
    if members.len() == members.capacity() {
        // Half as much again instead of std's twice as much: with many small swarms the unused
        // places are what memory goes for.
        members.reserve_exact(members.len() / 2 + 1);
    }
    members.push(Packed {
        address,
        port: port.to_ne_bytes(),
        slot: slot.to_ne_bytes(),
    });
}

fn swap_remove<T>(members: &mut Vec<T>, place: usize) {
    members.swap_remove(place);
    if members.len() < members.capacity() / 4 {
        members.shrink_to(members.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_and_unpacked_are_the_same_in_both_families() {
        for text in ["192.0.2.7", "2001:db8::7", "::1"] {
            let ip: IpAddr = text.parse().unwrap();
            let mut members = Members::new(ip.is_ipv6());
            let member = |n: u32| Member {
                endpoint: Endpoint {
                    ip,
                    port: 1000 + n as u16,
                },
                slot: 0x0102_0304 + n,
            };
            (0..9).for_each(|n| members.push(member(n)));
            members.swap_remove(2);
            let expected = [0, 1, 8, 3, 4, 5, 6, 7].map(member);
            let found: Vec<_> = (0..members.len())
                .map(|p| members.get(p).unwrap())
                .collect();
            assert_eq!(found, expected);
            assert_eq!(members.get(8), None);
        }
    }

    #[test]
    fn a_member_is_as_small_as_can_be() {
        assert_eq!(size_of::<Packed<4>>(), 10);
        assert_eq!(size_of::<Packed<16>>(), 22);
    }
}
