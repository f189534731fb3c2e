//! Rows, and the best of them.

use super::super::fixture::{at, endpoint, hash, put, swarms};
use super::*;

fn row(number: u32) -> Row {
    let mut info_hash = [0xab; 20];
    info_hash[..4].copy_from_slice(&number.to_be_bytes());
    Row {
        info_hash: InfoHash(info_hash),
        counts: Counts::default(),
        began: number,
        name: None,
    }
}

fn named(number: u32, name: &str) -> Row {
    Row {
        name: Some(name.into()),
        ..row(number)
    }
}

fn best(query: Query, rows: &[Row]) -> Best {
    let mut best = Best::new(query);
    rows.iter().for_each(|row| best.offer(row));
    best.finish();
    best
}

/// Which rows, in their order, by when they began.
fn numbers(best: &Best) -> Vec<u32> {
    best.rows.iter().map(|Ranked(_, row)| row.began).collect()
}

fn by(order: Order) -> Query {
    Query {
        order,
        ..Query::default()
    }
}

fn search(text: &str) -> Query {
    Query {
        search: text.to_owned(),
        ..by(Order::Name)
    }
}

#[test]
fn orders() {
    let mut rows = vec![named(3, "b"), named(1, "ÄB"), row(4), row(2), named(5, "C")];
    for (row, (seeders, leechers)) in
        rows.iter_mut()
            .zip([(0, 7), (1, 0), (4, 4), (0, 0), (u32::MAX, 1)])
    {
        (row.counts.seeders, row.counts.leechers) = (seeders, leechers);
    }
    for (order, expected) in [
        (Order::Newest, [5, 4, 3, 2, 1]),
        (Order::Largest, [5, 4, 3, 1, 2]),
        (Order::Name, [3, 5, 1, 2, 4]),
    ] {
        let best = best(by(order), &rows);
        assert_eq!(numbers(&best), expected, "{order:?}");
        assert_eq!((best.found, best.more), (5, 0));
    }
}

#[test]
fn searching() {
    let rows = [
        named(0x10, "Debian 12 <b>"),
        named(0x11, "ДЕБИАН"),
        row(0x12),
        row(0x22),
        row(0xfe00_0000),
    ];
    for (text, expected) in [
        ("", &[0x10, 0x11, 0x12, 0x22, 0xfe00_0000][..]),
        ("debian", &[0x10]),
        ("an 12 <", &[0x10]),
        ("дебиан", &[0x11]),
        ("fe", &[0xfe00_0000]),
        ("000000", &[0x10, 0x11, 0x12, 0x22]),
        ("0000001", &[0x10, 0x11, 0x12]),
        ("00000012abab", &[0x12]),
        ("abab", &[]),
        ("12", &[0x10]),
        ("nothing of that kind", &[]),
    ] {
        let best = best(search(text), &rows);
        assert_eq!(numbers(&best), expected, "{text}");
        assert_eq!((best.found, best.more), (expected.len(), 0), "{text}");
    }
    let whole = rows[2].info_hash.to_string();
    assert_eq!(numbers(&best(search(&whole), &rows)), [0x12]);
    assert_eq!(best(search(&(whole + "0")), &rows).found, 0);
}

#[test]
fn the_best_of_very_many_and_how_many_more() {
    assert_eq!(MOST_ROWS, 500);
    // In an order that is neither that of the list nor its reverse.
    let rows: Vec<_> = (0..100_000).map(|n| row(n * 7_919 % 100_000)).collect();
    let mut query = Query::default();
    for page in 0..3 {
        let mut best = Best::new(query.clone());
        for row in &rows {
            best.offer(row);
            // What is kept does not grow with what is looked at.
            assert!(best.heap.len() <= MOST_ROWS);
        }
        best.finish();
        let first = 100_000 - page * 500;
        let expected: Vec<_> = (first - 500..first).rev().collect();
        assert_eq!(numbers(&best), expected);
        assert_eq!((best.found, best.more), (100_000, first as usize - 500));
        query.after = best.rows.last().map(|Ranked(key, _)| key.clone());
    }
    query.after = Some(Order::Newest.key(&row(500)));
    let best = best(query, &rows);
    assert_eq!(numbers(&best), (0..500).rev().collect::<Vec<_>>());
    assert_eq!(best.more, 0);
}

#[test]
fn rows_of_the_same_rank_are_neither_lost_nor_repeated_between_pages() {
    let rows: Vec<_> = (0..1_200).rev().map(row).collect();
    for order in [Order::Largest, Order::Name] {
        let mut query = by(order);
        let mut seen = Vec::new();
        for expected in [500, 500, 200] {
            let best = best(query.clone(), &rows);
            assert_eq!(best.rows.len(), expected);
            seen.extend(numbers(&best));
            query.after = best.rows.last().map(|Ranked(key, _)| key.clone());
        }
        assert_eq!(seen, (0..1_200).collect::<Vec<_>>(), "{order:?}");
    }
}

/// Where std's function has one letter for one, it is the same.
#[test]
fn small_letters_of_latin_greek_and_cyrillic() {
    let scripts = ('\0'..'\u{180}').chain('\u{386}'..'\u{460}');
    // Each on its own ground: accents that came early, the dot of Turkish, the end of a word.
    let exceptions = "ĲĳİıĸŉŸſΆΈΉΊΌΎΏϏϐϑϒϓϔϕϖϗϘϙϚϛϜϝϞϟϠϡϢϣϤϥϦϧϨϩϪϫϬϭϮϯϰϱϲϳϴϵ϶ϷϸϹϺϻϼϽϾϿ";
    for char in scripts.filter(|&char| !exceptions.contains(char)) {
        let expected: String = char.to_lowercase().collect();
        assert_eq!(lower_case(&char.to_string()), expected);
    }
    assert_eq!(
        lower_case("ÄÖÜ ŁÓDŹ ΣΑΝ ЁЖИК 東京"),
        "äöü łódź σαν ёжик 東京"
    );
}

#[test]
fn rows_come_in_slices_without_those_that_have_ended() {
    let mut swarms = swarms();
    for n in 1..=5 {
        put(&mut swarms, n, &at(endpoint("192.0.2.1", n.into())), 0).unwrap();
    }
    swarms.remove(hash(3), &at(endpoint("192.0.2.1", 3)).who);
    let slice = |from| {
        let mut rows = Vec::new();
        let may_be_more = swarms.rows(from, 2, &mut rows);
        let hashes: Vec<_> = rows.iter().map(|row| row.info_hash).collect();
        (may_be_more, hashes)
    };
    assert_eq!(slice(0), (true, vec![hash(1), hash(2)]));
    assert_eq!(slice(2), (true, vec![hash(4)]));
    assert_eq!(slice(4), (true, vec![hash(5)]));
    assert_eq!(slice(5), (false, vec![]));
}
