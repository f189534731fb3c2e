//! The gate's way to tiny_http: a few kept connections (see `upstream_socket.rs`), and the exchange
//! of requests and answers over them.
//!
//! tiny_http hands out requests from all of its connections by one queue. A thread of the gate
//! leaves what belongs to its request (the owner) with the connection that it sends it by,
//! takes whichever request comes next out of the queue, most likely another thread's, and goes on
//! with the owner of that one. So nobody waits for an answer that another thread gives, and a
//! request costs two hand-offs between threads. What is in a request or an answer is not known
//! here, nor what travels.

use super::upstream_socket::{Kept, Stream, UpstreamListener};
use crate::lock::lock;
use crate::log::{About, Log};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use std::{iter, thread};
use tiny_http::{Request, Response, Server, StatusCode};

/// The header that carries the secret. It is short, since tiny_http takes some 80 instructions to
/// read a byte.
const HEADER: &str = "Gate";
/// How long tiny_http may take for anything: it runs in this process, and a request takes it
/// some 50 microseconds.
const PATIENCE: Duration = Duration::from_secs(3);
/// A new tiny_http is made at most once in this time.
const PAUSE: Duration = Duration::from_secs(1);

/// The connections to tiny_http, and the owners `T` whose requests are under way.
pub struct Upstreams<T> {
    count: usize,
    /// Made at the start, known to nobody else: a request without it did not pass the gate.
    secret: String,
    log: Log,
    pool: Mutex<Pool<T>>,
    put_back: Condvar,
}

struct Pool<T> {
    /// `None` when an exchange has gone wrong.
    current: Option<Arc<Generation<T>>>,
    /// Numbers of its connections that nobody uses at the moment.
    idle: Vec<usize>,
    /// How many threads wait for one.
    waiting: usize,
    /// When the current generation was made, or tried to.
    made: Option<Instant>,
}

/// A tiny_http and its connections.
///
/// Whoever waits for a request from its queue has left an owner at one of its connections,
/// and leaves with one. So there are as many left as there are threads waiting, always.
struct Generation<T> {
    server: Kept,
    upstreams: Vec<Upstream<T>>,
}

struct Upstream<T> {
    stream: Stream,
    in_flight: Mutex<Option<InFlight<T>>>,
}

struct InFlight<T> {
    owner: T,
    /// Whether the answer to its request has no body, whatever it says.
    is_head: bool,
}

/// Where the head of an answer ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Bytes of the head, its empty line included.
    pub head: usize,
}

impl<T> Upstreams<T> {
    /// Opens a tiny_http and `count` connections to it.
    pub fn open(count: usize, log: Log) -> io::Result<Upstreams<T>> {
        let upstreams = Upstreams {
            count,
            secret: format!("{:016x}", RandomState::new().hash_one("secret of the gate")),
            log,
            pool: Mutex::new(Pool {
                current: None,
                idle: Vec::new(),
                waiting: 0,
                made: None,
            }),
            put_back: Condvar::new(),
        };
        upstreams.make(&mut lock(&upstreams.pool))?;
        Ok(upstreams)
    }

    /// Sends a request to tiny_http, has `serve` answer one that it hands out, for its owner,
    /// and reads that answer into `answer`. Returns that owner.
    ///
    /// `request` lacks the empty line at its end, and need not be the owner's that is
    /// returned; `is_head` says that its answer has no body. After an error the owner that is
    /// returned has got no answer.
    pub fn exchange(
        &self,
        request: &mut Vec<u8>,
        is_head: bool,
        owner: T,
        answer: &mut Vec<u8>,
        serve: &mut dyn FnMut(Request, &T),
    ) -> (T, io::Result<Answer>) {
        let (generation, own) = match self.take() {
            Ok(taken) => taken,
            Err(error) => return (owner, Err(error)),
        };
        self.sign(request, own);
        let upstream = &generation.upstreams[own];
        // Before it is sent: another thread may have it the moment after.
        *lock(&upstream.in_flight) = Some(InFlight { owner, is_head });
        let taken = without_panic(|| {
            (&upstream.stream).write_all(request)?;
            self.next_request(&generation)
        });
        let (request, number, InFlight { owner, is_head }) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                self.give_up(&generation);
                return (generation.reclaim(own).owner, Err(error));
            }
        };
        // A panic must take neither the owner with it nor the connection.
        let read = without_panic(|| {
            serve(request, &owner);
            read_answer(&generation.upstreams[number].stream, is_head, answer)
        });
        match read {
            Ok(_) => self.give_back(&generation, number),
            Err(_) => self.give_up(&generation),
        }
        (owner, read)
    }

    /// Ends a request: a header says by which connection it goes, and that the gate sends it.
    fn sign(&self, request: &mut Vec<u8>, number: usize) {
        // Writing into a Vec does not fail.
        let _ = write!(request, "{HEADER}: {} {number}\r\n\r\n", self.secret);
    }

    /// By which connection a request came; `None` if it is not the gate's.
    fn signature(&self, request: &Request) -> Option<usize> {
        let header = request.headers().last()?;
        let (secret, number) = header.value.as_str().split_once(' ')?;
        let is_ours = header.field.equiv(HEADER) && secret == self.secret;
        number.parse().ok().filter(|_| is_ours)
    }

    /// Takes one request from tiny_http's queue. Returns by which connection it came, too, and who
    /// waits for it.
    fn next_request(
        &self,
        generation: &Generation<T>,
    ) -> io::Result<(Request, usize, InFlight<T>)> {
        let begin = Instant::now();
        loop {
            let (request, number) = self.next_of_ours(&generation.server.0, begin)?;
            let upstream = generation.upstreams.get(number);
            match upstream.and_then(|upstream| lock(&upstream.in_flight).take()) {
                Some(in_flight) => return Ok((request, number, in_flight)),
                // Its owner was told that it takes too long.
                None => discard(request),
            }
        }
    }

    /// Takes one request from tiny_http's queue, and only one that came from the gate, unless that
    /// takes too long, counted from `begin`. Returns by which connection it came, too.
    fn next_of_ours(&self, server: &Server, begin: Instant) -> io::Result<(Request, usize)> {
        while let Some(left) = PATIENCE.checked_sub(begin.elapsed()) {
            let Some(request) = server.recv_timeout(left)? else {
                continue;
            };
            match self.signature(&request) {
                Some(number) => return Ok((request, number)),
                None => discard(request),
            }
        }
        Err(ErrorKind::TimedOut.into())
    }

    /// A connection to use, by its number; waits for one if all are in use.
    fn take(&self) -> io::Result<(Arc<Generation<T>>, usize)> {
        let begin = Instant::now();
        let mut pool = lock(&self.pool);
        loop {
            let mut most = PATIENCE.checked_sub(begin.elapsed());
            if let Some(current) = &pool.current {
                let current = Arc::clone(current);
                if let Some(number) = pool.idle.pop() {
                    return Ok((current, number));
                }
            } else {
                let pause = pool.made.and_then(|at| PAUSE.checked_sub(at.elapsed()));
                let Some(pause) = pause else {
                    self.make(&mut pool)?;
                    let text = "tiny_http stopped answering; a new one has taken over";
                    self.log.line(About::Always, format_args!("{text}"));
                    continue;
                };
                most = most.map(|most| most.min(pause));
            }
            let Some(most) = most else {
                return Err(ErrorKind::TimedOut.into());
            };
            pool.waiting += 1;
            pool = match self.put_back.wait_timeout(pool, most) {
                Ok((pool, _)) => pool,
                Err(poisoned) => poisoned.into_inner().0,
            };
            pool.waiting -= 1;
        }
    }

    fn give_back(&self, generation: &Arc<Generation<T>>, number: usize) {
        let mut pool = lock(&self.pool);
        if pool.is_current(generation) {
            pool.idle.push(number);
            // Waking is a system call, and most of the time there is nobody to wake.
            if pool.waiting > 0 {
                self.put_back.notify_one();
            }
        }
    }

    /// An exchange went wrong, so nobody knows what is in which queue: the whole generation is
    /// given up. Requests of others that are under way end by themselves.
    fn give_up(&self, generation: &Arc<Generation<T>>) {
        let mut pool = lock(&self.pool);
        if pool.is_current(generation) {
            pool.current = None;
            pool.idle.clear();
            self.put_back.notify_all();
        }
    }

    /// Makes a generation.
    fn make(&self, pool: &mut Pool<T>) -> io::Result<()> {
        pool.made = Some(Instant::now());
        let (upstream_listener, listener) = UpstreamListener::open()?;
        // It panics when the system has no thread for it.
        let server =
            without_panic(|| Server::from_listener(listener, None).map_err(io::Error::other))?;
        let server = Kept::new(server);
        let upstreams = self.open_upstreams(&upstream_listener, &server.0);
        // However that went: a tiny_http that is given up must not go on accepting.
        close_listener(&server.0, &upstream_listener);
        let upstreams = upstreams?;
        pool.idle = (0..upstreams.len()).collect();
        pool.current = Some(Arc::new(Generation { server, upstreams }));
        Ok(())
    }

    fn open_upstreams(
        &self,
        upstream_listener: &UpstreamListener,
        server: &Server,
    ) -> io::Result<Vec<Upstream<T>>> {
        let mut upstreams = Vec::with_capacity(self.count);
        for number in 0..self.count {
            let stream = upstream_listener.connect()?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            // tiny_http's pool may leave one of several connections that come at once without a
            // thread. After a first request a connection has one for good.
            self.prime(&stream, number, server)?;
            let in_flight = Mutex::new(None);
            upstreams.push(Upstream { stream, in_flight });
        }
        Ok(upstreams)
    }

    fn prime(&self, mut stream: &Stream, number: usize, server: &Server) -> io::Result<()> {
        let mut request = b"GET / HTTP/1.1\r\n".to_vec();
        self.sign(&mut request, number);
        stream.write_all(&request)?;
        // No other is under way.
        let (request, _) = self.next_of_ours(server, Instant::now())?;
        let _ = request.respond(Response::empty(StatusCode(204)));
        read_answer(stream, true, &mut Vec::new()).map(drop)
    }
}

impl<T> Pool<T> {
    fn is_current(&self, generation: &Arc<Generation<T>>) -> bool {
        let current = self.current.as_ref();
        current.is_some_and(|current| Arc::ptr_eq(current, generation))
    }
}

impl<T> Generation<T> {
    /// An owner for a thread that gets no request from the queue: its own, unless another thread
    /// has that.
    fn reclaim(&self, own: usize) -> InFlight<T> {
        loop {
            for number in iter::once(own).chain(0..self.upstreams.len()) {
                if let Some(in_flight) = lock(&self.upstreams[number].in_flight).take() {
                    return in_flight;
                }
            }
            // There is one, but where this thread had just looked.
            thread::yield_now();
        }
    }
}

impl<T> Drop for Generation<T> {
    fn drop(&mut self) {
        // Requests that nobody took hold connections, and so descriptors.
        while let Ok(Some(request)) = self.server.0.try_recv() {
            discard(request);
        }
    }
}

/// A panic as an error.
fn without_panic<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(io::Error::other("a panic")))
}

/// Makes tiny_http stop accepting: it has the connections that it will have.
///
/// With its port open, any program on this machine could make it abort, use up the process'
/// descriptors, or end its accepting for good by having used them up. An accept that fails ends
/// its accepting thread and closes the port, while connections go on; so we make one fail.
fn close_listener(server: &Server, upstream_listener: &UpstreamListener) {
    if upstream_listener.set_nonblocking().is_err() {
        return;
    }
    // Its accept may be waiting already, in the mode of before.
    drop(upstream_listener.connect());
    // The failure comes through the queue of requests. If it does not, the port stays open, and
    // the secret is what keeps others out.
    let begin = Instant::now();
    while let Some(left) = PAUSE.checked_sub(begin.elapsed()) {
        match server.recv_timeout(left) {
            Err(_) => return,
            Ok(None) => {}
            Ok(Some(request)) => discard(request),
        }
    }
}

/// Gets rid of a request that is not the gate's, or that nobody waits for.
fn discard(request: Request) {
    match request.body_length() {
        None | Some(0) => drop(request.respond(Response::empty(StatusCode(403)))),
        // Dropping it would allocate as much as its header says, and answering drops it.
        Some(_) => std::mem::forget(request),
    }
}

/// Reads one answer: a head, and as many bytes as it says.
fn read_answer(mut stream: &Stream, is_head: bool, answer: &mut Vec<u8>) -> io::Result<Answer> {
    answer.clear();
    let mut head = None;
    loop {
        let seen = answer.len();
        let mut more = [0; 4096];
        match stream.read(&mut more) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => answer.extend_from_slice(&more[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        head = head.or_else(|| super::head::end(answer, seen));
        let Some(head) = head else {
            continue;
        };
        let body = if is_head {
            0
        } else {
            content_length(&answer[..head]).ok_or(ErrorKind::InvalidData)?
        };
        match answer.len() - head {
            length if length < body => {}
            length if length == body => return Ok(Answer { head }),
            // More than was asked for: whose answer this is, nobody knows.
            _ => return Err(ErrorKind::InvalidData.into()),
        }
    }
}

fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"\r\nContent-Length: ";
    let at = head.windows(NAME.len()).position(|part| part == NAME)?;
    let value = &head[at + NAME.len()..];
    let end = value.iter().position(|&byte| byte == b'\r')?;
    std::str::from_utf8(&value[..end]).ok()?.parse().ok()
}

#[cfg(test)]
#[path = "upstream_tests.rs"]
mod tests;
