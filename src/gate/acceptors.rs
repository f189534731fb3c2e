//! Which of a listener's threads wait for newcomers, and which rest.
//!
//! The system hands newcomers to waiting threads in turn. With all of some hundred threads
//! waiting, each newcomer would be met by the one that has slept for longest, with none of its
//! memory in the processor's caches. So a few wait and take turns, and the others rest until those
//! become scarce, because their clients are slow. Connections do not live here.

use crate::lock::{lock, wait};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex};

/// A thread that comes back rests if so many wait.
const MOST_WAITING: usize = 24;
/// A resting thread gets up if fewer wait.
const LEAST_WAITING: usize = 8;

/// The threads of one listener.
#[derive(Default)]
pub struct Acceptors {
    waiting: AtomicUsize,
    /// Changed under the lock only; read without it, to spare a system call for each newcomer.
    resting: AtomicUsize,
    resting_lock: Mutex<()>,
    wake: Condvar,
}

impl Acceptors {
    /// A thread is about to wait for a newcomer. It rests here first if enough others wait.
    pub fn thread_is_free(&self) {
        if self.waiting.load(SeqCst) >= MOST_WAITING {
            let mut resting_lock = lock(&self.resting_lock);
            self.resting.fetch_add(1, SeqCst);
            // Who takes a newcomer counts down `waiting` before it looks at `resting`, and this
            // counts up `resting` before it looks at `waiting`: one of them sees the other.
            while self.waiting.load(SeqCst) >= LEAST_WAITING {
                resting_lock = wait(&self.wake, resting_lock);
            }
            self.resting.fetch_sub(1, SeqCst);
        }
        self.waiting.fetch_add(1, SeqCst);
    }

    /// A thread has got a newcomer. Returns whether others are left for the next.
    pub fn thread_is_taken(&self) -> bool {
        let left = self.waiting.fetch_sub(1, SeqCst) - 1;
        let resting = self.resting.load(SeqCst);
        if left < LEAST_WAITING && resting > 0 {
            // With the lock, or the thread might be between its look and its rest.
            drop(lock(&self.resting_lock));
            self.wake.notify_one();
        }
        left > 0 || resting > 0
    }

    /// Whether no thread is left for a newcomer.
    pub fn is_exhausted(&self) -> bool {
        self.waiting.load(SeqCst) == 0 && self.resting.load(SeqCst) == 0
    }
}

#[cfg(test)]
#[path = "acceptors_tests.rs"]
mod tests;
