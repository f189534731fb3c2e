//! Tests of `swarms/clients.rs`.

use super::*;

/// A client that comes and goes by a second address takes no more memory each time.
#[test]
fn the_place_of_several_is_used_again() {
    let mut clients = Clients::new();
    let tag = Tag(7);
    clients.add_first(tag, 1);
    for _ in 0..100 {
        clients.add_other(tag, 2);
        let records = clients.records(tag).expect("it is listed");
        assert_eq!(records.slots(), [2, 1]);
        clients.remove(tag, 2);
    }
    assert_eq!((clients.several.len(), clients.unused.len()), (1, 1));
    clients.remove(tag, 1);
    assert!(clients.records(tag).is_none());
}
