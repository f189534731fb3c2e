//! The last ten minutes, on a clock that the tests set.

use super::*;
use std::cell::Cell;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Steps as pairs of announces and peers.
fn pairs(history: &History) -> Vec<(u32, u32)> {
    let steps = history.steps().into_iter();
    steps.map(|step| (step.announces, step.peers)).collect()
}

#[test]
fn a_step_is_what_was_counted_in_its_ten_seconds() {
    let history = History::new();
    assert!(!history.advance(at(9), || unreachable!("it is not over")));
    assert_eq!(pairs(&history), []);
    assert!(history.advance(at(10), || (7, 3)));
    assert!(!history.advance(at(19), || unreachable!("it is not over")));
    assert!(history.advance(at(20), || (7, 3)));
    assert!(history.advance(at(39), || (12, 5)));
    // From 30 to 39 nobody came before this one, who is not counted yet.
    assert_eq!(pairs(&history), [(7, 3), (0, 3), (5, 5)]);
    // A thread that has read the clock before the one that closed the step.
    assert!(!history.advance(at(29), || unreachable!("it is over already")));
    assert_eq!(pairs(&history).len(), 3);
}

#[test]
fn ten_minutes_are_remembered_and_no_more() {
    let history = History::new();
    for step in 1..=200 {
        history.advance(at(step * 10), || (step * (step + 1) / 2, step as u32));
        let expected = (1..=step as u32).map(|n| (n, n)).collect::<Vec<_>>();
        let forgotten = expected.len().saturating_sub(60);
        assert_eq!(pairs(&history), expected[forgotten..]);
    }
    assert_eq!((STEPS, SECONDS), (60, 10), "ten minutes");
}

#[test]
fn a_silence_is_zeros_however_long() {
    for (silent, shown) in [(5, 6), (59, 60), (60, 60), (61, 60), (1_000_000_007, 60)] {
        let history = History::new();
        for step in 1..=60 {
            history.advance(at(step * 10), || (step, 9));
        }
        history.advance(at(600 + (silent + 1) * 10), || (100, 4));
        let pairs = pairs(&history);
        assert_eq!(pairs.len(), 60);
        let (before, after) = pairs.split_at(60 - shown as usize);
        assert!(before.iter().all(|pair| *pair == (1, 9)), "{pairs:?}");
        // The 40 of the step that was open when the silence began, if it is not too long ago.
        let busy = if silent < 60 { 40 } else { 0 };
        assert_eq!(after[0], (busy, 4), "{silent}");
        assert!(after[1..].iter().all(|pair| *pair == (0, 4)), "{pairs:?}");
    }
}

#[test]
fn of_many_threads_one_closes_a_step() {
    let history = History::new();
    let closed = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for step in 0..5_000 {
                    let look = || {
                        closed.fetch_add(1, Relaxed);
                        (0, step as u32)
                    };
                    history.advance(at(step * 10), look);
                }
            });
        }
    });
    assert!((1..5_000).contains(&closed.load(Relaxed)));
    assert_eq!(history.steps().len(), 60);
    let one = Cell::new(0);
    history.advance(at(60_000), || (1, one.replace(1)));
    assert_eq!(one.get(), 1);
}
