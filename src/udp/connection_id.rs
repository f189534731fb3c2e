//! The connection id of BEP 15: proof that a client receives what is sent to its address.
//!
//! The attack: an announce of 98 bytes is answered with up to 20 + 70 * 18 bytes, so who puts a
//! stranger's address on the envelope could have the tracker flood the stranger, and could
//! announce in its name. The defence: an announce counts only with an id that went to the address
//! before, in an answer no longer than the question.
//!
//! Nothing is stored for it. The id is a keyed hash of the address and the time in minutes; to
//! check one is to make it again. The key is made at the start, and std's keyed hasher is made
//! to withstand those who choose its input and see its output.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

/// Makes and checks connection ids.
#[derive(Clone)]
pub struct ConnectionIds {
    key: RandomState,
}

impl ConnectionIds {
    /// With a key of its own.
    pub fn new() -> ConnectionIds {
        ConnectionIds {
            key: RandomState::new(),
        }
    }

    /// The id for a client at the canonical address `ip`, `now` being the time since the tracker
    /// began.
    pub fn make(&self, ip: IpAddr, now: Duration) -> u64 {
        self.id(ip, minutes(now))
    }

    /// Whether `id` was made for `ip` in this minute or one of the two before: it lives for at
    /// least two minutes, as BEP 15 wants, and for less than three. None from the future do.
    pub fn check(&self, id: u64, ip: IpAddr, now: Duration) -> bool {
        let minute = minutes(now);
        (0..3).any(|age| {
            minute
                .checked_sub(age)
                .is_some_and(|m| self.id(ip, m) == id)
        })
    }

    fn id(&self, ip: IpAddr, minute: u64) -> u64 {
        let mut hasher = self.key.build_hasher();
        hasher.write(&crate::address::to_bytes(ip));
        hasher.write_u64(minute);
        hasher.finish()
    }
}

impl Default for ConnectionIds {
    fn default() -> Self {
        ConnectionIds::new()
    }
}

fn minutes(time: Duration) -> u64 {
    time.as_secs() / 60
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// (created, now, address that checks, key that checks) → valid?
    #[test]
    fn valid_for_two_minutes_at_its_address_with_its_key() {
        let (key, other_key) = (ConnectionIds::new(), ConnectionIds::new());
        let home = "192.0.2.1";
        for (created, now, address, ids, valid) in [
            (600, 600, home, &key, true),
            (600, 660, home, &key, true),
            (600, 720, home, &key, true),
            (659, 779, home, &key, true),
            (600, 779, home, &key, true),
            (600, 780, home, &key, false),
            (659, 780, home, &key, false),
            (600, 1_000_000, home, &key, false),
            // From the future.
            (660, 659, home, &key, false),
            (1_000_000, 600, home, &key, false),
            // Just begun.
            (0, 0, home, &key, true),
            (60, 0, home, &key, false),
            // Another address, another key.
            (600, 600, "192.0.2.2", &key, false),
            (600, 600, "::c000:201", &key, false),
            (600, 600, home, &other_key, false),
        ] {
            let at = Duration::from_secs;
            let id = key.make(ip(home), at(created));
            let checked = ids.check(id, ip(address), at(now));
            assert_eq!(checked, valid, "{created} {now} {address}");
        }
    }

    #[test]
    fn every_bit_of_the_id_matters() {
        let ids = ConnectionIds::new();
        let now = Duration::from_secs(600);
        let id = ids.make(ip("2001:db8::1"), now);
        for bit in 0..64 {
            assert!(!ids.check(id ^ 1 << bit, ip("2001:db8::1"), now), "{bit}");
        }
    }

    #[test]
    fn the_key_and_the_address_matter_for_every_id() {
        let now = Duration::ZERO;
        let mut seen = std::collections::HashSet::new();
        for key in (0..20).map(|_| ConnectionIds::new()) {
            for n in 0..20 {
                assert!(seen.insert(key.make(ip(&format!("192.0.2.{n}")), now)));
            }
        }
    }
}
