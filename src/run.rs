//! From the options to a running tracker: which parts there are, and in which order they begin.
//! What each of them does is its own business.

use crate::counters::Counters;
use crate::decoys::{self, Decoys};
use crate::gate::limits::Limits;
use crate::gate::serve;
use crate::gate::trusted::Trusted;
use crate::http::untrusted_proxies::UntrustedProxies;
use crate::http::{self, page};
use crate::listen::{self, Udp};
use crate::log::{About, Log, Times};
use crate::options::Options;
use crate::own_addresses::OwnAddresses;
use crate::public_address::{self, Forwarded, PublicAddress};
use crate::router::mapper;
use crate::router::mapping::Wish;
use crate::seldom::Seldom;
use crate::service::Service;
use crate::start_lines::{self, Place};
use crate::swarms::Bounds;
use crate::threads::{self, Plan};
use crate::torrent_list::TorrentList;
use crate::tracker::{Settings, Surroundings, Tracker};
use crate::udp;
use crate::udp::connection_id::ConnectionIds;
use crate::udp::sockets::Sockets;
use crate::ulimits;
use std::io::{self, IsTerminal};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::Thread;
use std::time::Instant;

/// Starts a tracker, whose threads then run for as long as the process does. The error is one
/// line for a person.
pub fn start(options: &Options) -> Result<(), String> {
    let log = Log::new(options.verbosity, Times::of_stdout(), io::stdout())
        .map_err(|error| format!("the system allows no threads: {error}"))?;
    let descriptors = ulimits::descriptors();
    let own_addresses = Arc::new(OwnAddresses::look());
    let most_udp = udp::sockets::most(descriptors);
    // Where threads are few, one for all UDP is better than none at all.
    let opened = open(options, &own_addresses, most_udp, descriptors);
    let (sockets, limits, plan) =
        opened.or_else(|_| open(options, &own_addresses, 0, descriptors))?;
    tell_of_few_connections(limits.connections(), options, &log);
    let place = Arc::new(Place {
        bind: sockets.bind,
        port: sockets.port,
        has_udp: matches!(sockets.udp, Udp::AsTcp(_) | Udp::Each(_)),
        has_each_udp: matches!(sockets.udp, Udp::Each(_)),
    });
    let udp = match sockets.udp {
        Udp::Off => Vec::new(),
        Udp::Refused(why) => {
            log.line(About::Always, format_args!("{why}"));
            Vec::new()
        }
        Udp::AsTcp(sockets) | Udp::Each(sockets) => sockets,
    };
    let decoys = decoys(options, &own_addresses)?;
    let settings = settings(options, &log);
    let life = settings.life();
    let public = options.public_address.clone();
    let public = Arc::new(PublicAddress::new(public, place.port, place.has_udp));
    public_address::resolve(Arc::clone(&public), log.clone()).map_err(cannot_start)?;
    let service = Arc::new(Service {
        tracker: Tracker::new(settings)
            .with_decoys(decoys)
            .within(Surroundings {
                own_addresses: Arc::clone(&own_addresses),
                public_address: Arc::clone(&public),
            }),
        public: Arc::clone(&public),
        shown_nobody: Seldom::default(),
        began: Instant::now(),
        scrape: options.scrape,
        counters: Counters::new(),
        log: log.clone(),
    });
    let counters = Arc::clone(&service.counters);
    let server = udp::server::Server {
        service: Arc::clone(&service),
        ids: ConnectionIds::new(life),
    };
    let own = Arc::clone(&own_addresses);
    let udp = Sockets::open(udp, most_udp, plan.udp_helpers, own, server).map_err(cannot_start)?;
    let server = http::server::Server {
        service,
        untrusted_proxies: UntrustedProxies::default(),
        claims_of_browsers: Seldom::default(),
        page: page::Settings {
            is_public: options.public_page,
            has_list: options.list,
            has_udp: place.has_udp,
            bind: place.bind.clone(),
        },
        own_addresses: Arc::clone(&own_addresses),
        public_address: Arc::clone(&public),
        list: TorrentList::default(),
    };
    let wish = Wish {
        port: place.port,
        udp: place.has_udp,
    };
    let mapper = map_port(options, wish, &place.bind, &public, &log);
    let reached_by = own_addresses.reached_by(&place.bind);
    follow(own_addresses, Arc::clone(&place), udp, log.clone()).map_err(cannot_start)?;
    // The gate comes last, since it takes all the threads that it can get.
    let trusted = Trusted(options.trust_proxy.clone());
    let server = Arc::new(server);
    serve::open(sockets.tcp, server, counters, limits, trusted, log.clone())
        .map_err(cannot_start)?;
    // Elsewhere (a service, a pipe) that key ends nothing.
    let has_keys = io::stdin().is_terminal() || io::stdout().is_terminal();
    start_lines::write(&log, options, &place, &reached_by, &public.urls(), has_keys);
    // What it has to say comes behind these lines.
    mapper.inspect(Thread::unpark);
    Ok(())
}

/// Opens the public sockets, with at most so many for UDP if each address is to have one, and plans
/// the threads.
fn open(
    options: &Options,
    own_addresses: &OwnAddresses,
    most_udp: usize,
    descriptors: Option<usize>,
) -> Result<(listen::Sockets, Limits, Plan), String> {
    let each = |bind: &[IpAddr]| {
        let each = own_addresses.to_listen_on(bind);
        each.filter(|each| each.len() <= most_udp)
    };
    let sockets = listen::open(&options.bind, options.port, options.udp.then_some(&each))?;
    let mut limits = Limits::for_descriptors(descriptors, most_connections(options));
    let wanted = Plan {
        upstreams: limits.upstreams,
        udp_helpers: threads::udp_helpers(),
    };
    let plan = threads::plan(wanted, sockets.tcp.len(), sockets.udp.count())?;
    limits.upstreams = plan.upstreams;
    Ok((sockets, limits, plan))
}

/// Goes with this machine's addresses: says by which new ones it is reached, and has UDP sockets at
/// those that there are.
fn follow(own: Arc<OwnAddresses>, place: Arc<Place>, mut udp: Sockets, log: Log) -> io::Result<()> {
    let mut said = own.reached_by(&place.bind);
    let addresses = Arc::clone(&own);
    own.watch(Box::new(move || {
        let reached_by = addresses.reached_by(&place.bind);
        if reached_by != said {
            start_lines::write_changed(&log, &place, &said, &reached_by);
            said = reached_by;
        }
        if let Some(mut each) = addresses.to_listen_on(&place.bind) {
            if place.has_each_udp {
                each.iter_mut().for_each(|at| at.set_port(place.port));
                udp.follow(&each);
            }
        }
    }))
}

/// Gets a thread ready that has the router forward the port, if that is wanted.
fn map_port(
    options: &Options,
    wish: Wish,
    bind: &[IpAddr],
    public: &Arc<PublicAddress>,
    log: &Log,
) -> Option<Thread> {
    let tell = {
        let (public, log) = (Arc::clone(public), log.clone());
        move |forwarded: Option<Forwarded>| {
            public.set_forwarded(forwarded);
            // Without, those that the operator gave are as good as they were.
            for url in forwarded.iter().flat_map(|_| public.urls()) {
                log.line(About::Always, format_args!("  {url}"));
            }
        }
    };
    let settings = mapper::Settings {
        wish,
        bind: bind.to_vec(),
        log: log.clone(),
        tell: Box::new(tell),
    };
    let started = options.map_port.then(|| mapper::start(settings))?;
    if let Err(error) = &started {
        let text = format_args!("--map-port: the system allows no thread for it: {error}");
        log.line(About::Always, text);
    }
    started.ok()
}

/// What the operator chose; fewer where the address space is bounded, which their threads' stacks
/// take from the peers.
fn most_connections(options: &Options) -> usize {
    match ulimits::room_for_peers() {
        Some(_) => options.max_connections.min(128),
        None => options.max_connections,
    }
}

/// A line where there is room for far fewer connections than the operator chose. The usual limit of
/// 1024 descriptors has room for nearly as many as there may be by default.
fn tell_of_few_connections(connections: usize, options: &Options, log: &Log) {
    let most = options.max_connections;
    if connections < most * 4 / 5 {
        log.line(
            About::Always,
            format_args!(
                "the system bounds this program (ulimit -n, ulimit -v): \
                 {connections} HTTP connections at most instead of {most}"
            ),
        );
    }
}

/// What the operator chose; fewer peers where there is no room for as many.
fn settings(options: &Options, log: &Log) -> Settings {
    let mut peers = options.max_peers;
    if let Some(room) = ulimits::room_for_peers().filter(|&room| room < peers) {
        log.line(
            About::Always,
            format_args!(
                "the system bounds the address space (ulimit -v): \
                 {room} peers at most instead of {peers}"
            ),
        );
        peers = room;
    }
    Settings {
        interval: options.interval,
        numwant: options.numwant,
        bounds: Bounds {
            peers,
            ..Bounds::default()
        },
    }
}

/// Decoys in the networks that the operator named, if these may have some.
fn decoys(options: &Options, own: &OwnAddresses) -> Result<Option<Decoys>, String> {
    // Where they cannot be listed, those are known by which others reach this machine.
    let own: Vec<_> = match own.to_listen_on(&[]) {
        Some(listed) => listed.iter().map(SocketAddr::ip).collect(),
        None => own.reached_by(&options.bind),
    };
    for network in &options.decoys {
        decoys::check(network, &own).map_err(|why| format!("--decoys '{network}': {why}"))?;
    }
    let networks = options.decoys.clone();
    Ok((!networks.is_empty()).then(|| Decoys::new(networks)))
}

fn cannot_start(error: io::Error) -> String {
    format!("the tracker could not start: {error}")
}
