//! A client of BEP 15 that sends exactly the packets that it is given, and the packets of ordinary
//! announces. What is in the answers is for the tests to look at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::http::PATIENCE;

/// Transaction id of those who do not care which.
const TRANSACTION: &[u8; 4] = b"tran";

pub struct Client {
    pub socket: UdpSocket,
    pub id: [u8; 8],
}

impl Client {
    /// A client on the tracker's machine that knows its connection id.
    pub fn connect(ip: &str, port: u16) -> Client {
        let mut client = Client::without_id(ip, port);
        let answer = client.ask(&Client::connect_packet());
        assert_eq!(answer[..8], *b"\0\0\0\0tran");
        client.id = answer[8..].try_into().unwrap();
        client
    }

    pub fn without_id(ip: &str, port: u16) -> Client {
        let ip: IpAddr = ip.parse().unwrap();
        Client::between(ip, SocketAddr::new(ip, port))
    }

    /// A client at `from` that will ask the tracker at `to`.
    pub fn between(from: IpAddr, to: SocketAddr) -> Client {
        let socket = UdpSocket::bind((from, 0)).unwrap();
        socket.connect(to).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { socket, id: [0; 8] }
    }

    /// A client that knows its connection id, if the tracker answers from where it was asked: a
    /// connected socket hears nothing else.
    pub fn reach(at: SocketAddr) -> Option<Client> {
        let any: IpAddr = match at {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let mut client = Client::between(any, at);
        let answer = client.ask_within(&Client::connect_packet(), PATIENCE)?;
        client.id = answer[8..].try_into().expect("an id of 8 bytes");
        Some(client)
    }

    pub fn ask(&self, packet: &[u8]) -> Vec<u8> {
        self.socket.send(packet).unwrap();
        let mut answer = [0; 4096];
        let length = self.socket.recv(&mut answer).unwrap();
        answer[..length].to_vec()
    }

    /// The answer to this very packet, by its transaction id, if it comes in time.
    pub fn ask_within(&self, packet: &[u8], time: Duration) -> Option<Vec<u8>> {
        // A socket that was told that nobody listens there says so once, instead of sending.
        if self.socket.send(packet).is_err() {
            self.socket.send(packet).ok()?;
        }
        let end = Instant::now() + time;
        let mut answer = [0; 4096];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.socket.set_read_timeout(Some(left)).unwrap();
            match self.socket.recv(&mut answer) {
                Ok(length) if length >= 8 && answer[4..8] == packet[12..16] => {
                    return Some(answer[..length].to_vec());
                }
                // The answer to an earlier one, which came late; or nothing.
                _ => {}
            }
        }
    }

    /// Without a connection id, and so the same for everybody.
    pub fn connect_packet() -> Vec<u8> {
        [&0x417_2710_1980_u64.to_be_bytes()[..], &[0; 4], TRANSACTION].concat()
    }

    pub fn packet(&self, action: u8, body: &[u8]) -> Vec<u8> {
        [&self.id[..], &[0, 0, 0, action], TRANSACTION, body].concat()
    }

    /// An announce; `event` is 0 for none, 1 completed, 2 started, 3 stopped.
    pub fn announce_packet(&self, hash: &[u8; 20], port: u16, left: u8, event: u8) -> Vec<u8> {
        let mut packet = self.packet(1, hash);
        packet.resize(98, 0);
        // As over HTTP, so that it is the same client.
        packet[36..56].copy_from_slice(b"-MF1000-abcdefghijkl");
        // Something was downloaded: who has nothing left is a seeder for certain.
        packet[63] = 1;
        packet[71] = left;
        packet[83] = event;
        packet[92..96].copy_from_slice(&[0xff; 4]);
        packet[96..].copy_from_slice(&port.to_be_bytes());
        packet
    }

    /// Seeders, leechers and the peers' bytes in the answer to an announce, with counts below 256
    /// and the ordinary interval.
    pub fn announce(&self, hash: &[u8; 20], port: u16, left: u8) -> (u8, u8, Vec<u8>) {
        let answer = self.ask(&self.announce_packet(hash, port, left, 0));
        assert_eq!(answer[..8], *b"\0\0\0\x01tran");
        assert_eq!(answer[8..12], [0, 0, 0, 240], "interval");
        (answer[19], answer[15], answer[20..].to_vec())
    }
}
