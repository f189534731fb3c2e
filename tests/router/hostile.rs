//! A router that sends all that it can think of: thousands of malformed answers to each question,
//! by each protocol, and descriptions that are none.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::support::internet::{Internet, PUBLIC};
use crate::support::random::Random;

/// How many malformed answers there are to a question: to three by PCP, three by NAT-PMP, and four
/// by SSDP at the least.
const TO_EACH: usize = 3400;

/// After so many packets there is a pause, so that the asker gets to see most of them.
const BURST: usize = 50;

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);

/// How it describes itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Describe {
    /// With text that never ends.
    WithoutEnd,
    /// A byte at a time.
    Slowly,
    /// By a redirection to somebody on the internet.
    Redirected,
    /// As a router whose services are somebody else's, on the internet.
    Elsewhere,
    /// With bytes that are nothing.
    Nonsense,
    /// As it should be, but all its answers come from its other address.
    FromElsewhere,
}

/// A running one; dropping it ends it.
pub struct Router {
    counts: Arc<Counts>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Counts {
    pcp: AtomicUsize,
    nat_pmp: AtomicUsize,
    ssdp: AtomicUsize,
    /// Connections to where it describes itself.
    described: AtomicUsize,
    /// And to where it leads.
    elsewhere: AtomicUsize,
}

impl Router {
    pub fn start(net: &Internet, describe: Describe) -> Router {
        let counts = Arc::new(Counts::default());
        let is_over = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        let elsewhere = net.internet4.inside(|| {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
            let port = listener.local_addr().expect("an address").port();
            let counts = Arc::clone(&counts);
            let count = move |_| {
                counts.elsewhere.fetch_add(1, Ordering::Relaxed);
            };
            threads.push(serve(listener, &is_over, count));
            SocketAddrV4::new(Ipv4Addr::new(203, 0, 114, 9), port)
        });
        net.router.inside(|| {
            let from = match describe {
                Describe::FromElsewhere => PUBLIC,
                _ => ROUTER,
            };
            let listener = TcpListener::bind((from, 0)).expect("a port");
            let place = listener.local_addr().expect("an address");
            let counted = Arc::clone(&counts);
            threads.push(serve(listener, &is_over, move |stream| {
                counted.described.fetch_add(1, Ordering::Relaxed);
                let _ = describe_itself(stream, describe, elsewhere);
            }));
            for port in [5351, 1900] {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).expect("the port");
                let all = Ipv4Addr::new(239, 255, 255, 250);
                socket.join_multicast_v4(&all, &ROUTER).expect("a group");
                let answering = UdpSocket::bind((from, 0)).expect("a port");
                // PCP and NAT-PMP are answered from where they are asked.
                let answering = match (describe, port) {
                    (Describe::FromElsewhere, _) | (_, 1900) => answering,
                    _ => socket.try_clone().expect("another descriptor"),
                };
                let wait = Some(Duration::from_millis(100));
                socket.set_read_timeout(wait).expect("a socket");
                let (counts, is_over) = (Arc::clone(&counts), Arc::clone(&is_over));
                threads.push(thread::spawn(move || {
                    let mut random = Random(port.into());
                    while !is_over.load(Ordering::Relaxed) {
                        let mut question = [0; 1200];
                        if let Ok((length, asker)) = socket.recv_from(&mut question) {
                            let answers = Answers {
                                question: &question[..length],
                                place,
                                is_honest: describe == Describe::FromElsewhere,
                            };
                            answers.send(&answering, asker, &counts, &mut random);
                        }
                    }
                }));
            }
        });
        Router {
            counts,
            is_over,
            threads,
        }
    }

    /// How many answers it has sent so far, by each protocol.
    pub fn sent(&self) -> [(&'static str, usize); 3] {
        let Counts {
            pcp, nat_pmp, ssdp, ..
        } = &*self.counts;
        [("PCP", pcp), ("NAT-PMP", nat_pmp), ("SSDP", ssdp)]
            .map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }

    /// How often it was asked to describe itself.
    pub fn described(&self) -> usize {
        self.counts.described.load(Ordering::Relaxed)
    }

    /// How often somebody came to where it leads.
    pub fn elsewhere(&self) -> usize {
        self.counts.elsewhere.load(Ordering::Relaxed)
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Serves connections, one after the other, until it is over.
fn serve(
    listener: TcpListener,
    is_over: &Arc<AtomicBool>,
    serve: impl Fn(TcpStream) + Send + 'static,
) -> JoinHandle<()> {
    listener.set_nonblocking(true).expect("a listener");
    let is_over = Arc::clone(is_over);
    thread::spawn(move || {
        while !is_over.load(Ordering::Relaxed) {
            match listener.accept() {
                Ok((stream, _)) => serve(stream),
                // There is no other way to wait for a connection or the end.
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    })
}

fn describe_itself(
    mut stream: TcpStream,
    describe: Describe,
    elsewhere: SocketAddrV4,
) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let mut request = [0; 1000];
    let _ = stream.read(&mut request)?;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\n\r\n";
    match describe {
        Describe::WithoutEnd => {
            stream.write_all(head.as_bytes())?;
            // Until the other has enough.
            loop {
                stream.write_all("<service>".repeat(100).as_bytes())?;
            }
        }
        Describe::Slowly => {
            for byte in head.bytes().chain(std::iter::repeat(b' ')) {
                stream.write_all(&[byte])?;
                thread::sleep(Duration::from_millis(50));
            }
            Ok(())
        }
        Describe::Redirected => stream.write_all(
            format!(
                "HTTP/1.1 301 Moved\r\nLocation: http://{elsewhere}/\r\nContent-Length: 0\r\n\r\n"
            )
            .as_bytes(),
        ),
        Describe::Elsewhere | Describe::FromElsewhere => {
            let kinds = [
                "WANIPConnection:1",
                "WANIPConnection:2",
                "WANPPPConnection:1",
            ];
            let services = kinds.map(|kind| {
                format!(
                    "<service><serviceType>urn:schemas-upnp-org:service:{kind}</serviceType>\
                     <controlURL>http://{elsewhere}/ctl</controlURL></service>"
                )
            });
            stream.write_all(format!("{head}<root>{}</root>", services.concat()).as_bytes())
        }
        Describe::Nonsense => {
            let mut random = Random(1);
            let bytes: Vec<u8> = (0..30_000).map(|_| random.below(256) as u8).collect();
            stream.write_all(head.as_bytes())?;
            stream.write_all(&bytes)
        }
    }
}

struct Answers<'a> {
    question: &'a [u8],
    /// Where it describes itself.
    place: SocketAddr,
    /// Whether it answers as it should, and nothing else.
    is_honest: bool,
}

impl Answers<'_> {
    fn send(&self, from: &UdpSocket, to: SocketAddr, counts: &Counts, random: &mut Random) {
        let (count, good) = match self.question {
            [2, ..] => (&counts.pcp, self.pcp()),
            [0, ..] => (&counts.nat_pmp, self.nat_pmp()),
            _ => (&counts.ssdp, self.ssdp()),
        };
        let is_ssdp = std::ptr::eq(count, &counts.ssdp);
        let malformed = if self.is_honest { 0 } else { TO_EACH };
        for number in 0..malformed {
            let _ = from.send_to(&malform(&good, number, random), to);
            count.fetch_add(1, Ordering::Relaxed);
            if number % BURST == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
        // Where it describes itself has to be found, for that to be seen.
        if is_ssdp || self.is_honest {
            let _ = from.send_to(&good, to);
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn pcp(&self) -> Vec<u8> {
        let mut answer = self.question.to_vec();
        answer.resize(60, 0);
        answer[1] |= 0x80;
        answer[8..24].fill(0);
        answer[56..].copy_from_slice(&PUBLIC.octets());
        answer
    }

    fn nat_pmp(&self) -> Vec<u8> {
        let mut answer = self.question.to_vec();
        answer.resize(16, 0);
        answer.rotate_right(4);
        answer[..4].copy_from_slice(&[0, self.question[1] | 0x80, 0, 0]);
        answer.truncate(if self.question.len() == 2 { 12 } else { 16 });
        answer
    }

    fn ssdp(&self) -> Vec<u8> {
        let question = String::from_utf8_lossy(self.question);
        let kind = question.lines().find_map(|line| line.strip_prefix("ST: "));
        format!(
            "HTTP/1.1 200 OK\r\nST: {}\r\nLOCATION: http://{}/root.xml\r\n\r\n",
            kind.unwrap_or_default(),
            self.place
        )
        .into_bytes()
    }
}

/// One of many ways not to be an answer.
fn malform(good: &[u8], number: usize, random: &mut Random) -> Vec<u8> {
    let mut bad = good.to_vec();
    let length = bad.len();
    match number % 4 {
        // What begins all answers.
        0 => bad[0] ^= 1 + random.below(127) as u8,
        1 => bad.truncate(random.below(8)),
        2 => {
            // 2 is the version of PCP, 0 that of NAT-PMP.
            bad = (0..1200).map(|_| random.below(256) as u8).collect();
            bad[0] = 3;
        }
        // A question, or what leads nowhere.
        _ if length <= 60 => bad[1] &= 0x7f,
        _ => {
            let text = String::from_utf8_lossy(good);
            bad = text.replace("http://", "http://203.0.114.9@").into_bytes();
        }
    }
    bad
}
