//! Tests of `gate/acceptors.rs`.

use super::*;
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

#[test]
fn no_more_than_so_many_wait_and_who_rests_in_vain_ends() {
    let acceptors = Arc::new(Acceptors::default());
    (0..MOST_WAITING).for_each(|_| assert!(acceptors.thread_is_free()));
    let rests = |acceptors: &Arc<Acceptors>| {
        let acceptors = Arc::clone(acceptors);
        let (up, is_up) = mpsc::channel();
        std::thread::spawn(move || up.send(acceptors.thread_is_free()));
        is_up
    };
    let is_up = rests(&acceptors);
    for _ in LEAST_WAITING..=MOST_WAITING {
        assert!(is_up.try_recv().is_err(), "it rests");
        acceptors.thread_is_taken();
    }
    assert_eq!(is_up.recv_timeout(PATIENCE), Ok(true));

    while acceptors.free() < MOST_WAITING {
        assert!(acceptors.thread_is_free());
    }
    let begin = Instant::now();
    let is_needed = rests(&acceptors).recv_timeout(REST + PATIENCE);
    assert_eq!(is_needed, Ok(false), "it rested in vain");
    assert!(begin.elapsed() >= REST);
    assert_eq!(acceptors.free(), MOST_WAITING);
}
