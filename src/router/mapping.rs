//! What is wanted of a router, what it may grant and why it may not: values that say what they are.
//! How it is asked is for `ways.rs` to say.

use super::description::Service;
use crate::public_address::Forwarded;
use std::net::Ipv4Addr;
use std::time::Duration;

/// For how long a mapping is asked for, in seconds.
pub const LEASE: u32 = 3600;

/// Of the two that BitTorrent speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// For HTTP.
    Tcp,
    /// For BEP 15.
    Udp,
}

impl Protocol {
    /// Its name, as UPnP and people have it.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
        }
    }
}

/// A mapping, by PCP or NAT-PMP.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Granted {
    /// The router's port.
    pub port: u16,
    /// For how long.
    pub seconds: u32,
}

/// Why there is no mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Nobody answers.
    Silence,
    /// The router does not speak this protocol, or not this part of it.
    Unsupported,
    /// It may not be asked by programs, or not by this one.
    NotAuthorized,
    /// It has no outside address, or none that it takes for public.
    NoAddress,
    /// It has no room for another mapping.
    NoResources,
    /// It sees this machine by another address than its own: there is a router in between.
    OtherRouter,
    /// Its port is somebody else's, of whom it may tell the address.
    Taken(Option<Ipv4Addr>),
    /// Another number, which means something in its protocol.
    Other(u16),
}

impl Refusal {
    /// Of two, the one that says more: the first, if they say as much.
    pub fn or(self, other: Refusal) -> Refusal {
        let says = |refusal| match refusal {
            Refusal::Silence => 0,
            // That one way is not spoken says little beside what another is refused for.
            Refusal::Unsupported => 1,
            // miniupnpd without a public address has no room either, by PCP.
            Refusal::NoResources | Refusal::Other(_) => 2,
            Refusal::NotAuthorized | Refusal::Taken(_) => 3,
            Refusal::OtherRouter | Refusal::NoAddress => 4,
        };
        if says(other) > says(self) {
            other
        } else {
            self
        }
    }
}

/// What is wanted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Wish {
    /// The port of this machine, and of the router if that is free.
    pub port: u16,
    /// Whether UDP is wanted beside TCP.
    pub udp: bool,
}

/// What a router has agreed to.
#[derive(Clone, PartialEq, Debug)]
pub struct Held {
    /// The router.
    pub router: Ipv4Addr,
    /// This machine, as it is known to the router.
    pub local: Ipv4Addr,
    /// What the internet is to be told.
    pub outside: Forwarded,
    /// For how long the router promised it; `None` if it stays until it is removed.
    pub lease: Option<Duration>,
    /// When it was asked for.
    pub since: Duration,
    /// Whether it had forgotten what was held before.
    pub has_forgotten: bool,
    /// How it is asked.
    pub way: Way,
}

/// How a router is asked, and what has to be kept from one time to the next.
#[derive(Clone, PartialEq, Debug)]
pub enum Way {
    /// By PCP; its clock.
    Pcp(u32),
    /// By NAT-PMP; its clock.
    NatPmp(u32),
    /// By UPnP.
    Upnp {
        /// What is asked.
        service: Service,
        /// Whether it could be seen to have a mapping that it was told to have.
        can_list: bool,
    },
}

impl Held {
    /// Whether half of the lease has passed.
    pub fn is_due(&self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.since);
        self.lease.is_some_and(|lease| passed >= lease / 2)
    }

    /// Whether the lease has ended.
    pub fn is_over(&self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.since);
        self.lease.is_some_and(|lease| passed >= lease)
    }
}

/// Which ports of the router are wanted: those that it gave last time.
pub struct Ports {
    /// Over TCP.
    pub tcp: u16,
    udp: Option<u16>,
}

impl Ports {
    /// What was held, or the same port as this machine's.
    pub fn wanted(wish: Wish, held: Option<&Held>) -> Ports {
        Ports {
            tcp: held.map_or(wish.port, |held| held.outside.tcp_port),
            udp: held.and_then(|held| held.outside.udp_port),
        }
    }

    /// Over UDP, where TCP got this one: the same, since people like it so.
    pub fn udp(&self, tcp: u16) -> u16 {
        self.udp.unwrap_or(tcp)
    }
}
