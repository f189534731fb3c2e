//! Picking peers for an asker: uniformly at random among those whom it may be shown, in time that
//! does not grow with the swarm.
//!
//! Who may be shown whom is in `group.rs` (by kind) and in `audience.rs` (by address).

use super::audience::View;
use super::group::{GroupKey, Kind};
use super::members::Members;
use super::peers::{Peers, Tenths};
use super::random::{self, Random};
use super::swarm::Swarm;
use crate::announce::{Peer, PeerId};

/// Whom an asker may be shown, and how many.
#[derive(Clone, Copy)]
pub struct Selection {
    /// From where it asks.
    pub view: View,
    /// The asker's address family.
    pub is_ipv6: bool,
    /// Peers of the other address family may fill up the answer.
    pub both_families: bool,
    /// The most peers.
    pub most: usize,
    /// Whether the peer ids are wanted too.
    pub with_peer_ids: bool,
}

/// What picking needs besides the peers, kept from one time to the next.
pub struct Picker {
    random: Random,
    drawn: Vec<u32>,
    chosen: Vec<Chosen>,
}

/// A group whose members may be picked.
#[derive(Clone, Copy)]
struct Chosen {
    /// Index of the group in the swarm.
    group: u32,
    /// The number of the first of its members: those of all chosen groups are numbered through.
    first: u32,
}

/// What there is to pick from, at this moment.
pub struct Stock<'a> {
    pub swarm: &'a Swarm,
    pub peers: &'a Peers,
    /// Tenths of a second of silence that a peer survives.
    pub life: u32,
    pub now: Tenths,
}

impl Picker {
    /// The seed decides which peers are picked.
    pub fn new(seed: u64) -> Picker {
        Picker {
            random: Random::new(seed),
            drawn: Vec::new(),
            chosen: Vec::new(),
        }
    }

    /// Appends peers to `picked`: those of the kinds that an asker of its kind is shown first,
    /// before the others, and of these those of its address family. None twice, and none of the
    /// asker's `own`, which are given by group and place.
    pub fn pick(
        &mut self,
        stock: &Stock<'_>,
        kind: Kind,
        own: &[Option<(GroupKey, u32)>],
        selection: &Selection,
        picked: &mut Vec<Peer>,
    ) {
        let end = picked.len() + selection.most;
        for kinds in kind.is_shown() {
            for own_family in [true, false] {
                if picked.len() < end && (own_family || selection.both_families) {
                    let candidates = Candidates::of(
                        stock.swarm,
                        |key| selection.allows(key, kinds, own_family),
                        &mut self.chosen,
                    );
                    let most = end - picked.len();
                    let draw = Draw {
                        random: &mut self.random,
                        drawn: &mut self.drawn,
                    };
                    candidates.pick(draw, stock, own, selection, most, picked);
                }
            }
        }
    }
}

impl Selection {
    /// Whether members with this key belong to a round of the selection.
    pub fn allows(&self, key: GroupKey, kinds: &[Kind], own_family: bool) -> bool {
        kinds.contains(&key.kind)
            && key.audience.has(self.view.class())
            && (self.view.shows_as_ipv6(key.home) == self.is_ipv6) == own_family
    }
}

/// The members of some groups of a swarm.
struct Candidates<'a> {
    swarm: &'a Swarm,
    chosen: &'a [Chosen],
    total: u32,
}

/// The source of random numbers, and where they are put.
struct Draw<'a> {
    random: &'a mut Random,
    drawn: &'a mut Vec<u32>,
}

impl<'a> Candidates<'a> {
    fn of(
        swarm: &'a Swarm,
        is_chosen: impl Fn(GroupKey) -> bool,
        chosen: &'a mut Vec<Chosen>,
    ) -> Candidates<'a> {
        chosen.clear();
        let mut total = 0;
        for (group, index) in swarm.groups().iter().zip(0..) {
            if is_chosen(group.key) {
                chosen.push(Chosen {
                    group: index,
                    first: total,
                });
                total += group.members.len() as u32;
            }
        }
        Candidates {
            swarm,
            chosen,
            total,
        }
    }

    /// The candidate with a number below the total: its group's key and members, and its place.
    fn get(&self, number: u32) -> (GroupKey, &'a Members, usize) {
        let chosen = self.chosen.iter().rev().find(|c| c.first <= number);
        let chosen = chosen.expect("the first group begins with 0");
        let group = &self.swarm.groups()[chosen.group as usize];
        (group.key, &group.members, (number - chosen.first) as usize)
    }

    /// The number of a member, if it is among them.
    fn number(&self, key: GroupKey, place: u32) -> Option<u32> {
        let groups = self.swarm.groups();
        let has_key = |c: &&Chosen| groups[c.group as usize].key == key;
        self.chosen.iter().find(has_key).map(|c| c.first + place)
    }

    fn pick(
        &self,
        draw: Draw<'_>,
        stock: &Stock<'_>,
        own: &[Option<(GroupKey, u32)>],
        selection: &Selection,
        most: usize,
        picked: &mut Vec<Peer>,
    ) {
        if self.total == 0 {
            return;
        }
        let Stock { peers, now, .. } = *stock;
        let mut own_numbers = [None; super::clients::MOST_RECORDS];
        for (number, own) in own_numbers.iter_mut().zip(own) {
            *number = own.and_then(|(key, place)| self.number(key, place));
        }
        let own_numbers = &own_numbers[..own.len()];
        // Only while a sweep is behind can a dead peer be drawn; then it takes more tries.
        let is_dead = |slot| peers.silence(slot, now) > stock.life;
        let is_behind = peers.oldest().is_some_and(is_dead);
        let tries = if is_behind { 4 * most } else { most };
        // More, should the asker be among them; leaving it out then leaves the others as random as
        // they were. So nothing here waits for where the asker was found to be.
        let drawn = draw.drawn;
        random::draw(draw.random, self.total, tries + own.len(), drawn);
        // With a million peers every member is in memory that no cache holds. A loop that does
        // nothing but touch them has the processor fetch several at once, which spares the one
        // below up to a microsecond.
        let prefetched = drawn.iter().fold(0, |sum, &n| {
            let (_, members, place) = self.get(n);
            sum ^ members.prefetch(place)
        });
        std::hint::black_box(prefetched);
        let end = picked.len() + most;
        for &n in drawn.iter() {
            if picked.len() == end {
                break;
            }
            let (key, members, place) = self.get(n);
            if own_numbers.contains(&Some(n)) || is_behind && is_dead(members.slot(place)) {
                continue;
            }
            let peer_id = match selection.with_peer_ids {
                true => peers.id(members.slot(place)),
                false => PeerId::default(),
            };
            picked.push(Peer {
                endpoint: selection.view.shown(key.home, members.endpoint(place)),
                peer_id,
            });
        }
    }
}

#[cfg(test)]
#[path = "selection_tests.rs"]
mod tests;
