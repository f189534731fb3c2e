//! How threads are started, how many the system gives this process, and what is made do with where
//! they are few: `ulimit -u`, the `TasksMax` of a service, a container, little address space for
//! their stacks. What a thread does is known where it is started.
//!
//! The tracker's own threads are asked for one by one, and a refusal is met where it happens. But
//! tiny_http panics over a thread that it cannot have, and is not to be the one that finds out.

use crate::lock::lock;
use std::io;
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// Threads of tiny_http besides the one for each kept connection to it: those that its pool has
/// started in vain, for the seconds until they end, and the one that accepts.
const OF_TINY_HTTP: usize = 6;
/// The evictor.
const OF_THE_GATE: usize = 1;
/// The one that follows this machine's addresses.
const OF_ADDRESSES: usize = 1;

/// For connections, at least. A few, since those that were counted are missed for a moment after
/// they have ended.
const SPARE: usize = 4;

/// std's own, for a thread that runs code of others: tiny_http's have it too.
pub const DEFAULT_STACK: usize = 2 << 20;

/// Starts a thread. In a box, so that what starts one is in the executable once and not for each
/// kind of thread.
pub fn start(
    name: &str,
    stack: usize,
    work: Box<dyn FnOnce() + Send>,
) -> io::Result<JoinHandle<()>> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.stack_size(stack).spawn(work)
}

/// How many threads each part gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Connections to tiny_http, each of which costs a thread.
    pub upstreams: usize,
    /// Besides the one that each UDP socket has.
    pub udp_helpers: usize,
}

/// Plans the threads: as many as in `wanted`, or fewer, beside those of so many listeners and UDP
/// sockets. The error is one line for a person.
pub fn plan(wanted: Plan, listeners: usize, sockets: usize) -> Result<Plan, String> {
    let Plan {
        upstreams,
        udp_helpers,
    } = wanted;
    match self::upstreams(upstreams, listeners, sockets + udp_helpers) {
        Ok(all) if all == upstreams => Ok(wanted),
        // HTTP needs them more.
        _ => Ok(Plan {
            upstreams: self::upstreams(upstreams, listeners, sockets)?,
            udp_helpers: 0,
        }),
    }
}

/// Threads that may help those of busy UDP sockets.
pub fn udp_helpers() -> usize {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    processors.min(7)
}

/// How many upstreams are to be had beside so many listeners and threads for UDP: `wanted`, or
/// fewer.
fn upstreams(wanted: usize, listeners: usize, udp: usize) -> Result<usize, String> {
    let fixed = OF_TINY_HTTP + OF_THE_GATE + OF_ADDRESSES + listeners + udp;
    // With as many, there is a second one for each upstream, to use it; how many more there are
    // shows when they are asked for.
    let enough = fixed + 2 * wanted;
    upstreams_with(wanted, possible(enough), fixed)
}

/// How many upstreams suit `possible` threads, of which `fixed` are not the gate's to use.
fn upstreams_with(wanted: usize, possible: usize, fixed: usize) -> Result<usize, String> {
    match possible.saturating_sub(fixed) {
        ..SPARE => Err(format!(
            "the system allows too few threads: {possible} more, and {} are needed \
             (see ulimit -u, or TasksMax of the service)",
            fixed + SPARE
        )),
        left if left < 2 * wanted => Ok((left / 4).clamp(1, wanted)),
        _ => Ok(wanted),
    }
}

/// How many of `wanted` threads can be had at the same time: tried, since limits stand in several
/// places, and others use them up too.
fn possible(wanted: usize) -> usize {
    let counting = Arc::new(Mutex::new(()));
    let held = lock(&counting);
    let mut threads = Vec::new();
    while threads.len() < wanted {
        let counting = Arc::clone(&counting);
        match start("", DEFAULT_STACK, Box::new(move || drop(counting.lock()))) {
            Ok(thread) => threads.push(thread),
            Err(_) => break,
        }
    }
    drop(held);
    let count = threads.len();
    for thread in threads {
        let _ = thread.join();
    }
    count
}

#[cfg(test)]
#[path = "threads_tests.rs"]
mod tests;
