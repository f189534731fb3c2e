//! For unit tests: waiting for what another thread does, with a deadline. Those in `tests/` have
//! their own, in `support/vitals.rs`.

use std::thread;
use std::time::{Duration, Instant};

/// For what has to happen, on a busy machine too.
const IN_TIME: Duration = Duration::from_secs(20);

/// Asks again and again until it is so; fails if that is not in time.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + IN_TIME;
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
