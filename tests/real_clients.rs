//! Real clients, each of which knows nobody but this tracker: what they need of it beyond what is
//! written down (`transfer.rs` has the plain transfers between two of them).

#![cfg(target_os = "linux")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::support::clients::{Client, Swarm};
use crate::support::http;
use crate::support::internet::Internet;
use crate::support::netns::{Family, Lan, Machine};
use crate::support::tools::netns_possible;
use crate::support::tracker::{Launch, Tracker};
use crate::support::vitals::eventually;

/// A tracker, and two machines beside it.
struct Lab {
    // In the order in which they end.
    tracker: Tracker,
    lan: Lan,
}

impl Lab {
    /// `None` (after a line "skipped") where one of these clients or a network is missing.
    fn new(clients: &[Client], options: &[&str]) -> Option<Lab> {
        if !clients.iter().all(|client| client.is_here()) || !netns_possible() {
            return None;
        }
        let lan = Lan::new(3, &[Family::V4, Family::V6]);
        let arguments = [&["-p", "0", "-v", "--scrape"], options].concat();
        let tracker = Launch::new().prefix(&lan.machine(0).prefix());
        let tracker = tracker.start(&arguments);
        Some(Lab { tracker, lan })
    }

    fn url(&self, scheme: &str, family: Family) -> String {
        let port = self.tracker.port();
        self.lan.machine(0).announce_url(scheme, family, port)
    }

    fn seeders(&self) -> &Machine {
        self.lan.machine(1)
    }

    fn downloaders(&self) -> &Machine {
        self.lan.machine(2)
    }

    /// Seeders, downloads and leechers.
    fn counts(&self, swarm: &Swarm) -> [u64; 3] {
        let at = SocketAddr::from(([127, 0, 0, 1], self.tracker.port()));
        let hash = swarm.torrent.info_hash();
        self.lan.machine(0).inside(|| http::scrape(at, &hash))
    }

    /// Waits until the tracker knows a seeder. Whoever comes then is shown it at once, so that
    /// nobody has to wait for its next announce.
    fn wait_for_a_seeder(&self, swarm: &Swarm) {
        let is_there = || self.counts(swarm)[0] > 0;
        swarm.wait_until("no seeder announced", &self.tracker, is_there);
    }
}

/// Each of them seeds to another and downloads from the third, by each transport: all at the same
/// time, since most of it is waiting.
#[test]
fn clients_seed_to_each_other_over_http_and_udp() {
    let ring = [Client::Libtorrent, Client::QBittorrent, Client::RTorrent];
    let Some(lab) = Lab::new(&ring, &[]) else {
        return;
    };
    let mut swarms = Vec::new();
    for (scheme, seed) in [("http", 1), ("udp", 4)] {
        for (n, client) in ring.into_iter().enumerate() {
            let mut swarm = Swarm::sharing(600_000, seed + n as u64);
            let url = lab.url(scheme, Family::V4);
            swarm.seed(client, Some(lab.seeders()), &[&url]);
            swarms.push((swarm, ring[(n + 1) % ring.len()], url));
        }
    }
    for (swarm, downloader, url) in &mut swarms {
        lab.wait_for_a_seeder(swarm);
        swarm.download(*downloader, Some(lab.downloaders()), &[url]);
    }
    for (swarm, _, _) in &swarms {
        swarm.wait(&lab.tracker);
    }
}

/// aria2 and WebTorrent say `left=0` until they know how much there is: they are to be shown
/// seeders all the same.
fn a_magnet_link_is_downloaded(client: Client, seeder: Client, scheme: &str) {
    let Some(lab) = Lab::new(&[client, seeder], &[]) else {
        return;
    };
    let url = lab.url(scheme, Family::V4);
    let mut swarm = Swarm::sharing(600_000, 7);
    swarm.seed(seeder, Some(lab.seeders()), &[&url]);
    lab.wait_for_a_seeder(&swarm);
    swarm.download_magnet(client, Some(lab.downloaders()), &[&url]);
    swarm.wait(&lab.tracker);
}

#[test]
fn aria2_downloads_a_magnet_link_over_http() {
    a_magnet_link_is_downloaded(Client::Aria2, Client::Transmission, "http");
}

#[test]
fn webtorrent_downloads_a_magnet_link_over_udp() {
    a_magnet_link_is_downloaded(Client::WebTorrent, Client::Libtorrent, "udp");
}

/// It announces to both, with one peer_id and one `key`.
#[test]
fn libtorrent_by_ipv4_and_ipv6_is_one_client() {
    let Some(lab) = Lab::new(&[Client::Libtorrent, Client::Aria2], &[]) else {
        return;
    };
    let urls = [Family::V4, Family::V6].map(|family| lab.url("http", family));
    let mut swarm = Swarm::sharing(600_000, 8);
    swarm.seed(Client::Aria2, Some(lab.seeders()), &[&urls[0]]);
    lab.wait_for_a_seeder(&swarm);
    swarm.download(
        Client::Libtorrent,
        Some(lab.downloaders()),
        &[&urls[0], &urls[1]],
    );
    swarm.wait(&lab.tracker);
    let has_completed =
        |url: &str| swarm.count_lines(|line| line.contains(url) && line.contains("completed")) > 0;
    let both = || urls.iter().all(|url| has_completed(url));
    swarm.wait_until("not said to both", &lab.tracker, both);
    // Said, but perhaps not heard yet.
    eventually(|| lab.counts(&swarm) == [2, 1, 0]);
    let report = || format!("{}{}", lab.tracker.report(), swarm.report());
    assert_eq!(lab.counts(&swarm), [2, 1, 0], "{}", report());
}

/// A refusal without `interval` sends it away for 30 minutes.
#[test]
fn libtorrent_refused_for_want_of_room_is_back_within_two_intervals() {
    // 6 seconds, or a quarter more than it waits at least between two failures.
    let options = ["-i", "0.1", "--max-peers", "1"];
    let Some(lab) = Lab::new(&[Client::Libtorrent], &options) else {
        return;
    };
    let at = SocketAddr::from(([127, 0, 0, 1], lab.tracker.port()));
    let in_the_way = |event: &str| {
        let query = format!("{}&port=1&event={event}", http::ORDINARY);
        let announced = lab.lan.machine(0).inside(|| http::announce(at, &query));
        assert_eq!(announced.failure_reason, None);
    };
    in_the_way("started");
    let mut swarm = Swarm::sharing(600_000, 9);
    let url = lab.url("http", Family::V4);
    // Otherwise it waits for 17 seconds after the first failure, 55 after the second.
    let settings = r#"{"tracker_backoff": 0}"#;
    swarm.download_with(Some(lab.downloaders()), &[&url], settings);
    let is_refusal = |line: &str| line.contains("as many peers as it may have");
    let refused = || swarm.count_lines(is_refusal) > 0;
    swarm.wait_until("not refused", &lab.tracker, refused);
    in_the_way("stopped");
    let room = Instant::now();
    let is_back = || lab.counts(&swarm) == [0, 0, 1];
    swarm.wait_until("not back", &lab.tracker, is_back);
    let took = room.elapsed();
    assert!(took <= Duration::from_secs(12), "back after {took:?}");
}

/// Both ask the LAN address of the tracker's machine, which has another one towards containers; no
/// port of the container is published. Not with libtorrent: it binds each of its sockets to an
/// interface, and so cannot be reached from a container by the LAN address of its own machine.
#[test]
fn a_file_goes_to_a_container_and_back_with_udp_urls() {
    if !Client::Aria2.is_here() {
        return;
    }
    let Some(net) = Internet::new() else { return };
    let tracker = Launch::new().prefix(&net.home.prefix());
    let tracker = tracker.start(&["-p", "0", "-v"]);
    let url = format!("udp://192.168.77.2:{}/announce", tracker.port());
    let mut swarms = Vec::new();
    for (seed, from, to) in [
        (10, &net.home, &net.container),
        (11, &net.container, &net.home),
    ] {
        let mut swarm = Swarm::sharing(600_000, seed);
        swarm.seed(Client::Aria2, Some(from), &[&url]);
        let hash = swarm.torrent.info_hash();
        let hash = hash.map(|byte| format!("{byte:02x}")).concat();
        let is_its = |line: &str| line.contains(&hash) && line.contains("by seeder");
        let has_announced = || tracker.lines().iter().any(|line| is_its(line));
        swarm.wait_until("no seeder announced", &tracker, has_announced);
        swarm.download(Client::Aria2, Some(to), &[&url]);
        swarms.push(swarm);
    }
    for swarm in swarms {
        swarm.wait(&tracker);
    }
}
