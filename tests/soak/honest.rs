//! The honest clients: they announce over HTTP and UDP, IPv4 and IPv6, on kept connections and on
//! single ones, begin, complete, leave, or vanish without a word. Every answer is held against the
//! model. One that does not come, or is wrong, ends the process with a panic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::model::{Asker, Seen, Torrent};
use super::part;
use super::wire::{Got, Wire};
use crate::support::http::{PATIENCE, decode};
use crate::support::random::Random;
use crate::support::udp;

/// Torrents of each client, which nobody else announces: so it knows what is right.
const TORRENTS: usize = 4;
/// The pace of a client.
const PACE: Duration = Duration::from_millis(8);

/// Where everybody is, as a part is told.
#[derive(Clone, Copy)]
pub struct Place {
    /// The tracker, over IPv4 and over IPv6.
    pub to: [SocketAddr; 2],
    /// The clients' addresses as the tracker sees them.
    pub from: [IpAddr; 2],
    pub life: Duration,
    pub clients: usize,
    /// Peers that each keeps alive.
    pub peers: usize,
    /// Whether there is time to wait for those to die that vanish without a word.
    pub may_vanish: bool,
}

/// What the clients have met since that was last asked for.
#[derive(Default)]
struct Met {
    /// Microseconds, over HTTP and over UDP.
    waits: [Vec<u128>; 2],
    /// Requests that were sent in vain at least once.
    again: [usize; 2],
    /// Kept connections that turned out to be closed.
    reopened: usize,
}

impl Met {
    /// For each transport asked, asked again, median and worst wait; and connections reopened.
    fn take(&mut self) -> String {
        let mut words = Vec::new();
        for (waits, again) in self.waits.iter_mut().zip(&mut self.again) {
            waits.sort();
            let median = waits.get(waits.len() / 2).unwrap_or(&0);
            let worst = waits.last().unwrap_or(&0);
            words.push(format!("{} {again} {median} {worst}", waits.len()));
        }
        words.push(self.reopened.to_string());
        *self = Met::default();
        words.join(" ")
    }
}

/// Plays the honest clients until the process is ended.
pub fn play(place: Place) {
    let met = Mutex::new(Met::default());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let client = |number| {
            let mut client = Client::new(place, number, &met);
            let lived = catch_unwind(AssertUnwindSafe(|| {
                while !is_over.load(Ordering::Relaxed) {
                    client.act();
                    thread::sleep(PACE);
                }
                client.settle()
            }));
            // What it was about has been printed; the others must not hide it by going on.
            lived.unwrap_or_else(|_| std::process::exit(1))
        };
        let mut clients: Vec<_> = (0..place.clients)
            .map(|number| scope.spawn(move || client(number)))
            .collect();
        part::obey(|what| match what.split_once(' ').unwrap_or((what, "")) {
            ("met", _) => lock(&met).take(),
            ("probe", announces) => part::probe(place.to[0], announces.parse().unwrap()),
            ("settle", _) => {
                is_over.store(true, Ordering::Relaxed);
                let peers = clients.drain(..).map(|client| client.join().unwrap());
                format!("{} peers, as the model has them", peers.sum::<usize>())
            }
            _ => panic!("what is {what}?"),
        });
        std::process::exit(0);
    });
}

struct Client<'a> {
    place: Place,
    number: usize,
    random: Random,
    torrents: Vec<Torrent>,
    wire: Wire,
    next_port: u16,
    met: &'a Mutex<Met>,
}

/// How an announce travels.
#[derive(Clone, Copy)]
struct Way {
    /// Index of the address family.
    family: usize,
    is_udp: bool,
    is_kept: bool,
}

/// What is announced.
#[derive(Clone, Copy)]
struct News {
    torrent: usize,
    address: SocketAddr,
    is_seeder: bool,
    event: Event,
}

#[derive(Clone, Copy, PartialEq)]
enum Event {
    Update,
    Completed,
    Started,
    Stopped,
}

impl<'a> Client<'a> {
    fn new(place: Place, number: usize, met: &'a Mutex<Met>) -> Client<'a> {
        let torrent = |torrent: usize| {
            let mut hash = [b'h'; 20];
            (hash[0], hash[1]) = (number as u8, torrent as u8);
            Torrent {
                hash,
                peers: Vec::new(),
                life: place.life,
                downloaded: (0, 0),
            }
        };
        Client {
            place,
            number,
            random: Random(0x2026_1122 + number as u64),
            torrents: (0..TORRENTS).map(torrent).collect(),
            wire: Wire::new(place.to),
            next_port: 1,
            met,
        }
    }

    /// Announces something.
    fn act(&mut self) {
        let now = Instant::now();
        let torrent = self.random.below(TORRENTS);
        self.torrents[torrent].sweep(now);
        let peers = &self.torrents[torrent].peers;
        let living: Vec<_> = peers.iter().filter(|p| !p.has_vanished).cloned().collect();
        // The first peer of a torrent stays, or its downloads would be counted anew.
        let Some((first, others)) = living.split_first() else {
            return self.begin(torrent, true);
        };
        let chosen = match others.is_empty() {
            true => first,
            false => &others[self.random.below(others.len())],
        };
        let news = News {
            torrent,
            address: chosen.address,
            is_seeder: chosen.is_seeder,
            event: Event::Update,
        };
        let has_room = living.len() * TORRENTS < self.place.peers;
        match self.random.below(10) {
            0..2 if has_room => {
                let is_seeder = self.random.below(3) == 0;
                self.begin(torrent, is_seeder);
            }
            2 if !news.is_seeder => self.announce(News {
                is_seeder: true,
                event: Event::Completed,
                ..news
            }),
            3 if !others.is_empty() && !has_room => self.announce(News {
                event: Event::Stopped,
                ..news
            }),
            4 if !others.is_empty() && !has_room && self.place.may_vanish => {
                let index = self.torrents[torrent].position(news.address).unwrap();
                self.torrents[torrent].peers[index].has_vanished = true;
            }
            _ => self.update_oldest(torrent),
        }
    }

    fn begin(&mut self, torrent: usize, is_seeder: bool) {
        let family = self.random.below(2);
        // None twice within a life, whatever the torrent.
        let address = SocketAddr::new(self.place.from[family], self.next_port);
        self.next_port = self.next_port % 60_000 + 1;
        self.announce(News {
            torrent,
            address,
            is_seeder,
            event: Event::Started,
        });
    }

    /// The one that has been silent for longest says that it is there.
    fn update_oldest(&mut self, torrent: usize) {
        let peers = self.torrents[torrent].peers.iter();
        let oldest = peers
            .filter(|p| !p.has_vanished)
            .min_by_key(|p| p.heard.asked);
        if let Some(oldest) = oldest {
            let news = News {
                torrent,
                address: oldest.address,
                is_seeder: oldest.is_seeder,
                event: Event::Update,
            };
            self.announce(news);
        }
    }

    fn announce(&mut self, news: News) {
        let way = Way {
            family: usize::from(news.address.is_ipv6()),
            is_udp: self.random.below(3) == 0,
            is_kept: self.random.below(2) == 0,
        };
        let begin = Instant::now();
        let Got {
            answer: seen,
            span,
            lost,
            reopened,
        } = match way.is_udp {
            true => self.over_udp(news, way),
            false => self.over_http(news, way),
        };
        {
            let mut met = lock(self.met);
            let transport = usize::from(way.is_udp);
            met.waits[transport].push(begin.elapsed().as_micros());
            met.again[transport] += usize::from(lost > 0);
            met.reopened += reopened;
        }
        let torrent = &mut self.torrents[news.torrent];
        match news.event {
            Event::Stopped => torrent.left(news.address),
            event => {
                let has_completed = event == Event::Completed;
                torrent.heard(news.address, news.is_seeder, has_completed, span);
            }
        }
        let asker = Asker {
            address: news.address,
            is_seeder: news.is_seeder,
            both_families: !way.is_udp,
            has_left: news.event == Event::Stopped,
        };
        torrent.check(&seen, &asker, span);
    }

    fn over_http(&mut self, news: News, way: Way) -> Got<Seen> {
        let hash = escaped(&self.torrents[news.torrent].hash);
        let event = match news.event {
            Event::Update => "",
            Event::Completed => "&event=completed",
            Event::Started => "&event=started",
            Event::Stopped => "&event=stopped",
        };
        let query = format!(
            "info_hash={hash}&peer_id=-MF1000-abcdefghijkl&port={}&downloaded=1&left={}{event}&compact={}",
            news.address.port(),
            u8::from(!news.is_seeder),
            self.random.below(2)
        );
        let target = format!("/announce?{query}");
        let got = self.wire.get(&target, way.family, way.is_kept);
        let announced = decode(&got.answer.body);
        assert_eq!(announced.failure_reason, None);
        let peers = announced.peers.iter().flatten();
        let peers = peers.chain(announced.peers6.iter().flatten());
        let seen = Seen {
            seeders: announced.complete.unwrap(),
            leechers: announced.incomplete.unwrap(),
            downloaded: announced.downloaded,
            shown: peers.map(|peer| peer.address).collect(),
        };
        got.with(seen)
    }

    fn over_udp(&mut self, news: News, way: Way) -> Got<Seen> {
        let hash = self.torrents[news.torrent].hash;
        let (port, left) = (news.address.port(), u8::from(!news.is_seeder));
        let event = match news.event {
            Event::Update => 0,
            Event::Completed => 1,
            Event::Started => 2,
            Event::Stopped => 3,
        };
        let make = |client: &udp::Client| client.announce_packet(&hash, port, left, event);
        let got = self.wire.send(make, way.family);
        let answer = &got.answer;
        assert_eq!(answer[..4], [0, 0, 0, 1], "{}", answer.escape_ascii());
        let number = |at: usize| u32::from_be_bytes(answer[at..at + 4].try_into().unwrap());
        let shown = answer[20..].chunks_exact(if way.family == 0 { 6 } else { 18 });
        let shown = shown.map(|peer| {
            let (ip, port) = peer.split_at(peer.len() - 2);
            let ip: IpAddr = match <[u8; 4]>::try_from(ip) {
                Ok(ipv4) => Ipv4Addr::from(ipv4).into(),
                Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(ip).unwrap()).into(),
            };
            SocketAddr::new(ip, u16::from_be_bytes([port[0], port[1]]))
        });
        let seen = Seen {
            seeders: number(16).into(),
            leechers: number(12).into(),
            downloaded: None,
            shown: shown.collect(),
        };
        got.with(seen)
    }

    /// Half of the peers leave, those that have vanished are waited for, and then a scrape has to
    /// say what the model does. Returns how many are left.
    fn settle(&mut self) -> usize {
        for torrent in 0..TORRENTS {
            let peers = self.torrents[torrent].peers.clone();
            for peer in peers.iter().skip(1).step_by(2).filter(|p| !p.has_vanished) {
                self.announce(News {
                    torrent,
                    address: peer.address,
                    is_seeder: peer.is_seeder,
                    event: Event::Stopped,
                });
            }
        }
        let end = Instant::now() + 3 * self.place.life + PATIENCE;
        loop {
            let now = Instant::now();
            self.torrents
                .iter_mut()
                .for_each(|torrent| torrent.sweep(now));
            if self.torrents.iter().all(|torrent| torrent.is_settled(now)) {
                break;
            }
            assert!(
                now < end,
                "client {}: the dead live on in the model",
                self.number
            );
            for torrent in 0..TORRENTS {
                self.update_oldest(torrent);
                thread::sleep(PACE);
            }
        }
        (0..TORRENTS).map(|torrent| self.scrape(torrent)).sum()
    }

    fn scrape(&mut self, torrent: usize) -> usize {
        // Those who are alive for certain now have been heard of in time.
        let Torrent {
            hash,
            peers,
            downloaded,
            ..
        } = &self.torrents[torrent];
        let (hash, downloaded) = (*hash, *downloaded);
        assert_eq!(downloaded.0, downloaded.1, "nobody was forgotten meanwhile");
        let seeders = peers.iter().filter(|peer| peer.is_seeder).count();
        let (leechers, downloaded) = (peers.len() - seeders, downloaded.0);
        let target = format!("/scrape?info_hash={}", escaped(&hash));
        let answer = self.wire.get(&target, 0, true).answer;
        let expected = format!(
            "d8:completei{seeders}e10:downloadedi{downloaded}e10:incompletei{leechers}eeee"
        );
        let expected = [b"d5:filesd20:", &hash[..], expected.as_bytes()].concat();
        assert_eq!(
            answer.body.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
        let answer = self.wire.send(|client| client.packet(2, &hash), 0).answer;
        let counts = [seeders as u32, downloaded as u32, leechers as u32];
        assert_eq!(answer[8..], counts.map(u32::to_be_bytes).concat());
        seeders + leechers
    }
}

fn escaped(hash: &[u8; 20]) -> String {
    hash.iter().map(|byte| format!("%{byte:02x}")).collect()
}

fn lock(met: &Mutex<Met>) -> MutexGuard<'_, Met> {
    // Numbers only.
    met.lock().unwrap_or_else(PoisonError::into_inner)
}
