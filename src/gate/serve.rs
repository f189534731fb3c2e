//! The gate's threads: each accepts a connection, reads a request's head, hands a clean one to
//! tiny_http over a kept connection, and writes an answer to the client whose it is.
//!
//! What passes between a client and the gate is in `client.rs`; who gets a thread when there are
//! too few is `connections.rs`'s; what the answer says is the handler's.

use super::client::{Client, Received};
use super::connections::{Bounds, Connections};
use super::handler::Handler;
use super::limits::Limits;
use super::trusted::Trusted;
use super::upstream::Upstreams;
use crate::address;
use crate::counters::Counters;
use crate::lock::lock;
use crate::log::{About, Log};
use crate::refusal::HttpRefusal;
use crate::threads;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Stack of a gate thread. A head is at most 8 KiB, and lies on the heap.
const STACK: usize = 128 * 1024;
/// How often the log says that connections were turned away.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Pause after an accept that failed, most likely for want of descriptors: short, since it is by
/// such tries that clients are let in then, and long enough for those that wait to be no burden.
const ACCEPT_PAUSE: Duration = Duration::from_millis(5);

/// What the gate's threads share.
struct Gate {
    limits: Limits,
    /// Proxies, whose connections are many clients'.
    trusted: Trusted,
    upstreams: Upstreams<Client>,
    handler: Arc<dyn Handler>,
    counters: Arc<Counters>,
    connections: Arc<Connections>,
    turned_away: Mutex<TurnedAway>,
    /// Whether the log was told that there are fewer threads than wanted.
    told_of_few_threads: AtomicBool,
    listeners: Vec<TcpListener>,
    log: Log,
}

/// Connections that were one too many, and when the log was last told.
#[derive(Default)]
struct TurnedAway {
    count: u64,
    told: Option<Instant>,
}

impl TurnedAway {
    /// One more. Returns how many since the log was last told, if it is to be told now.
    fn add(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        let since = |at| now.saturating_duration_since(at);
        if self.told.is_some_and(|at| since(at) < TELL_EVERY) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

/// Opens the gate: from now on `handler` answers what arrives at `listeners`. Returns when the
/// threads run.
pub fn open(
    listeners: Vec<TcpListener>,
    handler: Arc<dyn Handler>,
    counters: Arc<Counters>,
    limits: Limits,
    trusted: Trusted,
    log: Log,
) -> io::Result<()> {
    // Every listener needs one, however few there may be.
    let bounds = Bounds::of(limits.threads.max(listeners.len()));
    let gate = Arc::new(Gate {
        limits,
        trusted,
        upstreams: Upstreams::open(limits.upstreams, log.clone())?,
        handler,
        counters,
        connections: Arc::new(Connections::new(bounds, listeners.len())),
        turned_away: Mutex::default(),
        told_of_few_threads: AtomicBool::new(false),
        listeners,
        log,
    });
    // First, since without it the others are of no use, and they may take the last threads.
    let keeper = Arc::clone(&gate);
    let work = Box::new(move || {
        let start = |listener| keeper.start_thread(listener);
        keeper.connections.keep_threads_free(&start);
    });
    threads::start("evictor", STACK, work)?;
    let start = |listener| gate.start_thread(listener);
    for listener in 0..gate.listeners.len() {
        gate.connections.start_thread(listener, &start)?;
    }
    for _ in 1..gate.connections.threads_at_start() {
        for listener in 0..gate.listeners.len() {
            // The system may allow no more; these are enough to go on.
            let _ = gate.connections.start_thread(listener, &start);
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
    fn start_thread(self: &Arc<Self>, listener: usize) -> io::Result<()> {
        let gate = Arc::clone(self);
        let started = threads::start("gate", STACK, Box::new(move || gate.serve(listener)));
        if let Err(error) = &started {
            self.tell_of_few_threads(error);
        }
        started.map(drop)
    }

    /// A thread of the gate, which accepts for the listener `index`, or for another one where
    /// threads are scarce.
    fn serve(&self, mut index: usize) {
        let mut buffers = Buffers::default();
        let mut is_told = false;
        loop {
            match self.listeners[index].accept() {
                Ok((stream, from)) => {
                    self.connections.thread_is_taken(index);
                    is_told = false;
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
                    ) =>
                {
                    continue;
                }
                Err(error) => {
                    // An error stays with the listener for as long as its cause does: make room,
                    // and do not spin.
                    if !is_told {
                        let text = format_args!("a client could not be let in: {error}");
                        self.log.line(About::Trouble, text);
                        is_told = true;
                    }
                    self.connections.thread_has_failed(index, ACCEPT_PAUSE);
                    continue;
                }
            }
            match self.connections.thread_is_free(index) {
                Some(listener) => index = listener,
                None => return,
            }
        }
    }

    /// Lets a client in, and answers requests until some client has come to its end.
    fn meet(&self, stream: TcpStream, from: SocketAddr, listener: usize, buffers: &mut Buffers) {
        let remote = address::canonical(from.ip());
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let local = SocketAddr::new(address::canonical(local.ip()), local.port());
        let (is_here, is_proxy) = (remote == local.ip(), self.trusted.contains(remote));
        let stream = Arc::new(stream);
        let Some(place) = self.connections.enter(&stream, remote, is_here, is_proxy) else {
            self.counters.connections.turned_away.add();
            self.tell_of_turned_away(remote);
            return;
        };
        let _open = self.counters.connections.open();
        let received = std::mem::take(&mut buffers.received);
        let ends = (local, remote);
        let mut client = Client::new(stream, place, ends, received);
        while let Some(next) = self.exchange(client, listener, buffers) {
            client = next;
        }
    }

    /// Reads a request of one client and answers one, most likely of another (see
    /// `upstream.rs`), in a thread of this listener. Returns the latter client if it goes on.
    fn exchange(
        &self,
        mut client: Client,
        listener: usize,
        buffers: &mut Buffers,
    ) -> Option<Client> {
        match client.read_request(&self.limits, &self.trusted, &mut buffers.request) {
            Received::Request => {}
            Received::Nothing => {
                self.end(client, buffers);
                return None;
            }
            Received::Refused(refusal) => {
                self.refuse(client, refusal, buffers);
                return None;
            }
        }
        let (mut client, exchanged) = self.upstreams.exchange(
            &mut buffers.request,
            client.is_head(),
            client,
            &mut buffers.answer,
            &mut |request, client| self.handler.answer(request, client.visitor()),
        );
        let Ok(answer) = exchanged else {
            self.refuse(client, HttpRefusal::Busy, buffers);
            return None;
        };
        // While newcomers wait for a thread, nobody keeps one for another request: a thread of
        // their listener, whichever this client came by.
        let is_out_of_threads = self.connections.is_out_of_threads(listener);
        let limits = &self.limits;
        if client.write_answer(&mut buffers.answer, answer.head, !is_out_of_threads, limits) {
            return Some(client);
        }
        self.end(client, buffers);
        None
    }

    fn end(&self, client: Client, buffers: &mut Buffers) {
        if client.was_evicted() {
            self.counters.connections.evicted.add();
        }
        buffers.received = client.end();
    }

    fn refuse(&self, mut client: Client, refusal: HttpRefusal, buffers: &mut Buffers) {
        let mut body = Vec::new();
        self.handler.refuse(refusal, client.remote(), &mut body);
        // Whether that reaches it is the client's business.
        let _ = client.refuse(refusal.status(), &body, &mut buffers.answer);
        self.end(client, buffers);
    }

    /// A line at the first time: from then on it is asked for one every second, in a crowd.
    fn tell_of_few_threads(&self, error: &io::Error) {
        if !self.told_of_few_threads.swap(true, Relaxed) {
            let count = self.connections.threads() - 1;
            self.log.line(
                About::Always,
                format_args!("the system allows no more than {count} connections: {error}"),
            );
        }
    }

    /// A line at most every so often: who opens too many connections opens very many.
    fn tell_of_turned_away(&self, source: IpAddr) {
        let count = lock(&self.turned_away).add(Instant::now());
        if let Some(count) = count {
            self.log.line(
                About::Trouble,
                format_args!(
                    "turned away {source}, whose network has as many connections as it may have \
                     ({count} turned away since the last such line)"
                ),
            );
        }
    }
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
