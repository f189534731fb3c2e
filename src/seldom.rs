//! Something that goes on and on, and is worth a line in the log only once in a while.

use crate::lock::lock;
use std::sync::Mutex;
use std::time::Duration;

/// Between two lines.
const PAUSE: Duration = Duration::from_secs(10 * 60);

/// When it was told last.
#[derive(Default)]
pub struct Seldom(Mutex<Option<Duration>>);

impl Seldom {
    /// It happens; whether it is time to tell.
    pub fn is_time(&self, now: Duration) -> bool {
        let mut told = lock(&self.0);
        let is_time = told.is_none_or(|at| now.saturating_sub(at) >= PAUSE);
        if is_time {
            *told = Some(now);
        }
        is_time
    }
}

#[cfg(test)]
#[path = "seldom_tests.rs"]
mod tests;
