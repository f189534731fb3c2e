//! The log, as an operator reads it: what it says of peers and of clients that err, and that
//! nothing which happens to its reader, or by a client's flood, happens to the tracker.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use crate::support::http::{
    Connection, ORDINARY, PATIENCE, announce, ask, assert_answers_soon, get, ipv4, send,
};
use crate::support::tracker::Tracker;
use crate::support::vitals::found_in_time;
use crate::support::{Process, TempDir};

/// The info_hash that `ask` announces, as the log shows it.
const HASH: &str = "123456789abcdef123456789abcdef123456789a";

/// Waits for a line with all these words, and gives it.
#[track_caller]
fn expect(tracker: &Tracker, words: &[&str]) -> String {
    let is_it = |line: &str| words.iter().all(|word| line.contains(word));
    match tracker.wait_for_line(is_it, PATIENCE) {
        Some(line) => line,
        None => panic!("no line with {words:?}\n{}", tracker.report()),
    }
}

/// What `look` finds in time.
#[track_caller]
fn found<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    found_in_time(look).unwrap_or_else(|| panic!("{what}: not in time"))
}

#[test]
fn the_first_peer_of_a_torrent_and_its_last_are_told() {
    let tracker = Tracker::start(&["-p", "0"]);
    ask(&tracker, "port=1&left=5");
    ask(&tracker, "port=2&left=5");
    let first = expect(&tracker, &[HASH, "first peer"]);
    assert!(first.contains("127.0.0.1 port 1"), "{first}");
    ask(&tracker, "port=1&event=stopped");
    ask(&tracker, "port=2&event=stopped");
    expect(&tracker, &[HASH, "the last peer said goodbye"]);
    let lines = tracker.lines();
    let told = lines.iter().filter(|line| line.contains(HASH));
    assert_eq!(told.count(), 2, "not every announce\n{}", tracker.report());
}

#[test]
fn a_bad_announce_is_told_with_what_is_wrong_and_whose_fault_it_is() {
    let tracker = Tracker::start(&["-p", "0"]);
    ask(&tracker, "port=77777");
    let line = expect(&tracker, &["port is '77777'"]);
    for words in ["127.0.0.1", "refused", "probably the client"] {
        assert!(line.contains(words), "{words} in {line}");
    }
    let hash = "0123456789abcdef0123456789abcdef01234567";
    announce(ipv4(&tracker), &format!("info_hash={hash}&port=1"));
    expect(&tracker, &["40 characters of hexadecimal", "probably"]);
    send(ipv4(&tracker), b"\x16\x03\x01 TLS \r\n\r\n");
    expect(&tracker, &["127.0.0.1", "not TLS", "fault"]);
}

/// What clients send must neither garble a terminal nor forge a line.
#[test]
fn whatever_a_client_sent_is_escaped() {
    let tracker = Tracker::start(&["-p", "0", "-v"]);
    let at = ipv4(&tracker);
    let forged = "2026-01-01T00:00:00Z forged";
    for bytes in [
        &b"\x1b[31mred"[..],
        b"\x00\x01\x07\x7f",
        b"\x80\x9b31m\xff",
        b"%0D%0A2026-01-01T00:00:00Z%20forged",
        b"%1B%5B31m",
        "\u{202e}\u{9b}31m\u{2028}".as_bytes(),
    ] {
        let port = [b"port=", bytes].concat();
        let query = [ORDINARY.as_bytes(), b"&", &port, b"&event=", bytes].concat();
        let request = [
            b"GET /announce?",
            &query[..],
            b" HTTP/1.1\r\nUser-Agent: ",
            bytes,
            b"\r\nHost: ",
            bytes,
            b"\r\n\r\n",
        ];
        send(at, &request.concat());
    }
    send(
        at,
        format!("GET / HTTP/1.1\r\nHost: x\r\n{forged}\r\n\r\n").as_bytes(),
    );
    ask(&tracker, "port=777777&left=5");
    expect(&tracker, &["port is '777777'"]);
    for line in tracker.lines() {
        let odd = |c: char| c.is_control() || "\u{fffd}\u{202e}\u{2028}".contains(c);
        assert!(!line.contains(odd), "{}", line.escape_debug());
        assert!(!line.starts_with("2026-01-01"), "{line}");
    }
    let told = tracker.lines();
    let told = told.iter().filter(|line| line.contains("port is"));
    assert!(told.count() >= 6, "one for each\n{}", tracker.report());
}

#[test]
fn verbose_adds_a_line_for_every_announce() {
    let tracker = Tracker::start(&["-p", "0", "-v"]);
    for query in [
        "port=1&left=5&event=started",
        "port=1&left=0&event=completed",
        "port=1&left=0",
        "port=1&left=0&event=stopped",
    ] {
        ask(&tracker, query);
    }
    let of_announces = |line: &String| line.contains("announce of");
    expect(&tracker, &["announce of", "stopped"]);
    let lines: Vec<_> = tracker.lines().into_iter().filter(of_announces).collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    for line in &lines {
        assert!(
            line.contains(HASH) && line.contains("127.0.0.1 port 1"),
            "{line}"
        );
    }
    for (line, word) in lines
        .iter()
        .zip(["started", "completed", "seeder", "stopped"])
    {
        assert!(line.contains(word), "{word} in {line}");
    }
}

#[test]
fn announces_have_no_line_of_their_own_by_default() {
    let tracker = Tracker::start(&["-p", "0"]);
    for port in 1..=20 {
        ask(&tracker, &format!("port={port}&left=5"));
    }
    // Lines come in order, so a later one shows that none of these comes any more.
    ask(&tracker, "port=0");
    expect(&tracker, &["port is '0'"]);
    let lines = tracker.lines();
    let of_announces = lines.iter().filter(|line| line.contains(HASH));
    assert_eq!(
        of_announces.count(),
        1,
        "the first peer\n{}",
        tracker.report()
    );
}

/// `mayfly > log.txt`, and something that reads along.
#[test]
fn the_log_can_be_followed_live_in_a_file() {
    let directory = TempDir::new();
    let path = directory.path().join("log.txt");
    let mut command = mayfly(&["-p", "0", "-b", "127.0.0.1", "-v"]);
    command.stdout(File::create(&path).expect("a new file"));
    let _tracker = Process::spawn("tracker", &mut command);
    let line_with = |words: &str| {
        found(words, || {
            // Whole lines only, as a program that follows the file would take them.
            let text = std::fs::read_to_string(&path).expect("UTF-8");
            let (whole, _) = text.rsplit_once('\n')?;
            let found = whole.lines().find(|line| line.contains(words));
            found.map(str::to_owned)
        })
    };
    let url = line_with("http://127.0.0.1:");
    let at = address_in(&url);
    for port in [11, 12, 13] {
        announce(at, &format!("{ORDINARY}&port={port}"));
        line_with(&format!("127.0.0.1 port {port}"));
    }
}

/// Where the tracker listens that wrote this line with a URL.
fn address_in(line: &str) -> SocketAddr {
    let authority = line.split('/').nth(2).expect("a URL");
    authority.parse().expect("an address and a port")
}

/// The executable, with nothing to read.
fn mayfly(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mayfly"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// A tracker whose standard output is not for `Process` to collect; dropping it ends it.
struct Unread(Child);

impl Unread {
    #[track_caller]
    fn assert_goes_on(&mut self, at: SocketAddr) {
        // Each of them is a line that cannot be written.
        let mut connection = Connection::open(at);
        for port in 1..=200 {
            connection.get(&format!("/announce?{ORDINARY}&port={port}"));
            connection.get("/announce?port=0");
        }
        assert_answers_soon(at);
        assert!(matches!(self.0.try_wait(), Ok(None)), "it has ended");
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `mayfly | head`.
#[test]
fn a_reader_that_leaves_does_not_end_the_tracker() {
    let mut command = mayfly(&["-p", "0", "-b", "127.0.0.1", "-v"]);
    let mut tracker = Unread(command.stdout(Stdio::piped()).spawn().expect("it starts"));
    let stdout = tracker.0.stdout.take().expect("piped");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let url = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .find(|line| line.contains("http://"));
        // The reader is gone with the iterator.
        let _ = sender.send(url);
    });
    let url = receiver.recv_timeout(PATIENCE).expect("a line in time");
    let url = url.expect("a URL");
    let at = address_in(&url);
    tracker.assert_goes_on(at);
}

/// Where a tracker listens that cannot say so: the system is asked. Each test has an address of
/// its own (Linux answers to all of 127.0.0.0/8), so that no other tracker is taken for it.
#[cfg(target_os = "linux")]
fn silent(number: u32, launch: impl FnOnce(&str) -> Command) -> (Unread, SocketAddr) {
    // A process id has 22 bits at most.
    let ip = Ipv4Addr::from_bits(0x7f00_0000 | std::process::id() << 2 | number);
    let tracker = Unread(launch(&ip.to_string()).spawn().expect("it starts"));
    let port = found("listening", || {
        let sockets = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
        sockets.lines().find_map(|line| {
            // Its number, local address, remote address, state; 0A is listening.
            let [_, local, _, "0A", ..] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                return None;
            };
            let (address, port) = local.split_once(':')?;
            let address = u32::from_str_radix(address, 16).ok()?;
            let is_it = address.to_ne_bytes() == ip.octets();
            is_it.then(|| u16::from_str_radix(port, 16).ok()).flatten()
        })
    });
    (tracker, (ip, port).into())
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_does_not_end_the_tracker() {
    let full = Path::new("/dev/full");
    let (mut tracker, at) = silent(1, |ip| {
        let mut command = mayfly(&["-p", "0", "-b", ip, "-v"]);
        command.stdout(
            File::options()
                .write(true)
                .open(full)
                .expect("Linux has it"),
        );
        command
    });
    tracker.assert_goes_on(at);
}

/// `mayfly >&-`, as careless services start it.
#[test]
#[cfg(target_os = "linux")]
fn no_standard_output_at_all_does_not_keep_the_tracker_from_running() {
    let (mut tracker, at) = silent(2, |ip| {
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" <&- >&- 2>&-"]);
        command.arg(env!("CARGO_BIN_EXE_mayfly"));
        command.args(["-p", "0", "-b", ip, "-v"]);
        command
    });
    tracker.assert_goes_on(at);
}

/// The number that a line of the form `TIME 123 more announces came too fast for the log` counts.
fn left_out(line: &str) -> Option<usize> {
    let (before, _) = line.split_once(" more announces came too fast")?;
    before.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_flood_of_announces_is_bounded_in_the_log_and_what_is_left_out_is_counted() {
    const CONNECTIONS: usize = 4;
    const BATCHES: usize = 50;
    const BATCH: usize = 100;
    let tracker = Tracker::start(&["-p", "0", "-v"]);
    let at = ipv4(&tracker);
    let mut sent = 0;
    let begin = Instant::now();
    thread::scope(|scope| {
        let floods: Vec<_> = (0..CONNECTIONS)
            .map(|n| {
                scope.spawn(move || {
                    let mut connection = Connection::open(at);
                    let target = format!("/announce?{ORDINARY}&port={}", n + 1);
                    let one = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
                    for _ in 0..BATCHES {
                        connection.send(one.repeat(BATCH).as_bytes());
                        for _ in 0..BATCH {
                            assert_eq!(connection.answer().status, 200);
                        }
                    }
                })
            })
            .collect();
        while floods.iter().any(|flood| !flood.is_finished()) {
            assert_answers_soon(at);
            sent += 1;
        }
    });
    sent += CONNECTIONS * BATCHES * BATCH;

    let written = |lines: &[String]| lines.iter().filter(|l| l.contains("announce of")).count();
    // The count comes some seconds later, and in two parts if the flood took longer than that.
    found("every announce written or counted", || {
        let lines = tracker.lines();
        let counted: usize = lines.iter().filter_map(|line| left_out(line)).sum();
        let all = written(&lines) + counted;
        assert!(all <= sent, "{all} of {sent}");
        (all == sent).then_some(())
    });
    // So many at once, and so many a second.
    let bound = 2000 + 100 * (begin.elapsed().as_secs() as usize + 1);
    let lines = written(&tracker.lines());
    assert!(lines <= bound, "{lines} lines, more than {bound}");
    assert_eq!(get(at, "/").status, 200);
}

/// systemd adds a time to each line, so another one would be one too many; but a file has the
/// name of the journal in its environment too, if the unit writes into one.
#[test]
#[cfg(target_os = "linux")]
fn the_journal_has_lines_without_a_time() {
    use std::os::unix::fs::MetadataExt;
    let directory = TempDir::new();
    for is_journal in [true, false] {
        let path = directory.path().join(format!("log-{is_journal}"));
        let file = File::create(&path).unwrap();
        let of = file.metadata().unwrap();
        let inode = of.ino() + u64::from(!is_journal);
        let mut mayfly = Command::new(env!("CARGO_BIN_EXE_mayfly"));
        mayfly.args(["-p", "0", "-b", "127.0.0.1"]);
        mayfly.env("JOURNAL_STREAM", format!("{}:{inode}", of.dev()));
        mayfly.stdin(Stdio::null()).stdout(file);
        let mut mayfly = mayfly.spawn().expect("mayfly starts");
        let lines = found_in_time(|| {
            let text = std::fs::read_to_string(&path).unwrap();
            text.contains("how it is doing").then_some(text)
        });
        let _ = mayfly.kill();
        let _ = mayfly.wait();
        let lines = lines.expect("the lines of the start in time");
        assert_eq!(lines.starts_with("mayfly "), is_journal, "{lines}");
        assert_eq!(lines.contains("\n  http://127."), is_journal, "{lines}");
    }
}
