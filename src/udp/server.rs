//! A packet in, at most one packet out.
//!
//! Where they come from and go to is `sockets.rs`'s; what they look like, `packet.rs`'s; what is
//! answered, `service.rs`'s. An ordinary packet allocates nothing: every thread keeps its buffers.

use super::connection_id::ConnectionIds;
use super::packet::{self, Action, Packet};
use crate::address;
use crate::announce::{Announce, InfoHash, Reply};
use crate::counters::Transport;
use crate::refusal::{BadPacket, Refusal};
use crate::report::Asked;
use crate::service::Service;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Most peers in an answer, so that it fits into one packet of an ordinary network: 20 + 70 * 18
/// bytes.
const MOST_PEERS: u32 = 70;

/// Answers packets.
#[derive(Clone)]
pub struct Server {
    /// Shared with HTTP.
    pub service: Arc<Service>,
    /// Made once, so that an id counts on every socket.
    pub ids: ConnectionIds,
}

/// What a thread keeps from one packet to the next.
#[derive(Default)]
pub struct Buffers {
    reply: Reply,
    /// The answer to the last packet that has one.
    pub answer: Vec<u8>,
}

impl Server {
    /// Where to count what comes by UDP.
    pub fn counted(&self) -> &Transport {
        &self.service.counters.udp
    }

    /// Writes the answer to a packet into `buffers`. `false`: there is none.
    ///
    /// `local` is the address of this machine by which `from` has reached it.
    pub fn answer(
        &self,
        bytes: &[u8],
        from: IpAddr,
        local: IpAddr,
        now: Duration,
        buffers: &mut Buffers,
    ) -> bool {
        let source = address::canonical(from);
        let Some(packet) = packet::read(bytes) else {
            return self.refuse_unproven(&Refusal::Packet(BadPacket::NoHead));
        };
        let transaction_id = packet.transaction_id;
        if packet.action == Action::Connect {
            let id = self.ids.make(source, now);
            packet::write_connected(transaction_id, id, &mut buffers.answer);
            return true;
        }
        if !self.ids.check(packet.connection_id, source, now) {
            return self.refuse_id(&packet, &mut buffers.answer);
        }
        let (asked, handled) = match packet.action {
            Action::Announce(bytes) => {
                let announce = packet::read_announce(bytes, source, local);
                let handled = self.announce(announce, transaction_id, now, buffers);
                (Asked::Announce, handled)
            }
            Action::Scrape(hashes) => {
                let handled = self.scrape(hashes, transaction_id, now, buffers);
                (Asked::Scrape, handled)
            }
            Action::Bad(fault) => (Asked::Unknown, Err(Refusal::Packet(fault))),
            Action::Connect => unreachable!("answered above"),
        };
        if let Err(refusal) = handled {
            let service = &self.service;
            service.refused(self.counted(), asked, source, &refusal);
            packet::write_refusal(transaction_id, &refusal, &mut buffers.answer);
        }
        true
    }

    /// Refuses a packet whose sender has not proven where it is, so that a line in the log would
    /// perhaps name a stranger: it is only counted. There is no answer.
    fn refuse_unproven(&self, refusal: &Refusal) -> bool {
        self.service.counters.refuse(refusal.reason());
        false
    }

    /// Refuses a packet with a connection id that is not, or no longer, its sender's. Returns
    /// whether there is an answer.
    ///
    /// Silence would leave clients behind that keep an id for too long (old versions of uTorrent)
    /// until they time out, again and again; an error makes them connect anew. The error has 29
    /// bytes, fewer than the shortest packet that gets it (a scrape of one hash, with 36), so it is
    /// of no use for reflection: who is aimed at gets less than what the attacker sends.
    fn refuse_id(&self, packet: &Packet<'_>, answer: &mut Vec<u8>) -> bool {
        let refusal = Refusal::ConnectionId;
        self.refuse_unproven(&refusal);
        let is_whole = matches!(packet.action, Action::Announce(_) | Action::Scrape(_));
        if is_whole {
            packet::write_refusal(packet.transaction_id, &refusal, answer);
        }
        is_whole
    }

    fn announce(
        &self,
        mut announce: Announce,
        transaction_id: u32,
        now: Duration,
        buffers: &mut Buffers,
    ) -> Result<(), Refusal> {
        let numwant = announce.numwant.unwrap_or(MOST_PEERS);
        announce.numwant = Some(numwant.min(MOST_PEERS));
        let reply = &mut buffers.reply;
        let service = &self.service;
        service.announce(self.counted(), &announce, now, reply)?;
        packet::write_reply(transaction_id, reply, &mut buffers.answer);
        Ok(())
    }

    fn scrape(
        &self,
        hashes: &[u8],
        transaction_id: u32,
        now: Duration,
        buffers: &mut Buffers,
    ) -> Result<(), Refusal> {
        self.service.may_scrape()?;
        let hashes = hashes.chunks_exact(20).map(|hash| {
            // chunks_exact gives 20 bytes each.
            InfoHash(hash.try_into().expect("20 bytes"))
        });
        let ended = &mut buffers.reply.ended;
        let service = &self.service;
        let counts = service.scrape(self.counted(), hashes, now, ended);
        packet::write_scraped(transaction_id, counts.into_iter(), &mut buffers.answer);
        Ok(())
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
