//! Which of a listener's threads wait for newcomers, which rest, and when one is no longer needed.
//!
//! The system hands newcomers to waiting threads in turn. With all of some hundred threads
//! waiting, each newcomer would be met by the one that has slept for longest, with none of its
//! memory in the processor's caches. So a few wait and take turns, and the others rest until those
//! become scarce, because their clients are slow; who rests in vain for some seconds ends. Who
//! starts new ones is `connections.rs`; connections do not live here.

use crate::lock::lock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A thread that comes back rests if so many wait.
pub const MOST_WAITING: usize = 24;
/// A resting thread gets up if fewer wait.
const LEAST_WAITING: usize = 8;
/// A thread that has rested for so long ends.
const REST: Duration = Duration::from_secs(5);

/// The threads of one listener.
#[derive(Default)]
pub struct Acceptors {
    waiting: AtomicUsize,
    /// Those of them that pause, since their accept has failed.
    pausing: AtomicUsize,
    /// Changed under the lock only; read without it, to spare a system call for each newcomer.
    resting: AtomicUsize,
    resting_lock: Mutex<()>,
    wake: Condvar,
}

impl Acceptors {
    /// A thread is about to wait for a newcomer. It rests here first if enough others wait.
    /// Returns whether it is still needed.
    pub fn thread_is_free(&self) -> bool {
        // One that comes from a client has just freed a descriptor, where those are short: it tries
        // at once, whoever pauses.
        let waiting = self.waiting.load(SeqCst);
        if waiting.saturating_sub(self.pausing.load(SeqCst)) >= MOST_WAITING {
            let end = Instant::now() + REST;
            let mut resting_lock = lock(&self.resting_lock);
            self.resting.fetch_add(1, SeqCst);
            // Who takes a newcomer counts down `waiting` before it looks at `resting`, and this
            // counts up `resting` before it looks at `waiting`: one of them sees the other.
            while self.waiting.load(SeqCst) >= LEAST_WAITING {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    self.resting.fetch_sub(1, SeqCst);
                    return false;
                }
                let woken = self.wake.wait_timeout(resting_lock, left);
                resting_lock = woken.unwrap_or_else(PoisonError::into_inner).0;
            }
            self.resting.fetch_sub(1, SeqCst);
        }
        self.waiting.fetch_add(1, SeqCst);
        true
    }

    /// A thread is being started that will wait for a newcomer.
    pub fn thread_is_coming(&self) {
        self.waiting.fetch_add(1, SeqCst);
    }

    /// It could not be started.
    pub fn thread_is_not_coming(&self) {
        self.waiting.fetch_sub(1, SeqCst);
    }

    /// A thread that waits does something else for a moment, since its accept has failed. It counts
    /// as one that waits: were it not, others would be started, or get up, to meet the same.
    pub fn pause(&self, pause: impl FnOnce()) {
        self.pausing.fetch_add(1, SeqCst);
        pause();
        self.pausing.fetch_sub(1, SeqCst);
    }

    /// A thread has got a newcomer. Returns how many others are left for the next.
    pub fn thread_is_taken(&self) -> usize {
        let left = self.waiting.fetch_sub(1, SeqCst) - 1;
        let resting = self.resting.load(SeqCst);
        if left < LEAST_WAITING && resting > 0 {
            // With the lock, or the thread might be between its look and its rest.
            drop(lock(&self.resting_lock));
            self.wake.notify_one();
        }
        left + resting
    }

    /// How many threads there are for newcomers.
    pub fn free(&self) -> usize {
        self.waiting.load(SeqCst) + self.resting.load(SeqCst)
    }
}

#[cfg(test)]
#[path = "acceptors_tests.rs"]
mod tests;
