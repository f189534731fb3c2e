//! Tests of `gate/timed.rs`.

use super::*;
use std::net::TcpListener;
use std::thread;

/// After so long the client has enough, if nobody else had before.
const PATIENCE: Duration = Duration::from_secs(5);

/// Each drop makes room for another write, which must not begin the time anew.
#[test]
fn an_answer_that_is_taken_drop_by_drop_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let taking = thread::spawn(move || {
        let begin = Instant::now();
        let mut drop = vec![0; 16 * 1024];
        while begin.elapsed() < PATIENCE && matches!(client.read(&mut drop), Ok(1..)) {
            thread::sleep(Duration::from_millis(1));
        }
    });
    let time = Duration::from_millis(300);
    let mut timer = Timer::default();
    timer.set_write(&stream, time);
    // More than the client takes in all its patience.
    let answer = vec![0; 256 << 20];
    let written = write_within(&stream, &answer, time, &mut timer);
    drop(stream);
    let error = written.expect_err("the client takes a part of it");
    assert!(is_timeout(&error), "{error}");
    taking.join().unwrap();
}
