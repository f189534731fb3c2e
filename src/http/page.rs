//! The pages for people: the one at `/` with the announce URL and the numbers, what it asks for to
//! stay up to date, and the one for those who open an announce URL in a browser.
//!
//! Values in, text out; who may see what is for `server.rs` to say. The texts themselves lie in
//! `page.html`, `for_people.html` and `page.css`. No address of a peer is shown, and an
//! info_hash only in the list of the torrents, which is not among these (see `torrents.rs`).

use super::graph::{self, grouped};
use crate::counters::Counters;
use crate::gate::head::is_host;
use crate::refusal::Reason;
use crate::swarms::{OneAddress, Totals};
use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const PAGE: &str = include_str!("page.html");
const FOR_PEOPLE: &str = include_str!("for_people.html");
const STYLE: &str = include_str!("page.css");
const LIST: &str = include_str!("list.html");
const BY_OTHERS: &str = "<h2>By other addresses of this machine</h2>\n\
                         <p class=\"soft\">For who does not reach the first: the one that begins \
                         like his own address.</p>\n";
const HERE_ONLY: &str = "<h2>On this machine only</h2>\n";
const OF_THE_PROXY: &str = "<p>Only the proxy on this machine may use this address. Clients \
                            announce by the proxy\u{2019}s URL, with /announce at its end.</p>\n";
const FROM_THE_INTERNET: &str = "<h2>From the internet</h2>\n";
const NAME: &str = "<p id=\"naming\" hidden><label>Name in the list <input id=\"name\" \
                    maxlength=\"100\" autocomplete=\"off\" \
                    placeholder=\"goes into the URL\"></label></p>\n";
const HOME: &str = "<p>How the tracker is doing is <a href=\"/\">on its page</a>.</p>\n";

/// The headers of a page. Nothing is loaded from anywhere, and no script or style runs but the two
/// that have these SHA-256 sums (a test computes them).
pub const HTML: &[(&str, &str)] = &[
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    (
        "Content-Security-Policy",
        "default-src 'none'; connect-src 'self'; img-src data:; \
         style-src 'sha256-jIzLcVoKT7KWsSn6qoLjuvH9nezie7LWjijERdaikYA='; \
         script-src 'sha256-yHYWHiF6msrlipM/RIifCbN070L36A+ZqoYBHjjxQuQ='; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
];

/// The headers of what the page asks for.
pub const JSON: &[(&str, &str)] = &[
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
];

/// Hints: what is counted, and what follows. They stand in JSON and in HTML as they are.
const SILENT: &str = "Nobody has announced yet.";
const HERE: (&str, &str) = (
    "Torrents whose peers are all on this very machine",
    "That is as it should be while you try things out here, and peers elsewhere will find them. \
     But if they are elsewhere already, a proxy or a container hides that (see --trust-proxy).",
);
const ONE_ADDRESS: (&str, &str) = (
    "Torrents whose peers all have one address",
    "If they are not in one house, something between them and the tracker hides where they are \
     (a router, a container, a proxy: see --trust-proxy), and they may not reach each other.",
);
const PORT_ZERO: (&str, &str) = (
    "Announces refused because their port was 0",
    "The client listens on no port, or a proxy hides it: set the listening port in the client.",
);
const FULL: (&str, &str) = (
    "Announces refused because the tracker is full",
    "The option --max-peers allows more peers.",
);

const SHOWN_NOBODY: (&str, &str) = (
    "Announces from the internet that were shown nobody",
    "The peers that there are have private addresses, which lead nowhere from there. With the \
     option --map-port, or --public-address and ports forwarded in the router, they are shown \
     under the router's address.",
);

/// What does not change while the tracker runs.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Whether everybody may see it.
    pub is_public: bool,
    /// Whether it lists the torrents.
    pub has_list: bool,
    /// Whether UDP is answered too.
    pub has_udp: bool,
    /// The addresses that are listened on; none means all.
    pub bind: Vec<IpAddr>,
}

/// What the page at `/` is made of.
pub struct Front<'a> {
    /// What does not change.
    pub settings: &'a Settings,
    /// What was counted.
    pub counters: &'a Counters,
    /// What is stored.
    pub totals: Totals,
    /// What looks odd about it.
    pub one_address: OneAddress,
    /// Since the tracker began.
    pub uptime: Duration,
    /// The `Host` that the visitor asked for.
    pub host: Option<&'a str>,
    /// The address and port that the visitor reached.
    pub local: SocketAddr,
    /// Whether the visitor looks from the machine of a trusted proxy, by an address that is of use
    /// to that alone.
    pub is_for_proxy: bool,
    /// Where others reach the tracker, the likeliest first, if this visitor does so by an address
    /// that is of no use to them.
    pub for_others: Vec<IpAddr>,
    /// The announce URLs for the internet, if they are known.
    pub for_the_internet: Vec<String>,
}

/// Something to show, and the name of its place: `@name@` in a template, the id of an element.
type Text = (&'static str, String);

impl Front<'_> {
    /// The page.
    pub fn page(&self) -> String {
        let mut texts = self.texts();
        texts.push(("urls", self.urls()));
        if self.settings.has_list {
            texts.push(("name", NAME.to_owned()));
            texts.push(("list", LIST.to_owned()));
        }
        texts.push(("version", env!("CARGO_PKG_VERSION").to_owned()));
        fill(PAGE, &texts)
    }

    /// What changes, as JSON, every value as text. A value whose name is the id of an element is
    /// shown there as it is; the others are what the script computes with.
    pub fn json(&self) -> String {
        let mut texts = self.texts();
        let ms = self.uptime.as_secs() * 1000 + u64::from(self.uptime.subsec_millis());
        texts.push(("ms", ms.to_string()));
        texts.push(("answered", self.counters.answered().to_string()));
        let mut out = String::new();
        let mut before = '{';
        for (name, text) in texts {
            // Nothing in these has to be escaped, and writing into a String does not fail.
            let _ = write!(out, "{before}\"{name}\":\"{text}\"");
            before = ',';
        }
        out.push('}');
        out
    }

    /// What changes: the numbers, and what a person should know. What does not apply is empty.
    fn texts(&self) -> Vec<Text> {
        let OneAddress {
            of,
            on_this_machine,
            elsewhere,
        } = self.one_address;
        let of = format!(" of {} looked at", grouped(of.into()));
        let refused = |reason| self.counters.refused(reason);
        let answered = self.counters.answered();
        let is_silent = answered == 0;
        let steps = self.counters.history.steps();
        let (rates, peers) = (graph::announces(&steps), graph::peers(&steps));
        vec![
            ("torrents", grouped(self.totals.torrents as u64)),
            ("seeders", grouped(self.totals.count(true).into())),
            ("leechers", grouped(self.totals.count(false).into())),
            ("announces", grouped(answered)),
            ("uptime", uptime(self.uptime.as_secs())),
            (
                "silent",
                if is_silent {
                    self.silent()
                } else {
                    String::new()
                },
            ),
            ("here", hint(HERE, on_this_machine.into(), &of)),
            ("one", hint(ONE_ADDRESS, elsewhere.into(), &of)),
            (
                "zero",
                hint(PORT_ZERO, refused(Reason::PortZero), " so far"),
            ),
            ("full", hint(FULL, refused(Reason::StoreIsFull), " so far")),
            (
                "nobody",
                hint(SHOWN_NOBODY, self.counters.shown_nobody.get(), " so far"),
            ),
            ("ratesline", rates.points),
            ("ratesmost", rates.most),
            ("rateswords", rates.words),
            ("peersline", peers.points),
            ("peersmost", peers.most),
            ("peerswords", peers.words),
        ]
    }

    /// What may be the reason that nobody comes.
    fn silent(&self) -> String {
        let bind = &self.settings.bind;
        if !bind.is_empty() && bind.iter().all(IpAddr::is_loopback) {
            return SILENT.to_owned();
        }
        let port = self.local.port();
        let udp = match self.settings.has_udp {
            true => " and UDP",
            false => "",
        };
        format!(
            "{SILENT} If clients elsewhere are trying to, a firewall on this machine may keep \
             them out: it has to let TCP{udp} port {port} in."
        )
    }

    /// The announce URLs: first the one that a visitor most likely wants to copy.
    fn urls(&self) -> String {
        let mut out = String::new();
        let mut main = " main";
        for (number, ip) in (2..).zip(&self.for_others) {
            if number == 3 {
                out.push_str(BY_OTHERS);
            }
            let address = SocketAddr::new(*ip, self.local.port());
            out.push_str(&url(
                &format!("http{number}"),
                main,
                format_args!("http://{address}"),
            ));
            if self.settings.has_udp {
                out.push_str(&url(
                    &format!("udp{number}"),
                    "",
                    format_args!("udp://{address}"),
                ));
            }
            main = "";
        }
        if main.is_empty() {
            out.push_str(HERE_ONLY);
        }
        let authority = authority(self.host, self.local);
        if self.is_for_proxy {
            out.push_str(OF_THE_PROXY);
        } else {
            out.push_str(&url("http", main, format_args!("http://{authority}")));
            if self.settings.has_udp {
                let (host, port) = (host(self.host, self.local), self.local.port());
                out.push_str(&url("udp", "", format_args!("udp://{host}:{port}")));
            }
        }
        // Whoever has come by them sees them already.
        let own = format!("http://{authority}/announce");
        if self
            .for_the_internet
            .first()
            .is_some_and(|first| *first != own)
        {
            out.push_str(FROM_THE_INTERNET);
            for (number, other) in self.for_the_internet.iter().enumerate() {
                let id = format!("internet{number}");
                let begin = other.trim_end_matches("/announce");
                out.push_str(&url(&id, "", format_args!("{begin}")));
            }
        }
        out
    }
}

/// The page for a person who has opened an announce URL; with a way to the other one, if that is
/// shown to them.
pub fn what_it_is_for(has_page: bool) -> String {
    let home = if has_page { HOME } else { "" };
    fill(FOR_PEOPLE, &[("home", home.to_owned())])
}

/// The template with every `@name@` replaced by the text of that name, or by nothing.
fn fill(template: &str, texts: &[Text]) -> String {
    let mut out = String::with_capacity(8 * 1024);
    for (i, part) in template.split('@').enumerate() {
        let is_name = i % 2 == 1;
        out.push_str(match part {
            "style" if is_name => STYLE,
            name if is_name => {
                let text = texts.iter().find(|text| text.0 == name);
                text.map_or("", |text| &text.1)
            }
            between => between,
        });
    }
    out
}

/// What is wrong, how often, and what to do; nothing if it is not.
fn hint((what, advice): (&str, &str), count: u64, of: &str) -> String {
    match count {
        0 => String::new(),
        _ => format!("{what}: {}{of}. {advice}", grouped(count)),
    }
}

/// An announce URL, and a button that copies it.
fn url(id: &str, class: &str, begin: fmt::Arguments<'_>) -> String {
    format!(
        "<div class=\"url{class}\"><code id=\"{id}\">{begin}/announce</code>\
         <button data-of=\"{id}\">Copy</button></div>\n"
    )
}

/// The name or address by which the visitor reached the tracker, ready for HTML.
fn host(host: Option<&str>, local: SocketAddr) -> String {
    let mut authority = authority(host, local);
    // Colons in brackets belong to an IPv6 address.
    let end = authority.rfind(']').unwrap_or_default();
    if let Some(colon) = authority[end..].find(':') {
        authority.truncate(end + colon);
    }
    authority
}

/// What the visitor asked for, or else the address that it reached. The gate lets nothing through
/// that could be markup; but this is where it would do harm, so nothing else gets in here either.
fn authority(host: Option<&str>, local: SocketAddr) -> String {
    match host.filter(|host| is_host(host.as_bytes())) {
        Some(host) => host.to_owned(),
        None => local.to_string(),
    }
}

/// The two largest units that count.
fn uptime(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
