//! What an announce over HTTP gets: which keys, which peers, which counts. What is refused is tested
//! in `http_failures`, how a query is read in `http_query`, whose address counts in
//! `http_addresses`, and what HTTP itself wants in `http_connection`.

use std::collections::BTreeSet;

use crate::support::http::{Announced, TORRENT, announce, ask, crowd, get, ipv4, ipv6};
use crate::support::tracker::Tracker;

fn start() -> Tracker {
    Tracker::start(&["-p", "0"])
}

/// Seeders, leechers and downloads, as the answer counts them.
fn counts(announced: &Announced) -> (u64, u64, u64) {
    let all = (
        announced.complete,
        announced.incomplete,
        announced.downloaded,
    );
    match all {
        (Some(complete), Some(incomplete), Some(downloaded)) => (complete, incomplete, downloaded),
        _ => panic!("counts are missing: {announced:?}"),
    }
}

/// The very bytes: nothing but this shows the order of keys to a reader.
#[test]
fn keys_are_sorted_as_raw_bytes() {
    let tracker = start();
    let body = |query: &str| {
        let body = get(ipv4(&tracker), &format!("/announce?{query}")).body;
        body.escape_ascii().to_string()
    };
    let alone = body(&format!("{TORRENT}&left=5&port=6881"));
    let expected = "d8:completei0e10:downloadedi0e11:external ip4:\\x7f\\x00\\x00\\x01\
                    10:incompletei1e8:intervali240e12:min intervali60e5:peers0:e";
    assert_eq!(alone, expected);

    let seeder = body(&format!("{TORRENT}&left=0&port=6882&compact=0"));
    let expected = "d8:completei1e10:downloadedi0e11:external ip4:\\x7f\\x00\\x00\\x01\
                    10:incompletei1e8:intervali240e12:min intervali60e5:peersl\
                    d2:ip9:127.0.0.17:peer id20:-MF1000-abcdefghijkl4:porti6881eeee";
    assert_eq!(seeder, expected);

    let failure = body("port=6881");
    assert!(
        failure.starts_with("d12:failure codei101e14:failure reason"),
        "{failure}"
    );

    ask(&tracker, "left=5&port=1&ip=2001:db8::7");
    let both = body(&format!("{TORRENT}&left=5&port=6881"));
    let key = |key: &str| both.find(key).unwrap_or_else(|| panic!("{key} in {both}"));
    assert!(key("5:peers12:") < key("6:peers618:"), "{both}");
}

/// uTorrent 2.2.1 and rTorrent fail on an answer without them.
#[test]
fn interval_and_peers_are_in_every_successful_answer() {
    let tracker = start();
    let is_there = |announced: &Announced| {
        assert_eq!(announced.interval, Some(240), "{announced:?}");
        assert!(announced.peers.is_some(), "{announced:?}");
    };
    for query in [
        "port=1&left=5",
        "port=1&left=5&compact=0",
        "port=1&left=0&numwant=0",
        "port=1&left=0&event=stopped",
        "port=1&left=0&event=stopped&compact=0",
    ] {
        let announced = ask(&tracker, query);
        is_there(&announced);
        assert_eq!(announced.peers.as_deref(), Some(&[][..]), "{query}");
        assert_eq!(
            announced.is_compact,
            !query.contains("compact=0"),
            "{query}"
        );
    }
    // Only IPv6 peers exist.
    let Some(at) = ipv6(&tracker) else { return };
    announce(at, &format!("{TORRENT}&port=1&left=5"));
    let announced = ask(&tracker, "port=2&left=5");
    is_there(&announced);
    assert_eq!(announced.peers.as_deref(), Some(&[][..]));
    assert_eq!(announced.shown(), ["[::1]:1"]);
}

#[test]
fn compact_unless_the_request_says_compact_0() {
    let tracker = start();
    ask(&tracker, "port=258&left=5");
    for (query, is_compact) in [
        ("", true),
        ("&compact=1", true),
        ("&compact=", true),
        ("&compact=yes", true),
        ("&no_peer_id=1", true),
        ("&compact=0", false),
    ] {
        let announced = ask(&tracker, &format!("port=2&left=5{query}"));
        assert_eq!(announced.is_compact, is_compact, "{query}");
        assert_eq!(announced.shown(), ["127.0.0.1:258"], "{query}");
    }
    let body = get(ipv4(&tracker), &format!("/announce?{TORRENT}&port=2")).body;
    assert!(
        body.ends_with(b"5:peers6:\x7f\0\0\x01\x01\x02e"),
        "big-endian"
    );
}

#[test]
fn compact_ipv6_peers_go_into_peers6() {
    let tracker = start();
    ask(&tracker, "port=1&left=5");
    ask(&tracker, "port=258&left=5&ip=2001:db8::7");
    let announced = ask(&tracker, "port=2&left=5");
    let addresses = |peers: &Option<Vec<_>>| peers.as_ref().map(Vec::len);
    assert_eq!(addresses(&announced.peers), Some(2));
    assert_eq!(addresses(&announced.peers6), Some(1));
    let all = ["127.0.0.1:1", "127.0.0.1:258", "[2001:db8::7]:258"];
    assert_eq!(announced.shown(), all);
}

#[test]
fn an_answer_that_is_not_compact_has_ipv6_peers_in_peers_and_no_peers6() {
    let tracker = start();
    ask(&tracker, "port=1&left=5");
    ask(&tracker, "port=258&left=5&ip=2001:db8::7");
    let announced = ask(&tracker, "port=2&left=5&compact=0");
    assert_eq!(announced.peers6, None);
    let all = ["127.0.0.1:1", "127.0.0.1:258", "[2001:db8::7]:258"];
    assert_eq!(announced.shown(), all);
}

#[test]
fn no_peer_id_drops_the_peer_ids() {
    let tracker = start();
    ask(&tracker, "port=1&left=5");
    let peer_id = |query: &str| {
        let announced = ask(&tracker, &format!("port=2&left=5&compact=0{query}"));
        let peers = announced.peers.expect("peers");
        assert_eq!(peers.len(), 1, "{query}");
        peers[0].peer_id.clone()
    };
    let own = Some(b"-MF1000-abcdefghijkl".to_vec());
    assert_eq!(peer_id(""), own);
    assert_eq!(peer_id("&no_peer_id=0"), own);
    assert_eq!(peer_id("&no_peer_id=1"), None);
}

/// An empty body shows as "not working" in qBittorrent.
#[test]
fn stopped_removes_the_peer_and_is_answered_in_full_with_empty_peers() {
    let tracker = start();
    ask(&tracker, "port=1&left=5");
    ask(&tracker, "port=2&left=5");
    let announced = ask(&tracker, "port=1&left=5&event=stopped");
    assert_eq!(counts(&announced), (0, 1, 0));
    assert_eq!(announced.interval, Some(240));
    assert_eq!(announced.min_interval, Some(60));
    assert!(announced.external_ip.is_some());
    assert_eq!(announced.peers.as_deref(), Some(&[][..]));
    assert_eq!(announced.peers6, None);
    assert_eq!(ask(&tracker, "port=3&left=5").shown(), ["127.0.0.1:2"]);
    // Whoever was never there may leave, too, and comes into being by that no more than others.
    let announced = ask(&tracker, "port=4&left=0&event=stopped");
    assert_eq!(counts(&announced), (0, 2, 0));
}

#[test]
fn completed_counts_one_download_once() {
    let tracker = start();
    assert_eq!(counts(&ask(&tracker, "port=1&left=5")), (0, 1, 0));
    let completed = "port=1&left=0&event=completed";
    assert_eq!(counts(&ask(&tracker, completed)), (1, 0, 1));
    assert_eq!(counts(&ask(&tracker, completed)), (1, 0, 1), "a repetition");
    assert_eq!(counts(&ask(&tracker, "port=1&left=0")), (1, 0, 1));
    assert_eq!(
        counts(&ask(&tracker, completed)),
        (1, 0, 1),
        "a later repetition"
    );
    // The tracker was restarted while this one was downloading.
    assert_eq!(
        counts(&ask(&tracker, "port=2&left=0&event=completed")),
        (2, 0, 2)
    );
    // It had the rest of it from elsewhere.
    ask(&tracker, "port=3&left=5");
    assert_eq!(counts(&ask(&tracker, "port=3&left=0")), (3, 0, 2));
    // It says that it has completed, and that something is left.
    ask(&tracker, "port=4&left=5");
    assert_eq!(
        counts(&ask(&tracker, "port=4&left=5&event=completed")),
        (3, 1, 2)
    );
    assert_eq!(
        counts(&ask(&tracker, "port=4&left=0&event=completed")),
        (4, 0, 3)
    );
}

#[test]
fn counts_are_right_after_every_event() {
    let tracker = start();
    for (query, expected) in [
        ("port=1&left=5&event=started", (0, 1, 0)),
        ("port=2&left=0&event=started", (1, 1, 0)),
        ("port=2&left=0&event=started", (1, 1, 0)),
        ("port=3&left=5&event=started", (1, 2, 0)),
        ("port=1&left=3", (1, 2, 0)),
        ("port=1&left=0&event=completed", (2, 1, 1)),
        ("port=3&left=5&event=paused", (2, 1, 1)),
        ("port=2&left=0&event=stopped", (1, 1, 1)),
        ("port=2&left=0&event=stopped", (1, 1, 1)),
        // It has found its data damaged.
        ("port=1&left=4", (0, 2, 1)),
        ("port=3&left=5&event=stopped", (0, 1, 1)),
    ] {
        assert_eq!(counts(&ask(&tracker, query)), expected, "{query}");
    }
    // An empty swarm is forgotten, and its downloads with it.
    ask(&tracker, "port=1&left=4&event=stopped");
    assert_eq!(counts(&ask(&tracker, "port=1&left=4")), (0, 1, 0));
}

/// BEP 21 has `paused`, some clients send an empty event, and a first announce needs no `started`.
#[test]
fn paused_empty_and_unknown_events_are_ordinary_updates() {
    let tracker = start();
    for (peers_before, event) in ["paused", "", "unheard-of", "STOPPED", "%00"]
        .iter()
        .enumerate()
    {
        let port = peers_before + 1;
        let query = format!("port={port}&left=5&event={event}");
        for _ in 0..2 {
            let announced = ask(&tracker, &query);
            assert_eq!(counts(&announced), (0, port as u64, 0), "{event}");
            assert_eq!(announced.shown().len(), peers_before, "{event}");
        }
    }
}

#[test]
fn the_asker_is_never_in_its_own_answer() {
    let tracker = start();
    for query in [
        "port=1&left=5",
        "port=1&left=5&compact=0",
        "port=1&left=5&numwant=200",
    ] {
        for _ in 0..3 {
            assert_eq!(ask(&tracker, query).shown(), [""; 0], "{query}");
        }
    }
    ask(&tracker, "port=2&left=5");
    assert_eq!(ask(&tracker, "port=1&left=5").shown(), ["127.0.0.1:2"]);
    // Nor where it says that it lives.
    let elsewhere = "port=3&left=5&ip=198.51.100.7";
    for _ in 0..3 {
        let announced = ask(&tracker, elsewhere);
        assert_eq!(announced.shown(), ["127.0.0.1:1", "127.0.0.1:2"]);
    }
}

#[test]
fn a_seeder_gets_no_seeders() {
    let tracker = start();
    ask(&tracker, "port=1&left=0&uploaded=9");
    ask(&tracker, "port=2&left=5");
    let announced = ask(&tracker, "port=3&left=0&downloaded=9");
    assert_eq!(announced.shown(), ["127.0.0.1:2"]);
    assert_eq!(counts(&announced), (2, 1, 0));
    let announced = ask(&tracker, "port=4&left=5");
    assert_eq!(
        announced.shown(),
        ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]
    );
}

/// Transmission sends huge values for magnet links; a wrap to 0 would make a seeder of it.
#[test]
fn left_that_is_no_plain_zero_makes_a_leecher() {
    let tracker = start();
    let announced_as_seeder = |left: &str| {
        let announced = ask(&tracker, &format!("port=1{left}"));
        let counts = (announced.complete, announced.incomplete);
        assert!([(Some(1), Some(0)), (Some(0), Some(1))].contains(&counts));
        counts.0 == Some(1)
    };
    for left in [
        "",
        "&left=",
        "&left=-1",
        "&left=-0",
        "&left=x",
        "&left=0x0",
        "&left=0.0",
        "&left=1",
        "&left=9223372036854775807",
        "&left=18446744073709551615",
        "&left=18446744073709551616",
        "&left=36893488147419103232",
        // Ten times 2 to the power of 63: nothing but zeros in the lower 64 bits.
        "&left=92233720368547758080",
    ] {
        assert!(!announced_as_seeder(left), "{left}");
    }
    assert!(announced_as_seeder("&left=0"));
}

#[test]
fn uploaded_and_downloaded_may_be_missing_or_nonsense() {
    let tracker = start();
    for query in [
        "",
        "&uploaded=1&downloaded=2",
        "&uploaded=x&downloaded=-1",
        "&downloaded=",
    ] {
        let announced = ask(&tracker, &format!("port=1&left=5{query}"));
        assert_eq!(counts(&announced), (0, 1, 0), "{query}");
    }
}

#[test]
fn numwant_is_honoured_up_to_the_cap() {
    let tracker = start();
    crowd(&tracker, 40);
    let shown = |query: &str| {
        ask(&tracker, &format!("port=41&left=5{query}"))
            .shown()
            .len()
    };
    for (query, expected) in [
        ("", 30),
        ("&numwant=-1", 30),
        ("&numwant=-99", 30),
        ("&numwant=", 30),
        ("&numwant=x", 30),
        ("&numwant=0", 0),
        ("&numwant=1", 1),
        ("&numwant=5", 5),
        ("&numwant=30", 30),
        ("&numwant=31", 30),
        ("&numwant=200", 30),
        ("&numwant=4294967296", 30),
        ("&numwant=18446744073709551616", 30),
        ("&numwant=5&compact=0", 5),
    ] {
        assert_eq!(shown(query), expected, "{query}");
    }
}

#[test]
fn the_cap_is_the_operators() {
    let tracker = Tracker::start(&["-p", "0", "-n", "3"]);
    crowd(&tracker, 10);
    for (query, expected) in [("", 3), ("&numwant=10", 3), ("&numwant=2", 2)] {
        let announced = ask(&tracker, &format!("port=11&left=5{query}"));
        assert_eq!(announced.shown().len(), expected, "{query}");
    }
}

#[test]
fn peers_are_chosen_at_random_and_none_twice() {
    let tracker = start();
    crowd(&tracker, 40);
    let mut seen = BTreeSet::new();
    for _ in 0..50 {
        let shown: BTreeSet<_> = ask(&tracker, "port=41&left=5&numwant=10")
            .shown()
            .into_iter()
            .collect();
        assert_eq!(shown.len(), 10);
        seen.extend(shown);
    }
    // That one of them is missed by chance happens once in 40,000 runs; that five are, never.
    assert!(seen.len() > 35, "{seen:?}");
}

#[test]
fn interval_and_min_interval_are_told_in_seconds() {
    for (minutes, interval, min_interval) in
        [("2", 120, 30), ("0.5", 30, 7), ("1440", 86400, 21600)]
    {
        let tracker = Tracker::start(&["-p", "0", "-i", minutes]);
        let announced = ask(&tracker, "port=1&left=5");
        assert_eq!(announced.interval, Some(interval));
        assert_eq!(announced.min_interval, Some(min_interval));
    }
}
