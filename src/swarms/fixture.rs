//! What the tests of the state begin with.

use super::audience::{Place, View};
use super::bounds::{Bounds, LimitReached};
use super::clients::MOST_RECORDS;
use super::peers::Standing;
use super::selection::Selection;
use super::store::{Address, Announced, Entry, Identity, Swarms};
use crate::address::Scope;
use crate::announce::{Endpoint, InfoHash, PeerId};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

pub const LIFE: Duration = Duration::from_secs(432);

pub const BOUNDS: Bounds = Bounds {
    peers: 100_000,
    per_block: 10_000,
    per_block_in_swarm: 5_000,
    per_site: 20_000,
    per_site_in_swarm: 10_000,
};

pub fn swarms() -> Swarms {
    Swarms::new(LIFE, BOUNDS, 1)
}

pub fn endpoint(text: &str, port: u16) -> Endpoint {
    let ip = text.parse().unwrap();
    Endpoint { ip, port }
}

pub fn hash(n: u8) -> InfoHash {
    InfoHash([n; 20])
}

pub fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A client, as it will announce itself.
#[derive(Clone, Debug)]
pub struct Client {
    pub who: Identity,
    pub is_complete: bool,
    pub has_transferred: bool,
    pub completed: bool,
    pub addresses: Vec<Address>,
}

/// A leecher without a key that is where it is seen.
pub fn at(endpoint: Endpoint) -> Client {
    Client {
        who: Identity {
            peer_id: PeerId([endpoint.port as u8; 20]),
            key: None,
            source: endpoint,
        },
        is_complete: false,
        has_transferred: true,
        completed: false,
        addresses: vec![address(endpoint, false)],
    }
}

pub fn seeding(endpoint: Endpoint) -> Client {
    Client {
        is_complete: true,
        ..at(endpoint)
    }
}

impl Client {
    pub fn with_key(mut self, peer_id: u8, key: u32) -> Client {
        self.who.peer_id = PeerId([peer_id; 20]);
        self.who.key = Some(key);
        self
    }

    pub fn claiming(mut self, endpoint: Endpoint) -> Client {
        self.addresses.push(address(endpoint, true));
        self
    }

    pub fn announced(&self) -> Announced<'_> {
        Announced {
            who: self.who,
            is_complete: self.is_complete,
            has_transferred: self.has_transferred,
            completed: self.completed,
            addresses: &self.addresses,
        }
    }
}

pub fn address(endpoint: Endpoint, is_claimed: bool) -> Address {
    Address {
        endpoint,
        place: place(endpoint.ip),
        is_claimed,
    }
}

/// 172.17.0.0/16 is behind a bridge.
pub fn place(ip: IpAddr) -> Place {
    match Scope::of(ip) {
        Scope::Loopback => Place::Loopback,
        Scope::Lan if ip.to_string().starts_with("172.17.") => Place::Container,
        Scope::Lan => Place::Lan,
        Scope::Global => Place::Internet,
    }
}

/// Whether it was the first of its swarm.
pub fn put(swarms: &mut Swarms, n: u8, client: &Client, now: u64) -> Result<bool, LimitReached> {
    let stored = swarms.put(hash(n), &client.announced(), secs(now));
    stored.map(|stored| stored.is_some_and(|(_, is_first)| is_first))
}

pub fn entry(swarms: &mut Swarms, n: u8, client: &Client, now: Duration) -> Entry {
    let stored = swarms.put(hash(n), &client.announced(), now).unwrap();
    stored.unwrap().0
}

/// Seeders, leechers, downloads.
pub fn counts(swarms: &Swarms, n: u8) -> (u32, u32, u32) {
    let counts = swarms.counts(hash(n));
    (counts.seeders, counts.leechers, counts.downloaded)
}

/// What an asker on this machine, or elsewhere, may be shown.
pub fn all(asker: Endpoint, most: usize) -> Selection {
    Selection {
        view: View {
            from: Place::Loopback,
            machine_as: None,
            lan_as: None,
        },
        is_ipv6: asker.ip.is_ipv6(),
        both_families: true,
        most,
        with_peer_ids: false,
        one_by_one: false,
    }
}

pub fn picked(
    swarms: &mut Swarms,
    n: u8,
    asker: &Client,
    selection: &Selection,
    now: Duration,
) -> Vec<Endpoint> {
    let mut peers = Vec::new();
    let entry = entry(swarms, n, asker, now);
    swarms.pick(entry, selection, now, &mut peers);
    peers.into_iter().map(|peer| peer.endpoint).collect()
}

/// Picks among all, for somebody who announces for it.
pub fn from_all(
    swarms: &mut Swarms,
    n: u8,
    asker: &Client,
    most: usize,
    now: u64,
) -> Vec<Endpoint> {
    let selection = all(asker.who.source, most);
    picked(swarms, n, asker, &selection, secs(now))
}

/// Every reference from one table into another leads where it should, and nothing is kept that
/// nothing leads to.
pub fn check_that_it_all_fits_together(swarms: &Swarms) {
    let mut members = 0;
    let mut counted = [[0; 2]; 2];
    for (info_hash, &index) in &swarms.by_info_hash {
        let swarm = &swarms.swarms[index as usize];
        assert_eq!(swarm.info_hash, *info_hash);
        assert!(!swarm.is_empty());
        let mut clients = BTreeMap::new();
        for group in swarm.groups() {
            assert_ne!(group.members.len(), 0);
            for place in 0..group.members.len() {
                let (endpoint, slot) = (group.members.endpoint(place), group.members.slot(place));
                let peer = swarms.peers.get(slot);
                assert_eq!((peer.swarm, peer.place), (index, place as u32));
                assert_eq!(peer.key(), group.key);
                assert_eq!(peer.home.is_ipv6(), endpoint.ip.is_ipv6());
                let fingerprint = swarms.index.fingerprint(index, endpoint);
                assert_eq!(swarms.index.get(fingerprint), Some(slot));
                let records = swarms.records(slot);
                let slots = records.slots();
                assert!(slots.contains(&slot) && slots.len() <= MOST_RECORDS);
                let several = peer.standing.has(Standing::ONE_OF_SEVERAL);
                assert_eq!(several, slots.len() > 1);
                clients.insert(slots.to_vec(), slots.len());
                members += 1;
            }
        }
        let mut of_swarm = [0; 2];
        for slots in clients.keys() {
            let first = swarms.peers.get(slots[0]);
            for &slot in slots {
                let peer = swarms.peers.get(slot);
                assert_eq!((peer.tag, peer.swarm), (first.tag, first.swarm));
                assert_eq!(swarms.peers.id(slot), swarms.peers.id(slots[0]));
                let client = Standing::OF_CLIENT;
                let [one, other] = [peer, first].map(|p| p.standing.with(client, p.standing));
                assert_eq!(one.kind(), other.kind());
            }
            let oldest = swarms.peers.get(slots[slots.len() - 1]);
            let kind = usize::from(oldest.standing.kind().is_complete());
            counted[kind][usize::from(oldest.home.is_ipv6())] += 1;
            of_swarm[kind] += 1;
        }
        assert_eq!(swarm.clients, of_swarm);
        let of_groups = swarm.groups().iter().map(|group| group.members.len());
        assert_eq!(clients.values().sum::<usize>(), of_groups.sum::<usize>());
    }
    assert_eq!(swarms.peers.len(), members);
    assert_eq!(swarms.totals().clients, counted);
    assert_eq!(swarms.index.len() as u32, members);
}
