//! A small HTTP client that sends exactly the bytes it is given, as the tests of odd and hostile
//! requests need, and the decoding of bencoded answers by a third party's decoder.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use bendy::decoding::{Decoder, DictDecoder, Object};
use socket2::{Domain, Socket, Type};

use super::tracker::Tracker;

/// Longer than any answer takes, and shorter than a person's patience with a test.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// An info_hash and a peer_id for those who do not care which.
pub const ORDINARY: &str = "info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A\
    &peer_id=-MF1000-abcdefghijkl&left=5";

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &value[..])
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A connection to a tracker.
pub struct Connection {
    pub stream: TcpStream,
    /// Bytes that have come and belong to no answer yet.
    unread: Vec<u8>,
}

impl Connection {
    pub fn open(to: impl Into<SocketAddr>) -> Connection {
        let to = to.into();
        let stream = TcpStream::connect_timeout(&to, PATIENCE)
            .unwrap_or_else(|error| panic!("connecting to {to}: {error}"));
        Connection::of(stream)
    }

    /// From another address of this machine than the one that the system would choose.
    pub fn open_from(from: IpAddr, to: impl Into<SocketAddr>) -> Connection {
        let to = to.into();
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
        socket
            .connect_timeout(&to.into(), PATIENCE)
            .unwrap_or_else(|error| panic!("connecting from {from} to {to}: {error}"));
        Connection::of(socket.into())
    }

    fn of(stream: TcpStream) -> Connection {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Connection {
            stream,
            unread: Vec::new(),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends a GET of `target` and reads its answer; the connection is kept.
    pub fn get(&mut self, target: &str) -> Answer {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        self.answer()
    }

    pub fn answer(&mut self) -> Answer {
        self.try_answer(true).expect("an answer")
    }

    /// The answer to a HEAD, which has no body whatever its head says.
    pub fn answer_without_body(&mut self) -> Answer {
        self.try_answer(false).expect("an answer")
    }

    /// `None` if the connection ended (or was reset) before the first byte of an answer.
    pub fn try_answer(&mut self, has_body: bool) -> Option<Answer> {
        let (mut answer, length) = loop {
            if let Some(parsed) = self.parse_head() {
                break parsed;
            }
            if !self.read_more() {
                assert!(self.unread.is_empty(), "cut off: {:?}", self.unread);
                return None;
            }
        };
        self.unread.drain(..length);
        if has_body {
            let length = answer.header("Content-Length").expect("Content-Length");
            let length: usize = length.parse().unwrap();
            while self.unread.len() < length {
                assert!(self.read_more(), "the body is cut off");
            }
            answer.body = self.unread.drain(..length).collect();
        }
        Some(answer)
    }

    /// Whether the tracker has closed the connection, with nothing more to say.
    pub fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && !self.read_more()
    }

    fn parse_head(&self) -> Option<(Answer, usize)> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(&self.unread).expect("an HTTP answer") {
            httparse::Status::Complete(length) => length,
            httparse::Status::Partial => return None,
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let answer = Answer {
            status: response.code.unwrap(),
            headers: response
                .headers
                .iter()
                .map(|header| (header.name.to_owned(), text(header.value)))
                .collect(),
            body: Vec::new(),
        };
        Some((answer, length))
    }

    /// Reads something; `false` at the end. Panics when nothing comes for too long.
    fn read_more(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(length) => {
                self.unread.extend_from_slice(&bytes[..length]);
                length > 0
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => self.read_more(),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => false,
            Err(error) => panic!("waiting for the tracker: {error}"),
        }
    }
}

/// One GET on a connection of its own.
pub fn get(to: impl Into<SocketAddr>, target: &str) -> Answer {
    Connection::open(to).get(target)
}

/// One request of these very bytes on a connection of its own.
pub fn send(to: impl Into<SocketAddr>, bytes: &[u8]) -> Answer {
    let mut connection = Connection::open(to);
    connection.send(bytes);
    connection.answer()
}

/// A bencoded answer to an announce.
#[derive(Debug, Default, PartialEq)]
pub struct Announced {
    pub complete: Option<u64>,
    pub downloaded: Option<u64>,
    pub external_ip: Option<Vec<u8>>,
    pub failure_code: Option<u64>,
    pub failure_reason: Option<String>,
    pub incomplete: Option<u64>,
    pub interval: Option<u64>,
    pub min_interval: Option<u64>,
    pub peers: Option<Vec<ShownPeer>>,
    pub peers6: Option<Vec<ShownPeer>>,
    /// Whether `peers` was a string of bytes.
    pub is_compact: bool,
}

/// A peer in an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShownPeer {
    pub address: SocketAddr,
    pub peer_id: Option<Vec<u8>>,
}

impl Announced {
    /// All addresses shown, sorted, as text.
    pub fn shown(&self) -> Vec<String> {
        let peers = self
            .peers
            .iter()
            .flatten()
            .chain(self.peers6.iter().flatten());
        let mut shown: Vec<_> = peers.map(|peer| peer.address.to_string()).collect();
        shown.sort();
        shown
    }
}

/// Decodes the body of an answer with a decoder that rejects unsorted keys, and fails on a key
/// that a tracker has no business to send.
pub fn decode(body: &[u8]) -> Announced {
    try_decode(body).unwrap_or_else(|| panic!("not bencoded: {}", body.escape_ascii()))
}

fn try_decode(body: &[u8]) -> Option<Announced> {
    let mut decoder = Decoder::new(body);
    let mut announced = Announced::default();
    let mut dict = decoder.next_object().ok()??.try_into_dictionary().ok()?;
    while let Some((key, value)) = dict.next_pair().ok()? {
        match key {
            b"complete" => announced.complete = Some(integer(value)?),
            b"downloaded" => announced.downloaded = Some(integer(value)?),
            b"external ip" => announced.external_ip = Some(bytes(value)?),
            b"failure code" => announced.failure_code = Some(integer(value)?),
            b"failure reason" => {
                announced.failure_reason = Some(String::from_utf8(bytes(value)?).ok()?);
            }
            b"incomplete" => announced.incomplete = Some(integer(value)?),
            b"interval" => announced.interval = Some(integer(value)?),
            b"min interval" => announced.min_interval = Some(integer(value)?),
            b"peers" => match value {
                Object::Bytes(compact) => {
                    announced.is_compact = true;
                    announced.peers = Some(compact_peers(compact, 4));
                }
                Object::List(mut list) => {
                    let mut peers = Vec::new();
                    while let Some(peer) = list.next_object().ok()? {
                        peers.push(dictionary_peer(peer.try_into_dictionary().ok()?)?);
                    }
                    announced.peers = Some(peers);
                }
                _ => return None,
            },
            b"peers6" => announced.peers6 = Some(compact_peers(&bytes(value)?, 16)),
            other => panic!("key {}", other.escape_ascii()),
        }
    }
    drop(dict);
    assert!(
        decoder.next_object().ok()?.is_none(),
        "bytes behind the answer"
    );
    Some(announced)
}

fn integer(value: Object) -> Option<u64> {
    value.try_into_integer().ok()?.parse().ok()
}

fn bytes(value: Object) -> Option<Vec<u8>> {
    Some(value.try_into_bytes().ok()?.to_vec())
}

fn compact_peers(bytes: &[u8], address: usize) -> Vec<ShownPeer> {
    assert_eq!(bytes.len() % (address + 2), 0, "{bytes:?}");
    let peers = bytes.chunks(address + 2).map(|peer| {
        let port = u16::from_be_bytes([peer[address], peer[address + 1]]);
        let address = match <[u8; 4]>::try_from(&peer[..address]) {
            Ok(ipv4) => SocketAddr::from((ipv4, port)),
            Err(_) => SocketAddr::from((<[u8; 16]>::try_from(&peer[..16]).unwrap(), port)),
        };
        ShownPeer {
            address,
            peer_id: None,
        }
    });
    peers.collect()
}

fn dictionary_peer(mut dict: DictDecoder<'_, '_>) -> Option<ShownPeer> {
    let (mut ip, mut peer_id, mut port) = (None, None, None);
    while let Some((key, value)) = dict.next_pair().ok()? {
        match key {
            b"ip" => ip = String::from_utf8(bytes(value)?).ok()?.parse().ok(),
            b"peer id" => peer_id = Some(bytes(value)?),
            b"port" => port = Some(integer(value)? as u16),
            other => panic!("key {}", other.escape_ascii()),
        }
    }
    Some(ShownPeer {
        address: SocketAddr::new(ip?, port?),
        peer_id,
    })
}

/// Announces by GET with this query and decodes the answer, which has to have status 200.
pub fn announce(to: impl Into<SocketAddr>, query: &str) -> Announced {
    let answer = get(to, &format!("/announce?{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    decode(&answer.body)
}

/// How many seeders, downloads and leechers a tracker with `--scrape` counts in a swarm.
pub fn scrape(to: impl Into<SocketAddr>, info_hash: &[u8; 20]) -> [u64; 3] {
    let hash = info_hash.map(|byte| format!("%{byte:02x}")).concat();
    let answer = get(to, &format!("/scrape?info_hash={hash}"));
    let text = answer.text();
    ["8:complete", "10:downloaded", "10:incomplete"].map(|key| {
        let number = text.split_once(&format!("{key}i")).map(|(_, rest)| rest);
        let number = number.and_then(|rest| rest.split_once('e')?.0.parse().ok());
        number.unwrap_or_else(|| panic!("no {key} in {text}"))
    })
}

/// Whether the tracker at `to` answers an ordinary announce before anything that others do to it
/// would end by itself: the gate waits for tiny_http for 3 seconds, and for a client for 5 or more.
/// Panics if not. (Usually it takes milliseconds; a busy machine needs a second now and then.)
pub fn assert_answers_soon(to: impl Into<SocketAddr>) {
    let begin = std::time::Instant::now();
    let announced = announce(to, &format!("{ORDINARY}&port=4242"));
    assert!(announced.peers.is_some(), "{announced:?}");
    let took = begin.elapsed();
    assert!(took < Duration::from_millis(2500), "took {took:?}");
}

/// An info_hash and a peer_id, for those who add everything else themselves.
pub const TORRENT: &str = "info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A\
    &peer_id=-MF1000-abcdefghijkl";

/// The tracker by its IPv4 loopback address.
pub fn ipv4(tracker: &Tracker) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, tracker.port()).into()
}

/// The tracker by its IPv6 loopback address; `None` (after the line "skipped") on a machine that
/// has none.
pub fn ipv6(tracker: &Tracker) -> Option<SocketAddr> {
    if let Err(error) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        let why = format!("no IPv6 on this machine: {error}");
        assert!(
            std::env::var_os("CI").is_none(),
            "{why}; with CI set nothing is skipped"
        );
        // Not `eprintln!`: what that prints is shown only when the test fails.
        let _ = writeln!(std::io::stderr(), "skipped: {why}");
        return None;
    }
    Some((Ipv6Addr::LOCALHOST, tracker.port()).into())
}

/// Announces [`TORRENT`] from 127.0.0.1, with `rest` as the rest of the query.
pub fn ask(tracker: &Tracker, rest: &str) -> Announced {
    announce(ipv4(tracker), &format!("{TORRENT}&{rest}"))
}

/// As many leechers of [`TORRENT`] at 127.0.0.1, with the ports from 1 on.
pub fn crowd(tracker: &Tracker, peers: u16) {
    let mut connection = Connection::open(ipv4(tracker));
    for port in 1..=peers {
        let answer = connection.get(&format!("/announce?{TORRENT}&left=5&port={port}&numwant=0"));
        assert_eq!(decode(&answer.body).incomplete, Some(port.into()));
    }
}
