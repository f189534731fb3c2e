//! Tests of `gate/limits.rs`.

use super::*;

#[test]
fn limits_leave_descriptors_for_everything_else() {
    for descriptors in [20, 64, 256, 1024, 1 << 20] {
        let limits = Limits::for_descriptors(Some(descriptors), 1000);
        assert!(limits.threads >= 4 && (2..=64).contains(&limits.upstreams));
        if descriptors >= 64 {
            assert!(limits.threads + 3 * limits.upstreams + 20 <= descriptors);
        }
    }
    let usual = Limits::for_descriptors(Some(1024), 1000);
    assert!(usual.threads >= 800 && usual.upstreams >= 16, "{usual:?}");
    assert_eq!(Limits::for_descriptors(None, 1000).threads, 1008);
    assert_eq!(Limits::for_descriptors(Some(1024), 8).threads, 16);
    assert_eq!(Limits::for_descriptors(None, 1000).connections(), 1000);
    assert_eq!(Limits::for_descriptors(Some(1024), 1000).connections(), 896);
}

/// As the README and dont_readme.txt have them.
#[test]
fn times_are_those_that_the_documents_name() {
    let limits = Limits::for_descriptors(None, 1000);
    assert_eq!(limits.head_time, Duration::from_secs(5));
    assert_eq!(limits.answer_time, Duration::from_secs(5));
    assert_eq!(limits.idle_time, Duration::from_secs(30));
}
