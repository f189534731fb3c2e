//! What every executable has to do, whatever it runs on.

use std::fs::File;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::platform::Executable;
use crate::support::http::{self, PATIENCE, TORRENT, announce};
use crate::support::{Process, TempDir, output_of, tools};

pub fn a_bad_option_exits_2_with_one_line(executable: &Executable) {
    for (args, words) in [
        (&["--prot", "1"][..], ["'--prot'", "mayfly --help"]),
        (&["-p", "65536"], ["--port '65536'", "0 (any free port)"]),
    ] {
        assert_refused(executable, args, 2, &words);
    }
}

pub fn a_port_in_use_exits_1_with_one_line(executable: &Executable) {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().unwrap().port().to_string();
    let words = [&format!("port {port} is in use")[..], "mayfly -p "];
    assert_refused(executable, &["-b", "127.0.0.1", "-p", &port], 1, &words);
    // By another of the same, on all addresses.
    let other = executable.launch().start(&["-p", "0"]);
    let port = other.port().to_string();
    let words = [&format!("port {port} is in use")[..], "mayfly -p "];
    assert_refused(executable, &["-p", &port], 1, &words);
    assert!(other.is_running(), "{}", other.report());
}

/// Asserts that this is refused, in one line with all these words.
#[track_caller]
fn assert_refused(executable: &Executable, args: &[&str], code: i32, words: &[&str]) {
    let ended = executable.run(args);
    assert_eq!(ended.code, Some(code), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.ends_with('\n'), "{:?}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "{word} in {}", ended.stderr);
    }
}

/// Byte by byte, with nothing made equal before: the line ends and the name of the program too.
pub fn help_is_that_of_the_native_executable(executable: &Executable) {
    let native = output_of(Command::new(env!("CARGO_BIN_EXE_mayfly")).arg("--help"));
    let native = String::from_utf8(native.stdout).expect("UTF-8");
    assert!(native.contains("--port"), "{native}");
    let help = executable.run(&["--help"]);
    assert_eq!((help.code, &help.stderr[..]), (Some(0), ""));
    assert_eq!(help.stdout, native);
    let version = executable.run(&["--version"]);
    let expected = concat!("mayfly ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((version.code, &version.stdout[..]), (Some(0), expected));
}

/// 1,150,000 bytes for Linux on x86_64, and 1,500,000 for the others.
pub fn it_is_no_larger_than_promised(executable: &Executable) {
    let size = std::fs::metadata(&executable.file).expect("a file").len();
    let promised = executable.platform.promised_size;
    assert!(size <= promised, "{size} bytes, more than {promised}");
}

/// Windows has no socket for both families unless it is asked for one.
pub fn it_listens_on_every_address_of_both_families(executable: &Executable) {
    let tracker = executable.launch().start(&["-p", "0"]);
    for (ip, torrent) in [("127.0.0.1", 4), ("::1", 6)] {
        if ip == "::1" && !tools::has_ipv6() {
            continue;
        }
        let at = SocketAddr::new(ip.parse().unwrap(), tracker.port());
        meet(at, torrent);
    }
    assert!(tracker.is_running(), "{}", tracker.report());
}

/// More idle connections than there are threads. Elsewhere than on Windows those are woken by
/// being disconnected; there they have to look for it themselves.
pub fn idle_connections_give_way(executable: &Executable) {
    let tracker = executable.launch().start(&["-p", "0", "-b", "127.0.0.1"]);
    let at = SocketAddr::from(([127, 0, 0, 1], tracker.port()));
    let mut held = Vec::new();
    for _ in 0..5 {
        held.extend((0..30).map(|_| http::Connection::open(at)));
        http::assert_answers_soon(at);
    }
}

pub fn two_peers_meet_over_http_and_udp(executable: &Executable) {
    let args = ["-p", "0", "-b", "127.0.0.1"];
    let tracker = executable.launch().start(&args);
    let port = tracker.port();
    assert_ne!(port, 0);
    for scheme in ["http", "udp"] {
        tracker.expect_url(&format!("{scheme}://127.0.0.1:{port}/announce"));
    }
    assert_eq!(tracker.urls().len(), 2, "{}", tracker.report());
    meet(([127, 0, 0, 1], port).into(), 1);
    assert!(tracker.is_running(), "{}", tracker.report());
}

/// A seeder announces by HTTP and a leecher by UDP; each is shown the other, and nobody else. The
/// torrent must be one that nobody has announced yet; its hash is this byte again and again.
fn meet(at: SocketAddr, torrent: u8) {
    const SEEDER: u16 = 0x0101;
    const LEECHER: u16 = 0x0202;
    let hash = format!("%{torrent:02x}").repeat(20);
    let by_http = || {
        let query = format!("info_hash={hash}&peer_id={}&left=0", "a".repeat(20));
        announce(at, &format!("{query}&port={SEEDER}"))
    };
    assert_eq!(by_http().shown(), [] as [String; 0]);
    let ip = match at.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let expected = [&ip[..], &SEEDER.to_be_bytes()].concat();
    assert_eq!(announce_by_udp(at, torrent, LEECHER), expected);
    let expected = SocketAddr::new(at.ip(), LEECHER).to_string();
    assert_eq!(by_http().shown(), [expected]);
}

/// The peers in the answer to a leecher with this port.
fn announce_by_udp(at: SocketAddr, torrent: u8, port: u16) -> Vec<u8> {
    let socket = UdpSocket::bind((at.ip(), 0)).expect("a free port");
    socket.connect(at).expect("an address");
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let ask = |packet: &[u8]| {
        socket.send(packet).unwrap();
        let mut answer = [0; 2048];
        let length = socket.recv(&mut answer).expect("an answer");
        answer[..length].to_vec()
    };
    let connected = ask(b"\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0tran");
    assert_eq!(connected[..8], *b"\0\0\0\0tran");
    let mut packet = [&connected[8..], b"\0\0\0\x01tran", &[torrent; 20]].concat();
    packet.resize(98, 0);
    // Left, how many peers (-1: as the tracker likes), and the port.
    packet[71] = 1;
    packet[92..96].copy_from_slice(&[0xff; 4]);
    packet[96..].copy_from_slice(&port.to_be_bytes());
    let answer = ask(&packet);
    assert_eq!(answer[..8], *b"\0\0\0\x01tran");
    answer[20..].to_vec()
}

/// `mayfly > log.txt`, and something that reads along.
pub fn the_log_goes_to_a_file_and_can_be_followed(executable: &Executable) {
    let log = Log::of(executable, &["-p", "0", "-b", "127.0.0.1", "-v"]);
    let url = log.wait_for("http://127.0.0.1:");
    let at: SocketAddr = url.split('/').nth(2).expect("a URL").parse().unwrap();
    log.wait_for("how it is doing");
    for port in [11, 12, 13] {
        announce(at, &format!("{TORRENT}&left=5&port={port}"));
        // Each before the next one is asked for: it does not wait in a buffer.
        log.wait_for(&format!("127.0.0.1 port {port}:"));
    }
    announce_by_udp(at, 1, 14);
    log.wait_for("127.0.0.1 port 14:");
    announce(at, "port=0");
    log.wait_for("refused");

    let text = log.text();
    let lines = text.matches('\n').count();
    let dos_lines = text.matches("\r\n").count();
    assert!(lines >= 8, "{text}");
    assert!(dos_lines == 0 || dos_lines == lines, "{text:?}");
    // No other than those.
    assert_eq!(text.matches('\r').count(), dos_lines, "{text:?}");
}

/// A tracker that writes to a file.
struct Log {
    // Before the directory: it must be gone when that is removed.
    tracker: Process,
    file: PathBuf,
    _directory: TempDir,
}

impl Log {
    fn of(executable: &Executable, args: &[&str]) -> Log {
        let directory = TempDir::new();
        let file = directory.path().join("log.txt");
        let mut command = executable.command(args);
        command.stdout(File::create(&file).expect("a new file"));
        command.stderr(Stdio::piped());
        Log {
            tracker: Process::spawn("tracker", &mut command),
            file,
            _directory: directory,
        }
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.file).expect("UTF-8")
    }

    /// The first line with these words, as soon as it is whole.
    #[track_caller]
    fn wait_for(&self, words: &str) -> String {
        // As long as wine may take to start.
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let is_running = self.tracker.is_running();
            let text = self.text();
            let mut lines = text.split_inclusive('\n').filter(|l| l.ends_with('\n'));
            if let Some(line) = lines.find(|line| line.contains(words)) {
                return line.trim_end().to_owned();
            }
            if !is_running || Instant::now() > deadline {
                panic!("no line with {words}\n{text}{}", self.tracker.report());
            }
            // A file has no event that could be waited for.
            thread::sleep(Duration::from_millis(5));
        }
    }
}
