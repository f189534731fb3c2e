//! From the options to a running tracker: opens what is public, says where it is, and starts the
//! threads.

use crate::counters::Counters;
use crate::gate::limits::Limits;
use crate::gate::serve;
use crate::gate::trusted::Trusted;
use crate::http::untrusted_proxies::UntrustedProxies;
use crate::http::{self, page};
use crate::listen;
use crate::log::{About, Log};
use crate::options::Options;
use crate::own_addresses;
use crate::swarms::Bounds;
use crate::threads;
use crate::tracker::{Settings, Tracker};
use crate::udp;
use crate::udp::connection_id::ConnectionIds;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::num::NonZero;
use std::sync::Arc;
use std::time::Instant;

/// How often a port that is free for TCP and UDP alike is looked for.
const TRIES: usize = 20;

/// What one address (one /64 of IPv6) may have. 65,535 ports of one machine must fill neither a
/// torrent nor the store; a house, a school or a mobile network behind one address must not
/// notice; nor must a seed box with some thousand torrents.
const BOUNDS: Bounds = Bounds {
    peers: u32::MAX,
    per_block: 20_000,
    per_block_in_swarm: 200,
};

/// What is taken without any peers: stacks, mostly, of which little is ever used, and buffers.
const ADDRESS_SPACE: usize = 110_000 * 1024;
/// What a peer takes of it at most, when each has a torrent of its own and the tables have just
/// doubled.
const ADDRESS_SPACE_OF_PEER: usize = 480;
/// Fewer would be of no use to anybody.
const LEAST_PEERS: u32 = 1000;

/// Starts a tracker, whose threads then run for as long as the process does. The error is one
/// line for a person.
pub fn start(options: &Options) -> Result<(), String> {
    let log = Log::new(options.verbosity, io::stdout())
        .map_err(|error| format!("the system allows no threads: {error}"))?;
    let Sockets { tcp, udp, port } = open_sockets(options)?;

    let began = Instant::now();
    let tracker = Arc::new(Tracker::new(Settings {
        interval: options.interval,
        numwant: options.numwant,
        bounds: Bounds {
            peers: most_peers(options.max_peers, &log),
            ..BOUNDS
        },
    }));
    let counters = Counters::new();
    let has_udp = matches!(udp, Udp::Open(_));
    let mut limits = Limits::for_descriptors(descriptors());
    let sockets = match &udp {
        Udp::Open(sockets) => sockets.len(),
        _ => 0,
    };
    let (upstreams, udp_threads) =
        threads::fit(limits.upstreams, tcp.len(), sockets, udp_threads())?;
    limits.upstreams = upstreams;
    let server = http::server::Server {
        tracker: Arc::clone(&tracker),
        began,
        scrape: options.scrape,
        untrusted_proxies: UntrustedProxies::default(),
        page: page::Settings {
            is_public: options.public_page,
            has_udp,
            bind: options.bind.clone(),
        },
        counters: Arc::clone(&counters),
        log: log.clone(),
    };
    match udp {
        Udp::Off => {}
        Udp::Taken(error) => {
            let why = match error.kind() {
                ErrorKind::AddrInUse => "is in use by another program".to_owned(),
                _ => format!("cannot be opened ({error})"),
            };
            log.line(
                About::Always,
                format_args!(
                    "UDP port {port} {why}: serving HTTP alone; \
                     another port (-p) serves both, and --no-udp asks for HTTP alone"
                ),
            );
        }
        Udp::Open(sockets) => {
            let server = udp::server::Server {
                tracker,
                began,
                scrape: options.scrape,
                ids: ConnectionIds::new(),
                counters,
                log: log.clone(),
            };
            udp::server::open(sockets, udp_threads, &server)
                .map_err(|error| cannot_start(&error))?;
        }
    }
    // The gate comes last, since it takes all the threads that it can get.
    let trusted = Trusted(options.trust_proxy.clone());
    serve::open(tcp, server, limits, trusted, log.clone()).map_err(|error| cannot_start(&error))?;
    say_where(&log, options, port, has_udp);
    Ok(())
}

/// The start lines: what to paste, and how to stop.
fn say_where(log: &Log, options: &Options, port: u16, has_udp: bool) {
    let bind = &options.bind;
    let version = env!("CARGO_PKG_VERSION");
    let is_any = bind.is_empty() || bind.iter().any(IpAddr::is_unspecified);
    let mut addresses = own_addresses::bound_to(bind);
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
    if !is_any && addresses.iter().all(IpAddr::is_loopback) {
        let text = match options.trust_proxy.is_empty() {
            true => "(only programs on this machine can reach these)",
            false => "(for the proxy on this machine: clients use the proxy's URL)",
        };
        log.line(About::Start, format_args!("{text}"));
    }
    for ip in &addresses {
        let address = SocketAddr::new(*ip, port);
        log.line(About::Always, format_args!("  http://{address}/announce"));
        if has_udp {
            log.line(About::Always, format_args!("  udp://{address}/announce"));
        }
    }
    if has_udp && is_any {
        say_which_works_for_udp(log, &addresses);
    }
    let host = match addresses.first() {
        Some(first) if !is_any => SocketAddr::new(*first, port).to_string(),
        _ => format!("localhost:{port}"),
    };
    log.line(
        About::Start,
        format_args!("Open http://{host}/ in a browser to see how it is doing."),
    );
    log.line(About::Start, format_args!("Press ctrl+c to stop."));
}

/// A socket for all addresses answers from the one that the system prefers on the way to the
/// client, which drops an answer from another than it asked. So with several addresses of a
/// family, some may not work for some clients.
fn say_which_works_for_udp(log: &Log, addresses: &[IpAddr]) {
    for is_ipv6 in [false, true] {
        let mut of_family = addresses.iter().filter(|ip| ip.is_ipv6() == is_ipv6);
        let (Some(first), Some(_)) = (of_family.next(), of_family.next()) else {
            continue;
        };
        let family = if is_ipv6 { "IPv6" } else { "IPv4" };
        log.line(
            About::Start,
            format_args!(
                "(several {family} addresses: over UDP, {first} works for clients on the \
                 internet, the others for clients in their own network; with -b ADDRESS for \
                 each, all work for all)"
            ),
        );
    }
}

/// The public sockets.
struct Sockets {
    tcp: Vec<TcpListener>,
    udp: Udp,
    port: u16,
}

enum Udp {
    Off,
    Taken(io::Error),
    Open(Vec<UdpSocket>),
}

/// Opens TCP, and UDP on the same addresses and port.
fn open_sockets(options: &Options) -> Result<Sockets, String> {
    let mut tries = 0;
    loop {
        let tcp = listen::open(&options.bind, options.port).map_err(explain)?;
        let addresses: io::Result<Vec<_>> = tcp.iter().map(TcpListener::local_addr).collect();
        let addresses = addresses.map_err(|error| cannot_start(&error))?;
        // There is at least one.
        let port = addresses[0].port();
        let udp = match options.udp.then(|| udp::server::listen(&addresses)) {
            None => Udp::Off,
            Some(Ok(sockets)) => Udp::Open(sockets),
            Some(Err(error)) => Udp::Taken(error),
        };
        tries += 1;
        // Of a free port for TCP, UDP may be taken: then another may do.
        let another_may_do = options.port == 0 && tries < TRIES;
        if !(another_may_do && matches!(udp, Udp::Taken(_))) {
            return Ok(Sockets { tcp, udp, port });
        }
    }
}

fn cannot_start(error: &io::Error) -> String {
    format!("the tracker could not start: {error}")
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
        // Windows keeps ranges of ports for itself.
        ErrorKind::PermissionDenied if port > 1023 => format!(
            "the system does not let anybody listen on port {port}: \
             choose another one, such as: mayfly -p 6969"
        ),
        ErrorKind::PermissionDenied => format!(
            "this user may not listen on port {port}: \
             choose one above 1023, such as: mayfly -p 9000 \
             (or on Linux allow it: setcap cap_net_bind_service=+ep on the executable)"
        ),
        ErrorKind::AddrNotAvailable => format!(
            "--bind '{ip}': this machine has no such address; \
             leave -b out to listen on all that it has"
        ),
        _ => format!("cannot listen on {address}: {error}"),
    }
}

/// Threads for each UDP socket: one more than there are processors, which on two of them answers
/// a tenth more packets than as many, since one is ready while another waits for the state.
fn udp_threads() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    (processors + 1).min(8)
}

/// How many descriptors the process may have, where that is known.
fn descriptors() -> Option<usize> {
    limit("Max open files")
}

/// The most peers stored: as many as wanted, or fewer where `ulimit -v` leaves room for fewer. A
/// program that meets that limit is ended, with all that it knows.
fn most_peers(wanted: u32, log: &Log) -> u32 {
    let room = limit("Max address space").map(|bytes| {
        let peers = bytes.saturating_sub(ADDRESS_SPACE) / ADDRESS_SPACE_OF_PEER;
        u32::try_from(peers).unwrap_or(u32::MAX).max(LEAST_PEERS)
    });
    match room {
        Some(room) if room < wanted => {
            log.line(
                About::Always,
                format_args!(
                    "the system bounds the address space (ulimit -v): \
                     {room} peers at most instead of {wanted}"
                ),
            );
            room
        }
        _ => wanted,
    }
}

/// A bound of the process by the name that it has in the system's own list (Linux): `None` where
/// that is not known, or there is none.
fn limit(name: &str) -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with(name))?;
    line[name.len()..].split_whitespace().next()?.parse().ok()
}
