//! Tests of `counters.rs`.

use super::*;

#[test]
fn a_duration_is_in_its_bucket_and_in_all_above() {
    let durations = Durations::default();
    for nanoseconds in [0, 2_500, 2_501, 1_000_000_000, 1_000_000_001] {
        durations.add(Duration::from_nanos(nanoseconds));
    }
    assert_eq!(durations.cumulative(), [2, 3, 3, 3, 3, 3, 3, 3, 4, 5]);
    assert_eq!(durations.nanoseconds(), 2_000_005_002);
}

#[test]
fn the_text_of_a_bound_is_the_bound() {
    for (nanoseconds, text) in Durations::BOUNDS {
        let seconds: f64 = text.parse().unwrap();
        assert_eq!((seconds * 1e9).round() as u64, nanoseconds, "{text}");
    }
    assert!(Durations::BOUNDS.is_sorted_by(|a, b| a.0 < b.0));
}

#[test]
fn every_reason_has_a_counter_of_its_own() {
    let counters = Counters::new();
    for (times, reason) in Reason::ALL.into_iter().enumerate() {
        for _ in 0..times {
            counters.refuse(reason);
        }
    }
    let counts: Vec<_> = counters.refusals().map(|(_, count)| count).collect();
    let expected: Vec<_> = (0..counts.len() as u64).collect();
    assert_eq!(counts, expected);
    assert_eq!(counters.refused(Reason::PortZero), 6);
}

#[test]
fn an_open_connection_is_counted_until_it_is_dropped() {
    let connections = Connections::default();
    let open = connections.open();
    let _other = connections.open();
    assert_eq!(connections.count(), 2);
    drop(open);
    assert_eq!((connections.count(), connections.opened.get()), (1, 2));
}
