//! The packets of BEP 15 (and the options of BEP 41 behind them), read and written as bytes.
//! Everything is big-endian. Whether a connection id is good is for `server.rs` to ask.

use crate::announce::{Announce, Claim, Event, Host, InfoHash, PeerId, Reply};
use crate::compact;
use crate::refusal::{BadPacket, Refusal};
use crate::swarms::Counts;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};

/// What a connect packet has in place of a connection id.
const PROTOCOL: u64 = 0x0417_2710_1980;
const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;

/// Bytes of the head that all packets begin with: connection id, action, transaction id.
pub const HEAD: usize = 16;
/// Bytes of an announce without options.
const ANNOUNCE_LENGTH: usize = 98;
/// Most hashes in a scrape.
pub const MOST_SCRAPED: usize = 74;

/// The head of a packet, and what follows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    /// To be checked before anything is done.
    pub connection_id: u64,
    /// The client's, to tell its packets apart; every answer repeats it.
    pub transaction_id: u32,
    /// What the client wants.
    pub action: Action<'a>,
}

/// What a packet asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action<'a> {
    /// A connection id.
    Connect,
    /// The bytes of an announce, checked for length: see [`read_announce`].
    Announce(&'a [u8; ANNOUNCE_LENGTH]),
    /// The hashes to scrape, 20 bytes each, 1 to [`MOST_SCRAPED`] of them.
    Scrape(&'a [u8]),
    /// Nothing that there is.
    Bad(BadPacket),
}

/// Reads a packet. `None` for what is too short to be one.
pub fn read(bytes: &[u8]) -> Option<Packet<'_>> {
    let (head, body) = bytes.split_at_checked(HEAD)?;
    let connection_id = u64::from_be_bytes(array(head, 0));
    let action = match u32::from_be_bytes(array(head, 8)) {
        CONNECT if connection_id == PROTOCOL => Action::Connect,
        ANNOUNCE => match bytes.first_chunk() {
            Some(announce) => Action::Announce(announce),
            None => Action::Bad(BadPacket::ShortAnnounce),
        },
        SCRAPE => match body.len() {
            0 => Action::Bad(BadPacket::EmptyScrape),
            length if length % 20 != 0 => Action::Bad(BadPacket::CutScrape),
            length if length > 20 * MOST_SCRAPED => Action::Bad(BadPacket::LongScrape),
            _ => Action::Scrape(body),
        },
        _ => Action::Bad(BadPacket::Action),
    };
    Some(Packet {
        connection_id,
        transaction_id: u32::from_be_bytes(array(head, 12)),
        action,
    })
}

/// Reads an announce that came from the canonical address `source` to `local`.
///
/// What follows its 98 bytes are options (BEP 41), which carry the path and query of the URL:
/// nothing that this tracker has a use for, so they are not even looked at, cut off or not.
pub fn read_announce(bytes: &[u8; ANNOUNCE_LENGTH], source: IpAddr, local: IpAddr) -> Announce {
    let ip = Ipv4Addr::from(array::<4>(bytes, 84));
    let numwant = i32::from_be_bytes(array(bytes, 92));
    Announce {
        info_hash: InfoHash(array(bytes, 16)),
        peer_id: PeerId(array(bytes, 36)),
        // 0 is what those send that have none.
        key: Some(u32::from_be_bytes(array(bytes, 88))).filter(|&key| key != 0),
        source,
        local,
        port: u16::from_be_bytes(array(bytes, 96)),
        is_seeder: u64::from_be_bytes(array(bytes, 64)) == 0,
        // Downloaded and uploaded.
        has_transferred: bytes[56..64] != [0; 8] || bytes[72..80] != [0; 8],
        event: match u32::from_be_bytes(array(bytes, 80)) {
            1 => Event::Completed,
            2 => Event::Started,
            3 => Event::Stopped,
            _ => Event::Update,
        },
        // -1 leaves it to the tracker.
        numwant: u32::try_from(numwant).ok(),
        wants_peer_ids: false,
        wants_both_families: false,
        // All zeros say nothing: the ordinary case. Over IPv6 the field has no meaning, and an
        // answer could not show the peers of an IPv4 address.
        ip: (!ip.is_unspecified() && source.is_ipv4()).then_some(Claim {
            host: Host::Address(ip.into()),
            port: None,
        }),
        ipv4: None,
        ipv6: None,
    }
}

/// The answer to a connect: 16 bytes.
pub fn write_connected(transaction_id: u32, connection_id: u64, out: &mut Vec<u8>) {
    begin(CONNECT, transaction_id, out);
    out.extend_from_slice(&connection_id.to_be_bytes());
}

/// The answer to an announce: 20 bytes, and 6 or 18 for each peer of the asker's family; the
/// format has no place for the others.
pub fn write_reply(transaction_id: u32, reply: &Reply, out: &mut Vec<u8>) {
    begin(ANNOUNCE, transaction_id, out);
    for number in [reply.interval, reply.leechers, reply.seeders] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    let is_ipv6 = reply.external_ip.is_ipv6();
    compact::write(&reply.peers, is_ipv6, out);
}

/// The answer to a scrape: 8 bytes, and 12 for each hash in the order that was asked.
pub fn write_scraped(transaction_id: u32, counts: impl Iterator<Item = Counts>, out: &mut Vec<u8>) {
    begin(SCRAPE, transaction_id, out);
    for counts in counts {
        for number in [counts.seeders, counts.downloaded, counts.leechers] {
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

/// An error: 8 bytes and the text of the refusal.
pub fn write_refusal(transaction_id: u32, refusal: &Refusal, out: &mut Vec<u8>) {
    begin(ERROR, transaction_id, out);
    // Writing into a Vec does not fail.
    let _ = write!(out, "{refusal}");
}

fn begin(action: u32, transaction_id: u32, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&action.to_be_bytes());
    out.extend_from_slice(&transaction_id.to_be_bytes());
}

/// The `N` bytes at `at`, which the caller knows to be there.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("N bytes")
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
