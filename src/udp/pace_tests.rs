//! Tests of `pace.rs`.

use super::*;
use Verdict::{Idle, KeepsUp, Overloaded};

/// The verdict on a thread whose receives take so many tenths of a microsecond in turn, and what it
/// does after each, 2 microseconds.
fn verdict(receives: &[u64]) -> Verdict {
    let mut now = Duration::from_secs(600);
    let begin = now;
    let mut pace = Pace::new(now);
    for (count, tenths) in (1..).zip(receives.iter().cycle()) {
        let from = now;
        now += Duration::from_nanos(100 * tenths);
        let window = pace.received(from, now);
        if now >= begin + WINDOW {
            let Window { verdict, received } = window.expect("it is over");
            assert_eq!(received, count);
            return verdict;
        }
        assert_eq!(window, None, "too early to say");
        now += Duration::from_micros(2);
    }
    unreachable!("the receives go on for ever")
}

#[test]
fn a_thread_is_judged_by_its_waiting() {
    for (receives, expected) in [
        // A receive takes its time even if there is a packet.
        (&[10][..], Overloaded),
        (&[50], Overloaded),
        (&[10, 11, 12], Overloaded),
        (&[10, 10, 10, 20], Overloaded),
        (&[10, 10, 10, 40], KeepsUp),
        (&[10, 30], KeepsUp),
        (&[10, 200], Idle),
        (&[50_000_000], Idle),
    ] {
        assert_eq!(verdict(receives), expected, "{receives:?}");
    }
}

#[test]
fn each_window_is_judged_by_itself() {
    let at = Duration::from_secs(600);
    let mut pace = Pace::new(at);
    let mut judge = |from, until| pace.received(from, until).map(|window| window.verdict);
    assert_eq!(judge(at, at + WINDOW), Some(Idle));
    let at = at + WINDOW * 2;
    assert_eq!(judge(at, at), Some(Overloaded));
}

#[test]
fn an_eighth_of_waiting_is_enough_to_keep_up_and_a_half_is_not_idle() {
    for (waited, expected) in [
        (2_499, Overloaded),
        (2_500, KeepsUp),
        (10_000, KeepsUp),
        (10_001, Idle),
    ] {
        let begin = Duration::from_secs(600);
        let (from, until) = (
            begin + Duration::from_micros(20_000 - waited),
            begin + WINDOW,
        );
        let window = Pace::new(begin).received(from, until);
        assert_eq!(
            window.map(|window| window.verdict),
            Some(expected),
            "{waited}"
        );
    }
}

/// A socket's own thread, window after window.
struct Thread {
    help: Help,
    received: u64,
    now: Duration,
}

impl Thread {
    fn new() -> Thread {
        Thread {
            help: Help::default(),
            received: 0,
            now: Duration::from_secs(600),
        }
    }

    /// Goes through a window with so many packets. Returns how many helpers it wants.
    fn window(&mut self, verdict: Verdict, received: u64) -> u32 {
        self.now += WINDOW;
        self.received += received;
        self.help.wanted(verdict, self.received, self.now)
    }

    /// Windows until it wants so many helpers; each helper brings as much as that.
    fn until(&mut self, wanted: u32, alone: u64, each: u64) -> u32 {
        let mut helpers = self.help.helpers;
        for windows in 1..1_000 {
            helpers = self.window(Overloaded, alone + each * u64::from(helpers));
            if helpers == wanted {
                return windows;
            }
        }
        panic!("still {helpers}");
    }
}

#[test]
fn who_does_not_keep_up_is_helped_as_long_as_that_brings_more() {
    let mut thread = Thread::new();
    assert_eq!(thread.until(1, 100, 100), 5);
    // One that has come, the windows in which it is compared, and as many until the next is called.
    assert_eq!(thread.until(2, 100, 100), 11);
    assert_eq!(thread.until(3, 100, 100), 11);
    for _ in 0..100 {
        assert_eq!(thread.window(KeepsUp, 400), 3, "they stay");
    }
    for left in [2, 1, 0, 0] {
        assert_eq!(thread.window(Idle, 10), left);
    }
}

#[test]
fn a_helper_who_brings_nothing_leaves_and_the_next_is_tried_later() {
    let mut thread = Thread::new();
    // A quarter more is enough for the first, an eighth for the second.
    for (alone, each) in [(100, 24), (100, 0)] {
        thread.until(1, alone, each);
        assert_eq!(thread.until(0, alone, each), 6);
        let windows = thread.until(1, alone, each);
        let later = windows * WINDOW;
        assert!((9..=11).contains(&later.as_secs()), "{later:?}");
        assert_eq!(thread.until(0, alone, each), 6);
        thread.now += ALONE;
    }
    thread.until(1, 100, 25);
    thread.until(2, 100, 25);
    assert_eq!(thread.window(Overloaded, 0), 2, "it has had no time yet");
}

#[test]
fn who_keeps_up_now_and_then_calls_nobody() {
    let mut thread = Thread::new();
    for _ in 0..100 {
        for _ in 0..4 {
            assert_eq!(thread.window(Overloaded, 100), 0);
        }
        assert_eq!(thread.window(KeepsUp, 100), 0);
    }
}

#[test]
fn a_helper_that_is_not_to_be_had_is_not_asked_for_at_once() {
    let mut thread = Thread::new();
    thread.until(1, 100, 100);
    thread.help.refused(thread.now);
    let windows = thread.until(1, 100, 100);
    let later = windows * WINDOW;
    assert!((9..=11).contains(&later.as_secs()), "{later:?}");
}

/// Of the window in which it comes nothing is said, but all of the next five count.
#[test]
fn a_helper_is_judged_by_the_five_windows_after_the_one_in_which_it_came() {
    for (received, stays) in [([305, 80, 80, 80, 80], 1), ([304, 80, 80, 80, 80], 0)] {
        let mut thread = Thread::new();
        thread.until(1, 100, 0);
        thread.window(Overloaded, 9_999);
        let wanted = received.map(|received| thread.window(Overloaded, received));
        assert_eq!(wanted, [1, 1, 1, 1, stays]);
    }
}

/// Each of them could bring a part of what there is: of the second it is enough if that is an
/// eighth, of the fifth a twentieth.
#[test]
fn the_more_helpers_there_are_the_less_is_enough() {
    for (helpers, before, enough) in [(2, 800, 900), (5, 2_000, 2_100)] {
        for (each, stays) in [(enough, helpers), (enough - 1, helpers - 1)] {
            let mut thread = Thread::new();
            thread.help.helpers = helpers - 1;
            assert_eq!(thread.until(helpers, before, 0), 5);
            thread.window(Overloaded, 0);
            let wanted = [each; 5].map(|each| thread.window(Overloaded, each));
            assert_eq!(wanted[4], stays, "{helpers} {each}");
        }
    }
}
