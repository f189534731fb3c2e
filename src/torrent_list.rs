//! Looks at all torrents for those who want to see a list of them, without anybody having to wait
//! for that: the lock is given back after every slice, and however many ask, a look is taken at
//! most every two seconds.
//!
//! What one look brings is enough for whoever wants the beginning of the list, in any order. Who
//! searches, or goes on in a list that is longer than an answer, may have to come again, and is
//! remembered until the next look.

use crate::swarms::list::{Best, MOST_ROWS, Order, Query, Ranked};
use crate::tracker::Tracker;
use std::sync::{Arc, Mutex, TryLockError};
use std::thread;
use std::time::Duration;

/// How often it is looked at most.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Torrents in a slice, for which the lock is held: a tenth of a millisecond.
pub const SLICE: usize = 2000;

/// Between two slices. Without, those who wait for the lock might not get it: who gives it back and
/// takes it again is faster than they wake up.
const PAUSE: Duration = Duration::from_micros(100);

/// Queries that are remembered until the next look, beside the beginning of the list.
const MOST_WANTED: usize = 8;

/// What the last look has brought, for all who ask.
#[derive(Default)]
pub struct TorrentList(Mutex<Look>);

#[derive(Default)]
struct Look {
    /// When it was; `None` before the first.
    at: Option<Duration>,
    /// Of the beginning of the list in each order, and of what else was wanted.
    best: Vec<Arc<Best>>,
    /// Those who came in vain since then.
    wanted: Vec<Query>,
}

impl TorrentList {
    /// The rows for a query, as they were at most two seconds ago. `None`: not now; come again in
    /// two seconds.
    pub fn find(&self, tracker: &Tracker, query: &Query, now: Duration) -> Option<Arc<Best>> {
        let mut look = match self.0.try_lock() {
            Ok(look) => look,
            // Nothing panics half-way through a change.
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody is looking. Waiting for that would take a thread from the announces.
            Err(TryLockError::WouldBlock) => return None,
        };
        let is_fresh = |at| now.saturating_sub(at) < LOOK_EVERY;
        if !look.at.is_some_and(is_fresh) {
            look.take(tracker, query, now);
        }
        look.answer(query)
    }
}

impl Look {
    fn take(&mut self, tracker: &Tracker, query: &Query, now: Duration) {
        let beginning = |order| Query {
            order,
            ..Query::default()
        };
        let mut queries = [Order::Newest, Order::Largest, Order::Name]
            .map(beginning)
            .to_vec();
        queries.append(&mut self.wanted);
        if !queries.contains(query) {
            queries.push(query.clone());
        }
        let mut best: Vec<Best> = queries.into_iter().map(Best::new).collect();
        let mut rows = Vec::with_capacity(SLICE);
        let mut from = 0;
        while tracker.rows(from, SLICE, &mut rows) {
            from += SLICE;
            for best in &mut best {
                rows.iter().for_each(|row| best.offer(row));
            }
            thread::sleep(PAUSE);
        }
        best.iter_mut().for_each(Best::finish);
        self.best = best.into_iter().map(Arc::new).collect();
        self.at = Some(now);
    }

    fn answer(&mut self, query: &Query) -> Option<Arc<Best>> {
        if let Some(best) = self.best.iter().find(|best| best.query == *query) {
            return Some(Arc::clone(best));
        }
        let all = self.best.first()?;
        if all.found <= MOST_ROWS {
            let mut best = Best::new(query.clone());
            all.rows.iter().for_each(|Ranked(_, row)| best.offer(row));
            best.finish();
            return Some(Arc::new(best));
        }
        if self.wanted.len() < MOST_WANTED && !self.wanted.contains(query) {
            self.wanted.push(query.clone());
        }
        None
    }
}

#[cfg(test)]
#[path = "torrent_list_tests.rs"]
mod tests;
