//! The tracker: one lock around the state, and the policy: whose address is believed, who sees
//! whom, how many peers an answer carries.
//!
//! No wire format, no I/O and no clock: transports bring an [`Announce`] and the time, and take a
//! [`Reply`] or a [`Refusal`].

use crate::announce::{Announce, EndedSwarm, Event, InfoHash, Reply};
use crate::decoys::Decoys;
use crate::lock::lock;
use crate::names::Names;
use crate::refusal::Refusal;
use crate::swarms::list::Row;
use crate::swarms::{
    Announced, Bounds, Counts, Entry, Kind, LimitReached, OneAddress, Selection, Swarms, Totals,
};
use asker::Asker;
pub use asker::Surroundings;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where an asker is, and what it can reach from there.
mod asker;

/// Picking for an answer that has decoys in it.
mod with_decoys;

/// How many of the dead one request sweeps away at most: more than a request can add, so that a
/// backlog melts, and few enough that nobody waits.
const SWEEP_MOST: usize = 64;

/// How often it is looked for torrents with one address, at most.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What the operator may choose.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Settings {
    /// Time between two announces of a client.
    pub interval: Duration,
    /// The most peers in an answer.
    pub numwant: u32,
    /// What is stored at most.
    pub bounds: Bounds,
}

impl Default for Settings {
    /// As the program is when it is started without options.
    fn default() -> Self {
        Settings {
            interval: Duration::from_secs(240),
            numwant: 30,
            bounds: Bounds::default(),
        }
    }
}

impl Settings {
    /// For how long a peer is remembered after an announce. A client that missed one and is late
    /// with the next is still alive; and so is one that keeps a rhythm of its own, whatever it is
    /// told: most announce every 5 minutes, rTorrent over UDP every 10.
    pub fn life(&self) -> Duration {
        (self.interval * 18 / 10).max(Duration::from_secs(11 * 60))
    }
}

/// The tracker, shared by all threads.
pub struct Tracker {
    settings: Settings,
    swarms: Mutex<Swarms>,
    names: Names,
    surroundings: Surroundings,
    decoys: Option<Decoys>,
    /// When it was last looked for torrents with one address, and what was found.
    looked: Mutex<Option<(Duration, OneAddress)>>,
}

impl Tracker {
    /// A tracker that has heard of nobody.
    pub fn new(settings: Settings) -> Tracker {
        Tracker::with_names(settings, Names::system())
    }

    /// The same, with what is known of the network that it is in.
    pub fn within(self, surroundings: Surroundings) -> Tracker {
        Tracker {
            surroundings,
            ..self
        }
    }

    /// The same, with decoys in its answers.
    pub fn with_decoys(self, decoys: Option<Decoys>) -> Tracker {
        Tracker { decoys, ..self }
    }

    /// A tracker that resolves DNS names in its own way.
    pub fn with_names(settings: Settings, names: Names) -> Tracker {
        Tracker {
            swarms: Mutex::new(new_swarms(&settings)),
            settings,
            names,
            surroundings: Surroundings::default(),
            decoys: None,
            looked: Mutex::new(None),
        }
    }

    /// Seconds between two announces of a client.
    pub fn interval(&self) -> u32 {
        self.settings.interval.as_secs().max(1) as u32
    }

    /// Handles an announce that arrived `now`, the time since the tracker began.
    ///
    /// On success `reply` holds the answer; what it held before does not matter. An announce that
    /// is refused has changed nothing; what ended meanwhile is in `reply.ended` all the same.
    pub fn handle(
        &self,
        announce: &Announce,
        now: Duration,
        reply: &mut Reply,
    ) -> Result<(), Refusal> {
        reply.ended.clear();
        if announce.port == 0 {
            return Err(Refusal::PortZero);
        }
        let interval = self.interval();
        reply.interval = interval;
        reply.min_interval = (interval / 4).max(1);
        reply.external_ip = announce.source;
        reply.is_first_peer = false;
        reply.peers.clear();
        let resolve = |name: &str| self.names.lookup(name, announce.source, now);
        let asker = Asker::of(announce, &self.surroundings, resolve);
        let selection = self.selection(announce, &asker);

        let mut is_rewritten = false;
        let counts = {
            let mut swarms = self.lock();
            swarms.sweep(now, SWEEP_MOST, &mut reply.ended);
            match store(&mut swarms, announce, &asker, now, reply)? {
                Some(entry) => {
                    is_rewritten = match &self.decoys {
                        None => swarms.pick(entry, &selection, now, &mut reply.peers),
                        Some(decoys) => with_decoys::pick(
                            decoys,
                            &mut swarms,
                            entry,
                            &selection,
                            (announce, &asker),
                            (now, self.settings.numwant as usize),
                            &mut reply.peers,
                        ),
                    };
                    swarms.counts_at(entry)
                }
                None => swarms.counts(announce.info_hash),
            }
        };

        let Counts {
            seeders,
            leechers,
            downloaded,
        } = counts;
        (reply.seeders, reply.leechers, reply.downloaded) = (seeders, leechers, downloaded);
        if is_rewritten || asker.addresses().len() > 1 {
            leave_out_twins(&asker, reply);
        }
        Ok(())
    }

    /// The counts of each of `hashes`, in their order; zeros for those that are not known. Swarms
    /// whose last peer turned out to be gone are put into `ended`.
    pub fn scrape(
        &self,
        hashes: impl Iterator<Item = InfoHash>,
        now: Duration,
        ended: &mut Vec<EndedSwarm>,
    ) -> Vec<Counts> {
        let mut swarms = self.lock();
        ended.clear();
        swarms.sweep(now, SWEEP_MOST, ended);
        hashes.map(|hash| swarms.counts(hash)).collect()
    }

    /// Sweeps, as every announce does, for those who only look. Swarms that this
    /// ends are put into `ended`.
    pub fn sweep(&self, now: Duration, ended: &mut Vec<EndedSwarm>) {
        ended.clear();
        self.lock().sweep(now, SWEEP_MOST, ended);
    }

    /// What is stored, in numbers.
    pub fn totals(&self) -> Totals {
        self.lock().totals()
    }

    /// Gives a torrent the name that an announce from this address has brought, if it has none yet.
    /// `read` is asked for it only then, and without the lock.
    pub fn name(&self, info_hash: InfoHash, from: IpAddr, read: impl FnOnce() -> Option<String>) {
        let is_wanted = self.lock().wants_name(info_hash, from);
        if let Some(name) = is_wanted.then(read).flatten() {
            self.lock().name(info_hash, &name, from);
        }
    }

    /// See [`Swarms::rows`]. The lock is held for so many torrents at a time.
    pub fn rows(&self, from: usize, most: usize, rows: &mut Vec<Row>) -> bool {
        rows.clear();
        self.lock().rows(from, most, rows)
    }

    /// How many torrents have all their peers at one address, a few seconds ago perhaps: everybody
    /// waits while that is found out, so however many ask, it is not done more often.
    pub fn one_address(&self, now: Duration) -> OneAddress {
        let mut looked = lock(&self.looked);
        match *looked {
            Some((at, found)) if now.saturating_sub(at) < LOOK_EVERY => found,
            _ => {
                let found = self.lock().one_address();
                *looked = Some((now, found));
                found
            }
        }
    }

    /// Whom this asker may be shown, and how many.
    fn selection(&self, announce: &Announce, asker: &Asker) -> Selection {
        Selection {
            view: asker.view,
            is_ipv6: announce.source.is_ipv6(),
            both_families: announce.wants_both_families,
            most: self.most_peers(announce),
            with_peer_ids: announce.wants_peer_ids,
            one_by_one: false,
        }
    }

    /// What the client wishes, up to what the operator allows.
    fn most_peers(&self, announce: &Announce) -> usize {
        let most = self.settings.numwant;
        announce.numwant.unwrap_or(most).min(most) as usize
    }

    fn lock(&self) -> MutexGuard<'_, Swarms> {
        self.swarms.lock().unwrap_or_else(|poisoned| {
            // A panic left the tables half-changed, which no later announce would mend. Begin
            // anew, as after a restart: within one interval everybody has announced again.
            let mut swarms = PoisonError::into_inner(poisoned);
            *swarms = new_swarms(&self.settings);
            self.swarms.clear_poison();
            swarms
        })
    }
}

fn new_swarms(settings: &Settings) -> Swarms {
    let seed = RandomState::new().hash_one("which peers are picked");
    Swarms::new(settings.life(), settings.bounds, seed)
}

/// Stores or removes the asker. Returns where it asks, if it is to be shown anybody.
fn store(
    swarms: &mut Swarms,
    announce: &Announce,
    asker: &Asker,
    now: Duration,
    reply: &mut Reply,
) -> Result<Option<Entry>, Refusal> {
    let info_hash = announce.info_hash;
    if announce.event == Event::Stopped {
        reply.ended.extend(swarms.remove(info_hash, &asker.who));
        return Ok(None);
    }
    let announced = Announced {
        who: asker.who,
        is_complete: announce.is_seeder,
        has_transferred: announce.has_transferred,
        completed: announce.event == Event::Completed,
        addresses: asker.addresses(),
    };
    let stored = swarms.put(info_hash, &announced, now).map_err(refusal)?;
    if let Some((entry, is_first)) = stored {
        reply.is_first_peer = is_first;
        return Ok(Some(entry));
    }
    let kind = Kind::of(announce.is_seeder, announce.has_transferred);
    Ok(swarms.outside(info_hash, kind))
}

fn refusal(full: LimitReached) -> Refusal {
    match full {
        LimitReached::Store => Refusal::StoreIsFull,
        LimitReached::AddressBlock => Refusal::TooManyOfAddress,
        LimitReached::AddressBlockInSwarm => Refusal::TooManyOfAddressInTorrent,
    }
}

/// What is shown under another address than its own may look like another peer, or like the asker:
/// without a key, a client that announces by 127.0.0.1, by `::1` and by the machine's own address
/// is not known to be one.
fn leave_out_twins(asker: &Asker, reply: &mut Reply) {
    let peers = &mut reply.peers;
    let mut kept = 0;
    for i in 0..peers.len() {
        let peer = peers[i];
        let is_new = peers[..kept].iter().all(|p| p.endpoint != peer.endpoint);
        if is_new && !asker.is_at(peer.endpoint) {
            peers[kept] = peer;
            kept += 1;
        }
    }
    peers.truncate(kept);
}

#[cfg(test)]
#[path = "tracker_tests.rs"]
mod tests;
