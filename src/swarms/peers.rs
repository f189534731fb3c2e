//! What is known of every peer of every swarm, in one array, threaded by a list in the order of
//! their last announce.
//!
//! All peers live equally long after an announce, so the head of that list is always the next to
//! die. Addresses do not live here but with the swarm, where the selection reads them.

use super::swarm::GroupKey;
use crate::announce::PeerId;
use std::time::Duration;

/// Index of a peer in [`Peers`].
pub type Slot = u32;

/// No slot: the end of the list.
const NONE: Slot = Slot::MAX;

/// Tenths of a second since the tracker began; 32 bits of them last for 13 years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Tenths(u32);

impl Tenths {
    pub fn new(since_the_start: Duration) -> Tenths {
        // Not by as_millis(), whose 128 bits take longer to divide than all else here.
        let tenths = since_the_start.as_secs() * 10;
        Tenths(tenths as u32 + since_the_start.subsec_millis() / 100)
    }

    /// Whole seconds since the tracker began.
    pub fn as_secs(self) -> u32 {
        self.0 / 10
    }

    /// Tenths of a second from `earlier` to `self`, 0 if it is the other way round.
    pub fn since(self, earlier: Tenths) -> u32 {
        self.0.saturating_sub(earlier.0)
    }
}

pub struct Peer {
    /// Index of its swarm.
    pub swarm: u32,
    /// Its group in the swarm.
    pub key: GroupKey,
    /// Its place in the group.
    pub place: u32,
    /// When it last announced.
    last: Tenths,
    older: Slot,
    newer: Slot,
}

pub struct Peers {
    all: Vec<Peer>,
    /// Apart from the rest, so that what every announce reads lies closer together.
    ids: Vec<PeerId>,
    /// First of the unused slots, threaded by `newer`.
    unused: Slot,
    oldest: Slot,
    newest: Slot,
    count: u32,
}

impl Peers {
    pub fn new() -> Peers {
        Peers {
            all: Vec::new(),
            ids: Vec::new(),
            unused: NONE,
            oldest: NONE,
            newest: NONE,
            count: 0,
        }
    }

    pub fn len(&self) -> u32 {
        self.count
    }

    pub fn get(&self, slot: Slot) -> &Peer {
        &self.all[slot as usize]
    }

    pub fn get_mut(&mut self, slot: Slot) -> &mut Peer {
        &mut self.all[slot as usize]
    }

    pub fn id(&self, slot: Slot) -> PeerId {
        self.ids[slot as usize]
    }

    pub fn set_id(&mut self, slot: Slot, id: PeerId) {
        self.ids[slot as usize] = id;
    }

    /// The slot that the next [`add`](Peers::add) will use.
    pub fn next_slot(&self) -> Slot {
        if self.unused == NONE {
            self.all.len() as Slot
        } else {
            self.unused
        }
    }

    /// Adds a peer that announces now.
    pub fn add(&mut self, peer_id: PeerId, swarm: u32, key: GroupKey, place: u32, now: Tenths) {
        let slot = self.next_slot();
        let peer = Peer {
            swarm,
            key,
            place,
            last: now,
            older: NONE,
            newer: NONE,
        };
        if self.unused == NONE {
            self.all.push(peer);
            self.ids.push(peer_id);
        } else {
            self.unused = self.all[slot as usize].newer;
            self.all[slot as usize] = peer;
            self.ids[slot as usize] = peer_id;
        }
        self.count += 1;
        self.append(slot, now);
    }

    /// Takes a peer out; its slot will be used again.
    pub fn remove(&mut self, slot: Slot) {
        self.unlink(slot);
        self.all[slot as usize].newer = self.unused;
        self.unused = slot;
        self.count -= 1;
    }

    /// Notes that a peer has announced now.
    pub fn touch(&mut self, slot: Slot, now: Tenths) {
        self.unlink(slot);
        self.append(slot, now);
    }

    /// The peer that was silent for longest.
    pub fn oldest(&self) -> Option<Slot> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// For how many tenths of a second a peer has been silent.
    pub fn silence(&self, slot: Slot, now: Tenths) -> u32 {
        now.since(self.get(slot).last)
    }

    fn append(&mut self, slot: Slot, now: Tenths) {
        // Threads read the clock before they wait for the lock, so a later caller may carry an
        // earlier time; the list stays in order all the same.
        let newest = self.newest;
        let last = match newest {
            NONE => now,
            _ => now.max(self.get(newest).last),
        };
        let peer = &mut self.all[slot as usize];
        (peer.last, peer.older, peer.newer) = (last, newest, NONE);
        match newest {
            NONE => self.oldest = slot,
            _ => self.get_mut(newest).newer = slot,
        }
        self.newest = slot;
    }

    fn unlink(&mut self, slot: Slot) {
        let Peer { older, newer, .. } = *self.get(slot);
        match older {
            NONE => self.oldest = newer,
            _ => self.get_mut(older).newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            _ => self.get_mut(newer).older = older,
        }
    }
}
