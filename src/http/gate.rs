//! The gate: what stands between the network and tiny_http, like a proxy in the same process.
//!
//! tiny_http must not face the network itself: `dont_readme.txt` has the list of what brings it
//! down. The gate's threads, fixed in number, each accept a connection, read a request's head
//! (bounded in size and time), write a clean one to tiny_http over a kept connection, and write
//! an answer to the client whose it is. What passes between a client and the gate is in
//! `conversation.rs`; what the answer says is `server.rs`'s; who gets a thread when there are too
//! few is `connections.rs`'s.

use super::connections::Connections;
use super::conversation::Conversation;
use super::head::{self, Refused};
use super::link::Links;
use super::server::Server;
use crate::address;
use crate::log::{About, Log};
use crate::threads;
use crate::trusted::Trusted;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The gate's bounds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Threads, and so connections, in all.
    pub threads: usize,
    /// Kept connections to tiny_http.
    pub links: usize,
    /// For a request's head, from its first byte or the connection's begin to its last byte.
    pub head_time: Duration,
    /// For a client to take an answer, in all.
    pub answer_time: Duration,
    /// Between an answer and the next request on a kept connection.
    pub idle_time: Duration,
}

impl Limits {
    /// What suits the number of descriptors that the process may have: `None` where that is not
    /// known, or not bounded.
    pub fn for_descriptors(descriptors: Option<usize>) -> Limits {
        let descriptors = descriptors.unwrap_or(usize::MAX);
        // A link takes three: our end, and tiny_http's twice.
        let links = (descriptors / 12).clamp(2, 32);
        // For standard streams, listeners, UDP sockets, the log, a name being resolved.
        let reserve = 3 * links + 24;
        let threads = descriptors.saturating_sub(reserve).clamp(4, 128);
        Limits {
            threads,
            links,
            head_time: Duration::from_secs(5),
            answer_time: Duration::from_secs(5),
            idle_time: Duration::from_secs(30),
        }
    }
}

/// Stack of a gate thread. A head is at most 8 KiB, and lies on the heap.
const STACK: usize = 128 * 1024;
/// How often the log says that connections were turned away.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Pause after an accept that failed, most likely for want of descriptors; it doubles up to the
/// second figure, since all threads meet the same.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(640));
/// What the gate's threads share.
struct Gate {
    limits: Limits,
    /// Most connections from one IPv4 address or one /64 of IPv6.
    per_neighbour: usize,
    /// Proxies, whose connections are many clients'.
    trusted: Trusted,
    links: Links<Conversation>,
    server: Server,
    connections: Arc<Connections>,
    turned_away: Mutex<TurnedAway>,
    log: Log,
}

/// Connections that were one too many, and when the log was last told.
#[derive(Default)]
struct TurnedAway {
    count: u64,
    told: Option<Instant>,
}

/// Opens the gate: from now on `server` answers what arrives at `listeners`. Returns when the
/// threads run.
pub fn open(
    listeners: Vec<TcpListener>,
    server: Server,
    limits: Limits,
    trusted: Trusted,
    log: Log,
) -> io::Result<()> {
    // Every listener needs one, however few there may be.
    let threads = limits.threads.max(listeners.len());
    // Half of what one listener has, so that nobody takes all of it.
    let per_neighbour = (threads / listeners.len() / 2).max(2);
    let gate = Arc::new(Gate {
        limits,
        per_neighbour,
        trusted,
        links: Links::open(limits.links, log.clone())?,
        server,
        connections: Arc::new(Connections::new(threads, listeners.len(), per_neighbour)),
        turned_away: Mutex::default(),
        log,
    });
    // First, since without it the others are of no use, and they may take the last threads.
    let doorkeeper = Arc::clone(&gate);
    let work = Box::new(move || doorkeeper.connections.keep_a_thread_free());
    threads::start("doorkeeper", STACK, work)?;
    let listeners: Vec<_> = listeners.into_iter().map(Arc::new).collect();
    let mut started = vec![0; listeners.len()];
    for index in (0..listeners.len()).cycle().take(threads) {
        let listener = Arc::clone(&listeners[index]);
        let shared = Arc::clone(&gate);
        let work = Box::new(move || shared.serve(&listener, index));
        match threads::start("gate", STACK, work) {
            Ok(_) => started[index] += 1,
            Err(error) if started.contains(&0) => return Err(error),
            Err(error) => {
                let count: usize = started.iter().sum();
                gate.log.line(
                    About::Always,
                    format_args!("the system allows no more than {count} connections: {error}"),
                );
                break;
            }
        }
    }
    Ok(())
}

/// What a thread keeps from one connection to the next.
#[derive(Default)]
struct Buffers {
    /// Bytes of the client, from the beginning of a request.
    received: Vec<u8>,
    /// The clean head.
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Gate {
    /// A thread of the gate, which accepts for the listener `index`.
    fn serve(&self, listener: &TcpListener, index: usize) {
        let mut buffers = Buffers::default();
        let mut pause = ACCEPT_PAUSE.0;
        loop {
            self.connections.thread_is_free(index);
            let accepted = listener.accept();
            self.connections.thread_is_taken(index);
            match accepted {
                Ok((stream, from)) => {
                    pause = ACCEPT_PAUSE.0;
                    // Its request is most likely a moment behind it: let it come, instead of going
                    // to sleep over the first read.
                    thread::yield_now();
                    let met = AssertUnwindSafe(|| self.meet(stream, from, index, &mut buffers));
                    if catch_unwind(met).is_err() {
                        let text = "a connection met an error of the tracker's own";
                        self.log.line(About::Always, format_args!("{text}"));
                    }
                }
                // The client has left again before it was its turn; the second is what Windows
                // calls it.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionAborted
                            | ErrorKind::ConnectionReset
                            | ErrorKind::Interrupted
                    ) => {}
                Err(error) => {
                    // An error stays with the listener for as long as its cause does: make room,
                    // and do not spin.
                    let text = format_args!("a client could not be let in: {error}");
                    self.log.line(About::Trouble, text);
                    self.connections.evict_longest_waiting(Instant::now(), 1);
                    thread::sleep(pause);
                    pause = ACCEPT_PAUSE.1.min(pause * 2);
                }
            }
        }
    }

    /// Lets a client in, and answers requests until some conversation has come to its end.
    fn meet(&self, stream: TcpStream, from: SocketAddr, listener: usize, buffers: &mut Buffers) {
        let peer = address::canonical(from.ip());
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let local = SocketAddr::new(address::canonical(local.ip()), local.port());
        let is_exempt = peer == local.ip() || self.trusted.contains(peer);
        let stream = Arc::new(stream);
        let Some(place) = self.connections.enter(&stream, peer, is_exempt) else {
            self.server.counters.connections.turned_away.add();
            self.tell_of_turned_away(peer);
            return;
        };
        let _open = self.server.counters.connections.open();
        let received = std::mem::take(&mut buffers.received);
        let ends = (local, peer);
        let mut conversation = Conversation::new(stream, place, ends, received);
        while let Some(next) = self.exchange(conversation, listener, buffers) {
            conversation = next;
        }
    }

    /// Reads a request of one conversation and answers one, most likely of another (see
    /// `link.rs`), in a thread of this listener. Returns the latter conversation if it goes on.
    fn exchange(
        &self,
        mut conversation: Conversation,
        listener: usize,
        buffers: &mut Buffers,
    ) -> Option<Conversation> {
        match conversation.read_request(&self.limits, &self.trusted, &mut buffers.request) {
            Ok(true) => {}
            Ok(false) => {
                self.end(conversation, buffers);
                return None;
            }
            Err(refused) => {
                self.refuse(conversation, refused, buffers);
                return None;
            }
        }
        let (mut conversation, exchanged) = self.links.exchange(
            &mut buffers.request,
            conversation.is_head(),
            conversation,
            &mut buffers.answer,
            &mut |request, conversation| self.server.serve(request, conversation.visitor()),
        );
        let Ok(answer) = exchanged else {
            self.refuse(conversation, head::BUSY, buffers);
            return None;
        };
        // While newcomers wait for a thread, nobody keeps one for another request: a thread of their
        // listener, whichever this client came by.
        let is_crowded = self.connections.is_crowded(listener);
        let limits = &self.limits;
        if conversation.write_answer(&mut buffers.answer, answer.head, !is_crowded, limits) {
            return Some(conversation);
        }
        self.end(conversation, buffers);
        None
    }

    fn end(&self, conversation: Conversation, buffers: &mut Buffers) {
        if conversation.was_evicted() {
            self.server.counters.connections.evicted.add();
        }
        buffers.received = conversation.end();
    }

    fn refuse(&self, mut conversation: Conversation, refused: Refused, buffers: &mut Buffers) {
        self.server.counters.refuse(refused.reason);
        let peer = conversation.peer();
        self.log.line(
            About::Trouble,
            format_args!("refused {peer}: {} ({})", refused.text, refused.fault()),
        );
        // Whether that reaches it is the client's business.
        let _ = conversation.refuse(refused, &mut buffers.answer);
        self.end(conversation, buffers);
    }

    /// A line at most every so often: who opens too many connections opens very many.
    fn tell_of_turned_away(&self, source: IpAddr) {
        let mut turned_away = self
            .turned_away
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        turned_away.count += 1;
        let is_time = turned_away.told.is_none_or(|at| at.elapsed() >= TELL_EVERY);
        if is_time {
            let most = self.per_neighbour;
            self.log.line(
                About::Trouble,
                format_args!(
                    "turned away {source}, which has {most} connections open already \
                     ({} turned away since the last such line)",
                    turned_away.count
                ),
            );
            *turned_away = TurnedAway {
                count: 0,
                told: Some(Instant::now()),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Verbosity;
    use crate::tracker::{Settings, Tracker};
    use std::io::{Read, Write};
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    const LIMITS: Limits = Limits {
        threads: 3,
        links: 2,
        head_time: Duration::from_millis(300),
        answer_time: Duration::from_millis(300),
        idle_time: Duration::from_millis(300),
    };

    fn opened_with<const LISTENERS: usize>(limits: Limits) -> [SocketAddr; LISTENERS] {
        let log = Log::new(Verbosity::Quiet, io::sink()).unwrap();
        let tracker = Tracker::new(Settings {
            interval: Duration::from_secs(240),
            numwant: 30,
            bounds: crate::swarms::Bounds {
                peers: 10_000_000,
                per_neighbour: 20_000,
                per_neighbour_in_swarm: 200,
            },
        });
        let server = Server {
            tracker: Arc::new(tracker),
            began: Instant::now(),
            scrape: false,
            strangers: Default::default(),
            page: Default::default(),
            counters: crate::counters::Counters::new(),
            log: log.clone(),
        };
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let listeners: [TcpListener; LISTENERS] = std::array::from_fn(|_| listen());
        let addresses = listeners.each_ref().map(|l| l.local_addr().unwrap());
        open(listeners.into(), server, limits, Trusted::default(), log).unwrap();
        addresses
    }

    fn opened() -> SocketAddr {
        let [address] = opened_with(LIMITS);
        address
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        let time = Some(Duration::from_secs(5));
        stream.set_read_timeout(time).unwrap();
        // A reset comes where a place was given to another.
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    /// The row "a handler panics" of the list in `dont_readme.txt`.
    #[test]
    fn a_panic_costs_one_answer_and_no_thread() {
        let address = opened();
        let get = |path| ask(address, &format!("GET {path} HTTP/1.0\r\n\r\n"));
        for _ in 0..10 {
            assert!(get("/panic").starts_with("HTTP/1.1 500 "));
            assert!(get("/announce").contains("info_hash is missing"));
        }
    }

    #[test]
    fn the_slow_are_told_and_the_silent_are_not() {
        let address = opened();
        assert!(ask(address, "GET / HT").starts_with("HTTP/1.1 408 "));
        assert_eq!(ask(address, ""), "");
        let kept = ask(address, "GET /x HTTP/1.1\r\n\r\n");
        assert!(kept.starts_with("HTTP/1.1 404 "), "and then closed as idle");
    }

    /// Conversations travel between threads of all listeners, so busy clients of one may have the
    /// threads of another.
    #[test]
    fn busy_clients_of_one_listener_leave_room_at_the_other() {
        let [busy, other] = opened_with(Limits {
            threads: 6,
            links: 4,
            ..LIMITS
        });
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !is_over.load(Relaxed) {
                        // For as long as it is kept. However that ends, begin anew.
                        let _ = ask_until_closed(busy, &is_over);
                    }
                });
            }
            // One that comes before there is room may lose its place itself.
            let mut missing = 0;
            for _ in 0..2000 {
                let answer = ask(other, "GET /x HTTP/1.0\r\n\r\n");
                missing += usize::from(!answer.starts_with("HTTP/1.1 404 "));
                if missing == 10 {
                    break;
                }
            }
            is_over.store(true, Relaxed);
            assert!(missing < 10, "{missing} without an answer");
        });
    }

    fn ask_until_closed(address: SocketAddr, is_over: &AtomicBool) -> io::Result<()> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut answer = [0; 4096];
        while !is_over.load(Relaxed) {
            stream.write_all(b"GET /x HTTP/1.1\r\n\r\n")?;
            if stream.read(&mut answer)? == 0 {
                break;
            }
        }
        Ok(())
    }

    #[test]
    fn limits_leave_descriptors_for_everything_else() {
        for descriptors in [20, 64, 256, 1024, 1 << 20] {
            let limits = Limits::for_descriptors(Some(descriptors));
            assert!(limits.threads >= 4 && limits.links >= 2);
            if descriptors >= 64 {
                assert!(limits.threads + 3 * limits.links + 20 <= descriptors);
            }
        }
        assert_eq!(Limits::for_descriptors(None).threads, 128);
    }
}
