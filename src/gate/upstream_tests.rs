//! Tests of `gate/upstream.rs`.

use super::*;
use crate::gate::timed::is_timeout;
use crate::log::Verbosity;

/// What travels is the path that was asked for.
fn upstreams(count: usize) -> Upstreams<String> {
    Upstreams::open(count, Log::new(Verbosity::Quiet, io::sink()).unwrap()).unwrap()
}

/// A path, and the answer's body, which is the path as well. Perhaps of another thread's
/// request.
fn ask(upstreams: &Upstreams<String>, path: &str) -> (String, io::Result<String>) {
    ask_and(upstreams, path, &mut |request, _| {
        let body = request.url().to_owned();
        let _ = request.respond(Response::from_string(body));
    })
}

fn ask_and(
    upstreams: &Upstreams<String>,
    path: &str,
    serve: &mut dyn FnMut(Request, &String),
) -> (String, io::Result<String>) {
    let mut request = format!("GET {path} HTTP/1.1\r\n").into_bytes();
    let mut answer = Vec::new();
    let path = path.to_owned();
    let (path, read) = upstreams.exchange(&mut request, false, path, &mut answer, serve);
    let body = read.map(|read| String::from_utf8(answer[read.head..].to_vec()).unwrap());
    (path, body)
}

fn asks_and_gets(upstreams: &Upstreams<String>, path: &str) {
    let (asked, body) = ask(upstreams, path);
    assert_eq!((asked.as_str(), body.unwrap().as_str()), (path, path));
}

#[test]
fn everybody_gets_their_own_answer() {
    let upstreams = upstreams(3);
    let mut paths: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let upstreams = &upstreams;
                scope.spawn(move || {
                    let answered = (0..200).map(|n| {
                        // Longer and shorter than the buffers on the way.
                        let path = format!("/{thread}/{n}/{}", "x".repeat(n * 40));
                        let (asked, body) = ask(upstreams, &path);
                        assert_eq!(body.unwrap(), asked);
                        asked
                    });
                    answered.collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect()
    });
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), 8 * 200, "each came back once");
    let pool = lock(&upstreams.pool);
    assert_eq!(pool.idle.len(), 3);
    let in_flight = |upstream: &Upstream<String>| lock(&upstream.in_flight).is_some();
    assert!(
        !pool
            .current
            .as_ref()
            .unwrap()
            .upstreams
            .iter()
            .any(in_flight)
    );
}

fn current(upstreams: &Upstreams<String>) -> Arc<Generation<String>> {
    Arc::clone(lock(&upstreams.pool).current.as_ref().unwrap())
}

#[test]
fn a_broken_connection_is_replaced_with_all_the_others() {
    let upstreams = upstreams(2);
    let before = current(&upstreams);
    // The one that is taken next.
    let broken = &before.upstreams[*lock(&upstreams.pool).idle.last().unwrap()].stream;
    broken.shutdown(std::net::Shutdown::Both).unwrap();
    let (lost, answer) = ask(&upstreams, "/lost");
    assert_eq!(lost, "/lost");
    assert!(answer.is_err());
    asks_and_gets(&upstreams, "/found");
    assert!(!Arc::ptr_eq(&before, &current(&upstreams)));
}

#[test]
fn a_tiny_http_that_does_not_answer_is_replaced() {
    let upstreams = upstreams(2);
    let before = current(&upstreams);
    let (stuck, read) = ask_and(&upstreams, "/stuck", &mut |request, _| {
        // Kept, or tiny_http would answer in its own words.
        std::mem::forget(request);
    });
    assert_eq!(stuck, "/stuck");
    assert!(is_timeout(&read.unwrap_err()));
    asks_and_gets(&upstreams, "/new");
    assert!(!Arc::ptr_eq(&before, &current(&upstreams)));
}

#[test]
fn a_panic_costs_neither_owner_nor_connection() {
    let upstreams = upstreams(1);
    let (asked, read) = ask_and(&upstreams, "/panic", &mut |request, _| {
        discard(request);
        panic!("on purpose");
    });
    assert_eq!(asked, "/panic");
    assert!(read.is_err());
    asks_and_gets(&upstreams, "/again");
}

#[test]
fn a_thread_that_gets_no_request_leaves_with_some_owner() {
    let upstreams = upstreams(2);
    let generation = current(&upstreams);
    let park = |number: usize, path: &str| {
        let owner = path.to_owned();
        let is_head = false;
        *lock(&generation.upstreams[number].in_flight) = Some(InFlight { owner, is_head });
    };
    park(0, "/own");
    park(1, "/other");
    assert_eq!(generation.reclaim(0).owner, "/own");
    assert_eq!(generation.reclaim(0).owner, "/other");
    // Somebody parks while it looks.
    std::thread::scope(|scope| {
        let reclaimed = scope.spawn(|| generation.reclaim(0).owner);
        park(1, "/late");
        assert_eq!(reclaimed.join().unwrap(), "/late");
    });
}

#[test]
fn tiny_http_accepts_nobody_else() {
    let upstreams = upstreams(2);
    let connect = |to: &Stream| {
        #[cfg(target_os = "linux")]
        return Stream::connect_addr(&to.peer_addr().unwrap());
        #[cfg(not(target_os = "linux"))]
        return Stream::connect(to.peer_addr().unwrap());
    };
    // Its thread says that it ends a moment before it has closed the listener.
    while connect(&current(&upstreams).upstreams[0].stream).is_ok() {
        std::thread::yield_now();
    }
    asks_and_gets(&upstreams, "/again");
}

#[test]
fn a_request_without_the_secret_is_not_served() {
    let upstreams = upstreams(2);
    let (generation, taken) = upstreams.take().unwrap();
    let mut stream = &generation.upstreams[taken].stream;
    let forged = format!("GET /alien HTTP/1.1\r\n{HEADER}: 0 {taken}\r\n\r\n");
    stream.write_all(forged.as_bytes()).unwrap();
    // The two may come into tiny_http's queue in either order: ask until the first was met.
    stream.set_nonblocking(true).unwrap();
    let mut answer = Vec::new();
    while let Err(error) = read_answer(stream, false, &mut answer) {
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        asks_and_gets(&upstreams, "/own");
    }
    assert!(answer.starts_with(b"HTTP/1.1 403 "));
}
