use super::*;
use crate::http::timed::is_timeout;
use crate::log::Verbosity;

/// What travels is the path that was asked for.
fn links(count: usize) -> Links<String> {
    Links::open(count, Log::new(Verbosity::Quiet, io::sink()).unwrap()).unwrap()
}

/// A path, and the answer's body, which is the path as well. Perhaps of another thread's
/// request.
fn ask(links: &Links<String>, path: &str) -> (String, io::Result<String>) {
    ask_and(links, path, &mut |request, _| {
        let body = request.url().to_owned();
        let _ = request.respond(Response::from_string(body));
    })
}

fn ask_and(
    links: &Links<String>,
    path: &str,
    serve: &mut dyn FnMut(Request, &String),
) -> (String, io::Result<String>) {
    let mut request = format!("GET {path} HTTP/1.1\r\n").into_bytes();
    let mut answer = Vec::new();
    let path = path.to_owned();
    let (path, read) = links.exchange(&mut request, false, path, &mut answer, serve);
    let body = read.map(|read| String::from_utf8(answer[read.head..].to_vec()).unwrap());
    (path, body)
}

fn asks_and_gets(links: &Links<String>, path: &str) {
    let (asked, body) = ask(links, path);
    assert_eq!((asked.as_str(), body.unwrap().as_str()), (path, path));
}

#[test]
fn everybody_gets_their_own_answer() {
    let links = links(3);
    let mut paths: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let links = &links;
                scope.spawn(move || {
                    let answered = (0..200).map(|n| {
                        // Longer and shorter than the buffers on the way.
                        let path = format!("/{thread}/{n}/{}", "x".repeat(n * 40));
                        let (asked, body) = ask(links, &path);
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
    let pool = lock(&links.pool);
    assert_eq!(pool.idle.len(), 3);
    let parked = |link: &Link<String>| lock(&link.parked).is_some();
    assert!(!pool.current.as_ref().unwrap().links.iter().any(parked));
}

fn current(links: &Links<String>) -> Arc<Generation<String>> {
    Arc::clone(lock(&links.pool).current.as_ref().unwrap())
}

#[test]
fn a_broken_connection_is_replaced_with_all_the_others() {
    let links = links(2);
    let before = current(&links);
    // The one that is taken next.
    let broken = &before.links[*lock(&links.pool).idle.last().unwrap()].stream;
    broken.shutdown(std::net::Shutdown::Both).unwrap();
    let (lost, answer) = ask(&links, "/lost");
    assert_eq!(lost, "/lost");
    assert!(answer.is_err());
    asks_and_gets(&links, "/found");
    assert!(!Arc::ptr_eq(&before, &current(&links)));
}

#[test]
fn a_tiny_http_that_does_not_answer_is_replaced() {
    let links = links(2);
    let before = current(&links);
    let (stuck, read) = ask_and(&links, "/stuck", &mut |request, _| {
        // Kept, or tiny_http would answer in its own words.
        std::mem::forget(request);
    });
    assert_eq!(stuck, "/stuck");
    assert!(is_timeout(&read.unwrap_err()));
    asks_and_gets(&links, "/new");
    assert!(!Arc::ptr_eq(&before, &current(&links)));
}

#[test]
fn a_panic_costs_neither_traveller_nor_connection() {
    let links = links(1);
    let (asked, read) = ask_and(&links, "/panic", &mut |request, _| {
        discard(request);
        panic!("on purpose");
    });
    assert_eq!(asked, "/panic");
    assert!(read.is_err());
    asks_and_gets(&links, "/again");
}

#[test]
fn a_thread_that_gets_no_request_leaves_with_some_traveller() {
    let links = links(2);
    let generation = current(&links);
    let park = |number: usize, path: &str| {
        let traveller = path.to_owned();
        let is_head = false;
        *lock(&generation.links[number].parked) = Some(Parked { traveller, is_head });
    };
    park(0, "/own");
    park(1, "/other");
    assert_eq!(generation.reclaim(0).traveller, "/own");
    assert_eq!(generation.reclaim(0).traveller, "/other");
    // Somebody parks while it looks.
    std::thread::scope(|scope| {
        let reclaimed = scope.spawn(|| generation.reclaim(0).traveller);
        park(1, "/late");
        assert_eq!(reclaimed.join().unwrap(), "/late");
    });
}

#[test]
fn tiny_http_accepts_nobody_else() {
    let links = links(2);
    let connect = |to: &Stream| {
        #[cfg(target_os = "linux")]
        return Stream::connect_addr(&to.peer_addr().unwrap());
        #[cfg(not(target_os = "linux"))]
        return Stream::connect(to.peer_addr().unwrap());
    };
    // Its thread says that it ends a moment before it has closed the door.
    while connect(&current(&links).links[0].stream).is_ok() {
        std::thread::yield_now();
    }
    asks_and_gets(&links, "/again");
}

#[test]
fn a_request_without_the_secret_is_not_served() {
    let links = links(2);
    let (generation, taken) = links.take().unwrap();
    let mut stream = &generation.links[taken].stream;
    let forged = format!("GET /alien HTTP/1.1\r\n{HEADER}: 0 {taken}\r\n\r\n");
    stream.write_all(forged.as_bytes()).unwrap();
    // The two may come into tiny_http's queue in either order: ask until the first was met.
    stream.set_nonblocking(true).unwrap();
    let mut answer = Vec::new();
    while let Err(error) = read_answer(stream, false, &mut answer) {
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        asks_and_gets(&links, "/own");
    }
    assert!(answer.starts_with(b"HTTP/1.1 403 "));
}
