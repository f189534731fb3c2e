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
#[path = "connection_id_tests.rs"]
mod tests;
