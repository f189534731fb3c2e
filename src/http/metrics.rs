//! `/metrics`: the numbers in the text format of Prometheus, with names, units and types as its own
//! guide wants them (<https://prometheus.io/docs/practices/naming/>).
//!
//! Values in, text out. What each number means is said in the text itself.

use crate::counters::{Counters, Durations, Outcomes, Transport};
use crate::swarms::Totals;
use std::fmt::{self, Write as _};
use std::time::{Duration, UNIX_EPOCH};

/// The text.
pub fn render(counters: &Counters, totals: &Totals) -> String {
    let mut text = Text {
        out: String::with_capacity(8 * 1024),
        name: "",
    };
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    text.begin("mayfly_build_info", "gauge", "The version that runs.");
    text.count(&version, 1);
    let name = "process_start_time_seconds";
    text.begin(name, "gauge", "When it was started, in Unix time.");
    let started = counters.started.duration_since(UNIX_EPOCH);
    text.seconds("", &[], started.unwrap_or_default());

    text.begin("mayfly_torrents", "gauge", "Torrents that have peers.");
    text.count(&[], totals.torrents as u64);
    text.begin("mayfly_peers", "gauge", "Peers that are stored.");
    for (kind, of_kind) in ["leecher", "seeder"].into_iter().zip(totals.clients) {
        for (family, count) in ["ipv4", "ipv6"].into_iter().zip(of_kind) {
            text.count(&[("kind", kind), ("family", family)], count.into());
        }
    }
    let help = "Peers that were forgotten since they had fallen silent.";
    text.begin("mayfly_peers_swept_total", "counter", help);
    text.count(&[], totals.swept);

    let transports = [("http", &counters.http), ("udp", &counters.udp)];
    let help = "Announces, by what became of them.";
    text.begin("mayfly_announces_total", "counter", help);
    text.outcomes(transports, |transport| &transport.announces);
    let help = "Scrapes, by what became of them.";
    text.begin("mayfly_scrapes_total", "counter", help);
    text.outcomes(transports, |transport| &transport.scrapes);
    let help = "Announces and everything else that was refused.";
    text.begin("mayfly_refusals_total", "counter", help);
    for (reason, count) in counters.refusals() {
        text.count(&[("reason", reason)], count);
    }

    let connections = &counters.connections;
    let help = "HTTP connections at this moment.";
    text.begin("mayfly_http_connections", "gauge", help);
    text.count(&[], connections.count());
    let help = "HTTP connections that got a place.";
    text.begin("mayfly_http_connections_opened_total", "counter", help);
    text.count(&[], connections.opened.get());
    let help = "HTTP connections that were closed to make room for newcomers.";
    text.begin("mayfly_http_connections_evicted_total", "counter", help);
    text.count(&[], connections.evicted.get());
    let help = "HTTP connections that were one too many of their address.";
    text.begin("mayfly_http_connections_turned_away_total", "counter", help);
    text.count(&[], connections.turned_away.get());

    let help = "From a request's being read until its answer is handed on.";
    text.begin("mayfly_request_duration_seconds", "histogram", help);
    for (transport, numbers) in transports {
        text.histogram(transport, &numbers.durations);
    }
    text.out
}

/// What has been written, and the metric that is being written.
struct Text {
    out: String,
    name: &'static str,
}

impl Text {
    /// Out of line, as what is called often below, which keeps the executable 3 KB smaller.
    #[inline(never)]
    fn begin(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        // Writing into a String does not fail, here and below.
        let _ = write!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    #[inline(never)]
    fn count(&mut self, labels: &[(&str, &str)], value: u64) {
        self.sample("", labels, format_args!("{value}"));
    }

    fn seconds(&mut self, suffix: &str, labels: &[(&str, &str)], time: Duration) {
        let (seconds, nanoseconds) = (time.as_secs(), time.subsec_nanos());
        self.sample(suffix, labels, format_args!("{seconds}.{nanoseconds:09}"));
    }

    #[inline(never)]
    fn outcomes(
        &mut self,
        transports: [(&str, &Transport); 2],
        outcomes: fn(&Transport) -> &Outcomes,
    ) {
        for (transport, numbers) in transports {
            let Outcomes { answered, refused } = outcomes(numbers);
            for (outcome, count) in [("answered", answered), ("refused", refused)] {
                let labels = [("transport", transport), ("outcome", outcome)];
                self.count(&labels, count.get());
            }
        }
    }

    fn histogram(&mut self, transport: &str, durations: &Durations) {
        // Read once, so that the numbers fit together while others add to them.
        let counts = durations.cumulative();
        let bounds = Durations::BOUNDS.into_iter().map(|(_, seconds)| seconds);
        for (bound, count) in bounds.chain(["+Inf"]).zip(counts) {
            let labels = [("transport", transport), ("le", bound)];
            self.sample("_bucket", &labels, format_args!("{count}"));
        }
        let labels = [("transport", transport)];
        let sum = Duration::from_nanos(durations.nanoseconds());
        self.seconds("_sum", &labels, sum);
        let all = counts[counts.len() - 1];
        self.sample("_count", &labels, format_args!("{all}"));
    }

    /// Labels and their values are constants without anything that would have to be escaped.
    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: fmt::Arguments<'_>) {
        let (out, name) = (&mut self.out, self.name);
        let _ = write!(out, "{name}{suffix}");
        let mut before = '{';
        for (label, of) in labels {
            let _ = write!(out, "{before}{label}=\"{of}\"");
            before = ',';
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(out, "{end} {value}");
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
