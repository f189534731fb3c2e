//! The gate's way to tiny_http: a few kept connections (see `channel.rs`), and the
//! exchange of one request and one answer over them.
//!
//! tiny_http hands out requests from all of its connections by one queue. A thread of the gate
//! writes its request to one connection, takes one request from the queue (perhaps another
//! thread's, which takes this one's in turn), answers it, and reads its own answer. So a request
//! costs two hand-offs between threads. What is in a request or an answer is not known here.

use super::channel::{Door, Kept, Stream};
use crate::log::{About, Log};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tiny_http::{Request, Response, Server, StatusCode};

/// The header that carries the secret.
const HEADER: &str = "Mayfly-Gate";
/// How long tiny_http may take for anything: it runs in this process, and a request takes it
/// some 50 microseconds.
const PATIENCE: Duration = Duration::from_secs(3);
/// A new tiny_http is made at most once in this time.
const PAUSE: Duration = Duration::from_secs(1);

/// The connections to tiny_http.
pub struct Links {
    count: usize,
    /// Made at the start, known to nobody else: a request without it did not pass the gate.
    secret: String,
    log: Log,
    pool: Mutex<Pool>,
    put_back: Condvar,
}

struct Pool {
    /// Connections that nobody uses at the moment.
    idle: Vec<Link>,
    /// Of which generation they are, and how many there are of it in all.
    generation: u64,
    alive: usize,
    /// How many threads wait for one.
    waiting: usize,
    /// When this generation was made, or tried to.
    made: Option<Instant>,
}

struct Link {
    stream: Stream,
    server: Arc<Kept>,
    generation: u64,
}

/// Where the head of an answer ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Bytes of the head, its empty line included.
    pub head: usize,
}

impl Links {
    /// Opens a tiny_http and `count` connections to it.
    pub fn open(count: usize, log: Log) -> io::Result<Links> {
        let half = || RandomState::new().hash_one("secret of the gate");
        let links = Links {
            count,
            secret: format!("{:016x}{:016x}", half(), half()),
            log,
            pool: Mutex::new(Pool {
                idle: Vec::new(),
                generation: 0,
                alive: 0,
                waiting: 0,
                made: None,
            }),
            put_back: Condvar::new(),
        };
        links.make(&mut links.lock())?;
        Ok(links)
    }

    /// Begins a request: the request line is there already, up to its line end.
    pub fn write_secret(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(HEADER.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(self.secret.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// Sends a request to tiny_http, has `serve` answer one that it hands out, and reads the
    /// answer to the first into `answer`. `is_head` says that it has no body, whatever it says.
    pub fn exchange(
        &self,
        request: &[u8],
        is_head: bool,
        answer: &mut Vec<u8>,
        serve: &mut dyn FnMut(Request),
    ) -> io::Result<Answer> {
        let mut link = self.take()?;
        let exchanged = link
            .stream
            .write_all(request)
            .and_then(|()| self.serve_one(&link.server.0, serve))
            .and_then(|()| read_answer(&mut link.stream, is_head, answer));
        match exchanged {
            Ok(_) => self.give_back(link),
            Err(_) => self.give_up(link),
        }
        exchanged
    }

    /// Takes one request from tiny_http's queue, and only one that came from the gate.
    fn serve_one(&self, server: &Server, serve: &mut dyn FnMut(Request)) -> io::Result<()> {
        let begin = Instant::now();
        while let Some(left) = PATIENCE.checked_sub(begin.elapsed()) {
            let Some(request) = server.recv_timeout(left)? else {
                continue;
            };
            let is_ours = |header: &tiny_http::Header| {
                header.field.equiv(HEADER) && header.value.as_str() == self.secret
            };
            if request.headers().first().is_some_and(is_ours) {
                serve(request);
                return Ok(());
            }
            discard(request);
        }
        Err(ErrorKind::TimedOut.into())
    }

    /// A connection to use; waits for one if all are in use.
    fn take(&self) -> io::Result<Link> {
        let begin = Instant::now();
        let mut pool = self.lock();
        loop {
            if let Some(link) = pool.idle.pop() {
                return Ok(link);
            }
            let mut most = PATIENCE.checked_sub(begin.elapsed());
            if pool.alive == 0 {
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

    fn give_back(&self, link: Link) {
        let mut pool = self.lock();
        if link.generation == pool.generation {
            pool.idle.push(link);
            // Waking is a system call, and most of the time there is nobody to wake.
            if pool.waiting > 0 {
                self.put_back.notify_one();
            }
        }
    }

    /// An exchange went wrong, so nobody knows what is in which queue: the whole generation is
    /// given up. Requests of others that are under way end by themselves.
    fn give_up(&self, link: Link) {
        let mut pool = self.lock();
        if link.generation == pool.generation {
            pool.generation += 1;
            pool.alive = 0;
            pool.idle.clear();
            self.put_back.notify_all();
        }
    }

    /// Makes a generation: a tiny_http, and connections to it.
    fn make(&self, pool: &mut Pool) -> io::Result<()> {
        pool.made = Some(Instant::now());
        let (door, listener) = Door::open()?;
        let server = Server::from_listener(listener, None).map_err(io::Error::other)?;
        let server = Arc::new(Kept::new(server));
        let links = self.open_links(&door, &server, pool.generation);
        // However that went: a tiny_http that is given up must not go on accepting.
        close_the_door(&server.0, &door);
        let links = links?;
        pool.alive = links.len();
        pool.idle = links;
        Ok(())
    }

    fn open_links(
        &self,
        door: &Door,
        server: &Arc<Kept>,
        generation: u64,
    ) -> io::Result<Vec<Link>> {
        let mut links = Vec::with_capacity(self.count);
        for _ in 0..self.count {
            let stream = door.connect()?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            let mut link = Link {
                stream,
                server: Arc::clone(server),
                generation,
            };
            // tiny_http's pool may leave one of several connections that come at once without a
            // thread. After a first request a connection has one for good.
            self.prime(&mut link)?;
            links.push(link);
        }
        Ok(links)
    }

    fn prime(&self, link: &mut Link) -> io::Result<()> {
        let mut request = b"GET / HTTP/1.1\r\n".to_vec();
        self.write_secret(&mut request);
        request.extend_from_slice(b"\r\n");
        link.stream.write_all(&request)?;
        self.serve_one(&link.server.0, &mut |request| {
            let _ = request.respond(Response::empty(StatusCode(204)));
        })?;
        read_answer(&mut link.stream, true, &mut Vec::new())?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        // Nothing panics half-way through a change.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes tiny_http stop accepting: it has the connections that it will have.
///
/// With its port open, any program on this machine could make it abort, use up the process'
/// descriptors, or end its accepting for good by having used them up. An accept that fails ends
/// its accepting thread and closes the port, while connections go on; so we make one fail.
fn close_the_door(server: &Server, door: &Door) {
    if door.set_nonblocking().is_err() {
        return;
    }
    // Its accept may be waiting already, in the mode of before.
    drop(door.connect());
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
pub fn discard(request: Request) {
    match request.body_length() {
        None | Some(0) => drop(request.respond(Response::empty(StatusCode(403)))),
        // Dropping it would allocate as much as its header says, and answering drops it.
        Some(_) => std::mem::forget(request),
    }
}

/// Reads one answer: a head, and as many bytes as it says.
fn read_answer(stream: &mut Stream, is_head: bool, answer: &mut Vec<u8>) -> io::Result<Answer> {
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
mod tests {
    use super::*;
    use crate::log::Verbosity;

    fn links(count: usize) -> Links {
        Links::open(count, Log::new(Verbosity::Quiet, io::sink()).unwrap()).unwrap()
    }

    fn request(links: &Links, path: &str) -> Vec<u8> {
        let mut request = format!("GET {path} HTTP/1.1\r\n").into_bytes();
        links.write_secret(&mut request);
        request.extend_from_slice(b"\r\n");
        request
    }

    /// The body of the answer, which is the path.
    fn ask(links: &Links, path: &str) -> io::Result<String> {
        let mut answer = Vec::new();
        let request = request(links, path);
        let read = links.exchange(&request, false, &mut answer, &mut |request| {
            let body = request.url().to_owned();
            let _ = request.respond(Response::from_string(body));
        })?;
        Ok(String::from_utf8(answer[read.head..].to_vec()).unwrap())
    }

    #[test]
    fn everybody_gets_their_own_answer() {
        let links = links(3);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let links = &links;
                scope.spawn(move || {
                    for n in 0..200 {
                        // Longer and shorter than the buffers on the way.
                        let path = format!("/{thread}/{n}/{}", "x".repeat(n * 40));
                        assert_eq!(ask(links, &path).unwrap(), path);
                    }
                });
            }
        });
        let pool = links.lock();
        assert_eq!((pool.idle.len(), pool.generation), (3, 0));
    }

    #[test]
    fn a_broken_connection_is_replaced_with_all_the_others() {
        let links = links(2);
        let broken = links.lock().idle.pop().unwrap();
        broken.stream.shutdown(std::net::Shutdown::Both).unwrap();
        links.give_back(broken);
        assert!(ask(&links, "/lost").is_err());
        assert_eq!(ask(&links, "/found").unwrap(), "/found");
        assert_eq!(links.lock().generation, 1);
    }

    #[test]
    fn tiny_http_accepts_nobody_else() {
        let links = links(2);
        let connect = |to: &Link| {
            #[cfg(target_os = "linux")]
            return Stream::connect_addr(&to.stream.peer_addr().unwrap());
            #[cfg(not(target_os = "linux"))]
            return Stream::connect(to.stream.peer_addr().unwrap());
        };
        // Its thread says that it ends a moment before it has closed the door.
        while connect(&links.lock().idle[0]).is_ok() {
            std::thread::yield_now();
        }
        assert_eq!(ask(&links, "/again").unwrap(), "/again");
    }

    #[test]
    fn a_request_without_the_secret_is_not_served() {
        let links = links(2);
        let mut link = links.lock().idle.pop().unwrap();
        link.stream
            .write_all(b"GET /alien HTTP/1.1\r\nMayfly-Gate: 0\r\n\r\n")
            .unwrap();
        // The two may come into tiny_http's queue in either order: ask until the first was met.
        link.stream.set_nonblocking(true).unwrap();
        let mut answer = Vec::new();
        while let Err(error) = read_answer(&mut link.stream, false, &mut answer) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            assert_eq!(ask(&links, "/own").unwrap(), "/own");
        }
        assert!(answer.starts_with(b"HTTP/1.1 403 "));
    }
}
