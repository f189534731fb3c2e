//! What the machine does to the tracker: threads that it does not get, little memory, a network
//! that goes and comes back, a clock that is set, a sleep. After each it goes on by itself, and
//! knows whom it knew. Descriptors that run out are in `crowds.rs`, a disk that is full in `log`.

#![cfg(target_os = "linux")]

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::crowds::hold;
use super::{Victim, Vitals, eventually, query};
use crate::support::http::{Connection, PATIENCE, announce, decode, get};
use crate::support::netns::{Family, Lan};
use crate::support::tools::{libfaketime, may_change_user, netns_possible};
use crate::support::tracker::Launch;
use crate::support::udp::Client;
use crate::support::{TempDir, output_of, role, succeed};

/// Of the peer that is announced before the fault and has to be there after it.
const KNOWN: u16 = 7777;

fn introduce(address: SocketAddr) {
    announce(address, &query(b'z', KNOWN));
}

#[track_caller]
fn assert_knows(address: SocketAddr) {
    let shown = announce(address, &query(b'z', 1)).shown();
    let is_known = |peer: &String| peer.ends_with(&format!(":{KNOWN}"));
    assert!(shown.iter().any(is_known), "{shown:?}");
}

/// A user who runs nothing else, since what is bounded is what all of a user's processes have.
/// It may not be able to reach the executable where cargo put it, so it has a copy.
struct Stranger {
    id: u32,
    directory: TempDir,
}

impl Stranger {
    /// `number` tells the tests of this process apart.
    fn new(number: u32) -> Stranger {
        let directory = TempDir::new();
        let stranger = Stranger {
            id: 200_000 + std::process::id() * 4 + number,
            directory,
        };
        std::fs::copy(env!("CARGO_BIN_EXE_mayfly"), stranger.executable()).unwrap();
        let readable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(stranger.directory.path(), readable).unwrap();
        stranger
    }

    fn executable(&self) -> PathBuf {
        self.directory.path().join("mayfly")
    }

    /// What to put in front of a command that this user runs, with so many threads.
    fn prefix(&self, threads: &str) -> [String; 5] {
        let user = format!("--reuid={}", self.id);
        let most = format!("--nproc={threads}");
        ["setpriv", &user, "--clear-groups", "prlimit", &most].map(str::to_owned)
    }

    fn launch(&self, threads: &str) -> Launch {
        let prefix = self.prefix(threads);
        let words: Vec<_> = prefix.iter().map(String::as_str).collect();
        Launch::new().prefix(&words).executable(self.executable())
    }

    /// Runs it to its end, which has to come.
    fn run(&self, threads: &str) -> Output {
        let prefix = self.prefix(threads);
        let mut command = Command::new(&prefix[0]);
        command.args(&prefix[1..]).arg(self.executable());
        command.args(["-p", "0", "-b", "127.0.0.1"]);
        output_of(&mut command)
    }

    /// Changes how many threads a process of this user may have.
    fn limit(&self, process: u32, threads: &str) {
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={}", self.id), "--clear-groups", "prlimit"]);
        command.args(["--pid", &process.to_string()]);
        command.arg(format!("--nproc={threads}:"));
        succeed(&mut command);
    }
}

#[test]
fn few_threads() {
    if !may_change_user() {
        return;
    }
    let stranger = Stranger::new(0);
    for threads in ["16", "40", "90"] {
        let victim = Victim::launch(stranger.launch(threads));
        introduce(victim.address());
        let udp = Client::connect("127.0.0.1", victim.tracker.port());
        udp.announce(b"an info_hash of 2026", 1, 1);
        let held = hold(&victim, 150);
        let says_so = |line: &str| line.contains("the system allows no more than");
        let line = victim.tracker.wait_for_line(says_so, PATIENCE);
        assert!(line.is_some(), "{}", victim.tracker.report());
        assert_knows(victim.address());
        udp.announce(b"an info_hash of 2026", 1, 1);
        drop(held);
        victim.assert_unharmed();
    }
}

#[test]
fn too_few_threads_are_said_in_a_line() {
    if !may_change_user() {
        return;
    }
    let stranger = Stranger::new(1);
    let mut threads = 1;
    // How many are enough, it says.
    let enough = loop {
        let Output {
            status,
            stdout,
            stderr,
        } = stranger.run(&threads.to_string());
        let said = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(1), "{threads}: {said}");
        assert_eq!(stdout, b"", "{threads}");
        assert_eq!(said.lines().count(), 1, "{threads}: {said}");
        assert!(said.contains("threads"), "{threads}: {said}");
        threads += 1;
        // Without any it does not come as far as counting.
        let needed = said.split_once(" more, and ").map(|(_, rest)| {
            let number = rest.split(' ').next().unwrap();
            number.parse::<usize>().unwrap()
        });
        // Two are there before it counts: its first, and the log's.
        if needed.is_some_and(|needed| threads == needed + 2) {
            break threads;
        }
        assert!(threads < 50, "{said}");
    };
    let tracker = stranger.launch(&enough.to_string());
    let tracker = tracker.start(&["-p", "0", "-b", "127.0.0.1"]);
    introduce(SocketAddr::from(([127, 0, 0, 1], tracker.port())));
}

/// Has the tracker sleep for longer than the gate waits for tiny_http, while it is asked.
fn suspend_under_load(victim: &Victim) {
    let address = victim.address();
    let signal = |name: &str| {
        let kill = format!("kill -{name} {}", victim.tracker.id());
        succeed(Command::new("sh").args(["-c", &kill]));
    };
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let mut connection = Connection::open(address);
                    let _ = connection.stream.write_all(b"GET / HTTP/1.0\r\n\r\n");
                    let _ = connection.try_answer(true);
                }
            });
        }
        victim.assert_answers();
        signal("STOP");
        thread::sleep(Duration::from_millis(3500));
        signal("CONT");
        is_over.store(true, Ordering::Relaxed);
    });
}

/// The first ones after a fault may find that nothing works any more, and are told so.
fn assert_works_again(victim: &Victim) {
    let works = |_: &u32| {
        let mut connection = Connection::open(victim.address());
        let request = format!("GET /announce?{} HTTP/1.0\r\n\r\n", query(b'z', 1));
        let is_sent = connection.stream.write_all(request.as_bytes()).is_ok();
        let answer = is_sent.then(|| connection.try_answer(true)).flatten();
        answer.is_some_and(|answer| answer.status == 200)
    };
    let worked = (0..100).find(works);
    assert!(worked.is_some(), "{}", victim.tracker.report());
}

/// A laptop that sleeps, or a virtual machine that is moved: for the tracker, tiny_http has not
/// answered for too long, and is replaced with all that it held.
#[test]
fn suspended_under_load() {
    let victim = Victim::start();
    introduce(victim.address());
    suspend_under_load(&victim);
    assert_works_again(&victim);
    assert_knows(victim.address());
    victim.assert_unharmed();
}

/// The same, and a new tiny_http gets no threads for as long as the fault lasts.
#[test]
fn threads_run_out_while_it_runs() {
    if !may_change_user() {
        return;
    }
    let stranger = Stranger::new(2);
    let victim = Victim::launch(stranger.launch("4000"));
    introduce(victim.address());
    stranger.limit(victim.tracker.id(), "1");
    suspend_under_load(&victim);
    // UDP needs no new thread.
    let udp = Client::connect("127.0.0.1", victim.tracker.port());
    udp.announce(&[b'z'; 20], 1, 1);
    stranger.limit(victim.tracker.id(), "4000");
    assert_works_again(&victim);
    assert_knows(victim.address());
    victim.assert_unharmed();
}

/// It takes as many peers as there is room for, and never runs out of memory, whatever is announced
/// and by however many connections.
#[test]
fn memory_is_limited() {
    const PEERS: u32 = 10_240;
    // As `dont_readme.txt` has it: 110 MB, and 560 bytes for each peer.
    let kib = 110_000 + 560 * PEERS / 1024;
    let limited = format!("ulimit -v {kib} && exec \"$@\"");
    let launch = Launch::new().prefix(&["sh", "-c", &limited, "sh"]);
    // glibc's way of keeping threads apart in memory takes 64 MB of address space for each.
    let launch = launch.env("MALLOC_ARENA_MAX", "1");
    let tracker = launch.start(&["-q", "-p", "0"]);
    let says_so = |line: &str| line.contains("10240 peers at most instead of 1000000");
    assert!(tracker.wait_for_line(says_so, PATIENCE).is_some());
    let says_so = |line: &str| line.contains("128 HTTP connections at most instead of 1000");
    assert!(tracker.wait_for_line(says_so, PATIENCE).is_some());
    let before = Vitals::of(tracker.id());
    let victim = Victim { tracker, before };
    introduce(victim.address());
    // Whom it knows, it answers when it is full.
    victim.assert_answers();
    // Each in a torrent of its own, which takes most memory.
    let mut connection = Connection::open(victim.address());
    let mut put = |peer: u32| {
        let [_, a, b, c] = peer.to_be_bytes();
        let hash = format!("%{a:02x}%{b:02x}%{c:02x}{}", "x".repeat(17));
        let announce = format!("/announce?info_hash={hash}&peer_id=-MF1000-abcdefghijkl");
        let answer = connection.get(&format!("{announce}&port=1&key=1"));
        decode(&answer.body).failure_reason
    };
    let refused = (1..=PEERS).filter_map(&mut put).collect::<Vec<_>>();
    assert_eq!(refused.len(), 2, "two were there before");
    assert_eq!(put(PEERS + 1), Some(refused[0].clone()));
    // And now as much as connections can take.
    let mut held = hold(&victim, 150);
    let head = format!("GET /announce?{}", "x".repeat(8000));
    for connection in &mut held {
        // Some have lost their place.
        let _ = connection.stream.write_all(head.as_bytes());
    }
    for _ in 0..20 {
        let answer = get(
            victim.address(),
            &format!("/announce?{}", query(b'z', KNOWN)),
        );
        assert_eq!(decode(&answer.body).incomplete, Some(1));
    }
    drop((held, connection));
    victim.assert_unharmed();
}

/// What `network_gone_and_back` runs on the other machine: an announce over HTTP and one over UDP
/// to each of the tracker's addresses.
fn announce_everywhere(addresses: &str) {
    for address in addresses.split(' ') {
        let address: SocketAddr = address.parse().unwrap();
        // The first packets may be lost while the machines look for each other.
        let is_there = eventually(|| {
            let time = Duration::from_millis(500);
            std::net::TcpStream::connect_timeout(&address, time).is_ok()
        });
        assert!(is_there, "{address} is out of reach");
        assert_knows(address);
        let from = if address.is_ipv4() { "0.0.0.0" } else { "::" };
        let mut udp = Client::between(from.parse().unwrap(), address);
        let mut answer = None;
        assert!(eventually(|| {
            answer = udp.ask_within(&Client::connect_packet(), Duration::from_millis(500));
            answer.is_some()
        }));
        udp.id = answer.unwrap()[8..].try_into().unwrap();
        let packet = udp.announce_packet(&[b'z'; 20], 2, 1, 0);
        let answer = udp.ask_within(&packet, PATIENCE).expect("an answer");
        assert_eq!(answer[3], 1, "{answer:?}");
    }
}

#[test]
fn network_gone_and_back() {
    if let Some(role) = role::own() {
        match role.strip_prefix("introduce ") {
            Some(address) => introduce(address.parse().unwrap()),
            None => announce_everywhere(&role),
        }
        println!("\nanswered");
        return;
    }
    if !netns_possible() {
        return;
    }
    const NAME: &str = "abuse::faults::network_gone_and_back";
    let lan = Lan::new(2, &[Family::V4, Family::V6]);
    let home = lan.machine(0);
    let tracker = Launch::new().prefix(&home.prefix()).start(&["-p", "0"]);
    let at = |family| SocketAddr::new(home.address(family), tracker.port()).to_string();
    let addresses = format!("{} {}", at(Family::V4), at(Family::V6));
    let play = |machine: usize, role: &str| {
        let client = role::start(Some(lan.machine(machine)), NAME, role);
        let done = client.wait_for_line(|line| line.ends_with("answered"), 4 * PATIENCE);
        assert!(done.is_some(), "{}{}", client.report(), tracker.report());
    };
    play(0, &format!("introduce {}", at(Family::V4)));
    let assert_reached = || play(1, &addresses);
    assert_reached();

    home.ip("link set bridge down");
    home.ip("link set bridge up");
    // Those of IPv6 went with it.
    let address = home.address(Family::V6);
    home.ip(&format!("address add {address}/64 dev bridge nodad"));
    assert_reached();

    for (family, length) in [(Family::V4, "24"), (Family::V6, "64")] {
        let address = home.address(family);
        home.ip(&format!("address delete {address}/{length} dev bridge"));
    }
    for (family, suffix) in [(Family::V4, "24"), (Family::V6, "64 nodad")] {
        let address = home.address(family);
        home.ip(&format!("address add {address}/{suffix} dev bridge"));
    }
    assert_reached();

    lan.machine(1).ip("link set eth0 down");
    lan.machine(1).ip("link set eth0 up");
    let address = lan.machine(1).address(Family::V6);
    lan.machine(1)
        .ip(&format!("address add {address}/64 dev eth0 nodad"));
    assert_reached();
}

/// Back by a year and then forward by ten: nobody dies of it.
#[test]
fn the_clock_is_set() {
    let Some(library) = libfaketime() else {
        return;
    };
    let directory = TempDir::new();
    let clock = directory.path().join("clock");
    let set = |offset: &str| std::fs::write(&clock, offset).unwrap();
    set("+0");
    // The clock of the wall alone: the other one, which no one can set, is what is to be used.
    let tracker = Launch::new()
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", &clock)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .start(&["-p", "0", "-v"]);
    let address = SocketAddr::from(([127, 0, 0, 1], tracker.port()));
    let udp = Client::connect("127.0.0.1", tracker.port());
    let is_shown = |announced: u16| {
        let text = format!("port {announced}");
        let line = tracker.wait_for_line(|line| line.contains(&text), PATIENCE);
        line.unwrap_or_else(|| panic!("{}", tracker.report()))
    };
    let count = |port| {
        let announced = announce(address, &query(b'z', port));
        (announced.incomplete.unwrap(), is_shown(port))
    };
    let (_, now) = count(101);
    set("-365d");
    let (peers, then) = count(102);
    assert_eq!(peers, 2, "the first is still there");
    assert!(
        then[..4] < now[..4],
        "the clock was set: {now}, then {then}"
    );
    set("+3650d");
    let (peers, then) = count(103);
    assert_eq!(peers, 3);
    assert!(
        then[..4] > now[..4],
        "the clock was set: {now}, then {then}"
    );
    set("-365d");
    let packet = udp.announce_packet(&[b'y'; 20], 1, 1, 0);
    let answer = udp.ask_within(&packet, PATIENCE).expect("an answer");
    assert_eq!(answer[3], 1, "its connection id holds: {answer:?}");
}

/// However short the interval, a peer that nothing more is heard of lives for 11 minutes, by the
/// clock that no one can set; here one is told that they have passed.
#[test]
fn the_silent_are_forgotten_after_11_minutes() {
    let Some(library) = libfaketime() else {
        return;
    };
    let directory = TempDir::new();
    let clock = directory.path().join("clock");
    let set = |offset: &str| std::fs::write(&clock, offset).unwrap();
    set("+0");
    let tracker = Launch::new()
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", &clock)
        .env("FAKETIME_NO_CACHE", "1")
        .start(&["-p", "0", "-i", "0.05"]);
    let address = SocketAddr::from(([127, 0, 0, 1], tracker.port()));
    let count = || announce(address, &format!("{}&event=stopped", query(b'z', 1)));
    assert_eq!(announce(address, &query(b'z', 101)).incomplete, Some(1));
    set("+10m");
    assert_eq!(count().incomplete, Some(1), "it is still there");
    set("+12m");
    assert!(eventually(|| count().incomplete == Some(0)));
}
