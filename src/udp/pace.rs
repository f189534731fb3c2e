//! Whether a thread keeps up with its socket, by how much of its time it waits for the next packet.
//! What follows is for `sockets.rs` to say.

use std::time::Duration;

/// So long is looked at for a verdict.
const WINDOW: Duration = Duration::from_millis(20);
/// A thread that waits for less than this part of its time does not keep up.
const OVERLOADED: u32 = 16;
/// One that waits for more than this part has little to do.
const IDLE: u32 = 2;

/// What a thread has done lately.
pub struct Pace {
    since: Duration,
    waited: Duration,
}

/// What can be said of a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It does what there is to do; or it is too early to say.
    KeepsUp,
    /// There is always another packet.
    Overloaded,
    /// It waits most of the time.
    Idle,
}

impl Pace {
    /// Of a thread that begins `now`.
    pub fn new(now: Duration) -> Pace {
        Pace {
            since: now,
            waited: Duration::ZERO,
        }
    }

    /// Takes into account that the thread waited for a packet, and says how it is doing, once for
    /// each window.
    pub fn waited(&mut self, from: Duration, until: Duration) -> Verdict {
        self.waited += until.saturating_sub(from);
        let passed = until.saturating_sub(self.since);
        if passed < WINDOW {
            return Verdict::KeepsUp;
        }
        let waited = self.waited;
        *self = Pace::new(until);
        if waited * OVERLOADED < passed {
            Verdict::Overloaded
        } else if waited * IDLE > passed {
            Verdict::Idle
        } else {
            Verdict::KeepsUp
        }
    }
}

#[cfg(test)]
#[path = "pace_tests.rs"]
mod tests;
