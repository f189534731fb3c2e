//! DNS names that peers give as their address (`ip=box.lan`), resolved off the request's path.
//!
//! A request never waits for a name: it gets what is known by now, and what is not known is asked
//! for by a thread of its own. Whose names are worth resolving is for `tracker.rs` to say.
//!
//! The attack: one client announces with hundreds of names, of which none is ever resolved, and
//! the system takes half a minute to say so of each. The defence: a client has few places and one
//! thread, a name that takes too long leaves its turn to others, and where there is no room, those
//! give way who have most.

use crate::address::AddressBlock;
use crate::lock::{lock, wait, wait_for};
use crate::threads;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Most names remembered, those that wait among them.
const MOST_KNOWN: usize = 256;
/// Most of these for one source; what comes then has to ask again with a later announce. A client
/// has one name.
const MOST_OF_SOURCE: usize = 4;
/// How long an answer is believed, and how long a name that has none is left alone.
const LIFE: Duration = Duration::from_secs(10 * 60);
/// Most names that are resolved at the same time.
const RESOLVERS: usize = 4;
/// A name that takes longer leaves its turn to another, though nothing can stop its thread: the
/// system asks several name servers several times, for 5 seconds each.
const DEADLINE: Duration = Duration::from_secs(5);
/// Most threads, those that take too long among them.
const MOST_THREADS: usize = 16;

/// Asks somebody for the addresses of a name; blocks.
type Resolve = dyn Fn(&str) -> Vec<IpAddr> + Send + Sync;

/// Whose name it is; `None` for this machine's own clients.
type Source = Option<AddressBlock>;

/// The names known so far, and the threads that find out about others. They begin with the first
/// name: most trackers never see one.
pub struct Names(Arc<Shared>);

struct Shared {
    resolve: Box<Resolve>,
    deadline: Duration,
    state: Mutex<State>,
    /// A name waits, or a thread has ended.
    has_changed: Condvar,
}

#[derive(Default)]
struct State {
    known: HashMap<String, Known>,
    waiting: VecDeque<(String, Source)>,
    running: Vec<Running>,
    /// How many have been started, to tell them apart.
    started: u64,
    has_dispatcher: bool,
}

struct Known {
    /// Whose place it takes.
    source: Source,
    /// When it was asked for.
    since: Duration,
    /// Whether the answer to that is still to come.
    is_awaited: bool,
    /// The last answer.
    addresses: Vec<IpAddr>,
}

/// A name that is being resolved.
struct Running {
    number: u64,
    source: Source,
    name: String,
    began: Instant,
    is_overdue: bool,
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
        Names::with_deadline(DEADLINE, resolve)
    }

    fn with_deadline(
        deadline: Duration,
        resolve: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static,
    ) -> Names {
        Names(Arc::new(Shared {
            resolve: Box::new(resolve),
            deadline,
            state: Mutex::default(),
            has_changed: Condvar::new(),
        }))
    }

    /// The canonical address of `name`, for the client at the canonical address `source` and of
    /// the same family if it has one, or `None` as long as that is not known. Never blocks for
    /// longer than a look into a table takes.
    pub fn lookup(&self, name: &str, source: IpAddr, now: Duration) -> Option<IpAddr> {
        let mut state = lock(&self.0.state);
        let Some(known) = state.known.get(name) else {
            self.ask(&mut state, name, source, now);
            return None;
        };
        let is_of_family = |ip: &&IpAddr| ip.is_ipv6() == source.is_ipv6();
        let of_family = known.addresses.iter().find(is_of_family);
        let address = of_family.or(known.addresses.first()).copied();
        // An answer that is old stands until there is a new one.
        if !known.is_awaited && is_old(known, now) {
            self.ask(&mut state, name, source, now);
        }
        address
    }

    /// For the tests of those who must not ask.
    #[cfg(test)]
    pub fn has_asked_for_none(&self) -> bool {
        lock(&self.0.state).known.is_empty()
    }

    fn ask(&self, state: &mut State, name: &str, source: IpAddr, now: Duration) {
        let source = AddressBlock::of(source);
        if !state.has_dispatcher {
            let shared = Arc::clone(&self.0);
            let work = Box::new(move || shared.dispatch());
            let started = threads::start("names", 64 * 1024, work);
            // Without a thread (the system has no more) the source address stands for now.
            state.has_dispatcher = started.is_ok();
        }
        if !state.has_dispatcher || !state.make_room(name, source, now) {
            return;
        }
        let known = state.known.entry(name.to_owned()).or_insert(Known {
            source,
            since: now,
            is_awaited: true,
            addresses: Vec::new(),
        });
        (known.since, known.is_awaited) = (now, true);
        state.waiting.push_back((name.to_owned(), source));
        self.0.has_changed.notify_all();
    }
}

fn is_old(known: &Known, now: Duration) -> bool {
    now.saturating_sub(known.since) > LIFE
}

impl State {
    /// How many names a source has.
    fn count(&self, source: Source) -> usize {
        let of_source = |known: &&Known| known.source == source;
        self.known.values().filter(of_source).count()
    }

    /// Makes room for a name of this source. `false`: there is none.
    fn make_room(&mut self, name: &str, source: Source, now: Duration) -> bool {
        if self.known.contains_key(name) {
            return true;
        }
        if self.count(source) >= MOST_OF_SOURCE {
            // Of its own, since others may still want to know what is old.
            let is_kept = |known: &Known| known.source != source || !is_done_with(known, now);
            self.known.retain(|_, known| is_kept(known));
        }
        if self.known.len() >= MOST_KNOWN {
            self.known.retain(|_, known| !is_done_with(known, now));
        }
        let own = self.count(source);
        own < MOST_OF_SOURCE && (self.known.len() < MOST_KNOWN || self.take_from_the_richest(own))
    }

    /// Forgets the oldest name of the source that has most, if that has more than somebody with
    /// `own` of them will have.
    fn take_from_the_richest(&mut self, own: usize) -> bool {
        let mut counts: HashMap<Source, usize> = HashMap::new();
        for known in self.known.values() {
            *counts.entry(known.source).or_default() += 1;
        }
        let may_go = |known: &Known| !known.is_awaited && counts[&known.source] > own + 1;
        let candidates = self.known.iter().filter(|(_, known)| may_go(known));
        // Among equals, who was asked for first.
        let rank = |known: &Known| (usize::MAX - counts[&known.source], known.since);
        let name = candidates.min_by_key(|(_, known)| rank(known));
        match name.map(|(name, _)| name.clone()) {
            Some(name) => self.known.remove(&name).is_some(),
            None => false,
        }
    }

    /// Takes the name that has waited for longest, of those whose source has no thread, if another
    /// thread may be started.
    fn next(&mut self) -> Option<(String, Source)> {
        let in_time = self.running.iter().filter(|running| !running.is_overdue);
        if in_time.count() >= RESOLVERS || self.running.len() >= MOST_THREADS {
            return None;
        }
        let is_free = |source| self.running.iter().all(|running| running.source != source);
        let at = self
            .waiting
            .iter()
            .position(|(_, source)| is_free(*source))?;
        self.waiting.remove(at)
    }

    /// Gives up those that have taken too long by now. Returns when the next will have, if one is
    /// left.
    fn give_up(&mut self, deadline: Duration, now: Instant) -> Option<Duration> {
        let mut next: Option<Duration> = None;
        for running in self
            .running
            .iter_mut()
            .filter(|running| !running.is_overdue)
        {
            let left = deadline.saturating_sub(now.saturating_duration_since(running.began));
            if left.is_zero() {
                running.is_overdue = true;
                if let Some(known) = self.known.get_mut(&running.name) {
                    known.is_awaited = false;
                }
            } else {
                next = Some(next.map_or(left, |next| next.min(left)));
            }
        }
        next
    }

    /// A name has been resolved, perhaps to nothing.
    fn store(&mut self, name: &str, mut addresses: Vec<IpAddr>) {
        for ip in &mut addresses {
            *ip = crate::address::canonical(*ip);
        }
        if let Some(known) = self.known.get_mut(name) {
            known.is_awaited = false;
            // A name server that is away for a while takes nobody's address away.
            if !addresses.is_empty() {
                known.addresses = addresses;
            }
        }
    }
}

/// Whether a name may be forgotten without anybody's noticing soon.
fn is_done_with(known: &Known, now: Duration) -> bool {
    !known.is_awaited && is_old(known, now)
}

impl Shared {
    /// The thread that starts others, one for each name.
    fn dispatch(self: Arc<Self>) {
        let mut state = lock(&self.state);
        loop {
            let now = Instant::now();
            state.give_up(self.deadline, now);
            while let Some((name, source)) = state.next() {
                self.start(&mut state, name, source, now);
            }
            // Those that have just begun as well.
            state = match state.give_up(self.deadline, now) {
                Some(left) => wait_for(&self.has_changed, state, left),
                None => wait(&self.has_changed, state),
            };
        }
    }

    fn start(self: &Arc<Self>, state: &mut State, name: String, source: Source, began: Instant) {
        state.started += 1;
        let number = state.started;
        let (shared, asked) = (Arc::clone(self), name.clone());
        let work = Box::new(move || {
            let addresses = (shared.resolve)(&asked);
            let mut state = lock(&shared.state);
            state.store(&asked, addresses);
            state.running.retain(|running| running.number != number);
            shared.has_changed.notify_all();
        });
        match threads::start("name", threads::DEFAULT_STACK, work) {
            Ok(_) => state.running.push(Running {
                number,
                source,
                name,
                began,
                is_overdue: false,
            }),
            // It is left alone for as long as one that has no address.
            Err(_) => state.store(&name, Vec::new()),
        }
    }
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
