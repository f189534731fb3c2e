//! The state, told as simply as it can be: what one swarm should hold and show. The tests of the
//! state and the fuzzing of the tracker hold the real one against it; it is no part of the program.

use mayfly::announce::Endpoint;
use mayfly::swarms::{Announced, Counts, Identity, Kind, Place, Selection, View};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The most addresses of a client.
const MOST_ADDRESSES: usize = 8;

/// Who it is: peer_id, and key or where it was seen.
pub type Who = ([u8; 20], Result<u32, Endpoint>);

pub fn who(identity: &Identity) -> Who {
    let key = identity.key.ok_or(identity.source);
    (identity.peer_id.0, key)
}

#[derive(Clone, Copy)]
pub struct Record {
    pub who: Who,
    pub last: Duration,
    pub place: Place,
    pub is_claimed: bool,
    /// Counts up.
    joined: u32,
}

#[derive(Clone, Copy, Default)]
pub struct Known {
    pub is_complete: bool,
    has_transferred: bool,
    is_counted: bool,
}

impl Known {
    pub fn kind(self) -> Kind {
        Kind::of(self.is_complete, self.has_transferred)
    }
}

/// A swarm, told as simply as it can be.
#[derive(Default)]
pub struct Model {
    pub records: BTreeMap<Endpoint, Record>,
    pub clients: BTreeMap<Who, Known>,
    downloaded: u32,
    joined: u32,
}

impl Model {
    /// Forgets addresses, and the clients that have no other.
    pub fn forget(&mut self, is_gone: impl Fn(&Endpoint, &Record) -> bool) {
        self.records
            .retain(|endpoint, record| !is_gone(endpoint, record));
        let living: BTreeSet<_> = self.records.values().map(|record| record.who).collect();
        self.clients.retain(|who, _| living.contains(who));
        if living.is_empty() {
            self.downloaded = 0;
        }
    }

    /// Takes in an announce, while there is room for so many more addresses.
    pub fn put(&mut self, client: &Announced<'_>, now: Duration, room: usize) {
        let most = self.records.len() + room;
        let own = who(&client.who);
        let first = client.addresses.first();
        let there = first.and_then(|first| self.records.get(&first.endpoint));
        let there = there
            .filter(|there| there.who.0 == own.0)
            .map(|there| there.who);
        let known = self.clients.get(&own).or_else(|| self.clients.get(&there?));
        let mut known = known.copied().unwrap_or_default();
        known.is_complete = client.is_complete;
        known.has_transferred |= client.has_transferred;
        let has_finished = client.completed && client.is_complete && !known.is_counted;
        known.is_counted |= has_finished;
        if self.clients.contains_key(&own) {
            self.clients.insert(own, known);
        }
        for address in client.addresses {
            let endpoint = address.endpoint;
            let there = self.records.get(&endpoint).copied();
            if there.is_some_and(|there| there.who == own) {
                let record = self.records.get_mut(&endpoint).unwrap();
                (record.last, record.is_claimed) = (now, record.is_claimed && address.is_claimed);
                continue;
            }
            let is_full = there.is_none() && self.records.len() >= most;
            if is_full || there.is_some() && address.is_claimed {
                continue;
            }
            let of_client = self.records.iter().filter(|(_, record)| record.who == own);
            if of_client.clone().count() == MOST_ADDRESSES {
                let (&oldest, record) = of_client.min_by_key(|(_, r)| (r.last, r.joined)).unwrap();
                if record.last == now {
                    continue;
                }
                self.forget(|endpoint, _| *endpoint == oldest);
            }
            self.joined += 1;
            let record = Record {
                who: own,
                last: now,
                place: address.place,
                is_claimed: address.is_claimed,
                joined: self.joined,
            };
            self.records.insert(endpoint, record);
            self.clients.insert(own, known);
            if let Some(before) = there {
                self.forget(|_, record| record.who == before.who && record.is_claimed);
            }
        }
        if self.clients.contains_key(&own) {
            self.downloaded += u32::from(has_finished);
        }
    }

    pub fn counts(&self) -> Counts {
        let seeders = self
            .clients
            .values()
            .filter(|known| known.is_complete)
            .count();
        Counts {
            seeders: seeders as u32,
            leechers: (self.clients.len() - seeders) as u32,
            downloaded: self.downloaded,
        }
    }

    /// Whom one who is not among them is shown, or one who is, by kind and in the order of rounds.
    pub fn visible(&self, asker: Option<Who>, kind: Kind, s: &Selection) -> Vec<Vec<Endpoint>> {
        let mut rounds = Vec::new();
        for kinds in kind.is_shown() {
            for is_ipv6 in [s.is_ipv6, !s.is_ipv6] {
                let others = self
                    .clients
                    .iter()
                    .filter(|(who, known)| Some(**who) != asker && kinds.contains(&known.kind()));
                let shown = others.filter_map(|(who, _)| self.shown(*who, &s.view, is_ipv6));
                if is_ipv6 == s.is_ipv6 || s.both_families {
                    rounds.push(shown.collect());
                }
            }
        }
        rounds
    }

    /// The one address of a family by which a client is shown.
    fn shown(&self, of: Who, view: &View, is_ipv6: bool) -> Option<Endpoint> {
        let mut records: Vec<_> = self.records.iter().filter(|(_, r)| r.who == of).collect();
        records.sort_by_key(|(_, r)| (r.is_claimed, std::cmp::Reverse(r.joined)));
        let at = |wanted: Place| {
            let mut at = records.iter().filter(|(_, r)| r.place == wanted);
            at.find(|(e, _)| e.ip.is_ipv6() == is_ipv6)
                .map(|(e, _)| **e)
        };
        let as_machine = |places: &[Place]| {
            let ip = view.machine_as.filter(|ip| ip.is_ipv6() == is_ipv6)?;
            let mut here = records.iter().filter(|(_, r)| places.contains(&r.place));
            let same = here.clone().find(|(e, _)| e.ip.is_ipv6() == is_ipv6);
            let (found, _) = same.or_else(|| here.next())?;
            let port = found.port;
            Some(Endpoint { ip, port })
        };
        use Place::{Container, Internet, Lan, Loopback};
        // Nobody is sent by way of the router to who is on this side of it.
        let mut places = records.iter().filter(|(e, _)| e.ip.is_ipv4());
        let is_here = places.any(|(_, r)| r.place != Internet);
        let far = || at(Internet).filter(|_| is_ipv6 || !is_here);
        let near = || at(Lan).or_else(far);
        match view.from {
            Loopback => at(Loopback).or_else(|| at(Container)).or_else(near),
            Container => at(Container)
                .or_else(|| as_machine(&[Loopback]))
                .or_else(near),
            Lan => as_machine(&[Loopback, Container]).or_else(near),
            Internet => at(Internet)
                .or_else(|| as_machine(&[Loopback, Container]))
                .or_else(|| {
                    let ip = view.lan_as.filter(|_| !is_ipv6)?.into();
                    let port = at(Lan)?.port;
                    Some(Endpoint { ip, port })
                }),
        }
    }
}

/// Checks that these were picked: from each round as many as there are until there are enough.
pub fn check_picked(mut got: Vec<Endpoint>, rounds: Vec<Vec<Endpoint>>, most: usize) {
    let all: usize = rounds.iter().map(Vec::len).sum();
    assert_eq!(got.len(), most.min(all), "{got:?} of {rounds:?}");
    for mut round in rounds {
        let length = round.len().min(got.len());
        for endpoint in got.drain(..length) {
            // Two clients may be shown as one and the same, but none is shown twice.
            let at = round.iter().position(|e| *e == endpoint);
            let at = at.unwrap_or_else(|| panic!("{endpoint} is not among {round:?}"));
            round.swap_remove(at);
        }
    }
}
