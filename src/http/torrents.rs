//! `/torrents.json`: the list of the torrents, for the page and for programs.
//!
//! Values in, text out; who may see it is for `server.rs` to say, and which torrents are the best
//! for `swarms/list.rs`.

use super::{display_name, query};
use crate::announce::InfoHash;
use crate::swarms::list::{Best, Key, Order, Query, Ranked, lower_case};
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longer than any name, in characters.
const MOST_SEARCH: usize = 100;

/// Reads what is asked for. What makes no sense is as if it was not there.
pub fn read(query: &[u8]) -> Query {
    let mut read = Query::default();
    for (key, value) in query::pairs(query) {
        let text = display_name::text(value);
        match key {
            b"order" => {
                read.order = match &*text {
                    "largest" => Order::Largest,
                    "name" => Order::Name,
                    _ => Order::Newest,
                }
            }
            b"search" => {
                let search = lower_case(text.trim());
                read.search = search.chars().take(MOST_SEARCH).collect();
            }
            b"after" => read.after = read_key(&text),
            _ => {}
        }
    }
    read
}

/// The rows, and where they go on. The tracker began at `started`, and it is `now`, counted from
/// there.
pub fn render(best: &Best, started: SystemTime, now: Duration) -> String {
    let started = started.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut out = String::with_capacity(64 * 1024);
    // Writing into a String does not fail.
    let _ = write!(
        out,
        "{{\"now\":{},\"found\":{},\"more\":{},\"next\":",
        (started + now).as_secs(),
        best.found,
        best.more
    );
    match best.rows.last().filter(|_| best.more > 0) {
        Some(Ranked(key, _)) => write_text(&mut out, &write_key(key)),
        None => out.push_str("null"),
    }
    out.push_str(",\"torrents\":[");
    let mut before = "\n";
    for Ranked(_, row) in &best.rows {
        let _ = write!(
            out,
            "{before}{{\"info_hash\":\"{}\",\"name\":",
            row.info_hash
        );
        match &row.name {
            Some(name) => write_text(&mut out, name),
            None => out.push_str("null"),
        }
        let since = started.as_secs() + u64::from(row.began);
        let counts = &row.counts;
        let _ = write!(
            out,
            ",\"seeders\":{},\"leechers\":{},\"downloads\":{},\"since\":{since}}}",
            counts.seeders, counts.leechers, counts.downloaded
        );
        before = ",\n";
    }
    out.push_str("]}\n");
    out
}

/// A string of JSON. Markup in it does no harm, but has no business in an answer either.
fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' | '<' | '>' | '&' | '\0'..=' ' if char != ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
            _ => out.push(char),
        }
    }
    out.push('"');
}

/// A key as the one who asks gives it back.
fn write_key(key: &Key) -> String {
    format!("{}.{}.{}", key.rank, key.info_hash, key.name)
}

fn read_key(text: &str) -> Option<Key> {
    let mut parts = text.splitn(3, '.');
    let rank = parts.next()?.parse().ok()?;
    let digits = parts.next()?;
    let mut info_hash = InfoHash([0; 20]);
    if digits.len() != 40 {
        return None;
    }
    for (byte, at) in info_hash.0.iter_mut().zip((0..40).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some(Key {
        rank,
        name: parts.next()?.to_owned(),
        info_hash,
    })
}

#[cfg(test)]
#[path = "torrents_tests.rs"]
mod tests;
