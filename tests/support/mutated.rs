//! Bytes that nobody meant: requests and packets in which some are missing, doubled or others.

use super::http::ORDINARY;
use super::random::Random;

impl Random {
    /// Fewer than `most` bytes.
    pub fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most);
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    /// An HTTP announce in which some bytes are missing, doubled, others or in the wrong place.
    pub fn mutated_announce(&mut self) -> Vec<u8> {
        let mut bytes = format!(
            "GET /announce?{ORDINARY}&port=4242&compact=1&numwant=9 HTTP/1.1\r\n\
             Host: tracker.example:9000\r\nUser-Agent: x/1\r\nAccept: */*\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
        .into_bytes();
        for _ in 0..=self.below(4) {
            let begin = self.below(bytes.len());
            let end = (begin + self.below(20)).min(bytes.len());
            match self.below(4) {
                0 => drop(bytes.drain(begin..end)),
                1 => bytes[begin] = self.below(256) as u8,
                2 => {
                    let other = self.bytes(20);
                    bytes.splice(begin..end, other);
                }
                _ => {
                    let copy = bytes[begin..end].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, copy);
                }
            }
        }
        bytes
    }

    /// A UDP packet that is random, cut, too long or nearly `ordinary`, which is an announce. One
    /// that is an announce still is for the torrent of `ordinary` and a port below 1,000, or peers
    /// and torrents would rightly pile up.
    pub fn mutated_packet(&mut self, ordinary: &[u8]) -> Vec<u8> {
        let mut packet = ordinary.to_vec();
        match self.below(4) {
            0 => packet = self.bytes(1600),
            1 => packet.truncate(self.below(99)),
            2 => packet.extend(vec![0xaa; self.below(600)]),
            _ => {}
        }
        for _ in 0..self.below(4) {
            let at = self.below(16);
            let other = self.below(256) as u8;
            if let Some(byte) = packet.get_mut(at) {
                *byte = other;
            }
        }
        if packet.len() >= 98 {
            packet[16..36].copy_from_slice(&ordinary[16..36]);
            packet[96..98].copy_from_slice(&(self.below(1000) as u16).to_be_bytes());
        }
        packet
    }
}
