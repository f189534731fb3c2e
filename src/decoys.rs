//! Decoys (`--decoys`): peers that do not exist, shown beside real ones, so that being on a list of
//! peers proves nothing about anybody.
//!
//! Which networks may have them, how many there are, and what they look like. Nothing is stored: a
//! decoy is a keyed hash of its torrent, its number and the time. Values only; where they enter an
//! answer is in `tracker.rs`.
//!
//! The attack that shapes this: to ask again and again, and tell decoys from peers by how often they
//! come. So an answer's places are shared out by the numbers of real peers and of decoys, and every
//! one of either has the same chance of a place. Where all real peers fit into an answer, all are
//! shown, and there are only as many decoys as fit beside them.

use crate::address::{self, Scope};
use crate::announce::{Endpoint, InfoHash, Peer, PeerId};
use crate::lock::lock;
use crate::network::Network;
use crate::swarms::{Random, draw};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// How long a decoy lives, in seconds: each its own time.
const LIFE: Range<u64> = 2 * 3600..6 * 3600;

/// The largest networks of one's own that may have decoys: what a house or a company has.
const LEAST_BITS: (u32, u32) = (16, 48);

/// Networks that lead nowhere, set aside for documentation (RFC 5737, RFC 3849), for testing
/// (RFC 2544) and for discarding (RFC 6666).
const SET_ASIDE: [&str; 6] = [
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "198.18.0.0/15",
    "2001:db8::/32",
    "100::/64",
];

/// The decoys of a tracker.
pub struct Decoys {
    networks: Vec<Network>,
    key: RandomState,
    random: Mutex<Random>,
}

/// Why a network may not have decoys; for a person, to be put behind the option and its value.
pub fn check(network: &Network, own: &[IpAddr]) -> Result<(), String> {
    if network.free_bits() < 2 {
        return Err(format!(
            "this is too small; give ADDRESS/BITS of 4 addresses or more, such as {}/{}",
            network.address(0),
            if network.is_ipv6() { 64 } else { 24 }
        ));
    }
    let set_aside = SET_ASIDE.iter().filter_map(|text| Network::parse(text));
    if set_aside.into_iter().any(|other| network.is_within(&other)) {
        return Ok(());
    }
    let (ipv4, ipv6) = LEAST_BITS;
    let least = if network.is_ipv6() { ipv6 } else { ipv4 };
    let is_local = |ip: IpAddr| Scope::of(ip) == Scope::Loopback || address::is_link_local(ip);
    if is_local(network.address(0)) {
        return Err("such addresses lead nobody anywhere but to themselves".into());
    }
    if network.bits() < least {
        return Err(format!(
            "this is too large to be yours alone; give /{least} or smaller"
        ));
    }
    match own.iter().any(|&ip| network.contains(ip)) {
        true => Ok(()),
        false => Err(
            "a decoy must never be a stranger's machine, and this machine has no address in there; \
             give a network that it is in, or one set aside for documentation, such as \
             203.0.113.0/24 or 2001:db8::/32"
                .into(),
        ),
    }
}

/// Who gets an answer with decoys in it, and what is in it without them.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Since the tracker began.
    pub now: Duration,
    /// The asker's address; canonical.
    pub asker: IpAddr,
    /// Whether the answer's peers are of IPv6.
    pub is_ipv6: bool,
    /// Whether their peer ids are shown.
    pub with_peer_ids: bool,
    /// Whether an address is a real peer's, or this machine's own.
    pub is_taken: &'a dyn Fn(Endpoint) -> bool,
}

/// How many places of an answer go to whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shares {
    /// Places for real peers.
    pub real: usize,
    /// Places for decoys.
    pub decoys: usize,
    /// How many decoys there are to choose from.
    pub of: usize,
}

impl Decoys {
    /// Decoys in these networks, which are [`check`]ed.
    pub fn new(networks: Vec<Network>) -> Decoys {
        let key = RandomState::new();
        Decoys {
            networks,
            random: Mutex::new(Random::new(key.hash_one("which decoys are picked"))),
            key,
        }
    }

    /// Where the numbers for an answer come from.
    pub fn random(&self) -> MutexGuard<'_, Random> {
        lock(&self.random)
    }

    /// Shares out the places of an answer of the given family to an asker: of how many `real` peers,
    /// how many are `wanted`, and the `most` that anybody gets.
    pub fn share(
        &self,
        asker: IpAddr,
        is_ipv6: bool,
        (real, wanted, most): (usize, usize, usize),
        random: &mut Random,
    ) -> Shares {
        let of = match self.networks_for(asker, is_ipv6).next() {
            Some(_) => beside(real, most),
            None => 0,
        };
        let all = real + of;
        let places = wanted.min(all);
        // So many on average: rounded up as often as is fair.
        let (sure, rest) = match all {
            0 => (0, 0),
            _ => (places * of / all, places * of % all),
        };
        let one_more = rest > 0 && (random.below(all as u32) as usize) < rest;
        let decoys = sure + usize::from(one_more);
        Shares {
            real: places - decoys,
            decoys,
            of,
        }
    }

    /// Puts decoys into an answer, and all that is in it into random order: peers come sorted, by how
    /// far they are and by family, so that who is where it should not be would be a decoy.
    pub fn add(
        &self,
        answer: &Answer<'_>,
        shares: Shares,
        random: &mut Random,
        peers: &mut Vec<Peer>,
    ) {
        let mut numbers = Vec::with_capacity(shares.decoys);
        draw(random, shares.of as u32, shares.decoys, &mut numbers);
        for number in numbers {
            let decoy = self.decoy(answer, number);
            let is_new = |new: &Peer| peers.iter().all(|p| p.endpoint.ip != new.endpoint.ip);
            if let Some(decoy) = decoy.filter(is_new) {
                peers.push(decoy);
            }
        }
        for last in (1..peers.len()).rev() {
            peers.swap(last, random.below(last as u32 + 1) as usize);
        }
    }

    /// The decoy of this number, unless its address is somebody's.
    fn decoy(&self, answer: &Answer<'_>, number: u32) -> Option<Peer> {
        let whose = (answer.info_hash, number);
        let lot = self.key.hash_one((whose, "when"));
        let life = LIFE.start + lot % (LIFE.end - LIFE.start);
        // Each begins at another time, so that they come and go singly.
        let generation = (answer.now.as_secs() + (lot >> 32)) / life;
        let hash = |what: &str| self.key.hash_one((whose, generation, what));

        let networks = || self.networks_for(answer.asker, answer.is_ipv6);
        let which = hash("network") % networks().count().max(1) as u64;
        let network = networks().nth(which as usize)?;
        let end = u128::from(hash("upper half")) << 64 | u128::from(hash("lower half"));
        let (port, peer_id) = looks(hash("client"), &|n| hash(["a", "b", "c"][n]));
        let endpoint = Endpoint {
            ip: network.address(end),
            port,
        };
        let is_possible = !is_edge(network, endpoint.ip)
            && address::is_unicast(endpoint.ip)
            && endpoint.ip != answer.asker
            && !(answer.is_taken)(endpoint);
        is_possible.then(|| Peer {
            endpoint,
            peer_id: match answer.with_peer_ids {
                true => peer_id,
                false => PeerId::default(),
            },
        })
    }

    /// Those whose addresses this asker might be shown of a real peer.
    fn networks_for(&self, asker: IpAddr, is_ipv6: bool) -> impl Iterator<Item = &Network> {
        let is_near = Scope::of(asker) != Scope::Global;
        self.networks.iter().filter(move |network| {
            let leads_there = is_near || Scope::of(network.address(0)) == Scope::Global;
            network.is_ipv6() == is_ipv6 && leads_there
        })
    }
}

/// How many decoys there are beside so many peers: half as many, so that a third of all are; but
/// where all peers fit into an answer of `most`, no more than fit beside them.
fn beside(real: usize, most: usize) -> usize {
    match most.checked_sub(real) {
        Some(room) => (real / 2).min(room),
        None => real / 2,
    }
}

/// Whether it is the first or the last address of its network, which no machine has (IPv4).
fn is_edge(network: &Network, ip: IpAddr) -> bool {
    ip.is_ipv4() && (ip == network.address(0) || ip == network.address(u128::MAX))
}

/// A client that a decoy may seem to be: how its peer id begins, and its usual ports.
struct Client {
    peer_id: &'static [u8],
    /// What the rest of its peer id is made of.
    alphabet: &'static [u8],
    ports: Range<u16>,
}

const ALPHANUMERIC: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const LIBTORRENT: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_.!~*()";

/// The commonest twice.
const CLIENTS: [Client; 8] = [
    Client {
        peer_id: b"-qB5040-",
        alphabet: LIBTORRENT,
        ports: 1024..u16::MAX,
    },
    Client {
        peer_id: b"-qB4670-",
        alphabet: LIBTORRENT,
        ports: 10_000..u16::MAX,
    },
    Client {
        peer_id: b"-qB4520-",
        alphabet: LIBTORRENT,
        ports: 6881..6882,
    },
    Client {
        peer_id: b"-TR4060-",
        alphabet: ALPHANUMERIC,
        ports: 51413..51414,
    },
    Client {
        peer_id: b"-TR3000-",
        alphabet: ALPHANUMERIC,
        ports: 51413..51414,
    },
    Client {
        peer_id: b"-DE211s-",
        alphabet: LIBTORRENT,
        ports: 6881..6891,
    },
    Client {
        peer_id: b"-LT20A0-",
        alphabet: LIBTORRENT,
        ports: 49_152..u16::MAX,
    },
    Client {
        peer_id: b"-lt0D80-",
        alphabet: LIBTORRENT,
        ports: 6881..7000,
    },
];

/// Port and peer id of a client chosen by `lot`; `more` gives further random numbers, 0 to 2.
fn looks(lot: u64, more: &dyn Fn(usize) -> u64) -> (u16, PeerId) {
    let client = &CLIENTS[(lot % CLIENTS.len() as u64) as usize];
    let Range { start, end } = client.ports;
    let port = start + (more(0) % u64::from(end - start)) as u16;
    let mut id = [0; 20];
    let (beginning, rest) = id.split_at_mut(client.peer_id.len());
    beginning.copy_from_slice(client.peer_id);
    let mut lots = u128::from(more(1)) << 64 | u128::from(more(2));
    let letters = client.alphabet.len() as u128;
    let mut sum = 0;
    for byte in rest.iter_mut() {
        let letter = (lots % letters) as usize;
        lots /= letters;
        sum += letter;
        *byte = client.alphabet[letter];
    }
    if client.alphabet == ALPHANUMERIC {
        // Transmission's last letter makes the sum of all a multiple of 36.
        let last = rest.len() - 1;
        let of_last = ALPHANUMERIC.iter().position(|&byte| byte == rest[last]);
        let before = sum - of_last.unwrap_or_default();
        rest[last] = ALPHANUMERIC[(36 - before % 36) % 36];
    }
    (port, PeerId(id))
}

#[cfg(test)]
#[path = "decoys_tests.rs"]
mod tests;
