//! The UDP sockets and the threads that block on them: one socket for each address of this machine,
//! since a client takes an answer only from the address that it asked, and a socket for all
//! addresses answers from the one that the system prefers on the way back. Addresses that come
//! while it runs get one, those that go lose theirs.
//!
//! One thread serves a socket; others help it while it does not keep up and that is of use (see
//! `pace.rs`). What is answered is `server.rs`'s.

use super::pace::{Help, Pace, Verdict};
use super::server::{Buffers, Server};
use crate::address::{self, Scope};
use crate::log::About;
use crate::own_addresses::OwnAddresses;
use crate::threads;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// Most sockets, each of which has a thread: more addresses than a machine has on which people use
/// a tracker.
const MOST: usize = 64;
/// Longest packet: a scrape of 74 hashes has 1,496 bytes. What is longer is cut off by the
/// system, and was no packet of this protocol.
const LONGEST: usize = 2048;
/// Stack of a thread.
const STACK: usize = 128 * 1024;
/// Pause after a receive that failed for a reason that may stay.
const PAUSE: Duration = Duration::from_millis(20);
/// How often a thread looks whether its socket is still wanted.
const LOOK_EVERY: Duration = Duration::from_secs(4);

/// How many sockets there may be at most, with so many descriptors.
pub fn most(descriptors: Option<usize>) -> usize {
    descriptors.map_or(MOST, |descriptors| (descriptors / 8).min(MOST))
}

/// The sockets, and what they are served with.
pub struct Sockets {
    open: Vec<Arc<Socket>>,
    most: usize,
    /// Addresses that could not be listened on when it was last tried, and how often in a row.
    failed: Vec<(SocketAddr, u32)>,
    /// Those beyond `most`.
    left_out: usize,
    shared: Arc<Shared>,
}

/// What all threads share.
struct Shared {
    server: Server,
    own_addresses: Arc<OwnAddresses>,
    /// Threads that may still join one that does not keep up.
    helpers: AtomicUsize,
}

struct Socket {
    socket: UdpSocket,
    /// Where it is.
    at: SocketAddr,
    /// Its address has gone: the threads are to end.
    is_let_go: AtomicBool,
    /// How many helpers its own thread wants.
    helpers: AtomicU32,
    /// Packets that all its threads have received; each says so now and then.
    received: AtomicU64,
}

/// A thread that helps a socket's own. When it ends, or could not be started, there may be another.
struct Helper {
    /// The first of a socket is number 0.
    number: u32,
    shared: Arc<Shared>,
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.shared.helpers.fetch_add(1, Relaxed);
    }
}

impl Sockets {
    /// Starts a thread for each of `sockets`, which as many as `helpers` others join where one does
    /// not keep up. There will be at most `most` sockets.
    pub fn open(
        sockets: Vec<UdpSocket>,
        most: usize,
        helpers: usize,
        own_addresses: Arc<OwnAddresses>,
        server: Server,
    ) -> io::Result<Sockets> {
        let mut opened = Sockets {
            open: Vec::new(),
            most,
            failed: Vec::new(),
            left_out: 0,
            shared: Arc::new(Shared {
                server,
                own_addresses,
                helpers: AtomicUsize::new(helpers),
            }),
        };
        for socket in sockets {
            opened.add(socket)?;
        }
        Ok(opened)
    }

    /// Opens a socket at each of these addresses that has none, and lets those go that are at no
    /// such address.
    pub fn follow(&mut self, wanted: &[SocketAddr]) {
        self.open.retain(|socket| {
            // On Windows, there are wildcards for what is not in the list.
            let is_wanted = wanted.contains(&socket.at) || socket.at.ip().is_unspecified();
            socket.is_let_go.store(!is_wanted, Relaxed);
            is_wanted
        });
        let mut left_out = 0;
        let mut failed = Vec::new();
        for at in wanted {
            if self.open.iter().any(|socket| socket.at == *at) {
                continue;
            }
            if self.open.len() >= self.most {
                left_out += 1;
                continue;
            }
            if let Err(error) = UdpSocket::bind(at).and_then(|socket| self.add(socket)) {
                // At once, it may be no more than that the last socket there is not closed yet.
                let before = self.failed.iter().find(|(failed, _)| failed == at);
                let before = before.map_or(0, |&(_, times)| times);
                if before == 1 {
                    self.tell(format_args!("cannot listen on UDP {at}: {error}"));
                }
                failed.push((*at, before.saturating_add(1)));
            }
        }
        if left_out > 0 && self.left_out == 0 {
            let most = self.most;
            self.tell(format_args!(
                "more than {most} addresses: {left_out} of them are not answered at over UDP \
                 (with -b ADDRESS for those that clients use, all of these are)"
            ));
        }
        (self.left_out, self.failed) = (left_out, failed);
    }

    fn add(&mut self, socket: UdpSocket) -> io::Result<()> {
        socket.set_read_timeout(Some(LOOK_EVERY))?;
        let socket = Arc::new(Socket {
            at: socket.local_addr()?,
            socket,
            is_let_go: AtomicBool::new(false),
            helpers: AtomicU32::new(0),
            received: AtomicU64::new(0),
        });
        Arc::clone(&self.shared).start(&socket, None)?;
        self.open.push(socket);
        Ok(())
    }

    fn tell(&self, text: std::fmt::Arguments<'_>) {
        self.shared.server.service.log.line(About::Trouble, text);
    }
}

impl Shared {
    /// Starts a thread for a socket: its own, or a helper.
    fn start(self: Arc<Self>, socket: &Arc<Socket>, helper: Option<Helper>) -> io::Result<()> {
        let socket = Arc::clone(socket);
        let work = move || self.serve(&socket, helper.as_ref());
        threads::start("udp", STACK, Box::new(work)).map(drop)
    }

    /// A thread.
    fn serve(self: &Arc<Self>, socket: &Arc<Socket>, helper: Option<&Helper>) {
        let server = &self.server;
        let service = &*server.service;
        let mut buffers = Buffers::default();
        let mut bytes = [0; LONGEST];
        let own_addresses = &self.own_addresses;
        let mut now = service.now();
        let mut look = Look::around(socket, own_addresses, now);
        let mut pace = Pace::new(now);
        let mut help = Help::default();
        let mut is_needed = true;
        while is_needed && look.again(socket, own_addresses, now) {
            let begin = now;
            let received = socket.socket.recv_from(&mut bytes);
            now = service.now();
            if let Some(window) = pace.received(begin, now) {
                socket.received.fetch_add(window.received.into(), Relaxed);
                match helper {
                    None => self.ask_for_help(socket, &mut help, window.verdict, now),
                    // What it has received now is its to answer.
                    Some(helper) => is_needed = helper.number < socket.helpers.load(Relaxed),
                }
            }
            let (length, from) = match received {
                Ok(received) => received,
                Err(error) => {
                    self.receive_failed(&error);
                    continue;
                }
            };
            let local = look.locals.towards(address::canonical(from.ip()));
            let answer = || server.answer(&bytes[..length], from.ip(), local, now, &mut buffers);
            if service.without_panic(answer) == Some(true) {
                // If it cannot be sent, the client asks again.
                let _ = socket.socket.send_to(&buffers.answer, from);
                now = service.took(server.counted(), now);
            }
        }
    }

    /// For a socket's own thread, after each window.
    fn ask_for_help(
        self: &Arc<Self>,
        socket: &Arc<Socket>,
        help: &mut Help,
        verdict: Verdict,
        now: Duration,
    ) {
        let had = socket.helpers.load(Relaxed);
        let wanted = help.wanted(verdict, socket.received.load(Relaxed), now);
        socket.helpers.store(wanted, Relaxed);
        if wanted > had && !self.start_helper(socket, had) {
            help.refused(now);
            socket.helpers.store(had, Relaxed);
        }
    }

    /// Whether there is a thread for it.
    fn start_helper(self: &Arc<Self>, socket: &Arc<Socket>, number: u32) -> bool {
        let one_less = |helpers: usize| helpers.checked_sub(1);
        let is_free = self.helpers.fetch_update(Relaxed, Relaxed, one_less);
        if is_free.is_err() {
            return false;
        }
        let shared = Arc::clone(self);
        let helper = Helper { number, shared };
        Arc::clone(self).start(socket, Some(helper)).is_ok()
    }

    fn receive_failed(&self, error: &io::Error) {
        match error.kind() {
            // The time to look around has come; both are the same.
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
            // Windows reports on the socket that somebody could not be reached who was answered
            // before, and that a packet was too long (for which std has no name).
            ErrorKind::ConnectionReset | ErrorKind::Interrupted => {}
            _ if cfg!(windows) && WINDOWS_PACKET_ERRORS.contains(&error.raw_os_error()) => {}
            _ => {
                let text = format_args!("UDP packets cannot be received: {error}");
                self.server.service.log.line(About::Always, text);
                thread::sleep(PAUSE);
            }
        }
    }
}

/// `WSAEMSGSIZE` and `WSAENETRESET` (somebody's packet has expired on its way) of winsock2.h.
const WINDOWS_PACKET_ERRORS: [Option<i32>; 2] = [Some(10040), Some(10052)];

/// What a thread looks at now and then.
struct Look {
    locals: Locals,
    next: Duration,
}

impl Look {
    fn around(socket: &Socket, own_addresses: &OwnAddresses, now: Duration) -> Look {
        Look {
            locals: Locals::of(socket, own_addresses),
            next: now + LOOK_EVERY,
        }
    }

    /// Looks again if it is time to. Returns whether the thread is to go on.
    fn again(&mut self, socket: &Socket, own_addresses: &OwnAddresses, now: Duration) -> bool {
        if now < self.next {
            return true;
        }
        *self = Look::around(socket, own_addresses, now);
        !socket.is_let_go.load(Relaxed)
    }
}

/// By which address of this machine somebody has reached it who asks at a socket.
enum Locals {
    /// There is only one.
    One(IpAddr),
    /// A wildcard does not tell: the likeliest of IPv4, and of IPv6.
    Likeliest([IpAddr; 2]),
}

impl Locals {
    fn of(socket: &Socket, own_addresses: &OwnAddresses) -> Locals {
        match address::canonical(socket.at.ip()) {
            ip if ip.is_unspecified() => {
                Locals::Likeliest([false, true].map(|is_ipv6| own_addresses.likeliest(is_ipv6)))
            }
            ip => Locals::One(ip),
        }
    }

    /// `source` is canonical.
    fn towards(&self, source: IpAddr) -> IpAddr {
        match self {
            Locals::One(ip) => *ip,
            Locals::Likeliest(_) if Scope::of(source) == Scope::Loopback => source,
            Locals::Likeliest(likeliest) => likeliest[usize::from(source.is_ipv6())],
        }
    }
}

#[cfg(test)]
#[path = "sockets_tests.rs"]
mod tests;
