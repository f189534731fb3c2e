//! The last ten minutes in steps of ten seconds: how many announces were answered in each, and how
//! many peers were stored at its end.
//!
//! There is no timer: the first request of a step closes the one before, and every other request
//! reads one number and goes on. What it looks like is for `http/graph.rs` to say.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

/// How many steps are remembered.
pub const STEPS: usize = 60;
/// How long one is, in seconds.
pub const SECONDS: u32 = 10;

/// One step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Step {
    /// Announces that were answered.
    pub announces: u32,
    /// Peers at its end.
    pub peers: u32,
}

/// The steps, written and read without a lock.
#[derive(Debug)]
pub struct History {
    /// The step that has begun, counted from the tracker's start; whoever raises it has to write
    /// down those before.
    begun: AtomicU32,
    /// The steps below this have been written down.
    written: AtomicU32,
    /// Announces that had been answered when the step began.
    answered: AtomicU64,
    /// A step is at its number modulo [`STEPS`]: announces in the upper half, peers in the lower.
    steps: [AtomicU64; STEPS],
}

impl History {
    /// Of a tracker that begins.
    pub fn new() -> History {
        History {
            begun: AtomicU32::new(0),
            written: AtomicU32::new(0),
            answered: AtomicU64::new(0),
            steps: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Notes what time it is; for every request to call, before it is counted. If a step is over,
    /// `look` is asked how many announces have been answered so far, and how many peers there are.
    /// Returns whether that was so.
    pub fn advance(&self, now: Duration, look: impl FnOnce() -> (u64, u32)) -> bool {
        // 32 bits of steps last for 1,361 years.
        let step = (now.as_secs() / u64::from(SECONDS)) as u32;
        let begun = self.begun.load(Relaxed);
        let is_over = step > begun;
        if !is_over
            || self
                .begun
                .compare_exchange(begun, step, Relaxed, Relaxed)
                .is_err()
        {
            return false;
        }
        let (answered, peers) = look();
        let before = self.answered.swap(answered, AcqRel);
        let announces = answered.saturating_sub(before).min(u32::MAX.into());
        let first = begun.max(step.saturating_sub(STEPS as u32));
        for closed in first..step {
            // Whoever came after `begun` would have closed it: all of them came in that one.
            let announces = if closed == begun { announces } else { 0 };
            let both = announces << 32 | u64::from(peers);
            self.steps[closed as usize % STEPS].store(both, Relaxed);
        }
        self.written.store(step, Release);
        true
    }

    /// The steps that are over, the oldest first; fewer than [`STEPS`] while the tracker is young.
    pub fn steps(&self) -> Vec<Step> {
        let end = self.written.load(Acquire);
        let steps = end.saturating_sub(STEPS as u32)..end;
        let read = |step| {
            let both = self.steps[step as usize % STEPS].load(Relaxed);
            Step {
                announces: (both >> 32) as u32,
                peers: both as u32,
            }
        };
        steps.map(read).collect()
    }
}

impl Default for History {
    fn default() -> History {
        History::new()
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
