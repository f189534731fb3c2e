//! A soak: honest clients over HTTP and UDP, IPv4 and IPv6, and meanwhile everything that may come
//! from the internet, one thing after the other and then all of it together. Every honest request
//! has to be answered, the counts have to be those of a model, and afterwards the tracker has to
//! hold no more memory, threads and descriptors than before.
//!
//! `make soak` runs it for ten minutes on the static executable and prints a table; `cargo test`
//! takes a small dose. The tracker, the honest clients and the others have a machine each in a
//! little network, so it needs root and Linux.

#![cfg(target_os = "linux")]

/// Thousands of connections a second, and clients that are merely slow.
mod crowds;
/// What the others do: slow, silent, greedy, broken, hostile.
mod hazards;
/// Clients as they should be.
mod honest;
/// What the tracker has to answer.
mod model;
/// The same over UDP.
mod packets;
/// Players on other machines.
mod part;
/// What was seen, in a table.
mod table;
/// Requests and packets until they are answered.
mod wire;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::netns::{Family, Lan};
use crate::support::tools::{netns_possible, tool};
use crate::support::tracker::{Launch, Tracker};
use crate::support::vitals::{LASTING_THREADS, Vitals, eventually};
use crate::support::{role, succeed};
use honest::Place;
use part::Part;
use table::{Met, Row, Table};

const TEST: &str = "soak::a_small_dose";
/// How long `make soak` takes, in seconds, if nobody says otherwise.
const SECONDS: &str = "MAYFLY_SOAK_SECONDS";
const IN_FULL: u64 = 600;
/// Which executable is judged by the memory that it takes. glibc's way of allocating keeps more of
/// what was freed the longer it runs (see `dont_readme.txt`), so not the one that cargo built.
const EXECUTABLE: &str = "MAYFLY_SOAK_EXECUTABLE";
/// Addresses of the machine that the others are on, besides its own.
const ADDRESSES: u8 = 40;
/// While so many drip from one address, a client from another waits no longer than that.
const DRIPPERS: usize = 1000;
/// How long the tracker remembers a peer that falls silent.
const LIFE: Duration = Duration::from_secs(11 * 60);
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// How much of it.
#[derive(Clone, Copy)]
struct Dose {
    /// For each single hazard, and for all together.
    single: Duration,
    mixed: Duration,
    /// So many times.
    rounds: usize,
    /// Whether it takes so long that those die who fall silent.
    may_vanish: bool,
    /// Of connections, packets and peers, one in so many.
    part: usize,
    clients: usize,
    peers: usize,
    /// Whether the machine is there for this alone, so that times may be judged.
    is_full: bool,
}

impl Dose {
    fn executable(&self) -> Option<OsString> {
        std::env::var_os(EXECUTABLE).filter(|_| self.is_full)
    }
}

#[test]
fn a_small_dose() {
    if let Some(role) = role::own() {
        return play(&role);
    }
    soak(Dose {
        single: Duration::from_millis(150),
        mixed: Duration::from_secs(2),
        rounds: 1,
        may_vanish: false,
        part: 10,
        clients: 2,
        peers: 24,
        is_full: false,
    });
}

#[test]
#[ignore = "takes ten minutes: make soak"]
fn in_full() {
    let seconds = std::env::var(SECONDS).ok().and_then(|s| s.parse().ok());
    let seconds = seconds.unwrap_or(IN_FULL).max(60);
    let single = (seconds as f64 / 60.0).clamp(1.0, 10.0);
    // What is left by twenty hazards, and some waiting.
    let mixed = seconds.saturating_sub(single as u64 * 21 + 50).max(60);
    let rounds = (mixed / 20).clamp(3, 4);
    soak(Dose {
        single: Duration::from_secs_f64(single),
        mixed: Duration::from_secs(mixed / rounds),
        rounds: rounds as usize,
        may_vanish: seconds >= 3 * LIFE.as_secs(),
        part: 1,
        clients: 8,
        peers: 40,
        is_full: true,
    });
}

/// The side of the players.
fn play(role: &str) {
    let words: Vec<_> = role.split(' ').collect();
    // Who plays, to whom over IPv4 and IPv6, may they vanish, how many clients and peers, from where.
    let to = [words[1], words[2]].map(|at| at.parse::<SocketAddr>().unwrap());
    let from: Vec<IpAddr> = words[6..].iter().map(|ip| ip.parse().unwrap()).collect();
    match words[0] {
        "honest" => honest::play(Place {
            to,
            from: [from[0], from[1]],
            life: LIFE,
            clients: words[4].parse().unwrap(),
            peers: words[5].parse().unwrap(),
            may_vanish: words[3].parse().unwrap(),
        }),
        _ => hazards::play(to, &from),
    }
}

/// The side of who leads the play.
struct Soak {
    tracker: Tracker,
    honest: Part,
    strangers: Part,
    /// On the tracker's machine, whose connections are not bounded.
    locals: Part,
    /// What the tracker held before anybody came.
    idle: Vitals,
    dose: Dose,
    table: Table,
    // Last: it goes when nobody is there any more.
    _lan: Lan,
}

fn soak(dose: Dose) {
    if !netns_possible() || tool("prlimit").is_none() {
        return;
    }
    let begin = Instant::now();
    let mut soak = Soak::start(dose);
    soak.single_hazards();
    let mut full = vec![soak.fill()];
    for round in 1..=dose.rounds {
        soak.all_together(round);
        full.push(soak.fill());
    }
    let Soak {
        tracker,
        honest,
        strangers,
        locals,
        idle,
        table,
        _lan,
        ..
    } = soak;
    let settled = honest.ask("settle");
    drop((honest, strangers, locals));
    let mut end = idle;
    let is_as_before = eventually(|| {
        end = Vitals::of(tracker.id()).expect("it runs");
        end.threads <= idle.threads
            && end.gate_threads >= idle.gate_threads.min(LASTING_THREADS)
            && end.descriptors <= idle.descriptors
    });
    table.print();
    println!("counts at the end, by scrape over HTTP and UDP: {settled}");
    println!("idle before {idle:?}\nidle after  {end:?}");
    for (round, full) in full.iter().enumerate() {
        println!("with the same peers after round {round} of all together: {full:?}");
    }
    println!("took {:?}", begin.elapsed());
    assert!(
        is_as_before,
        "idle {idle:?}, then {end:?}\n{}",
        tracker.report()
    );
    if dose.executable().is_some() {
        // The first time, and where each is short the second, what is kept for the next has not all
        // been there yet.
        let (warm, last) = (full[2], full[full.len() - 1]);
        let most = warm.resident * 11 / 10;
        assert!(last.resident <= most, "{warm:?}, then {last:?}");
    }
}

impl Soak {
    fn start(dose: Dose) -> Soak {
        let lan = Lan::new(3, &[Family::V4, Family::V6]);
        let [home, clients, others] = [0, 1, 2].map(|n| lan.machine(n));
        for n in 0..ADDRESSES {
            others.ip(&format!("address add {}/24 dev eth0", foreign(n)));
        }
        // Answers to made-up addresses have to go somewhere, as they would on the internet.
        let gateway = others.address(Family::V4);
        home.ip(&format!("route add default via {gateway} dev bridge"));
        let mut launch = Launch::new().prefix(&home.prefix());
        if let Some(executable) = dose.executable() {
            launch = launch.executable(executable);
        }
        // Each address has a socket and a thread, which must not come later than is looked.
        assert!(eventually(|| !home.has_tentative_address()), "no address");
        let tracker = launch.start(&["-p", "0", "--scrape"]);
        let idle = Vitals::of(tracker.id()).expect("it runs");
        let ends = |v4, v6| [v4, v6].map(|ip: IpAddr| SocketAddr::new(ip, tracker.port()));
        let families = [Family::V4, Family::V6];
        let [v4, v6] = families.map(|family| SocketAddr::new(home.address(family), tracker.port()));
        let addresses = |machine: usize| families.map(|f| lan.machine(machine).address(f));
        let role = |name: &str, [v4, v6]: [SocketAddr; 2], from: &[IpAddr]| {
            let from: Vec<_> = from.iter().map(IpAddr::to_string).collect();
            let Dose {
                may_vanish,
                clients,
                peers,
                ..
            } = dose;
            format!(
                "{name} {v4} {v6} {may_vanish} {clients} {peers} {}",
                from.join(" ")
            )
        };
        let public = [v4, v6];
        let own = ends(Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
        let foreign: Vec<IpAddr> = (0..ADDRESSES).map(|n| foreign(n).into()).collect();
        let foreign = [&foreign[..], &[others.address(Family::V6)]].concat();
        let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let honest = role("honest", public, &addresses(1));
        let strangers = role("hazards", public, &foreign);
        let locals = role("hazards", own, &loopback);
        Soak {
            honest: Part::start(Some(clients), TEST, &honest),
            strangers: Part::start(Some(others), TEST, &strangers),
            locals: Part::start(Some(home), TEST, &locals),
            tracker,
            idle,
            dose,
            table: Table::default(),
            _lan: lan,
        }
    }

    fn vitals(&self) -> Vitals {
        Vitals::of(self.tracker.id()).unwrap_or_else(|| panic!("{}", self.tracker.report()))
    }

    /// One after the other; the rows of the list in `dont_readme.txt`, and what else there is.
    fn single_hazards(&mut self) {
        // All of the machine's addresses.
        let all = usize::from(ADDRESSES) + 1;
        let few = self.dose.part;
        self.strangers_do("honest clients alone", &[]);
        for (title, name, amount, addresses) in [
            (
                "Content-Length of 1,000,000,000,000",
                "content-length",
                100,
                all,
            ),
            ("a body announced and not sent", "no-body", 60, all),
            ("HTTP/2.0 and HTTP/3.0", "http2", 200, all),
            ("50 kept connections at the same moment", "at-once", 50, 1),
            ("5 readers that never read", "never-read", 5, 1),
            (
                "2,000 idle connections of 41 addresses",
                "idle",
                2000 / few,
                all,
            ),
            ("500 drippers of 41 addresses", "drip", 500 / few, all),
            ("a head without an end", "endless-head", 20, all),
            ("raw bytes in the request line", "raw-bytes", 200, all),
            ("reset right after connecting", "reset", 300, all),
            ("a chunked body", "chunked", 200, all),
            ("random and mutated heads", "garbage", 200, all),
            ("140 that ask again and again", "hogs", 140, all),
            ("clients that vanish", "vanish", 200, all),
            (
                "1,000,000 packets of made-up senders",
                "spoofed",
                1_000_000 / few,
                1,
            ),
            ("random and mutated packets", "odd-packets", 5000, 1),
            ("wrong connection ids", "wrong-ids", 3000, 1),
        ] {
            self.strangers_do(title, &[(name, amount, addresses)]);
        }
        self.drippers_of_one_address();
        self.drippers_on_this_machine();
        // Last, since for half a second afterwards some threads do not look for newcomers.
        self.descriptors_run_out();
    }

    fn strangers_do(&mut self, title: &str, hazards: &[(&str, usize, usize)]) {
        let before = self.begin();
        for (name, amount, addresses) in hazards {
            self.strangers
                .ask(&format!("begin {name} {amount} {addresses}"));
        }
        let most = self.watch(self.dose.single);
        // What has a number and not a time may go on until now.
        let sent = self.strangers.ask("end");
        let met = self.met();
        self.end(title, sent, met, before, most);
    }

    /// Another part of the machine has taken them, and gives them back.
    fn descriptors_run_out(&mut self) {
        let before = self.begin();
        let id = self.tracker.id().to_string();
        let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
        let line = limits.lines().find(|l| l.starts_with("Max open files"));
        let usual = line.unwrap().split_whitespace().nth(3).unwrap();
        let limit = |descriptors: &str| {
            let mut command = Command::new("prlimit");
            command.args(["--pid", &id, &format!("--nofile={descriptors}:")]);
            succeed(&mut command);
        };
        limit(&(before.descriptors + 5).to_string());
        self.strangers.ask(&format!("begin idle 300 {ADDRESSES}"));
        let most = self.watch(self.dose.single);
        let sent = self.strangers.ask("end");
        limit(usual);
        let met = self.met();
        let sent = format!("{sent}; 5 descriptors left");
        self.end("descriptors run out", sent, met, before, most);
    }

    fn drippers_of_one_address(&mut self) {
        let drippers = DRIPPERS / self.dose.part;
        let before = self.begin();
        self.strangers.ask(&format!("begin drip {drippers} 1"));
        let mut most = self.watch(self.dose.single);
        let met = self.met();
        let probed = self.honest.ask("probe 60");
        most = largest(most, self.vitals());
        let sent = self.strangers.ask("end");
        self.end("1,000 drippers of one address", sent, met, before, most);
        let waited = self
            .table
            .note("1,000 drippers of one address", "another", &probed);
        if self.dose.is_full {
            assert!(
                waited <= LONGEST_WAIT,
                "a client of another address waited {waited:?}"
            );
        }
    }

    /// Whose number is not bounded: they cost each other their places.
    fn drippers_on_this_machine(&mut self) {
        let drippers = DRIPPERS / self.dose.part;
        let before = self.begin();
        self.locals.ask(&format!("begin drip {drippers} 1"));
        let mut most = self.watch(self.dose.single);
        let met = self.met();
        let probed = [self.locals.ask("probe 60"), self.honest.ask("probe 60")];
        most = largest(most, self.vitals());
        let sent = self.locals.ask("end");
        let title = "1,000 drippers on the tracker's machine";
        self.end(title, sent, met, before, most);
        self.table.note(title, "the same", &probed[0]);
        self.table.note(title, "another", &probed[1]);
    }

    /// All of it, in smaller numbers each, for the rest of the time.
    fn all_together(&mut self, round: usize) {
        let all = usize::from(ADDRESSES) + 1;
        let few = self.dose.part;
        let before = self.begin();
        for (name, amount, addresses) in [
            ("content-length", 10, all),
            ("no-body", 10, all),
            ("http2", 10, all),
            ("at-once", 10, 1),
            ("never-read", 2, all),
            ("idle", 200 / few, all),
            ("drip", 100 / few, 1),
            ("drip", 100 / few, all),
            ("endless-head", 2, all),
            ("raw-bytes", 20, all),
            ("reset", 50, all),
            ("chunked", 10, all),
            ("garbage", 50, all),
            ("hogs", 30, all),
            ("vanish", 100, all),
            ("odd-packets", 500, 1),
            ("wrong-ids", 300, 1),
        ] {
            self.strangers
                .ask(&format!("begin {name} {amount} {addresses}"));
        }
        for (name, amount) in [("idle", 50), ("drip", 50), ("hogs", 10), ("garbage", 20)] {
            self.locals.ask(&format!("begin {name} {amount} 2"));
        }
        let most = self.watch(self.dose.mixed);
        let met = self.met();
        let sent = [self.strangers.ask("end"), self.locals.ask("end")].join("; ");
        self.end(
            &format!("all of it together, round {round}"),
            sent,
            met,
            before,
            most,
        );
    }

    /// Announces many peers, all within a few seconds, looks while they are there, and has them
    /// leave.
    fn fill(&self) -> Vitals {
        let peers = 50_000 / self.dose.part;
        self.locals.ask(&format!("fill {peers} started"));
        let full = self.vitals();
        self.locals.ask(&format!("fill {peers} stopped"));
        full
    }

    fn begin(&self) -> Vitals {
        self.honest.ask("met");
        self.vitals()
    }

    /// Lets time pass. Returns the most that was held meanwhile.
    fn watch(&self, time: Duration) -> Vitals {
        let end = Instant::now() + time;
        let mut most = self.vitals();
        while Instant::now() < end {
            thread::sleep(Duration::from_millis(50));
            most = largest(most, self.vitals());
        }
        most
    }

    fn met(&self) -> Met {
        Met::read(&self.honest.ask("met"))
    }

    /// Waits until what was there for the others has been let go.
    fn end(&mut self, title: &str, sent: String, met: Met, before: Vitals, most: Vitals) {
        let mut after = before;
        // The honest clients come and go.
        let connections = 4 * self.dose.clients;
        let is_over = eventually(|| {
            after = self.vitals();
            after.descriptors <= before.descriptors + connections
        });
        assert!(
            is_over,
            "{title}: {before:?}, then {after:?}\n{}",
            self.tracker.report()
        );
        self.table.rows.push(Row {
            title: title.to_owned(),
            sent,
            met,
            vitals: [before, most, after],
        });
    }
}

fn foreign(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, 100 + number)
}

fn largest(one: Vitals, other: Vitals) -> Vitals {
    Vitals {
        threads: one.threads.max(other.threads),
        gate_threads: one.gate_threads.max(other.gate_threads),
        descriptors: one.descriptors.max(other.descriptors),
        resident: one.resident.max(other.resident),
    }
}
