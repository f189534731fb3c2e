//! One swarm: its members, sorted into groups so that those who may be shown to an asker can be
//! picked without looking at the others; and how many clients these are.
//!
//! Which members are alive, and who may see whom, is decided elsewhere.

use super::group::{GroupKey, Slot};
use super::members::Members;
use super::random::Random;
use crate::announce::{Endpoint, InfoHash};

/// Members with the same [`GroupKey`], in no order.
pub struct Group {
    pub key: GroupKey,
    pub members: Members,
}

pub struct Swarm {
    pub info_hash: InfoHash,
    /// Clients that are leechers, and that say they are seeders.
    pub clients: [u32; 2],
    /// Clients that have said "completed" since the swarm began.
    pub downloaded: u32,
    /// When it began, in seconds since the tracker did.
    pub began: u32,
    /// Only groups that have members; most swarms have a few.
    groups: Vec<Group>,
}

impl Swarm {
    pub fn new(info_hash: InfoHash, began: u32) -> Swarm {
        Swarm {
            info_hash,
            clients: [0; 2],
            downloaded: 0,
            began,
            groups: Vec::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Adds a member at a random place of its group. Returns the place; and the slot of whoever was
    /// there and moves to the end, with its new place, for the caller to note down.
    pub fn add(
        &mut self,
        key: GroupKey,
        endpoint: Endpoint,
        slot: Slot,
        random: &mut Random,
    ) -> (u32, Option<(Slot, u32)>) {
        let index = match self.groups.iter().position(|g| g.key == key) {
            Some(index) => index,
            None => {
                self.groups.reserve_exact(1);
                self.groups.push(Group {
                    key,
                    members: Members::new(key.home.is_ipv6()),
                });
                self.groups.len() - 1
            }
        };
        let members = &mut self.groups[index].members;
        let last = members.len() as u32;
        let place = random.below(last + 1);
        let moved = members.insert(place as usize, endpoint, slot);
        (place, moved.map(|moved| (moved, last)))
    }

    /// Removes the member at `place`. The last one of its group moves there; returns its slot, so
    /// that the caller can note down its new place.
    pub fn remove(&mut self, key: GroupKey, place: u32) -> Option<Slot> {
        let index = self.groups.iter().position(|g| g.key == key)?;
        let members = &mut self.groups[index].members;
        let moved = members.swap_remove(place as usize);
        if members.len() == 0 {
            self.groups.swap_remove(index);
        }
        moved
    }

    /// The endpoint of the member at `place` of a group.
    pub fn endpoint(&self, key: GroupKey, place: u32) -> Endpoint {
        let group = self.groups.iter().find(|g| g.key == key);
        // A peer's group and place are changed only together with the swarm's groups.
        let group = group.expect("a peer's group exists");
        group.members.endpoint(place as usize)
    }
}

#[cfg(test)]
#[path = "swarm_tests.rs"]
mod tests;
