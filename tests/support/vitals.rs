//! What the system knows of a process, and how to wait for it: no event tells when another process
//! has closed a descriptor or ended a thread.

use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

use super::http::PATIENCE;

/// Threads of the gate that never end, where there may be more; the others do when they have rested
/// for 5 seconds.
pub const LASTING_THREADS: usize = 24;

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub struct Vitals {
    pub threads: usize,
    /// Those of them that serve connections. tiny_http's may end when they have nothing to do.
    pub gate_threads: usize,
    pub descriptors: usize,
    /// Resident memory in KiB.
    pub resident: usize,
}

impl Vitals {
    /// `None` where the system has no /proc, or that process is gone.
    pub fn of(process: u32) -> Option<Vitals> {
        let process = format!("/proc/{process}");
        let tasks: Vec<_> = std::fs::read_dir(format!("{process}/task")).ok()?.collect();
        let is_gate = |task: &std::io::Result<std::fs::DirEntry>| {
            let name = task.as_ref().ok().map(|task| task.path().join("comm"));
            let name = name.and_then(|file| std::fs::read_to_string(file).ok());
            name.is_some_and(|name| name == "gate\n")
        };
        let status = std::fs::read_to_string(format!("{process}/status")).ok()?;
        let resident = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
        Some(Vitals {
            threads: tasks.len(),
            gate_threads: tasks.iter().filter(|task| is_gate(task)).count(),
            descriptors: std::fs::read_dir(format!("{process}/fd")).ok()?.count(),
            resident: resident.split_whitespace().next()?.parse().ok()?,
        })
    }
}

/// Whether this becomes true in a time that is ample.
pub fn eventually(mut is_so: impl FnMut() -> bool) -> bool {
    found_in_time(|| is_so().then_some(())).is_some()
}

/// Looks again and again until there is something, for a time that is ample.
pub fn found_in_time<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    // tiny_http's spare threads alone live for 5 seconds after they were needed.
    let deadline = Instant::now() + 3 * PATIENCE;
    loop {
        let found = look();
        if found.is_some() || Instant::now() > deadline {
            return found;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether an error of a connection says that the other side has ended it.
pub fn is_the_end(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset)
}
