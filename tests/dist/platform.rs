//! The platforms that there is an executable for: how it is built, and how it is run here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};

use super::wine;
use super::workshop::{bounded, succeed, workshop};
use crate::support::TempDir;
use crate::support::netns::Machine;
use crate::support::tools::{can_make, tool};
use crate::support::tracker::Launch;

pub struct Platform {
    /// The end of the name of its file.
    name: &'static str,
    /// The target of the Makefile that makes it, and those that say what is missing for that.
    target: &'static Target,
    /// What runs it; nothing if this machine does.
    runner: Option<&'static str>,
    /// Bytes.
    pub promised_size: u64,
}

struct Target {
    name: &'static str,
    needs: &'static [&'static str],
    is_made: OnceLock<()>,
}

impl Target {
    const fn new(name: &'static str, needs: &'static [&'static str]) -> Target {
        let is_made = OnceLock::new();
        Target {
            name,
            needs,
            is_made,
        }
    }
}

static MAKE_WINDOWS: Target = Target::new("windows", &["needs-windows"]);
static MAKE_LINUX: Target = Target::new("linux", &["needs-linux"]);
static MAKE_PI: Target = Target::new("pi", &["needs-pi64", "needs-pi32"]);

pub static WINDOWS: Platform = Platform {
    name: "windows-x86_64.exe",
    target: &MAKE_WINDOWS,
    runner: Some("wine"),
    promised_size: 1_500_000,
};

pub static LINUX: Platform = Platform {
    name: "linux-x86_64",
    target: &MAKE_LINUX,
    runner: None,
    promised_size: 1_150_000,
};

pub static AARCH64: Platform = Platform {
    name: "linux-aarch64",
    target: &MAKE_PI,
    runner: Some("qemu-aarch64"),
    promised_size: 1_500_000,
};

/// The largest, since it has the C library of GNU in it.
pub static ARMV7: Platform = Platform {
    name: "linux-armv7",
    target: &MAKE_PI,
    runner: Some("qemu-arm"),
    promised_size: 1_500_000,
};

/// An executable that is built and can be run.
pub struct Executable {
    pub platform: &'static Platform,
    pub file: PathBuf,
}

/// What is left of a program that has ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Platform {
    /// Built, if it was not; `None` (after the line "skipped") if it cannot be built or run here.
    pub fn executable(&'static self) -> Option<Executable> {
        let can_be_made = self.target.needs.iter().all(|needs| can_make(needs));
        let can_run = self.runner.is_none_or(|runner| tool(runner).is_some());
        if !can_be_made || !can_run {
            return None;
        }
        self.target.is_made.get_or_init(|| make(self.target.name));
        let executable = Executable {
            platform: self,
            file: self.copy(),
        };
        Some(executable)
    }

    /// A copy to run: `make`, in another terminal, must be free to replace the one in `dist`.
    fn copy(&self) -> PathBuf {
        static COPYING: Mutex<()> = Mutex::new(());
        let _guard = COPYING.lock();
        let directory = workshop().join(self.name);
        let file = directory.join(self.name);
        if file.exists() {
            return file;
        }
        std::fs::create_dir(&directory).expect("a new directory");
        if self.is_for_windows() {
            wine::complete(&directory);
        }
        let version = env!("CARGO_PKG_VERSION");
        let made = format!("dist/mayfly-{version}-{}", self.name);
        let made = Path::new(env!("CARGO_MANIFEST_DIR")).join(made);
        // Not by this process: a child that another thread just forks would have the file open for
        // writing, and no file can be executed while it is.
        succeed(bounded(60, "cp").arg(made).arg(&file));
        file
    }

    fn is_for_windows(&self) -> bool {
        self.runner == Some("wine")
    }
}

impl Executable {
    /// How to start a tracker from it.
    pub fn launch(&self) -> Launch {
        let prefix = || wine::shared().to_path_buf();
        self.ready(Launch::new(), prefix)
    }

    /// The same on a machine of a network.
    pub fn launch_on(&self, machine: &Machine) -> Launch {
        let launch = Launch::new().prefix(&machine.prefix());
        self.ready(launch, || wine::another(Path::new("/")))
    }

    /// Likewise; of this machine's files it sees the directory that it is in. Wine shows programs
    /// the /proc of Linux otherwise, and no Windows has that.
    pub fn launch_without_proc_on(&self, machine: &Machine) -> Launch {
        let directory = self.file.parent().expect("it is in the workshop");
        let launch = Launch::new().prefix(&machine.prefix());
        self.ready(launch, || wine::another(directory))
    }

    fn ready(&self, launch: Launch, windows: impl FnOnce() -> PathBuf) -> Launch {
        let mut launch = launch.executable(&self.file);
        if let Some(runner) = self.platform.runner {
            launch = launch.prefix(&[runner]);
        }
        for (name, value) in self.environment(windows) {
            launch = launch.env(name, value);
        }
        launch
    }

    /// The same as a command, for those who want its standard output elsewhere.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = match self.platform.runner {
            Some(runner) => {
                let mut command = Command::new(runner);
                command.arg(&self.file);
                command
            }
            None => Command::new(&self.file),
        };
        command.args(args).stdin(Stdio::null());
        command.envs(self.environment(|| wine::shared().to_path_buf()));
        command
    }

    /// Runs it to its end, which must come by itself.
    pub fn run(&self, args: &[&str]) -> Ended {
        let plain = self.command(args);
        let mut command = bounded(60, plain.get_program().to_str().expect("UTF-8"));
        command.args(plain.get_args());
        command.envs(
            plain
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        // Files, not pipes, which what wine starts in the background would keep open.
        let directory = TempDir::new();
        let file = |name: &str| directory.path().join(name);
        let create = |name: &str| std::fs::File::create(file(name)).expect("a new file");
        command.stdout(create("stdout")).stderr(create("stderr"));
        let status = command.status().expect("it runs");
        let read = |name: &str| std::fs::read_to_string(file(name)).expect("UTF-8");
        Ended {
            code: status.code(),
            stdout: read("stdout"),
            stderr: read("stderr"),
        }
    }

    fn environment(&self, windows: impl FnOnce() -> PathBuf) -> Vec<(&'static str, OsString)> {
        match self.platform.is_for_windows() {
            true => wine::environment(&windows()),
            false => vec![],
        }
    }
}

/// Makes a target of the Makefile with the Makefile's own settings, whatever those of this run of
/// the tests are.
fn make(target: &str) {
    // The first time it compiles everything, and there may be others who build meanwhile.
    let mut make = bounded(1200, "make");
    make.args(["--no-print-directory", target]);
    make.current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in std::env::vars_os() {
        let is_setting = |name: &str| {
            let beginnings = ["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_"];
            let names = [
                "CARGO_ENCODED_RUSTFLAGS",
                "CARGO_INCREMENTAL",
                "RUSTFLAGS",
                // Those of a make that runs the tests.
                "MAKEFLAGS",
                "MAKELEVEL",
                "MFLAGS",
            ];
            beginnings.iter().any(|b| name.starts_with(b)) || names.contains(&name)
        };
        if name.to_str().is_some_and(is_setting) {
            make.env_remove(name);
        }
    }
    succeed(&mut make);
}
