//! Crowds: thousands of connections a second that say nothing, or too little, from few addresses and
//! from many; and clients that are merely slow. What honest clients wait meanwhile, who come from an
//! address of their own, is measured, and how many of the slow are answered.
//!
//! `make crowds` runs it on the static executable, prints a table and holds it to what `README.md`
//! promises; `cargo test` takes a small dose, in which no time is judged.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::ops::Range;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::part::{self, Part};
use super::{EXECUTABLE, Launch, Vitals, eventually, netns_possible, role};
use crate::support::http::ORDINARY;
use crate::support::netns::{Family, Lan};

/// What is promised for honest clients: the median, and what 99 of 100 stay below.
const MEDIAN: Duration = Duration::from_millis(20);
const OF_99: Duration = Duration::from_millis(200);
/// Who has had no answer then has none.
const LONGEST: Duration = Duration::from_secs(5);
/// Connections a second of those that mean harm.
const RATE: usize = 4000;
/// Of honest clients, over IPv4 and IPv6 in turn.
const HONEST_RATE: usize = 100;
/// So long are silent ones held, and dripping ones pause between two bytes.
const HELD: Duration = Duration::from_secs(2);
const DRIP: Duration = Duration::from_millis(500);
/// The pace of all: what is due is done then.
const STEP: Duration = Duration::from_millis(2);

/// The addresses of a crowd: so many of one of these.
const SOURCES: [(&str, usize); 5] = [
    ("v4", 1),
    ("v4", 2),
    ("v4", 256),
    ("one48", 256),
    ("many48", 256),
];
/// Clients a second, the milliseconds that each takes to send its request, and how many of 100 have
/// to be answered. The last crowd is one for which there is no room: 1,200 at a time.
const SLOW: [(usize, u64, u64); 4] = [
    (400, 300, 99),
    (400, 1000, 99),
    (800, 300, 99),
    (4000, 300, 40),
];

#[test]
fn a_small_dose() {
    if let Some(role) = role::own() {
        return play(&role);
    }
    crowds(Duration::from_millis(200), 10, false);
}

#[test]
#[ignore = "takes three minutes: make crowds"]
fn in_full() {
    crowds(Duration::from_secs(10), 1, true);
}

/// Each crowd for so long, and one in so many of its connections.
fn crowds(time: Duration, part: usize, is_full: bool) {
    if !netns_possible() {
        return;
    }
    let lan = Lan::new(3, &[Family::V4, Family::V6]);
    let [home, clients, others] = [0, 1, 2].map(|n| lan.machine(n));
    for (family, gateway) in [("-4", Family::V4), ("-6", Family::V6)] {
        let gateway = others.address(gateway);
        home.ip(&format!("{family} route add default via {gateway}"));
    }
    // All of these networks are at home there, as if it had each of their addresses.
    others.set("ipv6/ip_nonlocal_bind", "1");
    others.ip("route add local 10.78.0.0/16 dev lo");
    others.ip("-6 route add local 2001:db8::/32 dev lo");
    others.ip("-6 route add local 3fff::/20 dev lo");
    let mut launch = Launch::new().prefix(&home.prefix());
    if let Some(executable) = std::env::var_os(EXECUTABLE).filter(|_| is_full) {
        launch = launch.executable(executable);
    }
    assert!(eventually(|| !home.has_tentative_address()), "no address");
    let tracker = launch.start(&["-p", "0"]);
    let vitals = || Vitals::of(tracker.id()).unwrap_or_else(|| panic!("{}", tracker.report()));
    let idle = vitals();
    let [v4, v6] = [Family::V4, Family::V6].map(|family| home.address(family));
    let role = format!("{v4} {v6} {}", tracker.port());
    let test = "soak::crowds::a_small_dose";
    let honest = Part::start(Some(clients), test, &role);
    let others = Part::start(Some(others), test, &role);
    let milliseconds = time.as_millis();

    let mut missed = Vec::new();
    let crowd = |title: &str, what: &str| {
        let what = format!("{what} {milliseconds}");
        let crowd = others.tell(&what);
        let met = honest.ask(&format!("honest {HONEST_RATE} {milliseconds}"));
        let most = vitals();
        let sent = others.answer(crowd, &what);
        println!("{title:40}| {met} | {sent} | {} threads", most.gate_threads);
        (met, sent)
    };
    println!(
        "\n{:40}| honest clients: microseconds, median, 99 of 100, longest | the others",
        ""
    );
    for kind in ["nobody", "silent", "drip"] {
        for (network, addresses) in SOURCES {
            let rate = if kind == "nobody" { 0 } else { RATE / part };
            let title = format!("{kind}, {addresses} of {network}");
            let (met, sent) = crowd(&title, &format!("{kind} {rate} {network} {addresses}"));
            if !Met::read(&met).is_as_promised(is_full) {
                missed.push(title);
            }
            if kind == "nobody" {
                break;
            }
            let [connections, failed] = numbers(&sent);
            assert!(failed * 100 <= connections, "no crowd: {sent}");
        }
    }
    for (rate, takes, promised) in SLOW {
        let title = format!("{rate} a second that take {takes} ms");
        let (met, sent) = crowd(&title, &format!("slow {} v4 256 {takes}", rate / part));
        let [answered, all] = numbers(&sent);
        if answered * 100 < all * promised || !Met::read(&met).is_as_promised(is_full) {
            missed.push(title);
        }
    }
    assert!(missed.is_empty(), "{missed:?}\n{}", tracker.report());
    let mut end = idle;
    let is_as_before = eventually(|| {
        end = vitals();
        end.threads <= idle.threads && end.descriptors <= idle.descriptors
    });
    assert!(is_as_before, "{idle:?}, then {end:?}");
    println!("idle before {idle:?}\nidle after  {end:?}");
}

/// What honest clients met.
struct Met {
    asked: u64,
    without: u64,
    median: Duration,
    of_99: Duration,
}

impl Met {
    /// As the player says it.
    fn read(words: &str) -> Met {
        let [asked, without, median, of_99] = numbers(words);
        Met {
            asked,
            without,
            median: Duration::from_micros(median),
            of_99: Duration::from_micros(of_99),
        }
    }

    fn is_as_promised(&self, has_to_be_quick: bool) -> bool {
        let is_answered = self.asked > 0 && self.without * 100 <= self.asked;
        let is_quick = self.median < MEDIAN && self.of_99 < OF_99;
        is_answered && (is_quick || !has_to_be_quick)
    }
}

/// The first numbers in a line.
fn numbers<const COUNT: usize>(line: &str) -> [u64; COUNT] {
    let mut numbers = line.split(' ').filter_map(|word| word.parse().ok());
    std::array::from_fn(|_| numbers.next().unwrap_or_else(|| panic!("{line}")))
}

/// The side of the players.
fn play(role: &str) {
    let words: Vec<_> = role.split(' ').collect();
    let port = words[2].parse().unwrap();
    let to = [words[0], words[1]].map(|ip| SocketAddr::new(ip.parse().unwrap(), port));
    part::obey(|what| {
        let words: Vec<_> = what.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        let time = Duration::from_millis(number(words.len() - 1));
        let rate = number(1) as usize;
        match words[0] {
            "honest" => be_honest(to, rate, time),
            "nobody" => String::new(),
            "slow" => {
                let takes = Duration::from_millis(number(4));
                let sources = sources(words[2], words[3]);
                be_slow(to, &sources, rate, takes, time)
            }
            kind => {
                let begin: &[u8] = if kind == "drip" { b"GET /ann" } else { b"" };
                crowd(to, &sources(words[2], words[3]), rate, begin, time)
            }
        }
    });
    std::process::exit(0);
}

fn sources(network: &str, count: &str) -> Vec<IpAddr> {
    let address = |n: u16| match network {
        "v4" => IpAddr::V4(Ipv4Addr::from(0x0a4e_0001 + u32::from(n))),
        "one48" => Ipv6Addr::from([0x2001, 0xdb8, 1, n, 0, 0, 0, 1]).into(),
        "many48" => Ipv6Addr::from([0x3fff, 0x100, n, 0, 0, 0, 0, 1]).into(),
        _ => panic!("what is {network}?"),
    };
    (0..count.parse().unwrap()).map(address).collect()
}

/// At each step until this time is over, and for as long after it as there is more to do, runs
/// something that is told the time and the numbers of what is due, at so many a second. Returns how
/// many that were.
fn pace(rate: usize, time: Duration, mut run: impl FnMut(Instant, Range<usize>) -> bool) -> usize {
    let begin = Instant::now();
    let mut count = 0;
    loop {
        let now = Instant::now();
        let spent = now.duration_since(begin);
        let due = spent.min(time).as_micros() as usize * rate / 1_000_000;
        let has_more = run(now, count..due);
        count = due;
        if spent >= time && !has_more {
            return count;
        }
        thread::sleep(STEP);
    }
}

/// Begins a connection, which is there some time later.
fn begin(to: [SocketAddr; 2], source: IpAddr) -> io::Result<TcpStream> {
    let to = to[usize::from(source.is_ipv6())];
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::new(source, 0).into())?;
    match socket.connect(&to.into()) {
        // EINPROGRESS, which std has no stable word for.
        Err(error) if error.raw_os_error() != Some(115) => Err(error),
        _ => Ok(socket.into()),
    }
}

/// Announces, each on a connection of its own: how many, how many without an answer, and what they
/// waited, in microseconds: the median, 99 of 100, the longest.
fn be_honest(to: [SocketAddr; 2], rate: usize, time: Duration) -> String {
    let waits = Mutex::new(Vec::new());
    let waits = &waits;
    thread::scope(|scope| {
        let announce = |n: usize| {
            scope.spawn(move || {
                let begin = Instant::now();
                let is_answered = announce(to[n % 2]).is_ok_and(|is_answered| is_answered);
                let wait = is_answered.then(|| begin.elapsed().as_micros());
                waits.lock().unwrap().push(wait);
            });
        };
        pace(rate, time, |_, due| {
            due.for_each(announce);
            false
        });
    });
    let mut waits = waits.lock().unwrap();
    let without = waits.iter().filter(|wait| wait.is_none()).count();
    // Those without an answer have waited for longest.
    waits.sort_by_key(|wait| wait.unwrap_or(u128::MAX));
    let at = |share: usize| {
        let wait = waits[(waits.len() * share / 100).min(waits.len() - 1)];
        wait.unwrap_or(LONGEST.as_micros())
    };
    let [median, of_99, longest] = [50, 99, 100].map(at);
    let asked = waits.len();
    format!("{asked} asked, {without} without an answer, {median} {of_99} {longest} us")
}

fn announce(to: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&to, LONGEST)?;
    stream.set_read_timeout(Some(LONGEST))?;
    stream.write_all(format!("GET /announce?{ORDINARY}&port=4242 HTTP/1.0\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer.starts_with(b"HTTP/1.1 200 "))
}

/// Connections in the order in which something is due with them.
#[derive(Default)]
struct Queue(VecDeque<(Instant, TcpStream)>);

impl Queue {
    fn push(&mut self, due: Instant, stream: TcpStream) {
        self.0.push_back((due, stream));
    }

    /// The first, if it is due.
    fn due(&mut self, now: Instant) -> Option<TcpStream> {
        let (due, _) = self.0.front()?;
        if *due > now {
            return None;
        }
        self.0.pop_front().map(|(_, stream)| stream)
    }
}

/// Connections that are held: silent ones, or, with a begin, those that drip from then on.
fn crowd(
    to: [SocketAddr; 2],
    sources: &[IpAddr],
    rate: usize,
    begins: &[u8],
    time: Duration,
) -> String {
    let (mut opened, mut dripping) = (Queue::default(), Queue::default());
    let (mut failed, mut bytes) = (0, 0);
    let sent = pace(rate, time, |now, due| {
        for n in due {
            match begin(to, sources[n % sources.len()]) {
                // It takes a moment to be connected.
                Ok(stream) if !begins.is_empty() => opened.push(now + STEP, stream),
                Ok(stream) => opened.push(now + HELD, stream),
                Err(_) => failed += 1,
            }
        }
        while let Some(mut stream) = opened.due(now) {
            if !begins.is_empty() && stream.write(begins).is_ok() {
                dripping.push(now + DRIP, stream);
            }
        }
        while let Some(mut stream) = dripping.due(now) {
            // Who has lost its place fails here.
            if stream.write(b"x").is_ok() {
                bytes += 1;
                dripping.push(now + DRIP, stream);
            }
        }
        false
    });
    format!("{sent} connections, {failed} failed, {bytes} bytes dripped")
}

/// Clients that take this time to send their request: how many were answered, and of how many.
fn be_slow(
    to: [SocketAddr; 2],
    sources: &[IpAddr],
    rate: usize,
    takes: Duration,
    time: Duration,
) -> String {
    let (mut opened, mut asked) = (Queue::default(), VecDeque::new());
    let mut answered = 0;
    let request = format!("GET /announce?{ORDINARY}&port=4242 HTTP/1.1\r\n\r\n");
    let sent = pace(rate, time, |now, due| {
        for n in due {
            if let Ok(stream) = begin(to, sources[n % sources.len()]) {
                opened.push(now + takes, stream);
            }
        }
        while let Some(mut stream) = opened.due(now) {
            if stream.write(request.as_bytes()).is_ok() {
                asked.push_back((now, stream));
            }
        }
        asked.retain_mut(|(since, stream)| {
            let mut answer = [0; 512];
            match stream.read(&mut answer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return now.duration_since(*since) < LONGEST;
                }
                Ok(length) if answer[..length].starts_with(b"HTTP/1.1 200 ") => answered += 1,
                _ => {}
            }
            false
        });
        !opened.0.is_empty() || !asked.is_empty()
    });
    format!("{answered} answered of {sent}")
}
