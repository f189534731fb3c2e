//! Looks at the list, at torrents that were announced.

use super::*;
use crate::announce::Reply;
use crate::http::announce::{Path, read};
use crate::swarms::Bounds;
use crate::swarms::list::Row;
use crate::tracker::Settings;
use std::net::{IpAddr, Ipv4Addr};

fn tracker() -> Tracker {
    Tracker::new(Settings {
        interval: Duration::from_secs(240),
        numwant: 30,
        bounds: Bounds {
            peers: 1_000_000,
            per_block: 1_000_000,
            per_block_in_swarm: 1_000_000,
            ..Bounds::default()
        },
    })
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Announces a torrent that has this number.
fn announce(tracker: &Tracker, number: usize, rest: &str, now: Duration) {
    let query = format!(
        "info_hash=torrent--------{number:05}&peer_id=-MF1000-abcdefghijkl&downloaded=5&{rest}"
    );
    let path = Path {
        source: HERE,
        local: HERE,
    };
    let (announce, _) = read(query.as_bytes(), path).expect("an announce");
    tracker
        .handle(&announce, now, &mut Reply::default())
        .expect("room");
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
fn search(text: &str) -> Query {
    Query {
        search: text.to_owned(),
        ..Query::default()
    }
}

/// The numbers of the torrents, in the order of the rows.
fn numbers(best: &Best) -> Vec<usize> {
    let number = |row: &[u8]| std::str::from_utf8(&row[15..]).unwrap().parse().unwrap();
    best.rows
        .iter()
        .map(|Ranked(_, row)| number(&row.info_hash.0))
        .collect()
}

#[test]
fn a_row_is_what_the_tracker_knows_of_a_torrent() {
    let tracker = tracker();
    announce(&tracker, 1, "port=1&left=5", secs(100));
    announce(&tracker, 2, "port=1&left=0", secs(200));
    announce(&tracker, 1, "port=2&left=0", secs(300));
    announce(&tracker, 1, "port=1&left=0&event=completed", secs(300));
    announce(&tracker, 1, "port=3&left=5", secs(301));
    let list = TorrentList::default();
    let best = list.find(&tracker, &Query::default(), secs(302));
    let best = best.expect("a look");
    assert_eq!(numbers(&best), [2, 1]);
    let row = &best.rows[1].1;
    let counts = (
        row.counts.seeders,
        row.counts.leechers,
        row.counts.downloaded,
    );
    assert_eq!((counts, row.began), ((2, 1, 1), 100));
    assert_eq!(row.name, None);
}

#[test]
fn a_name_goes_with_its_torrent() {
    let tracker = tracker();
    let list = TorrentList::default();
    let mut looks = 0;
    let mut names = |tracker: &Tracker| {
        looks += 1;
        let now = LOOK_EVERY * looks;
        let best = list.find(tracker, &Query::default(), now).expect("a look");
        let rows = best.rows.iter();
        let name = |row: &Row| row.name.as_deref().unwrap_or("none").to_owned();
        rows.map(|Ranked(_, row)| name(row)).collect::<Vec<_>>()
    };
    let name = |tracker: &Tracker, text: &str| {
        let query = "info_hash=torrent--------00001&peer_id=-MF1000-abcdefghijkl&port=1";
        let path = Path {
            source: HERE,
            local: HERE,
        };
        let (announce, _) = read(query.as_bytes(), path).unwrap();
        tracker.name(announce.info_hash, HERE, || Some(text.to_owned()));
    };
    // Of a torrent that is not there.
    name(&tracker, "early");
    announce(&tracker, 1, "port=1&left=5", secs(1));
    assert_eq!(names(&tracker), ["none"]);
    name(&tracker, "first");
    name(&tracker, "second");
    assert_eq!(names(&tracker), ["first"]);
    announce(&tracker, 1, "port=1&left=5&event=stopped", secs(1));
    assert_eq!(names(&tracker), [""; 0]);
    announce(&tracker, 1, "port=1&left=5", secs(1));
    assert_eq!(names(&tracker), ["none"]);
    // The same while there are others, so that not all is given back at once.
    announce(&tracker, 2, "port=1&left=5", secs(1));
    name(&tracker, "first");
    announce(&tracker, 1, "port=1&left=5&event=stopped", secs(1));
    announce(&tracker, 3, "port=1&left=5", secs(1));
    assert_eq!(names(&tracker), ["none", "none"]);
}

#[test]
fn it_is_looked_at_every_two_seconds_for_all_together() {
    assert_eq!(LOOK_EVERY, secs(2));
    let tracker = tracker();
    let list = TorrentList::default();
    let found = |query: &Query, now| {
        let best = list.find(&tracker, query, now).expect("few torrents");
        numbers(&best)
    };
    announce(&tracker, 1, "port=1&left=5", secs(10));
    assert_eq!(found(&Query::default(), secs(10)), [1]);
    announce(&tracker, 2, "port=1&left=5", secs(10));
    let almost = secs(12) - Duration::from_millis(1);
    for order in [Order::Newest, Order::Largest, Order::Name] {
        let query = Query {
            order,
            ..Query::default()
        };
        assert_eq!(found(&query, almost), [1], "{order:?}");
    }
    // All are known, so that a search needs no other look.
    assert_eq!(found(&search("746f"), almost), [1]);
    assert_eq!(found(&search("none"), almost).len(), 0);
    assert_eq!(found(&search("746f"), secs(12)), [1, 2]);
}

#[test]
fn who_wants_another_part_of_a_long_list_has_it_with_the_next_look() {
    let tracker = tracker();
    let (torrents, list) = (2 * SLICE + 3, TorrentList::default());
    for number in 0..torrents {
        announce(&tracker, number, "port=1&left=5", secs(10));
    }
    let find = |query: &Query, now| list.find(&tracker, query, now);
    let all = find(&Query::default(), secs(10)).expect("a look");
    assert_eq!((all.found, all.more), (torrents, torrents - MOST_ROWS));
    let last = all.rows.last().map(|Ranked(key, _)| key.clone());
    let next = Query {
        after: last,
        ..Query::default()
    };
    // The digits of the number 04002.
    let last_one = search("746f7272656e742d2d2d2d2d2d2d2d3034303032");
    for wanted in [&next, &last_one] {
        assert!(find(wanted, secs(11)).is_none());
    }
    assert!(find(&Query::default(), secs(11)).is_some());
    // Somebody else's look brings it, and it stays for as long as everything else.
    assert!(find(&Query::default(), secs(12)).is_some());
    let best = find(&next, secs(13)).expect("it was wanted");
    assert_eq!(numbers(&best), (500..1_000).collect::<Vec<_>>());
    assert_eq!(best.more, torrents - 1_000);
    let best = find(&last_one, secs(13)).expect("it was wanted");
    assert_eq!(numbers(&best), [4_002]);
    // Or one's own.
    assert!(find(&search("7"), secs(13)).is_none());
    assert_eq!(find(&search("8"), secs(14)).expect("a look").found, 0);
}

#[test]
fn what_is_wanted_is_bounded() {
    let tracker = tracker();
    let list = TorrentList::default();
    for number in 0..=MOST_ROWS {
        announce(&tracker, number, "port=1&left=5", secs(10));
    }
    for look in 1..=3 {
        for number in 0..1_000 {
            list.find(&tracker, &search(&number.to_string()), LOOK_EVERY * look);
        }
        let look = list.0.lock().unwrap();
        assert!(look.wanted.len() <= 8 && look.best.len() <= 3 + 1 + 8);
    }
}

#[test]
fn nobody_waits_while_somebody_looks() {
    let list = TorrentList::default();
    let _looking = list.0.lock().unwrap();
    assert!(list.find(&tracker(), &Query::default(), secs(1)).is_none());
}

#[test]
fn the_lock_is_given_back_between_slices() {
    let tracker = tracker();
    for number in 0..10 * SLICE {
        announce(&tracker, number, "port=1&left=5", secs(10));
    }
    let mut rows = Vec::new();
    for slice in 0..10 {
        assert!(tracker.rows(slice * SLICE, SLICE, &mut rows));
        assert_eq!(rows.len(), SLICE);
    }
    assert!(!tracker.rows(10 * SLICE, SLICE, &mut rows));
    assert!(rows.is_empty());
    // A slice of this length takes a tenth of a millisecond (`make bench ARGS=list`).
    assert_eq!(SLICE, 2_000);
    // Torrents that are no more leave gaps, which end no list.
    for number in 0..5 * SLICE {
        announce(&tracker, number, "port=1&event=stopped", secs(10));
    }
    let list = TorrentList::default();
    let best = list.find(&tracker, &Query::default(), secs(10));
    assert_eq!(best.expect("a look").found, 5 * SLICE);
}
