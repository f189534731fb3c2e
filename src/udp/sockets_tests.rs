//! Tests of `udp/sockets.rs`: how many there may be. That they are opened and served is tested from
//! outside, in `tests/udp_addresses.rs`.

use super::*;

#[test]
fn sockets_take_few_of_the_descriptors() {
    for descriptors in [20, 64, 256, 1024, 1 << 20] {
        let sockets = most(Some(descriptors));
        assert!(sockets >= 1 && sockets * 4 <= descriptors, "{descriptors}");
        assert!(sockets <= 64, "each has a thread");
    }
    // More addresses than an ordinary machine has.
    for descriptors in [Some(1024), None] {
        assert!((32..=64).contains(&most(descriptors)));
    }
}
