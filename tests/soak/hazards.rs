//! The others: clients that are slow, silent, greedy, broken or hostile. Each hazard goes on until
//! the stage is over, at a pace that leaves the processors to the tracker, and then says what it
//! has sent. What honest clients see meanwhile is measured elsewhere; so nothing is asserted here.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use super::{packets, part};
use crate::support::Together;
use crate::support::http::{ORDINARY, PATIENCE};
use crate::support::random::Random;

/// Where a hazard takes place, and for how long.
pub struct Stage {
    /// The tracker, over IPv4 and over IPv6.
    pub to: [SocketAddr; 2],
    /// The addresses that it comes from, the first of IPv4.
    pub sources: Vec<IpAddr>,
    pub over: AtomicBool,
}

/// What happens: so many connections, or so many requests a second.
type Hazard = fn(&Stage, usize) -> String;

const HAZARDS: &[(&str, Hazard)] = &[
    ("content-length", huge_content_length),
    ("no-body", unsent_body),
    ("http2", http2),
    ("at-once", at_once),
    ("never-read", never_read),
    ("idle", idle),
    ("drip", drip),
    ("endless-head", endless_head),
    ("raw-bytes", raw_bytes),
    ("reset", reset),
    ("chunked", chunked),
    ("garbage", garbage),
    ("hogs", hogs),
    ("vanish", vanish),
    ("spoofed", packets::spoofed),
    ("odd-packets", packets::odd),
    ("wrong-ids", packets::wrong_ids),
];

/// Lets hazards loose when it is told to, and calls them back.
pub fn play(to: [SocketAddr; 2], sources: &[IpAddr]) {
    let mut loose = Vec::new();
    part::obey(|what| {
        let words: Vec<_> = what.split(' ').collect();
        match words[..] {
            ["begin", name, amount, addresses] => {
                let (_, hazard) = HAZARDS.iter().find(|(n, _)| *n == name).expect(name);
                let (amount, addresses) = (amount.parse().unwrap(), addresses.parse().unwrap());
                let stage = Arc::new(Stage {
                    to,
                    sources: sources[..addresses].to_vec(),
                    over: AtomicBool::new(false),
                });
                let (own, name) = (Arc::clone(&stage), name.to_owned());
                let play = move || format!("{name}: {}", hazard(&own, amount));
                loose.push((stage, thread::spawn(play)));
                "it is loose".to_owned()
            }
            ["end"] => {
                for (stage, _) in &loose {
                    stage.over.store(true, Ordering::Relaxed);
                }
                let sent = loose.drain(..).map(|(_, hazard)| hazard.join().unwrap());
                sent.collect::<Vec<_>>().join("; ")
            }
            ["fill", peers, event] => part::fill(to[0], peers.parse().unwrap(), event),
            ["probe", announces] => part::probe(to[0], announces.parse().unwrap()),
            _ => panic!("what is {what}?"),
        }
    });
    std::process::exit(0);
}

impl Stage {
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// A connection from one of the sources.
    fn open(&self, number: usize) -> io::Result<TcpStream> {
        self.open_with(number, |_| Ok(()))
    }

    /// The same with a socket that has been prepared.
    fn open_with(
        &self,
        number: usize,
        prepare: impl FnOnce(&Socket) -> io::Result<()>,
    ) -> io::Result<TcpStream> {
        let source = self.sources[number % self.sources.len()];
        let to = self.to[usize::from(source.is_ipv6())];
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        prepare(&socket)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
        socket.connect_timeout(&to.into(), PATIENCE)?;
        Ok(socket.into())
    }

    /// Runs something so many times a second, in ten steps, and says how many times it was.
    pub fn pace(&self, a_second: usize, mut run: impl FnMut(usize)) -> usize {
        let begin = Instant::now();
        let mut count = 0;
        while !self.is_over() {
            let due = begin.elapsed().as_millis() as usize * a_second / 1000;
            // Behind its time it does not hurry: the machine is busy.
            for _ in 0..(due.saturating_sub(count)).min(a_second / 5 + 1) {
                run(count);
                count += 1;
            }
            thread::sleep(Duration::from_millis(20));
        }
        count
    }

    /// Sends this on a connection of its own and takes what comes; whether anything did.
    fn send(&self, number: usize, request: &[u8]) -> bool {
        let Ok(mut stream) = self.open(number) else {
            return false;
        };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
        let _ = stream.write_all(request);
        matches!(stream.read(&mut [0; 512]), Ok(1..))
    }
}

fn huge_content_length(stage: &Stage, a_second: usize) -> String {
    let mut answered = 0;
    let sent = stage.pace(a_second, |n| {
        let method = ["GET", "POST"][n % 2];
        let length = ["1000000000000", "18446744073709551616", "-1"][n % 3];
        let request = format!("{method} /announce HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
        answered += usize::from(stage.send(n, request.as_bytes()));
    });
    format!("{sent} requests, {answered} of them answered")
}

fn http2(stage: &Stage, a_second: usize) -> String {
    let mut answered = 0;
    let sent = stage.pace(a_second, |n| {
        let request: &[u8] = match n % 3 {
            0 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            1 => b"GET /announce HTTP/2.0\r\nHost: x\r\n\r\n",
            _ => b"GET /announce HTTP/3.0\r\nHost: x\r\n\r\n",
        };
        answered += usize::from(stage.send(n, request));
    });
    format!("{sent} requests, {answered} of them answered")
}

fn chunked(stage: &Stage, a_second: usize) -> String {
    let mut answered = 0;
    let inner = format!("GET /announce?{ORDINARY}&port=6666 HTTP/1.1\r\n\r\n");
    let length = inner.len();
    let sent = stage.pace(a_second, |n| {
        let begin = "GET /announce HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let request = format!("{begin}{length:x}\r\n{inner}\r\n0\r\n\r\n");
        answered += usize::from(stage.send(n, request.as_bytes()));
    });
    format!("{sent} requests, {answered} of them answered")
}

fn raw_bytes(stage: &Stage, a_second: usize) -> String {
    let mut answered = 0;
    let sent = stage.pace(a_second, |n| {
        let hash: Vec<u8> = (0..20).map(|i| 0x80 + ((n + i) % 0x80) as u8).collect();
        let rest = b"&peer_id=-MF1000-abcdefghijkl&left=5&port=1111 HTTP/1.0\r\n\r\n";
        let request = [b"GET /announce?info_hash=", &hash[..], rest].concat();
        answered += usize::from(stage.send(n, &request));
    });
    format!("{sent} announces, {answered} of them answered")
}

fn garbage(stage: &Stage, a_second: usize) -> String {
    let mut random = Random(0x6761_7262);
    let mut answered = 0;
    let sent = stage.pace(a_second, |n| {
        let bytes = match n % 3 {
            0 => random.bytes(3000),
            _ => random.mutated_announce(),
        };
        let Ok(mut stream) = stage.open(n) else {
            return;
        };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        answered += usize::from(matches!(stream.read(&mut [0; 512]), Ok(1..)));
    });
    format!("{sent} heads, {answered} of them answered")
}

fn reset(stage: &Stage, a_second: usize) -> String {
    let sent = stage.pace(a_second, |n| {
        if let Ok(mut stream) = stage.open(n) {
            if n % 3 > 0 {
                let whole = format!("GET /announce?{ORDINARY}&port=1 HTTP/1.1\r\n\r\n");
                let length = if n % 3 == 1 { whole.len() } else { 9 };
                let _ = stream.write_all(&whole.as_bytes()[..length]);
            }
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
    });
    format!("{sent} connections")
}

fn vanish(stage: &Stage, a_second: usize) -> String {
    let mut answered = 0;
    let sent = stage.pace(a_second, |n| {
        // Some hundred torrents, so that each of them comes and goes.
        let [.., a, b] = ((n % 300) as u32).to_be_bytes();
        let port = 1 + n % 60_000;
        let request = format!(
            "GET /announce?info_hash=%{a:02x}%{b:02x}{}&peer_id=-MF1000-abcdefghijkl&left=1\
             &port={port}&event=started HTTP/1.0\r\n\r\n",
            "v".repeat(18)
        );
        answered += usize::from(stage.send(n, request.as_bytes()));
    });
    format!("{sent} clients, {answered} of them answered")
}

fn at_once(stage: &Stage, connections: usize) -> String {
    let (answered, missed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let rounds = stage.pace(4, |_| {
        let together = Together::new(connections);
        let client = |n: usize| {
            let stream = stage.open(n);
            together.wait();
            let mut requests = 0;
            if let Ok(mut stream) = stream {
                let _ = stream.set_read_timeout(Some(PATIENCE));
                let is_answered = |stream: &mut TcpStream| {
                    let is_sent = stream.write_all(b"GET / HTTP/1.1\r\n\r\n").is_ok();
                    is_sent && matches!(stream.read(&mut [0; 1024]), Ok(1..))
                };
                // In a crowd, a connection is closed after its first.
                requests = (0..3).take_while(|_| is_answered(&mut stream)).count();
            }
            answered.fetch_add(requests, Ordering::Relaxed);
            missed.fetch_add(usize::from(requests == 0), Ordering::Relaxed);
        };
        thread::scope(|scope| {
            for n in 0..connections {
                let client = &client;
                scope.spawn(move || client(n));
            }
        });
    });
    format!(
        "{rounds} times {connections} connections, {} requests answered, {} connections without",
        answered.into_inner(),
        missed.into_inner()
    )
}

/// Connections that are held: each is looked after in turn, and opened again when it was lost.
struct Held<'a> {
    stage: &'a Stage,
    streams: Vec<Option<TcpStream>>,
    opened: usize,
}

/// How many steps a turn around all of them has.
const STEPS: usize = 20;
/// Fewer than the system keeps for a listener until they are accepted.
const AT_ONCE: usize = 50;

impl<'a> Held<'a> {
    fn new(stage: &'a Stage, connections: usize) -> Held<'a> {
        Held {
            stage,
            streams: (0..connections).map(|_| None).collect(),
            opened: 0,
        }
    }

    /// One turn takes a second, unless there are many to open.
    fn look_after(&mut self, begin: &[u8], mut go_on: impl FnMut(&mut TcpStream) -> bool) {
        let mut step = 0;
        while !self.stage.is_over() {
            let mut came = 0;
            for n in (step % STEPS..self.streams.len()).step_by(STEPS) {
                if self.streams[n].as_mut().is_some_and(&mut go_on) {
                    continue;
                }
                self.streams[n] = None;
                if came < AT_ONCE {
                    came += 1;
                    self.opened += 1;
                    self.streams[n] = self.stage.open(n).ok().filter(|mut stream| {
                        let _ = stream.write_all(begin);
                        stream.set_nonblocking(true).is_ok()
                    });
                }
            }
            step += 1;
            // The pace of the slow.
            thread::sleep(Duration::from_millis(1000 / STEPS as u64));
        }
    }

    fn report(&self) -> String {
        let (count, opened) = (self.streams.len(), self.opened);
        let open = |stream: &&TcpStream| is_open(stream);
        let held = self.streams.iter().flatten().filter(open).count();
        format!("{count} connections, opened {opened} times, {held} held in the end")
    }
}

fn is_open(mut stream: &TcpStream) -> bool {
    loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}

fn idle(stage: &Stage, connections: usize) -> String {
    let mut held = Held::new(stage, connections);
    held.look_after(b"", |stream| is_open(stream));
    held.report()
}

fn drip(stage: &Stage, connections: usize) -> String {
    let mut held = Held::new(stage, connections);
    let mut bytes = 0;
    held.look_after(b"GET /announce?", |stream| {
        bytes += 1;
        is_open(stream) && stream.write_all(b"x").is_ok()
    });
    format!("{}, {bytes} bytes dripped", held.report())
}

fn unsent_body(stage: &Stage, connections: usize) -> String {
    let mut held = Held::new(stage, connections);
    let begin = b"GET /announce HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    held.look_after(begin, |stream| is_open(stream));
    held.report()
}

fn hogs(stage: &Stage, connections: usize) -> String {
    let mut held = Held::new(stage, connections);
    let mut asked = 0;
    held.look_after(b"", |stream| {
        asked += 1;
        is_open(stream)
            && stream
                .write_all(&b"GET / HTTP/1.1\r\n\r\n".repeat(20))
                .is_ok()
    });
    format!("{}, {} requests", held.report(), asked * 20)
}

/// Asks and never reads, so that first its answers are stuck and then its requests.
fn never_read(stage: &Stage, connections: usize) -> String {
    let request = format!("GET /announce?{ORDINARY}&port=1&compact=0 HTTP/1.1\r\n\r\n");
    let requests = request.repeat(50).into_bytes();
    // Each with how much of the requests has been sent, or it would not be requests that it sends.
    let mut readers: Vec<Option<(TcpStream, usize)>> = (0..connections).map(|_| None).collect();
    let (mut opened, mut bytes) = (0, 0);
    while !stage.is_over() {
        for (n, reader) in readers.iter_mut().enumerate() {
            let Some((stream, sent)) = reader else {
                opened += 1;
                // The less fits there, the sooner is it full.
                let stream = stage.open_with(n, |socket| {
                    socket.set_recv_buffer_size(4096)?;
                    socket.set_send_buffer_size(4096)
                });
                let stream = stream.ok().filter(|s| s.set_nonblocking(true).is_ok());
                *reader = stream.map(|stream| (stream, 0));
                continue;
            };
            match stream.write(&requests[*sent..]) {
                Ok(length) => {
                    bytes += length;
                    *sent = (*sent + length) % requests.len();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => *reader = None,
            }
        }
        // The pace of those who do not care.
        thread::sleep(Duration::from_millis(5));
    }
    let kilobytes = bytes / 1000;
    format!("{connections} readers, opened {opened} times, {kilobytes} KB of requests")
}

fn endless_head(stage: &Stage, a_second: usize) -> String {
    let mut bytes = 0;
    let heads = stage.pace(a_second, |n| {
        if let Ok(mut stream) = stage.open(n) {
            let _ = stream.set_write_timeout(Some(PATIENCE));
            let mut is_open = stream.write_all(b"GET / HTTP/1.1\r\n").is_ok();
            let lines = b"A: b\r\n".repeat(1000);
            while is_open && !stage.is_over() {
                is_open = stream.write_all(&lines).is_ok();
                bytes += lines.len();
            }
        }
    });
    format!("{heads} heads, {} KB", bytes / 1000)
}
