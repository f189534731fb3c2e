//! Who is connected: the bounds on connections, in all and per neighbour, and how a newcomer gets
//! a thread when all of them wait for somebody slow.
//!
//! There are as many connections as threads. While the last thread of a listener is taken, those
//! who have kept theirs waiting for longest are disconnected, one after the other, until a thread
//! is free again: so idle clients, and attackers who hold connections open, cost each other their
//! places, and a client that sends its request at once gets its answer. Nothing here reads or
//! writes a connection.

use super::roster::Roster;
use crate::address::Neighbour;
use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// However crowded it is, a connection may wait for its client so long: what is on its way
/// through a busy machine or a slow network arrives.
const PATIENCE: Duration = Duration::from_millis(50);

/// All connections of the gate.
pub struct Connections {
    /// Most connections from one neighbour.
    per_neighbour: usize,
    /// One for each thread.
    slots: Vec<Mutex<Option<Held>>>,
    /// Those that no connection has.
    free: Mutex<Vec<usize>>,
    neighbours: Mutex<HashMap<Neighbour, usize>>,
    /// The threads of each listener.
    rosters: Vec<Roster>,
    /// Whether the doorkeeper should look.
    crowded: Mutex<bool>,
    doorkeeper: Condvar,
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
    pub fn new(threads: usize, listeners: usize, per_neighbour: usize) -> Connections {
        Connections {
            per_neighbour,
            slots: (0..threads).map(|_| Mutex::new(None)).collect(),
            free: Mutex::new((0..threads).collect()),
            neighbours: Mutex::default(),
            rosters: (0..listeners).map(|_| Roster::default()).collect(),
            crowded: Mutex::new(false),
            doorkeeper: Condvar::new(),
        }
    }

    /// A thread of `listener` is about to wait for a newcomer, and may have to rest first.
    pub fn thread_is_free(&self, listener: usize) {
        self.rosters[listener].thread_is_free();
    }

    /// A thread of `listener` has got one.
    pub fn thread_is_taken(&self, listener: usize) {
        if !self.rosters[listener].thread_is_taken() {
            self.call_the_doorkeeper();
        }
    }

    /// Whether newcomers of `listener` find no thread.
    pub fn is_crowded(&self, listener: usize) -> bool {
        self.rosters[listener].is_exhausted()
    }

    /// Has somebody disconnected who waits: a thread or a descriptor is wanted.
    pub fn call_the_doorkeeper(&self) {
        *lock(&self.crowded) = true;
        self.doorkeeper.notify_one();
    }

    /// Takes in a connection from `ip`, unless its neighbour has too many. `is_exempt`
    /// says that it is one of this very machine, or a trusted proxy.
    pub fn enter(
        self: &Arc<Self>,
        stream: &Arc<TcpStream>,
        ip: IpAddr,
        is_exempt: bool,
    ) -> Option<Place> {
        let neighbour = Neighbour::of(ip).filter(|_| !is_exempt);
        if let Some(neighbour) = neighbour {
            let mut neighbours = lock(&self.neighbours);
            let count = neighbours.entry(neighbour).or_insert(0);
            if *count >= self.per_neighbour {
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
            neighbour,
        })
    }

    /// The doorkeeper: keeps a thread free for newcomers, for as long as the program lives.
    pub fn keep_a_thread_free(&self) {
        loop {
            let mut crowded = lock(&self.crowded);
            while !*crowded {
                crowded = wait(&self.doorkeeper, crowded);
            }
            *crowded = false;
            drop(crowded);
            while self.rosters.iter().any(Roster::is_exhausted) {
                // Several at once: who comes in a crowd must not wait for one after the other.
                self.evict_longest_waiting(Instant::now(), self.slots.len() / 8 + 1);
                // It takes its thread a moment to come back; and where nobody has waited for long
                // enough, somebody will have soon.
                let crowded = lock(&self.crowded);
                let pause = self.doorkeeper.wait_timeout(crowded, PATIENCE / 10);
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
    neighbour: Option<Neighbour>,
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
        if let Some(neighbour) = self.neighbour {
            let mut neighbours = lock(&self.connections.neighbours);
            if let Some(count) = neighbours.get_mut(&neighbour) {
                *count -= 1;
                if *count == 0 {
                    neighbours.remove(&neighbour);
                }
            }
        }
    }
}

/// Nothing here panics half-way through a change, so a poisoned lock protects sound values.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The tracker's end and the client's.
    fn pair() -> (Arc<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Arc::new(listener.accept().unwrap().0), client)
    }

    #[test]
    fn a_neighbour_is_an_ipv4_address_or_an_ipv6_64_and_bounded() {
        let connections = Arc::new(Connections::new(9, 1, 2));
        let (stream, _client) = pair();
        let enter = |address| connections.enter(&stream, ip(address), false);
        let places = [enter("192.0.2.1"), enter("192.0.2.1")];
        assert!(places.iter().all(Option::is_some));
        assert!(enter("192.0.2.1").is_none(), "a third one");
        assert!(enter("192.0.2.2").is_some(), "another address");
        let places6 = [enter("2001:db8::1"), enter("2001:db8::ffff:2")];
        assert!(places6.iter().all(Option::is_some));
        assert!(enter("2001:db8::3").is_none(), "the same /64");
        assert!(enter("2001:db8:0:1::1").is_some(), "another /64");
        let own = connections.enter(&stream, ip("192.0.2.1"), true);
        assert!(own.is_some(), "this machine's own address");
        let local: Vec<_> = (5..9).map(|_| enter("127.0.0.1")).collect();
        assert!(local.iter().all(Option::is_some), "not bounded");
        drop(places);
        assert!(enter("192.0.2.1").is_some(), "places were given back");
        drop((places6, local));
        assert!(lock(&connections.neighbours).is_empty());
    }

    #[test]
    fn the_longest_waiting_goes_and_nobody_the_tracker_works_for() {
        let connections = Arc::new(Connections::new(3, 1, 9));
        let mut pairs: Vec<_> = (0..3).map(|_| pair()).collect();
        let places: Vec<_> = pairs
            .iter()
            .map(|(stream, _)| connections.enter(stream, ip("::1"), false).unwrap())
            .collect();
        assert!(places[0].wait_ends(), "its request is here");
        let later = Instant::now() + PATIENCE * 2;
        connections.evict_longest_waiting(Instant::now(), 1);
        connections.evict_longest_waiting(later, 1);
        assert!(!places[1].wait_ends(), "waited for longest");
        assert_eq!(pairs[1].1.read(&mut [0; 9]).unwrap(), 0);
        assert!(places[2].wait_ends());
        connections.evict_longest_waiting(later, 1);
        assert!(places[0].wait_ends() && places[2].wait_ends());
    }

    #[test]
    fn the_doorkeeper_frees_a_thread_when_the_last_is_taken() {
        let connections = Arc::new(Connections::new(2, 1, 9));
        let doorkeeper = Arc::clone(&connections);
        std::thread::spawn(move || doorkeeper.keep_a_thread_free());
        connections.thread_is_free(0);
        let (stream, mut client) = pair();
        let _place = connections.enter(&stream, ip("::1"), false).unwrap();
        connections.thread_is_taken(0);
        // Waits until the doorkeeper has shut it down.
        assert_eq!(client.read(&mut [0; 9]).unwrap(), 0);
        connections.thread_is_free(0);
    }
}
