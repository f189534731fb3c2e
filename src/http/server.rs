//! What tiny_http hands out, and what is answered: announces, and plain words for everything else.
//!
//! Only requests that passed the gate arrive here, so there is no method but GET and HEAD, and no
//! body.

use super::announce::{Path, read, write_refusal, write_reply};
use super::forwarded::Brought;
use super::scrape;
use super::strangers::Strangers;
use crate::announce::{Refusal, Reply};
use crate::log::{About, Log};
use crate::report;
use crate::tracker::Tracker;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;
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
    pub strangers: Strangers,
    /// Where to tell.
    pub log: Log,
}

/// Who asks, as the gate says.
struct Visitor<'a> {
    source: IpAddr,
    /// The address and port of this machine that they reached.
    local: SocketAddr,
    /// The `Host` that they asked for, if it was a decent one.
    host: Option<&'a str>,
    brought: Brought,
}

/// A status and a body of plain text, or of bencoding, which goes by the same type.
struct Page {
    status: u16,
    body: Vec<u8>,
}

impl Server {
    /// Answers one request.
    pub fn serve(&self, request: Request) {
        // A panic must not take the thread with it: there would soon be none left.
        let page = catch_unwind(AssertUnwindSafe(|| self.page(&request)));
        let page = page.unwrap_or_else(|_| {
            let fault = Refusal::Internal.fault();
            let text = format_args!("an announce could not be answered ({fault})");
            self.log.line(About::Always, text);
            let mut body = Vec::new();
            write_refusal(&Refusal::Internal, &mut body);
            Page { status: 500, body }
        });
        let mut answer = Vec::with_capacity(128 + page.body.len());
        let reason = StatusCode(page.status).default_reason_phrase();
        // Writing into a Vec does not fail.
        let _ = write!(
            answer,
            "HTTP/1.1 {} {reason}\r\nServer: mayfly\r\nContent-Type: text/plain\r\n\
             Content-Length: {}\r\n\r\n",
            page.status,
            page.body.len(),
        );
        if *request.method() != Method::Head {
            answer.extend_from_slice(&page.body);
        }
        // By hand and in one write: tiny_http would take more time for the head than the tracker
        // for the announce.
        let mut writer = request.into_writer();
        // If it does not reach the gate, the gate knows.
        let _ = writer.write_all(&answer).and_then(|()| writer.flush());
    }

    fn page(&self, request: &Request) -> Page {
        let Some(visitor) = visitor(request) else {
            // The gate wrote it; this cannot be read as anything but a defect.
            unreachable!("a request without a visitor");
        };
        #[cfg(test)]
        assert_ne!(request.url(), "/panic", "on purpose");
        let url = request.url();
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let last = path.rsplit('/').next();
        match last {
            Some("announce" | "announce.php") => Page {
                status: 200,
                body: self.announce(query, &visitor),
            },
            Some("scrape" | "scrape.php") => Page {
                status: 200,
                body: self.scrape(query, &visitor),
            },
            _ => Page {
                status: 404,
                body: not_found(&visitor).into_bytes(),
            },
        }
    }

    fn announce(&self, query: &str, visitor: &Visitor<'_>) -> Vec<u8> {
        let path = Path {
            source: visitor.source,
            local: visitor.local.ip(),
        };
        let mut body = Vec::with_capacity(512);
        let mut reply = Reply::default();
        let now = self.began.elapsed();
        // Without the client's address there is only the proxy's, which is no peer's.
        let is_whole = visitor.brought.refusal().map_or(Ok(()), Err);
        let asked = is_whole.and_then(|()| read(query.as_bytes(), path));
        let handled = asked.and_then(|(mut announce, form)| {
            if visitor.brought == Brought::ByAStranger {
                // Whoever it is, it is not who is at the other end of the connection, whose
                // claims would be believed.
                (announce.ip, announce.ipv4, announce.ipv6) = (None, None, None);
                if self.strangers.note(visitor.source, now) {
                    report::stranger(&self.log, visitor.source);
                }
            }
            self.tracker.handle(&announce, now, &mut reply)?;
            write_reply(&reply, form, &mut body);
            report::announced(&self.log, &announce, &reply);
            Ok(())
        });
        if let Err(refusal) = handled {
            report::ended(&self.log, &reply.ended);
            report::refused(&self.log, visitor.source, &refusal);
            body.clear();
            write_refusal(&refusal, &mut body);
        }
        body
    }

    fn scrape(&self, query: &str, visitor: &Visitor<'_>) -> Vec<u8> {
        let mut body = Vec::with_capacity(512);
        let hashes = match self.scrape {
            true => scrape::read(query.as_bytes()),
            false => Err(Refusal::ScrapeIsOff),
        };
        match hashes {
            Ok(hashes) => {
                let now = self.began.elapsed();
                let mut ended = Vec::new();
                let counts = self.tracker.scrape(hashes.iter().copied(), now, &mut ended);
                scrape::write(&hashes, &counts, &mut body);
                report::ended(&self.log, &ended);
            }
            Err(refusal) => {
                report::refused(&self.log, visitor.source, &refusal);
                write_refusal(&refusal, &mut body);
            }
        }
        body
    }
}

fn not_found(visitor: &Visitor<'_>) -> String {
    let reached = visitor.local.to_string();
    let host = visitor.host.unwrap_or(&reached);
    format!(
        "There is nothing here. This is mayfly, a BitTorrent tracker; its announce URL is\n\
         http://{host}/announce\n"
    )
}

/// Reads the gate's first header: source, local address and port, how it was brought, host or
/// nothing, and what the proxy said.
fn visitor(request: &Request) -> Option<Visitor<'_>> {
    let mut words = request.headers().first()?.value.as_str().splitn(5, ' ');
    let (source, local, brought) = (words.next()?, words.next()?, words.next()?);
    let host = words.next().filter(|host| !host.is_empty());
    Some(Visitor {
        source: source.parse().ok()?,
        local: local.parse().ok()?,
        brought: Brought::read(brought, words.next().unwrap_or_default())?,
        host,
    })
}
