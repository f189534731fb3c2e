//! Tests of `threads.rs`.

use super::*;

#[test]
fn as_many_links_as_wanted_if_there_are_threads_to_use_them() {
    assert_eq!(upstreams_with(32, 74, 10), Ok(32));
    assert_eq!(upstreams_with(2, 14, 10), Ok(2));
}

#[test]
fn fewer_where_threads_are_few() {
    for (possible, expected) in [(73, 15), (50, 10), (18, 2), (14, 1)] {
        assert_eq!(upstreams_with(32, possible, 10), Ok(expected), "{possible}");
    }
}

#[test]
fn too_few_threads_is_said_with_how_many_are_needed() {
    for possible in [0, 10, 13] {
        let reason = upstreams_with(32, possible, 10).unwrap_err();
        let said = format!("too few threads: {possible} more, and 14 are needed");
        assert!(reason.contains(&said), "{reason}");
    }
}

#[test]
fn threads_that_can_be_had_are_counted() {
    assert_eq!(possible(0), 0);
    assert_eq!(possible(50), 50);
}
