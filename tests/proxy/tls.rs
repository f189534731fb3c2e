//! nginx speaks TLS for one tracker, with a certificate of our own, and real clients meet by
//! https:// URLs.

use std::time::Duration;

use super::configured::{Certificate, Proxy};
use crate::support::TempDir;
use crate::support::clients::{Client, Swarm};
use crate::support::netns::{Family, Lan};
use crate::support::tools::{netns_possible, tool};
use crate::support::tracker::Launch;

#[test]
fn clients_meet_over_tls() {
    if ["nginx", "openssl", "aria2c"]
        .into_iter()
        .any(|name| tool(name).is_none())
    {
        return;
    }
    if !netns_possible() {
        return;
    }
    let lan = Lan::new(3, &[Family::V4]);
    let here = lan.machine(0);
    let directory = TempDir::new();
    let names = format!("IP:{}", here.address(Family::V4));
    let made = Certificate::make(directory.path(), &names);
    let proxy = Proxy::tls(&here.prefix(), &made);
    // 3 seconds: whoever announces first, and hears of nobody, soon asks again.
    let args = [
        "-b",
        "127.0.0.1",
        "--no-udp",
        "--trust-proxy",
        "127.0.0.1",
        "-i",
        "0.05",
        "-v",
    ];
    let tracker = Launch::new().prefix(&here.prefix()).start(&args);

    let url = here.announce_url("https", Family::V4, 443);
    let mut swarm = Swarm::trusting(&made.certificate);
    swarm.seed(Client::Aria2, Some(lan.machine(1)), &[&url]);
    swarm.download(Client::Aria2, Some(lan.machine(2)), &[&url]);
    swarm.wait(&tracker);
    assert!(proxy.is_running(), "{}", proxy.report());
    for client in [1, 2] {
        let by = format!("er {} port ", lan.machine(client).address(Family::V4));
        let is_it = |line: &str| line.contains("announce of") && line.contains(&by);
        let logged = tracker.wait_for_line(is_it, Duration::from_secs(10));
        assert!(logged.is_some(), "{by}\n{}", tracker.report());
    }
    let lines = tracker.lines();
    assert!(
        !lines.iter().any(|line| line.contains("er 127.0.0.1 port")),
        "{lines:?}"
    );
}
