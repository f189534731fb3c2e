//! A sequence of announces and scrapes, with time passing: the tracker against a model of itself
//! that is told as simply as it can be.

use super::{Choices, ip};
use mayfly::address::{self, Scope};
use mayfly::announce::{
    Announce, Claim, EndedSwarm, Endpoint, Event, Host, InfoHash, PeerId, Reply,
};
use mayfly::refusal::Refusal;
use mayfly::swarms::{Bounds, Counts};
use mayfly::tracker::{Settings, Tracker};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
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
    "2001:db8::2",
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
/// What may be claimed besides: where no peer can live.
const NOWHERE: [&str; 3] = ["224.0.0.1", "::", "255.255.255.255"];

/// Checks the replies to a sequence of requests.
pub fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    // The bounds of an address block are kept by counters that others share now and then, so they
    // are checked on their own, and roughly.
    let kind = choices.byte() % 4;
    let bounds = Bounds {
        peers: if kind == 1 { 6 } else { 1000 },
        per_block: if kind == 2 { 5 } else { 1000 },
        per_block_in_swarm: if kind == 3 { 2 } else { 1000 },
    };
    let tracker = Tracker::new(Settings {
        numwant: NUMWANT as u32,
        bounds,
        ..Settings::default()
    });
    let mut model = Model::default();
    let mut now = Duration::from_secs(5);
    let mut reply = Reply::default();
    while !choices.is_empty() {
        let what = choices.byte();
        now += Duration::from_millis(100 * u64::from(what & 0x0f) * u64::from(choices.byte()));
        if what & 0xf0 == 0xf0 {
            model.check_scrape(&tracker, now);
            continue;
        }
        let mut announce = announce(&mut choices);
        if kind >= 2 {
            // Whether there was room for a second endpoint, the reply does not tell.
            (announce.ipv4, announce.ipv6) = (None, None);
        }
        let handled = tracker.handle(&announce, now, &mut reply);
        model.check_announce(&announce, now, bounds, handled, &reply);
        if announce.port != 0 {
            let stored = (model.peers.len() as u32, model.swarms().len());
            let totals = tracker.totals();
            let peers = totals.count(false) + totals.count(true);
            assert_eq!((peers, totals.torrents), stored);
        }
    }
}

fn announce(choices: &mut Choices<'_>) -> Announce {
    let [flags, more] = [choices.byte(), choices.byte()];
    let has = |bit: u8| flags & (1 << bit) != 0;
    let source = ip(choices.one_of(&ADDRESSES));
    let claim = |choices: &mut Choices<'_>| {
        let all = [&ADDRESSES[..], &NOWHERE].concat();
        Some(Claim {
            host: Host::Address(ip(choices.one_of(&all))),
            port: choices.one_of(&[None, Some(0), Some(1), Some(PORTS)]),
        })
    };
    let mut announce = Announce {
        info_hash: swarm(choices.byte() % SWARMS),
        peer_id: PeerId([choices.byte() % 4; 20]),
        key: None,
        source,
        local: ip(choices.one_of(&LOCALS[usize::from(source.is_ipv6())])),
        port: match choices.byte() {
            0xff => 0,
            byte => 1 + u16::from(byte) % PORTS,
        },
        is_seeder: has(0),
        has_transferred: true,
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

#[derive(Clone, Copy, PartialEq, Debug)]
struct Known {
    peer_id: PeerId,
    is_seeder: bool,
    last: Duration,
}

/// Where an asker lives.
struct Home {
    main: Endpoint,
    other: Option<Endpoint>,
    /// Where it was seen, if it lives elsewhere.
    left: Option<Endpoint>,
}

/// What the tracker should know.
#[derive(Default)]
struct Model {
    peers: BTreeMap<(InfoHash, Endpoint), Known>,
    downloaded: BTreeMap<InfoHash, u32>,
}

impl Model {
    fn check_announce(
        &mut self,
        announce: &Announce,
        now: Duration,
        bounds: Bounds,
        handled: Result<(), Refusal>,
        reply: &Reply,
    ) {
        let (of, source) = (announce.info_hash, announce.source);
        if announce.port == 0 {
            assert_eq!(handled, Err(Refusal::PortZero));
            return;
        }
        let mut ended = self.sweep(now);
        let home = home(announce);
        let is_known = self.peers.contains_key(&(of, home.main));
        let is_stopped = announce.event == Event::Stopped;
        if let Err(refusal) = handled {
            assert!(!is_known && !is_stopped);
            self.check_refused(&refusal, bounds);
            assert_eq!(ended_in(reply), ended);
            return;
        }
        assert!(is_known || is_stopped || (self.peers.len() as u32) < bounds.peers);
        self.check_block(of, home.main.ip, is_known || is_stopped, bounds);
        let is_first = !is_stopped && !self.swarms().contains(&of);
        assert_eq!(reply.is_first_peer, is_first);
        let before = self.swarms();
        for endpoint in [Some(home.main), home.other].into_iter().flatten() {
            self.note(announce, endpoint, now, bounds);
        }
        if let Some(left) = home.left {
            let is_same = |known: &Known| known.peer_id == announce.peer_id;
            if self.peers.get(&(of, left)).is_some_and(is_same) {
                self.peers.remove(&(of, left));
            }
        }
        self.forget_downloads();
        let gone = before
            .difference(&self.swarms())
            .copied()
            .collect::<Vec<_>>();
        ended.extend(gone.into_iter().map(|info_hash| (info_hash, true)));
        assert_eq!(ended_in(reply), ended);

        let counts = Counts {
            seeders: reply.seeders,
            leechers: reply.leechers,
            downloaded: reply.downloaded,
        };
        assert_eq!(counts, self.counts(of));
        assert_eq!((reply.interval, reply.min_interval), (240, 60));
        assert_eq!(reply.external_ip, source);
        match is_stopped {
            true => assert!(reply.peers.is_empty()),
            false => self.check_peers(announce, &home, reply),
        }
    }

    fn check_refused(&self, refusal: &Refusal, bounds: Bounds) {
        let of_others = self.peers.keys().filter(|(_, peer)| !peer.ip.is_loopback());
        let of_others = of_others.count() as u32;
        match refusal {
            Refusal::StoreIsFull => assert_eq!(self.peers.len() as u32, bounds.peers),
            // The counters are never too low, and too high by no more than all there are.
            Refusal::TooManyOfAddress => assert!(of_others >= bounds.per_block),
            Refusal::TooManyOfAddressInTorrent => {
                assert!(of_others >= bounds.per_block_in_swarm);
            }
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
        let of_block = self
            .peers
            .keys()
            .filter(|(_, peer)| !peer.ip.is_loopback() && block(peer.ip) == block(ip));
        let in_swarm = of_block.clone().filter(|(swarm, _)| *swarm == of).count();
        assert!((of_block.count() as u32) < bounds.per_block);
        assert!((in_swarm as u32) < bounds.per_block_in_swarm);
    }

    fn note(&mut self, announce: &Announce, endpoint: Endpoint, now: Duration, bounds: Bounds) {
        let key = (announce.info_hash, endpoint);
        if announce.event == Event::Stopped {
            self.peers.remove(&key);
            return;
        }
        let before = self.peers.get(&key).copied();
        if before.is_none() && self.peers.len() as u32 >= bounds.peers {
            return;
        }
        let known = Known {
            peer_id: announce.peer_id,
            is_seeder: announce.is_seeder,
            last: now,
        };
        self.peers.insert(key, known);
        let was_leecher = before.is_some_and(|before| !before.is_seeder);
        if was_leecher && announce.is_seeder && announce.event == Event::Completed {
            *self.downloaded.entry(announce.info_hash).or_default() += 1;
        }
    }

    fn check_peers(&self, announce: &Announce, home: &Home, reply: &Reply) {
        let of = announce.info_hash;
        let most = announce
            .numwant
            .map_or(NUMWANT, |n| NUMWANT.min(n as usize));
        let (asker, local) = (Scope::of(announce.source), announce.local);
        let is_remote = asker != Scope::Loopback;
        let shows_loopback = !is_remote
            || Scope::of(local) != Scope::Loopback && address::is_reachable_from(asker, local);
        let is_visible = |peer: &Endpoint| match Scope::of(peer.ip) {
            Scope::Loopback => shows_loopback,
            _ => address::is_reachable_from(asker, peer.ip),
        };
        let as_shown = |peer: Endpoint| match is_remote && peer.ip.is_loopback() {
            true => Endpoint { ip: local, ..peer },
            false => peer,
        };
        let is_own_family = |peer: Endpoint| peer.ip.is_ipv6() == home.main.ip.is_ipv6();
        let stored: BTreeMap<_, _> = self
            .peers
            .iter()
            .filter(|((swarm, _), known)| *swarm == of && !(announce.is_seeder && known.is_seeder))
            .map(|((_, peer), known)| (*peer, *known))
            .filter(|(peer, _)| *peer != home.main && is_visible(peer))
            .filter(|(peer, _)| announce.wants_both_families || is_own_family(as_shown(*peer)))
            .collect();
        let source = Endpoint {
            ip: announce.source,
            port: announce.port,
        };
        let own = [Some(home.main), home.other, Some(source)];
        let visible: BTreeSet<_> = stored
            .keys()
            .map(|peer| as_shown(*peer))
            .filter(|peer| !own.contains(&Some(*peer)))
            .collect();

        let shown: BTreeSet<_> = reply.peers.iter().map(|peer| peer.endpoint).collect();
        assert_eq!(shown.len(), reply.peers.len(), "none twice");
        assert!(
            shown.len() <= most && shown.is_subset(&visible),
            "{shown:?} and not {visible:?} for {announce:?}"
        );
        if stored.len() <= most {
            assert_eq!(shown, visible);
        }
        // What is shown under another address, or is the asker's own, may leave a gap.
        if stored.len() == visible.len() {
            assert_eq!(shown.len(), most.min(visible.len()));
            let of_family =
                |peers: &BTreeSet<_>| peers.iter().filter(|p| is_own_family(**p)).count();
            assert_eq!(
                of_family(&shown),
                most.min(of_family(&visible)),
                "its own family first: {shown:?} of {visible:?} for {announce:?}"
            );
        }
        for peer in &reply.peers {
            let known = stored.get(&peer.endpoint);
            match (announce.wants_peer_ids, known) {
                (true, Some(known)) if !is_remote || peer.endpoint.ip != local => {
                    assert_eq!(peer.peer_id, known.peer_id);
                }
                (true, _) => {}
                (false, _) => assert_eq!(peer.peer_id, PeerId::default()),
            }
        }
    }

    fn check_scrape(&mut self, tracker: &Tracker, now: Duration) {
        let expected_to_end = self.sweep(now);
        let mut ended = Vec::new();
        // One more than there are.
        let counts = tracker.scrape((0..=SWARMS).map(swarm), now, &mut ended);
        let expected: Vec<_> = (0..=SWARMS).map(|n| self.counts(swarm(n))).collect();
        assert_eq!(counts, expected);
        assert_eq!(as_set(&ended), expected_to_end);
    }

    /// Forgets the dead. Returns the swarms that this ends.
    fn sweep(&mut self, now: Duration) -> BTreeSet<(InfoHash, bool)> {
        let before = self.swarms();
        self.peers.retain(|_, known| now - known.last <= LIFE);
        self.forget_downloads();
        let after = self.swarms();
        before
            .difference(&after)
            .map(|swarm| (*swarm, false))
            .collect()
    }

    fn forget_downloads(&mut self) {
        let swarms = self.swarms();
        self.downloaded.retain(|swarm, _| swarms.contains(swarm));
    }

    fn swarms(&self) -> BTreeSet<InfoHash> {
        self.peers.keys().map(|(swarm, _)| *swarm).collect()
    }

    fn counts(&self, of: InfoHash) -> Counts {
        let members = self.peers.iter().filter(|((swarm, _), _)| *swarm == of);
        let (seeders, leechers): (Vec<_>, Vec<_>) = members.partition(|(_, known)| known.is_seeder);
        Counts {
            seeders: seeders.len() as u32,
            leechers: leechers.len() as u32,
            downloaded: self.downloaded.get(&of).copied().unwrap_or_default(),
        }
    }
}

fn home(announce: &Announce) -> Home {
    let source = Endpoint {
        ip: announce.source,
        port: announce.port,
    };
    let scope = Scope::of(announce.source);
    let believed = |claim: &Option<Claim>| {
        let claim = claim.as_ref().filter(|_| scope != Scope::Global)?;
        let Host::Address(ip) = claim.host else {
            return None;
        };
        let is_possible =
            address::is_unicast(ip) && (!ip.is_loopback() || scope == Scope::Loopback);
        let port = claim.port.filter(|&port| port > 0).unwrap_or(announce.port);
        is_possible.then_some(Endpoint { ip, port })
    };
    let main = believed(&announce.ip).unwrap_or(source);
    let other = match main.ip.is_ipv4() {
        true => believed(&announce.ipv6),
        false => believed(&announce.ipv4),
    };
    Home {
        main,
        other: other.filter(|other| other.ip.is_ipv4() != main.ip.is_ipv4()),
        left: (main != source).then_some(source),
    }
}

fn ended_in(reply: &Reply) -> BTreeSet<(InfoHash, bool)> {
    as_set(&reply.ended)
}

fn as_set(ended: &[EndedSwarm]) -> BTreeSet<(InfoHash, bool)> {
    let set: BTreeSet<_> = ended
        .iter()
        .map(|e| (e.info_hash, e.said_goodbye))
        .collect();
    assert_eq!(set.len(), ended.len(), "{ended:?}");
    set
}
