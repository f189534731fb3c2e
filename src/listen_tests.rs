//! Tests of `listen.rs`.

use super::*;

#[test]
fn connections_inherit_the_lack_of_delay() {
    let listener = without_delay(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert!(listener.accept().unwrap().0.nodelay().unwrap());
}

#[test]
fn every_address_of_both_families_on_one_free_port() {
    let listeners = open(&[], 0).unwrap();
    let port = listeners[0].local_addr().unwrap().port();
    assert_ne!(port, 0);
    for listener in &listeners {
        assert_eq!(listener.local_addr().unwrap().port(), port);
    }
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
}

#[test]
fn given_addresses_share_one_free_port() {
    let addresses = ["127.0.0.1", "127.0.0.2"].map(|ip| ip.parse().unwrap());
    // Not every system has all of 127.0.0.0/8.
    let Ok(listeners) = open(&addresses, 0) else {
        return;
    };
    let local: Vec<_> = listeners.iter().map(|l| l.local_addr().unwrap()).collect();
    assert_eq!([local[0].ip(), local[1].ip()], addresses);
    assert_eq!(local[0].port(), local[1].port());
}

#[test]
fn an_address_that_another_covers_is_not_opened_twice() {
    let ips =
        |text: &str| -> Vec<IpAddr> { text.split(' ').map(|ip| ip.parse().unwrap()).collect() };
    for addresses in ["0.0.0.0 127.0.0.1", "127.0.0.1 0.0.0.0"] {
        assert_eq!(open(&ips(addresses), 0).unwrap().len(), 1, "{addresses}");
    }
    for addresses in [":: 0.0.0.0", "0.0.0.0 ::", ":: 127.0.0.1", "127.0.0.1 ::"] {
        open(&ips(addresses), 0).unwrap();
    }
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let failed = open(&[address.ip()], address.port()).unwrap_err();
    assert_eq!(failed.address, address);
    assert_eq!(failed.error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_port_taken_on_ipv4_alone_is_taken() {
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    assert_eq!(
        open(&[], port).unwrap_err().error.kind(),
        ErrorKind::AddrInUse
    );
}
