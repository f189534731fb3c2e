//! Which of a listener's threads wait for newcomers, and which rest.
//!
//! The system hands newcomers to waiting threads in turn. With all of some hundred threads
//! waiting, each newcomer would be met by the one that has slept for longest, with none of its
//! memory in the processor's caches. So a few wait and take turns, and the others rest until those
//! become scarce, because their clients are slow. Connections do not live here.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};

/// A thread that comes back rests if so many wait.
const MOST_WAITING: usize = 24;
/// A resting thread gets up if fewer wait.
const LEAST_WAITING: usize = 8;

/// The threads of one listener.
#[derive(Default)]
pub struct Roster {
    waiting: AtomicUsize,
    /// Changed under the lock only; read without it, to spare a system call for each newcomer.
    resting: AtomicUsize,
    bed: Mutex<()>,
    get_up: Condvar,
}

impl Roster {
    /// A thread is about to wait for a newcomer. It rests here first if enough others wait.
    pub fn thread_is_free(&self) {
        if self.waiting.load(SeqCst) >= MOST_WAITING {
            let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
            self.resting.fetch_add(1, SeqCst);
            // Who takes a newcomer counts down `waiting` before it looks at `resting`, and this
            // counts up `resting` before it looks at `waiting`: one of them sees the other.
            while self.waiting.load(SeqCst) >= LEAST_WAITING {
                bed = self
                    .get_up
                    .wait(bed)
                    .unwrap_or_else(PoisonError::into_inner);
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
            drop(self.bed.lock().unwrap_or_else(PoisonError::into_inner));
            self.get_up.notify_one();
        }
        left > 0 || resting > 0
    }

    /// Whether no thread is left for a newcomer.
    pub fn is_exhausted(&self) -> bool {
        self.waiting.load(SeqCst) == 0 && self.resting.load(SeqCst) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, mpsc};

    #[test]
    fn few_wait_and_the_others_get_up_when_those_are_taken() {
        let roster = Arc::new(Roster::default());
        let (up, is_up) = mpsc::channel();
        for _ in 0..100 {
            let (roster, up) = (Arc::clone(&roster), up.clone());
            std::thread::spawn(move || {
                roster.thread_is_free();
                up.send(()).unwrap();
            });
        }
        // Whoever waits is taken; in the end all have been, though most rested.
        for taken in 1..=100 {
            is_up.recv().unwrap();
            assert_eq!(roster.thread_is_taken(), !roster.is_exhausted(), "{taken}");
        }
        assert!(roster.is_exhausted());
    }

    #[test]
    fn no_more_than_so_many_wait() {
        let roster = Arc::new(Roster::default());
        (0..MOST_WAITING).for_each(|_| roster.thread_is_free());
        let other = Arc::clone(&roster);
        let (up, is_up) = mpsc::channel();
        std::thread::spawn(move || {
            other.thread_is_free();
            up.send(()).unwrap();
        });
        for _ in LEAST_WAITING..=MOST_WAITING {
            assert!(is_up.try_recv().is_err(), "it rests");
            assert!(roster.thread_is_taken());
        }
        is_up.recv().unwrap();
    }
}
