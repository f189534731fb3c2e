//! What was seen of each hazard, as a table for people: what was sent, what the honest clients met
//! meanwhile, and what the tracker held before, at most, and after.

use std::time::Duration;

use crate::support::vitals::Vitals;

/// What the honest clients met over one transport.
pub struct Line {
    pub asked: usize,
    /// How many of them had to be asked more than once.
    pub again: usize,
    pub median: Duration,
    pub worst: Duration,
}

/// Over HTTP and over UDP.
pub struct Met {
    lines: [Line; 2],
    /// Kept connections of HTTP that turned out to be closed.
    reopened: usize,
}

pub struct Row {
    pub title: String,
    pub sent: String,
    pub met: Met,
    pub vitals: [Vitals; 3],
}

#[derive(Default)]
pub struct Table {
    pub rows: Vec<Row>,
    notes: Vec<String>,
}

impl Met {
    /// As the honest part says it.
    pub fn read(words: &str) -> Met {
        let numbers: Vec<u64> = words.split(' ').map(|n| n.parse().unwrap()).collect();
        let line = |at: usize| Line {
            asked: numbers[at] as usize,
            again: numbers[at + 1] as usize,
            median: Duration::from_micros(numbers[at + 2]),
            worst: Duration::from_micros(numbers[at + 3]),
        };
        Met {
            lines: [line(0), line(4)],
            reopened: numbers[8] as usize,
        }
    }
}

impl Table {
    /// Notes down what a probe said, and gives the worst wait.
    pub fn note(&mut self, title: &str, whose: &str, probed: &str) -> Duration {
        let (median, worst) = probed.split_once(' ').unwrap();
        let [median, worst] = [median, worst].map(|n| Duration::from_micros(n.parse().unwrap()));
        self.notes.push(format!(
            "{title}: 60 announces from {whose} address, median {median:?}, worst {worst:?}"
        ));
        worst
    }

    pub fn print(&self) {
        println!(
            "\n{:41}|{:^39}|{:^32}|{:^17}|{:^11}|{:^11}",
            "", "HTTP", "UDP", "resident MB", "threads", "descriptors"
        );
        let line = "  asked  first   lost median  worst";
        println!(
            "{:41}|{line}  again|{line}| before most after",
            "milliseconds"
        );
        for Row {
            title, met, vitals, ..
        } in &self.rows
        {
            print!("{title:41}|");
            let [http, udp] = &met.lines;
            print!("{http} {:6}|{udp}|", met.reopened);
            let megabytes = vitals.map(|v| format!("{:5.1}", v.resident as f64 / 1024.0));
            let threads = vitals.map(|v| format!("{:3}", v.threads));
            let descriptors = vitals.map(|v| format!("{:3}", v.descriptors));
            let all = [megabytes, threads, descriptors].map(|three| three.join(" "));
            println!("{}", all.join("|"));
        }
        println!("\nWhat was sent:");
        for row in self.rows.iter().filter(|row| !row.sent.is_empty()) {
            println!("  {}: {}", row.title, row.sent);
        }
        for note in &self.notes {
            println!("{note}");
        }
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        // Who is not answered ends the soak, so all that are counted were, sooner or later.
        let share = (self.asked - self.again) as f64 * 100.0 / self.asked.max(1) as f64;
        write!(
            f,
            "{:7} {share:5.1}% {:6} {:6.1} {:6.1}",
            self.asked,
            self.again,
            milliseconds(self.median),
            milliseconds(self.worst)
        )
    }
}
