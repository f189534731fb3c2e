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
