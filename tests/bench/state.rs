//! The state alone, in this process: what an announce costs with ever more peers stored, how much
//! memory a peer takes, and how long anybody waits when a million die at once.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use mayfly::announce::{Announce, Event, InfoHash, PeerId, Reply};
use mayfly::swarms::list::Query;
use mayfly::torrent_list::{LOOK_EVERY, SLICE, TorrentList};
use mayfly::tracker::{Settings, Tracker};

use crate::random::Random;

const MILLION: u32 = 1_000_000;
const INTERVAL: Duration = Duration::from_secs(240);
/// Announces measured in one go, so that the clock's own cost does not count.
const BATCH: u32 = 100;
const BATCHES: u32 = 1_000;

pub fn bench() {
    println!("State, in process; nanoseconds for an announce (median of batches, 30 peers each):");
    println!("    {:>9} peers in {:>7} torrents", "", "");
    let mut first = 0.0;
    for (peers, torrents) in [
        (1_000, 1),
        (1_000, 1_000),
        (100_000, 1),
        (100_000, 1_000),
        (100_000, 100_000),
        (MILLION, 1),
        (MILLION, 1_000),
        (MILLION, 100_000),
    ] {
        let nanoseconds = cost(peers, torrents);
        if first == 0.0 {
            first = nanoseconds;
        }
        let ratio = nanoseconds / first;
        println!("    {peers:>9} in {torrents:>7}: {nanoseconds:6.0}   {ratio:.2} of the first");
    }
    let Mourning { longest, requests } = expire();
    println!("    longest handle while 1,000,000 peers die at once: {longest:?}");
    println!("    requests until they are all gone: {requests}");
}

/// What announces notice of somebody's looking at a list of a million torrents.
pub fn bench_list() {
    println!("The list of 1,000,000 torrents, in process:");
    let tracker = filled(MILLION, MILLION);
    for n in 0..20_000 {
        let Announce {
            info_hash, source, ..
        } = announce(n * 50, MILLION);
        tracker.name(info_hash, source, || Some(format!("Name of torrent {n}")));
    }
    let slices = slices(&tracker);
    println!("    the lock is held for a slice: {slices}");
    let nobody = AtomicBool::new(false);
    let alone = thread::scope(|scope| {
        let announcer = scope.spawn(|| announce_until(&tracker, &nobody));
        thread::sleep(Duration::from_secs(5));
        nobody.store(true, Relaxed);
        announcer.join().expect("no panic")
    });
    println!("    handles, nobody looking:      {alone}");
    let (list, is_over) = (TorrentList::default(), AtomicBool::new(false));
    let (took, beside) = thread::scope(|scope| {
        let announcer = scope.spawn(|| announce_until(&tracker, &is_over));
        let took = (1..=10).map(|look| {
            let begin = Instant::now();
            let now = LOOK_EVERY * look;
            let best = list.find(&tracker, &Query::default(), now).expect("a look");
            assert_eq!(best.found, MILLION as usize);
            begin.elapsed()
        });
        let took = Times::new(took.collect());
        is_over.store(true, Relaxed);
        (took, announcer.join().expect("no panic"))
    });
    println!("    handles, always one looking:  {beside}");
    println!("    a look takes: {took}");
}

fn slices(tracker: &Tracker) -> Times {
    let mut rows = Vec::with_capacity(SLICE);
    let mut times = Vec::new();
    loop {
        let begin = Instant::now();
        let is_there = tracker.rows(times.len() * SLICE, SLICE, &mut rows);
        if !is_there {
            return Times::new(times);
        }
        times.push(begin.elapsed());
    }
}

fn announce_until(tracker: &Tracker, is_over: &AtomicBool) -> Times {
    let mut reply = Reply::default();
    let mut random = Random(1);
    let mut times = Vec::new();
    while !is_over.load(Relaxed) {
        let announce = announce(random.below(MILLION as usize) as u32, MILLION);
        let begin = Instant::now();
        tracker
            .handle(&announce, Duration::from_secs(1), &mut reply)
            .expect("an answer");
        times.push(begin.elapsed());
    }
    Times::new(times)
}

/// How long many of the same took.
struct Times(Vec<Duration>);

impl Times {
    fn new(mut times: Vec<Duration>) -> Times {
        times.sort();
        Times(times)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Times(times) = self;
        let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
        let (median, rare, most) = (at(0.5), at(0.9999), at(1.0));
        write!(f, "{median:?}, 1 in 10,000 {rare:?}, the longest {most:?}")
    }
}

/// The role of a process whose memory is measured: prints bytes for a peer.
pub fn measure_memory() {
    let torrents = std::env::args()
        .nth(2)
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    let before = crate::program::resident(std::process::id());
    let tracker = filled(MILLION, torrents);
    let after = crate::program::resident(std::process::id());
    assert_eq!(stored(&tracker), MILLION);
    println!("{}", (after - before) * 1024 / u64::from(MILLION));
}

fn cost(peers: u32, torrents: u32) -> f64 {
    let tracker = filled(peers, torrents);
    let mut reply = Reply::default();
    let mut random = Random(1);
    let mut batches: Vec<f64> = (0..BATCHES)
        .map(|_| {
            let announces: Vec<_> = (0..BATCH)
                .map(|_| announce(random.below(peers as usize) as u32, torrents))
                .collect();
            let begin = Instant::now();
            for announce in &announces {
                tracker
                    .handle(announce, Duration::from_secs(1), &mut reply)
                    .expect("an answer");
            }
            begin.elapsed().as_nanos() as f64 / f64::from(BATCH)
        })
        .collect();
    batches.sort_by(f64::total_cmp);
    batches[batches.len() / 2]
}

struct Mourning {
    longest: Duration,
    requests: u32,
}

fn expire() -> Mourning {
    let tracker = filled(MILLION, 1_000);
    let later = INTERVAL * 3;
    let mut reply = Reply::default();
    let mut mourning = Mourning {
        longest: Duration::ZERO,
        requests: 0,
    };
    // The peers that announce meanwhile live on.
    while stored(&tracker) > mourning.requests {
        let announce = announce(MILLION + mourning.requests, 1_000);
        let begin = Instant::now();
        tracker
            .handle(&announce, later, &mut reply)
            .expect("an answer");
        mourning.longest = mourning.longest.max(begin.elapsed());
        mourning.requests += 1;
    }
    mourning
}

fn stored(tracker: &Tracker) -> u32 {
    let totals = tracker.totals();
    totals.count(true) + totals.count(false)
}

fn filled(peers: u32, torrents: u32) -> Tracker {
    let tracker = Tracker::new(Settings {
        interval: INTERVAL,
        bounds: mayfly::swarms::Bounds {
            peers: 10_000_000,
            ..Default::default()
        },
        ..Settings::default()
    });
    let mut reply = Reply::default();
    for n in 0..peers {
        let mut announce = announce(n, torrents);
        announce.numwant = Some(0);
        tracker
            .handle(&announce, Duration::ZERO, &mut reply)
            .expect("an answer");
    }
    tracker
}

/// Peer `n`: every third a seeder, each at an address of its own.
fn announce(n: u32, torrents: u32) -> Announce {
    let mut info_hash = [7; 20];
    info_hash[..4].copy_from_slice(&(n % torrents).to_be_bytes());
    Announce {
        info_hash: InfoHash(info_hash),
        peer_id: PeerId([n as u8; 20]),
        key: Some(n + 1),
        source: IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + n)),
        local: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
        port: 6881,
        is_seeder: n % 3 == 0,
        has_transferred: true,
        event: Event::Update,
        numwant: None,
        wants_peer_ids: false,
        wants_both_families: true,
        ip: None,
        ipv4: None,
        ipv6: None,
    }
}
