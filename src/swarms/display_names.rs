//! What people call torrents: the first name that an announce brings for a swarm (`dn`, as magnet
//! links have it) stays until the swarm ends. Which characters a name may have is decided in
//! `http/display_name.rs`.
//!
//! In a table beside the swarms, so that those without a name pay nothing. It is bounded, in all
//! and for those who bring names: one machine, whatever it announces, leaves room for the others.

use crate::address::AddressBlock;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Names in all. With 100 characters of 4 bytes each, 10 MB.
pub const MOST: usize = 20_000;
/// Names that one address block may bring. What is on this machine is not bounded, as elsewhere.
pub const MOST_OF_BLOCK: u32 = 2_000;

/// The names of swarms, which are known by their indices.
#[derive(Default)]
pub struct DisplayNames {
    names: HashMap<u32, Name>,
    /// How many there are of each block, if there are any.
    of_block: HashMap<AddressBlock, u32>,
}

struct Name {
    text: Arc<str>,
    /// Who brought it.
    block: Option<AddressBlock>,
}

impl DisplayNames {
    /// Whether a swarm has no name yet, and may get one from this address.
    pub fn has_room(&self, swarm: u32, from: IpAddr) -> bool {
        let of_block = AddressBlock::of(from).and_then(|block| self.of_block.get(&block));
        self.names.len() < MOST
            && !self.names.contains_key(&swarm)
            && of_block.is_none_or(|&count| count < MOST_OF_BLOCK)
    }

    /// Gives a swarm a name, if there is room for it.
    pub fn add(&mut self, swarm: u32, text: &str, from: IpAddr) {
        if self.has_room(swarm, from) {
            let block = AddressBlock::of(from);
            if let Some(block) = block {
                *self.of_block.entry(block).or_default() += 1;
            }
            let text = text.into();
            self.names.insert(swarm, Name { text, block });
        }
    }

    /// What a swarm is called.
    pub fn get(&self, swarm: u32) -> Option<&Arc<str>> {
        self.names.get(&swarm).map(|name| &name.text)
    }

    /// A swarm has ended.
    pub fn remove(&mut self, swarm: u32) {
        if let Some(Name {
            block: Some(block), ..
        }) = self.names.remove(&swarm)
        {
            if let Some(count) = self.of_block.get_mut(&block) {
                *count -= 1;
                if *count == 0 {
                    self.of_block.remove(&block);
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "display_names_tests.rs"]
mod tests;
