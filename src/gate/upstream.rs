//! The gate's way to tiny_http: a few kept connections (see `upstream_socket.rs`), and the exchange
//! of requests and answers over them.
//!
//! tiny_http hands out requests from all of its connections by one queue. A thread of the gate
//! leaves what belongs to its request (the owner) with the connection that it sends it by,
//! takes whichever request comes next out of the queue, most likely another thread's, and goes on
//! with the owner of that one. So nobody waits for an answer that another thread gives, and a
//! request costs two hand-offs between threads. What is in a request or an answer is not known
//! here, nor what travels.

use super::upstream_socket::{self, Kept, Stream};
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
/// A new tiny_http is made in place of another at most once in this time.
const PAUSE: Duration = Duration::from_secs(1);
/// Connections to one tiny_http. They all come at the same moment, and its pool begins with so many
/// threads: of more, some may be left without one for ever.
const GROUP: usize = 4;

/// The connections to tiny_http, and the owners `T` whose requests are under way.
pub struct Upstreams<T> {
    /// How many there are to be.
    count: usize,
    /// Made at the start, known to nobody else: a request without it did not pass the gate.
    secret: String,
    log: Log,
    pool: Mutex<Pool<T>>,
    put_back: Condvar,
}

struct Pool<T> {
    /// Connections that nobody uses at the moment.
    idle: Vec<(Arc<Group<T>>, usize)>,
    /// All groups but those in which an exchange has gone wrong.
    groups: Vec<Arc<Group<T>>>,
    /// How many threads wait for a connection.
    waiting: usize,
    /// Whether such a group has not been replaced yet.
    has_failed: bool,
    /// When the latest group was made, or tried to.
    made: Option<Instant>,
}

/// A tiny_http and its connections.
///
/// Whoever waits for a request from its queue has left an owner at one of its connections,
/// and leaves with one. So there are as many left as there are threads waiting, always.
struct Group<T> {
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
    /// Opens `count` connections, and as many tiny_https as they need.
    pub fn open(count: usize, log: Log) -> io::Result<Upstreams<T>> {
        let upstreams = Upstreams {
            count,
            secret: format!("{:016x}", RandomState::new().hash_one("secret of the gate")),
            log,
            pool: Mutex::new(Pool {
                idle: Vec::new(),
                groups: Vec::new(),
                waiting: 0,
                has_failed: false,
                made: None,
            }),
            put_back: Condvar::new(),
        };
        let mut pool = lock(&upstreams.pool);
        for _ in 0..count.div_ceil(GROUP) {
            upstreams.make(&mut pool)?;
        }
        drop(pool);
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
        let (group, own) = match self.take() {
            Ok(taken) => taken,
            Err(error) => return (owner, Err(error)),
        };
        self.sign(request, own);
        let upstream = &group.upstreams[own];
        // Before it is sent: another thread may have it the moment after.
        *lock(&upstream.in_flight) = Some(InFlight { owner, is_head });
        let taken = without_panic(|| {
            (&upstream.stream).write_all(request)?;
            self.next_request(&group)
        });
        let (request, number, InFlight { owner, is_head }) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                self.give_up(&group);
                return (group.reclaim(own).owner, Err(error));
            }
        };
        // A panic must take neither the owner with it nor the connection.
        let read = without_panic(|| {
            serve(request, &owner);
            read_answer(&group.upstreams[number].stream, is_head, answer)
        });
        match read {
            Ok(_) => self.give_back(group, number),
            Err(_) => self.give_up(&group),
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
    fn next_request(&self, group: &Group<T>) -> io::Result<(Request, usize, InFlight<T>)> {
        let begin = Instant::now();
        loop {
            let (request, number) = self.next_of_ours(&group.server.0, begin)?;
            let upstream = group.upstreams.get(number);
            match upstream.and_then(|upstream| lock(&upstream.in_flight).take()) {
                Some(in_flight) => return Ok((request, number, in_flight)),
                // Its owner was told that it takes too long.
                None => discard(request),
            }
        }
    }

    /// Takes one request from tiny_http's queue, unless that takes too long, counted from `begin`.
    /// Returns by which connection it came, too. One that did not come from the gate is an error:
    /// with whoever has sent it, nobody shares a tiny_http.
    fn next_of_ours(&self, server: &Server, begin: Instant) -> io::Result<(Request, usize)> {
        while let Some(left) = PATIENCE.checked_sub(begin.elapsed()) {
            let Some(request) = server.recv_timeout(left)? else {
                continue;
            };
            return match self.signature(&request) {
                Some(number) => Ok((request, number)),
                None => {
                    discard(request);
                    Err(ErrorKind::PermissionDenied.into())
                }
            };
        }
        Err(ErrorKind::TimedOut.into())
    }

    /// A connection to use, by its number; waits for one if all are in use.
    fn take(&self) -> io::Result<(Arc<Group<T>>, usize)> {
        let begin = Instant::now();
        let mut pool = lock(&self.pool);
        loop {
            if let Some(taken) = pool.idle.pop() {
                return Ok(taken);
            }
            let mut most = PATIENCE.checked_sub(begin.elapsed());
            if pool.missing(self.count) > 0 {
                let Some(pause) = pool.made.and_then(|at| PAUSE.checked_sub(at.elapsed())) else {
                    self.make(&mut pool)?;
                    if std::mem::take(&mut pool.has_failed) {
                        let text = "tiny_http stopped answering; a new one has taken over";
                        self.log.line(About::Always, format_args!("{text}"));
                    }
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

    fn give_back(&self, group: Arc<Group<T>>, number: usize) {
        let mut pool = lock(&self.pool);
        if pool.has(&group) {
            pool.idle.push((group, number));
            // Waking is a system call, and most of the time there is nobody to wake.
            if pool.waiting > 0 {
                self.put_back.notify_one();
            }
        }
    }

    /// An exchange went wrong, so nobody knows what is in which queue: the whole group is given
    /// up. Requests of others that are under way end by themselves.
    fn give_up(&self, group: &Arc<Group<T>>) {
        let mut pool = lock(&self.pool);
        pool.has_failed |= pool.has(group);
        pool.groups.retain(|other| !Arc::ptr_eq(other, group));
        pool.idle.retain(|(other, _)| !Arc::ptr_eq(other, group));
        self.put_back.notify_all();
    }

    /// Makes a group of those that are missing.
    fn make(&self, pool: &mut Pool<T>) -> io::Result<()> {
        let missing = pool.missing(self.count).min(GROUP);
        pool.made = Some(Instant::now());
        let opened = upstream_socket::open(missing)?;
        // It panics when the system has no thread for it.
        let server = without_panic(|| {
            Server::from_listener(opened.listener, None).map_err(io::Error::other)
        })?;
        let server = Kept::new(server);
        if opened.close.is_none() {
            await_end_of_accepting(&server.0);
        }
        let upstreams = opened.streams.into_iter().enumerate();
        let upstreams: io::Result<Vec<_>> = upstreams
            .map(|(number, stream)| {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                self.prime(&stream, number, &server.0)?;
                let in_flight = Mutex::new(None);
                Ok(Upstream { stream, in_flight })
            })
            .collect();
        // However that went: a tiny_http that is given up must not go on accepting.
        if let Some(close) = opened.close {
            close();
            await_end_of_accepting(&server.0);
        }
        let group = Arc::new(Group {
            server,
            upstreams: upstreams?,
        });
        let numbers = 0..group.upstreams.len();
        pool.idle
            .extend(numbers.map(|number| (Arc::clone(&group), number)));
        pool.groups.push(group);
        Ok(())
    }

    /// A first request, to see that tiny_http answers by this connection.
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
    fn has(&self, group: &Arc<Group<T>>) -> bool {
        self.groups.iter().any(|other| Arc::ptr_eq(other, group))
    }

    /// How many connections there could be in addition, if there are to be so many.
    fn missing(&self, count: usize) -> usize {
        let upstreams = self.groups.iter().map(|group| group.upstreams.len());
        count.saturating_sub(upstreams.sum())
    }
}

impl<T> Group<T> {
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

impl<T> Drop for Group<T> {
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

/// Waits until tiny_http's accept has failed, which ends its accepting thread.
fn await_end_of_accepting(server: &Server) {
    // The failure comes through the queue of requests. Should it not come, the listener stays open
    // to us alone (or, where it cannot be closed, the secret is what keeps others out).
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
