//! Three trackers behind a load balancer are one: every swarm is whole, whatever its clients call
//! it, and whichever tracker ends.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bendy::decoding::Decoder;
use sha1::{Digest, Sha1};

use super::configured::{Certificate, Proxy, configuration, replaced};
use crate::support::TempDir;
use crate::support::http::{Connection, decode, get};
use crate::support::netns::is_on_a_machine_of_its_own;
use crate::support::tools::tool;
use crate::support::tracker::Tracker;

/// As the configurations have it.
const TRACKERS: [&str; 3] = ["10.0.0.11", "10.0.0.12", "10.0.0.13"];
/// Where clients reach the balancer.
const PUBLIC: [&str; 2] = ["198.51.100.1", "2001:db8::1"];
const CLIENTS: [&str; 10] = [
    "203.0.113.1",
    "203.0.113.2",
    "203.0.113.3",
    "203.0.113.4",
    "203.0.113.5",
    "203.0.113.6",
    "203.0.113.7",
    "2001:db8::8",
    "2001:db8::9",
    "2001:db8::a",
];
const TORRENTS: u32 = 300;
/// Of the trackers. Shorter than clients would accept, and long enough that nobody dies of old age
/// while a slow machine has them announce all torrents.
const INTERVAL: Duration = Duration::from_secs(6);
/// After this time a balancer looks again whether a tracker is back.
const RETRY: Duration = Duration::from_secs(5);
/// The longest time in which a balancer waits for a tracker that is gone, and some for the other
/// tests that run at the same time.
const ANSWER: Duration = Duration::from_secs(3);

/// Who spells an info_hash how: with hexadecimal digits in upper case, and with these bytes raw
/// besides letters and digits.
const SPELLINGS: [(bool, &[u8]); 5] = [
    // libtorrent
    (false, b"-_!.~*()"),
    // Transmission 3 and 4
    (false, b"-_.~"),
    (true, b"-_.~"),
    // aria2
    (true, b""),
    // Whoever escapes as little as possible.
    (true, b"-_.!~*'()@:/,$+"),
];

fn info_hash(torrent: u32) -> [u8; 20] {
    Sha1::digest(torrent.to_be_bytes()).into()
}

fn spelled(hash: [u8; 20], (upper, raw): (bool, &[u8])) -> String {
    let spell = |&byte: &u8| match byte {
        _ if byte.is_ascii_alphanumeric() || raw.contains(&byte) => char::from(byte).to_string(),
        _ if upper => format!("%{byte:02X}"),
        _ => format!("%{byte:02x}"),
    };
    hash.iter().map(spell).collect()
}

/// The trackers, and what stands before them.
struct Site {
    trackers: Vec<Tracker>,
    proxy: Proxy,
}

impl Site {
    fn start(proxy: Proxy) -> Site {
        let site = Site {
            trackers: TRACKERS.map(start_tracker).into(),
            proxy,
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        for public in PUBLIC {
            // A refused connection is how it is noticed that it does not listen yet.
            while std::net::TcpStream::connect(site_address(public)).is_err() {
                let waits = site.proxy.is_running() && Instant::now() < deadline;
                assert!(waits, "no proxy\n{}", site.proxy.report());
                thread::yield_now();
            }
        }
        site
    }

    /// A client announces all torrents, one after the other, and says who it is in every way but
    /// the true one. Returns how many swarms it was shown whole, itself not counted.
    fn announce_all(&self, client: usize) -> u32 {
        let me: IpAddr = CLIENTS[client].parse().unwrap();
        let mut others: Vec<_> = CLIENTS
            .iter()
            .filter(|other| **other != CLIENTS[client])
            .collect();
        let public = PUBLIC[usize::from(me.is_ipv6())];
        let mut connection = Connection::open_from(me, site_address(public));
        let lie = "203.0.113.66";
        let lies =
            format!("X-Forwarded-For: {lie}\r\nForwarded: for={lie}\r\nX-Real-IP: {lie}\r\n");
        others.sort();
        let mut whole = 0;
        for torrent in 0..TORRENTS {
            let hash = spelled(info_hash(torrent), SPELLINGS[client % SPELLINGS.len()]);
            let target =
                format!("/announce?info_hash={hash}&peer_id=-MF1000-abcdefghijkl&left=5&port=6881");
            let begin = Instant::now();
            connection.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n{lies}\r\n").as_bytes());
            let answer = connection.answer();
            let took = begin.elapsed();
            assert!(took < ANSWER, "took {took:?}\n{}", self.proxy.report());
            assert_eq!(
                answer.status,
                200,
                "{}\n{}",
                answer.text(),
                self.proxy.report()
            );
            let announced = decode(&answer.body);
            assert_eq!(announced.failure_reason, None, "{hash}");
            let peers = announced.peers.iter().chain(&announced.peers6).flatten();
            let mut shown: Vec<_> = peers.map(|peer| peer.address.ip().to_string()).collect();
            shown.sort();
            let is_known = |ip: &String| others.contains(&&&**ip);
            assert!(shown.iter().all(is_known), "{shown:?}");
            whole += u32::from(shown.len() == others.len());
        }
        whole
    }

    /// All clients at the same time announce all torrents. Returns how many swarms each was shown
    /// whole.
    fn announce_from_everywhere(&self) -> Vec<u32> {
        thread::scope(|scope| {
            let clients = 0..CLIENTS.len();
            let clients: Vec<_> = clients
                .map(|client| scope.spawn(move || self.announce_all(client)))
                .collect();
            clients
                .into_iter()
                .map(|client| client.join().unwrap())
                .collect()
        })
    }

    /// Which torrents have how many peers on a tracker that is asked itself.
    fn known(&self, tracker: usize) -> Vec<u32> {
        let hashes: Vec<_> = (0..TORRENTS).collect();
        let mut known = Vec::new();
        // As many as there is room for in the head of a request.
        for some in hashes.chunks(100) {
            let hashes = some.iter().map(|&t| spelled(info_hash(t), SPELLINGS[0]));
            let hashes = hashes.map(|hash| format!("info_hash={hash}"));
            let query = hashes.collect::<Vec<_>>().join("&");
            let at: SocketAddr = format!("{}:9000", TRACKERS[tracker]).parse().unwrap();
            let counts = scraped(&get(at, &format!("/scrape?{query}")).body);
            let of = |torrent: &u32| counts.iter().find(|(h, _)| *h == info_hash(*torrent));
            known.extend(
                some.iter()
                    .map(|torrent| of(torrent).expect("it is there").1),
            );
        }
        known
    }

    /// Which torrents have all their peers on this tracker.
    fn whole(&self, tracker: usize) -> BTreeSet<usize> {
        let known = self.known(tracker).into_iter().enumerate();
        let whole = known.filter(|(_, peers)| *peers == CLIENTS.len() as u32);
        whole.map(|(torrent, _)| torrent).collect()
    }

    /// Asserts that each torrent is on one tracker alone, and each tracker has a good share.
    fn assert_shared(&self) -> [BTreeSet<usize>; 3] {
        let mut torrents = 0;
        for tracker in 0..TRACKERS.len() {
            let known = self.known(tracker);
            let here = known.iter().filter(|&&peers| peers > 0).count();
            assert!(here > TORRENTS as usize / 10, "{here} at tracker {tracker}");
            torrents += here;
        }
        assert_eq!(torrents, TORRENTS as usize, "each on one tracker");
        [0, 1, 2].map(|tracker| self.whole(tracker))
    }
}

fn start_tracker(ip: &str) -> Tracker {
    let minutes = (INTERVAL.as_secs_f64() / 60.0).to_string();
    // The balancer is on the same machine here, so it comes from the tracker's own address.
    let args = [
        "-b",
        ip,
        "--no-udp",
        "--trust-proxy",
        "10.0.0.0/24",
        "-i",
        &minutes,
        "--scrape",
    ];
    Tracker::start(&args)
}

fn site_address(public: &str) -> SocketAddr {
    SocketAddr::new(public.parse().unwrap(), 80)
}

/// The leechers of each info_hash in the answer to a scrape.
fn scraped(body: &[u8]) -> Vec<([u8; 20], u32)> {
    let read = || {
        let mut decoder = Decoder::new(body);
        let mut answer = decoder.next_object().ok()??.try_into_dictionary().ok()?;
        let (_, files) = answer.next_pair().ok()??;
        let mut files = files.try_into_dictionary().ok()?;
        let mut counts = Vec::new();
        while let Some((hash, numbers)) = files.next_pair().ok()? {
            let mut numbers = numbers.try_into_dictionary().ok()?;
            while let Some((key, number)) = numbers.next_pair().ok()? {
                if key == b"incomplete" {
                    let leechers = number.try_into_integer().ok()?.parse().ok()?;
                    counts.push((hash.try_into().ok()?, leechers));
                }
            }
        }
        Some(counts)
    };
    read().unwrap_or_else(|| panic!("no scrape: {}", body.escape_ascii()))
}

fn is_inside(test: &str) -> bool {
    let all = [&TRACKERS[..], &PUBLIC, &CLIENTS].concat();
    is_on_a_machine_of_its_own(module_path!(), test, &all)
}

/// What both balancers have to do.
fn assert_one_tracker(proxy: Proxy) {
    let mut site = Site::start(proxy);
    site.announce_from_everywhere();
    // Not at once, where the machine is so busy that the balancer takes a tracker for dead.
    wait_until(
        Instant::now() + RETRY + INTERVAL,
        "all swarms are whole",
        || site.announce_from_everywhere() == [TORRENTS; CLIENTS.len()],
    );
    let shares = site.assert_shared();

    // One ends while clients announce, and comes back.
    let gone = 1;
    let is_over = AtomicBool::new(false);
    let trackers = std::mem::take(&mut site.trackers);
    let mut trackers: Vec<_> = trackers.into_iter().map(Some).collect();
    thread::scope(|scope| {
        for client in 0..CLIENTS.len() {
            let (site, is_over) = (&site, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    site.announce_all(client);
                }
            });
        }
        let _ends = EndOf(&is_over);
        trackers[gone] = None;
        let died = Instant::now();
        wait_until(
            died + RETRY + INTERVAL,
            "its swarms are whole elsewhere",
            || {
                // A balancer may have sent them to one of the others until it was sure, and to the
                // other one since then.
                let elsewhere = &site.whole(0) | &site.whole(2);
                elsewhere.len() == TORRENTS as usize
            },
        );
        trackers[gone] = Some(start_tracker(TRACKERS[gone]));
        let returned = Instant::now();
        wait_until(
            returned + RETRY + INTERVAL,
            "its swarms are whole again",
            || site.whole(gone) == shares[gone],
        );
        println!("whole again after {:?}", returned.elapsed());
    });
    wait_until(
        Instant::now() + RETRY + INTERVAL,
        "all swarms are whole again",
        || site.announce_from_everywhere() == [TORRENTS; CLIENTS.len()],
    );
}

/// Ends the load even when an assertion fails.
struct EndOf<'a>(&'a AtomicBool);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn wait_until(deadline: Instant, what: &str, mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::yield_now();
    }
}

#[test]
fn three_trackers_behind_nginx_are_one() {
    if tool("nginx").is_none() || !is_inside("three_trackers_behind_nginx_are_one") {
        return;
    }
    assert_one_tracker(Proxy::nginx(&[], &configuration("nginx: several mayflies")));
}

#[test]
fn three_trackers_behind_haproxy_are_one() {
    if tool("haproxy").is_none() || tool("openssl").is_none() {
        return;
    }
    if !is_inside("three_trackers_behind_haproxy_are_one") {
        return;
    }
    let directory = TempDir::new();
    let made = Certificate::make(directory.path(), "DNS:tracker.example");
    let both = [&made.certificate, &made.key].map(|file| std::fs::read(file).unwrap());
    let pem = directory.path().join("both.pem");
    std::fs::write(&pem, both.concat()).unwrap();
    let configuration = configuration("HAProxy: several mayflies");
    let there = "/etc/haproxy/tracker.example.pem";
    let here = pem.to_str().expect("UTF-8");
    assert_one_tracker(Proxy::haproxy(&[], &replaced(&configuration, there, here)));
}

/// What `dont_readme.txt` says of the key that is usually taken.
#[test]
fn a_key_with_its_escapes_tears_swarms_apart() {
    if tool("nginx").is_none() || !is_inside("a_key_with_its_escapes_tears_swarms_apart") {
        return;
    }
    let configuration = configuration("nginx: several mayflies");
    let key = configuration
        .lines()
        .find(|line| line.contains(" hash "))
        .expect("a key");
    let usual = replaced(&configuration, key, "hash $arg_info_hash consistent;");
    let site = Site::start(Proxy::nginx(&[], &usual));
    site.announce_from_everywhere();
    let known = [0, 1, 2].map(|tracker| site.known(tracker));
    let on = |torrent: usize| known.iter().filter(|known| known[torrent] > 0).count();
    let split = (0..TORRENTS as usize)
        .filter(|&torrent| on(torrent) > 1)
        .count();
    println!("{split} of {TORRENTS} torrents are on more than one tracker");
    assert!(split > TORRENTS as usize / 2, "{split}");
    assert!(split < TORRENTS as usize, "{split}");
}
