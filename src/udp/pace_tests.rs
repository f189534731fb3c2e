//! Tests of `pace.rs`.

use super::*;

/// The verdict on a thread that waits and works in turns, so many microseconds each.
fn verdict(wait: u64, work: u64) -> Verdict {
    let mut now = Duration::from_secs(600);
    let begin = now;
    let mut pace = Pace::new(now);
    loop {
        let from = now;
        now += Duration::from_micros(wait);
        let verdict = pace.waited(from, now);
        if now >= begin + WINDOW {
            return verdict;
        }
        assert_eq!(verdict, Verdict::KeepsUp, "too early to say");
        now += Duration::from_micros(work);
    }
}

#[test]
fn a_thread_is_judged_by_its_waiting() {
    for (wait, work, expected) in [
        (0, 5, Verdict::Overloaded),
        (1, 20, Verdict::Overloaded),
        (1, 10, Verdict::KeepsUp),
        (5, 6, Verdict::KeepsUp),
        (6, 5, Verdict::Idle),
        (5_000_000, 5, Verdict::Idle),
    ] {
        assert_eq!(verdict(wait, work), expected, "{wait} {work}");
    }
}

#[test]
fn each_window_is_judged_by_itself() {
    let at = Duration::from_secs(600);
    let mut pace = Pace::new(at);
    assert_eq!(pace.waited(at, at + WINDOW), Verdict::Idle);
    let at = at + WINDOW * 2;
    assert_eq!(pace.waited(at, at), Verdict::Overloaded);
}
