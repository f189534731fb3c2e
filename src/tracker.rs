//! The tracker: one lock around the state, and the policy: whose address is believed, who sees
//! whom, how many peers an answer carries.
//!
//! No wire format, no I/O and no clock: transports bring an [`Announce`] and the time, and take a
//! [`Reply`] or a [`Refusal`].

use crate::address::{self, Scope};
use crate::announce::{Announce, Claim, EndedSwarm, Endpoint, Event, Host, InfoHash, Reply};
use crate::lock::lock;
use crate::names::Names;
use crate::refusal::Refusal;
use crate::swarms::list::Row;
use crate::swarms::{
    Announced, Bounds, Counts, Entry, LimitReached, OneAddress, Selection, Swarms, Totals,
};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    /// When it was last looked for torrents with one address, and what was found.
    looked: Mutex<Option<(Duration, OneAddress)>>,
}

impl Tracker {
    /// A tracker that has heard of nobody.
    pub fn new(settings: Settings) -> Tracker {
        Tracker::with_names(settings, Names::system())
    }

    /// A tracker that resolves DNS names in its own way.
    pub fn with_names(settings: Settings, names: Names) -> Tracker {
        Tracker {
            swarms: Mutex::new(new_swarms(&settings)),
            settings,
            names,
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
        let asker = self.believed_endpoints(announce, now);
        let selection = self.selection(announce, &asker);

        let counts = {
            let mut swarms = self.lock();
            swarms.sweep(now, SWEEP_MOST, &mut reply.ended);
            match store(&mut swarms, announce, &asker, now, reply)? {
                Some(entry) => {
                    swarms.pick(entry, &selection, now, &mut reply.peers);
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
        let is_rewritten = show_loopback_peers_as_reached(announce, reply);
        // The one at its entry was not picked; only these could have brought it in again.
        if is_rewritten || asker.other.is_some() || asker.moved_from.is_some() {
            leave_out_the_asker(announce, &asker, reply);
            reply.peers.truncate(self.most_peers(announce));
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

    /// The endpoints of an asker: where the announce came from, unless it is believed to live
    /// elsewhere.
    ///
    /// Only loopback and private addresses are believed: on the internet, such a claim would let
    /// anybody point a whole swarm at a stranger.
    fn believed_endpoints(&self, announce: &Announce, now: Duration) -> Asker {
        let source = Endpoint {
            ip: announce.source,
            port: announce.port,
        };
        let mut asker = Asker {
            main: source,
            moved_from: None,
            other: None,
        };
        let believed_from = Scope::of(announce.source);
        if believed_from == Scope::Global {
            return asker;
        }
        let read = |claim: &Option<Claim>, names_too: bool| {
            let claim = claim.as_ref()?;
            let ip = match &claim.host {
                Host::Address(ip) => *ip,
                Host::Name(name) if names_too => {
                    self.names.lookup(name, announce.source.is_ipv6(), now)?
                }
                Host::Name(_) => return None,
            };
            let is_possible = address::is_unicast(ip)
                && (Scope::of(ip) != Scope::Loopback || believed_from == Scope::Loopback);
            let port = claim.port.filter(|&port| port != 0);
            is_possible.then(|| Endpoint {
                ip,
                port: port.unwrap_or(announce.port),
            })
        };
        if let Some(claimed) = read(&announce.ip, true).filter(|claimed| *claimed != source) {
            asker.main = claimed;
            asker.moved_from = Some(source);
        }
        // BEP 7 has these for the family that the announce did not come by; of its own family
        // the tracker has seen the address itself.
        let other = match asker.main.ip {
            IpAddr::V4(_) => &announce.ipv6,
            IpAddr::V6(_) => &announce.ipv4,
        };
        asker.other =
            read(other, false).filter(|other| other.ip.is_ipv6() != asker.main.ip.is_ipv6());
        asker
    }

    /// Whom this asker may be shown: nobody by an address that leads it nowhere.
    fn selection(&self, announce: &Announce, asker: &Asker) -> Selection {
        let scope = Scope::of(announce.source);
        let is_remote = scope != Scope::Loopback;
        let local = announce.local;
        // The asker's other endpoint may be picked, and is left out at the end.
        let spare = usize::from(asker.other.is_some());
        let most = self.most_peers(announce);
        Selection {
            is_ipv6: asker.main.ip.is_ipv6(),
            only_leechers: announce.is_seeder,
            loopback: !is_remote
                || Scope::of(local) != Scope::Loopback && address::is_reachable_from(scope, local),
            loopback_as_ipv6: is_remote.then_some(local.is_ipv6()),
            lan: scope != Scope::Global,
            most: if most == 0 { 0 } else { most + spare },
            both_families: announce.wants_both_families,
            with_peer_ids: announce.wants_peer_ids,
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

/// Where an asker lives, as far as it is believed.
struct Asker {
    main: Endpoint,
    /// Where it was seen, if `main` is where it says it lives.
    moved_from: Option<Endpoint>,
    /// Where it says it lives in the other address family.
    other: Option<Endpoint>,
}

fn new_swarms(settings: &Settings) -> Swarms {
    let seed = RandomState::new().hash_one("which peers are picked");
    Swarms::new(settings.life(), settings.bounds, seed)
}

/// Stores or removes the asker. Returns where it was stored.
fn store(
    swarms: &mut Swarms,
    announce: &Announce,
    asker: &Asker,
    now: Duration,
    reply: &mut Reply,
) -> Result<Option<Entry>, Refusal> {
    let info_hash = announce.info_hash;
    let announced = |endpoint| Announced {
        endpoint,
        peer_id: announce.peer_id,
        is_seeder: announce.is_seeder,
        completed: announce.event == Event::Completed,
    };
    let mut entry = None;
    if announce.event == Event::Stopped {
        for endpoint in [Some(asker.main), asker.other].into_iter().flatten() {
            reply.ended.extend(swarms.remove(info_hash, endpoint, None));
        }
    } else {
        let stored = swarms.put(info_hash, &announced(asker.main), now);
        let (main, is_first) = stored.map_err(refusal)?;
        reply.is_first_peer = is_first;
        entry = Some(main);
    }
    if let Some(other) = asker.other.filter(|_| entry.is_some()) {
        // If there is no room for it, it is stored once, which is enough to be found.
        let _ = swarms.put(info_hash, &announced(other), now);
        entry = swarms.entry(info_hash, asker.main);
    }
    // Before its name was resolved it was stored where it was seen.
    if let Some(before) = asker.moved_from {
        let ended = swarms.remove(info_hash, before, Some(announce.peer_id));
        reply.ended.extend(ended);
    }
    Ok(entry)
}

fn refusal(full: LimitReached) -> Refusal {
    match full {
        LimitReached::Store => Refusal::StoreIsFull,
        LimitReached::AddressBlock => Refusal::TooManyOfAddress,
        LimitReached::AddressBlockInSwarm => Refusal::TooManyOfAddressInTorrent,
    }
}

/// A client on the tracker's own machine is stored as 127.0.0.1, which is of no use to others:
/// for them it lives at the address by which they reached this machine. Returns whether there was
/// such a client.
fn show_loopback_peers_as_reached(announce: &Announce, reply: &mut Reply) -> bool {
    let peers = &mut reply.peers;
    let is_remote = Scope::of(announce.source) != Scope::Loopback;
    if !is_remote || !peers.iter().any(|peer| peer.endpoint.ip.is_loopback()) {
        return false;
    }
    let mut kept = 0;
    for i in 0..peers.len() {
        let mut peer = peers[i];
        if peer.endpoint.ip.is_loopback() {
            peer.endpoint.ip = announce.local;
        }
        // The same client may have announced by 127.0.0.1, by ::1 and by the address itself.
        let is_new = peers[..kept].iter().all(|p| p.endpoint != peer.endpoint);
        if is_new {
            peers[kept] = peer;
            kept += 1;
        }
    }
    peers.truncate(kept);
    true
}

fn leave_out_the_asker(announce: &Announce, asker: &Asker, reply: &mut Reply) {
    let source = Endpoint {
        ip: announce.source,
        port: announce.port,
    };
    let own = [Some(asker.main), asker.other, Some(source)];
    reply
        .peers
        .retain(|peer| !own.contains(&Some(peer.endpoint)));
}

#[cfg(test)]
#[path = "tracker_tests.rs"]
mod tests;
