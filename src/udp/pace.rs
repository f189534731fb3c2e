//! Whether a thread keeps up with its socket, by how much of its time it waits for the next packet;
//! and whether others should help it. What follows is for `sockets.rs` to do.
//!
//! Threads that wait at the same socket cost: every packet wakes another one of them. So there is
//! one, and others come when it does not keep up and stay for as long as that brings more packets.
//! It brings none where the processors are busy with something else, those who ask perhaps.

use std::time::Duration;

/// So long is looked at for a verdict.
const WINDOW: Duration = Duration::from_millis(20);
/// A thread that waits for less than this part of its time does not keep up.
const OVERLOADED: u32 = 8;
/// One that waits for more than this part has little to do.
const IDLE: u32 = 2;

/// What a thread has done lately.
pub struct Pace {
    since: Duration,
    received: u32,
    /// In all receives, and in the one that took least: so long takes one that finds a packet.
    receiving: Duration,
    least: Duration,
}

/// What can be said of a thread that has gone through a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// How it does.
    pub verdict: Verdict,
    /// How many packets it has received.
    pub received: u32,
}

/// How a thread does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It does what there is to do.
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
            received: 0,
            receiving: Duration::ZERO,
            least: Duration::MAX,
        }
    }

    /// Takes into account how long the thread took to receive a packet. Says something once for
    /// each window.
    pub fn received(&mut self, from: Duration, until: Duration) -> Option<Window> {
        let took = until.saturating_sub(from);
        self.received += 1;
        self.receiving += took;
        self.least = self.least.min(took);
        let passed = until.saturating_sub(self.since);
        if passed < WINDOW {
            return None;
        }
        // If there was but one, it was waited for.
        let found = self.least * (self.received - 1);
        let waited = self.receiving.saturating_sub(found);
        let verdict = if waited * OVERLOADED < passed {
            Verdict::Overloaded
        } else if waited * IDLE > passed {
            Verdict::Idle
        } else {
            Verdict::KeepsUp
        };
        let received = self.received;
        *self = Pace::new(until);
        Some(Window { verdict, received })
    }
}

/// So many windows are compared with as many.
const WINDOWS: i32 = 5;
/// For how long nobody is called after one who brought nothing.
const ALONE: Duration = Duration::from_secs(10);

/// How many helpers a socket's own thread wants.
#[derive(Default)]
pub struct Help {
    helpers: u32,
    /// Windows since something changed, or since it last kept up.
    windows: i32,
    /// Packets that all its threads had received when these began.
    began_with: u64,
    /// Those of as many windows before the last helper came, until it is known whether that was of use.
    before: Option<u64>,
    not_before: Duration,
}

impl Help {
    /// How many helpers there should be after a window of the socket's own thread; all its threads
    /// have received so many packets by now.
    pub fn wanted(&mut self, verdict: Verdict, received: u64, now: Duration) -> u32 {
        if verdict != Verdict::Overloaded {
            self.begin(received, None);
            if verdict == Verdict::Idle {
                self.helpers = self.helpers.saturating_sub(1);
            }
            return self.helpers;
        }
        self.windows += 1;
        if self.windows == 0 {
            // Who has come before this window had nothing to tell of it yet.
            self.began_with = received;
        }
        if self.windows < WINDOWS {
            return self.helpers;
        }
        let lately = received - self.began_with;
        match self.before {
            None if now >= self.not_before => {
                self.helpers += 1;
                self.begin(received, Some(lately));
                self.windows = -1;
            }
            // A quarter of what it could bring, at least.
            Some(before) if lately < before + before / u64::from(4 * self.helpers) => {
                self.refused(now);
                self.begin(received, None);
            }
            _ => self.begin(received, None),
        }
        self.helpers
    }

    /// The last helper is not to be had, or of no use.
    pub fn refused(&mut self, now: Duration) {
        self.helpers -= 1;
        self.not_before = now + ALONE;
        self.before = None;
    }

    fn begin(&mut self, received: u64, before: Option<u64>) {
        (self.windows, self.began_with, self.before) = (0, received, before);
    }
}

#[cfg(test)]
#[path = "pace_tests.rs"]
mod tests;
