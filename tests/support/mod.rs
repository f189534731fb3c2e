//! What the integration tests share: child processes whose output is kept, temporary directories,
//! and the modules below. No test lives here, and nothing of the tracker's own code is used: the
//! helpers see it as a user does, through its command line, its standard output and its ports.

#![allow(
    dead_code,
    reason = "a helper may be ahead of the tests that will use it"
)]

pub mod browser;
pub mod clients;
pub mod http;
#[cfg(target_os = "linux")]
pub mod internet;
pub mod mutated;
pub mod netns;
pub mod random;
pub mod role;
pub mod tools;
pub mod torrent;
pub mod tracker;
pub mod udp;
pub mod vitals;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// A part of a name that no other test, of this run or of another at the same time, uses.
pub fn unique() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let n = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{}-{n}", std::process::id())
}

/// A directory of its own below the system's temporary one; dropping it removes it.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> TempDir {
        let path = std::env::temp_dir().join(format!("mayfly-{}", unique()));
        std::fs::create_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        TempDir(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A failure here must not hide the failure of the test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a program to its end, as `output` of std does; but the end has to come in a time that is
/// ample, or the test would wait for ever where it should fail.
#[track_caller]
pub fn output_of(command: &mut Command) -> Output {
    try_output_of(command).unwrap_or_else(|why| panic!("{why}: {command:?}"))
}

/// The same for a program whose end has to be a good one.
#[track_caller]
pub fn succeed(command: &mut Command) {
    let output = output_of(command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {output:?}\n{said}");
}

/// The same for those who may not panic, or do not mind; the error says what went wrong.
pub fn try_output_of(command: &mut Command) -> Result<Output, String> {
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn();
    let mut child = child.map_err(|error| format!("it cannot be started: {error}"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = (whole(stdout.expect("piped")), whole(stderr.expect("piped")));
    let deadline = Instant::now() + TO_END;
    let left = || deadline.saturating_duration_since(Instant::now());
    let read = stdout.recv_timeout(left());
    let read = read.and_then(|stdout| Ok((stdout, stderr.recv_timeout(left())?)));
    let ended = read.ok().and_then(|read| {
        let status = vitals::found_in_time(|| child.try_wait().expect("a status"))?;
        Some((status, read))
    });
    let Some((status, (stdout, stderr))) = ended else {
        let _ = child.kill();
        let _ = child.wait();
        return Err("it did not end by itself".to_owned());
    };
    Ok(Output {
        status,
        stdout,
        stderr,
    })
}

/// For a program to come to its end.
const TO_END: Duration = Duration::from_secs(100);

/// Has threads go on at the same moment, as a `Barrier` of std does; but should one of them be
/// missing, the others fail instead of waiting for ever.
pub struct Together {
    missing: Mutex<usize>,
    changed: Condvar,
}

impl Together {
    pub fn new(threads: usize) -> Together {
        Together {
            missing: Mutex::new(threads),
            changed: Condvar::new(),
        }
    }

    pub fn wait(&self) {
        let mut missing = self.missing.lock().unwrap();
        *missing -= 1;
        self.changed.notify_all();
        let are_missing = |missing: &mut usize| *missing > 0;
        let waited = self
            .changed
            .wait_timeout_while(missing, TO_END, are_missing);
        let (guard, waited) = waited.unwrap();
        let missing = *guard;
        // Or the others would fail of a lock that is poisoned.
        drop(guard);
        assert!(!waited.timed_out(), "{missing} did not come");
    }
}

/// What there is to read until the end, when that has come.
fn whole(mut from: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // Whatever came before an error.
        let _ = from.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

/// A running program. Threads collect what it writes; dropping it kills it and waits for its end.
pub struct Process {
    name: String,
    child: Mutex<Child>,
    output: Arc<Collected>,
}

#[derive(Default)]
struct Collected {
    written: Mutex<Written>,
    changed: Condvar,
}

#[derive(Default)]
struct Written {
    /// In the order in which they came, standard output and standard error together.
    lines: Vec<(Stream, String)>,
    /// How many of the two streams have not ended yet.
    open: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Stream {
    Out,
    Err,
}

impl Process {
    /// Starts the command. Each stream that the command declares as piped is collected.
    pub fn spawn(name: &str, command: &mut Command) -> Process {
        let mut child = command
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {name}: {e}\n{command:?}"));
        let output = Arc::new(Collected::default());
        if let Some(stdout) = child.stdout.take() {
            collect(stdout, Stream::Out, &output);
        }
        if let Some(stderr) = child.stderr.take() {
            collect(stderr, Stream::Err, &output);
        }
        Process {
            name: name.to_string(),
            child: Mutex::new(child),
            output,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    pub fn is_running(&self) -> bool {
        matches!(self.child.lock().unwrap().try_wait(), Ok(None))
    }

    /// Writes a line to its standard input, if the command declared that as piped. A program that
    /// is not there any more to read it will be missed when its answer is.
    pub fn tell(&self, line: &str) {
        if let Some(stdin) = &mut self.child.lock().unwrap().stdin {
            let _ = stdin.write_all(format!("{line}\n").as_bytes());
        }
    }

    /// The lines of its standard output so far.
    pub fn lines(&self) -> Vec<String> {
        let written = self.output.written.lock().unwrap();
        written.stdout().map(str::to_string).collect()
    }

    /// The first line of standard output, old or new, that is wanted. `None` when it has not come
    /// in time, or cannot come any more since the program has ended.
    pub fn wait_for_line(&self, wanted: impl Fn(&str) -> bool, within: Duration) -> Option<String> {
        let deadline = Instant::now() + within;
        let mut written = self.output.written.lock().unwrap();
        loop {
            if let Some(line) = written.stdout().find(|line| wanted(line)) {
                return Some(line.to_string());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if written.open == 0 || left.is_zero() {
                return None;
            }
            (written, _) = self.output.changed.wait_timeout(written, left).unwrap();
        }
    }

    /// Its name, whether it still runs, and the end of what it wrote: for the message of a panic.
    pub fn report(&self) -> String {
        const TAIL: usize = 40;
        let state = match self.child.lock().unwrap().try_wait() {
            Ok(None) => "running".to_string(),
            Ok(Some(status)) => format!("ended, {status}"),
            Err(e) => e.to_string(),
        };
        let mut report = format!("--- {} ({state})\n", self.name);
        let lines = &self.output.written.lock().unwrap().lines;
        for (stream, line) in &lines[lines.len().saturating_sub(TAIL)..] {
            let mark = if *stream == Stream::Out { ' ' } else { '!' };
            report += &format!("{mark} {line}\n");
        }
        report
    }
}

impl Written {
    fn stdout(&self) -> impl Iterator<Item = &str> {
        let of_stdout = self.lines.iter().filter(|(s, _)| *s == Stream::Out);
        of_stdout.map(|(_, line)| line.as_str())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The threads that collect are not joined: a grandchild (wine leaves one) may hold the
        // streams open for longer than the program lives.
        let child = self.child.get_mut().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn collect(from: impl Read + Send + 'static, stream: Stream, output: &Arc<Collected>) {
    output.written.lock().unwrap().open += 1;
    let output = Arc::clone(output);
    thread::spawn(move || {
        // Bytes, not `lines()`: clients print names and ids that are not UTF-8.
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_string();
            output.written.lock().unwrap().lines.push((stream, line));
            output.changed.notify_all();
        }
        output.written.lock().unwrap().open -= 1;
        output.changed.notify_all();
    });
}
