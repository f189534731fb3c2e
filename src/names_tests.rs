//! Tests of `names.rs`.

use super::*;
use std::sync::mpsc;

/// Names whose resolver waits for each answer until the test gives it, and says when the
/// name after it is asked for.
fn names() -> (Names, mpsc::Sender<Vec<IpAddr>>, mpsc::Receiver<String>) {
    let (give, given) = mpsc::channel();
    let (ask, asked) = mpsc::channel();
    let given = Mutex::new(given);
    let names = Names::new(move |name| {
        ask.send(name.to_owned()).unwrap();
        given.lock().unwrap().recv().unwrap()
    });
    (names, give, asked)
}

const NOW: Duration = Duration::from_secs(5);

#[test]
fn a_lookup_does_not_wait_and_the_next_one_knows() {
    let (names, give, asked) = names();
    assert_eq!(names.lookup("box.lan", false, NOW), None);
    assert_eq!(asked.recv().unwrap(), "box.lan");
    assert_eq!(names.lookup("box.lan", false, NOW), None, "asked once only");
    let v4: IpAddr = "192.168.0.7".parse().unwrap();
    let v6: IpAddr = "fd00::7".parse().unwrap();
    give.send(vec![v6, "::ffff:192.168.0.7".parse().unwrap()])
        .unwrap();
    // The thread takes up the next name only after it has stored the first one's answer.
    names.lookup("other", false, NOW);
    assert_eq!(asked.recv().unwrap(), "other");
    assert_eq!(names.lookup("box.lan", false, NOW), Some(v4));
    assert_eq!(names.lookup("box.lan", true, NOW), Some(v6));
    let later = NOW + LIFE + Duration::from_secs(1);
    assert_eq!(names.lookup("box.lan", true, later), Some(v6), "still");
    give.send(Vec::new()).unwrap();
    assert_eq!(asked.recv().unwrap(), "box.lan", "asked anew");
    give.send(vec![v4]).unwrap();
    names.lookup("another", false, later);
    assert_eq!(asked.recv().unwrap(), "another");
    assert_eq!(names.lookup("box.lan", true, later), Some(v4));
}

#[test]
fn what_waits_and_what_is_known_is_bounded() {
    let (names, _give, asked) = names();
    names.lookup("first", false, NOW);
    asked.recv().unwrap();
    for n in 0..10_000 {
        names.lookup(&format!("n{n}"), false, NOW);
    }
    let state = lock(&names.0.state);
    assert_eq!(state.waiting.len(), MOST_WAITING);
    assert_eq!(state.known.len(), MOST_WAITING + 1);
}
