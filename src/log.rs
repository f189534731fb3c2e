//! The log: one line a happening on stdout, with a UTC timestamp (but not in the journal, which
//! adds its own), whole and flushed at once.
//!
//! Nobody waits for it. Lines go through a bounded queue to a thread that writes them; what comes
//! faster than the rates below, or than the terminal or the disk takes it, is counted and left
//! out, so that a flood of announces neither slows the answers nor fills the disk. What is worth
//! a line is decided where it happens.

use crate::lock::lock;
use crate::threads;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How much the operator wants to read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Verbosity {
    /// The announce URLs and errors (`-q`).
    Quiet,
    /// Also what is wrong with clients, and torrents that come and go.
    #[default]
    Normal,
    /// Also announces (`-v`).
    Verbose,
}

/// What a line is about: decides who gets to read it, and how many a second there may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum About {
    /// The announce URLs, and errors of the tracker itself or of the machine.
    Always,
    /// The other lines of the start.
    Start,
    /// Something is wrong, and not with the tracker.
    Trouble,
    /// A torrent's first peer, or its last.
    Torrent,
    /// One announce.
    Announce,
}

/// Kinds of lines that are bounded each on its own, so that a flood of one hides no other.
const KINDS: usize = 5;

impl About {
    /// From which verbosity on the line is written.
    fn least(self) -> Verbosity {
        match self {
            About::Always => Verbosity::Quiet,
            About::Start | About::Trouble | About::Torrent => Verbosity::Normal,
            About::Announce => Verbosity::Verbose,
        }
    }

    /// How many lines may come at once, and how many a second in the long run. At the latter
    /// rates a day's flood writes some 100 MB by default, and about 1 GB with `-v`.
    fn rate(self) -> (f64, f64) {
        match self {
            About::Always | About::Start => (100.0, 1.0),
            About::Trouble => (50.0, 2.0),
            About::Torrent => (200.0, 5.0),
            About::Announce => (2000.0, 100.0),
        }
    }

    fn plural(self) -> &'static str {
        match self {
            About::Always | About::Start => "errors",
            About::Trouble => "complaints",
            About::Torrent => "lines about torrents",
            About::Announce => "announces",
        }
    }
}

/// Longest line, in bytes; longer ones are cut.
const LONGEST_LINE: usize = 500;
/// Lines in the queue at most.
const QUEUE: usize = 4096;
/// When the lines that were left out are counted in the log, at the latest.
const TELL_AFTER: Duration = Duration::from_secs(5);

/// Whether lines begin with the time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Times {
    /// They do.
    Written,
    /// Whoever reads them adds it.
    LeftOut,
}

impl Times {
    /// As suits stdout: systemd's journal has a time for each line already.
    pub fn of_stdout() -> Times {
        match leads_to_the_journal(Path::new("/proc/self/fd/1")) {
            true => Times::LeftOut,
            false => Times::Written,
        }
    }
}

/// Whether this file is the one that systemd says is the journal. Its name alone in the
/// environment is not enough: a terminal's programs inherit it, and so do those of a unit that
/// writes into a file.
#[cfg(unix)]
fn leads_to_the_journal(file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let journal = std::env::var("JOURNAL_STREAM");
    let file = std::fs::metadata(file);
    matches!((journal, file), (Ok(journal), Ok(file))
        if journal == format!("{}:{}", file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn leads_to_the_journal(_: &Path) -> bool {
    false
}

/// The way to the log; clones lead to the same one.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    verbosity: Verbosity,
    times: Times,
    queue: SyncSender<Message>,
    buckets: Mutex<[Bucket; KINDS]>,
}

enum Message {
    Line(String),
    /// Something was left out: a reason to look.
    Missed,
    /// Answered when everything before it has been written.
    #[cfg(test)]
    Flush(SyncSender<()>),
}

/// A token bucket.
struct Bucket {
    about: About,
    tokens: f64,
    filled: Instant,
    left_out: u64,
}

impl Log {
    /// A log that writes to `out`, from a thread of its own.
    pub fn new(
        verbosity: Verbosity,
        times: Times,
        out: impl Write + Send + 'static,
    ) -> io::Result<Log> {
        let (queue, messages) = sync_channel(QUEUE);
        let kinds = [
            About::Always,
            About::Start,
            About::Trouble,
            About::Torrent,
            About::Announce,
        ];
        let shared = Arc::new(Shared {
            verbosity,
            times,
            queue,
            buckets: Mutex::new(kinds.map(|about| Bucket {
                about,
                tokens: about.rate().0,
                filled: Instant::now(),
                left_out: 0,
            })),
        });
        // The thread must not keep its own queue alive, or it would never end.
        let for_thread = Arc::downgrade(&shared);
        let work = Box::new(move || write_lines(&messages, Out::new(times, out), &for_thread));
        threads::start("log", 128 * 1024, work)?;
        Ok(Log(shared))
    }

    /// Whether lines of this kind are written at all; for those that cost something to put
    /// together.
    pub fn wants(&self, about: About) -> bool {
        self.0.verbosity >= about.least()
    }

    /// Writes a line. Never waits.
    pub fn line(&self, about: About, text: fmt::Arguments<'_>) {
        if !self.wants(about) {
            return;
        }
        {
            let mut buckets = lock(&self.0.buckets);
            let bucket = &mut buckets[about as usize];
            if !bucket.take(Instant::now()) {
                bucket.left_out += 1;
                if bucket.left_out == 1 {
                    // The thread may be asleep, with nothing to wake it until the next line. If
                    // the queue is full, it is not.
                    let _ = self.0.queue.try_send(Message::Missed);
                }
                return;
            }
        }
        let line = self.0.times.stamped(text);
        if self.0.queue.try_send(Message::Line(line)).is_err() {
            lock(&self.0.buckets)[about as usize].left_out += 1;
        }
    }

    /// Waits until what was logged before has been written, or tried.
    #[cfg(test)]
    pub fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        if self.0.queue.send(Message::Flush(done)).is_ok() {
            let _ = is_done.recv_timeout(Duration::from_secs(20));
        }
    }
}

impl Shared {
    fn has_left_out(&self) -> bool {
        lock(&self.buckets).iter().any(|bucket| bucket.left_out > 0)
    }

    /// A line for each kind of which lines were left out.
    fn take_left_out(&self) -> Vec<String> {
        let mut buckets = lock(&self.buckets);
        let missed = buckets.iter_mut().filter(|bucket| bucket.left_out > 0);
        missed
            .map(|bucket| {
                let count = std::mem::take(&mut bucket.left_out);
                let what = bucket.about.plural();
                let text = format_args!("{count} more {what} came too fast for the log");
                self.times.stamped(text)
            })
            .collect()
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        let (most, a_second) = self.about.rate();
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * a_second).min(most);
        self.filled = now;
        let has_one = self.tokens >= 1.0;
        if has_one {
            self.tokens -= 1.0;
        }
        has_one
    }
}

/// The log's thread.
fn write_lines<W: Write>(messages: &Receiver<Message>, mut out: Out<W>, shared: &Weak<Shared>) {
    let mut tell_at: Option<Instant> = None;
    loop {
        let message = match tell_at {
            None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => messages.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match message {
            Ok(Message::Line(line)) => out.line(&line),
            #[cfg(test)]
            Ok(Message::Flush(done)) => {
                let _ = done.send(());
            }
            Ok(Message::Missed) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        // After every message and not only when the queue is silent: a flood has no silence.
        let Some(shared) = shared.upgrade() else {
            continue;
        };
        match tell_at {
            None if shared.has_left_out() => tell_at = Some(Instant::now() + TELL_AFTER),
            Some(at) if Instant::now() >= at => {
                let lines = shared.take_left_out();
                lines.iter().for_each(|line| out.line(line));
                tell_at = None;
            }
            _ => {}
        }
    }
}

/// Where the lines go. Failures (stdout closed, disk full) cost lines and nothing else.
struct Out<W> {
    times: Times,
    writer: W,
    lost: u64,
}

impl<W: Write> Out<W> {
    fn new(times: Times, writer: W) -> Out<W> {
        Out {
            times,
            writer,
            lost: 0,
        }
    }

    fn line(&mut self, line: &str) {
        if self.lost > 0 {
            // The line that failed may have been written in part: begin a new one.
            let count = self.lost;
            let text = format_args!("{count} lines before this one could not be written");
            let note = format!("\n{}", self.times.stamped(text));
            if self.write(&note).is_err() {
                self.lost += 1;
                return;
            }
            self.lost = 0;
        }
        if self.write(line).is_err() {
            self.lost += 1;
        }
    }

    /// In one write where the system allows, so that lines of two programs do not mix.
    fn write(&mut self, line: &str) -> io::Result<()> {
        self.writer.write_all(line.as_bytes())?;
        self.writer.flush()
    }
}

impl Times {
    /// The line that is written now.
    fn stamped(self, text: fmt::Arguments<'_>) -> String {
        let time = (self == Times::Written).then(SystemTime::now);
        line_of(time, text)
    }
}

/// `2026-11-22T12:16:43Z text`, and a line feed. Everything but printable ASCII is escaped, since
/// parts of the text come from strangers and end up in somebody's terminal.
fn line_of(time: Option<SystemTime>, text: fmt::Arguments<'_>) -> String {
    let mut line = Printable(time.map_or_else(String::new, |time| timestamp(time) + " "));
    // A String takes everything.
    let _ = line.write_fmt(text);
    line.0.truncate(LONGEST_LINE);
    line.0.push('\n');
    line.0
}

/// A string that takes printable ASCII as it is and escapes the rest.
struct Printable(String);

impl fmt::Write for Printable {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.0.len() >= LONGEST_LINE {
                break;
            }
            match c {
                ' '..='~' => self.0.push(c),
                _ => self.0.extend(c.escape_default()),
            }
        }
        Ok(())
    }
}

/// RFC 3339, to the second, in UTC.
fn timestamp(time: SystemTime) -> String {
    // A clock before 1970 is not worth an error.
    let seconds = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs(),
        Err(_) => 0,
    };
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of the day so many days after 1 January 1970 (Gregorian). Years are taken
/// to begin in March, which puts the leap day at a year's end.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 1 March of the year 0
    let era = days / 146_097; // of 400 years
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months = (5 * day_of_year + 2) / 153; // since March
    let day = day_of_year - (153 * months + 2) / 5 + 1;
    let month = if months < 10 { months + 3 } else { months - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
