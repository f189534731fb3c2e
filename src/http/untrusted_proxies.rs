//! Proxies that are not trusted and bring one announce after the other: most likely the operator's
//! own, and `--trust-proxy` was forgotten. Here it is counted when that is worth a line in the log.

use crate::address::Scope;
use crate::lock::lock;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

/// So many announces within the time below are no single client behind a proxy of its own, which
/// would announce every few minutes.
const MANY: u32 = 10;
const WITHIN: Duration = Duration::from_secs(600);
/// Addresses told of at most.
const MOST: usize = 8;

/// Who was told of, and who may be the next.
#[derive(Default)]
pub struct UntrustedProxies(Mutex<State>);

#[derive(Default)]
struct State {
    told: Vec<IpAddr>,
    /// One at a time; another has its turn when the time is over.
    next: Option<IpAddr>,
    since: Duration,
    /// Announces since then.
    count: u32,
}

impl UntrustedProxies {
    /// Counts an announce that a proxy at `ip` has brought. Returns whether it is time to tell:
    /// once for an address, and only for loopback and private ones, since a proxy in the internet
    /// is not the operator's.
    pub fn note(&self, ip: IpAddr, now: Duration) -> bool {
        if Scope::of(ip) == Scope::Global {
            return false;
        }
        let mut state = lock(&self.0);
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
#[path = "untrusted_proxies_tests.rs"]
mod tests;
