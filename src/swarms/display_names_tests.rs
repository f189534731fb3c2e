//! The names of torrents, and their bounds.

use super::*;
use std::net::Ipv4Addr;

/// An address of the internet, each in a block of its own.
fn address(number: u32) -> IpAddr {
    Ipv4Addr::from(0x0800_0000 + number).into()
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn the_first_name_stays_until_the_swarm_ends() {
    let mut names = DisplayNames::default();
    assert_eq!(names.get(7), None);
    names.add(7, "first", address(1));
    names.add(7, "second", address(2));
    names.add(8, "other", address(1));
    assert_eq!(names.get(7).map(|name| &**name), Some("first"));
    assert_eq!(names.get(8).map(|name| &**name), Some("other"));
    names.remove(7);
    names.remove(7);
    names.remove(9);
    assert_eq!(names.get(7), None);
    // Its index may be that of another swarm now.
    names.add(7, "second", address(2));
    assert_eq!(names.get(7).map(|name| &**name), Some("second"));
    assert_eq!(names.get(8).map(|name| &**name), Some("other"));
    for swarm in [7, 8] {
        names.remove(swarm);
    }
    assert!(names.names.is_empty());
    assert_eq!(names.of_block.iter().sum::<u32>(), 0);
}

#[test]
fn one_address_cannot_take_the_room_of_the_others() {
    let mut names = DisplayNames::default();
    // A tenth of all.
    for swarm in 0..5_000 {
        names.add(swarm, "x", address(1));
    }
    assert_eq!(names.names.len(), 2_000);
    assert!(!names.has_room(1_000_000, address(1)));
    // Of these, some may share its counter.
    let others = (2..100).filter(|&other| names.has_room(1_000_000, address(other)));
    assert!(others.count() > 90);
    // Its own are not in its way for ever.
    names.remove(0);
    assert!(names.has_room(1_000_000, address(1)));
}

#[test]
fn what_all_names_take_is_bounded() {
    // The longest take 400 bytes, and the table and the allocation add less than 100.
    const MOST_BYTES: usize = 10_000_000;
    let from_many: fn(u32) -> IpAddr = address;
    for from in [from_many, |_| HERE] {
        let mut names = DisplayNames::default();
        for swarm in 0..30_000 {
            names.add(swarm, "x", from(swarm));
        }
        let count = names.names.len();
        assert!(count * 500 <= MOST_BYTES, "{count}");
        assert!(count * 500 > MOST_BYTES / 2, "{count}");
        assert!(size_of_val(&names.of_block[..]) <= 64 << 10);
        for from in [HERE, address(1_000_000)] {
            assert!(!names.has_room(1_000_000, from));
        }
    }
}
