//! Picking peers for an answer that has decoys in it. What decoys are is in `decoys.rs`.

use super::asker::Asker;
use crate::announce::{Announce, Endpoint, Peer};
use crate::decoys::{Answer, Decoys};
use crate::swarms::{Entry, Selection, Swarms};
use std::time::Duration;

/// Appends peers and decoys. `room` is how many anybody gets. Returns whether a peer is shown under
/// another address than its own.
pub fn pick(
    decoys: &Decoys,
    swarms: &mut Swarms,
    entry: Entry,
    selection: &Selection,
    (announce, asker): (&Announce, &Asker),
    (now, room): (Duration, usize),
    peers: &mut Vec<Peer>,
) -> bool {
    let candidates = swarms.candidates(entry, selection);
    // Who is shown some kinds first is shown the others only if there is room for them.
    let real = match candidates.first >= selection.most {
        true => candidates.first,
        false => candidates.all,
    };
    let mut random = decoys.random();
    let shares = decoys.share(
        announce.source,
        selection.is_ipv6,
        (real, selection.most, room),
        &mut random,
    );
    let fewer = Selection {
        most: selection.most - shares.decoys,
        one_by_one: true,
        ..*selection
    };
    let is_rewritten = swarms.pick(entry, &fewer, now, peers);
    let is_taken = |endpoint: Endpoint| {
        endpoint.ip == announce.local
            || asker.is_at(endpoint)
            || swarms.has_somebody_at(entry, endpoint)
    };
    let answer = Answer {
        info_hash: announce.info_hash,
        now,
        asker: announce.source,
        is_ipv6: selection.is_ipv6,
        with_peer_ids: selection.with_peer_ids,
        is_taken: &is_taken,
    };
    decoys.add(&answer, shares, &mut random, peers);
    is_rewritten
}

#[cfg(test)]
#[path = "with_decoys_tests.rs"]
mod tests;
