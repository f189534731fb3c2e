//! What both transports have in common: the tracker and its time, and that whatever becomes of a
//! request is counted and logged, over HTTP as over UDP.
//!
//! What a request or an answer looks like is for the two `server.rs` to know; the words of the log
//! are in `report.rs`.

use crate::address::Scope;
use crate::announce::{Announce, EndedSwarm, Event, InfoHash, Reply};
use crate::counters::{Counters, Transport};
use crate::log::{About, Log};
use crate::public_address::PublicAddress;
use crate::refusal::{Reason, Refusal};
use crate::report::{self, Asked};
use crate::seldom::Seldom;
use crate::swarms::Counts;
use crate::tracker::Tracker;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Shared by both transports.
pub struct Service {
    /// One state for both.
    pub tracker: Tracker,
    /// The tracker's time is counted from here.
    pub began: Instant,
    /// Whether scrapes are answered.
    pub scrape: bool,
    /// Under what this network is reached from the internet.
    pub public: Arc<PublicAddress>,
    /// When it was told that somebody on the internet was shown nobody.
    pub shown_nobody: Seldom,
    /// Where to count.
    pub counters: Arc<Counters>,
    /// Where to tell.
    pub log: Log,
}

impl Service {
    /// The time since the tracker began.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Has the tracker handle an announce. What ended meanwhile is logged in any case; a refusal is
    /// for [`Service::refused`].
    pub fn announce(
        &self,
        transport: &Transport,
        announce: &Announce,
        now: Duration,
        reply: &mut Reply,
    ) -> Result<(), Refusal> {
        self.advance(now);
        let handled = self.tracker.handle(announce, now, reply);
        match handled {
            Ok(()) => {
                transport.announces.answered.add();
                report::announced(&self.log, announce, reply);
                if !self.public.is_known() && was_shown_nobody(announce, reply) {
                    self.counters.shown_nobody.add();
                    if self.shown_nobody.is_time(now) {
                        report::shown_nobody(&self.log, announce.source);
                    }
                }
            }
            Err(_) => report::ended(&self.log, &reply.ended),
        }
        handled
    }

    /// The counts of each of `hashes`, in their order.
    pub fn scrape(
        &self,
        transport: &Transport,
        hashes: impl Iterator<Item = InfoHash>,
        now: Duration,
        ended: &mut Vec<EndedSwarm>,
    ) -> Vec<Counts> {
        let counts = self.tracker.scrape(hashes, now, ended);
        transport.scrapes.answered.add();
        report::ended(&self.log, ended);
        counts
    }

    /// Whether scrapes are answered, as a refusal if they are not.
    pub fn may_scrape(&self) -> Result<(), Refusal> {
        match self.scrape {
            true => Ok(()),
            false => Err(Refusal::ScrapeIsOff),
        }
    }

    /// Sweeps, as an announce does, for those who only look.
    pub fn sweep(&self, now: Duration) {
        let mut ended = Vec::new();
        self.tracker.sweep(now, &mut ended);
        self.advance(now);
        report::ended(&self.log, &ended);
    }

    /// Carries the history on.
    fn advance(&self, now: Duration) {
        let peers = || self.tracker.totals().count_all();
        self.counters.advance(now, peers);
    }

    /// Somebody is refused.
    pub fn refused(&self, transport: &Transport, asked: Asked, source: IpAddr, refusal: &Refusal) {
        match asked {
            Asked::Announce => transport.announces.refused.add(),
            Asked::Scrape => transport.scrapes.refused.add(),
            Asked::Unknown => {}
        }
        self.counters.refuse(refusal.reason());
        report::refused(&self.log, asked, source, refusal);
    }

    /// Does what answers a request. `None` if it panics: that costs one answer, and neither a
    /// thread (there would soon be none left) nor silence.
    pub fn without_panic<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(work));
        if done.is_err() {
            self.counters.refuse(Reason::Internal);
            let fault = Refusal::Internal.fault();
            let text = format_args!("a request could not be answered ({fault})");
            self.log.line(About::Always, text);
        }
        done.ok()
    }

    /// A request that arrived at `since` is done with. Returns the time.
    pub fn took(&self, transport: &Transport, since: Duration) -> Duration {
        let now = self.now();
        transport.durations.add(now.saturating_sub(since));
        now
    }
}

/// Whether somebody on the internet was shown none of the peers that there are, and wanted some:
/// those have addresses that lead nowhere from there.
fn was_shown_nobody(announce: &Announce, reply: &Reply) -> bool {
    let wants_some = announce.event != Event::Stopped && announce.numwant != Some(0);
    if !reply.peers.is_empty() || !wants_some || Scope::of(announce.source) != Scope::Global {
        return false;
    }
    match announce.is_seeder {
        true => reply.leechers > 0,
        // It is one of them itself.
        false => reply.seeders + reply.leechers > 1,
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
pub mod tests;
