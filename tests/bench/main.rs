//! `make bench`: mayfly against others on the same load, alternating within one run, and ratios
//! with their spread. Absolute figures belong to the machine; ratios are what to look at.
//!
//! What was tried, and what it did:
//!
//! - 3 threads for a UDP socket instead of 2 won about a tenth, 4 no more.
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

mod contenders;
mod http;
mod program;
#[path = "../support/random.rs"]
mod random;
mod state;
mod udp;

use contenders::Contender;
use std::time::Duration;

/// Rounds; the median counts.
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("--serve-udp-echo") => contenders::serve_udp_echo(),
        Some("--serve-tiny-http") => contenders::serve_tiny_http(),
        Some("--udp-load") => {
            let to = std::env::args()
                .nth(2)
                .and_then(|to| to.parse().ok())
                .expect("an address");
            println!("{:.0}", udp::answers_per_second(to, ROUND));
        }
        Some("--measure-memory") => state::measure_memory(),
        // cargo bench passes --bench; a name after it selects sections.
        _ => bench(),
    }
}

fn bench() {
    let only = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let wanted = |section: &str| only.as_deref().is_none_or(|only| section.contains(only));
    if wanted("http") {
        bench_http();
    }
    if wanted("udp") {
        println!("UDP announces, answers per second:");
        let echo = || contenders::role("bare std echo", "--serve-udp-echo");
        compare(
            vec![contenders::mayfly(), echo()],
            [contenders::opentracker()],
            |c| udp::answers_per_second(c.address, ROUND),
        );
    }
    if wanted("state") {
        state::bench();
    }
    if wanted("list") {
        state::bench_list();
    }
    if wanted("program") {
        program::bench();
    }
}

fn bench_http() {
    if let Err(why) = http::is_possible() {
        println!("HTTP: skipped: {why}");
        return;
    }
    for (kept, what) in [(true, "kept connections"), (false, "a connection each")] {
        println!("HTTP announces, {what}, answers per second:");
        let bare = || contenders::role("bare tiny_http", "--serve-tiny-http");
        compare(
            vec![contenders::mayfly(), bare()],
            [contenders::opentracker(), contenders::tornado()],
            |c| http::answers_per_second(c.address, kept, ROUND),
        );
    }
}

/// Measures all in turn, round after round, and prints a line for each: its median, and the first
/// one's ratio to it with the spread over the rounds.
fn compare(
    mut contenders: Vec<Contender>,
    optional: impl IntoIterator<Item = Result<Contender, String>>,
    measure: impl Fn(&Contender) -> f64,
) {
    for contender in optional {
        match contender {
            Ok(contender) => contenders.push(contender),
            Err(why) => println!("    skipped: {why}"),
        }
    }
    let mut figures = vec![Vec::new(); contenders.len()];
    for _ in 0..ROUNDS {
        for (contender, figures) in contenders.iter().zip(&mut figures) {
            figures.push(measure(contender));
        }
    }
    for (i, contender) in contenders.iter().enumerate() {
        print!("    {:16} {:8.0}", contender.name, median(&figures[i]));
        if i > 0 {
            let ratios: Vec<_> = figures[0]
                .iter()
                .zip(&figures[i])
                .map(|(a, b)| a / b)
                .collect();
            let least = ratios.iter().copied().fold(f64::MAX, f64::min);
            let most = ratios.iter().copied().fold(0.0, f64::max);
            let median = median(&ratios);
            print!("   mayfly / it: {median:.2} ({least:.2} to {most:.2})");
        }
        println!();
    }
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
