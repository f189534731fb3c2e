//! Tests of `udp/sockets.rs`: how many there may be, what becomes of addresses that come and go, and
//! of threads that help. That each answers from itself is tested from outside, in
//! `tests/udp_addresses.rs`.

use super::*;
use crate::eventually::eventually;
use crate::own_addresses::OwnAddress;
use crate::service::tests::{logged, service};
use crate::tracker::Settings;
use crate::udp::connection_id::ConnectionIds;
use std::sync::mpsc::Receiver;
use std::time::Instant;

/// For what has to happen, on a busy machine.
const TIME: Duration = Duration::from_secs(20);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn sockets_take_few_of_the_descriptors() {
    for descriptors in [20, 64, 256, 1024, 1 << 20] {
        let sockets = most(Some(descriptors));
        assert!(sockets >= 1 && sockets * 4 <= descriptors, "{descriptors}");
        assert!(sockets <= 64, "each has a thread");
    }
    // More addresses than an ordinary machine has.
    for descriptors in [Some(1024), None] {
        assert!((32..=64).contains(&most(descriptors)));
    }
}

/// So many sockets at 127.0.0.1 of at most `most`, so many threads that may help, and the lines of
/// the log.
fn open(sockets: usize, most: usize, helpers: usize) -> (Sockets, Receiver<String>) {
    let (service, lines) = service(false);
    let server = Server {
        service: Arc::new(service),
        ids: ConnectionIds::new(Settings::default().life()),
    };
    let listed = ["127.0.0.1", "10.0.0.7", "fd00::7"].map(|own| OwnAddress {
        ip: ip(own),
        ..OwnAddress::default()
    });
    let own = Arc::new(OwnAddresses::of(listed.to_vec(), Vec::new()));
    let sockets = (0..sockets).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    let sockets = Sockets::open(sockets.collect(), most, helpers, own, server);
    (sockets.unwrap(), lines)
}

fn told(sockets: &Sockets, lines: &Receiver<String>) -> Vec<String> {
    logged(&sockets.shared.server.service, lines)
}

fn at(sockets: &Sockets) -> Vec<SocketAddr> {
    sockets.open.iter().map(|socket| socket.at).collect()
}

/// Others on this machine, at the port of this one.
fn others(at: SocketAddr) -> [SocketAddr; 3] {
    [2, 3, 4].map(|n| SocketAddr::from(([127, 0, 0, n], at.port())))
}

#[test]
#[cfg(target_os = "linux")]
fn addresses_beyond_the_bound_have_no_socket_and_that_is_told_once() {
    let (mut sockets, lines) = open(1, 2, 0);
    let first = at(&sockets)[0];
    let [second, third, fourth] = others(first);
    let text = |left_out| {
        format!(
            "more than 2 addresses: {left_out} of them are not answered at over UDP \
             (with -b ADDRESS for those that clients use, all of these are)"
        )
    };
    for (wanted, open, expected) in [
        (&[first][..], &[first][..], None),
        (&[first, second], &[first, second], None),
        (
            &[first, second, third, fourth],
            &[first, second],
            Some(text(2)),
        ),
        (&[first, second, third], &[first, second], None),
        (&[second, first], &[first, second], None),
        (&[first, second, third], &[first, second], Some(text(1))),
        // One goes, so that there is room for another.
        (&[second, third], &[second, third], None),
        (&[], &[], None),
    ] {
        sockets.follow(wanted);
        assert_eq!(at(&sockets), open, "{wanted:?}");
        assert_eq!(told(&sockets, &lines), Vec::from_iter(expected));
    }
    // As many as were given to it, which may have been more.
    let (mut sockets, lines) = open(2, 1, 0);
    let mut wanted = at(&sockets);
    wanted.push(others(wanted[0])[0]);
    sockets.follow(&wanted);
    assert_eq!(at(&sockets), wanted[..2]);
    assert_eq!(told(&sockets, &lines).len(), 1);
    sockets.follow(&[]);
}

/// Once may be by chance, and more often would fill the log.
#[test]
#[cfg(target_os = "linux")]
fn an_address_that_cannot_be_listened_on_is_told_when_that_fails_again() {
    let (mut sockets, lines) = open(1, 64, 0);
    let first = at(&sockets)[0];
    let [second, third, _] = others(first);
    let taken = [second, third].map(|at| UdpSocket::bind(at).unwrap());
    for (wanted, expected) in [
        (&[first, second][..], &[][..]),
        (&[first, second, third], &[second]),
        (&[first, second, third], &[third]),
        (&[first, second, third], &[]),
        // Not in a row.
        (&[first, third], &[]),
        (&[first, second, third], &[]),
        (&[first, second, third], &[second]),
    ] {
        sockets.follow(wanted);
        assert_eq!(at(&sockets), [first]);
        let told = told(&sockets, &lines);
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for (line, at) in told.iter().zip(expected) {
            let begin = format!("cannot listen on UDP {at}: ");
            assert!(line.starts_with(&begin), "{line}");
        }
    }
    drop(taken);
    sockets.follow(&[first, second, third]);
    assert_eq!(at(&sockets), [first, second, third]);
    assert!(told(&sockets, &lines).is_empty());
    sockets.follow(&[]);
}

/// On Windows there are sockets at wildcards beside those of the list.
#[test]
fn wildcards_are_not_let_go() {
    let (mut sockets, _lines) = open(1, 64, 0);
    sockets.add(UdpSocket::bind("0.0.0.0:0").unwrap()).unwrap();
    let one = Arc::clone(&sockets.open[0]);
    let wildcard = Arc::clone(&sockets.open[1]);
    sockets.follow(&[one.at]);
    let are_let_go = || [&one, &wildcard].map(|socket| socket.is_let_go.load(Relaxed));
    assert_eq!((sockets.open.len(), are_let_go()), (2, [false, false]));
    sockets.follow(&[]);
    assert_eq!((sockets.open.len(), are_let_go()), (1, [true, false]));
    wildcard.is_let_go.store(true, Relaxed);
}

#[test]
fn the_thread_of_a_socket_that_is_let_go_ends_and_frees_its_address() {
    let (mut sockets, _lines) = open(2, 64, 3);
    let [stays, goes] = [0, 1].map(|n| Arc::clone(&sockets.open[n]));
    let look_every = goes.socket.read_timeout().unwrap().expect("some");
    assert!((1..=10).contains(&look_every.as_secs()), "{look_every:?}");
    sockets.follow(&[stays.at]);
    eventually("its thread ends", || Arc::strong_count(&goes) == 1);
    assert_eq!(sockets.shared.helpers.load(Relaxed), 3, "it was none");
    let address = goes.at;
    drop(goes);
    UdpSocket::bind(address).expect("it is free");
    // The other one looked around, too.
    assert!(client(stays.at).is_answered());
    sockets.follow(&[]);
}

/// A wildcard does not ask for this machine's addresses at each packet, but keeps none for long.
#[test]
fn a_thread_looks_around_every_few_seconds() {
    let own = OwnAddress {
        ip: ip("203.0.113.77"),
        ..OwnAddress::default()
    };
    let own = OwnAddresses::of(vec![own], Vec::new());
    let socket = Socket {
        at: SocketAddr::from(([0, 0, 0, 0], 1)),
        ..Arc::into_inner(idle_socket()).expect("nobody serves it")
    };
    let mut look = Look::around(&socket, &own, NOW);
    let local = |look: &Look| look.locals.towards(ip("10.0.0.9"));
    assert_eq!(local(&look), ip("203.0.113.77"));
    assert!(own.refresh(), "this machine has others");
    let others = own.likeliest(false);
    for (later, local_then) in [(1, ip("203.0.113.77")), (10, others), (11, others)] {
        assert!(look.again(&socket, &own, NOW + Duration::from_secs(later)));
        assert_eq!(local(&look), local_then, "after {later} s");
    }
    socket.is_let_go.store(true, Relaxed);
    for (later, goes_on) in [(11, true), (21, false)] {
        let now = NOW + Duration::from_secs(later);
        assert_eq!(look.again(&socket, &own, now), goes_on, "after {later} s");
    }
}

/// Asks for a connection id, again and again.
struct Client(UdpSocket);

fn client(at: SocketAddr) -> Client {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(at).unwrap();
    socket.set_read_timeout(Some(TIME)).unwrap();
    Client(socket)
}

impl Client {
    fn is_answered(&self) -> bool {
        let packet = [&0x417_2710_1980_u64.to_be_bytes()[..], &[0; 4], b"tran"].concat();
        self.0.send(&packet).unwrap();
        matches!(self.0.recv(&mut [0; 99]), Ok(16))
    }

    /// Asks until that is so. An answer may be that of a thread that is about to end.
    #[track_caller]
    fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        eventually(what, || {
            assert!(self.is_answered(), "nobody answers: {what}");
            is_so()
        });
    }
}

/// Nor the answer to what came before it, which would make the tracker of use for reflection.
#[test]
fn a_packet_without_an_answer_gets_none() {
    let (mut sockets, _lines) = open(1, 64, 0);
    let client = client(at(&sockets)[0]);
    assert!(client.is_answered());
    client.0.send(b"no packet").unwrap();
    let packet = [&0x417_2710_1980_u64.to_be_bytes()[..], &[0; 4], b"next"].concat();
    client.0.send(&packet).unwrap();
    let mut answer = [0; 99];
    assert_eq!(client.0.recv(&mut answer).unwrap(), 16);
    assert_eq!(answer[4..8], *b"next");
    // The first answer's time is known before the second is sent.
    let durations = &sockets.shared.server.counted().durations;
    assert!(durations.cumulative().last() >= Some(&1), "not counted");
    sockets.follow(&[]);
}

/// A socket that no thread serves yet.
fn idle_socket() -> Arc<Socket> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LOOK_EVERY)).unwrap();
    Arc::new(Socket {
        at: socket.local_addr().unwrap(),
        socket,
        is_let_go: AtomicBool::new(false),
        helpers: AtomicU32::new(0),
        received: AtomicU64::new(0),
    })
}

const NOW: Duration = Duration::from_secs(600);

#[test]
fn helpers_come_one_by_one_and_the_last_goes_first() {
    let (mut sockets, _lines) = open(0, 64, 3);
    let shared = &sockets.shared;
    let socket = idle_socket();
    let free = || shared.helpers.load(Relaxed);
    let wanted = || socket.helpers.load(Relaxed);
    let mut help = Help::default();
    let mut overloaded = || {
        shared.ask_for_help(&socket, &mut help, Verdict::Overloaded, NOW);
        (wanted(), free())
    };
    assert_eq!((overloaded(), free()), ((0, 3), 3), "too early");
    let mut came: Vec<_> = (0..40).map(|_| overloaded()).collect();
    came.dedup();
    assert_eq!(came, [(0, 3), (1, 2), (2, 1), (3, 0)]);
    let client = client(socket.at);
    for (left, now_free) in [(3, 0), (2, 1), (1, 2)] {
        client.until("it has left", || free() == now_free);
        // The others stay, though they have looked whether they are needed.
        let mut windows = 0;
        let mut before = socket.received.load(Relaxed);
        client.until("windows", || {
            let received = socket.received.load(Relaxed);
            windows += u32::from(received > before);
            before = received;
            windows >= 4 * left
        });
        assert_eq!((wanted(), free()), (left, now_free));
        shared.ask_for_help(&socket, &mut help, Verdict::Idle, NOW);
    }
    client
        .0
        .set_read_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    eventually("all have left", || {
        client.is_answered();
        free() == 3
    });
    assert_eq!(wanted(), 0);
    sockets.follow(&[]);
}

#[test]
fn where_no_thread_is_left_that_may_help_it_is_asked_again_later() {
    let (sockets, _lines) = open(0, 64, 0);
    let shared = &sockets.shared;
    let socket = idle_socket();
    let mut help = Help::default();
    let mut ask = |now| {
        for _ in 0..20 {
            shared.ask_for_help(&socket, &mut help, Verdict::Overloaded, now);
        }
        let wanted = socket.helpers.load(Relaxed);
        (wanted, shared.helpers.load(Relaxed))
    };
    assert_eq!(ask(NOW), (0, 0));
    shared.helpers.store(1, Relaxed);
    assert_eq!(ask(NOW + Duration::from_secs(2)), (0, 1), "too early");
    assert_eq!(ask(NOW + Duration::from_secs(30)), (1, 0));
    socket.is_let_go.store(true, Relaxed);
    eventually("it ends", || shared.helpers.load(Relaxed) == 1);
}

#[test]
fn a_receive_that_fails_is_told_unless_it_is_a_matter_of_course() {
    let (sockets, lines) = open(0, 64, 0);
    for kind in [
        ErrorKind::WouldBlock,
        ErrorKind::TimedOut,
        ErrorKind::ConnectionReset,
        ErrorKind::Interrupted,
    ] {
        sockets.shared.receive_failed(&kind.into());
    }
    assert!(told(&sockets, &lines).is_empty());
    let begin = Instant::now();
    for number in [10040, 10052, 1] {
        let error = io::Error::from_raw_os_error(number);
        sockets.shared.receive_failed(&error);
        let took = begin.elapsed();
        assert!(took < TIME / 2, "{took:?}");
    }
    // It does not take the whole processor for that, and is back soon.
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(5), "{took:?}");
    let told = told(&sockets, &lines);
    assert_eq!(told.len(), if cfg!(windows) { 1 } else { 3 }, "{told:?}");
    let begin = "UDP packets cannot be received: ";
    assert!(told.iter().all(|line| line.starts_with(begin)), "{told:?}");
}

/// (a socket's address, an asker) → by which address of this machine it has come.
#[test]
fn a_wildcard_is_reached_by_the_likeliest_address_of_the_family() {
    let (sockets, _lines) = open(0, 64, 0);
    for (bound, asker, local) in [
        ("127.0.0.1", "10.0.0.9", "127.0.0.1"),
        ("0.0.0.0", "10.0.0.9", "10.0.0.7"),
        ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "fd00::9", "fd00::7"),
    ] {
        let socket = Socket {
            at: SocketAddr::new(ip(bound), 1),
            ..Arc::into_inner(idle_socket()).expect("nobody serves it")
        };
        let locals = Locals::of(&socket, &sockets.shared.own_addresses);
        assert_eq!(locals.towards(ip(asker)), ip(local), "{bound} {asker}");
    }
}
