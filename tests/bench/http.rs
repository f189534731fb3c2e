//! The HTTP load: wrk with `announce.lua`, on kept connections and with one for each announce.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::compare::Load;

/// Bytes of the body of a compact answer with 30 peers.
pub const FULL_BODY: usize = 290;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/announce.lua");

/// Whether wrk is there, or how to get it.
pub fn is_possible() -> Result<(), String> {
    match Command::new("wrk").arg("--version").output() {
        Ok(_) => Ok(()),
        Err(_) => Err("wrk is not installed (apt-get install wrk)".into()),
    }
}

/// Asks `to` for that long. Fails on answers that are none.
pub fn load(to: SocketAddr, kept: bool, time: Duration) -> Load {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t", "2", "-c", "40", "-d"]);
    wrk.arg(format!("{}s", time.as_secs()));
    wrk.args(["-s", SCRIPT, &format!("http://{to}")]);
    if !kept {
        wrk.args(["-H", "Connection: close"]);
    }
    let output = wrk.output().expect("wrk runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("Non-2xx"), "{text}");
    let number = |label: &str| {
        let line = text.lines().find(|line| line.trim().starts_with(label))?;
        line.rsplit([' ', ':']).next()?.trim().parse::<f64>().ok()
    };
    Load {
        rate: number("Requests/sec").unwrap_or_else(|| panic!("{text}")),
        seconds: time.as_secs_f64(),
    }
}
