//! From the options to a running tracker: opens what is public, says where it is, and starts the
//! threads.

use crate::http::gate::{self, Limits};
use crate::http::listen;
use crate::http::server::Server;
use crate::log::{About, Log};
use crate::options::Options;
use crate::own_addresses;
use crate::tracker::{Settings, Tracker};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

/// Starts a tracker, whose threads then run for as long as the process does. The error is one
/// line for a person.
pub fn start(options: &Options) -> Result<(), String> {
    let log = Log::new(options.verbosity, io::stdout())
        .map_err(|error| format!("the system allows no threads: {error}"))?;
    let listeners = listen::open(&options.bind, options.port).map_err(explain)?;
    let port = listeners
        .first()
        .and_then(|listener| listener.local_addr().ok())
        .map_or(options.port, |address| address.port());

    let began = Instant::now();
    let tracker = Arc::new(Tracker::new(Settings {
        interval: options.interval,
        numwant: options.numwant,
    }));
    let server = Server::new(tracker, began, log.clone());
    let limits = Limits::for_descriptors(descriptors());
    gate::open(listeners, server, limits, log.clone())
        .map_err(|error| format!("the tracker could not start: {error}"))?;
    say_where(&log, &options.bind, port);
    Ok(())
}

/// The start lines: what to paste, and how to stop.
fn say_where(log: &Log, bind: &[IpAddr], port: u16) {
    let version = env!("CARGO_PKG_VERSION");
    let is_any = bind.is_empty() || bind.iter().any(IpAddr::is_unspecified);
    let mut addresses = match is_any {
        true => own_addresses::find(),
        false => bind.to_vec(),
    };
    if is_any && !bind.is_empty() {
        // -b 0.0.0.0 or -b :: means all of that family.
        let has = |ip: &IpAddr| {
            bind.iter()
                .any(|b| b == ip || b.is_unspecified() && b.is_ipv6() == ip.is_ipv6())
        };
        addresses.retain(has);
    }
    log.line(
        About::Start,
        format_args!("mayfly {version} is running. Announce URLs for your torrents:"),
    );
    if addresses.is_empty() {
        log.line(
            About::Start,
            format_args!("(no network found: this one works on this machine only)"),
        );
        addresses.push(Ipv4Addr::LOCALHOST.into());
    }
    for ip in addresses {
        let address = SocketAddr::new(ip, port);
        log.line(About::Always, format_args!("  http://{address}/announce"));
    }
    log.line(About::Start, format_args!("Press ctrl+c to stop."));
}

fn explain(failed: listen::Failed) -> String {
    let listen::Failed { address, error } = failed;
    let (ip, port) = (address.ip(), address.port());
    match error.kind() {
        ErrorKind::AddrInUse => {
            let other = if port < u16::MAX { port + 1 } else { 9001 };
            format!(
                "port {port} is in use by another program (or another mayfly): \
                 stop that one, or choose another port, such as: mayfly -p {other}"
            )
        }
        ErrorKind::PermissionDenied => format!(
            "this user may not listen on port {port}: \
             choose one above 1023, such as: mayfly -p 9000"
        ),
        ErrorKind::AddrNotAvailable => format!(
            "--bind '{ip}': this machine has no such address; \
             leave -b out to listen on all that it has"
        ),
        _ => format!("cannot listen on {address}: {error}"),
    }
}

/// How many descriptors the process may have, where the system says so in a file (Linux).
fn descriptors() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|l| l.starts_with("Max open files"))?;
    line["Max open files".len()..]
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}
