//! How many threads the system gives this process, and what is made do with where they are few:
//! `ulimit -u`, the `TasksMax` of a service, a container, little address space for their stacks.
//!
//! The tracker's own threads are asked for one by one, and a refusal is met where it happens. But
//! tiny_http panics over a thread that it cannot have, and is not to be the one that finds out.

use crate::http::gate::Limits;
use std::sync::{PoisonError, RwLock};
use std::thread;

/// Threads of tiny_http besides the one for each kept connection to it: those that its pool keeps
/// ready, the one that accepts, and one for the connection that ends its accepting.
const OF_TINY_HTTP: usize = 6;
/// The doorkeeper.
const OF_THE_GATE: usize = 1;

/// Lowers `limits` to what the system gives, for so many listeners and UDP sockets. The error is
/// one line for a person.
pub fn fit(limits: &mut Limits, listeners: usize, sockets: usize) -> Result<(), String> {
    let fixed = OF_TINY_HTTP + OF_THE_GATE + listeners + sockets;
    // With as many, there is a second one for each link, to use it; how many more there are shows
    // when they are asked for.
    let enough = fixed + 2 * limits.links;
    let possible = possible(enough);
    limits.links = links(limits.links, possible, fixed)?;
    Ok(())
}

/// How many links suit `possible` threads, of which `fixed` are not the gate's to use.
fn links(wanted: usize, possible: usize, fixed: usize) -> Result<usize, String> {
    match possible.saturating_sub(fixed) {
        0 => Err(format!(
            "the system allows too few threads: {possible} more, and {} are needed \
             (see ulimit -u, or TasksMax of the service)",
            fixed + 1
        )),
        left if left < 2 * wanted => Ok((left / 4).clamp(1, wanted)),
        _ => Ok(wanted),
    }
}

/// How many of `wanted` threads can be had at the same time: tried, since limits stand in several
/// places, and others use them up too.
fn possible(wanted: usize) -> usize {
    let counting = RwLock::new(());
    thread::scope(|scope| {
        let held = counting.write().unwrap_or_else(PoisonError::into_inner);
        let wait = || drop(counting.read());
        // Of the size that tiny_http's have.
        let start = |_| thread::Builder::new().spawn_scoped(scope, wait).ok();
        let threads: Vec<_> = (0..wanted).map_while(start).collect();
        drop(held);
        let count = threads.len();
        // The scope would wait for their last lines only, and not until they are gone.
        threads.into_iter().for_each(|thread| drop(thread.join()));
        count
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_links_as_wanted_if_there_are_threads_to_use_them() {
        assert_eq!(links(32, 74, 10), Ok(32));
        assert_eq!(links(2, 14, 10), Ok(2));
    }

    #[test]
    fn fewer_where_threads_are_few() {
        for (possible, expected) in [(73, 15), (50, 10), (18, 2), (14, 1), (11, 1)] {
            assert_eq!(links(32, possible, 10), Ok(expected), "{possible}");
        }
    }

    #[test]
    fn too_few_threads_is_said_with_how_many_are_needed() {
        for possible in [0, 9, 10] {
            let reason = links(32, possible, 10).unwrap_err();
            let said = format!("too few threads: {possible} more, and 11 are needed");
            assert!(reason.contains(&said), "{reason}");
        }
    }

    #[test]
    fn threads_that_can_be_had_are_counted() {
        assert_eq!(possible(0), 0);
        assert_eq!(possible(50), 50);
    }
}
