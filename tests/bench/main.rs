//! `make bench`: mayfly against others on the same load, alternating within one run, and ratios
//! with their spread. Absolute figures belong to the machine; ratios are what to look at, and on a
//! machine that others use too, those of processor time. What the sections are is in
//! `dont_readme.txt` ("How fast it is").
//!
//! What was tried, and what it did:
//!
//! - 3 threads at a UDP socket, which wake each other for every packet, instead of one that is helped
//!   only while that brings more: twice the processor time for a packet (8.5 instead of 4.5
//!   microseconds), and 0.7 of the answers by aquatic's load tester on two processors.
//! - Members read in runs of ten instead of singly: 30 to 40 percent less for an announce in process.
//!   That stayed. The asker left out of the runs after drawing instead of before: its neighbours
//!   are shown up to twice as often as others.
//! - Peers put together and then moved into the answer, instead of written there: the processor
//!   waits where it reads in one piece what was just written in several, up to 150 nanoseconds for
//!   an answer. Putting them together in a closure, for each member: 400 nanoseconds more still.
//! - TCP on loopback instead of a Unix socket between gate and tiny_http: no difference that could
//!   be told from noise.
//! - 4 links to tiny_http instead of 12 cost 30 percent on kept connections; 32 won some 10 to 20
//!   percent over 12, and 48 nothing over 32.
//! - 200 threads all waiting in accept cost some 8 percent against 24 of them, with a connection
//!   each.
//! - A thread that waits for the answer to its own request, instead of going on with the client
//!   whose request it took: 4.2 switches for an announce instead of 3.5, and a fifth fewer
//!   announces on kept connections.
//! - Giving up the processor once or thrice before waiting for tiny_http's queue: 9 percent more
//!   with a connection each, 14 percent fewer on kept ones; with the above, no gain in either.
//! - Who asks in a header for tiny_http, instead of beside the request: a tenth more user time,
//!   since tiny_http takes some 80 instructions for a byte.
//! - tiny_http compiled for size: 3.5 percent more instructions for an announce, 30 KB less. Not
//!   taken.
//! - Places for peers filled in one by one (`resize`), instead of copied: 308 nanoseconds for an
//!   announce among 1,000 peers instead of 274, for the same reason.
//! - No list in the order of the last announces, so that an announce touches no neighbours in it:
//!   1,040 and 1,154 nanoseconds with a million peers where the same runs gave 1,049 and 1,158, and
//!   561 and 563 with 100,000 where they gave 539 and 570. What is written there is not waited
//!   for. So a timing wheel, which would besides have to look at every peer now and then, has
//!   nothing to win.
//!   That was an AMD EPYC. On an Intel Xeon of 2019, it was 120 of 1,150 nanoseconds with a million
//!   peers.
//! - A table of our own from a peer's hash to its record, instead of std's `HashMap`: 85 of 1,230
//!   nanoseconds less with a million peers, one visit to memory instead of two. That stayed. To fetch
//!   its entry together with the members who will probably be shown: 100 less again, but 80 more with
//!   100,000 peers, of which the caches hold more; together with the groups alone: no difference.
//! - Records of 32 bytes, each within one line of the cache, instead of 28: no difference.
//! - What is hashed written in one piece of a multiple of 8 bytes, instead of three: no difference.
//! - Asking an empty UDP socket five times, with the processor given up in between, before
//!   waiting: 176,000 answers a second by aquatic's tester instead of 175,000 (medians of six), for
//!   more processor time where there is room for it.
//! - Members of 22 bytes for both families, and of 10 with the slot beside the endpoint, instead of
//!   6 with nothing else: 2.0 and 1.8 microseconds for an announce with a million peers instead of
//!   1.4.
//! - A look at the endpoint behind each fingerprint: a tenth of that.
//! - Looking at each picked peer as it is drawn, instead of drawing all and touching them first: up
//!   to a microsecond with a million peers.
//! - Giving up the processor once between accepting a connection and its first read: 6 to 8 percent
//!   more announces with a connection each. That stayed.
//! - Counting and timing take 1.5 percent of the instructions of an announce over HTTP and 1.9
//!   percent over UDP (by callgrind, outside of the kernel, where two thirds of the time go), which
//!   no stopwatch here could tell from noise.

mod aquatic;
mod compare;
mod contenders;
mod http;
mod program;
#[path = "../support/random.rs"]
mod random;
mod state;
mod udp;

use compare::compare;
use contenders::Contender;
use std::time::Duration;

/// Of the loads that may last as long as one likes.
const ROUND: Duration = Duration::from_secs(2);
/// Packets a second of a machine that is busy, and not more than that.
const OFFERED: u32 = 100_000;
const KEPT: [(bool, &str); 2] = [(true, "kept connections"), (false, "a connection each")];

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("--serve-udp-echo") => contenders::serve_udp_echo(),
        Some("--serve-tiny-http") => contenders::serve_tiny_http(),
        Some("--measure-memory") => state::measure_memory(),
        // cargo bench passes --bench; a name after it selects sections.
        _ => bench(),
    }
}

/// What can be measured alone: `make bench ARGS=NAME`, or a part of the name, which may be that of
/// several.
const SECTIONS: [(&str, fn()); 8] = [
    ("http", bench_http),
    ("http aquatic", bench_http_by_aquatic),
    ("udp", bench_udp),
    ("udp offered", bench_udp_offered),
    ("udp aquatic", bench_udp_by_aquatic),
    ("state", state::bench),
    ("list", state::bench_list),
    ("program", program::bench),
];

fn bench() {
    let words = std::env::args().skip(1).filter(|arg| !arg.starts_with('-'));
    let wanted = words.collect::<Vec<_>>().join(" ");
    let is_wanted = |(name, _): &&(&str, fn())| name.contains(&wanted);
    if !SECTIONS.iter().any(|section| is_wanted(&section)) {
        let names = SECTIONS.map(|(name, _)| name).join(", ");
        eprintln!("no section is called '{wanted}'; there are: {names}");
        std::process::exit(1);
    }
    for (_, measure) in SECTIONS.iter().filter(is_wanted) {
        measure();
    }
}

fn bench_http() {
    if let Err(why) = http::is_possible() {
        println!("HTTP: skipped: {why}");
        return;
    }
    for (kept, what) in KEPT {
        println!("HTTP announces, {what}:");
        let bare = || contenders::role("bare tiny_http", "--serve-tiny-http");
        compare(
            vec![contenders::mayfly(), bare()],
            others([contenders::opentracker(), contenders::tornado()]),
            |c| http::load(c.address, kept, ROUND),
        );
    }
}

fn bench_http_by_aquatic() {
    if let Err(why) = aquatic::http_is_possible() {
        println!("HTTP by aquatic's tester: skipped: {why}");
        return;
    }
    for (kept, what) in KEPT {
        println!("HTTP announces by aquatic's tester, {what}:");
        compare(
            vec![contenders::mayfly()],
            others([aquatic::http_tracker(kept)]),
            |c| aquatic::http_load(c.address, kept),
        );
    }
}

fn bench_udp() {
    for window in [16, 64] {
        println!("UDP announces, {window} of each of two clients under way:");
        compare(
            vec![contenders::mayfly(), udp_echo()],
            others([contenders::opentracker(), aquatic::udp_tracker()]),
            |c| udp::load(c.address, window, ROUND),
        );
    }
}

fn bench_udp_offered() {
    println!("UDP announces, {OFFERED} offered a second:");
    compare(
        vec![contenders::mayfly(), udp_echo()],
        others([contenders::opentracker(), aquatic::udp_tracker()]),
        |c| udp::offer(c.address, OFFERED, ROUND),
    );
}

fn bench_udp_by_aquatic() {
    if let Err(why) = aquatic::udp_is_possible() {
        println!("UDP by aquatic's tester: skipped: {why}");
        return;
    }
    println!("UDP by aquatic's tester, which sends more than is answered:");
    compare(
        vec![contenders::mayfly(), udp_echo()],
        others([aquatic::udp_tracker()]),
        |c| aquatic::udp_load(c.address),
    );
}

/// With mayfly as it was before, if that is wanted.
fn others<const N: usize>(
    peers: [Result<Contender, String>; N],
) -> impl Iterator<Item = Result<Contender, String>> {
    peers.into_iter().chain(contenders::mayfly_before())
}

fn udp_echo() -> Contender {
    contenders::role("bare std echo", "--serve-udp-echo")
}
