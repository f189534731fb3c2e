//! The UDP sockets and the threads that block on them: a packet in, at most one packet out.
//!
//! What the packets look like is in `packet.rs`; what is answered, in `tracker.rs`. An ordinary
//! packet allocates nothing: every thread keeps its buffers.

use super::connection_id::ConnectionIds;
use super::packet::{self, Action};
use crate::address::{self, Scope};
use crate::announce::{InfoHash, Refusal, Reply};
use crate::counters::{Counters, Reason};
use crate::log::{About, Log};
use crate::own_addresses;
use crate::report;
use crate::threads;
use crate::tracker::Tracker;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

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

/// What an answer to a wrong connection id says. With its head, 29 bytes: fewer than the shortest
/// question it answers, a scrape of one hash with 36.
///
/// Silence would leave clients behind that keep an id for too long (old versions of uTorrent)
/// until they time out, again and again; an error makes them connect anew. It is of no use for
/// reflection, since who is aimed at gets less than a third of what the attacker sends.
const WRONG_ID: &str = "connection id expired";

/// Answers packets.
#[derive(Clone)]
pub struct Server {
    /// Shared with HTTP: one state for both.
    pub tracker: Arc<Tracker>,
    /// The tracker's time is counted from here.
    pub began: Instant,
    /// Whether scrapes are answered.
    pub scrape: bool,
    /// Made once, so that an id counts on every socket.
    pub ids: ConnectionIds,
    /// Where to count, shared with HTTP.
    pub counters: Arc<Counters>,
    /// Where to tell.
    pub log: Log,
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
            let now = self.began.elapsed();
            let answer = AssertUnwindSafe(|| {
                self.answer(&bytes[..length], from.ip(), bound, now, &mut buffers)
            });
            match catch_unwind(answer) {
                // If it cannot be sent, the client asks again.
                Ok(true) => {
                    let _ = socket.send_to(&buffers.answer, from);
                    let time = self.began.elapsed().saturating_sub(now);
                    self.counters.udp.durations.add(time);
                }
                Ok(false) => {}
                Err(_) => {
                    self.counters.refuse(Reason::Internal);
                    self.log.line(
                        About::Always,
                        format_args!("a UDP packet met an error of the tracker's own"),
                    );
                }
            }
        }
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
                self.log.line(About::Always, text);
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
            self.counters.refuse(Reason::BadPacket);
            return false;
        };
        let transaction_id = packet.transaction_id;
        let Buffers {
            reply,
            answer,
            local,
        } = buffers;
        if packet.action == Action::Connect {
            let id = self.ids.make(source, now);
            packet::write_connected(transaction_id, id, answer);
            return true;
        }
        let counters = &*self.counters;
        if !self.ids.check(packet.connection_id, source, now) {
            counters.refuse(Reason::ConnectionId);
            // From here to the check's other branch, nothing longer than the question goes out.
            let is_whole = matches!(packet.action, Action::Announce(_) | Action::Scrape(_));
            if is_whole {
                packet::write_error(transaction_id, WRONG_ID, answer);
            }
            return is_whole;
        }
        match packet.action {
            Action::Announce(bytes) => {
                counters.advance(now, || self.tracker.totals());
                let local = bound.unwrap_or_else(|| local.towards(source, now));
                let mut announce = packet::read_announce(bytes, source, local);
                let numwant = announce.numwant.unwrap_or(MOST_PEERS);
                announce.numwant = Some(numwant.min(MOST_PEERS));
                match self.tracker.handle(&announce, now, reply) {
                    Ok(()) => {
                        counters.udp.announces.answered.add();
                        packet::write_reply(transaction_id, reply, answer);
                        report::announced(&self.log, &announce, reply);
                    }
                    Err(refusal) => {
                        counters.udp.announces.refused.add();
                        counters.refuse(refusal.reason());
                        report::ended(&self.log, &reply.ended);
                        report::refused(&self.log, "an announce", source, &refusal);
                        packet::write_error(transaction_id, &refusal.to_string(), answer);
                    }
                }
            }
            Action::Scrape(hashes) if self.scrape => {
                counters.udp.scrapes.answered.add();
                let hashes = hashes.chunks_exact(20).map(|hash| {
                    // chunks_exact gives 20 bytes each.
                    InfoHash(hash.try_into().expect("20 bytes"))
                });
                let counts = self.tracker.scrape(hashes, now, &mut reply.ended);
                packet::write_scraped(transaction_id, counts.into_iter(), answer);
                report::ended(&self.log, &reply.ended);
            }
            Action::Scrape(_) => {
                let refusal = Refusal::ScrapeIsOff;
                counters.udp.scrapes.refused.add();
                counters.refuse(refusal.reason());
                packet::write_error(transaction_id, &refusal.to_string(), answer);
            }
            Action::Malformed(text) => {
                counters.refuse(Reason::BadPacket);
                packet::write_error(transaction_id, text, answer);
            }
            Action::Unknown => {
                counters.refuse(Reason::BadPacket);
                packet::write_error(transaction_id, "this action is not known", answer);
            }
            Action::Connect => unreachable!("answered above"),
        }
        true
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
