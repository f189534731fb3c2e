//! Tests of `http/server.rs`.

use super::*;
use crate::gate::limits::Limits;
use crate::gate::serve;
use crate::gate::trusted::Trusted;
use crate::service::tests::service;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};

/// A server behind a gate.
fn opened() -> SocketAddr {
    let service = Arc::new(service(false).0);
    let (counters, log) = (Arc::clone(&service.counters), service.log.clone());
    let server = Server {
        service,
        untrusted_proxies: Default::default(),
        claims_of_browsers: Default::default(),
        own_addresses: Arc::default(),
        public_address: Arc::default(),
        page: Default::default(),
        list: Default::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits::for_descriptors(Some(64), 8);
    let server = Arc::new(server);
    let trusted = Trusted::default();
    serve::open(vec![listener], server, counters, limits, trusted, log).unwrap();
    address
}

/// The row "a handler panics" of the list in `dont_readme.txt`.
#[test]
fn a_panic_costs_one_answer_and_no_thread() {
    let address = opened();
    let get = |path| {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let time = Some(Duration::from_secs(10));
        stream.set_read_timeout(time).unwrap();
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("an answer in time");
        answer
    };
    for _ in 0..10 {
        assert!(get("/panic").starts_with("HTTP/1.1 500 "));
        assert!(get("/announce").contains("info_hash is missing"));
    }
}

/// Where the numbers are shown, although nobody says for whom.
#[test]
fn the_machine_of_a_trusted_proxy_is_this_one_under_its_own_name() {
    let seems = |source: &str, local: &str, host: &str, via: Via| {
        is_on_the_proxys_machine(&Visitor {
            source: source.parse().unwrap(),
            local: SocketAddr::new(local.parse().unwrap(), 9000),
            host: host.to_owned(),
            has_odd_host: false,
            via,
            is_browser: true,
            has_browser_marks: false,
        })
    };
    let here = "127.0.0.1";
    assert!(seems(here, here, "localhost:9000", Via::Unstated));
    assert!(seems("::1", "::1", "[::1]:9000", Via::Unstated));
    for (source, local, host, via) in [
        ("10.0.0.2", "10.0.0.1", "localhost:9000", Via::Unstated),
        ("10.0.0.2", here, "localhost:9000", Via::Unstated),
        (here, "10.0.0.1", "localhost:9000", Via::Unstated),
        (here, here, "10.0.0.1:9000", Via::Unstated),
        (here, here, "tracker.example", Via::Unstated),
        (here, here, "", Via::Unstated),
        (here, here, "localhost:9000", Via::Unnamed),
        (here, here, "localhost:9000", Via::UntrustedProxy),
    ] {
        let text = format!("{source} {local} {host} {via:?}");
        assert!(!seems(source, local, host, via), "{text}");
    }
}
