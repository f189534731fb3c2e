use super::*;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A server of one connection.
fn server(serve: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddrV4 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let SocketAddr::V4(address) = listener.local_addr().expect("an address") else {
        panic!("not of IPv4");
    };
    thread::spawn(move || {
        if let Ok((mut stream, _)) = listener.accept() {
            // Who closes with something unread resets the connection.
            let mut request = [0; 18];
            stream.read_exact(&mut request).expect("the request");
            serve(stream);
        }
    });
    address
}

#[test]
fn an_answer_is_read_in_whatever_pieces_it_comes() {
    let to = server(|mut stream| {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more";
        for byte in answer.bytes() {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
        }
    });
    let answer = over_tcp(to, "GET / HTTP/1.1\r\n\r\n").expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
}

#[test]
fn an_answer_without_an_end_is_given_up() {
    let to = server(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 1024]).is_ok() {}
    });
    let began = Instant::now();
    assert_eq!(over_tcp(to, "GET / HTTP/1.1\r\n\r\n"), None);
    // By its length, and not by the time.
    assert!(began.elapsed() < LONGEST_EXCHANGE, "{:?}", began.elapsed());
}

#[test]
fn a_slow_answer_is_given_up() {
    let to = server(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        for _ in 0..1000 {
            if stream.write_all(b"x").is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    let began = Instant::now();
    assert_eq!(over_tcp(to, "GET / HTTP/1.1\r\n\r\n"), None);
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(2900), "{took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn nobody_there_is_no_answer() {
    let to = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.local_addr().expect("an address")
    };
    let SocketAddr::V4(to) = to else {
        panic!("not of IPv4");
    };
    assert_eq!(over_tcp(to, "GET / HTTP/1.1\r\n\r\n"), None);
}

/// A socket that is connected to another one.
fn connected() -> (UdpSocket, UdpSocket) {
    let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let (one, other) = (bind(), bind());
    one.connect(other.local_addr().expect("an address"))
        .expect("a way");
    (one, other)
}

fn is_yes(packet: &[u8]) -> Option<()> {
    (packet == b"yes").then_some(())
}

#[test]
fn a_packet_is_sent_three_times_before_it_is_given_up() {
    let (socket, router) = connected();
    let began = Instant::now();
    assert_eq!(over_udp(&socket, b"please", &is_yes), None);
    assert!(began.elapsed() >= TRIES.iter().sum());
    router.set_nonblocking(true).expect("a socket");
    let mut buffer = [0; 10];
    let mut count = 0;
    while router.recv(&mut buffer).is_ok() {
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn what_is_no_answer_is_passed_over_and_a_stranger_is_not_heard() {
    let (socket, router) = connected();
    let client = socket.local_addr().expect("an address");
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    let answers = thread::spawn(move || {
        router
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a socket");
        let mut buffer = [0; 10];
        router.recv(&mut buffer).expect("the first packet");
        for _ in 0..100 {
            stranger.send_to(b"yes", client).expect("sent");
        }
        for answer in [&b""[..], b"no", &[b'y'; 2000]] {
            router.send_to(answer, client).expect("sent");
        }
        // Only then, so that the stranger has been first.
        router.recv(&mut buffer).expect("the second packet");
        router.send_to(b"yes", client).expect("sent");
    });
    let read = |packet: &[u8]| {
        count.fetch_add(1, Ordering::Relaxed);
        is_yes(packet)
    };
    assert_eq!(over_udp(&socket, b"please", &read), Some(()));
    assert_eq!(heard.load(Ordering::Relaxed), 4);
    answers.join().expect("no panic");
}

#[test]
fn where_nobody_listens_is_found_out_at_once() {
    let (socket, router) = connected();
    drop(router);
    let began = Instant::now();
    assert_eq!(over_udp(&socket, b"please", &is_yes), None);
    assert!(began.elapsed() < TRIES.iter().sum());
}
