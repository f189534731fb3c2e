//! aquatic 0.9.0: its trackers, and its load testers, which are asked how many answers a second a
//! tracker gives. All come from crates.io by `make aquatic`.
//!
//! The testers measure in steps of 5 seconds and keep a processor busy, whatever the tracker does:
//! the one for UDP sends more than is answered, so that there is always another packet.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::compare::Load;
use crate::contenders::{self, Contender};

/// The least that the testers measure.
const SECONDS: f64 = 5.0;

/// The UDP tracker, with one worker: on two processors, one of which the load has, more are slower.
pub fn udp_tracker() -> Result<Contender, String> {
    let text = |address| {
        format!(
            "socket_workers = 1\nlog_level = \"error\"\n[network]\naddress = \"{address}\"\n\
             [protocol]\nmax_response_peers = 30\n"
        )
    };
    tracker("aquatic_udp", text, contenders::answers_udp)
}

/// The HTTP tracker, as it is used without TLS.
pub fn http_tracker(kept: bool) -> Result<Contender, String> {
    let text = |address| {
        format!(
            "socket_workers = 1\nswarm_workers = 1\nlog_level = \"error\"\n[network]\n\
             address = \"{address}\"\nenable_tls = false\nkeep_alive = {kept}\n\
             [protocol]\nmax_peers = 30\n"
        )
    };
    tracker("aquatic_http", text, contenders::answers_tcp)
}

/// Whether the tester for UDP is there, or how to get it.
pub fn udp_is_possible() -> Result<(), String> {
    program("aquatic_udp_load_test").map(drop)
}

/// Whether the tester for HTTP is there, or how to get it.
pub fn http_is_possible() -> Result<(), String> {
    program("aquatic_http_load_test").map(drop)
}

/// As the tester does it if it is told nothing: connects and announces by halves, some scrapes,
/// 1,000,000 torrents.
pub fn udp_load(to: SocketAddr) -> Load {
    let text = format!("server_address = \"{to}\"\nduration = {SECONDS:.0}\n");
    load("aquatic_udp_load_test", &text)
}

/// 128 kept connections, or one after the other with an announce each; 10,000 torrents.
pub fn http_load(to: SocketAddr, kept: bool) -> Load {
    let opened_every = if kept { 1 } else { 0 };
    let text = format!(
        "server_address = \"{to}\"\nduration = {SECONDS:.0}\nenable_tls = false\n\
         keep_alive = {kept}\nconnection_creation_interval_ms = {opened_every}\n"
    );
    load("aquatic_http_load_test", &text)
}

fn load(name: &str, text: &str) -> Load {
    let program = program(name).expect("looked for before");
    let directory = contenders::directory(name).expect("a directory");
    let output = Command::new(program)
        .arg("-c")
        .arg(write_configuration(&directory, text).expect("a file"))
        .output()
        .expect("the tester runs");
    let _ = fs::remove_dir_all(directory);
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines();
    let mut numbers = lines.filter_map(|line| line.strip_prefix("Average responses per second: "));
    let rate = numbers.next().and_then(|number| number.trim().parse().ok());
    Load {
        rate: rate.unwrap_or_else(|| panic!("{name}: {text}")),
        seconds: SECONDS,
    }
}

fn tracker(
    name: &'static str,
    text: impl Fn(SocketAddr) -> String,
    is_ready: fn(SocketAddr) -> bool,
) -> Result<Contender, String> {
    let program = program(name)?;
    let directory = contenders::directory(name)?;
    let address = contenders::free_address()?;
    let mut command = Command::new(program);
    let file = write_configuration(&directory, &text(address))?;
    command.arg("-c").arg(file).stderr(Stdio::null());
    contenders::until_it_answers(name, address, directory, &mut command, is_ready)
}

fn write_configuration(directory: &Path, text: &str) -> Result<PathBuf, String> {
    let file = directory.join("configuration.toml");
    fs::write(&file, text).map_err(|error| error.to_string())?;
    Ok(file)
}

/// Where a program is: of `make aquatic`, or somewhere in the `PATH`.
fn program(name: &str) -> Result<PathBuf, String> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/aquatic/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = std::iter::once(ours).chain(env::split_paths(&path));
    places
        .find_map(|place| Some(place.join(name)).filter(|file| file.is_file()))
        .ok_or_else(|| format!("{name} is not installed (make aquatic)"))
}
