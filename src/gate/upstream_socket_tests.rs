//! Tests of `gate/upstream_socket.rs`. That nobody gets in is tested in `upstream_tests.rs`, and
//! against the executable in `tests/abuse/strangers.rs`.

use super::*;

#[cfg(target_os = "linux")]
#[test]
fn all_who_are_queued_are_counted() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};
    let name = format!("mayfly-test-{}", std::process::id());
    assert_eq!(system::queued(&name), None, "no listener");
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    assert_eq!(system::queued(&name), Some(0));
    let _one = Stream::connect_addr(&address).unwrap();
    assert_eq!(system::queued(&name), Some(1));
    // One who has left again is still there to be accepted.
    drop(Stream::connect_addr(&address).unwrap());
    assert_eq!(system::queued(&name), Some(2));
}

/// A listener into which somebody else got is thrown away with him; where that happens again and
/// again, fewer are opened, and in the end none.
#[cfg(target_os = "linux")]
#[test]
fn who_gets_in_between_is_thrown_out_and_it_is_tried_again() {
    use std::io::{ErrorKind, Read};
    let opened_after = |strangers: usize| {
        let mut got_in = Vec::new();
        let mut tries = 0;
        let opened = system::open_beside(
            &mut |address| {
                tries += 1;
                if tries <= strangers {
                    let stranger = Stream::connect_addr(address).unwrap();
                    stranger.set_nonblocking(true).unwrap();
                    got_in.push(stranger);
                }
            },
            4,
        );
        for stranger in &mut got_in {
            match stranger.read(&mut [0]) {
                Ok(length) => assert_eq!(length, 0),
                Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
            }
        }
        (opened.ok().map(|opened| opened.streams.len()), tries)
    };
    assert_eq!(opened_after(0), (Some(4), 1));
    assert_eq!(opened_after(5), (Some(4), 6));
    assert_eq!(opened_after(99), (Some(1), 100));
    let (opened, tries) = opened_after(usize::MAX);
    assert_eq!(opened, None);
    assert!(tries <= 1000, "{tries}");
}

#[test]
fn as_many_as_wanted_where_nobody_interferes() {
    let opened = open(4).unwrap();
    assert_eq!(opened.streams.len(), 4);
    #[cfg(target_os = "linux")]
    for stream in &opened.streams {
        let again = Stream::connect_addr(&stream.peer_addr().unwrap());
        assert_eq!(
            again.unwrap_err().kind(),
            std::io::ErrorKind::ConnectionRefused
        );
    }
}
