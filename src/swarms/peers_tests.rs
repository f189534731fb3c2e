//! Tests of `swarms/peers.rs`.

use super::*;

#[test]
fn what_every_announce_reads_is_as_small_as_can_be() {
    assert_eq!((size_of::<Known>(), size_of::<Peer>()), (16, 28));
}
