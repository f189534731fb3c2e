//! What the system bounds this process to, as far as it says so (`ulimit`), and what is made of it.
//! Threads are in `threads.rs`, since the bounds of those are not in any list.

/// What is taken without any peers: stacks, mostly, of which little is ever used, and buffers.
const ADDRESS_SPACE: usize = 110_000 * 1024;
/// What a peer takes of it at most, when each has a torrent of its own and the tables have just
/// doubled.
const ADDRESS_SPACE_OF_PEER: usize = 560;
/// Fewer would be of no use to anybody.
const LEAST_PEERS: u32 = 1000;

/// How many descriptors the process may have (`ulimit -n`), where that is known.
pub fn descriptors() -> Option<usize> {
    find("Max open files", &list())
}

/// How many peers there is room for in the address space (`ulimit -v`), where that is bounded. A
/// program that meets that limit is ended, with all that it knows.
pub fn room_for_peers() -> Option<u32> {
    find("Max address space", &list()).map(peers_in)
}

fn peers_in(bytes: usize) -> u32 {
    let peers = bytes.saturating_sub(ADDRESS_SPACE) / ADDRESS_SPACE_OF_PEER;
    u32::try_from(peers).unwrap_or(u32::MAX).max(LEAST_PEERS)
}

/// The system's own list: Linux has one.
fn list() -> String {
    std::fs::read_to_string("/proc/self/limits").unwrap_or_default()
}

/// A bound by its name in the list: `None` where it is not there, or "unlimited".
fn find(name: &str, list: &str) -> Option<usize> {
    let line = list.lines().find(|line| line.starts_with(name))?;
    line[name.len()..].split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
#[path = "ulimits_tests.rs"]
mod tests;
