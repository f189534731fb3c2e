//! How many connections, and how much time: the gate's bounds, as values. What happens at one is
//! in `client.rs` and `connections.rs`.

use std::time::Duration;

/// So many threads are to be free for newcomers, besides those of all connections that there may
/// be.
const FREE: usize = 8;

/// How many of so many threads are to be free: fewer where there are few.
pub fn free_of(threads: usize) -> usize {
    FREE.min(threads / 16 + 1)
}

/// The gate's bounds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Threads in all: one for each connection, and some that are free; as many as are needed are
    /// started.
    pub threads: usize,
    /// Kept connections to tiny_http.
    pub upstreams: usize,
    /// For a request's head, from its first byte or the connection's begin to its last byte.
    pub head_time: Duration,
    /// For a client to take an answer, in all.
    pub answer_time: Duration,
    /// Between an answer and the next request on a kept connection.
    pub idle_time: Duration,
}

impl Limits {
    /// Connections at a time.
    pub fn connections(&self) -> usize {
        self.threads - free_of(self.threads)
    }

    /// What suits the number of descriptors that the process may have (`None` where that is not
    /// known, or not bounded), and at most so many connections.
    pub fn for_descriptors(descriptors: Option<usize>, connections: usize) -> Limits {
        let descriptors = descriptors.unwrap_or(usize::MAX);
        // A connection to tiny_http takes three: our end, and tiny_http's twice.
        let upstreams = (descriptors / 12).clamp(2, 32);
        // For standard streams, listeners, UDP sockets, the log, a name being resolved.
        let reserve = 3 * upstreams + 24;
        let threads = descriptors.saturating_sub(reserve).max(4);
        let threads = threads.min(connections + FREE);
        Limits {
            threads,
            upstreams,
            head_time: Duration::from_secs(5),
            answer_time: Duration::from_secs(5),
            idle_time: Duration::from_secs(30),
        }
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
