//! How many peers an asker may be shown, and whether somebody is at an address: for those who add to
//! an answer what is not stored here. An ordinary announce asks for neither.

use super::selection::Selection;
use super::store::{Entry, Swarms};
use crate::address::AddressBlock;
use crate::announce::Endpoint;

/// Peers of the asker's own address family that it may be shown, itself left out; those among them
/// that are dead and not swept yet, too.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Candidates {
    /// Of the kinds that it is shown first.
    pub first: usize,
    /// Of all kinds.
    pub all: usize,
}

impl Swarms {
    /// How many peers there are to pick from for an asker.
    pub fn candidates(&self, entry: Entry, selection: &Selection) -> Candidates {
        let own = entry.slot.map(|slot| self.records(slot));
        let own = own.as_ref().map_or(&[][..], |records| records.slots());
        let own = own.iter().map(|&slot| self.peers.get(slot).key());
        let groups = self.swarms[entry.swarm as usize].groups();
        let count = |kinds| {
            let is_allowed = |key| selection.allows(key, kinds, true);
            let groups = groups.iter().filter(|group| is_allowed(group.key));
            let all: usize = groups.map(|group| group.members.len()).sum();
            all - own.clone().filter(|&key| is_allowed(key)).count()
        };
        let mut rounds = entry.kind.is_shown().iter().map(|kinds| count(kinds));
        let first = rounds.next().unwrap_or_default();
        Candidates {
            first,
            all: first + rounds.sum::<usize>(),
        }
    }

    /// Whether a peer of the swarm is at this endpoint or, for IPv4, at its address. Counters that
    /// are shared say "yes" a little too often, never "no".
    pub fn has_somebody_at(&self, entry: Entry, endpoint: Endpoint) -> bool {
        let swarm = entry.swarm;
        let is_one = || self.find(swarm, endpoint).is_some();
        let has_address = || {
            let block = AddressBlock::of(endpoint.ip).filter(|_| endpoint.ip.is_ipv4());
            block.is_some_and(|block| self.limits.has_any(swarm, block))
        };
        is_one() || has_address()
    }
}

#[cfg(test)]
#[path = "candidates_tests.rs"]
mod tests;
