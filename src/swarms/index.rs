//! Finds a peer's slot by who it is.
//!
//! The key is a keyed 64-bit hash of the swarm and the endpoint, not these themselves: they stand
//! elsewhere already, and half the memory of a large tracker would go for writing them twice. What
//! happens when two peers have the same is decided in `store.rs`.
//!
//! It is a table of its own, since every announce looks here, where with a million peers no cache
//! helps: an entry and what says that it is the one wanted stand side by side, so that there is one
//! visit to memory where std's `HashMap` pays two.

use super::group::Slot;
use crate::announce::Endpoint;
use std::hash::{BuildHasher, Hasher, RandomState};

pub struct Index {
    keys: RandomState,
    /// In the order of their fingerprints, save that those who would stand at the same place stand
    /// in places that follow, and after the last place comes the first.
    entries: Vec<Entry>,
    count: usize,
    /// Which bits of a fingerprint are used: all, but for the test of what happens when two
    /// peers have the same.
    pub mask: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    fingerprint: Fingerprint,
    slot: Slot,
}

/// Two halves of a `u64`, which with its alignment would make every entry 4 bytes larger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint([u32; 2]);

/// A place that is not taken.
const FREE: Entry = Entry {
    fingerprint: Fingerprint([0; 2]),
    slot: Slot::MAX,
};

impl Index {
    pub fn new() -> Index {
        Index {
            keys: RandomState::new(),
            entries: Vec::new(),
            count: 0,
            mask: u64::MAX,
        }
    }

    pub fn fingerprint(&self, swarm: u32, endpoint: Endpoint) -> Fingerprint {
        let mut hasher = self.keys.build_hasher();
        hasher.write_u32(swarm);
        hasher.write(&crate::address::to_bytes(endpoint.ip));
        hasher.write_u16(endpoint.port);
        let hash = hasher.finish() & self.mask;
        Fingerprint([hash as u32, (hash >> 32) as u32])
    }

    pub fn get(&self, fingerprint: Fingerprint) -> Option<Slot> {
        if self.entries.is_empty() {
            return None;
        }
        let entry = &self.entries[self.place(fingerprint)];
        (entry.slot != FREE.slot).then_some(entry.slot)
    }

    /// Adds one that is not there; another with its fingerprint is replaced.
    pub fn insert(&mut self, fingerprint: Fingerprint, slot: Slot) {
        // With a quarter free, one that is not there is found missing after nine looks, about.
        if (self.count + 1) * 4 > self.entries.len() * 3 {
            self.grow();
        }
        let place = self.place(fingerprint);
        self.count += usize::from(self.entries[place].slot == FREE.slot);
        self.entries[place] = Entry { fingerprint, slot };
    }

    pub fn remove(&mut self, fingerprint: Fingerprint) {
        if self.entries.is_empty() {
            return;
        }
        let mut hole = self.place(fingerprint);
        if self.entries[hole].slot == FREE.slot {
            return;
        }
        self.count -= 1;
        // Those that follow would not be found behind a free place, unless it is theirs to begin at.
        let mut place = hole;
        loop {
            place = self.next(place);
            let entry = self.entries[place];
            if entry.slot == FREE.slot {
                break;
            }
            let home = self.home(entry.fingerprint);
            if self.distance(home, place) >= self.distance(hole, place) {
                self.entries[hole] = entry;
                hole = place;
            }
        }
        self.entries[hole] = FREE;
    }

    pub fn clear(&mut self) {
        self.entries = Vec::new();
        self.count = 0;
    }

    /// How many there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.count
    }

    /// For how many there are places.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    /// Where it stands, or would.
    fn place(&self, fingerprint: Fingerprint) -> usize {
        let mut place = self.home(fingerprint);
        loop {
            let entry = &self.entries[place];
            if entry.fingerprint == fingerprint || entry.slot == FREE.slot {
                return place;
            }
            place = self.next(place);
        }
    }

    /// Where it stands if nobody else does.
    fn home(&self, Fingerprint([low, high]): Fingerprint) -> usize {
        let hash = u64::from(high) << 32 | u64::from(low);
        ((u128::from(hash) * self.entries.len() as u128) >> 64) as usize
    }

    fn next(&self, place: usize) -> usize {
        if place + 1 < self.entries.len() {
            place + 1
        } else {
            0
        }
    }

    /// From a place on to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        if from <= to {
            to - from
        } else {
            to + self.entries.len() - from
        }
    }

    /// Half as much again instead of twice as much, since unused places are memory too. Both tables
    /// are gone through from the first place to the last.
    fn grow(&mut self) {
        let length = (self.entries.len() / 2 * 3).max(16);
        let before = std::mem::replace(&mut self.entries, vec![FREE; length]);
        for entry in before.into_iter().filter(|entry| entry.slot != FREE.slot) {
            let place = self.place(entry.fingerprint);
            self.entries[place] = entry;
        }
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
