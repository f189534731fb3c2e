//! Where an asker is: which of its addresses are believed, from where these lead somewhere, and
//! what it can reach from there.

use crate::address::{self, Scope};
use crate::announce::{Announce, Claim, Endpoint, Host};
use crate::own_addresses::{OwnAddresses, Whereabouts};
use crate::public_address::PublicAddress;
use crate::swarms::{Address, Identity, Place, View};
use std::net::IpAddr;
use std::sync::Arc;

/// What is known of the network that the tracker is in, shared with those who find it out.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// Which of this machine's networks are those of containers on it.
    pub own_addresses: Arc<OwnAddresses>,
    /// Under what the tracker's network is reached from the internet. Routers translate addresses
    /// of IPv4, so behind that one are all machines of the network, each by the ports that were
    /// forwarded to it. Nothing translates those of IPv6, so that one is this machine's alone.
    pub public_address: Arc<PublicAddress>,
}

impl Surroundings {
    /// Where an address is, and whether somebody who asks from there is believed to be elsewhere.
    fn place(&self, ip: IpAddr) -> (Place, bool) {
        match Scope::of(ip) {
            Scope::Loopback => (Place::Loopback, true),
            // On the internet, such a claim would let anybody point a whole swarm at a stranger.
            Scope::Global => (Place::Internet, false),
            Scope::Lan => match self.own_addresses.whereabouts(ip) {
                Whereabouts::Container => (Place::Container, true),
                // Behind these is a translation of addresses: all the world may come by it.
                Whereabouts::Bridge => (Place::Container, false),
                Whereabouts::Gateway => (Place::Lan, false),
                Whereabouts::Elsewhere => (Place::Lan, true),
            },
        }
    }

    /// Whether this is an address of this machine's on a bridge for its containers.
    fn is_on_bridge(&self, local: IpAddr) -> bool {
        self.own_addresses.whereabouts(local) == Whereabouts::Bridge
    }

    fn public_ip(&self, is_ipv6: bool) -> Option<IpAddr> {
        self.public_address.ip(is_ipv6)
    }
}

/// One who announces.
pub struct Asker {
    /// Who it is.
    pub who: Identity,
    /// What it can reach.
    pub view: View,
    /// The first `count` are in use.
    addresses: [Address; MOST_ADDRESSES],
    count: usize,
}

/// Where it was seen, and three claims.
const MOST_ADDRESSES: usize = 4;

impl Asker {
    /// Where an announce came from, and how its names are resolved.
    pub fn of(
        announce: &Announce,
        surroundings: &Surroundings,
        resolve: impl Fn(&str) -> Option<IpAddr>,
    ) -> Asker {
        let source = Endpoint {
            ip: announce.source,
            port: announce.port,
        };
        let (place, is_believed) = surroundings.place(source.ip);
        let seen = Address {
            endpoint: source,
            place,
            is_claimed: false,
        };
        let mut asker = Asker {
            who: Identity {
                peer_id: announce.peer_id,
                key: announce.key,
                source,
            },
            view: view(announce, place, surroundings),
            addresses: [seen; MOST_ADDRESSES],
            // An address that works for nobody else is no place to be found at.
            count: usize::from(!address::is_link_local(source.ip)),
        };
        if is_believed {
            let read = |claim: &Option<Claim>, names_too: bool| {
                let claim = claim.as_ref()?;
                let ip = match &claim.host {
                    Host::Address(ip) => *ip,
                    Host::Name(name) if names_too => resolve(name)?,
                    Host::Name(_) => return None,
                };
                let port = claim.port.filter(|&port| port != 0);
                let port = port.unwrap_or(announce.port);
                let endpoint = Endpoint { ip, port };
                claimed(endpoint, place, surroundings)
            };
            asker.add(read(&announce.ip, true));
            asker.add(read(&announce.ipv4, false));
            asker.add(read(&announce.ipv6, false));
        }
        asker
    }

    /// Where it lives, as far as that is believed: where it was seen first.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses[..self.count]
    }

    /// Whether it lives there, or asks from there.
    pub fn is_at(&self, endpoint: Endpoint) -> bool {
        let mut addresses = self.addresses().iter();
        self.who.source == endpoint || addresses.any(|address| address.endpoint == endpoint)
    }

    fn add(&mut self, address: Option<Address>) {
        if let Some(address) = address.filter(|address| !self.is_at(address.endpoint)) {
            self.addresses[self.count] = address;
            self.count += 1;
        }
    }
}

/// A claim of somebody who is at a place, if it can be true.
fn claimed(endpoint: Endpoint, by: Place, surroundings: &Surroundings) -> Option<Address> {
    let ip = endpoint.ip;
    let (place, _) = surroundings.place(ip);
    let is_possible = match place {
        Place::Loopback => by == Place::Loopback,
        // Every machine with containers has some there; those elsewhere are not these.
        Place::Container => by != Place::Lan,
        Place::Lan | Place::Internet => !address::is_link_local(ip),
    };
    (is_possible && address::is_unicast(ip)).then_some(Address {
        endpoint,
        place,
        is_claimed: true,
    })
}

/// What an asker at a place can reach, and how.
fn view(announce: &Announce, place: Place, surroundings: &Surroundings) -> View {
    let own = &surroundings.own_addresses;
    let from = match (place, announce.source) {
        // Whoever asks from an address of this machine reaches what its containers do: them,
        // whether their ports are published or not, and its network.
        (Place::Lan | Place::Internet, ip) if own.has(ip) => Place::Container,
        // One on the LAN need not ask by a private address.
        (Place::Internet, IpAddr::V6(ip)) if own.shares_link_with(ip) => Place::Lan,
        _ => place,
    };
    let local = announce.local;
    let scope = Scope::of(local);
    let machine_as = match from {
        Place::Loopback => None,
        // A proxy in a container on this machine has reached it by an address that to those on the
        // network is none, or one of their own: they all have containers.
        Place::Lan if surroundings.is_on_bridge(local) => {
            let likeliest = surroundings.own_addresses.likeliest(local.is_ipv6());
            Some(likeliest).filter(|ip| !ip.is_loopback())
        }
        // Through a proxy on this machine, the local address is none that others can use.
        Place::Container | Place::Lan => (scope != Scope::Loopback).then_some(local),
        Place::Internet if scope == Scope::Global => Some(local),
        Place::Internet => {
            let is_ipv6 = announce.source.is_ipv6();
            let own_family = surroundings.public_ip(is_ipv6);
            own_family.or_else(|| surroundings.public_ip(!is_ipv6))
        }
    };
    let lan_as = match from {
        Place::Internet => surroundings.public_ip(false),
        _ => None,
    };
    View {
        from,
        machine_as: machine_as.filter(|&ip| !address::is_link_local(ip)),
        lan_as: match lan_as {
            Some(IpAddr::V4(ip)) => Some(ip),
            _ => None,
        },
    }
}
