//! Tests of `gate/acceptors.rs`.

use super::*;
use crate::eventually::eventually;
use std::sync::{Arc, mpsc};

/// For what has to happen, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn few_wait_and_the_others_get_up_when_those_are_taken() {
    let acceptors = Arc::new(Acceptors::default());
    let (up, is_up) = mpsc::channel();
    for _ in 0..100 {
        let (acceptors, up) = (Arc::clone(&acceptors), up.clone());
        std::thread::spawn(move || up.send(acceptors.thread_is_free()));
    }
    // Whoever waits is taken; in the end all have been, though most rested.
    for taken in 1..=100 {
        assert!(
            is_up.recv_timeout(PATIENCE).expect("one gets up"),
            "{taken}"
        );
        acceptors.thread_is_taken();
    }
    assert_eq!(acceptors.free(), 0);
}

/// Where descriptors are short: it has just freed one, and those that wait do not look.
#[test]
fn who_comes_from_a_client_does_not_rest_while_the_others_pause() {
    let acceptors = Acceptors::default();
    (0..MOST_WAITING).for_each(|_| assert!(acceptors.thread_is_free()));
    acceptors.pause(|| {
        let begin = Instant::now();
        assert!(acceptors.thread_is_free());
        assert!(begin.elapsed() < REST, "it has rested");
        assert_eq!(acceptors.free(), MOST_WAITING + 1, "all of them wait");
    });
    assert_eq!(acceptors.pausing.load(SeqCst), 0);
}

/// A thread that comes back, and what it hears.
fn comes_back(acceptors: &Arc<Acceptors>) -> mpsc::Receiver<bool> {
    let acceptors = Arc::clone(acceptors);
    let (up, is_up) = mpsc::channel();
    std::thread::spawn(move || up.send(acceptors.thread_is_free()));
    is_up
}

#[test]
fn of_many_some_wait_and_who_rests_in_vain_ends() {
    let acceptors = Arc::new(Acceptors::default());
    let begin = Instant::now();
    let all: Vec<_> = (0..100).map(|_| comes_back(&acceptors)).collect();
    eventually("all are there", || acceptors.free() == 100);
    let waiting = acceptors.waiting.load(SeqCst);
    assert!((16..=48).contains(&waiting), "{waiting}");
    let heard = all.iter().map(|is_up| is_up.recv_timeout(2 * PATIENCE));
    let ended = heard.filter(|is_needed| !is_needed.expect("none rests for ever"));
    assert_eq!(ended.count(), 100 - waiting);
    assert!(
        begin.elapsed() >= Duration::from_secs(1),
        "they did not rest"
    );
    assert_eq!(acceptors.free(), waiting);
}

/// When few are left, and not when it has rested. Of some tries, since a machine may be busy.
#[test]
fn who_rests_gets_up_in_time_for_the_newcomers() {
    let is_up_in_time = || {
        let acceptors = Arc::new(Acceptors::default());
        // More than rest, as happens where several come back at the same moment.
        (0..40).for_each(|_| acceptors.thread_is_coming());
        let is_up = comes_back(&acceptors);
        eventually("it rests", || acceptors.resting.load(SeqCst) == 1);
        // Not one after the other, since each might wake it, and late.
        acceptors.waiting.store(9, SeqCst);
        assert!(is_up.try_recv().is_err(), "there are enough");
        for _ in 0..6 {
            acceptors.thread_is_taken();
        }
        is_up.recv_timeout(REST / 2) == Ok(true)
    };
    assert!((0..3).any(|_| is_up_in_time()));
}
