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
    let minutes = options.interval.as_secs_f64() / 60.0;
    let mut arguments = vec![
        format!("--port={}", options.port),
        format!("--interval={minutes}"),
        format!("--numwant={}", options.numwant),
        format!("--max-peers={}", options.max_peers),
    ];
    for ip in &options.bind {
        arguments.extend(["--bind".to_owned(), ip.to_string()]);
    }
    for network in &options.decoys {
        arguments.push(format!("--decoys={network}"));
    }
    let mut add_if = |is_set: bool, flag: &str| arguments.extend(is_set.then(|| flag.to_owned()));
    add_if(!options.udp, "--no-udp");
    add_if(options.scrape, "--scrape");
    add_if(options.list, "--list");
    add_if(options.public_page, "--public-page");
    add_if(options.map_port, "--map-port");
    add_if(options.verbosity == Verbosity::Verbose, "--verbose");
    add_if(options.verbosity == Verbosity::Quiet, "--quiet");
    arguments
}
