//! Picking peers for an asker: uniformly at random among those whom it may be shown, in time that
//! does not grow with the swarm.
//!
//! Who may be shown whom is in `group.rs` (by kind) and in `audience.rs` (by address).

use super::audience::View;
use super::clients::MOST_RECORDS;
use super::group::{GroupKey, Kind};
use super::members::RUN;
use super::peers::{Peers, Tenths};
use super::random::{self, Random};
use super::swarm::{Group, Swarm};
use crate::announce::Peer;

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
    /// Each peer is picked by itself: neighbours that come together again and again would be known
    /// for real ones where there are others in the answer.
    pub one_by_one: bool,
}

/// What picking needs besides the peers, kept from one time to the next.
pub struct Picker {
    /// Decides where in its group a newcomer is put, too.
    pub random: Random,
    drawn: Vec<u32>,
    chosen: Vec<Chosen>,
    runs: Vec<Run>,
}

/// Members of one group that stand side by side.
struct Run {
    group: u32,
    /// The place of the first.
    place: u32,
    length: u32,
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
            runs: Vec::new(),
        }
    }

    /// Appends peers to `picked`: those of the kinds that an asker of its kind is shown first,
    /// before the others, and of these those of its address family. None twice, and none of the
    /// asker's `own`, which are given by group and place. Returns whether one is shown under another
    /// address than its own.
    pub fn pick(
        &mut self,
        stock: &Stock<'_>,
        kind: Kind,
        own: &[Option<(GroupKey, u32)>],
        selection: &Selection,
        picked: &mut Vec<Peer>,
    ) -> bool {
        let end = picked.len() + selection.most;
        let mut is_rewritten = false;
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
                        runs: &mut self.runs,
                    };
                    is_rewritten |= candidates.pick(draw, stock, own, selection, most, picked);
                }
            }
        }
        is_rewritten
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
    runs: &'a mut Vec<Run>,
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

    /// Draws runs of candidates, as long as `run`, `count` candidates or somewhat more, or all there
    /// are but the `own`, whose numbers are sorted.
    ///
    /// Every candidate is as likely as any, since where the first run begins is left to chance, and
    /// after the last candidate comes the first. The own have to be left out here: left out later,
    /// their neighbours would be likelier than others.
    fn draw<'b>(&self, draw: Draw<'b>, (count, run): (u32, u32), own: &[u32]) -> &'b [Run] {
        let Draw {
            random,
            drawn,
            runs,
        } = draw;
        runs.clear();
        let total = self.total - own.len() as u32;
        let begin = random.below(total);
        // One of them is perhaps shorter than the others.
        let blocks = count.div_ceil(run) as usize + 1;
        random::draw(random, total.div_ceil(run), blocks, drawn);
        for block in drawn.iter() {
            let mut number = around(begin + block * run, total);
            let mut left = run.min(total - block * run);
            while left > 0 {
                // It ends where the last group ends, at the latest.
                let run = self.run(number, left, own);
                left -= run.length;
                number = around(number + run.length, total);
                runs.push(run);
            }
        }
        runs
    }

    /// As many candidates as stand side by side from a number on, `most` of them; the number does
    /// not count the own.
    fn run(&self, number: u32, most: u32, own: &[u32]) -> Run {
        let before = |number, own| number + u32::from(own <= number);
        let number = own.iter().copied().fold(number, before);
        let chosen = self.chosen.iter().rev().find(|c| c.first <= number);
        let chosen = chosen.expect("the first group begins with 0");
        let members = &self.swarm.groups()[chosen.group as usize].members;
        let place = number - chosen.first;
        let next_own = own.iter().find(|own| **own > number);
        let until_own = next_own.map_or(most, |own| own - number);
        Run {
            group: chosen.group,
            place,
            length: most.min(until_own).min(members.len() as u32 - place),
        }
    }

    /// The numbers of these members, as far as they are among them, sorted; and how many these are.
    fn numbers(&self, members: &[Option<(GroupKey, u32)>]) -> ([u32; MOST_RECORDS], usize) {
        let groups = self.swarm.groups();
        let mut numbers = [0; MOST_RECORDS];
        let mut count = 0;
        for &(key, place) in members.iter().flatten() {
            let has_key = |c: &&Chosen| groups[c.group as usize].key == key;
            if let Some(chosen) = self.chosen.iter().find(has_key) {
                numbers[count] = chosen.first + place;
                count += 1;
            }
        }
        numbers[..count].sort_unstable();
        (numbers, count)
    }

    fn pick(
        &self,
        draw: Draw<'_>,
        stock: &Stock<'_>,
        own: &[Option<(GroupKey, u32)>],
        selection: &Selection,
        most: usize,
        picked: &mut Vec<Peer>,
    ) -> bool {
        let Stock { peers, now, .. } = *stock;
        let (own, count) = self.numbers(own);
        // Only while a sweep is behind can a dead peer be drawn; then it takes more tries.
        let is_dead = |slot| peers.silence(slot, now) > stock.life;
        let is_behind = peers.oldest().is_some_and(is_dead);
        let tries = if is_behind { 4 * most } else { most };
        let run = if selection.one_by_one { 1 } else { RUN };
        let runs = self.draw(draw, (tries as u32, run), &own[..count]);
        let groups = self.swarm.groups();
        // With a million peers every run is in memory that no cache holds. A loop that does
        // nothing but touch them has the processor fetch several at once.
        let prefetched = runs.iter().fold(0, |sum, run| {
            let members = &groups[run.group as usize].members;
            let last = run.place + run.length - 1;
            sum ^ members.prefetch(run.place as usize) ^ members.prefetch(last as usize)
        });
        std::hint::black_box(prefetched);
        let end = picked.len() + most;
        let mut is_rewritten = false;
        for run in runs {
            let Group { key, members } = &groups[run.group as usize];
            let shown_as = selection.view.shown_as(key.home);
            let place = run.place as usize;
            let begin = picked.len();
            let length = match is_behind {
                // What is too much goes when the dead have gone.
                true => run.length as usize,
                false => (run.length as usize).min(end - begin),
            };
            members.append(place, length, picked);
            if shown_as.is_none() && !is_behind && !selection.with_peer_ids {
                continue;
            }
            // The ordinary ones are done with. Of the others, all that are alive stay.
            let mut kept = begin;
            for i in 0..length {
                let slot = members.slot(place + i);
                if is_behind && is_dead(slot) {
                    continue;
                }
                let mut peer = picked[begin + i];
                peer.endpoint.ip = shown_as.unwrap_or(peer.endpoint.ip);
                if selection.with_peer_ids {
                    peer.peer_id = peers.id(slot);
                }
                picked[kept] = peer;
                kept += 1;
            }
            picked.truncate(kept.min(end));
            is_rewritten |= shown_as.is_some();
        }
        is_rewritten
    }
}

/// The number that follows the last one is the first. A division would take longer than all else
/// that is done for a run.
fn around(number: u32, total: u32) -> u32 {
    if number < total {
        number
    } else {
        number - total
    }
}

#[cfg(test)]
#[path = "selection_tests.rs"]
mod tests;
