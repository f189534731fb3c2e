//! A sequence of announces and scrapes, with time passing: the tracker against a model of itself
//! that is told as simply as it can be.

#[path = "../../../src/swarms/model.rs"]
mod model;

use super::{Choices, ip};
use mayfly::address::{self, Scope};
use mayfly::announce::{
    Announce, Claim, EndedSwarm, Endpoint, Event, Host, InfoHash, PeerId, Reply,
};
use mayfly::own_addresses::{OwnAddress, OwnAddresses};
use mayfly::public_address::{PublicAddress, PublicHost};
use mayfly::refusal::Refusal;
use mayfly::swarms::{Address, Announced, Bounds, Counts, Identity, Kind, Place, Selection, View};
use mayfly::tracker::{Settings, Surroundings, Tracker};
use model::{Model, Who, check_picked, who};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// 11 minutes, which is more than 1.8 intervals of 240 seconds.
const LIFE: Duration = Duration::from_secs(660);
const NUMWANT: usize = 8;
const SWARMS: u8 = 3;
/// The few endpoints there are: all of them in all swarms are fewer than one sweep takes.
const PORTS: u16 = 2;
const ADDRESSES: [&str; 10] = [
    "203.0.113.1",
    "203.0.113.2",
    "2001:db8::1",
    "172.17.0.2",
    "192.168.1.2",
    "192.168.1.3",
    "fd00::2",
    "127.0.0.1",
    "::1",
    // The tracker's own.
    "198.51.100.1",
];
/// Where they may have reached the tracker, over IPv4 and over IPv6.
const LOCALS: [[&str; 3]; 2] = [
    ["198.51.100.1", "192.168.1.1", "127.0.0.1"],
    ["2001:db8::ff", "fd00::1", "::1"],
];
/// Whence nobody can be reached.
const LINK_LOCAL: &str = "fe80::5";
/// What may be claimed besides: where no peer can live.
const NOWHERE: [&str; 3] = ["224.0.0.1", LINK_LOCAL, "255.255.255.255"];
const GATEWAY: &str = "172.17.0.1";
const PUBLIC: &str = "198.51.100.1";

/// Checks the replies to a sequence of requests.
pub fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    // The bounds of an address block are kept by counters that others share now and then, so they
    // are checked on their own, and roughly.
    let first = choices.byte();
    let kind = first % 4;
    let bounds = Bounds {
        peers: if kind == 1 { 6 } else { 1000 },
        per_block: if kind == 2 { 5 } else { 1000 },
        per_block_in_swarm: if kind == 3 { 2 } else { 1000 },
        ..Bounds::default()
    };
    let settings = Settings {
        numwant: NUMWANT as u32,
        bounds,
        ..Settings::default()
    };
    let here = Here {
        has_bridge: first & 4 != 0,
        is_known: first & 8 != 0,
    };
    let tracker = Tracker::new(settings).within(here.surroundings());
    let mut all = All::default();
    let mut now = Duration::from_secs(5);
    let mut reply = Reply::default();
    while !choices.is_empty() {
        let what = choices.byte();
        now += Duration::from_millis(100 * u64::from(what & 0x0f) * u64::from(choices.byte()));
        if what & 0xf0 == 0xf0 {
            all.check_scrape(&tracker, now);
            continue;
        }
        let mut announce = announce(&mut choices);
        if kind >= 2 {
            // Whether there was room for a second endpoint, the reply does not tell.
            (announce.ip, announce.ipv4, announce.ipv6) = (None, None, None);
        }
        let handled = tracker.handle(&announce, now, &mut reply);
        all.check_announce(&announce, here, now, bounds, handled, &reply);
        if announce.port != 0 {
            let clients = all
                .0
                .values()
                .map(|model| model.clients.len())
                .sum::<usize>();
            let totals = tracker.totals();
            let counted = totals.count(false) + totals.count(true);
            assert_eq!((counted as usize, totals.torrents), (clients, all.0.len()));
        }
    }
}

fn announce(choices: &mut Choices<'_>) -> Announce {
    let [flags, more] = [choices.byte(), choices.byte()];
    let has = |bit: u8| flags & (1 << bit) != 0;
    let sources = [&ADDRESSES[..], &[LINK_LOCAL, GATEWAY]].concat();
    let source = ip(choices.one_of(&sources));
    let claim = |choices: &mut Choices<'_>| {
        let all = [&ADDRESSES[..], &NOWHERE].concat();
        Some(Claim {
            host: Host::Address(ip(choices.one_of(&all))),
            port: choices.one_of(&[None, Some(0), Some(1), Some(PORTS)]),
        })
    };
    let mut announce = Announce {
        info_hash: swarm(choices.byte() % SWARMS),
        peer_id: PeerId([more >> 5 & 3; 20]),
        key: choices.one_of(&[None, Some(1), Some(2)]),
        source,
        local: ip(choices.one_of(&LOCALS[usize::from(source.is_ipv6())])),
        port: match choices.byte() {
            0xff => 0,
            byte => 1 + u16::from(byte) % PORTS,
        },
        is_seeder: has(0),
        has_transferred: has(7),
        event: [
            Event::Update,
            Event::Started,
            Event::Completed,
            Event::Stopped,
        ][usize::from(more & 3)],
        numwant: has(1).then(|| choices.byte().into()),
        wants_peer_ids: has(2),
        wants_both_families: has(3),
        ip: has(4).then(|| claim(choices)).flatten(),
        ipv4: has(5).then(|| claim(choices)).flatten(),
        ipv6: has(6).then(|| claim(choices)).flatten(),
    };
    if !announce.wants_both_families {
        // As over UDP, where there is a place for an IPv4 address, and over IPv4 only.
        let is_ipv4 = |claim: &Claim| matches!(claim.host, Host::Address(IpAddr::V4(_)));
        announce.ip = announce
            .ip
            .filter(|claim| source.is_ipv4() && is_ipv4(claim));
        (announce.ipv4, announce.ipv6) = (None, None);
    }
    announce
}

fn swarm(n: u8) -> InfoHash {
    InfoHash([n; 20])
}

/// What is around the tracker.
#[derive(Clone, Copy)]
struct Here {
    has_bridge: bool,
    /// By its public address.
    is_known: bool,
}

impl Here {
    fn surroundings(self) -> Surroundings {
        let bridge = self.has_bridge.then(|| OwnAddress {
            ip: ip(GATEWAY),
            bits: 16,
            is_virtual: true,
            ..OwnAddress::default()
        });
        let own = OwnAddresses::of(bridge.into_iter().collect(), Vec::new());
        let public = self.is_known.then(|| PublicHost::Address(ip(PUBLIC)));
        let public = PublicAddress::new(public.into_iter().collect(), 9000, true);
        Surroundings {
            own_addresses: Arc::new(own),
            public_address: Arc::new(public),
        }
    }

    fn place(self, ip: IpAddr) -> Place {
        match Scope::of(ip) {
            Scope::Loopback => Place::Loopback,
            Scope::Lan if self.has_bridge && ip.to_string().starts_with("172.17.") => {
                Place::Container
            }
            Scope::Lan => Place::Lan,
            Scope::Global => Place::Internet,
        }
    }

    /// Where an asker is believed to live, where it was seen first.
    fn addresses(self, announce: &Announce) -> Vec<Address> {
        let place = self.place(announce.source);
        let mut all = Vec::new();
        if announce.source != ip(LINK_LOCAL) {
            all.push(Address {
                endpoint: source(announce),
                place,
                is_claimed: false,
            });
        }
        let is_believed = match place {
            Place::Container => announce.source != ip(GATEWAY),
            place => place != Place::Internet,
        };
        let claims = [&announce.ip, &announce.ipv4, &announce.ipv6];
        for claim in claims.into_iter().flatten().filter(|_| is_believed) {
            let Host::Address(ip) = claim.host else {
                continue;
            };
            let is_possible = address::is_unicast(ip) && !address::is_link_local(ip);
            let may_be_there = match self.place(ip) {
                Place::Loopback => place == Place::Loopback,
                Place::Container => place != Place::Lan,
                _ => true,
            };
            let port = claim.port.filter(|&port| port > 0).unwrap_or(announce.port);
            let endpoint = Endpoint { ip, port };
            let is_new = endpoint != source(announce) && all.iter().all(|a| a.endpoint != endpoint);
            if is_possible && may_be_there && is_new {
                all.push(Address {
                    endpoint,
                    place: self.place(ip),
                    is_claimed: true,
                });
            }
        }
        all
    }

    fn view(self, announce: &Announce) -> View {
        let (from, local) = (self.place(announce.source), announce.local);
        let public = self.is_known.then(|| ip(PUBLIC));
        let machine_as = match (from, Scope::of(local)) {
            (Place::Loopback, _) => None,
            (Place::Internet, Scope::Global) => Some(local),
            (Place::Internet, _) => public,
            (_, Scope::Loopback) => None,
            _ => Some(local),
        };
        let lan_as = public.filter(|_| from == Place::Internet);
        View {
            from,
            machine_as,
            lan_as: lan_as.map(|_| PUBLIC.parse().expect("an address")),
        }
    }
}

fn source(announce: &Announce) -> Endpoint {
    Endpoint {
        ip: announce.source,
        port: announce.port,
    }
}

/// What the tracker should know: its swarms that have somebody.
#[derive(Default)]
struct All(BTreeMap<InfoHash, Model>);

impl All {
    fn check_announce(
        &mut self,
        announce: &Announce,
        here: Here,
        now: Duration,
        bounds: Bounds,
        handled: Result<(), Refusal>,
        reply: &Reply,
    ) {
        let of = announce.info_hash;
        if announce.port == 0 {
            assert_eq!(handled, Err(Refusal::PortZero));
            return;
        }
        let mut ended = self.sweep(now);
        let addresses = here.addresses(announce);
        let identity = Identity {
            peer_id: announce.peer_id,
            key: announce.key,
            source: source(announce),
        };
        let first = addresses.first().map(|address| address.endpoint);
        let records = self.0.get(&of).map(|model| &model.records);
        let is_known = first.is_none_or(|first| records.is_some_and(|r| r.contains_key(&first)));
        let is_stopped = announce.event == Event::Stopped;
        if let Err(refusal) = handled {
            assert!(!is_known && !is_stopped);
            self.check_refused(&refusal, bounds);
            assert_eq!(as_set(&reply.ended), ended);
            return;
        }
        let stored = self.stored();
        let is_no_newcomer = is_known || is_stopped;
        assert!(is_no_newcomer || stored < bounds.peers as usize);
        self.check_block(of, announce.source, is_no_newcomer, bounds);

        let was_known = self.0.contains_key(&of);
        let model = self.0.entry(of).or_default();
        if is_stopped {
            model.forget(|_, record| record.who == who(&identity));
        } else {
            let announced = Announced {
                who: identity,
                is_complete: announce.is_seeder,
                has_transferred: announce.has_transferred,
                completed: announce.event == Event::Completed,
                addresses: &addresses,
            };
            model.put(&announced, now, bounds.peers as usize - stored);
        }
        let is_there = !model.records.is_empty();
        assert_eq!(reply.is_first_peer, is_there && !was_known);
        let counts = Counts {
            seeders: reply.seeders,
            leechers: reply.leechers,
            downloaded: reply.downloaded,
        };
        assert_eq!(counts, model.counts());
        if !is_there {
            self.0.remove(&of);
            ended.extend(was_known.then_some((of, true)));
        }
        assert_eq!(as_set(&reply.ended), ended);
        assert_eq!((reply.interval, reply.min_interval), (240, 60));
        assert_eq!(reply.external_ip, announce.source);
        match self.0.get(&of) {
            Some(model) if !is_stopped => {
                check_peers(model, announce, here.view(announce), who(&identity), reply);
            }
            _ => assert!(reply.peers.is_empty()),
        }
    }

    fn stored(&self) -> usize {
        self.0.values().map(|model| model.records.len()).sum()
    }

    fn check_refused(&self, refusal: &Refusal, bounds: Bounds) {
        // The counters are never too low, and too high by no more than all there are.
        let stored = self.stored() as u32;
        match refusal {
            Refusal::StoreIsFull => assert_eq!(stored, bounds.peers),
            Refusal::TooManyOfAddress => assert!(stored >= bounds.per_block),
            Refusal::TooManyOfAddressInTorrent => assert!(stored >= bounds.per_block_in_swarm),
            other => panic!("{other:?}"),
        }
    }

    /// Checks that who was let in was not one too many for its address.
    fn check_block(&self, of: InfoHash, ip: IpAddr, is_no_newcomer: bool, bounds: Bounds) {
        if is_no_newcomer || ip.is_loopback() {
            return;
        }
        let block = |ip: IpAddr| match ip {
            IpAddr::V4(_) => address::to_bytes(ip).to_vec(),
            IpAddr::V6(_) => address::to_bytes(ip)[..8].to_vec(),
        };
        let in_swarm = |model: &Model| {
            let seen = model
                .records
                .iter()
                .filter(|(_, record)| !record.is_claimed);
            seen.filter(|(peer, _)| block(peer.ip) == block(ip)).count() as u32
        };
        let in_all: u32 = self.0.values().map(in_swarm).sum();
        assert!(in_all < bounds.per_block);
        assert!(self.0.get(&of).map_or(0, in_swarm) < bounds.per_block_in_swarm);
    }

    fn check_scrape(&mut self, tracker: &Tracker, now: Duration) {
        let expected_to_end = self.sweep(now);
        let mut ended = Vec::new();
        // One more than there are.
        let counts = tracker.scrape((0..=SWARMS).map(swarm), now, &mut ended);
        let counts_of = |n| {
            self.0
                .get(&swarm(n))
                .map_or(Counts::default(), Model::counts)
        };
        let expected: Vec<_> = (0..=SWARMS).map(counts_of).collect();
        assert_eq!(counts, expected);
        assert_eq!(as_set(&ended), expected_to_end);
    }

    /// Forgets the dead. Returns the swarms that this ends.
    fn sweep(&mut self, now: Duration) -> BTreeSet<(InfoHash, bool)> {
        let mut ended = BTreeSet::new();
        self.0.retain(|swarm, model| {
            model.forget(|_, record| now - record.last > LIFE);
            let is_there = !model.records.is_empty();
            ended.extend((!is_there).then_some((*swarm, false)));
            is_there
        });
        ended
    }
}

fn check_peers(model: &Model, announce: &Announce, view: View, own: Who, reply: &Reply) {
    let most = announce
        .numwant
        .map_or(NUMWANT, |n| NUMWANT.min(n as usize));
    let known = model.clients.get(&own);
    let said = Kind::of(announce.is_seeder, announce.has_transferred);
    let kind = known.map_or(said, |known| known.kind());
    let selection = Selection {
        view,
        is_ipv6: announce.source.is_ipv6(),
        both_families: announce.wants_both_families,
        most,
        with_peer_ids: announce.wants_peer_ids,
        one_by_one: false,
    };
    let rounds = model.visible(known.map(|_| own), kind, &selection);
    let got: Vec<_> = reply.peers.iter().map(|peer| peer.endpoint).collect();
    let different: BTreeSet<_> = got.iter().collect();
    assert_eq!(different.len(), got.len(), "none twice");
    assert!(!different.contains(&source(announce)), "not itself");
    // Two clients that look the same, or like the asker, leave a gap.
    let all = rounds.concat();
    let all_different: BTreeSet<_> = all.iter().collect();
    let has_twins = all_different.len() < all.len();
    let claims = [&announce.ip, &announce.ipv4, &announce.ipv6];
    if has_twins || all.contains(&source(announce)) || claims.iter().any(|claim| claim.is_some()) {
        assert!(
            got.len() <= most && different.is_subset(&all_different),
            "{different:?} of {all_different:?} for {announce:?}"
        );
    } else {
        check_picked(got, rounds, most);
    }
    for peer in &reply.peers {
        match (announce.wants_peer_ids, model.records.get(&peer.endpoint)) {
            (true, Some(record)) if record.who.0 == peer.peer_id.0 => {}
            // It is shown where another is.
            (true, _) if Some(peer.endpoint.ip) == view.machine_as => {}
            (true, _) => assert_eq!(Some(peer.endpoint.ip), view.lan_as.map(IpAddr::V4)),
            (false, _) => assert_eq!(peer.peer_id, PeerId::default()),
        }
    }
}

fn as_set(ended: &[EndedSwarm]) -> BTreeSet<(InfoHash, bool)> {
    let set: BTreeSet<_> = ended
        .iter()
        .map(|e| (e.info_hash, e.said_goodbye))
        .collect();
    assert_eq!(set.len(), ended.len(), "{ended:?}");
    set
}
