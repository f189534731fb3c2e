//! What is known of every peer of every swarm, in one array, threaded by a list in the order of
//! their last announce.
//!
//! All peers live equally long after an announce, so the head of that list is always the next to
//! die. Addresses do not live here but with the swarm, where the selection reads them.

use super::audience::{Audience, Home};
use super::clients::Tag;
use super::group::{GroupKey, Kind, Slot};
use crate::announce::PeerId;
use std::time::Duration;

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

/// What is known of a peer: of one address of a client in one swarm.
#[derive(Clone, Copy)]
pub struct Known {
    /// Index of its swarm.
    pub swarm: u32,
    /// Its place in its group.
    pub place: u32,
    /// Whose it is.
    pub tag: Tag,
    /// Where it is.
    pub home: Home,
    /// What it has said of itself, and how it came here.
    pub standing: Standing,
    /// Who is shown it.
    pub audience: Audience,
}

impl Known {
    /// Its group in the swarm.
    pub fn key(&self) -> GroupKey {
        GroupKey {
            kind: self.standing.kind(),
            home: self.home,
            audience: self.audience,
        }
    }
}

/// Yes or no to five questions, in one byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Standing(u8);

impl Standing {
    /// Its client has nothing left.
    pub const COMPLETE: Standing = Standing(1);
    /// Its client has uploaded or downloaded something at some time.
    pub const TRANSFERRED: Standing = Standing(2);
    /// Its client's download has been counted.
    pub const COUNTED: Standing = Standing(4);
    /// What is the same for all peers of a client.
    pub const OF_CLIENT: Standing = Standing(1 | 2 | 4);
    /// Nobody was seen there; somebody says so.
    pub const CLAIMED: Standing = Standing(8);
    /// Its client has other addresses too.
    pub const ONE_OF_SEVERAL: Standing = Standing(16);

    pub fn has(self, question: Standing) -> bool {
        self.0 & question.0 != 0
    }

    /// The same, with some of the answers being those of `other`.
    pub fn with(self, questions: Standing, other: Standing) -> Standing {
        Standing(self.0 & !questions.0 | other.0 & questions.0)
    }

    /// The same, with one answer being this.
    pub fn with_answer(self, question: Standing, answer: bool) -> Standing {
        let no = Standing::default();
        self.with(question, if answer { question } else { no })
    }

    pub fn kind(self) -> Kind {
        Kind::of(self.has(Self::COMPLETE), self.has(Self::TRANSFERRED))
    }
}

/// The same with its place in the list.
struct Peer {
    known: Known,
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

    /// For how many there is room.
    #[cfg(test)]
    pub fn capacity(&self) -> usize {
        self.all.capacity().max(self.ids.capacity())
    }

    pub fn get(&self, slot: Slot) -> &Known {
        &self.all[slot as usize].known
    }

    pub fn get_mut(&mut self, slot: Slot) -> &mut Known {
        &mut self.all[slot as usize].known
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
    pub fn add(&mut self, peer_id: PeerId, known: Known, now: Tenths) {
        let slot = self.next_slot();
        let peer = Peer {
            known,
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
        now.since(self.all[slot as usize].last)
    }

    fn append(&mut self, slot: Slot, now: Tenths) {
        // Threads read the clock before they wait for the lock, so a later caller may carry an
        // earlier time; the list stays in order all the same.
        let newest = self.newest;
        let last = match newest {
            NONE => now,
            _ => now.max(self.all[newest as usize].last),
        };
        let peer = &mut self.all[slot as usize];
        (peer.last, peer.older, peer.newer) = (last, newest, NONE);
        match newest {
            NONE => self.oldest = slot,
            _ => self.all[newest as usize].newer = slot,
        }
        self.newest = slot;
    }

    fn unlink(&mut self, slot: Slot) {
        let Peer { older, newer, .. } = self.all[slot as usize];
        match older {
            NONE => self.oldest = newer,
            _ => self.all[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            _ => self.all[newer as usize].older = older,
        }
    }
}

#[cfg(test)]
#[path = "peers_tests.rs"]
mod tests;
