//! DNS names that peers give as their address (`ip=box.lan`), resolved off the request's path.
//!
//! A request never waits for a name: it gets what is known by now, and what is not known is asked
//! for by a thread of its own. Whose names are worth resolving is for `tracker.rs` to say.

use crate::lock::{lock, wait};
use crate::threads;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Most names waiting to be resolved; what comes then has to ask again with its next announce.
const MOST_WAITING: usize = 32;
/// Most names remembered.
const MOST_KNOWN: usize = 256;
/// How long an answer is believed, and how long a name that has none is left alone.
const LIFE: Duration = Duration::from_secs(10 * 60);

/// Asks somebody for the addresses of a name; blocks.
type Resolve = dyn Fn(&str) -> Vec<IpAddr> + Send + Sync;

/// The names known so far, and the thread that finds out about others. It begins with the first
/// name: most trackers never see one.
pub struct Names(Arc<Shared>);

struct Shared {
    resolve: Box<Resolve>,
    state: Mutex<State>,
    something_waits: Condvar,
}

#[derive(Default)]
struct State {
    known: HashMap<String, Known>,
    waiting: VecDeque<String>,
    has_thread: bool,
}

#[derive(Default)]
struct Known {
    /// When it was asked for.
    since: Duration,
    /// Whether the answer to that is still to come.
    is_awaited: bool,
    /// The last answer.
    addresses: Vec<IpAddr>,
}

impl Names {
    /// Resolves as the operating system does.
    pub fn system() -> Names {
        Names::new(|name| match (name, 0).to_socket_addrs() {
            Ok(found) => found.map(|address| address.ip()).collect(),
            Err(_) => Vec::new(),
        })
    }

    /// Resolves by `resolve`, which may block.
    pub fn new(resolve: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Names {
        Names(Arc::new(Shared {
            resolve: Box::new(resolve),
            state: Mutex::default(),
            something_waits: Condvar::new(),
        }))
    }

    /// The canonical address of `name`, of the family that `ipv6` says if it has one, or `None`
    /// as long as that is not known. Never blocks for longer than a look into a table takes.
    pub fn lookup(&self, name: &str, ipv6: bool, now: Duration) -> Option<IpAddr> {
        let mut state = lock(&self.0.state);
        let Some(known) = state.known.get(name) else {
            self.ask(&mut state, name, now);
            return None;
        };
        let mut of_family = known.addresses.iter().filter(|ip| ip.is_ipv6() == ipv6);
        let address = of_family.next().or(known.addresses.first()).copied();
        // An answer that is old stands until there is a new one.
        if !known.is_awaited && now.saturating_sub(known.since) > LIFE {
            self.ask(&mut state, name, now);
        }
        address
    }

    /// For the tests of those who must not ask.
    #[cfg(test)]
    pub fn has_asked_for_none(&self) -> bool {
        lock(&self.0.state).known.is_empty()
    }

    fn ask(&self, state: &mut State, name: &str, now: Duration) {
        if !state.has_thread {
            let shared = Arc::clone(&self.0);
            let work = Box::new(move || shared.work());
            let started = threads::start("names", threads::DEFAULT_STACK, work);
            // Without a thread (the system has no more) the source address stands for now.
            state.has_thread = started.is_ok();
        }
        if state.known.len() >= MOST_KNOWN {
            let is_young = |known: &Known| now.saturating_sub(known.since) <= LIFE;
            state
                .known
                .retain(|other, known| is_young(known) || known.is_awaited || other == name);
        }
        let has_room = state.known.len() < MOST_KNOWN || state.known.contains_key(name);
        if !state.has_thread || !has_room || state.waiting.len() >= MOST_WAITING {
            return;
        }
        let known = state.known.entry(name.to_owned()).or_default();
        known.since = now;
        known.is_awaited = true;
        state.waiting.push_back(name.to_owned());
        self.0.something_waits.notify_one();
    }
}

impl Shared {
    fn work(&self) {
        loop {
            let mut state = lock(&self.state);
            let name = loop {
                match state.waiting.pop_front() {
                    Some(name) => break name,
                    None => state = wait(&self.something_waits, state),
                }
            };
            drop(state);
            let mut addresses = (self.resolve)(&name);
            for ip in &mut addresses {
                *ip = crate::address::canonical(*ip);
            }
            if let Some(known) = lock(&self.state).known.get_mut(&name) {
                known.is_awaited = false;
                // A name server that is away for a while takes nobody's address away.
                if !addresses.is_empty() {
                    known.addresses = addresses;
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
