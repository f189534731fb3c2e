//! One swarm: its members, sorted into groups so that those who may be shown to an asker can be
//! picked without looking at the others.
//!
//! Which members are alive, and who may see whom, is decided elsewhere.

use super::peers::Slot;
use crate::address::{self, Reach};
use crate::announce::{Endpoint, InfoHash};
use std::net::IpAddr;

/// What decides whether a member may be shown to an asker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupKey {
    pub is_seeder: bool,
    pub is_ipv6: bool,
    pub reach: Reach,
}

impl GroupKey {
    pub fn of(ip: IpAddr, is_seeder: bool) -> GroupKey {
        GroupKey {
            is_seeder,
            is_ipv6: ip.is_ipv6(),
            reach: Reach::of(ip),
        }
    }
}

/// How many different [`GroupKey`]s there are.
pub const MOST_GROUPS: usize = 12;

/// A member of a swarm: 22 bytes. Arrays of bytes, since fields of two and four bytes would be
/// padded to 24.
#[derive(Clone, Copy)]
pub struct Member {
    address: [u8; 16],
    port: [u8; 2],
    slot: [u8; 4],
}

impl Member {
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            ip: address::from_bytes(self.address),
            port: u16::from_ne_bytes(self.port),
        }
    }

    /// Some byte of it, for its being read.
    pub fn touch(&self) -> u8 {
        self.slot[0]
    }

    /// Where the rest of what is known of it lies.
    pub fn slot(&self) -> Slot {
        u32::from_ne_bytes(self.slot)
    }
}

/// Members with the same [`GroupKey`], in no order.
pub struct Group {
    pub key: GroupKey,
    pub members: Vec<Member>,
}

pub struct Swarm {
    pub info_hash: InfoHash,
    /// Leechers that became seeders since the swarm began.
    pub downloaded: u32,
    /// Only groups that have members; most swarms have one or two.
    groups: Vec<Group>,
}

impl Swarm {
    pub fn new(info_hash: InfoHash) -> Swarm {
        Swarm {
            info_hash,
            downloaded: 0,
            groups: Vec::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// How many members are seeders, or are not.
    pub fn count(&self, seeders: bool) -> u32 {
        let of_kind = self.groups.iter().filter(|g| g.key.is_seeder == seeders);
        of_kind.map(|g| g.members.len() as u32).sum()
    }

    /// Adds a member and returns its place in its group.
    pub fn add(&mut self, key: GroupKey, endpoint: Endpoint, slot: Slot) -> u32 {
        let index = match self.groups.iter().position(|g| g.key == key) {
            Some(index) => index,
            None => {
                self.groups.reserve_exact(1);
                self.groups.push(Group {
                    key,
                    members: Vec::new(),
                });
                self.groups.len() - 1
            }
        };
        let members = &mut self.groups[index].members;
        if members.len() == members.capacity() {
            // Half as much again instead of std's twice as much: with many small swarms the
            // unused places are what memory goes for.
            members.reserve_exact(members.len() / 2 + 1);
        }
        members.push(Member {
            address: address::to_bytes(endpoint.ip),
            port: endpoint.port.to_ne_bytes(),
            slot: slot.to_ne_bytes(),
        });
        members.len() as u32 - 1
    }

    /// Removes the member at `place`. The last one of its group moves there; returns its slot, so
    /// that the caller can note down its new place.
    pub fn remove(&mut self, key: GroupKey, place: u32) -> Option<Slot> {
        let index = self.groups.iter().position(|g| g.key == key)?;
        let members = &mut self.groups[index].members;
        members.swap_remove(place as usize);
        if members.is_empty() {
            self.groups.swap_remove(index);
            return None;
        }
        if members.len() < members.capacity() / 4 {
            members.shrink_to(members.len() * 2);
        }
        members.get(place as usize).map(Member::slot)
    }

    /// The member at `place` of a group.
    pub fn member(&self, key: GroupKey, place: u32) -> &Member {
        let group = self.groups.iter().find(|g| g.key == key);
        // A peer's group and place are changed only together with the swarm's groups.
        &group.expect("a peer's group exists").members[place as usize]
    }
}
