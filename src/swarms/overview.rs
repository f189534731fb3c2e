//! The state from afar: whether it looks odd.
//!
//! Odd are swarms whose peers all have one address: something between the clients and the tracker
//! may hide where they are. What is made of that is for those who show it.

use super::audience::Place;
use super::store::Swarms;
use super::swarm::Swarm;

/// At most so many swarms, and members in all, are looked at, since everybody waits meanwhile:
/// with a million peers, for some tenths of a millisecond.
const MOST_SWARMS: usize = 1000;
const MOST_MEMBERS: usize = 5000;

/// Swarms whose peers all have one address, among those that were looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OneAddress {
    /// Swarms with several peers that were looked at.
    pub of: u32,
    /// Those of them whose peers are all on the tracker's own machine.
    pub on_this_machine: u32,
    /// Those of them whose peers all have one and the same other address.
    pub elsewhere: u32,
}

impl Swarms {
    /// Looks at the first swarms, which in a tracker of ordinary size are all of them.
    pub fn one_address(&self) -> OneAddress {
        let mut found = OneAddress::default();
        let mut members_left = MOST_MEMBERS;
        for swarm in self.swarms.iter().take(MOST_SWARMS) {
            if swarm.clients.iter().sum::<u32>() < 2 {
                continue;
            }
            found.of += 1;
            let mut homes = swarm.groups().iter().map(|group| group.key.home);
            if homes.all(|home| home.place() == Place::Loopback) {
                found.on_this_machine += 1;
            } else {
                match have_one_address(swarm, &mut members_left) {
                    Some(one) => found.elsewhere += u32::from(one),
                    None => {
                        found.of -= 1;
                        break;
                    }
                }
            }
        }
        found
    }
}

/// Whether all members have the same address; `None` if that would take too long to find out.
fn have_one_address(swarm: &Swarm, members_left: &mut usize) -> Option<bool> {
    let mut first = None;
    for group in swarm.groups() {
        for place in 0..group.members.len() {
            *members_left = members_left.checked_sub(1)?;
            let ip = group.members.endpoint(place).ip;
            if *first.get_or_insert(ip) != ip {
                return Some(false);
            }
        }
    }
    Some(true)
}

#[cfg(test)]
#[path = "overview_tests.rs"]
mod tests;
