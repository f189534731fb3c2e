//! What tiny_http hands out, and what is answered: announces, and plain words for everything else.
//!
//! Only requests that passed the gate arrive here, so there is no method but GET and HEAD, and no
//! body.

use super::announce::{Path, read, write_refusal, write_reply};
use super::bencode::decimal;
use super::page::{self, Front};
use super::untrusted_proxies::UntrustedProxies;
use super::{metrics, scrape};
use crate::address::Scope;
use crate::announce::{Refusal, Reply};
use crate::counters::{Counters, Reason};
use crate::gate::forwarded::Via;
use crate::gate::handler::Handler;
use crate::gate::head::HttpRefusal;
use crate::gate::visitor::Visitor;
use crate::log::{About, Log};
use crate::own_addresses::OwnAddresses;
use crate::report;
use crate::tracker::Tracker;
use std::io::Write;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tiny_http::{Method, Request, StatusCode};

/// Answers requests.
pub struct Server {
    /// Shared with UDP: one state for both.
    pub tracker: Arc<Tracker>,
    /// The tracker's time is counted from here.
    pub began: Instant,
    /// Whether scrapes are answered.
    pub scrape: bool,
    /// Proxies that are not trusted, but perhaps should be.
    pub untrusted_proxies: UntrustedProxies,
    /// What the page needs to know, and who may see it.
    pub page: page::Settings,
    /// This machine's own, for the page.
    pub own_addresses: Arc<OwnAddresses>,
    /// Where to count, shared with UDP.
    pub counters: Arc<Counters>,
    /// Where to tell.
    pub log: Log,
}

/// An answer.
struct Response {
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: Vec<u8>,
}

/// Of plain text, and of bencoding, which goes by the same type.
const PLAIN: &[(&str, &str)] = &[("Content-Type", "text/plain")];
const METRICS: &[(&str, &str)] = &[
    ("Content-Type", "text/plain; version=0.0.4; charset=utf-8"),
    ("Cache-Control", "no-store"),
];

impl Handler for Server {
    fn answer(&self, request: Request, visitor: &Visitor) {
        let begin = Instant::now();
        // A panic must not take the thread with it: there would soon be none left.
        let response = catch_unwind(AssertUnwindSafe(|| self.respond(&request, visitor)));
        let response = response.unwrap_or_else(|_| {
            self.counters.refuse(Reason::Internal);
            let fault = Refusal::Internal.fault();
            let text = format_args!("an announce could not be answered ({fault})");
            self.log.line(About::Always, text);
            let mut body = Vec::new();
            write_refusal(&Refusal::Internal, &mut body);
            Response {
                status: 500,
                headers: PLAIN,
                body,
            }
        });
        let mut answer = Vec::with_capacity(256 + response.body.len());
        let add = |text: &str, answer: &mut Vec<u8>| answer.extend_from_slice(text.as_bytes());
        add("HTTP/1.1 ", &mut answer);
        decimal(&mut answer, response.status.into());
        add(" ", &mut answer);
        add(
            StatusCode(response.status).default_reason_phrase(),
            &mut answer,
        );
        add("\r\nServer: mayfly\r\nContent-Length: ", &mut answer);
        decimal(&mut answer, response.body.len() as u64);
        for (name, value) in response.headers {
            for text in ["\r\n", name, ": ", value] {
                add(text, &mut answer);
            }
        }
        add("\r\n\r\n", &mut answer);
        if *request.method() != Method::Head {
            answer.extend_from_slice(&response.body);
        }
        // By hand and in one write: tiny_http would make a dozen strings for the head.
        let mut writer = request.into_writer();
        // If it does not reach the gate, the gate knows.
        let _ = writer.write_all(&answer).and_then(|()| writer.flush());
        self.counters.http.durations.add(begin.elapsed());
    }

    fn refuse(&self, refusal: HttpRefusal, remote: IpAddr, body: &mut Vec<u8>) {
        self.counters.refuse(refusal.reason);
        self.log.line(
            About::Trouble,
            format_args!("refused {remote}: {} ({})", refusal.text, refusal.fault()),
        );
        if refusal.reason == Reason::NotAGet {
            // Of all these, only this can be an announce by a client that means it.
            write_refusal(&Refusal::NotAGet, body);
        } else {
            body.extend_from_slice(refusal.text.as_bytes());
            body.push(b'\n');
        }
    }
}

impl Server {
    fn respond(&self, request: &Request, visitor: &Visitor) -> Response {
        #[cfg(test)]
        assert_ne!(request.url(), "/panic", "on purpose");
        let url = request.url();
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let (status, headers, body) = match path.rsplit('/').next() {
            Some("announce" | "announce.php") => {
                if visitor.is_browser && query.is_empty() {
                    let text = page::what_it_is_for(self.shows_to(visitor));
                    (200, page::HTML, text.into_bytes())
                } else {
                    (200, PLAIN, self.announce(query, visitor))
                }
            }
            Some("scrape" | "scrape.php") => (200, PLAIN, self.scrape(query, visitor)),
            _ => match path {
                "/" if self.shows_to(visitor) => (200, page::HTML, self.front(visitor, true)),
                "/status.json" if self.shows_to(visitor) => {
                    (200, page::JSON, self.front(visitor, false))
                }
                "/metrics" if self.shows_to(visitor) => (200, METRICS, self.metrics()),
                _ => (404, PLAIN, not_found(visitor).into_bytes()),
            },
        };
        Response {
            status,
            headers,
            body,
        }
    }

    /// Whether somebody may look at the numbers. Of a request that a proxy has brought which is not
    /// trusted nobody knows who asks.
    fn shows_to(&self, visitor: &Visitor) -> bool {
        // This machine's own address may be one that the whole internet can reach.
        let is_here = visitor.source == visitor.local.ip();
        let is_near = is_here || Scope::of(visitor.source) != Scope::Global;
        is_near && visitor.via == Via::Direct || self.page.is_public
    }

    /// The page, or what it asks for to stay up to date.
    fn front(&self, visitor: &Visitor, is_page: bool) -> Vec<u8> {
        let now = self.sweep();
        let front = Front {
            settings: &self.page,
            counters: &self.counters,
            totals: self.tracker.totals(),
            one_address: self.tracker.one_address(now),
            uptime: now,
            host: visitor.host(),
            local: visitor.local,
            for_others: self.for_others(visitor),
        };
        let text = if is_page { front.page() } else { front.json() };
        text.into_bytes()
    }

    /// For who looks from the tracker's own machine, by a URL that works there only: where others
    /// reach it.
    fn for_others(&self, visitor: &Visitor) -> Option<IpAddr> {
        let is_here = visitor.source.is_loopback() && visitor.local.ip().is_loopback();
        if !is_here || visitor.via != Via::Direct {
            return None;
        }
        let addresses = self.own_addresses.reached_by(&self.page.bind);
        addresses.into_iter().find(|ip| !ip.is_loopback())
    }

    fn metrics(&self) -> Vec<u8> {
        self.sweep();
        metrics::render(&self.counters, &self.tracker.totals()).into_bytes()
    }

    /// Sweeps, as an announce would, and says what time it is.
    fn sweep(&self) -> Duration {
        let now = self.began.elapsed();
        let mut ended = Vec::new();
        self.tracker.sweep(now, &mut ended);
        self.counters.advance(now, || self.tracker.totals());
        report::ended(&self.log, &ended);
        now
    }

    fn announce(&self, query: &str, visitor: &Visitor) -> Vec<u8> {
        let path = Path {
            source: visitor.source,
            local: visitor.local.ip(),
        };
        let mut body = Vec::with_capacity(512);
        let mut reply = Reply::default();
        let now = self.began.elapsed();
        self.counters.advance(now, || self.tracker.totals());
        // Without the client's address there is only the proxy's, which is no peer's.
        let is_whole = unknown_client(&visitor.via).map_or(Ok(()), Err);
        let asked = is_whole.and_then(|()| read(query.as_bytes(), path));
        let handled = asked.and_then(|(mut announce, form)| {
            if visitor.via == Via::UntrustedProxy {
                // Whoever it is, it is not who is at the other end of the connection, whose
                // claims would be believed.
                (announce.ip, announce.ipv4, announce.ipv6) = (None, None, None);
                if self.untrusted_proxies.note(visitor.source, now) {
                    report::untrusted_proxy(&self.log, visitor.source);
                }
            }
            self.tracker.handle(&announce, now, &mut reply)?;
            self.counters.http.announces.answered.add();
            write_reply(&reply, form, &mut body);
            report::announced(&self.log, &announce, &reply);
            Ok(())
        });
        if let Err(refusal) = handled {
            self.counters.http.announces.refused.add();
            self.counters.refuse(refusal.reason());
            report::ended(&self.log, &reply.ended);
            report::refused(&self.log, "an announce", visitor.source, &refusal);
            body.clear();
            write_refusal(&refusal, &mut body);
        }
        body
    }

    fn scrape(&self, query: &str, visitor: &Visitor) -> Vec<u8> {
        let mut body = Vec::with_capacity(512);
        let hashes = match self.scrape {
            true => scrape::read(query.as_bytes()),
            false => Err(Refusal::ScrapeIsOff),
        };
        match hashes {
            Ok(hashes) => {
                self.counters.http.scrapes.answered.add();
                let now = self.began.elapsed();
                let mut ended = Vec::new();
                let counts = self.tracker.scrape(hashes.iter().copied(), now, &mut ended);
                scrape::write(&hashes, &counts, &mut body);
                report::ended(&self.log, &ended);
            }
            Err(refusal) => {
                self.counters.http.scrapes.refused.add();
                self.counters.refuse(refusal.reason());
                report::refused(&self.log, "a scrape", visitor.source, &refusal);
                write_refusal(&refusal, &mut body);
            }
        }
        body
    }
}

/// Why nobody knows who asks, if so.
fn unknown_client(via: &Via) -> Option<Refusal> {
    match via {
        Via::Direct | Via::UntrustedProxy => None,
        Via::Unstated => Some(Refusal::NotForwarded),
        Via::Unreadable(said) => Some(Refusal::Forwarded(said.clone())),
    }
}

fn not_found(visitor: &Visitor) -> String {
    let reached = visitor.local.to_string();
    let host = visitor.host().unwrap_or(&reached);
    format!(
        "There is nothing here. This is mayfly, a BitTorrent tracker; its announce URL is this \
         (with https if you came by that):\nhttp://{host}/announce\n"
    )
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
