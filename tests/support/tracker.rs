//! Starts the tracker's executable and reads from its standard output where it listens. Requests
//! are sent by the tests and the clients, not from here.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::Process;

/// Long, since wine takes its time to set itself up; a tracker that ends early is noticed at once.
const TO_START: Duration = Duration::from_secs(60);

/// A running tracker; dropping it ends it.
pub struct Tracker {
    process: Process,
}

/// How to start it, where that is not simply the executable that cargo built.
pub struct Launch {
    words: Vec<OsString>,
    executable: PathBuf,
    env: Vec<(OsString, OsString)>,
}

impl Launch {
    pub fn new() -> Launch {
        Launch {
            words: vec![],
            executable: env!("CARGO_BIN_EXE_mayfly").into(),
            env: vec![],
        }
    }

    /// Puts these words in front of the executable, behind those of an earlier call: `ip netns
    /// exec NAME`, `wine`, `qemu-aarch64`.
    pub fn prefix(mut self, words: &[&str]) -> Launch {
        self.words.extend(words.iter().map(OsString::from));
        self
    }

    pub fn executable(mut self, path: impl Into<PathBuf>) -> Launch {
        self.executable = path.into();
        self
    }

    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Launch {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Starts it and waits until it says where it listens.
    pub fn start(mut self, args: &[&str]) -> Tracker {
        self.words.push(self.executable.into());
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).args(args).envs(self.env);
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let process = Process::spawn("tracker", &mut command);
        let tracker = Tracker { process };
        let is_url = |line: &str| announce_url(line).is_some();
        if tracker.wait_for_line(is_url, TO_START).is_none() {
            panic!("the tracker printed no announce URL\n{}", tracker.report());
        }
        tracker
    }
}

impl Tracker {
    pub fn start(args: &[&str]) -> Tracker {
        Launch::new().start(args)
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn is_running(&self) -> bool {
        self.process.is_running()
    }

    /// The port of the first announce URL.
    pub fn port(&self) -> u16 {
        let url = &self.urls()[0];
        let authority = url.trim_end_matches("/announce");
        let port = authority.rsplit(':').next().and_then(|p| p.parse().ok());
        port.unwrap_or_else(|| panic!("no port in {url}\n{}", self.report()))
    }

    /// The announce URLs printed so far; at least one, but perhaps not all of them yet: see
    /// `expect_url`.
    pub fn urls(&self) -> Vec<String> {
        let lines = self.lines();
        let urls = lines.iter().filter_map(|line| announce_url(line));
        urls.map(str::to_string).collect()
    }

    /// Waits until this announce URL has been printed.
    pub fn expect_url(&self, url: &str) {
        let is_it = |line: &str| announce_url(line) == Some(url);
        if self.wait_for_line(is_it, Duration::from_secs(10)).is_none() {
            panic!("the tracker did not print {url}\n{}", self.report());
        }
    }

    /// The lines of standard output so far, with their timestamps.
    pub fn lines(&self) -> Vec<String> {
        self.process.lines()
    }

    pub fn wait_for_line(&self, wanted: impl Fn(&str) -> bool, within: Duration) -> Option<String> {
        self.process.wait_for_line(wanted, within)
    }

    /// The end of its output, for the message of a panic.
    pub fn report(&self) -> String {
        self.process.report()
    }
}

/// The announce URL in a line of output, if there is one.
fn announce_url(line: &str) -> Option<&str> {
    line.split_whitespace().find(|word| {
        let scheme = word.starts_with("http://") || word.starts_with("udp://");
        scheme && word.ends_with("/announce")
    })
}
