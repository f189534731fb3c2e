//! The vocabulary of an announce: what a client asks, what the tracker replies or refuses.
//!
//! Plain values, shared by both transports and by the state. No parsing of any wire format lives
//! here (see `http/announce.rs`), and no policy (see `tracker.rs`).

use crate::counters::Reason;
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

/// Why an announce is refused. The text is for the person in front of the client: what is wrong,
/// and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The method is neither GET nor HEAD.
    NotAGet,
    /// No `info_hash`.
    MissingInfoHash,
    /// No `peer_id`.
    MissingPeerId,
    /// No `port`.
    MissingPort,
    /// `info_hash` is not 20 bytes, and looks like what [`Mistake`] says.
    InfoHash(Mistake),
    /// `peer_id` is not 20 bytes but so many.
    PeerIdLength(usize),
    /// `port` is 0: the client listens on none, or does not say on which.
    PortZero,
    /// `port` is above 65535 or no number: the text that came.
    Port(String),
    /// A scrape of everything.
    NothingToScrape,
    /// The tracker has as many peers as it may have.
    StoreIsFull,
    /// One address has as many peers as it may have.
    TooManyOfAddress,
    /// One address has as many peers in this torrent as it may have.
    TooManyOfAddressInTorrent,
    /// A scrape, while those are not answered.
    ScrapeIsOff,
    /// A trusted proxy does not say whose announce it is.
    NotForwarded,
    /// A trusted proxy names no address that can be read, but says this.
    Forwarded(String),
    /// Something broke inside the tracker.
    Internal,
}

/// What an `info_hash` of the wrong length looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mistake {
    /// 40 hexadecimal digits.
    Hexadecimal,
    /// 32 base32 digits, as in old magnet links.
    Base32,
    /// Percent signs are left after decoding.
    EscapedTwice,
    /// Nothing known: so many bytes.
    Length(usize),
}

impl Refusal {
    /// The `failure code` of the answer, numbered as on wiki.theory.org.
    pub fn code(&self) -> u16 {
        match self {
            Refusal::NotAGet => 100,
            Refusal::MissingInfoHash | Refusal::NothingToScrape => 101,
            Refusal::MissingPeerId => 102,
            Refusal::MissingPort => 103,
            Refusal::InfoHash(_) => 150,
            Refusal::PeerIdLength(_) => 151,
            _ => 900,
        }
    }

    /// What it is counted as.
    pub fn reason(&self) -> Reason {
        match self {
            Refusal::NotAGet => Reason::NotAGet,
            Refusal::MissingInfoHash => Reason::MissingInfoHash,
            Refusal::MissingPeerId => Reason::MissingPeerId,
            Refusal::MissingPort => Reason::MissingPort,
            Refusal::InfoHash(_) => Reason::InfoHash,
            Refusal::PeerIdLength(_) => Reason::PeerId,
            Refusal::PortZero => Reason::PortZero,
            Refusal::Port(_) => Reason::Port,
            Refusal::NothingToScrape => Reason::NothingToScrape,
            Refusal::StoreIsFull => Reason::StoreIsFull,
            Refusal::TooManyOfAddress => Reason::TooManyOfAddress,
            Refusal::TooManyOfAddressInTorrent => Reason::TooManyOfAddressInTorrent,
            Refusal::ScrapeIsOff => Reason::ScrapeIsOff,
            Refusal::NotForwarded | Refusal::Forwarded(_) => Reason::Forwarded,
            Refusal::Internal => Reason::Internal,
        }
    }

    /// Whose fault it probably is, for the log.
    pub fn fault(&self) -> &'static str {
        match self {
            Refusal::StoreIsFull => "a popular tracker (--max-peers), or an attack",
            Refusal::TooManyOfAddress | Refusal::TooManyOfAddressInTorrent => {
                "very many clients behind one router, or an attack"
            }
            Refusal::ScrapeIsOff => "nobody's fault: --scrape turns them on",
            Refusal::NotForwarded | Refusal::Forwarded(_) => {
                "the proxy's configuration; dont_readme.txt has some that work"
            }
            Refusal::Internal => "a defect of mayfly: please report it",
            Refusal::PortZero => {
                "probably the client listens on no port, or a proxy in between hides it"
            }
            Refusal::MissingInfoHash => "probably a person with a browser, or a client's fault",
            _ => "probably the client's fault",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NotAGet => f.write_str("an announce is a GET request; send GET"),
            Refusal::MissingInfoHash => f.write_str(
                "info_hash is missing; this URL is for BitTorrent clients: \
                 add it to a torrent's trackers",
            ),
            Refusal::MissingPeerId => {
                f.write_str("peer_id is missing; send the client's 20 bytes, percent-encoded")
            }
            Refusal::MissingPort => {
                f.write_str("port is missing; send the port that the client listens on")
            }
            Refusal::InfoHash(Mistake::Hexadecimal) => f.write_str(
                "info_hash is 40 characters of hexadecimal; \
                 send the 20 raw bytes, percent-encoded",
            ),
            Refusal::InfoHash(Mistake::Base32) => f.write_str(
                "info_hash is 32 characters of base32; send the 20 raw bytes, percent-encoded",
            ),
            Refusal::InfoHash(Mistake::EscapedTwice) => f.write_str(
                "info_hash is percent-encoded twice; \
                 send the 20 raw bytes, percent-encoded once",
            ),
            Refusal::InfoHash(Mistake::Length(length)) => write!(
                f,
                "info_hash is {length} bytes, not 20; send the 20 raw bytes, percent-encoded"
            ),
            Refusal::PeerIdLength(length) => write!(
                f,
                "peer_id is {length} bytes, not 20; send the client's 20 bytes, percent-encoded"
            ),
            Refusal::PortZero => f.write_str(
                "port is '0'; send the port that the client listens on, 1 to 65535 \
                 (behind a proxy, set the listening port by hand)",
            ),
            Refusal::Port(text) => write!(
                f,
                "port is '{}'; send the port that the client listens on, 1 to 65535",
                text.escape_debug()
            ),
            Refusal::NothingToScrape => {
                f.write_str("info_hash is missing; a scrape names the torrents that it asks for")
            }
            Refusal::StoreIsFull => f.write_str(
                "this tracker has as many peers as it may have; try again later, or another one",
            ),
            Refusal::TooManyOfAddress => f.write_str(
                "your address has as many peers on this tracker as one may have; try again later",
            ),
            Refusal::TooManyOfAddressInTorrent => f.write_str(
                "your address has as many peers in this torrent as one may have; try again later",
            ),
            Refusal::ScrapeIsOff => f.write_str("this tracker does not answer scrapes"),
            Refusal::NotForwarded => f.write_str(
                "the tracker's proxy does not say who asks; \
                 it has to set X-Forwarded-For to the client's address",
            ),
            Refusal::Forwarded(said) => write!(
                f,
                "the tracker's proxy says '{}', which names no client; \
                 it has to set X-Forwarded-For to the client's address",
                said.escape_debug()
            ),
            Refusal::Internal => {
                f.write_str("the tracker met an error of its own; the next announce may work")
            }
        }
    }
}

#[cfg(test)]
#[path = "announce_tests.rs"]
mod tests;
