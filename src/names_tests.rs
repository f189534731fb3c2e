//! Tests of `names.rs`.

use super::*;
use crate::eventually::eventually;
use std::sync::mpsc;

const NOW: Duration = Duration::from_secs(5);
/// For what has to happen, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// For so long an answer is believed.
const TEN_MINUTES: Duration = Duration::from_secs(600);
/// A deadline that no test lives to see.
const NEVER: Duration = Duration::from_secs(3600);

/// The source number `n`, each a block of its own.
fn source(n: u8) -> IpAddr {
    IpAddr::from([192, 168, 1, n])
}

fn v4() -> IpAddr {
    IpAddr::from([192, 168, 0, 7])
}

/// Names that are resolved at once, but for those that begin with "never": these wait until what
/// is returned beside is dropped.
fn names(deadline: Duration) -> (Names, mpsc::Sender<()>) {
    let (end, is_over) = mpsc::channel::<()>();
    let is_over = Mutex::new(is_over);
    let names = Names::with_deadline(deadline, move |name| {
        if name.starts_with("never") {
            // An error is the end of the test. All wait, the others for the lock.
            let _ = lock(&is_over).recv();
            return Vec::new();
        }
        vec!["fd00::7".parse().unwrap(), v4()]
    });
    (names, end)
}

#[track_caller]
fn is_resolved(names: &Names, name: &str, source: IpAddr) {
    eventually(name, || names.lookup(name, source, NOW) == Some(v4()));
}

fn state(names: &Names) -> std::sync::MutexGuard<'_, State> {
    lock(&names.0.state)
}

#[test]
fn a_lookup_does_not_wait_and_the_next_one_knows() {
    let (give, given) = mpsc::channel::<Vec<IpAddr>>();
    let (ask, asked) = mpsc::channel();
    let given = Mutex::new(given);
    let names = Names::with_deadline(NEVER, move |name| {
        ask.send(name.to_owned()).unwrap();
        lock(&given).recv().unwrap_or_default()
    });
    let next_asked = || asked.recv_timeout(PATIENCE).expect("it is asked for");
    let is_done = || eventually("an answer", || state(&names).running.is_empty());
    let (over_v4, over_v6) = (source(1), "fd00::1".parse().unwrap());
    assert_eq!(names.lookup("box.lan", over_v4, NOW), None);
    assert_eq!(next_asked(), "box.lan");
    assert_eq!(
        names.lookup("box.lan", over_v4, NOW),
        None,
        "asked once only"
    );
    let v6: IpAddr = "fd00::7".parse().unwrap();
    give.send(vec![v6, "::ffff:192.168.0.7".parse().unwrap()])
        .unwrap();
    is_done();
    assert_eq!(names.lookup("box.lan", over_v4, NOW), Some(v4()));
    assert_eq!(names.lookup("box.lan", over_v6, NOW), Some(v6));
    assert_eq!(
        names.lookup("box.lan", over_v4, NOW + TEN_MINUTES),
        Some(v4())
    );
    assert!(asked.try_recv().is_err(), "nor again while it is young");
    let later = NOW + TEN_MINUTES + Duration::from_secs(1);
    assert_eq!(names.lookup("box.lan", over_v6, later), Some(v6), "still");
    assert_eq!(next_asked(), "box.lan", "asked anew");
    names.lookup("box.lan", over_v6, later);
    assert!(state(&names).waiting.is_empty(), "asked once only");
    assert!(state(&names).known["box.lan"].is_awaited);
    give.send(Vec::new()).unwrap();
    is_done();
    assert_eq!(names.lookup("box.lan", over_v6, later), Some(v6), "still");
    let is_asked = |state: &State| !state.waiting.is_empty() || !state.running.is_empty();
    assert!(!is_asked(&state(&names)), "nor again for ten minutes");
    let later = later + TEN_MINUTES + Duration::from_secs(1);
    names.lookup("box.lan", over_v6, later);
    assert_eq!(next_asked(), "box.lan");
    give.send(vec![v4()]).unwrap();
    is_done();
    assert_eq!(names.lookup("box.lan", over_v6, later), Some(v4()));
}

#[test]
fn names_of_one_source_that_never_resolve_are_in_nobodys_way() {
    let (names, _end) = names(NEVER);
    for n in 0..40 {
        names.lookup(&format!("never{n}"), source(1), NOW);
    }
    is_resolved(&names, "box.lan", source(2));
    is_resolved(&names, "other.lan", source(3));
    let state = state(&names);
    assert_eq!(state.running.len(), 1, "a thread for a source");
    assert_eq!(state.waiting.len(), MOST_OF_SOURCE - 1);
}

#[test]
fn names_that_take_too_long_leave_their_turn_to_others() {
    for (deadline, is_in_time) in [(NEVER, false), (Duration::from_millis(20), true)] {
        let (names, _end) = names(deadline);
        for n in 1..=RESOLVERS as u8 {
            names.lookup(&format!("never{n}"), source(n), NOW);
        }
        eventually("threads", || state(&names).running.len() == RESOLVERS);
        let honest = source(100);
        names.lookup("box.lan", honest, NOW);
        if is_in_time {
            is_resolved(&names, "box.lan", honest);
            let given_up = &state(&names).known["never1"];
            assert!(!given_up.is_awaited);
        } else {
            let state = state(&names);
            assert_eq!(
                state.waiting,
                [("box.lan".into(), AddressBlock::of(honest))]
            );
        }
    }
}

#[test]
fn a_name_that_takes_longer_than_an_answer_is_believed_is_not_asked_for_twice() {
    let (names, _end) = names(NEVER);
    names.lookup("never", source(1), NOW);
    eventually("a thread", || state(&names).running.len() == 1);
    names.lookup("never", source(1), NOW + TEN_MINUTES * 2);
    assert!(state(&names).waiting.is_empty());
}

#[test]
fn who_has_room_keeps_what_is_old() {
    let (names, _end) = names(NEVER);
    is_resolved(&names, "box.lan", source(1));
    let later = NOW + TEN_MINUTES * 2;
    names.lookup("other.lan", source(1), later);
    assert_eq!(names.lookup("box.lan", source(1), later), Some(v4()));
}

#[test]
fn the_dispatcher_wakes_for_the_first_that_will_have_taken_too_long() {
    let now = Instant::now();
    for seconds in [[3, 1], [1, 3]] {
        let running = seconds.map(|ago| Running {
            number: ago,
            source: None,
            name: String::new(),
            began: now - Duration::from_secs(ago),
            is_overdue: false,
        });
        let mut state = State {
            running: running.into(),
            ..State::default()
        };
        let next = state.give_up(Duration::from_secs(5), now);
        assert_eq!(next, Some(Duration::from_secs(2)));
    }
}

#[test]
fn the_system_gets_some_seconds_for_a_name() {
    let seconds = Names::system().0.deadline.as_secs();
    assert!((2..=10).contains(&seconds), "{seconds}");
}

#[test]
fn threads_that_never_end_are_bounded() {
    let (names, _end) = names(Duration::from_millis(1));
    for n in 0..60 {
        names.lookup(&format!("never{n}"), source(n), NOW);
    }
    let is_full = || {
        let state = state(&names);
        state.running.iter().filter(|r| r.is_overdue).count() == MOST_THREADS
    };
    eventually("all threads take too long", is_full);
    let state = state(&names);
    assert_eq!(state.running.len(), MOST_THREADS);
    assert_eq!(state.waiting.len(), 60 - MOST_THREADS);
}

#[test]
fn an_answer_that_comes_too_late_is_better_than_none() {
    let (give, given) = mpsc::channel::<()>();
    let given = Mutex::new(given);
    let names = Names::with_deadline(Duration::from_millis(1), move |_| {
        let _ = lock(&given).recv();
        vec![v4()]
    });
    names.lookup("box.lan", source(1), NOW);
    let is_given_up = || state(&names).running.iter().any(|r| r.is_overdue);
    eventually("it takes too long", is_given_up);
    assert_eq!(names.lookup("box.lan", source(1), NOW), None);
    give.send(()).unwrap();
    is_resolved(&names, "box.lan", source(1));
}

#[test]
fn a_source_has_few_places_until_its_names_are_old() {
    let (names, _end) = names(NEVER);
    let ask = |n: usize, now| names.lookup(&format!("n{n}"), source(1), now);
    for n in 0..1000 {
        ask(n, NOW);
    }
    assert_eq!(state(&names).known.len(), MOST_OF_SOURCE);
    let is_idle = || state(&names).known.values().all(|known| !known.is_awaited);
    eventually("answers", is_idle);
    for (now, is_known) in [(NOW + TEN_MINUTES, false), (NOW + TEN_MINUTES + NOW, true)] {
        ask(2000, now);
        assert_eq!(state(&names).known.contains_key("n2000"), is_known);
    }
    // What others have is not forgotten for that.
    names.lookup("box.lan", source(2), NOW);
    eventually("answers", is_idle);
    for n in 3000..3004 {
        ask(n, NOW + TEN_MINUTES * 3);
    }
    assert!(state(&names).known.contains_key("box.lan"));
}

/// A state that is full, `each` names for a source.
fn full(each: usize) -> State {
    let mut state = State::default();
    for n in 0..MOST_KNOWN {
        let block = AddressBlock::of(IpAddr::from([10, 0, 0, (n / each) as u8]));
        let known = Known {
            source: block,
            since: NOW + Duration::from_millis(n as u64),
            is_awaited: false,
            addresses: Vec::new(),
        };
        state.known.insert(format!("n{n}"), known);
    }
    state
}

/// (names of each source, names that the newcomer has) → whether somebody gives way to it.
#[test]
fn where_there_is_no_room_those_give_way_who_have_most() {
    for (each, own, gives_way) in [
        (1, 0, false),
        (2, 0, true),
        (4, 0, true),
        (4, 2, true),
        (4, 3, false),
        (2, 1, false),
    ] {
        let mut state = full(each);
        let newcomer = AddressBlock::of(source(1));
        for n in 0..own {
            let known = state.known.get_mut(&format!("n{}", MOST_KNOWN - 1 - n));
            known.expect("it is full").source = newcomer;
        }
        let has_room = state.make_room("box.lan", newcomer, NOW);
        assert_eq!(has_room, gives_way, "{each} {own}");
        assert_eq!(state.known.len(), MOST_KNOWN - usize::from(gives_way));
        assert_eq!(state.known.contains_key("n0"), !gives_way, "the oldest");
        assert_eq!(state.count(newcomer), own);
    }
    let mut state = full(4);
    state
        .known
        .values_mut()
        .for_each(|known| known.is_awaited = true);
    assert!(!state.make_room("box.lan", None, NOW), "all are awaited");
    let later = NOW + TEN_MINUTES * 2;
    assert!(!state.make_room("box.lan", None, later), "still");
    let mut state = full(2);
    let richest = state.known["n200"].source;
    state.known.get_mut("n202").expect("it is full").source = richest;
    assert!(state.make_room("box.lan", None, NOW));
    assert!(!state.known.contains_key("n200"), "who has most");
    let mut state = full(1);
    let later = NOW + TEN_MINUTES + Duration::from_secs(1);
    assert!(state.make_room("box.lan", None, later), "all are old");
    assert!(state.known.is_empty());
    let mut state = full(1);
    assert!(state.make_room("n7", None, NOW), "it is known already");
    assert_eq!(state.known.len(), MOST_KNOWN);
}

#[test]
fn one_thread_starts_the_others() {
    let (names, _end) = names(NEVER);
    for n in 0..MOST_OF_SOURCE {
        names.lookup(&format!("never{n}"), source(1), NOW);
    }
    eventually("a thread", || state(&names).running.len() == 1);
    // This one, the one that starts others, and the one for the first of the names.
    assert_eq!(Arc::strong_count(&names.0), 3);
}

/// It is overdue once: when it is asked for anew, that one waits for a turn of its own.
#[test]
fn who_has_been_given_up_is_not_given_up_again() {
    let now = Instant::now();
    let mut state = full(1);
    state.running.push(Running {
        number: 1,
        source: None,
        name: "n7".to_owned(),
        began: now,
        is_overdue: false,
    });
    for is_awaited in [false, true] {
        state.known.get_mut("n7").expect("it is full").is_awaited = true;
        assert_eq!(state.give_up(Duration::ZERO, now), None);
        assert!(state.running[0].is_overdue);
        assert_eq!(state.known["n7"].is_awaited, is_awaited);
    }
}
