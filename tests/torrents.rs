//! `/torrents.json` and the names of torrents, from outside: what is in it, and that it is there only
//! with `--list`. Who gets to see it is tested with the rest of the page in `page.rs`, and what a
//! browser makes of it in `browser_list.rs`.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::http::{self, get, ipv4, send};
use crate::support::tracker::Tracker;
use crate::support::vitals::found_in_time;

/// Announces the torrent whose info_hash is all this letter.
fn announce(at: SocketAddr, letter: char, rest: &str) {
    let hash = letter.to_string().repeat(20);
    let query = format!("info_hash={hash}&peer_id=-MF1000-abcdefghijkl&downloaded=5&{rest}");
    assert!(http::announce(at, &query).peers.is_some());
}

fn hex(letter: char) -> String {
    format!("{:02x}", letter as u8).repeat(20)
}

/// The list for this query, when it is as wanted: it may be two seconds old.
#[track_caller]
fn list(at: SocketAddr, query: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let found = found_in_time(|| {
        let answer = get(at, &format!("/torrents.json?{query}"));
        assert_eq!(answer.header("Content-Type"), Some("application/json"));
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        last = serde_json::from_slice(&answer.body).expect("JSON");
        match answer.status {
            200 => is_it(&last).then(|| last.clone()),
            // Somebody else is looking just now.
            202 => {
                assert_eq!(answer.header("Retry-After"), Some("2"));
                None
            }
            other => panic!("status {other}"),
        }
    });
    found.unwrap_or_else(|| panic!("not as wanted: {last}"))
}

/// The list by name, when it has so many torrents.
#[track_caller]
fn rows(at: SocketAddr, count: usize) -> Vec<Value> {
    let list = list(at, "order=name", |list| list["found"] == count);
    list["torrents"].as_array().expect("rows").clone()
}

#[test]
fn the_list_is_what_was_announced() {
    let tracker = Tracker::start(&["-p", "0", "--list"]);
    let at = ipv4(&tracker);
    let nothing = list(at, "", |_| true);
    assert_eq!(
        (&nothing["found"], &nothing["torrents"]),
        (&json!(0), &json!([]))
    );
    announce(at, 'b', "port=1&left=5");
    announce(at, 'b', "port=2&left=5");
    announce(at, 'b', "port=1&left=0&event=completed");
    announce(at, 'a', "port=1&left=5&dn=A%20name");
    let rows = rows(at, 2);
    for (row, (hash, name, counts)) in rows.iter().zip([
        (hex('a'), json!("A name"), [0, 1, 0]),
        (hex('b'), Value::Null, [1, 1, 1]),
    ]) {
        assert_eq!((&row["info_hash"], &row["name"]), (&json!(hash), &name));
        let shown = ["seeders", "leechers", "downloads"].map(|key| &row[key]);
        assert_eq!(shown.map(|count| count.as_u64()), counts.map(Some));
    }
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let since = rows[0]["since"].as_u64().expect("a time");
    assert!(
        (now - 60..=now).contains(&since),
        "{since} is not before {now}"
    );
    let of = |query: &str| {
        let list = list(at, query, |_| true);
        let rows = list["torrents"].as_array().expect("rows").clone();
        rows.iter()
            .map(|row| row["info_hash"].as_str().unwrap()[..2].to_owned())
            .collect::<String>()
    };
    for (query, expected) in [
        ("order=largest", "6261"),
        ("order=name", "6162"),
        ("search=NAME", "61"),
        ("search=6262", "62"),
        ("search=nothing", ""),
    ] {
        assert_eq!(of(query), expected, "{query}");
    }
    announce(at, 'b', "port=1&event=stopped");
    announce(at, 'b', "port=2&event=stopped");
    self::rows(at, 1);
}

/// Anybody may send anything for a name.
#[test]
fn names_are_cleaned_and_the_first_counts() {
    let tracker = Tracker::start(&["-p", "0", "--list"]);
    let at = ipv4(&tracker);
    let long = "%F0%9F%90%9D".repeat(500);
    for (letter, name) in [
        ('a', "a%22%3Cb%20onclick%3D%27x%27%3E%26amp;%5C"),
        ('b', "b%E2%80%AEtxt.exe%E2%80%8B"),
        ('c', &long),
        ('d', "%E2%80%AE%00+"),
    ] {
        announce(at, letter, &format!("port=1&left=5&dn={name}"));
        announce(at, letter, "port=1&left=5&dn=late");
    }
    // One of 10,000 characters is no announce: it does not get past the gate.
    let request = format!(
        "GET /announce?info_hash={}&peer_id=-MF1000-abcdefghijkl&port=1&left=5&dn={} HTTP/1.1\r\n\r\n",
        "e".repeat(20),
        "x".repeat(10_000)
    );
    assert_eq!(send(at, request.as_bytes()).status, 414);
    let rows = rows(at, 4);
    let names: Vec<_> = rows
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    let bees = "🐝".repeat(100);
    // Of the fourth nothing was left of the first.
    assert_eq!(
        names,
        ["a\"<b onclick='x'>&amp;\\", "btxt.exe", "late", &bees]
    );
    let body = get(at, "/torrents.json").text();
    assert!(!body.contains('<'), "{body}");
}

/// Everything that is answered without `--list`, whoever asks.
#[test]
fn without_list_no_info_hash_and_no_name_is_in_any_answer() {
    let tracker = Tracker::start(&["-p", "0"]);
    let at = ipv4(&tracker);
    announce(at, 'q', "port=1&left=5&dn=Secret");
    for target in [
        "/",
        "/status.json",
        "/metrics",
        "/announce",
        "/torrents.json",
        "/torrents.json?search=q",
        "/list",
        "/x",
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nAccept: text/html\r\n\r\n");
        let answer = send(at, request.as_bytes());
        if target.contains("torrents.json") {
            assert_eq!(answer.status, 404, "{target}");
        }
        let text = answer.text();
        for secret in ["qqqqqqq", "717171", "Secret", "id=\"list\"", "id=\"name\""] {
            assert!(!text.contains(secret), "{secret} in {target}\n{text}");
        }
    }
}
