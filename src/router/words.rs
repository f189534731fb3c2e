//! What the operator reads of the router: a line for each thing that can happen, with what it means
//! and what to do about it. When it is read is for `mapper.rs` to say.

use super::mapping::{Held, Refusal, Wish};
use crate::address;
use crate::public_address::{Forwarded, is_of_the_internet};
use std::net::{IpAddr, Ipv4Addr};

/// Why the internet does not reach this machine.
#[derive(Clone, PartialEq, Debug)]
pub enum Trouble {
    /// There is no default gateway.
    NoRouter,
    /// This machine has an address that the internet reaches by itself.
    NothingBetween(Ipv4Addr),
    /// mayfly does not listen where the router would forward to.
    NotListening(Ipv4Addr),
    /// There is no mapping.
    Refused {
        /// The router that was asked.
        router: Ipv4Addr,
        /// Whether that it is the router was a guess.
        is_guess: bool,
        /// This machine.
        local: Ipv4Addr,
        /// Why.
        refusal: Refusal,
    },
    /// There is a mapping, but the router's own address is none of the internet's.
    NotPublic {
        /// The router that forwards.
        router: Ipv4Addr,
        /// Its outside address.
        address: IpAddr,
    },
}

/// Whether the internet reaches a router's outside address.
pub fn is_public(ip: IpAddr) -> bool {
    let is_reserved = matches!(ip, IpAddr::V4(ip) if ip.octets()[0] >= 240);
    is_of_the_internet(ip) && !is_reserved && !is_shared(ip)
}

/// Whether a provider has many customers behind one address, of whom this is one (RFC 6598), or
/// has no IPv4 for them but through a tunnel (RFC 6333).
fn is_shared(ip: IpAddr) -> bool {
    let IpAddr::V4(ip) = ip else {
        return false;
    };
    let [a, b, c, _] = ip.octets();
    (a, b & 0xc0) == (100, 64) || (a, b, c) == (192, 0, 0)
}

impl Trouble {
    /// The line.
    pub fn line(&self, wish: Wish) -> String {
        let (port, ports) = (wish.port, protocols(wish));
        match self {
            Trouble::NoRouter => "no router found, since this machine has no default gateway; \
                 --map-port will ask when there is one"
                .to_owned(),
            Trouble::NothingBetween(address) => format!(
                "this machine has a public address itself ({address}): no router has to forward \
                 anything, and only a firewall may be in the way"
            ),
            Trouble::NotListening(local) => format!(
                "a router would forward to {local}, where mayfly does not listen: \
                 leave -b out, or add -b {local}"
            ),
            Trouble::Refused {
                router,
                is_guess,
                local,
                refusal,
            } => {
                let who = match is_guess {
                    true => format!("the router (at {router}, by a guess)"),
                    false => format!("the router at {router}"),
                };
                let by_hand = format!(
                    "or forward {ports} port {port} to {local} there by hand and start mayfly with \
                     --public-address"
                );
                refused(*refusal, &who, port, &by_hand)
            }
            Trouble::NotPublic { router, address } if is_shared(*address) => format!(
                "the router at {router} forwards port {port}, but its own address {address} is \
                 one that its provider gives to customers who share a public one: nobody on the \
                 internet reaches this machine over IPv4, and no forwarding can help. \
                 IPv6 may; or ask the provider for an IPv4 address of your own"
            ),
            Trouble::NotPublic { router, address } if address::is_unicast(*address) => {
                format!(
                    "the router at {router} forwards port {port}, but its own address {address} \
                     is private: there is a second router in front of it. Forward {ports} port \
                     {port} to {address} in that one, and start mayfly with --public-address; if \
                     it is the provider's, only IPv6 may help"
                )
            }
            Trouble::NotPublic { router, .. } => format!(
                "the router at {router} forwards port {port}, but has no public address at the moment"
            ),
        }
    }
}

fn refused(refusal: Refusal, who: &str, port: u16, by_hand: &str) -> String {
    let allow = "allow it in the router's settings (UPnP, NAT-PMP or PCP)";
    match refusal {
        Refusal::Silence => format!(
            "{who} does not answer: it cannot be asked by programs, or not as it is set up. \
             Look for UPnP, NAT-PMP or PCP in its settings, {by_hand}"
        ),
        Refusal::Unsupported | Refusal::NotAuthorized => {
            format!("{who} does not let programs forward ports: {allow}, {by_hand}")
        }
        Refusal::NoAddress => format!(
            "{who} has no public address: it is offline, or its provider has it share one with \
             other customers. Then no forwarding can help; only IPv6 may"
        ),
        Refusal::NoResources => {
            format!("{who} has no room for another forwarding: remove some in its settings")
        }
        Refusal::OtherRouter => format!(
            "{who} is not the only one: another one stands between it and this machine, and \
             both would have to forward port {port}"
        ),
        Refusal::Taken(other) => {
            let whom = match other {
                Some(other) => format!("is forwarded to {other} already"),
                None => "is taken by another program or machine".to_owned(),
            };
            format!("port {port} of {who} {whom}: choose another one with -p")
        }
        Refusal::Other(code) => {
            format!("{who} does not forward port {port} (its error {code}): {allow}, {by_hand}")
        }
    }
}

/// The router forwards; the announce URLs follow. `before` is what it forwarded until now.
pub fn forwards(held: &Held, before: Option<Forwarded>, wish: Wish) -> String {
    let (router, ip) = (held.router, held.outside.ip);
    let what = match before.filter(|before| before.ip != ip) {
        Some(before) => {
            format!("the public address is {ip} now and no longer {}", before.ip)
        }
        None => {
            let (tcp, udp) = (held.outside.tcp_port, held.outside.udp_port);
            let port = wish.port;
            let outside = match udp {
                Some(udp) if udp != tcp => format!("TCP port {tcp} and UDP port {udp}"),
                _ => format!("{} port {tcp}", protocols(wish)),
            };
            let taken = match tcp == port && udp.is_none_or(|udp| udp == port) {
                true => String::new(),
                false => format!("'s {port}, since its own {port} is taken"),
            };
            format!("the router at {router} forwards {outside} to this machine{taken}")
        }
    };
    format!("{what}. Announce URLs for the internet:")
}

/// It forwards again.
pub fn again(held: &Held) -> String {
    match held.has_forgotten {
        true => format!(
            "the router at {} had forgotten what to forward (was it restarted?), and forwards \
             again",
            held.router
        ),
        false => format!("the router at {} forwards again", held.router),
    }
}

/// It knows mappings without an end only.
pub fn is_permanent(held: &Held) -> String {
    format!(
        "the router at {} cannot let a forwarding expire: it will go on forwarding when mayfly is \
         gone, until you remove 'mayfly' in its settings",
        held.router
    )
}

/// It does not answer any more, but has promised to forward.
pub fn is_silent(held: &Held) -> String {
    format!(
        "the router at {} does not answer any more; perhaps it still forwards, and perhaps it is \
         being restarted",
        held.router
    )
}

fn protocols(wish: Wish) -> &'static str {
    if wish.udp { "TCP and UDP" } else { "TCP" }
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
