//! What tiny_http hands out, and what is answered: announces, scrapes, the pages, the metrics, and
//! plain words for everything else.
//!
//! Only requests that passed the gate arrive here, so there is no method but GET and HEAD, and no
//! body.

use super::announce::{Path, read, write_refusal, write_reply};
use super::bencode::decimal;
use super::page::{self, Front};
use super::untrusted_proxies::UntrustedProxies;
use super::{display_name, hosts, metrics, query, scrape, torrents};
use crate::address::Scope;
use crate::announce::{Announce, Reply};
use crate::counters::Transport;
use crate::gate::forwarded::Via;
use crate::gate::handler::Handler;
use crate::gate::visitor::Visitor;
use crate::own_addresses::OwnAddresses;
use crate::public_address::PublicAddress;
use crate::refusal::{HttpRefusal, Refusal};
use crate::report::{self, Asked};
use crate::seldom::Seldom;
use crate::service::Service;
use crate::torrent_list::TorrentList;
use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tiny_http::{Method, Request, StatusCode};

/// Answers requests.
pub struct Server {
    /// Shared with UDP.
    pub service: Arc<Service>,
    /// Proxies that are not trusted, but perhaps should be.
    pub untrusted_proxies: UntrustedProxies,
    /// Claims that browsers make.
    pub claims_of_browsers: Seldom,
    /// What the page needs to know, and who may see it.
    pub page: page::Settings,
    /// This machine's own, for the page.
    pub own_addresses: Arc<OwnAddresses>,
    /// Where the internet reaches it, likewise.
    pub public_address: Arc<PublicAddress>,
    /// What was seen of the torrents, for those who see a list of them.
    pub list: TorrentList,
}

/// An answer.
struct Response {
    status: u16,
    headers: Headers,
    body: Vec<u8>,
}

type Headers = &'static [(&'static str, &'static str)];

/// What a URL leads to.
enum Route {
    Announce,
    Scrape,
    Page(Page),
    Nothing,
}

/// What shows the tracker's numbers.
enum Page {
    Front,
    Status,
    Metrics,
    Torrents,
}

impl Route {
    /// Whatever the path, a client that sends its info_hash means an announce: it came by a URL
    /// that somebody has mistyped or shortened. Of a 404 clients show next to nothing, and some
    /// take the page at `/` for an answer without peers.
    fn of(path: &str, query: &str) -> Route {
        let has_hash = || query::pairs(query.as_bytes()).any(|(key, _)| key == b"info_hash");
        match path.rsplit('/').next() {
            Some("scrape" | "scrape.php") => Route::Scrape,
            Some("announce" | "announce.php") => Route::Announce,
            _ if has_hash() => Route::Announce,
            _ => match path {
                "/" => Route::Page(Page::Front),
                "/status.json" => Route::Page(Page::Status),
                "/metrics" => Route::Page(Page::Metrics),
                "/torrents.json" => Route::Page(Page::Torrents),
                _ => Route::Nothing,
            },
        }
    }
}

/// Of plain text, and of bencoding, which goes by the same type.
const PLAIN: &[(&str, &str)] = &[("Content-Type", "text/plain")];
const METRICS: &[(&str, &str)] = &[
    ("Content-Type", "text/plain; version=0.0.4; charset=utf-8"),
    ("Cache-Control", "no-store"),
];

/// Of the answer that there will be one in two seconds. Its status is no error, since a browser
/// writes those into its console.
const AGAIN: Headers = &[
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("Retry-After", "2"),
];

impl Handler for Server {
    fn answer(&self, request: Request, visitor: &Visitor) {
        let now = self.service.now();
        let respond = || self.respond(&request, visitor, now);
        let response = self.service.without_panic(respond);
        let response = response.unwrap_or_else(|| {
            let mut body = Vec::new();
            self.write_refusal(&Refusal::Internal, &mut body);
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
        self.service.took(self.counted(), now);
    }

    fn refuse(&self, refusal: HttpRefusal, remote: IpAddr, body: &mut Vec<u8>) {
        let whole = Refusal::Http(refusal);
        let service = &self.service;
        service.refused(self.counted(), Asked::Unknown, remote, &whole);
        match refusal {
            // Of all these, only this can be an announce by a client that means it.
            HttpRefusal::NotAGet => self.write_refusal(&whole, body),
            _ => {
                // Writing into a Vec does not fail.
                let _ = writeln!(body, "{whole}");
            }
        }
    }
}

impl Server {
    /// Where to count what comes by HTTP.
    fn counted(&self) -> &Transport {
        &self.service.counters.http
    }

    fn write_refusal(&self, refusal: &Refusal, body: &mut Vec<u8>) {
        write_refusal(refusal, self.service.tracker.interval(), body);
    }

    fn respond(&self, request: &Request, visitor: &Visitor, now: Duration) -> Response {
        #[cfg(test)]
        assert_ne!(request.url(), "/panic", "on purpose");
        let url = request.url();
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let (status, headers, body) = match Route::of(path, query) {
            Route::Announce if visitor.is_browser && query.is_empty() => {
                let text = page::what_it_is_for(self.shows_to(visitor));
                (200, page::HTML, text.into_bytes())
            }
            Route::Announce => (200, PLAIN, self.announce(query, visitor, now)),
            Route::Scrape => (200, PLAIN, self.scrape(query, visitor, now)),
            Route::Page(Page::Torrents) if !self.page.has_list => (404, PLAIN, not_found(visitor)),
            Route::Page(ref page) if !self.shows(page, visitor) => (404, PLAIN, hidden(visitor)),
            Route::Page(_) if !self.shows_under_name_of(visitor) => {
                (421, PLAIN, wrong_name(visitor))
            }
            Route::Page(Page::Front) => (200, page::HTML, self.front(visitor, true, now)),
            Route::Page(Page::Status) => (200, page::JSON, self.front(visitor, false, now)),
            Route::Page(Page::Metrics) => (200, METRICS, self.metrics(now)),
            Route::Page(Page::Torrents) => self.torrents(query, now),
            Route::Nothing => (404, PLAIN, not_found(visitor)),
        };
        Response {
            status,
            headers,
            body,
        }
    }

    /// Whether somebody may look at this. The list is for those alone of whom it is known who they
    /// are: see [`is_on_the_proxys_machine`].
    fn shows(&self, page: &Page, visitor: &Visitor) -> bool {
        let is_list = matches!(page, Page::Torrents);
        self.shows_to(visitor) || !is_list && is_on_the_proxys_machine(visitor)
    }

    /// Whether somebody may look at the numbers. Of a request that a proxy has brought which is not
    /// trusted nobody knows who asks.
    fn shows_to(&self, visitor: &Visitor) -> bool {
        // This machine's own address may be one that the whole internet can reach.
        let is_here = visitor.source == visitor.local.ip();
        let is_near = is_here || Scope::of(visitor.source) != Scope::Global;
        is_near && is_known(visitor) || self.page.is_public
    }

    /// Whether a page may be shown under the name that was asked for, or could be read by a page of
    /// somebody else's (see `hosts.rs`). What everybody may see needs no protection, and what names
    /// a proxy answers to is for its operator to say.
    fn shows_under_name_of(&self, visitor: &Visitor) -> bool {
        let is_free = self.page.is_public || visitor.via == Via::TrustedProxy;
        let is_own =
            |host| hosts::is_local(host) || self.public_address.has_name(hosts::name(host));
        is_free || !visitor.has_odd_host && visitor.host().is_none_or(is_own)
    }

    /// The page, or what it asks for to stay up to date.
    fn front(&self, visitor: &Visitor, is_page: bool, now: Duration) -> Vec<u8> {
        let service = &*self.service;
        service.sweep(now);
        let settings = page::Settings {
            has_list: self.page.has_list && self.shows_to(visitor),
            ..self.page.clone()
        };
        let front = Front {
            settings: &settings,
            counters: &service.counters,
            totals: service.tracker.totals(),
            one_address: service.tracker.one_address(now),
            uptime: now,
            host: visitor.host(),
            local: visitor.local,
            is_for_proxy: is_on_the_proxys_machine(visitor),
            for_others: self.for_others(visitor),
            for_the_internet: self.public_address.urls(),
        };
        let text = if is_page { front.page() } else { front.json() };
        text.into_bytes()
    }

    /// For who looks from the tracker's own machine, by a URL that works there only: where others
    /// reach it.
    fn for_others(&self, visitor: &Visitor) -> Vec<IpAddr> {
        let is_here = visitor.source.is_loopback() && visitor.local.ip().is_loopback();
        if !is_here || !is_known(visitor) {
            return Vec::new();
        }
        let mut addresses = self.own_addresses.reached_by(&self.page.bind);
        addresses.retain(|ip| !ip.is_loopback());
        addresses
    }

    /// The list of the torrents, or that now is not the time to ask for it.
    fn torrents(&self, query: &str, now: Duration) -> (u16, Headers, Vec<u8>) {
        let service = &*self.service;
        service.sweep(now);
        let query = torrents::read(query.as_bytes());
        match self.list.find(&service.tracker, &query, now) {
            Some(best) => {
                let text = torrents::render(&best, service.counters.started, now);
                (200, page::JSON, text.into_bytes())
            }
            None => (202, AGAIN, b"{}\n".to_vec()),
        }
    }

    fn metrics(&self, now: Duration) -> Vec<u8> {
        let service = &*self.service;
        service.sweep(now);
        metrics::render(&service.counters, &service.tracker.totals()).into_bytes()
    }

    fn announce(&self, query: &str, visitor: &Visitor, now: Duration) -> Vec<u8> {
        let mut body = Vec::with_capacity(512);
        let handled = unknown_client(&visitor.via).and_then(|()| {
            let path = Path {
                source: visitor.source,
                local: visitor.local.ip(),
            };
            let (mut announce, form) = read(query.as_bytes(), path)?;
            self.disbelieve(&mut announce, visitor, now);
            let mut reply = Reply::default();
            let service = &self.service;
            service.announce(self.counted(), &announce, now, &mut reply)?;
            if self.page.has_list {
                if let Some(name) = display_name::find(query.as_bytes()) {
                    let read = || display_name::clean(name);
                    service
                        .tracker
                        .name(announce.info_hash, announce.source, read);
                }
            }
            write_reply(&reply, form, &mut body);
            Ok(())
        });
        self.or_refusal(handled, Asked::Announce, visitor, body)
    }

    /// Leaves out what somebody claims whose address says nothing about who it is.
    fn disbelieve(&self, announce: &mut Announce, visitor: &Visitor, now: Duration) {
        let log = &self.service.log;
        // Whoever it is, it is not who is at the other end of the connection.
        let is_by_a_proxy = visitor.via == Via::UntrustedProxy;
        if is_by_a_proxy && self.untrusted_proxies.note(visitor.source, now) {
            report::untrusted_proxy(log, visitor.source);
        }
        if is_by_a_proxy || visitor.has_browser_marks {
            let claims = [&mut announce.ip, &mut announce.ipv4, &mut announce.ipv6];
            let count = claims.into_iter().filter_map(Option::take).count();
            // Pages of anybody have the browsers of a LAN ask for anything.
            if count > 0 && !is_by_a_proxy && self.claims_of_browsers.is_time(now) {
                report::claim_of_a_browser(log, visitor.source);
            }
        }
    }

    fn scrape(&self, query: &str, visitor: &Visitor, now: Duration) -> Vec<u8> {
        let mut body = Vec::with_capacity(512);
        let handled = self.service.may_scrape().and_then(|()| {
            let hashes = scrape::read(query.as_bytes())?;
            let asked = hashes.iter().copied();
            let service = &self.service;
            let counts = service.scrape(self.counted(), asked, now, &mut Vec::new());
            scrape::write(&hashes, &counts, &mut body);
            Ok(())
        });
        self.or_refusal(handled, Asked::Scrape, visitor, body)
    }

    /// The body as it is, or that of a refusal.
    fn or_refusal(
        &self,
        handled: Result<(), Refusal>,
        asked: Asked,
        visitor: &Visitor,
        mut body: Vec<u8>,
    ) -> Vec<u8> {
        if let Err(refusal) = handled {
            let service = &self.service;
            service.refused(self.counted(), asked, visitor.source, &refusal);
            self.write_refusal(&refusal, &mut body);
        }
        body
    }
}

/// Without the client's address there is only the proxy's, which is no peer's.
fn unknown_client(via: &Via) -> Result<(), Refusal> {
    match via {
        Via::Direct | Via::TrustedProxy | Via::UntrustedProxy => Ok(()),
        Via::Unstated | Via::Unnamed => Err(Refusal::NotForwarded),
        Via::Unreadable(said) => Err(Refusal::Forwarded(said.clone())),
        Via::Contradictory(said) => Err(Refusal::ContradictoryProxy(said.clone())),
    }
}

/// Whether it is known who asks.
fn is_known(visitor: &Visitor) -> bool {
    matches!(visitor.via, Via::Direct | Via::TrustedProxy)
}

/// Whether it seems that somebody on the tracker's own machine looks at its numbers, where a trusted
/// proxy is too. What comes through the proxy has other marks: it says for whom, or at least the
/// name that it was asked for. One that says neither would show the numbers to its clients (nginx
/// without any `proxy_set_header`); but then it can bring no announce either, and they are counts
/// alone.
fn is_on_the_proxys_machine(visitor: &Visitor) -> bool {
    let is_here = visitor.source.is_loopback() && visitor.local.ip().is_loopback();
    let names_it = visitor.host().is_some_and(hosts::is_loopback);
    visitor.via == Via::Unstated && is_here && names_it
}

/// What is there, but not for this visitor. Strangers are not told.
fn hidden(visitor: &Visitor) -> Vec<u8> {
    match &visitor.via {
        Via::Unstated | Via::Unnamed | Via::Unreadable(_) => {
            let (proxy, port) = (visitor.source, visitor.local.port());
            format!(
                "This is not shown, since nobody knows to whom: it was asked for from {proxy}, \
                 which mayfly trusts as a proxy (--trust-proxy), but which does not say for whom. \
                 The proxy has to set X-Forwarded-For to the client's address. Without it, the \
                 numbers are shown on the tracker's own machine, at:\nhttp://localhost:{port}/\n\
                 and what --list shows at an address that is not trusted, such as \
                 http://[::1]:{port}/ (with -b ::1)\n"
            )
            .into_bytes()
        }
        Via::Direct | Via::TrustedProxy | Via::UntrustedProxy | Via::Contradictory(_) => {
            not_found(visitor)
        }
    }
}

fn not_found(visitor: &Visitor) -> Vec<u8> {
    let reached = visitor.local.to_string();
    let host = visitor.host().unwrap_or(&reached);
    format!(
        "There is nothing here. This is mayfly, a BitTorrent tracker; its announce URL is this \
         (with https if you came by that):\nhttp://{host}/announce\n"
    )
    .into_bytes()
}

fn wrong_name(visitor: &Visitor) -> Vec<u8> {
    format!(
        "This page is not shown under a name that could be somebody's on the internet, or web \
         pages of others could read it. Open it by the tracker's address:\nhttp://{}/\n\
         (or start mayfly with --public-page, which shows it to everybody, under any name)\n",
        visitor.local
    )
    .into_bytes()
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
