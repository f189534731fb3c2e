//! Tests of `gate/client.rs`: how long a client may take, over real connections. How requests are
//! read and answered is tested with the gate as a whole (`serve_tests.rs`).

use super::*;
use crate::gate::connections::{Bounds, Connections};
use std::io::Read;
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};
use std::thread;

/// For what has to happen, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
const LIMITS: Limits = Limits {
    threads: 1,
    upstreams: 1,
    head_time: Duration::from_millis(300),
    answer_time: Duration::from_millis(300),
    idle_time: Duration::from_millis(300),
};

/// A client as the gate sees it, and its own end.
fn connected() -> (Client, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = listener.local_addr().unwrap();
    let other = TcpStream::connect(local).unwrap();
    other.set_read_timeout(Some(PATIENCE)).unwrap();
    other.set_write_timeout(Some(PATIENCE)).unwrap();
    let (stream, from) = listener.accept().unwrap();
    let stream = Arc::new(stream);
    let connections = Arc::new(Connections::new(Bounds::of(4), 1));
    let place = connections.enter(&stream, from.ip(), true, false).unwrap();
    let client = Client::new(stream, place, (local, from.ip()), Vec::new());
    (client, other)
}

/// What `work` makes of the client, which is then closed, when it has.
fn done<T: Send + 'static>(
    mut client: Client,
    work: impl FnOnce(&mut Client) -> T + Send + 'static,
) -> Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let made = work(&mut client);
        client.end();
        sender.send(made)
    });
    receiver
}

/// More than the system takes for a client that does not read.
#[test]
fn a_first_answer_that_is_not_taken_is_given_up() {
    let (client, _other) = connected();
    socket2::SockRef::from(&*client.stream)
        .set_send_buffer_size(4096)
        .unwrap();
    let goes_on = done(client, |client| {
        let mut answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        let head = answer.len();
        answer.resize(1 << 20, b'x');
        client.write_answer(&mut answer, head, true, &LIMITS)
    });
    assert_eq!(goes_on.recv_timeout(PATIENCE), Ok(false));
}

fn refused() -> (Receiver<bool>, TcpStream) {
    let (client, other) = connected();
    let is_at_its_end = done(client, |client| {
        client
            .refuse("400 Bad Request", b"no\n", &mut Vec::new())
            .is_ok()
    });
    (is_at_its_end, other)
}

#[test]
fn who_is_refused_and_goes_on_is_disconnected() {
    for drop in [&b""[..], b"x"] {
        let (is_at_its_end, mut other) = refused();
        let begin = Instant::now();
        while is_at_its_end.try_recv().is_err() {
            assert!(begin.elapsed() < PATIENCE, "it is listened to for ever");
            let _ = other.write_all(drop);
            thread::sleep(Duration::from_millis(20));
        }
    }
    let (_is_at_its_end, mut other) = refused();
    let mut sent = 0;
    while let Ok(length) = other.write(&[0; 64 * 1024]) {
        sent += length;
        // What is read, and as much as the system may hold at both ends.
        assert!(sent < 32 << 20, "all that it sends is read");
    }
}

/// Closing with something unread would reset the connection, perhaps before the answer is read.
#[test]
fn who_is_refused_gets_to_read_why_while_the_rest_of_it_arrives() {
    let says_the_rest = || -> io::Result<String> {
        let (_is_at_its_end, mut other) = refused();
        let mut answer = String::new();
        for _ in 0..4 {
            thread::sleep(Duration::from_millis(10));
            other.write_all(&[b'x'; 32 * 1024])?;
        }
        other.shutdown(Shutdown::Write)?;
        other.read_to_string(&mut answer)?;
        Ok(answer)
    };
    // A machine that is busy may take longer for it than the gate waits.
    let mut tries = (0..20).filter_map(|_| says_the_rest().ok());
    let answer = tries.next().expect("the connection is not reset");
    assert!(answer.ends_with("\r\n\r\nno\n"), "{answer}");
}
