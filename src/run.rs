//! From the options to a running tracker: which parts there are, and in which order they begin.
//! What each of them does is its own business.

use crate::counters::Counters;
use crate::gate::limits::Limits;
use crate::gate::serve;
use crate::gate::trusted::Trusted;
use crate::http::seldom::Seldom;
use crate::http::untrusted_proxies::UntrustedProxies;
use crate::http::{self, page};
use crate::listen;
use crate::log::{About, Log};
use crate::options::Options;
use crate::own_addresses::OwnAddresses;
use crate::public_address::{Forwarded, PublicAddress};
use crate::router::mapper;
use crate::router::mapping::Wish;
use crate::service::Service;
use crate::start_lines::{self, Place};
use crate::swarms::Bounds;
use crate::threads::{self, Plan};
use crate::torrent_list::TorrentList;
use crate::tracker::{Settings, Tracker};
use crate::udp;
use crate::udp::connection_id::ConnectionIds;
use crate::ulimits;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread::Thread;
use std::time::Instant;

/// Starts a tracker, whose threads then run for as long as the process does. The error is one
/// line for a person.
pub fn start(options: &Options) -> Result<(), String> {
    let log = Log::new(options.verbosity, io::stdout())
        .map_err(|error| format!("the system allows no threads: {error}"))?;
    let sockets = listen::open(&options.bind, options.port, options.udp)?;
    let mut limits = Limits::for_descriptors(ulimits::descriptors());
    let wanted = Plan {
        upstreams: limits.upstreams,
        udp: threads::for_udp(),
    };
    let plan = threads::plan(wanted, sockets.tcp.len(), sockets.udp.len())?;
    limits.upstreams = plan.upstreams;

    let own_addresses = Arc::new(OwnAddresses::look());
    let settings = settings(options, &log);
    let life = settings.life();
    let service = Arc::new(Service {
        tracker: Tracker::new(settings),
        began: Instant::now(),
        scrape: options.scrape,
        counters: Counters::new(),
        log: log.clone(),
    });
    let has_udp = !sockets.udp.is_empty();
    if let Some(why) = &sockets.udp_refused {
        log.line(About::Always, format_args!("{why}"));
    }
    let public = Arc::new(PublicAddress::new(Vec::new(), sockets.port, has_udp));
    let counters = Arc::clone(&service.counters);
    let server = udp::server::Server {
        service: Arc::clone(&service),
        ids: ConnectionIds::new(life),
    };
    udp::server::open(sockets.udp, plan.udp, &server).map_err(cannot_start)?;
    let server = http::server::Server {
        service,
        untrusted_proxies: UntrustedProxies::default(),
        claims_of_browsers: Seldom::default(),
        page: page::Settings {
            is_public: options.public_page,
            has_list: options.list,
            has_udp,
            bind: sockets.bind.clone(),
        },
        own_addresses: Arc::clone(&own_addresses),
        public_address: Arc::clone(&public),
        list: TorrentList::default(),
    };
    let wish = Wish {
        port: sockets.port,
        udp: has_udp,
    };
    let mapper = map_port(options, wish, &sockets.bind, &public, &log);
    // The gate comes last, since it takes all the threads that it can get.
    let trusted = Trusted(options.trust_proxy.clone());
    let server = Arc::new(server);
    serve::open(sockets.tcp, server, counters, limits, trusted, log.clone())
        .map_err(cannot_start)?;
    let place = Place {
        addresses: &own_addresses.reached_by(&sockets.bind),
        bind: &sockets.bind,
        port: sockets.port,
        has_udp,
    };
    start_lines::write(&log, options, &place);
    // What it has to say comes behind these lines.
    mapper.inspect(Thread::unpark);
    Ok(())
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

fn cannot_start(error: io::Error) -> String {
    format!("the tracker could not start: {error}")
}
