//! The list of the torrents: a row for each, and the best rows for a question such as "the newest
//! ones with `debian` in their names".
//!
//! With a million torrents all of them have to be looked at, so the rows are handed out in slices,
//! and of what is looked at only the best are kept. How often that is done, and for whom, is decided
//! in `torrent_list.rs`.

use super::counts::Counts;
use super::store::Swarms;
use crate::announce::InfoHash;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::mem;
use std::sync::Arc;

/// Rows in an answer at most.
pub const MOST_ROWS: usize = 500;

/// A torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Which.
    pub info_hash: InfoHash,
    /// Its peers.
    pub counts: Counts,
    /// When its first peer announced, in seconds since the tracker began.
    pub began: u32,
    /// What it is called, if anybody has said so.
    pub name: Option<Arc<str>>,
}

/// What comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// Those that began last.
    #[default]
    Newest,
    /// Those with the most peers.
    Largest,
    /// Those with a name, by that, without regard to case; the others after them.
    Name,
}

/// A row's place in an order: the lowest comes first, and no two are the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key {
    /// What decides, and if that is the same, the others.
    pub rank: u32,
    /// In lower case; empty where the order is by something else.
    pub name: String,
    /// So that no two are the same.
    pub info_hash: InfoHash,
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// What comes first.
    pub order: Order,
    /// In lower case: a part of the name, or the first digits of the info_hash. All, if it is empty.
    pub search: String,
    /// Only what comes after this one: the last row of the answer before.
    pub after: Option<Key>,
}

/// A row and its place; compared by that alone.
#[derive(Clone, Debug)]
pub struct Ranked(pub Key, pub Row);

/// The best rows for a query, of those that were offered.
#[derive(Debug)]
pub struct Best {
    /// The query.
    pub query: Query,
    /// The first 500, in their order, when it is finished.
    pub rows: Vec<Ranked>,
    /// How many torrents were found, whether they are among these rows or not.
    pub found: usize,
    /// How many come after the last row.
    pub more: usize,
    /// The best so far, the last of them on top.
    heap: BinaryHeap<Ranked>,
    /// `query.search` as digits, if it can be the beginning of an info_hash.
    digits: Option<Vec<u8>>,
}

impl Swarms {
    /// Adds the torrents with these indices to `rows`. `false`: there are none from there on.
    pub fn rows(&self, from: usize, most: usize, rows: &mut Vec<Row>) -> bool {
        for (index, swarm) in self.swarms.iter().enumerate().skip(from).take(most) {
            if !swarm.is_empty() {
                rows.push(Row {
                    info_hash: swarm.info_hash,
                    counts: self.counts_of(index as u32),
                    began: swarm.began,
                    name: self.display_names.get(index as u32).cloned(),
                });
            }
        }
        from < self.swarms.len()
    }
}

impl Order {
    /// The place of a row.
    pub fn key(self, row: &Row) -> Key {
        let (rank, name) = match self {
            Order::Newest => (u32::MAX - row.began, String::new()),
            Order::Largest => {
                let Counts {
                    seeders, leechers, ..
                } = row.counts;
                (u32::MAX - seeders.saturating_add(leechers), String::new())
            }
            Order::Name => match &row.name {
                Some(name) => (0, lower_case(name)),
                None => (1, String::new()),
            },
        };
        Key {
            rank,
            name,
            info_hash: row.info_hash,
        }
    }
}

impl Best {
    /// Nothing was offered yet.
    pub fn new(query: Query) -> Best {
        let digit = |digit: char| digit.to_digit(16).map(|digit| digit as u8);
        let digits: Option<Vec<u8>> = query.search.chars().map(digit).collect();
        Best {
            digits: digits.filter(|digits| digits.len() <= 40),
            query,
            rows: Vec::new(),
            found: 0,
            more: 0,
            heap: BinaryHeap::new(),
        }
    }

    /// Keeps a row if it is wanted, and among the best so far.
    pub fn offer(&mut self, row: &Row) {
        if !self.matches(row) {
            return;
        }
        self.found += 1;
        let key = self.query.order.key(row);
        if self.query.after.as_ref().is_some_and(|after| key <= *after) {
            return;
        }
        self.more += 1;
        if self.heap.len() < MOST_ROWS {
            self.heap.push(Ranked(key, row.clone()));
        } else if let Some(mut last) = self.heap.peek_mut() {
            if key < last.0 {
                *last = Ranked(key, row.clone());
            }
        }
    }

    /// All have been offered.
    pub fn finish(&mut self) {
        self.rows = mem::take(&mut self.heap).into_sorted_vec();
        self.more -= self.rows.len();
    }

    fn matches(&self, row: &Row) -> bool {
        let search = &self.query.search;
        let has_name = |name: &Arc<str>| {
            let (name, search) = (lower_case(name), search.as_bytes());
            name.as_bytes()
                .windows(search.len())
                .any(|part| part == search)
        };
        let has_digits = |digits: &Vec<u8>| {
            let digit = |at: usize| row.info_hash.0[at / 2] >> (4 * (1 - at % 2)) & 15;
            digits
                .iter()
                .enumerate()
                .all(|(at, &wanted)| digit(at) == wanted)
        };
        search.is_empty()
            || row.name.as_ref().is_some_and(has_name)
            || self.digits.as_ref().is_some_and(has_digits)
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Ranked) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Ranked) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Ranked) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

/// Without the difference between capital and small letters in Latin, Greek and Cyrillic. Not by
/// std's function for all scripts, whose tables would add 17 KB to the executable.
pub fn lower_case(text: &str) -> String {
    let lower = |char: char| {
        let distance = match char {
            'A'..='Z' | 'À'..='Ö' | 'Ø'..='Þ' | 'Α'..='Ρ' | 'Σ'..='Ϋ' | 'А'..='Я' => 32,
            'Ѐ'..='Џ' => 80,
            // Here they take turns.
            'Ā'..='Į' | 'Ĳ'..='Ķ' | 'Ŋ'..='Ŷ' => 1 - u32::from(char) % 2,
            'Ĺ'..='Ň' | 'Ź'..='Ž' => u32::from(char) % 2,
            _ => 0,
        };
        char::from_u32(u32::from(char) + distance).unwrap_or(char)
    };
    text.chars().map(lower).collect()
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
