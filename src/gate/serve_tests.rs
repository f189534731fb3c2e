//! Tests of `gate/serve.rs`.

use super::*;
use crate::log::Verbosity;
use crate::tracker::{Settings, Tracker};
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const LIMITS: Limits = Limits {
    threads: 3,
    upstreams: 2,
    head_time: Duration::from_millis(300),
    answer_time: Duration::from_millis(300),
    idle_time: Duration::from_millis(300),
};

fn opened_with<const LISTENERS: usize>(limits: Limits) -> [SocketAddr; LISTENERS] {
    let log = Log::new(Verbosity::Quiet, io::sink()).unwrap();
    let tracker = Tracker::new(Settings::default());
    let server = Server {
        tracker: Arc::new(tracker),
        began: Instant::now(),
        scrape: false,
        untrusted_proxies: Default::default(),
        page: Default::default(),
        counters: crate::counters::Counters::new(),
        log: log.clone(),
    };
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let listeners: [TcpListener; LISTENERS] = std::array::from_fn(|_| listen());
    let addresses = listeners.each_ref().map(|l| l.local_addr().unwrap());
    open(listeners.into(), server, limits, Trusted::default(), log).unwrap();
    addresses
}

fn opened() -> SocketAddr {
    let [address] = opened_with(LIMITS);
    address
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let time = Some(Duration::from_secs(5));
    stream.set_read_timeout(time).unwrap();
    // A reset comes where a place was given to another.
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// The row "a handler panics" of the list in `dont_readme.txt`.
#[test]
fn a_panic_costs_one_answer_and_no_thread() {
    let address = opened();
    let get = |path| ask(address, &format!("GET {path} HTTP/1.0\r\n\r\n"));
    for _ in 0..10 {
        assert!(get("/panic").starts_with("HTTP/1.1 500 "));
        assert!(get("/announce").contains("info_hash is missing"));
    }
}

#[test]
fn the_slow_are_told_and_the_silent_are_not() {
    let address = opened();
    assert!(ask(address, "GET / HT").starts_with("HTTP/1.1 408 "));
    assert_eq!(ask(address, ""), "");
    let kept = ask(address, "GET /x HTTP/1.1\r\n\r\n");
    assert!(kept.starts_with("HTTP/1.1 404 "), "and then closed as idle");
}

/// Clients travel between threads of all listeners, so busy clients of one may have the
/// threads of another.
#[test]
fn busy_clients_of_one_listener_leave_room_at_the_other() {
    let [busy, other] = opened_with(Limits {
        threads: 6,
        upstreams: 4,
        ..LIMITS
    });
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Relaxed) {
                    // For as long as it is kept. However that ends, begin anew.
                    let _ = ask_until_closed(busy, &is_over);
                }
            });
        }
        // One that comes before there is room may lose its place itself.
        let mut missing = 0;
        for _ in 0..2000 {
            let answer = ask(other, "GET /x HTTP/1.0\r\n\r\n");
            missing += usize::from(!answer.starts_with("HTTP/1.1 404 "));
            if missing == 10 {
                break;
            }
        }
        is_over.store(true, Relaxed);
        assert!(missing < 10, "{missing} without an answer");
    });
}

fn ask_until_closed(address: SocketAddr, is_over: &AtomicBool) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut answer = [0; 4096];
    while !is_over.load(Relaxed) {
        stream.write_all(b"GET /x HTTP/1.1\r\n\r\n")?;
        if stream.read(&mut answer)? == 0 {
            break;
        }
    }
    Ok(())
}

#[test]
fn limits_leave_descriptors_for_everything_else() {
    for descriptors in [20, 64, 256, 1024, 1 << 20] {
        let limits = Limits::for_descriptors(Some(descriptors));
        assert!(limits.threads >= 4 && limits.upstreams >= 2);
        if descriptors >= 64 {
            assert!(limits.threads + 3 * limits.upstreams + 20 <= descriptors);
        }
    }
    assert_eq!(Limits::for_descriptors(None).threads, 128);
}
