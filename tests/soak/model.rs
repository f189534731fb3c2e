//! What the tracker has to say, by what the honest clients told it: a torrent's counts and peers,
//! checked with every answer. Nothing is sent from here.
//!
//! A peer that has not been heard of for the life of a peer is forgotten. When the tracker heard of
//! it, is known to lie between a question and its answer, so near the end of a life there are two
//! right counts; everywhere else there is one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The tracker counts time in tenths of a second, and the clocks of two programs are read at
/// different moments.
const BLUR: Duration = Duration::from_millis(300);
/// When very many die at once, they are counted until a sweep has reached them.
const SWEPT: Duration = Duration::from_secs(4);

/// Something happened in between.
#[derive(Clone, Copy)]
pub struct Span {
    pub asked: Instant,
    pub answered: Instant,
}

#[derive(Clone)]
pub struct Peer {
    pub address: SocketAddr,
    pub is_seeder: bool,
    /// It will not be heard of again.
    pub has_vanished: bool,
    /// When the tracker heard of it last.
    pub heard: Span,
}

pub struct Torrent {
    pub hash: [u8; 20],
    pub peers: Vec<Peer>,
    pub life: Duration,
    /// Downloads counted, at least and at most.
    pub downloaded: (u64, u64),
}

/// What an answer says.
pub struct Seen {
    pub seeders: u64,
    pub leechers: u64,
    /// Not in answers over UDP.
    pub downloaded: Option<u64>,
    pub shown: Vec<SocketAddr>,
}

/// Who asked, and how.
pub struct Asker {
    pub address: SocketAddr,
    pub is_seeder: bool,
    /// Whether peers of the other address family may be in the answer.
    pub both_families: bool,
    /// Whether it left, and so is shown nobody.
    pub has_left: bool,
}

/// Peers in an answer, as the tracker is started.
const MOST_SHOWN: usize = 30;

impl Torrent {
    pub fn position(&self, address: SocketAddr) -> Option<usize> {
        self.peers.iter().position(|peer| peer.address == address)
    }

    /// Takes in that a peer was announced.
    pub fn heard(&mut self, address: SocketAddr, is_seeder: bool, completed: bool, heard: Span) {
        match self.position(address) {
            Some(index) => {
                let was_there = self.surely_lives(&self.peers[index], heard);
                let peer = &mut self.peers[index];
                if completed && !peer.is_seeder {
                    // One that was forgotten meanwhile would have come as a seeder.
                    self.downloaded.0 += u64::from(was_there);
                    self.downloaded.1 += 1;
                }
                (peer.is_seeder, peer.heard) = (is_seeder, heard);
            }
            None => self.peers.push(Peer {
                address,
                is_seeder,
                has_vanished: false,
                heard,
            }),
        }
    }

    pub fn left(&mut self, address: SocketAddr) {
        self.peers.retain(|peer| peer.address != address);
    }

    /// Lets go of those who are dead and swept for certain.
    pub fn sweep(&mut self, now: Instant) {
        let span = Span {
            asked: now,
            answered: now,
        };
        let life = self.life;
        self.peers
            .retain(|p| silence_at_least(p, span) < life + SWEPT);
    }

    /// Whether the vanished are gone for certain, and everybody else is there for certain.
    pub fn is_settled(&self, now: Instant) -> bool {
        let span = Span {
            asked: now,
            answered: now,
        };
        let is_there = |peer: &Peer| !peer.has_vanished && self.surely_lives(peer, span);
        self.peers.iter().all(is_there)
    }

    /// Panics if that is not what the tracker has to say.
    pub fn check(&self, seen: &Seen, asker: &Asker, when: Span) {
        let count = |is_seeder: bool| {
            let kind = || self.peers.iter().filter(|p| p.is_seeder == is_seeder);
            let least = kind().filter(|p| self.surely_lives(p, when)).count() as u64;
            let most = kind().filter(|p| silence_at_least(p, when) < self.life + SWEPT);
            least..=most.count() as u64
        };
        let (seeders, leechers) = (count(true), count(false));
        let is_right = seeders.contains(&seen.seeders) && leechers.contains(&seen.leechers);
        let (s, l) = (seen.seeders, seen.leechers);
        assert!(
            is_right,
            "{s} seeders of {seeders:?}, {l} leechers of {leechers:?}"
        );
        if let Some(downloaded) = seen.downloaded {
            let (least, most) = self.downloaded;
            let right = least..=most;
            assert!(
                right.contains(&downloaded),
                "{downloaded} downloads of {right:?}"
            );
        }
        self.check_shown(&seen.shown, asker, when);
    }

    fn check_shown(&self, shown: &[SocketAddr], asker: &Asker, when: Span) {
        if asker.has_left {
            assert_eq!(shown, [], "somebody is shown to one who leaves");
            return;
        }
        assert!(shown.len() <= MOST_SHOWN, "{} shown", shown.len());
        let mut sorted = shown.to_vec();
        sorted.sort();
        sorted.dedup();
        assert_eq!(
            sorted.len(),
            shown.len(),
            "somebody is shown twice: {shown:?}"
        );
        for &address in shown {
            assert_ne!(address, asker.address, "the asker is shown itself");
            let Some(index) = self.position(address) else {
                panic!("{address} is shown, and was never announced or has left");
            };
            let peer = &self.peers[index];
            // The counts may be late with the dead; nobody is ever sent to them.
            let silence = silence_at_least(peer, when);
            assert!(
                silence < self.life + BLUR,
                "{address} is shown, dead for {silence:?}"
            );
            assert!(
                !(asker.is_seeder && peer.is_seeder),
                "a seeder is shown a seeder"
            );
        }
        let may_be_shown = |peer: &&Peer| {
            peer.address != asker.address
                && !(asker.is_seeder && peer.is_seeder)
                && (asker.both_families || peer.address.is_ipv4() == asker.address.is_ipv4())
                && self.surely_lives(peer, when)
        };
        let least = self
            .peers
            .iter()
            .filter(may_be_shown)
            .count()
            .min(MOST_SHOWN);
        assert!(shown.len() >= least, "{} shown of {least}", shown.len());
    }

    pub fn surely_lives(&self, peer: &Peer, when: Span) -> bool {
        let longest = when.answered.saturating_duration_since(peer.heard.asked);
        longest + BLUR < self.life
    }
}

/// How long a peer has been silent, if the tracker heard it as late as possible.
fn silence_at_least(peer: &Peer, when: Span) -> Duration {
    when.asked.saturating_duration_since(peer.heard.answered)
}
