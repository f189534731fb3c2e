//! The vocabulary of an announce: what a client asks, and what the tracker replies.
//!
//! Plain values, shared by both transports and by the state. No parsing of any wire format lives
//! here (see `http/announce.rs`), no policy (see `tracker.rs`), and no refusal (see `refusal.rs`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The 20 raw bytes that name a torrent: the SHA-1 of its info dictionary (BEP 3), or the
/// first 20 bytes of the SHA-256 for a version 2 torrent (BEP 52).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InfoHash(pub [u8; 20]);

impl fmt::Display for InfoHash {
    /// 40 hexadecimal digits, as clients show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InfoHash({self})")
    }
}

/// The 20 raw bytes a client calls itself by (BEP 3). Data, not identity: see [`Endpoint`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PeerId(pub [u8; 20]);

/// Where a peer listens. Within a swarm this, and not the peer_id, is who a peer is: an address
/// cannot be made up as easily as 20 bytes of the client's choice.
///
/// The address is canonical: never an IPv4 address in IPv6 clothes (`address::canonical`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Endpoint {
    /// Canonical address.
    pub ip: IpAddr,
    /// TCP and uTP port, 1 to 65535.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.ip, self.port).fmt(f)
    }
}

/// Why a client announces (BEP 3). Anything else, BEP 21's `paused` among it, is an [`Update`].
///
/// [`Update`]: Event::Update
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Event {
    /// The regular announce: no event, an empty one, or one that the tracker does not know.
    #[default]
    Update,
    /// The first announce; the tracker does not insist on it.
    Started,
    /// The client has just got the last piece.
    Completed,
    /// The client leaves.
    Stopped,
}

/// An address that a client gives as its own (`ip=`, `ipv4=`, `ipv6=`; the `ip` field of BEP 15).
/// Whether it is believed is for `tracker.rs` to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The address, or the name of a machine that has one.
    pub host: Host,
    /// The port that came with it (BEP 7 allows `ipv6=[address]:port`).
    pub port: Option<u16>,
}

/// One of the two things that `ip=` may hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Host {
    /// A canonical address.
    Address(IpAddr),
    /// A DNS name, in lower case.
    Name(String),
}

impl Claim {
    /// Reads `192.0.2.7`, `192.0.2.7:6881`, `2001:db8::7`, `[2001:db8::7]`,
    /// `[2001:db8::7]:6881` or a DNS name. `None` for everything else.
    pub fn parse(text: &str) -> Option<Claim> {
        if let Some((ip, port)) = crate::address::parse(text) {
            let host = Host::Address(ip);
            return Some(Claim { host, port });
        }
        is_host_name(text).then(|| Claim {
            host: Host::Name(text.to_ascii_lowercase()),
            port: None,
        })
    }
}

/// Whether `text` could be a DNS name (RFC 1123), so that nothing else is ever looked up.
fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    // A last label of digits is a mistyped address, not a name.
    let last_is_number = || {
        text.rsplit('.')
            .next()
            .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()))
    };
    text.len() <= 253 && text.split('.').all(label) && !last_is_number()
}

/// One announce, whichever transport brought it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announce {
    /// The torrent.
    pub info_hash: InfoHash,
    /// What the client calls itself.
    pub peer_id: PeerId,
    /// What proves that it is the one which called itself so before: other peers learn its
    /// peer_id, and never this.
    pub key: Option<u32>,
    /// The canonical address that the announce came from.
    pub source: IpAddr,
    /// The canonical address of this machine that the client reached.
    pub local: IpAddr,
    /// The port that the client listens on; 0 is refused by `tracker.rs`.
    pub port: u16,
    /// Whether the client has it all: `left=0` and nothing else.
    pub is_seeder: bool,
    /// Whether it has uploaded or downloaded anything yet, as far as it says.
    pub has_transferred: bool,
    /// Why the client announces.
    pub event: Event,
    /// How many peers the client wants; `None` where it leaves that to the tracker.
    pub numwant: Option<u32>,
    /// Whether the answer will carry peer ids (a non-compact answer without `no_peer_id`).
    pub wants_peer_ids: bool,
    /// Whether the answer has a place for peers of the other address family.
    pub wants_both_families: bool,
    /// `ip=`: where the client says it is.
    pub ip: Option<Claim>,
    /// `ipv4=`: where else it says it is (BEP 7).
    pub ipv4: Option<Claim>,
    /// `ipv6=`: likewise.
    pub ipv6: Option<Claim>,
}

/// A peer as it is shown to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Where it can be reached.
    pub endpoint: Endpoint,
    /// What it calls itself; zeros where the announce had no use for it.
    pub peer_id: PeerId,
}

/// What a client gets for its announce. Filled by `Tracker::handle`, and kept by its caller from
/// one announce to the next, so that an ordinary announce allocates nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// Seconds until the client should announce again.
    pub interval: u32,
    /// Seconds before which it should not.
    pub min_interval: u32,
    /// Peers that have it all.
    pub seeders: u32,
    /// Peers that do not.
    pub leechers: u32,
    /// How many have become seeders since the swarm was first heard of.
    pub downloaded: u32,
    /// The address that the announce came from (BEP 24).
    pub external_ip: IpAddr,
    /// Others in the swarm, picked at random; never the asker.
    pub peers: Vec<Peer>,
    /// Whether this announce made the swarm.
    pub is_first_peer: bool,
    /// Swarms whose last peer went while this announce was handled.
    pub ended: Vec<EndedSwarm>,
}

impl Peer {
    /// What stands in the place of a peer until one is written there.
    pub const NOWHERE: Peer = Peer {
        endpoint: Endpoint {
            ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 0,
        },
        peer_id: PeerId([0; 20]),
    };
}

impl Default for Reply {
    fn default() -> Self {
        Reply {
            interval: 0,
            min_interval: 0,
            seeders: 0,
            leechers: 0,
            downloaded: 0,
            external_ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            peers: Vec::new(),
            is_first_peer: false,
            ended: Vec::new(),
        }
    }
}

/// A swarm that is no more, for the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndedSwarm {
    /// Which.
    pub info_hash: InfoHash,
    /// Whether its last peer said goodbye; otherwise it fell silent.
    pub said_goodbye: bool,
}

#[cfg(test)]
#[path = "announce_tests.rs"]
mod tests;
