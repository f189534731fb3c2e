//! The list as JSON, on values.

use super::*;
use crate::swarms::Counts;
use crate::swarms::list::{MOST_ROWS, Row};
use serde_json::{Value, json};

fn row(number: u32, name: Option<&str>) -> Row {
    Row {
        info_hash: InfoHash([number as u8; 20]),
        counts: Counts {
            seeders: number,
            leechers: 2,
            downloaded: 3,
        },
        began: 60 + number,
        name: name.map(Into::into),
    }
}

fn best(query: &str, rows: &[Row]) -> Best {
    let mut best = Best::new(read(query.as_bytes()));
    rows.iter().for_each(|row| best.offer(row));
    best.finish();
    best
}

fn rendered(best: &Best) -> Value {
    let started = UNIX_EPOCH + Duration::from_secs(1_000_000);
    let text = render(best, started, Duration::from_secs(100));
    serde_json::from_str(&text).expect(&text)
}

#[test]
fn what_is_asked_for() {
    for (query, order) in [
        ("", Order::Newest),
        ("order=newest", Order::Newest),
        ("order=largest", Order::Largest),
        ("order=name", Order::Name),
        ("order=x", Order::Newest),
    ] {
        let expected = Query {
            order,
            ..Query::default()
        };
        assert_eq!(read(query.as_bytes()), expected, "{query}");
    }
    let search = |query: &str| read(query.as_bytes()).search;
    assert_eq!(search("search=+De%C3%84+x%20"), "deä x");
    assert_eq!(search(&format!("search={}", "a".repeat(8_000))).len(), 100);
    for after in ["", "x", "1", "1.ab", "1.zz", "-1.", "1..", ".."] {
        let query = format!("after={after}");
        assert_eq!(read(query.as_bytes()).after, None, "{after}");
    }
    let hash = "ab".repeat(20);
    for after in [
        format!("1.{hash}"),
        format!("4294967296.{hash}.x"),
        format!("1.{}.x", "ä".repeat(20)),
    ] {
        assert_eq!(
            read(format!("after={after}").as_bytes()).after,
            None,
            "{after}"
        );
    }
    let after = read(format!("after=7.{hash}.a.b%20c").as_bytes()).after;
    let expected = Key {
        rank: 7,
        name: "a.b c".to_owned(),
        info_hash: InfoHash([0xab; 20]),
    };
    assert_eq!(after, Some(expected));
}

#[test]
fn rows() {
    let rows = [
        row(1, Some("a \"name\" with \\ and <b>&amp;")),
        row(2, None),
    ];
    let expected = json!({
        "now": 1_000_100, "found": 2, "more": 0, "next": null, "torrents": [
            {"info_hash": "02".repeat(20), "name": null, "seeders": 2, "leechers": 2,
             "downloads": 3, "since": 1_000_062},
            {"info_hash": "01".repeat(20), "name": "a \"name\" with \\ and <b>&amp;",
             "seeders": 1, "leechers": 2, "downloads": 3, "since": 1_000_061},
        ],
    });
    assert_eq!(rendered(&best("", &rows)), expected);
    let text = render(&best("", &rows), UNIX_EPOCH, Duration::ZERO);
    assert!(!text.contains(['<', '>', '&']), "{text}");
    let nothing = json!({"now": 1_000_100, "found": 0, "more": 0, "next": null, "torrents": []});
    assert_eq!(rendered(&best("", &[])), nothing);
}

#[test]
fn where_it_goes_on_is_understood_when_it_is_given_back() {
    let name = |number: usize| format!("Ä+b & c.d%{:04}", number);
    let mut rows = Vec::new();
    for number in 0..MOST_ROWS + 2 {
        let mut row = row(7, Some(&name(number)));
        row.info_hash.0[..8].copy_from_slice(&number.to_be_bytes());
        rows.push(row);
    }
    for order in ["newest", "largest", "name"] {
        let first = rendered(&best(&format!("order={order}"), &rows));
        assert_eq!((&first["more"], &first["found"]), (&json!(2), &json!(502)));
        let next = first["next"].as_str().expect("a text");
        let escaped: String = next.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let second = rendered(&best(&format!("order={order}&after={escaped}"), &rows));
        assert_eq!(
            (&second["more"], &second["next"]),
            (&json!(0), &Value::Null)
        );
        let names = second["torrents"].as_array().expect("a list");
        let names: Vec<_> = names
            .iter()
            .map(|row| row["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, [name(500), name(501)], "{order}");
    }
}
