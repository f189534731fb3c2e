//! What is counted: announces, scrapes, refusals, connections, and how long requests took.
//!
//! Plain numbers that every thread adds to without a lock. How many peers and torrents there are is
//! not counted here but known to the state; what the numbers look like to others is in
//! `http/metrics.rs` and `http/page.rs`.

use crate::history::History;
use crate::refusal::Reason;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

/// All counters, shared by everything that answers.
#[derive(Debug)]
pub struct Counters {
    /// When the tracker began.
    pub started: SystemTime,
    /// Requests over HTTP.
    pub http: Transport,
    /// Requests over UDP.
    pub udp: Transport,
    /// HTTP connections.
    pub connections: Connections,
    /// Announces from the internet that were shown nobody, since those that there are have only
    /// addresses that lead nowhere from there.
    pub shown_nobody: Counter,
    /// What the numbers were in the last ten minutes.
    pub history: History,
    refused: [Counter; Reason::ALL.len()],
}

/// What came by one transport. On cache lines of its own, since the other's threads write at the
/// same time.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Transport {
    /// Announces.
    pub announces: Outcomes,
    /// Scrapes.
    pub scrapes: Outcomes,
    /// How long requests took, whatever they asked for.
    pub durations: Durations,
}

/// How something ended.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// With what was asked for.
    pub answered: Counter,
    /// With a refusal.
    pub refused: Counter,
}

/// HTTP connections.
#[derive(Debug, Default)]
pub struct Connections {
    /// Those that were given a place.
    pub opened: Counter,
    /// Those of them that have ended.
    pub closed: Counter,
    /// Those that had to leave, since newcomers found no thread.
    pub evicted: Counter,
    /// Those that were one too many of their address.
    pub turned_away: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// How many requests took how long.
#[derive(Debug, Default)]
pub struct Durations {
    /// One for each of [`Durations::BOUNDS`], and one for what took longer. Each request is in one
    /// of them.
    buckets: [Counter; Durations::BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl Durations {
    /// Upper bounds in nanoseconds, and the same in seconds as text. The small ones tell UDP's
    /// requests apart and the middle ones HTTP's; above are a busy machine and worse.
    pub const BOUNDS: [(u64, &str); 9] = [
        (2_500, "0.0000025"),
        (5_000, "0.000005"),
        (10_000, "0.00001"),
        (25_000, "0.000025"),
        (100_000, "0.0001"),
        (1_000_000, "0.001"),
        (10_000_000, "0.01"),
        (100_000_000, "0.1"),
        (1_000_000_000, "1"),
    ];

    /// A request took so long.
    pub fn add(&self, time: Duration) {
        // 64 bits of nanoseconds last for 584 years, of requests one after the other.
        let time = time.as_secs() * 1_000_000_000 + u64::from(time.subsec_nanos());
        let bucket = Durations::BOUNDS.iter().position(|(most, _)| time <= *most);
        self.buckets[bucket.unwrap_or(Durations::BOUNDS.len())].add();
        self.nanoseconds.fetch_add(time, Relaxed);
    }

    /// How many took no longer than each bound, and how many there were in all.
    pub fn cumulative(&self) -> [u64; Durations::BOUNDS.len() + 1] {
        let mut sum = 0;
        std::array::from_fn(|bucket| {
            sum += self.buckets[bucket].get();
            sum
        })
    }

    /// The nanoseconds that all took together.
    pub fn nanoseconds(&self) -> u64 {
        self.nanoseconds.load(Relaxed)
    }
}

impl Counters {
    /// All zeros.
    pub fn new() -> Arc<Counters> {
        Arc::new(Counters {
            started: SystemTime::now(),
            http: Transport::default(),
            udp: Transport::default(),
            connections: Connections::default(),
            shown_nobody: Counter::default(),
            history: History::new(),
            refused: std::array::from_fn(|_| Counter::default()),
        })
    }

    /// Announces that were answered.
    pub fn answered(&self) -> u64 {
        self.http.announces.answered.get() + self.udp.announces.answered.get()
    }

    /// Carries the history on; for each announce to call before it is counted, and for who looks.
    pub fn advance(&self, now: Duration, peers: impl FnOnce() -> u32) {
        self.history.advance(now, || (self.answered(), peers()));
    }

    /// Something was refused.
    pub fn refuse(&self, reason: Reason) {
        self.refused[reason as usize].add();
    }

    /// How often something was refused for this reason.
    pub fn refused(&self, reason: Reason) -> u64 {
        self.refused[reason as usize].get()
    }

    /// The same for all reasons, with what they are called.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counted = |reason: Reason| (reason.label(), self.refused(reason));
        Reason::ALL.into_iter().map(counted)
    }
}

impl Connections {
    /// A connection begins; it ends when what is returned is dropped.
    pub fn open(&self) -> Open<'_> {
        self.opened.add();
        Open(self)
    }

    /// How many there are now.
    pub fn count(&self) -> u64 {
        // The one that is read first may have grown when the other is read.
        let closed = self.closed.get();
        self.opened.get().saturating_sub(closed)
    }
}

/// A connection that is open.
pub struct Open<'a>(&'a Connections);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.closed.add();
    }
}

#[cfg(test)]
#[path = "counters_tests.rs"]
mod tests;
