//! An announce over HTTP: from the query string to an [`Announce`], and from a [`Reply`] or a
//! [`Refusal`] to the bencoded body (BEP 3, 7, 21, 23, 24).
//!
//! Bytes and values only; sockets, headers and paths belong to `server.rs`.

use super::bencode::dictionary;
use super::query;
use crate::announce::{Announce, Claim, Event, InfoHash, PeerId, Reply};
use crate::compact;
use crate::refusal::{Mistake, Refusal};
use std::net::IpAddr;

/// How the client wants its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Form {
    /// Peers as a string of bytes (BEP 23) instead of dictionaries.
    pub compact: bool,
    /// Dictionaries without `peer id`.
    pub no_peer_id: bool,
}

/// Where a request came from and where it arrived; both canonical.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Path {
    /// The client.
    pub source: IpAddr,
    /// The address of this machine that it reached.
    pub local: IpAddr,
}

/// Reads the query string of an announce. The first of a repeated key counts, unknown keys are
/// skipped, and what is optional falls back to its default when it makes no sense.
pub fn read(query: &[u8], path: Path) -> Result<(Announce, Form), Refusal> {
    let mut fields = Fields::default();
    for (key, value) in query::pairs(query) {
        if let Some(field) = fields.named(key) {
            field.get_or_insert(value);
        }
    }
    let info_hash = fields.info_hash.ok_or(Refusal::MissingInfoHash)?;
    let info_hash = self::info_hash(info_hash)?;
    let peer_id = fields.peer_id.ok_or(Refusal::MissingPeerId)?;
    let peer_id = query::decode_exactly(peer_id).map_err(Refusal::PeerIdLength)?;
    let port = port(fields.port.ok_or(Refusal::MissingPort)?)?;
    let form = Form {
        compact: fields.compact != Some(b"0"),
        no_peer_id: fields.no_peer_id == Some(b"1"),
    };
    let announce = Announce {
        info_hash,
        peer_id: PeerId(peer_id),
        key: fields.key.and_then(key),
        source: path.source,
        local: path.local,
        port,
        is_seeder: fields.left.is_some_and(is_zero),
        has_transferred: [fields.uploaded, fields.downloaded]
            .into_iter()
            .flatten()
            .any(|amount| digits(amount).is_some_and(|bytes| bytes > 0)),
        event: match fields.event {
            Some(b"started") => Event::Started,
            Some(b"completed") => Event::Completed,
            Some(b"stopped") => Event::Stopped,
            _ => Event::Update,
        },
        numwant: fields.numwant.and_then(numwant),
        wants_peer_ids: !form.compact && !form.no_peer_id,
        wants_both_families: true,
        ip: fields.ip.and_then(claim),
        ipv4: fields.ipv4.and_then(claim),
        ipv6: fields.ipv6.and_then(claim),
    };
    Ok((announce, form))
}

/// Appends the bencoded reply to `out`.
pub fn write_reply(reply: &Reply, form: Form, out: &mut Vec<u8>) {
    dictionary(out, |d| {
        d.integer("complete", reply.seeders.into());
        d.integer("downloaded", reply.downloaded.into());
        match reply.external_ip {
            IpAddr::V4(ip) => d.bytes("external ip", &ip.octets()),
            IpAddr::V6(ip) => d.bytes("external ip", &ip.octets()),
        }
        d.integer("incomplete", reply.leechers.into());
        d.integer("interval", reply.interval.into());
        d.integer("min interval", reply.min_interval.into());
        if form.compact {
            let ipv6 = reply.peers.iter().filter(|p| p.endpoint.ip.is_ipv6());
            let ipv6 = ipv6.count();
            // Always there, empty or not: uTorrent 2.2.1 and rTorrent fail without it.
            d.bytes_with("peers", (reply.peers.len() - ipv6) * 6, |out| {
                compact::write(&reply.peers, false, out);
            });
            if ipv6 > 0 {
                d.bytes_with("peers6", ipv6 * 18, |out| {
                    compact::write(&reply.peers, true, out);
                });
            }
        } else {
            d.list("peers", |out| {
                for peer in &reply.peers {
                    dictionary(out, |d| {
                        d.bytes("ip", peer.endpoint.ip.to_string().as_bytes());
                        if !form.no_peer_id {
                            d.bytes("peer id", &peer.peer_id.0);
                        }
                        d.integer("port", peer.endpoint.port.into());
                    });
                }
            });
        }
    });
}

/// Appends the bencoded refusal to `out`. It goes with status 200: with any other, clients show
/// the status and not the reason.
///
/// Of a refusal that will pass, an `interval` says when to come again, or libtorrent would stay
/// away for half an hour. Neither `min interval` nor BEP 31's `retry in` moves it (2.0.8, tried).
pub fn write_refusal(refusal: &Refusal, interval: u32, out: &mut Vec<u8>) {
    dictionary(out, |d| {
        d.integer("failure code", refusal.code().into());
        d.bytes("failure reason", refusal.to_string().as_bytes());
        if refusal.will_pass() {
            d.integer("interval", interval.into());
        }
    });
}

/// The values of the keys that matter, percent-encoded.
#[derive(Default)]
struct Fields<'a> {
    info_hash: Option<&'a [u8]>,
    peer_id: Option<&'a [u8]>,
    port: Option<&'a [u8]>,
    left: Option<&'a [u8]>,
    uploaded: Option<&'a [u8]>,
    downloaded: Option<&'a [u8]>,
    key: Option<&'a [u8]>,
    event: Option<&'a [u8]>,
    numwant: Option<&'a [u8]>,
    compact: Option<&'a [u8]>,
    no_peer_id: Option<&'a [u8]>,
    ip: Option<&'a [u8]>,
    ipv4: Option<&'a [u8]>,
    ipv6: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn named(&mut self, key: &[u8]) -> Option<&mut Option<&'a [u8]>> {
        Some(match key {
            b"info_hash" => &mut self.info_hash,
            b"peer_id" => &mut self.peer_id,
            b"port" => &mut self.port,
            b"left" => &mut self.left,
            b"uploaded" => &mut self.uploaded,
            b"downloaded" => &mut self.downloaded,
            b"key" => &mut self.key,
            b"event" => &mut self.event,
            b"numwant" => &mut self.numwant,
            b"compact" => &mut self.compact,
            b"no_peer_id" => &mut self.no_peer_id,
            b"ip" => &mut self.ip,
            b"ipv4" => &mut self.ipv4,
            b"ipv6" => &mut self.ipv6,
            _ => return None,
        })
    }
}

/// Reads an info_hash, percent-encoded.
pub fn info_hash(encoded: &[u8]) -> Result<InfoHash, Refusal> {
    query::decode_exactly(encoded)
        .map(InfoHash)
        .map_err(|_| Refusal::InfoHash(mistake(&query::decode(encoded))))
}

/// What went wrong with an info_hash that is not 20 bytes.
fn mistake(decoded: &[u8]) -> Mistake {
    let is_base32 = |byte: &u8| byte.is_ascii_alphabetic() || (b'2'..=b'7').contains(byte);
    match decoded.len() {
        40 if decoded.iter().all(u8::is_ascii_hexdigit) => Mistake::Hexadecimal,
        64 if decoded.iter().all(u8::is_ascii_hexdigit) => Mistake::Version2,
        32 if decoded.iter().all(is_base32) => Mistake::Base32,
        _ if query::decode(decoded).len() == 20 => Mistake::EscapedTwice,
        32 => Mistake::Version2,
        length => Mistake::Length(length),
    }
}

fn port(encoded: &[u8]) -> Result<u16, Refusal> {
    match digits(encoded) {
        Some(0) => Err(Refusal::PortZero),
        Some(port @ 1..=65535) => Ok(port as u16),
        _ => {
            // Enough to recognise it by; the rest is no use to anybody.
            let mut text = String::from_utf8_lossy(encoded).into_owned();
            text = text.chars().take(20).collect();
            Err(Refusal::Port(text))
        }
    }
}

/// A wish that is no number, or a negative one, is none.
fn numwant(encoded: &[u8]) -> Option<u32> {
    digits(encoded).map(|number| number.min(u32::MAX.into()) as u32)
}

/// Most clients write a number of 32 bits in hexadecimal, which over UDP they send as it is; both
/// have to be the same. Of other texts a number is made. 0 is what those send that have none.
fn key(encoded: &[u8]) -> Option<u32> {
    let text = query::decode(encoded);
    let number = std::str::from_utf8(&text)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|text| u32::from_str_radix(text, 16).ok());
    // FNV-1a; who makes two texts meet meets himself.
    let folded = || {
        text.iter().fold(0x811c_9dc5, |hash: u32, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        })
    };
    let key = number.unwrap_or_else(folded);
    (!text.is_empty() && key != 0).then_some(key)
}

/// Only a plain zero makes a seeder: what is missing, negative or too large for 64 bits (clients
/// send such for magnet links) is a leecher's.
fn is_zero(encoded: &[u8]) -> bool {
    digits(encoded) == Some(0)
}

/// The number that consists of these digits, or the largest there is. `None` for anything but
/// digits.
fn digits(encoded: &[u8]) -> Option<u64> {
    let decoded = query::decode(encoded);
    if decoded.is_empty() || !decoded.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |number: u64, digit: &u8| {
        number
            .saturating_mul(10)
            .saturating_add((digit - b'0').into())
    };
    Some(decoded.iter().fold(0, add))
}

fn claim(encoded: &[u8]) -> Option<Claim> {
    // Longer than any address or name.
    if encoded.len() > 3 * 260 {
        return None;
    }
    std::str::from_utf8(&query::decode(encoded))
        .ok()
        .and_then(Claim::parse)
}

#[cfg(test)]
#[path = "announce_tests.rs"]
mod tests;
