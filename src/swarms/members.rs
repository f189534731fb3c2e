//! The members of a group of a swarm, packed: with a million peers, an announce's time goes for
//! fetching members from memory.
//!
//! Which members make a group is decided in `swarm.rs`.

use super::group::Slot;
use crate::announce::{Endpoint, Peer};
use std::net::IpAddr;

/// Members of one address family, in random order: every order is equally likely, so that those who
/// stand side by side are no less random than others.
pub struct Members {
    endpoints: Endpoints,
    /// Apart from the endpoints, since an answer has no use for them.
    slots: Vec<Slot>,
}

/// 6 bytes each of IPv4, 18 of IPv6.
enum Endpoints {
    V4(Vec<Packed<4>>),
    V6(Vec<Packed<16>>),
}

/// An address and a port. Arrays of bytes, since a field of two bytes would be padded to four.
#[derive(Clone, Copy)]
struct Packed<const N: usize> {
    address: [u8; N],
    port: [u8; 2],
}

/// Most members that are read where they stand side by side: with as many peers as no cache holds,
/// an announce's time goes for fetching members from memory, which gives 64 bytes at a time.
pub const RUN: u32 = 10;

/// As many places as are appended at a time. To copy them costs a tenth less of an announce than to
/// fill them in one by one, where the processor waits for what it has just put together.
static NOWHERE: [Peer; RUN as usize] = [Peer::NOWHERE; RUN as usize];

impl Members {
    /// None yet; all will be of this family.
    pub fn new(is_ipv6: bool) -> Members {
        Members {
            endpoints: match is_ipv6 {
                false => Endpoints::V4(Vec::new()),
                true => Endpoints::V6(Vec::new()),
            },
            slots: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn endpoint(&self, place: usize) -> Endpoint {
        match &self.endpoints {
            Endpoints::V4(all) => all[place].unpack(all[place].address),
            Endpoints::V6(all) => all[place].unpack(all[place].address),
        }
    }

    /// Appends so many members, [`RUN`] at most, from the one at `place` on, as peers without a
    /// peer_id.
    ///
    /// They are written where they will stay: put together elsewhere and moved, half of an
    /// announce's time would go for reading in one piece what was just written in several.
    pub fn append(&self, place: usize, length: usize, peers: &mut Vec<Peer>) {
        let begin = peers.len();
        peers.extend_from_slice(&NOWHERE[..length]);
        let peers = &mut peers[begin..];
        match &self.endpoints {
            Endpoints::V4(all) => {
                for (peer, one) in peers.iter_mut().zip(&all[place..]) {
                    peer.endpoint.ip = IpAddr::V4(one.address.into());
                    peer.endpoint.port = u16::from_ne_bytes(one.port);
                }
            }
            Endpoints::V6(all) => {
                for (peer, one) in peers.iter_mut().zip(&all[place..]) {
                    peer.endpoint.ip = IpAddr::V6(one.address.into());
                    peer.endpoint.port = u16::from_ne_bytes(one.port);
                }
            }
        }
    }

    /// Where the rest of what is known of a member lies.
    pub fn slot(&self, place: usize) -> Slot {
        self.slots[place]
    }

    /// Some byte of a member's endpoint, for its being read.
    pub fn prefetch(&self, place: usize) -> u8 {
        match &self.endpoints {
            Endpoints::V4(all) => all[place].port[0],
            Endpoints::V6(all) => all[place].port[0],
        }
    }

    /// For how many there is room, at least.
    #[cfg(test)]
    fn capacity(&self) -> usize {
        let endpoints = match &self.endpoints {
            Endpoints::V4(all) => all.capacity(),
            Endpoints::V6(all) => all.capacity(),
        };
        endpoints.max(self.slots.capacity())
    }

    /// Adds a member, whose family is that of all, at a `place` that is one of theirs or the next.
    /// Whoever is there moves to the end; returns its slot.
    pub fn insert(&mut self, place: usize, endpoint: Endpoint, slot: Slot) -> Option<Slot> {
        let port = endpoint.port.to_ne_bytes();
        match (&mut self.endpoints, endpoint.ip) {
            (Endpoints::V4(all), IpAddr::V4(ip)) => {
                let address = ip.octets();
                insert(all, place, Packed { address, port });
            }
            (Endpoints::V6(all), IpAddr::V6(ip)) => {
                let address = ip.octets();
                insert(all, place, Packed { address, port });
            }
            _ => unreachable!("a group has one family"),
        }
        insert(&mut self.slots, place, slot);
        let last = self.slots.len() - 1;
        (place != last).then(|| self.slots[last])
    }

    /// Removes the member at `place`. The last one moves there; returns its slot, unless it was
    /// the last one itself.
    pub fn swap_remove(&mut self, place: usize) -> Option<Slot> {
        match &mut self.endpoints {
            Endpoints::V4(all) => swap_remove(all, place),
            Endpoints::V6(all) => swap_remove(all, place),
        }
        swap_remove(&mut self.slots, place);
        self.slots.get(place).copied()
    }
}

impl<const N: usize> Packed<N> {
    fn unpack(&self, ip: impl Into<IpAddr>) -> Endpoint {
        Endpoint {
            ip: ip.into(),
            port: u16::from_ne_bytes(self.port),
        }
    }
}

fn insert<T>(all: &mut Vec<T>, place: usize, one: T) {
    if all.len() == all.capacity() {
        // Half as much again instead of std's twice as much: with many small swarms the unused
        // places are what memory goes for.
        all.reserve_exact(all.len() / 2 + 1);
    }
    all.push(one);
    let last = all.len() - 1;
    all.swap(place, last);
}

fn swap_remove<T>(all: &mut Vec<T>, place: usize) {
    all.swap_remove(place);
    if all.len() < all.capacity() / 4 {
        all.shrink_to(all.len() * 2);
    }
}

#[cfg(test)]
#[path = "members_tests.rs"]
mod tests;
