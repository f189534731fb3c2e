//! Arguments, as many as there are, separated by zero bytes, which no system lets an argument hold.

use super::is_one_clean_line;
use mayfly::address;
use mayfly::log::Verbosity;
use mayfly::options::{self, Command, Options};

/// Checks what a command line comes to.
pub fn check(bytes: &[u8]) {
    let arguments: Vec<String> = bytes
        .split(|&byte| byte == 0)
        // As main.rs does it.
        .map(|argument| String::from_utf8_lossy(argument).into_owned())
        .collect();
    match options::parse(arguments) {
        Ok(Command::Run(options)) => {
            check_ranges(&options);
            // What was understood can be said again, in plain words.
            // A network does not say how it was written.
            if options.trust_proxy.is_empty() {
                let again = options::parse(spelled_out(&options));
                assert_eq!(again, Ok(Command::Run(options)));
            }
        }
        Ok(Command::Help | Command::Version) => {}
        Err(reason) => assert!(is_one_clean_line(&reason), "{reason:?}"),
    }
}

fn check_ranges(options: &Options) {
    assert!((3..=24 * 60 * 60).contains(&options.interval.as_secs()));
    assert_eq!(options.interval.subsec_nanos(), 0);
    assert!((1..=200).contains(&options.numwant));
    assert!((1..=100_000_000).contains(&options.max_peers));
    for (i, ip) in options.bind.iter().enumerate() {
        assert!(ip.is_unspecified() || address::is_unicast(*ip), "{ip}");
        assert!(!options.bind[..i].contains(ip), "{ip} twice");
        assert_eq!(*ip, address::canonical(*ip));
    }
}

fn spelled_out(options: &Options) -> Vec<String> {
    // Each by name, so that a new one cannot be forgotten.
    let Options {
        port,
        interval,
        bind,
        // It does not say how it was written; see above.
        trust_proxy: _,
        numwant,
        max_peers,
        max_connections,
        udp,
        scrape,
        list,
        public_page,
        map_port,
        decoys,
        public_address,
        verbosity,
    } = options;
    let minutes = interval.as_secs_f64() / 60.0;
    let mut arguments = vec![
        format!("--port={port}"),
        format!("--interval={minutes}"),
        format!("--numwant={numwant}"),
        format!("--max-peers={max_peers}"),
        format!("--max-connections={max_connections}"),
    ];
    arguments.extend(bind.iter().map(|ip| format!("--bind={ip}")));
    arguments.extend(decoys.iter().map(|network| format!("--decoys={network}")));
    let hosts = public_address.iter();
    arguments.extend(hosts.map(|host| format!("--public-address={host}")));
    let mut add_if = |is_set: bool, flag: &str| arguments.extend(is_set.then(|| flag.to_owned()));
    add_if(!udp, "--no-udp");
    add_if(*scrape, "--scrape");
    add_if(*list, "--list");
    add_if(*public_page, "--public-page");
    add_if(*map_port, "--map-port");
    add_if(*verbosity == Verbosity::Verbose, "--verbose");
    add_if(*verbosity == Verbosity::Quiet, "--quiet");
    arguments
}
