//! Tests of `gate/upstream.rs`.

use super::*;
use crate::eventually::eventually;
use crate::gate::timed::is_timeout;
use crate::log::Verbosity;
use std::sync::mpsc;

/// For what has to happen, on a busy machine.
const TIME: Duration = Duration::from_secs(10);

/// What travels is the path that was asked for.
fn upstreams(count: usize) -> Upstreams<String> {
    Upstreams::open(
        count,
        Log::new(Verbosity::Quiet, crate::log::Times::Written, io::sink()).unwrap(),
    )
    .unwrap()
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
    let upstreams = upstreams(7);
    let mut paths: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..12)
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
    assert_eq!(paths.len(), 12 * 200, "each came back once");
    let pool = lock(&upstreams.pool);
    assert_eq!(pool.idle.len(), 7);
    let in_flight = |upstream: &Upstream<String>| lock(&upstream.in_flight).is_some();
    let mut all = pool.groups.iter().flat_map(|group| &group.upstreams);
    assert!(!all.any(in_flight));
}

/// The only group.
fn current(upstreams: &Upstreams<String>) -> Arc<Group<String>> {
    Arc::clone(&lock(&upstreams.pool).groups[0])
}

#[test]
fn a_broken_connection_is_replaced_with_all_the_others() {
    let upstreams = upstreams(2);
    let before = current(&upstreams);
    // The one that is taken next.
    let taken = lock(&upstreams.pool).idle.last().unwrap().1;
    let broken = &before.upstreams[taken].stream;
    broken.shutdown(std::net::Shutdown::Both).unwrap();
    let (lost, answer) = ask(&upstreams, "/lost");
    assert_eq!(lost, "/lost");
    assert!(answer.is_err());
    asks_and_gets(&upstreams, "/found");
    assert!(!Arc::ptr_eq(&before, &current(&upstreams)));
}

#[test]
fn a_tiny_http_that_does_not_answer_is_replaced() {
    let upstreams = Arc::new(upstreams(2));
    let before = current(&upstreams);
    let (sender, receiver) = mpsc::channel();
    let asking = Arc::clone(&upstreams);
    thread::spawn(move || {
        sender.send(ask_and(&asking, "/stuck", &mut |request, _| {
            // Kept, or tiny_http would answer in its own words.
            std::mem::forget(request);
        }))
    });
    let (stuck, read) = receiver.recv_timeout(2 * TIME).expect("an end");
    assert_eq!(stuck, "/stuck");
    assert!(is_timeout(&read.unwrap_err()));
    asks_and_gets(&upstreams, "/new");
    assert!(!Arc::ptr_eq(&before, &current(&upstreams)));
}

/// For as long as that takes and no longer, and without another tiny_http's being made for it.
#[test]
fn who_finds_all_connections_in_use_waits_for_one() {
    let is_had_at_once = || {
        let upstreams = Arc::new(upstreams(1));
        let (group, number) = upstreams.take().unwrap();
        // A new one might be made now, if one was missing.
        lock(&upstreams.pool).made = None;
        let (sender, receiver) = mpsc::channel();
        let waiting = Arc::clone(&upstreams);
        thread::spawn(move || sender.send(waiting.take().is_ok()));
        eventually("it waits", || lock(&upstreams.pool).waiting > 0);
        assert_eq!(lock(&upstreams.pool).groups.len(), 1);
        upstreams.give_back(group, number);
        receiver.recv_timeout(PATIENCE / 2) == Ok(true)
    };
    // Of some tries, since a machine may be busy.
    assert!((0..3).any(|_| is_had_at_once()));
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
    let group = current(&upstreams);
    let park = |number: usize, path: &str| {
        let owner = path.to_owned();
        let is_head = false;
        *lock(&group.upstreams[number].in_flight) = Some(InFlight { owner, is_head });
    };
    park(0, "/own");
    park(1, "/other");
    assert_eq!(group.reclaim(0).owner, "/own");
    assert_eq!(group.reclaim(0).owner, "/other");
    // Somebody parks while it looks.
    let (sender, receiver) = mpsc::channel();
    let looking = Arc::clone(&group);
    thread::spawn(move || sender.send(looking.reclaim(0).owner));
    park(1, "/late");
    assert_eq!(receiver.recv_timeout(TIME).as_deref(), Ok("/late"));
}

/// A second one goes on when the first one's connections are lost.
#[test]
fn of_several_tiny_https_one_may_fail() {
    let upstreams = upstreams(GROUP + 1);
    let failed = current(&upstreams);
    upstreams.give_up(&failed);
    let begin = Instant::now();
    asks_and_gets(&upstreams, "/at-once");
    assert!(begin.elapsed() < PAUSE, "it waited for a new one");
    assert_eq!(lock(&upstreams.pool).idle.len(), 1);
}

#[test]
fn connecting_to_tiny_http_fails() {
    let upstreams = upstreams(2);
    let connect = |to: &Stream| {
        #[cfg(target_os = "linux")]
        return Stream::connect_addr(&to.peer_addr().unwrap());
        #[cfg(not(target_os = "linux"))]
        return Stream::connect(to.peer_addr().unwrap());
    };
    let to = &current(&upstreams).upstreams[0].stream;
    // Its thread says that it ends a moment before it has closed the listener, which matters where
    // it was not closed before.
    let deadline = Instant::now() + TIME;
    while connect(to).is_ok() {
        assert!(Instant::now() < deadline, "the listener is open");
        std::thread::yield_now();
    }
    asks_and_gets(&upstreams, "/again");
}

#[test]
fn a_request_without_the_secret_is_not_served() {
    let upstreams = upstreams(2);
    let before = current(&upstreams);
    // As long as the true one.
    let secret = "0".repeat(upstreams.secret.len());
    let forged = format!("GET /alien HTTP/1.1\r\n{HEADER}: {secret} 1\r\n\r\n");
    // Not the one that is taken next.
    (&before.upstreams[0].stream)
        .write_all(forged.as_bytes())
        .unwrap();
    let deadline = Instant::now() + TIME;
    // The two may come into tiny_http's queue in either order: ask until the first was met.
    loop {
        let (asked, answer) = ask(&upstreams, "/own");
        assert_eq!(asked, "/own");
        match answer {
            Ok(body) => assert_eq!(body, "/own"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::PermissionDenied);
                break;
            }
        }
        assert!(Instant::now() < deadline, "it was not met");
    }
    asks_and_gets(&upstreams, "/again");
    assert!(!Arc::ptr_eq(&before, &current(&upstreams)));
}

/// Somebody on this machine who does nothing but look for listeners of ours and connect to them,
/// while one tiny_http after the other is made.
#[cfg(target_os = "linux")]
#[test]
fn nobody_else_gets_in_while_a_tiny_http_is_made() {
    const ALONE: &str = "MAYFLY_UPSTREAM_TEST";
    const NAME: &str = "gate::upstream::tests::nobody_else_gets_in_while_a_tiny_http_is_made";
    if std::env::var_os(ALONE).is_none() {
        // In a process of its own, so that it does not attack the other tests.
        let mut run = std::process::Command::new(std::env::current_exe().unwrap());
        run.args(["--exact", NAME, "--nocapture"]).env(ALONE, "1");
        let output = run.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let is_run = output.status.success() && said.contains("1 passed");
        assert!(is_run, "{said}{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    // It comes to its end in time, whatever happens: the other waits for it.
    thread::spawn(|| {
        thread::sleep(6 * TIME);
        eprintln!("not in time");
        std::process::exit(1);
    });
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    let is_over = AtomicBool::new(false);
    let got_in = std::thread::scope(|scope| {
        let stranger = scope.spawn(|| connect_to_all_of_ours(&is_over));
        let made = catch_unwind(|| {
            for _ in 0..20 {
                let upstreams = upstreams(2 * GROUP);
                let groups = std::mem::take(&mut lock(&upstreams.pool).groups);
                lock(&upstreams.pool).idle.clear();
                drop(groups);
                upstreams.make(&mut lock(&upstreams.pool)).unwrap();
                asks_and_gets(&upstreams, "/new");
            }
        });
        is_over.store(true, Relaxed);
        made.unwrap();
        stranger.join().unwrap()
    });
    // A listener that somebody got into has been thrown away with him.
    println!("{} tries", got_in.len());
    for mut stream in got_in {
        stream.set_read_timeout(Some(TIME)).unwrap();
        match stream.read(&mut [0]) {
            Ok(0) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
            Ok(_) => panic!("a stranger was answered"),
        }
    }
}

#[cfg(target_os = "linux")]
fn connect_to_all_of_ours(is_over: &std::sync::atomic::AtomicBool) -> Vec<Stream> {
    use std::os::linux::net::SocketAddrExt;
    let mut got_in = Vec::new();
    let ours = format!("@mayfly-{}-", std::process::id());
    while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
        let sockets = std::fs::read_to_string("/proc/net/unix").unwrap();
        for line in sockets.lines() {
            let Some(at) = line.find(&ours) else {
                continue;
            };
            let name = &line[at + 1..];
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
            // Something to answer, too.
            if let Ok(stream) = Stream::connect_addr(&address) {
                let _ = (&stream).write_all(b"GET / HTTP/1.1\r\n\r\n");
                got_in.push(stream);
            }
        }
    }
    got_in
}
