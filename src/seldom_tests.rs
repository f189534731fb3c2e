//! Tests of `http/seldom.rs`.

use super::*;

#[test]
fn the_first_time_and_then_every_ten_minutes() {
    let seldom = Seldom::default();
    let told = (0..=1500).filter(|&second| seldom.is_time(Duration::from_secs(second)));
    assert_eq!(told.collect::<Vec<_>>(), [0, 600, 1200]);
}
