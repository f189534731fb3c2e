//! Tests that need a client in another network namespace, and in a process of its own, run
//! themselves again there (for sockets alone, see `netns::Machine::inside`). The second run is told
//! its role by its environment and talks to the first by lines. What there is to play is the tests'
//! business.

use std::process::{Command, Stdio};

use super::Process;
use super::netns::Machine;

const ROLE: &str = "MAYFLY_TEST_ROLE";

/// What this process is there to play, if it was started by `start`.
pub fn own() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Runs the test of this name again on a machine, or without one on this. What it prints has to
/// begin with a line end, since the test harness has begun a line.
pub fn start(on: Option<&Machine>, test: &str, role: &str) -> Process {
    let executable = std::env::current_exe().unwrap();
    let mut command = match on {
        Some(machine) => {
            let prefix = machine.prefix();
            let mut command = Command::new(prefix[0]);
            command.args(&prefix[1..]).arg(executable);
            command
        }
        None => Command::new(executable),
    };
    command.args(["--exact", test, "--nocapture"]);
    command.env(ROLE, role).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Process::spawn(role, &mut command)
}
