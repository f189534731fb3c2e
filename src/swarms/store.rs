//! The state: who is in which swarm, and since when.
//!
//! What is asked of it and what it answers are values; every operation costs the same however many
//! peers are stored, save that the table behind the index now and then doubles.

use super::display_names::DisplayNames;
use super::index::Index;
use super::overview::Totals;
use super::peers::{Peers, Slot, Tenths};
use super::per_address::PerAddress;
use super::random::{self, Random};
use super::swarm::{GroupKey, MOST_GROUPS, Swarm};
use crate::address::{AddressBlock, Scope};
use crate::announce::{EndedSwarm, Endpoint, InfoHash, Peer, PeerId};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// How many peers of a swarm are of which kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Peers that have it all.
    pub seeders: u32,
    /// Peers that do not.
    pub leechers: u32,
    /// Leechers that became seeders since the swarm began.
    pub downloaded: u32,
}

/// What the state takes at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Peers in all, and so swarms too: each has one.
    pub peers: u32,
    /// Peers of one address block in all.
    pub per_block: u32,
    /// Peers of one address block in one swarm.
    pub per_block_in_swarm: u32,
}

impl Default for Bounds {
    /// A million peers fit into a Raspberry Pi with 1 GB. Those behind one address are bounded too,
    /// or a single machine could fill all; but thousands of honest clients behind one router must
    /// not notice, nor must a seed box with some thousand torrents.
    fn default() -> Self {
        Bounds {
            peers: 1_000_000,
            per_block: 20_000,
            per_block_in_swarm: 200,
        }
    }
}

/// Which bound a newcomer met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitReached {
    /// There are as many peers as there may be.
    Store,
    /// The newcomer's address block has as many as it may have.
    AddressBlock,
    /// It has as many as it may have in this swarm.
    AddressBlockInSwarm,
}

/// A peer as it announces itself.
#[derive(Clone, Copy)]
pub struct Announced {
    /// Who it is.
    pub endpoint: Endpoint,
    /// What it calls itself.
    pub peer_id: PeerId,
    /// Whether it has it all.
    pub is_seeder: bool,
    /// Whether it says that it has just got the last piece.
    pub completed: bool,
}

/// Whom an asker may be shown, and how many.
#[derive(Clone, Copy)]
pub struct Selection {
    /// The asker's address family.
    pub is_ipv6: bool,
    /// Seeders want leechers only.
    pub only_leechers: bool,
    /// Peers on the tracker's own machine may be shown.
    pub loopback: bool,
    /// Those will be shown under an IPv6 address, or an IPv4 one, whatever theirs is; `None`: under
    /// their own.
    pub loopback_as_ipv6: Option<bool>,
    /// Peers in private networks may be shown.
    pub lan: bool,
    /// Peers of the other address family may fill up the answer.
    pub both_families: bool,
    /// The most peers.
    pub most: usize,
    /// Whether the peer ids are wanted too.
    pub with_peer_ids: bool,
}

/// Where an asker was found, so that it is not looked for again. Holds until something is stored or
/// removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    swarm: u32,
    /// `None` for one who asks without being a member.
    slot: Option<Slot>,
}

/// All swarms.
pub struct Swarms {
    /// Tenths of a second of silence that a peer survives.
    life: u32,
    bounds: Bounds,
    per_address: PerAddress,
    by_info_hash: HashMap<InfoHash, u32>,
    pub(super) swarms: Vec<Swarm>,
    /// Indices of `swarms` that are not in use.
    unused: Vec<u32>,
    peers: Peers,
    index: Index,
    random: Random,
    drawn: Vec<u32>,
    pub(super) display_names: DisplayNames,
    /// See [`Totals`].
    kinds: [[u32; 2]; 2],
    swept: u64,
}

impl Swarms {
    /// No swarms. A peer is forgotten when it has been silent for longer than `life`; `seed`
    /// decides which peers are picked.
    pub fn new(life: Duration, bounds: Bounds, seed: u64) -> Swarms {
        Swarms {
            life: Tenths::new(life).since(Tenths::new(Duration::ZERO)),
            bounds,
            per_address: PerAddress::new(),
            by_info_hash: HashMap::new(),
            swarms: Vec::new(),
            unused: Vec::new(),
            peers: Peers::new(),
            index: Index::new(),
            random: Random::new(seed),
            drawn: Vec::new(),
            display_names: DisplayNames::default(),
            kinds: [[0; 2]; 2],
            swept: 0,
        }
    }

    /// What is stored, in numbers.
    pub fn totals(&self) -> Totals {
        Totals {
            torrents: self.by_info_hash.len(),
            peers: self.kinds,
            swept: self.swept,
        }
    }

    /// Forgets up to `most` of the peers that have been silent for too long, the longest silent
    /// first, and the swarms that this empties.
    pub fn sweep(&mut self, now: Duration, most: usize, ended: &mut Vec<EndedSwarm>) {
        let now = Tenths::new(now);
        for _ in 0..most {
            match self.peers.oldest() {
                Some(slot) if self.is_dead(slot, now) => {
                    self.swept += 1;
                    if let Some(info_hash) = self.forget(slot) {
                        ended.push(EndedSwarm {
                            info_hash,
                            said_goodbye: false,
                        });
                    }
                }
                _ => return,
            }
        }
    }

    /// Stores a peer, or what is new of it. Returns where, and whether it is the first of its
    /// swarm.
    ///
    /// A newcomer for whom there is no room changes nothing. It is refused, and nobody makes room
    /// for it: who fills the store would otherwise empty it of everybody else.
    pub fn put(
        &mut self,
        info_hash: InfoHash,
        peer: &Announced,
        now: Duration,
    ) -> Result<(Entry, bool), LimitReached> {
        self.put_at(info_hash, peer, Tenths::new(now))
    }

    fn put_at(
        &mut self,
        info_hash: InfoHash,
        peer: &Announced,
        now: Tenths,
    ) -> Result<(Entry, bool), LimitReached> {
        let key = GroupKey::of(peer.endpoint.ip, peer.is_seeder);
        let entry = self.entry(info_hash, peer.endpoint);
        if let Some((entry, slot)) = entry.and_then(|entry| Some((entry, entry.slot?))) {
            self.update(slot, key, peer, now);
            return Ok((entry, false));
        }
        let known = entry.map(|entry| entry.swarm);
        let block = AddressBlock::of(peer.endpoint.ip);
        self.check_room(known, block)?;
        let swarm = known.unwrap_or_else(|| self.begin(info_hash, now));
        let fingerprint = self.index.fingerprint(swarm, peer.endpoint);
        if let Some(other) = self.index.get(fingerprint) {
            // A peer of another swarm has the same 64-bit fingerprint. That takes 2^32 peers to
            // expect, and cannot be brought about, the hash being keyed. The other makes room,
            // and is back with its next announce. Its swarm may have ended, so begin anew.
            self.forget(other);
            let (entry, is_first) = self.put_at(info_hash, peer, now)?;
            return Ok((entry, is_first || known.is_none()));
        }
        let slot = self.peers.next_slot();
        let place = self.swarms[swarm as usize].add(key, peer.endpoint, slot);
        self.peers.add(peer.peer_id, swarm, key, place, now);
        *self.kind(key) += 1;
        self.index.insert(fingerprint, slot);
        if let Some(block) = block {
            self.per_address.add(swarm, block);
        }
        let slot = Some(slot);
        Ok((Entry { swarm, slot }, known.is_none()))
    }

    /// Whether one more peer of `address block` may come, into a swarm that is known or a new one.
    fn check_room(
        &self,
        swarm: Option<u32>,
        block: Option<AddressBlock>,
    ) -> Result<(), LimitReached> {
        if self.peers.len() >= self.bounds.peers {
            return Err(LimitReached::Store);
        }
        let Some(block) = block else {
            return Ok(());
        };
        if self.per_address.in_all(block) >= self.bounds.per_block {
            return Err(LimitReached::AddressBlock);
        }
        let in_swarm = swarm.map_or(0, |swarm| self.per_address.in_swarm(swarm, block));
        if in_swarm >= self.bounds.per_block_in_swarm {
            return Err(LimitReached::AddressBlockInSwarm);
        }
        Ok(())
    }

    /// Whether a swarm would take a name from this address.
    pub fn wants_name(&self, info_hash: InfoHash, from: IpAddr) -> bool {
        let swarm = self.by_info_hash.get(&info_hash);
        swarm.is_some_and(|&swarm| self.display_names.has_room(swarm, from))
    }

    /// Gives a swarm a name, if it wants one.
    pub fn name(&mut self, info_hash: InfoHash, name: &str, from: IpAddr) {
        if let Some(&swarm) = self.by_info_hash.get(&info_hash) {
            self.display_names.add(swarm, name, from);
        }
    }

    /// Forgets a peer, if `peer_id` is `None` or its peer id. Returns the swarm that this ended.
    pub fn remove(
        &mut self,
        info_hash: InfoHash,
        endpoint: Endpoint,
        peer_id: Option<PeerId>,
    ) -> Option<EndedSwarm> {
        let slot = self.entry(info_hash, endpoint)?.slot?;
        if peer_id.is_some_and(|id| id != self.peers.id(slot)) {
            return None;
        }
        self.forget(slot).map(|info_hash| EndedSwarm {
            info_hash,
            said_goodbye: true,
        })
    }

    /// How many of which kind; zeros for a swarm that is not known.
    pub fn counts(&self, info_hash: InfoHash) -> Counts {
        match self.by_info_hash.get(&info_hash) {
            Some(&swarm) => self.counts_of(swarm),
            None => Counts::default(),
        }
    }

    /// The same for the swarm of a entry.
    pub fn counts_at(&self, entry: Entry) -> Counts {
        self.counts_of(entry.swarm)
    }

    pub(super) fn counts_of(&self, swarm: u32) -> Counts {
        let swarm = &self.swarms[swarm as usize];
        Counts {
            seeders: swarm.count(true),
            leechers: swarm.count(false),
            downloaded: swarm.downloaded,
        }
    }

    /// Where the swarm is, if it is known, and the peer at `endpoint`, if that is.
    ///
    /// The fingerprint is taken for the endpoint, without a look at that: a look would be one
    /// more visit to memory that no cache holds. Among a million peers of one swarm, an announce
    /// is taken for another peer's once in 2^44 times; it costs one of the two its place.
    pub fn entry(&self, info_hash: InfoHash, endpoint: Endpoint) -> Option<Entry> {
        let &swarm = self.by_info_hash.get(&info_hash)?;
        let slot = self.index.get(self.index.fingerprint(swarm, endpoint));
        let slot = slot.filter(|&slot| self.peers.get(slot).swarm == swarm);
        Some(Entry { swarm, slot })
    }

    /// Appends peers of a swarm to `picked`: uniformly at random among those whom `selection`
    /// allows, none twice, never the one at the entry, those of the asker's address family before
    /// the others.
    pub fn pick(
        &mut self,
        entry: Entry,
        selection: &Selection,
        now: Duration,
        picked: &mut Vec<Peer>,
    ) {
        let Entry { swarm, slot } = entry;
        let own_place = slot.map(|slot| {
            let peer = self.peers.get(slot);
            (peer.key, peer.place)
        });
        let now = Tenths::new(now);
        for own_family in [true, false] {
            if !own_family && !selection.both_families {
                continue;
            }
            let missing = selection.most.saturating_sub(picked.len());
            if missing > 0 {
                self.pick_family(
                    swarm, selection, own_family, own_place, missing, now, picked,
                );
            }
        }
    }

    /// One of the two rounds of [`pick`](Swarms::pick).
    #[allow(clippy::too_many_arguments)] // it is a part of `pick` with a name
    fn pick_family(
        &mut self,
        swarm: u32,
        selection: &Selection,
        own_family: bool,
        own_place: Option<(GroupKey, u32)>,
        most: usize,
        now: Tenths,
        picked: &mut Vec<Peer>,
    ) {
        let swarm = &self.swarms[swarm as usize];
        let peers = &self.peers;
        // The candidates are the members of these groups, numbered through.
        let mut groups = [None; MOST_GROUPS];
        let mut total = 0;
        let mut asker = None;
        for group in swarm.groups() {
            if !selection.allows(group.key, own_family) {
                continue;
            }
            if let Some((_, place)) = own_place.filter(|(key, _)| *key == group.key) {
                asker = Some(total + place);
            }
            let free = groups.iter_mut().find(|g| g.is_none());
            *free.expect("keys are distinct") = Some(group);
            total += group.members.len() as u32;
        }
        let find = |mut number: usize| {
            for group in groups.iter().flatten() {
                match group.members.len() {
                    length if number < length => return (&group.members, number),
                    length => number -= length,
                }
            }
            unreachable!("numbers are below the total")
        };
        // Only while a sweep is behind can a dead peer be drawn; then it takes more tries.
        let life = self.life;
        let is_behind = peers
            .oldest()
            .is_some_and(|slot| peers.silence(slot, now) > life);
        let tries = if is_behind { 4 * most } else { most };
        // One more, should the asker be among them; leaving it out then leaves the others as
        // random as they were. So nothing here waits for where the asker was found to be.
        random::draw(&mut self.random, total, tries + 1, &mut self.drawn);
        // With a million peers every member is in memory that no cache holds. A loop that does
        // nothing but touch them has the processor fetch several at once, which spares the one
        // below up to a microsecond.
        let prefetched = self.drawn.iter().fold(0, |sum, &n| {
            let (members, place) = find(n as usize);
            sum ^ members.prefetch(place)
        });
        std::hint::black_box(prefetched);
        let end = picked.len() + most;
        for &n in &self.drawn {
            if picked.len() == end {
                break;
            }
            let (members, place) = find(n as usize);
            if Some(n) == asker || is_behind && peers.silence(members.slot(place), now) > life {
                continue;
            }
            let peer_id = match selection.with_peer_ids {
                true => peers.id(members.slot(place)),
                false => PeerId::default(),
            };
            picked.push(Peer {
                endpoint: members.endpoint(place),
                peer_id,
            });
        }
    }

    fn is_dead(&self, slot: Slot, now: Tenths) -> bool {
        self.peers.silence(slot, now) > self.life
    }

    fn begin(&mut self, info_hash: InfoHash, now: Tenths) -> u32 {
        let began = now.as_secs();
        let swarm = match self.unused.pop() {
            Some(index) => {
                self.swarms[index as usize] = Swarm::new(info_hash, began);
                index
            }
            None => {
                self.swarms.push(Swarm::new(info_hash, began));
                self.swarms.len() as u32 - 1
            }
        };
        self.by_info_hash.insert(info_hash, swarm);
        swarm
    }

    fn endpoint(&self, slot: Slot) -> Endpoint {
        let peer = self.peers.get(slot);
        self.swarms[peer.swarm as usize].endpoint(peer.key, peer.place)
    }

    /// A known peer has announced again.
    fn update(&mut self, slot: Slot, key: GroupKey, announced: &Announced, now: Tenths) {
        let peer = self.peers.get(slot);
        let (old_key, old_place, swarm) = (peer.key, peer.place, peer.swarm as usize);
        self.peers.set_id(slot, announced.peer_id);
        if key != old_key {
            // It has become a seeder, or a leecher again.
            self.leave_group(swarm, old_key, old_place);
            *self.kind(old_key) -= 1;
            *self.kind(key) += 1;
            let place = self.swarms[swarm].add(key, announced.endpoint, slot);
            let peer = self.peers.get_mut(slot);
            (peer.key, peer.place) = (key, place);
            if key.is_seeder && announced.completed {
                self.swarms[swarm].downloaded = self.swarms[swarm].downloaded.saturating_add(1);
            }
        }
        self.peers.touch(slot, now);
    }

    /// The count of the peers of a kind.
    fn kind(&mut self, key: GroupKey) -> &mut u32 {
        &mut self.kinds[usize::from(key.is_seeder)][usize::from(key.is_ipv6)]
    }

    fn leave_group(&mut self, swarm: usize, key: GroupKey, place: u32) {
        if let Some(moved) = self.swarms[swarm].remove(key, place) {
            self.peers.get_mut(moved).place = place;
        }
    }

    /// Removes a peer from everywhere. Returns its swarm if it was the last one there.
    fn forget(&mut self, slot: Slot) -> Option<InfoHash> {
        let peer = self.peers.get(slot);
        let (key, place, swarm) = (peer.key, peer.place, peer.swarm);
        let endpoint = self.endpoint(slot);
        self.index.remove(self.index.fingerprint(swarm, endpoint));
        if let Some(block) = AddressBlock::of(endpoint.ip) {
            self.per_address.remove(swarm, block);
        }
        self.leave_group(swarm as usize, key, place);
        self.peers.remove(slot);
        *self.kind(key) -= 1;
        if !self.swarms[swarm as usize].is_empty() {
            return None;
        }
        let info_hash = self.swarms[swarm as usize].info_hash;
        self.by_info_hash.remove(&info_hash);
        self.unused.push(swarm);
        self.display_names.remove(swarm);
        if self.by_info_hash.is_empty() {
            self.give_back_memory();
        }
        Some(info_hash)
    }

    /// The night after the great day: nobody is left, so the tables can be small again.
    fn give_back_memory(&mut self) {
        self.by_info_hash = HashMap::new();
        self.swarms = Vec::new();
        self.unused = Vec::new();
        self.peers = Peers::new();
        self.index.clear();
        self.per_address = PerAddress::new();
        self.display_names = DisplayNames::default();
    }
}

impl Selection {
    /// Whether members with this key belong to a round of the selection.
    fn allows(&self, key: GroupKey, own_family: bool) -> bool {
        let is_visible = match key.scope {
            Scope::Loopback => self.loopback,
            Scope::Lan => self.lan,
            Scope::Global => true,
        };
        let as_ipv6 = self.loopback_as_ipv6;
        let as_ipv6 = as_ipv6.filter(|_| key.scope == Scope::Loopback);
        let is_own_family = as_ipv6.unwrap_or(key.is_ipv6) == self.is_ipv6;
        is_visible && is_own_family == own_family && !(self.only_leechers && key.is_seeder)
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
