//! Who is connected: the bounds on connections, in all and per address block, and how a newcomer
//! gets a thread.
//!
//! A connection has a thread. Threads are started when few are left for newcomers, up to a bound,
//! and end when they are not needed. At the bound connections that wait for their clients are
//! closed, so that some threads are free always: idle ones first, then those of whoever has most;
//! so attackers cost each other their places, and a client that sends its request at once gets its
//! answer. Nothing here reads or writes a connection.

use super::acceptors::{Acceptors, MOST_WAITING};
use super::limits::free_of;
use crate::lock::{lock, wait};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// However crowded it is, a connection may wait for its client so long: what is on its way
/// through a busy machine or a slow network arrives.
const PATIENCE: Duration = Duration::from_millis(50);
/// Of who has more connections than this, one may wait for less, in proportion.
const FEW: usize = 8;
/// How long making room pauses: it takes a thread a moment to come back, and where nobody has
/// waited for long enough, somebody will have soon.
const PAUSE: Duration = Duration::from_millis(5);
/// When the system has refused a thread, it is asked again after this time.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// All connections of the gate.
pub struct Connections {
    bounds: Bounds,
    /// One for each connection.
    slots: Mutex<Slots>,
    /// The threads of each listener.
    acceptors: Vec<Acceptors>,
    /// All threads.
    threads: AtomicUsize,
    /// Whether there can be no more threads.
    is_full: AtomicBool,
    /// Whether room is to be made.
    is_wanted: Mutex<bool>,
    wanted: Condvar,
}

/// The most connections.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Threads in all: one for each, and those that are to be free.
    pub all: usize,
    /// Of one IPv4 address, or one /48 of IPv6: a customer of the internet has one.
    pub per_block: usize,
    /// Of one /64.
    pub per_64: usize,
}

#[derive(Default)]
struct Slots {
    held: Vec<Option<Held>>,
    free: Vec<usize>,
    /// How many each has.
    blocks: HashMap<Block, usize>,
    /// Evicted ones whose threads have not come back yet.
    leaving: usize,
}

/// Addresses that are one customer's, or one network's: what they have counts together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Block {
    V4(u32),
    V6Net64(u64),
    V6Net48(u64),
}

/// A connection that is open.
struct Held {
    stream: Arc<TcpStream>,
    blocks: [Option<Block>; 2],
    /// Whether it is a trusted proxy's, whose connections are many clients'.
    is_proxy: bool,
    /// Since when it waits for its client; `None` while the tracker is at work for it.
    waits: Option<(Wait, Instant)>,
    was_evicted: bool,
}

/// What a connection waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// That the client sends a request.
    Request,
    /// The same, after an answer.
    NextRequest,
    /// That the client takes an answer.
    Answer,
}

impl Bounds {
    /// The bounds where there are so many threads in all: half of the connections for an address,
    /// so that nobody takes all.
    pub fn of(all: usize) -> Bounds {
        let connections = all - free_of(all);
        Bounds {
            all,
            per_block: (connections / 2).max(2),
            per_64: (connections / 4).max(2),
        }
    }
}

impl Block {
    fn of(ip: IpAddr) -> [Option<Block>; 2] {
        match ip {
            IpAddr::V4(ip) => [Some(Block::V4(ip.into())), None],
            IpAddr::V6(ip) => {
                let network = (u128::from(ip) >> 64) as u64;
                [
                    Some(Block::V6Net48(network >> 16)),
                    Some(Block::V6Net64(network)),
                ]
            }
        }
    }
}

impl Connections {
    /// None yet, of so many listeners.
    pub fn new(bounds: Bounds, listeners: usize) -> Connections {
        Connections {
            bounds,
            slots: Mutex::default(),
            acceptors: (0..listeners).map(|_| Acceptors::default()).collect(),
            threads: AtomicUsize::new(0),
            is_full: AtomicBool::new(false),
            is_wanted: Mutex::new(false),
            wanted: Condvar::new(),
        }
    }

    /// How many threads each listener begins with. They do not end.
    pub fn threads_at_start(&self) -> usize {
        (self.bounds.all / self.acceptors.len()).clamp(1, MOST_WAITING)
    }

    /// How many there are.
    pub fn threads(&self) -> usize {
        self.threads.load(SeqCst)
    }

    /// Has `start` start a thread that waits for newcomers of `listener`.
    pub fn start_thread(
        &self,
        listener: usize,
        start: &dyn Fn(usize) -> io::Result<()>,
    ) -> io::Result<()> {
        // It counts as free before it runs, or more would be started than are needed.
        self.acceptors[listener].thread_is_coming();
        self.threads.fetch_add(1, SeqCst);
        let started = start(listener);
        if started.is_err() {
            self.threads.fetch_sub(1, SeqCst);
            self.acceptors[listener].thread_is_not_coming();
        }
        started
    }

    /// A thread of `listener` is about to wait for a newcomer, and may have to rest first. Returns
    /// at which listener it is to wait, if it is still needed.
    pub fn thread_is_free(&self, listener: usize) -> Option<usize> {
        let scarce = || (0..self.acceptors.len()).find(|&other| self.is_scarce(other));
        let listener = match self.is_scarce(listener) {
            true => listener,
            // One that was busy with another's clients is theirs.
            false => scarce().unwrap_or(listener),
        };
        if self.acceptors[listener].thread_is_free() {
            return Some(listener);
        }
        self.threads.fetch_sub(1, SeqCst);
        None
    }

    /// A thread of `listener` has got one.
    pub fn thread_is_taken(&self, listener: usize) {
        if self.acceptors[listener].thread_is_taken() < self.least_free() {
            self.want_room();
        }
    }

    /// A thread of `listener` could not let anybody in, most likely for want of descriptors: makes
    /// room for a few, and pauses.
    pub fn thread_has_failed(&self, listener: usize, pause: Duration) {
        self.evict(Instant::now(), self.least_free());
        self.acceptors[listener].pause(|| thread::sleep(pause));
    }

    /// Whether newcomers of `listener` may find no thread, and there can be no more.
    pub fn is_out_of_threads(&self, listener: usize) -> bool {
        self.is_full.load(SeqCst) && self.is_scarce(listener)
    }

    fn is_scarce(&self, listener: usize) -> bool {
        self.acceptors[listener].free() < self.least_free()
    }

    fn least_free(&self) -> usize {
        // Never more than a listener of many has, or newcomers would seem to be short of threads
        // for ever.
        let of_listener = self.threads_at_start().div_ceil(2);
        free_of(self.bounds.all).min(of_listener)
    }

    fn want_room(&self) {
        *lock(&self.is_wanted) = true;
        self.wanted.notify_one();
    }

    /// Takes in a connection from `ip`, unless its address block has too many. `is_here` says that
    /// it is one of this very machine, which is not bounded, as a trusted proxy is not.
    pub fn enter(
        self: &Arc<Self>,
        stream: &Arc<TcpStream>,
        ip: IpAddr,
        is_here: bool,
        is_proxy: bool,
    ) -> Option<Place> {
        let blocks = Block::of(ip);
        let mut slots = lock(&self.slots);
        let is_bounded = !is_here && !is_proxy && !ip.is_loopback();
        for block in blocks.iter().flatten() {
            let most = match block {
                Block::V6Net64(_) => self.bounds.per_64,
                _ => self.bounds.per_block,
            };
            if is_bounded && slots.count(block) >= most {
                return None;
            }
        }
        for block in blocks.into_iter().flatten() {
            *slots.blocks.entry(block).or_insert(0) += 1;
        }
        let held = Some(Held {
            stream: Arc::clone(stream),
            blocks,
            is_proxy,
            waits: Some((Wait::Request, Instant::now())),
            was_evicted: false,
        });
        let slot = match slots.free.pop() {
            Some(slot) => {
                slots.held[slot] = held;
                slot
            }
            None => {
                slots.held.push(held);
                slots.held.len() - 1
            }
        };
        Some(Place {
            connections: Arc::clone(self),
            slot,
        })
    }

    /// Keeps threads free for newcomers, for as long as the program lives: by `start`, which
    /// starts one for a listener, and by closing connections where there can be no more.
    pub fn keep_threads_free(&self, start: &dyn Fn(usize) -> io::Result<()>) {
        let mut refused: Option<Instant> = None;
        loop {
            let mut is_wanted = lock(&self.is_wanted);
            while !*is_wanted {
                is_wanted = wait(&self.wanted, is_wanted);
            }
            *is_wanted = false;
            drop(is_wanted);
            // Several at once: who comes in a crowd must not wait for one after the other. But not
            // all, or one newcomer too many would cost a whole crowd its places.
            let several = self.least_free().max(self.threads() / 32);
            let (mut most, mut since) = (several, Instant::now());
            let scarce = || (0..self.acceptors.len()).find(|&listener| self.is_scarce(listener));
            while let Some(listener) = scarce() {
                let may_ask = refused.is_none_or(|at| at.elapsed() >= ASK_AGAIN);
                if self.threads() < self.bounds.all && may_ask {
                    refused = match self.start_thread(listener, start) {
                        Ok(()) => None,
                        Err(_) => Some(Instant::now()),
                    };
                    self.is_full.store(refused.is_some(), SeqCst);
                    continue;
                }
                self.is_full.store(true, SeqCst);
                self.evict(Instant::now(), most);
                let is_wanted = lock(&self.is_wanted);
                let pause = self.wanted.wait_timeout(is_wanted, PAUSE);
                drop(pause.unwrap_or_else(PoisonError::into_inner));
                // Those that are to leave take their time, as they do on Windows. Not by whether the
                // pause was a whole one: newcomers, who ask for room, make it shorter.
                if since.elapsed() >= PAUSE && lock(&self.slots).is_waiting_for(most) {
                    (most, since) = (most + several, Instant::now());
                }
            }
        }
    }

    /// Disconnects of those that wait for their clients for longer than they may, so that `most`
    /// are on their way out: kept ones that ask nothing first, then those of whoever has most; among
    /// equals by lot, so that of a crowd that is merely slow, some get to send. Trusted proxies come
    /// last. Nothing happens before half of an earlier such number have left: a look at all of them
    /// for each single one would take too long.
    pub fn evict(&self, now: Instant, most: usize) {
        let lot = RandomState::new();
        let mut slots = lock(&self.slots);
        if slots.is_waiting_for(most) {
            return;
        }
        let most = most - slots.leaving;
        let waiting = slots.held.iter().enumerate().filter_map(|(slot, held)| {
            let held = held.as_ref().filter(|held| !held.was_evicted)?;
            let (wait, since) = held.waits?;
            let has = held.blocks.iter().flatten();
            let has = has.map(|block| slots.count(block)).max().unwrap_or(1);
            let has = if held.is_proxy { 1 } else { has };
            let patience = PATIENCE * FEW as u32 / has.max(FEW) as u32;
            let is_idle = wait == Wait::NextRequest;
            let order = (held.is_proxy, !is_idle, Reverse(has), lot.hash_one(slot));
            (now.saturating_duration_since(since) > patience).then_some((order, slot))
        });
        let mut waiting: Vec<_> = waiting.collect();
        waiting.sort_unstable();
        for (_, slot) in waiting.into_iter().take(most) {
            if let Some(held) = &mut slots.held[slot] {
                held.was_evicted = true;
                let _ = held.stream.shutdown(Shutdown::Both);
                slots.leaving += 1;
            }
        }
    }
}

impl Slots {
    /// How many connections an address block has.
    fn count(&self, block: &Block) -> usize {
        self.blocks.get(block).copied().unwrap_or(0)
    }

    /// Whether of `most` that were to leave more than half have not left yet.
    fn is_waiting_for(&self, most: usize) -> bool {
        self.leaving > most / 2
    }
}

/// The place of one connection; given back when dropped.
pub struct Place {
    connections: Arc<Connections>,
    slot: usize,
}

impl Place {
    /// From now on the connection waits for its client.
    pub fn wait_begins(&self, wait: Wait) {
        if let Some(held) = &mut lock(&self.connections.slots).held[self.slot] {
            held.waits = Some((wait, Instant::now()));
        }
    }

    /// Whether its place was given to another.
    pub fn was_evicted(&self) -> bool {
        let slots = lock(&self.connections.slots);
        slots.held[self.slot]
            .as_ref()
            .is_none_or(|held| held.was_evicted)
    }

    /// The client has done its part. Returns whether that still helps: if not, its place was
    /// given to another.
    pub fn wait_ends(&self) -> bool {
        match &mut lock(&self.connections.slots).held[self.slot] {
            Some(held) => {
                held.waits = None;
                !held.was_evicted
            }
            None => false,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut slots = lock(&self.connections.slots);
        let held = slots.held[self.slot].take();
        slots.free.push(self.slot);
        slots.leaving -= usize::from(held.as_ref().is_some_and(|held| held.was_evicted));
        for block in held.iter().flat_map(|held| held.blocks).flatten() {
            if let Some(count) = slots.blocks.get_mut(&block) {
                *count -= 1;
                if *count == 0 {
                    slots.blocks.remove(&block);
                }
            }
        }
        // The stream is closed by whoever has it last: not under the lock.
        drop(slots);
    }
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;
