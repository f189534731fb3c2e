//! The command line: its options, their defaults, and the help text, which is the same list.
//!
//! Nothing is opened or resolved here; an address that this machine does not have is found out
//! when it is bound.

use crate::address;
use crate::gate::trusted;
use crate::log::Verbosity;
use crate::network::Network;
use crate::public_address::{self, PublicHost};
use getopts::{Fail, Matches};
use std::net::IpAddr;
use std::time::Duration;

/// The port when none is given: that of py3bt_tracker.
const PORT: u16 = 9000;
/// Minutes between two announces of a client, likewise.
const INTERVAL: &str = "4";
/// The most peers in an answer, likewise.
const NUMWANT: u32 = 30;
/// The most peers stored. A peer takes 100 to 130 bytes, and 350 if every one has a torrent of its
/// own, so this many fit into a Raspberry Pi with 1 GB.
const MAX_PEERS: u32 = 1_000_000;
/// More than this, the tables were not measured with.
const MOST_MAX_PEERS: u32 = 100_000_000;
/// The most HTTP connections: each has a thread while it is open, of some 12 KB.
const MAX_CONNECTIONS: usize = 1000;
/// Fewer are of no use, and more were not tried.
const MAX_CONNECTIONS_RANGE: (usize, usize) = (8, 10_000);
/// Shortest and longest interval, in minutes. Less than half a minute is for tests: clients of
/// the real world do not ask more often than that.
const INTERVALS: (&str, &str) = ("0.05", "1440");
/// How else people ask for help, on Windows among others.
const HELP: [&str; 3] = ["/?", "-?", "-help"];
/// More is of no use to a client, which talks to some dozens at a time.
const MOST_NUMWANT: u32 = 200;

/// What the command line asks for.
#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    /// TCP and UDP port; 0 takes a free one.
    pub port: u16,
    /// Time between two announces of a client.
    pub interval: Duration,
    /// Addresses to listen on, each once; none means all.
    pub bind: Vec<IpAddr>,
    /// Proxies that are believed when they say whom they bring.
    pub trust_proxy: Vec<Network>,
    /// The most peers in an answer.
    pub numwant: u32,
    /// The most peers stored.
    pub max_peers: u32,
    /// The most HTTP connections.
    pub max_connections: usize,
    /// Whether to answer over UDP too.
    pub udp: bool,
    /// Whether to answer scrapes.
    pub scrape: bool,
    /// Whether the page lists the torrents.
    pub list: bool,
    /// Whether everybody may see the page and the metrics.
    pub public_page: bool,
    /// Whether the router is asked to forward the port.
    pub map_port: bool,
    /// Where decoys seem to live; whether they may is for `decoys.rs` to say.
    pub decoys: Vec<Network>,
    /// Under what this network is reached from the internet: at most one address of each family,
    /// and one name.
    pub public_address: Vec<PublicHost>,
    /// How much to log.
    pub verbosity: Verbosity,
}

/// What to do.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Be a tracker.
    Run(Options),
    /// Print the help text.
    Help,
    /// Print the version.
    Version,
}

/// Reads the arguments, without the program's name. The error is one line for a person.
pub fn parse<I: IntoIterator<Item = String>>(arguments: I) -> Result<Command, String> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let mut options = arguments.iter().take_while(|argument| *argument != "--");
    if options.any(|option| HELP.contains(&option.as_str())) {
        return Ok(Command::Help);
    }
    let arguments = as_py3bt_tracker_had_it(arguments).map_err(explain)?;
    let matches = known_options().parse(arguments).map_err(explain)?;
    if matches.opt_present("help") {
        return Ok(Command::Help);
    }
    if matches.opt_present("version") {
        return Ok(Command::Version);
    }
    if let Some(argument) = matches.free.first() {
        return Err(format!(
            "argument '{}' is not understood; {SEE_HELP}",
            argument.escape_debug()
        ));
    }
    Ok(Command::Run(Options {
        port: value(&matches, "port", port)?.unwrap_or(PORT),
        interval: match value(&matches, "interval", interval)? {
            Some(interval) => interval,
            None => interval(INTERVAL).expect("the default is valid"),
        },
        bind: {
            let mut bind = Vec::new();
            each(&matches, "bind", &mut |text| {
                let ip = bind_address(text)?;
                // A script may put its list together from two places.
                if !bind.contains(&ip) {
                    bind.push(ip);
                }
                Ok(())
            })?;
            bind
        },
        trust_proxy: {
            let mut trusted = Vec::new();
            each(&matches, "trust-proxy", &mut |text| {
                trusted.push(trusted::parse(text)?);
                Ok(())
            })?;
            trusted
        },
        numwant: value(&matches, "numwant", numwant)?.unwrap_or(NUMWANT),
        max_peers: value(&matches, "max-peers", max_peers)?.unwrap_or(MAX_PEERS),
        max_connections: value(&matches, "max-connections", max_connections)?
            .unwrap_or(MAX_CONNECTIONS),
        udp: !matches.opt_present("no-udp"),
        scrape: matches.opt_present("scrape"),
        list: matches.opt_present("list"),
        public_page: matches.opt_present("public-page"),
        map_port: matches.opt_present("map-port"),
        decoys: {
            let mut networks = Vec::new();
            each(&matches, "decoys", &mut |text| {
                networks.push(Network::parse(text).ok_or(
                    "a network is written like 192.0.2.0/24 or 2001:db8::/64, \
                     without a name or a port",
                )?);
                Ok(())
            })?;
            networks
        },
        public_address: {
            let mut hosts = Vec::new();
            each(&matches, "public-address", &mut |text| {
                add_public_host(text, &mut hosts)
            })?;
            hosts
        },
        verbosity: match (matches.opt_present("verbose"), matches.opt_present("quiet")) {
            (true, true) => {
                return Err(format!(
                    "-v (--verbose) and -q (--quiet) exclude each other; {SEE_HELP}"
                ));
            }
            (true, false) => Verbosity::Verbose,
            (false, true) => Verbosity::Quiet,
            (false, false) => Verbosity::Normal,
        },
    }))
}

/// The help text.
pub fn help() -> String {
    let brief = "\
mayfly: a BitTorrent tracker. Start it, and put one of the announce URLs that it
prints into your torrents. It keeps nothing on disk.

Usage: mayfly [OPTIONS]";
    format!(
        "{}
Examples:
    mayfly                      on port 9000, until ctrl+c
    mayfly -p 6969 -v > log.txt on port 6969, with announces in log.txt
",
        known_options().usage(brief)
    )
}

/// `mayfly 1.1.0`.
pub fn version() -> String {
    format!("mayfly {}", env!("CARGO_PKG_VERSION"))
}

const SEE_HELP: &str = "mayfly --help lists the options";

fn known_options() -> getopts::Options {
    let mut options = getopts::Options::new();
    options
        .optopt(
            "p",
            "port",
            &format!("listen on this port, 0 for any free one\n(default {PORT})"),
            "PORT",
        )
        .optopt(
            "i",
            "interval",
            &format!(
                "time between two announces of a client, {} to {};\n\
                 most keep to 5 if that is less; a client is forgotten\n\
                 after 1.8 intervals, but not before 11 minutes\n\
                 (default {INTERVAL})",
                INTERVALS.0, INTERVALS.1
            ),
            "MINUTES",
        )
        .optmulti(
            "b",
            "bind",
            "listen on this address only; may be repeated\n(default every address, IPv6 and IPv4)",
            "ADDRESS",
        )
        .optopt(
            "n",
            "numwant",
            &format!("most peers in an answer, up to {MOST_NUMWANT}\n(default {NUMWANT})"),
            "PEERS",
        )
        .optopt(
            "",
            "max-peers",
            &format!("most peers stored, newcomers being refused beyond\n(default {MAX_PEERS})"),
            "PEERS",
        )
        .optopt(
            "",
            "max-connections",
            &format!(
                "most HTTP connections at a time; beyond that, idle ones\n\
                 are closed (default {MAX_CONNECTIONS}, or what the system gives)"
            ),
            "NUMBER",
        )
        .optmulti(
            "",
            "trust-proxy",
            "a proxy, or a network of them, that is believed when\n\
             its X-Forwarded-For, Forwarded or X-Real-IP says who\n\
             asks; may be repeated (default none)",
            "ADDRESS[/BITS]",
        )
        .optflag("", "no-udp", "do not answer over UDP")
        .optflag("", "scrape", "answer scrapes (by default they are refused)")
        .optflag(
            "",
            "list",
            "list the torrents on the page, with magnet links:\n\
             whoever sees the page can join them",
        )
        .optflag(
            "",
            "public-page",
            "show the page at / and /metrics to everybody\n\
             (by default to this machine and the LAN)",
        )
        .optflag(
            "",
            "map-port",
            "have the router forward the port, and print announce\n\
             URLs for the internet (by PCP, NAT-PMP or UPnP)",
        )
        .optmulti(
            "",
            "decoys",
            "show made-up peers with addresses of this network\n\
             beside the real ones, so that a list of peers proves\n\
             nothing; yours or a documentation network; may be\n\
             repeated (default none)",
            "ADDRESS/BITS",
        )
        .optmulti(
            "",
            "public-address",
            "under what the internet reaches your router, if you have\n\
             it forward the port; one IPv4 address, one IPv6\n\
             address and one name at most (default none)",
            "ADDRESS|NAME",
        )
        .optflagmulti("v", "verbose", "log announces (100 a second at most)")
        .optflagmulti("q", "quiet", "log only the announce URLs and errors")
        .optflag("h", "help", "print this help")
        .optflag("V", "version", "print the version");
    options
}

/// py3bt_tracker took `-p=9000` and `--client_request_interval=4`; its users' scripts go on. Only
/// what is an option of that kind is changed, so that a message quotes everything else as it was.
fn as_py3bt_tracker_had_it(mut arguments: Vec<String>) -> Result<Vec<String>, Fail> {
    let options = arguments
        .iter_mut()
        .take_while(|argument| *argument != "--");
    for option in options {
        let long = option.strip_prefix("--client_request_interval");
        if let Some(rest) = long.filter(|rest| rest.is_empty() || rest.starts_with('=')) {
            *option = format!("--interval{rest}");
        } else if let [b'-', letter, b'=', ..] = *option.as_bytes() {
            match letter {
                b'p' | b'i' | b'b' | b'n' => option.remove(2),
                // getopts would complain of an option '='.
                b'v' | b'q' | b'h' | b'V' => {
                    return Err(Fail::UnexpectedArgument(char::from(letter).to_string()));
                }
                _ => continue,
            };
        }
    }
    Ok(arguments)
}

fn explain(fail: Fail) -> String {
    let dashed = |name: String| match name.chars().count() {
        1 => format!("-{}", name.escape_debug()),
        _ => format!("--{}", name.escape_debug()),
    };
    let what = match fail {
        Fail::UnrecognizedOption(name) => format!("option '{}' is not known", dashed(name)),
        Fail::ArgumentMissing(name) => format!("option '{}' wants a value", dashed(name)),
        Fail::OptionDuplicated(name) => format!("option '{}' is given twice", dashed(name)),
        Fail::UnexpectedArgument(name) => format!("option '{}' takes no value", dashed(name)),
        Fail::OptionMissing(name) => format!("option '{}' is missing", dashed(name)),
    };
    format!("{what}; {SEE_HELP}")
}

/// Reads the value of an option that is given at most once.
fn value<T>(
    matches: &Matches,
    name: &str,
    read: fn(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    let text = matches.opt_str(name);
    text.map(|text| one(name, &text, read)).transpose()
}

/// Reads each value of an option that may be repeated.
fn each(
    matches: &Matches,
    name: &str,
    read: &mut dyn FnMut(&str) -> Result<(), String>,
) -> Result<(), String> {
    let texts = matches.opt_strs(name);
    texts
        .iter()
        .try_for_each(|text| one(name, text, &mut *read))
}

fn one<T>(
    name: &str,
    text: &str,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, String> {
    // A value that a shell or a script garbled may hold anything; the message is one line.
    read(text).map_err(|accepted| format!("--{name} '{}': {accepted}", text.escape_debug()))
}

fn port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| "a port is a whole number from 0 (any free port) to 65535".into())
}

fn interval(text: &str) -> Result<Duration, String> {
    let (least, most) = INTERVALS;
    match millionths(text) {
        Some(minutes) if (millionths(least)..=millionths(most)).contains(&Some(minutes)) => {
            Ok(Duration::from_secs((minutes * 60 + 500_000) / 1_000_000))
        }
        _ => Err(format!(
            "an interval is a number of minutes from {least} to {most}"
        )),
    }
}

/// Reads a decimal fraction, in millionths; more digits than those are not looked at. By hand,
/// since what std has for floats would add 20 KB to the executable.
fn millionths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + part.len() == 0 || whole.len() > 9 || !is_number(whole) || !is_number(part) {
        return None;
    }
    let digits = whole.bytes().chain(part.bytes().chain([b'0'; 6]).take(6));
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

fn numwant(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(peers) if (1..=MOST_NUMWANT).contains(&peers) => Ok(peers),
        _ => Err(format!(
            "the most peers in an answer is a whole number from 1 to {MOST_NUMWANT}"
        )),
    }
}

fn max_peers(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(peers) if (1..=MOST_MAX_PEERS).contains(&peers) => Ok(peers),
        _ => Err(format!(
            "the most peers stored is a whole number from 1 to {MOST_MAX_PEERS}"
        )),
    }
}

fn max_connections(text: &str) -> Result<usize, String> {
    let (least, most) = MAX_CONNECTIONS_RANGE;
    match text.parse() {
        Ok(connections) if (least..=most).contains(&connections) => Ok(connections),
        _ => Err(format!(
            "the most HTTP connections is a whole number from {least} to {most}"
        )),
    }
}

fn bind_address(text: &str) -> Result<IpAddr, String> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let ip: IpAddr = bare.unwrap_or(text).parse().map_err(|_| {
        "an address to listen on is a number like 192.168.1.5 or fd00::5, \
         without a name or a port"
    })?;
    let ip = address::canonical(ip);
    // Such an address is one only together with the name of an interface, which differs from
    // machine to machine, so that no announce URL can hold it.
    if matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()) {
        return Err("a link-local address has no place in an announce URL; \
                    take another one of this machine, or leave --bind out"
            .into());
    }
    if !address::is_unicast(ip) && !ip.is_unspecified() {
        return Err("no machine has such an address".into());
    }
    Ok(ip)
}

/// Adds what a `--public-address` says to those before it.
fn add_public_host(text: &str, hosts: &mut Vec<PublicHost>) -> Result<(), String> {
    let host = public_host(text)?;
    let is_alike = |other: &PublicHost| match (other, &host) {
        (PublicHost::Address(one), PublicHost::Address(other)) => one.is_ipv6() == other.is_ipv6(),
        (PublicHost::Name(_), PublicHost::Name(_)) => true,
        _ => false,
    };
    match hosts.iter().find(|other| is_alike(other)) {
        // A script may put its list together from two places.
        Some(other) if *other == host => {}
        Some(other) => {
            return Err(format!(
                "beside '{other}', there is no place for it: a network has one address of IPv4, \
                 one of IPv6 and one name here"
            ));
        }
        None => hosts.push(host),
    }
    Ok(())
}

fn public_host(text: &str) -> Result<PublicHost, String> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Ok(ip) = bare.unwrap_or(text).parse() {
        let ip = address::canonical(ip);
        return match public_address::is_of_the_internet(ip) {
            true => Ok(PublicHost::Address(ip)),
            false => Err(
                "nobody on the internet gets anywhere by this address: the router's own \
                 page names the public one"
                    .into(),
            ),
        };
    }
    let is_label = |label: &str| {
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (1..=63).contains(&label.len()) && label.bytes().all(is_of_name)
    };
    // 192.168.1 is no address, and no name of anything.
    let is_number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_name = text.len() <= 253 && !is_number && text.split('.').all(is_label);
    match is_name {
        true => Ok(PublicHost::Name(text.to_owned())),
        false => Err(
            "a public address is one like 203.0.113.7 or 2001:db8::7, or a name like \
             your.name.example, without a port"
                .into(),
        ),
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
