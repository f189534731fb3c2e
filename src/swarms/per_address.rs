//! How many peers an address block has, in one swarm and in all, so that one machine with its 65,535
//! ports can fill neither a swarm nor the store.
//!
//! Exact counts for every address block would take as much memory as the peers themselves. So these
//! are tables of fixed size, a counter being shared by those whose keyed hashes fall on it: with
//! a million peers each of their counters is too high by 4 or by 15 on average (with IPv6, whose
//! addresses have two blocks, by twice as much), and never too low. What is too many is decided in `bounds.rs`.

use crate::address::AddressBlock;
use std::hash::BuildHasher;
use std::net::IpAddr;

/// Counters for address blocks.
const IN_ALL: usize = 1 << 16;
/// Counters for pairs of swarm and address block.
const IN_SWARM: usize = 1 << 18;

/// Random, or anybody could find addresses that share a counter. In unit tests they are always the
/// same: of those that count thousands of pairs, one in some hundred runs would see a shared one.
#[cfg(not(test))]
type Keys = std::hash::RandomState;
#[cfg(test)]
type Keys = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;

pub struct PerAddress {
    keys: Keys,
    in_all: Vec<u32>,
    in_swarm: Vec<u32>,
}

impl PerAddress {
    pub fn new() -> PerAddress {
        PerAddress {
            keys: Keys::default(),
            // Zeros take no memory until they are written to.
            in_all: vec![0; IN_ALL],
            in_swarm: vec![0; IN_SWARM],
        }
    }

    /// How many peers an address block has in all, at most.
    pub fn in_all(&self, block: AddressBlock) -> u32 {
        self.in_all[self.place_in_all(block)]
    }

    /// How many peers an address block has in a swarm, at most.
    pub fn in_swarm(&self, swarm: u32, block: AddressBlock) -> u32 {
        self.in_swarm[self.place_in_swarm(swarm, block)]
    }

    /// Counts one more, for all blocks that the address is in.
    pub fn add(&mut self, swarm: u32, ip: IpAddr) {
        for block in AddressBlock::around(ip).into_iter().flatten() {
            let (all, one) = (self.place_in_all(block), self.place_in_swarm(swarm, block));
            self.in_all[all] += 1;
            self.in_swarm[one] += 1;
        }
    }

    /// Takes back one [`add`](PerAddress::add).
    pub fn remove(&mut self, swarm: u32, ip: IpAddr) {
        for block in AddressBlock::around(ip).into_iter().flatten() {
            let (all, one) = (self.place_in_all(block), self.place_in_swarm(swarm, block));
            self.in_all[all] -= 1;
            self.in_swarm[one] -= 1;
        }
    }

    fn place_in_all(&self, block: AddressBlock) -> usize {
        self.keys.hash_one(block) as usize % IN_ALL
    }

    fn place_in_swarm(&self, swarm: u32, block: AddressBlock) -> usize {
        self.keys.hash_one((swarm, block)) as usize % IN_SWARM
    }
}

#[cfg(test)]
#[path = "per_address_tests.rs"]
mod tests;
