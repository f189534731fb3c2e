//! Prometheus watches a tracker behind a proxy, both on its own machine: directly, and through the
//! proxy, as `dont_readme.txt` says.

use std::process::Command;
use std::time::{Duration, Instant};

use super::configured::{Certificate, Proxy, configuration, replaced};
use crate::support::netns::{Family, Lan};
use crate::support::tools::{netns_possible, tool};
use crate::support::tracker::Launch;
use crate::support::{TempDir, output_of};

/// Prometheus takes its time to start, the more on a busy machine.
const TO_COME_UP: Duration = Duration::from_secs(90);

#[test]
fn prometheus_on_the_machine_of_a_trusted_proxy() {
    let programs = ["nginx", "openssl", "prometheus", "promtool"];
    if programs.into_iter().any(|name| tool(name).is_none()) || !netns_possible() {
        return;
    }
    let lan = Lan::new(1, &[Family::V4]);
    let prefix = lan.machine(0).prefix();
    let directory = TempDir::new();
    let made = Certificate::make(directory.path(), "DNS:tracker.example");
    let nginx = Proxy::tls(&prefix, &made);
    let args = ["-b", "127.0.0.1", "--no-udp", "--trust-proxy", "127.0.0.1"];
    let tracker = Launch::new().prefix(&prefix).start(&args);

    let jobs = configuration("Prometheus: directly, and through a proxy with TLS");
    // The certificate is one that nobody but this test trusts.
    let named = "server_name: tracker.example\n";
    let trusted = format!("{named}          ca_file: {}\n", made.certificate.display());
    let jobs = replaced(&jobs, named, &trusted);
    // Of four columns more than YAML wants, it takes no notice; but all lines must have them.
    let whole = format!("    global: {{scrape_interval: 1s}}\n{jobs}");
    let prometheus = Proxy::prometheus(&prefix, &whole);

    let until = Instant::now() + TO_COME_UP;
    loop {
        // It ends by itself, at the latest after its own time for connecting.
        let mut query = Command::new(prefix[0]);
        query.args(&prefix[1..]);
        query.args(["promtool", "query", "instant", "http://127.0.0.1:9090"]);
        let said = output_of(query.arg("up{job=~\"mayfly.*\"}"));
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        if said.matches("=> 1 @").count() == 2 {
            break;
        }
        assert!(
            prometheus.is_running() && Instant::now() < until,
            "{said}\n{}\n{}\n{}",
            prometheus.report(),
            nginx.report(),
            tracker.report()
        );
    }
}
