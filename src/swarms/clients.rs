//! Which records are one client's: those of one swarm, peer_id and key. Without a key, what it was
//! seen at takes its place, so that only what it claims besides is the same client.
//!
//! Asked by newcomers, by those who leave and by those with several addresses; an ordinary announce
//! finds its record by its address and only compares the tag.

use super::group::Slot;
use crate::announce::{Endpoint, PeerId};
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

/// A keyed 32-bit hash of who a client is. Two clients with the same are told apart by who asks,
/// who looks at their peer_ids; then only the one that came first is found here, and should the
/// other have a second address, it counts twice. Of a million, that is about a hundred.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag(u32);

/// The most addresses of a client. A machine has one or two of each family; one that announces
/// from many more harms itself alone, since it loses the ones that were silent for longest.
pub const MOST_RECORDS: usize = 8;

/// Marks an entry that is no slot but an index of `several`. There are never so many slots.
const SEVERAL: u32 = 1 << 31;

/// The records of one client, the one that came last first.
#[derive(Clone, Copy, Debug)]
pub struct Records {
    slots: [Slot; MOST_RECORDS],
    count: u8,
}

impl Records {
    pub fn one(slot: Slot) -> Records {
        Records {
            slots: [slot; MOST_RECORDS],
            count: 1,
        }
    }

    pub fn slots(&self) -> &[Slot] {
        &self.slots[..usize::from(self.count)]
    }

    fn add(&mut self, slot: Slot) {
        // Whoever adds has made room.
        self.slots.rotate_right(1);
        self.slots[0] = slot;
        self.count += 1;
    }

    fn remove(&mut self, slot: Slot) {
        let mut kept = 0;
        for i in 0..usize::from(self.count) {
            if self.slots[i] != slot {
                self.slots[kept] = self.slots[i];
                kept += 1;
            }
        }
        self.count = kept as u8;
    }
}

pub struct Clients {
    keys: RandomState,
    /// A slot, or where in `several`.
    by_tag: HashMap<u32, u32, BuildHasherDefault<Unhashed>>,
    several: Vec<Records>,
    /// Indices of `several` that are not in use.
    unused: Vec<u32>,
    /// Which bits of a tag are used: all, but for the test of what happens when two clients have
    /// the same.
    pub mask: u32,
}

impl Clients {
    pub fn new() -> Clients {
        Clients {
            keys: RandomState::new(),
            by_tag: HashMap::default(),
            several: Vec::new(),
            unused: Vec::new(),
            mask: u32::MAX,
        }
    }

    pub fn tag(&self, swarm: u32, peer_id: PeerId, key: Option<u32>, source: Endpoint) -> Tag {
        let mut hasher = self.keys.build_hasher();
        hasher.write_u32(swarm);
        hasher.write(&peer_id.0);
        match key {
            Some(key) => hasher.write_u32(key),
            None => {
                hasher.write(&crate::address::to_bytes(source.ip));
                hasher.write_u16(source.port);
            }
        }
        Tag(hasher.finish() as u32 & self.mask)
    }

    /// The records that were added under this tag.
    pub fn records(&self, tag: Tag) -> Option<Records> {
        let &entry = self.by_tag.get(&tag.0)?;
        Some(match entry & SEVERAL {
            0 => Records::one(entry),
            _ => self.several[(entry ^ SEVERAL) as usize],
        })
    }

    /// Adds the first record of a client, unless another client has this tag.
    pub fn add_first(&mut self, tag: Tag, slot: Slot) {
        self.by_tag.entry(tag.0).or_insert(slot);
    }

    /// Adds another record of the client that is listed under this tag, which has room for it.
    pub fn add_other(&mut self, tag: Tag, slot: Slot) {
        if let Some(mut records) = self.records(tag) {
            records.add(slot);
            self.set(tag, records);
        }
    }

    /// Takes a record out, if it is there.
    pub fn remove(&mut self, tag: Tag, slot: Slot) {
        if let Some(mut records) = self.records(tag).filter(|r| r.slots().contains(&slot)) {
            records.remove(slot);
            self.set(tag, records);
        }
    }

    fn set(&mut self, tag: Tag, records: Records) {
        let before = self
            .by_tag
            .get(&tag.0)
            .filter(|&entry| entry & SEVERAL != 0);
        let before = before.map(|entry| entry ^ SEVERAL);
        match (records.slots(), before) {
            (&[] | &[_], before) => {
                self.unused.extend(before);
                match records.slots() {
                    &[slot] => self.by_tag.insert(tag.0, slot),
                    _ => self.by_tag.remove(&tag.0),
                };
            }
            (_, Some(index)) => self.several[index as usize] = records,
            (_, None) => {
                let index = self.unused.pop().unwrap_or(self.several.len() as u32);
                match self.several.get_mut(index as usize) {
                    Some(unused) => *unused = records,
                    None => self.several.push(records),
                }
                self.by_tag.insert(tag.0, index | SEVERAL);
            }
        }
    }

    pub fn clear(&mut self) {
        self.by_tag = HashMap::default();
        self.several = Vec::new();
        self.unused = Vec::new();
    }

    /// For how many there is room.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.by_tag.capacity() + self.several.capacity() + self.unused.capacity()
    }
}

/// The hash of a keyed hash: itself.
#[derive(Default)]
struct Unhashed(u64);

impl Hasher for Unhashed {
    fn finish(&self) -> u64 {
        self.0
    }

    /// Twice, since the table looks at both ends.
    fn write_u32(&mut self, hash: u32) {
        self.0 = u64::from(hash) << 32 | u64::from(hash);
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("it hashes as one number")
    }
}

#[cfg(test)]
#[path = "clients_tests.rs"]
mod tests;
