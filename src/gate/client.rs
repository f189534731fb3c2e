//! A client's connection, from its first request to its end: reads heads within their time, has
//! them cleaned for tiny_http, and writes the answers.
//!
//! Who answers is not known here: a client travels with its request from the thread that
//! has read it to the one that takes its answer (see `upstream.rs`).

use super::connections::{Place, Wait};
use super::forwarded::{self, Via};
use super::head::{self, Head};
use super::limits::Limits;
use super::timed::{Timer, is_timeout, read_within, write_within};
use super::trusted::Trusted;
use super::visitor::Visitor;
use crate::refusal::HttpRefusal;
use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// After a refusal the client's remaining bytes are read for so long, so that it gets to read
/// the answer: closing with bytes unread would reset the connection.
const DRAIN_TIME: Duration = Duration::from_millis(500);
const DRAIN_BYTES: usize = 256 * 1024;
/// What a client can always take at once without waiting: less than any system's send buffer.
const SMALL_ANSWER: usize = 4096;

/// A client's connection.
pub struct Client {
    stream: Arc<TcpStream>,
    place: Place,
    /// The other end.
    remote: IpAddr,
    timer: Timer,
    /// Bytes of the client that belong to requests which are not read yet.
    received: Vec<u8>,
    is_first: bool,
    /// Who asks by the request under way: not always who is at the other end.
    visitor: Visitor,
    manner: Manner,
}

/// What came of waiting for a request.
pub enum Received {
    /// One that may pass.
    Request,
    /// One that may not.
    Refused(HttpRefusal),
    /// None: the client has left, was silent for too long or lost its place.
    Nothing,
}

/// How the request under way is to be answered.
#[derive(Clone, Copy, Default)]
struct Manner {
    is_head: bool,
    is_http_1_0: bool,
    keep_alive: bool,
}

impl Client {
    /// A connection by which nothing was said yet, to `local` from `remote`, both being canonical.
    /// `received` is a buffer to use.
    pub fn new(
        stream: Arc<TcpStream>,
        place: Place,
        (local, remote): (SocketAddr, IpAddr),
        mut received: Vec<u8>,
    ) -> Client {
        received.clear();
        Client {
            stream,
            place,
            remote,
            timer: Timer::default(),
            received,
            is_first: true,
            visitor: Visitor {
                source: remote,
                local,
                host: String::new(),
                via: Via::Direct,
                has_odd_host: false,
                is_browser: false,
                has_browser_marks: false,
            },
            manner: Manner::default(),
        }
    }

    /// Closes the connection. Returns the buffer, for another one to use.
    pub fn end(self) -> Vec<u8> {
        self.received
    }

    /// Whether its place was given to another.
    pub fn was_evicted(&self) -> bool {
        self.place.was_evicted()
    }

    /// Who asks.
    pub fn visitor(&self) -> &Visitor {
        &self.visitor
    }

    /// The other end.
    pub fn remote(&self) -> IpAddr {
        self.remote
    }

    /// Whether the request under way wants no body.
    pub fn is_head(&self) -> bool {
        self.manner.is_head
    }

    /// Waits for a request and writes the one for tiny_http into `request`, but for its end.
    pub fn read_request(
        &mut self,
        limits: &Limits,
        trusted: &Trusted,
        request: &mut Vec<u8>,
    ) -> Received {
        let wait = match self.is_first {
            true => Wait::Request,
            false => Wait::NextRequest,
        };
        self.place.wait_begins(wait);
        let first_byte_time = match self.is_first {
            true => limits.head_time,
            false => limits.idle_time,
        };
        let read = self.read_head(first_byte_time, limits.head_time);
        if !self.place.wait_ends() {
            return Received::Nothing;
        }
        let (head, length) = match read {
            Ok(Some(read)) => read,
            Ok(None) => return Received::Nothing,
            Err(refusal) => {
                self.manner.is_head = self.received.starts_with(b"HEAD ");
                return Received::Refused(refusal);
            }
        };
        self.note_visitor(&head, trusted);
        self.clean(&head, request);
        self.received.drain(..length);
        self.manner = Manner {
            is_head: head.is_head,
            is_http_1_0: head.is_http_1_0,
            keep_alive: head.keep_alive,
        };
        Received::Request
    }

    /// Writes an answer, of which `end_of_head` bytes are its head. Returns whether the
    /// client goes on, which it does only if the client and we (`may_go_on`) wish it.
    pub fn write_answer(
        &mut self,
        answer: &mut Vec<u8>,
        end_of_head: usize,
        may_go_on: bool,
        limits: &Limits,
    ) -> bool {
        let keep_alive = self.manner.keep_alive && may_go_on;
        let connection = match (keep_alive, self.manner.is_http_1_0) {
            (false, _) => &b"Connection: close\r\n"[..],
            (true, true) => b"Connection: keep-alive\r\n",
            (true, false) => b"",
        };
        // Before the empty line that ends the head.
        let at = end_of_head - 2;
        answer.splice(at..at, connection.iter().copied());
        self.place.wait_begins(Wait::Answer);
        // A first answer of this size never has to wait, so most connections go without.
        if !self.is_first || answer.len() > SMALL_ANSWER {
            self.timer.set_write(&self.stream, limits.answer_time);
        }
        self.is_first = false;
        let written = write_within(&self.stream, answer, limits.answer_time, &mut self.timer);
        written.is_ok() && keep_alive
    }

    /// Answers what may not pass, and closes so that the client can read the answer.
    pub fn refuse(&mut self, status: &str, body: &[u8], answer: &mut Vec<u8>) -> io::Result<()> {
        // The one status that has to say what would have been right (RFC 9110, 15.5.6).
        let allow = match status.starts_with("405 ") {
            true => "Allow: GET, HEAD\r\n",
            false => "",
        };
        answer.clear();
        write!(
            answer,
            "HTTP/1.1 {status}\r\nServer: mayfly\r\nContent-Type: text/plain\r\n\
             Content-Length: {}\r\n{allow}Connection: close\r\n\r\n",
            body.len()
        )?;
        if !self.manner.is_head {
            answer.extend_from_slice(body);
        }
        self.place.wait_begins(Wait::Answer);
        self.timer.set_write(&self.stream, DRAIN_TIME);
        write_within(&self.stream, answer, DRAIN_TIME, &mut self.timer)?;
        self.stream.shutdown(Shutdown::Write)?;
        let begin = Instant::now();
        let mut drained = 0;
        let mut bytes = [0; 4096];
        while drained < DRAIN_BYTES {
            let left = DRAIN_TIME.checked_sub(begin.elapsed());
            let left = left.filter(|left| !left.is_zero());
            let left = left.ok_or(ErrorKind::TimedOut)?;
            let (stream, timer) = (&self.stream, &mut self.timer);
            match read_within(stream, &self.place, &mut bytes, left, timer)? {
                0 => break,
                length => drained += length,
            }
        }
        Ok(())
    }

    /// Reads until `received` begins with a whole head. Bytes behind it stay where they are.
    /// Returns the head and how many bytes it has, or `None` if the client has gone, or was
    /// silent for too long.
    fn read_head(
        &mut self,
        first_byte_time: Duration,
        head_time: Duration,
    ) -> Result<Option<(Head, usize)>, HttpRefusal> {
        let received = &mut self.received;
        // Until the first byte, and from then on until the last, however slowly they drip.
        let mut end_of_silence = None;
        let mut end_of_head = None;
        let mut seen = 0;
        loop {
            if let Some(request) = head::next(received, seen)? {
                return Ok(Some(request));
            }
            seen = received.len();
            let (end, time) = match received.is_empty() {
                true => (&mut end_of_silence, first_byte_time),
                false => (&mut end_of_head, head_time),
            };
            // Most heads come whole with the first read, and need no look at the clock.
            let left = match *end {
                None => time,
                Some(end) => Instant::saturating_duration_since(&end, Instant::now()),
            };
            if left.is_zero() {
                return match received.is_empty() {
                    true => Ok(None),
                    false => Err(HttpRefusal::TooSlow),
                };
            }
            end.get_or_insert_with(|| Instant::now() + time);
            let mut more = [0; 2048];
            match read_within(&self.stream, &self.place, &mut more, left, &mut self.timer) {
                Ok(0) => return Ok(None),
                Ok(length) => received.extend_from_slice(&more[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) && !received.is_empty() => {
                    return Err(HttpRefusal::TooSlow);
                }
                Err(_) => return Ok(None),
            }
        }
    }

    /// Notes down who asks.
    fn note_visitor(&mut self, head: &Head, trusted: &Trusted) {
        let (source, via) = forwarded::whose(self.remote, trusted, head, &self.received);
        let visitor = &mut self.visitor;
        (visitor.source, visitor.via) = (source, via);
        visitor.is_browser = head.is_browser;
        visitor.has_browser_marks = head.has_browser_marks;
        visitor.has_odd_host = head.has_odd_host;
        visitor.host.clear();
        let host = head.host.clone().map(|host| &self.received[host]);
        // It is ASCII, or it would not be in the head.
        let host = host.and_then(|host| std::str::from_utf8(host).ok());
        visitor.host.push_str(host.unwrap_or_default());
    }

    /// Writes the request that tiny_http gets: method and target. Of the client's headers nothing
    /// is passed on.
    fn clean(&self, head: &Head, request: &mut Vec<u8>) {
        request.clear();
        let method: &[u8] = if head.is_head { b"HEAD " } else { b"GET " };
        request.extend_from_slice(method);
        let target = &self.received[head.target.clone()];
        if !target.starts_with(b"/") {
            request.push(b'/');
        }
        head::write_target(target, request);
        request.extend_from_slice(b" HTTP/1.1\r\n");
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
