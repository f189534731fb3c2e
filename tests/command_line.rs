//! The command line: options, exit codes, messages, and the lines of the start, which are the
//! first that a newcomer reads.

use std::ffi::OsStr;
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::time::Duration;

use crate::support::http::{PATIENCE, TORRENT, announce, ask, get, ipv4, ipv6};
use crate::support::netns::{Family, Lan};
use crate::support::output_of;
use crate::support::tools::{netns_possible, tool};
use crate::support::tracker::{Launch, Tracker};

/// What is left of a program that has ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs mayfly to its end, which must come by itself.
fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Ended {
    let output = output_of(Command::new(env!("CARGO_BIN_EXE_mayfly")).args(arguments));
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Asserts that this is a mistake of the caller, told in one line with all these words.
#[track_caller]
fn assert_refused<S: AsRef<OsStr>>(arguments: &[S], code: i32, words: &[&str]) {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(code), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.ends_with('\n'));
    for word in words {
        assert!(ended.stderr.contains(word), "{word} in {}", ended.stderr);
    }
}

#[test]
fn a_bad_value_exits_2_with_a_line_that_quotes_it_and_says_what_is_accepted() {
    for (arguments, quoted, accepted) in [
        (
            &["-p", "65536"][..],
            "--port '65536'",
            "0 (any free port) to 65535",
        ),
        (&["-p", "-1"], "--port '-1'", "0 (any free port) to 65535"),
        (&["-p=http"], "--port 'http'", "0 (any free port) to 65535"),
        (&["--port="], "--port ''", "0 (any free port) to 65535"),
        (&["-i", "0"], "--interval '0'", "minutes from 0.05 to 1440"),
        (
            &["-i", "inf"],
            "--interval 'inf'",
            "minutes from 0.05 to 1440",
        ),
        (
            &["--client_request_interval=x"],
            "--interval 'x'",
            "minutes from 0.05 to 1440",
        ),
        (&["-n", "0"], "--numwant '0'", "1 to 200"),
        (&["-n", "201"], "--numwant '201'", "1 to 200"),
        (&["-b", "localhost"], "--bind 'localhost'", "192.168.1.5"),
        (
            &["-b", "127.0.0.1:9000"],
            "--bind '127.0.0.1:9000'",
            "without a name or a port",
        ),
        (
            &["-p", "1\n2\u{1b}[31m"],
            "--port '1\\n2\\u{1b}[31m'",
            "65535",
        ),
    ] {
        assert_refused(arguments, 2, &[quoted, accepted]);
    }
}

#[test]
fn a_bad_option_exits_2_with_a_line_that_quotes_it() {
    for (arguments, quoted) in [
        (&["--prot", "1"][..], "'--prot'"),
        (&["-x"], "'-x'"),
        (&["-p"], "'-p'"),
        (&["-p", "1", "--port", "2"], "'--port'"),
        (&["--quiet=1"], "'--quiet'"),
        (&["9000"], "'9000'"),
        (&[""], "''"),
        (&["-v", "-q"], "-q"),
    ] {
        assert_refused(arguments, 2, &[quoted, "mayfly --help"]);
    }
}

#[test]
fn an_argument_of_odd_characters_is_quoted_in_one_line_too() {
    assert_refused(&["two\nlines"], 2, &["two\\nlines"]);
    assert_refused(&["--two\nlines"], 2, &["two\\nlines"]);
    assert_refused(&["\u{1b}[31mred"], 2, &["\\u{1b}[31mred"]);
}

#[test]
#[cfg(unix)]
fn an_argument_that_is_no_text_is_a_bad_argument() {
    use std::os::unix::ffi::OsStrExt;
    assert_refused(&[OsStr::from_bytes(b"\xff\xfe")], 2, &["mayfly --help"]);
}

#[test]
fn a_port_in_use_exits_1_and_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().unwrap().port().to_string();
    let words = [&format!("port {port} is in use")[..], "mayfly -p "];
    assert_refused(&["-b", "127.0.0.1", "-p", &port], 1, &words);
    // By another mayfly, on every address.
    let other = Tracker::start(&["-p", "0"]);
    let port = other.port().to_string();
    let words = [&format!("port {port} is in use")[..], "mayfly -p "];
    assert_refused(&["-p", &port], 1, &words);
    assert!(
        ask(&other, "port=1&left=5").peers.is_some(),
        "that one goes on"
    );
}

#[test]
fn decoys_at_strangers_addresses_exit_1_and_say_why() {
    for (network, words) in [
        ("8.8.8.0/24", "a decoy must never be a stranger's machine"),
        ("192.0.0.0/8", "too large to be yours alone"),
        ("127.0.0.0/16", "lead nobody anywhere"),
        ("198.51.100.0/32", "such as 198.51.100.0/24"),
    ] {
        let option = format!("--decoys={network}");
        let quoted = format!("--decoys '{network}'");
        assert_refused(&["-p", "0", &option], 1, &[&quoted, words]);
    }
    let without_bits = "--decoys=198.51.100.0";
    assert_refused(&["-p", "0", without_bits], 1, &["give ADDRESS/BITS"]);
    assert_refused(&["--decoys=x"], 2, &["--decoys 'x'", "like 192.0.2.0/24"]);
}

#[test]
fn an_address_of_another_machine_exits_1_and_is_named() {
    assert_refused(
        &["-p", "0", "-b", "203.0.113.77"],
        1,
        &["--bind '203.0.113.77'", "-b"],
    );
}

#[test]
fn help_shows_the_real_defaults_and_two_examples() {
    let help = run(&["-h"]);
    assert_eq!((help.code, &help.stderr[..]), (Some(0), ""));
    for option in [
        "-p, --port",
        "-i, --interval",
        "-b, --bind",
        "-n, --numwant",
        "-v, --verbose",
        "-q, --quiet",
        "-h, --help",
        "-V, --version",
        "(default 9000)",
        "(default 4)",
        "(default 30)",
    ] {
        assert!(help.stdout.contains(option), "{option} in\n{}", help.stdout);
    }
    let (_, examples) = help.stdout.split_once("Examples:").expect("examples");
    let examples = examples
        .lines()
        .filter(|line| line.trim().starts_with("mayfly"));
    assert_eq!(examples.count(), 2);
    for option in ["--help", "-help", "-?", "/?"] {
        assert_eq!(run(&[option]).stdout, help.stdout);
    }
    assert_eq!(run(&["-v", "-p", "1", "--help"]).stdout, help.stdout);
}

#[test]
fn version_is_that_of_the_package() {
    for option in ["-V", "--version"] {
        let version = run(&[option]);
        assert_eq!((version.code, &version.stderr[..]), (Some(0), ""));
        assert_eq!(
            version.stdout,
            format!("mayfly {}\n", env!("CARGO_PKG_VERSION"))
        );
    }
}

#[test]
fn options_as_users_of_py3bt_tracker_write_them() {
    let tracker = Tracker::start(&["-p=0", "--client_request_interval=7"]);
    assert_eq!(ask(&tracker, "port=1&left=5").interval, Some(420));
    let tracker = Tracker::start(&["--port=0", "-i=7"]);
    assert_eq!(ask(&tracker, "port=1&left=5").interval, Some(420));
}

/// Waits until the start is over, and gives its lines.
fn start_lines(tracker: &Tracker) -> Vec<String> {
    let is_last = |line: &str| line.contains("how it is doing");
    if tracker.wait_for_line(is_last, PATIENCE).is_none() {
        panic!("where the page is, is not said\n{}", tracker.report());
    }
    tracker.lines()
}

/// Whether a line begins with a time as in `2026-01-31T23:59:59Z `.
fn is_stamped(line: &str) -> bool {
    let pattern = "dddd-dd-ddTdd:dd:ddZ ";
    let fits = |(byte, wanted): (u8, u8)| match wanted {
        b'd' => byte.is_ascii_digit(),
        _ => byte == wanted,
    };
    line.len() >= pattern.len() && line.bytes().zip(pattern.bytes()).all(fits)
}

#[test]
fn every_line_of_the_start_has_a_timestamp_and_the_last_says_where_the_page_is() {
    let tracker = Tracker::start(&["-p", "0"]);
    let lines = start_lines(&tracker);
    assert!(lines.len() >= 3, "{lines:?}");
    assert!(lines.iter().all(|line| is_stamped(line)), "{lines:?}");
    assert!(
        lines[0].contains(concat!("mayfly ", env!("CARGO_PKG_VERSION"))),
        "{lines:?}"
    );
    assert!(
        lines.last().unwrap().contains("how it is doing"),
        "{lines:?}"
    );
}

/// In a terminal, which `script` has one of.
#[test]
#[cfg(target_os = "linux")]
fn who_has_a_keyboard_is_told_which_key_stops_it() {
    if tool("script").is_none() {
        return;
    }
    let command = concat!(env!("CARGO_BIN_EXE_mayfly"), " -p 0 -b 127.0.0.1");
    let script = Launch::new().executable("script");
    let tracker = script.start(&["-qefc", command, "/dev/null"]);
    let is_told = |line: &str| line.contains("Press ctrl+c to stop.");
    let told = tracker.wait_for_line(is_told, PATIENCE);
    assert!(told.is_some(), "{}", tracker.report());
}

#[test]
fn port_0_takes_a_free_port_and_the_real_one_is_printed() {
    let trackers = [Tracker::start(&["-p", "0"]), Tracker::start(&["-p", "0"])];
    assert_ne!(trackers[0].port(), trackers[1].port());
    for tracker in &trackers {
        assert_ne!(tracker.port(), 0);
        let port = tracker.port();
        start_lines(tracker);
        for url in tracker.urls() {
            assert!(url.ends_with(&format!(":{port}/announce")), "{url}");
        }
        assert_eq!(get(ipv4(tracker), "/").status, 200);
    }
}

#[test]
fn urls_are_those_by_which_others_reach_this_machine() {
    let tracker = Tracker::start(&["-p", "0"]);
    start_lines(&tracker);
    // Connecting a UDP socket sends nothing, and tells from which address it would.
    let own = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("203.0.113.1:9")?;
        socket.local_addr()
    });
    let own = own
        .map(|address| address.ip())
        .ok()
        .filter(|ip| !ip.is_loopback());
    let urls = tracker.urls();
    let Some(own) = own else {
        assert!(urls.iter().all(|url| !url.contains("0.0.0.0")), "{urls:?}");
        return;
    };
    assert!(
        urls.contains(&format!("http://{own}:{}/announce", tracker.port())),
        "{urls:?}"
    );
    for url in urls {
        for nowhere in ["localhost", "0.0.0.0", "//127.", "[::]", "[::1]", "[fe80:"] {
            assert!(!url.contains(nowhere), "{url}");
        }
    }
}

/// The announce URLs at an address, in the order of the start lines.
fn urls_at(ip: &str, port: u16) -> [String; 2] {
    ["http", "udp"].map(|scheme| format!("{scheme}://{ip}:{port}/announce"))
}

#[test]
fn urls_of_both_families_on_a_machine_that_has_both() {
    if !netns_possible() {
        return;
    }
    let lan = Lan::new(1, &[Family::V4, Family::V6]);
    let machine = lan.machine(0);
    let tracker = Launch::new().prefix(&machine.prefix()).start(&["-p", "0"]);
    start_lines(&tracker);
    let expected: Vec<_> = [Family::V4, Family::V6]
        .into_iter()
        .flat_map(|family| {
            ["http", "udp"].map(|scheme| machine.announce_url(scheme, family, tracker.port()))
        })
        .collect();
    assert_eq!(tracker.urls(), expected);
}

#[test]
fn without_any_network_it_starts_and_says_so() {
    if !netns_possible() {
        return;
    }
    // A machine that has nothing but its loopback addresses.
    let lan = Lan::new(1, &[]);
    let prefix = lan.machine(0).prefix();
    let tracker = Launch::new().prefix(&prefix).start(&["-p", "0"]);
    let lines = start_lines(&tracker);
    assert!(
        lines.iter().any(|line| line.contains("no network")),
        "{lines:?}"
    );
    let port = tracker.port();
    assert_eq!(tracker.urls(), urls_at("127.0.0.1", port));
    assert!(tracker.is_running());
}

/// Not even the loopback is up: there is nobody to answer, but it starts and goes on.
#[test]
fn without_a_loopback_it_starts_and_says_so() {
    if !netns_possible() || tool("unshare").is_none() {
        return;
    }
    let tracker = Launch::new().prefix(&["unshare", "-n"]).start(&["-p", "0"]);
    let lines = start_lines(&tracker);
    assert!(
        lines.iter().any(|line| line.contains("no network")),
        "{lines:?}"
    );
    assert!(tracker.is_running());
}

#[test]
fn quiet_prints_the_urls_and_nothing_else() {
    let tracker = Tracker::start(&["-p", "0", "-q"]);
    for port in 1..=20 {
        ask(&tracker, &format!("port={port}&left=5"));
        announce(ipv4(&tracker), "port=0");
    }
    // Nothing marks the end of what must not come, so some time has to do.
    let is_more = |line: &str| !line.contains("/announce");
    let more = tracker.wait_for_line(is_more, Duration::from_millis(300));
    assert_eq!(more, None, "{:?}", tracker.lines());
    assert!(tracker.lines().iter().all(|line| is_stamped(line)));
}

#[test]
fn a_bound_address_is_the_only_url() {
    let tracker = Tracker::start(&["-p", "0", "-b", "127.0.0.1"]);
    start_lines(&tracker);
    let port = tracker.port();
    assert_eq!(tracker.urls(), urls_at("127.0.0.1", port));
    assert_eq!(get(ipv4(&tracker), "/").status, 200);
    if let Some(at) = ipv6(&tracker) {
        let refused = std::net::TcpStream::connect_timeout(&at, PATIENCE);
        assert!(refused.is_err(), "it listens elsewhere");
    }
}

#[test]
fn bind_may_be_repeated() {
    let probe = Tracker::start(&["-p", "0"]);
    if ipv6(&probe).is_none() {
        return;
    }
    let tracker = Tracker::start(&["-p", "0", "-b", "127.0.0.1", "--bind=::1"]);
    start_lines(&tracker);
    let port = tracker.port();
    let urls = ["127.0.0.1", "[::1]"].map(|ip| urls_at(ip, port));
    assert_eq!(tracker.urls(), urls.concat());
    for ip in ["127.0.0.1", "::1"] {
        let ip: IpAddr = ip.parse().unwrap();
        let announced = announce((ip, port), &format!("{TORRENT}&port=1&left=5"));
        assert!(announced.peers.is_some());
    }
}

#[test]
fn unspecified_addresses_mean_every_address_of_their_family() {
    let tracker = Tracker::start(&["-p", "0", "-b", "0.0.0.0"]);
    start_lines(&tracker);
    assert!(
        tracker.urls().iter().all(|url| !url.contains('[')),
        "{:?}",
        tracker.urls()
    );
    assert!(tracker.urls().iter().all(|url| !url.contains("0.0.0.0")));
    assert_eq!(get(ipv4(&tracker), "/").status, 200);
}

/// On Linux an IPv6 wildcard takes IPv4 too by default, which a person would not expect.
#[test]
fn a_wildcard_that_takes_both_families_prints_the_urls_of_both() {
    if !netns_possible() {
        return;
    }
    let lan = Lan::new(1, &[Family::V4, Family::V6]);
    let machine = lan.machine(0);
    let start = |args: &[&str]| Launch::new().prefix(&machine.prefix()).start(args);
    let tracker = start(&["-p", "0", "-b", "::"]);
    let lines = start_lines(&tracker);
    let has = |words: &str| lines.iter().any(|line| line.contains(words));
    assert!(has("takes IPv4 too"), "{lines:?}");
    for family in [Family::V4, Family::V6] {
        tracker.expect_url(&machine.announce_url("udp", family, tracker.port()));
    }
}

/// On Linux an IPv6 wildcard takes IPv4 too by default, and so is in the way of an IPv4 one.
#[test]
fn both_unspecified_addresses_together_are_every_address() {
    let probe = Tracker::start(&["-p", "0"]);
    if ipv6(&probe).is_none() {
        return;
    }
    for binds in [["-b=::", "-b=0.0.0.0"], ["-b=0.0.0.0", "-b=::"]] {
        let tracker = Tracker::start(&["-p", "0", binds[0], binds[1]]);
        assert_eq!(get(ipv4(&tracker), "/").status, 200);
        assert_eq!(get(ipv6(&tracker).unwrap(), "/").status, 200);
    }
}

/// A script that puts its list of addresses together from two places.
#[test]
fn an_address_given_twice_is_bound_once() {
    let tracker = Tracker::start(&["-p", "0", "-b", "127.0.0.1", "-b", "127.0.0.1"]);
    start_lines(&tracker);
    assert_eq!(tracker.urls(), urls_at("127.0.0.1", tracker.port()));
    assert_eq!(get(ipv4(&tracker), "/").status, 200);
}

#[test]
fn a_public_address_is_printed_and_on_the_page() {
    let tracker = Tracker::start(&[
        "-p",
        "0",
        "--public-address",
        "203.0.113.7",
        "--public-address=name.invalid",
    ]);
    let lines = start_lines(&tracker);
    let port = tracker.port();
    for host in ["203.0.113.7", "name.invalid"] {
        let urls = urls_at(host, port);
        assert!(
            urls.iter().all(|url| tracker.urls().contains(url)),
            "{lines:?}"
        );
        let page = get(ipv4(&tracker), "/").text();
        assert!(urls.iter().all(|url| page.contains(url)), "{page}");
    }
    // RFC 2606 sees to it that there is no such name.
    let unknown = |line: &str| line.contains("--public-address 'name.invalid' has no address");
    assert!(
        tracker.wait_for_line(unknown, PATIENCE).is_some(),
        "{}",
        tracker.report()
    );
}
