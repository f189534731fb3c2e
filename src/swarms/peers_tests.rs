//! Tests of `swarms/peers.rs`.

use super::*;

#[test]
fn what_every_announce_reads_is_as_small_as_can_be() {
    assert_eq!((size_of::<Known>(), size_of::<Peer>()), (16, 28));
}

#[test]
fn time_is_counted_in_tenths_of_a_second() {
    let at = |millis| Tenths::new(Duration::from_millis(millis));
    for (millis, tenths) in [(0, 0), (99, 0), (100, 1), (12_399, 123), (12_999, 129)] {
        assert_eq!(at(millis).since(at(0)), tenths, "{millis}");
    }
    assert_eq!(at(12_399).as_secs(), 12);
    assert_eq!(at(12_399).since(at(12_000)), 3);
    assert_eq!(at(12_000).since(at(12_399)), 0, "the other way round");
}
