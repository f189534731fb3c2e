//! Tests of `gate/serve.rs`.

use super::*;
use crate::gate::visitor::Visitor;
use crate::log::Verbosity;
use crate::refusal::Refusal;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tiny_http::{Request, Response, StatusCode};

const LIMITS: Limits = Limits {
    threads: 3,
    upstreams: 2,
    head_time: Duration::from_millis(300),
    answer_time: Duration::from_millis(300),
    // Not the same, so that they are not mistaken for each other.
    idle_time: Duration::from_millis(700),
};
/// For what has to happen, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of one answer; so many of them are more than the system buffers for a client that does not
/// read.
const BIG: usize = 30_000;
const MANY: usize = 1000;

/// Finds nothing, but for something big.
struct Nothing;

impl Handler for Nothing {
    fn answer(&self, request: Request, _: &Visitor) {
        let _ = match request.url() {
            "/big" => request
                .respond(Response::from_data(vec![b'x'; BIG]).with_chunked_threshold(usize::MAX)),
            _ => {
                request.respond(Response::empty(StatusCode(404)).with_chunked_threshold(usize::MAX))
            }
        };
    }

    fn refuse(&self, refusal: HttpRefusal, _: IpAddr, body: &mut Vec<u8>) {
        body.extend_from_slice(Refusal::Http(refusal).to_string().as_bytes());
    }
}

fn opened_with<const LISTENERS: usize>(limits: Limits) -> ([SocketAddr; LISTENERS], Arc<Counters>) {
    let log = Log::new(Verbosity::Quiet, crate::log::Times::Written, io::sink()).unwrap();
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let listeners: [TcpListener; LISTENERS] = std::array::from_fn(|_| listen());
    let addresses = listeners.each_ref().map(|l| l.local_addr().unwrap());
    let counters = Counters::new();
    open(
        listeners.into(),
        Arc::new(Nothing),
        Arc::clone(&counters),
        limits,
        Trusted::default(),
        log,
    )
    .unwrap();
    (addresses, counters)
}

fn opened() -> SocketAddr {
    let ([address], _) = opened_with(LIMITS);
    address
}

/// What comes until the gate closes the connection. Panics if it does not.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    if let Err(error) = stream.read_to_string(&mut answer) {
        // A reset comes where a place was given to another.
        assert!(!super::super::timed::is_timeout(&error), "it is not closed");
    }
    answer
}

/// What comes when this is sent again and again, byte by byte, until the gate closes the connection.
/// Panics if it does not.
fn drip(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let pace = Duration::from_millis(20);
    stream.set_read_timeout(Some(pace)).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut answer = Vec::new();
    for byte in bytes.bytes().cycle() {
        assert!(Instant::now() < deadline, "it may drip for ever");
        let mut more = [0; 1024];
        match stream.read(&mut more) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&more[..length]),
            Err(error) if super::super::timed::is_timeout(&error) => {
                // Should that fail, reading will tell.
                let _ = stream.write_all(&[byte]);
            }
            Err(_) => break,
        }
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn the_slow_are_told_and_the_silent_and_the_idle_are_not() {
    let address = opened();
    assert!(ask(address, "GET / HT").starts_with("HTTP/1.1 408 "));
    assert_eq!(ask(address, ""), "");
    assert!(drip(address, "GET / HT").starts_with("HTTP/1.1 408 "));
    let begin = Instant::now();
    let kept = ask(address, "GET /x HTTP/1.1\r\n\r\n");
    assert!(kept.starts_with("HTTP/1.1 404 "), "{kept}");
    assert!(!kept.contains("Connection: close"), "{kept}");
    assert!(
        begin.elapsed() >= LIMITS.idle_time,
        "closed as idle, and not before"
    );
}

/// A HEAD gets the head that a GET would have got, and nothing behind it, refused or not.
#[test]
fn a_refused_head_has_no_body() {
    let address = opened();
    for (rest, status) in [
        ("/ HTTP/1.1\r\nContent-Length: 5\r\n\r\n", "413"),
        ("/ HTTP/2.0\r\n\r\n", "505"),
        ("/ HT", "408"),
    ] {
        let get = ask(address, &format!("GET {rest}"));
        let head = ask(address, &format!("HEAD {rest}"));
        assert!(get.starts_with(&format!("HTTP/1.1 {status} ")), "{get}");
        let (get_head, body) = get.split_at(get.find("\r\n\r\n").expect("a head") + 4);
        assert_eq!(head, get_head);
        assert!(get.contains(&format!("Content-Length: {}\r\n", body.len())));
        assert!(!body.is_empty());
    }
}

#[test]
fn who_does_not_take_an_answer_is_disconnected_in_time() {
    let ([address], counters) = opened_with(LIMITS);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let requests = "GET /big HTTP/1.1\r\n\r\n".repeat(MANY);
    stream.write_all(requests.as_bytes()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while counters.connections.closed.get() == 0 {
        assert!(
            Instant::now() < deadline,
            "it waits for a client that does not read"
        );
        thread::sleep(Duration::from_millis(5));
    }
    drop(stream);
}

#[test]
fn those_turned_away_are_a_line_every_ten_seconds() {
    let begin = Instant::now();
    let mut turned_away = TurnedAway::default();
    let mut told = |second| turned_away.add(begin + Duration::from_secs(second));
    assert_eq!(told(100), Some(1));
    assert_eq!([100, 101, 109].map(&mut told), [None; 3]);
    assert_eq!(told(110), Some(4));
    assert_eq!([119, 120].map(told), [None, Some(2)]);
}

/// Clients travel between threads of all listeners, so busy clients of one may have the
/// threads of another.
#[test]
fn busy_clients_of_one_listener_leave_room_at_the_other() {
    let ([busy, other], _) = opened_with(Limits {
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
