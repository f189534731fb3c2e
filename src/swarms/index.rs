//! Finds a peer's slot by who it is.
//!
//! The key is a keyed 64-bit hash of the swarm and the endpoint, not these themselves: they stand
//! elsewhere already, and half the memory of a large tracker would go for writing them twice. What
//! happens when two peers have the same is decided in `store.rs`.
//!
//! It is a hash table of our own (linear probing, removal by backward shift), since every announce
//! looks here, where with a million peers no cache helps: a slot and the fingerprint that says that
//! it is the one wanted stand side by side, so that there is one visit to memory where std's
//! `HashMap` pays two.

use super::group::Slot;
use crate::announce::Endpoint;
use std::hash::{BuildHasher, Hasher, RandomState};

pub struct Index {
    keys: RandomState,
    /// An entry stands in its home bucket or in one that follows it, with no free one in between;
    /// after the last bucket comes the first.
    buckets: Vec<Bucket>,
    count: usize,
    /// Which bits of a fingerprint are used: all, but for the test of what happens when two
    /// peers have the same.
    pub mask: u64,
}

#[derive(Clone, Copy)]
struct Bucket {
    fingerprint: Fingerprint,
    slot: Slot,
}

/// Two halves of a `u64`, which with its alignment would make every entry 4 bytes larger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint([u32; 2]);

/// A bucket without an entry.
const FREE: Bucket = Bucket {
    fingerprint: Fingerprint([0; 2]),
    slot: Slot::MAX,
};

impl Index {
    pub fn new() -> Index {
        Index {
            keys: RandomState::new(),
            buckets: Vec::new(),
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
        if self.buckets.is_empty() {
            return None;
        }
        let entry = &self.buckets[self.place(fingerprint)];
        (entry.slot != FREE.slot).then_some(entry.slot)
    }

    /// Adds one that is not there; another with its fingerprint is replaced.
    pub fn insert(&mut self, fingerprint: Fingerprint, slot: Slot) {
        // With a quarter free, one that is not there is found missing after nine probes, about.
        if (self.count + 1) * 4 > self.buckets.len() * 3 {
            self.grow();
        }
        let place = self.place(fingerprint);
        self.count += usize::from(self.buckets[place].slot == FREE.slot);
        self.buckets[place] = Bucket { fingerprint, slot };
    }

    pub fn remove(&mut self, fingerprint: Fingerprint) {
        if self.buckets.is_empty() {
            return;
        }
        let mut hole = self.place(fingerprint);
        if self.buckets[hole].slot == FREE.slot {
            return;
        }
        self.count -= 1;
        // Those that follow would not be found behind a free bucket, unless that is before their home.
        let mut place = hole;
        loop {
            place = self.next(place);
            let entry = self.buckets[place];
            if entry.slot == FREE.slot {
                break;
            }
            let home = self.home(entry.fingerprint);
            if self.distance(home, place) >= self.distance(hole, place) {
                self.buckets[hole] = entry;
                hole = place;
            }
        }
        self.buckets[hole] = FREE;
    }

    pub fn clear(&mut self) {
        self.buckets = Vec::new();
        self.count = 0;
    }

    /// How many there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.count
    }

    /// How many buckets there are.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.buckets.capacity()
    }

    /// The bucket where it stands, or would.
    fn place(&self, fingerprint: Fingerprint) -> usize {
        let mut place = self.home(fingerprint);
        loop {
            let entry = &self.buckets[place];
            if entry.fingerprint == fingerprint || entry.slot == FREE.slot {
                return place;
            }
            place = self.next(place);
        }
    }

    /// The bucket where it stands if no other is in the way.
    fn home(&self, Fingerprint([low, high]): Fingerprint) -> usize {
        let hash = u64::from(high) << 32 | u64::from(low);
        ((u128::from(hash) * self.buckets.len() as u128) >> 64) as usize
    }

    fn next(&self, place: usize) -> usize {
        if place + 1 < self.buckets.len() {
            place + 1
        } else {
            0
        }
    }

    /// How many buckets it is from one on to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        if from <= to {
            to - from
        } else {
            to + self.buckets.len() - from
        }
    }

    /// Half as much again instead of twice as much, since unused buckets are memory too. As homes are
    /// in the order of the fingerprints, both tables are gone through from one end to the other.
    fn grow(&mut self) {
        let length = (self.buckets.len() / 2 * 3).max(16);
        let before = std::mem::replace(&mut self.buckets, vec![FREE; length]);
        for entry in before.into_iter().filter(|entry| entry.slot != FREE.slot) {
            let place = self.place(entry.fingerprint);
            self.buckets[place] = entry;
        }
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
