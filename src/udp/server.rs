//! The UDP sockets and the threads that block on them: a packet in, at most one packet out.
//!
//! What the packets look like is in `packet.rs`; what is answered, in `service.rs`. An ordinary
//! packet allocates nothing: every thread keeps its buffers.

use super::connection_id::ConnectionIds;
use super::packet::{self, Action, Packet};
use crate::address::{self, Scope};
use crate::announce::{Announce, InfoHash, Reply};
use crate::counters::Transport;
use crate::log::About;
use crate::own_addresses;
use crate::refusal::{BadPacket, Refusal};
use crate::report::Asked;
use crate::service::Service;
use crate::threads;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Longest packet: a scrape of 74 hashes has 1,496 bytes. What is longer is cut off by the
/// system, and was no packet of this protocol.
const LONGEST: usize = 2048;
/// Most peers in an answer, so that it fits into one packet of an ordinary network: 20 + 70 * 18
/// bytes.
const MOST_PEERS: u32 = 70;
/// Stack of a thread.
const STACK: usize = 128 * 1024;
/// Pause after a receive that failed for a reason that may stay.
const PAUSE: Duration = Duration::from_millis(20);

/// Answers packets.
#[derive(Clone)]
pub struct Server {
    /// Shared with HTTP.
    pub service: Arc<Service>,
    /// Made once, so that an id counts on every socket.
    pub ids: ConnectionIds,
}

/// Starts `threads` threads for each of `sockets`, or so many of them as the system allows: one
/// for each is enough.
pub fn open(sockets: Vec<UdpSocket>, threads: usize, server: &Server) -> io::Result<()> {
    let sockets: Vec<_> = sockets.into_iter().map(Arc::new).collect();
    for round in 0..threads {
        for socket in &sockets {
            let (socket, server) = (Arc::clone(socket), server.clone());
            let spawned = threads::start("udp", STACK, Box::new(move || server.serve(&socket)));
            match spawned {
                Ok(_) => {}
                Err(error) if round == 0 => return Err(error),
                // The gate, which takes what is left, has the line about it.
                Err(_) => return Ok(()),
            }
        }
    }
    Ok(())
}

/// What a thread keeps from one packet to the next.
#[derive(Default)]
pub struct Buffers {
    reply: Reply,
    /// The answer to the last packet that has one.
    pub answer: Vec<u8>,
    local: LocalAddresses,
}

impl Server {
    /// A thread.
    fn serve(&self, socket: &UdpSocket) {
        // A wildcard socket does not tell which address a packet came to.
        let bound = socket.local_addr().map(|bound| bound.ip()).ok();
        let bound = bound.filter(|ip| !ip.is_unspecified());
        let mut buffers = Buffers::default();
        let mut bytes = [0; LONGEST];
        loop {
            let (length, from) = match socket.recv_from(&mut bytes) {
                Ok(received) => received,
                Err(error) => {
                    self.receive_failed(&error);
                    continue;
                }
            };
            let now = self.service.now();
            let answer = || self.answer(&bytes[..length], from.ip(), bound, now, &mut buffers);
            if self.service.without_panic(answer) == Some(true) {
                // If it cannot be sent, the client asks again.
                let _ = socket.send_to(&buffers.answer, from);
                self.service.took(self.counted(), now);
            }
        }
    }

    /// Where to count what comes by UDP.
    fn counted(&self) -> &Transport {
        &self.service.counters.udp
    }

    fn receive_failed(&self, error: &io::Error) {
        match error.kind() {
            // Windows reports on the socket that somebody could not be reached who was answered
            // before, and that a packet was too long (for which std has no name).
            ErrorKind::ConnectionReset | ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
            ErrorKind::Interrupted => {}
            _ if cfg!(windows) && WINDOWS_PACKET_ERRORS.contains(&error.raw_os_error()) => {}
            _ => {
                let text = format_args!("UDP packets cannot be received: {error}");
                self.service.log.line(About::Always, text);
                thread::sleep(PAUSE);
            }
        }
    }

    /// Writes the answer to a packet into `buffers`. `false`: there is none.
    ///
    /// `bound` is the one address of this machine that packets of this socket come to, `None` where
    /// there are several.
    pub fn answer(
        &self,
        bytes: &[u8],
        from: IpAddr,
        bound: Option<IpAddr>,
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
                let local = bound.unwrap_or_else(|| buffers.local.towards(source, now));
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

/// `WSAEMSGSIZE` and `WSAENETRESET` (somebody's packet has expired on its way) of winsock2.h.
const WINDOWS_PACKET_ERRORS: [Option<i32>; 2] = [Some(10040), Some(10052)];

/// Which address of this machine leads to a client, remembered for its whole network: asking
/// takes four system calls.
#[derive(Default)]
struct LocalAddresses {
    known: HashMap<IpAddr, IpAddr>,
    since: Duration,
}

impl LocalAddresses {
    /// Most networks remembered; beyond, all are forgotten.
    const MOST: usize = 1024;
    /// So long that it pays, and so short that a change of the machine's addresses shows.
    const LIFE: Duration = Duration::from_secs(60);

    fn towards(&mut self, source: IpAddr, now: Duration) -> IpAddr {
        if Scope::of(source) == Scope::Loopback {
            return source;
        }
        if now.saturating_sub(self.since) > Self::LIFE || self.known.len() >= Self::MOST {
            self.known.clear();
            self.since = now;
        }
        let network = network(source);
        *self.known.entry(network).or_insert_with(|| {
            // Where there is no way back the answer is lost; a loopback address leads nobody
            // from outside anywhere, so nothing wrong is shown meanwhile.
            own_addresses::towards(source)
                .filter(|ip| !address::is_link_local(*ip))
                .unwrap_or(std::net::Ipv4Addr::LOCALHOST.into())
        })
    }
}

/// The /24 or the /64 of an address.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => IpAddr::V4((u32::from(ip) & !0xff).into()),
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) & (!0 << 64)).into()),
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
