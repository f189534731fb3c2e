//! Tests of `swarms/per_address.rs`.

use super::*;
use std::net::Ipv4Addr;

/// As the head of the module has it: by 4 and by 15, on average, with a million peers.
#[test]
fn the_counters_are_few_and_what_they_count_for_others_is_little() {
    let mut counters = PerAddress::new();
    let bytes = (counters.in_all.len() + counters.in_swarm.len()) * size_of::<u32>();
    assert!(bytes <= 2 << 20, "{bytes}");
    let address = |n: u32| IpAddr::from(Ipv4Addr::from(0x0800_0000 + n));
    for n in 0..100_000 {
        counters.add(n % 1_000, address(n));
    }
    // Nobody has these; a tenth of a million was counted.
    let strangers = (200_000..210_000).filter_map(|n| AddressBlock::of(address(n)));
    let (in_all, in_swarm) = strangers.fold((0, 0), |(all, swarm), block| {
        let one = counters.in_swarm(7, block);
        (all + counters.in_all(block), swarm + one)
    });
    assert!(in_all <= 10_000 * 3, "{in_all}");
    assert!(in_swarm <= 10_000, "{in_swarm}");
}
