//! Tests of `gate/acceptors.rs`.

use super::*;
use std::sync::{Arc, mpsc};

#[test]
fn few_wait_and_the_others_get_up_when_those_are_taken() {
    let acceptors = Arc::new(Acceptors::default());
    let (up, is_up) = mpsc::channel();
    for _ in 0..100 {
        let (acceptors, up) = (Arc::clone(&acceptors), up.clone());
        std::thread::spawn(move || {
            acceptors.thread_is_free();
            up.send(()).unwrap();
        });
    }
    // Whoever waits is taken; in the end all have been, though most rested.
    for taken in 1..=100 {
        is_up.recv().unwrap();
        assert_eq!(
            acceptors.thread_is_taken(),
            !acceptors.is_exhausted(),
            "{taken}"
        );
    }
    assert!(acceptors.is_exhausted());
}

#[test]
fn no_more_than_so_many_wait() {
    let acceptors = Arc::new(Acceptors::default());
    (0..MOST_WAITING).for_each(|_| acceptors.thread_is_free());
    let other = Arc::clone(&acceptors);
    let (up, is_up) = mpsc::channel();
    std::thread::spawn(move || {
        other.thread_is_free();
        up.send(()).unwrap();
    });
    for _ in LEAST_WAITING..=MOST_WAITING {
        assert!(is_up.try_recv().is_err(), "it rests");
        assert!(acceptors.thread_is_taken());
    }
    is_up.recv().unwrap();
}
