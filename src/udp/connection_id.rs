//! The connection id of BEP 15: proof that a client receives what is sent to its address.
//!
//! The attack: an announce of 98 bytes is answered with up to 20 + 70 * 18 bytes, so who puts a
//! stranger's address on the envelope could have the tracker flood the stranger, and could
//! announce in its name. The defence: an announce counts only with an id that went to the address
//! before, in an answer no longer than the question.
//!
//! Nothing is stored for it. The id is a keyed hash of the address and the time, counted in halves
//! of its life; to check one is to make it again, at most three times and mostly once. The key is
//! made at the start, and std's keyed hasher is made to withstand those who choose its input and
//! see its output.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

/// Makes and checks connection ids.
#[derive(Clone)]
pub struct ConnectionIds {
    key: RandomState,
    /// In seconds.
    half_life: u64,
}

impl ConnectionIds {
    /// With a key of its own. An id is good for `life` at least, and for less than one and a half
    /// of that; BEP 15 wants two minutes, and there are clients that keep theirs for longer than
    /// an interval.
    pub fn new(life: Duration) -> ConnectionIds {
        ConnectionIds {
            key: RandomState::new(),
            half_life: life.as_secs().div_ceil(2).max(1),
        }
    }

    /// The id for a client at the canonical address `ip`, `now` being the time since the tracker
    /// began.
    pub fn make(&self, ip: IpAddr, now: Duration) -> u64 {
        self.id(ip, self.half_lives(now))
    }

    /// Whether `id` was made for `ip` in this half of a life or in one of the two before; not in
    /// one to come.
    pub fn check(&self, id: u64, ip: IpAddr, now: Duration) -> bool {
        let now = self.half_lives(now);
        let mut made = (0..3).map_while(|age| now.checked_sub(age));
        // The latest first: most are young.
        made.any(|then| self.id(ip, then) == id)
    }

    fn half_lives(&self, time: Duration) -> u64 {
        time.as_secs() / self.half_life
    }

    fn id(&self, ip: IpAddr, half_lives: u64) -> u64 {
        let mut hasher = self.key.build_hasher();
        hasher.write(&crate::address::to_bytes(ip));
        hasher.write_u64(half_lives);
        hasher.finish()
    }
}

#[cfg(test)]
#[path = "connection_id_tests.rs"]
mod tests;
