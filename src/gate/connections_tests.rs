//! Tests of `gate/connections.rs`.

use super::*;
use std::io::Read;
use std::net::TcpListener;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The tracker's end and the client's.
fn pair() -> (Arc<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (Arc::new(listener.accept().unwrap().0), client)
}

#[test]
fn an_address_block_is_an_ipv4_address_or_an_ipv6_64_and_bounded() {
    let connections = Arc::new(Connections::new(9, 1, 2));
    let (stream, _client) = pair();
    let enter = |address| connections.enter(&stream, ip(address), false);
    let places = [enter("192.0.2.1"), enter("192.0.2.1")];
    assert!(places.iter().all(Option::is_some));
    assert!(enter("192.0.2.1").is_none(), "a third one");
    assert!(enter("192.0.2.2").is_some(), "another address");
    let places6 = [enter("2001:db8::1"), enter("2001:db8::ffff:2")];
    assert!(places6.iter().all(Option::is_some));
    assert!(enter("2001:db8::3").is_none(), "the same /64");
    assert!(enter("2001:db8:0:1::1").is_some(), "another /64");
    let own = connections.enter(&stream, ip("192.0.2.1"), true);
    assert!(own.is_some(), "this machine's own address");
    let local: Vec<_> = (5..9).map(|_| enter("127.0.0.1")).collect();
    assert!(local.iter().all(Option::is_some), "not bounded");
    drop(places);
    assert!(enter("192.0.2.1").is_some(), "places were given back");
    drop((places6, local));
    assert!(lock(&connections.blocks).is_empty());
}

#[test]
fn the_longest_waiting_goes_and_nobody_the_tracker_works_for() {
    let connections = Arc::new(Connections::new(3, 1, 9));
    let mut pairs: Vec<_> = (0..3).map(|_| pair()).collect();
    let places: Vec<_> = pairs
        .iter()
        .map(|(stream, _)| connections.enter(stream, ip("::1"), false).unwrap())
        .collect();
    assert!(places[0].wait_ends(), "its request is here");
    let later = Instant::now() + PATIENCE * 2;
    connections.evict_longest_waiting(Instant::now(), 1);
    connections.evict_longest_waiting(later, 1);
    assert!(!places[1].wait_ends(), "waited for longest");
    assert_eq!(pairs[1].1.read(&mut [0; 9]).unwrap(), 0);
    assert!(places[2].wait_ends());
    connections.evict_longest_waiting(later, 1);
    assert!(places[0].wait_ends() && places[2].wait_ends());
}

#[test]
fn the_evictor_frees_a_thread_when_the_last_is_taken() {
    let connections = Arc::new(Connections::new(2, 1, 9));
    let evictor = Arc::clone(&connections);
    std::thread::spawn(move || evictor.keep_a_thread_free());
    connections.thread_is_free(0);
    let (stream, mut client) = pair();
    let _place = connections.enter(&stream, ip("::1"), false).unwrap();
    connections.thread_is_taken(0);
    // Waits until the evictor has shut it down.
    assert_eq!(client.read(&mut [0; 9]).unwrap(), 0);
    connections.thread_is_free(0);
}
