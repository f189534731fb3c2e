//! The state: who is in which swarm, and since when.
//!
//! What is asked of it and what it answers are values; every operation costs the same however many
//! peers are stored, save that the tables behind the indices now and then grow.

use super::audience::{Audience, Home, Place};
use super::bounds::{Bounds, LimitReached, Limits};
use super::clients::{Clients, MOST_RECORDS, Records, Tag};
use super::counts::{Counts, Totals};
use super::display_names::DisplayNames;
use super::group::{Kind, Slot};
use super::index::Index;
use super::peers::{Known, Peers, Standing, Tenths};
use super::selection::{Picker, Selection, Stock};
use super::swarm::Swarm;
use crate::announce::{EndedSwarm, Endpoint, InfoHash, Peer, PeerId};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Who announces. Without a key, where it was seen takes its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// What it calls itself.
    pub peer_id: PeerId,
    /// What nobody else knows.
    pub key: Option<u32>,
    /// Where it was seen.
    pub source: Endpoint,
}

/// A client as it announces itself.
#[derive(Clone, Copy)]
pub struct Announced<'a> {
    /// Who it is.
    pub who: Identity,
    /// Whether it has it all.
    pub is_complete: bool,
    /// Whether it has uploaded or downloaded anything.
    pub has_transferred: bool,
    /// Whether it says that it has just got the last piece.
    pub completed: bool,
    /// Where it was seen, if it may be found there, and where else it says that it is.
    pub addresses: &'a [Address],
}

/// One of a client's addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address {
    /// The address and port.
    pub endpoint: Endpoint,
    /// From where that leads somewhere.
    pub place: Place,
    /// Whether it says that it is there, and was not seen there.
    pub is_claimed: bool,
}

/// Where an asker was found, so that it is not looked for again. Holds until something is stored or
/// removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    pub(super) swarm: u32,
    /// One of its peers; `None` for one who asks without being a member.
    pub(super) slot: Option<Slot>,
    pub(super) kind: Kind,
}

/// An announce on its way into the tables.
struct News<'a> {
    client: &'a Announced<'a>,
    tag: Tag,
    standing: Standing,
    now: Tenths,
}

/// All swarms.
pub struct Swarms {
    /// Tenths of a second of silence that a peer survives.
    life: u32,
    pub(super) limits: Limits,
    pub(super) by_info_hash: HashMap<InfoHash, u32>,
    pub(super) swarms: Vec<Swarm>,
    /// Indices of `swarms` that are not in use.
    unused: Vec<u32>,
    pub(super) peers: Peers,
    pub(super) index: Index,
    pub(super) clients: Clients,
    picker: Picker,
    pub(super) display_names: DisplayNames,
    /// See [`Totals`].
    counted: [[u32; 2]; 2],
    swept: u64,
}

impl Swarms {
    /// No swarms. A peer is forgotten when it has been silent for longer than `life`; `seed`
    /// decides which peers are picked.
    pub fn new(life: Duration, bounds: Bounds, seed: u64) -> Swarms {
        Swarms {
            life: Tenths::new(life).since(Tenths::new(Duration::ZERO)),
            limits: Limits::new(bounds),
            by_info_hash: HashMap::new(),
            swarms: Vec::new(),
            unused: Vec::new(),
            peers: Peers::new(),
            index: Index::new(),
            clients: Clients::new(),
            picker: Picker::new(seed),
            display_names: DisplayNames::default(),
            counted: [[0; 2]; 2],
            swept: 0,
        }
    }

    /// What is stored, in numbers.
    pub fn totals(&self) -> Totals {
        Totals {
            torrents: self.by_info_hash.len(),
            clients: self.counted,
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

    /// Stores a client, or what is new of it. Returns where, and whether it is the first of its
    /// swarm; nothing, if it is not known and has no address that could be stored.
    ///
    /// A newcomer for whom there is no room changes nothing. It is refused, and nobody makes room
    /// for it: who fills the store would otherwise empty it of everybody else. If there is room for
    /// some of its addresses only, it has these, which is enough to be found.
    pub fn put(
        &mut self,
        info_hash: InfoHash,
        client: &Announced<'_>,
        now: Duration,
    ) -> Result<Option<(Entry, bool)>, LimitReached> {
        let now = Tenths::new(now);
        let first = client.addresses.first();
        let known = self.by_info_hash.get(&info_hash).copied();
        let at_first = known.and_then(|swarm| self.find(swarm, first?.endpoint));
        if first.is_some() && at_first.is_none() {
            let maker = client.who.source.ip;
            self.limits.check(self.peers.len(), known, maker)?;
        }
        let swarm = match known {
            Some(swarm) => swarm,
            None if first.is_none() => return Ok(None),
            None => self.begin(info_hash, now),
        };
        let tag = self.tag(swarm, &client.who);
        let is_own = |slot: &Slot| self.peers.get(*slot).tag == tag;
        let found = at_first.filter(is_own);
        let found = found.or_else(|| self.find_client(swarm, tag, client.who.peer_id));
        let (standing, has_finished) = self.progress(client, found, at_first);
        let mut stored = None;
        for (i, address) in client.addresses.iter().enumerate() {
            let there = match i {
                0 => at_first,
                _ => self.find(swarm, address.endpoint),
            };
            let news = News {
                client,
                tag,
                standing,
                now,
            };
            if let Some(slot) = self.put_address(swarm, there, address, &news) {
                stored.get_or_insert(slot);
            }
        }
        // There may be no room for another address of a client, which is known all the same.
        let entry = stored.or(found).map(|slot| Entry {
            swarm,
            slot: Some(slot),
            kind: standing.kind(),
        });
        if has_finished && entry.is_some() {
            let downloaded = &mut self.swarms[swarm as usize].downloaded;
            *downloaded = downloaded.saturating_add(1);
        }
        Ok(entry.map(|entry| (entry, known.is_none())))
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

    /// Forgets a client with all its addresses. Only who knows who it is can have it forgotten.
    /// Returns the swarm that this ended.
    pub fn remove(&mut self, info_hash: InfoHash, who: &Identity) -> Option<EndedSwarm> {
        let &swarm = self.by_info_hash.get(&info_hash)?;
        let tag = self.tag(swarm, who);
        let seen = self.find(swarm, who.source);
        let seen = seen.filter(|&slot| self.peers.get(slot).tag == tag);
        let found = seen.or_else(|| self.find_client(swarm, tag, who.peer_id))?;
        let mut ended = None;
        for &slot in self.records(found).slots() {
            ended = self.forget(slot);
        }
        ended.map(|info_hash| EndedSwarm {
            info_hash,
            said_goodbye: true,
        })
    }

    /// Where one who is not stored asks, if that swarm is known.
    pub fn outside(&self, info_hash: InfoHash, kind: Kind) -> Option<Entry> {
        let &swarm = self.by_info_hash.get(&info_hash)?;
        Some(Entry {
            swarm,
            slot: None,
            kind,
        })
    }

    /// How many of which kind; zeros for a swarm that is not known.
    pub fn counts(&self, info_hash: InfoHash) -> Counts {
        match self.by_info_hash.get(&info_hash) {
            Some(&swarm) => self.counts_of(swarm),
            None => Counts::default(),
        }
    }

    /// The same for the swarm of an entry.
    pub fn counts_at(&self, entry: Entry) -> Counts {
        self.counts_of(entry.swarm)
    }

    pub(super) fn counts_of(&self, swarm: u32) -> Counts {
        let swarm = &self.swarms[swarm as usize];
        let [leechers, seeders] = swarm.clients;
        Counts {
            seeders,
            leechers,
            downloaded: swarm.downloaded,
        }
    }

    /// Appends peers of a swarm to `picked`: uniformly at random among those whom the one at the
    /// entry may be shown, none twice, and none of its own. Returns whether one is shown under
    /// another address than its own.
    pub fn pick(
        &mut self,
        entry: Entry,
        selection: &Selection,
        now: Duration,
        picked: &mut Vec<Peer>,
    ) -> bool {
        let Entry { swarm, slot, kind } = entry;
        let records = slot.map(|slot| self.records(slot));
        let mut own = [None; MOST_RECORDS];
        let slots = records.as_ref().map_or(&[][..], Records::slots);
        for (own, &slot) in own.iter_mut().zip(slots) {
            let peer = self.peers.get(slot);
            *own = Some((peer.key(), peer.place));
        }
        let own = &own[..slots.len()];
        let stock = Stock {
            swarm: &self.swarms[swarm as usize],
            peers: &self.peers,
            life: self.life,
            now: Tenths::new(now),
        };
        self.picker.pick(&stock, kind, own, selection, picked)
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

    /// The peer at an endpoint.
    ///
    /// The fingerprint is taken for the endpoint, without a look at that: a look would be one
    /// more visit to memory that no cache holds. Among a million peers of one swarm, an announce
    /// is taken for another peer's once in 2^44 times; it costs one of the two its place.
    pub(super) fn find(&self, swarm: u32, endpoint: Endpoint) -> Option<Slot> {
        let slot = self.index.get(self.index.fingerprint(swarm, endpoint));
        slot.filter(|&slot| self.peers.get(slot).swarm == swarm)
    }

    fn tag(&self, swarm: u32, who: &Identity) -> Tag {
        self.clients.tag(swarm, who.peer_id, who.key, who.source)
    }

    /// One of a client's peers, wherever it is.
    fn find_client(&self, swarm: u32, tag: Tag, peer_id: PeerId) -> Option<Slot> {
        let slot = self.clients.records(tag)?.slots()[0];
        let is_its = self.peers.get(slot).swarm == swarm && self.peers.id(slot) == peer_id;
        is_its.then_some(slot)
    }

    /// All peers of the client that has this one.
    pub(super) fn records(&self, slot: Slot) -> Records {
        let peer = self.peers.get(slot);
        match peer.standing.has(Standing::ONE_OF_SEVERAL) {
            true => self.clients.records(peer.tag).expect("several are listed"),
            false => Records::one(slot),
        }
    }

    fn endpoint(&self, slot: Slot) -> Endpoint {
        let peer = self.peers.get(slot);
        self.swarms[peer.swarm as usize].endpoint(peer.key(), peer.place)
    }

    /// What a client that announces has achieved by now, and whether its download is to be counted.
    /// It was known before by the peer `found`, if by any; `at_first` is whoever is at its first
    /// address.
    fn progress(
        &mut self,
        client: &Announced<'_>,
        found: Option<Slot>,
        at_first: Option<Slot>,
    ) -> (Standing, bool) {
        // One that had no key before, or has none now, is the same all the same.
        let is_itself = |slot: &Slot| self.peers.id(*slot) == client.who.peer_id;
        let before = found.or_else(|| at_first.filter(is_itself));
        let before = before.map_or(Standing::default(), |slot| self.peers.get(slot).standing);
        let before = Standing::default().with(Standing::OF_CLIENT, before);
        let mut standing = before.with_answer(Standing::COMPLETE, client.is_complete);
        if client.has_transferred {
            standing = standing.with_answer(Standing::TRANSFERRED, true);
        }
        let says_so = client.completed && client.is_complete;
        let has_finished = says_so && !before.has(Standing::COUNTED);
        if has_finished {
            standing = standing.with_answer(Standing::COUNTED, true);
        }
        if let Some(slot) = found.filter(|_| standing != before) {
            let records = self.records(slot);
            self.count(&records, -1);
            for &slot in records.slots() {
                let peer = *self.peers.get(slot);
                let standing = peer.standing.with(Standing::OF_CLIENT, standing);
                self.regroup(slot, Known { standing, ..peer });
            }
            self.count(&records, 1);
        }
        (standing, has_finished)
    }

    /// Stores an address of a client, or that it is still there, with whoever is `there`. Returns
    /// where; nothing if it is another's or there is no room for it.
    fn put_address(
        &mut self,
        swarm: u32,
        there: Option<Slot>,
        address: &Address,
        news: &News<'_>,
    ) -> Option<Slot> {
        let (ip, home) = (address.endpoint.ip, address.home());
        let Some(slot) = there else {
            let maker = news.client.who.source.ip;
            // Nobody is in a swarm that has just begun, whatever a shared counter says: without
            // its first peer it would stay for ever.
            let is_new = self.swarms[swarm as usize].is_empty();
            let here = (!is_new).then_some(swarm);
            let room = self.limits.check(self.peers.len(), here, maker);
            let has_room = room.is_ok() && self.make_room_in_client(swarm, news);
            return has_room.then(|| self.add(swarm, address, news));
        };
        if self.peers.get(slot).tag != news.tag {
            let is_anothers = address.is_claimed && !self.is_dead(slot, news.now);
            if is_anothers || !self.make_room_in_client(swarm, news) {
                return None;
            }
            self.take_over(slot, news);
        }
        let peer = *self.peers.get(slot);
        let was_claimed = peer.standing.has(Standing::CLAIMED);
        if was_claimed && !address.is_claimed && self.limits.check(0, Some(swarm), ip).is_ok() {
            // It has been seen there, so it stands for itself.
            self.limits.free(swarm, slot, ip, true);
            self.limits.take(swarm, slot, ip, None);
            let standing = peer.standing.with_answer(Standing::CLAIMED, false);
            self.peers.get_mut(slot).standing = standing;
            if standing.has(Standing::ONE_OF_SEVERAL) {
                self.arrange(peer.tag);
            }
        }
        if peer.home != home {
            // A network has become one of this machine's bridges, or is none any more.
            self.move_home(slot, home);
        }
        self.peers.touch(slot, news.now);
        Some(slot)
    }

    /// Adds a newcomer, or a new address of one who is known.
    fn add(&mut self, swarm: u32, address: &Address, news: &News<'_>) -> Slot {
        let Address {
            endpoint,
            is_claimed,
            ..
        } = *address;
        let who = &news.client.who;
        let fingerprint = self.index.fingerprint(swarm, endpoint);
        if let Some(other) = self.index.get(fingerprint) {
            // A peer of another swarm has the same 64-bit fingerprint. That takes 2^32 peers to
            // expect, and cannot be brought about, the hash being keyed. The other makes room,
            // and is back with its next announce.
            self.forget(other);
        }
        let slot = self.peers.next_slot();
        let mut known = Known {
            swarm,
            place: 0,
            tag: news.tag,
            home: address.home(),
            standing: news.standing.with_answer(Standing::CLAIMED, is_claimed),
            audience: Audience::of_one(address.home()),
        };
        known.place = self.enter_group(slot, &known, endpoint);
        self.peers.add(who.peer_id, known, news.now);
        self.index.insert(fingerprint, slot);
        let claimed_by = is_claimed.then_some(who.source.ip);
        self.limits.take(swarm, slot, endpoint.ip, claimed_by);
        self.join(slot, who.peer_id);
        slot
    }

    /// A peer that belongs to no client yet joins the one that has its tag, or is a new one.
    fn join(&mut self, slot: Slot, peer_id: PeerId) {
        let Known { swarm, tag, .. } = *self.peers.get(slot);
        if self.find_client(swarm, tag, peer_id).is_some() {
            self.clients.add_other(tag, slot);
            self.arrange(tag);
        } else {
            self.clients.add_first(tag, slot);
            self.count(&Records::one(slot), 1);
        }
    }

    /// Lets a client that has as many addresses as it may have lose the one that was silent for
    /// longest, unless all of them were heard of just now. Returns whether there is room.
    fn make_room_in_client(&mut self, swarm: u32, news: &News<'_>) -> bool {
        let found = self.find_client(swarm, news.tag, news.client.who.peer_id);
        let Some(records) = found.map(|slot| self.records(slot)) else {
            return true;
        };
        if records.slots().len() < MOST_RECORDS {
            return true;
        }
        let silence = |&slot: &Slot| self.peers.silence(slot, news.now);
        let oldest = records.slots().iter().copied().max_by_key(silence);
        match oldest.filter(|slot| silence(slot) > 0) {
            Some(oldest) => {
                self.forget(oldest);
                true
            }
            None => false,
        }
    }

    /// A peer does not belong to its client any more. Returns what that has left.
    fn leave(&mut self, slot: Slot) -> Option<Records> {
        let tag = self.peers.get(slot).tag;
        let records = self.records(slot);
        let is_counted_by = records.slots().last() == Some(&slot);
        if is_counted_by {
            self.count(&records, -1);
        }
        self.clients.remove(tag, slot);
        if records.slots().len() == 1 {
            return None;
        }
        let left = self.clients.records(tag).expect("several were listed");
        if is_counted_by {
            self.count(&left, 1);
        }
        self.arrange(tag);
        Some(left)
    }

    /// Somebody else is at an endpoint now. Whoever it was is not there any more, and not where it
    /// said that it is besides.
    fn take_over(&mut self, slot: Slot, news: &News<'_>) {
        let others = self.leave(slot);
        for &other in others.iter().flat_map(Records::slots) {
            if self.peers.get(other).standing.has(Standing::CLAIMED) {
                self.forget(other);
            }
        }
        let peer = *self.peers.get(slot);
        let standing = news.standing.with(Standing::CLAIMED, peer.standing);
        let (tag, peer_id) = (news.tag, news.client.who.peer_id);
        self.peers.set_id(slot, peer_id);
        let audience = Audience::of_one(peer.home);
        self.regroup(
            slot,
            Known {
                tag,
                standing,
                audience,
                ..peer
            },
        );
        self.join(slot, peer_id);
    }

    /// Says for each of a client's peers who is shown it, and whether it is one of several.
    fn arrange(&mut self, tag: Tag) {
        let records = self.clients.records(tag).expect("it has some");
        let slots = records.slots();
        let mut homes = [(Home::new(Place::Loopback, false), false); MOST_RECORDS];
        for (home, &slot) in homes.iter_mut().zip(slots) {
            let peer = self.peers.get(slot);
            *home = (peer.home, peer.standing.has(Standing::CLAIMED));
        }
        let mut audiences = [Audience::default(); MOST_RECORDS];
        Audience::of_each(&homes[..slots.len()], &mut audiences);
        for (&slot, audience) in slots.iter().zip(audiences) {
            let peer = *self.peers.get(slot);
            let is_one_of_several = slots.len() > 1;
            let several = Standing::ONE_OF_SEVERAL;
            let standing = peer.standing.with_answer(several, is_one_of_several);
            self.regroup(
                slot,
                Known {
                    standing,
                    audience,
                    ..peer
                },
            );
        }
    }

    fn move_home(&mut self, slot: Slot, home: Home) {
        let peer = *self.peers.get(slot);
        let audience = Audience::of_one(home);
        self.regroup(
            slot,
            Known {
                home,
                audience,
                ..peer
            },
        );
        if peer.standing.has(Standing::ONE_OF_SEVERAL) {
            self.arrange(peer.tag);
        }
    }

    /// Notes what is known of a peer now, and puts it into the group where that belongs.
    fn regroup(&mut self, slot: Slot, known: Known) {
        let before = *self.peers.get(slot);
        *self.peers.get_mut(slot) = known;
        if before.key() != known.key() {
            let endpoint = self.swarms[before.swarm as usize].endpoint(before.key(), before.place);
            self.leave_group(&before);
            self.peers.get_mut(slot).place = self.enter_group(slot, &known, endpoint);
        }
    }

    /// Puts a peer into its group. Returns its place there.
    fn enter_group(&mut self, slot: Slot, known: &Known, endpoint: Endpoint) -> u32 {
        let swarm = &mut self.swarms[known.swarm as usize];
        let random = &mut self.picker.random;
        let (place, moved) = swarm.add(known.key(), endpoint, slot, random);
        if let Some((moved, place)) = moved {
            self.peers.get_mut(moved).place = place;
        }
        place
    }

    fn leave_group(&mut self, peer: &Known) {
        if let Some(moved) = self.swarms[peer.swarm as usize].remove(peer.key(), peer.place) {
            self.peers.get_mut(moved).place = peer.place;
        }
    }

    /// Counts a client, or takes that back: as of the family of the address that it has had for
    /// longest.
    fn count(&mut self, records: &Records, by: i32) {
        let oldest = records.slots().last().expect("a client has an address");
        let peer = self.peers.get(*oldest);
        let kind = usize::from(peer.standing.kind().is_complete());
        let of_kind = &mut self.counted[kind][usize::from(peer.home.is_ipv6())];
        *of_kind = of_kind.wrapping_add_signed(by);
        let in_swarm = &mut self.swarms[peer.swarm as usize].clients[kind];
        *in_swarm = in_swarm.wrapping_add_signed(by);
    }

    /// Removes a peer from everywhere. Returns its swarm if it was the last one there.
    fn forget(&mut self, slot: Slot) -> Option<InfoHash> {
        let endpoint = self.endpoint(slot);
        self.leave(slot);
        let peer = *self.peers.get(slot);
        let swarm = peer.swarm;
        self.index.remove(self.index.fingerprint(swarm, endpoint));
        let is_claimed = peer.standing.has(Standing::CLAIMED);
        self.limits.free(swarm, slot, endpoint.ip, is_claimed);
        self.leave_group(&peer);
        self.peers.remove(slot);
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
        self.clients.clear();
        self.display_names = DisplayNames::default();
        self.limits = Limits::new(self.limits.bounds);
    }
}

impl Address {
    fn home(&self) -> Home {
        Home::new(self.place, self.endpoint.ip.is_ipv6())
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
