//! What is known of this machine's addresses, shared by those who want to know, and how it is found
//! out. How the texts of Linux look is in `proc_net.rs`.
//!
//! Which of the addresses a person elsewhere is likely to use is found out with UDP sockets: one
//! that is connected (which sends nothing) knows from which address it would send.

use super::own_address::OwnAddress;
use super::proc_net;
use crate::address::{self, Scope};
use crate::threads;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

/// Destinations: somewhere on the internet, and the private networks, which a machine without
/// a way to the internet or with a VPN reaches by other addresses. Documentation addresses stand
/// for the internet. The last one of IPv4 is a group of listeners, to which Windows knows a way by
/// its best network where there is no router. Nothing is sent to any of them.
const DESTINATIONS: [IpAddr; 8] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
    IpAddr::V4(Ipv4Addr::new(192, 168, 255, 254)),
    IpAddr::V4(Ipv4Addr::new(10, 255, 255, 254)),
    IpAddr::V4(Ipv4Addr::new(172, 31, 255, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 255, 254)),
    IpAddr::V4(Ipv4Addr::new(239, 255, 255, 250)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0xffff)),
];

/// How often it is looked whether the addresses have changed.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Longest text of `/proc/net` that is read. A router of the internet's core, with a million routes
/// in it, is not what this is for.
const LONGEST: u64 = 1 << 20;

/// Where somebody is who asks from a private address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whereabouts {
    /// Behind a bridge for containers or virtual machines on this machine.
    Container,
    /// At this machine's own address on such a bridge. There is a NAT behind it, by which all the
    /// world may come.
    Bridge,
    /// At the router, likewise.
    Gateway,
    /// Anywhere else.
    Elsewhere,
}

/// What is known of this machine's addresses; shared by those who want to know, and brought up to
/// date by [`OwnAddresses::refresh`].
#[derive(Default)]
pub struct OwnAddresses(RwLock<Found>);

/// What was found when it was last looked.
#[derive(Clone, PartialEq, Debug, Default)]
struct Found {
    /// All of them; `None` where they cannot be listed.
    listed: Option<Vec<OwnAddress>>,
    /// Those by which this machine would speak to the destinations, in their order.
    preferred: Vec<IpAddr>,
    /// That of them by which it would speak to the internet over IPv4.
    way_out: Option<IpAddr>,
    /// The gateways out of its networks.
    gateways: Vec<IpAddr>,
}

impl OwnAddresses {
    /// Looks for them.
    pub fn look() -> OwnAddresses {
        OwnAddresses(RwLock::new(Found::now()))
    }

    /// A machine that has these addresses and these gateways, for tests.
    pub fn of(listed: Vec<OwnAddress>, gateways: Vec<IpAddr>) -> OwnAddresses {
        OwnAddresses(RwLock::new(Found {
            listed: Some(listed),
            gateways,
            ..Found::default()
        }))
    }

    /// Looks again every few seconds, in a thread, and calls `then` each time.
    pub fn watch(self: Arc<Self>, mut then: Box<dyn FnMut() + Send>) -> io::Result<()> {
        let pause = |time| {
            thread::sleep(time);
            true
        };
        let work = move || self.refresh_after_each(pause, &mut then);
        threads::start("addresses", threads::DEFAULT_STACK, Box::new(work)).map(drop)
    }

    /// Looks again after each pause, as long as that says so.
    fn refresh_after_each(&self, pause: impl Fn(Duration) -> bool, then: &mut dyn FnMut()) {
        while pause(LOOK_EVERY) {
            self.refresh();
            then();
        }
    }

    /// Looks again. Returns whether anything has changed.
    pub fn refresh(&self) -> bool {
        let now = Found::now();
        let has_changed = *self.read() != now;
        if has_changed {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = now;
        }
        has_changed
    }

    /// By which addresses others reach a tracker that listens on `bind`, or on all if that is
    /// empty: the likeliest first, IPv4 before IPv6. Empty without a network.
    pub fn reached_by(&self, bind: &[IpAddr]) -> Vec<IpAddr> {
        if !has_wildcard(bind) {
            return bind.to_vec();
        }
        let mut addresses = self.read().likeliest_first();
        addresses.retain(|ip| is_wanted(bind, *ip));
        addresses
    }

    /// Where to have a socket, so that every address of this machine has one, if `bind` (all if
    /// that is empty) is to be listened on; the ports are 0. `None` where they cannot be listed, or
    /// are those of `bind` itself.
    pub fn to_listen_on(&self, bind: &[IpAddr]) -> Option<Vec<SocketAddr>> {
        if !has_wildcard(bind) {
            return None;
        }
        let found = self.read();
        let listed = found.listed.as_ref()?.iter();
        let wanted = listed.filter(|own| is_wanted(bind, own.ip) && own.can_be_asked());
        let mut at: Vec<_> = wanted.map(OwnAddress::socket).collect();
        // All of 127.0.0.0/8 is this machine's, without being in the list.
        for ip in bind.iter().filter(|ip| !ip.is_unspecified()) {
            if !at.iter().any(|address| address.ip() == *ip) {
                at.push(SocketAddr::new(*ip, 0));
            }
        }
        Some(at)
    }

    /// The likeliest address of the family by which somebody has reached this machine; a loopback
    /// one, which leads nobody else anywhere, if there is none.
    pub fn likeliest(&self, is_ipv6: bool) -> IpAddr {
        let mut found = self.read().likeliest_first().into_iter();
        let likeliest = found.find(|ip| ip.is_ipv6() == is_ipv6);
        likeliest.unwrap_or(match is_ipv6 {
            true => Ipv6Addr::LOCALHOST.into(),
            false => Ipv4Addr::LOCALHOST.into(),
        })
    }

    /// Whether the canonical address `ip` is in the list.
    pub fn has(&self, ip: IpAddr) -> bool {
        self.read().listed.iter().flatten().any(|own| own.ip == ip)
    }

    /// Whether somebody with this canonical IPv6 address is on the same link as this machine, by
    /// the networks of 64 bits that links have; one of fewer bits may be a tunnel's to strangers.
    pub fn shares_link_with(&self, ip: Ipv6Addr) -> bool {
        let found = self.read();
        let mut own = found.listed.iter().flatten();
        own.any(|own| !own.is_virtual && own.bits >= 64 && own.shares_network_with(ip.into()))
    }

    /// Where somebody is who asks from the canonical address `ip`.
    pub fn whereabouts(&self, ip: IpAddr) -> Whereabouts {
        let found = self.read();
        let own = found.listed.iter().flatten();
        // Of link-local addresses, every interface has the same network.
        let mut bridges = own.filter(|own| {
            own.is_virtual && own.shares_network_with(ip) && !address::is_link_local(ip)
        });
        match bridges.next() {
            _ if found.gateways.contains(&ip) => Whereabouts::Gateway,
            None => Whereabouts::Elsewhere,
            Some(own) if own.ip == ip || bridges.any(|own| own.ip == ip) => Whereabouts::Bridge,
            Some(_) => Whereabouts::Container,
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Found> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether to listen on `bind` is to listen on addresses that are not in there.
pub fn has_wildcard(bind: &[IpAddr]) -> bool {
    bind.is_empty() || bind.iter().any(IpAddr::is_unspecified)
}

/// Whether a tracker that is to listen on `bind` listens at this address.
fn is_wanted(bind: &[IpAddr], ip: IpAddr) -> bool {
    let is_meant = |b: &IpAddr| *b == ip || b.is_unspecified() && b.is_ipv6() == ip.is_ipv6();
    bind.is_empty() || bind.iter().any(is_meant)
}

impl Found {
    fn now() -> Found {
        let ways = DESTINATIONS.map(towards);
        let route = proc_net_text("route").unwrap_or_default();
        Found {
            listed: listed(&route),
            way_out: ways[0],
            preferred: ways.into_iter().flatten().collect(),
            gateways: proc_net::gateways(&route),
        }
    }

    fn likeliest_first(&self) -> Vec<IpAddr> {
        let own = |ip: IpAddr| self.listed.iter().flatten().find(|own| own.ip == ip);
        let is_of_use = |ip: IpAddr| {
            address::is_unicast(ip)
                && Scope::of(ip) != Scope::Loopback
                && !address::is_link_local(ip)
                && own(ip).is_none_or(|own| !own.is_virtual)
        };
        let mut all: Vec<IpAddr> = Vec::new();
        let listed = self.listed.iter().flatten().map(|own| own.ip);
        for ip in self.preferred.iter().copied().chain(listed) {
            if is_of_use(ip) && !all.contains(&ip) {
                all.push(ip);
            }
        }
        let stays = |ip: IpAddr| own(ip).is_none_or(|own| !own.is_passing);
        let family_stays = |is_ipv6| all.iter().any(|ip| ip.is_ipv6() == is_ipv6 && stays(*ip));
        let (ipv4_stays, ipv6_stays) = (family_stays(false), family_stays(true));
        all.retain(|ip| stays(*ip) || !if ip.is_ipv6() { ipv6_stays } else { ipv4_stays });
        let rank = |ip: &IpAddr| self.preferred.iter().position(|other| other == ip);
        all.sort_by_key(|ip| {
            (
                ip.is_ipv6(),
                // Where there is no router, a virtual network may be the way to everywhere else.
                is_first_of_net(*ip) && self.way_out != Some(*ip),
                rank(ip).unwrap_or(usize::MAX),
            )
        });
        all
    }
}

/// Whether this is an address x.x.x.1, such as routers have, and this machine's side of a virtual
/// network: a less likely one, if it does not lead to the internet.
fn is_first_of_net(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.octets()[3] == 1)
}

/// All addresses, where the system has a list.
fn listed(route: &str) -> Option<Vec<OwnAddress>> {
    if cfg!(windows) {
        return of_this_name();
    }
    let if_inet6 = proc_net_text("if_inet6").unwrap_or_default();
    proc_net::addresses(&proc_net_text("fib_trie")?, route, &if_inet6)
}

/// A file of `/proc/net`, whole. By way of this process' own directory, which is there in a service
/// that may see no others (`ProcSubset=pid`).
fn proc_net_text(name: &str) -> Option<String> {
    let file = std::fs::File::open(format!("/proc/self/net/{name}")).ok()?;
    whole(file)
}

/// All that there is to read, unless it is too long.
fn whole(file: impl Read) -> Option<String> {
    let mut text = String::new();
    let length = file.take(LONGEST).read_to_string(&mut text).ok()?;
    (length < LONGEST as usize).then_some(text)
}

/// The ways of IPv4 out of this machine, a line for each; [`super::Route`] reads it. `None` where
/// they are not told.
pub fn route_table() -> Option<String> {
    proc_net_text("route")
}

/// What the name of this machine resolves to, which on Windows are the addresses of all adapters.
/// Without the loopback ones, which have to be added.
fn of_this_name() -> Option<Vec<OwnAddress>> {
    let name = std::env::var("COMPUTERNAME").ok()?;
    let found = (name.as_str(), 0).to_socket_addrs().ok()?;
    let mut listed = Vec::new();
    let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let loopback = loopback.into_iter().map(|ip| SocketAddr::new(ip, 0));
    for address in found.chain(loopback) {
        let own = OwnAddress {
            ip: address::canonical(address.ip()),
            interface: match address {
                SocketAddr::V6(ipv6) => ipv6.scope_id(),
                SocketAddr::V4(_) => 0,
            },
            ..OwnAddress::default()
        };
        if !listed.contains(&own) {
            listed.push(own);
        }
    }
    let has_network = listed.iter().any(|own| !own.ip.is_loopback());
    has_network.then_some(listed)
}

/// The address by which this machine would speak to `destination`.
pub fn towards(destination: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match destination {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // The port does not matter: nothing is sent.
    socket.connect(SocketAddr::new(destination, 9)).ok()?;
    Some(address::canonical(socket.local_addr().ok()?.ip()))
}

#[cfg(test)]
#[path = "known_tests.rs"]
mod tests;
