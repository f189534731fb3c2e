//! Finds a peer's slot by who it is.
//!
//! The key is a keyed 64-bit hash of the swarm and the endpoint, not these themselves: they stand
//! elsewhere already, and half the memory of a large tracker would go for writing them twice. What
//! happens when two peers have the same is decided in `store.rs`.

use super::group::Slot;
use crate::announce::Endpoint;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};

pub struct Index {
    keys: RandomState,
    pub slots: HashMap<Fingerprint, Slot, BuildHasherDefault<Unhashed>>,
    /// Which bits of a fingerprint are used: all, but for the test of what happens when two
    /// peers have the same.
    pub mask: u64,
}

impl Index {
    pub fn new() -> Index {
        Index {
            keys: RandomState::new(),
            slots: HashMap::default(),
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
        self.slots.get(&fingerprint).copied()
    }

    pub fn insert(&mut self, fingerprint: Fingerprint, slot: Slot) {
        self.slots.insert(fingerprint, slot);
    }

    pub fn remove(&mut self, fingerprint: Fingerprint) {
        self.slots.remove(&fingerprint);
    }

    pub fn clear(&mut self) {
        self.slots = HashMap::default();
    }
}

/// Two halves of a `u64`, which with its alignment would make every entry 4 bytes larger.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u32; 2]);

impl Hash for Fingerprint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.0[0]) | u64::from(self.0[1]) << 32);
    }
}

/// The hash of a keyed hash: itself.
#[derive(Default)]
pub struct Unhashed(u64);

impl Hasher for Unhashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    /// Twice, since the table looks at both ends.
    fn write_u32(&mut self, hash: u32) {
        self.0 = u64::from(hash) << 32 | u64::from(hash);
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("it hashes as one number")
    }
}
