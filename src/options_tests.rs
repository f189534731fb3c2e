//! Tests of `options.rs`.

use super::*;

fn parsed(line: &str) -> Result<Command, String> {
    parse(line.split_whitespace().map(str::to_owned))
}

fn options(line: &str) -> Options {
    match parsed(line) {
        Ok(Command::Run(options)) => options,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn defaults_are_those_of_py3bt_tracker() {
    let expected = Options {
        port: 9000,
        interval: Duration::from_secs(240),
        bind: vec![],
        trust_proxy: vec![],
        numwant: 30,
        max_peers: 1_000_000,
        max_connections: 1000,
        udp: true,
        scrape: false,
        list: false,
        public_page: false,
        map_port: false,
        decoys: vec![],
        public_address: vec![],
        verbosity: Verbosity::Normal,
    };
    assert_eq!(options(""), expected);
}

#[test]
fn every_option_in_every_spelling() {
    for line in ["-p 80", "-p80", "-p=80", "--port 80", "--port=80"] {
        assert_eq!(options(line).port, 80, "{line}");
    }
    for line in [
        "-i 2",
        "-i=2",
        "--interval=2",
        "--client_request_interval=2",
        "--client_request_interval 2",
    ] {
        assert_eq!(options(line).interval.as_secs(), 120, "{line}");
    }
    assert_eq!(options("-i 0.5").interval.as_secs(), 30);
    assert_eq!(options("-i 1440.000").interval.as_secs(), 86_400);
    assert_eq!(options("-i .05").interval.as_secs(), 3);
    assert_eq!(options("-i 1.3416666").interval.as_secs(), 80);
    assert_eq!(options("-i 1.3416667").interval.as_secs(), 80, "rounded");
    assert_eq!(options("-i 1.3417").interval.as_secs(), 81, "rounded");
    assert_eq!(options("-n 200").numwant, 200);
    assert_eq!(options("--max-peers 5").max_peers, 5);
    assert_eq!(options("--max-connections 8").max_connections, 8);
    assert_eq!(options("--max-connections 10000").max_connections, 10_000);
    assert!(!options("--no-udp").udp);
    assert!(options("--scrape").scrape);
    assert!(options("--list").list);
    assert!(options("--public-page").public_page);
    assert!(options("--map-port").map_port);
    assert_eq!(options("-v").verbosity, Verbosity::Verbose);
    assert_eq!(options("-vv").verbosity, Verbosity::Verbose);
    assert_eq!(options("--quiet").verbosity, Verbosity::Quiet);
    let bound = options("-b 127.0.0.1 --bind ::1 -b=[fd00::5] -b ::1 -b ::ffff:127.0.0.1").bind;
    let expected = ["127.0.0.1", "::1", "fd00::5"].map(|ip| ip.parse::<IpAddr>().unwrap());
    assert_eq!(bound, expected);
    let trusted = options("--trust-proxy 10.0.0.2 --trust-proxy=fd00::/8");
    let expected = ["10.0.0.2", "fd00::/8"].map(|text| trusted::parse(text).unwrap());
    assert_eq!(trusted.trust_proxy, expected);
    assert_eq!(parsed("-h"), Ok(Command::Help));
    assert_eq!(parsed("-p 1 --help"), Ok(Command::Help));
    for line in ["/?", "-?", "-help", "-p 1 /?", "--nonsense -help"] {
        assert_eq!(parsed(line), Ok(Command::Help), "{line}");
    }
    for line in ["-- /?", "-helpp", "/help"] {
        assert!(parsed(line).is_err(), "{line}");
    }
    assert_eq!(parsed("-V"), Ok(Command::Version));
}

#[test]
fn a_bad_option_or_value_is_quoted_with_what_is_accepted() {
    for (line, expected) in [
        (
            "-p 65536",
            "--port '65536': a port is a whole number from 0 (any free port) to 65535",
        ),
        (
            "--port=x",
            "--port 'x': a port is a whole number from 0 (any free port) to 65535",
        ),
        (
            "-i 0",
            "--interval '0': an interval is a number of minutes from 0.05 to 1440",
        ),
        (
            "-i NaN",
            "--interval 'NaN': an interval is a number of minutes from 0.05 to 1440",
        ),
        (
            "-i 1440.000001",
            "--interval '1440.000001': an interval is a number of minutes from 0.05 to 1440",
        ),
        (
            "-i 0.049999",
            "--interval '0.049999': an interval is a number of minutes from 0.05 to 1440",
        ),
        (
            "-i .",
            "--interval '.': an interval is a number of minutes from 0.05 to 1440",
        ),
        (
            "-i 1e2",
            "--interval '1e2': an interval is a number of minutes from 0.05 to 1440",
        ),
        (
            "-i 9999999999",
            "--interval '9999999999': an interval is a number of minutes from 0.05 to 1440",
        ),
        (
            "-n 0",
            "--numwant '0': the most peers in an answer is a whole number from 1 to 200",
        ),
        (
            "--max-connections 7",
            "--max-connections '7': the most HTTP connections is a whole number from 8 to 10000",
        ),
        (
            "--max-connections 10001",
            "--max-connections '10001': the most HTTP connections is a whole number from 8 to 10000",
        ),
        (
            "--max-peers 0",
            "--max-peers '0': the most peers stored is a whole number from 1 to 100000000",
        ),
        (
            "-b localhost",
            "--bind 'localhost': an address to listen on is a number like 192.168.1.5 or \
             fd00::5, without a name or a port",
        ),
        (
            "--trust-proxy nginx",
            "--trust-proxy 'nginx': a proxy is an address like 10.0.0.2 or fd00::2, or a \
             network like 10.0.0.0/8, without a name or a port",
        ),
        (
            "--trust-proxy 0.0.0.0/0",
            "--trust-proxy '0.0.0.0/0': this trusts everybody, so that anybody could put \
             strangers into swarms; give more bits",
        ),
        (
            "--prot 1",
            "option '--prot' is not known; mayfly --help lists the options",
        ),
        (
            "-x",
            "option '-x' is not known; mayfly --help lists the options",
        ),
        (
            "-p",
            "option '-p' wants a value; mayfly --help lists the options",
        ),
        (
            "-p 1 -p 2",
            "option '--port' is given twice; mayfly --help lists the options",
        ),
        (
            "--quiet=1",
            "option '--quiet' takes no value; mayfly --help lists the options",
        ),
        (
            "9000",
            "argument '9000' is not understood; mayfly --help lists the options",
        ),
        (
            "-- -p=9000",
            "argument '-p=9000' is not understood; mayfly --help lists the options",
        ),
        (
            "-v=3",
            "option '-v' takes no value; mayfly --help lists the options",
        ),
        (
            "-x=3",
            "option '-x' is not known; mayfly --help lists the options",
        ),
        (
            "-v -q",
            "-v (--verbose) and -q (--quiet) exclude each other; \
             mayfly --help lists the options",
        ),
    ] {
        assert_eq!(parsed(line), Err(expected.to_owned()), "{line}");
    }
}

#[test]
fn a_public_address_for_each_family_and_a_name() {
    let hosts = |line: &str| {
        let hosts = options(line).public_address;
        let hosts: Vec<_> = hosts.iter().map(|host| host.to_string()).collect();
        hosts.join(" ")
    };
    for (given, expected) in [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("my-box.dyn.example", "my-box.dyn.example"),
        ("box", "box"),
    ] {
        assert_eq!(hosts(&format!("--public-address {given}")), expected);
    }
    let all = "--public-address 203.0.113.7 --public-address=2001:db8::7 --public-address a.b \
        --public-address 203.0.113.7 --public-address a.b";
    assert_eq!(hosts(all), "203.0.113.7 2001:db8::7 a.b");
}

#[test]
fn a_public_address_that_leads_nowhere_is_refused() {
    let nowhere = "nobody on the internet gets anywhere by this address: the router's own page \
        names the public one";
    let neither = "a public address is one like 203.0.113.7 or 2001:db8::7, or a name like \
        your.name.example, without a port";
    let long = ["a".repeat(64), format!("{0}.{0}.{0}.{0}", "a".repeat(63))];
    for (given, reason) in [
        ("192.168.1.5", nowhere),
        ("100.64.0.1", nowhere),
        ("127.0.0.1", nowhere),
        ("fe80::1", nowhere),
        ("0.0.0.0", nowhere),
        ("203.0.113", neither),
        ("203.0.113.7:9000", neither),
        ("your.name:9000", neither),
        ("http://your.name/", neither),
        ("your..name", neither),
        ("\u{e9}.example", neither),
        (&long[0], neither),
        (&long[1], neither),
    ] {
        let expected = format!("--public-address '{given}': {reason}");
        assert_eq!(parsed(&format!("--public-address {given}")), Err(expected));
    }
    let twice = parsed("--public-address 203.0.113.7 --public-address 203.0.113.8");
    let expected = "--public-address '203.0.113.8': beside '203.0.113.7', there is no place for \
        it: a network has one address of IPv4, one of IPv6 and one name here";
    assert_eq!(twice, Err(expected.to_owned()));
    assert!(parsed("--public-address a --public-address b").is_err());
}

#[test]
fn help_shows_the_defaults_in_80_columns() {
    let help = help();
    for part in ["(default 9000)", "(default 4)", "(default 30)", "Examples:"] {
        assert!(help.contains(part), "{part} in\n{help}");
    }
    let longest = help.lines().map(str::len).max();
    assert!(longest <= Some(80), "{longest:?} columns\n{help}");
}
