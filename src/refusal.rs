//! Every refusal in one place: its text, its failure code, its HTTP status, what it is counted as,
//! whose fault it probably is, and whether it will pass.
//!
//! A new one is a variant of [`Refusal`] (or of what is in one), and the compiler then asks for
//! the rest: nothing below has an arm for "all others". Who counts, logs and writes refusals is in
//! `service.rs` and the two `server.rs`.

use std::fmt;

/// Why something is refused. What it displays is for the person in front of the client: what is
/// wrong, and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A request that is none for a tracker, by what HTTP says of it.
    Http(HttpRefusal),
    /// A UDP packet that is none for a tracker.
    Packet(BadPacket),
    /// A UDP packet with a connection id that is not, or no longer, its sender's.
    ConnectionId,
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
    /// A trusted proxy names different clients in these headers.
    ContradictoryProxy(String),
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
    /// The whole SHA-256 of a version 2 torrent (BEP 52), as it is or in hexadecimal.
    Version2,
    /// Nothing known: so many bytes.
    Length(usize),
}

/// What is wrong with a UDP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadPacket {
    /// Less than the 16 bytes that every packet begins with.
    NoHead,
    /// Less than the 98 bytes of an announce.
    ShortAnnounce,
    /// A scrape without an info_hash.
    EmptyScrape,
    /// A scrape that ends within an info_hash.
    CutScrape,
    /// A scrape of more than 74.
    LongScrape,
    /// Neither a connect nor an announce nor a scrape.
    Action,
}

/// What the gate does not let pass. In contrast to a failed announce, whose status is 200 since
/// clients show the text with no other, each has a status of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HttpRefusal {
    /// Neither GET nor HEAD.
    NotAGet,
    /// The head did not arrive in time.
    TooSlow,
    /// The tracker is at its bounds, or tiny_http did not answer.
    Busy,
    /// The first line is longer than a head may be.
    TargetTooLong,
    /// The head is longer than it may be.
    TooLong,
    /// No HTTP at all, by the first byte.
    NotHttp,
    /// The first line is none.
    BadLine,
    /// A header is none, or `Host` is there twice.
    BadHeader,
    /// An HTTP that is not spoken here.
    BadVersion,
    /// There is a body.
    Body,
    /// A body would follow.
    Expect,
}

/// What follows from a [`Reason`].
struct Facts {
    label: &'static str,
    code: u16,
    lasts: Lasts,
    fault: &'static str,
}

/// For how long a client is refused that does the same again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lasts {
    /// Until somebody changes something.
    Forever,
    /// It may be welcome a moment later.
    AWhile,
}
use Lasts::{AWhile, Forever};

/// The reasons, and for each: what it is called in `/metrics` (whoever watches a tracker relies on
/// these words, so that they stay when texts change), the failure code as numbered on
/// wiki.theory.org, how long it lasts, and whose fault it probably is.
macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident: $label:literal, $code:literal, $lasts:expr, $fault:expr;)*) => {
        /// Why something was refused, without the particulars: as it is counted.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Reason {
            $($(#[$doc])* $reason,)*
        }

        impl Reason {
            /// All of them, each at the place of its number.
            pub const ALL: [Reason; [$($label),*].len()] = [$(Reason::$reason),*];

            const fn facts(self) -> Facts {
                match self {
                    $(Reason::$reason => Facts {
                        label: $label,
                        code: $code,
                        lasts: $lasts,
                        fault: $fault,
                    },)*
                }
            }
        }
    };
}

const CLIENT: &str = "probably the client's fault";
const NO_CLIENT: &str = "the sender's fault, which is probably no BitTorrent client";
const CROWD: &str = "very many clients behind one router, or an attack";

reasons! {
    /// Neither GET nor HEAD.
    NotAGet: "not_a_get", 100, Forever, CLIENT;
    /// No `info_hash`.
    MissingInfoHash: "missing_info_hash", 101, Forever,
        "probably a person with a browser, or a client's fault";
    /// No `peer_id`.
    MissingPeerId: "missing_peer_id", 102, Forever, CLIENT;
    /// No `port`.
    MissingPort: "missing_port", 103, Forever, CLIENT;
    /// `info_hash` has not 20 bytes.
    InfoHash: "info_hash", 150, Forever, CLIENT;
    /// `peer_id` has not 20 bytes.
    PeerId: "peer_id", 151, Forever, CLIENT;
    /// `port` is 0.
    PortZero: "port_zero", 900, Forever,
        "probably the client listens on no port, or a proxy in between hides it";
    /// `port` is no port.
    Port: "port", 900, Forever, CLIENT;
    /// As many peers as there may be.
    StoreIsFull: "store_full", 900, AWhile, "a popular tracker, which --max-peers may make larger, or an attack";
    /// As many peers of one address as there may be.
    TooManyOfAddress: "address_full", 900, AWhile, CROWD;
    /// The same in one torrent.
    TooManyOfAddressInTorrent: "address_full_in_torrent", 900, AWhile, CROWD;
    /// A scrape, and they are off.
    ScrapeIsOff: "scrape_off", 900, Forever, "scrapes are off by default: --scrape turns them on";
    /// A scrape of nothing in particular.
    NothingToScrape: "scrape_of_everything", 101, Forever, CLIENT;
    /// A trusted proxy that does not say for whom it asks.
    Forwarded: "forwarded", 900, Forever,
        "the proxy's configuration; dont_readme.txt has some that work";
    /// A defect of the tracker.
    Internal: "internal", 900, AWhile, "a defect of mayfly: please report it";
    /// A UDP packet with a connection id that is not, or no longer, its sender's.
    ConnectionId: "connection_id", 900, AWhile, CLIENT;
    /// A UDP packet that is none.
    BadPacket: "bad_packet", 900, Forever, NO_CLIENT;
    /// An HTTP request that is none.
    BadRequest: "bad_request", 900, Forever, NO_CLIENT;
    /// An HTTP request that is too long.
    TooLong: "request_too_long", 900, Forever, NO_CLIENT;
    /// An HTTP request with a body.
    HasBody: "request_body", 900, Forever, NO_CLIENT;
    /// An HTTP request that did not arrive in time.
    TooSlow: "request_too_slow", 900, AWhile,
        "a slow network's fault, or of somebody who is slow on purpose";
    /// The tracker was too busy.
    Busy: "busy", 900, AWhile, "the tracker's machine is overloaded";
}

impl Reason {
    /// What it is called in `/metrics`.
    pub fn label(self) -> &'static str {
        self.facts().label
    }
}

impl Refusal {
    /// What it is counted as.
    pub fn reason(&self) -> Reason {
        match self {
            Refusal::Http(refusal) => refusal.reason(),
            Refusal::Packet(_) => Reason::BadPacket,
            Refusal::ConnectionId => Reason::ConnectionId,
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
            Refusal::NotForwarded | Refusal::Forwarded(_) | Refusal::ContradictoryProxy(_) => {
                Reason::Forwarded
            }
            Refusal::Internal => Reason::Internal,
        }
    }

    /// The `failure code` of the answer.
    pub fn code(&self) -> u16 {
        self.reason().facts().code
    }

    /// Whose fault it probably is, for the log.
    pub fn fault(&self) -> &'static str {
        self.reason().facts().fault
    }

    /// Whether the same may be welcome a while later, although nobody has changed anything.
    pub fn will_pass(&self) -> bool {
        self.reason().facts().lasts == AWhile
    }
}

impl HttpRefusal {
    fn reason(self) -> Reason {
        match self {
            HttpRefusal::NotAGet => Reason::NotAGet,
            HttpRefusal::TooSlow => Reason::TooSlow,
            HttpRefusal::Busy => Reason::Busy,
            HttpRefusal::TargetTooLong | HttpRefusal::TooLong => Reason::TooLong,
            HttpRefusal::NotHttp
            | HttpRefusal::BadLine
            | HttpRefusal::BadHeader
            | HttpRefusal::BadVersion => Reason::BadRequest,
            HttpRefusal::Body | HttpRefusal::Expect => Reason::HasBody,
        }
    }

    /// The status of the answer, with its reason phrase.
    pub fn status(self) -> &'static str {
        match self {
            HttpRefusal::NotAGet => "405 Method Not Allowed",
            HttpRefusal::TooSlow => "408 Request Timeout",
            HttpRefusal::Busy => "503 Service Unavailable",
            HttpRefusal::TargetTooLong => "414 URI Too Long",
            HttpRefusal::TooLong => "431 Request Header Fields Too Large",
            HttpRefusal::NotHttp | HttpRefusal::BadLine | HttpRefusal::BadHeader => {
                "400 Bad Request"
            }
            HttpRefusal::BadVersion => "505 HTTP Version Not Supported",
            HttpRefusal::Body => "413 Content Too Large",
            HttpRefusal::Expect => "417 Expectation Failed",
        }
    }

    fn text(self) -> &'static str {
        match self {
            HttpRefusal::NotAGet => "an announce is a GET request; send GET",
            HttpRefusal::TooSlow => "the request did not arrive within 5 seconds",
            HttpRefusal::Busy => "the tracker is busy; the next announce may work",
            HttpRefusal::TargetTooLong => "the first line of the request is longer than 8 KiB",
            HttpRefusal::TooLong => "the request is longer than 8 KiB",
            HttpRefusal::NotHttp => {
                "this port speaks plain HTTP/1.1, not TLS and not another protocol"
            }
            HttpRefusal::BadLine => "the first line of a request is: GET /announce?... HTTP/1.1",
            HttpRefusal::BadHeader => "a header is a name, a colon and a value on one line",
            HttpRefusal::BadVersion => "this port speaks HTTP/1.0 and HTTP/1.1",
            HttpRefusal::Body => "a request to a tracker has no body",
            HttpRefusal::Expect => "a request to a tracker has no body to expect anything for",
        }
    }
}

impl BadPacket {
    fn text(self) -> &'static str {
        match self {
            BadPacket::NoHead => "a packet has at least 16 bytes",
            BadPacket::ShortAnnounce => "an announce has at least 98 bytes",
            BadPacket::EmptyScrape => "a scrape has at least one info_hash",
            BadPacket::CutScrape => "a scrape has 20 bytes for each info_hash",
            BadPacket::LongScrape => "a scrape has at most 74 info_hashes",
            BadPacket::Action => "this action is not known",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Http(refusal) => refusal.text(),
            Refusal::Packet(fault) => fault.text(),
            // Short on purpose: see `udp/server.rs`.
            Refusal::ConnectionId => "connection id expired",
            Refusal::MissingInfoHash => {
                "info_hash is missing; this URL is for BitTorrent clients: \
                 add it to a torrent's trackers"
            }
            Refusal::MissingPeerId => {
                "peer_id is missing; send the client's 20 bytes, percent-encoded"
            }
            Refusal::MissingPort => "port is missing; send the port that the client listens on",
            Refusal::InfoHash(Mistake::Hexadecimal) => {
                "info_hash is 40 characters of hexadecimal; \
                 send the 20 raw bytes, percent-encoded"
            }
            Refusal::InfoHash(Mistake::Base32) => {
                "info_hash is 32 characters of base32; send the 20 raw bytes, percent-encoded"
            }
            Refusal::InfoHash(Mistake::EscapedTwice) => {
                "info_hash is percent-encoded twice; \
                 send the 20 raw bytes, percent-encoded once"
            }
            Refusal::InfoHash(Mistake::Version2) => {
                "info_hash is a version 2 hash in full; \
                 send its first 20 bytes, percent-encoded"
            }
            Refusal::InfoHash(Mistake::Length(length)) => {
                return write!(
                    f,
                    "info_hash is {length} bytes, not 20; send the 20 raw bytes, percent-encoded"
                );
            }
            Refusal::PeerIdLength(length) => {
                return write!(
                    f,
                    "peer_id is {length} bytes, not 20; \
                     send the client's 20 bytes, percent-encoded"
                );
            }
            Refusal::PortZero => {
                "port is '0'; send the port that the client listens on, 1 to 65535; \
                 behind a proxy, set the listening port by hand"
            }
            Refusal::Port(text) => {
                return write!(
                    f,
                    "port is '{}'; send the port that the client listens on, 1 to 65535",
                    text.escape_debug()
                );
            }
            Refusal::NothingToScrape => {
                "info_hash is missing; a scrape names the torrents that it asks for"
            }
            Refusal::StoreIsFull => {
                "this tracker has as many peers as it may have; try again later, or another one"
            }
            Refusal::TooManyOfAddress => {
                "your address has as many peers on this tracker as one may have; try again later"
            }
            Refusal::TooManyOfAddressInTorrent => {
                "your address has as many peers in this torrent as one may have; try again later"
            }
            Refusal::ScrapeIsOff => "this tracker does not answer scrapes",
            Refusal::NotForwarded => {
                "the tracker's proxy does not say who asks; \
                 it has to set X-Forwarded-For to the client's address"
            }
            Refusal::Forwarded(said) => {
                return write!(
                    f,
                    "the tracker's proxy says '{}', which names no client; \
                     it has to set X-Forwarded-For to the client's address",
                    said.escape_debug()
                );
            }
            Refusal::ContradictoryProxy(said) => {
                return write!(
                    f,
                    "the tracker's proxy says '{}'; it has to set X-Forwarded-For to the client's \
                     address, and remove Forwarded and X-Real-IP",
                    said.escape_debug()
                );
            }
            Refusal::Internal => "the tracker met an error of its own; the next announce may work",
        })
    }
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
