//! A directory that lasts as long as this run of the tests, and that does not outlive it: what is
//! built once and used by several tests cannot be removed by any of them, and statics are never
//! dropped.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::support::unique;

/// Directories below the workshop that are Windows installations have names that begin so.
pub const PREFIX: &str = "prefix-";

/// Reads to the end of its input, which comes when the tests end, however they end. Then ends
/// what is left of each wine (and of no other: a server serves one WINEPREFIX) and removes all.
const JANITOR: &str = r#"
    cat
    for prefix in "$0"/prefix-*; do
        test -d "$prefix" && WINEPREFIX=$prefix wineserver -k
    done
    rm -rf "$0"
"#;

/// Where it is.
pub fn workshop() -> &'static Path {
    static WORKSHOP: OnceLock<(PathBuf, Child)> = OnceLock::new();
    let (path, _) = WORKSHOP.get_or_init(|| {
        let path = std::env::temp_dir().join(format!("mayfly-{}", unique()));
        std::fs::create_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut janitor = Command::new("sh");
        janitor.args(["-c", JANITOR]).arg(&path);
        janitor.stdin(Stdio::piped());
        janitor.stdout(Stdio::null()).stderr(Stdio::null());
        // Ctrl+c is for the tests, whose end it waits for.
        janitor.process_group(0);
        // The child holds the other end of its input, so it must not be dropped.
        (path, janitor.spawn().expect("sh runs"))
    });
    path
}

/// A program with arguments yet to be added that is killed should it not end in time, as nothing
/// that is waited for with `output()` may last for ever.
pub fn bounded(seconds: u32, program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", &seconds.to_string(), program]);
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end, which has to be a good one.
#[track_caller]
pub fn succeed(command: &mut Command) {
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {output:?}\n{said}");
}
