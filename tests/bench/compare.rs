//! The comparing: all contenders in turn, round after round, and a line for each with medians,
//! ratios and their spread. What they are asked is in `http.rs`, `udp.rs` and `aquatic.rs`.

use std::fs;

use crate::contenders::Contender;

/// Rounds; the median counts.
const ROUNDS: usize = 5;

/// What a load has found out.
pub struct Load {
    /// Answers a second.
    pub rate: f64,
    /// For how many seconds.
    pub seconds: f64,
}

/// What is known of a contender after a round.
#[derive(Clone, Copy)]
struct Figures {
    /// Answers a second.
    rate: f64,
    /// Microseconds of processor time for an answer.
    time: f64,
    /// Those of them in user mode, which the kernel samples: less exact.
    user: f64,
}

/// Measures all in turn, and prints a line for each: its medians, and the first one's ratios to
/// it with the spread over the rounds.
pub fn compare(
    mut contenders: Vec<Contender>,
    optional: impl IntoIterator<Item = Result<Contender, String>>,
    measure: impl Fn(&Contender) -> Load,
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
            figures.push(of_a_round(contender, &measure));
        }
    }
    println!("    {:16} answers/s  µs each (user mode)   mayfly / it", "");
    for (contender, its) in contenders.iter().zip(&figures) {
        let name = contender.name;
        let of_all = |what: fn(&Figures) -> f64| median(its.iter().map(what).collect());
        let (rate, time, user) = (of_all(|f| f.rate), of_all(|f| f.time), of_all(|f| f.user));
        print!("    {name:16} {rate:9.0}    {time:6.2} ({user:5.2})");
        if name != contenders[0].name {
            let rate = ratio(&figures[0], its, |f| f.rate);
            let time = ratio(&figures[0], its, |f| f.time);
            print!("      answers {rate}, µs {time}");
        }
        println!();
    }
}

fn of_a_round(contender: &Contender, measure: impl Fn(&Contender) -> Load) -> Figures {
    let before = processor_time(contender.id());
    let load = measure(contender);
    let after = processor_time(contender.id());
    let microseconds = |ticks: u64| ticks as f64 * 1e6 / TICKS / (load.rate * load.seconds);
    Figures {
        rate: load.rate,
        time: microseconds(after.all - before.all),
        user: microseconds(after.user - before.user),
    }
}

/// The median of the ratios, the least and the greatest.
fn ratio(ours: &[Figures], its: &[Figures], what: fn(&Figures) -> f64) -> String {
    let ratios = ours.iter().zip(its).map(|(a, b)| what(a) / what(b));
    let mut ratios: Vec<_> = ratios.collect();
    ratios.sort_by(f64::total_cmp);
    let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
    format!("{:.2} ({least:.2} to {most:.2})", median(ratios))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Ticks in a second: `USER_HZ`, which is 100 on every Linux of today.
const TICKS: f64 = 100.0;

/// Processor time in ticks.
struct ProcessorTime {
    all: u64,
    user: u64,
}

/// What a process has used so far, threads that have ended included; nothing where the system does
/// not tell.
fn processor_time(id: u32) -> ProcessorTime {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // Behind the name, which may hold anything, `utime` and `stime` are the 12th and 13th.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || fields.next().and_then(|ticks| ticks.parse().ok());
    let (user, system): (u64, u64) = (next().unwrap_or(0), next().unwrap_or(0));
    ProcessorTime {
        all: user + system,
        user,
    }
}
