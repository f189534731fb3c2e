//! Real clients meet through the tracker and nothing else, and move a file. What the tracker
//! answers byte by byte is tested elsewhere; here it only counts that clients can use it.

#![cfg(target_os = "linux")]

use std::time::Duration;

use crate::support::clients::{Client, Swarm};
use crate::support::http::PATIENCE;
use crate::support::netns::{Family, Lan};
use crate::support::tools::{netns_possible, tool};
use crate::support::tracker::Launch;

fn everything_needed_is_here() -> bool {
    tool("aria2c").is_some() && tool("transmission-cli").is_some() && netns_possible()
}

/// Tracker, seeder and downloader on a machine each, in a network of this family only.
fn transfer_over(family: Family) {
    if !everything_needed_is_here() {
        return;
    }
    let lan = Lan::new(3, &[family]);
    // 3 seconds: whoever announces first, and hears of nobody, soon asks again.
    let args = ["-p", "0", "-i", "0.05", "-v"];
    let tracker = Launch::new().prefix(&lan.machine(0).prefix()).start(&args);
    let url = lan.machine(0).announce_url("http", family, tracker.port());
    tracker.expect_url(&url);

    let mut swarm = Swarm::new();
    swarm.seed(Client::Aria2, Some(lan.machine(1)), &[&url]);
    swarm.download(Client::Transmission, Some(lan.machine(2)), &[&url]);
    swarm.wait(&tracker);
}

#[test]
fn a_file_is_transferred_over_ipv4() {
    transfer_over(Family::V4);
}

#[test]
fn a_file_is_transferred_over_ipv6() {
    transfer_over(Family::V6);
}

/// The seeder is known to the tracker as 127.0.0.1, where the downloader would find only itself:
/// it must be shown under the address by which the downloader reached the tracker.
#[test]
fn a_seeder_on_the_trackers_own_machine_is_found() {
    if !everything_needed_is_here() {
        return;
    }
    let lan = Lan::new(2, &[Family::V4]);
    // A long interval: the seeder, which announced before the downloader was there, does not ask
    // again, so it cannot be the one who connects.
    let args = ["-p", "0", "-i", "30", "-v"];
    let tracker = Launch::new().prefix(&lan.machine(0).prefix()).start(&args);
    let local = format!("http://127.0.0.1:{}/announce", tracker.port());
    let remote = lan
        .machine(0)
        .announce_url("http", Family::V4, tracker.port());

    let mut swarm = Swarm::new();
    swarm.seed(Client::Aria2, Some(lan.machine(0)), &[&local]);
    let announced = |line: &str| line.contains("127.0.0.1") && !line.contains("http://");
    if tracker
        .wait_for_line(announced, Duration::from_secs(20))
        .is_none()
    {
        panic!("the seeder did not announce\n{}", tracker.report());
    }
    swarm.download(Client::Transmission, Some(lan.machine(1)), &[&remote]);
    swarm.wait(&tracker);
}

/// Everybody on a machine of their own, with the URLs of these schemes.
fn transfer_with(seeder: &[&str], downloader: &[&str]) {
    if !everything_needed_is_here() {
        return;
    }
    let lan = Lan::new(3, &[Family::V4]);
    let args = ["-p", "0", "-i", "0.05", "-v"];
    let tracker = Launch::new().prefix(&lan.machine(0).prefix()).start(&args);
    let urls = |schemes: &[&str]| -> Vec<String> {
        let url = |s: &&str| lan.machine(0).announce_url(s, Family::V4, tracker.port());
        schemes.iter().map(url).collect()
    };
    let (seeder, downloader) = (urls(seeder), urls(downloader));
    fn texts(urls: &[String]) -> Vec<&str> {
        urls.iter().map(String::as_str).collect()
    }
    let mut swarm = Swarm::new();
    swarm.seed(Client::Aria2, Some(lan.machine(1)), &texts(&seeder));
    swarm.download(
        Client::Transmission,
        Some(lan.machine(2)),
        &texts(&downloader),
    );
    swarm.wait(&tracker);
}

#[test]
fn a_file_is_transferred_with_udp_urls_only() {
    transfer_with(&["udp"], &["udp"]);
}

#[test]
fn a_seeder_of_http_and_a_downloader_of_udp_meet() {
    transfer_with(&["http"], &["udp"]);
}

/// Two seeders, beside whom there is room for a decoy; of a network so large that it is nobody's.
#[test]
fn a_file_is_transferred_among_decoys() {
    if !everything_needed_is_here() {
        return;
    }
    let lan = Lan::new(4, &[Family::V4, Family::V6]);
    let args = ["-p", "0", "-i", "0.05", "-v"];
    let args = [&args[..], &["--decoys=10.77.0.0/16", "--decoys=fd00::/64"]].concat();
    let tracker = Launch::new().prefix(&lan.machine(0).prefix()).start(&args);
    let url = |family| lan.machine(0).announce_url("http", family, tracker.port());
    let (ipv4, ipv6) = (url(Family::V4), url(Family::V6));

    let mut swarm = Swarm::new();
    for machine in [1, 2] {
        swarm.seed(Client::Aria2, Some(lan.machine(machine)), &[&ipv4, &ipv6]);
    }
    let is_shown_two = |line: &str| line.contains("seeders 2");
    assert!(
        tracker.wait_for_line(is_shown_two, PATIENCE).is_some(),
        "the seeders did not announce\n{}",
        tracker.report()
    );
    swarm.download(Client::Aria2, Some(lan.machine(3)), &[&ipv4]);
    swarm.wait(&tracker);
    // Of three peers, one is made up.
    let is_shown_three = |line: &str| line.contains("by leecher") && line.contains("shown 3");
    assert!(
        tracker.wait_for_line(is_shown_three, PATIENCE).is_some(),
        "no decoy was shown\n{}",
        tracker.report()
    );
}
