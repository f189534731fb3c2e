//! What people call torrents: the first name that an announce brings for a swarm (`dn`, as magnet
//! links have it) stays until the swarm ends. Which characters a name may have is decided in
//! `http/display_name.rs`.
//!
//! In a table beside the swarms, so that those without a name pay nothing. It is bounded, in all
//! and for those who bring names: one machine, whatever it announces, leaves room for the others.

use crate::address::AddressBlock;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

/// Names in all. With 100 characters of 4 bytes each, 10 MB.
pub const MOST: usize = 20_000;
/// Names that one address block may bring. What is on this machine is not bounded, as elsewhere.
pub const MOST_OF_BLOCK: u32 = 2_000;

/// Counters for address blocks, which those share whose keyed hashes fall on the same: a count is
/// too high by 5 on average, if there are as many names as there may be, and never too low.
const COUNTERS: usize = 1 << 12;

/// The names of swarms, which are known by their indices.
#[derive(Default)]
pub struct DisplayNames {
    names: HashMap<u32, Name>,
    /// How many each block has brought; empty until there is a name.
    of_block: Vec<u32>,
    keys: RandomState,
}

struct Name {
    text: Arc<str>,
    /// The counter of who brought it.
    counter: Option<usize>,
}

impl DisplayNames {
    /// Whether a swarm has no name yet, and may get one from this address.
    pub fn has_room(&self, swarm: u32, from: IpAddr) -> bool {
        let count = |at: usize| self.of_block.get(at).copied().unwrap_or_default();
        self.names.len() < MOST
            && !self.names.contains_key(&swarm)
            && self
                .counter(from)
                .is_none_or(|at| count(at) < MOST_OF_BLOCK)
    }

    /// Gives a swarm a name, if there is room for it.
    pub fn add(&mut self, swarm: u32, text: &str, from: IpAddr) {
        if !self.has_room(swarm, from) {
            return;
        }
        let counter = self.counter(from);
        if let Some(at) = counter {
            self.of_block.resize(COUNTERS, 0);
            self.of_block[at] += 1;
        }
        let text = text.into();
        self.names.insert(swarm, Name { text, counter });
    }

    /// What a swarm is called.
    pub fn get(&self, swarm: u32) -> Option<&Arc<str>> {
        self.names.get(&swarm).map(|name| &name.text)
    }

    /// A swarm has ended.
    pub fn remove(&mut self, swarm: u32) {
        let name = self.names.remove(&swarm);
        if let Some(at) = name.and_then(|name| name.counter) {
            self.of_block[at] -= 1;
        }
    }

    /// Which counter is that of an address; none is for this machine's own.
    fn counter(&self, from: IpAddr) -> Option<usize> {
        let block = AddressBlock::of(from)?;
        Some(self.keys.hash_one(block) as usize % COUNTERS)
    }
}

#[cfg(test)]
#[path = "display_names_tests.rs"]
mod tests;
