//! What is stored at most, in all and of those behind one address; and who is counted for what.
//!
//! An address that was only claimed counts for the one who claims it, not for whoever may live
//! there: one client could otherwise fill the store, and keep others out of it.

use super::group::Slot;
use super::per_address::PerAddress;
use crate::address::AddressBlock;
use std::collections::HashMap;
use std::net::IpAddr;

/// What the state takes at most. All of these count addresses: a client with two takes two places.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// In all, and so swarms too: each has one.
    pub peers: u32,
    /// Of one address block in all.
    pub per_block: u32,
    /// Of one address block in one swarm.
    pub per_block_in_swarm: u32,
    /// Of one site (a /48 of IPv6) in all.
    pub per_site: u32,
    /// Of one site in one swarm.
    pub per_site_in_swarm: u32,
}

impl Default for Bounds {
    /// A million peers fit into a Raspberry Pi with 1 GB. Those behind one address are bounded too,
    /// or a single machine could fill all; but thousands of honest clients behind one router must
    /// not notice, nor must a seed box with some thousand torrents. A site may be a customer with
    /// 65,536 address blocks, or a street of honest ones.
    fn default() -> Self {
        Bounds {
            peers: 1_000_000,
            per_block: 20_000,
            per_block_in_swarm: 200,
            per_site: 40_000,
            per_site_in_swarm: 400,
        }
    }
}

/// Which bound a newcomer met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitReached {
    /// There are as many peers as there may be.
    Store,
    /// The newcomer's address block, or its site, has as many as it may have.
    AddressBlock,
    /// It has as many as it may have in this swarm.
    AddressBlockInSwarm,
}

/// The bounds, and how near to them everybody is.
pub struct Limits {
    pub bounds: Bounds,
    per_address: PerAddress,
    /// Who claimed the records that were claimed.
    claimed_by: HashMap<Slot, IpAddr>,
}

impl Limits {
    pub fn new(bounds: Bounds) -> Limits {
        Limits {
            bounds,
            per_address: PerAddress::new(),
            claimed_by: HashMap::new(),
        }
    }

    /// Whether there is one more place for somebody at `ip`, in a swarm that is known or a new one,
    /// beside the `stored`.
    pub fn check(&self, stored: u32, swarm: Option<u32>, ip: IpAddr) -> Result<(), LimitReached> {
        let bounds = &self.bounds;
        if stored >= bounds.peers {
            return Err(LimitReached::Store);
        }
        let in_all = [bounds.per_block, bounds.per_site];
        let in_swarm = [bounds.per_block_in_swarm, bounds.per_site_in_swarm];
        for (i, block) in AddressBlock::around(ip).into_iter().enumerate() {
            let Some(block) = block else { continue };
            if self.per_address.in_all(block) >= in_all[i] {
                return Err(LimitReached::AddressBlock);
            }
            let here = swarm.map_or(0, |swarm| self.per_address.in_swarm(swarm, block));
            if here >= in_swarm[i] {
                return Err(LimitReached::AddressBlockInSwarm);
            }
        }
        Ok(())
    }

    /// Whether anybody in a swarm is counted for this block.
    pub fn has_any(&self, swarm: u32, block: AddressBlock) -> bool {
        self.per_address.in_swarm(swarm, block) > 0
    }

    /// Takes a place for a record at `ip`, which was seen there or was claimed from elsewhere.
    pub fn take(&mut self, swarm: u32, slot: Slot, ip: IpAddr, claimed_by: Option<IpAddr>) {
        if let Some(by) = claimed_by {
            self.claimed_by.insert(slot, by);
        }
        self.per_address.add(swarm, claimed_by.unwrap_or(ip));
    }

    /// Takes back one [`take`](Limits::take).
    pub fn free(&mut self, swarm: u32, slot: Slot, ip: IpAddr, is_claimed: bool) {
        let claimed_by = match is_claimed {
            true => self.claimed_by.remove(&slot),
            false => None,
        };
        self.per_address.remove(swarm, claimed_by.unwrap_or(ip));
    }
}

#[cfg(test)]
#[path = "bounds_tests.rs"]
mod tests;
