//! How many peers a address block has, in one swarm and in all, so that one machine with its 65,535
//! ports can fill neither a swarm nor the store.
//!
//! Exact counts for every address block would take as much memory as the peers themselves. So these
//! are tables of fixed size, a counter being shared by those whose keyed hashes fall on it: with
//! a million peers each of their counters is too high by 4 or by 15, on average, and never too
//! low. What is too many is decided in `mod.rs`.

use crate::address::AddressBlock;
use std::hash::{BuildHasher, RandomState};

/// Counters for address blocks.
const IN_ALL: usize = 1 << 16;
/// Counters for pairs of swarm and address block.
const IN_SWARM: usize = 1 << 18;

pub struct PerAddress {
    keys: RandomState,
    in_all: Vec<u32>,
    in_swarm: Vec<u32>,
}

impl PerAddress {
    pub fn new() -> PerAddress {
        PerAddress {
            keys: RandomState::new(),
            // Zeros take no memory until they are written to.
            in_all: vec![0; IN_ALL],
            in_swarm: vec![0; IN_SWARM],
        }
    }

    /// How many peers a address block has in all, at most.
    pub fn in_all(&self, block: AddressBlock) -> u32 {
        self.in_all[self.place_in_all(block)]
    }

    /// How many peers a address block has in a swarm, at most.
    pub fn in_swarm(&self, swarm: u32, block: AddressBlock) -> u32 {
        self.in_swarm[self.place_in_swarm(swarm, block)]
    }

    pub fn add(&mut self, swarm: u32, block: AddressBlock) {
        let (all, one) = (self.place_in_all(block), self.place_in_swarm(swarm, block));
        self.in_all[all] += 1;
        self.in_swarm[one] += 1;
    }

    /// Takes back one [`add`](PerAddress::add).
    pub fn remove(&mut self, swarm: u32, block: AddressBlock) {
        let (all, one) = (self.place_in_all(block), self.place_in_swarm(swarm, block));
        // Never below zero, but for two peers with the same fingerprint (see `mod.rs`).
        self.in_all[all] = self.in_all[all].saturating_sub(1);
        self.in_swarm[one] = self.in_swarm[one].saturating_sub(1);
    }

    fn place_in_all(&self, block: AddressBlock) -> usize {
        self.keys.hash_one(block) as usize % IN_ALL
    }

    fn place_in_swarm(&self, swarm: u32, block: AddressBlock) -> usize {
        self.keys.hash_one((swarm, block)) as usize % IN_SWARM
    }
}
