//! The UDP load: connect once, then announces from many ports over many torrents. Every answer
//! is checked, and only answers are counted.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::contenders::{FIRST_PORT, PORTS, TORRENTS, info_hash};
use crate::random::Random;

/// Bytes of an answer with 30 peers.
pub const FULL_ANSWER: usize = 20 + 30 * 6;

/// Announces under way at a time, for each client. UDP has no other way to be told that it is
/// too fast; with few enough, none is lost.
const WINDOW: usize = 64;
/// Clients, each a thread with a socket.
const CLIENTS: usize = 2;

/// Answers a second that `to` gave during `time`.
pub fn answers_per_second(to: SocketAddr, time: Duration) -> f64 {
    let begin = Instant::now();
    let answered: u64 = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| scope.spawn(move || Client::connect(to, n as u32).announce_for(time)))
            .collect();
        clients
            .into_iter()
            .map(|c| c.join().expect("a client"))
            .sum()
    });
    answered as f64 / begin.elapsed().as_secs_f64()
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
        let mut connect = [0; 16];
        connect[..8].copy_from_slice(&0x0417_2710_1980_u64.to_be_bytes());
        socket.send(&connect).expect("to send");
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

    fn announce_for(&mut self, time: Duration) -> u64 {
        let begin = Instant::now();
        let (mut answered, mut lost) = (0, 0);
        let mut sent = [0_u32; WINDOW];
        let mut answer = [0; 2048];
        while begin.elapsed() < time {
            for (i, slot) in sent.iter_mut().enumerate() {
                // The low bits find the slot, the others tell old answers from new.
                let transaction = self.random.number() as u32 & !(WINDOW as u32 - 1) | i as u32;
                let torrent = self.random.below(TORRENTS as usize) as u32;
                let port = FIRST_PORT + self.random.below(PORTS as usize) as u32;
                self.packet[12..16].copy_from_slice(&transaction.to_be_bytes());
                self.packet[16..36].copy_from_slice(&info_hash(torrent));
                self.packet[96..].copy_from_slice(&(port as u16).to_be_bytes());
                self.socket.send(&self.packet).expect("to send");
                *slot = transaction;
            }
            let mut missing = WINDOW;
            while missing > 0 {
                let Ok(length) = self.socket.recv(&mut answer) else {
                    lost += missing;
                    break;
                };
                let action = u32::from_be_bytes(answer[..4].try_into().expect("4 bytes"));
                let transaction = u32::from_be_bytes(answer[4..8].try_into().expect("4 bytes"));
                let slot = transaction as usize % WINDOW;
                assert!(
                    action == 1 && length >= 20 && (length - 20) % 6 == 0,
                    "{action} {length}"
                );
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
