//! How many peers a neighbour has, in one swarm and in all, so that one machine with its 65,535
//! ports can fill neither a swarm nor the store.
//!
//! Exact counts for every neighbour would take as much memory as the peers themselves. So these
//! are tables of fixed size, a counter being shared by those whose keyed hashes fall on it: with
//! a million peers each of their counters is too high by 4 or by 15, on average, and never too
//! low. What is too many is decided in `mod.rs`.

use crate::address::Neighbour;
use std::hash::{BuildHasher, RandomState};

/// Counters for neighbours.
const IN_ALL: usize = 1 << 16;
/// Counters for pairs of swarm and neighbour.
const IN_SWARM: usize = 1 << 18;

pub struct Crowding {
    keys: RandomState,
    in_all: Vec<u32>,
    in_swarm: Vec<u32>,
}

impl Crowding {
    pub fn new() -> Crowding {
        Crowding {
            keys: RandomState::new(),
            // Zeros take no memory until they are written to.
            in_all: vec![0; IN_ALL],
            in_swarm: vec![0; IN_SWARM],
        }
    }

    /// How many peers a neighbour has in all, at most.
    pub fn in_all(&self, neighbour: Neighbour) -> u32 {
        self.in_all[self.place_in_all(neighbour)]
    }

    /// How many peers a neighbour has in a swarm, at most.
    pub fn in_swarm(&self, swarm: u32, neighbour: Neighbour) -> u32 {
        self.in_swarm[self.place_in_swarm(swarm, neighbour)]
    }

    pub fn add(&mut self, swarm: u32, neighbour: Neighbour) {
        let (all, one) = (
            self.place_in_all(neighbour),
            self.place_in_swarm(swarm, neighbour),
        );
        self.in_all[all] += 1;
        self.in_swarm[one] += 1;
    }

    /// Takes back one [`add`](Crowding::add).
    pub fn remove(&mut self, swarm: u32, neighbour: Neighbour) {
        let (all, one) = (
            self.place_in_all(neighbour),
            self.place_in_swarm(swarm, neighbour),
        );
        // Never below zero, but for two peers with the same fingerprint (see `mod.rs`).
        self.in_all[all] = self.in_all[all].saturating_sub(1);
        self.in_swarm[one] = self.in_swarm[one].saturating_sub(1);
    }

    fn place_in_all(&self, neighbour: Neighbour) -> usize {
        self.keys.hash_one(neighbour) as usize % IN_ALL
    }

    fn place_in_swarm(&self, swarm: u32, neighbour: Neighbour) -> usize {
        self.keys.hash_one((swarm, neighbour)) as usize % IN_SWARM
    }
}
