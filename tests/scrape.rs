//! Scrapes over HTTP (BEP 48), and by a real client. Those over UDP are in `udp.rs`, and what the
//! answers look like byte by byte is tested in `src/http/scrape.rs`.

use std::process::Command;

use crate::support::http::{announce, decode, get, ipv4};
use crate::support::tools::tool;
use crate::support::torrent::Torrent;
use crate::support::tracker::Tracker;
use crate::support::{TempDir, http, output_of};

/// `n` as 20 bytes.
fn hash(n: usize) -> String {
    format!("{n:020}")
}

#[test]
fn as_many_hashes_as_a_request_holds_the_unknown_with_zeros() {
    let tracker = Tracker::start(&["-p", "0", "--scrape"]);
    let at = ipv4(&tracker);
    for (torrent, left) in [(3, 0), (3, 5), (3, 7), (200, 0)] {
        let (hash, port) = (hash(torrent), 100 + left);
        let query = format!("info_hash={hash}&peer_id={hash}&port={port}&left={left}");
        announce(at, &query);
    }
    // Some 6 KB of the 8 that a request may have.
    let query: Vec<_> = (0..200)
        .rev()
        .map(|n| format!("info_hash={}", hash(n + 1)))
        .collect();
    for path in ["/scrape", "/scrape.php", "/x/scrape"] {
        let answer = get(at, &format!("{path}?{}", query.join("&")));
        let files = (1..=200).map(|n| {
            let (seeders, leechers) = match n {
                3 => (1, 2),
                200 => (1, 0),
                _ => (0, 0),
            };
            let counts = format!("8:completei{seeders}e10:downloadedi0e10:incompletei{leechers}e");
            format!("20:{}d{counts}e", hash(n))
        });
        assert_eq!(
            answer.text(),
            format!("d5:filesd{}ee", files.collect::<String>())
        );
        assert_eq!(answer.status, 200);
    }
}

#[test]
fn a_scrape_of_everything_is_refused_and_one_of_anything_while_it_is_off() {
    for (args, query, reason) in [
        (
            &["-p", "0", "--scrape"][..],
            "",
            "info_hash is missing; a scrape names the torrents that it asks for",
        ),
        (
            &["-p", "0"],
            "?info_hash=aaaaaaaaaaaaaaaaaaaa",
            "this tracker does not answer scrapes",
        ),
        (&["-p", "0"], "", "this tracker does not answer scrapes"),
    ] {
        let tracker = Tracker::start(args);
        let answer = get(ipv4(&tracker), &format!("/scrape{query}"));
        assert_eq!(answer.status, 200, "clients show the reason only then");
        let refused = decode(&answer.body);
        assert_eq!(refused.failure_reason.as_deref(), Some(reason));
        let metrics = get(ipv4(&tracker), "/metrics").text();
        let expected = r#"mayfly_scrapes_total{transport="http",outcome="refused"} 1"#;
        assert!(metrics.contains(expected), "{metrics}");
    }
}

/// Transmission's own tool, which makes the scrape URL from the announce URL.
#[test]
fn transmission_shows_the_counts() {
    let Some(transmission) = tool("transmission-show") else {
        return;
    };
    let directory = TempDir::new();
    let file = directory.path().join("it.torrent");
    let torrent = Torrent::random("data.bin", 1 << 20, 0x7363_7261_7065);
    let hash: String = torrent
        .info_hash()
        .iter()
        .map(|byte| format!("%{byte:02x}"))
        .collect();
    for (args, expected) in [
        (&["-p", "0", "--scrape"][..], "2 seeders, 1 leechers"),
        // It does not show reasons.
        (&["-p", "0"], "no match"),
    ] {
        let tracker = Tracker::start(args);
        let url = format!("http://{}/announce", ipv4(&tracker));
        torrent.write(&file, &[&url]);
        for (port, left) in [(1, 0), (2, 0), (3, 5)] {
            let query = format!("info_hash={hash}&peer_id=-MF1000-abcdefghijkl&port={port}");
            http::announce(ipv4(&tracker), &format!("{query}&left={left}"));
        }
        let mut command = Command::new(&transmission);
        command
            .arg("--scrape")
            .arg(&file)
            .env("HOME", directory.path());
        let output = output_of(&mut command);
        let said = String::from_utf8_lossy(&output.stdout);
        let said = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains(expected), "{said}");
    }
}
