//! Tests of `gate/connections.rs`.

use super::*;
use std::io::Read;
use std::net::TcpListener;
use std::sync::mpsc;

/// For what has to happen, on a busy machine.
const TIME: Duration = Duration::from_secs(10);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The tracker's end and the client's.
fn pair() -> (Arc<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(TIME)).unwrap();
    (Arc::new(listener.accept().unwrap().0), client)
}

fn connections(all: usize) -> Arc<Connections> {
    Arc::new(Connections::new(Bounds::of(all), 1))
}

#[test]
fn address_blocks_are_bounded() {
    let bounds = Bounds {
        all: 100,
        per_block: 3,
        per_64: 2,
    };
    let connections = Arc::new(Connections::new(bounds, 1));
    let (stream, _client) = pair();
    let enter = |address| connections.enter(&stream, ip(address), false, false);
    let places: Vec<_> = (0..3).map(|_| enter("192.0.2.1").unwrap()).collect();
    assert!(enter("192.0.2.1").is_none(), "a fourth one");
    assert!(enter("192.0.2.2").is_some(), "another address");
    let places6 = ["2001:db8::1", "2001:db8::ffff:2"].map(|address| enter(address).unwrap());
    assert!(enter("2001:db8::3").is_none(), "the same /64");
    let other = enter("2001:db8:0:1::1").expect("another /64");
    assert!(enter("2001:db8:0:2::1").is_none(), "the same /48");
    assert!(enter("2001:db8:1::1").is_some(), "another /48");
    let exempt = |is_here, is_proxy| {
        let place = connections.enter(&stream, ip("192.0.2.1"), is_here, is_proxy);
        place.is_some()
    };
    assert!(exempt(true, false), "this machine's own address");
    assert!(exempt(false, true), "a trusted proxy");
    let own = connections.enter(&stream, ip("192.0.2.1"), true, false);
    assert!(enter("192.0.2.1").is_none(), "more than there may be");
    drop(own);
    let local: Vec<_> = (5..9).map(|_| enter("127.0.0.1")).collect();
    assert!(local.iter().all(Option::is_some), "not bounded");
    drop(places);
    assert!(enter("192.0.2.1").is_some(), "places were given back");
    drop((places6, other, local));
    assert!(lock(&connections.slots).blocks.is_empty());
}

#[test]
fn half_for_an_address_and_a_quarter_for_a_64() {
    let Bounds {
        all,
        per_block,
        per_64,
    } = Bounds::of(1008);
    assert_eq!((all, per_block, per_64), (1008, 500, 250));
}

/// Who is evicted, one after the other, of those who wait: by numbers.
fn evicted(connections: &Arc<Connections>, places: &[Place], at: Instant) -> Vec<usize> {
    let mut order = Vec::new();
    for _ in places {
        connections.evict(at, 1);
        // As if its thread had come back.
        lock(&connections.slots).leaving = 0;
        let mut gone = places.iter().enumerate().filter(|(_, p)| p.was_evicted());
        order.extend(gone.find(|(n, _)| !order.contains(n)).map(|(n, _)| n));
    }
    lock(&connections.slots).leaving = order.len();
    order
}

#[test]
fn idle_ones_go_first_and_then_those_of_whoever_has_most() {
    let connections = connections(100);
    let pairs: Vec<_> = (0..6).map(|_| pair()).collect();
    let from = [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.2",
        "192.0.2.3",
        "192.0.2.4",
        "192.0.2.5",
    ];
    let places: Vec<_> = std::iter::zip(&pairs, from)
        .map(|((stream, _), from)| {
            let is_proxy = from == "192.0.2.5";
            connections
                .enter(stream, ip(from), false, is_proxy)
                .unwrap()
        })
        .collect();
    // The tracker works for it.
    assert!(places[0].wait_ends());
    places[3].wait_begins(Wait::NextRequest);
    places[5].wait_begins(Wait::NextRequest);
    let early = evicted(&connections, &places, Instant::now());
    assert!(early.is_empty(), "too early");
    let later = Instant::now() + PATIENCE * 2;
    let order = evicted(&connections, &places, later);
    assert_eq!(order[0], 3, "idle");
    assert!(order[1..3] == [1, 2] || order[1..3] == [2, 1], "two of one");
    assert_eq!(
        order[3..],
        [4, 5],
        "the proxy last, and not who is worked for"
    );
    for (number, (_, client)) in pairs.iter().enumerate() {
        client.set_nonblocking(true).unwrap();
        let is_open = (&*client).read(&mut [0; 9]).is_err();
        assert_eq!(is_open, number == 0, "{number}");
    }
}

/// Eight may wait as long as one; eighty have a tenth of that.
#[test]
fn who_has_many_has_little_patience() {
    let connections = connections(1000);
    let (stream, _client) = pair();
    let enter = |address| {
        connections
            .enter(&stream, ip(address), false, false)
            .unwrap()
    };
    let mut places: Vec<_> = (0..FEW).map(|_| enter("192.0.2.1")).collect();
    let soon = || Instant::now() + PATIENCE / 5;
    connections.evict(soon(), 1000);
    assert!(!places.iter().any(Place::was_evicted));
    places.extend((0..9 * FEW).map(|_| enter("192.0.2.1")));
    let other = enter("192.0.2.2");
    connections.evict(soon(), 1000);
    assert!(places.iter().all(Place::was_evicted));
    assert!(!other.was_evicted());
}

/// While threads are on their way back, nobody else loses a place for them.
#[test]
fn no_more_are_evicted_than_are_to_leave() {
    let connections = connections(1000);
    let (stream, _client) = pair();
    let enter = |_| {
        connections
            .enter(&stream, ip("127.0.0.1"), false, false)
            .unwrap()
    };
    let mut places: Vec<_> = (0..100).map(enter).collect();
    let later = Instant::now() + PATIENCE * 2;
    let gone = |places: &[Place]| places.iter().filter(|p| p.was_evicted()).count();
    for _ in 0..5 {
        connections.evict(later, 20);
        assert_eq!(gone(&places), 20);
    }
    // Half of them come back.
    let mut left = 0;
    places.retain(|place| {
        let is_back = place.was_evicted() && left < 10;
        left += usize::from(is_back);
        !is_back
    });
    connections.evict(later, 20);
    assert_eq!((places.len(), gone(&places)), (90, 20));
    drop(places);
    assert_eq!(lock(&connections.slots).leaving, 0);
}

#[test]
fn it_is_waited_until_half_of_those_that_are_to_leave_have_left() {
    for (leaving, most, is_waited) in [
        (0, 0, false),
        (0, 8, false),
        (4, 8, false),
        (5, 8, true),
        (8, 8, true),
        (3, 7, false),
        (4, 7, true),
        // The goal was raised.
        (8, 16, false),
    ] {
        let slots = Slots {
            leaving,
            ..Slots::default()
        };
        assert_eq!(slots.is_waiting_for(most), is_waited, "{leaving} of {most}");
    }
}

/// Since when a connection waits.
fn since(connections: &Connections, place: &Place) -> Instant {
    let slots = lock(&connections.slots);
    slots.held[place.slot].as_ref().unwrap().waits.unwrap().1
}

#[test]
fn what_is_on_its_way_has_some_milliseconds_and_not_seconds() {
    let connections = connections(1000);
    let (stream, _client) = pair();
    let enter = |address| connections.enter(&stream, ip(address), false, false);
    let one = enter("192.0.2.1").unwrap();
    let few: Vec<_> = (0..5).map(|_| enter("192.0.2.2").unwrap()).collect();
    for place in few.iter().chain([&one]) {
        connections.evict(since(&connections, place) + Duration::from_millis(20), 1000);
        assert!(!place.was_evicted());
    }
    connections.evict(since(&connections, &one) + Duration::from_secs(1), 1000);
    assert!(one.was_evicted());
}

/// By lot: were it the longest waiting first, a crowd that is too large would keep everybody from
/// ever sending.
#[test]
fn among_equals_it_is_not_always_the_longest_waiting() {
    let connections = connections(1000);
    let (stream, _client) = pair();
    let enter = |number| connections.enter(&stream, ip(&format!("192.0.2.{number}")), false, false);
    let places: Vec<_> = (1..=40).map(|number| enter(number).unwrap()).collect();
    connections.evict(Instant::now() + PATIENCE * 2, 20);
    assert_eq!(places.iter().filter(|p| p.was_evicted()).count(), 20);
    assert!(places[..20].iter().any(|p| !p.was_evicted()));
}

/// Threads are started while few are free, up to the bound; then somebody is evicted.
#[test]
fn room_is_made_by_threads_and_then_by_eviction() {
    let connections = connections(4);
    let (started, is_started) = mpsc::channel();
    let start = move |listener| {
        started.send(listener).unwrap();
        Ok(())
    };
    connections.start_thread(0, &start).unwrap();
    assert_eq!(is_started.recv_timeout(TIME), Ok(0));
    let keeper = Arc::clone(&connections);
    std::thread::spawn(move || keeper.keep_threads_free(&start));
    for _ in 1..4 {
        connections.thread_is_taken(0);
        assert_eq!(is_started.recv_timeout(TIME), Ok(0), "another one");
    }
    assert_eq!(connections.threads(), 4);
    let (stream, mut client) = pair();
    let _place = connections.enter(&stream, ip("::1"), false, false).unwrap();
    assert!(!connections.is_out_of_threads(0));
    connections.thread_is_taken(0);
    // Waits until the evictor has shut it down.
    assert_eq!(client.read(&mut [0; 9]).unwrap(), 0);
    assert!(connections.is_out_of_threads(0));
    // The next one soon, as long as that is of no use. Of some tries, since a machine may be busy.
    let is_soon = || {
        let (stream, mut client) = pair();
        let _place = connections.enter(&stream, ip("::1"), false, false).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        client.read(&mut [0; 9]).is_ok()
    };
    assert!((0..3).any(|_| is_soon()));
    assert!(is_started.try_recv().is_err(), "one too many");
    // So that the evictor comes to rest.
    assert_eq!(connections.thread_is_free(0), Some(0));
    assert!(!connections.is_out_of_threads(0));
}

const PLACES: usize = 100;

/// As many connections as there can be threads, of whom one is to be free, and more; those that are
/// evicted do not leave.
struct Crowded {
    since: Instant,
    connections: Arc<Connections>,
    places: Vec<Place>,
    _client: TcpStream,
}

impl Crowded {
    fn new() -> Crowded {
        let since = Instant::now();
        let connections = connections(4);
        assert_eq!(connections.least_free(), 1);
        for _ in 0..4 {
            connections.start_thread(0, &|_| Ok(())).unwrap();
        }
        let keeper = Arc::clone(&connections);
        std::thread::spawn(move || keeper.keep_threads_free(&|_| Ok(())));
        let (stream, client) = pair();
        let enter = |_| connections.enter(&stream, ip("127.0.0.1"), false, false);
        let places: Vec<_> = (0..PLACES).filter_map(enter).collect();
        assert_eq!(places.len(), PLACES);
        for _ in 0..4 {
            connections.thread_is_taken(0);
        }
        Crowded {
            since,
            connections,
            places,
            _client: client,
        }
    }

    /// How many have been evicted: one more only when those before have had their time.
    #[track_caller]
    fn leaving(&self) -> usize {
        let leaving = lock(&self.connections.slots).leaving;
        let milliseconds = self.since.elapsed().as_millis() as usize;
        assert!(leaving <= 1 + milliseconds / 2, "{leaving} too early");
        leaving
    }
}

impl Drop for Crowded {
    fn drop(&mut self) {
        // So that the evictor comes to rest.
        self.connections.thread_is_free(0);
    }
}

/// As on Windows, where a thread may not notice for seconds that its connection was shut down: the
/// others must not keep their places for that.
#[test]
fn those_that_do_not_leave_are_not_waited_for_for_ever() {
    for is_asked_for_more in [false, true] {
        let crowded = Crowded::new();
        let deadline = Instant::now() + TIME;
        while crowded.leaving() < crowded.places.len() {
            assert!(Instant::now() < deadline, "some keep their places");
            if is_asked_for_more {
                crowded.connections.want_room();
            }
            std::thread::yield_now();
        }
    }
}

/// Newcomers ask for room at any time, and a thread takes a moment to come back.
#[test]
fn newcomers_do_not_cost_more_places_than_are_to_be_free() {
    let crowded = Crowded::new();
    let deadline = Instant::now() + TIME;
    let mut newcomers = 0;
    while newcomers < 200 {
        assert!(Instant::now() < deadline, "nobody is evicted");
        crowded.connections.want_room();
        std::thread::yield_now();
        newcomers += usize::from(crowded.leaving() > 0);
    }
}

#[test]
fn a_system_that_refuses_a_thread_is_asked_again_after_a_while() {
    let connections = connections(4);
    connections.start_thread(0, &|_| Ok(())).unwrap();
    let (asked, is_asked) = mpsc::channel();
    let keeper = Arc::clone(&connections);
    std::thread::spawn(move || {
        keeper.keep_threads_free(&|_| {
            let _ = asked.send(Instant::now());
            Err(io::ErrorKind::WouldBlock.into())
        })
    });
    connections.thread_is_taken(0);
    let next = || is_asked.recv_timeout(TIME).expect("it is asked");
    let (first, _, third) = (next(), next(), next());
    assert!(
        third - first >= Duration::from_millis(500),
        "it does nothing else"
    );
    // So that the evictor comes to rest.
    assert_eq!(connections.thread_is_free(0), Some(0));
}

#[test]
fn a_free_thread_goes_where_there_is_none() {
    let connections = Connections::new(Bounds::of(8), 2);
    for listener in [0, 0, 1] {
        connections.start_thread(listener, &|_| Ok(())).unwrap();
    }
    connections.thread_is_taken(1);
    connections.thread_is_taken(0);
    assert_eq!(connections.thread_is_free(0), Some(1));
}

#[test]
fn what_a_listener_begins_with_is_enough_however_many_listeners_there_are() {
    for (all, listeners) in [(1000, 1), (1000, 2), (100, 20), (4, 2), (4, 1), (2, 2)] {
        let connections = Connections::new(Bounds::of(all), listeners);
        let (least, begins_with) = (connections.least_free(), connections.threads_at_start());
        assert!((1..=begins_with).contains(&least), "{all} for {listeners}");
    }
    // Several come at the same moment.
    let least = Connections::new(Bounds::of(1000), 1).least_free();
    assert!((4..=16).contains(&least), "{least}");
}
