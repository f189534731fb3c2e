//! Proxies that are not trusted and bring one announce after the other: most likely the operator's
//! own, and `--trust-proxy` was forgotten. Here it is counted when that is worth a line in the log.

use crate::address::Reach;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many announces within the time below are no single client behind a proxy of its own, which
/// would announce every few minutes.
const MANY: u32 = 10;
const WITHIN: Duration = Duration::from_secs(600);
/// Addresses told of at most.
const MOST: usize = 8;

/// Who was told of, and who may be the next.
#[derive(Default)]
pub struct Strangers(Mutex<State>);

#[derive(Default)]
struct State {
    told: Vec<IpAddr>,
    /// One at a time; another has its turn when the time is over.
    next: Option<IpAddr>,
    since: Duration,
    /// Announces since then.
    count: u32,
}

impl Strangers {
    /// Counts an announce that a proxy at `ip` has brought. Returns whether it is time to tell:
    /// once for an address, and only for loopback and private ones, since a proxy in the internet
    /// is not the operator's.
    pub fn note(&self, ip: IpAddr, now: Duration) -> bool {
        if Reach::of(ip) == Reach::Global {
            return false;
        }
        // Nothing panics half-way through a change.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.told.contains(&ip) || state.told.len() >= MOST {
            return false;
        }
        if state.next.is_none() || now.saturating_sub(state.since) > WITHIN {
            (state.next, state.since, state.count) = (Some(ip), now, 0);
        }
        if state.next != Some(ip) {
            return false;
        }
        state.count += 1;
        let is_time = state.count == MANY;
        if is_time {
            state.next = None;
            state.told.push(ip);
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(5);

    /// Which of `announces`, counted from 1, are worth a line.
    fn told(strangers: &Strangers, ip: &str, announces: u32, now: Duration) -> Vec<u32> {
        let ip = ip.parse().unwrap();
        (1..=announces)
            .filter(|_| strangers.note(ip, now))
            .collect()
    }

    #[test]
    fn each_private_address_is_told_of_once() {
        let strangers = Strangers::default();
        for ip in ["10.0.0.2", "127.0.0.1", "fd00::2"] {
            assert_eq!(told(&strangers, ip, 100, NOW), [MANY], "{ip}");
            assert_eq!(told(&strangers, ip, 100, NOW + WITHIN * 2), [0; 0], "{ip}");
        }
        assert_eq!(told(&strangers, "203.0.113.7", 100, NOW), [0; 0]);
    }

    #[test]
    fn a_few_announces_now_and_then_are_not_told_of() {
        let strangers = Strangers::default();
        for minute in 0..20 {
            let now = NOW + (WITHIN + Duration::from_secs(1)) * minute;
            assert_eq!(told(&strangers, "10.0.0.2", MANY - 1, now), [0; 0]);
        }
    }

    #[test]
    fn a_single_client_is_not_in_a_proxys_way_for_long() {
        let strangers = Strangers::default();
        assert_eq!(told(&strangers, "10.0.0.9", 1, NOW), [0; 0]);
        assert_eq!(told(&strangers, "10.0.0.2", 100, NOW), [0; 0]);
        assert_eq!(told(&strangers, "10.0.0.2", 100, NOW + WITHIN * 2), [MANY]);
    }

    #[test]
    fn the_first_few_are_told_of_and_then_nobody() {
        let strangers = Strangers::default();
        let all = (0..100).flat_map(|n| told(&strangers, &format!("10.0.0.{n}"), MANY, NOW));
        assert_eq!(all.collect::<Vec<_>>(), [MANY; MOST]);
    }
}
