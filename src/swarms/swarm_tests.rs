//! Tests of `swarms/swarm.rs`.

use super::super::audience::{Audience, Home, Place};
use super::super::fixture::{endpoint, hash};
use super::super::group::Kind;
use super::*;
use std::collections::BTreeMap;

fn key(kind: Kind) -> GroupKey {
    let home = Home::new(Place::Internet, false);
    let audience = Audience::of_one(home);
    GroupKey {
        kind,
        home,
        audience,
    }
}

/// Each of 6 orders 500 times, give or take 20: none is off by five times that.
#[test]
fn every_order_of_members_is_equally_likely() {
    let mut random = Random::new(7);
    let mut orders = BTreeMap::new();
    for _ in 0..3_000 {
        let mut swarm = Swarm::new(hash(1), 0);
        for slot in 0..3 {
            let there = endpoint("192.0.2.1", 1);
            swarm.add(key(Kind::Leecher), there, slot, &mut random);
        }
        let members = &swarm.groups()[0].members;
        let order = [0, 1, 2].map(|place| members.slot(place));
        *orders.entry(order).or_insert(0) += 1;
    }
    let is_fair = |count: &i32| (400..600).contains(count);
    assert!(
        orders.len() == 6 && orders.values().all(is_fair),
        "{orders:?}"
    );
}

/// Most swarms have few groups, and there may be a million swarms.
#[test]
fn there_is_no_room_for_groups_that_are_not_there() {
    let mut swarm = Swarm::new(hash(1), 0);
    for (kind, count) in [(Kind::Leecher, 1), (Kind::Seeder, 2)] {
        let there = endpoint("192.0.2.1", count as u16);
        swarm.add(key(kind), there, 0, &mut Random::new(7));
        assert_eq!(
            (swarm.groups.len(), swarm.groups.capacity()),
            (count, count)
        );
    }
}
