//! Who is shown which of a client's addresses. Which one works depends on who asks: somebody on
//! this machine, in a container on it, on the same network, on the internet. An asker is shown, for
//! each address family, the one that leads somewhere from where it is; if there is none, it is not
//! shown that client.
//!
//! Askers for whom the same addresses work are of one class, and of these there are 13. For each
//! record the classes that are shown it are kept as a mask, computed anew when its client's set of
//! addresses changes: so picking does not have to look at a client's other addresses.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

/// Where an address is, seen from the tracker's machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// 127.0.0.0/8 and `::1`.
    Loopback,
    /// A container or virtual machine behind a bridge of this machine.
    Container,
    /// A network without a way in from the internet.
    Lan,
    /// The internet.
    Internet,
}

/// Where a record's address is and of which family, in one byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Home(u8);

impl Home {
    pub fn new(place: Place, is_ipv6: bool) -> Home {
        Home(place as u8 * 2 + u8::from(is_ipv6))
    }

    pub fn place(self) -> Place {
        match self.0 / 2 {
            0 => Place::Loopback,
            1 => Place::Container,
            2 => Place::Lan,
            _ => Place::Internet,
        }
    }

    pub fn is_ipv6(self) -> bool {
        self.0 % 2 == 1
    }

    pub fn is_on_this_machine(self) -> bool {
        matches!(self.place(), Place::Loopback | Place::Container)
    }
}

/// Where an asker is, and what addresses become there that it cannot use as they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View {
    /// Where it is, as far as that makes a difference to what it reaches.
    pub from: Place,
    /// Under which address clients on the tracker's machine are reached from there, and containers
    /// on it; `None` if they are not. From the machine itself they are reached under their own.
    pub machine_as: Option<IpAddr>,
    /// Under which address clients in the tracker's network are reached from the internet.
    pub lan_as: Option<Ipv4Addr>,
}

impl View {
    /// The family that a record's address is shown in; only for those in whose audience this is.
    pub fn shows_as_ipv6(&self, home: Home) -> bool {
        self.class()
            .way(home)
            .map_or(home.is_ipv6(), |way| way.is_ipv6)
    }

    /// The address under which a record is shown, if not under its own.
    pub fn shown_as(&self, home: Home) -> Option<IpAddr> {
        match home.place() {
            Place::Loopback if self.from != Place::Loopback => self.machine_as,
            Place::Container if matches!(self.from, Place::Lan | Place::Internet) => {
                self.machine_as
            }
            Place::Lan if self.from == Place::Internet => self.lan_as.map(IpAddr::V4),
            _ => None,
        }
    }

    /// With whom it shares what works.
    pub fn class(&self) -> Class {
        Class {
            from: self.from,
            machine: self
                .machine_as
                .filter(|_| self.from != Place::Loopback)
                .map(|ip| ip.is_ipv6()),
            shows_lan: self.lan_as.is_some() && self.from == Place::Internet,
        }
    }
}

/// Askers for whom the same addresses work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Class {
    from: Place,
    /// Whether they are shown clients on this machine under an IPv6 address, an IPv4 one, or none.
    machine: Option<bool>,
    /// Whether clients in the tracker's network can be reached over IPv4.
    shows_lan: bool,
}

/// How an address is shown to a class.
struct Way {
    is_ipv6: bool,
    /// Of a client's addresses that are shown in one family, the one with the lowest counts.
    rank: u8,
}

impl Class {
    /// All there are; where one stands is its bit in an [`Audience`].
    fn all() -> impl Iterator<Item = Class> {
        let class = |from, machine, shows_lan| Class {
            from,
            machine,
            shows_lan,
        };
        let machines = [None, Some(false), Some(true)];
        let elsewhere = [
            (Place::Container, false),
            (Place::Lan, false),
            (Place::Internet, false),
            (Place::Internet, true),
        ];
        let here = class(Place::Loopback, None, false);
        let elsewhere = elsewhere.into_iter().flat_map(move |(from, shows_lan)| {
            machines.map(|machine| class(from, machine, shows_lan))
        });
        [here].into_iter().chain(elsewhere)
    }

    fn bit(self) -> u16 {
        let of_machine = match self.machine {
            None => 0,
            Some(false) => 1,
            Some(true) => 2,
        };
        match self.from {
            Place::Loopback => 1,
            Place::Container => 1 << (1 + of_machine),
            Place::Lan => 1 << (4 + of_machine),
            Place::Internet => 1 << (7 + of_machine + 3 * u16::from(self.shows_lan)),
        }
    }

    /// How an address is shown, if it leads somewhere. The nearest is the best: it is the fastest,
    /// and needs nobody's help. From the internet only the last resorts are near.
    fn way(self, home: Home) -> Option<Way> {
        let own = |rank| {
            Some(Way {
                is_ipv6: home.is_ipv6(),
                rank,
            })
        };
        let as_machine = || {
            let is_ipv6 = self.machine?;
            // One is enough, and rather that of the family that it is shown in.
            let rank = 1 + u8::from(home.is_ipv6() != is_ipv6);
            Some(Way { is_ipv6, rank })
        };
        match (self.from, home.place()) {
            (Place::Loopback, Place::Loopback)
            | (Place::Container, Place::Container)
            | (Place::Internet, Place::Internet) => own(0),
            (Place::Loopback, Place::Container) => own(1),
            (_, Place::Loopback | Place::Container) => as_machine(),
            // Addresses of IPv6 are not translated, so the network's is that of one machine.
            (Place::Internet, Place::Lan) if !self.shows_lan || home.is_ipv6() => None,
            (_, Place::Lan) => own(3),
            (_, Place::Internet) => own(4),
        }
    }
}

impl Class {
    /// Whether an address of the internet would lead by way of the router back into the network, to
    /// a client that is in it. Few routers do that. Nothing translates addresses of IPv6, so those
    /// are reached without.
    fn would_turn_back(self, home: Home, homes: &[(Home, bool)]) -> bool {
        let is_near = |other: Home| !other.is_ipv6() && other.place() != Place::Internet;
        self.from != Place::Internet
            && home.place() == Place::Internet
            && !home.is_ipv6()
            && homes.iter().any(|&(other, _)| is_near(other))
    }
}

/// Classes of askers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Audience(u16);

/// The audience of each home's address, if it is the only one: newcomers have no time for finding
/// it out.
static OF_ONE: LazyLock<[Audience; 8]> = LazyLock::new(|| {
    std::array::from_fn(|home| {
        let mut audience = [Audience(0)];
        Audience::of_each(&[(Home(home as u8), false)], &mut audience);
        audience[0]
    })
});

impl Audience {
    pub fn has(self, class: Class) -> bool {
        self.0 & class.bit() != 0
    }

    /// The audience of a client's only address.
    pub fn of_one(home: Home) -> Audience {
        OF_ONE[usize::from(home.0)]
    }

    /// The audiences of each of a client's addresses, of which it is known whether they are merely
    /// claimed. Of two that are as good as each other one that was seen is shown, and if that is
    /// no difference the first, so the one that came last should stand there.
    pub fn of_each(homes: &[(Home, bool)], audiences: &mut [Audience]) {
        audiences.fill(Audience(0));
        for class in Class::all() {
            for is_ipv6 in [false, true] {
                let ways = homes
                    .iter()
                    .enumerate()
                    .filter_map(|(i, &(home, is_claimed))| {
                        let way = class.way(home).filter(|way| way.is_ipv6 == is_ipv6)?;
                        let is_of_use = !class.would_turn_back(home, homes);
                        is_of_use.then_some((way.rank, is_claimed, i))
                    });
                if let Some((_, _, best)) = ways.min() {
                    audiences[best].0 |= class.bit();
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "audience_tests.rs"]
mod tests;
