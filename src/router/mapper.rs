//! The one thread that asks the router: when, what it remembers from one time to the next, and what
//! it tells of what it learns. No request of a client ever waits for it.

use super::gateway::Router;
use super::mapping::{Held, Refusal, Wish};
use super::pcp::Nonce;
use super::ways;
use super::words::{self, Trouble};
use crate::address::Scope;
use crate::log::{About, Log};
use crate::public_address::Forwarded;
use crate::threads;
use std::collections::hash_map::{DefaultHasher, RandomState};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How often the router is asked whether all is as it was. Often enough that after a restart of the
/// router the mapping is back within a minute: not all of them say that they were restarted
/// (miniupnpd as OpenWrt sets it up does not), so the mapping itself is asked for again.
const CHECK: Duration = Duration::from_secs(30);
/// At least this is between two questions, however short a lease the router gives.
const SHORTEST: Duration = Duration::from_secs(5);
/// At most this is, where no router has ever answered as it should.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// What an exchange needs is 10 KB on the stack, and what it reads is not there.
const STACK: usize = 256 * 1024;

/// What is told whom it concerns, whenever it changes: how the internet reaches this machine.
pub type Tell = Box<dyn Fn(Option<Forwarded>) + Send>;

/// What the thread has to know.
pub struct Settings {
    /// What is wanted of the router.
    pub wish: Wish,
    /// The addresses that are listened on; none means all.
    pub bind: Vec<IpAddr>,
    /// Where it tells what happens.
    pub log: Log,
    /// Whom it tells what it learns.
    pub tell: Tell,
}

/// Starts the thread, which begins its work when it is unparked.
pub fn start(settings: Settings) -> io::Result<Thread> {
    let work = move || {
        thread::park();
        let Settings {
            wish,
            bind,
            log,
            tell,
        } = settings;
        let began = Instant::now();
        let nonce = nonce(wish.port);
        let mut memory = Memory::new(wish);
        loop {
            let asked = ask(&mut memory, &bind, nonce, began.elapsed());
            let news = memory.learn(asked, began.elapsed());
            for (about, line) in news.lines {
                log.line(about, format_args!("{line}"));
            }
            if let Some(outside) = news.outside {
                tell(outside);
            }
            thread::sleep(memory.pause());
        }
    };
    let thread = threads::start("router", STACK, Box::new(work))?;
    Ok(thread.thread().clone())
}

/// Asks whoever is the router now.
fn ask(memory: &mut Memory, bind: &[IpAddr], nonce: Nonce, now: Duration) -> Result<Held, Trouble> {
    let router = Router::find().ok_or(Trouble::NoRouter)?;
    let local = router.local;
    if Scope::of(local.into()) == Scope::Global {
        return Err(Trouble::NothingBetween(local));
    }
    if !listens_on(local, bind) {
        return Err(Trouble::NotListening(local));
    }
    // What another router knows, or knows of another address, is of no use.
    memory.held.take_if(|held| held.local != local);
    ways::ask(&router, memory.wish, nonce, memory.held.as_ref(), now).map_err(|refusal| {
        Trouble::Refused {
            router: router.address,
            is_guess: router.is_guess,
            local,
            refusal,
        }
    })
}

fn listens_on(local: Ipv4Addr, bind: &[IpAddr]) -> bool {
    bind.is_empty() || bind.contains(&local.into()) || bind.contains(&Ipv4Addr::UNSPECIFIED.into())
}

/// What PCP tells a mapping's owner by: nobody else may know it, but a mayfly that is started again
/// must, or it is refused what the one before it had. So it is made from what the system keeps for
/// such ends, and by chance where there is no such thing.
fn nonce(port: u16) -> Nonce {
    let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
    let chance = RandomState::new();
    let half = |number: u8| {
        let mut hasher = match machine.is_empty() {
            true => chance.build_hasher(),
            false => DefaultHasher::new(),
        };
        hasher.write(b"mayfly");
        hasher.write(&machine);
        hasher.write_u16(port);
        hasher.write_u8(number);
        hasher.finish().to_be_bytes()
    };
    let mut nonce = [0; 12];
    let halves = half(0).into_iter().chain(half(1));
    for (byte, of_hash) in nonce.iter_mut().zip(halves) {
        *byte = of_hash;
    }
    nonce
}

/// What is remembered from one time to the next.
struct Memory {
    wish: Wish,
    /// What the router agreed to last.
    held: Option<Held>,
    /// What was told last.
    told: Option<Forwarded>,
    /// The trouble that was logged last, unless it is over.
    trouble: Option<String>,
    /// How often in a row there was trouble.
    failures: u32,
}

/// What follows from what was learnt.
#[derive(PartialEq, Debug, Default)]
struct News {
    lines: Vec<(About, String)>,
    /// How the internet reaches this machine, if that has changed.
    outside: Option<Option<Forwarded>>,
}

impl Memory {
    fn new(wish: Wish) -> Memory {
        Memory {
            wish,
            held: None,
            told: None,
            trouble: None,
            failures: 0,
        }
    }

    fn learn(&mut self, asked: Result<Held, Trouble>, now: Duration) -> News {
        match asked {
            Ok(held) => {
                self.failures = 0;
                let news = self.learn_held(&held);
                self.held = Some(held);
                news
            }
            Err(trouble) => {
                self.failures = self.failures.saturating_add(1);
                let is_silent = matches!(
                    trouble,
                    Trouble::NoRouter
                        | Trouble::Refused {
                            refusal: Refusal::Silence,
                            ..
                        }
                );
                match &self.held {
                    // A promise is a promise; and who restarts his router has no other now.
                    Some(held) if is_silent && self.told.is_some() && !held.is_over(now) => {
                        let line = words::is_silent(held);
                        self.say(line)
                    }
                    _ => {
                        let line = trouble.line(self.wish);
                        News {
                            outside: self.told.take().map(|_| None),
                            ..self.say(line)
                        }
                    }
                }
            }
        }
    }

    fn learn_held(&mut self, held: &Held) -> News {
        let outside = held.outside;
        if !words::is_public(outside.ip) {
            let trouble = Trouble::NotPublic {
                router: held.router,
                address: outside.ip,
            };
            let line = trouble.line(self.wish);
            return News {
                outside: self.told.take().map(|_| None),
                ..self.say(line)
            };
        }
        let mut news = News::default();
        let was_trouble = self.trouble.take().is_some();
        let mut say = |line| news.lines.push((About::Start, line));
        if self.told != Some(outside) {
            let before = self.told.replace(outside);
            if held.lease.is_none() && before.is_none() {
                say(words::is_permanent(held));
            }
            say(words::forwards(held, before, self.wish));
            news.outside = Some(Some(outside));
        } else if was_trouble || held.has_forgotten {
            say(words::again(held));
        }
        news
    }

    /// A line about trouble, if it was not the last already.
    fn say(&mut self, line: String) -> News {
        let mut lines = Vec::new();
        if self.trouble.as_ref() != Some(&line) {
            self.trouble = Some(line.clone());
            lines.push((About::Always, line));
        }
        News {
            lines,
            outside: None,
        }
    }

    /// How long to wait before the router is asked again.
    fn pause(&self) -> Duration {
        match &self.held {
            Some(Held {
                lease: Some(lease), ..
            }) if self.failures == 0 => (*lease / 2).clamp(SHORTEST, CHECK),
            Some(_) => CHECK,
            None => {
                let doublings = self.failures.saturating_sub(1).min(8);
                (CHECK * 2u32.pow(doublings)).min(LONGEST)
            }
        }
    }
}

#[cfg(test)]
#[path = "mapper_tests.rs"]
mod tests;
