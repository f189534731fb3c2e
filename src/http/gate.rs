//! The gate: what stands between the network and tiny_http, like a proxy in the same process.
//!
//! tiny_http must not face the network itself: `dont_readme.txt` has the list of what brings it
//! down. The gate's threads, fixed in number, each accept a connection, read a request's head
//! (bounded in size and time), write a clean one to tiny_http over a kept connection, and write
//! the answer to the client. What the answer says is `server.rs`'s; who gets a thread when there
//! are too few is `connections.rs`'s.

use super::announce::write_refusal;
use super::connections::{Connections, Place};
use super::head::{self, Head, Refused};
use super::link::Links;
use super::server::Server;
use super::timed::{Timer, is_timeout, read_within, write_within};
use crate::address;
use crate::announce::Refusal;
use crate::log::{About, Log};
use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
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
/// After a refusal the client's remaining bytes are read for so long, so that it gets to read
/// the answer: closing with bytes unread would reset the connection.
const DRAIN_TIME: Duration = Duration::from_millis(500);
const DRAIN_BYTES: usize = 256 * 1024;
/// How often the log says that connections were turned away.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Pause after an accept that failed, most likely for want of descriptors; it doubles up to the
/// second figure, since all threads meet the same.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(640));
/// What a client can always take at once without waiting: less than any system's send buffer.
const SMALL_ANSWER: usize = 4096;

/// What the gate's threads share.
struct Gate {
    limits: Limits,
    /// Most connections from one IPv4 address or one /64 of IPv6.
    per_neighbour: usize,
    links: Links,
    server: Server,
    connections: Connections,
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
    log: Log,
) -> io::Result<()> {
    // Every listener needs one, however few there may be.
    let threads = limits.threads.max(listeners.len());
    // Half of what one listener has, so that nobody takes all of it.
    let per_neighbour = (threads / listeners.len() / 2).max(2);
    let gate = Arc::new(Gate {
        limits,
        per_neighbour,
        links: Links::open(limits.links, log.clone())?,
        server,
        connections: Connections::new(threads, listeners.len(), per_neighbour),
        turned_away: Mutex::default(),
        log,
    });
    let listeners: Vec<_> = listeners.into_iter().map(Arc::new).collect();
    let mut started = vec![0; listeners.len()];
    for slot in 0..threads {
        let index = slot % listeners.len();
        let listener = Arc::clone(&listeners[index]);
        let shared = Arc::clone(&gate);
        let spawned = thread::Builder::new()
            .name("gate".into())
            .stack_size(STACK)
            .spawn(move || shared.serve(&listener, index, slot));
        match spawned {
            Ok(_) => started[index] += 1,
            Err(error) if started.contains(&0) => return Err(error),
            Err(error) => {
                let count: usize = started.iter().sum();
                gate.log.line(
                    About::Always,
                    format_args!("the system allows no more than {count} threads: {error}"),
                );
                break;
            }
        }
    }
    thread::Builder::new()
        .name("doorkeeper".into())
        .stack_size(STACK)
        .spawn(move || gate.connections.keep_a_thread_free())?;
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

/// How reading a head went, if it went well.
enum Received {
    /// A request, and how many bytes its head has.
    Head(Head, usize),
    /// The client has gone, or was silent for too long.
    Nothing,
}

impl Gate {
    /// A thread of the gate.
    fn serve(&self, listener: &TcpListener, index: usize, slot: usize) {
        let mut buffers = Buffers::default();
        let mut pause = ACCEPT_PAUSE.0;
        loop {
            self.connections.thread_is_free(index);
            let accepted = listener.accept();
            self.connections.thread_is_taken(index);
            match accepted {
                Ok((stream, from)) => {
                    pause = ACCEPT_PAUSE.0;
                    let stream = Arc::new(stream);
                    let met =
                        AssertUnwindSafe(|| self.meet(&stream, from, (index, slot), &mut buffers));
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

    fn meet(
        &self,
        stream: &Arc<TcpStream>,
        from: SocketAddr,
        (listener, slot): (usize, usize),
        buffers: &mut Buffers,
    ) {
        let source = address::canonical(from.ip());
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let local = SocketAddr::new(address::canonical(local.ip()), local.port());
        let is_own = source == local.ip();
        let Some(place) = self.connections.enter(slot, stream, source, is_own) else {
            self.tell_of_turned_away(source);
            return;
        };
        let visitor = Visitor {
            stream,
            listener,
            place: &place,
            source: SocketAddr::new(source, from.port()),
            local,
        };
        if let Err(refused) = self.converse(&visitor, buffers) {
            self.log.line(
                About::Trouble,
                format_args!("refused {source}: {} ({})", refused.text, refused.fault()),
            );
            // Whether that reaches it is the client's business.
            let _ = refuse(stream, &place, refused, &mut buffers.answer);
        }
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

    /// Answers one request after the other. An error is one that the client is told.
    fn converse(&self, visitor: &Visitor<'_>, buffers: &mut Buffers) -> Result<(), Refused> {
        let received = &mut buffers.received;
        received.clear();
        let mut timer = Timer::default();
        let mut is_first = true;
        loop {
            visitor.place.wait_begins();
            let first_byte_time = match is_first {
                true => self.limits.head_time,
                false => self.limits.idle_time,
            };
            let read = self.read_head(visitor, received, first_byte_time, &mut timer);
            if !visitor.place.wait_ends() {
                return Ok(());
            }
            let (head, length) = match read? {
                Received::Head(head, length) => (head, length),
                Received::Nothing => return Ok(()),
            };
            let request = &mut buffers.request;
            self.clean(visitor, &head, received, request);
            received.drain(..length);
            let exchanged =
                self.links
                    .exchange(request, head.is_head, &mut buffers.answer, &mut |r| {
                        self.server.serve(r);
                    });
            let end_of_head = exchanged.map_err(|_| head::BUSY)?.head;
            // While newcomers wait for a thread, nobody keeps one for another request.
            let keep_alive = head.keep_alive && !self.connections.is_crowded(visitor.listener);
            let connection = match (keep_alive, head.is_http_1_0) {
                (false, _) => &b"Connection: close\r\n"[..],
                (true, true) => b"Connection: keep-alive\r\n",
                (true, false) => b"",
            };
            // Before the empty line that ends the head.
            let at = end_of_head - 2;
            buffers.answer.splice(at..at, connection.iter().copied());
            visitor.place.wait_begins();
            // A first answer of this size never has to wait, so most connections go without.
            if !is_first || buffers.answer.len() > SMALL_ANSWER {
                timer.set_write(visitor.stream, self.limits.answer_time);
            }
            let time = self.limits.answer_time;
            let written = write_within(visitor.stream, &buffers.answer, time, &mut timer);
            if written.is_err() || !keep_alive {
                return Ok(());
            }
            is_first = false;
        }
    }

    /// Reads until `received` begins with a whole head. Bytes behind it stay where they are.
    fn read_head(
        &self,
        visitor: &Visitor<'_>,
        received: &mut Vec<u8>,
        first_byte_time: Duration,
        timer: &mut Timer,
    ) -> Result<Received, Refused> {
        let stream = visitor.stream;
        // Until the first byte, and from then on until the last, however slowly they drip.
        let mut end_of_silence = None;
        let mut end_of_head = None;
        let mut seen = 0;
        loop {
            received.drain(..head::leading_empty_lines(received));
            head::check_beginning(received)?;
            if let Some(length) = head::end(received, seen) {
                let head = head::parse(&received[..length])?;
                return Ok(Received::Head(head, length));
            }
            seen = received.len();
            let (end, time) = match received.is_empty() {
                true => (&mut end_of_silence, first_byte_time),
                false => (&mut end_of_head, self.limits.head_time),
            };
            // Most heads come whole with the first read, and need no look at the clock.
            let left = match *end {
                None => time,
                Some(end) => Instant::saturating_duration_since(&end, Instant::now()),
            };
            if left.is_zero() {
                return match received.is_empty() {
                    true => Ok(Received::Nothing),
                    false => Err(head::TOO_SLOW),
                };
            }
            end.get_or_insert_with(|| Instant::now() + time);
            let mut more = [0; 2048];
            match read_within(stream, visitor.place, &mut more, left, timer) {
                Ok(0) => return Ok(Received::Nothing),
                Ok(length) => received.extend_from_slice(&more[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) && !received.is_empty() => {
                    return Err(head::TOO_SLOW);
                }
                Err(_) => return Ok(Received::Nothing),
            }
        }
    }

    /// Writes the request that tiny_http gets: the target, and who asks by which address. Of
    /// the client's headers nothing is passed on but the host, and whether a proxy has added some.
    fn clean(&self, visitor: &Visitor<'_>, head: &Head, received: &[u8], request: &mut Vec<u8>) {
        request.clear();
        let method: &[u8] = if head.is_head { b"HEAD " } else { b"GET " };
        request.extend_from_slice(method);
        head::write_target(&received[head.target.clone()], request);
        request.extend_from_slice(b" HTTP/1.1\r\n");
        self.links.write_secret(request);
        // Writing into a Vec does not fail.
        let _ = write!(
            request,
            "Visitor: {} {} {} ",
            visitor.source.ip(),
            visitor.local,
            if head.is_forwarded {
                "forwarded"
            } else {
                "direct"
            }
        );
        if let Some(host) = &head.host {
            request.extend_from_slice(&received[host.clone()]);
        }
        request.extend_from_slice(b"\r\n\r\n");
    }
}

/// A client and its connection.
struct Visitor<'a> {
    stream: &'a TcpStream,
    /// Index of the listener that it came by.
    listener: usize,
    place: &'a Place<'a>,
    source: SocketAddr,
    local: SocketAddr,
}

/// Answers what may not pass, and closes so that the client can read the answer.
fn refuse(
    stream: &TcpStream,
    place: &Place<'_>,
    refused: Refused,
    answer: &mut Vec<u8>,
) -> io::Result<()> {
    let mut body = Vec::new();
    let mut allow = "";
    if refused == head::NOT_A_GET {
        // Of all these, only this can be an announce by a client that means it.
        write_refusal(&Refusal::NotAGet, &mut body);
        allow = "Allow: GET, HEAD\r\n";
    } else {
        body.extend_from_slice(refused.text.as_bytes());
        body.push(b'\n');
    }
    answer.clear();
    write!(
        answer,
        "HTTP/1.1 {}\r\nServer: mayfly\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
         {allow}Connection: close\r\n\r\n",
        refused.status,
        body.len()
    )?;
    answer.extend_from_slice(&body);
    place.wait_begins();
    let mut timer = Timer::default();
    timer.set_write(stream, DRAIN_TIME);
    write_within(stream, answer, DRAIN_TIME, &mut timer)?;
    stream.shutdown(Shutdown::Write)?;
    let begin = Instant::now();
    let mut drained = 0;
    let mut bytes = [0; 4096];
    while drained < DRAIN_BYTES {
        let left = DRAIN_TIME.checked_sub(begin.elapsed());
        let left = left.filter(|left| !left.is_zero());
        let left = left.ok_or(ErrorKind::TimedOut)?;
        match read_within(stream, place, &mut bytes, left, &mut timer)? {
            0 => break,
            length => drained += length,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Verbosity;
    use crate::tracker::{Settings, Tracker};
    use std::io::Read;

    const LIMITS: Limits = Limits {
        threads: 3,
        links: 2,
        head_time: Duration::from_millis(300),
        answer_time: Duration::from_millis(300),
        idle_time: Duration::from_millis(300),
    };

    fn opened() -> SocketAddr {
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
            log: log.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        open(vec![listener], server, LIMITS, log).unwrap();
        address
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
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
        let kept = ask(address, "GET / HTTP/1.1\r\n\r\n");
        assert!(kept.starts_with("HTTP/1.1 404 "), "and then closed as idle");
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
