//! Who is connected: the bounds on connections, in all and per address block, and how a newcomer
//! gets a thread when all of them wait for somebody slow.
//!
//! There are as many connections as threads. While the last thread of a listener is taken, those
//! who have kept theirs waiting for longest are disconnected, one after the other, until a thread
//! is free again: so idle clients, and attackers who hold connections open, cost each other their
//! places, and a client that sends its request at once gets its answer. Nothing here reads or
//! writes a connection.

use super::acceptors::Acceptors;
use crate::address::AddressBlock;
use crate::lock::{lock, wait};
use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// However crowded it is, a connection may wait for its client so long: what is on its way
/// through a busy machine or a slow network arrives.
const PATIENCE: Duration = Duration::from_millis(50);

/// All connections of the gate.
pub struct Connections {
    /// Most connections from one address block.
    per_block: usize,
    /// One for each thread.
    slots: Vec<Mutex<Option<Held>>>,
    /// Those that no connection has.
    free: Mutex<Vec<usize>>,
    blocks: Mutex<HashMap<AddressBlock, usize>>,
    /// The threads of each listener.
    acceptors: Vec<Acceptors>,
    /// Whether the evictor should look.
    out_of_threads: Mutex<bool>,
    evictor: Condvar,
}

/// A connection that is open.
struct Held {
    stream: Arc<TcpStream>,
    /// Since when it waits for its client; `None` while the tracker is at work for it.
    waits_since: Option<Instant>,
    was_evicted: bool,
}

impl Connections {
    /// Room for one connection for each of `threads`, which belong to `listeners` listeners.
    pub fn new(threads: usize, listeners: usize, per_block: usize) -> Connections {
        Connections {
            per_block,
            slots: (0..threads).map(|_| Mutex::new(None)).collect(),
            free: Mutex::new((0..threads).collect()),
            blocks: Mutex::default(),
            acceptors: (0..listeners).map(|_| Acceptors::default()).collect(),
            out_of_threads: Mutex::new(false),
            evictor: Condvar::new(),
        }
    }

    /// A thread of `listener` is about to wait for a newcomer, and may have to rest first.
    pub fn thread_is_free(&self, listener: usize) {
        self.acceptors[listener].thread_is_free();
    }

    /// A thread of `listener` has got one.
    pub fn thread_is_taken(&self, listener: usize) {
        if !self.acceptors[listener].thread_is_taken() {
            self.call_the_evictor();
        }
    }

    /// Whether newcomers of `listener` find no thread.
    pub fn is_out_of_threads(&self, listener: usize) -> bool {
        self.acceptors[listener].is_exhausted()
    }

    /// Has somebody disconnected who waits: a thread or a descriptor is wanted.
    pub fn call_the_evictor(&self) {
        *lock(&self.out_of_threads) = true;
        self.evictor.notify_one();
    }

    /// Takes in a connection from `ip`, unless its address block has too many. `is_exempt`
    /// says that it is one of this very machine, or a trusted proxy.
    pub fn enter(
        self: &Arc<Self>,
        stream: &Arc<TcpStream>,
        ip: IpAddr,
        is_exempt: bool,
    ) -> Option<Place> {
        let block = AddressBlock::of(ip).filter(|_| !is_exempt);
        if let Some(block) = block {
            let mut blocks = lock(&self.blocks);
            let count = blocks.entry(block).or_insert(0);
            if *count >= self.per_block {
                return None;
            }
            *count += 1;
        }
        // A thread has one connection at most, so there is a slot for each.
        let slot = lock(&self.free).pop().expect("a free slot");
        *lock(&self.slots[slot]) = Some(Held {
            stream: Arc::clone(stream),
            waits_since: Some(Instant::now()),
            was_evicted: false,
        });
        Some(Place {
            connections: Arc::clone(self),
            slot,
            block,
        })
    }

    /// The evictor: keeps a thread free for newcomers, for as long as the program lives.
    pub fn keep_a_thread_free(&self) {
        loop {
            let mut out_of_threads = lock(&self.out_of_threads);
            while !*out_of_threads {
                out_of_threads = wait(&self.evictor, out_of_threads);
            }
            *out_of_threads = false;
            drop(out_of_threads);
            while self.acceptors.iter().any(Acceptors::is_exhausted) {
                // Several at once: who comes in a crowd must not wait for one after the other.
                self.evict_longest_waiting(Instant::now(), self.slots.len() / 8 + 1);
                // It takes its thread a moment to come back; and where nobody has waited for long
                // enough, somebody will have soon.
                let out_of_threads = lock(&self.out_of_threads);
                let pause = self.evictor.wait_timeout(out_of_threads, PATIENCE / 10);
                drop(pause.unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    /// Disconnects up to `most` of those that have waited for longer than [`PATIENCE`], the
    /// longest waiting first.
    pub fn evict_longest_waiting(&self, now: Instant, most: usize) {
        let waits = |slot: &usize| {
            let held = lock(&self.slots[*slot]);
            let held = held.as_ref().filter(|held| !held.was_evicted)?;
            let waits = now.saturating_duration_since(held.waits_since?);
            (waits > PATIENCE).then_some((waits, *slot))
        };
        let mut waiting: Vec<_> = (0..self.slots.len()).filter_map(|s| waits(&s)).collect();
        waiting.sort_unstable_by(|a, b| b.cmp(a));
        for (_, slot) in waiting.into_iter().take(most) {
            if let Some(held) = lock(&self.slots[slot]).as_mut() {
                // Somebody else may have the slot by now, or its request may just have come.
                let still_waits = |since| now.saturating_duration_since(since) > PATIENCE;
                if held.waits_since.is_some_and(still_waits) {
                    held.was_evicted = true;
                    let _ = held.stream.shutdown(Shutdown::Both);
                }
            }
        }
    }
}

/// The place of one connection; given back when dropped.
pub struct Place {
    connections: Arc<Connections>,
    slot: usize,
    block: Option<AddressBlock>,
}

impl Place {
    /// From now on the connection waits for its client.
    pub fn wait_begins(&self) {
        if let Some(held) = lock(&self.connections.slots[self.slot]).as_mut() {
            held.waits_since = Some(Instant::now());
        }
    }

    /// Whether its place was given to another.
    pub fn was_evicted(&self) -> bool {
        let held = lock(&self.connections.slots[self.slot]);
        held.as_ref().is_none_or(|held| held.was_evicted)
    }

    /// The client has done its part. Returns whether that still helps: if not, its place was
    /// given to another.
    pub fn wait_ends(&self) -> bool {
        match lock(&self.connections.slots[self.slot]).as_mut() {
            Some(held) => {
                held.waits_since = None;
                !held.was_evicted
            }
            None => false,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *lock(&self.connections.slots[self.slot]) = None;
        lock(&self.connections.free).push(self.slot);
        if let Some(block) = self.block {
            let mut blocks = lock(&self.connections.blocks);
            if let Some(count) = blocks.get_mut(&block) {
                *count -= 1;
                if *count == 0 {
                    blocks.remove(&block);
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;
