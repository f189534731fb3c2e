//! Under what this network is reached from the internet: what `--public-address` says, or what the
//! router said. A small value that those who know write and those who want to know read.
//!
//! Whom to show to whom under it is for `tracker.rs` to say.

use crate::address::{self, Scope};
use crate::log::{About, Log};
use crate::threads;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::Duration;

/// How often a name is resolved again: behind dynamic DNS its address changes with every night.
const AGAIN: Duration = Duration::from_secs(3 * 60);
/// And after it could not be resolved: at boot, the network may not be there yet.
const AGAIN_SOON: Duration = Duration::from_secs(15);

/// A name or an address, as the operator gave it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PublicHost {
    /// Canonical, and one of the internet.
    Address(IpAddr),
    /// Of DNS.
    Name(String),
}

/// What the router has forwarded to this machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Forwarded {
    /// The router's own outside address.
    pub ip: IpAddr,
    /// Its port that leads to mayfly's over TCP.
    pub tcp_port: u16,
    /// The same over UDP, if that is forwarded too.
    pub udp_port: Option<u16>,
}

/// Under what this network is reached from the internet, as far as that is known. Shared.
#[derive(Default)]
pub struct PublicAddress {
    hosts: Vec<PublicHost>,
    /// mayfly's own.
    port: u16,
    has_udp: bool,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    ipv4: Option<IpAddr>,
    ipv6: Option<IpAddr>,
    forwarded: Option<Forwarded>,
}

impl PublicAddress {
    /// What the operator said, with mayfly's own port, which is taken to be the one that is
    /// forwarded. Names are not known yet: see [`resolve`].
    pub fn new(hosts: Vec<PublicHost>, port: u16, has_udp: bool) -> PublicAddress {
        let public = PublicAddress {
            hosts,
            port,
            has_udp,
            known: RwLock::default(),
        };
        public.learn(&|_| Vec::new());
        public
    }

    /// The address of this network in the family, if it is known. What the operator said wins over
    /// what the router said.
    pub fn ip(&self, is_ipv6: bool) -> Option<IpAddr> {
        let known = self.read();
        let of_forwarded = known.forwarded.map(|forwarded| forwarded.ip);
        let of_forwarded = of_forwarded.filter(|ip| ip.is_ipv6() == is_ipv6);
        let ip = if is_ipv6 { known.ipv6 } else { known.ipv4 };
        ip.or(of_forwarded)
    }

    /// Whether the operator or the router said anything.
    pub fn is_known(&self) -> bool {
        !self.hosts.is_empty() || self.read().forwarded.is_some()
    }

    /// Whether the operator said that this is a name of this network.
    pub fn has_name(&self, name: &str) -> bool {
        self.hosts.iter().any(|host| match host {
            PublicHost::Address(_) => false,
            PublicHost::Name(own) => own.trim_end_matches('.').eq_ignore_ascii_case(name),
        })
    }

    /// What the router has forwarded, or that it does not any more. Returns whether that is news.
    pub fn set_forwarded(&self, forwarded: Option<Forwarded>) -> bool {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut known.forwarded, forwarded) != forwarded
    }

    /// The announce URLs for the internet: under what the operator said, if anything, with the
    /// ports that the router forwards, if it does.
    pub fn urls(&self) -> Vec<String> {
        let forwarded = self.read().forwarded;
        let tcp_port = forwarded.map_or(self.port, |forwarded| forwarded.tcp_port);
        let udp_port = match forwarded {
            Some(forwarded) => forwarded.udp_port,
            None => Some(self.port),
        };
        let of_router = forwarded.filter(|_| self.hosts.is_empty());
        let of_router = of_router.map(|forwarded| PublicHost::Address(forwarded.ip));
        let mut urls = Vec::new();
        for host in self.hosts.iter().chain(&of_router) {
            urls.push(format!("http://{}/announce", host.with_port(tcp_port)));
            if let Some(port) = udp_port.filter(|_| self.has_udp) {
                urls.push(format!("udp://{}/announce", host.with_port(port)));
            }
        }
        urls
    }

    /// Finds out what the names stand for. Returns those of which nothing is known.
    fn learn(&self, resolve: &dyn Fn(&str) -> Vec<IpAddr>) -> Vec<&str> {
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        for host in &self.hosts {
            match host {
                PublicHost::Address(ip) => found.push(*ip),
                PublicHost::Name(name) => {
                    let ips = resolve(name).into_iter().map(address::canonical);
                    let before = found.len();
                    found.extend(ips.filter(|ip| is_of_the_internet(*ip)));
                    if found.len() == before {
                        unknown.push(name.as_str());
                    }
                }
            }
        }
        let of_family = |is_ipv6| found.iter().find(|ip| ip.is_ipv6() == is_ipv6).copied();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // A name server that is away for a while takes no address away.
        let stays = |before: Option<IpAddr>| before.filter(|_| !unknown.is_empty());
        known.ipv4 = of_family(false).or(stays(known.ipv4));
        known.ipv6 = of_family(true).or(stays(known.ipv6));
        unknown
    }

    /// Learns again and again; `pause` waits, and says whether to go on.
    fn keep_learning(
        &self,
        log: &Log,
        resolve: &dyn Fn(&str) -> Vec<IpAddr>,
        pause: &dyn Fn(Duration) -> bool,
    ) {
        let mut was_told = false;
        loop {
            let unknown = self.learn(resolve);
            if let Some(name) = unknown.first().filter(|_| !was_told) {
                let text = format_args!(
                    "--public-address '{name}' has no address of the internet: asked for again \
                     every {} seconds",
                    AGAIN_SOON.as_secs()
                );
                log.line(About::Trouble, text);
            }
            was_told = !unknown.is_empty();
            if !pause(if was_told { AGAIN_SOON } else { AGAIN }) {
                return;
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PublicHost {
    fn with_port(&self, port: u16) -> String {
        match self {
            PublicHost::Address(ip) => SocketAddr::new(*ip, port).to_string(),
            PublicHost::Name(name) => format!("{name}:{port}"),
        }
    }
}

impl fmt::Display for PublicHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PublicHost::Address(ip) => ip.fmt(f),
            PublicHost::Name(name) => f.write_str(name),
        }
    }
}

/// Whether somebody on the internet gets anywhere by this address.
pub fn is_of_the_internet(ip: IpAddr) -> bool {
    address::is_unicast(ip) && Scope::of(ip) == Scope::Global
}

/// Resolves the names now and every few minutes, in a thread, if there are any.
pub fn resolve(public: Arc<PublicAddress>, log: Log) -> io::Result<()> {
    if !public
        .hosts
        .iter()
        .any(|host| matches!(host, PublicHost::Name(_)))
    {
        return Ok(());
    }
    let ask = |name: &str| match (name, 0).to_socket_addrs() {
        Ok(found) => found.map(|address| address.ip()).collect(),
        Err(_) => Vec::new(),
    };
    let pause = |time| {
        thread::sleep(time);
        true
    };
    let work = move || public.keep_learning(&log, &ask, &pause);
    threads::start("public address", threads::DEFAULT_STACK, Box::new(work)).map(drop)
}

#[cfg(test)]
#[path = "public_address_tests.rs"]
mod tests;
