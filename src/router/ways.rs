//! Asks the router for what is wanted, by PCP, by NAT-PMP or by UPnP. What it is to that is known
//! here; what the bytes are that it is asked with is not.

use super::exchange;
use super::gateway::Router;
use super::mapping::{Granted, Held, LEASE, Ports, Protocol, Refusal, Way, Wish};
use super::nat_pmp;
use super::pcp::{self, Nonce};
use super::upnp;
use crate::public_address::Forwarded;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

/// Asks the router, by the way that it took last time if there is one, then by all; `held` is what
/// it agreed to before.
pub fn ask(
    router: &Router,
    wish: Wish,
    nonce: Nonce,
    held: Option<&Held>,
    now: Duration,
) -> Result<Held, Refusal> {
    if let Some(held) = held {
        let again = match &held.way {
            Way::Pcp(_) => by_pcp(router, wish, nonce, Some(held), now),
            Way::NatPmp(_) => by_nat_pmp(router, wish, Some(held), now),
            Way::Upnp { service, .. } => upnp::ask(service, router.local, wish, Some(held), now),
        };
        // Silence may mean that it speaks from another port now.
        if again.is_ok() {
            return again;
        }
    }
    let mut refusal = Refusal::Silence;
    let ways: [&dyn Fn() -> Result<Held, Refusal>; 3] = [
        &|| by_pcp(router, wish, nonce, held, now),
        &|| by_nat_pmp(router, wish, held, now),
        &|| by_upnp(router, wish, held, now),
    ];
    for way in ways {
        match way() {
            Ok(held) => return Ok(held),
            Err(other) => refusal = refusal.or(other),
        }
    }
    Err(refusal)
}

fn by_pcp(
    router: &Router,
    wish: Wish,
    nonce: Nonce,
    held: Option<&Held>,
    now: Duration,
) -> Result<Held, Refusal> {
    let socket = connect(router)?;
    let map = |protocol, outside| {
        let request = pcp::Request {
            local: router.local,
            nonce,
            protocol,
            inside: wish.port,
            outside,
            seconds: LEASE,
        };
        match exchange::over_udp(&socket, &request.packet(), &|packet| request.answer(packet)) {
            // What it speaks instead will be seen.
            None | Some(pcp::Answer::OtherVersion) => Err(Refusal::Silence),
            Some(pcp::Answer::Map { epoch, outcome }) => Ok((epoch, outcome?)),
        }
    };
    let wanted = Ports::wanted(wish, held);
    let (epoch, (tcp, address)) = map(Protocol::Tcp, wanted.tcp)?;
    let udp = match wish.udp {
        true => Some(map(Protocol::Udp, wanted.udp(tcp.port))?.1.0),
        false => None,
    };
    let granted = (address, tcp, udp);
    Ok(agreed(router, granted, Way::Pcp(epoch), held, now))
}

fn by_nat_pmp(
    router: &Router,
    wish: Wish,
    held: Option<&Held>,
    now: Duration,
) -> Result<Held, Refusal> {
    let socket = connect(router)?;
    let answer = exchange::over_udp(&socket, &nat_pmp::ADDRESS_REQUEST, &nat_pmp::address_answer);
    let answer = answer.ok_or(Refusal::Silence)?;
    let (epoch, address) = (answer.epoch, answer.outcome?);
    let map = |protocol, outside| {
        let packet = nat_pmp::map_request(protocol, wish.port, outside, LEASE);
        let read = |packet: &[u8]| nat_pmp::map_answer(packet, protocol, wish.port);
        exchange::over_udp(&socket, &packet, &read)
            .ok_or(Refusal::Silence)?
            .outcome
    };
    let wanted = Ports::wanted(wish, held);
    let tcp = map(Protocol::Tcp, wanted.tcp)?;
    let udp = match wish.udp {
        true => Some(map(Protocol::Udp, wanted.udp(tcp.port))?),
        false => None,
    };
    let granted = (address, tcp, udp);
    Ok(agreed(router, granted, Way::NatPmp(epoch), held, now))
}

fn by_upnp(
    router: &Router,
    wish: Wish,
    held: Option<&Held>,
    now: Duration,
) -> Result<Held, Refusal> {
    let mut refusal = Refusal::Silence;
    for service in upnp::find(router) {
        match upnp::ask(&service, router.local, wish, held, now) {
            Ok(held) => return Ok(held),
            Err(other) => refusal = refusal.or(other),
        }
    }
    Err(refusal)
}

/// A socket that gets packets from the router alone.
fn connect(router: &Router) -> Result<UdpSocket, Refusal> {
    let socket = UdpSocket::bind((router.local, 0)).map_err(|_| Refusal::Silence)?;
    let connected = socket.connect((router.address, router.port));
    connected.map_err(|_| Refusal::Silence)?;
    Ok(socket)
}

/// What was agreed to by PCP or NAT-PMP: the outside address, and what was granted.
fn agreed(
    router: &Router,
    (address, tcp, udp): (Ipv4Addr, Granted, Option<Granted>),
    way: Way,
    before: Option<&Held>,
    now: Duration,
) -> Held {
    let has_forgotten = before.is_some_and(|before| {
        let elapsed = now.saturating_sub(before.since).as_secs();
        match (&before.way, &way) {
            (Way::Pcp(before), Way::Pcp(epoch)) => pcp::has_restarted(*before, *epoch, elapsed),
            (Way::NatPmp(before), Way::NatPmp(epoch)) => {
                nat_pmp::has_restarted(*before, *epoch, elapsed)
            }
            _ => false,
        }
    });
    let seconds = udp.map_or(tcp.seconds, |udp| udp.seconds.min(tcp.seconds));
    Held {
        router: router.address,
        local: router.local,
        outside: Forwarded {
            ip: address.into(),
            tcp_port: tcp.port,
            udp_port: udp.map(|udp| udp.port),
        },
        lease: Some(Duration::from_secs(seconds.into())),
        since: now,
        has_forgotten,
        way,
    }
}

#[cfg(test)]
#[path = "ways_tests.rs"]
mod tests;
