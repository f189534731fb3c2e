//! The UDP load: connect once, then announces from many ports over many torrents. Every answer
//! is checked, and only answers are counted.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::compare::Load;
use crate::contenders::{FIRST_PORT, PORTS, TORRENTS, info_hash};
use crate::random::Random;

/// Bytes of an answer with 30 peers.
pub const FULL_ANSWER: usize = 20 + 30 * 6;

/// Clients, each a thread with a socket.
const CLIENTS: usize = 2;

/// Asks `to` for that long, with `window` announces of each client under way at a time. UDP has no
/// other way to be told that it is too fast; with few enough, none is lost.
pub fn load(to: SocketAddr, window: usize, time: Duration) -> Load {
    let begin = Instant::now();
    let answered: u64 = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| scope.spawn(move || Client::connect(to, n as u32).announce(window, time)))
            .collect();
        clients
            .into_iter()
            .map(|c| c.join().expect("a client"))
            .sum()
    });
    let seconds = begin.elapsed().as_secs_f64();
    Load {
        rate: answered as f64 / seconds,
        seconds,
    }
}

/// Sends `to` so many announces a second, evenly, for that long, and counts the answers. What this
/// misses while it does not run, it makes up for as far as a socket's queue is long.
pub fn offer(to: SocketAddr, rate: u32, time: Duration) -> Load {
    /// A queue of the usual length has room for 256 packets or more.
    const MOST_LATE: u32 = 128;
    let mut client = Client::connect(to, 0);
    client.socket.set_nonblocking(true).expect("not to wait");
    let mut answer = [0; 2048];
    let (mut sent, mut missed, mut answered) = (0, 0, 0_u64);
    let begin = Instant::now();
    loop {
        let elapsed = begin.elapsed();
        if elapsed > time {
            break;
        }
        let due = (elapsed.as_secs_f64() * f64::from(rate)) as u32;
        missed = due.saturating_sub(sent + MOST_LATE).max(missed);
        if sent + missed < due {
            client.send(sent);
            sent += 1;
        } else if let Ok(length) = client.socket.recv(&mut answer) {
            check_answer(&answer[..length]);
            answered += 1;
        }
    }
    Load {
        rate: answered as f64 / time.as_secs_f64(),
        seconds: time.as_secs_f64(),
    }
}

/// A connect packet.
pub fn connect_packet() -> [u8; 16] {
    let mut connect = [0; 16];
    connect[..8].copy_from_slice(&0x0417_2710_1980_u64.to_be_bytes());
    connect
}

struct Client {
    socket: UdpSocket,
    packet: [u8; 98],
    random: Random,
}

impl Client {
    fn connect(to: SocketAddr, seed: u32) -> Client {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        socket.connect(to).expect("a local address");
        let timeout = Some(Duration::from_millis(500));
        socket.set_read_timeout(timeout).expect("a timeout");
        socket.send(&connect_packet()).expect("to send");
        let mut answer = [0; 16];
        assert_eq!(socket.recv(&mut answer).expect("an answer to connect"), 16);
        let mut packet = [0; 98];
        packet[..8].copy_from_slice(&answer[8..]);
        packet[11] = 1;
        packet[36..56].copy_from_slice(b"-MB1000-abcdefghijkl");
        packet[71] = 1; // left
        packet[95] = 30; // num_want
        Client {
            socket,
            packet,
            random: Random(u64::from(seed) + 1),
        }
    }

    /// Sends an announce of a random peer.
    fn send(&mut self, transaction: u32) {
        let torrent = self.random.below(TORRENTS as usize) as u32;
        let port = FIRST_PORT + self.random.below(PORTS as usize) as u32;
        self.packet[12..16].copy_from_slice(&transaction.to_be_bytes());
        self.packet[16..36].copy_from_slice(&info_hash(torrent));
        self.packet[96..].copy_from_slice(&(port as u16).to_be_bytes());
        self.socket.send(&self.packet).expect("to send");
    }

    fn announce(&mut self, window: usize, time: Duration) -> u64 {
        let begin = Instant::now();
        let (mut answered, mut lost) = (0, 0);
        let mut sent = vec![0_u32; window];
        let mut answer = [0; 2048];
        while begin.elapsed() < time {
            for (i, slot) in sent.iter_mut().enumerate() {
                // The low bits find the slot, the others tell old answers from new.
                let transaction = self.random.number() as u32 & !(window as u32 - 1) | i as u32;
                self.send(transaction);
                *slot = transaction;
            }
            let mut missing = window;
            while missing > 0 {
                let Ok(length) = self.socket.recv(&mut answer) else {
                    lost += missing;
                    break;
                };
                let transaction = check_answer(&answer[..length]);
                let slot = transaction as usize % window;
                if sent[slot] == transaction {
                    sent[slot] = !transaction;
                    answered += 1;
                    missing -= 1;
                }
            }
        }
        assert!(lost as u64 <= answered / 1000, "{lost} of {answered} lost");
        answered
    }
}

/// The transaction id of an answer to an announce; fails on anything else.
fn check_answer(answer: &[u8]) -> u32 {
    let number = |at: usize| u32::from_be_bytes(answer[at..at + 4].try_into().expect("4 bytes"));
    let length = answer.len();
    assert!(
        length >= 20 && (length - 20) % 6 == 0 && number(0) == 1,
        "{answer:?}"
    );
    number(4)
}
