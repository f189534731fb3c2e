//! Packets, each from somebody, at a time and with a connection id that may be good.

use super::{Choices, ip, is_one_clean_line};
use mayfly::address;
use mayfly::announce::InfoHash;
use mayfly::counters::Counters;
use mayfly::log::{Log, Verbosity};
use mayfly::service::Service;
use mayfly::swarms::{Bounds, Totals};
use mayfly::tracker::{Settings, Tracker};
use mayfly::udp::connection_id::ConnectionIds;
use mayfly::udp::server::{Buffers, Server};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// What stands for a connection id in a connect.
const PROTOCOL: u64 = 0x417_2710_1980;

/// Checks the answers to a sequence of packets.
pub fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let server = server(choices.flag());
    let mut buffers = Buffers::default();
    let mut now = Duration::from_secs(1200);
    while !choices.is_empty() {
        now += Duration::from_secs(choices.byte().into());
        let (from, local) = choices.one_of(&[
            ("203.0.113.1", "198.51.100.1"),
            ("::ffff:203.0.113.2", "198.51.100.1"),
            ("2001:db8::2", "2001:db8::1"),
            ("192.168.1.2", "192.168.1.1"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
        ]);
        let id = choices.byte();
        let length = choices.short().into();
        let mut packet = choices.bytes(length).to_vec();
        let source = address::canonical(ip(from));
        let ago = |secs| now - Duration::from_secs(secs);
        let id = match id % 6 {
            0 => server.ids.make(source, now),
            1 => server.ids.make(source, ago(600)),
            2 => server.ids.make(source, ago(900)),
            3 => server.ids.make(ip("203.0.113.99"), now),
            4 => PROTOCOL,
            _ => u64::from_be_bytes(packet.first_chunk().copied().unwrap_or_default()),
        };
        for (byte, of_id) in packet.iter_mut().zip(id.to_be_bytes()) {
            *byte = of_id;
        }
        let exchange = Exchange {
            server: &server,
            source,
            now,
            packet: &packet,
            stored: server.service.tracker.totals(),
        };
        let is_answered = server.answer(&packet, ip(from), ip(local), now, &mut buffers);
        exchange.check(is_answered.then_some(&buffers.answer[..]));
    }
}

fn server(scrape: bool) -> Server {
    // Has a thread, so there is one for all.
    static LOG: OnceLock<Log> = OnceLock::new();
    let log = LOG.get_or_init(|| {
        Log::new(
            Verbosity::Quiet,
            mayfly::log::Times::Written,
            std::io::sink(),
        )
        .expect("a thread")
    });
    let service = Service {
        tracker: Tracker::new(Settings {
            numwant: 200,
            bounds: Bounds {
                peers: 50,
                ..Bounds::default()
            },
            ..Settings::default()
        }),
        began: Instant::now(),
        scrape,
        public: Arc::default(),
        shown_nobody: Default::default(),
        counters: Counters::new(),
        log: log.clone(),
    };
    Server {
        service: Arc::new(service),
        ids: ConnectionIds::new(Duration::from_secs(600)),
    }
}

/// A packet, and what there was before it.
struct Exchange<'a> {
    server: &'a Server,
    /// Canonical.
    source: IpAddr,
    now: Duration,
    packet: &'a [u8],
    stored: Totals,
}

impl Exchange<'_> {
    fn check(&self, answer: Option<&[u8]>) {
        let packet = self.packet;
        if packet.len() < 16 {
            assert_eq!(answer, None);
            return;
        }
        let id = u64::from_be_bytes(field(packet, 0));
        let action = u32::from_be_bytes(field(packet, 8));
        if let Some(answer) = answer {
            assert_eq!(answer[4..8], packet[12..16], "transaction id");
        }
        if action == 0 && id == PROTOCOL {
            self.check_connected(answer.expect("an answer"));
        } else if !self.server.ids.check(id, self.source, self.now) {
            // A stranger may have written the sender's address on the envelope.
            let is_whole = match action {
                1 => packet.len() >= 98,
                2 => (1..=74).contains(&(packet.len() / 20)) && packet.len() % 20 == 16,
                _ => false,
            };
            assert_eq!(answer.is_some(), is_whole);
            if let Some(answer) = answer {
                assert!(answer.len() < packet.len());
                check_error(answer);
            }
            assert_eq!(
                self.server.service.tracker.totals(),
                self.stored,
                "nothing changes"
            );
        } else {
            let answer = answer.expect("an answer");
            match action {
                1 if packet.len() >= 98 => self.check_announced(answer),
                2 => self.check_scraped(answer),
                _ => check_error(answer),
            }
        }
    }

    fn check_connected(&self, answer: &[u8]) {
        assert!(answer.len() == 16 && answer.len() <= self.packet.len());
        assert_eq!(answer[..4], [0; 4]);
        let id = u64::from_be_bytes(field(answer, 8));
        for (later, is_good) in [(0, true), (600, true), (900, false)] {
            let then = self.now + Duration::from_secs(later);
            assert_eq!(self.server.ids.check(id, self.source, then), is_good);
        }
    }

    fn check_announced(&self, answer: &[u8]) {
        let port: [u8; 2] = field(self.packet, 96);
        let is_full = self.stored.count(false) + self.stored.count(true) >= 50;
        if answer[3] == 3 && (port == [0; 2] || is_full) {
            check_error(answer);
            return;
        }
        assert!(port != [0; 2]);
        assert_eq!(answer[..4], [0, 0, 0, 1]);
        assert_eq!(answer[8..12], [0, 0, 0, 240]);
        let ip_length = if self.source.is_ipv4() { 4 } else { 16 };
        let mut own = address::to_bytes(self.source)[16 - ip_length..].to_vec();
        own.extend_from_slice(&port);
        let peers: Vec<_> = answer[20..].chunks(own.len()).collect();
        let wanted = u32::from_be_bytes(field(self.packet, 92));
        assert!(peers.len() <= 70 && peers.len() as u32 <= wanted);
        let is_stopped = u32::from_be_bytes(field(self.packet, 80)) == 3;
        assert!(peers.is_empty() || !is_stopped);
        for (i, peer) in peers.iter().enumerate() {
            assert!(peer.len() == own.len() && **peer != own);
            assert!(!peers[..i].contains(peer), "{peer:?} twice");
        }
        let [leechers, seeders] = [8, 12].map(|at| u32::from_be_bytes(field(answer, at + 4)));
        let is_seeder = self.packet[64..72] == [0; 8];
        assert!(is_stopped || [leechers, seeders][usize::from(is_seeder)] > 0);
        let totals = self.server.service.tracker.totals();
        assert!(leechers + seeders <= totals.count(false) + totals.count(true));
    }

    fn check_scraped(&self, answer: &[u8]) {
        let hashes = &self.packet[16..];
        let is_whole = (1..=74 * 20).contains(&hashes.len()) && hashes.len() % 20 == 0;
        if !is_whole || !self.server.service.scrape {
            check_error(answer);
            return;
        }
        assert_eq!(answer[..4], [0, 0, 0, 2]);
        let hashes = hashes.chunks(20).map(|hash| InfoHash(field(hash, 0)));
        let tracker = &self.server.service.tracker;
        let counts = tracker.scrape(hashes, self.now, &mut Vec::new());
        let numbers = counts
            .iter()
            .flat_map(|counts| [counts.seeders, counts.downloaded, counts.leechers]);
        let expected: Vec<u8> = numbers.flat_map(u32::to_be_bytes).collect();
        assert_eq!(answer[8..], expected);
    }
}

fn check_error(answer: &[u8]) {
    assert_eq!(answer[..4], [0, 0, 0, 3]);
    let text = std::str::from_utf8(&answer[8..]).expect("text");
    assert!(is_one_clean_line(text), "{text:?}");
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("N bytes")
}
