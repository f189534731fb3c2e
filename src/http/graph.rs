//! The two graphs of the page: what the tracker remembers of the last ten minutes as the points of a
//! line in SVG, and in words for those who do not see it.
//!
//! Values in, text out. Their frame and their colours are in `page.html` and `page.css`.

use crate::history::{SECONDS, STEPS, Step};

/// How wide a step is, and where the highest value and zero are; the `viewBox` in `page.html` is
/// wider and higher by what the line needs on all sides.
const WIDTH: usize = 10;
const TOP: u64 = 0;
const BOTTOM: u64 = 100;
/// Steps that words tell of in one number: a minute.
const MINUTE: usize = 60 / SECONDS as usize;

/// A graph.
#[derive(PartialEq, Eq, Debug)]
pub struct Graph {
    /// The corners of the area under the line, for `points`; the newest step is at the right.
    pub points: String,
    /// The highest value.
    pub most: String,
    /// The same in words: the mean of each minute.
    pub words: String,
}

/// Announces a second.
pub fn announces(steps: &[Step]) -> Graph {
    let rate = |sum: u64, steps: usize| {
        let tenths = sum * 10 / (steps as u64 * u64::from(SECONDS));
        match tenths {
            0 if sum > 0 => "below 0.1".to_owned(),
            0 => "0".to_owned(),
            1..100 => format!("{}.{}", tenths / 10, tenths % 10),
            _ => grouped(tenths / 10),
        }
    };
    graph("Announces a second", steps, |step| step.announces, rate)
}

/// Peers.
pub fn peers(steps: &[Step]) -> Graph {
    let mean = |sum, steps| grouped(sum / steps as u64);
    graph("Peers", steps, |step| step.peers, mean)
}

/// `mean` says what the sum of so many steps comes to.
fn graph(
    what: &str,
    steps: &[Step],
    value: fn(&Step) -> u32,
    mean: fn(u64, usize) -> String,
) -> Graph {
    let values: Vec<u64> = steps.iter().map(|step| value(step).into()).collect();
    let most = values.iter().copied().max().unwrap_or_default();
    let mut points = String::new();
    let mut x = (STEPS - values.len()) * WIDTH;
    // Where there is an area, it goes down at both ends.
    if !values.is_empty() {
        points.push_str(&format!("{x},{BOTTOM}"));
    }
    for value in &values {
        let y = BOTTOM - value * (BOTTOM - TOP) / most.max(1);
        points.push_str(&format!(" {x},{y} {},{y}", x + WIDTH));
        x += WIDTH;
    }
    if !values.is_empty() {
        points.push_str(&format!(" {x},{BOTTOM}"));
    }
    let mut words = format!("{what}, minute by minute, the oldest first");
    let mut before = ": ";
    let minutes: Vec<_> = values.rchunks(MINUTE).collect();
    for minute in minutes.iter().rev() {
        words.push_str(before);
        before = ", ";
        words.push_str(&mean(minute.iter().sum(), minute.len()));
    }
    if minutes.is_empty() {
        words.push_str(": nothing yet");
    }
    Graph {
        points,
        most: mean(most, 1),
        words,
    }
}

/// `1,234,567`.
pub fn grouped(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}

#[cfg(test)]
#[path = "graph_tests.rs"]
mod tests;
