//! Asks a router by UPnP: finds it, reads what it says of itself, and has it add mappings, as the
//! services of WANIPConnection 1 and 2 and WANPPPConnection do. What it sends is read elsewhere.

use super::description::{self, Service};
use super::exchange;
use super::gateway::Router;
use super::mapping::{Held, LEASE, Ports, Protocol, Refusal, Way, Wish};
use super::place::Place;
use super::soap;
use super::ssdp;
use crate::public_address::Forwarded;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// For how long answers are waited for to the question which routers there are: whoever is one
/// answers within a second, which is what the question says.
const SEARCH: Duration = Duration::from_millis(2500);
/// When it is asked again: packets get lost.
const SEARCH_AGAIN: Duration = Duration::from_millis(800);
/// Most devices that are asked what they are.
const MOST_DEVICES: usize = 4;
/// How many ports in a row are tried where the router offers no others by itself.
const PORTS_IN_A_ROW: u16 = 5;

/// The services that forward ports, of the gateway if it has any.
pub fn find(router: &Router) -> Vec<Service> {
    for place in devices(router) {
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            place.path, place.socket
        );
        let answer = exchange::over_tcp(place.socket, &request);
        if let Some(answer) = answer.filter(|answer| answer.status == 200) {
            let services = description::services(&answer.body, &place);
            if !services.is_empty() {
                return services;
            }
        }
    }
    Vec::new()
}

/// Where devices that say that they are routers describe themselves: the gateway alone as soon as
/// it answers, or who else does.
fn devices(router: &Router) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let Ok(socket) = UdpSocket::bind((router.local, 0)) else {
        return places;
    };
    let search = || {
        for to in router.ssdp {
            for kind in ssdp::KINDS {
                // Whoever is not reached does not answer.
                let _ = socket.send_to(ssdp::search(kind).as_bytes(), to);
            }
        }
    };
    search();
    let began = Instant::now();
    let mut is_asked_again = false;
    let mut buffer = [0; 2048];
    loop {
        let passed = began.elapsed();
        if !is_asked_again && passed >= SEARCH_AGAIN {
            search();
            is_asked_again = true;
        }
        let until = if is_asked_again { SEARCH } else { SEARCH_AGAIN };
        let left = until.saturating_sub(passed);
        if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
            return places;
        }
        let Ok((length, SocketAddr::V4(from))) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let place = ssdp::location(&buffer[..length], *from.ip());
        let Some(place) = place.filter(|_| router.trusts(*from.ip())) else {
            continue;
        };
        if *from.ip() == router.address {
            return vec![place];
        }
        if places.len() < MOST_DEVICES && !places.contains(&place) {
            places.push(place);
        }
    }
}

/// Asks for what is wanted, or whether what was held is still there.
pub fn ask(
    service: &Service,
    local: Ipv4Addr,
    wish: Wish,
    held: Option<&Held>,
    now: Duration,
) -> Result<Held, Refusal> {
    let answer = call(service, "GetExternalIPAddress", &[])?;
    let address = soap::outside_address(&answer).ok_or(Refusal::NoAddress)?;
    let wanted = Ports::wanted(wish, held);
    let renew = held.is_none_or(|held| held.is_due(now));
    let ask = |protocol, port| {
        let inside = wish.port;
        Mapping {
            service,
            protocol,
            local,
            inside,
        }
        .ask(port, renew)
    };
    let tcp = ask(Protocol::Tcp, wanted.tcp)?;
    let udp = match wish.udp {
        true => Some(ask(Protocol::Udp, wanted.udp(tcp.port))?),
        false => None,
    };
    let both = || [Some(tcp), udp].into_iter().flatten();
    let can_list = both().all(|mapped| mapped.was_there);
    let had_list = held.is_some_and(|held| matches!(held.way, Way::Upnp { can_list: true, .. }));
    let (lease, since) = match held {
        Some(held) if both().all(|mapped| mapped.added.is_none()) => (held.lease, held.since),
        _ => {
            let is_permanent = both().any(|mapped| mapped.added == Some(Lease::Permanent));
            let lease = Duration::from_secs(LEASE.into());
            ((!is_permanent).then_some(lease), now)
        }
    };
    Ok(Held {
        router: *service.control.socket.ip(),
        local,
        outside: Forwarded {
            ip: address.into(),
            tcp_port: tcp.port,
            udp_port: udp.map(|udp| udp.port),
        },
        lease,
        since,
        has_forgotten: had_list && !can_list,
        way: Way::Upnp {
            service: service.clone(),
            can_list,
        },
    })
}

/// What is wanted of the router for one protocol.
#[derive(Clone, Copy)]
struct Mapping<'a> {
    service: &'a Service,
    protocol: Protocol,
    local: Ipv4Addr,
    inside: u16,
}

/// What came of it.
#[derive(Clone, Copy)]
struct Mapped {
    port: u16,
    /// Whether the router had it already.
    was_there: bool,
    /// Whether it was added (anew), and for how long.
    added: Option<Lease>,
}

#[derive(Clone, Copy, PartialEq)]
enum Lease {
    Limited,
    Permanent,
}

impl Mapping<'_> {
    /// Has the router forward this port of its own, or, where that is somebody else's, another.
    /// What is there already is left alone unless it is to be renewed.
    fn ask(self, wanted: u16, renew: bool) -> Result<Mapped, Refusal> {
        let mut taken = Refusal::Taken(None);
        for port in wanted..=wanted.saturating_add(PORTS_IN_A_ROW - 1) {
            let entry = self.entry(port)?;
            // Some routers let everybody have everybody's ports, so it is not left to them.
            if let Some(other) = entry.filter(|entry| !self.is_mine(entry)) {
                taken = Refusal::Taken(other.client);
            } else {
                let was_there = entry.is_some();
                let ends_soon = entry
                    .and_then(|entry| entry.left)
                    .is_some_and(|left| left <= LEASE / 2);
                if was_there && !renew && !ends_soon {
                    return Ok(Mapped {
                        port,
                        was_there,
                        added: None,
                    });
                }
                match self.add(port) {
                    Err(Refusal::Taken(_)) => {}
                    added => {
                        let added = Some(added?);
                        return Ok(Mapped {
                            port,
                            was_there,
                            added,
                        });
                    }
                }
            }
            if self.service.offers_others() {
                return self.add_any(port);
            }
        }
        Err(taken)
    }

    fn is_mine(&self, entry: &soap::Entry) -> bool {
        entry.client == Some(self.local) && entry.port == self.inside
    }

    /// What the router does with this port of its own; `None` if nothing, or if it does not tell.
    fn entry(&self, port: u16) -> Result<Option<soap::Entry>, Refusal> {
        let port = port.to_string();
        let named = soap::names_mapping(self.protocol, &port);
        match call(self.service, "GetSpecificPortMappingEntry", &named) {
            Err(Refusal::Silence) => Err(Refusal::Silence),
            Err(_) => Ok(None),
            Ok(answer) => Ok(soap::entry(&answer)),
        }
    }

    fn add(&self, port: u16) -> Result<Lease, Refusal> {
        match self.call_to_add("AddPortMapping", port, LEASE) {
            Err(Refusal::Other(soap::PERMANENT_ONLY)) => {
                self.call_to_add("AddPortMapping", port, 0)?;
                Ok(Lease::Permanent)
            }
            answer => answer.map(|_| Lease::Limited),
        }
    }

    fn add_any(&self, port: u16) -> Result<Mapped, Refusal> {
        let answer = self.call_to_add("AddAnyPortMapping", port, LEASE)?;
        Ok(Mapped {
            port: soap::reserved_port(&answer).ok_or(Refusal::Unsupported)?,
            was_there: false,
            added: Some(Lease::Limited),
        })
    }

    fn call_to_add(&self, action: &str, port: u16, lease: u32) -> Result<String, Refusal> {
        let [port, inside, local, lease] = [
            port.to_string(),
            self.inside.to_string(),
            self.local.to_string(),
            lease.to_string(),
        ];
        let [host, port, protocol] = soap::names_mapping(self.protocol, &port);
        let arguments = [
            host,
            port,
            protocol,
            ("NewInternalPort", &*inside),
            ("NewInternalClient", &*local),
            ("NewEnabled", "1"),
            ("NewPortMappingDescription", "mayfly"),
            ("NewLeaseDuration", &*lease),
        ];
        call(self.service, action, &arguments)
    }
}

/// Asks the service for something.
fn call(service: &Service, action: &str, arguments: &soap::Arguments) -> Result<String, Refusal> {
    let request = soap::request(service, action, arguments);
    let answer = exchange::over_tcp(service.control.socket, &request).ok_or(Refusal::Silence)?;
    soap::outcome(answer.status, &answer.body)?;
    Ok(answer.body)
}

#[cfg(test)]
#[path = "upnp_tests.rs"]
mod tests;
